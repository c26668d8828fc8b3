# SPDX-License-Identifier: GPL-2.0-or-later
"""Errors, status codes and the payload of a Close frame (RFC 6455, 5.5.1 and 7.4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsedu.protocol.errors import NeedMoreData, ProtocolError
from wsedu.protocol.status import StatusCode, may_be_sent, parse_close_payload, status_name


def test_error_says_what_where_and_why() -> None:
    error = ProtocolError("RSV1 is 1", offset=3, field="RSV1", section="RFC 6455, 5.2")
    assert str(error) == "RSV1 at byte 3: RSV1 is 1 (RFC 6455, 5.2)"
    assert (error.status_code, error.offset, error.field, error.section) == (1002, 3, "RSV1", "RFC 6455, 5.2")
    moved = error.shifted(10)
    assert (moved.offset, moved.message, moved.field, moved.section) == (
        13,
        "RSV1 is 1",
        "RSV1",
        "RFC 6455, 5.2",
    )
    assert error.offset == 3
    refused = ProtocolError("no", offset=0, field="method", section="RFC 9110, 9.1", status_code=400)
    assert refused.shifted(1).status_code == 400


def test_needing_more_data_says_so() -> None:
    assert "stop too early" in str(NeedMoreData())


# RFC 6455, 7.4.1 and the IANA registry; 7.4.2 leaves 3000 to 4999 to libraries, frameworks and applications.
MAY_BE_SENT = {1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)}


def test_which_status_codes_may_be_sent() -> None:
    assert {code for code in range(0x10000) if may_be_sent(code)} == MAY_BE_SENT


def test_every_status_code_as_a_payload() -> None:
    for code in range(0x10000):
        payload = code.to_bytes(2, "big")
        if code in MAY_BE_SENT:
            assert parse_close_payload(payload) == (code, "")
            continue
        with pytest.raises(ProtocolError) as info:
            parse_close_payload(payload, offset=6)
        error = info.value
        assert (error.offset, error.field, error.status_code) == (6, "status code", 1002)
        assert error.section == ("RFC 6455, 7.4.1" if 1004 <= code <= 1015 else "RFC 6455, 7.4.2"), code


def test_empty_and_one_byte() -> None:
    assert parse_close_payload(b"") == (None, "")
    with pytest.raises(ProtocolError) as info:
        parse_close_payload(b"\x03", offset=2)
    error = info.value
    assert (error.offset, error.field, error.section) == (2, "status code", "RFC 6455, 5.5.1")
    assert error.status_code == 1002


@pytest.mark.parametrize(
    ("reason", "at"), [(b"\xff", 0), (b"ab\xc3(", 3), (b"\xed\xa0\x80", 1), (b"a\xe2\x82", 2), (b"\xf5", 0)]
)
def test_reason_that_is_not_utf8(reason: bytes, at: int) -> None:
    with pytest.raises(ProtocolError) as info:
        parse_close_payload(b"\x03\xe8" + reason, offset=10)
    error = info.value
    assert (error.offset, error.field, error.section) == (12 + at, "reason", "RFC 6455, 8.1")
    assert error.status_code == StatusCode.INVALID_PAYLOAD_DATA


def test_as_far_as_it_is_there() -> None:
    payload = b"\x03\xe8" + "na\u00efve".encode()
    for size in range(len(payload)):
        code, reason = parse_close_payload(payload[:size], length=len(payload))
        assert code == (1000 if size >= 2 else None)
        assert "na\u00efve".startswith(reason)
    with pytest.raises(ProtocolError):
        parse_close_payload(b"\x03\xed", length=9)
    with pytest.raises(ProtocolError):
        parse_close_payload(b"\x03\xe8\xff", length=9)
    with pytest.raises(ProtocolError):
        parse_close_payload(b"", length=1)  # whatever the byte will be


@given(st.sampled_from(sorted(MAY_BE_SENT)), st.text(max_size=40))
def test_status_code_and_reason(code: int, reason: str) -> None:
    assert parse_close_payload(code.to_bytes(2, "big") + reason.encode()) == (code, reason)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (1000, "normal closure"),
        (1006, "abnormal closure"),
        (1015, "TLS handshake"),
        (999, "unassigned"),
        (2999, "unassigned"),
        (3000, "registered by a library or framework"),
        (4000, "private use"),
        (5000, "unassigned"),
    ],
)
def test_status_name(code: int, name: str) -> None:
    assert status_name(code) == name


def test_status_codes_are_numbers() -> None:
    assert [int(code) for code in StatusCode] == list(range(1000, 1016))
