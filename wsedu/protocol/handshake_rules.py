# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules about the fields of an opening handshake (RFC 6455, 4 and 11.3), and where to point when one is broken."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NoReturn

from .arguments import Data
from .errors import ProtocolError
from .head_lines import TCHAR, quoted
from .http1 import Request, Response

# Fields that RFC 6455, 11.3 allows once where other fields might be repeated.
ONCE = {
    "Host": "RFC 9112, 3.2",
    "Sec-WebSocket-Key": "RFC 6455, 11.3.1",
    "Sec-WebSocket-Accept": "RFC 6455, 11.3.3",
    "Sec-WebSocket-Protocol": "RFC 6455, 11.3.4",
    "Sec-WebSocket-Version": "RFC 6455, 11.3.5",
}

TOKEN = TCHAR + "++"
# A subprotocol is a token in all but name (RFC 6455, 4.1): U+0021 to U+007E without separator characters.
SUBPROTOCOL = re.compile(TOKEN)
# RFC 6455, 9.1; a quoted value must be a token once the quotes are off.
PARAMETER = rf'[ \t]*;[ \t]*{TOKEN}(?:[ \t]*=[ \t]*(?:{TOKEN}|"{TOKEN}"))?'
EXTENSION = re.compile(rf"({TOKEN})(?:{PARAMETER})*")


class Rules:
    """One head, its rules, and the offsets of its field lines.

    Args:
        head: as it was parsed, strictly, from ``data``.
        data: the bytes it was parsed from; ``used`` of them are the head.
        status_code: what a refusal carries unless a rule says another.
    """

    def __init__(
        self,
        head: Request | Response,
        data: Data,
        used: int,
        status_code: int | None,
    ) -> None:
        self.head = head
        self.status_code = status_code
        # The head was parsed strictly, so each field is one line and each line ends in CR LF.
        lines = bytes(data[:used]).split(b"\r\n")[:-2]
        starts = [0]
        for line in lines:
            starts.append(starts[-1] + len(line) + 2)
        self._starts = starts[1:]  # of the field lines, and of the empty line

    def offset(self, name: str, which: int = 0) -> int:
        """Where a field line of this name begins; the place of the empty line if there is none."""
        lines = zip(self.head.fields, self._starts, strict=False)
        found = [start for (field, _), start in lines if field.lower() == name.lower()]
        return found[which] if found else self._starts[-1]

    def refuse(
        self,
        field: str,
        message: str,
        section: str,
        *,
        offset: int | None = None,
        status_code: int | None = None,
    ) -> NoReturn:
        """Raise ProtocolError; at the first line of this field if no offset is given."""
        raise ProtocolError(
            message,
            status_code=status_code or self.status_code,
            offset=self.offset(field) if offset is None else offset,
            field=field,
            section=section,
        )

    def single(self, name: str, section: str) -> str:
        """The value of a field that must be there, once."""
        values = self.head.get_all(name)
        if not values:
            self.refuse(name, "expected this field, and there is none", section)
        if len(values) > 1:
            message = f"expected this field once; found it {len(values)} times"
            self.refuse(name, message, ONCE.get(name, section), offset=self.offset(name, 1))
        return values[0]

    def token(self, name: str, token: str, section: str) -> None:
        """Case does not matter, and other tokens may stand beside it, as in "keep-alive, Upgrade"."""
        found = self.head.get(name)
        if token.lower() not in self.head.field_tokens(name):
            what = "there is no such field" if found is None else f"found {quoted(found)}"
            self.refuse(name, f"expected {token} among its tokens; {what}", section)

    def subprotocols(self) -> None:
        """RFC 6455, 4.1, 10: the subprotocols that a client offers are tokens, and all different."""
        name, section = "Sec-WebSocket-Protocol", "RFC 6455, 4.1"
        if self.head.get(name) is None:
            return
        offered = self.head.field_elements(name)
        wrong = [element for element in offered if not SUBPROTOCOL.fullmatch(element)]
        if wrong or not offered:
            found = quoted(wrong[0] if wrong else "")
            self.refuse(name, f"expected tokens with commas between them; found {found}", section)
        if len(set(offered)) < len(offered):
            found = quoted(", ".join(offered))
            self.refuse(name, f"expected different subprotocols; found {found}", section)

    def extensions(self, offered: Collection[str] | None = None) -> None:
        """RFC 6455, 9.1: extensions have a grammar, and a server chooses among those that were offered."""
        name = "Sec-WebSocket-Extensions"
        if self.head.get(name) is None:
            return
        elements = self.head.field_elements(name)
        matches = [EXTENSION.fullmatch(element) for element in elements]
        for element, match in zip(elements or [""], matches or [None], strict=True):
            if match is None:
                message = f"expected extensions, as in permessage-deflate; found {quoted(element)}"
                self.refuse(name, message, "RFC 6455, 9.1")
            if offered is not None and match[1] not in offered:
                message = f"expected one of those that were offered; found {quoted(match[1])}"
                self.refuse(name, message, "RFC 6455, 4.1")
