# SPDX-License-Identifier: GPL-2.0-or-later
"""UTF-8 that comes in pieces (RFC 6455, 8.1), refused at the first byte that no other byte can mend."""

from __future__ import annotations

import codecs

# How the halves of a surrogate pair would begin, which no UTF-8 holds (RFC 3629, 3). Python does not yet refuse these
# two bytes, since one of its error handlers ("surrogatepass") would make something of the third.
SURROGATES = {bytes((0xED, second)) for second in range(0xA0, 0xC0)}


class Utf8Validator:
    """Judges text that comes in pieces, each of which may end inside a character (RFC 6455, 5.6)."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def validate(self, data: bytes | bytearray, *, final: bool = False) -> int | None:
        """Take the next piece; with ``final`` the text ends with it.

        Returns:
            ``None`` while the text can still be UTF-8; else the index in ``data`` of the first byte at which it is
            certain that it is not. That is -1, the byte before, where the text ends inside a character with no byte
            in this piece.
        """
        pending = len(self._decoder.getstate()[0])
        try:
            self._decoder.decode(data, final)
        except UnicodeDecodeError as error:
            return _certain_at(error) - pending
        if self._decoder.getstate()[0][:2] in SURROGATES:
            return len(data) - 1
        return None


def _certain_at(error: UnicodeDecodeError) -> int:
    """Index of the first byte at which it was certain; Python says where the character that it broke began.

    In ``e2 28`` the byte e2 may begin a character, and 28 shows that it does not; in ``ff`` the one byte shows both;
    ``e2 82`` is wrong once the text is known to end there.
    """
    if error.reason == "invalid start byte":
        return error.start
    return min(error.end, len(error.object) - 1)
