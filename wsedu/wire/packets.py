# SPDX-License-Identifier: GPL-2.0-or-later
"""From a captured packet to its TCP segment: link layers, IPv4 and IPv6, and nothing guessed.

Link types are the LINKTYPE_ numbers of draft-ietf-opsawg-pcaplinktype.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10

_ETHERNET, _NULL, _LOOP, _SLL, _SLL2 = 1, 0, 108, 113, 276
_RAW = {12, 14, 101, 228, 229}
_VLAN_TAGS = {b"\x81\x00", b"\x88\xa8", b"\x91\x00"}
_IP = {b"\x08\x00", b"\x86\xdd"}
_TCP, _FRAGMENT, _AUTHENTICATION = 6, 44, 51
_EXTENSIONS = {0, 43, 60, 135}  # hop-by-hop, routing, destination options, mobility

Address = tuple[bytes, int]  # 4 or 16 bytes, port

_tcp = struct.Struct("!HHIIBB").unpack_from


class Segment(NamedTuple):
    """A TCP segment (RFC 9293, 3.1)."""

    source: Address
    destination: Address
    sequence: int
    acknowledgement: int
    flags: int
    payload: bytes
    cut: int  # bytes at the end of the payload that the snap length took away
    places: tuple[int, int, int]  # offsets of the IP header, the TCP header and the payload, captured or not


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
        Unreadable: an unknown link type, an IP fragment, lengths that contradict each other, or a packet that the snap
            length cut inside its headers.
    """
    wire_length = len(data) if original_length is None else original_length
    try:
        at = _network_layer(link_type, data)
        if at is None or at >= len(data):
            return None
        version = data[at] >> 4
        if version == 4:
            return _ipv4(data, at, wire_length)
        return _ipv6(data, at, wire_length) if version == 6 else None
    except (struct.error, IndexError):
        raise Unreadable("a packet is cut inside its headers") from None


def _network_layer(link_type: int, data: bytes) -> int | None:
    """Where the IP header starts; ``None`` if there is none."""
    if link_type in _RAW:
        return 0
    if link_type in (_NULL, _LOOP):
        return 4
    if link_type == _ETHERNET:
        at, kind = 14, data[12:14]
    elif link_type == _SLL:
        at, kind = 16, data[14:16]
    elif link_type == _SLL2:
        at, kind = 20, data[:2]
    else:
        raise Unreadable(f"link type {link_type} is not known here")
    while kind in _VLAN_TAGS:  # IEEE 802.1Q: two bytes of tag, and again a type
        at, kind = at + 4, data[at + 2 : at + 4]
    return at if kind in _IP else None


def _ipv4(data: bytes, at: int, wire_length: int) -> Segment | None:
    header, total = (data[at] & 0x0F) * 4, int.from_bytes(data[at + 2 : at + 4], "big")
    if data[at + 9] != _TCP:
        return None
    if int.from_bytes(data[at + 6 : at + 8], "big") & 0x3FFF:  # more fragments, or an offset (RFC 791, 3.1)
        raise Unreadable("a fragmented IPv4 packet")
    if header < 20:
        raise Unreadable("an IPv4 header of less than 20 bytes")
    # A total length of 0 comes from a sender's own machine, where the network card was to fill it in.
    end = at + total if total else wire_length
    return _segment(data, at, at + header, end, data[at + 12 : at + 16], data[at + 16 : at + 20])


def _ipv6(data: bytes, at: int, wire_length: int) -> Segment | None:
    length, kind = int.from_bytes(data[at + 4 : at + 6], "big"), data[at + 6]
    source, destination = data[at + 8 : at + 24], data[at + 24 : at + 40]
    end = at + 40 + length if length else wire_length
    ip_at, at = at, at + 40
    while kind != _TCP:
        if kind == _FRAGMENT:
            # an offset, or more fragments (RFC 8200, 4.5)
            if int.from_bytes(data[at + 2 : at + 4], "big") & 0xFFF9:
                raise Unreadable("a fragmented IPv6 packet")
            kind, at = data[at], at + 8
        elif kind == _AUTHENTICATION:
            kind, at = data[at], at + (data[at + 1] + 2) * 4
        elif kind in _EXTENSIONS:
            kind, at = data[at], at + (data[at + 1] + 1) * 8
        else:
            return None
    return _segment(data, ip_at, at, end, source, destination)


def _segment(data: bytes, ip_at: int, at: int, end: int, source: bytes, destination: bytes) -> Segment:
    source_port, destination_port, sequence, acknowledgement, offset, flags = _tcp(data, at)
    start = at + (offset >> 4) * 4
    if start < at + 20:
        raise Unreadable("a TCP header of less than 20 bytes")
    if start > end:
        raise Unreadable("a TCP header that goes on behind the end of its IP packet")
    payload = data[start:end]  # not to the end of the packet: Ethernet pads short ones
    return Segment(
        (source, source_port),
        (destination, destination_port),
        sequence,
        acknowledgement,
        flags,
        payload,
        end - max(start, min(end, len(data))),
        (ip_at, at, start),
    )
