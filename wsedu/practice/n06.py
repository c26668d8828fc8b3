# SPDX-License-Identifier: GPL-2.0-or-later
"""Notebook 06: payload length and masking key."""

from ..protocol.frames import Frame, apply_mask
from .exercise import Arguments, exercise


def _masked(payloads: list[bytes], key: bytes) -> list[Arguments]:
    return [(Frame(2, payload, masking_key=key).serialize(),) for payload in payloads]


LENGTHS = [5, 0, 1, 4, 125]


@exercise(
    "06",
    _masked([bytes(range(65, 65 + length)) for length in LENGTHS] + [bytes(6), b"\7\xa0\xff\1 "], b"\7\xa0\xff\1"),
    lambda rng: _masked([rng.randbytes(length) for length in LENGTHS], rng.randbytes(4)),
    "RFC 6455, 5.3",
    (lambda frame: frame[6:], "that is the payload as it was sent: still masked"),
    (lambda frame: bytes(byte ^ frame[2] for byte in frame[6:]), "the masking key has four bytes: each takes its turn"),
    (
        lambda frame: bytes(byte ^ frame[2 + i % 4] for i, byte in enumerate(frame[2:])),
        "the masking key itself is not part of the payload",
    ),
    (
        lambda frame: bytes(byte ^ frame[2 + i] for i, byte in enumerate(frame[6:10])),
        "the key begins again after its fourth byte, until the payload ends",
    ),
    (
        lambda frame: bytes(byte ^ frame[2 + i % 4] for i, byte in enumerate(frame))[6:],
        "the key begins with the payload, not with the frame",
    ),
)
def unmask(frame: bytes) -> bytes:
    """The payload of a masked frame that is not longer than 125 bytes."""
    key, payload = frame[2:6], frame[6:]
    return bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))


BOUNDARIES = [5, 0, 1, 124, 125, 126, 127, 128, 255, 256, 65_534, 65_535, 65_536, 2**24, 2**32, 2**63 - 1]


def _length(length: int, order: str = "big", short: int = 125, middle: int = 0xFFFF) -> bytes:
    """With one of the mistakes that people make."""
    if length <= short:
        return bytes([length])
    size = 2 if length <= middle else 8
    return bytes([126 if size == 2 else 127]) + length.to_bytes(size, "big" if order == "big" else "little")


@exercise(
    "06",
    [(length,) for length in BOUNDARIES],
    lambda rng: [(rng.randrange(300, 60_000),), (rng.randrange(2**20, 2**40),)],
    "RFC 6455, 5.2",
    (lambda length: _length(length, short=127), "126 and 127 have another meaning: 125 is the most that one byte says"),
    (lambda length: _length(length, short=126), "126 has another meaning: 125 is the most that one byte says"),
    (lambda length: _length(length, "little"), "network byte order: the greatest part comes first"),
    (lambda length: _length(length, middle=0), "the shortest form must be used: up to 65535 two bytes are enough"),
    (lambda length: _length(length, middle=0xFFFE), "65535 still fits into two bytes"),
    (
        lambda length: length_bytes(length)[-8:] if length > 125 else length_bytes(length),
        "the byte that says which form comes first",
    ),
)
def length_bytes(length: int) -> bytes:
    """The payload length of an unmasked frame, from the second byte of the frame on."""
    if length <= 125:
        return bytes([length])
    if length <= 0xFFFF:
        return bytes([126]) + length.to_bytes(2, "big")
    return bytes([127]) + length.to_bytes(8, "big")


def _known(key: bytes, text: bytes = b'{"id":1}') -> list[Arguments]:
    """All of the text is known, or its beginning, of four letters at least."""
    return [(apply_mask(text, key), text[:known]) for known in (len(text), 4, 7)]


@exercise(
    "06",
    [*_known(b"\x37\xfa\x21\x3d", b"sun rises"), *_known(b"\0\0\0\xff"), *_known(b"\xff\xfe\1\0", "été".encode())],
    lambda rng: _known(rng.randbytes(4), rng.randbytes(rng.randrange(8, 20))),
    "RFC 6455, 5.3 and 10.3",
    (
        lambda masked, text: bytes(a ^ b for a, b in zip(masked, text, strict=False)),
        "the key has four bytes; after them it only repeats",
    ),
    (lambda masked, text: masked[:4], "that is the payload as it was sent: what turns it into the text?"),
    (
        lambda masked, text: bytes((a - b) % 256 for a, b in zip(masked[:4], text, strict=False)),
        "masking does not add, it is XOR; and XOR undoes itself",
    ),
)
def key_from(masked: bytes, text: bytes) -> bytes:
    """The masking key, from a masked payload and the text that one knows it to begin with."""
    return bytes(a ^ b for a, b in zip(masked[:4], text, strict=False))
