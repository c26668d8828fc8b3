# SPDX-License-Identifier: GPL-2.0-or-later
"""permessage-deflate (RFC 7692): what a handshake agrees on, and how a message is compressed and inflated.

A message, not a frame, is compressed; its frames are cut from the compressed bytes, and RSV1 of the first one says so.
The compressed bytes are those of DEFLATE (RFC 1951), with its last four always the same, and therefore not sent.

In order of reading: the parameters; ``Deflater`` and ``Inflater``, one for each direction of a connection.
"""

import re
import zlib
from typing import Any, NamedTuple

from .errors import Data, ProtocolError, quoted
from .http1 import Head
from .status import StatusCode

NAME = "permessage-deflate"
# RFC 7692, 7.2.1: "Remove 4 octets (that are 0x00 0x00 0xff 0xff) from the tail end." It is what flushing ends with: a
# stored block of no bytes, behind which DEFLATE is at the beginning of a byte again.
TAIL = b"\x00\x00\xff\xff"
# 7.1.2.1: "an integer [...] in the range from 8 to 15": the base-2 logarithm of the window's bytes.
WINDOW_BITS = range(8, 16)
MAX_CONTENT = 16 << 20  # bytes of a message that are inflated unless told otherwise
# Whoever ends every block with BFINAL makes zlib hand back what is behind it each time: of little, little is copied.
PIECE = 4096
# What zlib says, in the terms of RFC 1951.
REASONS = {
    "invalid distance too far back": "it refers to bytes before those that are known",
    "invalid block type": "not DEFLATE: a block of the reserved type 3",
    "invalid stored block lengths": "not DEFLATE: the length of a stored block and its complement do not agree",
}
INVALID, TOO_BIG = StatusCode.INVALID_PAYLOAD_DATA, StatusCode.MESSAGE_TOO_BIG

_PARAMETER = re.compile(r'\s*;\s*([^;=\s]+)(?:\s*=\s*"?([^";\s]*)"?)?')


class DeflateParameters(NamedTuple):
    """What both agreed on; by default what holds where nothing is said (RFC 7692, 7.1).

    Attributes:
        server_no_context_takeover, client_no_context_takeover: what that side sends refers to no message before.
        server_max_window_bits, client_max_window_bits: how far back it may refer, as a power of two, in bytes.
    """

    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    server_max_window_bits: int = 15
    client_max_window_bits: int = 15


def agreed_parameters(response: Head) -> DeflateParameters | None:
    """What a server's opening handshake says of permessage-deflate.

    Returns:
        ``None`` if it does not accept it.

    Raises:
        ProtocolError: a parameter that there is not, that is there twice, or that has a value it must not have: "the
            client MUST _Fail the WebSocket Connection_" (RFC 7692, 7.1).
    """
    known = DeflateParameters._fields
    for element in response.field_elements("Sec-WebSocket-Extensions"):
        name, _, rest = element.partition(";")
        if name.strip() != NAME:
            continue
        given: dict[str, Any] = {}
        for match in _PARAMETER.finditer(f";{rest}" if rest else ""):
            parameter, value = match[1], match[2]
            if parameter not in known or parameter in given:
                raise _refused(f"expected each of {', '.join(known)} once at most; found {quoted(parameter)}")
            bits = parameter.endswith("_bits")
            if not bits and value is not None:
                raise _refused(f"{parameter} has no value; found {quoted(value)}")
            # 7.1.2.1: "without leading zeros".
            if bits and (value is None or value not in map(str, WINDOW_BITS)):
                raise _refused(f"{parameter} is a number from 8 to 15; found {quoted(value or 'none')}")
            given[parameter] = int(value) if bits else True
        return DeflateParameters()._replace(**given)
    return None


def _refused(message: str) -> ProtocolError:
    field, section = "Sec-WebSocket-Extensions", "RFC 7692, 7.1"
    return ProtocolError(f"{NAME}: {message}", status_code=None, offset=0, field=field, section=section)


def _not_inflated(message: str, status_code: int, section: str = "RFC 7692, 7.2.2") -> ProtocolError:
    return ProtocolError(message, status_code=status_code, offset=0, field="payload", section=section)


class Deflater:
    """Compresses the messages of one direction (RFC 7692, 7.2.1).

    Args:
        takeover: a message may refer to those before it.
        window_bits: how far back, as a power of two, 9 to 15 (zlib makes no window of 256 bytes).
    """

    def __init__(self, *, takeover: bool = True, window_bits: int = 15) -> None:
        self._takeover, self._bits = takeover, window_bits
        self._zlib = zlib.compressobj(wbits=-window_bits)

    def deflate(self, content: Data) -> bytes:
        """The compressed bytes of a message, to be sent as the payload of one frame or of several."""
        compressed = self._zlib.compress(content) + self._zlib.flush(zlib.Z_SYNC_FLUSH)
        if not self._takeover:
            self._zlib = zlib.compressobj(wbits=-self._bits)
        # 7.2.3.6: an empty message is a stored block of no bytes, of which a single byte 00 is left.
        return compressed.removesuffix(TAIL) or b"\x00"


class Inflater:
    """Inflates the messages of one direction (RFC 7692, 7.2.2), in their order.

    One that cannot be inflated makes it forget those before; later ones that refer to none of them can be, and the
    others are refused, since what zlib does not have it does not make up.

    Args:
        takeover: a message may refer to those before it.
    """

    def __init__(self, *, takeover: bool = True) -> None:
        self._takeover = takeover
        self._forget()

    def _forget(self) -> None:
        # A window of 32 KiB inflates what was compressed with a smaller one.
        self._zlib = zlib.decompressobj(wbits=-zlib.MAX_WBITS)

    def inflate(self, payload: Data, max_content: int = MAX_CONTENT) -> bytes:
        """The content of a message.

        Args:
            payload: of all its frames, unmasked.
            max_content: bytes of content; DEFLATE makes up to 1,032 of one.

        Raises:
            ProtocolError: 1007, the bytes are not DEFLATE's, or refer to what is not known; 1009, more than
                ``max_content``.
        """
        if not self._takeover:
            self._forget()
        # "Append 4 octets of 0x00 0x00 0xff 0xff to the tail end of the payload of the message."
        data = memoryview(bytes(payload) + TAIL)
        content, at, step = bytearray(), 0, len(data)
        while at < len(data):
            piece = data[at : at + step]
            try:
                # One byte more than allowed shows that there is more, and zlib makes no others.
                content += self._zlib.decompress(piece, max_content + 1 - len(content))
            except zlib.error as error:
                self._forget()
                raise _not_inflated(REASONS.get(str(error).rpartition(": ")[2], str(error)), INVALID) from None
            if len(content) > max_content:
                self._forget()
                raise _not_inflated(f"more than {max_content:,} bytes of content", TOO_BIG, "RFC 6455, 10.4")
            at += len(piece) - len(self._zlib.unused_data)
            # 7.2.3.5: a block may have BFINAL set, and what stands behind it begins without a window.
            if self._zlib.eof:
                self._forget()
                step = PIECE
        return bytes(content)
