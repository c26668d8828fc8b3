# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the messages of one sender end, for the Scapy session: HTTP/1.1 (RFC 9112, 6.3) and, after a 101, frames.

``read`` finds this in its own way (``exchange.py``), which rests on all of ``protocol``. This one is made to go to
Scapy together with the session, and so it stands on little; a test holds the two to each other.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Generator

from ..protocol.errors import NeedMoreData, ProtocolError
from ..protocol.frames import parse_header

LONGEST_HEAD = 1 << 18  # bytes; what Chromium takes

METHOD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 9.1
LINE_END = re.compile(rb"\r?\n")  # RFC 9112, 2.2 lets a recipient do with LF alone
EMPTY_LINE = re.compile(rb"\n\r?\n")
# The line end before it, the size, and perhaps extensions (RFC 9112, 7.1); and what can still become that.
CHUNK = re.compile(rb"\r?\n([0-9A-Fa-f]{1,16})(?![0-9A-Fa-f])[^\n]*\n")
PART_OF_CHUNK = re.compile(rb"\r?(\n([0-9A-Fa-f]{1,16}(?![0-9A-Fa-f])[^\n]{0,4096})?)?")

# What the next bytes of a side are.
MESSAGES = "HTTP messages"
FRAMES = "WebSocket frames"
WAITING = "the response to its request to switch will say"
UNSURE = "the bytes will say: frames, or HTTP messages"
LOST = "nobody can say"


class Head:
    """What the end of an HTTP message depends on.

    Attributes:
        chunks: where the content of each is in the message, start and end; ``None`` if it does not come in chunks.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.chunks: list[tuple[int, int]] | None = None
        start, *lines = LINE_END.split(data)
        words = start.split()
        self.status = int(words[1]) if words[0].startswith(b"HTTP/") else 0  # 0 for a request
        self.method, self.version = words[0], words[0 if self.status else -1]
        self._fields: list[tuple[bytes, bytes]] = []
        for line in lines:
            if line[:1] in (b" ", b"\t") and self._fields:  # RFC 9112, 5.2
                name, value = self._fields.pop()
                value += line
            else:
                name, _, value = line.partition(b":")
            self._fields.append((name.strip().lower(), value))

    def elements(self, name: bytes) -> list[bytes]:
        """The elements of a field's list over all its lines, in small letters and empty ones too; none without it."""
        values = [value for field, value in self._fields if field == name]
        return [element.strip().lower() for element in b",".join(values).split(b",")] if values else []


class Side:
    """What one endpoint sends.

    Args:
        asked: the requests on this connection whose final response has not come.
    """

    def __init__(self, asked: deque[Head]) -> None:
        self.buffer = bytearray()
        self.next = MESSAGES
        self.client: bool | None = None  # not known before its SYN or its first start line
        self.begun = False  # a head was there
        self.closed = False  # all is in the buffer that will ever be
        self.messages = self._messages()
        self._asked = asked

    def _messages(self) -> Generator[tuple[bytes, Head | None] | None, None, None]:
        """The messages, each with its head if it is HTTP. ``None`` where more bytes are needed; when they are there, it
        goes on where it was, so that a message in many segments costs no more than one in few.

        Raises:
            ProtocolError: where the next message ends cannot be read.
        """
        while True:
            while len(self.buffer) < 2 or self.next == WAITING:
                yield None
            if self.next == UNSURE:
                # In a method neither of the first two bytes is more than a letter; in a masked frame the second one is.
                self.next = MESSAGES if METHOD.fullmatch(self.buffer, 0, 2) else FRAMES
            head = None
            if self.next == FRAMES:
                size = yield from self._frame()
            else:
                head = yield from self._head()
                size = yield from self._message(head)
            raw = bytes(self.buffer[:size])
            del self.buffer[:size]
            yield raw, head

    def _frame(self) -> Generator[None, None, int]:
        while True:
            try:
                header = parse_header(self.buffer)
                break
            except NeedMoreData:
                yield
        return (yield from self._there(header.size + header.payload_length))

    def _head(self) -> Generator[None, None, Head]:
        at = 0
        while True:
            if self.buffer.startswith((b"\r", b"\n")):
                # RFC 9112, 2.2: empty lines before a start line are ignored.
                del self.buffer[: len(self.buffer) - len(self.buffer.lstrip(b"\r\n"))]
            line_end = self.buffer.find(b"\n", at) + 1
            self._check_start_line(bytes(self.buffer[: line_end or 16]), whole=line_end > 0)
            if line_end:
                break
            at = self._not_too_long(0)
            yield
        end = yield from self._empty_line(line_end - 1)
        self.begun = True
        return Head(bytes(self.buffer[:end]))

    def _check_start_line(self, line: bytes, *, whole: bool) -> None:
        """Refuse what is neither a request line nor a status line, nor begins one; by the role, once it is known."""
        words = line.split()
        first = words[0] if words else b""
        request = not first or METHOD.fullmatch(first) is not None
        response = b"HTTP/".startswith(first[:5])
        if whole:  # PRI begins HTTP/2 (RFC 9113, 3.4)
            request = request and len(words) > 2 and words[-1].startswith(b"HTTP/") and first != b"PRI"
            response = response and len(words) > 1 and len(words[1]) == 3 and words[1].isdigit()
        if not (request and self.client is not False or response and self.client is not True):
            raise _refusal("start line", "RFC 9112, 2.1")
        if whole:
            self.client = request

    def _message(self, head: Head) -> Generator[None, None, int]:
        """As RFC 9112, 6.3 orders the cases."""
        status, size = head.status, len(head.data)
        method = self._asked[0].method if self._asked and status else b""
        if not status:
            self._asked.append(head)
        elif 100 <= status < 200 or status in (204, 304) or method == b"HEAD" or opens_tunnel(status, method):
            return size
        codings = [coding for coding in head.elements(b"transfer-encoding") if coding]
        lengths = set(head.elements(b"content-length"))
        if codings:
            if head.version == b"HTTP/1.0" or (codings[-1] != b"chunked" and not status):
                raise _refusal("Transfer-Encoding", "RFC 9112, 6.3")
            if codings[-1] == b"chunked":
                head.chunks = []
                return (yield from self._chunks(size, head.chunks))
        elif lengths:
            length = lengths.pop()
            if lengths or not length.isdigit() or len(length) > 19:
                raise _refusal("Content-Length", "RFC 9112, 6.3")
            return (yield from self._there(size + int(length)))
        elif not status:
            return size
        while not self.closed:
            yield
        return len(self.buffer)

    def _chunks(self, at: int, found: list[tuple[int, int]]) -> Generator[None, None, int]:
        at -= 1  # the LF before the first chunk is that of the empty line
        while True:
            chunk = CHUNK.match(self.buffer, at)
            if chunk:
                size = int(chunk[1], 16)
                at = chunk.end() + size
                if not size:
                    return (yield from self._empty_line(at - 1))
                found.append((chunk.end(), at))
                yield from self._there(at)
            elif PART_OF_CHUNK.fullmatch(self.buffer, at):
                yield
            else:
                raise _refusal("chunk size", "RFC 9112, 7.1")

    def _empty_line(self, start: int) -> Generator[None, None, int]:
        """Where the next empty line ends."""
        at = start
        while True:
            found = EMPTY_LINE.search(self.buffer, at)
            if found:
                return found.end()
            at = max(start, self._not_too_long(start) - 2)
            yield

    def _not_too_long(self, start: int) -> int:
        if len(self.buffer) - start > LONGEST_HEAD:
            raise _refusal("head", "RFC 9112, 2.1")
        return len(self.buffer)

    def _there(self, size: int) -> Generator[None, None, int]:
        while len(self.buffer) < size:
            yield
        return size


def opens_tunnel(status: int, method: bytes) -> bool:
    """Whether anything may come after a response with this status code to this method."""
    return method == b"CONNECT" and 200 <= status < 300  # RFC 9110, 9.3.6


def _refusal(field: str, section: str) -> ProtocolError:
    return ProtocolError("it does not say where a message ends", offset=0, field=field, section=section)
