# SPDX-License-Identifier: GPL-2.0-or-later
"""Bills as bars: what each way of delivery cost, by kind of byte, with the table behind; and any numbers as bars."""

from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Any

from ..protocol.spans import Kind
from .html import LEFT, MUTED, Markup, Picture, bar_row, figures, scrolling, table_row, tag, wide_table
from .palette import BAR, LOOKS, chip, order, stacked_bar, stacked_letters
from .text import WIDTH, clip, pad, visible

# The look of each part of a bill; in the order of legends.
KIND_OF: dict[str, Kind | None] = {
    **dict.fromkeys(("http head", "handshake"), Kind.HTTP_HEAD),
    "content": Kind.CONTENT,
    **dict.fromkeys(("frame header", "http2 frame", "tls"), Kind.FRAME_HEADER),
    "payload": Kind.PAYLOAD,
    **dict.fromkeys(("tcp", "ip", "link", "acknowledgements"), Kind.TCP_IP),
    "other": None,
}


class Bars(Picture):
    """Bills side by side as bars, the longest for the dearest, with a table of every part.

    In a notebook it shows itself; ``print`` gives the same as text.

    Args:
        bills: a name for each, in the order of drawing. A bill has ``parts`` (bytes, by the names of ``KIND_OF``),
            ``total_bytes``, ``packets`` and ``connections``.
        updates: divides all bytes and packets, so that bills of different length can be compared; at least 1.

    Raises:
        ValueError: no bill, or no update.
    """

    def __init__(self, bills: Mapping[str, Any], *, updates: int = 1) -> None:
        if not bills or updates < 1:
            raise ValueError(
                f"bars draws one bill or more, for one update or more: {len(bills)} bills, {updates} updates"
            )
        self.bills = {visible(name): bill for name, bill in bills.items()}
        self.updates = updates
        self._each = {name: bill.total_bytes / updates for name, bill in self.bills.items()}
        self._kinds = {name: kinds_of(bill, updates) for name, bill in self.bills.items()}
        self._most = max(self._each.values()) or 1
        self._legend = order(kind for kinds in self._kinds.values() for kind in kinds)

    @property
    def note(self) -> str:
        """What a reader must know about the numbers; mostly empty."""
        notes = []
        if any(getattr(bill, "modelled", False) for bill in self.bills.values()):
            notes.append("TCP/IP and acknowledgements are modelled by the relay that recorded.")
        if missing := [name for name, bill in self.bills.items() if not getattr(bill, "complete", True)]:
            notes.append(f"Not complete, packets are missing: {', '.join(missing)}.")
        return " ".join(notes)

    @property
    def sentence(self) -> str:
        """The totals and the ratio of most to least."""
        each = self._each
        said = ", ".join(f"{name} {cost:,.0f}" for name, cost in each.items())
        unit = "bytes" if self.updates == 1 else "bytes an update"
        low, high = min(each, key=lambda name: each[name]), max(each, key=lambda name: each[name])
        if len(each) < 2 or not each[low]:
            return f"{said} {unit}."
        return f"{said} {unit}: {high} costs {each[high] / each[low]:.1f} times {low}."

    def _rows(self) -> Iterator[tuple[str, list[str]]]:
        """The table: name of the row, a number for each bill. Parts that no bill has are left out."""
        bills = self.bills.values()

        def shares(counts: Iterator[int], digits: int) -> list[str]:
            """An update's shares of counts; the counts of one update are whole."""
            return [f"{count / self.updates:,.{digits if self.updates != 1 else 0}f}" for count in counts]

        for part in KIND_OF:
            if any(bill.parts.get(part) for bill in bills):
                yield part, shares((bill.parts[part] for bill in bills), 1)
        yield "bytes in all", shares((bill.total_bytes for bill in bills), 1)
        yield "packets", shares((bill.packets for bill in bills), 2)
        yield "connections", [f"{bill.connections:,}" for bill in bills]

    def lines(self) -> Iterator[str]:
        """The picture as lines of text."""
        width = min(24, max(map(len, self.bills)))
        yield from wrap(self.sentence, WIDTH)
        yield ""
        for name, kinds in self._kinds.items():
            yield f"  {pad(name, width)}  {stacked_letters(kinds, self._most)}  {self._each[name]:,.0f}"
        legend = ", ".join(f"{LOOKS[kind].letter} {LOOKS[kind].label}" for kind in self._legend)
        yield from ("", f"  {legend}", "")
        yield f"  {'':20}" + "".join(f"{clip(name, 15):>16}" for name in self.bills)
        yield from (f"  {part:20}" + "".join(f"{cell:>16}" for cell in cells) for part, cells in self._rows())
        if self.note:
            yield from ("", f"  {self.note}")

    def html(self) -> Markup:
        """The picture as HTML."""
        box = "min-width:2px;height:22px;overflow:hidden"
        row = "display:flex;width:100%;min-width:240px"
        bars = []
        for name, kinds in self._kinds.items():
            bar = stacked_bar(kinds, self._most, box=box, row=row)
            bars.append(bar_row(name, bar, f"{self._each[name]:,.0f}", style=";width:85%"))
        legend = (Markup(f"{chip(kind)} ") for kind in self._legend)
        rows = ((chip(KIND_OF[part], part) if part in KIND_OF else part, row) for part, row in self._rows())
        pieces = [
            tag("div", tag("b", self.sentence), style="margin:4px 0 10px 0"),
            wide_table(*bars),
            tag("div", *legend, style="margin:6px 0 12px 0"),
            tag("details", tag("summary", "each part, in bytes"), scrolling(figures(list(self.bills), rows))),
        ]
        if self.note:
            pieces.append(tag("div", self.note, style=f"{MUTED};margin-top:6px"))
        return tag("div", *pieces, style="max-width:100%")


bars = Bars


def kinds_of(bill: Any, updates: int = 1) -> dict[Kind | None, float]:
    """Bytes of each kind that is there, for an update, in the order of legends."""
    sums: dict[Kind | None, float] = {}
    for part, count in bill.parts.items():
        if count:
            sums[KIND_OF[part]] = sums.get(KIND_OF[part], 0) + count / updates
    return {kind: sums[kind] for kind in order(sums)}


Values = Mapping[str, float | Mapping[str, float]]


class BarChart(Picture):
    """Numbers side by side as bars, all of them on one scale: the longest for the greatest.

    In a notebook it shows itself; ``print`` gives the same as text.

    Args:
        values: a number for each name, in the order of drawing; or for the name of a group its names and numbers.
        unit: what they count.
        ratios: say above each group how many times its last number the first one is.

    Raises:
        ValueError: there are no numbers, or one of them is below 0.
    """

    def __init__(self, values: Values, *, unit: str, ratios: bool = False) -> None:
        self.unit, self.ratios = visible(unit), ratios
        self.groups: dict[str, dict[str, float]] = {}
        for name, value in values.items():
            group, members = (name, value) if isinstance(value, Mapping) else ("", {name: value})
            self.groups.setdefault(visible(group), {}).update((visible(one), size) for one, size in members.items())
        numbers = [size for group in self.groups.values() for size in group.values()]
        if not all(self.groups.values()) or not numbers or min(numbers) < 0:
            raise ValueError(f"bar_chart draws numbers that are not negative, one in each group or more: {values}")
        self._most = max(numbers) or 1

    def _heads(self) -> Iterator[tuple[str, Mapping[str, float]]]:
        """Each group and what stands above it."""
        for name, group in self.groups.items():
            sizes = list(group.values())
            with_ratio = name and self.ratios and sizes[-1]
            yield (f"{name}: {_number(sizes[0] / sizes[-1])} to 1" if with_ratio else name), group

    def lines(self) -> Iterator[str]:
        """The picture as lines of text."""
        yield self.unit
        width = min(36, max(len(name) for group in self.groups.values() for name in group))
        for head, group in self._heads():
            yield from ("", head) if head else ()
            for name, size in group.items():
                yield f"  {pad(name, width)}  {'█' * max(1, round(BAR * size / self._most))} {_number(size)}"

    def html(self) -> Markup:
        """The picture as HTML. The bars have a colour that no kind of byte has."""
        rows = []
        for head, group in self._heads():
            if head:
                rows.append(table_row(tag("td", tag("b", head), colspan=3, style=f"{LEFT};padding-top:10px")))
            for name, size in group.items():
                share = f"width:{100 * size / self._most:.2f}%;min-width:2px;height:16px"
                bar = tag("div", style=f"{share};background:rgba(20,140,160,.6)")
                rows.append(bar_row(name, bar, _number(size), style=";width:70%;min-width:200px"))
        return tag("div", tag("div", tag("b", self.unit), style="margin:4px 0"), wide_table(*rows))


bar_chart = BarChart


def _number(number: float) -> str:
    return f"{number:.2g}" if 0 < number < 0.95 else f"{number:,.{1 if number < 1000 else 0}f}".removesuffix(".0")
