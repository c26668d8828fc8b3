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
stands, and refuses what is none, and the decoder of the library is given them one by one.
"""

from collections.abc import Iterable, Iterator
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


class StringLiteral(NamedTuple):
    """A name or a value (RFC 7541, 5.2)."""

    start: int  # of the length, whose first bit says whether this is Huffman code
    data: int  # where the length ends
    end: int
    huffman: bool
    text: bytes  # decoded


class Representation(NamedTuple):
    """One representation of a field block."""

    pattern: Pattern
    start: int
    number: int  # of an entry, 0 if a name follows; of a size update the size
    number_end: int
    name: StringLiteral | None  # if it is not that of an entry
    value: StringLiteral | None  # if it is a literal
    end: int


def split_field_block(block: Data) -> Iterator[Representation]:
    """The representations of a whole field block, in order.

    Raises:
        ProtocolError: at the first that cannot be read; a connection ends with that (RFC 9113, 4.3).
    """
    block = bytes(block)
    at = 0
    while at < len(block):
        start, pattern = at, next(one for one in PATTERNS if block[at] >> 8 - one.width == one.bits)
        number, at = _integer(block, start, pattern.width, "size" if pattern is SIZE_UPDATE else "index")
        name, value, number_end = None, None, at
        if pattern not in (INDEXED, SIZE_UPDATE):
            if not number:
                name = _string(block, at, "name")
                at = name.end
            value = _string(block, at, "value")
            at = value.end
        yield Representation(pattern, start, number, number_end, name, value, at)


def _refusal(message: str, at: int, field: str, section: str) -> ProtocolError:
    return ProtocolError(message, offset=at, field=field, section=f"RFC 7541, {section}", status_code=None)


def _integer(block: bytes, at: int, first_bit: int, field: str) -> tuple[int, int]:
    """The number that begins in a byte, behind its first bits, and where it ends (RFC 7541, 5.1)."""
    # "Integer encodings that exceed implementation limits -- in value or octet length -- MUST be treated as decoding
    # errors": or else a number could go on for ever.
    try:
        value, used = decode_integer(block[at : at + LONGEST_INTEGER], 8 - first_bit)
    except HPACKError:
        raise _refusal(f"the {field} is cut, or has more than {LONGEST_INTEGER} bytes", at, field, "5.1") from None
    return value, at + used


def _string(block: bytes, start: int, field: str) -> StringLiteral:
    length, at = _integer(block, start, 1, f"{field} length")
    end = at + length
    if end > len(block):
        message = f"a {field} of {length:,} bytes, of which {len(block) - at:,} are there"
        raise _refusal(message, start, f"{field} length", "5.2")
    text, huffman = block[at:end], block[start] >= 0x80
    if huffman:
        try:
            text = decode_huffman(text)
        except HPACKError:
            raise _refusal(f"the Huffman code of a {field} cannot be read", at, field, "5.2") from None
    return StringLiteral(start, at, end, huffman, text)


class FieldDecoder:
    """The fields of one direction of a connection, block by block: each may refer to those before it.

    Attributes:
        allowed: bytes that the receiver allows for the dynamic table, by SETTINGS_HEADER_TABLE_SIZE.
    """

    def __init__(self) -> None:
        self.allowed = HeaderTable.DEFAULT_SIZE
        self._decoder = Decoder(MAX_TABLE + MAX_FIELDS)  # so that it is we who refuse

    @property
    def entries(self) -> Fields:
        """The dynamic table, the youngest entry first: that is entry 62."""
        return _in_latin1(self._decoder.header_table.dynamic_entries)

    def decode(self, block: Data) -> Fields:
        """The fields of a whole field block, in order, text in Latin-1.

        Raises:
            ProtocolError: it cannot be read, or has more than ``MAX_FIELDS``. No further block can be read then.
        """
        fields: list[tuple[bytes, bytes]] = []
        size, allowed = 0, min(self.allowed, MAX_TABLE)
        self._decoder.max_allowed_table_size = allowed
        for one in split_field_block(block):
            updates = one.pattern is SIZE_UPDATE
            if updates and fields:
                raise _refusal("a size update behind a field", one.start, "size", "4.2")
            try:
                fields += self._decoder.decode(bytes(block[one.start : one.end]), raw=True)
            except HPACKError:
                if updates:
                    message = f"a dynamic table of {one.number:,} bytes, where {allowed:,} are allowed"
                    raise _refusal(message, one.start, "size", "6.3") from None
                raise _refusal(f"there is no entry {one.number:,}", one.start, "index", "2.3.3") from None
            # A byte can stand for an entry of 4,000: what it comes to is counted, not what was sent.
            size += 0 if updates else len(fields[-1][0]) + len(fields[-1][1]) + 32
            if size > MAX_FIELDS:
                raise _refusal(f"fields of more than {MAX_FIELDS:,} bytes", one.start, "field block", "7.3")
        return _in_latin1(fields)


def _in_latin1(fields: Iterable[tuple[bytes, bytes]]) -> Fields:
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in fields)


# What each bit and byte says


def field_block_spans(block: Data, fields: Fields = ()) -> list[Span]:
    """What each bit and byte of a field block is, in order.

    Args:
        block: the whole of it, without frame headers and padding.
        fields: what it was decoded to, since only the blocks before it say what is in the dynamic table.
    """
    block = bytes(block)
    spans: list[Span] = []
    known = iter(fields)
    try:
        for one in split_field_block(block):
            spans += _representation_spans(block, one, None if one.pattern is SIZE_UPDATE else next(known, None))
    except ProtocolError as error:
        at = spans[-1].end if spans else 0
        meaning = f"not readable: {error.message}"
        spans.append(
            Span(at, len(block), "rest of the field block", block[at:], meaning, Kind.HTTP_HEAD, error.section)
        )
    return spans


def _span(
    start: int, end: int, name: str, value: object, meaning: str, section: str, bits: tuple[int, int] | None = None
) -> Span:
    return Span(start, end, name, value, meaning, Kind.HTTP_HEAD, section, bits)


def _representation_spans(block: bytes, one: Representation, field: tuple[str, str] | None) -> Iterator[Span]:
    pattern, number, start = one.pattern, one.number, one.start
    bits = 0, pattern.width
    yield _span(start, start + 1, pattern.name, pattern.bits, pattern.meaning, pattern.section, bits)
    if field is None:  # or else the static table may know
        pair = HeaderTable.STATIC_TABLE[number - 1] if 0 < number <= STATIC else (b"a field", b"")
        field = pair[0].decode(), pair[1].decode()
    name, value = field
    if pattern is SIZE_UPDATE:
        what, meaning = "size", f"at most {number:,} bytes from here on"
    else:
        says = f"{name}: {value}" if pattern is INDEXED else f"the name {name}"
        table = "static" if number <= STATIC else "dynamic"
        what, meaning = "index", f"{says}, as in entry {number} ({table} table)" if number else "0: the name follows"
    yield from _integer_spans(block, start, pattern.width, one.number_end, what, number, meaning)
    meaning, section = KNOWN_FIELDS.get(name, ("a field", "RFC 9110, 5.1"))
    if name.startswith(":"):
        meaning, section = "a pseudo-header field: what stands in the start line in HTTP/1.1", "RFC 9113, 8.3"
    if one.name is not None:
        yield from _string_spans(block, one.name, "name", meaning, section)
    if one.value is not None:
        yield from _string_spans(block, one.value, "value", f"the value of {name}", "RFC 9110, 5.5")


def _string_spans(block: bytes, string: StringLiteral, name: str, meaning: str, section: str) -> Iterator[Span]:
    start, length = string.start, string.end - string.data
    coded = "as a Huffman code" if string.huffman else "as it is"
    says = f"the {name} is written {coded}"
    yield _span(start, start + 1, "H", int(string.huffman), says, "RFC 7541, 5.2", (0, 1))
    yield from _integer_spans(block, start, 1, string.data, f"{name} length", length, f"{length:,} bytes of {name}")
    if length:
        text = string.text.decode("latin-1")
        yield _span(string.data, string.end, f"field {name}", text, f"{meaning}, {coded}", section)


def _integer_spans(
    block: bytes, start: int, first_bit: int, end: int, name: str, value: int, meaning: str
) -> Iterator[Span]:
    first, section = block[start] & (1 << 8 - first_bit) - 1, "RFC 7541, 5.1"
    says = meaning if end == start + 1 else "all ones: more bytes follow, to be added"
    yield _span(start, start + 1, name, first, says, section, (first_bit, 8))
    if end > start + 1:
        yield _span(start + 1, end, f"{name}, continued", value, meaning, section)
