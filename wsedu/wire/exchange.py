# SPDX-License-Identifier: GPL-2.0-or-later
"""What two endpoints said to each other: HTTP messages in pairs, and WebSocket frames from a 101 on.

This is the reader's half of the protocol: it finds where messages end and lets through whatever has readable
boundaries, legal or not. Bytes go in per direction and in order; messages come out as soon as they are complete.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Literal, NamedTuple

from ..protocol.content import (
    Chunked,
    ChunkedDecoder,
    Framing,
    Length,
    NoContent,
    Switch,
    UntilClose,
    content_framing,
)
from ..protocol.errors import NeedMoreData, ProtocolError
from ..protocol.frames import apply_mask, parse_header
from ..protocol.http1 import Request, Response, begins_request
from .codings import InflateBudget, remove_transfer_codings

Sender = Literal["client", "server"]
OTHER: dict[Sender, Sender] = {"client": "server", "server": "client"}

LONGEST_HEAD = 1 << 18  # bytes; what Chromium takes. A head that goes on for longer never ends.
_SHORT_HEAD = 1 << 10  # bytes of a head that is looked at again at each byte, to see early what is no HTTP


class ParsedMessage(NamedTuple):
    """A message, as bytes of its direction."""

    kind: Literal["request", "response", "frame"]
    sender: Sender
    start: int  # place of its first byte in the stream
    raw: bytes
    head: Request | Response | None
    content: bytes  # without transfer codings; of a frame the unmasked payload
    request_method: str | None = None  # of a response, that of the request it answers


class SyncLost(NamedTuple):
    """Message boundaries of a direction cannot be read from here on; the other direction goes on."""

    sender: Sender
    why: str


class _Direction:
    def __init__(self) -> None:
        self.buffer = bytearray()
        self.start = 0  # place of buffer[0] in the stream
        self.looked = 0  # bytes of the buffer in which the end of a head is not
        self.head: Request | Response | None = None
        self.head_size = 0
        self.request_method: str | None = None  # of a response, of which the head is there
        self.framing: Framing | None = None
        self.chunks: ChunkedDecoder | None = None
        self.fed = 0  # bytes after the head that the decoder of chunks has
        self.content: list[bytes] = []
        self.frames = False
        self.waiting = False  # a client that asked to switch: what follows depends on the response
        self.answered = False  # a request of which the head was not complete when its final response came
        self.unsure = False  # frames or a request follow, and only the bytes themselves can say which
        self.ended = False  # no further byte will come
        self.lost = False  # message boundaries cannot be read any more

    def take(self, size: int) -> bytes:
        raw = bytes(self.buffer[:size])
        del self.buffer[:size]
        self.start += size
        self.head = self.framing = self.chunks = self.request_method = None
        self.answered = False
        self.looked = self.fed = 0
        self.content = []
        return raw


class Exchange:
    """Both directions of one connection. ``end`` a direction to say that no byte of it will follow.

    Args:
        budget: how much may be inflated; one for all connections of a capture.
    """

    def __init__(self, budget: InflateBudget | None = None) -> None:
        self._budget = budget
        self._sides: dict[Sender, _Direction] = {"client": _Direction(), "server": _Direction()}
        self._asked: deque[Request] = deque()  # requests whose final response has not come
        self.switched = False  # a 101 to WebSocket has come

    def receive(self, sender: Sender, data: bytes) -> Iterator[ParsedMessage | SyncLost]:
        """Take the next bytes of a direction.

        Yields:
            The messages that they complete, in both directions: a 101 sets free what the client sent after it.
        """
        side = self._sides[sender]
        if not side.ended and not side.lost:
            side.buffer += data
            yield from self._read(sender)

    def end(self, sender: Sender, *, whole: bool) -> Iterator[ParsedMessage | SyncLost]:
        """The direction has ended; ``whole`` if by FIN, so that content until the close is complete. As ``receive``."""
        side = self._sides[sender]
        if side.ended or side.lost:
            return
        side.ended = True
        if whole and isinstance(side.framing, UntilClose):
            side.content = [bytes(side.buffer[side.head_size :])]
            yield from self._message(sender, len(side.buffer))
        yield from self._unanswered(sender)
        if side.head is None and side.looked > _SHORT_HEAD:
            try:
                self._split_head(sender, side)
            except NeedMoreData:
                pass
            except ProtocolError as error:
                yield self._lose(sender, str(error))

    def _unanswered(self, sender: Sender) -> Iterator[ParsedMessage | SyncLost]:
        """Nothing more is read of a direction: what waits for it in the other one has to do without."""
        client = self._sides["client"]
        if sender == "server" and client.waiting:
            client.waiting, client.unsure = False, True
            yield from self._read("client")

    def _lose(self, sender: Sender, why: str) -> SyncLost:
        self._sides[sender].lost = True
        return SyncLost(sender, why)

    def waiting(self, sender: Sender) -> bool:
        """Whether a direction holds bytes that only the other one makes readable."""
        return self._sides[sender].waiting

    def lost(self, sender: Sender) -> bool:
        """Whether a direction is not read any further."""
        return self._sides[sender].lost

    def begun(self) -> bool:
        """Whether a head was read, of either direction."""
        return any(side.start or side.head is not None for side in self._sides.values())

    def lend_frames(self, sender: Sender) -> bytearray | None:
        """For a reader of its own: what is there of the frame that is due; ``None`` if none can be due."""
        side = self._sides[sender]
        if not side.frames or side.ended or side.lost:
            return None
        held, side.buffer = side.buffer, bytearray()
        return held

    def take_back(self, sender: Sender, start: int, held: bytearray) -> None:
        """The reader stops before the frame that begins at ``start`` in the stream, of which it has ``held``."""
        side = self._sides[sender]
        side.start, side.buffer = start, held

    def unfinished(self, sender: Sender) -> ParsedMessage | None:
        """As much as is there of a message that is not complete; ``None`` if nothing is, or nothing is known of it."""
        side = self._sides[sender]
        if not side.buffer or (side.head is None and not side.frames):
            return None
        kind: Literal["request", "response", "frame"] = "frame" if side.frames else "response"
        if isinstance(side.head, Request):
            kind = "request"
        return ParsedMessage(
            kind, sender, side.start, bytes(side.buffer), side.head, b"", side.request_method
        )

    def _read(self, sender: Sender) -> Iterator[ParsedMessage | SyncLost]:
        side = self._sides[sender]
        while side.buffer and not side.waiting and not side.lost:
            if side.unsure and side.head is None:
                # A method has two bytes of ASCII at least; in a frame of a client the second begins with MASK.
                if len(side.buffer) < 2:
                    return
                begin = bytes(side.buffer[:2])
                side.frames, side.unsure = begin[:1].isspace() or not begins_request(begin), False
            try:
                size = self._frame_size(side) if side.frames else self._message_size(sender, side)
            except NeedMoreData:
                return
            except ProtocolError as error:
                yield self._lose(sender, str(error))
                yield from self._unanswered(sender)
                return
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
    def _frame(sender: Sender, side: _Direction, size: int) -> ParsedMessage:
        header, start = parse_header(side.buffer), side.start
        raw = side.take(size)
        payload = raw[header.size :]
        if header.masking_key is not None:
            payload = apply_mask(payload, header.masking_key)
        return ParsedMessage("frame", sender, start, raw, None, payload)

    def _message_size(self, sender: Sender, side: _Direction) -> int:
        """Bytes of the HTTP message at the start of the buffer; raises NeedMoreData while it is not complete."""
        if side.head is None:
            self._take_head(sender, side)
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
            return self._chunked_size(side)
        raise NeedMoreData  # content until the close

    def _take_head(self, sender: Sender, side: _Direction) -> None:
        """Have the head in ``side``. It may come in many pieces: a long one is split only where it may end."""
        since, side.looked = max(0, side.looked - 2), len(side.buffer)
        if since > _SHORT_HEAD and all(side.buffer.find(end, since) < 0 for end in (b"\n\r\n", b"\n\n")):
            if side.looked <= LONGEST_HEAD:
                raise NeedMoreData
        elif since > _SHORT_HEAD and not side.buffer[:_SHORT_HEAD].strip(b"\r\n"):
            raise _refusal("nothing but empty lines", "start line", "RFC 9112, 2.2")
        try:
            self._split_head(sender, side)
        except NeedMoreData:
            if side.looked > LONGEST_HEAD:
                message = f"a head of more than {LONGEST_HEAD:,} bytes"
                raise _refusal(message, "head", "RFC 9112, 2.1") from None
            raise

    def _split_head(self, sender: Sender, side: _Direction) -> None:
        if sender == "client":
            request, side.head_size = Request.parse(side.buffer, strict=False)
            if (request.method, request.version) == ("PRI", "HTTP/2.0"):
                raise _refusal("HTTP/2 begins here", "request line", "RFC 9113, 3.4")
            side.head = request
            if not side.answered:
                self._asked.append(request)  # now: its final response may come before its content is complete
            side.framing = content_framing(request)
        else:
            side.head, side.head_size = Response.parse(side.buffer, strict=False)
            side.request_method = self._asked[0].method if self._asked else None
            side.framing = content_framing(side.head, side.request_method)

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

    def _message(self, sender: Sender, size: int) -> Iterator[ParsedMessage | SyncLost]:
        side = self._sides[sender]
        head, framing, start, method = side.head, side.framing, side.start, side.request_method
        assert head is not None
        content, answered = remove_transfer_codings(head, b"".join(side.content), self._budget), side.answered
        raw = side.take(size)
        if isinstance(head, Request):
            if "websocket" in head.field_tokens("Upgrade"):
                # Only the response says whether frames follow. It may be here already, or never come.
                server = self._sides["server"]
                side.frames = self.switched
                side.unsure = (server.ended or server.lost) and not self.switched
                side.waiting = not (side.frames or side.unsure or answered)
            yield ParsedMessage("request", sender, start, raw, head, content)
            return
        lost = None
        if head.status >= 200 or head.status == 101:
            lost = self._answered(head, isinstance(framing, Switch))
        yield ParsedMessage("response", sender, start, raw, head, content, method)
        if lost is not None:
            yield lost
        yield from self._read("client")

    def _answered(self, response: Response, switched: bool) -> SyncLost | None:
        """What follows on both sides after a final response, or a 101."""
        client, server = self._sides["client"], self._sides["server"]
        request = self._asked.popleft() if self._asked else None
        if request is None and client.head is None and client.buffer:
            client.answered = True  # 408 or 431, say
        if not switched:
            client.waiting = client.waiting and bool(self._asked)
            return None
        # A 101 that does not say to what has switched to what was asked for.
        says = response if request is None or response.get("Upgrade") is not None else request
        if response.status != 101 or "websocket" not in says.field_tokens("Upgrade"):
            client.lost = True
            return self._lose("server", "the connection switched to a protocol that is not WebSocket")
        server.frames = self.switched = True
        client.frames = client.waiting
        client.unsure = not client.waiting  # the request was not there, or not yet
        client.waiting = False
        return None


def _refusal(message: str, field: str, section: str) -> ProtocolError:
    return ProtocolError(message, offset=0, field=field, section=section)
