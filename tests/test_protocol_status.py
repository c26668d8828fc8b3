# SPDX-License-Identifier: GPL-2.0-or-later
"""Errors, status codes and the payload of a Close frame (RFC 6455, 5.5.1 and 7.4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from protocol_cases import described, where

from wsedu.protocol.errors import NeedMoreData, ProtocolError
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
