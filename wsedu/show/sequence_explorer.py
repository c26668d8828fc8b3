# SPDX-License-Identifier: GPL-2.0-or-later
"""The ladder to touch: who said what when, and behind each message its bytes and the packets that carried it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anywidget
import traitlets

from .explorer import LOOKS_BY_NAME, STYLE, script, side_of
from .html import bytes_of, clip
from .parts import view
from .sequence import ends_of, row_of, stretches

CHUNK = 100
"""Messages that go to the browser at once."""
MOST_PACKETS = 500
"""Packets that are listed of one message."""


class SequenceExplorer(anywidget.AnyWidget):
    """A conversation to look into.

    The browser has only what it shows: it asks for further messages as they come into view, and for the bytes of a
    message or of a packet when it is opened.
    """

    _esm = script("byte_pane.js", "sequence_explorer.js")
    _css = STYLE
    looks = traitlets.Dict().tag(sync=True)
    ends = traitlets.List(traitlets.Unicode()).tag(sync=True)
    stretches: traitlets.List[Any] = traitlets.List().tag(sync=True)
    first: traitlets.List[Any] = traitlets.List().tag(sync=True)

    def __init__(self, conversation: Any, fold: bool = True) -> None:
        self._messages: Sequence[Any] = list(conversation.messages)
        self._capture = getattr(conversation, "capture", None)
        self._start = self._messages[0].time if self._messages else 0.0
        super().__init__(
            looks=LOOKS_BY_NAME,
            ends=list(ends_of(conversation)),
            stretches=[list(stretch) for stretch in stretches(self._messages, fold)],
            first=self._rows(0),
        )
        self.on_msg(self._asked)

    def __repr__(self) -> str:
        return "(run this cell: a ladder of messages that open)"

    def _rows(self, index: int) -> list[list[Any]]:
        """Of each message: sender, seconds since the first one, text, bytes, and how many of each kind."""
        rows = (row_of(message, self._start) for message in self._messages[index : index + CHUNK])
        return [
            [
                row.sender,
                row.time,
                clip(row.text, 56),
                row.size,
                [[kind or "", count] for kind, count in row.kinds],
            ]
            for row in rows
        ]

    def _asked(self, widget: object, asked: Any, buffers: object) -> None:
        """Answer the browser; what makes no sense is not answered."""
        answers = {"messages": self._more, "message": self._message, "packet": self._packet}
        what, index = asked.get("ask"), asked.get("index")
        if what not in answers or not isinstance(index, int) or index < 0:
            return
        try:
            answer, data = answers[what](index)
        except IndexError:
            return
        self.send({**answer, "view": asked.get("view"), "focus": asked.get("focus")}, data)

    def _more(self, index: int) -> tuple[dict[str, Any], list[bytes]]:
        return {"messages": self._rows(index), "index": index}, []

    def _message(self, index: int) -> tuple[dict[str, Any], list[bytes]]:
        message = self._messages[index]
        shown = view(message)
        when = f"at {message.time - self._start:.6f} s"
        title = f"message {index + 1:,} of {len(self._messages):,}, from the {message.sender}, {when}"
        answer = {"side": side_of(shown), "title": title, "packets": [], "carried": ""}
        if self._capture is not None:
            answer |= self._carried(message)
        return answer, [shown.data]

    def _carried(self, message: Any) -> dict[str, Any]:
        """The packets that carried a message: of each its index, seconds on the ladder's clock, and bytes."""
        assert self._capture is not None
        packets = self._capture.packets
        zero = packets[0].time / 1e9 + self._start
        listed = [
            [index, packets[index].time / 1e9 - zero, len(packets[index].data)]
            for index in message.packets[:MOST_PACKETS]
        ]
        more = len(message.packets) - len(listed)
        total = bytes_of(sum(len(packets[index].data) for index in message.packets))
        count = f"{len(message.packets):,} packet{'s' * (len(message.packets) != 1)}"
        modelled = (
            ", modelled by the relay that recorded" if getattr(self._capture, "modelled", False) else ""
        )
        shown = f"; the first {len(listed):,} of them" if more else ""
        return {"packets": listed, "carried": f"carried by {count} of {total} in all{modelled}{shown}"}

    def _packet(self, index: int) -> tuple[dict[str, Any], list[bytes]]:
        if self._capture is None:
            raise IndexError
        shown = view(self._capture.packet(index))
        return {"side": side_of(shown)}, [shown.data]
