# SPDX-License-Identifier: GPL-2.0-or-later
"""Captures to measure with: one WebSocket connection, as many messages as one likes, written as fast as they can be.

Ethernet, IPv4, TCP with the timestamps that Linux sends, times in microseconds; checksums are left 0, as on the
sending machine of a card that fills them in. The client masks and the server does not; they take turns, and
acknowledgements ride on data.
"""

from __future__ import annotations

import random
import struct
import sys
from pathlib import Path

from wsedu.protocol import handshake
from wsedu.protocol.deflate import NAME, Deflater
from wsedu.protocol.frames import Frame

SEGMENT = 1448  # bytes: 1,500 of an Ethernet frame, less 20 of IP, 20 of TCP and 12 of timestamps
SYN, ACK, PSH = 0x02, 0x10, 0x08
START = 1_700_000_000  # seconds
STEP = 50  # microseconds from packet to packet
KEY = "dGhlIHNhbXBsZSBub25jZQ=="

_SERVER_MAC, _CLIENT_MAC = bytes.fromhex("00005e005301"), bytes.fromhex("00005e005302")  # RFC 9542, 2.1.2
_RECORD = struct.Struct("<IIII")
# Ethernet; IPv4: version to identification, flags to checksum, addresses; TCP: ports to window, checksum to the end
_HEADERS = struct.Struct("!14s BBH 8s 8s HHIIBBH 16s")


class Writer:
    """Writes the packets of one connection, one after the other."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        self._sequence = {True: 1_000, False: 2_000_000_000}
        self._count = 0
        client, server = bytes((192, 0, 2, 1)), bytes((192, 0, 2, 2))  # RFC 5737
        self._fixed = {
            True: (_SERVER_MAC + _CLIENT_MAC + b"\x08\x00", client + server, 40000, 80),
            False: (_CLIENT_MAC + _SERVER_MAC + b"\x08\x00", server + client, 80, 40000),
        }

    def close(self) -> None:
        """Close the file; nothing can be sent after it."""
        self._file.close()

    def send(self, client: bool, data: bytes, flags: int = ACK | PSH) -> None:
        """One segment of at most 1,448 bytes."""
        ethernet, addresses, source, destination = self._fixed[client]
        size = 66 + len(data)
        seconds, microseconds = divmod(self._count * STEP, 1_000_000)
        self._count += 1
        self._file.write(
            _RECORD.pack(START + seconds, microseconds, size, size)
            + _HEADERS.pack(
                ethernet, 0x45, 0, size - 14, b"\0\0\x40\0\x40\x06\0\0", addresses, source, destination,
                self._sequence[client], self._sequence[not client] if flags & ACK else 0, 0x80, flags, 65535,
                b"\0\0\0\0\x01\x01\x08\x0a\0\0\0\x01\0\0\0\x01",
            )
            + data
        )  # fmt: skip
        self._sequence[client] = (self._sequence[client] + len(data) + bool(flags & SYN)) & 0xFFFFFFFF

    def open(self, *fields: tuple[str, str]) -> None:
        """Connect, and shake hands; with these fields beside those that are required."""
        self.send(True, b"", SYN)
        self.send(False, b"", SYN | ACK)
        self.send(True, b"", ACK)
        self.send(True, handshake.request("example.com", key=KEY, fields=fields))
        self.send(False, handshake.response(KEY, fields=fields))

    def stream(self, client: bool, data: bytes) -> None:
        """Bytes in as many full segments as they need; every second one is acknowledged."""
        for number, start in enumerate(range(0, len(data), SEGMENT), 1):
            self.send(client, data[start : start + SEGMENT])
            if number % 2 == 0:
                self.send(not client, b"", ACK)


def write_messages(path: Path, count: int, size: int, together: int = 1) -> None:
    """Text messages, each in one frame; the client and the server send in turn.

    Args:
        path: of the pcap file.
        count: messages.
        size: bytes of payload of each.
        together: messages that travel in one write, and so share segments.
    """
    rng = random.Random(6455)
    frames = [_frame(rng, size, None if number % 2 else rng.randbytes(4)) for number in range(min(count, 128))]
    writer = Writer(path)
    writer.open()
    for number, left in enumerate(range(count, 0, -together)):
        writer.stream(number % 2 == 0, frames[number % len(frames)] * min(left, together))
    writer.close()


def write_compressed(path: Path, count: int, size: int) -> None:
    """Text messages as ``write_messages`` has them, each different, compressed with takeover (RFC 7692)."""
    rng = random.Random(7692)
    deflaters = {True: Deflater(), False: Deflater()}
    writer = Writer(path)
    writer.open(("Sec-WebSocket-Extensions", NAME))
    for number in range(count):
        client = number % 2 == 0
        content = f'{{"id":{number},"news":"'.encode() + _text(rng, size)
        payload = deflaters[client].deflate(content[: size - 2] + b'"}')
        writer.stream(
            client, Frame(1, payload, rsv1=True, masking_key=rng.randbytes(4) if client else None).serialize()
        )
    writer.close()


def _text(rng: random.Random, size: int) -> bytes:
    return bytes(rng.choices(b"abcdefghijklmnopqrstuvwxyz ,.0123456789", k=size))


def _frame(rng: random.Random, size: int, key: bytes | None) -> bytes:
    text = _text(rng, min(size, 4096))
    return Frame(1, (text * (size // len(text) + 1))[:size], masking_key=key).serialize()


if __name__ == "__main__":  # so that bench_read.py can have them written by a process of their own
    writes = {"plain": write_messages, "compressed": write_compressed}
    writes[sys.argv[1]](Path(sys.argv[2]), *map(int, sys.argv[3:]))
