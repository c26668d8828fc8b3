# SPDX-License-Identifier: GPL-2.0-or-later
"""Compressed messages of a capture, inflated (RFC 7692): what a frame means where the handshake agreed on that.

Where it agreed on nothing, nothing of this is made or asked, so that other frames cost what they always do.
"""

from typing import NamedTuple

from ..protocol.deflate import DeflateParameters, Inflater, agreed_parameters
from ..protocol.errors import ProtocolError
from ..protocol.frames import FIN, OPCODE, RSV1
from ..protocol.http1 import Head
from ..protocol.opcodes import Opcode


class Inflated(NamedTuple):
    """What is known of a data frame where permessage-deflate was agreed on."""

    compressed: bool  # it is part of a compressed message
    opcode: int = 0  # of that message
    content: bytes | None = None  # of that message, if this is its last frame and it could be inflated
    error: str = ""  # why it could not be


PLAIN = Inflated(False)


class CompressedDirection:
    """The messages of one sender, of which some are compressed.

    Args:
        takeover: as ``Inflater``.
        max_message: bytes of a message that are inflated.
    """

    def __init__(self, *, takeover: bool, max_message: int) -> None:
        self._inflater = Inflater(takeover=takeover)
        self._max_message = max_message
        self._opcode = 0  # of the compressed message under way; 0 if there is none
        self._payloads: list[bytes] = []  # of its frames so far

    def frame(self, first_byte: int, payload: bytes) -> Inflated | None:
        """What the next frame of this sender means; ``None`` of a control frame."""
        opcode = first_byte & OPCODE
        # RFC 7692, 6.1: RSV1 is on the first frame of a message only, and control frames, which may come between the
        # frames of a message, are never compressed.
        if opcode >= Opcode.CLOSE:
            return None
        if opcode != Opcode.CONTINUATION:
            self._payloads.clear()
            self._opcode = opcode if first_byte & RSV1 else 0
        if not self._opcode:
            return PLAIN
        self._payloads.append(payload)
        if not first_byte & FIN:
            return Inflated(True, self._opcode)
        opcode, self._opcode = self._opcode, 0
        compressed = b"".join(self._payloads)  # which copies nothing if it is one
        self._payloads.clear()
        try:
            return Inflated(True, opcode, self._inflater.inflate(compressed, self._max_message))
        except ProtocolError as error:
            return Inflated(True, opcode, None, error.message)


def agreement(response: Head) -> DeflateParameters | None:
    """What the 101 of a connection agrees on; ``None`` if nothing on it is compressed.

    What a client would refuse is inflated all the same: of the parameters only the two about takeover matter to who
    reads, and even without them every message that refers to none before it can be inflated.
    """
    try:
        return agreed_parameters(response)
    except ProtocolError:
        return DeflateParameters()
