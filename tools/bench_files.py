# SPDX-License-Identifier: GPL-2.0-or-later
"""Captures to measure with: one WebSocket connection, as many messages as one likes.

The packets are those that the package itself makes of what a relay sees (``wsedu/wire/packet_model.py``). The client
masks and the server does not; they take turns, and acknowledgements ride on data.
"""

import random
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from wsedu.protocol import handshake
from wsedu.protocol.deflate import NAME, Deflater
from wsedu.protocol.frames import Frame
from wsedu.wire.packet_model import Endpoints, EventKind, RelayEvent, packets
from wsedu.wire.pcapfile import write_capture

START, STEP = 1_700_000_000_000_000_000, 50_000  # nanoseconds since 1970, and from one write to the next
ENDS = Endpoints(("192.0.2.1", 40000), ("192.0.2.2", 80))  # RFC 5737
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def _write(path: Path, messages: Iterator[bytes], *fields: tuple[str, str]) -> None:
    """Write a capture of a connection, an opening handshake with these fields, and these messages, by turns."""
    heads = handshake.request("example.com", key=KEY, fields=fields), handshake.response(KEY, fields=fields)
    opened = (EventKind.CONNECT, b""), (EventKind.ACCEPT, b"")
    said = enumerate(chain(opened, ((EventKind.DATA, data) for data in chain(heads, messages))))
    events = (RelayEvent(START + number * STEP, ENDS, number % 2 == 0, *what) for number, what in said)
    path.write_bytes(write_capture(packets(events)))


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
    lefts = enumerate(range(count, 0, -together))
    _write(path, (frames[number % len(frames)] * min(left, together) for number, left in lefts))


def write_compressed(path: Path, count: int, size: int) -> None:
    """Text messages as ``write_messages`` has them, each different, compressed with takeover (RFC 7692)."""
    rng = random.Random(7692)
    deflaters = Deflater(), Deflater()  # of the client and of the server

    def compressed(number: int) -> bytes:
        content = f'{{"id":{number},"news":"'.encode() + _text(rng, size)
        payload = deflaters[number % 2].deflate(content[: size - 2] + b'"}')
        return Frame(1, payload, rsv1=True, masking_key=None if number % 2 else rng.randbytes(4)).serialize()

    _write(path, map(compressed, range(count)), ("Sec-WebSocket-Extensions", NAME))


def _text(rng: random.Random, size: int) -> bytes:
    return bytes(rng.choices(b"abcdefghijklmnopqrstuvwxyz ,.0123456789", k=size))


def _frame(rng: random.Random, size: int, key: bytes | None) -> bytes:
    text = _text(rng, min(size, 4096))
    return Frame(1, (text * (size // len(text) + 1))[:size], masking_key=key).serialize()


if __name__ == "__main__":  # so that bench_read.py can have them written by a process of their own
    writes = {"plain": write_messages, "compressed": write_compressed}
    writes[sys.argv[1]](Path(sys.argv[2]), *map(int, sys.argv[3:]))
