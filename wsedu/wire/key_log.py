# SPDX-License-Identifier: GPL-2.0-or-later
"""Key logs: secrets of TLS connections as browsers and programs write them down, in the format of NSS (RFC 9850)."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path

MOST_SECRETS, LONGEST_LINE = 1 << 18, 1 << 12


class KeyLog(dict[tuple[bytes, str], bytes]):
    """Secrets by the random value of the ClientHello to whose connection they belong, and by what they are for."""

    def add(self, lines: Iterable[str]) -> None:
        """Read more of a key log: a label, a random value and a secret a line (RFC 9850, 2).

        Raises:
            ValueError: a line is none of that; it says which. Or there are too many.
        """
        for number, line in enumerate(lines, 1):
            if not line.strip() or line.startswith("#"):
                continue
            try:
                label, random, secret = line.split()
                self[bytes.fromhex(random), label] = bytes.fromhex(secret)
            except ValueError:
                raise ValueError(f"line {number} of the key log is not a label and two hexadecimal numbers") from None
            if len(self) > MOST_SECRETS:
                raise ValueError(f"the key log has more than {MOST_SECRETS:,} secrets")


def read_key_log(path: str | Path | None) -> KeyLog:
    """The key log in a file; an empty one if there is none.

    Raises:
        OSError: the file cannot be read; ``ValueError`` where it is no key log.
    """
    keys = KeyLog()
    if path is not None:
        with open(path, encoding="latin-1") as file:
            keys.add(iter(partial(file.readline, LONGEST_LINE), ""))
    return keys
