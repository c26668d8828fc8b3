# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames: the RFC's samples both ways, round trips, and each rule of RFC 6455, 5.2 to 5.5 broken.

And status codes and the payload of a Close frame (RFC 6455, 5.5.1 and 7.4), and that wrong arguments are named.
"""

import contextlib
import copy
import pickle
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any

import protocol_cases as cases
import pytest
from hypothesis import given, settings, strategies as st

from wsedu import MessageAssembler, NeedMoreData, ProtocolError, Request, Response, handshake
from wsedu.protocol.frame_spans import frame_spans
from wsedu.protocol.frames import MASK_AT_ONCE, Frame, Header, LengthForm, apply_mask, parse_header, shortest_form
from wsedu.protocol.opcodes import Opcode, is_control, opcode_name
from wsedu.protocol.spans import Kind, Span
from wsedu.protocol.status import may_be_sent, parse_close_payload, status_name


@pytest.mark.parametrize(("hexadecimal", "frame"), cases.FRAMES, ids=[sample[:26] for sample, _ in cases.FRAMES])
def test_samples(hexadecimal: str, frame: Frame) -> None:
    """Both ways; byte by byte, with bytes to spare, and in whatever holds them."""
    raw = bytes.fromhex(hexadecimal)
    assert frame.serialize() == raw
    frame.check(rsv1=True)
    for strict in (True, False):
        cases.assert_needs_more(lambda data: Frame.parse(data, rsv1=True, strict=strict), cases.prefixes(raw))  # noqa: B023
        for kind, spare in product(cases.HOLDERS, (b"", b"\xff", raw)):
            parsed, used = Frame.parse(kind(raw + spare), rsv1=True, strict=strict)
            assert (parsed, used, type(parsed.payload)) == (frame, len(raw), bytes)
            assert type(parsed.masking_key) is type(frame.masking_key)


@settings(max_examples=200)
@given(cases.any_frames(), st.sampled_from(cases.ROLES), st.booleans())
def test_check_and_parse_agree(frame: Frame, role: Any, rsv1: bool) -> None:
    def verdict(judge: Any) -> Any:
        try:
            judge()
        except ProtocolError as error:
            return cases.described(error)
        return None

    raw = frame.serialize()
    assert verdict(lambda: frame.check(role, rsv1)) == verdict(lambda: Frame.parse(raw, role=role, rsv1=rsv1))


@pytest.mark.parametrize("case", cases.REFUSED_FRAMES, ids=[case[0] for case in cases.REFUSED_FRAMES])
def test_refused(case: tuple[str, str, dict[str, Any], int, str, str, int]) -> None:
    _, hexadecimal, arguments, offset, field, section, shows_after = case
    raw = bytes.fromhex(hexadecimal)
    error = cases.refusal(lambda data: Frame.parse(data, **arguments), raw, shows_after)
    assert cases.where(error) == (offset, field, section, 1007 if field == "reason" else 1002)
    for word in (field, str(offset), section):
        assert word in str(error)


def test_not_strict_only_splits() -> None:
    for name, hexadecimal, *_ in cases.REFUSED_FRAMES:
        raw = bytes.fromhex(hexadecimal)
        if name == "top bit of 64":  # which hides where the frame ends
            error = cases.refusal(lambda data: Frame.parse(data, strict=False), raw, 3)
            assert cases.where(error) == (2, "payload length", "RFC 6455, 5.2", 1002)
            continue
        try:
            frame, used = Frame.parse(raw, strict=False)
        except NeedMoreData:
            continue
        assert (used, frame.opcode) == (len(raw), raw[0] & 15)
    cases.assert_needs_more(lambda data: Frame.parse(data, strict=False), [bytes.fromhex("827f7fffffffffffffff")])


def test_frames_are_values() -> None:
    frame, same = (Frame(1, bytearray(b"x"), masking_key=memoryview(b"abcd")), Frame(True, b"x", masking_key=b"abcd"))  # type: ignore[arg-type]
    assert frame == same != Frame(1, b"x") and hash(frame) == hash(same) and type(frame.opcode) is Opcode
    told = "Frame(opcode=3, payload=b'', fin=True, rsv1=False, rsv2=False, rsv3=False, masking_key=None)"
    assert repr(Frame(3)) == told
    copies = copy.copy(frame), copy.deepcopy(frame), pickle.loads(pickle.dumps(frame)), replace(frame)
    assert set(copies) == {frame} and replace(frame, opcode=2, fin=False) == Frame(2, b"x", False, masking_key=b"abcd")
    with pytest.raises(AttributeError):
        frame.opcode = 2  # type: ignore[misc]
    with pytest.raises(AttributeError):
        del frame.fin
    for bad in {"opcode": 16}, {"masking_key": b"abc"}:
        with pytest.raises(ValueError):
            replace(frame, **bad)


# Length forms


@given(cases.any_frames(), st.sampled_from([None, 7, 16, 64]))
def test_what_is_written_reads_back(frame: Frame, form: LengthForm | None) -> None:
    """In the length form that was asked for, which is refused where it is too short."""
    shortest = shortest_form(len(frame.payload))
    if form is not None and form < shortest:
        with pytest.raises(ValueError, match=f"does not fit in {form} bits"):
            frame.serialize(length_form=form)
        return
    raw = frame.serialize(length_form=form)
    header = parse_header(raw)
    assert (header.length_form, header.payload_length) == (form or shortest, len(frame.payload))
    assert Frame.parse(raw + b"spare", strict=False) == (frame, len(raw))


def test_parse_header_from_a_place_in_the_middle() -> None:
    raw = b"??" + bytes.fromhex("82fe00800102030405")
    expected = Header(True, False, False, False, 2, bytes.fromhex("01020304"), 128, 16, 8)
    assert parse_header(raw, 2) == expected
    with pytest.raises(NeedMoreData):
        parse_header(raw[:9], 2)
    with pytest.raises(ProtocolError) as info:
        parse_header(b"??" + bytes.fromhex("827fff"), 2)
    assert info.value.offset == 2


# Masking


def one_at_a_time(data: bytes, key: bytes, offset: int) -> bytes:
    """RFC 6455, 5.3, as it is written there."""
    return bytes(byte ^ key[(offset + i) % 4] for i, byte in enumerate(data))


@given(cases.payloads, st.binary(min_size=4, max_size=4), st.integers(0, 9))
def test_mask_is_what_the_rfc_says(data: bytes, key: bytes, offset: int) -> None:
    masked = apply_mask(data, key, offset)
    assert masked == one_at_a_time(data, key, offset)
    assert apply_mask(masked, key, offset) == data


@pytest.mark.parametrize("size", [0, 1, 5, *(MASK_AT_ONCE * n + by for n in (1, 3) for by in (-1, 0, 1, 3))])
@pytest.mark.parametrize("offset", range(5))
def test_mask_on_both_sides_of_the_switch(size: int, offset: int) -> None:
    data, key = bytes(i * 7 % 251 for i in range(size)), b"\x01\x80\xff\x00"
    assert {apply_mask(kind(data), key, offset) for kind in cases.HOLDERS} == {one_at_a_time(data, key, offset)}


# Spans


@given(st.one_of(st.binary(max_size=24), st.builds(Frame.serialize, cases.any_frames())))
def test_spans_of_anything(raw: bytes) -> None:
    """They cover every bit of the first frame once; of one that stops early, or that is not readable, all there is."""
    for data in (raw, *cases.prefixes(raw, most=20)):
        end = len(data)
        with contextlib.suppress(NeedMoreData, ProtocolError):
            header = parse_header(data)
            end = min(end, header.size + header.payload_length)
        cases.assert_every_byte_once(frame_spans(data), data[:end])


def test_spans_of_the_masked_sample() -> None:
    spans = Frame(Opcode.TEXT, b"Hello", masking_key=b"\x37\xfa\x21\x3d").spans()
    assert [(span.start, span.end, span.bits, span.name, span.value) for span in spans] == [
        (0, 1, (0, 1), "FIN", 1), (0, 1, (1, 2), "RSV1", 0), (0, 1, (2, 3), "RSV2", 0), (0, 1, (3, 4), "RSV3", 0),
        (0, 1, (4, 8), "opcode", 1), (1, 2, (0, 1), "MASK", 1), (1, 2, (1, 8), "payload length", 5),
        (2, 6, None, "masking key", b"\x37\xfa\x21\x3d"), (6, 11, None, "payload", "Hello"),
    ]  # fmt: skip
    assert [span.kind for span in spans] == 7 * [Kind.FRAME_HEADER] + [Kind.MASKING_KEY, Kind.PAYLOAD]


def test_spans_of_a_close_frame_and_of_long_lengths() -> None:
    spans = Frame(Opcode.CLOSE, b"\x03\xe9bye", masking_key=b"abcd").spans()
    assert cases.told(spans[-2:]) == [(6, 8, "status code", 1001), (8, 11, "reason", "bye")]
    assert "compressed data" in Frame(Opcode.TEXT, b"Hello", rsv1=True).spans()[-1].meaning
    for size, form, end in ((126, 126, 4), (65536, 127, 10)):
        by_name = {span.name: span for span in Frame(Opcode.BINARY, bytes(size)).spans()}
        assert by_name["payload length"].value == form
        extended = by_name["extended payload length"]
        assert (extended.start, extended.end, extended.value) == (2, end, size)


def test_span_shift() -> None:
    span = Span(2, 5, "payload", b"abc", "data", bits=(0, 1))
    assert span.shifted(10) == Span(12, 15, "payload", b"abc", "data", bits=(0, 1))


# Names


def test_opcodes() -> None:
    assert [int(code) for code in Opcode] == [0, 1, 2, 8, 9, 10]
    names = ["Continuation", "Text", "Binary", "Close", "Ping", "Pong"]
    assert [opcode_name(code) for code in Opcode] == names
    assert opcode_name(11) == "reserved 0xB"
    assert [code for code in range(16) if is_control(code)] == list(range(8, 16))


# Errors and status codes


def test_error_says_what_where_and_why() -> None:
    error = ProtocolError("RSV1 is 1", offset=3, field="RSV1", section="RFC 6455, 5.2")
    assert str(error) == "RSV1 at byte 3: RSV1 is 1 (RFC 6455, 5.2)"
    assert cases.where(error) == (3, "RSV1", "RFC 6455, 5.2", 1002)
    assert cases.described(error.shifted(10)) == ("RSV1 is 1", 13, "RSV1", "RFC 6455, 5.2", 1002)
    assert error.offset == 3
    refused = ProtocolError("no", offset=0, field="method", section="RFC 9110, 9.1", status_code=400)
    assert refused.shifted(1).status_code == 400
    assert "stop too early" in str(NeedMoreData())


# RFC 6455, 7.4.1 and the IANA registry; 7.4.2 leaves 3000 to 4999 to libraries, frameworks and applications.
MAY_BE_SENT = {1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)}


def close_refusal(payload: bytes, offset: int = 0, length: int | None = None) -> ProtocolError:
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
        assert cases.where(close_refusal(payload, 6)) == (6, "status code", section, 1002), code


NOT_UTF8 = [(b"\xff", 0), (b"ab\xc3(", 3), (b"\xed\xa0\x80", 1), (b"a\xe2\x82", 2), (b"\xf5", 0)]


@pytest.mark.parametrize(("reason", "at"), NOT_UTF8)
def test_reason_that_is_not_utf8(reason: bytes, at: int) -> None:
    assert cases.where(close_refusal(b"\x03\xe8" + reason, 10)) == (12 + at, "reason", "RFC 6455, 8.1", 1007)


def test_as_far_as_it_is_there() -> None:
    payload = b"\x03\xe8" + "na\u00efve".encode()
    for size in range(len(payload)):
        code, reason = parse_close_payload(payload[:size], length=len(payload))
        assert code == (1000 if size >= 2 else None)
        assert "na\u00efve".startswith(reason)
    assert parse_close_payload(b"") == (None, "")
    assert close_refusal(b"\x03\xed", length=9).field == "status code"
    assert close_refusal(b"\x03\xe8\xff", length=9).field == "reason"
    for payload in (b"", b"\x03"):  # whatever the byte will be
        assert cases.where(close_refusal(payload, 2, length=1)) == (2, "status code", "RFC 6455, 5.5.1", 1002)
    assert cases.where(close_refusal(b"\x03")) == (0, "status code", "RFC 6455, 5.5.1", 1002)


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
    lambda data: handshake.check_response(data, cases.SAMPLE_KEY),
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
    *((loose.request, ("a", target), {}, ValueError, "") for target in ("", "/a b", "/\xe4", "/\x7f")),
    (loose.request, ("a", b"/"), {}, TypeError, "target: expected str; found bytes"),
    (loose.request, ("a",), {"fields": ["A: b"]}, TypeError, FIELDS + "'A: b'"),
    (loose.request, ("a",), {"fields": [("A", b"b")]}, TypeError, FIELDS + "('A', b'b')"),
    (loose.request, ("a",), {"fields": [("A", "b", "c")]}, TypeError, FIELDS + "('A', 'b', 'c')"),
    (loose.check_response, (cases.SAMPLE_RESPONSE, cases.SAMPLE_KEY), {"subprotocols": "chat"}, TypeError,
     "subprotocols: expected a list of str; found str: 'chat'"),
    (loose.check_response, (cases.SAMPLE_RESPONSE, cases.SAMPLE_KEY), {"extensions": [b"a"]}, TypeError,
     "each of extensions: expected str; found bytes"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "arguments", "named", "error", "says"), WRONG)
def test_wrong_arguments_are_named(call: Any, arguments: Any, named: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error) as info:
        call(*arguments, **named)
    assert type(info.value) is error and says in str(info.value)
