# SPDX-License-Identifier: GPL-2.0-or-later
"""Notebook 12: permessage-deflate."""

import random
import zlib
from collections.abc import Callable
from typing import Literal

from ..protocol.deflate import TAIL, Deflater
from .exercise import Arguments, exercise

# RFC 7692, 7.2.3: "Hello", and again with context takeover; stored; in two blocks; an empty message.
EXAMPLES = "f248cdc9c90700", "f200110000", "000500faff48656c6c6f00", "f24805000000ffffcac9c90700", "00"
HELLO, AGAIN, STORED, BLOCKS, EMPTY = map(bytes.fromhex, EXAMPLES)


def _deflated(contents: list[bytes]) -> list[bytes]:
    return list(map(Deflater().deflate, contents))


def _fresh(rng: random.Random) -> list[Arguments]:
    news, noise = (b'{"id":%d,"news":"it rains"}' % rng.randrange(1000) for _ in range(2)), rng.randbytes(40)
    return [(_deflated([*news, noise, b"", noise]),)]


FAR = random.Random(1).randbytes(20_000)


@exercise(
    "12",
    [
        ([HELLO],),
        ([HELLO, AGAIN],),
        ([BLOCKS, AGAIN],),
        ([STORED, EMPTY, AGAIN, EMPTY],),
        (_deflated([FAR, FAR[:40]]),),
        ([],),
    ],
    _fresh,
    "RFC 7692, 7.2.2",
    (lambda payloads: [one for one in inflate_all(payloads) if one], "an empty message is a message too"),
    (lambda payloads: [b"".join(inflate_all(payloads))], "a content for each message, in a list"),
    (
        lambda payloads: [b"".join(inflate_all(payloads[: end + 1])) for end in range(len(payloads))],
        "what came before is needed to read a message, and is no part of it",
    ),
    (lambda payloads: [one.decode("latin-1") for one in inflate_all(payloads)], "contents are bytes: not all are text"),
)
def inflate_all(payloads: list[bytes]) -> list[bytes]:
    """The contents of one direction's compressed messages, with context takeover."""
    decompressor = zlib.decompressobj(wbits=-15)  # one for all: it keeps what came before
    return [decompressor.decompress(payload + b"\x00\x00\xff\xff") for payload in payloads]


def _bits(
    value: str, wanted: str = "server", none: int = 0, unsaid: int = 32_768, of: str = "permessage-deflate"
) -> int:
    """With one of the mistakes that people make."""
    for extension in value.split(","):
        name, *parameters = (part.strip() for part in extension.split(";"))
        if of in name:
            said = dict(parameter.partition("=")[::2] for parameter in parameters).get(f"{wanted}_max_window_bits")
            return 1 << int(said.strip('"')) if said else unsaid
    return none


VALUES = [
    "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12",
    "permessage-deflate",
    "",
    "permessage-deflate; client_max_window_bits=9",
    "permessage-deflate; client_max_window_bits=11; server_max_window_bits=10",
    'permessage-deflate; server_max_window_bits="10"',
    "permessage-deflate;server_no_context_takeover;server_max_window_bits=8",
    "permessage-deflate ; server_no_context_takeover ; server_max_window_bits=15",
    "x-other; server_max_window_bits=9",
    "x-other; server_max_window_bits=9, permessage-deflate",
    "permessage-deflate; server_no_context_takeover, x-other; server_max_window_bits=9",
    "x-other , permessage-deflate; server_max_window_bits=13",
    "x-permessage-deflate",
]


def _values(rng: random.Random) -> list[Arguments]:
    bits = [rng.randrange(8, 16), rng.randrange(8, 16)]
    parameters = [f"; {side}_max_window_bits={one}" for side, one in zip(("server", "client"), bits, strict=True)]
    rng.shuffle(parameters)
    return [("permessage-deflate" + "".join(parameters),)]


@exercise(
    "12",
    [(value,) for value in VALUES],
    _values,
    "RFC 7692, 7.1.2.1",
    (lambda value: (_bits(value) or 1).bit_length() - 1, "these are bits: in bytes it is two to the power of them"),
    (lambda value: _bits(value, wanted="client"), "that is how far back the client may refer"),
    (lambda value: _bits(value, unsaid=0), "where nothing is said of it, it is 15 bits"),
    (lambda value: _bits(value, none=32_768), "without permessage-deflate nothing is compressed"),
    (lambda value: _bits(value, of=""), "other extensions have parameters of their own"),
)
def server_window(value: str) -> int:
    """How many bytes back the server's messages may refer; 0 if they are not compressed."""
    for extension in value.split(","):
        name, *parameters = (part.strip() for part in extension.split(";"))
        if name == "permessage-deflate":
            for parameter in parameters:
                what, _, number = parameter.partition("=")
                if what == "server_max_window_bits":
                    return 1 << int(number.strip('"'))
            return 2**15
    return 0


def _stored(
    first: int = 0, order: Literal["big", "little"] = "little", turned: bool = True, end: bytes = b"\x00"
) -> Callable[[bytes], bytes]:
    """With one of the mistakes that people make."""

    def make(content: bytes) -> bytes:
        size = len(content)
        numbers = size, 65_535 - size if turned else size
        return bytes([first]) + b"".join(one.to_bytes(2, order) for one in numbers) + content + end

    return make


SIZES = [1, 255, 256, 258, 65_534, 65_535]


@exercise(
    "12",
    [
        (b"Hello",),
        (b"",),
        (b"\x00",),
        (b"ab\x00\x00\xff\xff",),
        *((bytes(i % 251 for i in range(size)),) for size in SIZES),
    ],
    lambda rng: [(rng.randbytes(rng.randrange(2, 40)),), (rng.randbytes(rng.randrange(257, 900)),)],
    "RFC 1951, 3.2.4, and RFC 7692, 7.2.1",
    (_stored(order="big"), "the lower byte of a number comes first"),
    (_stored(turned=False), "the second number is the length with all its bits turned over"),
    (_stored(end=b""), "the empty block behind it leaves one byte"),
    (_stored(end=b"\x00" + TAIL), "the last four bytes are not sent"),
    (_stored(first=1), "BFINAL is 0: an empty block follows"),
)
def stored(content: bytes) -> bytes:
    """A compressed message's payload, of one stored block."""
    size = len(content)
    return b"\x00" + size.to_bytes(2, "little") + (65_535 - size).to_bytes(2, "little") + content + b"\x00"
