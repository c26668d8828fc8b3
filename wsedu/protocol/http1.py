# SPDX-License-Identifier: GPL-2.0-or-later
"""The head of an HTTP/1.1 message: split into parts, held against the grammar, and as a value (RFC 9112, 2 to 5).

A head is a start line, field lines and an empty line::

    GET /chat HTTP/1.1 CRLF        HTTP/1.1 101 Switching Protocols CRLF
    Host: example.com CRLF         Upgrade: websocket CRLF
    CRLF                           CRLF

As with frames, three verbs are kept apart: to split, to check and to explain (``http1_spans``). Splitting forgives
what real programs send: a bare LF for CRLF, empty lines before the start line, more than one space between words. So a
head that breaks a rule can still be captured, shown and sent.

Bytes become text as Latin-1, in which every byte is a character and comes back as the same byte. RFC 9110, 5.5 has
fields in ASCII, and any other byte in them opaque; RFC 9112, 2.2 asks for "a sequence of octets in an encoding that is
a superset of US-ASCII", so that no byte can hide a line end in a character of several.

In order of reading: splitting; checking; the two together (``_parse``); ``Request`` and ``Response``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import ClassVar, NoReturn

from .errors import Data, NeedMoreData, ProtocolError, need_bytes, need_text, quoted
from .spans import Span

Fields = tuple[tuple[str, str], ...]
StartLine = tuple[bytes, bytes, bytes]

TCHAR = r"[!#$%&'*+.^_`|~0-9A-Za-z-]"  # RFC 9110, 5.6.2: "any VCHAR, except delimiters"
TOKEN = re.compile(TCHAR.encode() + b"+")  # token = 1*tchar

# Splitting

WHITESPACE = " \t\r"  # a CR here is that of the line end
# RFC 9112, 2.2: "a recipient MAY recognize a single LF as a line terminator and ignore any preceding CR".
HEAD_END = re.compile(rb"\n\r?\n")
EMPTY_LINES = re.compile(rb"[\r\n]*")


def head_end(data: bytes | bytearray) -> int:
    """The offset after the empty line that ends the head which begins there; -1 if it is not there yet."""
    end = HEAD_END.search(data, empty_lines_before(data))
    return end.end() if end else -1


def empty_lines_before(data: bytes | bytearray) -> int:
    """How many bytes of empty lines stand before the start line."""
    # RFC 9112, 2.2: a server "SHOULD ignore at least one empty line (CRLF) received prior to the request-line", since
    # old clients sent one after the content that Content-Length did not count.
    match = EMPTY_LINES.match(data)
    return match.end() if match else 0


def split_request_line(line: bytes) -> StartLine:
    """Method, request target and version.

    Raises:
        ProtocolError: the line is no request line (status code 400).
    """
    # RFC 9112, 3: "recipients MAY instead parse on whitespace-delimited word boundaries".
    words = line.split(None, 1)
    method, rest = words if len(words) == 2 else (line, b"")
    # A target may hold spaces that its sender forgot to encode, so the version is what comes after the *last* space.
    # RFC 9112, 3.2: "No whitespace is allowed in the request-target. Unfortunately, some user agents fail to properly
    # encode or exclude whitespace found in hypertext references".
    words = rest.rsplit(None, 1)
    if len(words) == 2 and words[1].startswith(b"HTTP/") and TOKEN.fullmatch(method):
        return method, words[0], words[1]
    message = f"expected a request line, as in 'GET / HTTP/1.1'; found {quoted(line)}"
    raise ProtocolError(message, offset=0, field="request line", section="RFC 9112, 3", status_code=400)


def split_status_line(line: bytes) -> StartLine:
    """Version, status code and reason phrase; the last may be missing, with the space before it.

    Raises:
        ProtocolError: the line is no status line (no status code: a client has nobody to answer).
    """
    # status-line = HTTP-version SP status-code SP [ reason-phrase ] (RFC 9112, 4). The reason phrase is the one part
    # with spaces of its own, so that only the first two are looked for.
    words = line.split(None, 2)
    if len(words) >= 2 and words[0].startswith(b"HTTP/") and len(words[1]) == 3 and words[1].isdigit():
        return words[0], words[1], words[2].rstrip() if len(words) == 3 else b""
    message = f"expected a status line, as in 'HTTP/1.1 200 OK'; found {quoted(line)}"
    raise ProtocolError(message, offset=0, field="status line", section="RFC 9112, 4", status_code=None)


def begins_request(line: bytes) -> bool:
    """Whether a line that is not complete can become a request line: its first word is a method, so a token."""
    return not line.strip() or TOKEN.fullmatch(line.split(None, 1)[0]) is not None


def begins_response(line: bytes) -> bool:
    """Whether a line that is not complete can become a status line."""
    word = line.lstrip()
    return word[:5] == b"HTTP/"[: len(word)]


def split_fields(lines: Iterable[str]) -> Fields:
    """Names and values of field lines, Latin-1 text, the whitespace around both taken off (RFC 9112, 5).

    A line without a colon becomes a name with an empty value, so that nothing is lost.
    """
    fields: list[tuple[str, list[str]]] = []  # names, and the pieces of their values
    for line in lines:
        # obs-fold: a line that begins with whitespace goes on with the value before it, and a reader may "replace each
        # received obs-fold with one or more SP octets" (RFC 9112, 5.2). The pieces are joined once, at the end: a
        # value may be folded over thousands of lines.
        if line[:1] in ("\t", " ") and fields:
            fields[-1][1].append(line.strip(WHITESPACE))
            continue
        name, colon, value = line.partition(":")
        name = name.strip(WHITESPACE)
        if name or colon:
            fields.append((name, [value.strip(WHITESPACE)]))
    return tuple((name, " ".join(filter(None, pieces))) for name, pieces in fields)


# Checking: the grammar of RFC 9112, 2 to 5, to the first byte that breaks it

# RFC 9112, 3.2 has URI characters only, but browsers send { | } as they are: like h11, take what is visible ASCII.
TARGET = re.compile(rb"[\x21-\x7e]+")
# RFC 9110, 5.5: VCHAR, obs-text, and SP and HTAB between them; never another control character. CR, LF and NUL are
# "invalid and dangerous, due to the varying ways that implementations might parse and interpret those characters".
TEXT = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
SP, DIGIT, COLON = re.compile(b" "), re.compile(b"[0-9]"), re.compile(b":")

# A step of the grammar: bytes to take; and of the refusal if there are none the field, the section, what was expected.
Step = tuple[re.Pattern[bytes], str, str, str]
# RFC 9112, 2.3: "HTTP/" and two digits with a dot between them; "HTTP-version is case-sensitive".
# HTTP-version = HTTP-name "/" DIGIT "." DIGIT: one digit each, so that HTTP/1.10 is no version at all.
VERSION: tuple[Step, ...] = tuple(
    (re.compile(allowed), "HTTP version", "RFC 9112, 2.3", "a version, as in HTTP/1.1")
    for allowed in (b"H", b"T", b"T", b"P", b"/", b"[0-9]", rb"\.", b"[0-9]")
)
# RFC 9112, 3: request-line = method SP request-target SP HTTP-version. One SP, since two readers that take other
# whitespace for a separator can come to see different targets.
REQUEST_LINE: tuple[Step, ...] = (
    (TOKEN, "method", "RFC 9110, 9.1", "a token, as in GET"),
    (SP, "method", "RFC 9112, 3", "one space after the method"),
    (TARGET, "request target", "RFC 9112, 3.2", "visible ASCII, as in /chat"),
    (SP, "request target", "RFC 9112, 3", "one space and the version after the request target"),
    *VERSION,
)
# RFC 9110, 15: "Values outside the range 100..599 are invalid."
STATUS: Step = re.compile(b"[1-5]"), "status code", "RFC 9110, 15", "three digits, 100 to 599"
STATUS_LINE: tuple[Step, ...] = (
    *VERSION,
    (SP, "HTTP version", "RFC 9112, 4", "one space after the version"),
    STATUS,
    (DIGIT, *STATUS[1:]),
    (DIGIT, *STATUS[1:]),
    # RFC 9112, 4: "A server MUST send the space that separates the status-code from the reason-phrase even when the
    # reason-phrase is absent".
    (SP, "status code", "RFC 9112, 4", "one space after the status code"),
    (TEXT, "reason phrase", "RFC 9112, 4", "any text, or none"),
)

# Where it says which characters a part of the head may hold; of the value of a field it is RFC 9110, 5.5.
CHARACTER_RULES = {"request line": "RFC 9112, 3", "reason phrase": "RFC 9112, 4", "empty line": "RFC 9112, 2.1"}


class HeadChecker:
    """A place in a head, and the steps from it that the grammar allows.

    Each step either takes bytes that the grammar allows at that place, or refuses the byte that it does not, or finds
    that the bytes end there. So a rule is seen broken at the earliest byte, also in a head that is not complete.

    RFC 9112, 2.2: to bytes that do "not match the HTTP-message grammar aside from the robustness exceptions" a server
    "SHOULD respond with a 400 (Bad Request) response and close the connection". The exceptions are not taken here.
    """

    def __init__(self, data: bytes | bytearray, *, request: bool) -> None:
        self.data, self.request = data, request
        self.at = 0

    def head(self) -> None:
        """A whole head, from its first byte on.

        Raises:
            NeedMoreData: nothing is wrong so far, and the empty line at the end is not there.
            ProtocolError: at the first byte that breaks a rule.
        """
        if self.request and self.data[:1] in (b"\r", b"\n"):
            self.refuse("an empty line before the request line", "method", "RFC 9112, 2.2")
        for step in REQUEST_LINE if self.request else STATUS_LINE:
            self.take(*step)
        # RFC 9112, 3: nothing stands between the version and the end of the line.
        self.crlf("request line" if self.request else "reason phrase")
        self.fields()

    def refuse(self, message: str, field: str, section: str) -> NoReturn:
        """Raise ProtocolError for the byte at this place."""
        status_code = 400 if self.request else None  # a client does not answer a response
        raise ProtocolError(message, status_code=status_code, offset=self.at, field=field, section=section)

    def byte(self, ahead: int = 0) -> int:
        """The byte at this place, or some bytes ahead; NeedMoreData at the end of the bytes."""
        if self.at + ahead >= len(self.data):
            raise NeedMoreData
        return self.data[self.at + ahead]

    def take(self, allowed: re.Pattern[bytes], field: str, section: str, expected: str) -> bytes:
        """Take all bytes that the pattern allows at this place; what follows them is for the next step."""
        match = allowed.match(self.data, self.at)
        if match is None:
            self.refuse(f"expected {expected}; found {quoted(bytes((self.byte(),)))}", field, section)
        self.at = match.end()
        return match[0]

    def crlf(self, field: str) -> None:
        """The end of a line. ``field`` is what stands before it, and whose bytes these otherwise are."""
        byte = self.byte()
        if byte == 0x0A:
            self.refuse("a bare LF; a line ends in CR LF", field, "RFC 9112, 2.2")
        if byte != 0x0D:
            section = CHARACTER_RULES.get(field, "RFC 9110, 5.5")
            self.refuse(f"{quoted(bytes((byte,)))} is not allowed here", field, section)
        # "A recipient of such a bare CR MUST consider that element to be invalid or replace each bare CR with SP".
        if self.byte(1) != 0x0A:
            self.refuse("a CR without LF; a line ends in CR LF", field, "RFC 9112, 2.2")
        self.at += 2

    def fields(self) -> None:
        """Field lines, and the empty line after them (RFC 9112, 5)."""
        name = ""
        while self.byte() not in b"\r\n":
            if self.byte() in b" \t":
                if not name:
                    # "A sender MUST NOT send whitespace between the start-line and the first header field."
                    self.refuse("whitespace before the first field", "field name", "RFC 9112, 2.2")
                # "A sender MUST NOT generate a message that includes line folding".
                message = "a field line that goes on in the next line (obs-fold), which is obsolete"
                self.refuse(message, name, "RFC 9112, 5.2")
            name = self.take(TOKEN, "field name", "RFC 9110, 5.1", "a field name, which is a token").decode("ascii")
            # "A server MUST reject, with a response status code of 400 (Bad Request), any received request message that
            # contains whitespace between a header field name and colon": some readers took it for part of the name, and
            # so did not see the Content-Length that others saw.
            if self.byte() in b" \t":
                self.refuse(f"whitespace between the field name {name} and the colon", name, "RFC 9112, 5.1")
            if self.byte() in b"\r\n":
                self.refuse(f"a field line without a colon: {quoted(name)}", "field name", "RFC 9112, 5")
            self.take(COLON, "field name", "RFC 9110, 5.1", f"a colon after {quoted(name)}")
            self.take(TEXT, name, "RFC 9110, 5.5", "any text, or none")
            self.crlf(name)
        self.crlf("empty line")


# Splitting and checking, of either kind of head


def _parse(data: Data, strict: bool, *, request: bool) -> tuple[list[str], Fields, int]:
    """The words of the start line, the fields, and the length of the head; arguments as for ``Request.parse``."""
    need_bytes(data)
    # What a program collects in is not copied: it may hold much more than the head. A view cannot be searched.
    data = bytes(data) if isinstance(data, memoryview) else data
    if strict:
        HeadChecker(data, request=request).head()
    split, begins = (split_request_line, begins_request) if request else (split_status_line, begins_response)
    start, end = empty_lines_before(data), head_end(data)
    if end < 0:
        # Say early that bytes are no HTTP, such as TLS: the empty line would never come.
        line, newline, _ = bytes(data[start:]).partition(b"\n")
        if newline or not begins(line):
            split(line)
        raise NeedMoreData
    start_line, _, rest = bytes(data[start:end]).partition(b"\n")
    # Before the empty line stand the line ends that `split` would make empty strings of.
    text = rest.decode("latin-1").rstrip("\r\n")
    fields = split_fields(text.split("\n")) if text else ()
    return [word.decode("latin-1") for word in split(start_line)], fields, end


# Heads as values

# An element of a list: anything but a comma, or a quoted string with commas in it (RFC 9110, 5.6.1 and 5.6.4).
ELEMENT = re.compile(r'(?:[^,"]|"(?:\\.|[^"\\])*"?)+')


class Head:
    """What a request head and a response head have in common: fields, in the order in which they came."""

    __slots__ = ()

    version: str
    fields: Fields
    START_LINE: ClassVar[str]  # a format for its attributes

    @property
    def start_line(self) -> str:
        """The first line, without its end."""
        return self.START_LINE.format(self)

    def get_all(self, name: str) -> list[str]:
        """The values of all field lines of this name, in order."""
        # A list, as their order may say something: "The order in which field lines with the same name are received is
        # therefore significant to the interpretation of the field value" (RFC 9110, 5.3).
        name = name.lower()  # "Field names are case-insensitive" (RFC 9110, 5.1)
        return [value for field, value in self.fields if field.lower() == name]

    def get(self, name: str) -> str | None:
        """The value of a field; several lines joined by ", " (RFC 9110, 5.3); ``None`` if there is none.

        Set-Cookie cannot be joined (same section): take ``get_all``.
        """
        # RFC 9110, 5.3: a recipient may combine field lines of one name "by appending each subsequent field line value
        # to the initial field line value in order, separated by a comma (",") and optional whitespace".
        values = self.get_all(name)
        return ", ".join(values) if values else None

    def field_elements(self, name: str) -> list[str]:
        """The elements of a list-valued field over all its lines."""
        # RFC 9110, 5.6.1.2: "A recipient MUST parse and ignore a reasonable number of empty list elements".
        elements = ELEMENT.findall(self.get(name) or "")
        return [element.strip(" \t") for element in elements if element.strip(" \t")]

    def field_tokens(self, name: str) -> list[str]:
        """The elements in lower case, for fields in whose elements case does not matter, such as Connection."""
        # Which fields those are, each field says for itself: "Connection options are case-insensitive" (RFC 9110,
        # 7.6.1).
        return [element.lower() for element in self.field_elements(name)]

    def line_offset(self, raw: bytes, name: str, which: int = 0) -> int:
        """Where a field line of this name begins in ``raw``; the place of the empty line if there is none.

        Args:
            raw: the bytes of this head, each field in one line that ends in CR LF.
            which: which of the lines of this name, from 0 on.
        """
        # Only what was checked, or written by us, is asked: there each field has one line, so that lines can be
        # counted.
        starts = accumulate(len(line) + 2 for line in raw.split(b"\r\n"))
        found = [at for (field, _), at in zip(self.fields, starts, strict=False) if field.lower() == name.lower()]
        return found[which] if found else len(raw) - 2

    def serialize(self) -> bytes:
        """The bytes of the head, the empty line included. It never checks.

        Raises:
            ValueError: a character that Latin-1 has no byte for.
        """
        # One space after the colon, as everybody writes it; for a reader it is optional whitespace like any other.
        lines = "".join(f"{name}: {value}\r\n" for name, value in self.fields)
        try:
            return f"{self.start_line}\r\n{lines}\r\n".encode("latin-1")
        except UnicodeEncodeError as error:
            found = quoted(error.object[error.start])
            raise ValueError(f"a head is written in Latin-1, which has no {found} (RFC 9110, 5.5)") from None

    def spans(self) -> list[Span]:
        """What each byte of ``serialize()`` is, in order."""
        from .http1_spans import head_spans  # here: explaining stands on splitting, which is this module

        return head_spans(self.serialize())


@dataclass(frozen=True, slots=True)
class Request(Head):
    """A request head as a value; text in Latin-1, case and order of the fields as they came.

    Args:
        method: as in ``"GET"``.
        target: the request target, as in ``"/chat?room=1"``.
        version: as in ``"HTTP/1.1"``.
        fields: pairs of name and value.

    Raises:
        TypeError: a value that is none of these.
    """

    START_LINE = "{0.method} {0.target} {0.version}"
    method: str
    target: str
    version: str = "HTTP/1.1"
    fields: Fields = ()

    def __post_init__(self) -> None:
        for name in "method", "target", "version":
            need_text(getattr(self, name), name)
        object.__setattr__(self, "fields", as_fields(self.fields))

    @classmethod
    def parse(cls, data: Data, *, strict: bool = True) -> tuple[Request, int]:
        """Read one request head from the start of ``data``.

        Args:
            data: bytes from the wire; may hold less than a head, or more.
            strict: ``False`` only splits, and forgives what real programs send.

        Returns:
            The head, and how many bytes of ``data`` it took, the empty line included.

        Raises:
            NeedMoreData: nothing is wrong so far, and the empty line is not there.
            ProtocolError: status code 400; a rule of RFC 9112 is broken, or without ``strict`` the first line is
                no request line.
        """
        (method, target, version), fields, used = _parse(data, strict, request=True)
        return cls(method, target, version, fields), used


@dataclass(frozen=True, slots=True)
class Response(Head):
    """A response head as a value; text in Latin-1, case and order of the fields as they came.

    Args:
        status: the status code, as in 200.
        reason: the reason phrase, which may be empty.
        version: as in ``"HTTP/1.1"``.
        fields: pairs of name and value.

    Raises:
        TypeError: a value that is none of these.
    """

    START_LINE = "{0.version} {0.status:03} {0.reason}"
    status: int
    reason: str = ""
    version: str = "HTTP/1.1"
    fields: Fields = ()

    def __post_init__(self) -> None:
        if not isinstance(self.status, int):
            raise TypeError(f"a status code is a number, as in 200: {self.status!r:.60}")
        need_text(self.reason, "reason")
        need_text(self.version, "version")
        object.__setattr__(self, "fields", as_fields(self.fields))

    @classmethod
    def parse(cls, data: Data, *, strict: bool = True) -> tuple[Response, int]:
        """Read one response head from the start of ``data``; arguments and result as for ``Request.parse``.

        Raises:
            NeedMoreData: nothing is wrong so far, and the empty line is not there.
            ProtocolError: without a status code, since a client does not answer a response.
        """
        (version, status, reason), fields, used = _parse(data, strict, request=False)
        return cls(int(status), reason, version, fields), used


def as_fields(fields: Iterable[tuple[str, str]]) -> Fields:
    """Pairs of name and value as a tuple of tuples; TypeError for what is none."""
    # Pairs and not a dict: a dict has each name once, and the fields of a head need not.
    pairs = tuple(fields) if isinstance(fields, Iterable) else (fields,)
    for pair in pairs:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2 or not all(isinstance(x, str) for x in pair):
            raise TypeError(f'fields are pairs of name and value, as in [("Origin", "null")]; found {pair!r:.60}')
    return tuple((name, value) for name, value in pairs)
