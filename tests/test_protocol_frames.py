# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames: the RFC's samples both ways, round trips, and each rule of RFC 6455, 5.2 to 5.5 broken."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from protocol_cases import (
    FRAMES,
    REFUSED_FRAMES,
    ROLES,
    SAMPLE_KEY,
    any_frames,
    assert_every_byte_once,
    assert_needs_more,
    described,
    payloads,
    prefixes,
    refusal,
    told,
    where,
)

from wsedu.protocol.errors import NeedMoreData, ProtocolError
from wsedu.protocol.frame_spans import frame_spans
from wsedu.protocol.frames import MASK_AT_ONCE, Frame, Header, LengthForm, apply_mask, parse_header, shortest_form
from wsedu.protocol.handshake import check_request, check_response
from wsedu.protocol.http1 import Request, Response
from wsedu.protocol.messages import MessageAssembler
from wsedu.protocol.opcodes import Opcode, is_control, opcode_name
from wsedu.protocol.spans import Kind, Span

SAMPLES = pytest.mark.parametrize(("hexadecimal", "frame"), FRAMES, ids=[sample[:26] for sample, _ in FRAMES])


@SAMPLES
def test_samples(hexadecimal: str, frame: Frame) -> None:
    """Both ways; byte by byte, with bytes to spare, and in whatever holds them."""
    raw = bytes.fromhex(hexadecimal)
    assert frame.serialize() == raw
    frame.check(rsv1=True)
    kinds: list[Any] = [bytes, bytearray, memoryview]
    for strict in (True, False):
        assert_needs_more(lambda data: Frame.parse(data, rsv1=True, strict=strict), prefixes(raw))  # noqa: B023
        for kind, spare in product(kinds, (b"", b"\xff", raw)):
            parsed, used = Frame.parse(kind(raw + spare), rsv1=True, strict=strict)
            assert (parsed, used, type(parsed.payload)) == (frame, len(raw), bytes)
            assert type(parsed.masking_key) is type(frame.masking_key)


@settings(max_examples=200)
@given(any_frames(), st.sampled_from(ROLES), st.booleans())
def test_check_and_parse_agree(frame: Frame, role: Any, rsv1: bool) -> None:
    def verdict(judge: Any) -> Any:
        try:
            judge()
        except ProtocolError as error:
            return described(error)
        return None

    raw = frame.serialize()
    assert verdict(lambda: frame.check(role, rsv1)) == verdict(lambda: Frame.parse(raw, role=role, rsv1=rsv1))


@pytest.mark.parametrize("case", REFUSED_FRAMES, ids=[case[0] for case in REFUSED_FRAMES])
def test_refused(case: tuple[str, str, dict[str, Any], int, str, str, int]) -> None:
    _, hexadecimal, arguments, offset, field, section, shows_after = case
    raw = bytes.fromhex(hexadecimal)
    error = refusal(lambda data: Frame.parse(data, **arguments), raw, shows_after)
    assert where(error) == (offset, field, section, 1007 if field == "reason" else 1002)
    for word in (field, str(offset), section):
        assert word in str(error)


def test_not_strict_only_splits() -> None:
    for name, hexadecimal, *_ in REFUSED_FRAMES:
        raw = bytes.fromhex(hexadecimal)
        if name == "top bit of 64":  # which hides where the frame ends
            error = refusal(lambda data: Frame.parse(data, strict=False), raw, 3)
            assert where(error) == (2, "payload length", "RFC 6455, 5.2", 1002)
            continue
        try:
            frame, used = Frame.parse(raw, strict=False)
        except NeedMoreData:
            continue
        assert (used, frame.opcode) == (len(raw), raw[0] & 15)
    assert_needs_more(lambda data: Frame.parse(data, strict=False), [bytes.fromhex("827f7fffffffffffffff")])


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"opcode": 16}, ValueError, "4 bits"),
        ({"opcode": -1}, ValueError, "4 bits"),
        ({"opcode": "text"}, ValueError, "4 bits"),
        ({"opcode": 1, "payload": "Hello"}, TypeError, "payload: expected bytes; found str: 'Hello'"),
        ({"opcode": 1, "payload": [1, 2]}, TypeError, "payload: expected bytes"),
        ({"opcode": 1, "fin": "no"}, ValueError, "True or False; found 'no', False"),
        ({"opcode": 1, "rsv1": 2}, ValueError, "found True, 2"),
        ({"opcode": 1, "rsv3": []}, ValueError, r"False, False, \[\]"),
        ({"opcode": 1, "masking_key": b"abc"}, ValueError, "4 bytes"),
        ({"opcode": 1, "masking_key": b"abcde"}, ValueError, "4 bytes"),
        ({"opcode": 1, "masking_key": "abcd"}, TypeError, "masking key: expected bytes"),
    ],
)
def test_values_that_no_bits_could_carry(arguments: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        Frame(**arguments)


@pytest.mark.parametrize("data", ["810548656c6c6f", None, 5, [0x81, 0], Frame(1)])
def test_only_bytes_are_read(data: Any) -> None:
    doors: list[Any] = [Frame.parse, MessageAssembler().receive_data, Request.parse, Response.parse]
    doors += [check_request, lambda data: check_response(data, SAMPLE_KEY)]
    for door in doors:
        with pytest.raises(TypeError, match=f"data: expected bytes; found {type(data).__name__}"):
            door(data)


@pytest.mark.parametrize("role", ["Client", "browser", b"client", 1, ""])
def test_there_are_two_roles(role: Any) -> None:
    doors = Frame(1).check, lambda role: Frame.parse(b"\x81\x00", role=role), MessageAssembler
    for door in doors:
        with pytest.raises(ValueError, match="role is 'client', 'server' or None"):
            door(role)


def test_frames_are_values() -> None:
    frame, same = (Frame(1, bytearray(b"x"), masking_key=memoryview(b"abcd")), Frame(True, b"x", masking_key=b"abcd"))
    assert frame == same != Frame(1, b"x") and hash(frame) == hash(same) and type(frame.opcode) is Opcode
    assert repr(Frame(3)) == (
        "Frame(opcode=3, payload=b'', fin=True, rsv1=False, rsv2=False, rsv3=False, masking_key=None)"
    )
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


@given(any_frames(), st.sampled_from([None, 7, 16, 64]))
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


@given(payloads, st.binary(min_size=4, max_size=4), st.integers(0, 9))
def test_mask_is_what_the_rfc_says(data: bytes, key: bytes, offset: int) -> None:
    masked = apply_mask(data, key, offset)
    assert masked == one_at_a_time(data, key, offset)
    assert apply_mask(masked, key, offset) == data


@pytest.mark.parametrize("size", [0, 1, 5, *(MASK_AT_ONCE * n + by for n in (1, 3) for by in (-1, 0, 1, 3))])
@pytest.mark.parametrize("offset", range(5))
def test_mask_on_both_sides_of_the_switch(size: int, offset: int) -> None:
    data, key = bytes(i * 7 % 251 for i in range(size)), b"\x01\x80\xff\x00"
    kinds: list[Any] = [bytes, bytearray, memoryview]
    assert {apply_mask(kind(data), key, offset) for kind in kinds} == {one_at_a_time(data, key, offset)}


def test_mask_needs_four_bytes() -> None:
    for key in (b"", b"abc", b"abcde"):
        with pytest.raises(ValueError, match="4 bytes"):
            apply_mask(b"data", key)


# Spans


@given(st.one_of(st.binary(max_size=24), st.builds(Frame.serialize, any_frames())))
def test_spans_of_anything(raw: bytes) -> None:
    """They cover every bit of the first frame once; of one that stops early, or that is not readable, all there is."""
    for data in (raw, *prefixes(raw, most=20)):
        try:
            header = parse_header(data)
        except (NeedMoreData, ProtocolError):
            end = len(data)
        else:
            end = min(len(data), header.size + header.payload_length)
        assert_every_byte_once(frame_spans(data), data[:end])


def test_spans_of_the_masked_sample() -> None:
    spans = Frame(Opcode.TEXT, b"Hello", masking_key=b"\x37\xfa\x21\x3d").spans()
    assert [(span.start, span.end, span.bits, span.name, span.value) for span in spans] == [
        (0, 1, (0, 1), "FIN", 1),
        (0, 1, (1, 2), "RSV1", 0),
        (0, 1, (2, 3), "RSV2", 0),
        (0, 1, (3, 4), "RSV3", 0),
        (0, 1, (4, 8), "opcode", 1),
        (1, 2, (0, 1), "MASK", 1),
        (1, 2, (1, 8), "payload length", 5),
        (2, 6, None, "masking key", b"\x37\xfa\x21\x3d"),
        (6, 11, None, "payload", "Hello"),
    ]
    assert [span.kind for span in spans] == 7 * [Kind.FRAME_HEADER] + [Kind.MASKING_KEY, Kind.PAYLOAD]


def test_spans_of_a_close_frame_and_of_long_lengths() -> None:
    spans = Frame(Opcode.CLOSE, b"\x03\xe9bye", masking_key=b"abcd").spans()
    assert told(spans[-2:]) == [(6, 8, "status code", 1001), (8, 11, "reason", "bye")]
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
