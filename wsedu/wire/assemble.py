# SPDX-License-Identifier: GPL-2.0-or-later
"""Whole WebSocket messages in place of their data frames (RFC 6455, 5.4); control frames stay where they came."""

from collections.abc import Collection, Iterable, Iterator

from ..protocol.frames import FIN
from ..protocol.opcodes import Opcode, opcode_name
from ..protocol.spans import Span
from .message import CapturedMessage, FrameMessage, MessageKind


class WholeMessage(CapturedMessage):
    """A Text or Binary message.

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
