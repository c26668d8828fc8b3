# SPDX-License-Identifier: GPL-2.0-or-later
"""Where content ends (RFC 9112, 6.3), and the chunked coding (RFC 9112, 7.1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from protocol_cases import assert_every_byte_once

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
from wsedu.protocol.http1 import Request, Response
from wsedu.protocol.spans import Kind, Span

LENGTH = ("Content-Length", "5")
CHUNKS = ("Transfer-Encoding", "chunked")


@pytest.mark.parametrize(
    ("head", "method", "framing"),
    [
        # rule 1, whatever the fields say
        (Response(200, fields=(LENGTH,)), "HEAD", NoContent()),
        (Response(200, fields=(CHUNKS,)), "HEAD", NoContent()),
        (Response(404), "HEAD", NoContent()),
        (Response(100), "POST", NoContent()),
        (Response(103, fields=(LENGTH,)), "GET", NoContent()),
        (Response(204, fields=(LENGTH,)), "GET", NoContent()),
        (Response(304, fields=(LENGTH,)), "GET", NoContent()),
        (Response(304, fields=(CHUNKS,)), None, NoContent()),
        (Response(101, fields=(LENGTH,)), "GET", Switch()),
        # rule 2
        (Response(200, fields=(LENGTH,)), "CONNECT", Switch()),
        (Response(299, fields=(CHUNKS,)), "CONNECT", Switch()),
        (Response(300, fields=(LENGTH,)), "CONNECT", Length(5)),
        (Response(407, fields=(LENGTH,)), "CONNECT", Length(5)),
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
        (Request("POST", "/", fields=(("Content-Length", "0"),)), None, Length(0)),
        (Response(200, fields=(("Content-Length", "007"),)), "GET", Length(7)),
        (Response(200, fields=(("Content-Length", "42, 42"),)), "GET", Length(42)),
        (Response(200, fields=(LENGTH, LENGTH)), "GET", Length(5)),
        (Response(200, fields=(("Content-Length", str(2**63 - 1)),)), "GET", Length(2**63 - 1)),
        # rule 7
        (Request("GET", "/"), None, NoContent()),
        (Request("POST", "/"), None, NoContent()),
        (Request("GET", "/", fields=(("Transfer-Encoding", ""),)), None, NoContent()),
        # rule 8
        (Response(200), "GET", UntilClose()),
        (Response(404), None, UntilClose()),
        (Response(205), "POST", UntilClose()),
    ],
)
def test_framing(head: Request | Response, method: str | None, framing: Framing) -> None:
    assert content_framing(head, method) == framing


@pytest.mark.parametrize(
    ("field", "value", "section"),
    [
        *[
            ("Content-Length", value, "RFC 9112, 6.3")
            for value in (
                "",
                "five",
                "-1",
                "+1",
                "1.0",
                "0x5",
                "5 5",
                "1_0",
                "5, 6",
                "5,",
                ",",
                "\xb2",
                "9" * 20,
            )
        ],
        ("Content-Length", "9" * 5000, "RFC 9112, 6.3"),
    ],
)
def test_lengths_that_are_none(field: str, value: str, section: str) -> None:
    before = (("Host", "example.com"), ("A", "b"))
    for head, status in (
        (Request("POST", "/", fields=(*before, (field, value))), 400),
        (Response(200, fields=(*before, (field, value))), None),
    ):
        with pytest.raises(ProtocolError) as info:
            content_framing(head)
        error = info.value
        assert (error.field, error.section, error.status_code) == (field, section, status)
        assert head.serialize()[error.offset :].startswith(b"Content-Length: ")
        assert str(error).isascii()


def test_two_lengths() -> None:
    head = Request("POST", "/", fields=(("Content-Length", "5"), ("content-length", "6")))
    with pytest.raises(ProtocolError, match="one length") as info:
        content_framing(head)
    assert info.value.offset == len("POST / HTTP/1.1\r\n")


@pytest.mark.parametrize("value", ["gzip", "chunked, gzip", "chunkedx", "identity"])
def test_request_must_end_in_chunked(value: str) -> None:
    with pytest.raises(ProtocolError, match="chunked as the last") as info:
        content_framing(Request("POST", "/", fields=(("Transfer-Encoding", value), LENGTH)))
    error = info.value
    assert (error.field, error.section, error.status_code) == ("Transfer-Encoding", "RFC 9112, 6.3", 400)
    assert error.offset == len("POST / HTTP/1.1\r\n")


def test_http_1_0_has_no_transfer_coding() -> None:
    for head, status in (
        (Request("POST", "/", "HTTP/1.0", (LENGTH, CHUNKS)), 400),
        (Response(200, "OK", "HTTP/1.0", (LENGTH, CHUNKS)), None),
    ):
        with pytest.raises(ProtocolError) as info:
            content_framing(head)
        error = info.value
        assert (error.field, error.section, error.status_code) == (
            "Transfer-Encoding",
            "RFC 9112, 6.1",
            status,
        )


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
    (b"5\r\nHello\r\n0\r\n\r\n", b"Hello"),
    (b"3\r\nHel\r\n2\r\nlo\r\n000\r\n\r\n", b"Hello"),
    (b"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", b"01234567890123456789"),
    # content that looks like the end
    (b"7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n", b"\r\n0\r\n\r\n"),
    (b'1;a;b=c;d="e;f\\""\r\nx\r\n0;last\r\n\r\n', b"x"),
    (b"1 ; a = b\t;\tc\r\nx\r\n0\r\n\r\n", b"x"),
    (b"1\r\nx\r\n0\r\nDigest: abc\r\nB:\r\n\r\n", b"x"),
    # what real programs send
    (b"5\nHello\n0\n\n", b"Hello"),
    (b"5  \r\nHello\r\n0 \r\n\r\n", b"Hello"),
    (b"5;=;\x00\r\nHello\r\n0\r\nno colon\r\n\r\n", b"Hello"),
]


@pytest.mark.parametrize(("raw", "content"), CODED, ids=[str(raw) for raw, _ in CODED])
def test_chunked(raw: bytes, content: bytes) -> None:
    whole, spans, decoder = decode([raw + b"HTTP/1.1"])
    assert whole == content and decoder.done and decoder.used == len(raw)
    assert_every_byte_once(spans, raw)
    assert content_spans(raw, Chunked()) == spans
    for size in (1, 2, 3, 7):
        pieces = [raw[at : at + size] for at in range(0, len(raw), size)]
        found, spans, decoder = decode(pieces)
        assert found == content and decoder.done
        assert_every_byte_once(spans, raw)
    for size in range(len(raw)):
        assert not decode([raw[:size]])[2].done


def test_names_of_the_pieces() -> None:
    spans = decode([b"1;a\r\nx\r\n0\r\nT: u\r\n\r\n"])[1]
    assert [(span.start, span.end, span.name, span.kind) for span in spans] == [
        (0, 1, "chunk size", Kind.HTTP_HEAD),
        (1, 3, "chunk extensions", Kind.HTTP_HEAD),
        (3, 5, "CRLF", Kind.HTTP_HEAD),
        (5, 6, "chunk data", Kind.CONTENT),
        (6, 8, "CRLF", Kind.HTTP_HEAD),
        (8, 9, "chunk size", Kind.HTTP_HEAD),
        (9, 11, "CRLF", Kind.HTTP_HEAD),
        (11, 17, "trailer field", Kind.HTTP_HEAD),
        (17, 19, "empty line", Kind.HTTP_HEAD),
    ]
    assert [span.value for span in spans if span.name == "chunk size"] == [1, 0]


# bytes, then offset and field; it shows at | and not before
REFUSED: list[tuple[bytes, int, str]] = [
    (b"\r|\n", 0, "chunk size"),
    (b"x|\r\n", 0, "chunk size"),
    (b"-|1\r\n", 0, "chunk size"),
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
        error = info.value
        found.add((error.offset, error.field, error.section, error.status_code))
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
    assert (span.start, span.end, span.name, span.value, span.kind) == (
        0,
        5,
        "content",
        b"Hello",
        Kind.CONTENT,
    )
    assert content_spans(b"", UntilClose()) == []
    cut = content_spans(b"5\r\nHel", Chunked())
    assert [(span.start, span.end, span.name) for span in cut[-2:]] == [(1, 3, "CRLF"), (3, 6, "chunk data")]
    broken = content_spans(b"5\r\nHelloWorld", Chunked())
    assert (broken[-1].start, broken[-1].end, broken[-1].value) == (8, 13, b"World")
    assert "byte 8" in broken[-1].meaning
