# SPDX-License-Identifier: GPL-2.0-or-later
"""The hex dump: sixteen bytes a row in groups of eight, their offset before and their text after them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from ..protocol.spans import Kind
from .html import MUTED, SCROLL, Markup, join, tag
from .palette import LOOKS
from .parts import Part, View
from .text import clip

ROW = 16
FOLD_AT = 12
"""A part of more rows than this is folded, if it is what a message carries; heads are shown whole."""
KEEP = 4
"""Rows of a folded part that stay at its beginning; one more stays at its end."""
MOST_ROWS = 400
"""Rows of any dump, whatever it holds."""

# As wide as its lines, so that a short dump has a small box; no wider than the page, and then it scrolls in itself: a
# row that wrapped would put a byte's offset and its text on different lines. Its ground is the page's, light or dark.
BOX = (
    "white-space:pre;display:inline-block;vertical-align:top;line-height:1.75;margin:0;padding:8px 12px;"
    "border:1px solid rgba(128,128,128,.4);border-radius:4px;box-sizing:border-box;background:transparent;"
    f"{SCROLL}"
)

Piece = tuple[int, int, Part]
Row = tuple[int, int, list[Piece]]
"""From where to where a row of the dump goes, and what of which part is in it."""

CARRIED = (Kind.CONTENT, Kind.PAYLOAD, None)
"""Kinds that are folded where they are long: what a message is there to carry."""


def ascii_column(data: bytes) -> str:
    """Bytes as text: ASCII that prints, and a middle dot for every other byte."""
    return "".join(chr(byte) if 32 <= byte < 127 else "·" for byte in data)


def folds(view: View, fold: bool, whole_heads: bool) -> list[tuple[int, int]]:
    """The stretches of bytes that are left out, as pairs of offsets; both at the beginning of a row.

    Args:
        view: what is shown.
        fold: ``False`` leaves out nothing.
        whole_heads: leave out nothing of heads.
    """
    if not fold:
        return []
    gaps = []
    for run in view.runs():
        if (run.kind in CARRIED or not whole_heads) and run.size > FOLD_AT * ROW:
            start = -(-run.start // ROW) * ROW + KEEP * ROW
            gaps.append((start, (run.end - 1) // ROW * ROW))
    size = len(view.data)
    # Whatever folds, a picture stays small: a notebook stores it, and a page of a thousand rows is read by nobody.
    if size - sum(end - start for start, end in gaps) > MOST_ROWS * ROW:
        gaps = [(MOST_ROWS * ROW // 2, (size - 1) // ROW * ROW)]
    return gaps


def rows(view: View, parts: Sequence[Part], gaps: Iterable[tuple[int, int]]) -> Iterator[Row]:
    """The rows of a dump; one that stands for bytes left out has no pieces."""
    left_out, starts, at = dict(gaps), [part.start for part in parts], 0
    while at < len(view.data):
        if at in left_out:
            yield at, left_out[at], []
            at = left_out[at]
        end = min(at + ROW, len(view.data))
        here = parts[bisect_right(starts, at) - 1 : bisect_left(starts, end)]
        yield at, end, [(max(at, part.start), min(end, part.end), part) for part in here]
        at = end


def dump_html(view: View, *, by_kind: bool = False, fold: bool = True, whole_heads: bool = True) -> Markup:
    """The dump with each part in the look of its kind, and a gap between one part and the next.

    Args:
        view: what is shown.
        by_kind: neighbours of one kind look like one, as where only the kinds matter.
        fold: leave out the middle of long content and payloads.
        whole_heads: ``False`` leaves out the middle of long heads too.
    """
    parts = view.runs() if by_kind else view.parts
    digits = len(str(len(view.data)))
    lines: list[str] = []
    for at, end, pieces in rows(view, parts, folds(view, fold, whole_heads)):
        if not pieces:
            lines.append(tag("span", f"{' ' * digits}  … {end - at:,} more bytes …", style=MUTED))
            continue
        offset, hexed = tag("span", f"{at:>{digits}}", style=MUTED), _hex_html(view.data, at, pieces)
        lines.append(join(offset, "  ", hexed, "   ", _text_html(view.data, pieces)))
    return tag("pre", *(join(line, "\n") for line in lines), style=BOX, tabindex=0)


def _hex_html(data: bytes, row: int, pieces: list[Piece]) -> Markup:
    written: list[str] = []
    for start, end, part in pieces:
        # What separates two parts lies outside their looks, and so shows where one ends.
        text = "".join(
            (_space_before(row, at) if at > start else "") + f"{data[at]:02x}" for at in range(start, end)
        )
        place = f"bytes {part.start:,} to {part.end - 1:,}" if part.size > 1 else f"byte {part.start:,}"
        title = clip(f"{part.name}, {place}", 80)
        written += [_space_before(row, start), tag("span", text, style=LOOKS[part.kind].style, title=title)]
    width, used = (_columns(min(size, ROW)) for size in (len(data), pieces[-1][1] - row))
    return join(*written, " " * (width - used))


def _columns(size: int) -> int:
    """Columns of a row of so many bytes in hex."""
    return 3 * size - 1 + (size > ROW // 2)


def _space_before(row: int, at: int) -> str:
    return "" if at == row else "  " if at == row + ROW // 2 else " "


def _text_html(data: bytes, pieces: list[Piece]) -> Markup:
    written = []
    for kind, group in groupby(pieces, key=lambda piece: piece[2].kind):
        same = list(group)
        written.append(tag("span", ascii_column(data[same[0][0] : same[-1][1]]), style=LOOKS[kind].style))
    return join(*written)


def dump_text(view: View, *, fold: bool = True, whole_heads: bool = True) -> list[str]:
    """The dump as lines of text, a new row for each change of kind, with its label before it."""
    digits = len(str(len(view.data)))
    # Without colours a row of two kinds would not show where one ends: each kind begins a row of its own.
    width = _columns(min(ROW, max((run.size for run in view.runs()), default=0)))
    lines = []
    for run in view.runs():
        label = LOOKS[run.kind].label if view.parts[0].kind or len(view.parts) > 1 else "bytes"
        for start, end in _stretches(run, fold, whole_heads):
            if end < 0:
                lines.append(f"  {'':13}  {'':{digits}}  … {-end - start:,} more bytes …")
                continue
            row = view.data[start:end]
            left, right = row[: ROW // 2].hex(" "), row[ROW // 2 :].hex(" ")
            lines.append(
                f"  {label:13}  {start:>{digits}}  {f'{left}  {right}'.rstrip():{width}}   {ascii_column(row)}"
            )
            label = ""
    if fold and len(lines) > MOST_ROWS:
        lines[MOST_ROWS:] = [f"  … {len(lines) - MOST_ROWS:,} more rows …"]
    return [line.rstrip() for line in lines]


def _stretches(run: Part, fold: bool, whole_heads: bool) -> Iterator[tuple[int, int]]:
    """The rows of a run of one kind; what is left out has the negative of its end."""
    short = run.kind in CARRIED or not whole_heads
    limit = FOLD_AT if short else MOST_ROWS
    starts = range(run.start, run.end, ROW)
    folded = fold and len(starts) > limit
    keep = KEEP if short else limit // 2
    for number, start in enumerate(starts):
        if not folded or number < keep or number == len(starts) - 1:
            yield start, min(start + ROW, run.end)
        elif number == keep:
            yield start, -starts[-1]
