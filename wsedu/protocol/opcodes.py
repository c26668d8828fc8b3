# SPDX-License-Identifier: GPL-2.0-or-later
"""The opcodes of RFC 6455, 5.2: what a frame is for."""

from __future__ import annotations

from enum import IntEnum


class Opcode(IntEnum):
    """The six opcodes that RFC 6455 defines; the other ten of the four bits are reserved."""

    CONTINUATION = 0x0  # a further fragment of the message that is under way
    TEXT = 0x1  # a message, or its first fragment, in UTF-8
    BINARY = 0x2  # a message, or its first fragment, of any bytes
    CLOSE = 0x8  # the closing handshake: a status code and a reason, or nothing
    PING = 0x9  # are you there?
    PONG = 0xA  # yes; with the payload of the Ping


CONTROL_BIT = 0x8  # the most significant bit of the opcode: set in control frames (RFC 6455, 5.5)

OPCODE_NAMES = {
    Opcode.CONTINUATION: "Continuation",
    Opcode.TEXT: "Text",
    Opcode.BINARY: "Binary",
    Opcode.CLOSE: "Close",
    Opcode.PING: "Ping",
    Opcode.PONG: "Pong",
}


def opcode_name(opcode: int) -> str:
    """The RFC's name of an opcode (0 to 15); ``"reserved 0x3"`` for one that it does not define."""
    return OPCODE_NAMES[Opcode(opcode)] if opcode in OPCODE_NAMES else f"reserved 0x{opcode:X}"


def is_control(opcode: int) -> bool:
    """Whether frames with this opcode are control frames, the reserved ones 0xB to 0xF included."""
    return bool(opcode & CONTROL_BIT)
