# SPDX-License-Identifier: GPL-2.0-or-later
"""The byte map, the sequence diagram and the ladder to scale to explore, over the same parts as the pictures.

A map needs a running page, not a running kernel: its bytes and their tree are sent once. A conversation may have ten
thousand messages: of it the browser has only what it shows, and asks for the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import traitlets

from ..protocol.spans import Span
from .bytemap import ByteMap
from .controls import AskingWidget, WithTwin, script
from .parts import Part, View, named_views, show_value, view
from .sequence import SequenceRow, ends_of, ladder, row_of, stretches
from .text import bytes_of, clip, visible
from .timeline import HEIGHT, Timeline

# Messages that go to the browser at once.
CHUNK = 100
# Packets that are listed of one message.
MOST_PACKETS = 500

Node = dict[str, Any]


def side_of(shown: View) -> Node:
    """What the browser draws beside the bytes: their parts, beneath their layer if there is one, and bits in them.

    It begins at the innermost layer of a packet, and of several things at the first.
    """
    nodes = []
    for part in shown.parts:
        bits = [{**_node(span, show_value(span.value, 40)), "bits": span.bits} for span in part.bits]
        nodes.append({**_node(part, show_value(part.value, 200, part.kind)), "children": bits})
    layers: list[Node] = []
    for name, start, end in shown.layers:
        inside = [node for node in nodes if start <= node["start"] < end]
        layer = _node(Part(start, end, inside[0]["kind"] if inside else None, name), bytes_of(end - start))
        layers.append({**layer, "children": inside, "open": len(layers) == shown.first})
    start = shown.layers[shown.first][1] if layers else 0
    return {"name": shown.name, "tree": layers or nodes, "start": start}


def _node(one: Part | Span, value: str) -> Node:
    """Where something is, and what is said of it."""
    said = {"name": clip(one.name, 60), "value": value, "meaning": one.meaning, "section": one.section}
    return {"start": one.start, "end": one.end, "kind": one.kind or "", **said}


class ByteExplorer(WithTwin):
    """One map of bytes, or several that follow each other; see ``touch``."""

    promise = "a byte map for pointer and keyboard"
    _esm = script("byte_pane.js", "explorer.js")
    sides = traitlets.List(traitlets.Dict()).tag(sync=True)
    data = traitlets.List(traitlets.Bytes()).tag(sync=True)

    def __init__(self, views: Sequence[View]) -> None:
        self.pictures = [ByteMap(one) for one in views]
        super().__init__(data=[one.data for one in views], sides=[side_of(one) for one in views])


class SequenceExplorer(AskingWidget):
    """A conversation to look into: who said what when, and behind each message its bytes and its packets.

    The browser asks for further messages as they come into view, and for the bytes of a message or of a packet when it
    is opened.
    """

    promise = "a ladder of messages that open"
    _esm = script("byte_pane.js", "kernel.js", "sequence_explorer.js")
    ends = traitlets.List(traitlets.Unicode()).tag(sync=True)
    stretches: traitlets.List[Any] = traitlets.List().tag(sync=True)
    first: traitlets.List[Any] = traitlets.List().tag(sync=True)

    def __init__(self, conversation: Any) -> None:
        self._messages: Sequence[Any] = list(conversation.messages)
        self._capture = getattr(conversation, "capture", None)
        self._start = self._messages[0].time if self._messages else 0.0
        # Without the times of a conversation that was recorded just now, which move from run to run.
        self.pictures = [ladder(conversation, times=not getattr(self._capture, "modelled", False))]
        super().__init__(
            ends=[visible(end) for end in ends_of(conversation)],
            stretches=[list(stretch) for stretch in stretches(self._messages)],
            first=self._rows(0),
        )

    def _rows(self, index: int) -> list[SequenceRow]:
        """So many messages from this one on; their times are seconds since the first of all."""
        return [row_of(message, self._start) for message in self._messages[index : index + CHUNK]]

    def answer(self, what: str, data: bytes, tell: Callable[..., None]) -> None:
        """Tell what has this index: messages from there on, a message or a packet; what makes no sense, nothing."""
        index = int.from_bytes(data, "big")
        if what == "messages":
            tell(self._rows(index))
        elif what == "message" and index < len(self._messages):
            shown, message = view(self._messages[index]), self._messages[index]
            when = f"at {message.time - self._start:.6f} s"
            title = f"message {index + 1:,} of {len(self._messages):,}, from the {message.sender}, {when}"
            tell({"side": side_of(shown), "title": title, **self._carried(message)}, shown.data)
        elif what == "packet" and self._capture is not None and index < len(self._capture.packets):
            shown = view(self._capture.packet(index))
            tell({"side": side_of(shown)}, shown.data)

    def _carried(self, message: Any) -> dict[str, Any]:
        """The packets that carried a message: of each its index, seconds on the diagram's clock, and bytes."""
        if self._capture is None:
            return {"packets": [], "carried": ""}
        packets, indices = self._capture.packets, message.packets
        zero = packets[0].time / 1e9 + self._start
        listed = [[at, packets[at].time / 1e9 - zero, len(packets[at].data)] for at in indices[:MOST_PACKETS]]
        total = bytes_of(sum(len(packets[at].data) for at in indices))
        carried = f"carried by {len(indices):,} packet{'s' * (len(indices) != 1)} of {total} in all"
        if getattr(self._capture, "modelled", False):
            carried += ", modelled by the relay that recorded"
        if len(indices) > len(listed):
            carried += f"; the first {len(listed):,} of them"
        return {"packets": listed, "carried": carried}


class TimelineExplorer(WithTwin):
    """The ladder to scale with a play-head: a line to drag, and counters that follow it; it asks the kernel nothing."""

    promise = "the ladder to scale, with a play-head"
    _esm = script("byte_pane.js", "kernel.js", "timeline.js")
    ways: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    clock = traitlets.List(traitlets.Float()).tag(sync=True)
    shown = traitlets.Unicode().tag(sync=True)

    def __init__(self, timeline: Timeline) -> None:
        self.pictures = [timeline]
        # Of each way its packets: the time, and what each adds to the counters.
        counts = {name: [[one.time, *one.counts] for one in packets] for name, packets in timeline.ways.items()}
        super().__init__(ways=counts, clock=[timeline.seconds, HEIGHT], shown=timeline.html())


def touch(*things: object, names: Sequence[str] | None = None) -> ByteExplorer | SequenceExplorer | TimelineExplorer:
    """What can be drawn, to explore: by pointer, or by Tab, arrows, Home, End and Enter.

    Args:
        things: what ``byte_map`` takes; two or more are shown side by side, and each follows the other. Or one
            conversation, as ``ladder`` takes it: its messages open, and so do the packets that carried them. Or what
            ``timeline`` gives: it gets a play-head.
        names: what to call them; else what they are.

    Returns:
        A widget: a byte map, a sequence diagram, or the ladder to scale.

    Raises:
        TypeError: one of them has no bytes to show.
        ValueError: nothing to show, or not a name for each.
    """
    if len(things) == 1 and isinstance(things[0], Timeline):
        return TimelineExplorer(things[0])
    if len(things) == 1 and hasattr(things[0], "messages"):
        return SequenceExplorer(things[0])
    return ByteExplorer(named_views("touch", things, names))
