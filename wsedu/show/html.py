# SPDX-License-Identifier: GPL-2.0-or-later
"""The one door through which text comes into a picture: HTML for a page, lines for a terminal; and what both share.

Whatever a capture, a server or a reader wrote may hold a ``<script>``, an escape sequence that renames the window of
a terminal, or a mark that turns the direction of writing, so that bytes read other than they are (U+202A to U+202E,
U+2066 to U+2069, U+200E and U+200F). The door does not trust its callers: ``join`` and ``tag`` escape each ``str``
that they are given, and ``Picture`` each line of its text, so that a view that forgets to do it is safe all the same.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from ..protocol.errors import printable

# Styles that several pictures share. JupyterLab has rules of its own for the tables, rows and cells of an output:
# stripes, no borders, text to the right. Lab takes <style> and <svg> out of the HTML of a notebook that is not
# trusted, and with them would go every look; a style attribute it keeps. So each cell carries its own.
MUTED = "opacity:.75"
TABLE = "border-collapse:collapse;margin:0;font-size:13px"
SCROLL = "overflow-x:auto;max-width:100%"
LEFT = "text-align:left;padding:3px 16px 3px 0;white-space:nowrap"
RIGHT = "text-align:right;padding:3px 16px 3px 0;white-space:nowrap"
TOP = "text-align:left;vertical-align:top;padding:3px 16px 3px 0"
# Pages made by nbconvert set a <pre> and a <samp> in the letters of the prose, and nothing stands beneath anything.
MONO = "font-family:monospace"


class Markup(str):
    """HTML that is finished, and must not be escaped again. Joined to plain text it is plain text again."""

    __slots__ = ()


class Picture:
    """What a notebook shows as HTML, and ``print`` as the same in text; each picture has ``lines`` and ``html``."""

    def lines(self) -> Iterable[str]:
        """The picture as lines of text."""
        raise NotImplementedError

    def html(self) -> Markup:
        """The picture as HTML."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return "\n".join(printable(line).rstrip() for line in self.lines())

    def _repr_html_(self) -> str:
        return self.html()


def tag(name: str, *content: str, style: str = "", **attributes: object) -> Markup:
    """An HTML element.

    Args:
        name: of the element.
        content: what is in it, in order, as ``join`` takes it.
        style: its style.
        attributes: further attributes, escaped. A title is one line, so that a line end in it is spelled out too.
    """
    if name in ("pre", "samp"):
        style = f"{MONO};{style}".rstrip(";")
    given = {"style": style, **attributes} if style else attributes
    written = "".join(f' {key}="{escape(printable(str(value)))}"' for key, value in given.items())
    return Markup(f"<{name}{written}>{join(*content)}</{name}>")


def join(*content: str) -> Markup:
    """Pieces of HTML one after the other: a ``str`` is escaped, but for its line ends; ``Markup`` is not."""
    return Markup("".join(piece if isinstance(piece, Markup) else _escaped(piece) for piece in content))


def _escaped(text: str) -> str:
    if not text.isprintable():
        text = "\n".join(map(printable, text.split("\n")))
    return escape(text, quote=False)


def rfc_link(section: str, label: str = "") -> Markup:
    """Where something is defined, as a link if that is a section of an RFC; ``label`` is its text, if not all of it."""
    rfc = re.fullmatch(r"RFC (\d+), ([\d.]+)", section)
    if not rfc:
        return tag("span", section)
    href = f"https://www.rfc-editor.org/rfc/rfc{rfc[1]}#section-{rfc[2]}"
    return tag("a", label or section, style="text-decoration:underline;white-space:nowrap", href=href)


def sentence(strong: str, *rest: str) -> Markup:
    """A paragraph whose first words are bold."""
    return tag("p", tag("b", strong), *rest)


def with_links(text: str) -> Markup:
    """Text in which each section of an RFC, as ``RFC 6455, 5.2``, is a link that leads there."""
    pieces = re.split(r"(RFC \d+, \d[\d.]*\d)", text)
    return join(*(rfc_link(piece) if at % 2 else piece for at, piece in enumerate(pieces)))


def scrolling(*content: str, style: str = "") -> Markup:
    """A box that scrolls sideways in itself, so that the page never does.

    With tabindex 0, since who has no mouse scrolls what has the focus (WCAG 2, 2.1.1); axe-core asks for it.
    """
    return tag("div", *content, style=f"{SCROLL}{style}", tabindex=0)


def table_row(*cells: str) -> Markup:
    """A row without Lab's stripes, under which the tint of a kind of byte would have two shades."""
    return tag("tr", *cells, style="background:transparent")


def row_head(name: str) -> Markup:
    """The cell that names a row; with its scope a screen reader says it before each cell of the row."""
    return tag("th", name, scope="row", style=LEFT)


def bar_row(name: str, bar: str, *figures: str, style: str = "") -> Markup:
    """A row with a bar in it: its name, the bar, and figures, the last of which is what the bar adds up to."""
    *parts, total = figures
    cells = (tag("td", figure, style=RIGHT) for figure in (*parts, tag("b", total)))
    return table_row(row_head(name), tag("td", bar, style=LEFT + style), *cells)


def wide_table(*rows: str) -> Markup:
    """A table as wide as the page, since Lab's are as narrow as they can be and would leave a bar no room."""
    return scrolling(tag("table", *rows, style=f"{TABLE};width:100%;table-layout:auto"))


def table_rows(heads: Sequence[str], rows: Iterable[Sequence[str]], style: str = LEFT) -> Iterator[Markup]:
    """The rows of a table, that of the columns' names first; the first cell of each other names it."""
    # A corner heads nothing: as an empty <th> it would be read out as a heading without words.
    yield table_row(*(tag("th", head, scope="col", style=style) if head else tag("td") for head in heads))
    for name, *cells in rows:
        yield table_row(row_head(name), *(tag("td", cell, style=style) for cell in cells))


def figures(heads: Sequence[str], rows: Iterable[tuple[str, Iterable[str]]]) -> Markup:
    """A table of figures: the name of each row, and its cells beneath ``heads``."""
    return tag("table", *table_rows(("", *heads), ((name, *cells) for name, cells in rows), RIGHT), style=TABLE)
