# SPDX-License-Identifier: GPL-2.0-or-later
"""What each bit and byte of a frame says (RFC 6455, 5.2): the frame's half of every picture."""

from __future__ import annotations

from .errors import Data, NeedMoreData, ProtocolError
from .frames import LAYOUT, LENGTH_16, OPCODE, PAYLOAD_LENGTH, RSV1, Header, apply_mask, parse_header
from .opcodes import OPCODE_NAMES, Opcode, is_control, opcode_name
from .spans import Kind, Span
from .status import status_name


def frame_spans(data: Data) -> list[Span]:
    """What each bit and byte of one frame is, in order; of as much of it as is there.

    Args:
        data: the bytes of one frame as they were on the wire: masked, and in the length form they had.
    """
    data = bytes(data)
    spans = [*_first_byte_spans(data), *_second_byte_spans(data)]
    try:
        header = parse_header(data)
    except (NeedMoreData, ProtocolError):
        # The header stops early, or hides where the frame ends: name what is left, and guess at nothing.
        at = spans[-1].end if spans else 0
        if at < len(data):
            rest = data[at:]
            meaning = (
                "as far as it is there"
                if data[1] & PAYLOAD_LENGTH < LENGTH_16
                else "not readable as a length"
            )
            spans.append(Span(at, len(data), "rest of the header", rest, meaning, Kind.FRAME_HEADER, LAYOUT))
        return spans
    at = 2
    if header.length_form > 7:
        at += header.length_form // 8
        meaning = (
            f"{header.payload_length:,} bytes of payload, as {header.length_form} bits in network byte order"
        )
        spans.append(
            Span(2, at, "extended payload length", header.payload_length, meaning, Kind.FRAME_HEADER, LAYOUT)
        )
    if header.masking_key is not None:
        meaning = "XORed over the payload, 4 bytes at a time"
        spans.append(
            Span(at, at + 4, "masking key", header.masking_key, meaning, Kind.MASKING_KEY, "RFC 6455, 5.3")
        )
    return spans + _payload_spans(data, header)


def _first_byte_spans(data: bytes) -> list[Span]:
    if not data:
        return []

    def bit(name: str, place: int, zero: str, one: str, section: str = LAYOUT) -> Span:
        value = data[0] >> (7 - place) & 1
        return Span(0, 1, name, value, one if value else zero, Kind.FRAME_HEADER, section, (place, place + 1))

    opcode = data[0] & OPCODE
    rsv1 = "RFC 7692, 6" if data[0] & RSV1 else LAYOUT
    no_meaning = "0, as no extension uses it" if data[0] & RSV1 else "0, as no extension is in use"
    return [
        bit("FIN", 0, "further fragments of this message follow", "the last fragment of its message"),
        bit(
            "RSV1", 1, no_meaning, "an extension gives it a meaning: permessage-deflate says compressed", rsv1
        ),
        bit("RSV2", 2, no_meaning, "set: some extension must have given it a meaning"),
        bit("RSV3", 3, no_meaning, "set: some extension must have given it a meaning"),
        Span(0, 1, "opcode", opcode, _opcode_meaning(opcode), Kind.FRAME_HEADER, LAYOUT, (4, 8)),
    ]


def _opcode_meaning(opcode: int) -> str:
    if opcode not in OPCODE_NAMES:
        return "reserved: no frame may use it yet"
    return f"{opcode_name(opcode)}, a {'control' if is_control(opcode) else 'data'} frame"


def _second_byte_spans(data: bytes) -> list[Span]:
    if len(data) < 2:
        return []
    mask, seven_bits = data[1] >> 7, data[1] & PAYLOAD_LENGTH
    if seven_bits < LENGTH_16:
        meaning = f"{seven_bits} byte{'s' * (seven_bits != 1)} of payload"
    else:
        meaning = f"{seven_bits}: the next {2 if seven_bits == LENGTH_16 else 8} bytes say it"
    masked = "masked: a masking key follows, as a client must" if mask else "not masked, as a server must not"
    return [
        Span(1, 2, "MASK", mask, masked, Kind.FRAME_HEADER, "RFC 6455, 5.1", (0, 1)),
        Span(1, 2, "payload length", seven_bits, meaning, Kind.FRAME_HEADER, LAYOUT, (1, 8)),
    ]


def _payload_spans(data: bytes, header: Header) -> list[Span]:
    start, end = header.size, min(len(data), header.size + header.payload_length)
    payload = data[start:end]
    if not payload:
        return []
    masked = header.masking_key is not None
    if header.masking_key is not None:
        payload = apply_mask(payload, header.masking_key)
    unmasked = ", unmasked" if masked else ""
    if header.opcode == Opcode.CLOSE and len(payload) >= 2:
        code = int.from_bytes(payload[:2], "big")
        meaning = status_name(code) + unmasked
        spans = [Span(start, start + 2, "status code", code, meaning, Kind.PAYLOAD, "RFC 6455, 7.4")]
        if len(payload) > 2:
            reason = payload[2:].decode("utf-8", "replace")
            meaning = f"the reason, in UTF-8{unmasked}"
            spans.append(Span(start + 2, end, "reason", reason, meaning, Kind.PAYLOAD, "RFC 6455, 7.1.6"))
        return spans
    value, meaning = _payload_value(header, payload)
    return [Span(start, end, "payload", value, meaning + unmasked, Kind.PAYLOAD, LAYOUT)]


def _payload_value(header: Header, payload: bytes) -> tuple[str | bytes, str]:
    if header.rsv1:
        return payload, "compressed data (permessage-deflate, RFC 7692)"
    if header.opcode == Opcode.TEXT:
        try:
            return payload.decode("utf-8"), "text in UTF-8"
        except UnicodeDecodeError:
            # A fragment may end inside a character (RFC 6455, 5.6), so this alone is no refusal.
            return payload, "text, and not UTF-8 by itself"
    if header.opcode in (Opcode.PING, Opcode.PONG):
        return payload, "application data; a Pong repeats that of its Ping"
    return payload, "data"
