# SPDX-License-Identifier: GPL-2.0-or-later
"""A message as ``read`` and ``messages`` give it."""

from __future__ import annotations

from typing import Literal

from ..protocol.content import content_framing, content_spans
from ..protocol.errors import ProtocolError
from ..protocol.frame_spans import frame_spans
from ..protocol.frames import Frame
from ..protocol.head_spans import head_spans
from ..protocol.header import MASK, Header, parse_header
from ..protocol.http1 import Request, Response
from ..protocol.masking import apply_mask
from ..protocol.spans import Span
from .exchange import Sender

MessageKind = Literal["request", "response", "frame", "gap"]


class Message:
    """A request, a response, a frame, or a gap where the capture lacks bytes.

    Attributes:
        kind: which of the four.
        sender: "client" or "server".
        time: of the packet that completed it, in seconds since the first packet of the file.
        packets: indices of the packets that carried it.
        conversation: the number of its conversation.
        head: a ``Request`` or ``Response``; ``None`` otherwise.
        content: of a request or response, without transfer codings and with the content coding.
        request_method: of a response, that of the request it answers; ``None`` if the capture does not have it.
        payload: of a frame, unmasked and not inflated.
        missing: of a gap, how many bytes the capture lacks.
    """

    __slots__ = (
        "content", "conversation", "head", "kind", "missing", "packets", "payload", "request_method", "sender",
        "time", "_bytes",
    )  # fmt: skip

    def __init__(
        self,
        kind: MessageKind,
        conversation: int,
        sender: Sender,
        time: float,
        packets: tuple[int, ...],
        data: bytes,
        payload: bytes = b"",
        *,
        head: Request | Response | None = None,
        content: bytes = b"",
        missing: int = 0,
        request_method: str | None = None,
    ) -> None:
        """``data`` is the header of a frame, and of anything else the whole of it."""
        self.kind = kind
        self.conversation = conversation
        self.sender = sender
        self.time = time
        self.packets = packets
        self._bytes = data
        self.payload = payload
        self.head = head
        self.content = content
        self.missing = missing
        self.request_method = request_method

    @property
    def raw(self) -> bytes:
        """Its bytes on the TCP stream; empty for a gap."""
        if self.kind != "frame":
            return self._bytes
        # Put together when asked for, so that a large payload is in memory once: masking is its own inverse.
        header, payload = self._bytes, self.payload
        return header + (apply_mask(payload, header[-4:]) if header[1] & MASK else payload)

    @property
    def wire_length(self) -> int:
        """How many bytes ``raw`` has."""
        return len(self._bytes) + (len(self.payload) if self.kind == "frame" else 0)

    @property
    def header(self) -> Header | None:
        """What stands before the payload of a frame; ``None`` for other kinds."""
        return parse_header(self._bytes) if self.kind == "frame" else None

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
            framing = content_framing(self.head, self.request_method)
        except ProtocolError:
            return spans
        return spans + [span.shift(size) for span in content_spans(self.raw[size:], framing)]

    def __repr__(self) -> str:
        return f"<{self.kind} of the {self.sender}, {self.wire_length:,} bytes, at {self.time:.6f} s>"
