# SPDX-License-Identifier: GPL-2.0-or-later
"""HTTP/1.1: heads both ways, forgiving and strict, each rule of RFC 9112 broken, and every byte explained.

And where content ends (RFC 9112, 6.3), and the chunked coding (RFC 9112, 7.1).
"""

import contextlib
import time
import timeit
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import protocol_cases as cases
import pytest
from hypothesis import example, given, settings, strategies as st

import wsedu
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
from wsedu.protocol.errors import NeedMoreData, ProtocolError, quoted
from wsedu.protocol.http1 import Fields, Head, Request, Response, head_end
from wsedu.protocol.http1_spans import KNOWN_FIELDS, head_spans
from wsedu.protocol.spans import Kind, Span

HEADS: list[tuple[bytes, Request | Response]] = [
    (cases.SAMPLE_REQUEST, Request("GET", "/chat", fields=(
        ("Host", "server.example.com"), ("Upgrade", "websocket"), ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), ("Origin", "http://example.com"),
        ("Sec-WebSocket-Protocol", "chat, superchat"), ("Sec-WebSocket-Version", "13"),
    ))),
    (cases.SAMPLE_RESPONSE, Response(101, "Switching Protocols", fields=(
        ("Upgrade", "websocket"), ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), ("Sec-WebSocket-Protocol", "chat"),
    ))),
    # RFC 9112, 2.1 and 3.2: the four forms of a request target
    (b"GET /where?q=now HTTP/1.1\r\nHost: a.org\r\n\r\n", Request("GET", "/where?q=now", fields=(("Host", "a.org"),))),
    (b"GET http://www.example.org/a HTTP/1.1\r\n\r\n", Request("GET", "http://www.example.org/a")),
    (b"CONNECT www.example.com:80 HTTP/1.1\r\n\r\n", Request("CONNECT", "www.example.com:80")),
    (b"OPTIONS * HTTP/1.0\r\n\r\n", Request("OPTIONS", "*", "HTTP/1.0")),
    # an empty value, an empty reason phrase, bytes above ASCII, a repeated field
    (b"HTTP/1.1 200 \r\nX: \r\n\r\n", Response(200, fields=(("X", ""),))),
    (b"HTTP/1.1 404 N\xe4h\r\nA: \xff\r\na: 2\r\n\r\n", Response(404, "N\xe4h", fields=(("A", "\xff"), ("a", "2")))),
    (b"HTTP/1.0 599 a  b\r\n\r\n", Response(599, "a  b", "HTTP/1.0")),
]  # fmt: skip
SAMPLES = pytest.mark.parametrize(("raw", "head"), HEADS, ids=[str(raw[:24]) for raw, _ in HEADS])


@SAMPLES
def test_samples(raw: bytes, head: Request | Response) -> None:
    """Both ways; byte by byte, with bytes to spare, and in whatever holds them."""
    assert head.serialize() == raw
    assert all(head_end(prefix) == -1 for prefix in cases.prefixes(raw))
    for strict in (True, False):
        cases.assert_needs_more(lambda data: type(head).parse(data, strict=strict), cases.prefixes(raw))  # noqa: B023
        for spare, kind in product((b"", b"\x81\x05Hello", b"\r\n\r\n", b"\xff", raw), cases.HOLDERS):
            assert type(head).parse(kind(raw + spare), strict=strict) == (head, len(raw))
            assert head_end(raw + spare) == len(raw)
            assert head_spans(kind(raw + spare)) == head.spans()


# Round trips

tokens = st.text("!#$%&'*+-.^_`|~0123456789abcxyzABCXYZ", min_size=1, max_size=12)
visible = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=30)
texts = st.text(st.sampled_from('\t aZ09:;,"\\\x7e\x80\x85\xa0\xff'), max_size=20).map(lambda text: text.strip(" \t"))
fields_of_heads = st.lists(st.tuples(tokens, texts), max_size=6).map(tuple)
versions = st.sampled_from(["HTTP/1.1", "HTTP/1.0", "HTTP/9.9"])
requests = st.builds(Request, tokens, visible, versions, fields_of_heads)
responses = st.builds(Response, st.integers(100, 599), texts, versions, fields_of_heads)


@given(st.one_of(requests, responses), st.binary(max_size=5))
def test_what_is_written_reads_back(head: Request | Response, spare: bytes) -> None:
    raw = head.serialize()
    for strict in (True, False):
        assert type(head).parse(raw + spare, strict=strict) == (head, len(raw))
    spans = head.spans()
    cases.assert_every_byte_once(spans, raw)
    assert {span.kind for span in spans} == {Kind.HTTP_HEAD}
    assert [span.value for span in spans if span.name == "field name"] == [name for name, _ in head.fields]


def test_whitespace_around_a_value_is_not_part_of_it() -> None:
    raw = b"GET / HTTP/1.1\r\nA:1\r\nB: \t 2 \t\r\nC:   \r\n\r\n"
    for strict in (True, False):
        assert Request.parse(raw, strict=strict)[0].fields == (("A", "1"), ("B", "2"), ("C", ""))


# Refused: which head, bytes, then offset, field, section. What is after | must not matter: it shows before.
REFUSED: list[tuple[type[Request] | type[Response], bytes, int, str, str]] = [
    (Request, b"\r|\nGET / HTTP/1.1\r\n\r\n", 0, "method", "RFC 9112, 2.2"),
    (Request, b"\n|GET / HTTP/1.1\r\n\r\n", 0, "method", "RFC 9112, 2.2"),
    (Request, b"\x16|\x03\x01", 0, "method", "RFC 9110, 9.1"),
    (Request, b"G@|T / HTTP/1.1\r\n\r\n", 1, "method", "RFC 9112, 3"),
    (Request, b"GET\r|\n\r\n", 3, "method", "RFC 9112, 3"),
    (Request, b"GET  |/ HTTP/1.1\r\n\r\n", 4, "request target", "RFC 9112, 3.2"),
    (Request, b"GET /\xe4| HTTP/1.1\r\n\r\n", 5, "request target", "RFC 9112, 3"),
    (Request, b"GET /\x7f| HTTP/1.1\r\n\r\n", 5, "request target", "RFC 9112, 3"),
    (Request, b"GET /a b| HTTP/1.1\r\n\r\n", 7, "HTTP version", "RFC 9112, 2.3"),
    (Request, b"GET / h|ttp/1.1\r\n\r\n", 6, "HTTP version", "RFC 9112, 2.3"),
    (Request, b"GET / HTTP/1,|1\r\n\r\n", 12, "HTTP version", "RFC 9112, 2.3"),
    (Request, b"GET / HTTP/1.11|\r\n\r\n", 14, "request line", "RFC 9112, 3"),
    (Request, b"GET / HTTP/1.1\n|\n", 14, "request line", "RFC 9112, 2.2"),
    (Request, b"GET / HTTP/1.1\r\n |Host: a\r\n\r\n", 16, "field name", "RFC 9112, 2.2"),
    (Request, b"GET / HTTP/1.1\r\n:| a\r\n\r\n", 16, "field name", "RFC 9110, 5.1"),
    (Request, b"GET / HTTP/1.1\r\nHost |: a\r\n\r\n", 20, "Host", "RFC 9112, 5.1"),
    (Request, b"GET / HTTP/1.1\r\nHost\t|: a\r\n\r\n", 20, "Host", "RFC 9112, 5.1"),
    (Request, b"GET / HTTP/1.1\r\nHost\r|\n\r\n", 20, "field name", "RFC 9112, 5"),
    (Request, b"GET / HTTP/1.1\r\nH\xf6|st: a\r\n\r\n", 17, "field name", "RFC 9110, 5.1"),
    (Request, b"GET / HTTP/1.1\r\nHost: a\x00|b\r\n\r\n", 23, "Host", "RFC 9110, 5.5"),
    (Request, b"GET / HTTP/1.1\r\nHost: a\x7f|b\r\n\r\n", 23, "Host", "RFC 9110, 5.5"),
    (Request, b"GET / HTTP/1.1\r\nHost: a\rb|\r\n\r\n", 23, "Host", "RFC 9112, 2.2"),
    (Request, b"GET / HTTP/1.1\r\nA: a\r\n |b\r\n\r\n", 22, "A", "RFC 9112, 5.2"),
    (Request, b"GET / HTTP/1.1\r\nA: a\r\n\t|b\r\n\r\n", 22, "A", "RFC 9112, 5.2"),
    (Request, b"GET / HTTP/1.1\r\n\rA|: b\r\n\r\n", 16, "empty line", "RFC 9112, 2.2"),
    (Request, b"GET / HTTP/1.1\r\n\n|", 16, "empty line", "RFC 9112, 2.2"),
    (Response, b"\r|\nHTTP/1.1 200 \r\n\r\n", 0, "HTTP version", "RFC 9112, 2.3"),
    (Response, b"I|CY 200 OK\r\n\r\n", 0, "HTTP version", "RFC 9112, 2.3"),
    (Response, b"HTTP/1.1\t|200 OK\r\n\r\n", 8, "HTTP version", "RFC 9112, 4"),
    (Response, b"HTTP/1.1  |200 OK\r\n\r\n", 9, "status code", "RFC 9110, 15"),
    (Response, b"HTTP/1.1 0|99 OK\r\n\r\n", 9, "status code", "RFC 9110, 15"),
    (Response, b"HTTP/1.1 6|00 OK\r\n\r\n", 9, "status code", "RFC 9110, 15"),
    (Response, b"HTTP/1.1 20 |OK\r\n\r\n", 11, "status code", "RFC 9110, 15"),
    (Response, b"HTTP/1.1 2000| OK\r\n\r\n", 12, "status code", "RFC 9112, 4"),
    (Response, b"HTTP/1.1 200\r|\n\r\n", 12, "status code", "RFC 9112, 4"),
    (Response, b"HTTP/1.1 200 O\x08|K\r\n\r\n", 14, "reason phrase", "RFC 9112, 4"),
    (Response, b"HTTP/1.1 200 OK\r\nA |: b\r\n\r\n", 18, "A", "RFC 9112, 5.1"),
]


@pytest.mark.parametrize("case", REFUSED, ids=[f"{case[0].__name__} {case[1]!r}" for case in REFUSED])
def test_refused(case: tuple[type[Request] | type[Response], bytes, int, str, str]) -> None:
    head, marked, offset, field, section = case
    error = cases.refusal(head.parse, marked.replace(b"|", b""), marked.index(b"|"))
    assert cases.where(error) == (offset, field, section, 400 if head is Request else None)


def get(*fields: tuple[str, str]) -> Request:
    return Request("GET", "/", fields=fields)


# Forgiving: what real programs send
TOLERATED: list[tuple[bytes, Request | Response]] = [
    (b"GET / HTTP/1.1\nHost: a\n\n", get(("Host", "a"))),
    (b"GET / HTTP/1.1\nHost: a\r\n\n", get(("Host", "a"))),
    (b"\r\n\r\nGET / HTTP/1.1\r\n\r\n", get()),
    (b"GET  /  HTTP/1.1 \r\n\r\n", get()),
    (b"GET\t/\tHTTP/1.1\r\n\r\n", get()),
    (b"GET /a b HTTP/1.1\r\n\r\n", Request("GET", "/a b")),
    (b"GET /\xe4 HTTP/1.1\r\n\r\n", Request("GET", "/\xe4")),
    (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", get(("Host", "a"))),
    (b"GET / HTTP/1.1\r\nA: a\r\n  b\r\n\tc\r\n\r\n", get(("A", "a b c"))),
    (b"GET / HTTP/1.1\r\nA:\r\n b\r\n\r\n", get(("A", "b"))),
    (b"GET / HTTP/1.1\r\n A: b\r\n\r\n", get(("A", "b"))),
    (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", get(("no colon", ""))),
    (b"GET / HTTP/1.1\r\n: b\r\n\r\n", get(("", "b"))),
    (b"GET / HTTP/1.1\r\nA: \x00\x1b<script>\r\n\r\n", get(("A", "\x00\x1b<script>"))),
    (b"GET / HTTP/1.1\r\nA: a\rb\r\n\r\n", get(("A", "a\rb"))),
    (b"HTTP/1.1 200\r\n\r\n", Response(200)),
    (b"HTTP/1.x 200 OK\r\n\r\n", Response(200, "OK", "HTTP/1.x")),
    (b"HTTP/1.1  200   OK then \r\n\r\n", Response(200, "OK then")),
    (b"HTTP/1.1 999 OK\r\n\r\n", Response(999, "OK")),
    (b"HTTP/1.1 007 OK\r\n\r\n", Response(7, "OK")),
]


@pytest.mark.parametrize(("raw", "head"), TOLERATED, ids=[str(raw) for raw, _ in TOLERATED])
def test_tolerated(raw: bytes, head: Request | Response) -> None:
    def parse(data: bytes) -> Any:
        return type(head).parse(data, strict=False)

    assert parse(raw) == parse(raw + b"\x81\x00") == (head, len(raw))
    cases.assert_needs_more(parse, cases.prefixes(raw))
    with pytest.raises(ProtocolError):
        type(head).parse(raw)
    spans = head_spans(raw)
    cases.assert_every_byte_once(spans, raw)
    assert spans[-1].name == "empty line"


# As far as it is enough to see that these are no heads at all
NO_REQUESTS = b"EHLO mail.example\r\n", b"GET /\r\n", b"\x16", b"SSH-2.0-OpenSSH_9.2\r\n", b"G\xcb"
NO_RESPONSES = b"G", b"HTTP/1.1 2x0 OK\r\n", b"HTTP/1.1 20 OK\r\n", b"HTTP/1.1\r\n", b"\x15"


@pytest.mark.parametrize(("head", "raw"), [*product([Request], NO_REQUESTS), *product([Response], NO_RESPONSES)])
def test_what_is_no_head_at_all(head: type[Request] | type[Response], raw: bytes) -> None:
    whole = raw + b"\x02 / HTTP/1.1\r\n\r\n" * (not raw.endswith(b"\n"))
    for data in raw, whole:
        with pytest.raises(ProtocolError) as info:
            head.parse(data, strict=False)
        expected = (0, "request line", "RFC 9112, 3", 400), (0, "status line", "RFC 9112, 4", None)
        assert cases.where(info.value) == expected[head is Response]
    cases.assert_needs_more(lambda data: head.parse(data, strict=False), cases.prefixes(raw))


PIECES = (
    b"GET ", b"/", b" ", b"HTTP/1.1", b" 200 OK", b"\r\n", b"\n", b"\r", b"A", b":", b": b", b"\t", b"\0", b"\xe4",
)  # fmt: skip
heads_nearly = st.lists(st.sampled_from(PIECES), max_size=14).map(b"".join)


def verdict(kind: Any, raw: bytes, strict: bool) -> Any:
    """What is read, or ``None``."""
    try:
        return kind.parse(raw, strict=strict)
    except NeedMoreData:
        return None
    except ProtocolError as error:
        assert 0 <= error.offset < len(raw)
        return None


@settings(max_examples=200)
@given(heads_nearly, st.sampled_from([Request, Response]))
def test_strict_accepts_only_what_forgiving_reads_the_same(raw: bytes, kind: Any) -> None:
    strict, forgiving = verdict(kind, raw, True), verdict(kind, raw, False)
    if forgiving is not None:
        end = forgiving[1]
        cases.assert_needs_more(lambda data: kind.parse(data, strict=False), cases.prefixes(raw[:end]))
    if strict is not None:
        assert strict == forgiving
        assert kind.parse(strict[0].serialize())[0] == strict[0]
        assert strict[1] == head_end(raw)


@given(st.one_of(heads_nearly, st.binary(max_size=40)))
def test_spans_of_anything(raw: bytes) -> None:
    end = head_end(raw)
    cases.assert_every_byte_once(head_spans(raw), raw if end < 0 else raw[:end])


def test_spans_of_both() -> None:
    assert cases.told(head_spans(b"GET /chat HTTP/1.1\r\nHost:  a \r\nX-Y:\r\n\r\n")) == [
        (0, 3, "method", "GET"), (3, 4, "SP", b" "), (4, 9, "request target", "/chat"), (9, 10, "SP", b" "),
        (10, 18, "HTTP version", "HTTP/1.1"), (18, 20, "CRLF", b"\r\n"),
        (20, 24, "field name", "Host"), (24, 27, "colon", ":  "), (27, 28, "field value", "a"),
        (28, 29, "whitespace", " "), (29, 31, "CRLF", b"\r\n"),
        (31, 34, "field name", "X-Y"), (34, 35, "colon", ":"), (35, 37, "CRLF", b"\r\n"),
        (37, 39, "empty line", b"\r\n"),
    ]  # fmt: skip
    spans = head_spans(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")
    assert cases.told(spans[:6]) == [
        (0, 8, "HTTP version", "HTTP/1.1"), (8, 9, "SP", b" "), (9, 12, "status code", "101"), (12, 13, "SP", b" "),
        (13, 32, "reason phrase", "Switching Protocols"), (32, 34, "CRLF", b"\r\n"),
    ]  # fmt: skip
    assert "Upgrade" in spans[2].meaning
    # by its class where the code itself is not known (RFC 9110, 15)
    spans = [head_spans(b"HTTP/1.1 %d" % code)[2] for code in (204, 299, 399, 499, 599, 999)]
    last_words = [span.meaning.split()[-1] for span in spans]
    assert last_words == ["content", "successful", "have", "error", "error", "code"]


def test_well_known_fields_have_a_meaning_of_their_own() -> None:
    known = """Host Upgrade Connection Sec-WebSocket-Key Sec-WebSocket-Accept Sec-WebSocket-Version Cookie Set-Cookie
        Content-Length Transfer-Encoding Expect Origin User-Agent Date Server""".split()
    heads = [Request("GET", "/", fields=((spelling, "x"),)) for name in known for spelling in (name, name.upper())]
    spans = (span for head in heads for span in head.spans() if span.name == "field name")
    assert len({(span.meaning, span.section) for span in spans}) == len(known)


def test_every_field_in_the_captures_has_a_meaning() -> None:
    """So that no row of a notebook that shows one says no more than that it is a field."""
    heads = (message for path in Path(__file__).parents[1].glob("data/*.pcap*") for message in wsedu.messages(path))
    read = {str(span.value).lower() for message in heads for span in message.spans() if span.name == "field name"}
    read = {name for name in read if not name.startswith(":")}  # those of HTTP/2 are explained together
    assert {"host", "sec-fetch-mode", "sec-websocket-accept"} <= read <= KNOWN_FIELDS.keys()


# Looking fields up


def test_fields() -> None:
    fields = ("Connection", "keep-alive, Upgrade"), ("connection", " ,TE,, "), ("X", 'a, "b, \\" c", d')
    head: Head = Request("GET", "/", fields=fields)
    assert head.get("CONNECTION") == "keep-alive, Upgrade,  ,TE,, "
    assert head.get_all("Connection") == ["keep-alive, Upgrade", " ,TE,, "]
    assert head.field_tokens("Connection") == ["keep-alive", "upgrade", "te"]
    assert head.field_elements("x") == ["a", '"b, \\" c"', "d"]
    assert head.get("Host") is None
    assert head.get_all("Host") == head.field_tokens("Host") == []


def test_heads_are_values() -> None:
    first = Request("GET", "/", fields=[("A", "1")])  # type: ignore[arg-type]
    assert first == Request("GET", "/", fields=(("A", "1"),))
    assert hash(first) == hash(Request("GET", "/", fields=(("A", "1"),)))
    with pytest.raises(AttributeError):
        first.method = "PUT"  # type: ignore[misc]
    with pytest.raises(ValueError):
        Request("GET", "/\u20ac").serialize()


@given(st.one_of(st.text(max_size=80), st.binary(max_size=80)))
@example("a" * 61)
@example(b"a" * 10**6)
def test_quoted_is_safe_to_print_and_short(text: str | bytes) -> None:
    safe = quoted(text)
    assert safe.isascii() and safe.isprintable()
    assert safe.endswith("...") == (len(text) > 60)
    assert quoted(b"\x1b[2J<b>") == r"'\x1b[2J<b>'" and quoted("a" * 61) == "'" + "a" * 60 + "'..."


def test_time_grows_with_length_only() -> None:
    """Ten times the bytes may cost ten times the time; a pattern that backtracks would cost a hundred times."""
    awkward = {
        "spaces": (b"GET /", b" ", b"x\r\n\r\n"),
        "spaces in a field": (b"GET / HTTP/1.1\r\nA:", b" \t", b"\r\n\r\n"),
        "fields": (b"GET / HTTP/1.1\r\n", b"A: b\r\n", b"\r\n"),
        "colons": (b"GET / HTTP/1.1\r\n", b":", b"\r\n\r\n"),
        "folds": (b"GET / HTTP/1.1\r\nA: b\r\n", b" c\r\n", b"\r\n"),
    }

    def run(raw: bytes) -> None:
        for strict in (True, False):
            with contextlib.suppress(ProtocolError):
                Request.parse(raw, strict=strict)[0].field_elements("A")
        head_spans(raw)

    for name, (start, piece, end) in awkward.items():
        few, many = (
            min(timeit.repeat(lambda: run(start + piece * count + end), number=1, repeat=2, timer=time.thread_time))  # noqa: B023
            for count in (2_000, 20_000)
        )
        assert many < 40 * few + 0.05, name


# Where content ends

LENGTH = ("Content-Length", "5")
CHUNKS = ("Transfer-Encoding", "chunked")


def post(*fields: tuple[str, str]) -> Request:
    return Request("POST", "/", fields=fields)


def ok(*fields: tuple[str, str]) -> Response:
    return Response(200, fields=fields)


FRAMING: list[tuple[Request | Response, str | None, Framing]] = [
    # rule 1, whatever the fields say
    (ok(LENGTH), "HEAD", NoContent()), (Response(101, fields=(LENGTH,)), "GET", Switch()),
    *((Response(code, fields=(LENGTH,)), "GET", NoContent()) for code in (103, 204, 304)),
    # rule 2
    (ok(LENGTH), "CONNECT", Switch()), (Response(299, fields=(CHUNKS,)), "CONNECT", Switch()),
    (Response(300, fields=(LENGTH,)), "CONNECT", Length(5)),
    # rule 3
    (ok(LENGTH, CHUNKS), "GET", Chunked()), (post(CHUNKS, LENGTH), None, Chunked()),
    (post(CHUNKS, ("Content-Length", "x")), None, Chunked()),
    # rule 4
    (post(CHUNKS), None, Chunked()), (post(("transfer-encoding", "GZip, CHUNKED")), None, Chunked()),
    (ok(("Transfer-Encoding", "gzip"), CHUNKS), "GET", Chunked()),
    (ok(("Transfer-Encoding", "chunked, gzip")), "GET", UntilClose()),
    (ok(("Transfer-Encoding", "gzip"), LENGTH), "GET", UntilClose()),
    # rules 5 and 6
    (post(LENGTH), None, Length(5)), (ok(("Content-Length", "0" * 5000 + "7")), "GET", Length(7)),
    (ok(("Content-Length", "42, 42")), "GET", Length(42)), (ok(LENGTH, LENGTH), "GET", Length(5)),
    (ok(("Content-Length", str(2**63 - 1))), "GET", Length(2**63 - 1)),
    # rule 7
    (get(), None, NoContent()), (get(("Transfer-Encoding", "")), None, NoContent()),
    # rule 8
    (ok(), "GET", UntilClose()),
]  # fmt: skip


@pytest.mark.parametrize(("head", "method", "framing"), FRAMING)
def test_framing(head: Request | Response, method: str | None, framing: Framing) -> None:
    assert content_framing(head, method) == framing


NO_LENGTHS = "", "five", "-1", "+1", "1.0", "0x5", "5 5", "1_0", "5, 6", "5,", ",", "\xb2", "9" * 20, "9" * 5000
NO_CODINGS = "gzip", "chunked, gzip", "chunkedx", "identity"
FIELDS_BEFORE = ("Host", "example.com"), ("A", "b")
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
        head = replace(head, fields=(*FIELDS_BEFORE, *fields))
        with pytest.raises(ProtocolError, match=says) as info:
            content_framing(head)
        offset = head.serialize().index(field.encode())
        status_code = 400 if isinstance(head, Request) else None
        assert cases.where(info.value) == (offset, field, f"RFC 9112, {section}", status_code)


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
        cases.assert_every_byte_once(spans, raw)
    cases.assert_every_byte_once(content_spans(raw, Chunked()), raw)
    for size in range(len(raw)):
        assert not decode([raw[:size]])[2].done


def test_names_of_the_pieces() -> None:
    spans = decode([b"1;a\r\nx\r\n0\r\nT: u\r\n\r\n"])[1]
    assert cases.told(spans) == [
        (0, 1, "chunk size", 1), (1, 3, "chunk extensions", b";a"), (3, 5, "CRLF", b"\r\n"),
        (5, 6, "chunk data", b"x"), (6, 8, "CRLF", b"\r\n"),
        (8, 9, "chunk size", 0), (9, 11, "CRLF", b"\r\n"), (11, 17, "trailer field", b"T: u\r\n"),
        (17, 19, "empty line", b"\r\n"),
    ]  # fmt: skip
    assert [span.name for span in spans if span.kind != Kind.HTTP_HEAD] == ["chunk data"]


# bytes, then offset and field; it shows at | and not before
CHUNKS_REFUSED: list[tuple[bytes, int, str]] = [
    (b"\r|\n", 0, "chunk size"),
    (b"x|\r\n", 0, "chunk size"),
    (b" |5\r\nHello\r\n", 0, "chunk size"),
    (b"10000000000000000|\r\n\r\n", 16, "chunk size"),
    (b"5\r\nHello!|\r\n", 8, "CRLF after chunk data"),
    (b"5\r\nHello\r0|\r\n", 8, "CRLF after chunk data"),
    (b"1\r\nx\r\nH|TTP/1.1 200 OK\r\n", 6, "chunk size"),
]


@pytest.mark.parametrize("case", CHUNKS_REFUSED, ids=[str(case[0]) for case in CHUNKS_REFUSED])
def test_chunked_refused(case: tuple[bytes, int, str]) -> None:
    marked, offset, field = case
    shows_after, raw = marked.index(b"|"), marked.replace(b"|", b"")
    decode([raw[: shows_after - 1]])
    found = set()
    for pieces in ([raw], [raw[:shows_after]], [raw[at : at + 1] for at in range(len(raw))]):
        with pytest.raises(ProtocolError) as info:
            decode(pieces)
        found.add(cases.where(info.value))
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
    cases.assert_every_byte_once(spans, raw)


@given(st.binary(max_size=40), st.sampled_from([NoContent(), Length(5), Chunked(), UntilClose(), Switch()]))
def test_spans_cover_anything(raw: bytes, framing: Framing) -> None:
    cases.assert_every_byte_once(content_spans(raw, framing), raw)


def test_content_spans() -> None:
    (span,) = content_spans(b"Hello", Length(5))
    assert cases.told([span]) == [(0, 5, "content", b"Hello")] and span.kind == Kind.CONTENT
    assert content_spans(b"", UntilClose()) == []
    cut = content_spans(b"5\r\nHel", Chunked())
    assert cases.told(cut[-2:]) == [(1, 3, "CRLF", b"\r\n"), (3, 6, "chunk data", b"Hel")]
    broken = content_spans(b"5\r\nHelloWorld", Chunked())
    assert cases.told(broken[-1:]) == [(8, 13, "rest", b"World")] and "byte 8" in broken[-1].meaning
