# SPDX-License-Identifier: GPL-2.0-or-later
"""The ladder to scale with a play-head, which needs a running page and no kernel."""

from __future__ import annotations

from typing import Any

import anywidget
import ipywidgets as widgets
import traitlets

from .controls import NotRun, WidgetWithPicture, script
from .timeline import HEIGHT, Timeline


class PlayHead(NotRun, anywidget.AnyWidget):
    """What lays itself over the picture that follows it in a box: a line to drag, and counters that follow the line."""

    promise = "a play-head"
    _esm = script("byte_pane.js", "timeline.js")
    _css = script("explorer.css")
    ways: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    clock = traitlets.List(traitlets.Float()).tag(sync=True)

    def __init__(self, timeline: Timeline) -> None:
        # Of each way its packets: the time, and what each adds to the counters.
        counts = {name: [[one.time, *one.counts] for one in packets] for name, packets in timeline.ways.items()}
        super().__init__(ways=counts, clock=[timeline.seconds, HEIGHT])


class TimelineExplorer(WidgetWithPicture):
    """The picture, and a play-head over it; see ``touch``."""

    promise = "the ladder to scale, with a play-head"

    def __init__(self, timeline: Timeline) -> None:
        self._timeline, self.head, self.shown = timeline, PlayHead(timeline), widgets.HTML()
        super().__init__([self.head, self.shown], [])
        self.add_class("wsedu-timeline")

    def _changed(self, change: object = None) -> None:
        self.shown.value = self.draw(self._timeline.html())

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        return {**super()._repr_mimebundle_(**options), "text/plain": repr(self._timeline)}
