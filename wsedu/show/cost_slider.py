# SPDX-License-Identifier: GPL-2.0-or-later
"""The cost slider: what so many clients cost by each way, as a model has it, with what was measured as marks on it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import traitlets

from .controls import AskingWidget, DeliverySettings, script
from .html import Markup, figures, join, scrolling, sentence, tag
from .plot import Points, plot

RATE = "updates a second"
CLIENTS = (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)
RATES = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
PAYLOADS = (27, 125, 1_024, 8_192, 65_536)
GAPS = (0.1, 1, 10)
# Of each slider over numbers its name, its values and their unit.
NUMBERS = (("clients", CLIENTS, ""), (RATE, RATES, ""), ("payload", PAYLOADS, " bytes"), ("a poll every", GAPS, " s"))
CURVE = tuple(10 ** (step / 8 - 1) for step in range(25))  # updates a second, from the least to the most
# The axis stays as it is, so that what moves is seen to move: eight powers of ten from the first of these on, which is
# twice what the curves take; where they would leave it, from the next one on.
AXES = 1e1, 1e4, 1e7
TICKS = 1, 1e2, 1e5, 1e8
UNITS = (("Pbit/s", 1e15), ("Tbit/s", 1e12), ("Gbit/s", 1e9), ("Mbit/s", 1e6), ("kbit/s", 1e3), ("bit/s", 1.0))


Costs = Callable[[str, DeliverySettings], float]
Measured = Callable[[DeliverySettings], Mapping[str, Points]]


class CostSlider(AskingWidget):
    """Clients, rate, payload and head as controls; a curve for each way, over the rate.

    Args:
        ways: at most five.
        cost: bytes on the wire of one update by one of the ways.
        measured: for each way the points (updates a second, bytes of an update) that were measured with this payload,
            poll gap and head, at any rate; none if there are none.
        heads: whose request heads there are to choose from.

    Attributes:
        sliders: the name of each, and its values in words.
        chosen: of each, the index of the value at which it stands.
        shown: the picture, as HTML.
    """

    promise = "what so many clients cost, with sliders"
    _esm = script("byte_pane.js", "kernel.js", "cost_slider.js")
    sliders: "traitlets.List[Any]" = traitlets.List().tag(sync=True)
    chosen = traitlets.List(traitlets.Int(), [3, 3, 0, 1, 0]).tag(sync=True)
    shown = traitlets.Unicode().tag(sync=True)

    def __init__(self, ways: Sequence[str], cost: Costs, measured: Measured, heads: Sequence[str]) -> None:
        self._ways, self._cost, self._measured = ways, cost, measured
        self._values: Sequence[Sequence[Any]] = (*(values for _, values, _ in NUMBERS), heads)
        shown = [
            (name, [f"{one:{'g' if one < 1 else ',.0f'}}{unit}" for one in values]) for name, values, unit in NUMBERS
        ]
        super().__init__(sliders=[*shown, ("request head", list(heads))])
        self.shown = self._drawn()

    def answer(self, what: str, data: bytes, tell: Callable[..., None]) -> None:
        """Draw what the sliders say now; there is a byte for the index of each."""
        self.chosen = [min(at, len(values) - 1) for at, values in zip(data, self._values, strict=True)]
        self.shown = self._drawn()
        tell("")

    def picture(self) -> Markup:
        """What was drawn last."""
        return Markup(self.shown)

    def settings(self) -> tuple[int, DeliverySettings]:
        """As the sliders stand: how many clients, and what holds for each."""
        clients, rate, payload, gap, head = (values[at] for values, at in zip(self._values, self.chosen, strict=True))
        return clients, DeliverySettings(rate=rate, payload=payload, poll_gap=gap, head=head)

    def _drawn(self) -> Markup:
        clients, settings = self.settings()
        per = 8 * clients  # bits for each byte of an update
        curves, costs = {}, {}
        for way in self._ways:
            costs[way] = self._cost(way, settings)
            curves[way] = [(rate, per * rate * self._cost(way, replace(settings, rate=rate))) for rate in CURVE]
        points = self._measured(settings)
        measured = {way: [(rate, per * rate * cost) for rate, cost in found] for way, found in points.items()}
        most = max(bits for curve in curves.values() for _, bits in curve)
        low = next((low for low in AXES if most <= low * TICKS[-1]), AXES[-1])
        ticks = {low * tick: _in_units(low * tick) for tick in TICKS}
        axes: dict[str, Any] = {"x": RATE, "y": "all clients, bits a second", "logarithmic": True, "y_ticks": ticks}
        picture = plot(curves, **axes, measured=measured, at=settings.rate)
        bits = {way: per * settings.rate * cost for way, cost in costs.items()}
        return join(self._sentence(costs), picture.html(), _table(costs, bits, sum(map(len, measured.values()))))

    def _sentence(self, costs: Mapping[str, float]) -> Markup:
        most, least = max(costs, key=lambda way: costs[way]), min(costs, key=lambda way: costs[way])
        said = f"{most} costs {costs[most] / costs[least]:,.1f} times {least}"
        clients, rate, payload, *_ = (shown[at] for (_, shown), at in zip(self.sliders, self.chosen, strict=True))
        return sentence(f"Clients {clients}, updates {rate} a second, {payload} each: {said}.")


def _table(costs: Mapping[str, float], bits: Mapping[str, float], marks: int) -> Markup:
    """Of each way the bytes of an update, and the bits of a second; and what the lines and the marks are."""
    rows = ((way, (f"{cost:,.0f}", _in_units(bits[way]))) for way, cost in costs.items())
    table = scrolling(figures(("bytes an update", "all clients, a second"), rows), style=";margin:8px 0")
    said = "Nothing was measured with this payload, poll and head."
    if marks:
        said = f"Marks: {marks} measurements, between two network namespaces of Linux."
    return tag("div", tag("p", f"Lines: the model. {said}"), table)


def _in_units(bits: float) -> str:
    unit, size = next((one for one in UNITS if bits >= one[1]), UNITS[-1])
    return f"{bits / size:,.3g} {unit}"
