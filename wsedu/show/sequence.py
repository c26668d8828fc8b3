# SPDX-License-Identifier: GPL-2.0-or-later
"""The sequence diagram, or ladder: who said what when, an arrow a message between two lines."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from ..protocol.opcodes import Opcode, opcode_name
from ..protocol.spans import Kind
from .html import MUTED, Markup, Picture, table_row, tag, wide_table
from .palette import legend, stacked_bar
from .parts import show_value, view
from .text import clip, columns, visible

# So many repetitions of one message, or of two that take turns, are folded into a line.
REPEATS = 3
# Rows of a diagram; the messages after them are counted, not shown.
MOST_ROWS = 200
# Columns of a terminal between the two lines.
BETWEEN = 72
LIFELINES = "border-left:2px solid #808080;border-right:2px solid #808080"
CELL = "text-align:right;padding:2px 12px 2px 0;white-space:nowrap"


class SequenceRow(NamedTuple):
    """A line of the diagram: a message, or many that repeat the ones above.

    Attributes:
        sender: ``"client"`` or ``"server"``; empty where messages were folded.
        time: seconds since the first message.
        text: what is said, in short.
        size: bytes on the TCP stream.
        kinds: bytes of each kind, in the order of legends.
    """

    sender: str
    time: float
    text: str
    size: int
    kinds: tuple[tuple[Kind | None, int], ...] = ()


class SequenceDiagram(Picture):
    """The sequence diagram of a conversation, or ladder: who said what when, an arrow a message.

    In a notebook it shows itself; ``print`` gives the same as text.

    Args:
        conversation: has ``.messages``, ``.client`` and ``.server``; or messages. A message has ``.kind``,
            ``.sender``, ``.time`` and ``.raw``, and ``.frame`` or ``.head``.
        times: show when, in seconds since the first message.
        fold: show what repeats itself once, and how often.

    Raises:
        TypeError: there are no messages in it.

    Attributes:
        client, server: who they are.
        rows: what is shown, in order of time.
        more: how many messages came after the last row.
        times: whether times are shown.
    """

    def __init__(self, conversation: object, *, times: bool = True, fold: bool = True) -> None:
        messages = getattr(conversation, "messages", conversation)
        if not isinstance(messages, Iterable):
            raise TypeError(f"ladder draws a conversation or its messages, not {type(conversation).__name__}")
        messages, self.times = list(messages), times
        self.client, self.server = map(visible, ends_of(conversation))
        shown = list(islice(_rows(messages, fold), MOST_ROWS))
        self.rows = [row for row, _ in shown]
        self.more = len(messages) - sum(count for _, count in shown)

    def lines(self) -> Iterator[str]:
        """The picture as lines of text."""
        client, server = clip(self.client, 34), clip(self.server, 34)
        head = client + " " * (BETWEEN + 2 - columns(client) - columns(server)) + server
        yield f"{'  seconds ' if self.times else '  '}{head}{'bytes':>10}"
        for row in self.rows:
            time = f"{row.time:9.3f} " if self.times else "  "
            yield f"{time}|{arrow_text(row)}|{row.size:>10,}"
        if self.more:
            yield f"{'':{10 if self.times else 2}}  … {self.more:,} more messages …"

    def html(self) -> Markup:
        """The picture as HTML."""
        above = legend(kind for row in self.rows for kind, _ in row.kinds)
        server = tag("span", self.server, style="margin-left:auto;padding-left:24px")
        ends = tag("div", tag("span", self.client), server, style="display:flex;white-space:nowrap")
        seconds = [tag("th", "seconds", scope="col", style=CELL)] if self.times else []
        between = tag("th", ends, scope="col", style="padding:2px 0;width:100%")
        lines = [table_row(*seconds, between, tag("th", "bytes", scope="col", style=f"{CELL};padding-left:12px"))]
        for row in self.rows:
            seconds = [tag("td", f"{row.time:.3f}", style=f"{CELL};{MUTED}")] if self.times else []
            arrow = tag("td", arrow_html(row), style=f"padding:0;{LIFELINES}")
            lines.append(table_row(*seconds, arrow, tag("td", f"{row.size:,}", style=CELL)))
        more = [tag("div", f"… {self.more:,} more messages …", style=MUTED)] if self.more else []
        return tag("div", above, wide_table(*lines), *more)


ladder = SequenceDiagram


def ends_of(conversation: object) -> tuple[str, str]:
    """What to write above the two lines."""
    client, server = (f"{end} {getattr(conversation, end, '')}".strip() for end in ("client", "server"))
    return client, server


def _rows(messages: Sequence[Any], fold: bool) -> Iterator[tuple[SequenceRow, int]]:
    """The rows, each with the number of messages that it stands for."""
    start = messages[0].time if messages else 0.0
    for at, shown, folded, text in stretches(messages, fold):
        for message in messages[at : at + shown]:
            yield row_of(message, start), 1
        if folded:
            same = messages[at + shown : at + shown + folded]
            yield SequenceRow("", same[0].time - start, text, sum(len(one.raw) for one in same)), folded


def stretches(messages: Sequence[Any], fold: bool = True) -> Iterator[tuple[int, int, int, str]]:
    """What is shown and what is folded of messages, in order.

    Yields:
        The index of the first message, how many from there on are shown, how many after them are folded, and what is
        to be said of those.
    """
    start = messages[0].time if messages else 0.0
    alike = [_likeness(message) for message in messages] if fold else []
    first = at = 0
    while at < len(alike):
        period, repeats = _repeats(alike, at)
        at += period
        if repeats:
            folded = period * repeats
            what = "like this" if period == 1 else "pairs like these"
            until = messages[at + folded - 1].time - start
            yield first, at - first, folded, f"… {repeats:,} more {what}, until {until:.3f} s …"
            first = at = at + folded
    if first < len(messages):
        yield first, len(messages) - first, 0, ""


def _repeats(alike: Sequence[object], at: int) -> tuple[int, int]:
    """How many messages from ``at`` on make a pattern, and how often it comes again after that."""
    for period in (1, 2):
        end = at + period
        while end < len(alike) and alike[end] == alike[end - period]:
            end += 1
        if (repeats := (end - at) // period - 1) >= REPEATS:
            return period, repeats
    return 1, 0


def _likeness(message: Any) -> object:
    """What two messages have in common that a reader would call the same, but for what they carry."""
    frame, head = getattr(message, "frame", None), getattr(message, "head", None)
    if frame is not None:
        return message.sender, frame.opcode, frame.fin
    if head is not None and message.kind == "request":
        # A poll says in its query what it knows already: each has another one, and they are polls all the same.
        return message.sender, head.method, head.target.partition("?")[0]
    # What is neither is like no other, which its id says.
    return message.sender, message.kind, getattr(head, "status", id(message))


def row_of(message: Any, start: float) -> SequenceRow:
    """A message as a row; ``start`` is the time of the first message."""
    kinds = () if message.kind == "gap" else tuple(view(message).sizes().items())
    return SequenceRow(message.sender, message.time - start, _describe(message), len(message.raw), kinds)


def _describe(message: Any) -> str:
    """A message in a few words: the request line, the status line, or the opcode and what the frame carries."""
    frame, head = getattr(message, "frame", None), getattr(message, "head", None)
    if message.kind == "gap":
        return f"gap: {getattr(message, 'missing', 0):,} bytes are missing; after them nothing is read"
    if frame is not None:
        return _describe_frame(message, frame)
    if head is None:
        return visible(str(message.kind))
    if message.kind == "request":
        return visible(f"{head.method} {head.target[:200]} {head.version}")
    return visible(f"{head.status} {head.reason[:200]}")


def _describe_frame(message: Any, frame: Any) -> str:
    text, payload = opcode_name(frame.opcode), frame.payload
    if not frame.fin:
        text += ", not the last fragment"
    # What is compressed (RFC 7692, 6) reads as noise: it is told as it was meant, by the last frame of its message.
    if getattr(message, "compressed", False):
        text, payload = f"{text}, compressed", message.content if message.text is None else message.text
    elif frame.rsv1:
        return text + ", RSV1 set: compressed"
    if frame.opcode == Opcode.CLOSE:
        # RFC 6455, 5.5.1: the first two bytes, if there are any, are the status code, and the rest is UTF-8.
        code = f" {int.from_bytes(payload[:2], 'big')} " if len(payload) >= 2 else ""
        return f"{text}{code}{visible(payload[2:].decode('utf-8', 'replace'))}".rstrip()
    if frame.opcode == Opcode.TEXT and isinstance(payload, bytes):
        payload = payload[:200].decode("utf-8", "replace")
    shown = show_value(payload, 48)
    return f"{text}: {shown}" if shown else text


def arrow_text(row: SequenceRow) -> str:
    """The way from one line to the other in text: ``--- GET / ---->``."""
    text = clip(row.text, BETWEEN - 10)
    dashes = "-" * (BETWEEN - columns(text) - 6)
    if not row.sender:
        return f"{text:^{BETWEEN}}"
    return f"--- {text} {dashes}>" if row.sender == "client" else f"<{dashes} {text} ---"


def arrow_html(row: SequenceRow) -> Markup:
    """The same as a shaft, whose parts are as long as the shares of the kinds in the message."""
    # dir=auto: a payload in Hebrew or Arabic reads from the right, and its arrow stays where it is.
    text = tag("samp", clip(row.text, 64), dir="auto")
    flex = "display:flex;align-items:center;gap:8px;padding:3px 6px;white-space:nowrap"
    if not row.sender:
        return tag("div", tag("span", clip(row.text, 80), style=f"margin:0 auto;{MUTED}"), style=flex)
    if row.kinds:
        box, line = "height:4px;min-width:3px", "display:flex;flex:1 1 auto;min-width:60px"
        shaft = stacked_bar(dict(row.kinds), row.size or 1, box=box, row=line, digits=1)
    else:  # a gap, or an empty message: a dotted line says that there are no bytes
        shaft = tag("div", style="flex:1 1 auto;min-width:60px;border-bottom:2px dotted #808080")
    return tag("div", *((text, shaft, "►") if row.sender == "client" else ("◄", shaft, text)), style=flex)
