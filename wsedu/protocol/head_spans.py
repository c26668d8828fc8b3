# SPDX-License-Identifier: GPL-2.0-or-later
"""What each byte of a head says (RFC 9112, 2 to 5): the head's half of every picture.

It explains what is there, legal or not, and cuts every line into pieces that leave no byte out.
"""

from __future__ import annotations

from dataclasses import replace

from .arguments import Data
from .head_lines import empty_lines_before, head_end
from .known_fields import field_meaning, method_meaning, status_meaning
from .spans import Kind, Span

BLANK = b" \t"
REQUEST_LINE = "RFC 9112, 3"
STATUS_LINE = "RFC 9112, 4"


def head_spans(data: Data) -> list[Span]:
    """What each byte of one request or response head is, in order; of as much of the head as is there.

    Args:
        data: bytes from the wire, from the start line on; bytes after the empty line are left alone.
    """
    data = bytes(data)
    end = head_end(data)
    if end >= 0:
        data = data[:end]
    pieces = _Pieces()
    before = empty_lines_before(data)
    pieces.add(data[:before], "empty line", "before the start line; a server ignores it", "RFC 9112, 2.2")
    start_line, *lines = data[before:].split(b"\n")
    line_end = _take_start_line(pieces, start_line)
    for line in lines:
        pieces.add(line_end + b"\n", "CRLF", "the end of the line", "RFC 9112, 2.2")
        line_end = _take_field_line(pieces, line)
    pieces.add(line_end, "CRLF", "the end of the line begins", "RFC 9112, 2.2")
    if end >= 0:
        pieces.last_is_the_empty_line()
    return pieces.spans


class _Pieces:
    """Spans one after the other, each beginning where the one before it ends."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.at = 0

    def add(self, raw: bytes, name: str, meaning: str, section: str) -> None:
        """A span for these bytes; none for no bytes."""
        if not raw:
            return
        value = raw if name in ("CRLF", "SP", "empty line") else raw.decode("latin-1")
        end = self.at + len(raw)
        self.spans.append(Span(self.at, end, name, value, meaning, Kind.HTTP_HEAD, section))
        self.at = end

    def last_is_the_empty_line(self) -> None:
        """Name the line end that stands alone for what it is."""
        self.spans[-1] = replace(
            self.spans[-1], name="empty line", meaning="the head ends here", section="RFC 9112, 2.1"
        )


def _take_start_line(pieces: _Pieces, line: bytes) -> bytes:
    """Cut a start line into words and the whitespace between them; returns the CR that is left of its end."""
    text, line_end = _without_cr(line)
    if text.lstrip(BLANK).startswith(b"HTTP/"):
        _take_status_line(pieces, text)
    else:
        _take_request_line(pieces, text)
    return line_end


def _take_request_line(pieces: _Pieces, text: bytes) -> None:
    method, gap, rest = _first_word(text)
    pieces.add(method, "method", method_meaning(method.decode("latin-1")), REQUEST_LINE)
    pieces.add(gap, "SP", "separates method and request target", REQUEST_LINE)
    at = max(rest.rfind(b" HTTP/"), rest.rfind(b"\tHTTP/")) + 1
    target, version = (rest[:at], rest[at:]) if at else (rest, b"")
    bare = target.rstrip(BLANK)
    pieces.add(bare, "request target", "what is asked for", "RFC 9112, 3.2")
    pieces.add(target[len(bare) :], "SP", "separates request target and version", REQUEST_LINE)
    pieces.add(version, "HTTP version", "the version that the client speaks", "RFC 9112, 2.3")


def _take_status_line(pieces: _Pieces, text: bytes) -> None:
    version, gap, rest = _first_word(text)
    pieces.add(version, "HTTP version", "the version that the server speaks", "RFC 9112, 2.3")
    pieces.add(gap, "SP", "separates version and status code", STATUS_LINE)
    status, gap, reason = _first_word(rest)
    pieces.add(status, "status code", status_meaning(status.decode("latin-1")), "RFC 9110, 15")
    pieces.add(gap, "SP", "separates status code and reason phrase", STATUS_LINE)
    pieces.add(reason, "reason phrase", "for people; a program goes by the status code", STATUS_LINE)


def _take_field_line(pieces: _Pieces, line: bytes) -> bytes:
    """Cut a field line into name, colon and value; returns the CR that is left of its end."""
    text, line_end = _without_cr(line)
    if text[:1] in (b" ", b"\t"):
        pieces.add(
            text, "field value", "goes on with the value of the line before (obs-fold)", "RFC 9112, 5.2"
        )
        return line_end
    before, colon, after = text.partition(b":")
    name = before.rstrip(BLANK)
    meaning, section = field_meaning(name.decode("latin-1"))
    pieces.add(name, "field name", meaning, section)
    value = after.strip(BLANK)
    gap = len(before) - len(name) + len(colon) + len(after) - len(after.lstrip(BLANK))
    pieces.add(text[len(name) : len(name) + gap], "colon", "separates name and value", "RFC 9112, 5")
    if value:
        what = f"the value of {name.decode('latin-1')}"
        pieces.add(value, "field value", what, "RFC 9110, 5.5")
        pieces.add(text[len(name) + gap + len(value) :], "whitespace", "not part of the value", "RFC 9112, 5")
    return line_end


def _first_word(text: bytes) -> tuple[bytes, bytes, bytes]:
    """The first word, the whitespace after it, and the rest."""
    stripped = text.lstrip(BLANK)
    word = text[: len(text) - len(stripped)] + stripped.replace(b"\t", b" ").partition(b" ")[0]
    rest = text[len(word) :].lstrip(BLANK)
    return word, text[len(word) : len(text) - len(rest)], rest


def _without_cr(line: bytes) -> tuple[bytes, bytes]:
    """A line, and the CR at its end if there is one."""
    return (line[:-1], b"\r") if line.endswith(b"\r") else (line, b"")
