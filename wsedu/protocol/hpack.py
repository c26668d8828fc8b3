# SPDX-License-Identifier: GPL-2.0-or-later
"""HPACK: how HTTP/2 writes fields, and remembers them (RFC 7541).

A field block is one representation after the other. Each begins with a pattern of bits that says of what kind it is::

    82          1 0000010    indexed: entry 2 of the tables, which is ``:method: GET``
    44 85 ...   01 000100    literal: the name of entry 4, ``:path``; and a value. It becomes entry 62
    be          1 0111110    indexed: entry 62 again

Entries 1 to 61 are the same everywhere, the *static table*; from 62 on they are what was sent before on this
connection in this direction, the youngest first: the *dynamic table*. So the first request says what is said, and the
next ones say "as before"; and nobody can read them who did not read those before.

The library ``hpack`` decodes them; but it knows no places. So ``split_field_block`` says where each representation
stands, what its bits and bytes say, and where a block cannot be read.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from sys import intern
from typing import NamedTuple

from hpack import Decoder, HPACKError
from hpack.hpack import decode_integer
from hpack.huffman_table import decode_huffman
from hpack.table import HeaderTable

from .errors import Data, ProtocolError
from .http1 import Fields
from .http1_spans import KNOWN_FIELDS
from .spans import Kind, Span

MAX_FIELDS = 1 << 18  # bytes of the fields of one block, as RFC 9113, 6.5.2 counts them: 32 more for each field
MAX_TABLE = 1 << 20  # bytes of a dynamic table, whatever the settings allow
LONGEST_INTEGER = 6  # bytes
STATIC = HeaderTable.STATIC_TABLE_LENGTH


class Pattern(NamedTuple):
    """A kind of representation, by the bits with which its first byte begins."""

    name: str
    width: int  # of those bits
    bits: int
    meaning: str
    section: str


INDEXED = Pattern("indexed field", 1, 1, "name and value of an entry of the tables", "RFC 7541, 6.1")
ADDED = Pattern(
    "literal with incremental indexing", 2, 1, "a field that becomes an entry of the dynamic table", "RFC 7541, 6.2.1"
)
SIZE_UPDATE = Pattern("dynamic table size update", 3, 1, "how large the dynamic table may be", "RFC 7541, 6.3")
NEVER = Pattern("literal never indexed", 4, 1, "a field that nobody may remember: a secret", "RFC 7541, 6.2.3")
NOT_ADDED = Pattern("literal without indexing", 4, 0, "a field that is not remembered", "RFC 7541, 6.2.2")
PATTERNS = (INDEXED, ADDED, SIZE_UPDATE, NEVER, NOT_ADDED)


class Representation(NamedTuple):
    """One representation of a field block."""

    pattern: Pattern
    start: int
    end: int
    number: int  # of an entry, 0 if a name follows; of a size update the size
    name: bool  # whether it has a name of its own
    value: bool
    spans: list[Span]  # what each of its bits and bytes says


class FieldDecoder:
    """The fields of one direction of a connection, block by block: each may refer to those before it.

    Attributes:
        allowed: bytes that the receiver allows for the dynamic table, by SETTINGS_HEADER_TABLE_SIZE.
    """

    def __init__(self) -> None:
        self.allowed = HeaderTable.DEFAULT_SIZE
        self._decoder = Decoder(MAX_FIELDS)

    @property
    def entries(self) -> Fields:
        """The dynamic table, the youngest entry first: that is entry 62."""
        return _in_latin1(self._decoder.header_table.dynamic_entries)

    def decode(self, block: Data) -> Fields:
        """The fields of a whole field block, in order, text in Latin-1.

        Raises:
            ProtocolError: it cannot be read, or has more than ``MAX_FIELDS``. No further block can be read then.
        """
        self._decoder.max_allowed_table_size = min(self.allowed, MAX_TABLE)
        try:
            return _in_latin1(self._decoder.decode(bytes(block), raw=True))
        except HPACKError as error:
            for _ in split_field_block(block):  # says where, if it can be seen without a table
                pass
            raise _refusal(str(error), 0, "field block", "2.3") from None


# Where everything stands


def field_block_spans(block: Data, fields: Fields = ()) -> list[Span]:
    """What each bit and byte of a field block is, in order; arguments as of ``split_field_block``."""
    spans = list[Span]()
    try:
        for one in split_field_block(block, fields):
            spans += one.spans
    except ProtocolError as error:
        at, meaning = spans[-1].end if spans else 0, f"not readable: {error.message}"
        spans.append(_span(at, len(block), "rest of the field block", bytes(block[at:]), meaning, error.section))
    return spans


def split_field_block(block: Data, fields: Fields = ()) -> Iterator[Representation]:
    """The representations of a field block, in order.

    Args:
        block: the whole of it, without frame headers and padding.
        fields: what it was decoded to, since only the blocks before it say what is in the dynamic table.

    Raises:
        ProtocolError: at the first that cannot be read; a connection ends with that (RFC 9113, 4.3).
    """
    block, known, at = bytes(block), iter(fields), 0
    while at < len(block):
        start, pattern = at, next(one for one in PATTERNS if block[at] >> 8 - one.width == one.bits)
        resizes, literal = pattern is SIZE_UPDATE, pattern in (ADDED, NEVER, NOT_ADDED)
        spans = [_span(at, at + 1, pattern.name, pattern.bits, pattern.meaning, pattern.section, (0, pattern.width))]
        number, at = _integer(block, at, pattern.width, "size" if resizes else "index", spans)
        # Without the fields the static table is all that is known.
        static = HeaderTable.STATIC_TABLE[number - 1] if 0 < number <= STATIC else (b"a field", b"")
        name, value = ("", "") if resizes else next(known, (static[0].decode(), static[1].decode()))
        says = f"{name}: {value}" if pattern is INDEXED else f"the name {name}"
        table = "static" if number <= STATIC else "dynamic"
        meaning = f"{says}, as in entry {number} ({table} table)" if number else "0: the name follows"
        # Of a number in several bytes the last ones say what it is.
        spans[-1] = replace(spans[-1], meaning=f"at most {number:,} bytes from here on" if resizes else meaning)
        if literal and not number:
            at = _string(block, at, "name", *_known(name), spans)
        if literal:
            at = _string(block, at, "value", f"the value of {name}", "RFC 9110, 5.5", spans)
        yield Representation(pattern, start, at, number, literal and not number, literal, spans)


def _known(name: str) -> tuple[str, str]:
    """What a field is for, and where that stands."""
    if name.startswith(":"):
        return "a pseudo-header field: what stands in the start line in HTTP/1.1", "RFC 9113, 8.3"
    return KNOWN_FIELDS.get(name, ("a field", "RFC 9110, 5.1"))


def _integer(block: bytes, at: int, first_bit: int, field: str, spans: list[Span]) -> tuple[int, int]:
    """The number that begins in a byte, behind its first bits, and where it ends (RFC 7541, 5.1); adds its spans."""
    # "Integer encodings that exceed implementation limits -- in value or octet length -- MUST be treated as decoding
    # errors": or else a number could go on for ever.
    try:
        value, used = decode_integer(block[at : at + LONGEST_INTEGER], 8 - first_bit)
    except HPACKError:
        raise _refusal(f"the {field} is cut, or has more than {LONGEST_INTEGER} bytes", at, field, "5.1") from None
    first, end, section, more = block[at] & (1 << 8 - first_bit) - 1, at + used, "RFC 7541, 5.1", used > 1
    meaning = "all ones: more bytes follow, to be added" if more else f"{value:,} bytes"
    spans.append(_span(at, at + 1, field, first, meaning, section, (first_bit, 8)))
    if more:
        spans.append(_span(at + 1, end, f"{field}, continued", value, f"{value:,} bytes", section))
    return value, end


def _string(block: bytes, start: int, what: str, meaning: str, section: str, spans: list[Span]) -> int:
    """Where a name or a value ends (RFC 7541, 5.2); adds its spans."""
    huffman = bool(block[start : start + 1] >= b"\x80")
    coded = "as a Huffman code" if huffman else "as it is"
    spans.append(_span(start, start + 1, "H", int(huffman), f"the {what} is written {coded}", "RFC 7541, 5.2", (0, 1)))
    length, at = _integer(block, start, 1, f"{what} length", spans)
    text, end = block[at : at + length], at + length
    if end > len(block):
        message = f"a {what} of {length:,} bytes, of which {len(text):,} are there"
        raise _refusal(message, start, f"{what} length", "5.2")
    try:
        text = decode_huffman(text) if huffman else text
    except HPACKError:
        raise _refusal(f"the Huffman code of a {what} cannot be read", at, what, "5.2") from None
    if length:
        spans.append(_span(at, end, f"field {what}", text.decode("latin-1"), f"{meaning}, {coded}", section))
    return end


def _span(
    start: int, end: int, name: str, value: object, meaning: str, section: str, bits: tuple[int, int] | None = None
) -> Span:
    return Span(start, end, name, value, meaning, Kind.HTTP_HEAD, section, bits)


def _refusal(message: str, at: int, field: str, section: str) -> ProtocolError:
    return ProtocolError(message, offset=at, field=field, section=f"RFC 7541, {section}", status_code=None)


def _in_latin1(fields: Iterable[tuple[bytes, bytes]]) -> Fields:
    # Interned: a byte may stand for an entry of 4,000, in each of a million messages, and its text is in memory once.
    return tuple((intern(name.decode("latin-1")), intern(value.decode("latin-1"))) for name, value in fields)
