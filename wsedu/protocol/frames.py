# SPDX-License-Identifier: GPL-2.0-or-later
"""Masking (RFC 6455, 5.3): byte i of the payload is XORed with byte i mod 4 of the masking key.

The header of a frame: its bits, how to split them off, how to judge them (RFC 6455, 5.2).

The layout is written down here and nowhere else; the Scapy layer, the fast reader and every picture take it from
this module::

     0 1 2 3 4 5 6 7   0 1 2 3 4 5 6 7
    +-+-+-+-+-------+ +-+-------------+ +---------------+ +-------------+ +---------
    |F|R|R|R| opcode| |M|   payload   | |   extended    | |   masking   | |
    |I|S|S|S|       | |A|   length    | |payload length | |     key     | | payload
    |N|V|V|V|       | |S|             | |  0, 2 or 8    | |   0 or 4    | |
    | |1|2|3|       | |K|             | |    bytes      | |    bytes    | |
    +-+-+-+-+-------+ +-+-------------+ +---------------+ +-------------+ +---------

Three verbs are kept apart. To *split* is to find where a frame ends (``parse_header``); to *judge* is to hold it
against the rules (``check_header``, ``Frame.check``); to *explain* is to say what each bit is (``frame_spans``). So a
frame that breaks a rule can still be captured, shown and sent.

A frame as a value, and the way between it and its bytes (RFC 6455, 5.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

from .errors import Data, NeedMoreData, ProtocolError, Role, need_bytes, need_role
from .opcodes import OPCODE_NAMES, Opcode, is_control, opcode_name
from .spans import Span
from .status import parse_close_payload

# Masking (RFC 6455, 5.3): byte i of the payload is XORed with byte i mod 4 of the masking key

# Below this length one XOR of two big integers wins; above it, four passes of bytes.translate do, because the cost of
# turning bytes into one integer and back grows faster than the cost of looking bytes up. Measured on CPython 3.11.
TRANSLATE_FROM = 512


@lru_cache(maxsize=None)  # not cache: this goes to Scapy, which runs on Python 3.7 too  # noqa: UP033
def _xor_table(key_byte: int) -> bytes:
    return bytes(byte ^ key_byte for byte in range(256))


def apply_mask(data: Data, key: bytes, offset: int = 0) -> bytes:
    """Mask or unmask: XOR is its own inverse, so one function does both.

    Args:
        data: bytes of the payload.
        key: the masking key, 4 bytes.
        offset: the place of ``data[0]`` in its payload, in bytes; not 0 when a payload is read piece by piece.

    Returns:
        As many bytes as ``data`` has.

    Raises:
        ValueError: the key is not 4 bytes long.
    """
    if len(key) != 4:
        raise ValueError(f"a masking key has 4 bytes, not {len(key)} (RFC 6455, 5.3)")
    if offset:
        turn = offset % 4
        key = key[turn:] + key[:turn]
    length = len(data)
    if length < TRANSLATE_FROM:
        repeated = (key * (length // 4 + 1))[:length]
        return (int.from_bytes(data, "big") ^ int.from_bytes(repeated, "big")).to_bytes(length, "big")
    data, masked = bytes(data), bytearray(length)
    for i in range(4):
        masked[i::4] = data[i::4].translate(_xor_table(key[i]))
    return bytes(masked)


# The header of a frame: its bits, how to split them off, how to judge them (RFC 6455, 5.2)

# first byte
FIN = 0b1000_0000
RSV1 = 0b0100_0000
RSV2 = 0b0010_0000
RSV3 = 0b0001_0000
OPCODE = 0b0000_1111
# second byte
MASK = 0b1000_0000
PAYLOAD_LENGTH = 0b0111_1111

LENGTH_16 = 126  # in the 7 bits: the payload length is in the next 2 bytes
LENGTH_64 = 127  # in the 7 bits: the payload length is in the next 8 bytes
MAX_CONTROL_PAYLOAD = 125  # RFC 6455, 5.5

LengthForm = Literal[7, 16, 64]

LAYOUT = "RFC 6455, 5.2"


class Header(NamedTuple):
    """What stands before the payload."""

    fin: bool
    rsv1: bool
    rsv2: bool
    rsv3: bool
    opcode: int
    masking_key: bytes | None  # 4 bytes, None if MASK is 0
    payload_length: int  # bytes
    length_form: LengthForm  # bits in which the payload length was written
    size: int  # bytes of the header itself, 2 to 14


def parse_header(data: Data, start: int = 0) -> Header:
    """Split the header from the bytes; judge nothing but what hides where the frame ends.

    Raises:
        NeedMoreData: the header is not complete.
        ProtocolError: the most significant bit of a 64-bit payload length is set.
    """
    if len(data) < start + 2:
        raise NeedMoreData
    first, second = data[start], data[start + 1]
    length, at = second & PAYLOAD_LENGTH, start + 2
    form: LengthForm = 7
    if length >= LENGTH_16:
        form = 16 if length == LENGTH_16 else 64
        end = at + form // 8
        if form == 64 and len(data) > at and data[at] & 0x80:
            raise ProtocolError(
                "the most significant bit of a 64-bit payload length is set; it must be 0",
                offset=at - start,
                field="payload length",
                section=LAYOUT,
            )
        if len(data) < end:
            raise NeedMoreData
        length, at = int.from_bytes(data[at:end], "big"), end
    key = None
    if second & MASK:
        if len(data) < at + 4:
            raise NeedMoreData
        key, at = bytes(data[at : at + 4]), at + 4
    return Header(
        fin=bool(first & FIN),
        rsv1=bool(first & RSV1),
        rsv2=bool(first & RSV2),
        rsv3=bool(first & RSV3),
        opcode=first & OPCODE,
        masking_key=key,
        payload_length=length,
        length_form=form,
        size=at - start,
    )


def check_header(data: Data, *, role: Role | None = None, rsv1: bool = False) -> None:
    """Judge a header as far as it is there, so that a rule is seen broken at the earliest byte that breaks it.

    Args:
        data: the bytes of a frame from its first on; may stop anywhere.
        role: the sender's role; turns on the masking rule.
        rsv1: an extension has claimed RSV1, as permessage-deflate does.

    Raises:
        ProtocolError: with status code 1002, for the first rule that is broken.
    """
    if len(data) >= 1:
        _check_first_byte(data[0], rsv1)
    if len(data) >= 2:
        _check_second_byte(data[0] & OPCODE, data[1], role)
        _check_minimal(data)


def _check_first_byte(first: int, rsv1: bool) -> None:
    opcode = first & OPCODE
    for bit, name in (RSV1, "RSV1"), (RSV2, "RSV2"), (RSV3, "RSV3"):
        if not first & bit:
            continue
        if not (bit == RSV1 and rsv1):
            raise ProtocolError(
                f"{name} is 1 and no extension gave it a meaning", offset=0, field=name, section=LAYOUT
            )
        # permessage-deflate marks messages, so the bit stands on a message's first fragment and nowhere else.
        if opcode not in (Opcode.TEXT, Opcode.BINARY):
            raise ProtocolError(
                f"RSV1 is 1 on a {opcode_name(opcode)} frame; only the first fragment of a message may say it",
                offset=0,
                field="RSV1",
                section="RFC 7692, 6.1",
            )
    if opcode not in OPCODE_NAMES:
        raise ProtocolError(f"opcode 0x{opcode:X} is reserved", offset=0, field="opcode", section=LAYOUT)
    if is_control(opcode) and not first & FIN:
        raise ProtocolError(
            f"FIN is 0 on a {opcode_name(opcode)} frame; a control frame must not be fragmented",
            offset=0,
            field="FIN",
            section="RFC 6455, 5.5",
        )


def _check_second_byte(opcode: int, second: int, role: Role | None) -> None:
    if role == "client" and not second & MASK:
        raise ProtocolError("a client must mask every frame", offset=1, field="MASK", section="RFC 6455, 5.1")
    if role == "server" and second & MASK:
        raise ProtocolError("a server must not mask a frame", offset=1, field="MASK", section="RFC 6455, 5.1")
    if is_control(opcode) and second & PAYLOAD_LENGTH > MAX_CONTROL_PAYLOAD:
        raise ProtocolError(
            f"a {opcode_name(opcode)} frame has at most {MAX_CONTROL_PAYLOAD} bytes of payload; "
            f"found {second & PAYLOAD_LENGTH} in the 7 bits of the payload length",
            offset=1,
            field="payload length",
            section="RFC 6455, 5.5",
        )
    if opcode == Opcode.CLOSE:
        payload_at = 6 if second & MASK else 2
        parse_close_payload(b"", offset=payload_at, length=second & PAYLOAD_LENGTH)


def _check_minimal(data: Data) -> None:
    """The payload length must be written in the shortest form that holds it."""
    form = {LENGTH_16: 16, LENGTH_64: 64}.get(data[1] & PAYLOAD_LENGTH, 7)
    extended = data[2 : 2 + form // 8]
    if form == 16 and len(extended) == 2 and int.from_bytes(extended, "big") < LENGTH_16:
        found = f"{int.from_bytes(extended, 'big')}, in 16 bits; 7 bits hold it"
    elif form == 64 and len(extended) >= 6 and not any(extended[:6]):
        # The first six bytes show it, whatever the last two will be.
        found = "less than 65,536, in 64 bits; 16 bits hold it"
    else:
        return
    raise ProtocolError(f"the payload length is {found}", offset=2, field="payload length", section=LAYOUT)


def shortest_form(length: int) -> LengthForm:
    """The fewest bits, 7, 16 or 64, that section 5.2 has for a payload length in bytes."""
    return 7 if length < LENGTH_16 else 16 if length < 1 << 16 else 64


# A frame as a value, and the way between it and its bytes (RFC 6455, 5.2)

BIT = (False, True)


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame as a value. The payload is always the unmasked one.

    Args:
        opcode: 0 to 15, an ``Opcode`` or a reserved one.
        payload: bytes, not masked.
        fin: whether it is the last fragment of its message.
        rsv1, rsv2, rsv3: the reserved bits.
        masking_key: 4 bytes, or ``None`` for a frame that is not masked.

    Raises:
        TypeError, ValueError: a value that no bits could carry. Whether a frame is *legal* is for ``check``.
    """

    opcode: int
    payload: bytes = b""
    fin: bool = True
    rsv1: bool = False
    rsv2: bool = False
    rsv3: bool = False
    masking_key: bytes | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.opcode, int) or not 0 <= self.opcode <= 15:
            raise ValueError(f"an opcode has 4 bits, 0 to 15: {self.opcode!r} (RFC 6455, 5.2)")
        if self.opcode in OPCODE_NAMES:
            object.__setattr__(self, "opcode", Opcode(self.opcode))
        need_bytes(self.payload, "payload")
        object.__setattr__(self, "payload", bytes(self.payload))
        if not (self.fin in BIT and self.rsv1 in BIT and self.rsv2 in BIT and self.rsv3 in BIT):
            found = f"{self.fin!r:.30}, {self.rsv1!r:.30}, {self.rsv2!r:.30}, {self.rsv3!r:.30}"
            raise ValueError(f"FIN, RSV1, RSV2 and RSV3 are True or False; found {found}")
        if self.masking_key is not None:
            need_bytes(self.masking_key, "masking key")
            object.__setattr__(self, "masking_key", bytes(self.masking_key))
            if len(self.masking_key) != 4:
                raise ValueError(f"a masking key has 4 bytes, not {len(self.masking_key)} (RFC 6455, 5.3)")

    @classmethod
    def parse(
        cls, data: Data, *, role: Role | None = None, rsv1: bool = False, strict: bool = True
    ) -> tuple[Frame, int]:
        """Read one frame from the start of ``data``.

        Args:
            data: bytes from the wire; may hold less than a frame, or more.
            role: the sender's role; turns on the masking rule.
            rsv1: an extension has claimed RSV1.
            strict: ``False`` only splits, and lets a frame that breaks a rule through.

        Returns:
            The frame, and how many bytes of ``data`` it took.

        Raises:
            NeedMoreData: nothing is wrong so far, and the frame is not complete.
            ProtocolError: a rule is broken; as early as the bytes show it.
            TypeError, ValueError: an argument that is none of the above.
        """
        need_bytes(data)
        need_role(role)
        if strict:
            check_header(data, role=role, rsv1=rsv1)
        header = parse_header(data)
        end = header.size + header.payload_length
        judged = strict and header.opcode == Opcode.CLOSE  # whose payload has rules of its own
        if len(data) < end and not judged:
            raise NeedMoreData
        payload = bytes(data[header.size : end])
        if header.masking_key is not None:
            payload = apply_mask(payload, header.masking_key)
        if judged:
            parse_close_payload(payload, offset=header.size, length=header.payload_length)
            if len(data) < end:
                raise NeedMoreData
        return cls(header.opcode, payload, *header[:4], header.masking_key), end

    def serialize(self, *, length_form: LengthForm | None = None) -> bytes:
        """The bytes of the frame, masked if it has a masking key. It never judges.

        Args:
            length_form: 7, 16 or 64 writes the payload length in that many bits, which section 5.2 allows only for
                the shortest that holds it; ``None`` takes the shortest.

        Raises:
            ValueError: the payload length does not fit in ``length_form``.
        """
        header = self._header(length_form)
        if self.masking_key is None:
            return header + self.payload
        return header + apply_mask(self.payload, self.masking_key)

    def _header(self, length_form: LengthForm | None = None) -> bytes:
        length = len(self.payload)
        form = length_form or shortest_form(length)
        if form < shortest_form(length):
            raise ValueError(
                f"a payload length of {length:,} bytes does not fit in {form} bits (RFC 6455, 5.2)"
            )
        first = self.fin * FIN | self.rsv1 * RSV1 | self.rsv2 * RSV2 | self.rsv3 * RSV3 | self.opcode
        seven_bits = {7: length, 16: LENGTH_16, 64: LENGTH_64}[form]
        key = self.masking_key
        second = (MASK if key is not None else 0) | seven_bits
        extended = length.to_bytes(form // 8, "big") if form > 7 else b""
        return bytes((first, second)) + extended + (key or b"")

    def check(self, role: Role | None = None, rsv1: bool = False) -> None:
        """Hold the frame against every rule that one frame alone can break.

        That text is UTF-8 is a rule of messages, since a fragment may end inside a character: see MessageAssembler.

        Args:
            role: the sender's role; turns on the masking rule.
            rsv1: an extension has claimed RSV1.

        Raises:
            ProtocolError: offsets count from the start of ``serialize()``.
            ValueError: a role that there is not.
        """
        need_role(role)
        header = self._header()
        check_header(header, role=role, rsv1=rsv1)
        if self.opcode == Opcode.CLOSE:
            parse_close_payload(self.payload, offset=len(header))

    def spans(self) -> list[Span]:
        """What each bit and byte of ``serialize()`` is, in order."""
        from .frame_spans import frame_spans  # here: explaining stands on splitting, which is this module

        return frame_spans(self.serialize())
