# SPDX-License-Identifier: GPL-2.0-or-later
"""Text from outside, made safe for a page and for a terminal; and the few lines that write HTML.

Nothing reaches a view without ``visible``: control characters, line ends and the characters that turn the
direction of writing are spelled out, as in ``\\r``, ``\\x1b`` or ``\\u202e``. ``tag`` then escapes what it is
given, so that a ``<script>`` is shown, not run.
"""

from __future__ import annotations

from html import escape
from unicodedata import east_asian_width

SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t", "\\": r"\\"}

# Styles that several pictures share. Lab's own for tables are the reason that each cell needs one.
MUTED = "opacity:.75"
PLAIN = "background:transparent"
TABLE = "border-collapse:collapse;margin:0;font-size:13px"
SCROLL = "overflow-x:auto;max-width:100%"
LEFT = "text-align:left;padding:3px 16px 3px 0;white-space:nowrap"
RIGHT = "text-align:right;padding:3px 16px 3px 0;white-space:nowrap"


class Markup(str):
    """HTML that is finished, and must not be escaped again. Joined to plain text it is plain text again."""

    __slots__ = ()


def visible(text: str) -> str:
    """The text with everything spelled out that does not print as itself; a backslash becomes two."""
    if text.isascii() and text.isprintable() and "\\" not in text:
        return text
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    if character in SHORT:
        return SHORT[character]
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


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


def bytes_of(count: int) -> str:
    """``"1 byte"``, ``"65,536 bytes"``."""
    return f"{count:,} byte{'s' * (count != 1)}"


def pad(text: str, width: int) -> str:
    """The text with spaces after it, up to ``width`` columns."""
    return text + " " * (width - columns(text))


def tag(name: str, *content: str, style: str = "", **attributes: object) -> Markup:
    """An HTML element.

    Args:
        name: of the element.
        content: what is in it, in order; a ``str`` is escaped, ``Markup`` is not.
        style: its style.
        attributes: further attributes, escaped.
    """
    given = {"style": style, **attributes} if style else attributes
    written = "".join(f' {key}="{escape(str(value))}"' for key, value in given.items())
    return Markup(f"<{name}{written}>{join(*content)}</{name}>")


def join(*content: str) -> Markup:
    """Pieces of HTML one after the other, as ``tag`` takes them."""
    return Markup(
        "".join(piece if isinstance(piece, Markup) else escape(piece, quote=False) for piece in content)
    )
