# SPDX-License-Identifier: GPL-2.0-or-later
"""UTF-8 that comes in pieces (RFC 6455, 8.1), refused at the first byte that no other byte can mend."""

import codecs

# How the halves of a surrogate pair would begin. RFC 3629, 3: "The definition of UTF-8 prohibits encoding character
# numbers between U+D800 and U+DFFF". Python does not yet refuse these two bytes, since one of its error handlers
# ("surrogatepass") would make something of the third.
SURROGATES = {bytes((0xED, second)) for second in range(0xA0, 0xC0)}


class Utf8Validator:
    """Checks text that comes in pieces. It can be used again after a final piece.

    RFC 6455, 5.6: "a particular text frame might include a partial UTF-8 sequence; however, the whole message MUST
    contain valid UTF-8".
    """

    def __init__(self) -> None:
        self._pending = b""  # a character that is not complete, up to 3 bytes

    def validate(self, data: bytes | bytearray, *, final: bool = False) -> int | None:
        """Take the next piece; with ``final`` the text ends with it.

        Returns:
            ``None`` while the text can still be UTF-8; else the index in ``data`` of the first byte at which it is
            certain that it is not. That is -1, the byte before, where the text ends inside a character with no byte
            in this piece.
        """
        pending = len(self._pending)
        if pending:
            data = self._pending + data
        # The function under Python's own incremental decoder. Making such a decoder for each text costs ten times as
        # much as decoding a short one.
        try:
            _, used = codecs.utf_8_decode(data, "strict", final)
        except UnicodeDecodeError as error:
            # Python says where the character that was broken began. In ``e2 28`` the byte e2 may begin one, and 28
            # shows that it does not; in ``ff`` the one byte shows both; ``e2 82`` is wrong once the text is known to
            # end there. Python's words are the only place where it says which of the two it was. Should they change,
            # the tests show it: they ask for every byte.
            at_once = error.reason == "invalid start byte"
            return (error.start if at_once else min(error.end, len(data) - 1)) - pending
        # What is left is the beginning of a character; after a final piece nothing can be left.
        self._pending = bytes(data[used:])
        if self._pending[:2] in SURROGATES:
            return len(data) - pending - 1
        return None
