# SPDX-License-Identifier: GPL-2.0-or-later
"""Two ways to carry the same news, byte under byte: what is news, what is wrapping, and how much of each."""

from collections.abc import Iterator, Sequence
from textwrap import wrap

from ..protocol.spans import Kind
from .dump import BOX, ascii_column, dump_html, dump_text
from .html import LEFT, MUTED, RIGHT, Markup, Picture, bar_row, join, table_row, tag, wide_table
from .palette import LOOKS, chip, order, stacked_bar, stacked_letters
from .parts import Part, View, named_views, runs
from .text import WIDTH, bytes_of, clip, pad

NEWS = (Kind.CONTENT, Kind.PAYLOAD)
# Bytes of wrapping that are shown before the news, where the news of all columns begins at one place.
BEFORE = 6
# Bytes of news that are shown there.
AFTER = 16
# Pixels of a bar in HTML at least, however narrow the page; what is wider scrolls.
NARROWEST = 320


class Comparison(Picture):
    """Two or more things side by side: the bytes of each kind, and the news of one under that of the other.

    In a notebook it shows itself; ``print`` gives the same as text. Of what is long the middle is left out, of heads
    too: here they are compared, and the byte map is there to read them.

    Args:
        things: what ``byte_map`` takes; a list of them, such as a request and its response, is one column.
        names: what to call them; else what they are.

    Raises:
        TypeError: one of them has no bytes to show.
        ValueError: nothing to compare, or not a name for each.
    """

    def __init__(self, *things: object, names: Sequence[str] | None = None) -> None:
        self.views = views = named_views("compare", things, names)
        self._kinds = order(kind for one in views for kind in one.sizes())
        self._most = max(len(one.data) for one in views) or 1
        self._width = min(24, max(len(one.name) for one in views))

    @property
    def sizes(self) -> str:
        """How many bytes each has, and the ratio of most to least, in one sentence."""
        sizes = ", ".join(f"{one.name} {bytes_of(len(one.data))}" for one in self.views)
        totals = [len(one.data) for one in self.views]
        if min(totals) and min(totals) < max(totals):
            ratio = max(totals) / min(totals)
            sizes += f": {ratio:,.{0 if ratio >= 20 else 1 if ratio >= 1.1 else 2}f} to 1"
        return f"{sizes}."

    @property
    def news(self) -> str:
        """How many of them are news, in one sentence; empty if the views differ in that."""
        carried = {sum(one.sizes().get(kind, 0) for kind in NEWS) for one in self.views}
        if len(self.views) < 2 or len(carried) != 1 or 0 in carried:
            return ""
        news = carried.pop()
        around = ", ".join(f"{one.name} {len(one.data) - news:,}" for one in self.views)
        each = "Both carry" if len(self.views) == 2 else "Each carries"
        return f"{each} {bytes_of(news)} of news; around them: {around}."

    def _counts(self, one: View) -> list[str]:
        """The table: bytes of each kind that any of the views has, and all of them."""
        sizes = one.sizes()
        return [*(f"{sizes[kind]:,}" if kind in sizes else "" for kind in self._kinds), f"{len(one.data):,}"]

    def lines(self) -> Iterator[str]:
        """The picture as lines of text."""
        yield from wrap(f"{self.sizes} {self.news}", WIDTH)
        yield ""
        for one in self.views:
            yield f"  {pad(one.name, self._width)}  {stacked_letters(one.sizes(), self._most)}  {len(one.data):,}"
        yield ""
        looks = [LOOKS[kind] for kind in self._kinds]
        rows = [["", *(look.label for look in looks), "in all"], ["", *(look.letter for look in looks)]]
        rows += [[one.name, *self._counts(one)] for one in self.views]
        wide = min(14, (WIDTH - 4 - self._width) // len(rows[0][1:]))
        for name, *cells in rows:
            yield f"  {pad(name, self._width)}  " + "".join(f"{clip(cell, wide - 1):>{wide}}" for cell in cells)
        yield ""
        for one, run, start, stop, label, said in self._first_news():
            before, news = one.data[start : run.start].hex(" "), one.data[run.start : stop].hex(" ")
            left_out, more = f"{start:,} more …" if start else "", " …" if run.size > AFTER else ""
            name = pad(one.name, self._width)
            yield clip(f"  {name}  {left_out:>12}  {before:>{3 * BEFORE - 1}} | {news}{more}", WIDTH)
            yield clip(f"  {'':{self._width}}  {'':12}  {label:>{3 * BEFORE - 1}} | {said}", WIDTH)
        for one in self.views:
            yield from ("", f"{clip(one.name, 60)}, {bytes_of(len(one.data))}")
            yield from dump_text(one.data, one.parts, folded=LOOKS)

    def html(self) -> Markup:
        """The picture as HTML."""
        head = tag("div", tag("b", self.sizes), f" {self.news}", style="margin:4px 0 10px 0")
        pieces = [head, self._bars_html(), self._news_html()]
        for one in self.views:
            title = tag("div", tag("b", one.name), f"  {bytes_of(len(one.data))}", style="margin:14px 0 6px 0")
            pieces += [title, dump_html(one.data, runs(one.parts), folded=LOOKS)]
        return tag("div", *pieces, style="max-width:100%")

    def _bars_html(self) -> Markup:
        named = tag("td", "", style=LEFT), tag("th", "bytes by kind", scope="col", style=f"{LEFT};width:60%")
        kinds = (tag("th", name, scope="col", style=RIGHT) for name in (*map(chip, self._kinds), "in all"))
        box = "min-width:2px;height:20px;overflow:hidden;white-space:nowrap"
        row = f"display:flex;width:100%;min-width:{NARROWEST}px"
        lines = [table_row(*named, *kinds)]
        for one in self.views:
            bar = stacked_bar(one.sizes(), self._most, box=box, row=row, narrowest=NARROWEST)
            lines.append(bar_row(one.name, bar, *self._counts(one)))
        return wide_table(*lines)

    def _news_html(self) -> Markup:
        """A few bytes of each, indented so that the news begins at the same place."""
        lines: list[str] = []
        for one, run, start, stop, label, said in self._first_news():
            left_out = f"… {start:,} more" if start else ""
            named = f"{pad(one.name, self._width)}  {left_out:>13}  "
            shown = [tag("span", named, style=MUTED), "   " * (BEFORE - run.start + start)]
            for part in runs(one.parts):
                if data := one.data[max(part.start, start) : min(part.end, stop)]:
                    shown += [tag("span", data.hex(" "), style=LOOKS[part.kind].style), " "]
            below = tag("span", f"{label:>{self._width + 2 + 13 + 2 + 3 * BEFORE - 1}} {said}", style=MUTED)
            lines.append(join(*shown, "…" if run.size > AFTER else "", "\n", below, "\n"))
        return tag("pre", *lines, style=f"{BOX};margin:14px 0", tabindex=0) if lines else Markup("")

    def _first_news(self) -> Iterator[tuple[View, Part, int, int, str, str]]:
        """Of each view with news: its first content or payload, from where to where it is shown, and as characters.

        The characters are one a byte; those of a masked payload as it reads once unmasked, which a label says.
        """
        for one in self.views:
            run = next((run for run in runs(one.parts) if run.kind in NEWS), None)
            if run is None:
                continue
            start, stop = max(0, run.start - BEFORE), min(run.end, run.start + AFTER)
            sent = data = one.data[run.start : stop]
            part = next(part for part in one.parts if part.start == run.start)
            value = part.value.encode("utf-8", "replace") if isinstance(part.value, str) else part.value
            if isinstance(value, bytes) and len(value) == part.size:
                data = value[: len(data)] + data[part.size :]
            yield one, run, start, stop, "" if data == sent else "unmasked:", "  ".join(ascii_column(data))


compare = Comparison
