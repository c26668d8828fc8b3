# SPDX-License-Identifier: GPL-2.0-or-later
"""The opening handshake: the RFC's samples byte for byte, and each rule of RFC 6455, 4 broken."""

import base64
from collections.abc import Callable
from itertools import product
from typing import Any

import protocol_cases as cases
import pytest
from hypothesis import given, strategies as st

from wsedu import NeedMoreData, ProtocolError, Request, Response, handshake


def check_response(data: bytes) -> tuple[Response, int]:
    return handshake.check_response(
        data, cases.SAMPLE_KEY, subprotocols=["chat", "superchat"], extensions=["permessage-deflate"]
    )


# The RFC's samples


def test_request_of_the_rfc() -> None:
    fields = [("Origin", "http://example.com"), ("Sec-WebSocket-Protocol", "chat, superchat")]
    raw = handshake.request("server.example.com", "/chat", key=cases.SAMPLE_KEY, fields=fields)
    # the same lines; ours come in the order in which RFC 6455, 4.1 lists them
    lines = cases.SAMPLE_REQUEST.split(b"\r\n")
    assert raw.split(b"\r\n") == [*lines[:5], lines[7], lines[5], lines[6], *lines[8:]]
    assert handshake.request("a", key=cases.SAMPLE_KEY).startswith(b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: ")


def test_response_of_the_rfc() -> None:
    assert handshake.accept_key(cases.SAMPLE_KEY) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert handshake.response(cases.SAMPLE_KEY, fields=[("Sec-WebSocket-Protocol", "chat")]) == cases.SAMPLE_RESPONSE


# The samples, and the checks that take them
REQUEST, RESPONSE = (cases.SAMPLE_REQUEST, handshake.check_request), (cases.SAMPLE_RESPONSE, check_response)


# What we write


def test_a_key_is_made_of_16_random_bytes() -> None:
    keys = {handshake.check_request(handshake.request("a"))[0].get("Sec-WebSocket-Key") for _ in range(20)}
    assert len(keys) == 20
    assert all(len(base64.b64decode(key or "")) == 16 for key in keys)


EVIL = ["\r\nX: y", "\n X", "\r", "a\r\n\r\nGET / HTTP/1.1", "\x00", " a", "a ", "a\tb\n", "snow \u2603"]


@pytest.mark.parametrize("evil", EVIL)
def test_no_argument_writes_a_line_of_its_own_or_what_cannot_be_written(evil: str) -> None:
    fields = ("X", evil), ("X" + evil, "a")
    attempts: list[Callable[[], bytes]] = [
        lambda: handshake.request(evil),
        lambda: handshake.request("a", "/" + evil),
        lambda: handshake.request("a", key=evil),
        *(lambda field=field: handshake.request("a", fields=[field]) for field in fields),
        *(lambda field=field: handshake.response(cases.SAMPLE_KEY, fields=[field]) for field in fields),
    ]
    if set(evil) & set("\r\n\u2603"):
        attempts.append(lambda: handshake.response(cases.SAMPLE_KEY + evil))
    for attempt in attempts:
        with pytest.raises(ValueError) as info:
            attempt()
        assert type(info.value) is ValueError and str(info.value).isascii()
        assert "\u2603" not in evil or "u2603'" in str(info.value)


@given(st.text(max_size=8), st.text(max_size=8), st.text(max_size=8), st.text(max_size=8))
def test_what_is_written_reads_back_or_is_refused(host: str, target: str, name: str, value: str) -> None:
    try:
        raw = handshake.request(host, target, key=cases.SAMPLE_KEY, fields=[(name, value)])
    except ValueError:
        return
    head, used = Request.parse(raw)
    assert used == len(raw) and len(head.fields) == 6
    assert (head.target, head.fields[0], head.fields[5]) == (target, ("Host", host), (name, value))


# What is accepted: of which sample, what is replaced by what

ACCEPT_LINE = b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
PROTOCOL_LINE = b"Sec-WebSocket-Protocol: chat\r\n"
ACCEPTED: dict[bytes, list[tuple[bytes, bytes]]] = {
    cases.SAMPLE_REQUEST: [
        (b"Upgrade: websocket", b"upgrade: WebSocket"),
        (b"Upgrade: websocket", b"Upgrade: h2c, websocket"),
        (b"Connection: Upgrade", b"CONNECTION: keep-alive,uPGRADE"),
        (b"Connection: Upgrade", b"Connection: keep-alive\r\nConnection: Upgrade"),
        (b"GET /chat HTTP/1.1", b"GET /chat?a=b HTTP/1.2"),
        (b"GET /chat HTTP/1.1", b"GET http://server.example.com/chat HTTP/1.1"),
        (b"Host: server.example.com", b"Host: [::1]:8080"),
        (b"Host: server.example.com", b"Host:   xn--bcher-kva.example:"),
        # the sample key that RFC 6455, 4.1 prints, and the one that erratum 3150 puts in its place
        (b"dGhlIHNhbXBsZSBub25jZQ==", b"AQIDBAUGBwgJCgsMDQ4PEC=="),
        (b"dGhlIHNhbXBsZSBub25jZQ==", b"AQIDBAUGBwgJCgsMDQ4PEA=="),
        (b"Origin: http://example.com", b"Origin: null"),
        (b"Sec-WebSocket-Protocol: chat, superchat\r\n", b""),
        (b"chat, superchat", b"chat\r\nSec-WebSocket-Protocol: superchat"),
        (b"Origin:", b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\nOrigin:"),
        (b"Origin:", b'Sec-WebSocket-Extensions: a;b="c" ; d=e , f\r\nSec-WebSocket-Extensions: g\r\nOrigin:'),
    ],
    cases.SAMPLE_RESPONSE: [
        (b"101 Switching Protocols", b"101 "),
        (b"Upgrade: websocket", b"UPGRADE: WEBSOCKET"),
        (b"Connection: Upgrade", b"Connection: upgrade, keep-alive"),
        (PROTOCOL_LINE, b""),
        (b": chat", b": superchat"),
        (PROTOCOL_LINE, b"Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n"),
        (PROTOCOL_LINE, b"Set-Cookie: a=b\r\nSet-Cookie: c=d\r\n"),
    ],
}


@pytest.mark.parametrize(("sample", "check"), [REQUEST, RESPONSE])
def test_accepted(sample: bytes, check: Any) -> None:
    """Byte by byte, with bytes to spare, and in whatever holds them."""
    head = Request if check is handshake.check_request else Response
    for old, new in [(b"", b""), *ACCEPTED[sample]]:
        assert old in sample
        raw = sample.replace(old, new)
        cases.assert_needs_more(check, cases.prefixes(raw))
        for kind, spare in product(cases.HOLDERS, (b"", b"\x81\x05Hello", b"\r\n", b"\xff" * 9)):
            assert check(kind(raw + spare)) == (head.parse(raw)[0], len(raw))


# Requests that are refused: what is replaced by what; the line (or part of it) that the offset is at, "" for the empty
# line at the end; field, section, HTTP status code

KEY_NAME, VERSION_NAME, PROTOCOL_NAME = "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Protocol"
EXTENSIONS, OFFERED = b"Sec-WebSocket-Extensions: ", (b"Sec-WebSocket-Extensions", "Sec-WebSocket-Extensions")
BAD_KEYS = (
    b"", b"x", b"dGhlIHNhbXBsZSBub25jZQ", b"dGhlIHNhbXBsZSBub25jZQ=", b"dGhlIHNhbXBsZSBub25jZQ===",
    b"dGhlIHNhbXBsZSBub25jZTE=", b"dGhlIHNhbXBsZSBub25j", b"dGhl!HNhbXBsZSBub25jZQ==",
    b"dGhl_HNhbXBsZSBub25jZQ==", b"dGhlIHNhbXBs ZSBub25jZQ==",
)  # fmt: skip
BAD_VERSIONS = b"8", b"14", b"013", b"", b"13, 8", b"13;a"
BAD_PROTOCOLS = b"", b",", b"chat room", b"chat, chat", b"chat/1", b"a,b\r\nSec-WebSocket-Protocol: a", b'"a"'
BAD_EXTENSIONS = b',,|a b|a;|a;b=|a;b="|a;b="c d"|a;b=""|a;b=c=d|;a|a, b/|'.split(b"|")
KEY_LINE = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
VERSION_LINE = b"Sec-WebSocket-Version: 13\r\n"
REFUSED: list[tuple[bytes, bytes, bytes, str, str, int]] = [
    (b"GET", b"POST", b"POST", "method", "RFC 6455, 4.2.1", 405),
    (b"GET", b"get", b"get", "method", "RFC 6455, 4.2.1", 405),
    (b"/chat", b"*", b"* HTTP", "request target", "RFC 6455, 4.2.1", 400),
    (b"/chat", b"ws://server.example.com/", b"ws:", "request target", "RFC 6455, 4.2.1", 400),
    (b"/chat", b"/chat#top", b"#top", "request target", "RFC 6455, 3", 400),
    (b"HTTP/1.1", b"HTTP/1.0", b"HTTP/1.0", "HTTP version", "RFC 6455, 4.2.1", 400),
    (b"HTTP/1.1", b"HTTP/0.9", b"HTTP/0.9", "HTTP version", "RFC 6455, 4.2.1", 505),
    (b"Host: server.example.com\r\n", b"", b"", "Host", "RFC 9112, 3.2", 400),
    (b"Upgrade: w", b"host: b\r\nUpgrade: w", b"host: b", "Host", "RFC 9112, 3.2", 400),
    (b"Host: server.example.com", b"Host:", b"Host:", "Host", "RFC 9112, 3.2", 400),
    (b"Host: server.example.com", b"Host: a:8x", b"Host:", "Host", "RFC 9112, 3.2", 400),
    (b"Host: server.example.com", b"Host: u@a", b"Host:", "Host", "RFC 9112, 3.2", 400),
    (b"Upgrade: websocket\r\n", b"", b"", "Upgrade", "RFC 6455, 4.2.1", 400),
    (b"Upgrade: websocket", b"Upgrade: websockets", b"Upgrade: web", "Upgrade", "RFC 6455, 4.2.1", 400),
    (b"Connection: Upgrade\r\n", b"", b"", "Connection", "RFC 6455, 4.2.1", 400),
    (b"Connection: Upgrade", b"Connection: no Upgrade", b"Connection", "Connection", "RFC 6455, 4.2.1", 400),
    (KEY_LINE, b"", b"", "Sec-WebSocket-Key", "RFC 6455, 4.2.1", 400),
    (b"Origin:", b"Sec-Websocket-Key: a\r\nOrigin:", b"Sec-Websocket-K", KEY_NAME, "RFC 6455, 11.3.1", 400),
    *[(cases.SAMPLE_KEY.encode(), key, KEY_LINE[:17], KEY_NAME, "RFC 6455, 4.2.1", 400) for key in BAD_KEYS],
    (VERSION_LINE, b"", b"", "Sec-WebSocket-Version", "RFC 6455, 4.4", 426),
    *[(b": 13", b": " + version, VERSION_LINE[:21], VERSION_NAME, "RFC 6455, 4.4", 426) for version in BAD_VERSIONS],
    (VERSION_LINE, 2 * VERSION_LINE, VERSION_LINE + b"\r\n", VERSION_NAME, "RFC 6455, 11.3.5", 400),
    *[(b"chat, superchat", offer, PROTOCOL_LINE[:22], PROTOCOL_NAME, "RFC 6455, 4.1", 400) for offer in BAD_PROTOCOLS],
    *[(b"Host:", EXTENSIONS + offer + b"\r\nHost:", *OFFERED, "RFC 6455, 9.1", 400) for offer in BAD_EXTENSIONS],
]


# Responses that are refused: as above, without a status code

RESPONSES_REFUSED: list[tuple[bytes, bytes, bytes, str, str]] = [
    (b"HTTP/1.1", b"HTTP/1.0", b"HTTP/1.0", "HTTP version", "RFC 6455, 4.2.2"),
    (b"101 Switching Protocols", b"200 OK", b"200 OK", "status code", "RFC 6455, 4.1"),
    (b"101 Switching Protocols", b"426 \x9b2J", b"426 ", "status code", "RFC 6455, 4.1"),
    (b"Upgrade: websocket\r\n", b"", b"", "Upgrade", "RFC 6455, 4.1"),
    (b"Upgrade: websocket", b"Upgrade: websocket, h2c", b"Upgrade: w", "Upgrade", "RFC 6455, 4.1"),
    (b"Connection: Upgrade\r\n", b"", b"", "Connection", "RFC 6455, 4.1"),
    (b"Connection: Upgrade", b"Connection: close", b"Connection", "Connection", "RFC 6455, 4.1"),
    (ACCEPT_LINE, b"", b"", "Sec-WebSocket-Accept", "RFC 6455, 4.1"),
    (ACCEPT_LINE, 2 * ACCEPT_LINE, ACCEPT_LINE + PROTOCOL_LINE, "Sec-WebSocket-Accept", "RFC 6455, 11.3.3"),
    (b"s3pPLMBi", b"S3pPLMBi", b"Sec-WebSocket-A", "Sec-WebSocket-Accept", "RFC 6455, 4.1"),
    (b"xOo=", b"xOo", b"Sec-WebSocket-A", "Sec-WebSocket-Accept", "RFC 6455, 4.1"),
    (b": chat", b": Chat", b"Sec-WebSocket-Protocol", "Sec-WebSocket-Protocol", "RFC 6455, 4.1"),
    (b": chat", b": chat, superchat", b"Sec-WebSocket-Protocol", "Sec-WebSocket-Protocol", "RFC 6455, 4.1"),
    (PROTOCOL_LINE, 2 * PROTOCOL_LINE, PROTOCOL_LINE + b"\r\n", "Sec-WebSocket-Protocol", "RFC 6455, 11.3.4"),
    (PROTOCOL_LINE, EXTENSIONS + b"x-webkit-deflate-frame\r\n", *OFFERED, "RFC 6455, 4.1"),
    (PROTOCOL_LINE, EXTENSIONS + b"permessage-deflate, x\r\n", *OFFERED, "RFC 6455, 4.1"),
    (PROTOCOL_LINE, EXTENSIONS + b"permessage-deflate;\r\n", *OFFERED, "RFC 6455, 9.1"),
    (PROTOCOL_LINE, EXTENSIONS + b"\r\n", *OFFERED, "RFC 6455, 9.1"),
]


CASES = [(*REQUEST, *row) for row in REFUSED] + [(*RESPONSE, *row, None) for row in RESPONSES_REFUSED]


@pytest.mark.parametrize("case", CASES, ids=[f"{case[5]} {case[3]!r}" for case in CASES])
def test_refused(case: tuple[bytes, Any, bytes, bytes, bytes, str, str, int | None]) -> None:
    sample, check, old, new, points_at, field, section, status_code = case
    assert old in sample
    raw = sample.replace(old, new, 1)
    offset = raw.index(points_at) if points_at else len(raw) - 2
    assert cases.where(cases.refusal(check, raw, len(raw))) == (offset, field, section, status_code)


def test_what_breaks_the_grammar_is_refused_at_once() -> None:
    for raw, after in ((b"\x16\x03\x01", 1), (b"GET /chat HTTP/1.1\r\nHost : a\r\n", 25)):
        cases.refusal(handshake.check_request, raw, after)


def test_a_refused_version_says_what_to_answer() -> None:
    for new in (b"", b"Sec-WebSocket-Version: 8\r\n"):
        raw = cases.SAMPLE_REQUEST.replace(VERSION_LINE, new)
        error = cases.refusal(handshake.check_request, raw, len(raw))
        assert "Sec-WebSocket-Version: 13" in error.message


def test_outside_text_is_escaped_in_messages() -> None:
    raw = cases.SAMPLE_REQUEST.replace(b"Upgrade: websocket", b"Upgrade: \xff<script>" + b"x" * 500)
    message = str(cases.refusal(handshake.check_request, raw, len(raw)))
    assert r"'\xff<script>xxx" in message and message.isascii() and len(message) < 200


EXTENDED = handshake.response(cases.SAMPLE_KEY, fields=[("Sec-WebSocket-Extensions", "permessage-deflate")])


OF_ANOTHER = [
    (cases.SAMPLE_RESPONSE, cases.SAMPLE_KEY, "Sec-WebSocket-Protocol", "offered"),
    (EXTENDED, cases.SAMPLE_KEY, "Sec-WebSocket-Extensions", "offered"),
    (handshake.response(cases.SAMPLE_KEY), "AQIDBAUGBwgJCgsMDQ4PEA==", "Sec-WebSocket-Accept", "found 's3pPLMBi"),
]


@pytest.mark.parametrize(("raw", "key", "field", "says"), OF_ANOTHER)
def test_a_response_answers_this_request(raw: bytes, key: str, field: str, says: str) -> None:
    with pytest.raises(ProtocolError, match=says) as info:
        handshake.check_response(raw, key)
    assert info.value.field == field


@given(st.binary(max_size=60), st.integers(0, len(cases.SAMPLE_REQUEST)), st.integers(0, 30))
def test_nothing_else_is_ever_raised(noise: bytes, at: int, drop: int) -> None:
    for sample, check in ((cases.SAMPLE_REQUEST, handshake.check_request), (cases.SAMPLE_RESPONSE, check_response)):
        raw = sample[:at] + noise + sample[at + drop :]
        try:
            check(raw)
        except NeedMoreData:
            pass
        except ProtocolError as error:
            assert 0 <= error.offset < len(raw)
            assert str(error).isascii() and str(error).isprintable()
