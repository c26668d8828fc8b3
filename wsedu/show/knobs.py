# SPDX-License-Identifier: GPL-2.0-or-later
"""Knobs that pass an accessibility check, and what the widgets with knobs share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets as widgets
import traitlets

from .html import Markup, tag

_HERE = Path(__file__).parent
LABELS = {"description_width": "140px"}
KNOB = widgets.Layout(width="270px")


class RangeKnob(anywidget.AnyWidget):
    """A slider over a few values.

    Args:
        name: its label.
        options: the values, in order.
        value: one of them, to begin with.
        unit: follows the value that is shown.

    Attributes:
        index: which of the values is chosen.
        name, shown: what the page says.
    """

    _esm = _HERE / "knob.js"
    _css = _HERE / "touch.css"
    name = traitlets.Unicode().tag(sync=True)
    shown = traitlets.List(traitlets.Unicode()).tag(sync=True)
    index = traitlets.Int().tag(sync=True)

    def __init__(self, name: str, options: Sequence[float], value: float, unit: str = "") -> None:
        self.options = tuple(options)
        shown = [f"{option:{'g' if option < 1 else ',.0f'}} {unit}".rstrip() for option in options]
        super().__init__(name=name, shown=shown, index=self.options.index(value))

    @traitlets.validate("index")
    def _inside(self, proposal: Any) -> int:
        return max(0, min(int(proposal["value"]), len(self.options) - 1))

    @property
    def value(self) -> float:
        """The value that is chosen."""
        return self.options[self.index]


def number(
    kind: Callable[..., widgets.Widget], value: float, low: float, high: float, name: str
) -> widgets.Widget:
    """A field for a number; ``kind`` is ``BoundedIntText`` or ``BoundedFloatText``."""
    return kind(value=value, min=low, max=high, description=name, style=LABELS, layout=KNOB)


def choice(options: Sequence[object], value: object, name: str) -> widgets.Dropdown:
    """A choice among a few."""
    return widgets.Dropdown(options=options, value=value, description=name, style=LABELS, layout=KNOB)


def row(*knobs: widgets.Widget) -> widgets.HBox:
    """Knobs side by side, as far as there is room."""
    return widgets.HBox(knobs, layout=widgets.Layout(flex_flow="row wrap"))


def fitted(*content: str) -> Markup:
    """What an HTML widget shows, never wider than the page: without this the widget grows with its content."""
    return tag("div", *content, style="contain:inline-size")
