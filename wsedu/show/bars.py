# SPDX-License-Identifier: GPL-2.0-or-later
"""Bills as bars: what each way of delivery cost, by kind of byte, and the table behind the picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Protocol

from ..protocol.spans import Kind
from .html import MUTED, Markup, Picture, bar_row, figures, scrolling, tag, wide_table
from .palette import LOOKS, chip, order, stacked_bar, stacked_letters
from .text import WIDTH, clip, pad, visible

# The look of each part of a bill; in the order of legends.
KIND_OF: dict[str, Kind | None] = {
    "http head": Kind.HTTP_HEAD,
    "handshake": Kind.HTTP_HEAD,
    "content": Kind.CONTENT,
    "frame header": Kind.FRAME_HEADER,
    "payload": Kind.PAYLOAD,
    "tcp": Kind.TCP_IP,
    "ip": Kind.TCP_IP,
    "link": Kind.TCP_IP,
    "acknowledgements": Kind.TCP_IP,
    "other": None,
}


class BillLike(Protocol):
    """What ``bars`` draws: a bill of the package ``wire``, or anything of its shape."""

    parts: dict[str, int]
    packets: int
    connections: int

    @property
    def total_bytes(self) -> int: ...


class Bars(Picture):
    """Bills, the longest bar for the dearest. In a notebook it shows itself; ``print`` gives the same as text."""

    def __init__(self, bills: Mapping[str, BillLike], updates: int) -> None:
        self.bills = {visible(name): bill for name, bill in bills.items()}
        self.updates = updates
        self._each = {name: bill.total_bytes / updates for name, bill in self.bills.items()}
        self._kinds = {name: self._kinds_of(bill) for name, bill in self.bills.items()}
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

    def _kinds_of(self, bill: BillLike) -> dict[Kind | None, float]:
        """Bytes of each kind for an update, in the order of legends."""
        sums: dict[Kind | None, float] = {}
        for part, count in bill.parts.items():
            if count:
                sums[KIND_OF[part]] = sums.get(KIND_OF[part], 0) + count / self.updates
        return {kind: sums[kind] for kind in order(sums)}

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
        return tag(
            "div",
            tag("div", tag("b", self.sentence), style="margin:4px 0 10px 0"),
            wide_table(*bars),
            tag("div", *legend, style="margin:6px 0 12px 0"),
            scrolling(figures(list(self.bills), rows)),
            *([tag("div", self.note, style=f"{MUTED};margin-top:6px")] if self.note else []),
            style="max-width:100%",
        )


def bars(bills: Mapping[str, BillLike], *, updates: int = 1) -> Bars:
    """Bills side by side as bars, with a table of every part.

    Args:
        bills: a name for each, in the order of drawing.
        updates: divides all bytes and packets, so that bills of different length can be compared; at least 1.

    Returns:
        A picture that a notebook shows by itself, and whose ``str`` is the same as text.

    Raises:
        ValueError: no bill, or no update.
    """
    if not bills or updates < 1:
        raise ValueError(f"bars draws one bill or more, for one update or more: {len(bills)} bills, {updates} updates")
    return Bars(bills, updates)
