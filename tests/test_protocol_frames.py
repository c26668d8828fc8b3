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
    ROLES,
    any_frames,
    assert_every_byte_once,
    assert_needs_more_for_every_prefix,
    described,
    legal_frames,
    masking_keys,
    payloads,
    prefixes,
    refusal,
    told,
    where,
)

from wsedu.protocol.errors import NeedMoreData, ProtocolError, Role
from wsedu.protocol.frame_spans import frame_spans
from wsedu.protocol.frames import (
    MASK_AT_ONCE,
    Frame,
    Header,
    LengthForm,
    apply_mask,
    parse_header,
    shortest_form,
)
from wsedu.protocol.opcodes import Opcode, is_control, opcode_name
from wsedu.protocol.spans import Kind, Span

SAMPLES = pytest.mark.parametrize(("hexadecimal", "frame"), FRAMES, ids=[sample[:26] for sample, _ in FRAMES])


@SAMPLES
def test_samples_both_ways(hexadecimal: str, frame: Frame) -> None:
    raw = bytes.fromhex(hexadecimal)
    assert frame.serialize() == raw
    assert Frame.parse(raw, rsv1=True) == (frame, len(raw))
    frame.check(rsv1=True)


@SAMPLES
@pytest.mark.parametrize("strict", [True, False])
def test_samples_in_any_bytes(hexadecimal: str, frame: Frame, strict: bool) -> None:
    """Byte by byte, with bytes to spare, and in whatever holds them."""
    raw = bytes.fromhex(hexadecimal)
    assert_needs_more_for_every_prefix(lambda data: Frame.parse(data, rsv1=True, strict=strict), raw)
    kinds: list[Any] = [bytes, bytearray, memoryview]
    for kind, spare in product(kinds, (b"\xff", raw)):
        parsed, used = Frame.parse(kind(raw + spare), rsv1=True, strict=strict)
        assert (parsed, used, type(parsed.payload)) == (frame, len(raw), bytes)
        assert type(parsed.masking_key) is type(frame.masking_key)


@given(any_frames())
def test_what_is_written_reads_back(frame: Frame) -> None:
    raw = frame.serialize()
    assert Frame.parse(raw + b"spare", strict=False) == (frame, len(raw))


@given(legal_frames())
def test_legal_frames_pass_every_check(frame: Frame) -> None:
    role: Role = "client" if frame.masking_key is not None else "server"
    frame.check(role)
    assert Frame.parse(frame.serialize(), role=role) == (frame, len(frame.serialize()))


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


# Refused: name, bytes in hexadecimal, arguments, then offset, field, section, and after how many bytes it shows
REFUSED: list[tuple[str, str, dict[str, Any], int, str, str, int]] = [
    ("RSV1", "c1 00", {}, 0, "RSV1", "RFC 6455, 5.2", 1),
    ("RSV2", "a1 00", {}, 0, "RSV2", "RFC 6455, 5.2", 1),
    ("RSV3", "91 00", {}, 0, "RSV3", "RFC 6455, 5.2", 1),
    ("RSV2 beside a claimed RSV1", "e1 00", {"rsv1": True}, 0, "RSV2", "RFC 6455, 5.2", 1),
    ("RSV3 beside a claimed RSV1", "d1 00", {"rsv1": True}, 0, "RSV3", "RFC 6455, 5.2", 1),
    ("claimed RSV1 on a Ping", "c9 00", {"rsv1": True}, 0, "RSV1", "RFC 7692, 6.1", 1),
    ("claimed RSV1 on a Continuation", "c0 00", {"rsv1": True}, 0, "RSV1", "RFC 7692, 6.1", 1),
    *[
        (f"opcode {code:X}", f"8{code:x} 00", {}, 0, "opcode", "RFC 6455, 5.2", 1)
        for code in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)
    ],
    *[
        (f"fragment of {name}", first + " 00", {}, 0, "FIN", "RFC 6455, 5.5", 1)
        for name, first in (("Close", "08"), ("Ping", "09"), ("Pong", "0a"))
    ],
    *[
        (f"{name} of 126", first + " 7e 00 7e" + 126 * "00", {}, 1, "payload length", "RFC 6455, 5.5", 2)
        for name, first in (("Close", "88"), ("Ping", "89"), ("Pong", "8a"))
    ],
    ("Ping of 2^16", "89 7f 00 00 00 00 00 01 00 00", {}, 1, "payload length", "RFC 6455, 5.5", 2),
    ("client without mask", "81 00", {"role": "client"}, 1, "MASK", "RFC 6455, 5.1", 2),
    ("server with mask", "81 80 00 00 00 00", {"role": "server"}, 1, "MASK", "RFC 6455, 5.1", 2),
    ("0 in 16 bits", "81 7e 00 00", {}, 2, "payload length", "RFC 6455, 5.2", 4),
    ("125 in 16 bits", "82 7e 00 7d" + 125 * "00", {}, 2, "payload length", "RFC 6455, 5.2", 4),
    ("5 in 64 bits", "81 7f 0000000000000005 48656c6c6f", {}, 2, "payload length", "RFC 6455, 5.2", 8),
    ("65535 in 64 bits", "82 7f 000000000000ffff", {}, 2, "payload length", "RFC 6455, 5.2", 8),
    ("top bit of 64", "82 7f 8000000000000000", {}, 2, "payload length", "RFC 6455, 5.2", 3),
    ("all bits of 64", "82 ff ffffffffffffffff 00000000", {}, 2, "payload length", "RFC 6455, 5.2", 3),
    ("Close payload of 1", "88 01 03", {}, 2, "status code", "RFC 6455, 5.5.1", 2),
    ("masked Close payload of 1", "88 81 01020304 02", {}, 6, "status code", "RFC 6455, 5.5.1", 2),
    ("status code 1005", "88 02 03 ed", {}, 2, "status code", "RFC 6455, 7.4.1", 4),
    ("masked status code 1006", "88 82 ffffffff fc11", {}, 6, "status code", "RFC 6455, 7.4.1", 8),
    ("status code 999", "88 02 03 e7", {}, 2, "status code", "RFC 6455, 7.4.2", 4),
    ("status code 2999", "88 02 0b b7", {}, 2, "status code", "RFC 6455, 7.4.2", 4),
    ("status code 1005, and a reason", "88 04 03 ed 68 69", {}, 2, "status code", "RFC 6455, 7.4.1", 4),
    ("status code 5000", "88 02 13 88", {}, 2, "status code", "RFC 6455, 7.4.2", 4),
]


@pytest.mark.parametrize("case", REFUSED, ids=[case[0] for case in REFUSED])
def test_refused(case: tuple[str, str, dict[str, Any], int, str, str, int]) -> None:
    _, hexadecimal, arguments, offset, field, section, shows_after = case
    raw = bytes.fromhex(hexadecimal)
    error = refusal(lambda data: Frame.parse(data, **arguments), raw, shows_after)
    assert where(error) == (offset, field, section, 1002)
    for word in (field, str(offset), section):
        assert word in str(error)


# The byte that breaks it counts, not the one that the broken character began with.
@pytest.mark.parametrize(
    ("hexadecimal", "offset"), [("8805 03e8 61e228", 6), ("8804 03e8 61e2", 5), ("8807 03e8 61eda08062", 6)]
)
def test_reason_that_is_not_utf8_is_1007(hexadecimal: str, offset: int) -> None:
    error = refusal(Frame.parse, bytes.fromhex(hexadecimal), offset + 1)
    assert where(error) == (offset, "reason", "RFC 6455, 8.1", 1007)


def test_not_strict_only_splits() -> None:
    for name, hexadecimal, _, _, _, _, _ in REFUSED:
        raw = bytes.fromhex(hexadecimal)
        if "bit" in name and "of 64" in name:
            continue  # where the frame ends is not readable
        try:
            frame, used = Frame.parse(raw, strict=False)
        except NeedMoreData:
            continue
        assert used == len(raw)
        assert frame.opcode == raw[0] & 15


def test_top_bit_hides_the_end_so_it_is_refused_in_any_case() -> None:
    error = refusal(lambda data: Frame.parse(data, strict=False), bytes.fromhex("827f80"), 3)
    assert where(error) == (2, "payload length", "RFC 6455, 5.2", 1002)
    with pytest.raises(NeedMoreData):
        Frame.parse(bytes.fromhex("827f7fffffffffffffff"), strict=False)


def test_check_finds_what_only_a_value_shows() -> None:
    with pytest.raises(
        ProtocolError, match="a Ping frame has at most 125 bytes of payload; found 126"
    ) as info:
        Frame(Opcode.PING, bytes(126)).check()
    assert info.value.offset == 1
    with pytest.raises(ProtocolError) as info:
        Frame(Opcode.CLOSE, b"\x03\xed", masking_key=b"abcd").check("client")
    assert info.value.offset == 6


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"opcode": 16}, ValueError, "4 bits"),
        ({"opcode": -1}, ValueError, "4 bits"),
        ({"opcode": "text"}, ValueError, "4 bits"),
        ({"opcode": 1, "payload": "Hello"}, TypeError, "payload: expected bytes; found str: 'Hello'"),
        ({"opcode": 1, "payload": 5}, TypeError, "payload: expected bytes"),
        ({"opcode": 1, "payload": None}, TypeError, "payload: expected bytes"),
        ({"opcode": 1, "payload": [1, 2]}, TypeError, "payload: expected bytes"),
        ({"opcode": 1, "fin": "no"}, ValueError, "True or False; found 'no', False"),
        ({"opcode": 1, "rsv1": 2}, ValueError, "found True, 2"),
        ({"opcode": 1, "rsv2": None}, ValueError, "found True, False, None"),
        ({"opcode": 1, "rsv3": []}, ValueError, r"False, False, \[\]"),
        ({"opcode": 1, "masking_key": b"abc"}, ValueError, "4 bytes"),
        ({"opcode": 1, "masking_key": b"abcde"}, ValueError, "4 bytes"),
        ({"opcode": 1, "masking_key": "abcd"}, TypeError, "masking key: expected bytes"),
        ({"opcode": 1, "masking_key": 0x37FA213D}, TypeError, "masking key: expected bytes"),
    ],
)
def test_values_that_no_bits_could_carry(arguments: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        Frame(**arguments)


@pytest.mark.parametrize("data", ["810548656c6c6f", None, 5, [0x81, 0], 1.5])
def test_only_bytes_are_parsed(data: Any) -> None:
    with pytest.raises(TypeError, match=f"data: expected bytes; found {type(data).__name__}"):
        Frame.parse(data)


@pytest.mark.parametrize("role", ["Client", "browser", b"client", 1, ""])
def test_there_are_two_roles(role: Any) -> None:
    for call in (lambda: Frame(1).check(role), lambda: Frame.parse(b"\x81\x00", role=role)):
        with pytest.raises(ValueError, match="role is 'client', 'server' or None"):
            call()


def test_frames_are_values() -> None:
    frame, same = (
        Frame(1, bytearray(b"x"), masking_key=memoryview(b"abcd")),
        Frame(True, b"x", masking_key=b"abcd"),
    )
    assert frame == same != Frame(1, b"x") and hash(frame) == hash(same) and type(frame.opcode) is Opcode
    assert repr(Frame(3)) == (
        "Frame(opcode=3, payload=b'', fin=True, rsv1=False, rsv2=False, rsv3=False, masking_key=None)"
    )
    copies = copy.copy(frame), copy.deepcopy(frame), pickle.loads(pickle.dumps(frame)), replace(frame)
    assert set(copies) == {frame} and replace(frame, opcode=2, fin=False) == Frame(
        2, b"x", False, masking_key=b"abcd"
    )
    with pytest.raises(AttributeError):
        frame.opcode = 2  # type: ignore[misc]
    with pytest.raises(AttributeError):
        del frame.fin
    for bad in {"opcode": 16}, {"masking_key": b"abc"}:
        with pytest.raises(ValueError):
            replace(frame, **bad)


# Length forms


@pytest.mark.parametrize(
    ("length", "form"), [(0, 7), (125, 7), (126, 16), (65535, 16), (65536, 64), (2**63 - 1, 64)]
)
def test_shortest_form(length: int, form: int) -> None:
    assert shortest_form(length) == form


@given(any_frames(), st.sampled_from([7, 16, 64]))
def test_length_form_is_obeyed_or_refused(frame: Frame, form: LengthForm) -> None:
    if form < shortest_form(len(frame.payload)):
        with pytest.raises(ValueError, match=f"does not fit in {form} bits"):
            frame.serialize(length_form=form)
        return
    raw = frame.serialize(length_form=form)
    header = parse_header(raw)
    assert (header.length_form, header.payload_length) == (form, len(frame.payload))
    assert Frame.parse(raw, strict=False) == (frame, len(raw))


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


@pytest.mark.parametrize("key", [b"", b"abc", b"abcde"])
def test_mask_needs_four_bytes(key: bytes) -> None:
    with pytest.raises(ValueError, match="4 bytes"):
        apply_mask(b"data", key)


# Spans


@given(any_frames(), st.sampled_from([None, 16, 64]))
def test_spans_cover_every_bit_once(frame: Frame, form: LengthForm | None) -> None:
    if form is not None and form < shortest_form(len(frame.payload)):
        form = None
    raw = frame.serialize(length_form=form)
    assert_every_byte_once(frame_spans(raw), raw)
    for prefix in prefixes(raw, most=20):
        assert_every_byte_once(frame_spans(prefix), prefix)


@given(st.binary(max_size=24))
def test_spans_of_anything(raw: bytes) -> None:
    spans = frame_spans(raw)
    covered = spans[-1].end if spans else 0
    assert_every_byte_once(spans, raw[:covered])
    try:
        header = parse_header(raw)
    except (NeedMoreData, ProtocolError):
        assert covered == len(raw)
    else:
        assert covered == min(len(raw), header.size + header.payload_length)


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


@given(masking_keys)
def test_a_masking_key_says_that_the_frame_is_masked(key: bytes | None) -> None:
    raw = Frame(Opcode.BINARY, b"data", masking_key=key).serialize()
    assert bool(raw[1] & 0x80) == (key is not None)
