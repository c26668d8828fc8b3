# SPDX-License-Identifier: GPL-2.0-or-later
"""Messages from fragments (RFC 6455, 5.4 to 5.6), and UTF-8 at the earliest byte (8.1)."""

import time
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from hypothesis import given, strategies as st
from protocol_cases import FRAMES, KEY, REFUSED_FRAMES, ROLES, described, legal_streams, refusal, where

from wsedu import Frame, NeedMoreData, ProtocolError
from wsedu.protocol.messages import Message, MessageAssembler
from wsedu.protocol.opcodes import Opcode, is_control
from wsedu.protocol.utf8 import Utf8Validator

TEXT, BINARY, CONTINUATION = Opcode.TEXT, Opcode.BINARY, Opcode.CONTINUATION
Event = Message | Frame


def feed(raw: bytes, size: int = 0, **arguments: Any) -> tuple[list[Event], ProtocolError | None]:
    """All events, and the error that ended them; ``size`` bytes at a time, or all at once."""
    assembler = MessageAssembler(**arguments)
    events: list[Event] = []
    for at in range(0, len(raw), size or len(raw) or 1):
        assembler.receive_data(raw[at : at + size] if size else raw)
        try:
            while (event := assembler.next_event()) is not None:
                events.append(event)
        except ProtocolError as error:
            return events, error
    return events, None


def assembling(size: int, **arguments: Any) -> Callable[[bytes], None]:
    """As a parser is called that takes all the bytes: it asks for more, or refuses."""

    def parse(data: bytes) -> None:
        raise feed(data, size, **arguments)[1] or NeedMoreData

    return parse


# Messages and control frames


@pytest.mark.parametrize("size", [0, 1, 2, 3])
def test_samples_of_the_rfc(size: int) -> None:
    for hexadecimal, frame in FRAMES:
        if not frame.fin or frame.opcode == CONTINUATION:
            continue
        data = frame.payload.decode() if frame.opcode == TEXT and not frame.rsv1 else frame.payload
        event = frame if is_control(frame.opcode) else Message(Opcode(frame.opcode), data, rsv1=frame.rsv1)
        assert feed(bytes.fromhex(hexadecimal), size, rsv1=True) == ([event], None)
    assert feed(bytes.fromhex("010348656c 80026c6f"), size) == ([Message(TEXT, "Hello", 2)], None)
    # RFC 7692, 7.2.3.1, in two fragments: what is compressed stays bytes, and nobody asks whether they are UTF-8.
    compressed = Message(TEXT, bytes.fromhex("f248cdc9c90700"), 2, True)
    raw = bytes.fromhex("4103f248cd 8004c9c90700 810548656c6c6f")
    assert feed(raw, size, rsv1=True) == ([compressed, Message(TEXT, "Hello")], None)


def test_after_a_close_frame_all_is_discarded() -> None:
    raw = bytes.fromhex("88 02 03e8 81 01 61 ff ff ff")
    for size in (0, 1):
        assert feed(raw, size) == ([Frame(Opcode.CLOSE, b"\x03\xe8")], None)


def test_a_message_not_complete_is_no_event() -> None:
    for raw in (b"", b"\x81", b"\x81\x05Hell", b"\x01\x05Hello", b"\x01\x01a\x00\x01b"):
        assert feed(raw) == feed(raw, 1) == ([], None)


# Any legal stream, in any pieces


def expected(frames: list[Frame]) -> list[Event]:
    """The messages of legal frames, by the rule as it is written."""
    events: list[Event] = []
    parts: list[Frame] = []
    for frame in frames:
        if frame.opcode >= 8:
            events.append(frame)
            continue
        parts.append(frame)
        if frame.fin:
            data = b"".join(part.payload for part in parts)
            text = parts[0].opcode == TEXT
            events.append(Message(Opcode(parts[0].opcode), data.decode() if text else data, len(parts)))
            parts = []
    return events


@given(legal_streams(), st.integers(0, 9))
def test_any_legal_stream(frames: list[Frame], size: int) -> None:
    raw = b"".join(frame.serialize() for frame in frames)
    assert feed(raw, size, role="client") == (expected(frames), None)


@given(legal_streams(), st.integers(0, 10**6), st.integers(1, 255), st.sampled_from(ROLES))
def test_whole_and_byte_by_byte_agree(frames: list[Frame], at: int, flip: int, role: Any) -> None:
    """Also where something is broken: the same events, then the same error, whatever the pieces."""
    raw = bytearray(b"".join(frame.serialize() for frame in frames))
    if raw:
        raw[at % len(raw)] ^= flip

    def verdict(size: int) -> Any:
        events, error = feed(bytes(raw), size, role=role)
        return events, error and described(error)

    assert verdict(0) == verdict(1) == verdict(7)


# Refused: bytes, arguments, offset, field, section, status code, after how many bytes it shows
REFUSED: list[Any] = [
    # rules that span frames
    ("80 00", {}, 0, "opcode", "RFC 6455, 5.4", 1002, 1),
    ("0101 61 8101 62", {}, 3, "opcode", "RFC 6455, 5.4", 1002, 4),
    ("0101 61 8000 8000", {}, 5, "opcode", "RFC 6455, 5.4", 1002, 6),
    ("4101 61 c00161", {"rsv1": True}, 3, "RSV1", "RFC 7692, 6.1", 1002, 4),
    # what the first byte breaks comes before what the second does
    ("8081", {"role": "server"}, 0, "opcode", "RFC 6455, 5.4", 1002, 1),
    # UTF-8
    ("0102 61c3 8001 61", {}, 6, "payload", "RFC 6455, 8.1", 1007, 7),
    ("0102 61c3 8000", {}, 5, "payload", "RFC 6455, 8.1", 1007, 6),
    ("0101 ed 890190 8002 a080", {}, 8, "payload", "RFC 6455, 8.1", 1007, 9),
    ("0102 eda0 890190 8001 80", {}, 3, "payload", "RFC 6455, 8.1", 1007, 4),
    # too large for us
    ("8106 616161616161", {"max_size": 5}, 1, "payload length", "RFC 6455, 10.4", 1009, 2),
    ("0103 616161 8003 616161", {"max_size": 5}, 6, "payload length", "RFC 6455, 10.4", 1009, 7),
    ("827f 0fffffffffffffff", {"max_size": 5}, 1, "payload length", "RFC 6455, 10.4", 1009, 10),
    *((raw, *what, 1007 if what[2] == "reason" else 1002, after) for _, raw, *what, after in REFUSED_FRAMES),
]


@pytest.mark.parametrize("case", REFUSED, ids=[case[0][:30] for case in REFUSED])
def test_refused(case: tuple[str, dict[str, Any], int, str, str, int, int]) -> None:
    hexadecimal, arguments, offset, field, section, status_code, after = case
    raw = bytes.fromhex(hexadecimal)
    before = Frame(TEXT, b"a", masking_key=KEY if arguments.get("role") == "client" else None).serialize()
    # at the start of a stream, and after a message, which comes out first
    for whole, at in (raw, 0), (before + raw, len(before)):
        errors = [refusal(assembling(size, **arguments), whole, at + after) for size in (0, 1, 3)]
        assert len({described(error) for error in errors}) == 1
        assert where(errors[0]) == (at + offset, field, section, status_code)


def test_sizes_that_fit() -> None:
    """``max_size`` is of a message, not of all of them, and not of control frames."""
    raw = bytes.fromhex("0103616161 80026161 8906616161616161")
    assert feed(raw + raw, max_size=5)[1] is None
    assert feed(raw + raw, 1, max_size=5)[1] is None


def test_what_was_complete_comes_first_and_the_error_stays() -> None:
    assembler = MessageAssembler()
    assembler.receive_data(bytes.fromhex("810161 890162 8301"))
    assert assembler.next_event() == Message(TEXT, "a")
    assert assembler.next_event() == Frame(Opcode.PING, b"b")
    errors = []
    for _ in range(3):
        with pytest.raises(ProtocolError) as info:
            assembler.next_event()
        errors.append(described(info.value))
        assembler.receive_data(b"\x81\x01c")
    assert len(set(errors)) == 1 and info.value.offset == 6


# UTF-8, by another judge: Table 3-7 of the Unicode standard, "Well-Formed UTF-8 Byte Sequences", written as states

TAIL = range(0x80, 0xC0)
TABLE_3_7: dict[str, list[tuple[range, str]]] = {
    "start": [
        (range(0x00, 0x80), "start"), (range(0xC2, 0xE0), "1 more"),
        (range(0xE0, 0xE1), "after E0"), (range(0xE1, 0xED), "2 more"),
        (range(0xED, 0xEE), "after ED"), (range(0xEE, 0xF0), "2 more"),
        (range(0xF0, 0xF1), "after F0"), (range(0xF1, 0xF4), "3 more"), (range(0xF4, 0xF5), "after F4"),
    ],
    "after E0": [(range(0xA0, 0xC0), "1 more")], "after ED": [(range(0x80, 0xA0), "1 more")],
    "after F0": [(range(0x90, 0xC0), "2 more")], "after F4": [(range(0x80, 0x90), "2 more")],
    "3 more": [(TAIL, "2 more")], "2 more": [(TAIL, "1 more")], "1 more": [(TAIL, "start")],
}  # fmt: skip
NEXT = {state: {byte: after for allowed, after in rows for byte in allowed} for state, rows in TABLE_3_7.items()}


def first_wrong(data: bytes) -> int | None:
    """Index of the first byte that the table does not allow; the last one's if the text ends inside a character."""
    state: str | None = "start"
    for at, byte in enumerate(data):
        state = NEXT[state or ""].get(byte)
        if state is None:
            return at
    return None if state == "start" else len(data) - 1


EDGES = {edge for rows in TABLE_3_7.values() for allowed, _ in rows for edge in (allowed.start, allowed.stop)}
INTERESTING = sorted({edge + by for edge in EDGES for by in (-1, 0)} & set(range(256)))


def test_utf8_exhaustively() -> None:
    """All one and two bytes, and all of three and four at whose values the table changes."""
    samples = [bytes((first,)) for first in range(256)] + [bytes(two) for two in product(range(256), repeat=2)]
    threes = [bytes(three) for three in product(INTERESTING, repeat=3)]
    fours = (three for three in threes if three[0] >= 0xF0 and first_wrong(three + b"\x80") is None)
    samples += threes + [three + bytes((last,)) for three in fours for last in INTERESTING]
    validator = Utf8Validator()  # the same one: after a final piece it begins again
    for data in samples:
        wrong = validator.validate(data, final=True)
        assert wrong == first_wrong(data), data.hex()
        validator = validator if wrong is None else Utf8Validator()
    # and as early as at that byte, also where Python alone would wait for another
    for pair in product(INTERESTING, repeat=2):
        whole = bytes((*pair, 0x80))
        if (wrong := first_wrong(whole)) is not None:
            refusal(assembling(1), Frame(TEXT, whole).serialize(), 2 + wrong + 1)


nearly_text = st.builds(
    lambda before, byte, behind: before.encode() + bytes((byte,)) + behind.encode(),
    st.text(max_size=6), st.sampled_from(INTERESTING), st.text(max_size=3),
)  # fmt: skip
interesting = st.lists(st.sampled_from(INTERESTING), min_size=1, max_size=12).map(bytes)


@given(interesting | nearly_text, st.lists(st.integers(0, 12), max_size=3), st.booleans())
def test_text_is_refused_at_the_earliest_byte(data: bytes, cuts: list[int], masked: bool) -> None:
    """In any fragments, masked or not: refused after the very byte that the table refuses, and at its offset."""
    key = KEY if masked else None
    places = [0, *sorted(min(cut, len(data) - 1) for cut in cuts), len(data)]
    raw = b""
    offset_of: list[int] = []  # of each byte of the text, in the stream
    for number, (start, end) in enumerate(zip(places, places[1:], strict=False)):
        last = number == len(places) - 2
        part = Frame(CONTINUATION if number else TEXT, data[start:end], last, masking_key=key).serialize()
        offset_of += range(len(raw) + len(part) - (end - start), len(raw) + len(part))
        raw += part
    wrong = first_wrong(data)
    if wrong is None:
        assert feed(raw, 1) == ([Message(TEXT, data.decode(), len(places) - 1)], None)
        return
    for size in (0, 1):
        error = refusal(assembling(size), raw, offset_of[wrong] + 1)
        assert (error.offset, error.status_code) == (offset_of[wrong], 1007)


# Time


@pytest.mark.parametrize("size", [0, 1])
def test_time_grows_with_length_only(size: int) -> None:
    """One byte at a time, and many frames at once: eight times the bytes take eight times the time, not sixty-four."""

    def seconds(count: int) -> float:
        raw = Frame(TEXT, b"x" * count, masking_key=KEY).serialize() if size else b"\x02\x01x" + b"\x00\x01y" * count
        start = time.thread_time()
        assert feed(raw, size)[1] is None
        return time.thread_time() - start

    assert seconds(80_000) < 25 * seconds(10_000)
