# SPDX-License-Identifier: GPL-2.0-or-later
"""What both halves of the protocol share: the two errors of bytes, and the types of what callers pass.

Bytes can fail to be a whole, legal thing in two ways: they stop too early, or they break a rule. What is no bytes at
all, or no text, is a mistake of the caller, and named at once: or else text where bytes belong would fail somewhere
inside, or not fail and mean something else.
"""

from collections.abc import Collection
from typing import Literal, Self

# What a socket gives, what a program collects in, and a view of either.
Data = bytes | bytearray | memoryview
# Of the sender of the bytes, never of who reads them: a rule speaks of who must keep it.
Role = Literal["client", "server"]


# They share no base class: whoever reads a stream waits on the one and gives up on the other, and to catch both in one
# clause would be a mistake.
class NeedMoreData(Exception):
    """The bytes so far are legal, and they stop too early: read more and try again."""

    def __str__(self) -> str:
        return "nothing is wrong with these bytes so far, and they stop too early"


class ProtocolError(Exception):
    """The peer broke a rule, and no further byte can mend it.

    Attributes:
        status_code: what to answer with. For a frame or a message the status code of the Close frame (RFC 6455,
            7.4.1), for a request the HTTP status code, ``None`` where nothing is sent and the connection is dropped.
        offset: where the rule was broken, in bytes from the start of the data that was given.
        field: the RFC's name of the part that broke it, such as ``"RSV1"`` or ``"Sec-WebSocket-Key"``.
        section: where the rule stands, such as ``"RFC 6455, 5.2"``.
    """

    def __init__(self, message: str, *, offset: int, field: str, section: str, status_code: int | None = 1002) -> None:
        # The status code is 1002 unless said otherwise: "an endpoint is terminating the connection due to a protocol
        # error" (RFC 6455, 7.4.1). Nearly all rules of frames are answered so.
        super().__init__(message)
        self.message, self.offset, self.status_code = message, offset, status_code
        self.field, self.section = field, section

    def __str__(self) -> str:
        return f"{self.field} at byte {self.offset}: {self.message} ({self.section})"

    def shifted(self, by: int) -> Self:
        """The same refusal with its offset counted from ``by`` bytes earlier; for parsers that call parsers."""
        # The attributes are the arguments that it was made with, by their names.
        return type(self)(**vars(self) | {"offset": self.offset + by})


def printable(text: str) -> str:
    r"""Text from outside, safe to show: each character that does not print as itself is spelled out.

    Those are control characters, line ends too, the marks that turn the direction of writing, lone surrogates and what
    Unicode has not assigned: ``\x1b``, ``\n``, ``\u202e``, ``\ud800``. Printable text comes back as it is.
    """
    # An escape sequence from a peer could otherwise move the cursor, hide lines or change the title of a terminal.
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def quoted(text: bytes | str, limit: int = 60) -> str:
    """Text from outside, safe to print: ASCII, in quotes, control characters escaped, cut after ``limit``."""
    # Cut before it is decoded: the text may be as long as the peer likes, and only its beginning is shown.
    if isinstance(text, bytes):
        text = text[: limit + 1].decode("latin-1")
    return ascii(text) if len(text) <= limit else ascii(text[:limit]) + "..."


def need_bytes(value: object, name: str = "data") -> None:
    """Raise TypeError unless it is bytes, of whatever kind."""
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise _wrong(name, "bytes", value)


def need_text(value: object, name: str) -> None:
    """Raise TypeError unless it is text."""
    if not isinstance(value, str):
        raise _wrong(name, "str", value)


def need_texts(values: Collection[str], name: str) -> None:
    """Raise TypeError unless it is a collection of texts; one text alone is a collection too, of its letters."""
    # Asked by name, since a text passes every test for a collection, and then fails far from here, or not at all.
    if isinstance(values, str) or not isinstance(values, Collection):
        raise _wrong(name, "a list of str", values)
    for value in values:
        need_text(value, f"each of {name}")


def need_role(role: object) -> None:
    """Raise ValueError unless it is a role, or ``None`` for a sender of whom nothing is known."""
    # A role that is misspelled would turn the masking rule off without a word.
    if role not in ("client", "server", None):
        raise ValueError(f"the sender's role is 'client', 'server' or None: {role!r:.60}")


def _wrong(name: str, expected: str, value: object) -> TypeError:
    # The value is cut: it may be as large as a capture.
    return TypeError(f"{name}: expected {expected}; found {type(value).__name__}: {value!r:.60}")
