# SPDX-License-Identifier: GPL-2.0-or-later
"""The two ways in which bytes can fail to be a whole, legal thing."""

from __future__ import annotations


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

    def __init__(
        self, message: str, *, offset: int, field: str, section: str, status_code: int | None = 1002
    ) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.field = field
        self.section = section
        self.status_code = status_code

    def __str__(self) -> str:
        return f"{self.field} at byte {self.offset}: {self.message} ({self.section})"

    def moved(self, by: int) -> ProtocolError:
        """The same refusal with its offset counted from ``by`` bytes earlier; for parsers that call parsers."""
        return ProtocolError(
            self.message,
            offset=self.offset + by,
            field=self.field,
            section=self.section,
            status_code=self.status_code,
        )
