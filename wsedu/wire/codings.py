# SPDX-License-Identifier: GPL-2.0-or-later
"""Codings taken off content: those of a transfer, chunked aside (RFC 9112, 7.2), and of content (RFC 9110, 8.4).

And off messages of WebSocket (RFC 7692): what a frame means where the handshake agreed on that. Where it agreed on
nothing, nothing of this is made or asked, so that other frames cost what they always do.
"""

import re
import zlib
from importlib import import_module
from typing import NamedTuple

from ..protocol.deflate import DeflateParameters, Inflater, agreed_parameters
from ..protocol.errors import ProtocolError
from ..protocol.frames import FIN, OPCODE, RSV1
from ..protocol.http1 import Head, Request, Response
from ..protocol.opcodes import Opcode

# For zlib: how each is wrapped. Compress, the third of RFC 9112, 7.2, is not read any more by anybody.
# RFC 9110, 8.4.1.2: "Some non-conformant implementations send the "deflate" compressed data without the zlib wrapper."
_GZIP = 16 + zlib.MAX_WBITS
_WRAPPED = {"gzip": (_GZIP,), "x-gzip": (_GZIP,), "deflate": (zlib.MAX_WBITS, -zlib.MAX_WBITS)}


class InflateBudget:
    """How much may be inflated: deflate makes up to 1,032 bytes of one, so a small capture could fill all memory.

    Attributes:
        left: bytes that may still be inflated, in all messages together.
        refused: messages whose content stayed coded, because it has more than the budget allows.
    """

    MESSAGE = 16 << 20  # bytes of one message
    CAPTURE = 64 << 20  # bytes of all messages of a capture

    def __init__(self) -> None:
        self.left = self.CAPTURE
        self.refused = 0

    def inflate(self, coding: str, content: bytes) -> bytes | None:
        """The content without the coding; ``None`` if it does not fit, is not whole, or is more than the budget."""
        decoder, most = zlib.decompressobj(_WRAPPED[coding][0]), min(self.MESSAGE, self.left)
        try:
            # One byte more shows that there is more. What was inflated in vain counts too: it takes as long.
            decoded = decoder.decompress(content, most + 1)
        except zlib.error:
            return None
        self.left -= min(most, len(decoded))
        if len(decoded) > most:
            self.refused += 1
            return None
        return decoded if decoder.eof else None

    def __str__(self) -> str:
        """For people, on one line: what was refused."""
        limits = f"at most {self.MESSAGE >> 20} MiB a message and {self.CAPTURE >> 20} MiB in all"
        count = f"{self.refused:,} message{'s' * (self.refused != 1)}"
        return f"content stays in its transfer coding, since {limits} are inflated ({count})"


def remove_transfer_codings(head: Request | Response, content: bytes, budget: InflateBudget) -> bytes:
    """Content as it was before a connection coded it, chunked aside; a coding that does not fit stays, and those below.

    Args:
        head: its head, which names the codings in the order in which they were applied.
        content: what chunks held, or what came until the close.
        budget: of the capture.
    """
    for coding in reversed(head.field_tokens("Transfer-Encoding")):
        if coding == "chunked":
            continue
        decoded = budget.inflate(coding, content) if coding in _WRAPPED else None
        if decoded is None:
            break
        content = decoded
    return content


# Media types whose content is text, whatever follows the slash and stands behind a plus sign (RFC 6839).
_TEXT = re.compile(r"text/|application/(.*[+])?(json|xml|javascript|x-www-form-urlencoded)\b", re.IGNORECASE)
_CHARSET = re.compile(r';\s*charset="?([^\s;"]+)', re.IGNORECASE)


def text_of_content(head: Request | Response, content: bytes) -> str | None:
    """Content as text, at most ``InflateBudget.MESSAGE`` bytes of it, with replacement characters for what is none.

    Returns:
        ``None`` where there is no content, its media type is not text, or it has a content coding that does not fit or
        that nothing here can take off (br needs a package of the name brotli).
    """
    media_type = head.get("Content-Type") or ""
    if not content or not _TEXT.match(media_type):
        return None
    for coding in reversed(head.field_tokens("Content-Encoding")):
        decoded = _decoded(coding, content)
        if decoded is None:
            return None
        content = decoded
    charset = _CHARSET.search(media_type)
    try:
        return content.decode(charset[1] if charset else "utf-8", "replace")
    except (LookupError, ValueError):  # a charset that there is not, or that is none of text
        return content.decode("utf-8", "replace")


def _decoded(coding: str, content: bytes) -> bytes | None:
    if coding == "br":
        try:
            return bytes(import_module("brotli").decompress(content))
        except Exception:  # the package is not here, or its own error, whose name differs from version to version
            return None
    for wrapped in _WRAPPED.get(coding, ()):
        try:
            return zlib.decompressobj(wrapped).decompress(content, InflateBudget.MESSAGE)
        except zlib.error:
            pass
    return content if coding == "identity" else None


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
