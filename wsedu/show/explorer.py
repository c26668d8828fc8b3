# SPDX-License-Identifier: GPL-2.0-or-later
"""The byte map to touch: a widget over the same parts as the picture, for pointer and keyboard.

It needs a running page, not a running kernel: the bytes and their tree are sent once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from ..protocol.spans import Span
from .html import bytes_of, clip, visible
from .palette import LOOKS
from .parts import Part, View, show_value, view

if TYPE_CHECKING:
    from .sequence_explorer import SequenceExplorer

_HERE = Path(__file__).parent
STYLE = _HERE / "explorer.css"
LOOKS_BY_NAME = {kind or "": {"label": look.label, "style": look.style} for kind, look in LOOKS.items()}

Node = dict[str, Any]


def script(*names: str) -> str:
    """Scripts of this package as one, each on top of those before it."""
    return "\n".join((_HERE / name).read_text("utf-8") for name in names)


def tree_of(shown: View) -> list[Node]:
    """The parts of a view as nodes for the browser, beneath their layer if there is one; bits beneath their byte."""
    if not shown.layers:
        return [_node(part) for part in shown.parts]
    parts, nodes = list(shown.parts), []
    for index, (name, start, end) in enumerate(shown.layers):
        inside = [part for part in parts if start <= part.start < end]
        kind = inside[0].kind if inside else None
        node = _plain(start, end, clip(name, 60), kind, f"{bytes_of(end - start)}", "", "")
        children = [_node(part) for part in inside]
        nodes.append({**node, "children": children, "open": index == shown.first})
    return nodes


def side_of(shown: View) -> Node:
    """What the browser draws beside the bytes."""
    start = shown.layers[shown.first][1] if shown.layers else 0
    return {"name": shown.name, "tree": tree_of(shown), "start": start}


def _node(part: Part) -> Node:
    value = "" if part.bits else show_value(part.value, 200, part.kind)
    children = [_bits(span, part) for span in part.bits]
    name = clip(part.name, 60)
    node = _plain(part.start, part.end, name, part.kind, value, part.meaning, part.section)
    return {**node, "children": children}


def _bits(span: Span, part: Part) -> Node:
    value = show_value(span.value, 40)
    node = _plain(part.start, part.end, visible(span.name), span.kind, value, span.meaning, span.section)
    return {**node, "bits": list(span.bits or (0, 8)), "children": []}


def _plain(start: int, end: int, name: str, kind: str | None, value: str, meaning: str, section: str) -> Node:
    return {
        "start": start,
        "end": end,
        "name": name,
        "kind": kind or "",
        "value": value,
        "meaning": visible(meaning),
        "section": visible(section),
        "shown": clip(value, 40),
    }


class ByteExplorer(anywidget.AnyWidget):
    """One map of bytes, or several that follow each other; see ``touch``."""

    _esm = script("byte_pane.js", "explorer.js")
    _css = STYLE
    sides = traitlets.List(traitlets.Dict()).tag(sync=True)
    data = traitlets.List(traitlets.Bytes()).tag(sync=True)
    looks = traitlets.Dict().tag(sync=True)

    def __init__(self, views: Sequence[View]) -> None:
        super().__init__(looks=LOOKS_BY_NAME)
        self.show(views)

    def __repr__(self) -> str:
        return "(run this cell: a byte map for pointer and keyboard)"

    def show(self, views: Sequence[View]) -> None:
        """Show other bytes in the same place."""
        with self.hold_trait_notifications():
            self.data = [one.data for one in views]
            self.sides = [side_of(one) for one in views]


def touch(
    *things: object, spans: Iterable[Span] | None = None, names: Sequence[str] | None = None
) -> ByteExplorer | SequenceExplorer:
    """What can be drawn, to touch: by pointer, or by Tab, arrows, Home, End and Enter.

    Args:
        things: what ``byte_map`` takes; two or more are shown side by side, and each follows the other. Or one
            conversation, as ``ladder`` takes it: its messages open, and so do the packets that carried them.
        spans: what the bytes mean, where there is one thing and it is bytes.
        names: what to call them; else what they are.

    Returns:
        A widget: a byte map, or a ladder.

    Raises:
        TypeError: one of them has no bytes to show.
        ValueError: nothing to show, or not a name for each.
    """
    if not things or (names is not None and len(names) != len(things)):
        raise ValueError(f"touch shows one thing or more, with a name for each: {len(things)} given")
    if len(things) == 1 and hasattr(things[0], "messages"):
        from .sequence_explorer import SequenceExplorer  # here, since it is made of what is above

        return SequenceExplorer(things[0])
    views = [view(things[0], spans)] if len(things) == 1 else [view(thing) for thing in things]
    if names is not None:
        views = [replace(one, name=visible(name)) for name, one in zip(names, views, strict=True)]
    return ByteExplorer(views)
