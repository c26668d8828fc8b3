# SPDX-License-Identifier: GPL-2.0-or-later
"""Notebook 00: what is this byte?"""

from ..protocol.frames import Frame
from .exercise import Arguments, exercise

WORDS = ["Hello", "čau", "日本", "one, two", "", " ", " spaces  ", "\x03ok", "Á\x03", "\ufeff1\r\n2\n\x81\0", "a" * 125]
"""One begins with its own length, 03; the next one holds its own header, 81 03."""


def _texts(words: list[str]) -> list[Arguments]:
    return [(Frame(1, word.encode()).serialize(),) for word in words]


@exercise(
    "00",
    _texts(WORDS),
    lambda rng: _texts(["".join(rng.choices("aé€ ", k=rng.randrange(1, 40))) for _ in range(3)]),
    "RFC 6455, 5.2 and 5.6",
    (lambda frame: frame.decode("latin-1"), "the first two bytes are the frame header, not text"),
    (lambda frame: frame[2:], "the payload is still bytes: a Text frame holds UTF-8, to be decoded"),
    (lambda frame: frame[2:].decode("latin-1"), "some letters take more than one byte: the text is UTF-8"),
    (lambda frame: frame[1:].decode(), "the second byte is still frame header: it says how long the text is"),
)
def text_of(frame: bytes) -> str:
    """The text in a server's Text frame of at most 125 bytes of payload."""
    return frame[2:].decode()


def _from_both(key: bytes, payloads: list[bytes]) -> list[Arguments]:
    """Frames of both, whole and not."""
    both = [
        Frame(2, payload, fin=fin, masking_key=mask)
        for payload in payloads
        for fin in (True, False)
        for mask in (None, key)
    ]
    return [(frame.serialize(),) for frame in both]


@exercise(
    "00",
    # without a payload nothing is in the second byte but MASK; and 127 is the most that it can say without MASK
    _from_both(b"\0\1\2\3", [b"Hello", b"", b"eight: 8", bytes(125), bytes(126), bytes(65_536)]),
    lambda rng: _from_both(rng.randbytes(4), [rng.randbytes(rng.randrange(200))]),
    "RFC 6455, 5.1 and 5.2",
    (lambda frame: "server" if frame[1] >> 7 else "client", "it is the other way round: a client's frames are masked"),
    (lambda frame: "client" if frame[0] >> 7 else "server", "that is FIN, a bit of the first byte"),
    (lambda frame: "client" if frame[1] > 0x80 else "server", "MASK alone says it, also where the payload length is 0"),
    (lambda frame: "client", "not every frame comes from the client: a bit of the second byte says which"),
)
def sender_of(frame: bytes) -> str:
    """Who sent a frame: "client" or "server"."""
    return "client" if frame[1] & 0x80 else "server"


def _mixed(opcodes: list[int], payload: bytes = b"", key: bytes | None = None) -> Arguments:
    return ([Frame(opcode, payload, masking_key=key).serialize() for opcode in opcodes],)


@exercise(
    "00",
    [
        _mixed([1, 8, 8]),
        _mixed([1, 2, 9, 10]),
        _mixed([8, 8, 8], b"\x03\xe8bye"),
        _mixed([1, 8, 8, 2], b"\x03\xe9", b"\x88\1\2\3"),
        ([Frame(8).serialize(), Frame(2, b"\x88\x00").serialize(), Frame(9, b"\x88").serialize()],),
        ([Frame(1, b"a", fin=False).serialize(), Frame(0, b"b").serialize()],),
        ([b"\x08\x00", b"\xc8\x00", b"\x99\x00"],),  # nobody may send these, but each has an opcode
        ([],),
    ],
    lambda rng: [_mixed(rng.choices([1, 2, 8, 9, 10], k=8), rng.randbytes(2 * rng.randrange(2)))],
    "RFC 6455, 5.2 and 5.5.1",
    (lambda frames: len(frames), "that counts all of them"),
    (lambda frames: sum(frame[0] & 8 > 0 for frame in frames), "Ping and Pong have that bit too: look at all four"),
    (lambda frames: sum(0x88 in frame for frame in frames), "88 may stand in a payload too: look at the first byte"),
    (lambda frames: sum(frame[0] == 8 for frame in frames), "FIN stands in the same byte: take it off first"),
    (lambda frames: sum(frame[0] == 0x88 for frame in frames), "of the first byte, the opcode alone counts"),
)
def goodbyes(frames: list[bytes]) -> int:
    """How many of these frames are Close frames."""
    return sum(frame[0] & 15 == 8 for frame in frames)
