# SPDX-License-Identifier: GPL-2.0-or-later
"""Heads of HTTP/1.1: both ways, forgiving and strict, each rule of RFC 9112 broken, and every byte explained."""

from __future__ import annotations

import time
import timeit
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from protocol_cases import (
    SAMPLE_REQUEST,
    SAMPLE_RESPONSE,
    assert_every_byte_once,
    assert_needs_more,
    prefixes,
    refusal,
    told,
    where,
)

import wsedu
from wsedu.protocol.errors import NeedMoreData, ProtocolError, quoted
from wsedu.protocol.http1 import Head, Request, Response, head_end
from wsedu.protocol.http1_spans import KNOWN_FIELDS, head_spans
from wsedu.protocol.spans import Kind

HEADS: list[tuple[bytes, Request | Response]] = [
    (SAMPLE_REQUEST, Request("GET", "/chat", fields=(
        ("Host", "server.example.com"), ("Upgrade", "websocket"), ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), ("Origin", "http://example.com"),
        ("Sec-WebSocket-Protocol", "chat, superchat"), ("Sec-WebSocket-Version", "13"),
    ))),
    (SAMPLE_RESPONSE, Response(101, "Switching Protocols", fields=(
        ("Upgrade", "websocket"), ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), ("Sec-WebSocket-Protocol", "chat"),
    ))),
    # RFC 9112, 2.1 and 3.2: the four forms of a request target
    (
        b"GET /where?q=now HTTP/1.1\r\nHost: www.example.org\r\n\r\n",
        Request("GET", "/where?q=now", fields=(("Host", "www.example.org"),)),
    ),
    (b"GET http://www.example.org/a HTTP/1.1\r\n\r\n", Request("GET", "http://www.example.org/a")),
    (b"CONNECT www.example.com:80 HTTP/1.1\r\n\r\n", Request("CONNECT", "www.example.com:80")),
    (b"OPTIONS * HTTP/1.0\r\n\r\n", Request("OPTIONS", "*", "HTTP/1.0")),
    # an empty value, an empty reason phrase, bytes above ASCII, a repeated field
    (b"HTTP/1.1 200 \r\nX: \r\n\r\n", Response(200, fields=(("X", ""),))),
    (
        b"HTTP/1.1 404 N\xe4h\r\nA: \xff\r\na: 2\r\n\r\n",
        Response(404, "N\xe4h", fields=(("A", "\xff"), ("a", "2"))),
    ),
    (b"HTTP/1.0 599 a  b\r\n\r\n", Response(599, "a  b", "HTTP/1.0")),
]  # fmt: skip
SAMPLES = pytest.mark.parametrize(("raw", "head"), HEADS, ids=[str(raw[:24]) for raw, _ in HEADS])


@SAMPLES
def test_samples(raw: bytes, head: Request | Response) -> None:
    """Both ways; byte by byte, with bytes to spare, and in whatever holds them."""
    assert head.serialize() == raw
    assert all(head_end(prefix) == -1 for prefix in prefixes(raw))
    kinds: list[Any] = [bytes, bytearray, memoryview]
    for strict in (True, False):
        assert_needs_more(lambda data: type(head).parse(data, strict=strict), prefixes(raw))  # noqa: B023
        for spare, kind in product((b"", b"\x81\x05Hello", b"\r\n\r\n", b"\xff", raw), kinds):
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
    assert_every_byte_once(spans, raw)
    assert {span.kind for span in spans} == {Kind.HTTP_HEAD}
    names = [span.value for span in spans if span.name == "field name"]
    assert names == [name for name, _ in head.fields]


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
    error = refusal(head.parse, marked.replace(b"|", b""), marked.index(b"|"))
    assert where(error) == (offset, field, section, 400 if head is Request else None)


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
    assert_needs_more(parse, prefixes(raw))
    with pytest.raises(ProtocolError):
        type(head).parse(raw)
    spans = head_spans(raw)
    assert_every_byte_once(spans, raw)
    assert spans[-1].name == "empty line"


# As far as it is enough to see that these are no heads at all
NO_REQUESTS = (
    b"EHLO mail.example\r\n", b"GET /\r\n", b"\x16", b"SSH-2.0-OpenSSH_9.2\r\n", b"G\xcb",
)  # fmt: skip
NO_RESPONSES = b"G", b"HTTP/1.1 2x0 OK\r\n", b"HTTP/1.1 20 OK\r\n", b"HTTP/1.1\r\n", b"\x15"


@pytest.mark.parametrize(("head", "raw"), [*product([Request], NO_REQUESTS), *product([Response], NO_RESPONSES)])
def test_what_is_no_head_at_all(head: type[Request] | type[Response], raw: bytes) -> None:
    whole = raw + b"\x02 / HTTP/1.1\r\n\r\n" * (not raw.endswith(b"\n"))
    for data in raw, whole:
        with pytest.raises(ProtocolError) as info:
            head.parse(data, strict=False)
        expected = (0, "request line", "RFC 9112, 3", 400), (0, "status line", "RFC 9112, 4", None)
        assert where(info.value) == expected[head is Response]
    assert_needs_more(lambda data: head.parse(data, strict=False), prefixes(raw))


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
        assert_needs_more(lambda data: kind.parse(data, strict=False), prefixes(raw[:end]))
    if strict is not None:
        assert strict == forgiving
        assert kind.parse(strict[0].serialize())[0] == strict[0]
        assert strict[1] == head_end(raw)


@given(st.one_of(heads_nearly, st.binary(max_size=40)))
def test_spans_of_anything(raw: bytes) -> None:
    end = head_end(raw)
    assert_every_byte_once(head_spans(raw), raw if end < 0 else raw[:end])


def test_spans_of_both() -> None:
    assert told(head_spans(b"GET /chat HTTP/1.1\r\nHost:  a \r\nX-Y:\r\n\r\n")) == [
        (0, 3, "method", "GET"), (3, 4, "SP", b" "), (4, 9, "request target", "/chat"), (9, 10, "SP", b" "),
        (10, 18, "HTTP version", "HTTP/1.1"), (18, 20, "CRLF", b"\r\n"),
        (20, 24, "field name", "Host"), (24, 27, "colon", ":  "), (27, 28, "field value", "a"),
        (28, 29, "whitespace", " "), (29, 31, "CRLF", b"\r\n"),
        (31, 34, "field name", "X-Y"), (34, 35, "colon", ":"), (35, 37, "CRLF", b"\r\n"),
        (37, 39, "empty line", b"\r\n"),
    ]  # fmt: skip
    spans = head_spans(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")
    assert told(spans[:6]) == [
        (0, 8, "HTTP version", "HTTP/1.1"), (8, 9, "SP", b" "), (9, 12, "status code", "101"), (12, 13, "SP", b" "),
        (13, 32, "reason phrase", "Switching Protocols"), (32, 34, "CRLF", b"\r\n"),
    ]  # fmt: skip
    assert "Upgrade" in spans[2].meaning
    # by its class where the code itself is not known (RFC 9110, 15)
    meanings = {code: head_spans(b"HTTP/1.1 %d" % code)[2].meaning for code in (204, 299, 399, 499, 599, 999)}
    assert [meaning.split()[-1] for meaning in meanings.values()] == [
        "content", "successful", "have", "error", "error", "code",
    ]  # fmt: skip


def test_well_known_fields_have_a_meaning_of_their_own() -> None:
    known = """Host Upgrade Connection Sec-WebSocket-Key Sec-WebSocket-Accept Sec-WebSocket-Version Cookie Set-Cookie
        Content-Length Transfer-Encoding Expect Origin User-Agent Date Server""".split()
    meanings = set()
    for name in known:
        for spelling in (name, name.upper()):
            spans = Request("GET", "/", fields=((spelling, "x"),)).spans()
            span = next(span for span in spans if span.name == "field name")
            meanings.add((span.meaning, span.section))
    assert len(meanings) == len(known)


def test_every_field_in_the_captures_has_a_meaning() -> None:
    """So that no row of a notebook that shows one says no more than that it is a field."""
    heads = (message for path in Path(__file__).parents[1].glob("data/*.pcap*") for message in wsedu.messages(path))
    read = {str(span.value).lower() for message in heads for span in message.spans() if span.name == "field name"}
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


WRONG: list[tuple[Any, tuple[object, ...], str]] = [
    (Request, (b"GET", "/"), "method: expected str; found bytes"),
    (Request, ("GET", None), "target: expected str; found NoneType"),
    (Request, ("GET", "/", 1.1), "version: expected str; found float"),
    (Response, ("200",), "a status code is a number"),
    (Response, (200, b"OK"), "reason: expected str; found bytes"),
]


@pytest.mark.parametrize(("call", "arguments", "says"), WRONG, ids=[says for _, _, says in WRONG])
def test_wrong_types_are_named(call: Any, arguments: tuple[object, ...], says: str) -> None:
    with pytest.raises(TypeError, match=says):
        call(*arguments)


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
    awkward: dict[str, Callable[[int], bytes]] = {
        "spaces": lambda n: b"GET /" + b" " * n + b"x\r\n\r\n",
        "spaces in a field": lambda n: b"GET / HTTP/1.1\r\nA:" + b" \t" * n + b"\r\n\r\n",
        "fields": lambda n: b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * n + b"\r\n",
        "colons": lambda n: b"GET / HTTP/1.1\r\n" + b":" * n + b"\r\n\r\n",
        "folds": lambda n: b"GET / HTTP/1.1\r\nA: b\r\n" + b" c\r\n" * n + b"\r\n",
    }

    def once(raw: bytes) -> float:
        def run() -> None:
            for strict in (True, False):
                try:
                    Request.parse(raw, strict=strict)[0].field_elements("A")
                except ProtocolError:
                    pass
            head_spans(raw)

        return min(timeit.repeat(run, number=1, repeat=2, timer=time.thread_time))

    for name, make in awkward.items():
        assert once(make(20_000)) < 40 * once(make(2_000)) + 0.05, name
