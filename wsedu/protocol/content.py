# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the content of a message ends (RFC 9112, 6.3), and which of its bytes are framing.

HTTP/1.1 has four ways to say it: there is none; so many bytes; chunk by chunk; until the connection closes. And one
way to say that HTTP itself ends here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .arguments import Data
from .chunked import ChunkedDecoder
from .errors import ProtocolError
from .head_lines import quoted
from .http1 import Request, Response
from .spans import Kind, Span


@dataclass(frozen=True, slots=True)
class NoContent:
    """The message ends with its head."""


@dataclass(frozen=True, slots=True)
class Length:
    """The content has this many bytes, which may be 0."""

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

DIGITS = re.compile(r"[0-9]+")
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
    # Rules 1 and 2: responses that have no content whatever their fields say.
    if isinstance(head, Response):
        if head.status == 101 or (request_method == "CONNECT" and 200 <= head.status <= 299):
            return Switch()
        if request_method == "HEAD" or 100 <= head.status <= 199 or head.status in (204, 304):
            return NoContent()
    # Rule 3: with both fields, "the Transfer-Encoding overrides the Content-Length". A server may refuse such a
    # request instead, since two readers that disagree here can be made to see different messages (request smuggling).
    # Rule 4:
    codings = head.field_tokens("Transfer-Encoding")
    if codings:
        return _by_transfer_encoding(head, codings)
    # Rules 5 and 6:
    if head.get("Content-Length") is not None:
        return Length(_content_length(head))
    # Rules 7 and 8:
    return NoContent() if isinstance(head, Request) else UntilClose()


def _by_transfer_encoding(head: Request | Response, codings: list[str]) -> Framing:
    if head.version == "HTTP/1.0":
        # RFC 9112, 6.1: HTTP/1.0 had no transfer codings, so "the framing is faulty".
        raise _refusal(head, "Transfer-Encoding", "Transfer-Encoding in HTTP/1.0", "RFC 9112, 6.1")
    if codings[-1] == "chunked":
        return Chunked()
    if isinstance(head, Response):
        return UntilClose()
    message = f"expected chunked as the last transfer coding of a request; found {quoted(codings[-1])}"
    raise _refusal(head, "Transfer-Encoding", message, "RFC 9112, 6.3")


def _content_length(head: Request | Response) -> int:
    """The value of Content-Length; "42, 42" counts as 42 (RFC 9112, 6.3, rule 5)."""
    # Split at every comma, and keep what is empty: "42," is not a list of valid values.
    values = {value.strip(" \t") for line in head.get_all("Content-Length") for value in line.split(",")}
    value = next(iter(values))
    if len(values) == 1 and DIGITS.fullmatch(value) and len(value) <= MAX_DIGITS:
        return int(value)
    found = quoted(head.get("Content-Length") or "")
    what = "one length" if len(values) > 1 else "a number of bytes in decimal digits"
    raise _refusal(head, "Content-Length", f"expected {what}; found {found}", "RFC 9112, 6.3")


def _refusal(head: Request | Response, field: str, message: str, section: str) -> ProtocolError:
    status_code = 400 if isinstance(head, Request) else None
    return ProtocolError(
        message, status_code=status_code, offset=_offset_of(head, field), field=field, section=section
    )


def _offset_of(head: Request | Response, name: str) -> int:
    """Where the first field line of this name begins in ``head.serialize()``."""
    lines = head.serialize().split(b"\r\n")
    names = [""] + [field.lower() for field, _ in head.fields]
    return sum(len(line) + 2 for line in lines[: names.index(name.lower())])


def content_spans(raw: Data, framing: Framing) -> list[Span]:
    """What each byte of content is, in order: chunk framing belongs to the HTTP head, the rest is content.

    Args:
        raw: the bytes after the head, as they were on the connection; may stop early.
        framing: what ``content_framing`` said.
    """
    raw = bytes(raw)
    if not raw:
        return []
    if not isinstance(framing, Chunked):
        meaning = f"{len(raw):,} byte{'s' * (len(raw) != 1)} of content"
        return [Span(0, len(raw), "content", raw, meaning, Kind.CONTENT, "RFC 9112, 6")]
    return _chunked_spans(raw)


def _chunked_spans(raw: bytes) -> list[Span]:
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
        rest = raw[decoder.used :]
        spans.append(Span(decoder.used, len(raw), "rest", rest, meaning, Kind.HTTP_HEAD, "RFC 9112, 7.1"))
    return spans
