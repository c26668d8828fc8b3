# SPDX-License-Identifier: GPL-2.0-or-later
"""A frame: its masking, its header, and both as a value (RFC 6455, 5.1 to 5.5).

The layout is written down here and nowhere else; the Scapy layer, the fast reader and every picture take it from
this module::

     0 1 2 3 4 5 6 7   0 1 2 3 4 5 6 7
    +-+-+-+-+-------+ +-+-------------+ +---------------+ +-------------+ +---------
    |F|R|R|R| opcode| |M|   payload   | |   extended    | |   masking   | |
    |I|S|S|S|       | |A|   length    | |payload length | |     key     | | payload
    |N|V|V|V|       | |S|             | |  0, 2 or 8    | |   0 or 4    | |
    | |1|2|3|       | |K|             | |    bytes      | |    bytes    | |
    +-+-+-+-+-------+ +-+-------------+ +---------------+ +-------------+ +---------

Three verbs are kept apart. To *split* is to find where a frame ends (``parse_header``); to *check* is to hold it
against the rules (``check_header``, ``Frame.check``); to *explain* is to say what each bit is (``frame_spans``). So a
frame that breaks a rule can still be captured, shown and sent.

In order of reading: masking; the header, split and checked; ``Frame``.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from .errors import Data, NeedMoreData, ProtocolError, Role, need_bytes, need_role
from .opcodes import OPCODE_NAMES, Opcode, is_control, opcode_name
from .spans import Span
from .status import parse_close_payload

# Masking (RFC 6455, 5.3)

# Python XORs bytes fastest as one big integer, until that no longer fits the processor's first cache. From this size
# on, in bytes, pieces of it win (measured on CPython 3.11). It is a multiple of 4, so that each piece begins with the
# first byte of the key.
MASK_AT_ONCE = 4096


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
    # "j = i MOD 4; transformed-octet-i = original-octet-i XOR masking-key-octet-j"
    turn, length = offset % 4, len(data)
    if turn:
        key = key[turn:] + key[:turn]
    # "the same steps are applied to mask the data as to unmask the data".
    if length <= MASK_AT_ONCE:
        # Both numbers are read from the same end, so it does not matter from which; this one saves turning them round.
        repeated = int.from_bytes((key * (length // 4 + 1))[:length], "little")
        return (int.from_bytes(data, "little") ^ repeated).to_bytes(length, "little")
    # One buffer of the whole length, from which getvalue() takes no copy: a large payload is in memory twice, not more.
    masked, view = io.BytesIO(bytes(length)), memoryview(data)
    repeated = int.from_bytes(key * (MASK_AT_ONCE // 4), "little")
    whole = length - length % MASK_AT_ONCE
    for at in range(0, whole, MASK_AT_ONCE):
        piece = int.from_bytes(view[at : at + MASK_AT_ONCE], "little") ^ repeated
        masked.write(piece.to_bytes(MASK_AT_ONCE, "little"))
    masked.write(apply_mask(view[whole:], key))
    return masked.getvalue()


# The header: its bits, how to split them off, how to check them (RFC 6455, 5.2)

# FIN: "Indicates that this is the final fragment in a message. The first fragment MAY also be the final fragment." Then
# three bits for extensions, and four that define "the interpretation of the "Payload data"".
# first byte
FIN = 0b1000_0000
RSV1 = 0b0100_0000
RSV2 = 0b0010_0000
RSV3 = 0b0001_0000
OPCODE = 0b0000_1111
# Of each first byte: FIN, RSV1, RSV2, RSV3 and the opcode. A table, since this is asked for every frame.
FIRST_BYTES = tuple(
    (first & FIN != 0, first & RSV1 != 0, first & RSV2 != 0, first & RSV3 != 0, first & OPCODE) for first in range(256)
)
# second byte
MASK = 0b1000_0000
PAYLOAD_LENGTH = 0b0111_1111

# "If 126, the following 2 bytes interpreted as a 16-bit unsigned integer are the payload length. If 127, the following
# 8 bytes interpreted as a 64-bit unsigned integer (the most significant bit MUST be 0) are the payload length."
LENGTH_16 = 126
LENGTH_64 = 127
# "All control frames MUST have a payload length of 125 bytes or less and MUST NOT be fragmented" (RFC 6455, 5.5): so
# their length always fits the 7 bits.
MAX_CONTROL_PAYLOAD = 125

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
    """Split the header from the bytes; refuse nothing but what hides where the frame ends.

    Raises:
        NeedMoreData: the header is not complete.
        ProtocolError: the most significant bit of a 64-bit payload length is set.
    """
    if len(data) < start + 2:
        raise NeedMoreData
    first, second = data[start], data[start + 1]
    # "The length of the "Payload data", in bytes: if 0-125, that is the payload length."
    length, at = second & PAYLOAD_LENGTH, start + 2
    form: LengthForm = 7
    if length >= LENGTH_16:
        form = 16 if length == LENGTH_16 else 64
        end = at + form // 8
        # The bit must be 0 so that a signed number of 64 bits can hold the length, which is all that Java has. With
        # the bit set there is no length, and nobody can say where the next frame begins.
        if form == 64 and len(data) > at and data[at] & 0x80:
            message = "the most significant bit of a 64-bit payload length is set; it must be 0"
            raise ProtocolError(message, offset=at - start, field="payload length", section=LAYOUT)
        if len(data) < end:
            raise NeedMoreData
        # "Multibyte length quantities are expressed in network byte order."
        length, at = int.from_bytes(data[at:end], "big"), end
    # Here ends what a frame of a server has.
    key = None
    # The key "is present if the mask bit is set to 1 and is absent if the mask bit is set to 0"; the payload length
    # "does NOT include the length of the masking key" (RFC 6455, 5.3).
    if second & MASK:
        if len(data) < at + 4:
            raise NeedMoreData
        key, at = bytes(data[at : at + 4]), at + 4
    return Header(*FIRST_BYTES[first], key, length, form, at - start)


def check_header(data: Data, *, role: Role | None = None, rsv1: bool = False) -> None:
    """Hold a header against the rules as far as it is there, so that one is seen broken at the earliest byte.

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
        if data[1] & PAYLOAD_LENGTH >= LENGTH_16:
            _check_minimal(data)


# A byte has few values, and a legal one is legal every time: lru_cache remembers that a call returned, and not that it
# raised. So the good case costs one look-up, and the bad case is explained each time.
@lru_cache(maxsize=None)  # as Scapy runs on Python 3.7 too, and the layer goes there: not cache  # noqa: UP033
def _check_first_byte(first: int, rsv1: bool) -> None:
    opcode = first & OPCODE
    # RFC 7692, 6.1: an endpoint must not set it on "control frames and non-first fragments of a data message", as
    # permessage-deflate compresses messages, and not frames.
    if first & RSV1 and rsv1 and opcode not in (Opcode.TEXT, Opcode.BINARY):
        message = f"RSV1 is 1 on a {opcode_name(opcode)} frame; only the first fragment of a message may say it"
        raise ProtocolError(message, offset=0, field="RSV1", section="RFC 7692, 6.1")
    # "MUST be 0 unless an extension is negotiated that defines meanings for non-zero values."
    for bit, name in (RSV1, "RSV1"), (RSV2, "RSV2"), (RSV3, "RSV3"):
        if first & bit and not (bit == RSV1 and rsv1):
            message = f"{name} is 1 and no extension gave it a meaning"
            raise ProtocolError(message, offset=0, field=name, section=LAYOUT)
    # "If an unknown opcode is received, the receiving endpoint MUST _Fail the WebSocket Connection_."
    if opcode not in OPCODE_NAMES:
        raise ProtocolError(f"opcode 0x{opcode:X} is reserved", offset=0, field="opcode", section=LAYOUT)
    if is_control(opcode) and not first & FIN:
        message = f"FIN is 0 on a {opcode_name(opcode)} frame; a control frame must not be fragmented"
        raise ProtocolError(message, offset=0, field="FIN", section="RFC 6455, 5.5")


@lru_cache(maxsize=None)  # noqa: UP033
def _check_second_byte(opcode: int, second: int, role: Role | None) -> None:
    # "a client MUST mask all frames that it sends to the server": or else a page could have its victim's browser write
    # bytes of its own choice, which a proxy on the way might take for HTTP and keep in its cache (RFC 6455, 10.3).
    if role == "client" and not second & MASK:
        raise ProtocolError("a client must mask every frame", offset=1, field="MASK", section="RFC 6455, 5.1")
    # "A client MUST close a connection if it detects a masked frame."
    if role == "server" and second & MASK:
        raise ProtocolError("a server must not mask a frame", offset=1, field="MASK", section="RFC 6455, 5.1")
    length = second & PAYLOAD_LENGTH
    if is_control(opcode) and length > MAX_CONTROL_PAYLOAD:
        message = f"a {opcode_name(opcode)} frame has at most {MAX_CONTROL_PAYLOAD} bytes of payload"
        message += f"; found {length} in the 7 bits of the payload length"
        raise ProtocolError(message, offset=1, field="payload length", section="RFC 6455, 5.5")
    if opcode == Opcode.CLOSE:  # whose length alone can be wrong: 1
        parse_close_payload(b"", offset=6 if second & MASK else 2, length=length)


def _check_minimal(data: Data) -> None:
    """5.2: "in all cases, the minimal number of bytes MUST be used to encode the length", so each has one form."""
    form, extended = data[1] & PAYLOAD_LENGTH, bytes(data[2:8])
    if form == LENGTH_16 and len(extended) >= 2 and (length := int.from_bytes(extended[:2], "big")) < LENGTH_16:
        found = f"{length}, in 16 bits; 7 bits hold it"
    elif form == LENGTH_64 and len(extended) == 6 and not any(extended):
        # The first six bytes show it, whatever the last two will be.
        found = "less than 65,536, in 64 bits; 16 bits hold it"
    else:
        return
    raise ProtocolError(f"the payload length is {found}", offset=2, field="payload length", section=LAYOUT)


def shortest_form(length: int) -> LengthForm:
    """The fewest bits, 7, 16 or 64, that section 5.2 has for a payload length in bytes."""
    # Its example: "the length of a 124-byte-long string can't be encoded as the sequence 126, 0, 124".
    return 7 if length < LENGTH_16 else 16 if length < 1 << 16 else 64


# A frame as a value

BIT = (False, True)
# What a value of the 4 bits is kept as: the member of Opcode where there is one. To look it up is five times as fast as
# to call the class.
OPCODES: tuple[int, ...] = tuple(Opcode(code) if code in OPCODE_NAMES else code for code in range(16))


class _FrameUnderWay:
    """A frame whose attributes can still be set: the same slots as those of ``Frame``."""

    __slots__ = ("fin", "masking_key", "opcode", "payload", "rsv1", "rsv2", "rsv3")


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
        if not (self.fin in BIT and self.rsv1 in BIT and self.rsv2 in BIT and self.rsv3 in BIT):
            found = ", ".join(f"{bit!r:.30}" for bit in (self.fin, self.rsv1, self.rsv2, self.rsv3))
            raise ValueError(f"FIN, RSV1, RSV2 and RSV3 are True or False; found {found}")
        keep = object.__setattr__  # which a frozen dataclass leaves to itself
        keep(self, "opcode", OPCODES[self.opcode])
        if type(self.payload) is not bytes:
            need_bytes(self.payload, "payload")
            keep(self, "payload", bytes(self.payload))
        if self.masking_key is not None:
            need_bytes(self.masking_key, "masking key")
            if len(self.masking_key) != 4:
                raise ValueError(f"a masking key has 4 bytes, not {len(self.masking_key)} (RFC 6455, 5.3)")
            keep(self, "masking_key", bytes(self.masking_key))

    @staticmethod
    def of_parts(first: int, payload: bytes, masking_key: bytes | None) -> Frame:
        """A frame of values that are known to be good, as they come from bytes: first byte, payload, key."""
        # A frozen dataclass sets each attribute through object.__setattr__, which is half of what making one costs, and
        # a reader makes many. Here they are set while that is still allowed; the instance becomes a Frame at the end.
        frame: Any = _FrameUnderWay()
        frame.fin, frame.rsv1, frame.rsv2, frame.rsv3, opcode = FIRST_BYTES[first]
        frame.opcode, frame.payload, frame.masking_key = OPCODES[opcode], payload, masking_key
        frame.__class__ = Frame
        made: Frame = frame
        return made

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
        if type(data) is not bytes:
            need_bytes(data)
        if role is not None:
            need_role(role)
        if strict:
            check_header(data, role=role, rsv1=rsv1)
        header = parse_header(data)
        end = header.size + header.payload_length
        close = strict and header.opcode == Opcode.CLOSE  # whose payload has rules of its own
        # A status code that must not be sent is seen in the first two bytes of a Close frame's payload.
        if len(data) < end and not close:
            raise NeedMoreData
        payload = bytes(data[header.size : end])
        if header.masking_key is not None:
            payload = apply_mask(payload, header.masking_key)
        if close:
            parse_close_payload(payload, offset=header.size, length=header.payload_length)
            if len(data) < end:
                raise NeedMoreData
        return cls.of_parts(data[0], payload, header.masking_key), end

    def serialize(self, *, length_form: LengthForm | None = None) -> bytes:
        """The bytes of the frame, masked if it has a masking key. It never checks.

        Args:
            length_form: 7, 16 or 64 writes the payload length in that many bits, which section 5.2 allows only for
                the shortest that holds it; ``None`` takes the shortest.

        Raises:
            ValueError: the payload length does not fit in ``length_form``.
        """
        # Nothing is checked, so that a frame that breaks a rule can be sent, and one can see what a peer does about it.
        header = self._header(length_form)
        if self.masking_key is None:
            return header + self.payload
        return header + apply_mask(self.payload, self.masking_key)

    def _header(self, length_form: LengthForm | None = None) -> bytes:
        length = len(self.payload)
        shortest = shortest_form(length)
        form = length_form or shortest
        if form < shortest:
            raise ValueError(f"a payload length of {length:,} bytes does not fit in {form} bits ({LAYOUT})")
        first = self.fin * FIN | self.rsv1 * RSV1 | self.rsv2 * RSV2 | self.rsv3 * RSV3 | self.opcode
        key = self.masking_key
        second = (MASK if key is not None else 0) | {7: length, 16: LENGTH_16, 64: LENGTH_64}[form]
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
        # The bytes are what the rules are about, so a value is held against them as it would be sent. The payload is
        # left out, but for Close: no rule of a frame looks into it.
        header = self._header()
        check_header(header, role=role, rsv1=rsv1)
        if self.opcode == Opcode.CLOSE:
            parse_close_payload(self.payload, offset=len(header))

    def spans(self) -> list[Span]:
        """What each bit and byte of ``serialize()`` is, in order."""
        from .frame_spans import frame_spans  # here: explaining stands on splitting, which is this module

        return frame_spans(self.serialize())
