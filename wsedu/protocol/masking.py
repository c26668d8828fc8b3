# SPDX-License-Identifier: GPL-2.0-or-later
"""Masking (RFC 6455, 5.3): byte i of the payload is XORed with byte i mod 4 of the masking key."""

from __future__ import annotations

from functools import lru_cache

from .arguments import Data

# Below this length one XOR of two big integers wins; above it, four passes of bytes.translate do, because the cost of
# turning bytes into one integer and back grows faster than the cost of looking bytes up. Measured on CPython 3.11.
TRANSLATE_FROM = 512


@lru_cache(maxsize=None)  # not cache: this goes to Scapy, which runs on Python 3.7 too  # noqa: UP033
def _xor_table(key_byte: int) -> bytes:
    return bytes(byte ^ key_byte for byte in range(256))


def apply_mask(data: Data, key: bytes, offset: int = 0) -> bytes:
    """Mask or unmask: XOR is its own inverse, so one function does both.

    Args:
        data: bytes of the payload.
        key: the masking key, 4 bytes.
        offset: the place of ``data[0]`` in its payload, in bytes; not 0 when a payload is read piece by piece.

    Returns:
        As many bytes as ``data`` has.

    Raises:
        ValueError: the key is not 4 bytes long.
    """
    if len(key) != 4:
        raise ValueError(f"a masking key has 4 bytes, not {len(key)} (RFC 6455, 5.3)")
    if offset:
        turn = offset % 4
        key = key[turn:] + key[:turn]
    length = len(data)
    if length < TRANSLATE_FROM:
        repeated = (key * (length // 4 + 1))[:length]
        return (int.from_bytes(data, "big") ^ int.from_bytes(repeated, "big")).to_bytes(length, "big")
    data, masked = bytes(data), bytearray(length)
    for i in range(4):
        masked[i::4] = data[i::4].translate(_xor_table(key[i]))
    return bytes(masked)
