# SPDX-License-Identifier: GPL-2.0-or-later
"""The byte map: bytes with their meaning, as a dump, bit by bit, and as a table."""

from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap

from ..protocol.spans import Kind, Span
from .dump import CARRIED, Kinds, dump_html, dump_text
from .head import cut_at_heads, head_html, head_lines, head_text
from .html import TABLE, Markup, Picture, join, rfc_link, scrolling, table_row, tag
from .palette import LOOKS, chip
from .parts import Part, View, show_value, view
from .text import WIDTH, bytes_of, clip, columns, text_row

# Rows of a table; the parts after them are counted, not listed.
MOST_ROWS = 120

WRAPS = "max-width:300px;overflow-wrap:break-word"
CELL = "text-align:left;vertical-align:baseline;padding:3px 16px 3px 0"


class ByteMap(Picture):
    """Bytes with their meaning. In a notebook it shows itself; ``print`` gives the same as text.

    Attributes:
        view: the bytes and their parts.
        folded: kinds of which the middle is left out where they are long.
    """

    def __init__(self, view: View, folded: Kinds = CARRIED) -> None:
        self.view = view
        self.folded = folded
        # Stretches in order, the heads among them shown as lines, and what is neither in a head nor unexplained.
        self._stretches = cut_at_heads(view.parts)
        self._tabled = [part for head, parts in self._stretches if not head for part in parts]
        self._more = max(0, len(self._tabled) - MOST_ROWS)

    def rows(self) -> list[Part | Span]:
        """What has a row in the table: parts, or the bits of one; of very many parts the first.

        No lines of a head, and no bytes that nobody explains.
        """
        return [row for part in self._tabled[:MOST_ROWS] if part.kind for row in part.bits or (part,)]

    def lines(self) -> Iterator[str]:
        """The picture as lines of text."""
        size = bytes_of(len(self.view.data))
        kinds = ", ".join(f"{kind} {count:,}" for kind, count in self.view.sizes().items() if kind)
        yield f"{self.view.name}, {size}: {kinds}" if kinds else size
        yield ""
        for at, (head, parts) in enumerate(self._stretches):
            yield from [""] * bool(at)
            if head:
                yield from head_text(head_lines(self.view.data, parts))
            else:
                yield from dump_text(self.view.data, parts, folded=self.folded)
        if rows := self.rows():
            yield from ("", *_table_text(self.view.data, rows))
        if self._more:
            yield f"  … {self._more:,} more …"

    def html(self) -> Markup:
        """The picture as HTML."""
        pieces = [_title_html(self.view)]
        for head, parts in self._stretches:
            if head:
                pieces.append(head_html(self.view.data, head_lines(self.view.data, parts)))
            else:
                pieces.append(dump_html(self.view.data, parts, folded=self.folded))
        # A frame begins with two bytes of flags; of several frames those of the first.
        if flags := [part for part in self.view.parts if part.bits and part.kind == Kind.FRAME_HEADER][:2]:
            pieces.append(_flags_table(self.view.data, flags))
        if rows := self.rows():
            pieces.append(self._table_html(rows))
        return tag("div", *pieces, style="max-width:100%", **{"class": "wsedu-map"})

    def _table_html(self, rows: Sequence[Part | Span]) -> Markup:
        """The rows as a table; a layer is named before its first row."""
        heads = ("field", "offset", "bytes", "value", "meaning", "defined in")
        lines = [tag("tr", *(tag("th", head, scope="col", style=CELL) for head in heads))]
        fixed = f"{CELL};white-space:nowrap"
        layers = {start: name for name, start, _ in self.view.layers}
        for row in rows:
            if row.start in layers:
                head = tag("th", layers.pop(row.start), colspan=6, scope="colgroup", style=f"{CELL};padding-top:10px")
                lines.append(table_row(head))
            raw, value = _told(self.view.data, row)
            cells = (
                tag("th", chip(row.kind, clip(row.name, 40)), scope="row", style=f"{CELL};font-weight:normal"),
                tag("td", f"{row.start:,}", style=CELL.replace("left", "right", 1)),
                tag("td", tag("samp", raw), style=fixed),
                # dir=auto: a value in Hebrew or Arabic reads from the right, and does not turn the line around it.
                tag("td", tag("samp", value, dir="auto"), style=f"{CELL};{WRAPS}" if len(value) > 30 else fixed),
                tag("td", row.meaning, style=f"{CELL};min-width:200px"),
                tag("td", rfc_link(row.section), style=fixed),
            )
            lines.append(table_row(*cells))
        if self._more:
            lines.append(tag("tr", tag("td", f"… {self._more:,} more …", colspan=6, style=CELL)))
        table = tag("table", *lines, style=TABLE, **{"class": "wsedu-fields"})
        return scrolling(table, style=";margin:12px 0 4px 0")


def byte_map(x: object, spans: Iterable[Span] | None = None, *, fold: bool = True) -> ByteMap:
    """Bytes with their meaning: which byte is what, and what it says.

    Args:
        x: a frame, a request, a response, a message or packet of a capture, or bytes; a list of these is drawn as one.
        spans: what the bytes mean, where ``x`` is bytes. Without them bytes are shown, and not explained.
        fold: leave out the middle of long content and payloads.

    Returns:
        A picture that a notebook shows by itself, and whose ``str`` is the same as text.

    Raises:
        TypeError: ``x`` has no bytes to show.
        ValueError: spans overlap, or lie outside the bytes.
    """
    return ByteMap(view(x, spans), CARRIED if fold else ())


def _told(data: bytes, row: Part | Span) -> tuple[str, str]:
    """What is in a row, in hex or bit by bit, and its value."""
    if isinstance(row, Span):
        return _bit_mask(row, data[row.start]), show_value(row.value, 28)
    raw = data[row.start : row.end].hex(" ") if row.size <= 8 else bytes_of(row.size)
    return raw, show_value(row.value, 200, row.kind)


def _bits_of(span: Span, byte: int) -> str:
    """Those bits of a byte that a span names, as digits; the most significant first, as the RFC counts them."""
    return f"{byte:08b}"[slice(*(span.bits or (0, 8)))]


def _bit_mask(span: Span, byte: int) -> str:
    """A byte's bits with those of ``span`` shown, in two groups of four: ``"···· 0001"``."""
    first, _ = span.bits or (0, 8)
    bits = f"{'·' * first}{_bits_of(span, byte)}".ljust(8, "·")
    return f"{bits[:4]} {bits[4:]}"


def _flags_table(data: bytes, flags: Sequence[Part]) -> Markup:
    """A header's bytes bit by bit, each group of bits with its name and what it says beneath."""
    edge = "border-left:1px solid rgba(128,128,128,.6)"
    centred = f"text-align:center;padding:2px 10px;{edge}"
    digits = f"{centred};font-family:monospace;letter-spacing:3px;{LOOKS[flags[0].kind].style}"
    head = f"text-align:left;vertical-align:baseline;padding:3px 16px 3px 0;padding-left:6px;{edge}"
    above, bits, below = [], [], []
    for part in flags:
        byte = data[part.start]
        what = f"byte {part.start:,}: {byte:02x}"
        above.append(tag("th", what, colspan=len(part.bits), scope="colgroup", style=head))
        for span in part.bits:
            value = tag("b", show_value(span.value, 20))
            bits.append(tag("td", _bits_of(span, byte), style=digits))
            below.append(tag("td", span.name, Markup("<br>"), value, style=centred))
    table = tag("table", *(table_row(*cells) for cells in (above, bits, below)), style=TABLE)
    return scrolling(table, style=";margin:12px 0")


def _title_html(view: View) -> Markup:
    """The name and the size of what is shown, and a legend of the kinds in it with the size of each."""
    style = "white-space:nowrap;margin-left:16px"
    sizes = view.sizes().items()
    # With spaces between: where a page strips the styles, nothing else parts them.
    legend = [join(" ", tag("span", chip(kind), f" {count:,}", style=style)) for kind, count in sizes if kind]
    size = tag("span", bytes_of(len(view.data)), **{"class": "wsedu-size"})
    legend_of = tag("span", *legend, **{"class": "wsedu-legend"})
    return tag("div", tag("b", view.name), "  ", size, legend_of, style="margin:4px 0 8px 0;line-height:1.8")


def _table_text(data: bytes, rows: Sequence[Part | Span]) -> Iterator[str]:
    table: list[tuple[str, ...]] = [("offset", "bytes", "field", "value", "meaning", "RFC")]
    for row in rows:
        raw, value = _told(data, row)
        raw = raw.replace("·", ".") if len(raw) <= 14 else bytes_of(row.end - row.start)
        name, section = clip(row.name, 40), row.section.removeprefix("RFC ")
        table.append((f"{row.start:,}", raw, name, value, row.meaning, section))
    widths = [min(24, max(columns(line[i]) for line in table)) for i in range(len(table[0]))]
    widths[-1] = min(16, widths[-1])
    # Value and meaning share what the others leave of the line.
    room = WIDTH - 2 * len(widths) - sum(widths[:-3]) - widths[-1]
    widths[-3] = min(28, room - 16, max(columns(line[-3]) for line in table))
    widths[-2] = room - widths[-3]
    for *cells, meaning, section in table:
        # Only the meaning goes on over further lines.
        yield from text_row([*([cell] for cell in cells), wrap(meaning, widths[-2]), [section]], widths)
