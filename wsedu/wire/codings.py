# SPDX-License-Identifier: GPL-2.0-or-later
"""Transfer codings other than chunked (RFC 9112, 7.2), which hardly anybody uses, taken off content."""

from __future__ import annotations

import zlib

from ..protocol.http1 import Request, Response

# For zlib: how each is wrapped. Compress, the third of RFC 9112, 7.2, is not read any more by anybody.
_WRAPPED = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


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
        decoder, most = zlib.decompressobj(_WRAPPED[coding]), min(self.MESSAGE, self.left)
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
