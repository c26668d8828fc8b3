# SPDX-License-Identifier: GPL-2.0-or-later
"""AES-GCM in Python, slow and for reading alone: in a tab it stands in the place of ``cryptography``, which is in C.

FIPS 197 and NIST SP 800-38D.
"""

from cryptography.exceptions import InvalidTag


def _sbox() -> list[int]:
    """Each byte's inverse in GF(2^8), and the affine map (FIPS 197, 5.1.1)."""
    box, power, inverse = [0x63] * 256, 1, 1
    while True:
        power = power ^ power << 1 ^ (0x11B if power & 0x80 else 0)  # times 3, which generates them all
        for shift in 1, 2, 4:
            inverse ^= inverse << shift & 0xFF
        inverse ^= 0x09 if inverse & 0x80 else 0  # divided by 3
        spread = inverse * 0x101
        box[power] = (inverse ^ spread >> 7 ^ spread >> 6 ^ spread >> 5 ^ spread >> 4) & 0xFF ^ 0x63
        if power == 1:
            return box


SBOX = _sbox()
TWICE = [each << 1 ^ (0x11B if each & 0x80 else 0) for each in range(256)]
# What a byte of each row gives to its column: SubBytes and MixColumns at once.
_FIRST = [TWICE[s] << 24 | s << 16 | s << 8 | TWICE[s] ^ s for s in SBOX]
MIXED = [[word >> 8 * row | word << 32 - 8 * row & 0xFFFFFFFF for word in _FIRST] for row in range(4)]
LEFT = 0xE1 << 120


class AESGCM:
    """As that of ``cryptography``."""

    def __init__(self, key: bytes) -> None:
        size, turn = len(key) // 4, 1
        words = [int.from_bytes(key[at : at + 4]) for at in range(0, len(key), 4)]
        for at in range(size, 4 * (size + 7)):
            word = words[-1]
            if at % size == 0:
                word, turn = self._substituted(word << 8 & 0xFFFFFFFF | word >> 24) ^ turn << 24, TWICE[turn]
            elif size == 8 and at % size == 4:
                word = self._substituted(word)
            words.append(words[at - size] ^ word)
        self._rounds = [words[at : at + 4] for at in range(0, len(words), 4)]
        # The hash key times each power of x (SP 800-38D, 6.3).
        self._powers = [self._block(0)]
        for _ in range(127):
            last = self._powers[-1]
            self._powers.append(last >> 1 ^ (LEFT if last & 1 else 0))

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        """The text of a message, which ends in its tag of 16 bytes.

        Raises:
            InvalidTag: it is not the one that was sealed.
        """
        sealed, tag, more = data[:-16], data[-16:], associated_data or b""
        hashed, first = 0, int.from_bytes(nonce) << 32 | 1
        lengths = (8 * len(more)).to_bytes(8) + (8 * len(sealed)).to_bytes(8)
        for part in more, sealed, lengths:
            for at in range(0, len(part), 16):
                hashed = self._times(hashed ^ int.from_bytes(part[at : at + 16].ljust(16, b"\0")))
        if (hashed ^ self._block(first)).to_bytes(16) != tag:
            raise InvalidTag
        stream = b"".join(self._block(first + 1 + at).to_bytes(16) for at in range(-(-len(sealed) // 16)))
        return bytes(a ^ b for a, b in zip(sealed, stream, strict=False))

    def _times(self, number: int) -> int:
        product = 0
        for bit, power in enumerate(self._powers):
            if number >> 127 - bit & 1:
                product ^= power
        return product

    def _substituted(self, word: int) -> int:
        return int.from_bytes(bytes(SBOX[byte] for byte in word.to_bytes(4)))

    def _block(self, number: int) -> int:
        """A block, enciphered (FIPS 197, 5.1)."""
        first, *middle, last = self._rounds
        words = [number >> shift & 0xFFFFFFFF ^ key for shift, key in zip((96, 64, 32, 0), first, strict=True)]
        for keys in middle:
            words = [
                MIXED[0][words[at] >> 24]
                ^ MIXED[1][words[at - 3] >> 16 & 0xFF]
                ^ MIXED[2][words[at - 2] >> 8 & 0xFF]
                ^ MIXED[3][words[at - 1] & 0xFF]
                ^ keys[at]
                for at in range(4)
            ]
        shifted = [bytes(words[at - 4 + row & 3].to_bytes(4)[row] for row in range(4)) for at in range(4)]
        whole = [int.from_bytes(word) for word in shifted]
        return int.from_bytes(
            b"".join((self._substituted(w) ^ k).to_bytes(4) for w, k in zip(whole, last, strict=True))
        )
