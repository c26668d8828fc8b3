# SPDX-License-Identifier: GPL-2.0-or-later
"""The chunked transfer coding (RFC 9112, 7.1), read as its bytes arrive::

6;note=first CRLF    the size of the chunk in hexadecimal, and perhaps extensions
Hello, CRLF          so many bytes of content, and a line end that is not part of it
0 CRLF               a chunk of size 0: the last one
Digest: abc CRLF     trailer fields, perhaps
CRLF                 the empty line: the end
"""

from __future__ import annotations

import re
from collections import deque
from enum import StrEnum

from .errors import NeedMoreData, ProtocolError
from .head_lines import TOKEN, split_fields
from .head_rules import WHITESPACE, Walk
from .spans import Kind, Span

CHUNKED = "RFC 9112, 7.1"
EXTENSIONS = "RFC 9112, 7.1.1"
TRAILERS = "RFC 9112, 7.1.2"

# 16 digits are 2^64 - 1; "recipients MUST anticipate potentially large hexadecimal numerals" (RFC 9112, 7.1).
HEXADECIMAL = re.compile(rb"[0-9A-Fa-f]*")
MAX_DIGITS = 16
# "A server ought to limit the total length of chunk extensions" (RFC 9112, 7.1.1); here any line, in bytes.
MAX_LINE = 4096

# What a quoted string holds (RFC 9110, 5.6.4), and what may stand after a backslash in it.
QUOTED_TEXT = re.compile(rb"[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]*")
ESCAPED = bytes((9, *range(0x20, 0x7F), *range(0x80, 0x100)))
NOT_LF = re.compile(rb"[^\n]*")


class _State(StrEnum):
    SIZE = "chunk size"
    DATA = "chunk data"
    DATA_END = "CRLF after chunk data"
    TRAILERS = "trailer section"
    DONE = "done"


class ChunkedDecoder:
    """Takes the bytes after a head as they come, and says which are framing and which are content.

    Args:
        strict: ``False`` forgives what real programs send: a bare LF for CRLF, spaces after the size.
        status_code: what errors carry: 400 for the content of a request, ``None`` for that of a response.

    Attributes:
        content_length: bytes of content given out so far.
        used: bytes given out so far, framing and content together.
        trailers: names and values of the trailer fields so far.
    """

    def __init__(self, *, strict: bool = True, status_code: int | None = 400) -> None:
        self.content_length = 0
        self.used = 0
        self.trailers: tuple[tuple[str, str], ...] = ()
        self._strict = strict
        self._status_code = status_code
        self._buffer = bytearray()
        self._state = _State.SIZE
        self._remaining = 0  # bytes of the chunk that are still to come
        self._ready: deque[Span] = deque()  # a line that was read gives several spans

    @property
    def done(self) -> bool:
        """Whether the content is complete, its last span given out."""
        return self._state is _State.DONE and not self._ready

    @property
    def leftover(self) -> bytes:
        """The bytes that were received and not read yet; once ``done``, those of the next message."""
        return bytes(self._buffer)

    def receive_data(self, data: bytes | bytearray | memoryview) -> None:
        """Take more bytes. It only keeps them: ``next_span`` reads."""
        self._buffer += data

    def next_span(self) -> Span | None:
        """The next piece, or ``None`` if more bytes are needed or the content is complete.

        Framing comes in whole lines, as kind HTTP_HEAD. Chunk data comes as far as it is there, as kind CONTENT.
        Offsets count from the first byte ever received.

        Raises:
            ProtocolError: the coding is broken; again at each further call.
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
        self.content_length += len(data)
        if not self._remaining:
            self._state = _State.DATA_END
        meaning = f"{len(data):,} byte{'s' * (len(data) != 1)} of content"
        self._give(len(data), "chunk data", data, meaning, CHUNKED, Kind.CONTENT)

    def _read_line(self) -> None:
        """Judge a line as far as it is there, and take it once it is whole."""
        # A line is walked again when more of it has come; MAX_LINE is short enough for that.
        walk = Walk(bytes(self._buffer[:MAX_LINE]), status_code=self._status_code)
        try:
            if self._state is _State.SIZE:
                self._read_size(walk)
            elif self._state is _State.DATA_END:
                self._line_end(walk, "chunk data")
                self._state = _State.SIZE
                self._give(walk.at, "CRLF", walk.taken(), "the end of the chunk, not part of it", CHUNKED)
            else:
                self._read_trailer(walk)
        except ProtocolError as error:
            raise error.moved(self.used) from None
        except NeedMoreData:
            if len(self._buffer) >= MAX_LINE:
                raise ProtocolError(
                    f"a line of more than {MAX_LINE:,} bytes",
                    status_code=self._status_code,
                    offset=self.used + MAX_LINE,
                    field=self._state,
                    section=EXTENSIONS,
                ) from None

    def _read_size(self, walk: Walk) -> None:
        digits = walk.some(HEXADECIMAL, "chunk size", CHUNKED, "the size of a chunk in hexadecimal digits")
        if len(digits) > MAX_DIGITS:
            walk.at = MAX_DIGITS
            walk.refuse(f"a size of more than {MAX_DIGITS} hexadecimal digits", "chunk size", CHUNKED)
        if self._strict:
            _walk_extensions(walk)
        else:
            walk.any(NOT_LF)
        self._line_end(walk, "chunk extension" if walk.at > len(digits) else "chunk size")
        size, line = int(digits, 16), walk.taken()
        self._state, self._remaining = (_State.DATA if size else _State.TRAILERS), size
        meaning = f"{size:,} byte{'s' * (size != 1)} of content follow" if size else "the last chunk"
        self._give(len(digits), "chunk size", size, meaning, CHUNKED)
        rest = line[len(digits) :]
        extensions = rest.rstrip(b"\r\n")
        name = "chunk extensions" if b";" in extensions else "whitespace"
        self._give(len(extensions), name, extensions, "for who knows them, else to be ignored", EXTENSIONS)
        self._give(
            len(rest) - len(extensions), "CRLF", rest[len(extensions) :], "the end of the line", CHUNKED
        )

    def _read_trailer(self, walk: Walk) -> None:
        if walk.byte() in b"\r\n":
            self._line_end(walk, "empty line")
            self._state = _State.DONE
            self._give(walk.at, "empty line", walk.taken(), "the content ends here", CHUNKED)
            return
        if self._strict:
            walk.field_line()
        else:
            walk.any(NOT_LF)
            walk.one(b"\n", "trailer section", TRAILERS, "LF")
        line = walk.taken()
        self.trailers += split_fields([line.decode("latin-1").rstrip("\n")])
        self._give(
            len(line), "trailer field", line, "a field that was not known before the content", TRAILERS
        )

    def _line_end(self, walk: Walk, field: str) -> None:
        if self._strict:
            walk.crlf(field)
            return
        if walk.byte() == 0x0D:
            walk.at += 1
        walk.one(b"\n", field, CHUNKED, "the end of the line")

    def _give(
        self, size: int, name: str, value: object, meaning: str, section: str, kind: Kind = Kind.HTTP_HEAD
    ) -> None:
        """Make a span of the next ``size`` bytes, if any."""
        if size:
            start = self._ready[-1].end if self._ready else self.used
            self._ready.append(Span(start, start + size, name, value, meaning, kind, section))
            del self._buffer[:size]


def _walk_extensions(walk: Walk) -> None:
    """chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )"""
    while True:
        before = walk.at
        walk.any(WHITESPACE)
        if walk.byte() != ord(";"):
            if walk.at > before:
                walk.at = before
                walk.refuse("whitespace at the end of the line", "chunk extension", EXTENSIONS)
            return
        walk.at += 1
        walk.any(WHITESPACE)
        walk.some(TOKEN, "chunk extension", EXTENSIONS, "the name of a chunk extension, a token")
        before = walk.at
        walk.any(WHITESPACE)
        if walk.byte() == ord("="):
            walk.at += 1
            walk.any(WHITESPACE)
            _walk_value(walk)
        else:
            walk.at = before


def _walk_value(walk: Walk) -> None:
    """chunk-ext-val = token / quoted-string"""
    if walk.byte() != ord('"'):
        walk.some(TOKEN, "chunk extension", EXTENSIONS, "the value of a chunk extension")
        return
    walk.at += 1
    while walk.byte() != ord('"'):
        if walk.byte() == ord("\\"):
            walk.at += 1
            walk.one(ESCAPED, "chunk extension", EXTENSIONS, "a character after the backslash")
        else:
            walk.some(QUOTED_TEXT, "chunk extension", EXTENSIONS, "the text of a quoted string")
    walk.at += 1
