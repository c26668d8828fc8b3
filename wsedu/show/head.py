# SPDX-License-Identifier: GPL-2.0-or-later
"""A request or response head, shown as what it is: lines of text, whose bytes are folded into each of them."""

from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap
from typing import NamedTuple

from ..protocol.spans import Kind
from .dump import hex_rows
from .html import TABLE, TOP, Markup, join, rfc_link, scrolling, table_row, tag
from .palette import tone
from .parts import DELIMITERS, Part
from .text import clip, text_row, visible

STARTS = {"method", "HTTP version"}  # the first word of a start line (RFC 9112, 3 and 4)
ENDS = {"CRLF", "empty line"}  # the last piece of a line
MOST_LINES = 120
LONGEST = 4_000  # characters of a line, or of a piece of it, that are shown
LINE, BAR, MEANING, SECTION = 39, 6, 26, 12  # columns in text; the bar is the longest
PIXELS = 90  # of the longest bar in HTML
TONES = ("name", "value", "what separates and ends them")


class HeadLine(NamedTuple):
    """A line of a head: where it is, its parts, and its pieces as text, each with the index of its tone."""

    start: int
    end: int
    parts: tuple[Part, ...]
    pieces: tuple[tuple[int, str], ...]

    @property
    def text(self) -> str:
        """The line as it was sent; what does not print is spelled out, its end too."""
        return "".join(text for _, text in self.pieces)

    def said(self) -> Iterator[tuple[str, str]]:
        """What its parts mean, and where that is defined; of a start line, which has several, under their names."""
        several = len(self.parts) > 1
        for part in self.parts:
            yield f"{part.name}: {part.meaning}" if several else part.meaning, part.section


def cut_at_heads(parts: Iterable[Part]) -> list[tuple[bool, list[Part]]]:
    """Parts in order, cut where a head begins and where it ends: whether it is a head, and its parts."""
    found: list[tuple[bool, list[Part]]] = []
    inside = False
    for part in parts:
        first = part.pieces[0].name if part.pieces else ""
        head = part.kind == Kind.HTTP_HEAD and (inside or first in STARTS)
        if not found or head != found[-1][0] or (head and not inside):
            found.append((head, []))
        found[-1][1].append(part)
        inside = head and first != "empty line"
    return found


def head_lines(data: bytes, parts: Sequence[Part]) -> list[HeadLine]:
    """The lines of a head."""
    lines: list[HeadLine] = []
    waiting: list[Part] = []
    for part in parts:
        waiting.append(part)
        if part.pieces[-1].name not in ENDS and part is not parts[-1]:
            continue
        spans = [span for one in waiting for span in one.pieces]
        tones = [2 if span.name in DELIMITERS | ENDS else min(at, 1) for at, span in enumerate(spans)]
        texts = [visible(data[span.start : span.end].decode("latin-1")) for span in spans]
        lines.append(HeadLine(spans[0].start, spans[-1].end, tuple(waiting), tuple(zip(tones, texts, strict=True))))
        waiting = []
    return lines


def head_html(data: bytes, lines: Sequence[HeadLine]) -> Markup:
    """A head as a table: each line as text that opens to its bytes, its length as a bar, and what it means."""
    digits, longest = len(str(len(data))), max(line.end - line.start for line in lines)
    legend = [join(" ", tag("span", name, style=f"{tone(at)};padding:0 5px")) for at, name in enumerate(TONES)]
    caption = tag("caption", "A line opens to its bytes.", *legend, style="text-align:left;padding:0 0 4px 0")
    heads = (tag("th", name, scope="col", style=TOP) for name in ("line", "bytes", "meaning"))
    rows = [table_row(*heads)]
    for line in lines[:MOST_LINES]:
        size, shown, bars = line.end - line.start, [], []
        for at, text in line.pieces:
            # What separates and ends is short, and would read as something else with a line end in it.
            look = f"{tone(at)}{';white-space:nowrap' * (at == 2)}"
            shown.append(tag("span", clip(text, LONGEST), style=look))
            share = PIXELS * size / longest * len(text) / max(1, len(line.text))
            bars.append(tag("div", style=f"{tone(at)};height:9px;width:{share:.0f}px"))
        raw = "\n".join(hex_rows(data[line.start : line.end], line.start, digits))
        opened = tag("pre", raw, style="margin:4px 0;background:transparent", **{"class": "wsedu-hex"})
        text = tag("samp", *shown, dir="auto", style="overflow-wrap:break-word;line-height:1.6")
        count = tag("span", f"{size:,} ", style="min-width:32px;margin-right:6px;text-align:right")
        said = (tag("div", meaning, " ", rfc_link(section)) for meaning, section in line.said())
        wide = f"{TOP};min-width:260px;max-width:520px"
        opens = tag("td", tag("details", tag("summary", text), opened), style=wide)
        length = tag("td", tag("div", count, *bars, style="display:flex;align-items:center"), style=TOP)
        rows.append(table_row(opens, length, tag("td", *said, style=f"{TOP};min-width:220px")))
    if (left := len(lines) - MOST_LINES) > 0:
        rows.append(table_row(tag("td", f"… {left:,} more lines …", colspan=3, style=TOP)))
    table = tag("table", caption, *rows, style=TABLE, **{"class": "wsedu-head"})
    return scrolling(table, style=";margin:0 0 8px 0")


def head_text(lines: Sequence[HeadLine]) -> Iterator[str]:
    """The same as text: every byte of a line, their number, that as a bar, and what the line means."""
    longest = max(line.end - line.start for line in lines)
    for line in lines[:MOST_LINES]:
        size, text = line.end - line.start, clip(line.text, LONGEST)
        shown = [text[at : at + LINE] for at in range(0, len(text), LINE)]
        length = f"{size:>5,}  {'#' * max(1, round(BAR * size / longest))}"
        meanings, sections = [], []
        for meaning, section in line.said():
            words = wrap(meaning, MEANING) or [""]
            meanings += words
            sections += [section.removeprefix("RFC "), *([""] * (len(words) - 1))]
        yield from text_row([shown, [length], meanings, sections], (LINE, 7 + BAR, MEANING, SECTION))
    if (left := len(lines) - MOST_LINES) > 0:
        yield f"  … {left:,} more lines …"
