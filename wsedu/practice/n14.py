# SPDX-License-Identifier: GPL-2.0-or-later
"""Notebook 14: where TLS records end, how a nonce is made, and what the length of a record tells."""

import random
from typing import Literal

from .exercise import Arguments, exercise


def _record(content_type: int, body: bytes, version: int = 0x0303) -> bytes:
    return bytes([content_type]) + version.to_bytes(2) + len(body).to_bytes(2) + body


HELLO, CHANGE = _record(22, b"\x01" + bytes(299), 0x0301), _record(20, b"\x01")
DECOY = _record(23, b"\x17\x03\x03\x00\x02" * 3)  # what is encrypted may look like anything
STREAMS = [
    CHANGE,  # the first that most mistakes fail on, and it can be read
    HELLO,
    HELLO + CHANGE,
    HELLO + CHANGE + DECOY,
    b"",
    HELLO[:4],
    HELLO[:5],
    DECOY[:-1],
    HELLO + CHANGE[:-1],
    HELLO + CHANGE + b"\x17\x03\x03",
    _record(23, b"") + CHANGE,
    HELLO + _record(23, b""),
    DECOY + DECOY + _record(21, bytes(2)),
    _record(23, bytes(255)) + _record(23, bytes(256)),
    _record(23, bytes(16_640)) + CHANGE,
]


def _streams(rng: random.Random) -> list[Arguments]:
    every = [_record(rng.randrange(20, 24), rng.randbytes(rng.randrange(1, 400))) for _ in range(5)]
    return [(b"".join(every),), (b"".join(every)[: -rng.randrange(1, len(every[-1]))],)]


Found = list[tuple[int, int]]


def _split(stream: bytes, *, order: Literal["big", "little"] = "big", first: int = 3, more: int = 0) -> Found:
    """With one of the mistakes that people make."""
    found, at = [], 0
    while at + 5 <= len(stream):
        size = int.from_bytes(stream[at + first : at + 5], order)
        if at + 5 + size > len(stream):
            break
        found.append((stream[at], size + more))
        at += 5 + size
    return found


def _unfinished(stream: bytes) -> Found:
    found, at = [], 0
    while at + 5 <= len(stream):
        found.append((stream[at], int.from_bytes(stream[at + 3 : at + 5])))
        at += 5 + found[-1][1]
    return found


@exercise(
    "14",
    [(stream,) for stream in STREAMS],
    _streams,
    "RFC 8446, 5.1",
    (_unfinished, "the last record is not there whole, and does not count yet"),
    (lambda stream: _split(stream, more=5), "the length is that of what follows the header"),
    (lambda stream: _split(stream, order="little"), "the most significant byte of a length comes first"),
    (lambda stream: _split(stream, first=4), "a length is two bytes"),
    (lambda stream: _split(stream)[:1], "more records may follow the first"),
    (lambda stream: [one for one in _split(stream) if one[1]], "a record may be empty"),
)
def split_records(stream: bytes) -> Found:
    """Content type and length of each record that is there whole."""
    found, at = [], 0
    while len(stream) >= at + 5:
        end = at + 5 + int.from_bytes(stream[at + 3 : at + 5], "big")
        if end > len(stream):
            break
        found.append((stream[at], end - at - 5))
        at = end
    return found


IV = bytes.fromhex("00 0f a5 ff 80 7f 01 ff ff 00 10 ff")
NUMBERS = [0, 1, 2, 255, 256, 65_537, 2**32 + 1, 2**63, 2**64 - 1]


def _xor(iv: bytes, number: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(iv, number, strict=True))


@exercise(
    "14",
    [*((IV, number) for number in NUMBERS), (bytes(12), 0), (bytes(12), 7), (b"\xff" * 12, 2**64 - 1)],
    lambda rng: [(rng.randbytes(12), rng.randrange(2 ** rng.choice([8, 16, 64]))) for _ in range(4)],
    "RFC 8446, 5.3",
    (lambda iv, number: iv, "each record has another nonce: where does its number go?"),
    (lambda iv, number: _xor(iv, number.to_bytes(12, "little")), "the most significant byte of the number comes first"),
    (lambda iv, number: _xor(iv, number.to_bytes(8) + bytes(4)), "the zeros are put in front of the number"),
    (
        lambda iv, number: iv[:4] + number.to_bytes(8),
        "it is an exclusive or with the IV, not a part of it that changes",
    ),
    (
        lambda iv, number: ((int.from_bytes(iv) + number) % 2**96).to_bytes(12),
        "it is an exclusive or, and no sum: no bit carries over",
    ),
    (lambda iv, number: _xor(iv, (number % 256).to_bytes(12)), "a number may have eight bytes"),
)
def record_nonce(iv: bytes, number: int) -> bytes:
    """The nonce of the record with this number."""
    return bytes(a ^ b for a, b in zip(iv, number.to_bytes(12, "big"), strict=True))


def _inside(length: int, sender: str, *, around: int = 17, mask: int = 4, most: int = 125) -> int:
    """With one of the mistakes that people make."""
    rest = length - around - 2 - (mask if sender == "client" else 0)
    return rest - 2 if rest > most else rest


SIZES = [5, 0, 1, 22, 124, 125, 126, 127, 128, 255, 256, 4096, 16_376]


def _length(size: int, sender: str) -> int:
    return 17 + 2 + 2 * (size > 125) + 4 * (sender == "client") + size


@exercise(
    "14",
    [(_length(size, sender), sender) for size in SIZES for sender in ("client", "server")],
    lambda rng: [
        (_length(size, sender), sender)
        for sender in ("client", "server")
        for size in (rng.randrange(10, 120), rng.randrange(140, 9000))
    ],
    "RFC 8446, 5.2, and RFC 6455, 5.2",
    (lambda length, sender: _inside(length, sender, around=16), "behind the content stands its true type, one byte"),
    (lambda length, sender: _inside(length, sender, around=22), "the length does not count the record's own header"),
    (lambda length, sender: _inside(length, sender, mask=0), "a client's frame has a masking key"),
    (lambda length, sender: _inside(length, "client"), "a server's frame has no masking key"),
    (
        lambda length, sender: _inside(length, sender, most=1 << 20),
        "from 126 bytes on the frame's length takes two more",
    ),
    (lambda length, sender: _inside(length, sender, around=0), "a record adds its tag, and more, to what it carries"),
)
def text_length(length: int, sender: str) -> int:
    """Bytes of a Text message that is one frame, alone in a record of this length."""
    frame = length - 16 - 1  # without the tag, and the true content type
    payload = frame - 2 - (4 if sender == "client" else 0)
    return payload if payload <= 125 else payload - 2
