# SPDX-License-Identifier: GPL-2.0-or-later
"""The chunked transfer coding (RFC 9112, 7.1), read as its bytes arrive::

6;note=first CRLF    the size of the chunk in hexadecimal, and perhaps extensions
Hello, CRLF          so many bytes of content, and a line end that is not part of it
0 CRLF               a chunk of size 0: the last one
Digest: abc CRLF     trailer fields, perhaps
CRLF                 the empty line: the end
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum

from .arguments import Data
from .errors import ProtocolError
from .head_lines import quoted
from .spans import Kind, Span

CHUNKED = "RFC 9112, 7.1"

# 16 digits are 2^64 - 1; "recipients MUST anticipate potentially large hexadecimal numerals" (RFC 9112, 7.1).
MAX_DIGITS = 16
# "A server ought to limit the total length of chunk extensions" (RFC 9112, 7.1.1); here any line, in bytes.
MAX_LINE = 4096


class _State(StrEnum):
    SIZE = "chunk size"
    DATA = "chunk data"
    DATA_END = "CRLF after chunk data"
    TRAILERS = "trailer section"
    DONE = "done"


class ChunkedDecoder:
    """Takes the bytes after a head as they come, and says which are framing and which are content.

    It splits and does not judge: like ``head_lines`` it forgives a bare LF for CRLF, and takes anything for an
    extension or a trailer field. It refuses what hides where the content ends.

    Attributes:
        used: bytes given out so far, framing and content together.
    """

    def __init__(self) -> None:
        self.used = 0
        self._buffer = bytearray()
        self._state = _State.SIZE
        self._remaining = 0  # bytes of the chunk that are still to come
        self._ready: deque[Span] = deque()  # a line that was read gives several spans

    @property
    def done(self) -> bool:
        """Whether the content is complete, its last span given out."""
        return self._state is _State.DONE and not self._ready

    def receive_data(self, data: Data) -> None:
        """Take more bytes. It only keeps them: ``next_span`` reads."""
        self._buffer += data

    def next_span(self) -> Span | None:
        """The next piece, or ``None`` if more bytes are needed or the content is complete.

        Framing comes in whole lines, as kind HTTP_HEAD. Chunk data comes as far as it is there, as kind CONTENT.
        Offsets count from the first byte ever received.

        Raises:
            ProtocolError: where the chunk ends cannot be read; again at each further call.
        """
        if not self._ready and self._buffer and self._state is not _State.DONE:
            if self._state is _State.DATA:
                self._read_data()
            else:
                self._read_line()
        if not self._ready:
            return None
        span = self._ready.popleft()
        self.used = span.end
        return span

    def _read_data(self) -> None:
        data = bytes(self._buffer[: self._remaining])
        self._remaining -= len(data)
        if not self._remaining:
            self._state = _State.DATA_END
        meaning = f"{len(data):,} byte{'s' * (len(data) != 1)} of content"
        self._give(len(data), "chunk data", data, meaning, CHUNKED, Kind.CONTENT)

    def _read_line(self) -> None:
        """Refuse a line as early as it can be, and take it once it is whole."""
        end = self._buffer.find(b"\n", 0, MAX_LINE) + 1
        line = bytes(self._buffer[: end or MAX_LINE])
        if self._state is _State.SIZE:
            self._check_size(line)
        elif self._state is _State.DATA_END and line != b"\n" and not b"\r\n".startswith(line):
            raise self._refusal(f"expected the line end after a chunk; found {quoted(line)}", 0)
        if not end:
            if len(line) == MAX_LINE:
                raise self._refusal(f"a line of more than {MAX_LINE:,} bytes", MAX_LINE)
            return
        if self._state is _State.SIZE:
            self._take_size(line)
        elif self._state is _State.DATA_END:
            self._state = _State.SIZE
            self._give(end, "CRLF", line, "the end of the chunk, not part of it", CHUNKED)
        elif line.strip(b"\r\n"):
            meaning = "a field that was not known before the content"
            self._give(end, "trailer field", line, meaning, "RFC 9112, 7.1.2")
        else:
            self._state = _State.DONE
            self._give(end, "empty line", line, "the content ends here", CHUNKED)

    def _check_size(self, line: bytes) -> None:
        digits = _size_digits(line)
        if not digits:
            raise self._refusal(
                f"expected the size of a chunk in hexadecimal digits; found {quoted(line[:1])}", 0
            )
        if len(digits) > MAX_DIGITS:
            raise self._refusal(f"a size of more than {MAX_DIGITS} hexadecimal digits", MAX_DIGITS)

    def _take_size(self, line: bytes) -> None:
        digits = _size_digits(line)
        size = int(digits, 16)
        self._state, self._remaining = (_State.DATA if size else _State.TRAILERS), size
        meaning = f"{size:,} byte{'s' * (size != 1)} of content follow" if size else "the last chunk"
        self._give(len(digits), "chunk size", size, meaning, CHUNKED)
        rest = line[len(digits) :]
        extensions = rest.rstrip(b"\r\n")
        name = "chunk extensions" if b";" in extensions else "whitespace"
        meaning = "for who knows them, else to be ignored"
        self._give(len(extensions), name, extensions, meaning, "RFC 9112, 7.1.1")
        line_end = rest[len(extensions) :]
        self._give(len(line_end), "CRLF", line_end, "the end of the line", CHUNKED)

    def _refusal(self, message: str, at: int) -> ProtocolError:
        # Without a status code: it is for those who look on, and they answer nobody.
        return ProtocolError(
            message, offset=self.used + at, field=self._state, section=CHUNKED, status_code=None
        )

    def _give(
        self, size: int, name: str, value: object, meaning: str, section: str, kind: Kind = Kind.HTTP_HEAD
    ) -> None:
        """Make a span of the next ``size`` bytes, if any."""
        if size:
            start = self._ready[-1].end if self._ready else self.used
            self._ready.append(Span(start, start + size, name, value, meaning, kind, section))
            del self._buffer[:size]


def _size_digits(line: bytes) -> bytes:
    """The hexadecimal digits that a line begins with."""
    return line[: len(line) - len(line.lstrip(b"0123456789abcdefABCDEF"))]
