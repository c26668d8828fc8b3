# SPDX-License-Identifier: GPL-2.0-or-later
"""Splitting a head into its lines, and a start line into its words (RFC 9112, 2.1 and 2.2).

Splitting forgives what real programs send: a bare LF for CRLF, empty lines before the start line, more than one space
between words. Whether that is legal is for ``head_rules`` to say.
"""

from __future__ import annotations

import re

from .errors import ProtocolError

TCHAR = r"[!#$%&'*+.^_`|~0-9A-Za-z-]"  # RFC 9110, 5.6.2
TOKEN = re.compile(TCHAR.encode() + b"*")  # token = 1*tchar; here perhaps none yet
EMPTY_LINE = b"\r\n"
WHITESPACE = " \t\r"  # a CR here is that of the line end


def head_end(data: bytes | bytearray, start: int = 0) -> int:
    """The offset after the empty line that ends the head which begins at ``start``; -1 if it is not there yet."""
    start += empty_lines_before(data, start)
    with_cr = data.find(b"\n\r\n", start)
    # RFC 9112, 2.2: "a recipient MAY recognize a single LF as a line terminator".
    bare = data.find(b"\n\n", start, with_cr + 1 if with_cr >= 0 else len(data))
    if bare >= 0:
        return bare + 2
    return with_cr + 3 if with_cr >= 0 else -1


def empty_lines_before(data: bytes | bytearray, start: int = 0) -> int:
    """How many bytes of empty lines stand before the start line; RFC 9112, 2.2 has a server ignore them."""
    at = start
    while at < len(data) and data[at] in EMPTY_LINE:
        at += 1
    return at - start


def split_request_line(line: bytes) -> tuple[bytes, bytes, bytes]:
    """Method, request target and version, "parsed on whitespace-delimited word boundaries" (RFC 9112, 3).

    Raises:
        ProtocolError: the line is no request line (status code 400).
    """
    words = line.split(None, 1)
    method, rest = words if len(words) == 2 else (line, b"")
    # A target may hold spaces that its sender forgot to encode, so the version is what comes after the *last* space.
    words = rest.rsplit(None, 1)
    if len(words) == 2 and words[1].startswith(b"HTTP/") and TOKEN.fullmatch(method):
        return method, words[0], words[1]
    raise ProtocolError(
        f"expected a request line, as in 'GET / HTTP/1.1'; found {quoted(line)}",
        status_code=400,
        offset=0,
        field="request line",
        section="RFC 9112, 3",
    )


def split_status_line(line: bytes) -> tuple[bytes, bytes, bytes]:
    """Version, status code and reason phrase; the last may be missing, with the space before it.

    Raises:
        ProtocolError: the line is no status line (no status code: a client has nobody to answer).
    """
    words = line.split(None, 2)
    if len(words) >= 2 and words[0].startswith(b"HTTP/") and len(words[1]) == 3 and words[1].isdigit():
        return words[0], words[1], words[2].rstrip() if len(words) == 3 else b""
    raise ProtocolError(
        f"expected a status line, as in 'HTTP/1.1 200 OK'; found {quoted(line)}",
        status_code=None,
        offset=0,
        field="status line",
        section="RFC 9112, 4",
    )


def begins_request(line: bytes) -> bool:
    """Whether a line that is not complete can become a request line: its first word is a method, so a token."""
    return not line.strip() or TOKEN.fullmatch(line.split(None, 1)[0]) is not None


def begins_response(line: bytes) -> bool:
    """Whether a line that is not complete can become a status line."""
    word = line.lstrip()
    return word[:5] == b"HTTP/"[: len(word)]


def split_fields(lines: list[str]) -> tuple[tuple[str, str], ...]:
    """Names and values of field lines, Latin-1 text, the whitespace around both taken off (RFC 9112, 5).

    A line that begins with whitespace goes on with the value before it (obs-fold, RFC 9112, 5.2). A line without a
    colon becomes a name with an empty value, so that nothing is lost.
    """
    fields: list[tuple[str, str]] = []
    for line in lines:
        if line[:1] in ("\t", " ") and fields:
            name, value = fields[-1]
            fields[-1] = name, f"{value} {line.strip(WHITESPACE)}".strip(WHITESPACE)
            continue
        name, colon, value = line.partition(":")
        name = name.strip(WHITESPACE)
        if name or colon:
            fields.append((name, value.strip(WHITESPACE)))
    return tuple(fields)


def quoted(text: bytes | str, limit: int = 60) -> str:
    """Text from outside, safe to print: ASCII, in quotes, control characters escaped, cut after ``limit``."""
    if isinstance(text, bytes):
        text = text[: limit + 1].decode("latin-1")
    return ascii(text) if len(text) <= limit else ascii(text[:limit]) + "..."
