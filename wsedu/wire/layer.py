# SPDX-License-Identifier: GPL-2.0-or-later
"""A WebSocket layer for Scapy: one packet is one frame (RFC 6455, 5.2).

Bytes in, every field out; fields in, exact bytes out::

    >>> from wsedu.wire import WebSocket
    >>> bytes(WebSocket(opcode="Text", data=b"Hello")).hex()
    '810548656c6c6f'
    >>> WebSocket(bytes.fromhex("818537fa213d7f9f4d5158")).data
    b'Hello'

``data`` is the payload unmasked; on the wire it is masked where ``mask`` is 1. A length that is left alone is
filled in, in its shortest form; one that is given stays as it is, right or wrong. In captures the layer is found by
``WebSocketSession``, on any port. Scapy's own ``TCPSession`` can be told one, ``bind_layers(TCP, WebSocket,
sport=8765)``, and then loses what comes twice, late, not at all, or with many frames in a segment.
"""

from typing import Any

from scapy.fields import BitEnumField, BitField, ConditionalField, Field, MayEnd, StrLenField, XStrFixedLenField
from scapy.layers.inet import TCP
from scapy.packet import Packet, bind_top_down

from ..protocol.frames import LENGTH_16, LENGTH_64, MASK, PAYLOAD_LENGTH, apply_mask, shortest_form
from ..protocol.opcodes import Opcode, opcode_name
from ..protocol.status import status_name

OPCODES = {code: opcode_name(code) for code in range(16)}
EXTENDED_LENGTH = {LENGTH_16: 2, LENGTH_64: 8}  # bytes behind the first two, by the value of the 7 bits


class ExtendedLengthField(Field[int, int]):
    """The payload length in 2 or 8 bytes; ``None`` where a frame stops inside it."""

    def getfield(self, pkt: Packet, s: bytes) -> tuple[bytes, Any]:
        """Take the length off."""
        return Field.getfield(self, pkt, s) if len(s) >= self.sz else (b"", None)


class PayloadField(StrLenField):
    """The payload: masked on the wire, unmasked in the packet."""

    def getfield(self, pkt: Packet, s: bytes) -> tuple[bytes, bytes]:
        """Take as many bytes as the length says, or as there are."""
        size = payload_length(pkt)
        return s[size:], unmasked(pkt, s[:size])

    def addfield(self, pkt: Packet, s: bytes, val: bytes | None) -> bytes:
        """Put the bytes on the wire."""
        return bytes(s + unmasked(pkt, val or b""))

    def i2repr(self, pkt: Packet | None, x: bytes | None) -> str:
        """The payload as text; that of a Close frame with its status code."""
        if pkt is not None and x and (code := pkt.status_code) is not None:
            return f"{code} {status_name(code)}" + (f", {x[2:]!r}" if x[2:] else "")
        return repr(x or b"")


def payload_length(pkt: Packet) -> int:
    """The payload length in bytes, as one of the three forms says it."""
    if pkt.length == LENGTH_16:
        return int(pkt.length16 or 0)
    return int(pkt.length64 or 0) if pkt.length == LENGTH_64 else int(pkt.length or 0)


def unmasked(pkt: Packet, data: bytes) -> bytes:
    """The data without, or with, its mask: one undoes the other (RFC 6455, 5.3)."""
    return apply_mask(data, pkt.masking_key) if pkt.mask and data else bytes(data)


class WebSocket(Packet):
    """A frame."""

    __slots__ = ["inflated"]  # what permessage-deflate made smaller, of the last frame of a message
    name = "WebSocket"
    fields_desc = [
        BitField("fin", 1, 1),
        BitField("rsv1", 0, 1),
        BitField("rsv2", 0, 1),
        BitField("rsv3", 0, 1),
        MayEnd(BitEnumField("opcode", int(Opcode.TEXT), 4, OPCODES)),
        BitField("mask", 0, 1),
        BitField("length", None, 7),
        ConditionalField(ExtendedLengthField("length16", None, "!H"), lambda pkt: pkt.length == LENGTH_16),
        ConditionalField(ExtendedLengthField("length64", None, "!Q"), lambda pkt: pkt.length == LENGTH_64),
        ConditionalField(XStrFixedLenField("masking_key", bytes(4), 4), lambda pkt: pkt.mask),
        PayloadField("data", b"", length_from=payload_length),
    ]

    def post_build(self, pkt: bytes, pay: bytes) -> bytes:
        """Fill in the length where it was left alone."""
        size, length, before = len(self.data or b""), self.length, 0  # before: bytes of an extended length in pkt
        if length is None:
            length = {7: size, 16: LENGTH_16, 64: LENGTH_64}[shortest_form(size)]
        elif length in EXTENDED_LENGTH and (self.length16 if length == LENGTH_16 else self.length64) is None:
            before = EXTENDED_LENGTH[length]
        else:
            return pkt + pay
        # All that fits of it, where a length was given in 16 bits that needs more.
        extended = size.to_bytes(8, "big")[8 - EXTENDED_LENGTH.get(length, 0) :]
        pkt = pkt[:1] + bytes((pkt[1] & MASK | length,)) + extended + pkt[2 + before :]
        return pkt + pay

    def extract_padding(self, s: bytes) -> tuple[bytes, bytes]:
        """What follows a frame is no part of it."""
        return b"", s

    @classmethod
    def tcp_reassemble(cls, data: bytes, *_: Any) -> Packet | None:
        """The frame at the start of the data, as Scapy's ``TCPSession`` asks for it; ``None`` if it is not complete."""
        frame = cls(data)
        return frame if frame.complete else None

    def copy(self) -> Any:
        """The same once more."""
        clone = super().copy()
        clone.inflated = getattr(self, "inflated", None)
        return clone

    @property
    def content(self) -> bytes | None:
        """The message, if this is its last frame and a session has inflated it (RFC 7692); else ``None``."""
        return getattr(self, "inflated", None)

    @property
    def complete(self) -> bool:
        """Whether all is there that the header announces; ``False`` if the frame was cut short."""
        raw = bytes(self)
        if len(raw) < 2:
            return False
        header_size = 2 + EXTENDED_LENGTH.get(raw[1] & PAYLOAD_LENGTH, 0) + 4 * bool(raw[1] & MASK)
        # A length with its top bit set, which nothing has, is longer than anything that is there.
        return len(raw) >= header_size + payload_length(self)

    @property
    def status_code(self) -> int | None:
        """Of a Close frame: its status code; ``None`` if it has none, and for other frames."""
        data = self.data
        if self.opcode != Opcode.CLOSE or not data or len(data) < 2:
            return None
        return int.from_bytes(data[:2], "big")

    @property
    def reason(self) -> str | None:
        """Of a Close frame with a status code: its reason; ``None`` for others. What is not UTF-8 is replaced."""
        return None if self.status_code is None else self.data[2:].decode("utf-8", "replace")

    def mysummary(self) -> Any:
        """One line: what kind of frame, and how long."""
        more = ("" if self.fin else ", not the last fragment") + ("" if self.complete else ", cut short")
        return f"WebSocket {self.sprintf('%opcode%')} {len(self.data or b'')} bytes{more}"


# Only for building, as in IP()/TCP()/WebSocket(): what Scapy dissects stays as it was.
bind_top_down(TCP, WebSocket)
