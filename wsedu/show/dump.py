# SPDX-License-Identifier: GPL-2.0-or-later
"""The hex dump: sixteen bytes a row in groups of eight, their offset before and their text after them."""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby

from ..protocol.spans import Kind
from .html import MUTED, SCROLL, Markup, join, tag
from .palette import LOOKS
from .parts import Part, runs
from .text import clip

ROW = 16
# A run of more rows than this is folded, if it is of a kind that is to be folded.
FOLD_AT = 12
# Rows of a folded run that stay at its beginning; one more stays at its end.
KEEP = 4
# Rows of any dump, whatever it holds.
MOST_ROWS = 400

# As wide as its lines, so that a short dump has a small box; no wider than the page, and then it scrolls in itself: a
# row that wrapped would put a byte's offset and its text on different lines. Its ground is the page's, light or dark.
BOX = (
    "white-space:pre;display:inline-block;vertical-align:top;line-height:1.75;margin:0;padding:8px 12px;"
    "border:1px solid rgba(128,128,128,.4);border-radius:4px;box-sizing:border-box;background:transparent;"
    f"{SCROLL}"
)

Piece = tuple[int, int, Part]
# From where to where a row of the dump goes, and what of which part is in it.
Row = tuple[int, int, list[Piece]]

Kinds = Collection[Kind | None]

# Kinds that are folded where they are long: what a message is there to carry. Heads are shown whole.
CARRIED: Kinds = (Kind.CONTENT, Kind.PAYLOAD, None)


def ascii_column(data: bytes) -> str:
    """Bytes as text: ASCII that prints, and a middle dot for every other byte."""
    return "".join(chr(byte) if 32 <= byte < 127 else "·" for byte in data)


def _rows(parts: Sequence[Part], folded: Kinds) -> Iterator[Row]:
    """The rows of a dump of neighbouring parts; one that stands for bytes left out has no pieces."""
    left_out, starts = _left_out(parts, folded), [part.start for part in parts]
    at, stop = (parts[0].start, parts[-1].end) if parts else (0, 0)
    while at < stop:
        if at in left_out:
            yield at, left_out[at], []
            at = left_out[at]
        end = min(at + ROW, stop)
        here = parts[bisect_right(starts, at) - 1 : bisect_left(starts, end)]
        yield at, end, [(max(at, part.start), min(end, part.end), part) for part in here]
        at = end


def _left_out(parts: Sequence[Part], folded: Kinds) -> dict[int, int]:
    """Where a stretch of bytes that is left out begins, and where it ends; both at the beginning of a row."""
    gaps = {}
    first, size = (parts[0].start, parts[-1].end - parts[0].start) if parts else (0, 0)
    for run in runs(parts):
        if run.kind in folded and run.size > FOLD_AT * ROW:
            gaps[-(-(run.start - first) // ROW) * ROW + KEEP * ROW] = (run.end - first - 1) // ROW * ROW
    # Whatever folds, a picture stays small: a notebook stores it, and a page of a thousand rows is read by nobody.
    if folded and size - sum(end - start for start, end in gaps.items()) > MOST_ROWS * ROW:
        gaps = {MOST_ROWS * ROW // 2: (size - 1) // ROW * ROW}
    return {first + start: first + end for start, end in gaps.items()}


def _hex(row: bytes) -> str:
    """A row in hex, in its two groups."""
    return f"{row[: ROW // 2].hex(' ')}  {row[ROW // 2 :].hex(' ')}".rstrip()


def hex_rows(data: bytes, origin: int, digits: int) -> Iterator[str]:
    """A plain dump, without its text: the offset of each row, counted from ``origin``, and its bytes in hex."""
    for at in range(0, len(data), ROW):
        yield f"{origin + at:>{digits}}  {_hex(data[at : at + ROW])}"


def _column(at: int) -> int:
    """Where in it the byte with the index ``at`` begins: three columns each, and one more between the groups."""
    return 3 * at + (at >= ROW // 2)


def dump_html(data: bytes, parts: Sequence[Part], *, folded: Kinds = CARRIED) -> Markup:
    """The dump with each part in the look of its kind, and a gap between one part and the next.

    Args:
        data: all bytes.
        parts: what is shown of them: neighbours, and where only the kinds matter their ``runs``.
        folded: kinds of which the middle is left out where they are long.
    """
    rows = list(_rows(parts, folded))
    digits = len(str(parts[-1].end if parts else 0))
    width = max((len(_hex(data[at:end])) for at, end, pieces in rows if pieces), default=0)
    lines: list[str] = []
    for at, end, pieces in rows:
        if not pieces:
            lines.append(tag("span", f"{' ' * digits}  … {end - at:,} more bytes …", style=MUTED))
            continue
        shown: list[str] = [tag("span", f"{at:>{digits}}", style=MUTED), "  "]
        hexed, column = _hex(data[at:end]), 0
        for start, stop, part in pieces:
            # What separates two parts lies outside their looks, and so shows where one ends.
            first, last = _column(start - at), _column(stop - 1 - at) + 2
            place = f"bytes {part.start:,} to {part.end - 1:,}" if part.size > 1 else f"byte {part.start:,}"
            title = clip(f"{part.name}, {place}", 80)
            shown += [hexed[column:first], tag("span", hexed[first:last], style=LOOKS[part.kind].style, title=title)]
            column = last
        shown.append(" " * (width - column + 3))
        for kind, group in groupby(pieces, key=lambda piece: piece[2].kind):
            text = "".join(ascii_column(data[start:stop]) for start, stop, _ in group)
            shown.append(tag("span", text, style=LOOKS[kind].style))
        lines.append(join(*shown))
    return tag("pre", *(join(line, "\n") for line in lines), style=BOX, tabindex=0, **{"class": "wsedu-hex"})


def dump_text(data: bytes, parts: Sequence[Part], *, folded: Kinds = CARRIED) -> list[str]:
    """The dump as lines of text, a new row for each change of kind, with its label before it."""
    digits, lines = len(str(parts[-1].end if parts else 0)), []
    width = len(_hex(bytes(min(ROW, max((run.size for run in runs(parts)), default=0)))))
    for run in runs(parts):
        label = LOOKS[run.kind].label if parts[0].kind or len(parts) > 1 else "bytes"
        # Without colours a row of two kinds would not show where one ends: each run is a dump of its own.
        for at, end, pieces in _rows([run], folded):
            if not pieces:
                lines.append(f"  {'':13}  {'':{digits}}  … {end - at:,} more bytes …")
                continue
            row = data[at:end]
            lines.append(f"  {label:13}  {at:>{digits}}  {_hex(row):{width}}   {ascii_column(row)}".rstrip())
            label = ""
    if folded and len(lines) > MOST_ROWS:
        lines[MOST_ROWS:] = [f"  … {len(lines) - MOST_ROWS:,} more rows …"]
    return lines
