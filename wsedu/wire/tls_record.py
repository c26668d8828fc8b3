# SPDX-License-Identifier: GPL-2.0-or-later
"""A record of TLS as anybody on the way sees it, for pictures: ladder and byte map draw it as they draw a message."""

from ..protocol.spans import Kind, Span
from .message_parser import Sender
from .tls import APPLICATION_DATA, Record

TYPES = {20: "ChangeCipherSpec", 21: "alert", 22: "handshake", 23: "application data"}  # RFC 8446, 5.1
MESSAGES = {  # of the handshake (RFC 8446, 4)
    1: "ClientHello", 2: "ServerHello", 4: "NewSessionTicket", 8: "EncryptedExtensions", 11: "Certificate",
    15: "CertificateVerify", 20: "Finished", 24: "KeyUpdate",
}  # fmt: skip


class TlsRecord:
    """A record of TLS 1.3, header and all.

    Args:
        sender: who sent it.
        time: in seconds.
        packet: index of the one that completed it.
        record: itself.
        conversation: number of its connection.

    Attributes:
        raw: its bytes.
        content_type, content: what is inside, where there is a key for it; or else what everybody sees, and ``None``.
        kind: the handshake messages that end in it; or else what its content type says.
    """

    def __init__(self, sender: Sender, time: float, packet: int, record: Record, conversation: int = 0) -> None:
        self.sender, self.time, self.packet, self.conversation = sender, time, packet, conversation
        self.content_type, self.content, self.raw, messages = record
        names = [MESSAGES.get(message, "handshake") for message in messages]
        self.kind = ", ".join(names) or TYPES.get(self.content_type, "unknown")

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
