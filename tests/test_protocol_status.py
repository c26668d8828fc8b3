# SPDX-License-Identifier: GPL-2.0-or-later
"""Errors, status codes and the payload of a Close frame (RFC 6455, 5.5.1 and 7.4); wrong arguments are named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from protocol_cases import SAMPLE_KEY, SAMPLE_RESPONSE, described, where

from wsedu.protocol import handshake
from wsedu.protocol.errors import NeedMoreData, ProtocolError
from wsedu.protocol.frames import Frame, apply_mask
from wsedu.protocol.http1 import Request, Response
from wsedu.protocol.messages import MessageAssembler
from wsedu.protocol.status import may_be_sent, parse_close_payload, status_name


def test_error_says_what_where_and_why() -> None:
    error = ProtocolError("RSV1 is 1", offset=3, field="RSV1", section="RFC 6455, 5.2")
    assert str(error) == "RSV1 at byte 3: RSV1 is 1 (RFC 6455, 5.2)"
    assert where(error) == (3, "RSV1", "RFC 6455, 5.2", 1002)
    assert described(error.shifted(10)) == ("RSV1 is 1", 13, "RSV1", "RFC 6455, 5.2", 1002)
    assert error.offset == 3
    refused = ProtocolError("no", offset=0, field="method", section="RFC 9110, 9.1", status_code=400)
    assert refused.shifted(1).status_code == 400
    assert "stop too early" in str(NeedMoreData())


# RFC 6455, 7.4.1 and the IANA registry; 7.4.2 leaves 3000 to 4999 to libraries, frameworks and applications.
MAY_BE_SENT = {1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)}


def refusal(payload: bytes, offset: int = 0, length: int | None = None) -> ProtocolError:
    with pytest.raises(ProtocolError) as info:
        parse_close_payload(payload, offset=offset, length=length)
    return info.value


def test_every_status_code() -> None:
    for code in range(0x10000):
        payload = code.to_bytes(2, "big")
        assert may_be_sent(code) == (code in MAY_BE_SENT), code
        if code in MAY_BE_SENT:
            assert parse_close_payload(payload) == (code, "")
            continue
        section = "RFC 6455, 7.4.1" if 1004 <= code <= 1015 else "RFC 6455, 7.4.2"
        assert where(refusal(payload, 6)) == (6, "status code", section, 1002), code


@pytest.mark.parametrize(
    ("reason", "at"), [(b"\xff", 0), (b"ab\xc3(", 3), (b"\xed\xa0\x80", 1), (b"a\xe2\x82", 2), (b"\xf5", 0)]
)
def test_reason_that_is_not_utf8(reason: bytes, at: int) -> None:
    assert where(refusal(b"\x03\xe8" + reason, 10)) == (12 + at, "reason", "RFC 6455, 8.1", 1007)


def test_as_far_as_it_is_there() -> None:
    payload = b"\x03\xe8" + "na\u00efve".encode()
    for size in range(len(payload)):
        code, reason = parse_close_payload(payload[:size], length=len(payload))
        assert code == (1000 if size >= 2 else None)
        assert "na\u00efve".startswith(reason)
    assert parse_close_payload(b"") == (None, "")
    assert refusal(b"\x03\xed", length=9).field == "status code"
    assert refusal(b"\x03\xe8\xff", length=9).field == "reason"
    for payload in (b"", b"\x03"):  # whatever the byte will be
        assert where(refusal(payload, 2, length=1)) == (2, "status code", "RFC 6455, 5.5.1", 1002)
    assert where(refusal(b"\x03")) == (0, "status code", "RFC 6455, 5.5.1", 1002)


@given(st.sampled_from(sorted(MAY_BE_SENT)), st.text(max_size=40))
def test_status_code_and_reason(code: int, reason: str) -> None:
    assert parse_close_payload(code.to_bytes(2, "big") + reason.encode()) == (code, reason)


def test_status_name() -> None:
    names = {
        1000: "normal closure",
        1006: "abnormal closure",
        1015: "TLS handshake",
        **dict.fromkeys((999, 2999, 5000), "unassigned"),
        3000: "registered by a library or framework",
        4000: "private use",
    }
    assert {code: status_name(code) for code in names} == names


loose: Any = handshake  # as in a notebook, where nobody checks types
FIELDS = 'fields are pairs of name and value, as in [("Origin", "null")]; found '
NO_BYTES: list[Any] = ["810548656c6c6f", None, 5, [0x81, 0], Frame(1)]
READERS: list[Callable[[Any], object]] = [
    Frame.parse, MessageAssembler().receive_data, Request.parse, Response.parse, handshake.check_request,
    lambda data: handshake.check_response(data, SAMPLE_KEY),
]  # fmt: skip
ROLES: list[Any] = ["Client", "browser", b"client", 1, ""]
ASK_FOR_ROLES: list[Callable[[Any], object]] = [
    Frame(1).check, lambda role: Frame.parse(b"\x81\x00", role=role), MessageAssembler,
]  # fmt: skip
WRONG: list[tuple[Callable[..., object], tuple[Any, ...], dict[str, Any], type[Exception], str]] = [
    *((Frame, (code,), {}, ValueError, "4 bits") for code in (16, -1, "text")),
    (Frame, (1, "Hello"), {}, TypeError, "payload: expected bytes; found str: 'Hello'"),
    (Frame, (1, [1, 2]), {}, TypeError, "payload: expected bytes"),
    (Frame, (1, b"", "no"), {}, ValueError, "True or False; found 'no', False"),
    (Frame, (1,), {"rsv1": 2}, ValueError, "found True, 2"),
    (Frame, (1,), {"rsv3": []}, ValueError, "False, False, []"),
    *((Frame, (1,), {"masking_key": key}, ValueError, "4 bytes") for key in (b"abc", b"abcde")),
    *((apply_mask, (b"data", key), {}, ValueError, "4 bytes") for key in (b"", b"abc", b"abcde")),
    (Frame, (1,), {"masking_key": "abcd"}, TypeError, "masking key: expected bytes"),
    *((MessageAssembler, (), {"max_size": size}, ValueError, "number of bytes") for size in (-1, "1", 1.5)),
    *((read, (data,), {}, TypeError, f"data: expected bytes; found {type(data).__name__}")
      for read in READERS for data in NO_BYTES),
    *((ask, (role,), {}, ValueError, "role is 'client', 'server' or None")
      for ask in ASK_FOR_ROLES for role in ROLES),
    (Request, (b"GET", "/"), {}, TypeError, "method: expected str; found bytes"),
    (Request, ("GET", None), {}, TypeError, "target: expected str; found NoneType"),
    (Request, ("GET", "/", 1.1), {}, TypeError, "version: expected str; found float"),
    (Response, ("200",), {}, TypeError, "a status code is a number"),
    (Response, (200, b"OK"), {}, TypeError, "reason: expected str; found bytes"),
    (loose.accept_key, (b"dGhl",), {}, TypeError, "key: expected str; found bytes: b'dGhl'"),
    (loose.accept_key, ("snow \u2603",), {}, ValueError, r"u2603'"),
    (loose.response, (None,), {}, TypeError, "key: expected str; found NoneType"),
    (loose.request, (80,), {}, TypeError, "host: expected str; found int: 80"),
    (loose.request, ("a", b"/"), {}, TypeError, "target: expected str; found bytes"),
    (loose.request, ("a",), {"fields": ["A: b"]}, TypeError, FIELDS + "'A: b'"),
    (loose.request, ("a",), {"fields": [("A", b"b")]}, TypeError, FIELDS + "('A', b'b')"),
    (loose.request, ("a",), {"fields": [("A", "b", "c")]}, TypeError, FIELDS + "('A', 'b', 'c')"),
    (loose.check_response, (SAMPLE_RESPONSE, SAMPLE_KEY), {"subprotocols": "chat"}, TypeError,
     "subprotocols: expected a list of str; found str: 'chat'"),
    (loose.check_response, (SAMPLE_RESPONSE, SAMPLE_KEY), {"extensions": [b"a"]}, TypeError,
     "each of extensions: expected str; found bytes"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "arguments", "named", "error", "says"), WRONG)
def test_wrong_arguments_are_named(
    call: Any, arguments: tuple[Any, ...], named: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error) as info:
        call(*arguments, **named)
    assert type(info.value) is error and says in str(info.value)
