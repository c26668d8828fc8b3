# SPDX-License-Identifier: GPL-2.0-or-later
"""Notebook 15: streams sorted out, a number of HPACK, and what the dynamic table remembers."""

import random
from collections.abc import Callable

from .exercise import Arguments, exercise

Field = tuple[str, str]


def _frame(stream: int, payload: bytes = b"", kind: int = 0, flags: int = 0) -> bytes:
    """A frame; 0 is DATA."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def _content(
    data: bytes,
    stream: int,
    kinds: tuple[int, ...] = (0,),
    *,
    first: int = 0,
    place: int = 5,
    bits: int = 0x7FFFFFFF,
    last: int = 0,
) -> bytes:
    """With one of the mistakes that people make.

    ``first`` of the length's bytes, ``place`` of the stream's first, and a flag that the ``last`` frame has.
    """
    found, at = b"", 0
    while at < len(data):
        end = at + 9 + int.from_bytes(data[at + first : at + 3], "big")
        if data[at + 3] in kinds and int.from_bytes(data[at + place : at + 9], "big") & bits == stream:
            found += data[at + 9 : end]
        if data[at + 4] & last:
            break
        at = end
    return found


HEADERS, PING, LONG = _frame(3, b"\x82\x86", 1, 4), _frame(0, bytes(8), 6), bytes(i % 251 for i in range(65_537))
STREAMS: list[Arguments] = [
    (_frame(1, b"Hello"), 1),
    (_frame(1, b"Hel") + _frame(3, b"No", 0, 1) + _frame(1, b"lo"), 1),
    (_frame(1, b"Hel") + _frame(3, b"No") + _frame(1, b"lo"), 3),
    (HEADERS + _frame(3, b"Hi") + PING + _frame(3, bytes([0, 0, 1, 0]), 8) + _frame(3, b"!", 0, 1), 3),
    (_frame(1, b"a") + _frame(3) + _frame(3, b"b") + _frame(1, b"", 0, 1), 1),
    (_frame(1, b"a") + _frame(3) + _frame(3, b" b\n\0") * 2, 3),
    (_frame(1, b"a") + _frame(257, b"b") + _frame(65_537, b"c") + _frame(2**30 + 1, b"d"), 1),
    (_frame(1, b"a") + _frame(257, b"b") + _frame(65_537, b"c"), 257),
    (_frame(0x80000005, b"reserved") + _frame(5, b" bit"), 5),
    (_frame(1, LONG) + _frame(3, b"behind it"), 3),
    (_frame(1, b"\x00\x00\x01\x00\x00\x00\x00\x00\x03x") + _frame(3, b"y"), 3),
    (_frame(1, b"a"), 5),
    (b"", 1),
]


def _streams(rng: random.Random) -> list[Arguments]:
    frames = [_frame(rng.choice([1, 3, 5]), rng.randbytes(rng.randrange(9)), rng.choice([0, 0, 8])) for _ in range(9)]
    return [(b"".join(frames), stream) for stream in (1, 3)]


@exercise(
    "15",
    STREAMS,
    _streams,
    "RFC 9113, 4.1 and 6.1",
    (lambda data, stream: _content(data, stream, tuple(range(256))), "only DATA (type 0) carries content"),
    (
        lambda data, stream: b"".join(_content(data, one) for one in (1, 3, 5)),
        "other streams have content of their own",
    ),
    (lambda data, stream: _content(data, stream, first=1), "a length has three bytes"),
    (lambda data, stream: _content(data, stream, place=8, bits=255), "the number of a stream has 31 bits"),
    (lambda data, stream: _content(data, stream, bits=-1), "the bit before the number of a stream is reserved"),
    (lambda data, stream: _content(data, stream, place=6), "one bit is reserved, and no whole byte"),
    (lambda data, stream: _content(data, stream, last=1), "END_STREAM ends the stream that it is on, and no other"),
)
def content_of(data: bytes, stream: int) -> bytes:
    """What a stream carries in its DATA frames, none of which is padded."""
    found, at = b"", 0
    while at < len(data):
        end = at + 9 + int.from_bytes(data[at : at + 3], "big")
        if data[at + 3] == 0 and int.from_bytes(data[at + 5 : at + 9], "big") & 0x7FFFFFFF == stream:
            found += data[at + 9 : end]
        at = end
    return found


# RFC 7541, C.1, and where the number of bytes changes; with the bits of a representation before it, and bytes behind.
NUMBERS = [
    ("82", 7), ("0a", 5), ("1f 9a 0a", 5), ("2a", 8), ("be", 7), ("1e 05", 5), ("1f 00", 5), ("3f 01", 5),
    ("1f 7f 01", 5), ("1f 80 01", 5), ("3f e1 1f", 5), ("3f e1 ff 03", 5), ("ff 00", 7), ("ff 80 80 01", 7),
    ("7f 00", 6), ("42 05", 6), ("04 90 62", 4), ("0f 21 85", 4), ("ca 87 04", 7), ("ff ff 01 ff", 8),
    ("1f ff ff ff ff 07", 5),
]  # fmt: skip


def _written(number: int, bits: int) -> bytes:
    most, rest = (1 << bits) - 1, bytearray()
    if number < most:
        return bytes([number])
    number -= most
    while number >= 128:
        rest.append(number % 128 + 128)
        number //= 128
    return bytes([most, *rest, number])


def _numbers(rng: random.Random) -> list[Arguments]:
    return [(_written(rng.randrange(1 << size), bits) + b"\x85", bits) for size, bits in ((6, 7), (12, 5), (20, 6))]


def _read(most: int = 127, order: int = 1, add: bool = True, stop: bool = True) -> Callable[[bytes, int], int]:
    """With one of the mistakes that people make."""

    def read(data: bytes, bits: int) -> int:
        full = (1 << bits) - 1
        if (first := data[0] & full) < full and stop:
            return first
        end = next((at for at, byte in enumerate(data[1:], 2) if byte < 128), len(data))
        return full * add + sum((byte & most) << 7 * at for at, byte in enumerate(data[1:end][::order]))

    return read


@exercise(
    "15",
    [(bytes.fromhex(data), bits) for data, bits in NUMBERS],
    _numbers,
    "RFC 7541, 5.1",
    (lambda data, bits: data[0] % (1 << bits), "if all these bits are ones, the number goes on"),
    (_read(most=255), "the top bit of a further byte says whether another follows, and is no part of the number"),
    (_read(order=-1), "the lowest seven bits come first"),
    (_read(add=False), "what follows is added to the ones of the first byte"),
    (_read(stop=False), "the number goes on only if all the bits of the first byte are ones"),
)
def hpack_number(data: bytes, bits: int) -> int:
    """The number with which these bytes begin; the first byte has only its lowest ``bits`` bits for it."""
    number = data[0] & (1 << bits) - 1
    if number < (1 << bits) - 1:
        return number
    for at, byte in enumerate(data[1:]):
        number += (byte & 127) << 7 * at
        if byte < 128:
            break
    return number


def _table(more: int = 32, spare: int = 0, oldest: bool = True, once: bool = False) -> Callable[..., list[Field]]:
    """With one of the mistakes that people make."""

    def table(fields: list[Field], size: int) -> list[Field]:
        entries: list[Field] = []
        for field in fields:
            entries.insert(0, field)
            while entries and sum(len("".join(one)) + more for one in entries) > size - spare:
                entries.pop(-1 if oldest else 0)
                if once:
                    break
        return entries

    return table


def _kept(fields: list[Field], size: int) -> list[Field]:
    """A field that is too large is taken for one that changes nothing."""
    return _table()([one for one in fields if len("".join(one)) + 32 <= size], size)


A, B, C, PATH = ("accept", "*/*"), ("x-a", "1"), ("x-b", "22"), (":path", "/news?after=1")
TABLES: list[Arguments] = [
    ([A], 4096),
    ([A, B, C], 4096),
    ([A, B, C], 115),
    ([A, B, C], 114),
    ([A, B, C], 73),
    ([A, B, C], 72),
    ([A, B, A], 4096),
    ([A, B, ("x-a", "2")], 110),
    ([A], 41),
    ([A], 40),
    ([A], 0),
    ([A, B, ("cookie", "x" * 80), C], 100),
    ([A, B, ("cookie", "x" * 80)], 100),
    ([B, B, B, PATH], 110),
    ([("", ""), A], 73),
    ([], 4096),
    ([("cookie", "x" * 4096), A], 65_536),
]


def _tables(rng: random.Random) -> list[Arguments]:
    fields = [(f"x-{rng.randrange(9)}", "v" * rng.randrange(20)) for _ in range(8)]
    return [(fields, rng.randrange(80, 250))]


@exercise(
    "15",
    TABLES,
    _tables,
    "RFC 7541, 2.3.2, 4.1 and 4.4",
    (lambda fields, size: dynamic_table(fields, size)[::-1], "the youngest comes first: it is entry 62"),
    (_table(more=0), "an entry counts 32 bytes more than its name and its value have"),
    (_table(spare=1), "a table may be full to its last byte"),
    (_table(oldest=False), "the oldest goes first"),
    (_table(once=True), "one may not be enough: go on until the new one fits"),
    (_kept, "a field larger than the table empties it, which is no error"),
    (lambda fields, size: dynamic_table(fields, min(size, 4096)), "a receiver may allow more than 4,096 bytes"),
)
def dynamic_table(fields: list[tuple[str, str]], size: int) -> list[tuple[str, str]]:
    """The entries of a dynamic table of ``size`` bytes after these fields were added, the youngest first."""
    entries: list[tuple[str, str]] = []
    for field in fields:
        entries.insert(0, field)
        while sum(len(name) + len(value) + 32 for name, value in entries) > size:
            entries.pop()
    return entries
