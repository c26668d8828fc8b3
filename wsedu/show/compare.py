# SPDX-License-Identifier: GPL-2.0-or-later
"""Two ways to carry the same news, byte under byte: what is news, what is wrapping, and how much of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap

from ..protocol.spans import Kind
from .dump import BOX, ascii_column, dump_html, dump_text
from .html import LEFT, MUTED, RIGHT, Markup, Picture, bar_row, join, table_row, tag, wide_table
from .palette import LOOKS, chip, order, stacked_bar, stacked_letters
from .parts import Part, View, view
from .text import WIDTH, bytes_of, clip, pad, visible

NEWS = (Kind.CONTENT, Kind.PAYLOAD)
BEFORE = 6
"""Bytes of wrapping that are shown before the news, where the news of all columns begins at one place."""
AFTER = 16
"""Bytes of news that are shown there."""
NARROWEST = 320
"""Pixels of a bar in HTML at least, however narrow the page; what is wider scrolls."""


@dataclass(frozen=True, slots=True)
class ComparedColumn:
    """One of the things compared.

    Attributes:
        name: what it is called.
        view: its bytes and their parts.
        sizes: bytes of each kind.
    """

    name: str
    view: View
    sizes: dict[Kind | None, int]

    @property
    def total(self) -> int:
        """All its bytes."""
        return len(self.view.data)

    @property
    def news(self) -> int:
        """Bytes of content and payload: what it is all about."""
        return sum(self.sizes.get(kind, 0) for kind in NEWS)


class Comparison(Picture):
    """Bytes beside bytes. In a notebook it shows itself; ``print`` gives the same as text.

    Attributes:
        columns: what is compared, in the order given.
        fold: whether the middle of long content and payloads is left out.
    """

    def __init__(self, columns: Sequence[ComparedColumn], fold: bool = True) -> None:
        self.columns = tuple(columns)
        self.fold = fold
        self._kinds = order(kind for column in columns for kind in column.sizes)
        self._most = max(column.total for column in columns) or 1
        self._width = min(24, max(len(column.name) for column in columns))

    @property
    def sizes(self) -> str:
        """How many bytes each has, and the ratio of most to least, in one sentence."""
        sizes = ", ".join(f"{column.name} {bytes_of(column.total)}" for column in self.columns)
        totals = [column.total for column in self.columns]
        if min(totals) and min(totals) < max(totals):
            ratio = max(totals) / min(totals)
            sizes += f": {ratio:,.{0 if ratio >= 20 else 1 if ratio >= 1.1 else 2}f} to 1"
        return f"{sizes}."

    @property
    def news(self) -> str:
        """How many of them are news, in one sentence; empty if the columns differ in that."""
        news = {column.news for column in self.columns}
        if len(self.columns) < 2 or len(news) != 1 or 0 in news:
            return ""
        around = ", ".join(f"{column.name} {column.total - column.news:,}" for column in self.columns)
        each = "Both carry" if len(self.columns) == 2 else "Each carries"
        return f"{each} {bytes_of(news.pop())} of news; around them: {around}."

    def lines(self) -> Iterator[str]:
        """The picture as lines of text."""
        yield from wrap(f"{self.sizes} {self.news}", WIDTH)
        yield ""
        names = [pad(column.name, self._width) for column in self.columns]
        for name, column in zip(names, self.columns, strict=True):
            yield f"  {name}  {stacked_letters(column.sizes, self._most)}  {column.total:,}"
        yield ""
        labels, letters = ([getattr(LOOKS[kind], a) for kind in self._kinds] for a in ("label", "letter"))
        rows = [("", *labels, "in all"), ("", *letters)]
        for name, column in zip(names, self.columns, strict=True):
            counts = (f"{column.sizes[kind]:,}" if kind in column.sizes else "" for kind in self._kinds)
            rows.append((name, *counts, f"{column.total:,}"))
        wide = min(14, (WIDTH - 4 - self._width) // len(rows[0][1:]))
        for name, *cells in rows:
            yield f"  {pad(name, self._width)}  " + "".join(
                f"{clip(cell, wide - 1):>{wide}}" for cell in cells
            )
        yield ""
        for column, run, start, stop, said in self._first_news():
            data = column.view.data
            before, news = data[start : run.start].hex(" "), data[run.start : stop].hex(" ")
            left_out, more = f"{start:,} more …" if start else "", " …" if run.size > AFTER else ""
            name = pad(column.name, self._width)
            yield clip(f"  {name}  {left_out:>12}  {before:>{3 * BEFORE - 1}} | {news}{more}", WIDTH)
            yield clip(f"  {'':{self._width}}  {'':12}  {'':{3 * BEFORE - 1}} | {said}", WIDTH)
        for column in self.columns:
            yield from ("", f"{clip(column.name, 60)}, {bytes_of(column.total)}")
            yield from dump_text(column.view, fold=self.fold, whole_heads=False)

    def html(self) -> Markup:
        """The picture as HTML."""
        head = tag("div", tag("b", self.sizes), f" {self.news}", style="margin:4px 0 10px 0")
        pieces = [head, self._bars_html(), self._news_html()]
        for column in self.columns:
            size = f"  {bytes_of(column.total)}"
            title = tag("div", tag("b", column.name), size, style="margin:14px 0 6px 0")
            pieces += [title, dump_html(column.view, by_kind=True, fold=self.fold, whole_heads=False)]
        return tag("div", *pieces, style="max-width:100%")

    def _bars_html(self) -> Markup:
        named = tag("td", "", style=LEFT), tag("th", "bytes by kind", scope="col", style=f"{LEFT};width:60%")
        kinds = (tag("th", name, scope="col", style=RIGHT) for name in (*map(chip, self._kinds), "in all"))
        box = "min-width:2px;height:20px;overflow:hidden;white-space:nowrap"
        row = f"display:flex;width:100%;min-width:{NARROWEST}px"
        lines = [table_row(*named, *kinds)]
        for column in self.columns:
            bar = stacked_bar(column.sizes, self._most, box=box, row=row, narrowest=NARROWEST)
            counts = (f"{column.sizes[kind]:,}" if kind in column.sizes else "" for kind in self._kinds)
            cells = (tag("td", count, style=RIGHT) for count in counts)
            lines.append(bar_row(column.name, bar, *cells, total=column.total))
        return wide_table(*lines)

    def _news_html(self) -> Markup:
        """A few bytes of each, indented so that the news begins at the same place."""
        lines: list[str] = []
        for column, run, start, stop, said in self._first_news():
            left_out = f"… {start:,} more" if start else ""
            shown = [
                tag("span", f"{pad(column.name, self._width)}  {left_out:>13}  ", style=MUTED),
                "   " * (BEFORE - run.start + start),
            ]
            for part in column.view.runs():
                begin, end = max(part.start, start), min(part.end, stop)
                if begin < end:
                    data = column.view.data[begin:end]
                    shown += [tag("span", data.hex(" "), style=LOOKS[part.kind].style), " "]
            indent = " " * (self._width + 2 + 13 + 2 + 3 * BEFORE)
            lines.append(join(*shown, "…" if run.size > AFTER else "", "\n"))
            lines.append(join(tag("span", indent + said, style=MUTED), "\n"))
        return tag("pre", *lines, style=f"{BOX};margin:14px 0", tabindex=0) if lines else Markup("")

    def _first_news(self) -> Iterator[tuple[ComparedColumn, Part, int, int, str]]:
        """Of each column with news: its first content or payload, from where to where it is shown, and as characters.

        The characters are one a byte; those of a masked payload as it reads once unmasked.
        """
        for column in self.columns:
            run = next((run for run in column.view.runs() if run.kind in NEWS), None)
            if run is None:
                continue
            start, stop = max(0, run.start - BEFORE), min(run.end, run.start + AFTER)
            data = column.view.data[run.start : stop]
            part = next(part for part in column.view.parts if part.start == run.start)
            value = part.value.encode("utf-8", "replace") if isinstance(part.value, str) else part.value
            if isinstance(value, bytes) and len(value) == part.size:
                data = value[: len(data)] + data[part.size :]
            yield column, run, start, stop, "  ".join(ascii_column(data))


def compare(*things: object, names: Sequence[str] | None = None, fold: bool = True) -> Comparison:
    """Two or more things side by side: the bytes of each kind, and the news of one under that of the other.

    Args:
        things: what ``byte_map`` takes; a list of them, such as a request and its response, is one column.
        names: what to call them; else what they are.
        fold: leave out the middle of long content and payloads.

    Returns:
        A picture that a notebook shows by itself, and whose ``str`` is the same as text.

    Raises:
        TypeError: one of them has no bytes to show.
        ValueError: nothing to compare, or not a name for each.
    """
    if not things or (names is not None and len(names) != len(things)):
        raise ValueError(f"compare draws one thing or more, with a name for each: {len(things)} given")
    views = [view(thing) for thing in things]
    called = [visible(str(name)) for name in names or [one.name for one in views]]
    columns = [ComparedColumn(name, one, one.sizes()) for name, one in zip(called, views, strict=True)]
    return Comparison(columns, fold)
