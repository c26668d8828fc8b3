# SPDX-License-Identifier: GPL-2.0-or-later
"""Two ways to carry the same news, byte under byte: what is news, what is wrapping, and how much of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap

from ..protocol.spans import Kind
from .dump import BOX, dump_html, dump_text, printable
from .html import LEFT, MUTED, PLAIN, RIGHT, SCROLL, TABLE, Markup, bytes_of, clip, join, pad, tag, visible
from .palette import LOOKS, chip, order
from .parts import Part, View, view

NEWS = (Kind.CONTENT, Kind.PAYLOAD)
BEFORE = 6
"""Bytes of wrapping that are shown before the news, where the news of all sides begins in one column."""
AFTER = 16
"""Bytes of news that are shown there."""
WIDTH = 98
"""Columns of a terminal that the text takes at most."""
BAR = 60
"""Columns of the longest bar made of text."""
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

    def first_news(self) -> Part | None:
        """The first content or payload in it."""
        return next((run for run in self.view.runs() if run.kind in NEWS), None)


class Comparison:
    """Bytes beside bytes. In a notebook it shows itself; ``print`` gives the same as text.

    Attributes:
        sides: what is compared, in the order given.
        fold: whether the middle of long content and payloads is left out.
    """

    def __init__(self, sides: Sequence[ComparedColumn], fold: bool = True) -> None:
        self.sides = tuple(sides)
        self.fold = fold

    @property
    def sizes(self) -> str:
        """How many bytes each has, and the ratio of most to least, in one sentence."""
        sizes = ", ".join(f"{side.name} {bytes_of(side.total)}" for side in self.sides)
        totals = [side.total for side in self.sides]
        if min(totals) and min(totals) < max(totals):
            sizes += f": {_ratio(max(totals) / min(totals))} to 1"
        return f"{sizes}."

    @property
    def news(self) -> str:
        """How many of them are news, in one sentence; empty if the sides differ in that."""
        news = {side.news for side in self.sides}
        if len(self.sides) < 2 or len(news) != 1 or 0 in news:
            return ""
        around = ", ".join(f"{side.name} {side.total - side.news:,}" for side in self.sides)
        each = "Both carry" if len(self.sides) == 2 else "Each carries"
        return f"{each} {bytes_of(news.pop())} of news; around them: {around}."

    def kinds(self) -> list[Kind | None]:
        """The kinds of byte in any of the sides."""
        return order(kind for side in self.sides for kind in side.sizes)

    def __repr__(self) -> str:
        width = min(24, max(len(side.name) for side in self.sides))
        most = max(side.total for side in self.sides) or 1
        lines = [*wrap(f"{self.sizes} {self.news}", WIDTH), ""]
        for side in self.sides:
            lines.append(f"  {pad(clip(side.name, width), width)}  {_bar_text(side, most)}  {side.total:,}")
        lines += ["", *self._kinds_text(width), "", *self._news_text(width)]
        for side in self.sides:
            lines += [
                "",
                f"{side.name}, {bytes_of(side.total)}",
                *dump_text(side.view, fold=self.fold, whole_heads=False),
            ]
        return "\n".join(line.rstrip() for line in lines)

    def _kinds_text(self, width: int) -> list[str]:
        head = f"  {'':{width}}  " + "".join(f"{LOOKS[kind].label:>14}" for kind in self.kinds())
        letters = f"  {'':{width}}  " + "".join(f"{LOOKS[kind].letter:>14}" for kind in self.kinds())
        lines = [head + f"{'in all':>14}", letters]
        for side in self.sides:
            numbers = [side.sizes.get(kind, 0) for kind in self.kinds()]
            counts = "".join(f"{number or '':>14,}" if number else " " * 14 for number in numbers)
            lines.append(f"  {pad(clip(side.name, width), width)}  {counts}{side.total:>14,}")
        return lines

    def _news_text(self, width: int) -> list[str]:
        lines = []
        for side in self.sides:
            run = side.first_news()
            if run is None:
                continue
            start, data = max(0, run.start - BEFORE), side.view.data
            before, news = data[start : run.start].hex(" "), data[run.start : min(run.end, run.start + AFTER)]
            left_out = f"{start:,} more …" if start else ""
            name = pad(clip(side.name, width), width)
            more = " …" if run.size > AFTER else ""
            lines.append(f"  {name}  {left_out:>12}  {before:>{3 * BEFORE - 1}} | {news.hex(' ')}{more}")
            letters = "  ".join(_news_characters(side, run))
            lines.append(f"  {'':{width}}  {'':12}  {'':{3 * BEFORE - 1}} | {letters}")
        return lines

    def _repr_html_(self) -> str:
        pieces = [
            tag("div", tag("b", self.sizes), f" {self.news}", style="margin:4px 0 10px 0"),
            self._bars_html(),
            self._news_html(),
        ]
        for side in self.sides:
            title = tag("div", tag("b", side.name), f"  {bytes_of(side.total)}", style="margin:14px 0 6px 0")
            pieces += [title, dump_html(side.view, by_kind=True, fold=self.fold, whole_heads=False)]
        return tag("div", *pieces, style="max-width:100%")

    def _bars_html(self) -> Markup:
        most = max(side.total for side in self.sides) or 1
        heads = [
            tag("td", "", style=LEFT),
            tag("th", "bytes by kind", scope="col", style=f"{LEFT};width:60%"),
        ]
        heads += [tag("th", chip(kind), scope="col", style=RIGHT) for kind in self.kinds()]
        heads.append(tag("th", "in all", scope="col", style=RIGHT))
        lines = [tag("tr", *heads, style=PLAIN)]
        for side in self.sides:
            cells = [
                tag("th", side.name, scope="row", style=LEFT),
                tag("td", _bar_html(side, most), style=LEFT),
            ]
            for kind in self.kinds():
                count = side.sizes.get(kind, 0)
                cells.append(tag("td", f"{count:,}" if count else "", style=RIGHT))
            cells.append(tag("td", tag("b", f"{side.total:,}"), style=RIGHT))
            lines.append(tag("tr", *cells, style=PLAIN))
        table = tag("table", *lines, style=f"{TABLE};width:100%;table-layout:auto")
        return tag("div", table, style=SCROLL, tabindex=0)

    def _news_html(self) -> Markup:
        """A few bytes of each, so moved that the news begins in the same column."""
        width = max(len(clip(side.name, 24)) for side in self.sides)
        lines: list[str] = []
        for side in self.sides:
            run = side.first_news()
            if run is None:
                continue
            data = side.view.data
            start, stop = max(0, run.start - BEFORE), min(run.end, run.start + AFTER)
            left_out = f"… {start:,} more" if start else ""
            shown = [
                tag("span", f"{pad(clip(side.name, width), width)}  {left_out:>13}  ", style=MUTED),
                "   " * (BEFORE - run.start + start),
            ]
            for part in side.view.runs():
                begin, end = max(part.start, start), min(part.end, stop)
                if begin < end:
                    shown += [tag("span", data[begin:end].hex(" "), style=LOOKS[part.kind].style), " "]
            indent = " " * (width + 2 + 13 + 2 + 3 * BEFORE)
            letters = tag("span", indent + "  ".join(_news_characters(side, run)), style=MUTED)
            lines += [join(*shown, "…" if run.size > AFTER else "", "\n"), join(letters, "\n")]
        return tag("pre", *lines, style=f"{BOX};margin:14px 0", tabindex=0) if lines else Markup("")


def compare(*things: object, names: Sequence[str] | None = None, fold: bool = True) -> Comparison:
    """Two or more things side by side: the bytes of each kind, and the news of one under that of the other.

    Args:
        things: what ``byte_map`` takes; a list of them, such as a request and its response, is one side.
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
    return Comparison(
        [ComparedColumn(name, one, one.sizes()) for name, one in zip(called, views, strict=True)], fold
    )


def _ratio(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 20 else f"{ratio:.1f}" if ratio >= 1.1 else f"{ratio:.2f}"


def _bar_text(side: ComparedColumn, most: int) -> str:
    """A letter for every ``most / BAR`` bytes, and at least one for each kind."""
    return "".join(
        LOOKS[kind].letter * max(1, round(side.sizes[kind] * BAR / most)) for kind in order(side.sizes)
    )


def _bar_html(side: ComparedColumn, most: int) -> Markup:
    """Boxes side by side, as wide as their share of the longest side; they say what they are where that fits."""
    boxes = []
    for kind in order(side.sizes):
        share = 100 * side.sizes[kind] / most
        label = f"{LOOKS[kind].label} {side.sizes[kind]:,}"
        size = f"width:{share:.2f}%;min-width:2px;height:20px;overflow:hidden;white-space:nowrap"
        style = f"{LOOKS[kind].style};{size}"
        fits = share / 100 * NARROWEST > 6 + 7.5 * len(label)
        inside = tag("span", label, style="padding-left:6px;line-height:20px") if fits else ""
        boxes.append(tag("div", inside, style=style, title=label))
    return tag("div", *boxes, style=f"display:flex;width:100%;min-width:{NARROWEST}px")


def _news_characters(side: ComparedColumn, run: Part) -> list[str]:
    """The news as characters, one a byte; of a masked payload as it reads once unmasked."""
    data = side.view.data[run.start : min(run.end, run.start + AFTER)]
    part = next(part for part in side.view.parts if part.start == run.start)
    value = part.value.encode("utf-8", "replace") if isinstance(part.value, str) else part.value
    if isinstance(value, bytes) and len(value) == part.size:
        data = value[: len(data)] + data[part.size :]
    return list(printable(data))
