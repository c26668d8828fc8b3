# SPDX-License-Identifier: GPL-2.0-or-later
"""Controls that pass an accessibility check, and what the widgets with controls share.

ipywidgets' own sliders are a <div> with a role and no name, which axe-core refuses and a screen reader calls "slider"
and nothing else. A <select>, a field for text or numbers, a checkbox and a button of theirs are those of the browser,
each with its <label>: they are used as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets as widgets
import traitlets

from ..protocol.errors import Data, NeedMoreData, ProtocolError
from .html import MUTED, Markup, join, sentence, tag, with_links
from .text import visible

_HERE = Path(__file__).parent


def script(*names: str) -> str:
    """Scripts, or styles, of this package one behind the other: anywidget takes one module without imports."""
    return "\n".join((_HERE / name).read_text("utf-8") for name in names)


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


def row(*controls: widgets.Widget) -> widgets.HBox:
    """Controls side by side, as far as there is room."""
    return widgets.HBox(controls, layout=widgets.Layout(flex_flow="row wrap"))


def fitted(*content: str) -> Markup:
    """What an HTML widget shows: its lines as close as elsewhere on the page, and never wider than the page.

    A widget's own rules set lines as far apart as its buttons are high, and let it grow with its content, past the edge
    of the page: ``contain:inline-size`` makes the content ask for no width.
    """
    return tag("div", *content, style="contain:inline-size;line-height:1.5")


def verdict(check: Callable[[], Markup], missing: str) -> Markup:
    """What a parser says of bytes that a reader made, as HTML.

    Args:
        check: parses them, and says what is right about them.
        missing: what is said of bytes that end too early.
    """
    try:
        return check()
    except ProtocolError as error:
        return sentence("✗ Must be refused: ", with_links(f"{error}; status code {error.status_code}"))
    except NeedMoreData:
        return sentence("… Not whole: ", missing)


class WithPicture(NotRun):
    """Part of a widget: a picture for a page that was never run, of what the widget shows before anybody has used it.

    A notebook holds no widget views: without a kernel one that is trusted shows "model not found" in their place.
    """

    def picture(self) -> Markup:
        """The picture, as HTML."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle: Any = super()._repr_mimebundle_(**options)  # type: ignore[misc]
        hint = tag("p", "A picture. Run this cell, and it can be changed.", style=MUTED)
        # anywidget gives metadata as well, which Colab needs.
        data, *metadata = bundle if isinstance(bundle, tuple) else (bundle,)
        data = {**data, "text/html": tag("div", hint, self.picture())}
        return (data, *metadata) if metadata else data


class WidgetWithPicture(WithPicture, widgets.VBox):
    """Controls of ipywidgets, and a picture that they change.

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
        """What was drawn last; Lab would take out of it what ``fitted`` adds."""
        return self.drawn


class AskingWidget(WithPicture, anywidget.AnyWidget):
    """A widget that is all JavaScript and asks the kernel (``kernel.js``): bytes there, HTML back when it is ready.

    Each question has a name, which comes back with its answer, so that none is taken for that of another.
    """

    _css = script("explorer.css", "frame_builder.css")

    def __init__(self, **traits: object) -> None:
        super().__init__(**traits)
        self.on_msg(self._asked)

    def _asked(self, widget: object, question: Any, buffers: Sequence[Data]) -> None:
        self.answer(question["what"], bytes(buffers[0]), lambda html: self.send({"to": question["ask"], "html": html}))

    def answer(self, what: str, data: bytes, tell: Callable[[str], None]) -> None:
        """Answer a question about these bytes: ``tell`` takes HTML, now or later."""
        raise NotImplementedError


class ProgressBar(NotRun, widgets.IntProgress):
    """A bar that grows with ``value``; where the page was not run it says what for.

    Args:
        most: the value of the whole bar.
        what: is counted.
    """

    def __init__(self, most: int, what: str) -> None:
        super().__init__(max=most, description=f"{most:,}")
        self.promise = f"a bar that grows to {most:,} {what}"
