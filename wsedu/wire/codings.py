# SPDX-License-Identifier: GPL-2.0-or-later
"""Transfer codings other than chunked (RFC 9112, 7.2), which hardly anybody uses, taken off content."""

from __future__ import annotations

import zlib

from ..protocol.http1 import Request, Response

# For zlib: how each is wrapped. Compress, the third of RFC 9112, 7.2, is not read any more by anybody.
_WRAPPED = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
MOST_CONTENT = 1 << 26  # bytes; a few bytes may stand for more than there is memory


def remove_transfer_codings(head: Request | Response, content: bytes) -> bytes:
    """Content as it was before a connection coded it, chunked aside; a coding that does not fit stays, and those below.

    Args:
        head: its head, which names the codings in the order in which they were applied.
        content: what chunks held, or what came until the close.
    """
    for coding in reversed(head.field_tokens("Transfer-Encoding")):
        if coding == "chunked":
            continue
        if coding not in _WRAPPED:
            break
        decoder = zlib.decompressobj(_WRAPPED[coding])
        try:
            decoded = decoder.decompress(content, MOST_CONTENT)
        except zlib.error:
            break
        if not decoder.eof:
            break
        content = decoded
    return content
