# SPDX-License-Identifier: GPL-2.0-or-later
"""Controls that pass an accessibility check, and what the widgets with controls share.

ipywidgets' own sliders are a <div> with a role and no name, which axe-core refuses and a screen reader calls "slider"
and nothing else. A <select>, a field for text or numbers, a checkbox and a button of theirs are those of the browser,
each with its <label>: they are used as they are.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets as widgets
import traitlets

from ..protocol.errors import NeedMoreData, ProtocolError
from .html import MUTED, Markup, join, sentence, tag
from .text import visible

_HERE = Path(__file__).parent
LABELS = {"description_width": "140px"}
CONTROL = widgets.Layout(width="270px")


class NotRun:
    """Part of a widget: what stands in its place on a page that was not run, ``promise`` being what it would show."""

    promise = ""

    def __repr__(self) -> str:
        return f"(run this cell: {self.promise})"


class RangeSlider(anywidget.AnyWidget):
    """A slider over a few values: the browser's own range input, within its label.

    Args:
        name: its label.
        options: the values, in order.
        value: one of them, to begin with.
        unit: follows the value that is shown.

    Attributes:
        index: which of the values is chosen.
        name, shown: what the page says.
    """

    _esm = _HERE / "range_slider.js"
    _css = _HERE / "explorer.css"
    name = traitlets.Unicode().tag(sync=True)
    shown = traitlets.List(traitlets.Unicode()).tag(sync=True)
    index = traitlets.Int().tag(sync=True)

    def __init__(self, name: str, options: Sequence[Any], value: Any, unit: str = "") -> None:
        self.options = tuple(options)
        shown = [
            one if isinstance(one, str) else f"{one:{'g' if one < 1 else ',.0f'}} {unit}".rstrip() for one in options
        ]
        super().__init__(name=visible(name), shown=shown, index=self.options.index(value))
        self.on_msg(lambda *asked: self.send("heard"))

    @traitlets.validate("index")
    def _inside(self, proposal: Any) -> int:
        return max(0, min(int(proposal["value"]), len(self.options) - 1))

    @property
    def value(self) -> Any:
        """The value that is chosen."""
        return self.options[self.index]


def choice(options: Sequence[object], value: object, name: str) -> widgets.Dropdown:
    """A choice among a few."""
    return widgets.Dropdown(options=options, value=value, description=name, style=LABELS, layout=CONTROL)


def row(*controls: widgets.Widget) -> widgets.HBox:
    """Controls side by side, as far as there is room."""
    return widgets.HBox(controls, layout=widgets.Layout(flex_flow="row wrap"))


def fitted(*content: str) -> Markup:
    """What an HTML widget shows: its lines as close as elsewhere on the page, and never wider than the page.

    A widget's own rules set lines as far apart as its buttons are high, and let it grow with its content, past the edge
    of the page: ``contain:inline-size`` makes the content ask for no width.
    """
    return tag("div", *content, style="contain:inline-size;line-height:1.5")


def hint(text: str) -> widgets.HTML:
    """What can be done with the controls, in words."""
    return widgets.HTML(fitted(tag("p", text)))


def verdict(check: Callable[[], Markup], missing: str) -> Markup:
    """What a parser says of bytes that a reader made, as HTML.

    Args:
        check: parses them, and says what is right about them.
        missing: what is said of bytes that end too early.
    """
    try:
        return check()
    except ProtocolError as error:
        return sentence("✗ Must be refused: ", f"{error}; status code {error.status_code}")
    except NeedMoreData:
        return sentence("… Not whole: ", missing)


class WidgetWithPicture(NotRun, widgets.VBox):
    """A widget that is also a picture, for a page that was never run: what it shows before anybody has used it.

    A notebook holds no widget views: without a kernel one that is trusted shows "model not found" in their place.

    Args:
        children: from top to bottom.
        controls: those of them that change the picture; whenever one does, and once at the beginning, ``_changed``
            draws it again.
    """

    drawn = Markup("")

    def __init__(self, children: Sequence[widgets.Widget], controls: Sequence[widgets.Widget]) -> None:
        super().__init__(children)
        for control in controls:
            # The index is what is chosen among a few, whatever is chosen with.
            control.observe(self._changed, names="index" if control.has_trait("index") else "value")
        self._changed()

    def _changed(self, change: object = None) -> None:
        raise NotImplementedError

    def draw(self, *content: str) -> Markup:
        """Make this the picture, and give it as an HTML widget shows it."""
        self.drawn = join(*content)
        return fitted(self.drawn)

    def picture(self) -> Markup:
        """The picture, as HTML; Lab would take out of it what ``fitted`` adds."""
        return self.drawn

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        hint = tag("p", "A picture. Run this cell, and it can be changed.", style=MUTED)
        return {**super()._repr_mimebundle_(**options), "text/html": tag("div", hint, self.picture())}


class ProgressBar(NotRun, widgets.IntProgress):
    """A bar that grows with ``value``; where the page was not run it says what for.

    Args:
        most: the value of the whole bar.
        what: is counted.
    """

    def __init__(self, most: int, what: str) -> None:
        super().__init__(max=most, description=f"{most:,}")
        self.promise = f"a bar that grows to {most:,} {what}"


class SendButton(widgets.VBox):
    """A button that asks somebody, and what was answered.

    Args:
        ask: takes bytes, and gives the answer as HTML, in a thread of its own: the kernel stays free while others
            think. An ``OSError`` in it is told.
        data: gives the bytes, when the button is pressed.
    """

    def __init__(self, ask: Callable[[bytes], str], data: Callable[[], bytes]) -> None:
        self._ask, self._data = ask, data
        self.button = widgets.Button(description=SEND, button_style="primary")
        self.answered = widgets.HTML()
        self.button.on_click(self._clicked)
        super().__init__([self.button, self.answered])

    def _clicked(self, button: object) -> None:
        # Not disabled meanwhile: a button that is disabled loses the focus, and whoever has pressed it by keyboard
        # would begin again at the top of the page.
        if self.button.description == SEND:
            self.button.description = "Sending …"
            threading.Thread(target=self._send, args=(self._data(),), daemon=True).start()

    def _send(self, data: bytes) -> None:
        try:
            self.answered.value = fitted(self._ask(data))
        except OSError as error:
            self.answered.value = fitted(tag("p", f"The server gave no answer: {error}"))
        finally:
            self.button.description = SEND


SEND = "Send it"
