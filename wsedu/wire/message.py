# SPDX-License-Identifier: GPL-2.0-or-later
"""A message as ``read`` and ``messages`` give it."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import Literal, Self

from ..protocol.content import content_framing, content_spans
from ..protocol.errors import ProtocolError, printable, quoted
from ..protocol.frame_spans import frame_spans
from ..protocol.frames import FIN, MASK, OPCODE, Frame, Header, apply_mask, parse_header
from ..protocol.hpack import field_block_spans
from ..protocol.http1 import Request, Response
from ..protocol.http1_spans import head_spans
from ..protocol.http2 import spans_with_framing, with_framing
from ..protocol.opcodes import Opcode, opcode_name
from ..protocol.spans import Kind, Span
from .codings import Inflated, text_of_content
from .message_parser import OnStream, Packets, ParsedMessage, Sender

MOST_SHOWN = 60  # characters of a message in what its payload means
MessageKind = Literal["request", "response", "frame", "gap", "message"]


class CapturedMessage:
    """A request, a response, a frame, or a gap where the capture lacks bytes: each kind is a class of its own.

    Attributes:
        kind: which of the four; and "message", of several frames, where those are asked for.
        sender: "client" or "server".
        time: of the packet that completed it, in seconds since the first packet of the file.
        packets: indices of the packets that carried it.
        conversation: the number of its conversation.
        head: a ``Request`` or ``Response``; ``None`` otherwise.
        opcode: of a frame, or of the first frame of a message; ``None`` otherwise.
        content: what was meant: of a request or response, without transfer codings and with the content coding; of a
            frame its payload; of the last frame of a compressed message that message, inflated (empty for the others).
        compressed: of a data frame, whether it is part of a compressed message; ``None`` where nobody agreed on that.
        inflate_error: of the last frame of a compressed message, why it is not inflated; else empty.
        request_method: of a response, that of the request it answers; ``None`` if the capture does not have it.
        payload: of a frame, unmasked and not inflated.
        missing: of a gap, how many bytes the capture lacks.
        on_stream: of a message of HTTP/2, on which stream it was, and how.
    """

    # What a kind does not have it does not store either: there may be a million frames, and an empty slot is 8 bytes.
    __slots__ = ("conversation", "packets", "sender", "time")

    kind: MessageKind
    conversation: int
    sender: Sender
    time: float
    packets: Packets
    head: Request | Response | None = None
    request_method: str | None = None
    compressed: bool | None = None
    inflate_error: str = ""
    missing: int = 0
    on_stream: OnStream | None = None

    def __init__(self, conversation: int, sender: Sender, time: float, packets: Packets) -> None:
        self.conversation = conversation
        self.sender = sender
        self.time = time
        self.packets = packets

    @property
    def opcode(self) -> int | None:
        """Of a frame or a message, as above; ``None`` for other kinds."""
        return None

    @property
    def payload(self) -> bytes:
        """Of a frame or a message, as above; empty for other kinds."""
        return b""

    @property
    def content(self) -> bytes:
        """What was meant, as above; empty for a gap."""
        return self.payload

    @property
    def text(self) -> str | None:
        """Of a Text message that is one frame, or of the last frame of a compressed one: the text. Of content that is
        text: that, without its content codings. Else ``None``.

        What is no UTF-8 has the replacement character in its place.
        """
        return None

    @property
    def raw(self) -> bytes:
        """Its bytes on the TCP stream, in HTTP/2 without those of other streams between them; empty for a gap."""
        return b""

    @property
    def stream(self) -> int | None:
        """The number of its stream in HTTP/2; else ``None``."""
        return None if self.on_stream is None else self.on_stream.stream

    @property
    def wire_length(self) -> int:
        """How many bytes ``raw`` has."""
        return len(self.raw)

    @property
    def header(self) -> Header | None:
        """What stands before the payload of a frame; ``None`` for other kinds."""
        return None

    @property
    def frame(self) -> Frame | None:
        """The frame as a value, not checked; ``None`` for other kinds."""
        return None

    def spans(self) -> list[Span]:
        """What each byte of ``raw`` is, in order."""
        return []

    def __repr__(self) -> str:
        return f"<{self.kind} of the {self.sender}, {self.wire_length:,} bytes, at {self.time:.6f} s>"


class FrameMessage(CapturedMessage):
    """A frame. ``header`` are the bytes before the payload, ``payload`` those behind them, unmasked."""

    __slots__ = ("_header", "payload")

    kind: MessageKind = "frame"
    payload: bytes

    def __init__(
        self, conversation: int, sender: Sender, time: float, packets: Packets, header: bytes, payload: bytes
    ) -> None:
        # Not by way of the class above: this is called for every frame of a capture.
        self.conversation = conversation
        self.sender = sender
        self.time = time
        self.packets = packets
        self._header = header
        self.payload = payload

    @property
    def raw(self) -> bytes:
        """Its bytes on the TCP stream."""
        # Put together when asked for, so that a large payload is in memory once: masking is its own inverse, and the
        # masking key is what a header ends with (RFC 6455, 5.2).
        return self._frame_bytes()

    def _frame_bytes(self) -> bytes:
        """Without the framing of HTTP/2."""
        header, payload = self._header, self.payload
        return header + (apply_mask(payload, header[-4:]) if header[1] & MASK else payload)

    @property
    def wire_length(self) -> int:
        """How many bytes ``raw`` has."""
        return len(self._header) + len(self.payload)

    @property
    def first_byte(self) -> int:
        """FIN, RSV1 to RSV3 and the opcode."""
        return self._header[0]

    @property
    def opcode(self) -> int:
        """What it is: text, say, or a continuation."""
        return self._header[0] & OPCODE

    @property
    def text(self) -> str | None:
        """The text of a Text message that is this frame alone; else ``None``."""
        return self.payload.decode("utf-8", "replace") if self._header[0] == FIN | Opcode.TEXT else None

    @property
    def header(self) -> Header:
        """What stands before the payload."""
        return parse_header(self._header)

    @property
    def frame(self) -> Frame:
        """The frame as a value, not checked."""
        # From what is known of it: making its bytes again and reading those would cost five times as much.
        header = self._header
        return Frame.of_parts(header[0], self.payload, header[-4:] if header[1] & MASK else None)

    def spans(self) -> list[Span]:
        """What each byte of ``raw`` is, in order."""
        return frame_spans(self._frame_bytes())


class InflatedFrame(FrameMessage):
    """A data frame where permessage-deflate was agreed on (RFC 7692)."""

    __slots__ = ("_opcode", "compressed", "content", "inflate_error")

    content: bytes

    def tell(self, inflated: Inflated | None) -> Self:
        """What it means, if it is a data frame: itself, once that is known."""
        self.compressed, self._opcode, content, self.inflate_error = inflated or (None, 0, None, "")
        self.content = (content or b"") if self.compressed else self.payload
        return self

    @property
    def text(self) -> str | None:
        """The text of a Text message that ends here, and is compressed or only this frame; else ``None``."""
        if not self.compressed:
            return super().text
        ends = self._header[0] & FIN and self._opcode == Opcode.TEXT and not self.inflate_error
        return self.content.decode("utf-8", "replace") if ends else None

    def spans(self) -> list[Span]:
        """What each byte of ``raw`` is, in order; of the payload of a last frame also what its message says."""
        spans = super().spans()
        if not self.compressed or not self.payload:
            return spans
        if not self._header[0] & FIN:
            meaning = "part of a compressed message (RFC 7692)"
        elif self.inflate_error:
            meaning = f"compressed message (RFC 7692), and not inflated: {self.inflate_error}"
        else:
            text, most = self.text, MOST_SHOWN
            said = quoted(self.content) if text is None else f"“{printable(text[:most])}{'…' * (len(text) > most)}”"
            meaning = f"compressed message (RFC 7692): inflated, the message is {len(self.content):,} bytes, {said}"
        return [*spans[:-1], replace(spans[-1], value=self.payload, meaning=meaning, section="RFC 7692, 7.2.2")]


class FrameOnStream(InflatedFrame):
    """A frame of a WebSocket on a stream of HTTP/2 (RFC 8441), with the framing in its midst."""

    __slots__ = ("on_stream", "raw")

    on_stream: OnStream
    raw: bytes

    def put(self, on_stream: OnStream) -> Self:
        """On which stream it is, and how: itself, once that is known."""
        self.on_stream, self.raw = on_stream, with_framing(self._frame_bytes(), on_stream.framing)
        return self

    @property
    def wire_length(self) -> int:
        """How many bytes ``raw`` has."""
        return len(self.raw)

    def spans(self) -> list[Span]:
        """What each byte of ``raw`` is, in order."""
        return spans_with_framing(super().spans(), self.on_stream.framing)


class HttpMessage(CapturedMessage):
    """A request or a response. ``found`` is the whole of it."""

    __slots__ = ("content", "head", "kind", "on_stream", "raw", "request_method")

    head: Request | Response
    raw: bytes
    content: bytes

    def __init__(self, conversation: int, sender: Sender, time: float, packets: Packets, found: ParsedMessage) -> None:
        super().__init__(conversation, sender, time, packets)
        assert found.head is not None
        self.kind: MessageKind = found.kind
        self.head, self.content, self.request_method = found.head, found.content, found.request_method
        self.on_stream = found.on_stream
        self.raw = with_framing(found.raw, found.on_stream.framing if found.on_stream else ())

    @property
    def text(self) -> str | None:
        """Content as text, without its content codings; ``None`` if it is no text."""
        return text_of_content(self.head, self.content)

    def spans(self) -> list[Span]:
        """What each byte of ``raw`` is, in order."""
        if self.on_stream is not None:
            return self._spans_on_stream(self.on_stream)
        _, size = type(self.head).parse(self.raw, strict=False)
        spans = head_spans(self.raw[:size])
        try:
            framing = content_framing(self.head, self.request_method)
        except ProtocolError:
            return spans
        return spans + [span.shifted(size) for span in content_spans(self.raw[size:], framing)]

    def _spans_on_stream(self, on_stream: OnStream) -> list[Span]:
        """The fields, the content, fields behind it; and the framing in their midst."""
        size = len(on_stream.field_block)
        end = size + len(self.content)
        content = [Span(size, end, "content", self.content, "the content", Kind.CONTENT, "RFC 9113, 6.1")]
        trailers = field_block_spans(on_stream.trailer_block, on_stream.trailers)
        spans = field_block_spans(on_stream.field_block, self.head.fields) + content * bool(self.content)
        return spans_with_framing(spans + [span.shifted(end) for span in trailers], on_stream.framing)


class GapMessage(CapturedMessage):
    """Bytes that the capture lacks."""

    __slots__ = ("missing",)

    kind: MessageKind = "gap"

    def __init__(self, conversation: int, sender: Sender, time: float, packets: Packets, missing: int) -> None:
        super().__init__(conversation, sender, time, packets)
        self.missing = missing


class WholeMessage(CapturedMessage):
    """A Text or Binary message, in place of its data frames (RFC 6455, 5.4).

    Attributes:
        frames: all of it, in order.
        first_byte: of the first of them, with the FIN of the last.
        payload: of all, unmasked and as it was sent.
        content: what was meant: inflated if it is compressed, and empty if it could not be.
    """

    __slots__ = ("compressed", "content", "first_byte", "frames", "inflate_error", "on_stream", "opcode", "payload")

    kind: MessageKind = "message"
    opcode: int
    payload: bytes
    content: bytes

    def __init__(self, frames: list[FrameMessage]) -> None:
        packets = tuple(dict.fromkeys(packet for frame in frames for packet in frame.packets))
        last = frames[-1]
        super().__init__(last.conversation, last.sender, last.time, packets)
        self.frames, self.opcode, self.first_byte = frames, frames[0].opcode, frames[0].first_byte | FIN
        self.compressed, self.inflate_error, self.on_stream = last.compressed, last.inflate_error, last.on_stream
        self.payload = b"".join(frame.payload for frame in frames)
        self.content = last.content if self.compressed else self.payload

    @property
    def raw(self) -> bytes:
        """Its frames on the TCP stream, control frames between them left out."""
        return b"".join(frame.raw for frame in self.frames)

    @property
    def wire_length(self) -> int:
        """How many bytes ``raw`` has."""
        return sum(frame.wire_length for frame in self.frames)

    @property
    def text(self) -> str | None:
        """Of a Text message the text, with the replacement character for what is no UTF-8; else ``None``."""
        if self.compressed:
            return self.frames[-1].text
        return self.payload.decode("utf-8", "replace") if self.opcode == Opcode.TEXT else None

    def spans(self) -> list[Span]:
        """What each byte of ``raw`` is, in order."""
        spans, at = [], 0
        for frame in self.frames:
            spans += [span.shifted(at) for span in frame.spans()]
            at += frame.wire_length
        return spans


class Assembly:
    """Puts the messages of a capture together, as many connections as it may have.

    A frame that continues nothing, or one that begins a message inside another, breaks a rule and stays a frame.
    """

    def __init__(self) -> None:
        # By conversation, sender and, in HTTP/2, stream.
        self._under_way: dict[tuple[int, str, int | None], list[FrameMessage]] = {}

    def take(self, messages: Iterable[CapturedMessage]) -> Iterator[CapturedMessage]:
        """The next messages of the capture: whole ones, where the last frame of each stood, and what else there is."""
        for message in messages:
            if not isinstance(message, FrameMessage) or message.opcode >= Opcode.CLOSE:
                yield message
                continue
            key = message.conversation, message.sender, message.stream
            if message.opcode != Opcode.CONTINUATION:
                yield from self._under_way.pop(key, ())
            elif key not in self._under_way:
                yield message
                continue
            self._under_way.setdefault(key, []).append(message)
            if message.first_byte & FIN:
                yield WholeMessage(self._under_way.pop(key))

    def left(self, alive: Collection[int] = ()) -> Iterator[str]:
        """A line for each message that was never completed on a connection that is over, all but ``alive``."""
        for key in [key for key in self._under_way if key[0] not in alive]:
            frames, (index, sender, _) = self._under_way.pop(key), key
            name, count = opcode_name(frames[0].opcode), len(frames)
            yield (
                f"conversation {index}: a {name} message of the {sender} is left out, since its last frame is not "
                f"there ({count:,} frame{'s' * (count != 1)} of it)"
            )
