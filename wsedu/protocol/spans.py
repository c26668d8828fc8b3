# SPDX-License-Identifier: GPL-2.0-or-later
"""Which bytes are which: the one form in which the protocol tells every view what it has read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum


class Kind(StrEnum):
    """The six kinds of byte on the wire; each has one colour, one border and one label wherever it is shown."""

    HTTP_HEAD = "http head"  # the framing of chunks too: it is what HTTP adds to the content
    CONTENT = "content"
    FRAME_HEADER = "frame header"  # without the masking key, which protects others and carries nothing
    MASKING_KEY = "masking key"
    PAYLOAD = "payload"
    TCP_IP = "tcp/ip"


@dataclass(frozen=True, slots=True)
class Span:
    """A run of bytes, or of bits within bytes, that means one thing.

    A list of spans is ordered by ``start`` and ``bits``; together its spans cover every byte, and none twice.

    Attributes:
        start: offset of the first byte.
        end: offset after the last byte; ``end - start`` is the length in bytes.
        name: the RFC's term for it, such as ``"opcode"``.
        value: what the bytes say: a number, a text, or the bytes themselves.
        meaning: what that says to a reader, in one short sentence.
        kind: which of the six kinds of byte it is.
        section: where the RFC defines it, such as ``"RFC 6455, 5.2"``.
        bits: ``None`` for whole bytes; else the first bit and the bit after the last, counted from the most
            significant bit of byte ``start``: FIN is ``(0, 1)``, the opcode ``(4, 8)``.
    """

    start: int
    end: int
    name: str
    value: object
    meaning: str
    kind: Kind = Kind.PAYLOAD
    section: str = ""
    # RFC 6455, 5.2 numbers the bits of its figure so, from the most significant one, and a picture does as well.
    bits: tuple[int, int] | None = None

    # Whoever explains a part counts from the start of that part; whoever shows it knows where the part stands.
    def shifted(self, by: int) -> Span:
        """The same span, ``by`` bytes further on."""
        return replace(self, start=self.start + by, end=self.end + by)


def part_of(spans: Iterable[Span], start: int, end: int, at: int) -> list[Span]:
    """The spans of the bytes from ``start`` to ``end``, moved to ``at``; one that goes on there or here is cut."""
    cut = ((span, max(span.start, start), min(span.end, end)) for span in spans)
    return [replace(span, start=first + at - start, end=last + at - start) for span, first, last in cut if first < last]
