# SPDX-License-Identifier: GPL-2.0-or-later
"""Which messages of a capture somebody wants to see."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..protocol.errors import printable
from ..protocol.opcodes import OPCODE_NAMES
from .assemble import WholeMessage
from .message import CapturedMessage

OPCODES = {name.lower(): int(code) for code, name in OPCODE_NAMES.items()}


@dataclass(frozen=True)
class Selection:
    """What a message must be to be shown; ``None`` is anything.

    Attributes:
        conversation: its number.
        sender: "client" or "server".
        kind: "request", "response", "frame", "gap" or "message".
        opcode: of a frame or a message.
        match: is found in its text: of Text messages, and of HTTP content that is text.
    """

    conversation: int | None = None
    sender: str | None = None
    kind: str | None = None
    opcode: int | None = None
    match: re.Pattern[str] | None = None

    def __contains__(self, message: CapturedMessage) -> bool:
        return (
            self.conversation in (None, message.conversation)
            and self.sender in (None, message.sender)
            and self.kind in (None, message.kind)
            and self.opcode in (None, _opcode(message))
            and (self.match is None or (message.text is not None and self.match.search(message.text) is not None))
        )


def _opcode(message: CapturedMessage) -> int:
    if isinstance(message, WholeMessage):
        return message.opcode
    return message.header.opcode if message.header is not None else -1


def selection(
    conversation: int | None, sender: str | None, kind: str | None, opcode: str | None, match: str | None
) -> Selection:
    """A selection as it is written on the command line: an opcode by name or number, a pattern as text.

    Raises:
        ValueError: an opcode that there is not, or a pattern that is none.
    """
    code = OPCODES.get(opcode.lower(), opcode) if opcode is not None else None
    if isinstance(code, str):
        if not (code.isascii() and code.isdigit() and int(code) < 16):
            raise ValueError(
                f"--opcode: {printable(code)} is neither a number below 16 nor one of {', '.join(OPCODES)}"
            )
        code = int(code)
    try:
        pattern = re.compile(match) if match is not None else None
    except (re.error, OverflowError, RecursionError) as error:  # as of a{99999999999}, and of a thousand brackets
        raise ValueError(f"--match: {printable(match or '')} is no regular expression: {error}") from None
    return Selection(conversation, sender, kind, code, pattern)
