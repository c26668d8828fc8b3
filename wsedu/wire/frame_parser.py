# SPDX-License-Identifier: GPL-2.0-or-later
"""Where WebSocket frames end (RFC 6455, 5.2): the header says how long the payload is, and nothing stands between."""

from ..protocol.errors import NeedMoreData, ProtocolError
from ..protocol.frames import apply_mask, check_header, parse_header
from .message_parser import Incoming, ParsedMessage, Sender, UnfinishedMessage


class FrameParser:
    """Finds the frames of one direction, whatever rules they break, as long as their lengths can be read."""

    begun = True  # frames follow a handshake, and whatever comes then is one

    def next_message(self, source: Incoming) -> ParsedMessage | None:
        """Take the next frame; ``None`` if it is not complete. Raises as the parser of HTTP."""
        try:
            header = parse_header(source.buffer)
        except NeedMoreData:
            return None
        size = header.size + header.payload_length
        if len(source.buffer) < size:
            return None
        start, raw = source.start, source.take(size)
        # A view: a slice of bytes would be a copy of what is about to be copied.
        view, mask = memoryview(raw)[header.size :], header.masking_key
        payload = bytes(view) if mask is None else apply_mask(view, mask)
        return ParsedMessage("frame", source.sender, start, raw, None, payload, header.size)

    def unfinished(self, source: Incoming) -> UnfinishedMessage:
        """What is there of a frame."""
        there = len(source.buffer)
        try:
            header = parse_header(source.buffer)
        except NeedMoreData:
            return UnfinishedMessage("frame", there, None, there)
        return UnfinishedMessage("frame", there, header.size + header.payload_length, header.size)


def may_begin_frames(data: bytes, sender: Sender) -> bool:
    """Whether frames may begin where a segment does, inside a connection of which the capture lacks the beginning.

    Bytes of a payload look like a legal header once in twenty times. So the frames have to end with the segment, but
    for one so long that its length takes more than 7 bits.
    """
    at, long = 0, False
    while at < len(data):
        try:
            check_header(data[at : at + 14], role=sender, rsv1=True)
            header = parse_header(data, at)
        except NeedMoreData:
            return at > 0
        except ProtocolError:
            return False
        at += header.size + header.payload_length
        long = header.length_form > 7
    return at == len(data) or long
