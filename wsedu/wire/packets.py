# SPDX-License-Identifier: GPL-2.0-or-later
"""From a captured packet to its TCP segment, through link layers, tunnels, IPv4 and IPv6; nothing is guessed.

A header says by a number what comes next: an EtherType, or the protocol number of IP. ``_READERS`` has a function for
each of them; it moves on behind its header and returns the next number. So a tunnel is one more function, and tunnels
inside tunnels need no code at all. What might hold TCP and is not read raises ``Unreadable``, and is counted.

Link types are the LINKTYPE_ numbers of draft-ietf-opsawg-pcaplinktype.
"""

import struct
from collections.abc import Callable
from functools import lru_cache, partial
from ipaddress import ip_address
from typing import NamedTuple

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
VLAN_TAGS = 0x8100, 0x88A8, 0x9100  # EtherTypes of IEEE 802.1Q

# Of a link type: bytes of its header, and where in it the EtherType stands (Ethernet, Linux cooked v1 and v2).
_LINKS = {1: (14, 12), 113: (16, 14), 276: (20, 0)}
# The same for link types whose packets are IP of either version: raw IP, and BSD loopback.
_IP_LINKS = {**dict.fromkeys((12, 14, 101, 228, 229), 0), 0: 4, 108: 4}
MOST_HEADERS = 32  # of one packet; more is no network, but somebody who wants to keep us busy

Address = tuple[bytes, int]  # 4 or 16 bytes, port

_half = struct.Struct("!H").unpack_from
_tcp = struct.Struct("!HHIIBB").unpack_from
_ipv4 = struct.Struct("!BxHxxHxBxx4s4s").unpack_from
_ipv6 = struct.Struct("!4xHBx16s16s").unpack_from


class Segment(NamedTuple):
    """A TCP segment (RFC 9293, 3.1)."""

    source: Address
    destination: Address
    sequence: int
    acknowledgement: int
    flags: int
    payload: bytes
    cut: int  # bytes at the end of the payload that the snap length took away
    # Offsets of the IP header, the TCP header and the payload, captured or not. In a tunnel it is the innermost IP.
    places: tuple[int, int, int]


class Unreadable(Exception):
    """A packet of which one cannot say what TCP bytes it holds; the message says why."""


@lru_cache(maxsize=1024)  # the same few, for every message
def endpoint(address: Address) -> str:
    """``"ip:port"``, an IPv6 address in brackets."""
    ip, port = ip_address(address[0]), address[1]
    return f"{ip}:{port}" if ip.version == 4 else f"[{ip}]:{port}"


def segment_of(link_type: int, data: bytes, original_length: int | None = None) -> Segment | None:
    """The TCP segment in a packet; ``None`` if it holds no TCP.

    Args:
        link_type: LINKTYPE_ number.
        data: the packet, as far as it was captured.
        original_length: bytes on the wire, if the snap length took some of them.

    Raises:
        Unreadable: an unknown link type, an IP fragment, lengths that contradict each other, a tunnel that is not
            looked into, or a packet that the snap length cut inside its headers.
    """
    headers = _Headers(data, len(data) if original_length is None else original_length)
    try:
        if link_type in _LINKS:
            kind = _typed(headers, *_LINKS[link_type])
        elif link_type in _IP_LINKS:
            kind, headers.at = _IPV4, _IP_LINKS[link_type]
        else:
            raise Unreadable(f"link type {link_type} is not known here")
        for _ in range(MOST_HEADERS):
            if kind == _TCP:
                return _segment(headers)
            if kind in _CLOSED:
                raise Unreadable(f"{_CLOSED[kind]}, which is not looked into")
            if kind not in _READERS:
                return None
            kind = _READERS[kind](headers)
    except (struct.error, IndexError):
        raise Unreadable("a packet is cut inside its headers") from None
    raise Unreadable(f"more than {MOST_HEADERS} headers inside one another")


class _Headers:
    """How far the headers of a packet have been read."""

    def __init__(self, data: bytes, end: int) -> None:
        self.data = data
        self.at = 0  # of the next header
        self.end = end  # of the innermost IP packet so far, which may be behind what was captured
        self.ip_at = 0
        self.source = self.destination = b""

    def number(self, at: int) -> int:
        """A number of two bytes in the next header, ``at`` bytes behind its start."""
        return int(_half(self.data, self.at + at)[0])


# EtherTypes are 1,536 and more (IEEE 802.3, 3.2.6), protocol numbers of IP 255 and less, so one table holds both. What
# comes after the last header, or cannot hold TCP, is not in it.
_TCP, _UDP, _IPV4, _IPV6, _MPLS, _ETHERNET_FRAME = 6, 17, 0x0800, 0x86DD, 0x8847, 0x6558
_LEAST_ETHER_TYPE, _NONE = 1536, -1


def _typed(headers: _Headers, size: int, type_at: int) -> int:
    """A header of ``size`` bytes with an EtherType in it.

    Where a length stands in its place, LLC follows, and with SNAP there is a type after all (RFC 1042).
    """
    kind = headers.number(type_at)
    headers.at += size
    if kind < _LEAST_ETHER_TYPE and headers.data.startswith(b"\xaa\xaa\x03\0\0\0", headers.at):
        kind = headers.number(6)
        headers.at += 8
    return kind if kind >= _LEAST_ETHER_TYPE else _NONE


def _pppoe(headers: _Headers) -> int:
    """RFC 2516, 4: six bytes, then the protocol number of PPP, which is neither an EtherType nor one of IP."""
    protocol = headers.number(6)
    headers.at += 8
    return {0x21: _IPV4, 0x57: _IPV6, 0x281: _MPLS}.get(protocol, _NONE)


def _mpls(headers: _Headers) -> int:
    """RFC 3032, 2.1: labels of four bytes; the last has the bottom-of-stack bit, and nothing says what follows."""
    while not headers.data[headers.at + 2] & 0x01:
        headers.at += 4
    headers.at += 4
    if headers.data[headers.at] >> 4 not in (4, 6):  # which no other payload begins with (RFC 4928, 3)
        raise Unreadable("MPLS that carries no IP, which is not looked into")
    return _IPV4


def _gre(headers: _Headers) -> int:
    """RFC 2784, 2.1; checksum, key and sequence number take four bytes each (RFC 2890, 2)."""
    flags = headers.number(0)
    if flags & 0x4007:  # source routes of RFC 1701, or the version of PPTP (RFC 2637)
        raise Unreadable("GRE of another kind than RFC 2784, which is not looked into")
    return _typed(headers, 4 + 4 * (flags & 0xB000).bit_count(), 2)


def _udp(headers: _Headers) -> int:
    """VXLAN (RFC 7348, 5) is known by its port: eight bytes behind those of UDP, and an Ethernet frame."""
    port = headers.number(2)
    if port in _CLOSED_PORTS:
        raise Unreadable(f"{_CLOSED_PORTS[port]}, which is not looked into")
    if port != _VXLAN or not headers.data[headers.at + 8] & 0x08:
        return _NONE
    headers.at += 16
    return _ETHERNET_FRAME


def _ip(headers: _Headers) -> int:
    """RFC 791, 3.1, and RFC 8200, 3: the first four bits are the version. The length of IPv6 is without its header."""
    at, fragment = headers.at, 0
    version = headers.data[at] >> 4
    if version == 4:
        first, total, fragment, kind, headers.source, headers.destination = _ipv4(headers.data, at)
        size = (first & 0x0F) * 4
        if size < 20 and (kind == _TCP or kind in _READERS):
            raise Unreadable("an IPv4 header of less than 20 bytes")
    elif version == 6:
        total, kind, headers.source, headers.destination = _ipv6(headers.data, at)
        size, total = 40, total + 40 if total else 0
    else:
        return _NONE
    # A total length of 0 comes from a sender's own machine, where the network card was to fill it in.
    headers.ip_at, headers.at, headers.end = at, at + size, at + total if total else headers.end
    return _whole(kind, fragment & 0x3FFF, "IPv4")  # more fragments, or an offset


def _fragment(headers: _Headers) -> int:
    # RFC 8200, 4.5: an offset, or more fragments; the two bits between them are reserved.
    kind, fragment = headers.data[headers.at], headers.number(2) & 0xFFF9
    headers.at += 8
    return _whole(kind, fragment, "IPv6")


def _whole(kind: int, fragment: int, version: str) -> int:
    """What follows in a packet that is no fragment. Of UDP fragments are usual, but VXLAN has none (RFC 7348, 4.3)."""
    if fragment and kind == _UDP:
        return _NONE
    if fragment and (kind == _TCP or kind in _READERS):
        raise Unreadable(f"a fragmented {version} packet")
    return kind


def _extension(headers: _Headers, unit: int = 8, uncounted: int = 1) -> int:
    """The length is in units of 8 bytes, the first 8 not counted (RFC 8200, 4.2); for AH in words (RFC 4302, 2.2)."""
    kind, size = headers.data[headers.at], headers.data[headers.at + 1]
    headers.at += (size + uncounted) * unit
    return kind


_READERS: dict[int, Callable[[_Headers], int]] = {
    **dict.fromkeys((_IPV4, _IPV6, 4, 41), _ip),  # RFC 2003 and RFC 4213: IP in IP
    **dict.fromkeys(VLAN_TAGS, partial(_typed, size=4, type_at=2)),
    **dict.fromkeys((_MPLS, 0x8848, 137), _mpls),
    **dict.fromkeys((0, 43, 60, 135), _extension),  # hop-by-hop, routing, destination options, mobility
    0x8864: _pppoe,
    _ETHERNET_FRAME: partial(_typed, size=14, type_at=12),
    47: _gre,
    _UDP: _udp,
    44: _fragment,
    51: partial(_extension, unit=4, uncounted=2),
}
_CLOSED = {50: "ESP", 115: "L2TP", 0x88E5: "MACsec", 0x88E7: "a provider's bridge (IEEE 802.1ah)"}
_VXLAN = 4789
_CLOSED_PORTS = {1701: "L2TP", 2152: "GTP-U", 4790: "VXLAN-GPE", 6081: "Geneve"}


def _segment(headers: _Headers) -> Segment:
    data, at, end = headers.data, headers.at, headers.end
    source_port, destination_port, sequence, acknowledgement, offset, flags = _tcp(data, at)
    start = at + (offset >> 4) * 4
    if start < at + 20:
        raise Unreadable("a TCP header of less than 20 bytes")
    if start > end:
        raise Unreadable("a TCP header that goes on behind the end of its IP packet")
    payload = data[start:end]  # not to the end of the packet: Ethernet pads short ones
    cut = end - max(start, min(end, len(data)))
    ends = (headers.source, source_port), (headers.destination, destination_port)
    return Segment(*ends, sequence, acknowledgement, flags, payload, cut, (headers.ip_at, at, start))
