# SPDX-License-Identifier: GPL-2.0-or-later
"""A request head and a response head of HTTP/1.1 as values, and the way between them and their bytes (RFC 9112).

A head is a start line, field lines and an empty line::

    GET /chat HTTP/1.1 CRLF        HTTP/1.1 101 Switching Protocols CRLF
    Host: example.com CRLF         Upgrade: websocket CRLF
    CRLF                           CRLF

As with frames, three verbs are kept apart: to split (``head_lines``), to judge (``head_rules``) and to explain
(``head_spans``). So a head that breaks a rule can still be captured, shown and sent.

Bytes become text as Latin-1, in which every byte is a character and comes back as the same byte. RFC 9110, 5.5 has
fields in ASCII, and any other byte in them opaque.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .arguments import Data, need_bytes, need_text
from .errors import NeedMoreData
from .head_lines import (
    begins_request,
    begins_response,
    empty_lines_before,
    head_end,
    quoted,
    split_fields,
    split_request_line,
    split_status_line,
)
from .head_rules import check_request_head, check_response_head
from .head_spans import head_spans
from .spans import Span

Fields = tuple[tuple[str, str], ...]
Words = tuple[bytes, bytes, bytes]

# An element of a list: anything but a comma, or a quoted string with commas in it (RFC 9110, 5.6.1 and 5.6.4).
ELEMENT = re.compile(r'(?:[^,"]|"(?:\\.|[^"\\])*"?)+')


class Head:
    """What a request head and a response head have in common: fields, in the order in which they came."""

    __slots__ = ()

    fields: Fields

    def get_all(self, name: str) -> list[str]:
        """The values of all field lines of this name, in order. Case does not matter (RFC 9110, 5.1)."""
        name = name.lower()
        return [value for field, value in self.fields if field.lower() == name]

    def get(self, name: str) -> str | None:
        """The value of a field; several lines joined by ", " (RFC 9110, 5.3); ``None`` if there is none.

        Set-Cookie cannot be joined (same section): take ``get_all``.
        """
        values = self.get_all(name)
        return ", ".join(values) if values else None

    def field_elements(self, name: str) -> list[str]:
        """The elements of a list-valued field over all its lines, empty ones left out (RFC 9110, 5.6.1.2)."""
        elements = ELEMENT.findall(self.get(name) or "")
        return [element.strip(" \t") for element in elements if element.strip(" \t")]

    def field_tokens(self, name: str) -> list[str]:
        """The elements in lower case, for fields whose elements have none, such as Connection and Upgrade."""
        return [element.lower() for element in self.field_elements(name)]

    def _serialize(self, start_line: str) -> bytes:
        lines = "".join(f"{name}: {value}\r\n" for name, value in self.fields)
        try:
            return f"{start_line}\r\n{lines}\r\n".encode("latin-1")
        except UnicodeEncodeError as error:
            raise ValueError(
                f"a head is written in Latin-1, which has no {quoted(error.object[error.start])} (RFC 9110, 5.5)"
            ) from None


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
        need_bytes(data)
        if isinstance(data, memoryview):
            data = bytes(data)
        if strict:
            check_request_head(data)
        (method, target, version), fields, used = _split(data, split_request_line, begins_request)
        return cls(
            method.decode("latin-1"), target.decode("latin-1"), version.decode("latin-1"), fields
        ), used

    def serialize(self) -> bytes:
        """The bytes of the head, the empty line included. It never judges.

        Raises:
            ValueError: a character that Latin-1 has no byte for.
        """
        return self._serialize(f"{self.method} {self.target} {self.version}")

    def spans(self) -> list[Span]:
        """What each byte of ``serialize()`` is, in order."""
        return head_spans(self.serialize())


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
        need_bytes(data)
        if isinstance(data, memoryview):
            data = bytes(data)
        if strict:
            check_response_head(data)
        (version, status, reason), fields, used = _split(data, split_status_line, begins_response)
        return cls(int(status), reason.decode("latin-1"), version.decode("latin-1"), fields), used

    def serialize(self) -> bytes:
        """The bytes of the head, the empty line included. It never judges.

        Raises:
            ValueError: a character that Latin-1 has no byte for.
        """
        return self._serialize(f"{self.version} {self.status:03} {self.reason}")

    def spans(self) -> list[Span]:
        """What each byte of ``serialize()`` is, in order."""
        return head_spans(self.serialize())


def _split(
    data: bytes | bytearray, split_start_line: Callable[[bytes], Words], begins: Callable[[bytes], bool]
) -> tuple[Words, Fields, int]:
    """The words of the start line, the fields, and the length of the head."""
    start, end = empty_lines_before(data), head_end(data)
    if end < 0:
        # Say early that bytes are no HTTP, such as TLS: the empty line would never come.
        line, newline, _ = bytes(data[start:]).partition(b"\n")
        if newline or not begins(line):
            split_start_line(line)
        raise NeedMoreData
    line_end = data.index(b"\n", start)
    words = split_start_line(bytes(data[start:line_end]))
    # Before the empty line stand the line ends that `split` would make empty strings of.
    text = bytes(data[line_end + 1 : end]).decode("latin-1").rstrip("\r\n")
    return words, split_fields(text.split("\n")) if text else (), end


def as_fields(fields: Iterable[tuple[str, str]]) -> Fields:
    """Pairs of name and value as a tuple of tuples; TypeError for what is none."""
    pairs = tuple(fields) if isinstance(fields, Iterable) else (fields,)
    for pair in pairs:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2 or not all(isinstance(x, str) for x in pair):
            raise TypeError(
                f'fields are pairs of name and value, as in [("Origin", "null")]; found {pair!r:.60}'
            )
    return tuple((name, value) for name, value in pairs)
