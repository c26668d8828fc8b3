# SPDX-License-Identifier: GPL-2.0-or-later
"""What each bit and byte of a frame says (RFC 6455, 5.2): the frame's half of every picture."""

from functools import partial

from .errors import Data, NeedMoreData, ProtocolError
from .frames import LAYOUT, LENGTH_16, OPCODE, PAYLOAD_LENGTH, RSV1, Header, apply_mask, parse_header
from .opcodes import OPCODE_NAMES, Opcode, is_control, opcode_name
from .spans import Kind, Span
from .status import status_name

_header_span = partial(Span, kind=Kind.FRAME_HEADER, section=LAYOUT)


def frame_spans(data: Data) -> list[Span]:
    """What each bit and byte of one frame is, in order; of as much of it as is there.

    Args:
        data: the bytes of one frame as they were on the wire: masked, and in the length form they had.
    """
    # The bits of the first two bytes are always readable, whatever follows them or fails to.
    data = bytes(data)
    # Two bytes are what every frame has, the shortest included: an empty one of a server is nothing else.
    spans = [*_first_byte_spans(data), *_second_byte_spans(data)]
    try:
        header = parse_header(data)
    except (NeedMoreData, ProtocolError):
        # The header stops early, or hides where the frame ends: name what is left, and guess at nothing.
        if len(data) > 2:
            readable = data[1] & PAYLOAD_LENGTH < LENGTH_16
            meaning = "as far as it is there" if readable else "not readable as a length"
            spans.append(_header_span(2, len(data), "rest of the header", data[2:], meaning))
        return spans
    # 7 bits are in the second byte already; 16 and 64 are 2 and 8 bytes more.
    at, length = 2 + header.length_form // 8, header.payload_length
    if header.length_form > 7:
        meaning = f"{length:,} bytes of payload, as {header.length_form} bits in network byte order"
        spans.append(_header_span(2, at, "extended payload length", length, meaning))
    if header.masking_key is not None:
        # "a 32-bit value chosen at random by the client", for each frame another: who could foresee it could choose
        # the masked bytes after all.
        key, meaning = header.masking_key, "XORed over the payload, 4 bytes at a time"
        spans.append(Span(at, at + 4, "masking key", key, meaning, Kind.MASKING_KEY, "RFC 6455, 5.3"))
    return spans + _payload_spans(data, header)


def _first_byte_spans(data: bytes) -> list[Span]:
    if not data:
        return []
    first = data[0]

    def bit(name: str, place: int, zero: str, one: str, section: str = LAYOUT) -> Span:
        value = first >> (7 - place) & 1
        return _header_span(0, 1, name, value, one if value else zero, section=section, bits=(place, place + 1))

    # RSV1 is the one reserved bit that an RFC has given a meaning to since, "the "Per-Message Compressed" bit".
    compressed = first & RSV1
    unused = f"0, as no extension {'uses it' if compressed else 'is in use'}"
    unknown = "set: some extension must have given it a meaning"
    known = "an extension gives it a meaning: permessage-deflate says compressed"
    opcode = first & OPCODE
    meaning = f"{opcode_name(opcode)}, a {'control' if is_control(opcode) else 'data'} frame"
    if opcode not in OPCODE_NAMES:
        meaning = "reserved: no frame may use it yet"
    return [
        bit("FIN", 0, "further fragments of this message follow", "the last fragment of its message"),
        bit("RSV1", 1, unused, known, "RFC 7692, 6" if compressed else LAYOUT),
        bit("RSV2", 2, unused, unknown),
        bit("RSV3", 3, unused, unknown),
        _header_span(0, 1, "opcode", opcode, meaning, bits=(4, 8)),
    ]


def _second_byte_spans(data: bytes) -> list[Span]:
    if len(data) < 2:
        return []
    # The seven bits are a length, or an announcement of one: 126 and 127 are no lengths at all, which is why a control
    # frame ends at 125.
    # MASK "Defines whether the "Payload data" is masked. [...] All frames sent from client to server have this bit set
    # to 1." So it says who sent a frame, where both keep to the rules.
    mask, seven_bits = data[1] >> 7, data[1] & PAYLOAD_LENGTH
    if seven_bits < LENGTH_16:
        meaning = f"{seven_bits} byte{'s' * (seven_bits != 1)} of payload"
    else:
        meaning = f"{seven_bits}: the next {2 if seven_bits == LENGTH_16 else 8} bytes say it"
    masked = "masked: a masking key follows, as a client must" if mask else "not masked, as a server must not"
    return [
        _header_span(1, 2, "MASK", mask, masked, section="RFC 6455, 5.1", bits=(0, 1)),
        _header_span(1, 2, "payload length", seven_bits, meaning, bits=(1, 8)),
    ]


def _payload_spans(data: bytes, header: Header) -> list[Span]:
    start, end = header.size, min(len(data), header.size + header.payload_length)
    # Of a frame that is not complete this is as much of the payload as came; unmasking does not need the rest.
    payload = data[start:end]
    if not payload:
        return []
    unmasked = ""
    if header.masking_key is not None:
        payload, unmasked = apply_mask(payload, header.masking_key), ", unmasked"
    # 7.1.5: the code "contained in the first Close control frame received" is what the connection ended with.
    if header.opcode == Opcode.CLOSE and len(payload) >= 2:
        code = int.from_bytes(payload[:2], "big")
        meaning = status_name(code) + unmasked
        spans = [Span(start, start + 2, "status code", code, meaning, Kind.PAYLOAD, "RFC 6455, 7.4")]
        if len(payload) > 2:
            # For people: it "is not necessarily human readable but may be useful for debugging" (5.5.1).
            reason, meaning = payload[2:].decode("utf-8", "replace"), f"the reason, in UTF-8{unmasked}"
            spans.append(Span(start + 2, end, "reason", reason, meaning, Kind.PAYLOAD, "RFC 6455, 7.1.6"))
        return spans
    # A Pong must have "identical "Application data" as found in the message body of the Ping frame" (5.5.3).
    repeated = header.opcode in (Opcode.PING, Opcode.PONG)
    value: str | bytes = payload
    meaning = "application data; a Pong repeats that of its Ping" if repeated else "data"
    # What RSV1 marks is a DEFLATE stream without its last four bytes (RFC 7692, 7.2.1), which no decoder takes as it
    # is.
    if header.rsv1:
        meaning = "compressed data (permessage-deflate, RFC 7692)"
    elif header.opcode == Opcode.TEXT:
        # A fragment may end inside a character (RFC 6455, 5.6), so that it is not UTF-8 by itself is no refusal.
        try:
            value, meaning = payload.decode("utf-8"), "text in UTF-8"
        except UnicodeDecodeError:
            meaning = "text, and not UTF-8 by itself"
    return [Span(start, end, "payload", value, meaning + unmasked, Kind.PAYLOAD, LAYOUT)]
