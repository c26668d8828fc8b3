# SPDX-License-Identifier: GPL-2.0-or-later
"""The RFC's own picture of a frame, 32 bits a row, filled with the bits that it has (RFC 6455, 5.2)."""

from __future__ import annotations

from collections.abc import Sequence

from ..protocol.spans import Kind, Span
from .html import PLAIN, SCROLL, Markup, bytes_of, tag, visible
from .palette import LOOKS

WIDTH = 32  # bits of a row
PAYLOAD_ROWS = 3  # of the payload; the rest is counted
EDGE = "border:1px solid rgba(128,128,128,.7)"


def frame_diagram(data: bytes, spans: Sequence[Span]) -> Markup:
    """A frame as the RFC draws it.

    Args:
        data: the bytes of one frame.
        spans: what they mean.
    """
    header = 8 * next((span.start for span in spans if span.kind == Kind.PAYLOAD), len(data))
    rows = min(-(-8 * len(data) // WIDTH), -(-header // WIDTH) + PAYLOAD_ROWS)
    bits = [
        tag("th", str(at), colspan=8, scope="colgroup", style=f"{EDGE};text-align:left")
        for at in range(0, WIDTH, 8)
    ]
    lines = [tag("tr", *bits, style=PLAIN)]
    for row in range(rows):
        cells = [_cell(data, span, *piece) for span in spans if (piece := _inside(span, row))]
        if row == rows - 1 and (missing := WIDTH * rows - 8 * len(data)) > 0:
            cells.append(tag("td", colspan=missing, style="border:none"))
        lines.append(tag("tr", *cells, style=PLAIN))
    columns = tag("colgroup", *(tag("col", style=f"width:{100 / WIDTH}%") for _ in range(WIDTH)))
    caption = tag(
        "caption", "The frame as RFC 6455, 5.2 draws it: 32 bits a row", style="text-align:left;padding:4px 0"
    )
    wide = "table-layout:fixed;width:100%;min-width:440px;max-width:660px"
    style = f"border-collapse:collapse;{wide};margin:0;font-size:12px;line-height:1.3"
    table = tag("div", tag("table", caption, columns, *lines, style=style), style=SCROLL, tabindex=0)
    left = len(data) - rows * WIDTH // 8
    more = tag("p", f"… {bytes_of(left)} more of payload …") if left > 0 else Markup("")
    return tag("div", table, more, style="margin:12px 0")


def _inside(span: Span, row: int) -> tuple[int, int] | None:
    """The bits of a span that are in a row, as offsets in bits; ``None`` for none."""
    first, stop = span.bits or (0, 8 * (span.end - span.start))
    start = max(8 * span.start + first, WIDTH * row)
    end = min(8 * span.start + stop, WIDTH * (row + 1))
    return (start, end) if start < end else None


def _cell(data: bytes, span: Span, start: int, end: int) -> Markup:
    if span.bits:
        byte = data[span.start]
        value = f"{byte:08b}"[start % 8 : start % 8 + end - start]
    else:
        value = data[start // 8 : end // 8].hex(" ")
    continued = " (continued)" if not span.bits and start > 8 * span.start else ""
    name = visible(span.name) + continued
    if end - start < 4:  # a letter under the other: Lab takes turned text out of a page that was not run
        letters = Markup("<br>").join(tag("span", letter) for letter in name)
        label = tag("div", Markup(letters), style="font-size:11px;line-height:1.1", title=name)
    else:
        label = tag("div", name)
    look = (
        f"{LOOKS[span.kind].style};{EDGE};padding:2px 0;text-align:center;vertical-align:top;overflow:hidden"
    )
    return tag("td", tag("samp", tag("b", value)), label, colspan=end - start, style=look)
