# SPDX-License-Identifier: GPL-2.0-or-later
"""Judging a head: the grammar of RFC 9112, 2 to 5, walked byte by byte to the first byte that breaks it.

Each step either takes bytes that the grammar allows at that place, or refuses the byte that it does not, or finds that
the bytes end there. So a rule is seen broken at the earliest byte, also in a head that is not complete.
"""

from __future__ import annotations

import re
from typing import NoReturn

from .errors import NeedMoreData, ProtocolError
from .head_lines import TOKEN, quoted

# RFC 9112, 3.2 has URI characters only, but browsers send { | } as they are: like h11, take what is visible ASCII.
TARGET = re.compile(rb"[\x21-\x7e]*")
# RFC 9110, 5.5: VCHAR, obs-text, and SP and HTAB between them; never NUL, CR, LF or another control character.
TEXT = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")

DIGITS = b"0123456789"
VERSION = (b"H", b"T", b"T", b"P", b"/", DIGITS, b".", DIGITS)


def check_request_head(data: bytes | bytearray) -> None:
    """Hold a request head, as far as it is there, against the grammar.

    Raises:
        NeedMoreData: nothing is wrong so far, and the empty line at the end is not there.
        ProtocolError: status code 400, at the first byte that breaks a rule.
    """
    walk = Walk(data, status_code=400)
    if data[:1] in (b"\r", b"\n"):
        walk.refuse("an empty line before the request line", "method", "RFC 9112, 2.2")
    walk.some(TOKEN, "method", "RFC 9110, 9.1", "a token, as in GET")
    walk.one(b" ", "method", "RFC 9112, 3", "one space after the method")
    walk.some(TARGET, "request target", "RFC 9112, 3.2", "visible ASCII, as in /chat")
    walk.one(b" ", "request target", "RFC 9112, 3", "one space and the version after the request target")
    walk.version()
    walk.crlf("request line")
    walk.fields()


def check_response_head(data: bytes | bytearray) -> None:
    """Hold a response head, as far as it is there, against the grammar.

    Raises:
        NeedMoreData: nothing is wrong so far, and the empty line at the end is not there.
        ProtocolError: without a status code, at the first byte that breaks a rule.
    """
    walk = Walk(data, status_code=None)
    walk.version()
    walk.one(b" ", "HTTP version", "RFC 9112, 4", "one space after the version")
    # RFC 9110, 15: "Values outside the range 100..599 are invalid."
    walk.one(b"12345", "status code", "RFC 9110, 15", "three digits, 100 to 599")
    walk.one(DIGITS, "status code", "RFC 9110, 15", "three digits, 100 to 599")
    walk.one(DIGITS, "status code", "RFC 9110, 15", "three digits, 100 to 599")
    # RFC 9112, 4: "A server MUST send the space that separates the status-code from the reason-phrase even when the
    # reason-phrase is absent".
    walk.one(b" ", "status code", "RFC 9112, 4", "one space after the status code")
    walk.any(TEXT)
    walk.crlf("reason phrase")
    walk.fields()


class Walk:
    """A place in bytes, and the steps from it that the grammar allows."""

    def __init__(self, data: bytes | bytearray, *, status_code: int | None) -> None:
        self.data = data
        self.at = 0
        self.status_code = status_code

    def refuse(self, message: str, field: str, section: str) -> NoReturn:
        """Raise ProtocolError for the byte at this place."""
        raise ProtocolError(
            message, status_code=self.status_code, offset=self.at, field=field, section=section
        )

    def byte(self) -> int:
        """The byte at this place; NeedMoreData at the end of the bytes."""
        if self.at >= len(self.data):
            raise NeedMoreData
        return self.data[self.at]

    def one(self, allowed: bytes, field: str, section: str, expected: str) -> None:
        """Take one byte that is in ``allowed``."""
        byte = self.byte()
        if byte not in allowed:
            self.refuse(f"expected {expected}; found {quoted(bytes((byte,)))}", field, section)
        self.at += 1

    def any(self, pattern: re.Pattern[bytes]) -> bytes:
        """Take all bytes that the pattern allows, perhaps none; what follows them decides."""
        match = pattern.match(self.data, self.at)
        assert match is not None  # these patterns match the empty string too
        self.at = match.end()
        return match[0]

    def some(self, pattern: re.Pattern[bytes], field: str, section: str, expected: str) -> bytes:
        """Take one byte or more that the pattern allows."""
        taken = self.any(pattern)
        if not taken:
            found = quoted(bytes((self.byte(),)))
            self.refuse(f"expected {expected}; found {found}", field, section)
        return taken

    def version(self) -> None:
        """RFC 9112, 2.3: "HTTP/" and two digits with a dot between them, in upper case."""
        for allowed in VERSION:
            self.one(allowed, "HTTP version", "RFC 9112, 2.3", "a version, as in HTTP/1.1")

    def crlf(self, field: str) -> None:
        """The end of a line. ``field`` is what stands before it, and whose bytes these otherwise are."""
        byte = self.byte()
        if byte == 0x0A:
            self.refuse("a bare LF; a line ends in CR LF", field, "RFC 9112, 2.2")
        if byte != 0x0D:
            self.refuse(f"{quoted(bytes((byte,)))} is not allowed here", field, _character_rule(field))
        if self.at + 1 >= len(self.data):
            raise NeedMoreData
        if self.data[self.at + 1] != 0x0A:
            self.refuse("a CR without LF; a line ends in CR LF", field, "RFC 9112, 2.2")
        self.at += 2

    def fields(self) -> None:
        """Field lines, and the empty line after them (RFC 9112, 5)."""
        name = ""
        while self.byte() not in b"\r\n":
            if self.byte() in b" \t":
                if not name:
                    self.refuse("whitespace before the first field", "field name", "RFC 9112, 2.2")
                self.refuse(
                    "a field line that goes on in the next line (obs-fold), which is obsolete",
                    name,
                    "RFC 9112, 5.2",
                )
            name = self.field_line()
        self.crlf("empty line")

    def field_line(self) -> str:
        """One field line; returns the name of the field."""
        expected = "a field name, which is a token"
        name = self.some(TOKEN, "field name", "RFC 9110, 5.1", expected).decode("ascii")
        if self.byte() in b" \t":
            self.refuse(f"whitespace between the field name {name} and the colon", name, "RFC 9112, 5.1")
        if self.byte() in b"\r\n":
            self.refuse(f"a field line without a colon: {quoted(name)}", "field name", "RFC 9112, 5")
        self.one(b":", "field name", "RFC 9110, 5.1", f"a colon after {quoted(name)}")
        self.any(TEXT)
        self.crlf(name)
        return name


def _character_rule(field: str) -> str:
    """Where it says which characters a part of the head may hold."""
    places = {"request line": "RFC 9112, 3", "reason phrase": "RFC 9112, 4", "empty line": "RFC 9112, 2.1"}
    return places.get(field, "RFC 9110, 5.5")
