# SPDX-License-Identifier: GPL-2.0-or-later
"""Bits, drawn: the flags of a header's bytes."""

from __future__ import annotations

from collections.abc import Sequence

from ..protocol.spans import Span
from .html import TABLE, Markup, scrolling, table_row, tag
from .palette import LOOKS
from .parts import Part, show_value


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
