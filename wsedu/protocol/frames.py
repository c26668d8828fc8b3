# SPDX-License-Identifier: GPL-2.0-or-later
"""A frame as a value, and the way between it and its bytes (RFC 6455, 5.2)."""

from __future__ import annotations

from dataclasses import dataclass

from .arguments import Data, Role, need_bytes, need_role
from .errors import NeedMoreData
from .frame_spans import frame_spans
from .header import (
    FIN,
    LENGTH_16,
    LENGTH_64,
    MASK,
    RSV1,
    RSV2,
    RSV3,
    LengthForm,
    check_header,
    parse_header,
    shortest_form,
)
from .masking import apply_mask
from .opcodes import OPCODE_NAMES, Opcode
from .spans import Span
from .status import parse_close_payload

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
        return frame_spans(self.serialize())
