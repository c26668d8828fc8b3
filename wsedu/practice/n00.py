# SPDX-License-Identifier: GPL-2.0-or-later
"""Notebook 00: what is this byte?"""

from __future__ import annotations

import random

from ..protocol.frames import Frame
from .exercise import Arguments, exercise

WORDS = ["Hello", "čau", "日本", "one, two", "ok"]


def _texts(rng: random.Random) -> list[Arguments]:
    words = [*WORDS, "".join(rng.choices("aé€ ", k=9))]
    return [(Frame(1, word.encode()).serialize(),) for word in words]


@exercise(
    "00",
    _texts,
    "RFC 6455, 5.2 and 5.6",
    (lambda frame: frame.decode("latin-1"), "the first two bytes are the frame header, not text"),
    (lambda frame: frame[2:], "the payload is still bytes: a Text frame holds UTF-8, to be decoded"),
    (lambda frame: frame[2:].decode("latin-1"), "some letters take more than one byte: the text is UTF-8"),
    (lambda frame: frame[1:].decode(), "the second byte is still frame header: it says how long the text is"),
)
def text_of(frame: bytes) -> str:
    """The text in a server's short Text frame."""
    return frame[2:].decode()


def _from_both(rng: random.Random) -> list[Arguments]:
    cases: list[Arguments] = []
    for key in (None, rng.randbytes(4)):
        for fin in (True, False):
            frame = Frame(rng.choice([1, 2]), rng.randbytes(3), fin=fin, masking_key=key)
            cases.append((frame.serialize(),))
        cases.append((Frame(9, masking_key=key).serialize(),))  # nothing in the second byte but its first bit
    return cases


@exercise(
    "00",
    _from_both,
    "RFC 6455, 5.1 and 5.2",
    (
        lambda frame: "server" if frame[1] >> 7 else "client",
        "it is the other way round: the client's frames are masked",
    ),
    (lambda frame: "client" if frame[0] >> 7 else "server", "that is FIN, a bit of the first byte"),
    (
        lambda frame: "client" if frame[1] > 0x80 else "server",
        "MASK alone says it, also of a frame whose payload length is 0",
    ),
    (lambda frame: "client", "not every frame comes from the client: a bit of the second byte says which"),
)
def sender_of(frame: bytes) -> str:
    """Who sent a frame: "client" or "server"."""
    return "client" if frame[1] & 0x80 else "server"


def _mixed(rng: random.Random) -> list[Arguments]:
    def frames(opcodes: list[int]) -> Arguments:
        return ([Frame(opcode, b"\x03\xe8" * rng.randrange(2)).serialize() for opcode in opcodes],)

    return [
        frames([1, 8, 8]),
        frames([1, 2, 9, 10]),
        ([Frame(8).serialize(), Frame(1, b"\x88\x00").serialize(), Frame(9).serialize()],),
        frames(rng.choices([1, 2, 8, 9, 10], k=8)),
    ]


@exercise(
    "00",
    _mixed,
    "RFC 6455, 5.2 and 5.5.1",
    (lambda frames: len(frames), "that counts all of them"),
    (
        lambda frames: sum(frame[0] & 8 > 0 for frame in frames),
        "Ping and Pong have that bit too: look at all four bits of the opcode",
    ),
    (
        lambda frames: sum(0x88 in frame for frame in frames),
        "the byte 88 may also stand in a payload: only the first byte has the opcode",
    ),
    (
        lambda frames: sum(frame[0] == 8 for frame in frames),
        "FIN stands in the same byte: take it off before you compare",
    ),
)
def goodbyes(frames: list[bytes]) -> int:
    """How many of these frames are Close frames."""
    return sum(frame[0] & 15 == 8 for frame in frames)
