# SPDX-License-Identifier: GPL-2.0-or-later
"""Bills as bars: what each way of delivery cost, by kind of byte, and the table behind the picture."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import wrap
from typing import Protocol

from ..protocol.spans import Kind
from .html import LEFT, MUTED, PLAIN, RIGHT, SCROLL, TABLE, Markup, clip, pad, tag, visible
from .palette import LOOKS, chip, order

KIND_OF: dict[str, Kind | None] = {
    "content": Kind.CONTENT,
    "payload": Kind.PAYLOAD,
    "http head": Kind.HTTP_HEAD,
    "handshake": Kind.HTTP_HEAD,
    "frame header": Kind.FRAME_HEADER,
    "tcp": Kind.TCP_IP,
    "ip": Kind.TCP_IP,
    "link": Kind.TCP_IP,
    "acknowledgements": Kind.TCP_IP,
    "other": None,
}
"""The look of each part of a bill."""

BAR, WIDTH = 60, 98  # columns of the longest bar, and of a line, in text


class BillLike(Protocol):
    """What ``bars`` draws: a bill of the package ``wire``, or anything of its shape."""

    @property
    def parts(self) -> Mapping[str, int]: ...
    @property
    def total_bytes(self) -> int: ...
    @property
    def packets(self) -> int: ...
    @property
    def connections(self) -> int: ...


class Bars:
    """Bills, the longest bar for the dearest. In a notebook it shows itself; ``print`` gives the same as text."""

    def __init__(self, bills: Mapping[str, BillLike], updates: int) -> None:
        self.bills = {visible(name): bill for name, bill in bills.items()}
        self.updates = updates

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
        each = {name: bill.total_bytes / self.updates for name, bill in self.bills.items()}
        said = ", ".join(f"{name} {cost:,.0f}" for name, cost in each.items())
        unit = "bytes" if self.updates == 1 else "bytes an update"
        low, high = min(each, key=lambda name: each[name]), max(each, key=lambda name: each[name])
        if len(each) < 2 or not each[low]:
            return f"{said} {unit}."
        return f"{said} {unit}: {high} costs {each[high] / each[low]:.1f} times {low}."

    def _parts(self) -> list[str]:
        """The parts that any of the bills has, in the order of legends."""
        used = {part for bill in self.bills.values() for part, count in bill.parts.items() if count}
        kinds = order(KIND_OF.values())
        return sorted(used, key=lambda part: (kinds.index(KIND_OF[part]), list(KIND_OF).index(part)))

    def _kinds(self, bill: BillLike) -> dict[Kind | None, float]:
        sums: dict[Kind | None, float] = {}
        for part, count in bill.parts.items():
            if count:
                sums[KIND_OF[part]] = sums.get(KIND_OF[part], 0) + count / self.updates
        return {kind: sums[kind] for kind in order(sums)}

    def _most(self) -> float:
        return max(bill.total_bytes for bill in self.bills.values()) / self.updates or 1

    def _share(self, count: int, digits: int = 1) -> str:
        """An update's share of a count; a count itself is whole."""
        return f"{count / self.updates:,.{digits if self.updates != 1 else 0}f}"

    def _rows(self) -> list[tuple[str, list[str]]]:
        """The table: name of the row, a number for each bill."""
        rows = [
            (part, [self._share(bill.parts[part]) for bill in self.bills.values()]) for part in self._parts()
        ]
        rows.append(("bytes in all", [self._share(bill.total_bytes) for bill in self.bills.values()]))
        rows.append(("packets", [self._share(bill.packets, 2) for bill in self.bills.values()]))
        rows.append(("connections", [f"{bill.connections:,}" for bill in self.bills.values()]))
        return rows

    def __repr__(self) -> str:
        width = min(24, max(map(len, self.bills)))
        lines = [*wrap(self.sentence, WIDTH), ""]
        for name, bill in self.bills.items():
            bar = "".join(
                LOOKS[kind].letter * max(1, round(cost * BAR / self._most()))
                for kind, cost in self._kinds(bill).items()
            )
            lines.append(f"  {pad(clip(name, width), width)}  {bar}  {bill.total_bytes / self.updates:,.0f}")
        kinds = order(kind for bill in self.bills.values() for kind in self._kinds(bill))
        lines += ["", "  " + ", ".join(f"{LOOKS[kind].letter} {LOOKS[kind].label}" for kind in kinds), ""]
        lines.append(f"  {'':20}" + "".join(f"{clip(name, 15):>16}" for name in self.bills))
        lines += [f"  {part:20}" + "".join(f"{cell:>16}" for cell in cells) for part, cells in self._rows()]
        if self.note:
            lines += ["", f"  {self.note}"]
        return "\n".join(line.rstrip() for line in lines)

    def _repr_html_(self) -> str:
        bars = [
            tag(
                "tr",
                tag("th", name, scope="row", style=LEFT),
                tag("td", self._bar(bill), style=f"{LEFT};width:85%"),
                tag("td", tag("b", f"{bill.total_bytes / self.updates:,.0f}"), style=RIGHT),
                style=PLAIN,
            )
            for name, bill in self.bills.items()
        ]
        kinds = order(kind for bill in self.bills.values() for kind in self._kinds(bill))
        legend = tag("div", *(Markup(f"{chip(kind)} ") for kind in kinds), style="margin:6px 0 12px 0")
        names = (tag("th", name, scope="col", style=RIGHT) for name in self.bills)
        head = tag("tr", tag("td"), *names, style=PLAIN)  # the corner heads nothing
        rows = [
            tag(
                "tr",
                tag("th", chip(KIND_OF[part], part) if part in KIND_OF else part, scope="row", style=LEFT),
                *(tag("td", cell, style=RIGHT) for cell in cells),
                style=PLAIN,
            )
            for part, cells in self._rows()
        ]
        return tag(
            "div",
            tag("div", tag("b", self.sentence), style="margin:4px 0 10px 0"),
            tag(
                "div",
                tag("table", *bars, style=f"{TABLE};width:100%;table-layout:auto"),
                style=SCROLL,
                tabindex=0,
            ),
            legend,
            tag("div", tag("table", head, *rows, style=TABLE), style=SCROLL, tabindex=0),
            *([tag("div", self.note, style=f"{MUTED};margin-top:6px")] if self.note else []),
            style="max-width:100%",
        )

    def _bar(self, bill: BillLike) -> Markup:
        boxes = []
        for kind, cost in self._kinds(bill).items():
            label = f"{LOOKS[kind].label} {cost:,.0f}"
            share = 100 * cost / self._most()
            style = f"{LOOKS[kind].style};width:{share:.2f}%;min-width:2px;height:22px;overflow:hidden"
            boxes.append(tag("div", "", style=style, title=label))
        return tag("div", *boxes, style="display:flex;width:100%;min-width:240px")


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
        raise ValueError(
            f"bars draws one bill or more, for one update or more: {len(bills)} bills, {updates} updates"
        )
    return Bars(bills, updates)
