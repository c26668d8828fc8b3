# SPDX-License-Identifier: GPL-2.0-or-later
"""What the widgets share: a picture in their place where they do not run, and questions to the kernel.

ipywidgets' own sliders are a <div> with a role and no name, which axe-core refuses and a screen reader calls "slider"
and nothing else. The controls here are those of the browser, each with its <label>, and what they look like and do is
JavaScript's; Python gives them what to say.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import anywidget
import ipywidgets as widgets
import traitlets
from IPython.display import display

from ..protocol.errors import Data
from .html import Markup, Picture, join, tag
from .palette import LOOKS_BY_NAME


def script(*names: str) -> str:
    """Scripts, or styles, of this package one behind the other: anywidget takes one module without imports."""
    return "\n".join((Path(__file__).parent / name).read_text("utf-8") for name in names)


class NotRun:
    """Part of a widget: what stands in its place on a page that was not run, ``promise`` being what it would show."""

    promise = ""

    def __repr__(self) -> str:
        return f"(run this cell: {self.promise})"


class WithTwin(NotRun, anywidget.AnyWidget):
    """A widget that has a twin: the same as a picture, displayed before it as an output of its own.

    The picture is what a page shows that is not trusted, that was not run, or whose kernel has gone; a widget's view
    would read "model not found" there. Where the widget runs, it hides the picture (``inPlaceOfTwin`` in byte_pane.js),
    so that nothing is seen twice. The class by which it finds it comes from the picture, so that a cell stores the same
    whenever it is run.
    """

    _css = script("explorer.css", "frame_builder.css")
    pictures: Sequence[Picture] = ()  # what the twin shows, one under the other
    twin = traitlets.Unicode().tag(sync=True)
    looks = traitlets.Dict(LOOKS_BY_NAME).tag(sync=True)

    def picture(self) -> Markup:
        """The same as HTML; empty where there is nothing to see before somebody acts."""
        return join(*(picture.html() for picture in self.pictures))

    def _ipython_display_(self, **options: Any) -> None:
        if html := self.picture():
            lasting = re.sub(r":\d{4,5}\b", "", html)  # a live conversation has other ports each time
            self.twin = f"wsedu-twin-{crc32(lasting.encode()):08x}"
            twin = tag("div", html, **{"class": f"wsedu-twin {self.twin}"})
            text = "\n\n".join(map(repr, self.pictures)) or repr(self)
            display({"text/html": twin, "text/plain": text}, raw=True)  # type: ignore[no-untyped-call]
        data, metadata = self._repr_mimebundle_() or ({}, {})
        display(data, metadata=metadata, raw=True)  # type: ignore[no-untyped-call]


class AskingWidget(WithTwin):
    """A widget that is all JavaScript and asks the kernel (``kernel.js``): bytes there, an answer when it is ready.

    Each question has a name, which comes back with its answer, so that none is taken for that of another.
    """

    def __init__(self, **traits: object) -> None:
        super().__init__(**traits)
        self.on_msg(self._asked)

    def _asked(self, widget: object, question: Any, buffers: Sequence[Data]) -> None:
        def tell(said: object, *data: bytes) -> None:
            self.send({"to": question["ask"], "said": said}, list(data))

        self.answer(question["what"], bytes(buffers[0]), tell)

    def answer(self, what: str, data: bytes, tell: Callable[..., None]) -> None:
        """Answer a question about these bytes: ``tell`` takes HTML or other JSON, and bytes; at any time."""
        raise NotImplementedError


@dataclass(frozen=True)
class DeliverySettings:
    """What those who are told of updates are given: in the race, and by the cost slider each client.

    Attributes:
        updates: how many.
        rate: updates a second, in the mean.
        poll_gap: seconds between two polls.
        payload: bytes of an update.
        head: whose request head is sent.
    """

    updates: int = 40
    rate: float = 5.0
    poll_gap: float = 0.2
    payload: int = 27
    head: str = "browser"


class ProgressBar(NotRun, widgets.IntProgress):
    """A bar that grows with ``value``; where the page was not run it says what for.

    Args:
        most: the value of the whole bar.
        what: is counted.
    """

    def __init__(self, most: int, what: str) -> None:
        super().__init__(max=most, description=f"{most:,}")
        self.promise = f"a bar that grows to {most:,} {what}"
