# SPDX-License-Identifier: GPL-2.0-or-later
"""What every kind of message has in common for a reader: bytes of one direction go in, whole messages come out.

A kind of message is a class with the three members of ``MessageParser``: HTTP/1.1 in ``http1_parser.py``, WebSocket
frames in ``frame_parser.py``. ``exchange.py`` names them in its table ``PARSERS`` and knows nothing else of them, but
what a request and its response mean for the bytes that follow. A further kind is a module like these two, and a line
in that table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple, Protocol

from ..protocol.deflate import DeflateParameters
from ..protocol.http1 import Fields, Request, Response
from ..protocol.http2 import Framing
from .inflate import CompressedDirection

Sender = Literal["client", "server"]
OTHER: dict[Sender, Sender] = {"client": "server", "server": "client"}


class OnStream(NamedTuple):
    """What a message of HTTP/2 has beside one of HTTP/1.1."""

    stream: int
    framing: Sequence[Framing]  # in its midst, which is not in ``raw``; the first of it at its beginning
    field_block: bytes = b""
    trailer_block: bytes = b""
    trailers: Fields = ()  # what that says

    def places(self, size: int) -> Iterator[tuple[int, int]]:
        """Where in the connection stand the framing and the ``size`` bytes of the message, in order: starts, ends."""
        for one, following in pairwise((*self.framing, Framing(size, b""))):
            yield one.at, one.at + len(one.raw) + following.place - one.place


class ParsedMessage(NamedTuple):
    """A message, as bytes of its direction."""

    kind: Literal["request", "response", "frame"]
    sender: Sender
    start: int  # place of its first byte in the stream; in HTTP/2 no message before that is under way
    raw: bytes
    head: Request | Response | None
    content: bytes  # without transfer codings; of a frame the unmasked payload
    framing_size: int  # bytes of ``raw`` that are a head, a frame header or the framing of chunks; the rest is content
    head_size: int = 0  # bytes of the HTTP head alone
    request_method: str | None = None  # of a response, that of the request it answers
    switches: bool = False  # another protocol begins behind it
    on_stream: OnStream | None = None
    scope: Incoming | None = None  # from where it comes, if not from the connection itself


class UnfinishedMessage(NamedTuple):
    """As much as is there of a message that is not complete."""

    kind: Literal["request", "response", "frame"]
    there: int  # bytes
    size: int | None  # bytes it would have, if that is known
    framing_size: int  # of those that are there, as in ParsedMessage
    stream: int | None = None


class Spent(NamedTuple):
    """Bytes of which it is known before a message is complete, or without any, what they were spent on."""

    part: str  # of the bill
    size: int
    before: str = "other"  # the part where they were counted until now


class Remark(NamedTuple):
    """What is to be said of a connection that goes on."""

    reason: str
    text: str


class Incoming:
    """The bytes of one direction that no message has taken yet.

    Attributes:
        sender: whose they are.
        start: place of the first of them in the stream.
        ended: no further byte will come.
        closed: because the sender closed the connection, and everything before that is there.
        agreed: what holds of permessage-deflate.
        inflates: the messages, once one may be compressed.
    """

    __slots__ = ("agreed", "buffer", "closed", "ended", "inflates", "sender", "start")

    def __init__(self, sender: Sender) -> None:
        self.sender = sender
        self.buffer = bytearray()
        self.start = 0
        self.ended = self.closed = False
        self.agreed: DeflateParameters | None = None
        self.inflates: CompressedDirection | None = None

    def take(self, size: int) -> bytes:
        """The first ``size`` bytes, which are gone from here then."""
        # By way of a memoryview, since a slice of a bytearray is a copy, and bytes() of it is one more.
        raw = bytes(memoryview(self.buffer)[:size])
        del self.buffer[:size]
        self.start += size
        return raw


class MessageParser(Protocol):
    """Finds the messages of one kind in one direction."""

    @property
    def begun(self) -> bool:
        """Whether it is certain that the bytes are of this kind, though no message may be complete."""

    def next_message(self, source: Incoming) -> ParsedMessage | None:
        """Take the next message; ``None`` if more bytes are needed for it.

        Raises:
            ProtocolError: where it ends cannot be read.
        """

    def unfinished(self, source: Incoming) -> UnfinishedMessage | None:
        """What is there of a message; ``None`` if the bytes are none of any."""
