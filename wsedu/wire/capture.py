# SPDX-License-Identifier: GPL-2.0-or-later
"""A capture, read: its conversations, and their messages in the order in which each became complete."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal

from ..protocol.content import content_framing, content_spans
from ..protocol.errors import ProtocolError
from ..protocol.frame_spans import frame_spans
from ..protocol.frames import Frame
from ..protocol.http1 import Request, Response, head_spans
from ..protocol.spans import Span
from .bill import Bill, bills
from .connections import Event, follow
from .pcapfile import CutShort, Packet, read_packets, write_pcap

Source = str | Path | BinaryIO


class Message:
    """A request, a response, a frame, or a gap where the capture lacks bytes.

    Attributes:
        kind: which of the four.
        sender: "client" or "server".
        time: of the packet that completed it, in seconds since the first packet of the file.
        raw: its bytes on the TCP stream; empty for a gap.
        packets: indices of the packets that carried it.
        head: a ``Request`` or ``Response``; ``None`` otherwise.
        content: of a request or response, without the transfer coding and with the content coding.
        payload: of a frame, unmasked and not inflated.
        missing: of a gap, how many bytes the capture lacks.
        conversation: the number of its conversation.
    """

    __slots__ = (
        "content", "conversation", "head", "kind", "missing", "packets", "payload", "raw", "sender", "time",
        "_request_method",
    )  # fmt: skip

    def __init__(self, event: Event, conversation: int, origin: int) -> None:
        found = event.found
        self.kind: Literal["request", "response", "frame", "gap"] = found.kind if found else "gap"
        self.sender = event.sender
        self.time = (event.time - origin) / 1e9
        self.packets = event.packets
        self.raw = found.raw if found else b""
        self.head: Request | Response | None = found.head if found else None
        self.content = found.content if found and found.kind != "frame" else b""
        self.payload = found.content if found and found.kind == "frame" else b""
        self.missing = event.missing
        self.conversation = conversation
        self._request_method = event.request_method

    @property
    def frame(self) -> Frame | None:
        """The frame as a value, not judged; ``None`` for other kinds."""
        return Frame.parse(self.raw, strict=False)[0] if self.kind == "frame" else None

    def spans(self) -> list[Span]:
        """What each byte of ``raw`` is, in order."""
        if self.kind == "frame":
            return frame_spans(self.raw)
        if self.head is None:
            return []
        _, size = type(self.head).parse(self.raw, strict=False)
        spans = head_spans(self.raw[:size])
        try:
            framing = content_framing(self.head, self._request_method)
        except ProtocolError:
            return spans
        return spans + [span.shift(size) for span in content_spans(self.raw[size:], framing)]

    def __repr__(self) -> str:
        return f"<{self.kind} of the {self.sender}, {len(self.raw):,} bytes, at {self.time:.6f} s>"


class Conversation:
    """What was said on one connection.

    Attributes:
        client, server: ``"ip:port"``.
        messages: in the order in which each became complete.
        index: its number in the capture, from 0, in the order of first packets.
    """

    def __init__(self, index: int, client: str, server: str, capture: Capture) -> None:
        self.index, self.client, self.server = index, client, server
        self.messages: list[Message] = []
        self._capture = capture

    def bill(self) -> Bill:
        """What every byte of this connection was spent on."""
        return self._capture._bills()[1][self.index]

    def __repr__(self) -> str:
        count = len(self.messages)
        return f"<conversation {self.index}: {self.client} to {self.server}, {count:,} message{'s' * (count != 1)}>"


class Capture:
    """A capture, read whole; see ``read``.

    Attributes:
        conversations: those of which something could be read.
        warnings: what could not be read and why, a line each.
        modelled: TCP/IP was made up by the relay of ``record``; a file cannot say so.
        complete: false if the file is cut short, or the kernel dropped packets that ``record`` was to write down.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._packets: list[Packet] | None = None
        self._billed: tuple[Bill, dict[int, Bill]] | None = None
        self.conversations: list[Conversation] = []
        self.warnings: list[str] = []
        self.cut_short = False
        self.modelled = False
        self.complete = True

    @property
    def packets(self) -> Sequence[Packet]:
        """The packets as the file has them. Read from the file when first asked for, so keep it until then."""
        if self._packets is None:
            self._packets = []
            with _opened(self._source) as file:
                try:
                    self._packets.extend(read_packets(file))
                except CutShort:
                    pass  # is among the warnings already
        return self._packets

    def bill(self) -> Bill:
        """What every byte of the capture was spent on."""
        return self._bills()[0]

    def _bills(self) -> tuple[Bill, dict[int, Bill]]:
        """The bill, and that of each connection; made when first asked for, from the packets as the file has them."""
        if self._billed is None:
            self._billed = bills(self.packets)
        return self._billed

    def save(self, path: str | Path) -> None:
        """Write the packets as a pcap file.

        Raises:
            OSError: the file cannot be written.
            ValueError: packets of several link types, which pcap cannot hold.
        """
        Path(path).write_bytes(write_pcap(self.packets))

    def __repr__(self) -> str:
        messages = sum(len(conversation.messages) for conversation in self.conversations)
        modelled = "; TCP/IP modelled by the relay" if self.modelled else ""
        missing = "" if self.complete else "; NOT COMPLETE, see .warnings"
        return (
            f"<capture: {len(self.conversations):,} conversations, {messages:,} messages{modelled}{missing}>"
        )


def read(source: Source) -> Capture:
    """Read a pcap or pcapng file.

    Args:
        source: a path, or a binary file that can seek.

    Raises:
        OSError: the file cannot be opened.
        NotACapture: it is neither pcap nor pcapng. (A file that is cut short gives a warning instead.)
    """
    capture = Capture(source)
    conversations: dict[int, Conversation] = {}
    with _opened(source) as file:
        try:
            for event in follow(read_packets(file), capture.warnings):
                conversation = conversations.get(event.connection)
                if conversation is None:
                    conversation = Conversation(event.connection, event.client, event.server, capture)
                    conversations[event.connection] = conversation
                conversation.messages.append(Message(event, event.connection, event.origin))
        except CutShort as error:
            capture.cut_short, capture.complete = True, False
            capture.warnings.append(str(error))
    capture.conversations = [conversations[index] for index in sorted(conversations)]
    return capture


def messages(source: Source) -> Iterator[Message]:
    """The messages of a capture one by one, in flat memory: nothing is kept of those that were given.

    Args, Raises:
        As ``read``, but CutShort is raised, after the last message before the cut.
    """
    with _opened(source) as file:
        for event in follow(read_packets(file), []):
            yield Message(event, event.connection, event.origin)


@contextmanager
def _opened(source: Source) -> Iterator[BinaryIO]:
    if isinstance(source, (str, Path)):
        with open(source, "rb") as file:
            yield file
    else:
        source.seek(0)
        yield source
