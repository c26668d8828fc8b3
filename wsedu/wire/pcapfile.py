# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets out of a capture file: pcap and pcapng, in either byte order, one packet at a time.

The formats are those of the IETF drafts draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

MAX_BLOCK = 1 << 28  # bytes; a larger "length" is damage, not a packet


class NotACapture(ValueError):
    """The file is neither pcap nor pcapng."""


class CutShort(ValueError):
    """The file ends inside a packet, or goes on with what can be no packet; all before that was given."""


class Packet(NamedTuple):
    """A packet as it stands in the file."""

    time: int  # nanoseconds since 1970
    link_type: int  # LINKTYPE_ number
    data: bytes  # what was captured
    original_length: int  # bytes on the wire; more than ``len(data)`` if the snap length cut it


# magic number -> byte order and nanoseconds a tick
_PCAP = {
    bytes.fromhex("a1b2c3d4"): (">", 1000),
    bytes.fromhex("d4c3b2a1"): ("<", 1000),
    bytes.fromhex("a1b23c4d"): (">", 1),
    bytes.fromhex("4d3cb2a1"): ("<", 1),
}
_SECTION, _INTERFACE, _OLD_PACKET, _SIMPLE_PACKET, _ENHANCED_PACKET = 0x0A0D0D0A, 1, 2, 3, 6
_IF_TSRESOL, _IF_TSOFFSET = 9, 14


def read_packets(file: BinaryIO) -> Iterator[Packet]:
    """The packets of a capture, in the order of the file.

    Raises:
        NotACapture: before the first packet.
        CutShort: after the last packet that is whole.
    """
    magic = file.read(4)
    if magic in _PCAP:
        return _pcap(file, *_PCAP[magic])
    if magic == _SECTION.to_bytes(4, "big"):
        return _pcapng(file)
    raise NotACapture(
        "an empty file" if not magic else f"neither pcap nor pcapng: it begins with {magic.hex(' ')}"
    )


def _pcap(file: BinaryIO, order: str, tick: int) -> Iterator[Packet]:
    header = file.read(20)
    if len(header) < 20:
        raise CutShort(f"the file ends at byte {4 + len(header)}, inside the pcap header")
    # The upper bits of the link type tell of frame check sequences and are not part of the number.
    link_type = struct.unpack_from(order + "I", header, 16)[0] & 0xFFFF
    unpack, read, at = struct.Struct(order + "IIII").unpack, file.read, 24
    while record := read(16):
        if len(record) < 16:
            raise CutShort(f"the file ends at byte {at + len(record)}, inside the header of a packet")
        seconds, ticks, captured, original = unpack(record)
        if captured > MAX_BLOCK:
            raise CutShort(f"damaged at byte {at}: a packet of {captured:,} bytes")
        data = read(captured)
        if len(data) < captured:
            raise CutShort(f"the file ends at byte {at + 16 + len(data)}, inside a packet")
        yield Packet(seconds * 1_000_000_000 + ticks * tick, link_type, data, original)
        at += 16 + captured


class _Interface(NamedTuple):
    link_type: int
    snap_length: int
    ticks: int  # a second
    offset: int  # seconds


def _pcapng(file: BinaryIO) -> Iterator[Packet]:
    order, interfaces, at = _section_order(file, 0), list[_Interface](), 0
    block_type, head = _SECTION, b""
    while True:
        length, body = _block(file, order, at, block_type)
        if block_type == _SECTION:
            interfaces = []
        elif block_type == _INTERFACE:
            interfaces.append(_interface(order, body, at))
        elif block_type in (_ENHANCED_PACKET, _OLD_PACKET, _SIMPLE_PACKET):
            yield _packet(order, block_type, body, interfaces, at)
        at += length
        head = file.read(4)
        if not head:
            return
        if len(head) < 4:
            raise CutShort(f"the file ends at byte {at + len(head)}, inside a block")
        if head == _SECTION.to_bytes(4, "big"):
            order = _section_order(file, at)
        block_type = struct.unpack(order + "I", head)[0]


def _section_order(file: BinaryIO, at: int) -> str:
    """The byte order of a section: its second word is a length, its third the byte-order magic."""
    rest = file.read(8)
    if len(rest) < 8:
        raise CutShort(f"the file ends at byte {at + 4 + len(rest)}, inside a section header")
    order = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}.get(rest[4:])
    if order is None:
        raise CutShort(f"damaged at byte {at + 8}: {rest[4:].hex(' ')} is no byte-order magic")
    file.seek(-8, 1)
    return order


def _block(file: BinaryIO, order: str, at: int, block_type: int) -> tuple[int, bytes]:
    """Total length and body of the block whose type was just read."""
    word = file.read(4)
    if len(word) < 4:
        raise CutShort(f"the file ends at byte {at + 4 + len(word)}, inside a block")
    length = struct.unpack(order + "I", word)[0]
    if length < 12 or length % 4 or length > MAX_BLOCK:
        raise CutShort(f"damaged at byte {at + 4}: a block of {length:,} bytes")
    body = file.read(length - 8)
    if len(body) < length - 8:
        raise CutShort(f"the file ends at byte {at + 8 + len(body)}, inside a block")
    return length, body[:-4]


def _interface(order: str, body: bytes, at: int) -> _Interface:
    if len(body) < 8:
        raise CutShort(f"damaged at byte {at}: an interface block of {len(body)} bytes")
    link_type, snap_length = struct.unpack_from(order + "HxxI", body)
    ticks, offset, place = 1_000_000, 0, 8
    while place + 4 <= len(body):
        code, size = struct.unpack_from(order + "HH", body, place)
        value = body[place + 4 : place + 4 + size]
        if code == _IF_TSRESOL and len(value) >= 1:
            ticks = 2 ** (value[0] & 0x7F) if value[0] & 0x80 else 10 ** value[0]
        elif code == _IF_TSOFFSET and len(value) == 8:
            offset = struct.unpack(order + "q", value)[0]
        elif code == 0:
            break
        place += 4 + size + -size % 4
    return _Interface(link_type, snap_length, ticks, offset)


def _packet(order: str, block_type: int, body: bytes, interfaces: list[_Interface], at: int) -> Packet:
    try:
        if block_type == _SIMPLE_PACKET:
            (original,) = struct.unpack_from(order + "I", body)
            interface, ticks, start = interfaces[0], 0, 4
            captured = min(original, interface.snap_length or original, len(body) - start)
        else:
            layout = "IIIII" if block_type == _ENHANCED_PACKET else "HxxIIII"
            number, high, low, captured, original = struct.unpack_from(order + layout, body)
            interface, ticks, start = interfaces[number], high << 32 | low, 20
    except (struct.error, IndexError):
        raise CutShort(f"damaged at byte {at}: a packet block without its interface or its fields") from None
    if captured > len(body) - start:
        raise CutShort(f"damaged at byte {at}: a packet longer than its block")
    time = ticks * 1_000_000_000 // interface.ticks + interface.offset * 1_000_000_000
    return Packet(time, interface.link_type, body[start : start + captured], original)


def write_pcap(packets: Iterable[Packet]) -> bytes:
    """The packets as a pcap file with times in nanoseconds.

    Raises:
        ValueError: packets of several link types, which pcap cannot hold in one file.
    """
    packets = list(packets)
    link_types = {packet.link_type for packet in packets} or {1}
    if len(link_types) > 1:
        raise ValueError(f"one pcap file has one link type; these packets have {sorted(link_types)}")
    parts = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, link_types.pop())]
    for packet in packets:
        seconds, rest = divmod(packet.time, 1_000_000_000)
        parts.append(struct.pack("<IIII", seconds, rest, len(packet.data), packet.original_length))
        parts.append(packet.data)
    return b"".join(parts)
