# SPDX-License-Identifier: GPL-2.0-or-later
"""Where content ends (RFC 9112, 6.3), and the chunked coding (RFC 9112, 7.1)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from protocol_cases import assert_every_byte_once, told, where

from wsedu.protocol.content import (
    MAX_LINE,
    Chunked,
    ChunkedDecoder,
    Framing,
    Length,
    NoContent,
    Switch,
    UntilClose,
    content_framing,
    content_spans,
)
from wsedu.protocol.errors import ProtocolError
from wsedu.protocol.http1 import Fields, Request, Response
from wsedu.protocol.spans import Kind, Span

LENGTH = ("Content-Length", "5")
CHUNKS = ("Transfer-Encoding", "chunked")


@pytest.mark.parametrize(
    ("head", "method", "framing"),
    [
        # rule 1, whatever the fields say
        (Response(200, fields=(LENGTH,)), "HEAD", NoContent()),
        *((Response(code, fields=(LENGTH,)), "GET", NoContent()) for code in (103, 204, 304)),
        (Response(101, fields=(LENGTH,)), "GET", Switch()),
        # rule 2
        (Response(200, fields=(LENGTH,)), "CONNECT", Switch()),
        (Response(299, fields=(CHUNKS,)), "CONNECT", Switch()),
        (Response(300, fields=(LENGTH,)), "CONNECT", Length(5)),
        # rule 3
        (Response(200, fields=(LENGTH, CHUNKS)), "GET", Chunked()),
        (Request("POST", "/", fields=(CHUNKS, LENGTH)), None, Chunked()),
        (Request("POST", "/", fields=(CHUNKS, ("Content-Length", "x"))), None, Chunked()),
        # rule 4
        (Request("POST", "/", fields=(CHUNKS,)), None, Chunked()),
        (Request("POST", "/", fields=(("transfer-encoding", "GZip, CHUNKED"),)), None, Chunked()),
        (Response(200, fields=(("Transfer-Encoding", "gzip"), CHUNKS)), "GET", Chunked()),
        (Response(200, fields=(("Transfer-Encoding", "chunked, gzip"),)), "GET", UntilClose()),
        (Response(200, fields=(("Transfer-Encoding", "gzip"), LENGTH)), "GET", UntilClose()),
        # rules 5 and 6
        (Request("POST", "/", fields=(LENGTH,)), None, Length(5)),
        (Response(200, fields=(("Content-Length", "0" * 5000 + "7"),)), "GET", Length(7)),
        (Response(200, fields=(("Content-Length", "42, 42"),)), "GET", Length(42)),
        (Response(200, fields=(LENGTH, LENGTH)), "GET", Length(5)),
        (Response(200, fields=(("Content-Length", str(2**63 - 1)),)), "GET", Length(2**63 - 1)),
        # rule 7
        (Request("GET", "/"), None, NoContent()),
        (Request("GET", "/", fields=(("Transfer-Encoding", ""),)), None, NoContent()),
        # rule 8
        (Response(200), "GET", UntilClose()),
    ],
)
def test_framing(head: Request | Response, method: str | None, framing: Framing) -> None:
    assert content_framing(head, method) == framing


NO_LENGTHS = "", "five", "-1", "+1", "1.0", "0x5", "5 5", "1_0", "5, 6", "5,", ",", "\xb2", "9" * 20, "9" * 5000
NO_CODINGS = "gzip", "chunked, gzip", "chunkedx", "identity"
BEFORE = ("Host", "example.com"), ("A", "b")
BOTH = Request("POST", "/"), Response(200, "OK")
HTTP_1_0 = tuple(replace(head, version="HTTP/1.0") for head in BOTH)
# fields, heads, what is said, which field, section
FAULTY: list[tuple[Fields, tuple[Request | Response, ...], str, str, str]] = [
    *(((("Content-Length", value),), BOTH, "expected", "Content-Length", "6.3") for value in NO_LENGTHS),
    ((LENGTH, ("content-length", "6")), BOTH, "one length", "Content-Length", "6.3"),
    *(((("Transfer-Encoding", value), LENGTH), BOTH[:1], "chunked as the last", "Transfer-Encoding", "6.3")
      for value in NO_CODINGS),
    ((LENGTH, CHUNKS), HTTP_1_0, "in HTTP/1.0", "Transfer-Encoding", "6.1"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "heads", "says", "field", "section"), FAULTY)
def test_faulty(fields: Fields, heads: tuple[Request | Response, ...], says: str, field: str, section: str) -> None:
    for head in heads:
        head = replace(head, fields=(*BEFORE, *fields))
        with pytest.raises(ProtocolError, match=says) as info:
            content_framing(head)
        offset = head.serialize().index(field.encode())
        status_code = 400 if isinstance(head, Request) else None
        assert where(info.value) == (offset, field, f"RFC 9112, {section}", status_code)


# Chunks


def decode(pieces: list[bytes]) -> tuple[bytes, list[Span], ChunkedDecoder]:
    decoder = ChunkedDecoder()
    spans: list[Span] = []
    for piece in pieces:
        decoder.receive_data(piece)
        while (span := decoder.next_span()) is not None:
            spans.append(span)
            assert decoder.used == span.end
    content = b"".join(bytes(span.value) for span in spans if span.kind == Kind.CONTENT)  # type: ignore[call-overload]
    return content, spans, decoder


CODED: list[tuple[bytes, bytes]] = [
    (b"0\r\n\r\n", b""),
    (b"3\r\nHel\r\n2\r\nlo\r\n000\r\n\r\n", b"Hello"),
    (b"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", b"01234567890123456789"),
    # content that looks like the end
    (b"7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n", b"\r\n0\r\n\r\n"),
    (b'1;a;b=c;d="e;f\\""\r\nx\r\n0;last\r\n\r\n', b"x"),
    (b"1 ; a = b\t;\tc\r\nx\r\n0\r\n\r\n", b"x"),
    (b"1\r\nx\r\n0\r\nDigest: abc\r\nB:\r\n\r\n", b"x"),
    # what real programs send
    (b"5\nHello\n0\n\n", b"Hello"),
    (b"0" * 300 + b"5\r\nHello\r\n" + b"0" * 40 + b"\r\n\r\n", b"Hello"),
    # An empty line is CRLF (RFC 9112, 7.1), or LF (2.2). CR CR LF is a line with a bare CR in it: still the trailers.
    (b"5\nHello\n0\n\r\r\n\r\n", b"Hello"),
    (b"5  \r\nHello\r\n0 \r\n\r\n", b"Hello"),
    (b"5;=;\x00\r\nHello\r\n0\r\nno colon\r\n\r\n", b"Hello"),
]


@pytest.mark.parametrize(("raw", "content"), CODED, ids=[str(raw) for raw, _ in CODED])
def test_chunked(raw: bytes, content: bytes) -> None:
    pieces = [[raw[at : at + size] for at in range(0, len(raw), size)] for size in (1, 2, 3, 7)]
    for given_as in ([raw + b"HTTP/1.1"], *pieces):
        found, spans, decoder = decode(given_as)
        assert found == content and decoder.done and decoder.used == len(raw)
        assert_every_byte_once(spans, raw)
    assert_every_byte_once(content_spans(raw, Chunked()), raw)
    for size in range(len(raw)):
        assert not decode([raw[:size]])[2].done


def test_names_of_the_pieces() -> None:
    spans = decode([b"1;a\r\nx\r\n0\r\nT: u\r\n\r\n"])[1]
    assert told(spans) == [
        (0, 1, "chunk size", 1), (1, 3, "chunk extensions", b";a"), (3, 5, "CRLF", b"\r\n"),
        (5, 6, "chunk data", b"x"), (6, 8, "CRLF", b"\r\n"),
        (8, 9, "chunk size", 0), (9, 11, "CRLF", b"\r\n"), (11, 17, "trailer field", b"T: u\r\n"),
        (17, 19, "empty line", b"\r\n"),
    ]  # fmt: skip
    assert [span.name for span in spans if span.kind != Kind.HTTP_HEAD] == ["chunk data"]


# bytes, then offset and field; it shows at | and not before
REFUSED: list[tuple[bytes, int, str]] = [
    (b"\r|\n", 0, "chunk size"),
    (b"x|\r\n", 0, "chunk size"),
    (b" |5\r\nHello\r\n", 0, "chunk size"),
    (b"10000000000000000|\r\n\r\n", 16, "chunk size"),
    (b"5\r\nHello!|\r\n", 8, "CRLF after chunk data"),
    (b"5\r\nHello\r0|\r\n", 8, "CRLF after chunk data"),
    (b"1\r\nx\r\nH|TTP/1.1 200 OK\r\n", 6, "chunk size"),
]


@pytest.mark.parametrize("case", REFUSED, ids=[str(case[0]) for case in REFUSED])
def test_chunked_refused(case: tuple[bytes, int, str]) -> None:
    marked, offset, field = case
    shows_after, raw = marked.index(b"|"), marked.replace(b"|", b"")
    decode([raw[: shows_after - 1]])
    found = set()
    for pieces in ([raw], [raw[:shows_after]], [raw[at : at + 1] for at in range(len(raw))]):
        with pytest.raises(ProtocolError) as info:
            decode(pieces)
        found.add(where(info.value))
    assert found == {(offset, field, "RFC 9112, 7.1", None)}


def test_refused_again_and_again_after_what_was_complete() -> None:
    decoder = ChunkedDecoder()
    decoder.receive_data(b"5\r\nHello\r\nx")
    names = []
    with pytest.raises(ProtocolError) as first:
        while span := decoder.next_span():
            names.append(span.name)
    assert names == ["chunk size", "CRLF", "chunk data", "CRLF"]
    decoder.receive_data(b"0\r\n\r\n")
    with pytest.raises(ProtocolError) as second:
        decoder.next_span()
    assert first.value.offset == second.value.offset == 10 and not decoder.done


def test_a_line_without_end() -> None:
    longer = b"1;" + b"a" * MAX_LINE
    for pieces in ([longer], [longer + b"\r\nx\r\n"], [b"1;", *[b"a" * 100] * (MAX_LINE // 100 + 1)]):
        with pytest.raises(ProtocolError, match="a line of more than") as info:
            decode(pieces)
        assert info.value.offset == MAX_LINE
    fits = b"1;" + b"a" * (MAX_LINE - 4) + b"\r\nx\r\n0\r\n\r\n"
    assert decode([fits])[0] == b"x"


@given(st.lists(st.binary(max_size=30)), st.lists(st.integers(0, 200)))
def test_any_content_in_any_pieces(chunks: list[bytes], cuts: list[int]) -> None:
    chunks = [chunk for chunk in chunks if chunk]
    raw = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    places = [0, *sorted(cut for cut in cuts if cut < len(raw)), len(raw)]
    pieces = [raw[start:end] for start, end in zip(places, places[1:], strict=False)]
    content, spans, decoder = decode(pieces)
    assert content == b"".join(chunks) and decoder.done
    assert_every_byte_once(spans, raw)


@given(st.binary(max_size=40), st.sampled_from([NoContent(), Length(5), Chunked(), UntilClose(), Switch()]))
def test_spans_cover_anything(raw: bytes, framing: Framing) -> None:
    assert_every_byte_once(content_spans(raw, framing), raw)


def test_content_spans() -> None:
    (span,) = content_spans(b"Hello", Length(5))
    assert told([span]) == [(0, 5, "content", b"Hello")] and span.kind == Kind.CONTENT
    assert content_spans(b"", UntilClose()) == []
    cut = content_spans(b"5\r\nHel", Chunked())
    assert told(cut[-2:]) == [(1, 3, "CRLF", b"\r\n"), (3, 6, "chunk data", b"Hel")]
    broken = content_spans(b"5\r\nHelloWorld", Chunked())
    assert told(broken[-1:]) == [(8, 13, "rest", b"World")] and "byte 8" in broken[-1].meaning
