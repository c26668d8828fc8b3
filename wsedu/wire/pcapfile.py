# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets out of a capture file: pcap and pcapng, in either byte order, gzipped too, one packet at a time.

The formats are those of the IETF drafts draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng.
"""

import io
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import chain
from typing import BinaryIO, NamedTuple

MAX_BLOCK = 1 << 28  # bytes; a larger "length" is damage, not a packet
AT_ONCE = 1 << 18  # bytes that are read from the file at once
LINKTYPE_ETHERNET = 1


class NotACapture(ValueError):
    """The file is neither pcap nor pcapng."""


class CutShort(ValueError):
    """The file ends inside a packet, or goes on with what is no packet or cannot be read; all before that was given."""


class Packet(NamedTuple):
    """A packet as it stands in the file."""

    time: int  # nanoseconds since 1970
    link_type: int  # LINKTYPE_ number
    data: bytes  # what was captured
    original_length: int  # bytes on the wire; more than ``len(data)`` if the snap length cut it


# magic number -> byte order and nanoseconds a tick
_PCAP = {
    magic.to_bytes(4, "big" if order == ">" else "little"): (order, tick)
    for order in "<>"
    for magic, tick in ((0xA1B2C3D4, 1000), (0xA1B23C4D, 1))
}
_GZIP = b"\x1f\x8b"
_PACKED = {_GZIP: "gzip once more", b"\x28\xb5\x2f\xfd": "Zstandard", b"PK\x03\x04": "ZIP"}
_SECTION, _INTERFACE, _ENHANCED_PACKET, _DECRYPTION_SECRETS = 0x0A0D0D0A, 1, 6, 10
_TLS_KEY_LOG = 0x544C534B  # what a block of secrets holds
# Blocks that hold a packet, enhanced, simple and old: what stands behind type and length (number of the interface,
# time, captured and original length; in the simple one the last of these alone), and where the packet begins.
_PACKET_BLOCKS = {_ENHANCED_PACKET: ("IIIII", 28), 3: ("I", 12), 2: ("HxxIIII", 28)}
_SECTION_MAGIC = _SECTION.to_bytes(4, "big")  # reads the same in either byte order
_BYTE_ORDERS = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}
_IF_TSRESOL, _IF_TSOFFSET = 9, 14
_SECOND = 1_000_000_000  # nanoseconds
_SNAP_LENGTH = 262144  # bytes; what tcpdump takes for all of a packet


# A packet where it lies: its time, link type and original length as in ``Packet``, and a buffer that holds it from one
# place to another. For the fast reader, which would rather not copy.
Placed = tuple[int, int, int, bytes, int, int]


Secrets = Callable[[Iterable[str]], object]  # takes the lines of a key log of TLS


def read_packets(file: BinaryIO, secrets: Secrets | None = None) -> Iterator[Packet]:
    """The packets of a capture, in the order of the file; ``secrets`` is called with each key log that is in it.

    Raises:
        NotACapture: before the first packet.
        CutShort: after the last packet that is whole.
    """
    for time, link_type, original, data, start, end in place_packets(file, secrets):
        yield Packet(time, link_type, data[start:end], original)


def place_packets(file: BinaryIO, secrets: Secrets | None = None) -> Iterator[Placed]:
    """The same, without taking the packets out of the buffer that the file was read into."""
    window = _Window(iter(partial(file.read, AT_ONCE), b""))
    window.move(0, 4)
    if window.data.startswith(_GZIP):
        window = _Window(_gunzip(chain((window.data,), window.pieces)))
        window.move(0, 4)
    magic = window.data[:4]
    if magic in _PCAP:
        return _pcap(window, *_PCAP[magic])
    if magic == _SECTION_MAGIC:
        return _pcapng(window, secrets)
    if magic and any(known.startswith(magic) for known in (*_PCAP, _SECTION_MAGIC)):
        raise CutShort(f"the file ends at byte {len(magic)}, inside its magic number")
    if not magic:
        raise NotACapture("an empty file")
    packed = [f", which is {name}; unpack it first" for sign, name in _PACKED.items() if magic.startswith(sign)]
    raise NotACapture(f"neither pcap nor pcapng: it begins with {magic.hex(' ')}{''.join(packed)}")


def _gunzip(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """What gzip has packed (RFC 1952), piece by piece and without going back, so that it may come through a pipe.

    Raises:
        OSError: the file is damaged, after all before the damage was given; or it cannot be read.
    """
    inflater = zlib.decompressobj(16 + zlib.MAX_WBITS)
    for packed in pieces:
        while packed:
            if inflater.eof:  # RFC 1952, 2.2: "A gzip file consists of a series of "members""; zeros may fill it up
                packed = packed.lstrip(b"\0")
                if not packed:
                    break
                inflater = zlib.decompressobj(16 + zlib.MAX_WBITS)
            before = inflater.copy()
            try:
                data = inflater.decompress(packed, AT_ONCE)
            except zlib.error as error:
                # With the error zlib gives nothing of what it had before it: so once more, byte by byte.
                with suppress(zlib.error):
                    for byte in packed:
                        if data := before.decompress(bytes((byte,))):
                            yield data
                raise OSError(0, f"the gzip file is damaged: {error}") from error
            packed = inflater.unused_data or inflater.unconsumed_tail
            if data:
                yield data
    if not inflater.eof:
        raise OSError(0, "the gzip file ends too early")


class _Window:
    """The part of a file that is in memory; it moves along the file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self.pieces, self.start, self.data = pieces, 0, b""

    def move(self, by: int, want: int, inside: str = "") -> bool:
        """Leave ``by`` bytes behind and have ``want`` bytes or more; ``False`` if the file does not have as many.

        Raises:
            CutShort: the file ends ``inside`` of what was wanted, not before it; or it cannot be read any further.
        """
        pieces, have = [self.data[by:]], len(self.data) - by
        self.start += by
        while have < want:
            try:
                pieces.append(next(self.pieces, b""))
            except OSError as error:
                raise CutShort(f"behind byte {self.start + have} the file cannot be read: {error.strerror}") from error
            if not pieces[-1]:
                break
            have += len(pieces[-1])
        self.data = b"".join(pieces)  # once: a large packet may come in many small pieces
        if inside and 0 < have < want:
            raise CutShort(f"the file ends at byte {self.start + have}, inside {inside}")
        return have >= want

    def damaged(self, at: int, why: str) -> CutShort:
        """What to raise for a place in ``data`` from which on nothing can be read."""
        return CutShort(f"damaged at byte {self.start + at}: {why}")


# Both readers go along the window packet by packet, in a loop inside a loop, since it is done for each packet of a
# large file: the outer one moves the window, to what is not whole yet in it.


def _pcap(window: _Window, order: str, tick: int) -> Iterator[Placed]:
    window.move(0, 24, "the pcap header")
    # The upper bits of the link type tell of frame check sequences and are not part of the number.
    link_type = struct.unpack_from(order + "I", window.data, 20)[0] & 0xFFFF
    unpack, at, want = struct.Struct(order + "IIII").unpack_from, 24, 16
    while window.move(at, want, "the header of a packet" if want == 16 else "a packet"):
        data, at, want, size = window.data, 0, 16, len(window.data)
        while at + 16 <= size:
            seconds, ticks, captured, original = unpack(data, at)
            start, end = at + 16, at + 16 + captured
            if end > size:
                if captured > MAX_BLOCK:
                    raise window.damaged(at, f"a packet of {captured:,} bytes")
                want += captured
                break
            yield seconds * _SECOND + ticks * tick, link_type, original, data, start, end
            at = end


class _Interface(NamedTuple):
    link_type: int
    snap_length: int
    ticks: int  # a second
    offset: int  # seconds


def _pcapng(window: _Window, secrets: Secrets | None) -> Iterator[Placed]:
    interfaces: list[_Interface] = []
    order, at, want, time = "", 0, 12, 0
    while window.move(at, want, "a block"):
        data, at, want, size = window.data, 0, 12, len(window.data)
        while at + 12 <= size:
            if data.startswith(_SECTION_MAGIC, at):  # its third word says how numbers stand in it
                interfaces, magic = [], data[at + 8 : at + 12]
                if magic not in _BYTE_ORDERS:
                    raise window.damaged(at + 8, f"{magic.hex(' ')} is no byte-order magic")
                order = _BYTE_ORDERS[magic]
            block_type, length = struct.unpack_from(order + "II", data, at)
            if length < 12 or length % 4 or length > MAX_BLOCK:
                raise window.damaged(at + 4, f"a block of {length:,} bytes")
            if at + length > size:
                want = length
                break
            try:
                if block_type in _PACKET_BLOCKS:
                    packet = _packet(order, block_type, data, at, at + length, interfaces, time)
                    time = packet[0]
                    yield packet
                elif block_type == _INTERFACE:
                    interfaces.append(_interface(order, data[at + 8 : at + length - 4]))
                elif block_type == _DECRYPTION_SECRETS and secrets is not None:
                    secrets(_key_log(order, data, at, at + length - 4))
            except (struct.error, IndexError):
                raise window.damaged(at, "a block without its interface or its fields") from None
            at += length


def _key_log(order: str, data: bytes, at: int, end: int) -> Iterator[str]:
    """The lines of the key log in the block of secrets from ``at`` to ``end``; none if it has other ones."""
    kind, size = struct.unpack_from(order + "II", data, at + 8)
    text = data[at + 16 : min(at + 16 + size, end)] if kind == _TLS_KEY_LOG else b""
    # One by one, and long ones in pieces: all at once they take ten times the memory of the block.
    return iter(partial(io.TextIOWrapper(io.BytesIO(text), "latin-1").readline, 1 << 12), "")


def _interface(order: str, body: bytes) -> _Interface:
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


def _packet(order: str, kind: int, data: bytes, at: int, end: int, interfaces: list[_Interface], before: int) -> Placed:
    """The packet in the block from ``at`` to ``end`` of ``data``; ``before`` is the time of the packet before.

    Raises:
        struct.error, IndexError: the block has not what a packet needs.
    """
    layout, start = _PACKET_BLOCKS[kind]
    *fields, original = struct.unpack_from(order + layout, data, at + 8)
    room, time = end - at - start - 4, before
    if fields:
        number, high, low, captured = fields
        interface = interfaces[number]
        time = (high << 32 | low) * _SECOND // interface.ticks + interface.offset * _SECOND
    else:  # a simple packet block: of the first interface, and without a time of its own
        interface = interfaces[0]
        captured = min(original, interface.snap_length or original, max(room, 0))
    if captured > room:
        raise IndexError
    return time, interface.link_type, original, data, at + start, at + start + captured


def write_capture(
    packets: Iterable[Packet], *, pcapng: bool = False, cut_short: bool = False, secrets: bytes = b""
) -> bytes:
    """The packets as a pcap file with times in nanoseconds, or as pcapng if pcap cannot hold them.

    One pcap file has one link type, and its times are between 1970 and 2106.

    Args:
        packets: in the order of the file.
        pcapng: write pcapng in any case.
        cut_short: end the file inside a packet, of which only the first four bytes are there: so whoever reads it, with
            this reader or another, is told that it does not hold all that was captured.
        secrets: a key log of TLS, which only pcapng can hold.

    Raises:
        ValueError: times that are too far apart for pcapng too.
    """
    packets = list(packets)
    link_types = list(dict.fromkeys(packet.link_type for packet in packets)) or [LINKTYPE_ETHERNET]
    if pcapng or secrets or len(link_types) > 1 or any(not 0 <= packet.time < _SECOND << 32 for packet in packets):
        parts = _pcapng_blocks(packets, link_types, secrets)
    else:
        parts = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, _SNAP_LENGTH, *link_types)]
        for packet in packets:
            lengths = len(packet.data), packet.original_length
            parts.append(struct.pack("<IIII", *divmod(packet.time, _SECOND), *lengths))
            parts.append(packet.data)
    if cut_short:
        parts.append(struct.pack("<I", _ENHANCED_PACKET))  # in pcap the first bytes of a time
    return b"".join(parts)


def _pcapng_blocks(packets: list[Packet], link_types: list[int], secrets: bytes) -> list[bytes]:
    """A section with an interface for each link type; times count in nanoseconds from the second of the first."""
    parts = [_block(_SECTION, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))]
    origin = min((packet.time // _SECOND for packet in packets), default=0)
    options = struct.pack("<HHB3xHHq4x", _IF_TSRESOL, 1, 9, _IF_TSOFFSET, 8, origin)  # and the end of them
    parts += [_block(_INTERFACE, struct.pack("<HHI", link_type, 0, 0) + options) for link_type in link_types]
    if secrets:
        parts.append(_block(_DECRYPTION_SECRETS, struct.pack("<II", _TLS_KEY_LOG, len(secrets)) + secrets))
    for packet in packets:
        high, low = divmod(packet.time - origin * _SECOND, 1 << 32)
        if high >> 32:
            raise ValueError("packets that are more than 584 years apart, which no capture file can hold")
        lengths = len(packet.data), packet.original_length
        head = struct.pack("<IIIII", link_types.index(packet.link_type), high, low, *lengths)
        parts.append(_block(_ENHANCED_PACKET, head + packet.data))
    return parts


def _block(kind: int, body: bytes) -> bytes:
    """A block of pcapng: its length stands before and behind, and is a multiple of 4."""
    padding, length = bytes(-len(body) % 4), struct.pack("<I", 12 + len(body) + -len(body) % 4)
    return struct.pack("<I", kind) + length + body + padding + length
