# SPDX-License-Identifier: GPL-2.0-or-later
"""Where messages of HTTP/1.1 end: behind the empty line, and behind the content that ``content_framing`` announces.

This is the reader's half of the protocol: it lets through whatever has readable boundaries, legal or not.
"""

from array import array
from typing import Literal

from ..protocol.content import Chunked, ChunkedDecoder, Framing, Length, Switch, UntilClose, content_framing
from ..protocol.errors import NeedMoreData, ProtocolError
from ..protocol.http1 import Request, Response
from ..protocol.spans import Kind
from .codings import InflateBudget, remove_transfer_codings
from .message_parser import Incoming, ParsedMessage, Sender, Unfinished

LONGEST_HEAD = 1 << 18  # bytes; what Chromium takes. A head that goes on for longer never ends.
SHORT_HEAD = 1 << 10  # bytes of a head that is looked at again at each byte, to see early what is no HTTP
KINDS: dict[Sender, Literal["request", "response"]] = {"client": "request", "server": "response"}


class Http1Parser:
    """Finds the requests or the responses of one direction.

    Args:
        asked: the requests of the connection whose final response has not come, for both directions. Which of them a
            response answers is a matter of order alone: "A server that receives more than one request in a connection
            MUST send its responses in the same order" (RFC 9112, 9.3.2).
        budget: what may be inflated.

    Attributes:
        begun: a head is there, so that it is certain that this is HTTP.
        answered: the final response came before the head of this request was complete.
    """

    def __init__(self, asked: list[Request], budget: InflateBudget) -> None:
        self._asked, self._budget = asked, budget
        self._begin()

    # Of the message that has begun.
    _head: Request | Response
    _framing: Framing
    _chunks: ChunkedDecoder  # if that is Chunked

    def _begin(self) -> None:
        self.begun = self.answered = False
        self._looked = 0  # bytes in which the end of the head is not
        self._head_size = 0
        self._method: str | None = None  # of the request that a response answers
        self._fed = 0  # bytes after the head that the decoder of chunks has
        # Where content is in chunks: start and end of each piece. Numbers, so that there is one copy of a large content
        # less while it is put together; in an array, since a piece may be one byte.
        self._places = array("Q")

    def next_message(self, source: Incoming) -> ParsedMessage | None:
        """Take the next message; ``None`` if more bytes are needed for it.

        Raises:
            ProtocolError: where it ends cannot be read.
        """
        if not self.begun and not self._take_head(source):
            return None
        size = self._size(source)
        return None if size is None else self._message(source, size)

    def unfinished(self, source: Incoming) -> Unfinished | None:
        """What is there of a message; ``None`` if there are only empty lines, which belong to none."""
        kind, there, size = KINDS[source.sender], len(source.buffer), None
        if not self.begun:
            return Unfinished(kind, there, None, there) if source.buffer.strip(b"\r\n") else None
        content = there - self._head_size
        if isinstance(self._framing, Chunked):
            content = sum(self._places[1::2]) - sum(self._places[::2])
        elif isinstance(self._framing, Length):
            size = self._head_size + self._framing.bytes
        return Unfinished(kind, there, size, there - content)

    def _take_head(self, source: Incoming) -> bool:
        """Whether the head is there now. It may come in many pieces: a long one is split only where it may end."""
        buffer = source.buffer
        since, self._looked = max(0, self._looked - 2), len(buffer)
        if since > SHORT_HEAD:
            may_end = source.ended or any(buffer.find(end, since) >= 0 for end in (b"\n\r\n", b"\n\n"))
            if not may_end and self._looked <= LONGEST_HEAD:
                return False
            if not buffer[:SHORT_HEAD].strip(b"\r\n"):
                raise _refusal("nothing but empty lines", "start line", "RFC 9112, 2.2")
        try:
            self._split_head(source)
        except NeedMoreData:
            if self._looked > LONGEST_HEAD:
                raise _refusal(f"a head of more than {LONGEST_HEAD:,} bytes", "head", "RFC 9112, 2.1") from None
            return False
        return True

    def _split_head(self, source: Incoming) -> None:
        kind: type[Request | Response] = Request if source.sender == "client" else Response
        head, size = kind.parse(source.buffer, strict=False)
        if isinstance(head, Request):
            # "The string was chosen so that a large proportion of HTTP/1.1 servers and intermediaries do not attempt
            # to process further frames" (RFC 9113, 3.4).
            if (head.method, head.version) == ("PRI", "HTTP/2.0"):
                raise _refusal("HTTP/2 begins here", "request line", "RFC 9113, 3.4")
            if not self.answered:
                self._asked.append(head)  # now: its final response may come before its content is complete
        else:
            self._method = self._asked[0].method if self._asked else None
        self._framing = content_framing(head, self._method)
        self.begun, self._head, self._head_size = True, head, size
        if isinstance(self._framing, Chunked):
            self._chunks = ChunkedDecoder()

    def _size(self, source: Incoming) -> int | None:
        """Bytes of the message at the start of the buffer; ``None`` while it is not complete."""
        if isinstance(self._framing, Chunked):
            return self._chunked_size(source.buffer)
        if isinstance(self._framing, UntilClose):
            # "If the final response to the last request on a connection has been completely received" nobody can tell,
            # but a reset, or a hole before the end, says that it has not (RFC 9112, 8).
            return len(source.buffer) if source.closed else None
        size = self._head_size + (self._framing.bytes if isinstance(self._framing, Length) else 0)
        return size if len(source.buffer) >= size else None

    def _chunked_size(self, buffer: bytearray) -> int | None:
        at, decoder = self._head_size, self._chunks
        decoder.receive_data(bytes(memoryview(buffer)[at + self._fed :]))
        self._fed = len(buffer) - at
        while (span := decoder.next_span()) is not None:
            if span.kind == Kind.CONTENT:
                self._places.extend((at + span.start, at + span.end))
        return at + decoder.used if decoder.done else None

    def _message(self, source: Incoming, size: int) -> ParsedMessage:
        start, raw, places = source.start, source.take(size), self._places
        if isinstance(self._framing, Chunked):
            content = b"".join(raw[first:last] for first, last in zip(places[::2], places[1::2], strict=True))
        else:
            content = raw[self._head_size :]
        framing_size = size - len(content)
        if isinstance(self._framing, Chunked | UntilClose):
            content = remove_transfer_codings(self._head, content, self._budget)
        message = ParsedMessage(
            KINDS[source.sender], source.sender, start, raw, self._head, content, framing_size, self._head_size,
            self._method, isinstance(self._framing, Switch),
        )  # fmt: skip
        self._begin()
        return message


def _refusal(message: str, field: str, section: str) -> ProtocolError:
    return ProtocolError(message, offset=0, field=field, section=section)
