# SPDX-License-Identifier: GPL-2.0-or-later
"""The byte map: bytes with their meaning, as a dump, bit by bit, and as a table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from textwrap import wrap

from ..protocol.spans import Kind, Span
from .dump import dump_html, dump_text
from .html import PLAIN, SCROLL, TABLE, Markup, bytes_of, clip, columns, pad, tag, visible
from .palette import LOOKS, chip, order
from .parts import Part, View, bit_mask, hex_or_size, show_value, view

MOST_ROWS = 120
"""Rows of a table; the parts after them are counted, not listed."""
WIDTH = 98
"""Columns of a terminal that the text takes at most."""

WRAPS = "max-width:300px;overflow-wrap:break-word"
CELL = "text-align:left;vertical-align:baseline;padding:3px 16px 3px 0"


@dataclass(frozen=True, slots=True)
class MapRow:
    """A row of the table: bytes or bits that say one thing."""

    kind: Kind | None
    offset: int
    size: int
    raw: str
    name: str
    value: str
    meaning: str
    section: str


class ByteMap:
    """Bytes with their meaning. In a notebook it shows itself; ``print`` gives the same as text.

    Attributes:
        view: the bytes and their parts.
        fold: whether the middle of long content and payloads is left out.
    """

    def __init__(self, view: View, fold: bool = True) -> None:
        self.view = view
        self.fold = fold

    def rows(self) -> list[MapRow]:
        """The rows of the table, at most ``MOST_ROWS``; none for bytes that no span explains."""
        return [row for part in self.view.parts[:MOST_ROWS] for row in _rows(self.view.data, part)]

    def _more(self) -> int:
        return max(0, len(self.view.parts) - MOST_ROWS)

    def __repr__(self) -> str:
        lines = [_title_text(self.view), "", *dump_text(self.view, fold=self.fold)]
        rows = self.rows()
        if rows:
            lines += ["", *_table_text(rows)]
        if self._more():
            lines.append(f"  … {self._more():,} more …")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        pieces = [title_html(self.view), dump_html(self.view, fold=self.fold)]
        flags = [part for part in self.view.parts if part.bits and part.kind == Kind.FRAME_HEADER][:2]
        if flags:
            pieces.append(_bits_html(self.view.data, flags))
        rows = self.rows()
        if rows:
            pieces.append(table_html(rows, self._more()))
        return tag("div", *pieces, style="max-width:100%")


def byte_map(x: object, spans: Iterable[Span] | None = None, *, fold: bool = True) -> ByteMap:
    """Bytes with their meaning: which byte is what, and what it says.

    Args:
        x: a frame, a request, a response, a message or packet of a capture, or bytes; a list of these is drawn as one.
        spans: what the bytes mean, where ``x`` is bytes. Without them bytes are shown, and not explained.
        fold: leave out the middle of long content and payloads.

    Returns:
        A picture that a notebook shows by itself, and whose ``str`` is the same as text.

    Raises:
        TypeError: ``x`` has no bytes to show.
        ValueError: spans overlap, or lie outside the bytes.
    """
    return ByteMap(view(x, spans), fold)


def _rows(data: bytes, part: Part) -> Iterator[MapRow]:
    if part.kind is None:
        return
    for span in part.bits:
        raw = bit_mask(span, data[part.start])
        value = show_value(span.value, 28)
        yield MapRow(
            part.kind,
            part.start,
            1,
            raw,
            visible(span.name),
            value,
            visible(span.meaning),
            visible(span.section),
        )
    if not part.bits:
        # The bytes of a head are text: their hex in the dump above is enough.
        raw = hex_or_size(data[part.start : part.end], 2 if part.kind == Kind.HTTP_HEAD else 8)
        value = show_value(part.value, 200, part.kind)
        name, meaning = clip(part.name, 40), visible(part.meaning)
        yield MapRow(part.kind, part.start, part.size, raw, name, value, meaning, visible(part.section))


def _title_text(view: View) -> str:
    kinds = [f"{LOOKS[kind].label} {view.sizes()[kind]:,}" for kind in order(view.sizes()) if kind]
    size = bytes_of(len(view.data))
    return f"{view.name}, {size}: {', '.join(kinds)}" if kinds else size


def title_html(view: View) -> Markup:
    """The name and the size of what is shown, and a legend of the kinds in it with the size of each."""
    sizes = view.sizes()
    legend = [
        tag("span", chip(kind), f" {sizes[kind]:,}", style="white-space:nowrap;margin-left:16px")
        for kind in order(sizes)
        if kind
    ]
    head = tag("b", view.name)
    return tag(
        "div", head, f"  {bytes_of(len(view.data))}", *legend, style="margin:4px 0 8px 0;line-height:1.8"
    )


def _bits_html(data: bytes, flags: list[Part]) -> Markup:
    """The header's bytes bit by bit, with their names beneath, as the RFC draws them (RFC 6455, 5.2)."""
    edge = "border-left:1px solid rgba(128,128,128,.6)"
    centred = f"text-align:center;padding:2px 10px;{edge}"
    digits = f"{centred};font-family:monospace;letter-spacing:3px;{LOOKS[flags[0].kind].style}"
    above, bits, below = [], [], []
    for part in flags:
        byte = data[part.start]
        what = f"byte {part.start:,}: {byte:02x}"
        above.append(
            tag("th", what, colspan=len(part.bits), scope="colgroup", style=f"{CELL};padding-left:6px;{edge}")
        )
        for span in part.bits:
            bits.append(tag("td", bit_mask(span, byte, "").replace(" ", ""), style=digits))
            value = tag("b", show_value(span.value, 20))
            below.append(tag("td", visible(span.name), Markup("<br>"), value, style=centred))
    table = tag("table", *(tag("tr", *cells, style=PLAIN) for cells in (above, bits, below)), style=TABLE)
    return tag("div", table, style=f"{SCROLL};margin:12px 0", tabindex=0)


def table_html(rows: list[MapRow], more: int = 0) -> Markup:
    """The rows as a table; ``more`` of them are counted only."""
    heads = ("field", "offset", "bytes", "value", "meaning", "defined in")
    lines = [tag("tr", *(tag("th", head, scope="col", style=CELL) for head in heads))]
    for row in rows:
        cells = (
            tag("th", chip(row.kind, row.name), scope="row", style=f"{CELL};font-weight:normal"),
            tag("td", f"{row.offset:,}", style=CELL.replace("left", "right", 1)),
            tag("td", tag("samp", row.raw), style=f"{CELL};white-space:nowrap"),
            tag(
                "td",
                tag("samp", row.value, dir="auto"),
                style=f"{CELL};{WRAPS if len(row.value) > 30 else 'white-space:nowrap'}",
            ),
            tag("td", row.meaning, style=f"{CELL};min-width:200px"),
            tag("td", _section_html(row.section), style=f"{CELL};white-space:nowrap"),
        )
        lines.append(tag("tr", *cells, style=PLAIN))
    if more:
        lines.append(tag("tr", tag("td", f"… {more:,} more …", colspan=6, style=CELL)))
    return tag("div", tag("table", *lines, style=TABLE), style=f"{SCROLL};margin:12px 0 4px 0", tabindex=0)


def _section_html(section: str) -> Markup:
    """Where something is defined, as a link if it is an RFC."""
    found = re.fullmatch(r"RFC (\d+), ([\d.]+)", section)
    if not found:
        return tag("span", section)
    return tag("a", section, href=f"https://www.rfc-editor.org/rfc/rfc{found[1]}#section-{found[2]}")


def _table_text(rows: list[MapRow]) -> list[str]:
    table: list[tuple[str, ...]] = [("offset", "bytes", "field", "value", "meaning", "RFC")]
    for row in rows:
        raw = row.raw.replace("·", ".") if len(row.raw) <= 14 else bytes_of(row.size)
        raw = "" if row.kind == Kind.HTTP_HEAD else raw
        table.append(
            (f"{row.offset:,}", raw, row.name, row.value, row.meaning, row.section.removeprefix("RFC "))
        )
    if all(row.kind == Kind.HTTP_HEAD for row in rows):
        table = [(line[0], *line[2:]) for line in table]
    widths = [min(24, max(columns(line[i]) for line in table)) for i in range(len(table[0]))]
    widths[-1] = min(16, widths[-1])
    # Value and meaning share what the others leave of the line.
    room = WIDTH - 2 * len(widths) - sum(widths[:-3]) - widths[-1]
    widths[-3] = min(28, room - 16, max(columns(line[-3]) for line in table))
    widths[-2] = room - widths[-3]
    return [line for cells in table for line in _wrapped(cells, widths)]


def _wrapped(cells: tuple[str, ...], widths: list[int]) -> list[str]:
    """A row of the table; only its meaning goes on over further lines."""
    meaning = wrap(cells[-2], widths[-2]) or [""]
    lines = []
    for number, words in enumerate(meaning):
        line = [*cells[:-2], words, cells[-1]] if number == 0 else ["" for _ in cells]
        line[-2] = words
        lines.append(
            "  " + "  ".join(pad(clip(cell, width), width) for cell, width in zip(line, widths, strict=True))
        )
    return [line.rstrip() for line in lines]
