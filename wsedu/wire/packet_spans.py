# SPDX-License-Identifier: GPL-2.0-or-later
"""What each byte of a packet is, from the link layer down to the messages that it carries."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from ipaddress import ip_address

from ..protocol.spans import Kind, Span
from .packets import VLAN_TAGS
from .pcapfile import LINKTYPE_ETHERNET

Layer = tuple[str, list[Span]]
"""A name, and what the bytes of that layer are; offsets count from the first byte of the packet."""

ETHERNET = "IEEE 802.3"
IPV4, IPV6, TCP = "RFC 791, 3.1", "RFC 8200, 3", "RFC 9293, 3.1"
_TYPES = {0x0800: "IPv4 follows", 0x86DD: "IPv6 follows", 0x8100: "a VLAN tag follows"}
_FLAGS = (
    ("CWR", "slowed down, as ECE asked"),
    ("ECE", "congestion was met on the way; in a SYN: ECN is known here"),
    ("URG", "the urgent pointer counts"),
    ("ACK", "the acknowledgment number counts"),
    ("PSH", "hand it to the program at once"),
    ("RST", "the connection is broken off"),
    ("SYN", "a connection begins, and its sequence numbers start here"),
    ("FIN", "the sender will send no more"),
)
_OPTIONS = {
    0: ("end of the option list", "", "RFC 9293, 3.2"),
    1: ("no-operation", "fills up to a boundary", "RFC 9293, 3.2"),
    2: ("maximum segment size", "bytes of data that a segment may have at most", "RFC 9293, 3.7.1"),
    3: ("window scale", "the window is to be shifted left by so many bits", "RFC 7323, 2.2"),
    4: ("SACK-permitted", "selective acknowledgments are understood", "RFC 2018, 2"),
    5: ("SACK", "what has come behind a gap", "RFC 2018, 3"),
    8: ("timestamps", "the sender's clock, and an echo of the other's", "RFC 7323, 3.2"),
}


class _Fields:
    """Spans one after the other, as far as the packet goes."""

    def __init__(self, data: bytes, at: int, section: str) -> None:
        self.data, self.at, self.section = data, at, section
        self.spans: list[Span] = []

    def add(
        self,
        size: int,
        name: str,
        meaning: str,
        say: Callable[[bytes], object] | None = None,
        section: str = "",
    ) -> None:
        """The next bytes; ``say`` makes a value of them, by default a number."""
        raw = self.data[self.at : self.at + size]
        if not raw:
            return
        value = say(raw) if say else int.from_bytes(raw, "big")
        end = self.at + len(raw)
        self.spans.append(Span(self.at, end, name, value, meaning, Kind.TCP_IP, section or self.section))
        self.at = end

    def add_bits(self, *bits: tuple[int, str, str] | tuple[int, str, str, str]) -> None:
        """The next byte, bit by bit: of each piece how many bits, name, meaning, and a section of its own."""
        if self.at >= len(self.data):
            return
        byte, first = self.data[self.at], 0
        for width, name, meaning, *section in bits:
            value = byte >> (8 - first - width) & ((1 << width) - 1)
            place = (first, first + width)
            if width == 1 and not value and name != "reserved":
                meaning = f"not set; 1 says: {meaning}"
            where = section[0] if section else self.section
            self.spans.append(Span(self.at, self.at + 1, name, value, meaning, Kind.TCP_IP, where, place))
            first += width
        self.at += 1


def packet_layers(
    link_type: int, data: bytes, places: tuple[int, int, int], end: int, carried: Iterable[Layer]
) -> list[Layer]:
    """The layers of a packet that holds a TCP segment; together their spans cover it.

    Args:
        link_type: LINKTYPE_ number.
        data: the packet, as far as it was captured.
        places: offsets of the IP header, the TCP header and the TCP payload.
        end: offset of the end of the TCP payload; what follows is padding.
        carried: the messages in the TCP payload, as far as they are in it.
    """
    ip_at, tcp_at, data_at = (min(place, len(data)) for place in places)
    version = data[ip_at] >> 4
    ip = _ipv4(data, ip_at, tcp_at) if version == 4 else _ipv6(data, ip_at, tcp_at)
    layers = [
        _link(link_type, data[:ip_at]),
        (f"IPv{version}", ip),
        ("TCP", _tcp(data[:data_at], tcp_at)),
    ]
    at = data_at
    for name, spans in carried:
        layers += [_unknown("TCP payload", data, at, spans[0].start), (name, spans)]
        at = spans[-1].end
    layers += [_unknown("TCP payload", data, at, end), _unknown("padding", data, max(at, end), len(data))]
    return [(name, spans) for name, spans in layers if spans]


def part_of(spans: list[Span], start: int, end: int, at: int) -> list[Span]:
    """The spans of the bytes from ``start`` to ``end`` of a message, moved to ``at``."""
    inside = [span for span in spans if span.start < end and span.end > start]
    return [
        replace(span, start=max(span.start, start), end=min(span.end, end)).shifted(at - start)
        for span in inside
    ]


def _unknown(name: str, data: bytes, start: int, end: int) -> Layer:
    meaning = (
        "of a message that is not whole, or not read" if name == "TCP payload" else "behind the IP packet"
    )
    raw = data[start:end]
    return name, [Span(start, start + len(raw), name, raw, meaning, Kind.TCP_IP)] if raw else []


def _link(link_type: int, data: bytes) -> Layer:
    if link_type != LINKTYPE_ETHERNET:
        fields = _Fields(data, 0, "")
        fields.add(len(data), "link header", "how the packet came to the one who captured it", bytes)
        return "link", fields.spans
    fields = _Fields(data, 0, ETHERNET)
    fields.add(6, "destination address", "of the next network card", _mac)
    fields.add(6, "source address", "of the last network card", _mac)
    # IEEE 802.1Q puts a tag of four bytes in front of the EtherType, and looks like an EtherType itself.
    while fields.at < len(data):
        kind = int.from_bytes(data[fields.at : fields.at + 2], "big")
        fields.add(2, "EtherType", _TYPES.get(kind, "what follows"), _hex)
        if kind in VLAN_TAGS:
            fields.add(2, "VLAN tag", "priority and VLAN", _hex, "IEEE 802.1Q")
        else:
            fields.add(len(data) - fields.at, "tunnel", "headers that carry the IP packet", bytes)
    return "Ethernet", fields.spans


def _ipv4(data: bytes, at: int, end: int) -> list[Span]:
    fields = _Fields(data[:end], at, IPV4)
    fields.add_bits((4, "version", "IPv4"), (4, "header length", "in words of 4 bytes"))
    # RFC 791 called this byte the type of service; its bits have been given away twice since then.
    fields.add_bits(
        (6, "DSCP", "how to treat it on the way", "RFC 2474, 3"), (2, "ECN", "congestion", "RFC 3168, 5")
    )
    fields.add(2, "total length", "bytes from here on, this header counted")
    fields.add(2, "identification", "the same in all fragments of a packet", _hex)
    fields.add_bits(
        (1, "reserved", "0"),
        (1, "DF", "do not fragment"),
        (1, "MF", "more fragments follow"),
        (5, "fragment offset, upper 5 bits", "where the fragment belongs"),
    )
    fields.add(1, "fragment offset, lower 8 bits", "in units of 8 bytes")
    fields.add(1, "time to live", "routers that it may still pass")
    fields.add(1, "protocol", "6: TCP follows")
    fields.add(2, "header checksum", "over this header", _hex)
    fields.add(4, "source address", "who sends", _ip)
    fields.add(4, "destination address", "who is to receive", _ip)
    fields.add(end - fields.at, "options", "", bytes)
    return fields.spans


def _ipv6(data: bytes, at: int, end: int) -> list[Span]:
    fields = _Fields(data[:end], at, IPV6)
    fields.add_bits((4, "version", "IPv6"), (4, "traffic class, upper 4 bits", "how to treat it on the way"))
    fields.add_bits((4, "traffic class, lower 4 bits", "congestion"), (4, "flow label, upper 4 bits", ""))
    fields.add(2, "flow label, lower 16 bits", "the same in all packets of a flow", _hex)
    fields.add(2, "IPv6 payload length", "bytes after these 40")
    fields.add(1, "next header", "6: TCP follows")
    fields.add(1, "hop limit", "routers that it may still pass")
    fields.add(16, "source address", "who sends", _ip)
    fields.add(16, "destination address", "who is to receive", _ip)
    fields.add(end - fields.at, "extension headers", "", bytes, "RFC 8200, 4")
    return fields.spans


def _tcp(data: bytes, at: int) -> list[Span]:
    fields = _Fields(data, at, TCP)
    fields.add(2, "source port", "of the sender", _number)
    fields.add(2, "destination port", "of the receiver", _number)
    fields.add(4, "sequence number", "of the first byte of data, or of the SYN", _number)
    fields.add(4, "acknowledgment number", "of the byte that the sender expects next", _number)
    fields.add_bits((4, "data offset", "the header's length in words of 4 bytes"), (4, "reserved", "0"))
    fields.add_bits(*((1, name, meaning) for name, meaning in _FLAGS))
    fields.add(2, "window", "bytes that the sender is ready to take, before it is scaled")
    fields.add(2, "checksum", "over header, data, and the addresses of IP", _hex)
    fields.add(2, "urgent pointer", "counts only with URG")
    while fields.at < len(data):
        kind = data[fields.at]
        name, meaning, section = _OPTIONS.get(kind, (f"option {kind}", "", "RFC 9293, 3.2"))
        # RFC 9293, 3.2: the first two kinds are a single octet, all others tell their length, kind and length counted.
        size = 1 if kind < 2 else max(data[fields.at + 1], 1) if fields.at + 1 < len(data) else 1
        fields.add(size, name, meaning, _option, section)
    return fields.spans


def _option(raw: bytes) -> object:
    """The value of an option without its kind and length."""
    value = raw[2:]
    if len(value) in (1, 2):
        return int.from_bytes(value, "big")
    if raw[:2] == b"\x08\x0a":
        return f"{int.from_bytes(value[:4], 'big')}, {int.from_bytes(value[4:], 'big')}"
    return value.hex(" ")


def _number(raw: bytes) -> str:
    """A number that is no count, and so has no commas."""
    return str(int.from_bytes(raw, "big"))


def _mac(raw: bytes) -> str:
    return raw.hex(":")


def _hex(raw: bytes) -> str:
    return f"0x{raw.hex()}"


def _ip(raw: bytes) -> str:
    return str(ip_address(raw)) if len(raw) in (4, 16) else raw.hex()
