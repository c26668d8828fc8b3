# SPDX-License-Identifier: GPL-2.0-or-later
"""HTTP/2's frames and HPACK: the RFCs' samples, and the libraries of others as oracles both ways."""

from typing import Any

import pytest
from hpack import Decoder, Encoder, HPACKError
from hpack.hpack import encode_integer
from hyperframe import frame as theirs
from hypothesis import given, settings, strategies as st
from protocol_cases import assert_every_byte_once, assert_needs_more, prefixes, told, where

from wsedu.protocol.errors import ProtocolError
from wsedu.protocol.hpack import MAX_FIELDS, MAX_TABLE, FieldDecoder, field_block_spans
from wsedu.protocol.http1 import Fields
from wsedu.protocol.http2 import (
    Framing,
    carried,
    http2_frame_spans,
    parse_http2_header,
    spans_with_framing,
    with_framing,
)
from wsedu.protocol.spans import Kind

GET = ((":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "www.example.com"))
NO_CACHE = (*GET, ("cache-control", "no-cache"))
CUSTOM = (GET[0], (":scheme", "https"), (":path", "/index.html"), GET[3], ("custom-key", "custom-value"))
DATES = [("date", f"Mon, 21 Oct 2013 20:13:2{second} GMT") for second in (1, 2)]
AWAY = (("cache-control", "private"), DATES[0], ("location", "https://www.example.com"))
COOKIE = ("set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1")
FOUND: list[Fields] = [
    ((":status", "302"), *AWAY),
    ((":status", "307"), *AWAY),
    ((":status", "200"), AWAY[0], DATES[1], AWAY[2], ("content-encoding", "gzip"), COOKIE),
]
TO_256 = "3fe101"  # what C.5 and C.6 have said by SETTINGS: the table has 256 bytes
REQUESTS = [GET, NO_CACHE, CUSTOM]
SAMPLES: list[tuple[str, str, list[Fields]]] = [  # RFC 7541, appendix C: blocks, and what each says
    ("C.2.1", "400a637573746f6d2d6b65790d637573746f6d2d686561646572", [(("custom-key", "custom-header"),)]),
    ("C.2.2", "040c2f73616d706c652f70617468", [((":path", "/sample/path"),)]),
    ("C.2.3", "100870617373776f726406736563726574", [(("password", "secret"),)]),
    ("C.2.4", "82", [GET[:1]]),
    (
        "C.3",
        "828684410f7777772e6578616d706c652e636f6d 828684be58086e6f2d6361636865"
        " 828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
        REQUESTS,
    ),
    (
        "C.4",
        "828684418cf1e3c2e5f23a6ba0ab90f4ff 828684be5886a8eb10649cbf 828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
        REQUESTS,
    ),
    (
        "C.5",
        f"{TO_256}4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d54"
        "6e1768747470733a2f2f7777772e6578616d706c652e636f6d 4803333037c1c0bf"
        " 88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48"
        "514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31",
        FOUND,
    ),
    (
        "C.6",
        f"{TO_256}488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8"
        "e9ae82ae43d3 4883640effc1c0bf"
        " 88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af"
        "27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
        FOUND,
    ),
]


@pytest.mark.parametrize(("blocks", "expected"), [row[1:] for row in SAMPLES], ids=[row[0] for row in SAMPLES])
def test_samples(blocks: str, expected: list[Fields]) -> None:
    """What is read, what is remembered, and a span for every bit."""
    ours, oracle = FieldDecoder(), Decoder()
    for block, fields in zip(map(bytes.fromhex, blocks.split()), expected, strict=True):
        assert ours.decode(block) == fields
        oracle.decode(block)
        remembered = tuple((name.decode(), value.decode()) for name, value in oracle.header_table.dynamic_entries)
        assert ours.entries == remembered
        assert_every_byte_once(field_block_spans(block, fields), block)


def test_spans_of_a_block() -> None:
    block = bytes.fromhex("828684be5886a8eb10649cbf")
    spans = field_block_spans(block, NO_CACHE)
    assert told(spans)[-7:] == [
        (3, 4, "indexed field", 1),
        (3, 4, "index", 62),
        (4, 5, "literal with incremental indexing", 1),
        (4, 5, "index", 24),
        (5, 6, "H", 1),
        (5, 6, "value length", 6),
        (6, 12, "field value", "no-cache"),
    ]
    assert spans[7].meaning == ":authority: www.example.com, as in entry 62 (dynamic table)"
    assert {span.kind for span in spans} == {Kind.HTTP_HEAD}
    # Without the fields the static table is all that is known; a number of more than one byte; a cut block.
    assert field_block_spans(block)[1].meaning == ":method: GET, as in entry 2 (static table)"
    assert told(field_block_spans(bytes.fromhex("3fe101")))[1:] == [(0, 1, "size", 31), (1, 3, "size, continued", 256)]
    cut = field_block_spans(block[:8])
    assert (cut[-1].name, cut[-1].start, cut[-1].end) == ("rest of the field block", 4, 8)


names = st.sampled_from([":path", "cookie", "x-a", "x-b", "accept-encoding"]) | st.text("abc-", min_size=1, max_size=6)
values = st.text(st.characters(max_codepoint=255), max_size=30) | st.sampled_from(["/", "gzip, deflate", "v" * 200])
block_lists = st.lists(st.lists(st.tuples(names, values, st.booleans()), max_size=8), min_size=1, max_size=5)


@given(block_lists, st.booleans(), st.lists(st.sampled_from([0, 60, 256, 4096, 8192]), max_size=5))
def test_what_others_encode(blocks: Any, huffman: bool, sizes: list[int]) -> None:
    ours, encoder = FieldDecoder(), Encoder()
    ours.allowed = 8192
    for number, block in enumerate(blocks):
        if number < len(sizes):
            encoder.header_table_size = sizes[number]
        sent = [(name.encode(), value.encode("latin-1"), secret) for name, value, secret in block]
        coded = encoder.encode(sent, huffman=huffman)
        fields = ours.decode(coded)
        assert fields == tuple((name, value) for name, value, _ in block)
        remembered = [(name.encode(), value.encode("latin-1")) for name, value in ours.entries]
        assert remembered == list(encoder.header_table.dynamic_entries)
        assert_every_byte_once(field_block_spans(coded, fields), coded)
        assert_every_byte_once(field_block_spans(coded), coded)


@settings(max_examples=300)
@given(st.lists(st.sampled_from([0x82, 0x41, 0x0F, 0x20, 0x3F, 0xBE, 0xFF, 0x81, 0, 1, 0x7F]) | st.integers(0, 255)))
def test_any_bytes_are_read_as_others_read_them(numbers: list[int]) -> None:
    block, oracle = bytes(numbers), Decoder(max_header_list_size=MAX_FIELDS)
    oracle.max_allowed_table_size = FieldDecoder().allowed
    try:
        expected: Any = [tuple(field) for field in oracle.decode(block, raw=True)]
    except HPACKError:
        expected = None
    try:
        found: Any = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in FieldDecoder().decode(block)]
    except ProtocolError as error:
        assert 0 <= error.offset <= len(block) and error.section.startswith("RFC 7541, ")
        found = None
    assert found == expected
    assert_every_byte_once(field_block_spans(block), block)


REFUSED = [  # what, block, offset, field, section
    ("index 0", "80", 0, "field block", "2.3"),
    ("an entry that there is not", "82be", 0, "field block", "2.3"),
    ("no index in a name", "7f0000", 0, "field block", "2.3"),
    ("a number without end", "ff" + "80" * 9, 0, "index", "5.1"),
    ("a number of seven bytes", "ff818080808001", 0, "index", "5.1"),
    ("a number cut", "ff80", 0, "index", "5.1"),
    ("no value", "44", 1, "value length", "5.1"),
    ("a value cut", "448441", 1, "value length", "5.2"),
    ("a name cut", "40056162", 1, "name length", "5.2"),
    ("padding of eight bits", "44820fff", 2, "value", "5.2"),
    ("EOS in a value", "4484ffffffff", 2, "value", "5.2"),
    ("a size update too large", "3fe21f", 0, "field block", "2.3"),
    ("a size update behind a field", "8220", 0, "field block", "2.3"),
]


@pytest.mark.parametrize(
    ("block", "offset", "field", "section"), [row[1:] for row in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_refused_blocks(block: str, offset: int, field: str, section: str) -> None:
    with pytest.raises(ProtocolError) as info:
        FieldDecoder().decode(bytes.fromhex(block))
    assert where(info.value) == (offset, field, f"RFC 7541, {section}", None)


def _update(size: int) -> bytes:
    """A size update (RFC 7541, 6.3)."""
    return bytes(encode_integer(size, 5)).replace(b"\x1f", b"\x3f", 1)


def test_little_stays_little() -> None:
    """An HPACK bomb is 4,000 bytes that are remembered, and one byte for each time that they are meant."""
    bomb = b"\x40\x01a\x7f\x81\x1e" + b"v" * 4000 + b"\xbe" * 100_000
    with pytest.raises(ProtocolError, match=f"larger than {MAX_FIELDS} "):
        FieldDecoder().decode(bomb)
    greedy = FieldDecoder()
    greedy.allowed = 1 << 32 - 1
    greedy.decode(_update(MAX_TABLE))
    with pytest.raises(ProtocolError, match="exceeded max allowable table size"):
        greedy.decode(_update(MAX_TABLE + 1))


# Frames

FRAMES: list[tuple[theirs.Frame, str]] = [
    (theirs.DataFrame(1, b"Hello", flags=["END_STREAM"]), "content"),
    (theirs.DataFrame(3, b"Hello", pad_length=4, flags=["PADDED"]), "Pad Length, content, padding"),
    (theirs.DataFrame(3, b"", pad_length=0, flags=["PADDED"]), "Pad Length"),
    (
        theirs.HeadersFrame(5, b"\x82", pad_length=1, depends_on=3, stream_weight=7, flags=["PADDED", "PRIORITY"]),
        "Pad Length, priority, field block fragment, padding",
    ),
    (theirs.PriorityFrame(5, depends_on=3, exclusive=True), "priority"),
    (theirs.RstStreamFrame(5, 8), "error code"),
    (
        theirs.SettingsFrame(0, {1: 65536, 8: 1, 99: 7}),
        "identifier, SETTINGS_HEADER_TABLE_SIZE, identifier, SETTINGS_ENABLE_CONNECT_PROTOCOL, identifier, setting 99",
    ),
    (theirs.SettingsFrame(0, flags=["ACK"]), ""),
    (theirs.PushPromiseFrame(1, 2, b"\x82", flags=["END_HEADERS"]), "promised stream identifier, field block fragment"),
    (theirs.PingFrame(0, b"12345678"), "opaque data"),
    (theirs.GoAwayFrame(0, 7, 11, b"calm"), "last stream identifier, error code, additional debug data"),
    (theirs.WindowUpdateFrame(0, 65535), "window size increment"),
    (theirs.ContinuationFrame(5, b"\x82", flags=["END_HEADERS"]), "field block fragment"),
]


@pytest.mark.parametrize(("frame", "names"), FRAMES, ids=[type(frame).__name__ for frame, _ in FRAMES])
def test_frames(frame: theirs.Frame, names: str) -> None:
    raw = frame.serialize()
    header = parse_http2_header(b"spare" + raw + b"spare", 5)
    assert (header.length, header.stream) == (len(raw) - 9, frame.stream_id)
    assert_needs_more(parse_http2_header, prefixes(raw[:9]))
    spans = http2_frame_spans(raw)
    assert ", ".join(span.name for span in spans if span.start >= 9) == names
    assert {span.name for span in spans if span.bits and span.value and span.name.isupper()} == set(frame.flags)
    for some in (*prefixes(raw), raw):
        assert_every_byte_once(http2_frame_spans(some), some)
    if isinstance(frame, theirs.DataFrame | theirs.HeadersFrame | theirs.PushPromiseFrame | theirs.ContinuationFrame):
        start, end = carried(raw)
        assert raw[start:end] == frame.data


def test_values_and_names() -> None:
    assert told(http2_frame_spans(theirs.RstStreamFrame(5, 8).serialize())) == [
        (0, 3, "length", 4),
        (3, 4, "type", 3),
        (4, 5, "unused flags", 0),
        (5, 9, "stream identifier", 5),
        (9, 13, "error code", 8),
    ]
    unknown = bytes.fromhex("000001 be ff 80000005 3f")
    assert_every_byte_once(http2_frame_spans(unknown), unknown)
    assert parse_http2_header(unknown).stream == 5
    raws = [unknown, *(frame.serialize() for frame, _ in FRAMES)]
    says = [span.meaning for raw in raws for span in http2_frame_spans(raw)]
    assert {"CANCEL", "ENHANCE_YOUR_CALM", "RST_STREAM", "type 190, unknown"} <= {*says}
    with pytest.raises(ProtocolError) as info:
        carried(bytes.fromhex("000003 00 08 00000001 036162"))
    assert where(info.value) == (9, "Pad Length", "RFC 9113, 6.1", None)


def test_framing_in_the_midst_of_a_message() -> None:
    """A block in two frames, cut inside of a value, and content in two, with padding."""
    block, fields = bytes.fromhex(SAMPLES[0][1]), SAMPLES[0][2][0]
    frames = [
        theirs.HeadersFrame(1, block[:6]), theirs.ContinuationFrame(1, block[6:], flags=["END_HEADERS"]),
        theirs.DataFrame(1, b"Hel", pad_length=2, flags=["PADDED"]), theirs.DataFrame(1, b"lo", flags=["END_STREAM"]),
    ]  # fmt: skip
    raws, framing, message = [frame.serialize() for frame in frames], [], b""
    for raw in raws:
        start, end = carried(raw)
        framing += [Framing(len(message), raw[:start])]
        message += raw[start:end]
        framing += [Framing(len(message), raw[end:], padding=True)] * (end < len(raw))
    assert with_framing(message, framing) == b"".join(raws)
    inner = field_block_spans(block, fields)
    content = http2_frame_spans(theirs.DataFrame(1, b"Hello").serialize())[-1].shifted(len(block) - 9)
    spans = spans_with_framing([*inner, content], framing)
    assert_every_byte_once(spans, b"".join(raws))
    parts = [(span.name, span.meaning) for span in spans if span.kind in (Kind.CONTENT, Kind.HTTP_HEAD)]
    assert [name for name, _ in parts if name == "field name"] == ["field name"] * 2
    assert parts[-1] == ("content", "content of the message")
