# SPDX-License-Identifier: GPL-2.0-or-later
"""A packet of a capture as a thing to look at: its layers, from the link layer down, and in them the messages.

Each header is a table, as the RFC draws it: a row for each field, with its size in bits. ``_read`` goes along a table.
What has no fixed size (options, VLAN tags) is a function that makes such rows.

In order of reading: the headers; which messages a packet carries (``PacketViews``).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from ipaddress import ip_address
from itertools import chain
from typing import NamedTuple

from ..protocol.opcodes import opcode_name
from ..protocol.spans import Kind, Span, part_of
from .message import CapturedMessage
from .packets import SYN, VLAN_TAGS, Segment, Unreadable, segment_of
from .pcapfile import LINKTYPE_ETHERNET, Packet
from .streams import HALF, SPACE

# A name, and what the bytes of that layer are; offsets count from the first byte of the packet.
Layer = tuple[str, list[Span]]


def _number(raw: bytes) -> object:
    """A number that is no count, and so has no commas."""
    return str(int.from_bytes(raw))


def _hex(raw: bytes) -> object:
    return f"0x{raw.hex()}"


def _ip(raw: bytes) -> object:
    return str(ip_address(raw)) if len(raw) in (4, 16) else raw.hex()


def _option(raw: bytes) -> object:
    """The value of an option without its kind and length."""
    value = raw[2:]
    if len(value) in (1, 2):
        return int.from_bytes(value)
    if raw[:2] == b"\x08\x0a":
        return f"{int.from_bytes(value[:4])}, {int.from_bytes(value[4:])}"
    return value.hex(" ")


class _Field(NamedTuple):
    """A field of a header: whole bytes, or bits inside of one byte."""

    bits: int
    name: str
    meaning: str
    say: Callable[[bytes], object] = int.from_bytes  # makes its value of whole bytes; this one, a count
    section: str = ""  # if it is another one than the header's


_REST = 1 << 24  # bits, and so more than a packet has: all that is left of a header

_TYPES = {0x0800: "IPv4 follows", 0x86DD: "IPv6 follows", 0x8100: "a VLAN tag follows"}
_IPV4 = (
    _Field(4, "version", "IPv4"),
    _Field(4, "header length", "in words of 4 bytes"),
    # RFC 791 called this byte the type of service; its bits have been given away twice since then.
    _Field(6, "DSCP", "how to treat it on the way", section="RFC 2474, 3"),
    _Field(2, "ECN", "congestion", section="RFC 3168, 5"),
    _Field(16, "total length", "bytes from here on, this header counted"),
    _Field(16, "identification", "the same in all fragments of a packet", _hex),
    _Field(1, "reserved", "0"),
    _Field(1, "DF", "do not fragment"),
    _Field(1, "MF", "more fragments follow"),
    _Field(5, "fragment offset, upper 5 bits", "where the fragment belongs"),
    _Field(8, "fragment offset, lower 8 bits", "in units of 8 bytes"),
    _Field(8, "time to live", "routers that it may still pass"),
    _Field(8, "protocol", "6: TCP follows"),
    _Field(16, "header checksum", "over this header", _hex),
    _Field(32, "source address", "who sends", _ip),
    _Field(32, "destination address", "who is to receive", _ip),
    _Field(_REST, "options", "", bytes),
)
_IPV6 = (
    _Field(4, "version", "IPv6"),
    _Field(4, "traffic class, upper 4 bits", "how to treat it on the way"),
    _Field(4, "traffic class, lower 4 bits", "congestion"),
    _Field(4, "flow label, upper 4 bits", ""),
    _Field(16, "flow label, lower 16 bits", "the same in all packets of a flow", _hex),
    _Field(16, "IPv6 payload length", "bytes after these 40"),
    _Field(8, "next header", "6: TCP follows"),
    _Field(8, "hop limit", "routers that it may still pass"),
    _Field(128, "source address", "who sends", _ip),
    _Field(128, "destination address", "who is to receive", _ip),
    _Field(_REST, "extension headers", "", bytes, "RFC 8200, 4"),
)
_IP = {4: ("IPv4", "RFC 791, 3.1", _IPV4), 6: ("IPv6", "RFC 8200, 3", _IPV6)}  # by version
_TCP = (
    _Field(16, "source port", "of the sender", _number),
    _Field(16, "destination port", "of the receiver", _number),
    _Field(32, "sequence number", "of the first byte of data, or of the SYN", _number),
    _Field(32, "acknowledgment number", "of the byte that the sender expects next", _number),
    _Field(4, "data offset", "the header's length in words of 4 bytes"),
    _Field(4, "reserved", "0"),
    _Field(1, "CWR", "slowed down, as ECE asked"),
    _Field(1, "ECE", "congestion was met on the way; in a SYN: ECN is known here"),
    _Field(1, "URG", "the urgent pointer counts"),
    _Field(1, "ACK", "the acknowledgment number counts"),
    _Field(1, "PSH", "hand it to the program at once"),
    _Field(1, "RST", "the connection is broken off"),
    _Field(1, "SYN", "a connection begins, and its sequence numbers start here"),
    _Field(1, "FIN", "the sender will send no more"),
    _Field(16, "window", "bytes that the sender is ready to take, before it is scaled"),
    _Field(16, "checksum", "over header, data, and the addresses of IP", _hex),
    _Field(16, "urgent pointer", "counts only with URG"),
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
# What is not looked into.
_LINK_HEADER = (_Field(_REST, "link header", "how the packet came to the one who captured it", bytes),)
_UNREAD = (_Field(_REST, "TCP payload", "of a message that is not whole, or not read", bytes),)
_PADDING = (_Field(_REST, "padding", "behind the IP packet", bytes),)


def _ethernet(data: bytes) -> Iterator[_Field]:
    """The header of a frame of which ``data`` is all that stands before the IP packet."""
    yield _Field(48, "destination address", "of the next network card", partial(bytes.hex, sep=":"))
    yield _Field(48, "source address", "of the last network card", partial(bytes.hex, sep=":"))
    # IEEE 802.1Q puts a tag of four bytes in front of the EtherType, and looks like an EtherType itself.
    for at in range(12, len(data), 4):
        kind = int.from_bytes(data[at : at + 2], "big")
        yield _Field(16, "EtherType", _TYPES.get(kind, "what follows"), _hex)
        if kind not in VLAN_TAGS:
            yield _Field(_REST, "tunnel", "headers that carry the IP packet", bytes)
            return
        yield _Field(16, "VLAN tag", "priority and VLAN", _hex, "IEEE 802.1Q")


def _tcp_options(options: bytes) -> Iterator[_Field]:
    """RFC 9293, 3.2: the first two kinds are one byte, all others tell their length, kind and length counted."""
    at = 0
    while at < len(options):
        kind = options[at]
        size = max(options[at + 1], 1) if kind > 1 and at + 1 < len(options) else 1
        name, meaning, section = _OPTIONS.get(kind, (f"option {kind}", "", "RFC 9293, 3.2"))
        yield _Field(8 * size, name, meaning, _option, section)
        at += size


def _read(header: bytes, at: int, section: str, fields: Iterable[_Field]) -> list[Span]:
    """The spans of a header that begins at byte ``at`` and ends with ``header``, or is cut there by the snap length."""
    spans, place = [], 8 * at  # in bits
    for width, name, meaning, say, own_section in fields:
        start, first = divmod(place, 8)
        raw = header[start : start + (width + 7) // 8]
        if not raw:
            break
        value, bits, end = say(raw), None, start + len(raw)
        if width % 8:
            value, bits = raw[0] >> (8 - first - width) & ((1 << width) - 1), (first, first + width)
            if width == 1 and not value and name != "reserved":
                meaning = f"not set; 1 says: {meaning}"
        spans.append(Span(start, end, name, value, meaning, Kind.TCP_IP, own_section or section, bits))
        place += width
    return spans


def _layers(packet: Packet, segment: Segment, carried: Iterable[Layer]) -> list[Layer]:
    """The layers of a packet that holds a TCP segment; together their spans cover it.

    Args:
        packet: as far as it was captured; what follows the TCP payload is padding.
        segment: that is in it.
        carried: the messages in the TCP payload, as far as they are in it.
    """
    data = packet.data
    ip_at, tcp_at, data_at = (min(place, len(data)) for place in segment.places)
    end = data_at + len(segment.payload)
    link: tuple[str, str, Iterable[_Field]] = "link", "", _LINK_HEADER
    if packet.link_type == LINKTYPE_ETHERNET:
        link = "Ethernet", "IEEE 802.3", _ethernet(data[:ip_at])
    tcp = chain(_TCP, _tcp_options(data[tcp_at + 20 : data_at]))
    headers = (*link, 0, ip_at), (*_IP[data[ip_at] >> 4], ip_at, tcp_at), ("TCP", "RFC 9293, 3.1", tcp, tcp_at, data_at)
    layers = [(name, _read(data[:stop], at, section, fields)) for name, section, fields, at, stop in headers]
    at = data_at
    for name, spans in carried:
        layers += [("TCP payload", _read(data[: spans[0].start], at, "", _UNREAD)), (name, spans)]
        at = spans[-1].end
    layers.append(("TCP payload", _read(data[:end], at, "", _UNREAD)))
    layers.append(("padding", _read(data, max(at, end), "", _PADDING)))
    return [(name, spans) for name, spans in layers if spans]


class PacketView:
    """A packet with its layers; ``byte_map`` and ``touch`` take it.

    Attributes:
        index: its number in the capture, from 0.
        time: in seconds since the first packet of the capture.
        raw: its bytes, as far as they were captured.
        modelled: whether TCP/IP in it was made up by the relay of ``record``.
        kind: what to call it.
    """

    def __init__(self, index: int, time: float, raw: bytes, layers: list[Layer], modelled: bool = False) -> None:
        self.index, self.time, self.raw, self._layers = index, time, raw, layers
        self.modelled = modelled
        self.kind = f"packet {index}{', TCP/IP modelled by the relay' if modelled else ''}"

    def layers(self) -> list[Layer]:
        """From the link layer to the messages: each has a name and the spans of its bytes; together they cover all."""
        return self._layers

    def spans(self) -> list[Span]:
        """What each byte is, in order."""
        return [span for _, spans in self._layers for span in spans]

    def __repr__(self) -> str:
        return f"<{self.kind}: {len(self.raw):,} bytes, {', '.join(name for name, _ in self._layers)}>"


class PacketViews:
    """Views of the packets of a capture.

    Args:
        packets: all of them.
        messages: all that were read from them, those of one sender in one conversation in the order of its stream.
        modelled: said of each packet.
    """

    def __init__(self, packets: Sequence[Packet], messages: Iterable[CapturedMessage], modelled: bool = False) -> None:
        self._packets, self._modelled = packets, modelled
        # Of each packet: the messages in it, each with its place in the stream and the first message of the stream.
        self._carried = defaultdict[int, list[tuple[CapturedMessage, int, CapturedMessage]]](list)
        streams: dict[tuple[int, str], tuple[CapturedMessage, int]] = {}
        for message in messages:
            key = message.conversation, message.sender
            first, at = streams.get(key, (message, 0))
            streams[key] = first, at + message.wire_length
            for index in message.packets:
                self._carried[index].append((message, at, first))

    def __getitem__(self, index: int) -> PacketView:
        """The view of a packet, by its number in the capture.

        Raises:
            IndexError: there is no such packet.
        """
        if not 0 <= index < len(self._packets):
            raise IndexError(f"the capture has packets 0 to {len(self._packets) - 1}, and none {index}")
        packet = self._packets[index]
        segment = self._segment(index)
        if segment is None:
            span = Span(0, len(packet.data), "packet", packet.data, "holds no TCP", Kind.TCP_IP)
            layers = [("no TCP", [span])]
        else:
            layers = _layers(packet, segment, self._messages(index, segment))
        time = (packet.time - self._packets[0].time) / 1e9
        return PacketView(index, time, packet.data, layers, self._modelled)

    def _segment(self, index: int) -> Segment | None:
        packet = self._packets[index]
        with suppress(Unreadable):
            return segment_of(packet.link_type, packet.data, packet.original_length)
        return None

    def _messages(self, index: int, segment: Segment) -> Iterator[Layer]:
        """The messages in the payload of a packet, in order."""
        carried, found, payload = self._carried.get(index, ()), False, segment.payload
        for message, place, first in carried:
            if message.stream is not None:
                continue  # it is not in one piece
            raw = message.raw
            # Where the message begins in this payload; before it, if a packet before this one has its beginning.
            begin = _difference(self._origin(first) + place, _sequence(segment))
            at, end = max(begin, 0), min(begin + len(raw), len(segment.payload))
            # Only what is byte for byte the same is explained: a segment sent twice need not have the same bytes twice.
            if at < end and segment.payload[at:end] == raw[at - begin : end - begin]:
                spans = part_of(message.spans(), at - begin, end - begin, segment.places[2] + at)
                found = True
                yield _name(message, at - begin, end - begin), spans
        records = payload[:1] in (b"\x14", b"\x15", b"\x16", b"\x17") and payload[1:2] == b"\x03"
        if not found and (records or any(message.stream is not None for message, *_ in carried)):
            # Of these the bytes are not those of the message, or not in one piece.
            said = dict.fromkeys(_said(message) for message, *_ in carried)
            meaning = f"in them: {', '.join(said)}" if said else "no message is in them"
            name, start = "TLS records" if records else "HTTP/2 frames", segment.places[2]
            yield name, [Span(start, start + len(payload), name, payload, meaning, Kind.TCP_IP)]

    def _origin(self, first: CapturedMessage) -> int:
        """The sequence number of the first byte of a stream: the least that its first message was carried under."""
        segments = map(self._segment, first.packets)
        numbers = [_sequence(segment) for segment in segments if segment is not None]
        return min(numbers, key=lambda number: _difference(number, numbers[0]))


def _sequence(segment: Segment) -> int:
    """Of the first byte of data: a SYN takes one itself."""
    return segment.sequence + bool(segment.flags & SYN)


def _difference(one: int, other: int) -> int:
    """How far a sequence number is behind the other; less than 0 if it is before it.

    They wrap ("all arithmetic ... modulo 2**32", RFC 9293, 3.4), so what is more than half the circle away on one way
    round is nearer on the other.
    """
    return (one - other + HALF) % SPACE - HALF


def _said(message: CapturedMessage) -> str:
    return message.kind if message.stream is None else f"{message.kind} of stream {message.stream}"


def _name(message: CapturedMessage, start: int, end: int) -> str:
    size = message.wire_length
    name = f"{opcode_name(message.raw[0] & 0x0F)} frame" if message.kind == "frame" else message.kind
    return name if end - start == size else f"{name}, bytes {start:,} to {end - 1:,} of {size:,}"
