# SPDX-License-Identifier: GPL-2.0-or-later
"""The cost slider: what so many clients cost by each way, as a model has it, with what was measured as marks on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import ipywidgets as widgets

from .controls import RangeSlider, WidgetWithPicture, row
from .html import Markup, figures, scrolling, sentence, tag
from .plot import Points, plot

RATE = "updates a second"
CLIENTS = (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)
RATES = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
PAYLOADS = (27, 125, 1_024, 8_192, 65_536)
GAPS = (0.1, 1, 10)
CURVE = tuple(10 ** (step / 8 - 1) for step in range(25))  # updates a second, from the least to the most
# The axis stays as it is, so that what moves is seen to move: from one client's to ten millions'.
TICKS = {1e2: "100 bit/s", 1e3: "1 kbit/s", 1e6: "1 Mbit/s", 1e9: "1 Gbit/s", 1e12: "1 Tbit/s", 1e15: "1 Pbit/s"}
UNITS = (("Tbit/s", 1e12), ("Gbit/s", 1e9), ("Mbit/s", 1e6), ("kbit/s", 1e3), ("bit/s", 1.0))


@dataclass(frozen=True)
class CostSettings:
    """What the controls say of each client.

    Attributes:
        rate: updates a second.
        payload: bytes of an update.
        poll_gap: seconds between two polls.
        head: whose request head is sent.
    """

    rate: float
    payload: int
    poll_gap: float
    head: str


Costs = Callable[[str, CostSettings], float]
Measured = Callable[[CostSettings], Mapping[str, Points]]


class CostSlider(WidgetWithPicture):
    """Clients, rate, payload and head as controls; a curve for each way, over the rate.

    Args:
        ways: at most five.
        cost: bytes on the wire of one update by one of the ways.
        measured: for each way the points (updates a second, bytes of an update) that were measured with this payload,
            poll gap and head, at any rate; none if there are none.
        heads: whose request heads there are to choose from.
    """

    promise = "what so many clients cost, with sliders"

    def __init__(self, ways: Sequence[str], cost: Costs, measured: Measured, heads: Sequence[str]) -> None:
        self._ways, self._cost, self._measured = ways, cost, measured
        self.clients = RangeSlider("clients", CLIENTS, 1_000)
        self.rate = RangeSlider(RATE, RATES, 1)
        self.payload = RangeSlider("payload", PAYLOADS, 27, "bytes")
        self.poll_gap = RangeSlider("a poll every", GAPS, 1, "s")
        self.head = RangeSlider("request head", heads, heads[0])
        self.shown = widgets.HTML()
        ranges = self.clients, self.rate, self.payload, self.poll_gap, self.head
        super().__init__([widgets.HTML(tag("p", HINT)), row(*ranges), self.shown], ranges)

    @property
    def settings(self) -> CostSettings:
        """As the controls stand."""
        return CostSettings(self.rate.value, int(self.payload.value), self.poll_gap.value, self.head.value)

    def _changed(self, change: object = None) -> None:
        settings, clients = self.settings, int(self.clients.value)
        curves = {way: [(rate, self._bits(way, replace(settings, rate=rate))) for rate in CURVE] for way in self._ways}
        measured = {
            way: [(rate, 8 * clients * rate * cost) for rate, cost in points]
            for way, points in self._measured(settings).items()
        }
        axes: dict[str, Any] = {"x": RATE, "y": "all clients, bits a second", "logarithmic": True, "y_ticks": TICKS}
        picture = plot(curves, **axes, measured=measured, at=settings.rate)
        costs = {way: self._cost(way, settings) for way in self._ways}
        self.shown.value = self.draw(self._sentence(costs), picture.html(), self._table(costs, measured))

    def _bits(self, way: str, settings: CostSettings) -> float:
        """A second, for all clients."""
        return 8 * float(self.clients.value) * settings.rate * self._cost(way, settings)

    def _sentence(self, costs: Mapping[str, float]) -> Markup:
        most, least = max(costs, key=lambda way: costs[way]), min(costs, key=lambda way: costs[way])
        said = f"{most} costs {costs[most] / costs[least]:,.1f} times {least}"
        what = f"{self.rate.shown[self.rate.index]} a second, {self.payload.shown[self.payload.index]} each"
        return sentence(f"Clients {self.clients.shown[self.clients.index]}, updates {what}: {said}.")

    def _table(self, costs: Mapping[str, float], measured: Mapping[str, Points]) -> Markup:
        rows = []
        for way, cost in costs.items():
            bits = self._bits(way, self.settings)
            unit, size = next((one for one in UNITS if bits >= one[1]), UNITS[-1])
            rows.append((way, (f"{cost:,.0f}", f"{bits / size:,.3g} {unit}")))
        table = scrolling(figures(("bytes an update", "all clients, a second"), rows), style=";margin:8px 0")
        marks = "Nothing was measured with this payload, poll and head."
        if count := sum(map(len, measured.values())):
            marks = f"Marks: {count} measurements, between two network namespaces of Linux."
        return tag("div", tag("p", f"Lines: the model. {marks}"), table)


HINT = "Move a slider, by mouse or with the arrow keys: the upright line marks the rate that is chosen."
