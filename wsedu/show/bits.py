# SPDX-License-Identifier: GPL-2.0-or-later
"""Bits, drawn: the flags of a header's bytes, and the RFC's own picture of a frame, 32 bits a row (RFC 6455, 5.2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..protocol.spans import Kind, Span
from .html import TABLE, Markup, scrolling, table_row, tag
from .palette import LOOKS
from .parts import Part, show_value
from .text import bytes_of, visible

ROW = 32  # bits of a row
PAYLOAD_ROWS = 3  # of the payload; the rest is counted
EDGE = "border:1px solid rgba(128,128,128,.7)"


def bits_of(span: Span, byte: int) -> str:
    """Those bits of a byte that a span names, as digits; the most significant first, as the RFC counts them."""
    return f"{byte:08b}"[slice(*(span.bits or (0, 8)))]


def bit_mask(span: Span, byte: int) -> str:
    """A byte's bits with those of ``span`` shown, in two groups of four: ``"···· 0001"``."""
    first, _ = span.bits or (0, 8)
    bits = f"{'·' * first}{bits_of(span, byte)}".ljust(8, "·")
    return f"{bits[:4]} {bits[4:]}"


def flags_table(data: bytes, flags: Sequence[Part]) -> Markup:
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
            bits.append(tag("td", bits_of(span, byte), style=digits))
            below.append(tag("td", span.name, Markup("<br>"), value, style=centred))
    table = tag("table", *(table_row(*cells) for cells in (above, bits, below)), style=TABLE)
    return scrolling(table, style=";margin:12px 0")


def frame_diagram(data: bytes, spans: Sequence[Span]) -> Markup:
    """A frame as the RFC draws it.

    Args:
        data: the bytes of one frame.
        spans: what they mean.
    """
    # All of the header, and of the payload so much that its beginning is seen.
    header = 8 * next((span.start for span in spans if span.kind == Kind.PAYLOAD), len(data))
    rows = min(-(-8 * len(data) // ROW), -(-header // ROW) + PAYLOAD_ROWS)
    style = f"{EDGE};text-align:left"
    heads = (tag("th", str(at), colspan=8, scope="colgroup", style=style) for at in range(0, ROW, 8))
    lines = [table_row(*heads)]
    for row in range(rows):
        cells = list(_cells(data, spans, ROW * row, ROW * (row + 1)))
        if (missing := ROW * (row + 1) - 8 * len(data)) > 0:
            cells.append(tag("td", colspan=missing, style="border:none"))
        lines.append(table_row(*cells))
    # A fixed layout needs the width of each column: else a cell of one bit is as wide as its digit.
    columns = tag("colgroup", *(tag("col", style=f"width:{100 / ROW}%") for _ in range(ROW)))
    titled = tag("caption", "The frame as RFC 6455, 5.2 draws it: 32 bits a row", style="text-align:left;padding:4px 0")
    wide = "table-layout:fixed;width:100%;min-width:440px;max-width:660px"
    style = f"border-collapse:collapse;{wide};margin:0;font-size:12px;line-height:1.3"
    table = scrolling(tag("table", titled, columns, *lines, style=style))
    left = len(data) - rows * ROW // 8
    more = tag("p", f"… {bytes_of(left)} more of payload …") if left > 0 else Markup("")
    return tag("div", table, more, style="margin:12px 0")


def _cells(data: bytes, spans: Iterable[Span], row: int, end: int) -> Iterable[Markup]:
    """The cells of the row that begins at the bit ``row``: what of each span is in it, with its name."""
    for span in spans:
        first, stop = span.bits or (0, 8 * (span.end - span.start))
        start, until = max(8 * span.start + first, row), min(8 * span.start + stop, end)
        if start >= until:
            continue
        value = bits_of(span, data[span.start]) if span.bits else data[start // 8 : until // 8].hex(" ")
        name = visible(span.name) + (" (continued)" if not span.bits and start > 8 * span.start else "")
        label = tag("div", name)
        if until - start < 4:
            # A letter under the other: Lab takes turned text out of a page that is not trusted.
            letters = Markup("<br>").join(tag("span", letter) for letter in name)
            label = tag("div", Markup(letters), style="font-size:11px;line-height:1.1", title=name)
        look = f"{LOOKS[span.kind].style};{EDGE};padding:2px 0;text-align:center;vertical-align:top;overflow:hidden"
        yield tag("td", tag("samp", tag("b", value)), label, colspan=until - start, style=look)
