# SPDX-License-Identifier: GPL-2.0-or-later
"""What every picture of bytes is drawn from: the bytes, cut into parts that a reader would name.

A view holds data only, no HTML and no text, so that a widget can be drawn from the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from ..protocol.opcodes import opcode_name
from ..protocol.spans import Kind, Span
from .text import clip, visible

# Bytes of a value that are shown in hex, where it is no text.
HEX = 8

# Spans that only end the part before them, and get no part of their own.
DELIMITERS = {"SP", "colon", "CRLF", "whitespace"}


@dataclass(frozen=True, slots=True)
class Part:
    """Neighbouring bytes that say one thing: a field with its name, a byte of eight flags, a payload.

    Attributes:
        start, end: offsets of the first byte, and after the last.
        kind: which of the six kinds of byte they are; ``None`` if no span names them.
        name: the RFC's term, or a field's own name.
        value: as the span has it; ``None`` for a byte of flags.
        meaning, section: what it says, and where that is defined; these and the name are safe to show.
        bits: the spans within one byte; else empty.
        pieces: the spans that it was made of; their words are safe as well.
    """

    start: int
    end: int
    kind: Kind | None
    name: str
    value: object = None
    meaning: str = ""
    section: str = ""
    bits: tuple[Span, ...] = ()
    pieces: tuple[Span, ...] = ()

    @property
    def size(self) -> int:
        """How many bytes."""
        return self.end - self.start

    def shifted(self, by: int) -> Part:
        """The same part, ``by`` bytes further on."""
        bits, pieces = (tuple(span.shifted(by) for span in spans) for spans in (self.bits, self.pieces))
        return replace(self, start=self.start + by, end=self.end + by, bits=bits, pieces=pieces)


@dataclass(frozen=True, slots=True)
class View:
    """Bytes with a name, and the parts that cover every one of them, in order.

    ``layers`` are runs of parts that belong together: name, start and end of each, in order; none where there is one.
    A reader looks at the one with index ``first`` first: the innermost of a packet, and of several things the first.
    """

    name: str
    data: bytes
    parts: tuple[Part, ...]
    layers: tuple[tuple[str, int, int], ...] = ()
    first: int = 0

    def sizes(self) -> dict[Kind | None, int]:
        """How many bytes of each kind that is there, in the order of legends."""
        sizes: Counter[Kind | None] = Counter()
        for part in self.parts:
            sizes[part.kind] += part.size
        return {kind: sizes[kind] for kind in (*Kind, None) if kind in sizes}


def runs(parts: Iterable[Part]) -> list[Part]:
    """The parts, with neighbours of one kind made one."""
    groups = [(kind, list(group)) for kind, group in groupby(parts, key=lambda part: part.kind)]
    return [Part(same[0].start, same[-1].end, kind, kind or "bytes") for kind, same in groups]


def view(x: object, spans: Iterable[Span] | None = None, name: str = "bytes") -> View:
    """What is to be drawn, whatever has the shape of bytes with a meaning.

    Args:
        x: a message of a capture (``.raw`` and ``.spans()``); a frame, request or response (``.serialize()``
            and ``.spans()``); a packet of a capture (``.layers()`` as well: names and spans); bytes; or several of
            these in a list, which are drawn one after the other.
        spans: what the bytes mean, where ``x`` is bytes.
        name: what to call them, where ``x`` is bytes.

    Raises:
        TypeError: ``x`` is none of these.
        ValueError: spans overlap, or lie outside the bytes.
    """
    if isinstance(x, (bytes, bytearray, memoryview)):
        data = bytes(x)
        return View(name, data, tuple(_parts(len(data), spans or ())))
    if isinstance(x, (list, tuple)) and x:
        return _several([view(one) for one in x])
    raw = getattr(x, "raw", None)
    if raw is None and hasattr(x, "serialize"):
        raw = x.serialize()
    own_spans = getattr(x, "spans", None)
    if raw is None or not callable(own_spans):
        raise TypeError(
            "byte_map and compare draw bytes, a frame, a request, a response, a message or packet of a capture, "
            f"or a list of these, not {type(x).__name__}"
        )
    layers: Sequence[tuple[str, list[Span]]] = getattr(x, "layers", list)()
    named = tuple((visible(name), spans[0].start, spans[-1].end) for name, spans in layers)
    return View(name_of(x), bytes(raw), tuple(_parts(len(raw), own_spans())), named, max(0, len(named) - 1))


def named_views(caller: str, things: Sequence[object], names: Sequence[str] | None) -> list[View]:
    """Several things to be drawn side by side, under names of the caller's if there are any.

    Raises:
        TypeError: one of them has no bytes to show.
        ValueError: nothing to show, or not a name for each.
    """
    if not things or (names is not None and len(names) != len(things)):
        raise ValueError(f"{caller} draws one thing or more, with a name for each: {len(things)} given")
    views = [view(thing) for thing in things]
    if names is None:
        return views
    return [replace(one, name=visible(str(name))) for one, name in zip(views, names, strict=True)]


def name_of(x: object) -> str:
    """What to call a message, frame or head: ``"Text frame"``, ``"response"``."""
    frame = getattr(x, "frame", None) or x
    opcode = getattr(frame, "opcode", None)
    if isinstance(opcode, int):
        return f"{opcode_name(opcode)} frame"
    return visible(str(getattr(x, "kind", type(x).__name__.lower())))


def _several(views: Sequence[View]) -> View:
    parts: list[Part] = []
    layers = []
    at = 0
    for one in views:
        parts += [part.shifted(at) for part in one.parts]
        layers.append((one.name, at, at + len(one.data)))
        at += len(one.data)
    name, data = " + ".join(one.name for one in views), b"".join(one.data for one in views)
    return View(name, data, tuple(parts), tuple(layers) if len(layers) > 1 else ())


def _parts(size: int, spans: Iterable[Span]) -> Iterator[Part]:
    """Parts that cover ``size`` bytes: spans put together where a reader would read them as one."""
    groups: list[list[Span]] = []
    for given in sorted(spans, key=lambda span: (span.start, span.bits or (0, 8))):
        name, meaning, section = map(visible, (given.name, given.meaning, given.section))
        span = replace(given, name=name, meaning=meaning, section=section)
        if groups and _goes_on(groups[-1], span):
            groups[-1].append(span)
        else:
            groups.append([span])
    at = 0
    for group in groups:
        start, end = group[0].start, group[-1].end
        if start < at or end > size:
            raise ValueError(f"span {group[0].name!r} covers bytes {start} to {end} of {size}, and {at} are taken")
        if start > at:
            yield Part(at, start, None, "bytes")
        if end > start:
            yield _part(group, start, end)
        at = max(at, end)
    if at < size:
        yield Part(at, size, None, "bytes")


def _part(group: list[Span], start: int, end: int) -> Part:
    first = group[0]
    if first.bits:
        names = ", ".join(span.name for span in group)
        return Part(start, end, first.kind, names, bits=tuple(group), pieces=tuple(group))
    name, value = first.name, first.value
    if first.name == "field name":
        name = visible(str(first.value))
        value = next((span.value for span in group if span.name == "field value"), "")
    return Part(start, end, first.kind, name, value, first.meaning, first.section, pieces=tuple(group))


def _goes_on(group: list[Span], span: Span) -> bool:
    """Whether they make one part: the flags of a byte, the pieces of a field line, a word and what ends it."""
    first, last = group[0], group[-1]
    if span.bits or first.bits:
        return bool(span.bits and first.bits) and span.start == first.start
    # A field line is its name, the colon, white space, the value and CRLF (RFC 9112, 5): one row for a reader.
    if span.kind != first.kind or span.start != last.end:
        return False
    return span.name in DELIMITERS or (span.name == "field value" and first.name == "field name")


def show_value(value: object, width: int, kind: Kind | None = None) -> str:
    """A span's value as one line of at most ``width`` columns: numbers, text, or bytes in hex if no text."""
    if value is None:
        return ""
    if isinstance(value, int):
        # A status code is a number of four digits, and no count.
        return f"{value:,}" if abs(value) >= 10_000 else str(int(value))
    if isinstance(value, (bytes, bytearray, memoryview)):
        head = bytes(value[: width + 1])
        text = head.decode("latin-1")
        printable = text.isascii() and text.isprintable() and kind != Kind.MASKING_KEY
        if printable or kind == Kind.HTTP_HEAD:
            return clip(visible(text), width)
        return head.hex(" ") if len(value) <= HEX else f"{head[:HEX].hex(' ')} …"
    return clip(visible(str(value)[: width + 1]), width)
