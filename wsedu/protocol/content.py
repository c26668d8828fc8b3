# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the content of a message ends (RFC 9112, 6.3), and which of its bytes are framing.

HTTP/1.1 has four ways to say it: there is none; so many bytes; chunk by chunk; until the connection closes. And one
way to say that HTTP itself ends here. ``content_framing`` finds the way in the head. The third one has bytes of its own
(RFC 9112, 7.1), which ``ChunkedDecoder`` reads as they arrive::

    6;note=first CRLF    the size of the chunk in hexadecimal, and perhaps extensions
    Hello, CRLF          so many bytes of content, and a line end that is not part of it
    0 CRLF               a chunk of size 0: the last one
    Digest: abc CRLF     trailer fields, perhaps
    CRLF                 the empty line: the end

Where two readers disagree about an end, one sees a message in what the other takes for content ("request smuggling",
RFC 9112, 11.2). So whatever hides an end is refused.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from itertools import repeat

from .errors import Data, ProtocolError, quoted
from .http1 import Request, Response
from .spans import Kind, Span

# Chunks

CHUNKED = "RFC 9112, 7.1"

# 16 digits are 2^64 - 1; "recipients MUST anticipate potentially large hexadecimal numerals" (RFC 9112, 7.1).
MAX_SIZE_DIGITS = 16
# "A server ought to limit the total length of chunk extensions" (RFC 9112, 7.1.1); here any line, in bytes.
MAX_LINE = 4096

# What a decoder comes to next: a span; ``None`` while its bytes are not there; or that it cannot be read.
_Piece = Span | ProtocolError | None


class ChunkedDecoder:
    """Takes the bytes after a head as they come, and says which are framing and which are content.

    It splits and does not check: like heads that are only split it forgives a bare LF for CRLF, and takes anything for
    an extension or a trailer field. It refuses what hides where the content ends.

    Attributes:
        used: bytes given out so far, framing and content together.
        done: whether the content is complete, its last span given out.
    """

    def __init__(self) -> None:
        self.used, self.done = 0, False
        self._buffer = bytearray()
        self._pieces = self._read()

    def receive_data(self, data: Data) -> None:
        """Take more bytes. It only keeps them: ``next_span`` reads."""
        # Nothing is read here, so that a refusal comes out of one place, after all that was complete before it.
        self._buffer += data

    def next_span(self) -> Span | None:
        """The next piece, or ``None`` if more bytes are needed or the content is complete.

        Framing comes in whole lines, as kind HTTP_HEAD. Chunk data comes as far as it is there, as kind CONTENT.
        Offsets count from the first byte ever received.

        Raises:
            ProtocolError: where the chunk ends cannot be read; again at each further call.
        """
        piece = next(self._pieces, None)
        if isinstance(piece, ProtocolError):
            raise piece.with_traceback(None)
        if piece is not None:
            self.used = piece.end
        return piece

    def _read(self) -> Iterator[_Piece]:
        """All pieces of the content, in the order of the grammar (RFC 9112, 7.1)."""
        size = -1
        while size:
            line = yield from self._line("chunk size")
            digits = _size_digits(line)
            size = int(digits, 16)
            yield self._span(digits, "chunk size", size, f"{_content_bytes(size)} follow" if size else "the last chunk")
            rest = line[len(digits) :]
            # "A recipient MUST ignore unrecognized chunk extensions", and hardly anybody sends any.
            if extensions := rest.rstrip(b"\r\n"):
                name = "chunk extensions" if b";" in rest else "whitespace"
                meaning = "for those who know them; others ignore them"
                yield self._span(extensions, name, extensions, meaning, "RFC 9112, 7.1.1")
            line_end = rest[len(extensions) :]
            yield self._span(line_end, "CRLF", line_end, "the end of the line")
            if size:
                yield from self._data(size)
                line = yield from self._line("CRLF after chunk data")
                yield self._span(line, "CRLF", line, "the end of the chunk, not part of it")
        # The end is CRLF (RFC 9112, 7.1), or LF alone (2.2). CR CR LF is neither: a bare CR makes it invalid, or
        # counts as a space (2.2), so that here, as in a head, it is a line with something in it.
        while (line := (yield from self._line("trailer section"))) not in (b"\r\n", b"\n"):
            # It is not for the head: "A recipient MUST NOT merge a received trailer field into the header section
            # unless its corresponding header field definition explicitly permits" that.
            meaning = "a field that was not known before the content"
            yield self._span(line, "trailer field", line, meaning, "RFC 9112, 7.1.2")
        self.done = True
        yield self._span(line, "empty line", line, "the content ends here")

    def _data(self, size: int) -> Iterator[_Piece]:
        # A chunk may be larger than anybody wants to hold: what is there of it is given out at once.
        while size:
            data = bytes(self._buffer[:size])
            size -= len(data)
            yield self._span(data, "chunk data", data, _content_bytes(len(data)), kind=Kind.CONTENT) if data else None

    def _line(self, field: str) -> Generator[_Piece, None, bytes]:
        """The next line, once it is whole; refused as early as it can be."""
        while True:
            # A line is only kept while it is shorter than the limit, so that a peer cannot make memory grow with one.
            end = self._buffer.find(b"\n", 0, MAX_LINE) + 1
            line = bytes(self._buffer[: end or MAX_LINE])
            why, at = _broken(line, field) if line else ("", 0)
            if why:
                # A server would answer 400 (RFC 9112, 2.2), and a client drop the connection.
                # Without a status code: it is for those who look on, and they answer nobody.
                place = self.used + at
                yield from repeat(ProtocolError(why, offset=place, field=field, section=CHUNKED, status_code=None))
            if end:
                return line
            yield None

    def _span(
        self, raw: bytes, name: str, value: object, meaning: str,
        section: str = CHUNKED, kind: Kind = Kind.HTTP_HEAD,
    ) -> Span:  # fmt: skip
        """The span of these bytes, which are the next ones."""
        del self._buffer[: len(raw)]
        return Span(self.used, self.used + len(raw), name, value, meaning, kind, section)


def _broken(line: bytes, field: str) -> tuple[str, int]:
    """What is wrong with a line, which may not be whole, and where; no text if nothing is."""
    if field == "chunk size":
        digits = _size_digits(line)
        if not digits:
            return f"expected the size of a chunk in hexadecimal digits; found {quoted(line[:1])}", 0
        # chunk-size = 1*HEXDIG: zeros in front are legal, as many as there are, and say nothing.
        zeros = len(digits) - len(digits.lstrip(b"0"))
        if len(digits) - zeros > MAX_SIZE_DIGITS:
            return f"a size of more than {MAX_SIZE_DIGITS} hexadecimal digits", zeros + MAX_SIZE_DIGITS
    # chunk = chunk-size [ chunk-ext ] CRLF chunk-data CRLF. The last CRLF says nothing that the size had not said, and
    # shows when that was wrong.
    elif field == "CRLF after chunk data" and line != b"\n" and not b"\r\n".startswith(line):
        return f"expected the line end after a chunk; found {quoted(line)}", 0
    too_long = len(line) == MAX_LINE and not line.endswith(b"\n")
    return (f"a line of more than {MAX_LINE:,} bytes", MAX_LINE) if too_long else ("", 0)


def _size_digits(line: bytes) -> bytes:
    """The hexadecimal digits that a line begins with."""
    return line[: len(line) - len(line.lstrip(b"0123456789abcdefABCDEF"))]


def _content_bytes(count: int) -> str:
    return f"{count:,} byte{'s' * (count != 1)} of content"


# Framing


@dataclass(frozen=True, slots=True)
class NoContent:
    """The message ends with its head."""


@dataclass(frozen=True, slots=True)
class Length:
    """The content has this many bytes, which may be 0."""

    # "a recipient MUST anticipate potentially large decimal numerals and prevent parsing errors due to integer
    # conversion overflows" (RFC 9110, 8.6).
    bytes: int


@dataclass(frozen=True, slots=True)
class Chunked:
    """The content comes in chunks, and the last one says so: read it with ``ChunkedDecoder``."""


@dataclass(frozen=True, slots=True)
class UntilClose:
    """The content ends where the connection does; nobody can tell a whole one from one cut short."""


@dataclass(frozen=True, slots=True)
class Switch:
    """After the head comes another protocol: what Upgrade named (101), or what goes through a tunnel (CONNECT)."""


Framing = NoContent | Length | Chunked | UntilClose | Switch

# A number longer than this is no length of anything, and int() refuses it from 4,300 digits on.
MAX_DIGITS = 19


def content_framing(head: Request | Response, request_method: str | None = None) -> Framing:
    """How the content after this head is delimited, by the eight rules of RFC 9112, 6.3 in their order.

    Args:
        head: the head that was read.
        request_method: for a response, the method of the request that it answers; ``None`` if nobody knows.

    Raises:
        ProtocolError: the head does not say where its content ends: 400 for a request, no status code for a response.
            The offset counts in ``head.serialize()``.
    """
    # Rule 1: "Any response to a HEAD request and any response with a 1xx (Informational), 204 (No Content), or 304 (Not
    # Modified) status code is always terminated by the first empty line after the header fields, regardless of the
    # header fields present in the message". A Content-Length then tells of the content that a GET would have got.
    # Rule 2: "Any 2xx (Successful) response to a CONNECT request implies that the connection will become a tunnel
    # immediately after the empty line". So does 101 (RFC 9110, 7.8), to the protocol that Upgrade names.
    if isinstance(head, Response):
        if head.status == 101 or (request_method == "CONNECT" and 200 <= head.status <= 299):
            return Switch()
        if request_method == "HEAD" or 100 <= head.status <= 199 or head.status in (204, 304):
            return NoContent()
    # Rule 3: with both fields, "the Transfer-Encoding overrides the Content-Length". A sender must not send both, and a
    # server "MAY reject a request that contains both" (6.1): one of two readers may know only the one field.
    # Rule 4, of Transfer-Encoding:
    codings = head.field_tokens("Transfer-Encoding")
    if codings:
        return _by_transfer_encoding(head, codings)
    # Rules 5 and 6: "If a valid Content-Length header field is present without Transfer-Encoding, its decimal value
    # defines the expected message body length in octets."
    if head.get("Content-Length") is not None:
        return Length(_content_length(head))
    # Rules 7 and 8: a request without either has no content, since its sender waits for the answer and cannot close;
    # of a response, all until the close, and "there is no way to distinguish a successfully completed, close-delimited
    # response message from a partially received message interrupted by network failure".
    return NoContent() if isinstance(head, Request) else UntilClose()


def _by_transfer_encoding(head: Request | Response, codings: list[str]) -> Framing:
    if head.version == "HTTP/1.0":
        # HTTP/1.0 had no transfer codings, so whoever relayed the head did not read them: a recipient "MUST treat the
        # message as if the framing is faulty, even if a Content-Length is present".
        raise _faulty(head, "Transfer-Encoding", "Transfer-Encoding in HTTP/1.0", "RFC 9112, 6.1")
    if codings[-1] == "chunked":
        return Chunked()
    # With another coding than chunked a server "MUST either apply chunked as the final transfer coding or terminate the
    # message by closing the connection" (6.1). A client cannot close: "the message body length cannot be determined
    # reliably; the server MUST respond with the 400 (Bad Request) status code and then close the connection".
    if isinstance(head, Response):
        return UntilClose()
    message = f"expected chunked as the last transfer coding of a request; found {quoted(codings[-1])}"
    raise _faulty(head, "Transfer-Encoding", message, "RFC 9112, 6.3")


def _content_length(head: Request | Response) -> int:
    """The value of Content-Length."""
    # Rule 5: what is no number is "an unrecoverable error, unless the field value can be successfully parsed as a
    # comma-separated list [...], all values in the list are valid, and all values in the list are the same".
    # Split at every comma, and keep what is empty: "42," is not a list of valid values.
    values = {value.strip(" \t") for line in head.get_all("Content-Length") for value in line.split(",")}
    value = next(iter(values))
    # Content-Length = 1*DIGIT (RFC 9110, 8.6): zeros in front are legal, and as many as there are.
    digits = value.lstrip("0") or "0"
    # DIGIT is ASCII (RFC 5234, B.1): Python alone would take the digits of every script.
    if len(values) == 1 and value.isascii() and value.isdecimal() and len(digits) <= MAX_DIGITS:
        return int(digits)
    found = quoted(head.get("Content-Length") or "")
    what = "one length" if len(values) > 1 else "a number of bytes in decimal digits"
    raise _faulty(head, "Content-Length", f"expected {what}; found {found}", "RFC 9112, 6.3")


def _faulty(head: Request | Response, field: str, message: str, section: str) -> ProtocolError:
    status_code = 400 if isinstance(head, Request) else None
    offset = head.line_offset(head.serialize(), field)
    return ProtocolError(message, status_code=status_code, offset=offset, field=field, section=section)


# Spans


def content_spans(raw: Data, framing: Framing) -> list[Span]:
    """What each byte of content is, in order: chunk framing belongs to the HTTP head, the rest is content.

    Args:
        raw: the bytes after the head, as they were on the connection; may stop early.
        framing: what ``content_framing`` said.
    """
    raw = bytes(raw)
    if not isinstance(framing, Chunked):
        meaning = _content_bytes(len(raw))
        # No bytes are no span: what a view cannot show it need not name.
        return [Span(0, len(raw), "content", raw, meaning, Kind.CONTENT, "RFC 9112, 6")] if raw else []
    decoder = ChunkedDecoder()
    decoder.receive_data(raw)
    spans: list[Span] = []
    try:
        while (span := decoder.next_span()) is not None:
            spans.append(span)
        meaning = "after the end of the content" if decoder.done else "stops before the line ends"
    except ProtocolError as error:
        meaning = str(error)
    if decoder.used < len(raw):
        spans.append(Span(decoder.used, len(raw), "rest", raw[decoder.used :], meaning, Kind.HTTP_HEAD, CHUNKED))
    return spans
