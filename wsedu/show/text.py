# SPDX-License-Identifier: GPL-2.0-or-later
"""Text for a terminal: made visible, and cut and padded to columns, of which a wide character takes two."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from unicodedata import east_asian_width

from ..protocol.errors import printable

# Columns of a terminal that any text takes at most.
WIDTH = 98


def visible(text: str) -> str:
    r"""Text from outside as one line that says what it was: ``printable``, and a backslash becomes two.

    Without the second backslash nobody could tell a control character from the four characters ``\x1b``. To be
    called once for each text; the door itself leaves what is visible as it is.
    """
    return printable(text.replace("\\", r"\\"))


def columns(text: str) -> int:
    """How many columns of a terminal ``text`` takes: two for wide characters."""
    return len(text) + sum(1 for character in text if east_asian_width(character) in "WF")


def clip(text: str, width: int) -> str:
    """The text if it fits in ``width`` columns, else its beginning and ``…``."""
    if len(text) <= width and columns(text) <= width:
        return text
    kept = text[: width - 1]
    while columns(kept) > width - 1:
        kept = kept[:-1]
    return kept + "…"


def pad(text: str, width: int) -> str:
    """The beginning of a text that is longer than ``width`` columns, else the text and spaces after it."""
    clipped = clip(text, width)
    return clipped + " " * (width - columns(clipped))


def text_row(cells: Sequence[Sequence[str]], widths: Sequence[int]) -> Iterator[str]:
    """A row of a table, each of whose cells may have several lines."""
    for line in zip_longest(*cells, fillvalue=""):
        yield "  " + "  ".join(map(pad, line, widths)).rstrip()


def bytes_of(count: int) -> str:
    """``"1 byte"``, ``"65,536 bytes"``."""
    return f"{count:,} byte{'s' * (count != 1)}"
