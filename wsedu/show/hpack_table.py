# SPDX-License-Identifier: GPL-2.0-or-later
"""How fields are remembered (RFC 7541): each representation of a field block, and the dynamic table around it."""

from collections.abc import Iterator
from typing import Any

from ..protocol import hpack
from ..protocol.http1 import Fields
from ..protocol.spans import Kind
from .html import TABLE, Markup, Picture, scrolling, table_rows, tag
from .palette import chip
from .text import bytes_of, clip, text_row, visible

HEADS = "bytes", "representation", "field", "entries before", "after"
WIDTHS = 16, 20, 22, 15, 15
SHOWN = 3  # bytes of a representation, where it has more than one more
# Of a literal whether it becomes an entry of the dynamic table.
WORDS = {hpack.INDEXED: "indexed", hpack.ADDED: "added", hpack.NOT_ADDED: "not added", hpack.NEVER: "never to be added"}


class HpackTable(Picture):
    """Field blocks, a row for each representation. In a notebook it shows itself; ``print`` gives the same as text.

    Args:
        messages: requests or responses of HTTP/2, or the bytes of whole field blocks: of one direction, from the first
            on, since each may refer to all before it.

    Raises:
        ProtocolError: one of them cannot be read.
    """

    def __init__(self, *messages: Any) -> None:
        decoder, self.blocks = hpack.FieldDecoder(), list[tuple[str, list[list[str]], Fields]]()
        decoder.allowed = hpack.MAX_TABLE  # what the receiver's settings allow is in none of these
        for one in messages:
            block = one if isinstance(one, bytes) else one.on_stream.field_block
            name = f"{getattr(one, 'kind', 'field block')}, {bytes_of(len(block))} of fields"
            self.blocks.append((name, list(_rows(block, decoder)), decoder.entries))

    def lines(self) -> Iterator[str]:
        """The picture as lines of text."""
        for name, rows, _ in self.blocks:
            yield from ("", name, "")
            for row in (HEADS, *rows):
                yield from text_row([[cell] for cell in row], WIDTHS)

    def html(self) -> Markup:
        """The picture as HTML; what the dynamic table holds after each block can be unfolded."""
        pieces = []
        for name, rows, entries in self.blocks:
            cells = [_cells(*row) for row in rows]
            numbered = enumerate(entries, hpack.STATIC + 1)
            held = [(str(number), tag("samp", _said(*entry)), str(_bytes(entry))) for number, entry in numbered]
            pieces.append(tag("div", tag("b", name), style="margin:12px 0 6px 0"))
            pieces.append(scrolling(tag("table", *table_rows(HEADS, cells), style=TABLE)))
            table = tag("table", *table_rows(("entry", "field", "bytes"), held), style=TABLE)
            summary = tag("summary", f"the dynamic table after it: {_size(entries)}")
            pieces.append(tag("details", summary, scrolling(table)))
        return tag("div", *pieces, style="max-width:100%")


hpack_table = HpackTable


def _cells(raw: str, what: str, said: str, *sizes: str) -> tuple[str, ...]:
    return tag("samp", raw), chip(Kind.HTTP_HEAD, what), tag("samp", said), *sizes


def _rows(block: bytes, decoder: hpack.FieldDecoder) -> Iterator[list[str]]:
    for one in hpack.split_field_block(block):
        before, raw = decoder.entries, block[one.start : one.end]
        (field,) = decoder.decode(raw) or [("", "")]
        shown = raw.hex(" ") if len(raw) <= SHOWN + 1 else f"{raw[:SHOWN].hex(' ')} … ({len(raw)})"
        yield [shown, *_told(one, field), _size(before), _size(decoder.entries)]


def _told(one: hpack.Representation, field: tuple[str, str]) -> tuple[str, str]:
    """What kind of representation it is, and of what."""
    if one.pattern is hpack.SIZE_UPDATE:
        return "size update", f"at most {bytes_of(one.number)}"
    entry = ", new name" if one.name else f", name of {one.number}" if one.value else f" {one.number}"
    return WORDS[one.pattern] + entry, _said(*field)


def _said(name: str, value: str) -> str:
    return clip(visible(f"{name}: {value}"), 60)


def _bytes(entry: tuple[str, str]) -> int:
    """What an entry takes: "the sum of its name's length in octets, its value's length in octets, and 32" (4.1)."""
    return len("".join(entry)) + 32


def _size(entries: Fields) -> str:
    return f"{len(entries)} ({bytes_of(sum(map(_bytes, entries)))})" if entries else "none"
