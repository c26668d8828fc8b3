# SPDX-License-Identifier: GPL-2.0-or-later
"""What a page did and saw of its WebSocket beside what was on the wire: each line of the page's log at its message."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

from ..protocol.opcodes import Opcode
from ..protocol.status import parse_close_payload
from .html import LEFT, MUTED, Markup, Picture, table_row, table_rows, tag, wide_table
from .palette import legend
from .sequence import SequenceRow, arrow_html, arrow_text, row_of
from .text import clip, pad, visible

Entry = Mapping[str, Any]
PAGE = 42  # columns of a terminal for the page's side
# What stands in the log when a message of this kind begins or arrives; the first of these that comes next is its line.
LOGGED: dict[object, tuple[str, ...]] = {
    "request": ("new WebSocket",),
    "response": ("onopen", "onerror"),
    **dict.fromkeys([("client", Opcode.TEXT), ("client", Opcode.BINARY)], ("send",)),
    **dict.fromkeys([("server", Opcode.TEXT), ("server", Opcode.BINARY)], ("onmessage",)),
    ("client", Opcode.CLOSE): ("close",),
}
SEEN = {*chain.from_iterable(LOGGED.values()), "onclose"}


class PageRow(NamedTuple):
    """A line of the page's log, a message on the wire, or both; where nothing was on the wire, in words."""

    page: str
    wire: SequenceRow | None
    instead: str = "(nothing)"


class PageLog(Picture):
    """The page's side and the wire's. In a notebook it shows itself; ``print`` gives the same as text."""

    def __init__(self, rows: Sequence[PageRow]) -> None:
        self.rows = rows

    def lines(self) -> Iterator[str]:
        """The picture as lines of text."""
        yield f"{'the page':{PAGE}}  on the wire{'bytes':>71}"
        for page, wire, instead in self.rows:
            arrow = f"|{arrow_text(wire)}|{wire.size:>8,}" if wire else f"| {instead}"
            yield f"{pad(clip(page, PAGE), PAGE)}  {arrow}"

    def html(self) -> Markup:
        """The picture as HTML."""
        above = legend(kind for _, wire, _ in self.rows if wire for kind, _ in wire.kinds)
        heads = (("the page", LEFT), ("on the wire", f"{LEFT};width:100%;padding-left:8px"), ("bytes", LEFT))
        lines = [table_row(*(tag("th", head, scope="col", style=style) for head, style in heads))]
        for page, wire, instead in self.rows:
            side = tag("samp", clip(page, 60)) if page else tag("span", "(sees nothing)", style=MUTED)
            arrow = [arrow_html(wire)] if wire else [tag("span", instead, style=f"{MUTED};padding-left:8px")]
            cell = tag("td", *arrow, style="padding:0;text-align:left;border-left:2px solid #808080")
            size = tag("td", f"{wire.size:,}" if wire else "", style="text-align:right;padding:2px 0 2px 12px")
            lines.append(table_row(tag("td", side, style=LEFT), cell, size))
        return tag("div", above, wide_table(*lines))


def page_log(log: Iterable[Entry], conversation: Any) -> PageLog:
    """A page's log beside its conversation.

    Args:
        log: of one WebSocket, in order, as the JSON files in data/ have it.
        conversation: what was on the wire meanwhile. What is compressed is told as it was meant.

    Returns:
        A picture that a notebook shows by itself, and whose ``str`` is the same as text.
    """
    entries, rows = list(log), list[PageRow]()
    start, opcode = conversation.messages[0].time, 0
    for message in conversation.messages:
        row = row_of(message, start)
        frame = message.frame
        if frame is not None:
            opcode = frame.opcode or opcode
        # A message in fragments is sent with the first of them and arrives with the last.
        first = frame is None or (frame.fin if message.sender == "server" else frame.opcode)
        seen = LOGGED.get(message.kind if frame is None else (message.sender, opcode), ()) if first else ()
        while entries and _never_sent(entries[0], rows):
            rows.append(PageRow(_line(entries.pop(0)), None))
        found = entries and entries[0]["what"] in seen
        rows.append(PageRow(_line(entries.pop(0)) if found else "", row))
    instead = {"onclose": "(the TCP connection ends)"}
    rows += (PageRow(_line(one), None, instead.get(one["what"], "(nothing)")) for one in entries)
    return PageLog(rows)


def _never_sent(entry: Entry, before: Sequence[PageRow]) -> bool:
    """Whether no byte left because of it: a note of the page's own, or a ``send`` after ``close``."""
    closing = any(row.page.startswith("close") for row in before)
    return entry["what"] not in SEEN or (entry["what"] == "send" and closing)


def _line(entry: Entry) -> str:
    """An entry as JavaScript has it, or nearly so."""
    what, data = entry["what"], entry.get("text", entry.get("bytes"))
    given = f"{entry['length']:,} characters" if entry.get("length", 0) > 30 else str(data)
    match what:
        case "send":
            line = f"send({given})" if data is None or given != data else f'send("{given}")'
        case "onmessage":
            line = f"onmessage: {given}"
        case "close":
            line = f"close({', '.join(map(json.dumps, entry['arguments']))})"
        case "onclose":
            line = f"onclose: {entry['code']}, {'' if entry['wasClean'] else 'not '}clean"
        case "before close":
            line = f"bufferedAmount is {entry['bufferedAmount']}"
        case _:
            line = str(what)
    return visible(line)


class Endings(Picture):
    """How WebSockets ended: the last messages on the wire, and what the page was told. A row for each."""

    def __init__(self, rows: Sequence[tuple[str, str, Entry]]) -> None:
        self.rows = rows

    def lines(self) -> Iterator[str]:
        """The picture as lines of text."""
        for name, wire, told in self.rows:
            yield f"{name:16} {wire:74} {told['code']} {'clean' if told['wasClean'] else 'not clean'}"

    def html(self) -> Markup:
        """The picture as HTML."""
        heads = ("target", "on the wire, last", "code", "wasClean", "reason")
        rows = []
        for name, wire, told in self.rows:
            clean = "✓ true" if told["wasClean"] else "✗ false"
            reason = tag("samp", clip(told["reason"], 48))
            rows.append((tag("samp", name), tag("samp", wire), tag("b", str(told["code"])), clean, reason))
        return wide_table(*table_rows(heads, rows))


def endings(log: Iterable[Entry], conversations: Iterable[Any]) -> Endings:
    """How each WebSocket ended: Close frames with ◄ from the server and ► from the page, and the page's onclose."""
    closed = [entry for entry in log if entry["what"] == "onclose"]
    pairs = zip(conversations, closed, strict=True)
    return Endings([(said.messages[0].head.target, _ending(said.messages), told) for said, told in pairs])


def _ending(messages: Sequence[Any]) -> str:
    if messages[1].head.status != 101:
        return f"◄ {messages[1].head.status}, no WebSocket"
    said = []
    for message in messages[2:]:
        if message.frame.opcode == Opcode.CLOSE:
            code, _ = parse_close_payload(message.payload)
            said.append(f"{'►' if message.sender == 'client' else '◄'} Close {code or 'without a code'}")
    return "  ".join(said) or "no Close frame"
