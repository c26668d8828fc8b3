# SPDX-License-Identifier: GPL-2.0-or-later
"""A record of TLS as anybody on the way sees it, for pictures: ladder and byte map draw it as they draw a message."""

from ..protocol.spans import Kind, Span
from .message_parser import Sender
from .tls import ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE

TYPES = {
    CHANGE_CIPHER_SPEC: "ChangeCipherSpec",
    ALERT: "alert",
    HANDSHAKE: "handshake",
    APPLICATION_DATA: "application data",
}


class TlsRecord:
    """A record of TLS 1.3, header and all.

    Args:
        sender: who sent it.
        time: in seconds.
        packet: index of the one that completed it.
        raw: its bytes.

    Attributes:
        kind: what its content type says; whoever has opened it may say more.
    """

    def __init__(self, sender: Sender, time: float, packet: int, raw: bytes) -> None:
        self.sender, self.time, self.packet, self.raw = sender, time, packet, raw
        self.kind = TYPES[raw[0]]

    def spans(self) -> list[Span]:
        """What each byte of ``raw`` is, in order."""
        raw, end = self.raw, len(self.raw)
        header, section = Kind.FRAME_HEADER, "RFC 8446, 5.1"
        spans = [
            Span(0, 1, "content type", raw[0], TYPES[raw[0]], header, section),
            Span(1, 3, "legacy version", raw[1:3].hex(" "), "means nothing any more", header, section),
            Span(3, 5, "length", end - 5, "bytes that follow", header, section),
        ]
        if raw[0] != APPLICATION_DATA:
            return [*spans, Span(5, end, "in clear", raw[5:], "readable by everybody", Kind.CONTENT, section)]
        tag, section = end - 16, "RFC 8446, 5.2"
        spans.append(Span(5, tag, "encrypted", raw[5:tag], "content, and its true type", Kind.PAYLOAD, section))
        return [*spans, Span(tag, end, "tag", raw[tag:], "proves that nothing was changed", header, section)]
