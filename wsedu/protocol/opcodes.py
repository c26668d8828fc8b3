# SPDX-License-Identifier: GPL-2.0-or-later
"""The opcodes of RFC 6455, 5.2: what a frame is for."""

from enum import IntEnum


class Opcode(IntEnum):
    """The six opcodes that RFC 6455 defines; the other ten of the four bits are reserved."""

    CONTINUATION = 0x0  # a further fragment of the message that is under way
    TEXT = 0x1  # a message, or its first fragment, in UTF-8
    BINARY = 0x2  # a message, or its first fragment, of any bytes
    # 3 to 7: "reserved for further non-control frames yet to be defined"
    CLOSE = 0x8  # the closing handshake: a status code and a reason, or nothing
    PING = 0x9  # "may serve either as a keepalive or as a means to verify that the remote endpoint is still responsive"
    PONG = 0xA  # the answer to a Ping, with the same payload; or unasked, as "a unidirectional heartbeat"
    # 0xB to 0xF: "reserved for further control frames yet to be defined"


OPCODE_NAMES = {code: code.name.capitalize() for code in Opcode}


def opcode_name(opcode: int) -> str:
    """The RFC's name of an opcode (0 to 15); ``"reserved 0x3"`` for one that it does not define."""
    return OPCODE_NAMES[Opcode(opcode)] if opcode in OPCODE_NAMES else f"reserved 0x{opcode:X}"


def is_control(opcode: int) -> bool:
    """Whether frames with this opcode are control frames, the reserved ones 0xB to 0xF included."""
    # RFC 6455, 5.5: "Control frames are identified by opcodes where the most significant bit of the opcode is 1". So an
    # endpoint knows what kind a reserved one is before it is defined.
    return opcode >= 0x8
