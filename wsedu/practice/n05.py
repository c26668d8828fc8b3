# SPDX-License-Identifier: GPL-2.0-or-later
"""Notebook 05: the first two bytes."""

from .exercise import Arguments, exercise

PLAIN = [0x81, 0x02, 0xC1, 0x8B, 0x88, 0x09]
FIRST_BYTES: list[Arguments] = [(first,) for first in [*PLAIN, *sorted(set(range(256)) - set(PLAIN))]]
"""All that there are, so that chance is not needed."""


@exercise(
    "05",
    FIRST_BYTES,
    lambda rng: [],
    "RFC 6455, 5.2",
    (lambda first: first, "that is the whole byte: the opcode is its last four bits"),
    (lambda first: first - 128, "that takes FIN away even where it is not set, and leaves RSV1 to RSV3"),
    (lambda first: first & 0x7F, "RSV1 to RSV3 are still in it: the opcode is the last four bits only"),
    (lambda first: first >> 4, "these are the first four bits; the opcode is the last four"),
)
def opcode_of(first: int) -> int:
    """The opcode in the first byte of a frame."""
    return first & 15


@exercise(
    "05",
    [(1, True), (0, False), (9, True), (2, False), *((opcode, fin) for opcode in range(16) for fin in (True, False))],
    lambda rng: [],
    "RFC 6455, 5.2",
    (lambda opcode, fin: opcode | 0x80, "FIN is set only in the last fragment of a message"),
    (lambda opcode, fin: opcode, "FIN is missing: it is the first bit of the byte"),
    (lambda opcode, fin: opcode << 4 | fin, "turned round: FIN comes first, the opcode last"),
    (lambda opcode, fin: opcode + fin, "FIN is the first bit, which counts for 128"),
)
def first_byte(opcode: int, fin: bool) -> int:
    """The first byte of a frame, its reserved bits 0."""
    return fin << 7 | opcode


@exercise(
    "05",
    FIRST_BYTES,
    lambda rng: [],
    "RFC 6455, 5.5",
    (lambda first: first >= 8, "look at the opcode only, not at the whole byte"),
    (lambda first: first & 15 > 8, "8 is one of them: Close"),
    (lambda first: first & 15 in (8, 9, 10), "the opcodes that are reserved for further control frames count too"),
    (lambda first: first >> 7 == 1, "that is FIN"),
)
def is_control_frame(first: int) -> bool:
    """Whether a frame that begins with this byte is a control frame."""
    return first & 8 == 8
