# SPDX-License-Identifier: GPL-2.0-or-later
"""What two endpoints said to each other: HTTP messages in pairs, and WebSocket frames from a 101 on.

This is the reader's half of the protocol: it finds where messages end and lets through whatever has readable
boundaries, legal or not. Bytes go in per direction and in order; messages come out as soon as they are complete.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Literal, NamedTuple

from ..protocol.chunked import ChunkedDecoder
from ..protocol.content import Chunked, Length, NoContent, Switch, UntilClose, content_framing
from ..protocol.errors import NeedMoreData, ProtocolError
from ..protocol.header import parse_header
from ..protocol.http1 import Request, Response
from ..protocol.masking import apply_mask

Sender = Literal["client", "server"]
OTHER: dict[Sender, Sender] = {"client": "server", "server": "client"}


class Found(NamedTuple):
    """A message, as bytes of its direction."""

    kind: Literal["request", "response", "frame"]
    sender: Sender
    start: int  # place of its first byte in the stream
    raw: bytes
    head: Request | Response | None
    content: bytes  # without transfer coding; of a frame the unmasked payload


class Unreadable(Exception):
    """A direction whose message boundaries cannot be read; the message says why."""


class _Direction:
    def __init__(self) -> None:
        self.buffer = bytearray()
        self.start = 0  # place of buffer[0] in the stream
        self.head: Request | Response | None = None
        self.head_size = 0
        self.framing: NoContent | Length | Chunked | UntilClose | Switch | None = None
        self.chunks: ChunkedDecoder | None = None
        self.fed = 0  # bytes after the head that the decoder of chunks has
        self.content: list[bytes] = []
        self.frames = False
        self.waiting = False  # a client that asked to switch: what follows depends on the response
        self.ended = False

    def take(self, size: int) -> bytes:
        raw = bytes(self.buffer[:size])
        del self.buffer[:size]
        self.start += size
        self.head = self.framing = self.chunks = None
        self.fed, self.content = 0, []
        return raw


class Exchange:
    """Both directions of one connection. ``end`` a direction to say that no byte of it will follow."""

    def __init__(self) -> None:
        self._sides: dict[Sender, _Direction] = {"client": _Direction(), "server": _Direction()}
        self._asked: deque[Request] = deque()  # requests whose final response has not come

    def receive(self, sender: Sender, data: bytes) -> Iterator[Found]:
        """Take the next bytes of a direction.

        Yields:
            The messages that they complete, in both directions: a 101 sets free what the client sent after it.

        Raises:
            Unreadable: the boundaries of this direction cannot be read from here on; the other goes on.
        """
        side = self._sides[sender]
        if not side.ended:
            side.buffer += data
            yield from self._read(sender)

    def end(self, sender: Sender, *, whole: bool) -> Iterator[Found]:
        """The direction has ended; ``whole`` if by FIN, so that content until the close is complete.

        Yields, Raises:
            As ``receive``.
        """
        side = self._sides[sender]
        if whole and isinstance(side.framing, UntilClose) and not side.ended:
            side.content = [bytes(side.buffer[side.head_size :])]
            yield from self._message(sender, len(side.buffer))
        side.ended = True
        if sender == "server" and self._sides["client"].waiting:
            # The response to the request to switch is not there. Frames of a client begin with a set bit in practice,
            # and a method never does.
            client = self._sides["client"]
            client.waiting, client.frames = False, bool(client.buffer and client.buffer[0] & 0x80)
            yield from self._read("client")

    def begun(self, sender: Sender) -> bool:
        """Whether a first message of this direction was read."""
        return self._sides[sender].start > 0

    def lend_frames(self, sender: Sender) -> bytearray | None:
        """For a reader of its own: what is there of the frame that is due; ``None`` if none can be due."""
        side = self._sides[sender]
        if not side.frames or side.waiting or side.ended:
            return None
        held, side.buffer = side.buffer, bytearray()
        return held

    def take_back(self, sender: Sender, start: int, held: bytearray) -> None:
        """The reader stops before the frame that begins at ``start`` in the stream, of which it has ``held``."""
        side = self._sides[sender]
        side.start, side.buffer = start, held

    def unfinished(self, sender: Sender) -> Found | None:
        """As much as is there of a message that is not complete; ``None`` if nothing is, or nothing is known of it."""
        side = self._sides[sender]
        if not side.buffer or (side.head is None and not side.frames):
            return None
        kind: Literal["request", "response", "frame"] = "frame" if side.frames else "response"
        if isinstance(side.head, Request):
            kind = "request"
        return Found(kind, sender, side.start, bytes(side.buffer), side.head, b"")

    def _read(self, sender: Sender) -> Iterator[Found]:
        side = self._sides[sender]
        while side.buffer and not side.waiting and not side.ended:
            try:
                size = self._frame_size(side) if side.frames else self._message_size(sender, side)
            except NeedMoreData:
                return
            except ProtocolError as error:
                side.ended = True
                raise Unreadable(str(error)) from None
            if side.frames:
                yield self._frame(sender, side, size)
            else:
                yield from self._message(sender, size)

    @staticmethod
    def _frame_size(side: _Direction) -> int:
        header = parse_header(side.buffer)
        if len(side.buffer) < header.size + header.payload_length:
            raise NeedMoreData
        return header.size + header.payload_length

    @staticmethod
    def _frame(sender: Sender, side: _Direction, size: int) -> Found:
        header, start = parse_header(side.buffer), side.start
        raw = side.take(size)
        payload = raw[header.size :]
        if header.masking_key is not None:
            payload = apply_mask(payload, header.masking_key)
        return Found("frame", sender, start, raw, None, payload)

    def _message_size(self, sender: Sender, side: _Direction) -> int:
        """Bytes of the HTTP message at the start of the buffer; raises NeedMoreData while it is not complete."""
        if side.head is None:
            if sender == "client":
                side.head, side.head_size = Request.parse(side.buffer, strict=False)
                side.framing = content_framing(side.head)
            else:
                side.head, side.head_size = Response.parse(side.buffer, strict=False)
                method = self._asked[0].method if self._asked else None
                side.framing = content_framing(side.head, method)
        framing, have = side.framing, len(side.buffer) - side.head_size
        if isinstance(framing, NoContent | Switch):
            return side.head_size
        if isinstance(framing, Length):
            if have < framing.bytes:
                raise NeedMoreData
            size = side.head_size + framing.bytes
            side.content = [bytes(side.buffer[side.head_size : size])]
            return size
        if isinstance(framing, Chunked):
            return side.head_size + self._chunked_size(side)
        raise NeedMoreData  # content until the close

    @staticmethod
    def _chunked_size(side: _Direction) -> int:
        if side.chunks is None:
            side.chunks = ChunkedDecoder()
        decoder, at = side.chunks, side.head_size
        decoder.receive_data(bytes(side.buffer[at + side.fed :]))
        side.fed = len(side.buffer) - at
        while (span := decoder.next_span()) is not None:
            if span.kind == "content":
                side.content.append(bytes(side.buffer[at + span.start : at + span.end]))
        if not decoder.done:
            raise NeedMoreData
        return at + decoder.used

    def _message(self, sender: Sender, size: int) -> Iterator[Found]:
        side = self._sides[sender]
        head, framing, content, start = side.head, side.framing, b"".join(side.content), side.start
        raw = side.take(size)
        if isinstance(head, Request):
            self._asked.append(head)
            # Only the response says whether frames follow.
            side.waiting = "websocket" in head.field_tokens("Upgrade")
            yield Found("request", sender, start, raw, head, content)
        elif isinstance(head, Response):
            yield Found("response", sender, start, raw, head, content)
            if head.status >= 200 or head.status == 101:
                yield from self._answered(head, isinstance(framing, Switch))

    def _answered(self, response: Response, switched: bool) -> Iterator[Found]:
        request = self._asked.popleft() if self._asked else None
        client, server = self._sides["client"], self._sides["server"]
        if switched:
            websocket = response.status == 101 and "websocket" in response.field_tokens("Upgrade")
            client.frames = server.frames = websocket
            if not websocket:
                client.ended = server.ended = True
                raise Unreadable("the connection switched to a protocol that is not WebSocket")
        if request is not None and client.waiting and not self._asked:
            client.waiting = False
            yield from self._read("client")
