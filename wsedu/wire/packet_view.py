# SPDX-License-Identifier: GPL-2.0-or-later
"""A packet of a capture as a thing to look at: its layers, and in them the messages that it carries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from ..protocol.opcodes import opcode_name
from ..protocol.spans import Kind, Span
from .message import CapturedMessage
from .packet_spans import Layer, packet_layers, part_of
from .packets import SYN, Segment, Unreadable, segment_of
from .pcapfile import Packet
from .streams import HALF, SPACE


class PacketView:
    """A packet with its layers; ``byte_map`` and ``touch`` take it.

    Attributes:
        index: its number in the capture, from 0.
        time: in seconds since the first packet of the capture.
        raw: its bytes, as far as they were captured.
        modelled: whether TCP/IP in it was made up by the relay of ``record``.
        kind: what to call it.
    """

    def __init__(self, index: int, time: float, raw: bytes, layers: list[Layer], modelled: bool = False) -> None:
        self.index, self.time, self.raw, self._layers = index, time, raw, layers
        self.modelled = modelled
        self.kind = f"packet {index}{', TCP/IP modelled by the relay' if modelled else ''}"

    def layers(self) -> list[Layer]:
        """From the link layer to the messages: each has a name and the spans of its bytes; together they cover all."""
        return self._layers

    def spans(self) -> list[Span]:
        """What each byte is, in order."""
        return [span for _, spans in self._layers for span in spans]

    def __repr__(self) -> str:
        return f"<{self.kind}: {len(self.raw):,} bytes, {', '.join(name for name, _ in self._layers)}>"


class PacketViews:
    """Views of the packets of a capture.

    Args:
        packets: all of them.
        messages: all that were read from them, those of one sender in one conversation in the order of its stream.
        modelled: said of each packet.
    """

    def __init__(self, packets: Sequence[Packet], messages: Iterable[CapturedMessage], modelled: bool = False) -> None:
        self._packets, self._modelled = packets, modelled
        # Of each packet: the messages in it, each with its place in the stream and the first message of the stream.
        self._carried = defaultdict[int, list[tuple[CapturedMessage, int, CapturedMessage]]](list)
        streams: dict[tuple[int, str], tuple[CapturedMessage, int]] = {}
        for message in messages:
            key = message.conversation, message.sender
            first, at = streams.get(key, (message, 0))
            streams[key] = first, at + message.wire_length
            for index in message.packets:
                self._carried[index].append((message, at, first))

    def __getitem__(self, index: int) -> PacketView:
        """The view of a packet, by its number in the capture.

        Raises:
            IndexError: there is no such packet.
        """
        if not 0 <= index < len(self._packets):
            raise IndexError(f"the capture has packets 0 to {len(self._packets) - 1}, and none {index}")
        packet = self._packets[index]
        segment = self._segment(index)
        if segment is None:
            span = Span(0, len(packet.data), "packet", packet.data, "holds no TCP", Kind.TCP_IP)
            layers = [("no TCP", [span])]
        else:
            layers = packet_layers(packet, segment, self._messages(index, segment))
        time = (packet.time - self._packets[0].time) / 1e9
        return PacketView(index, time, packet.data, layers, self._modelled)

    def _segment(self, index: int) -> Segment | None:
        packet = self._packets[index]
        with suppress(Unreadable):
            return segment_of(packet.link_type, packet.data, packet.original_length)
        return None

    def _messages(self, index: int, segment: Segment) -> Iterator[Layer]:
        """The messages in the payload of a packet, in order."""
        for message, place, first in self._carried.get(index, ()):
            raw = message.raw
            # Where the message begins in this payload; before it, if a packet before this one has its beginning.
            begin = _difference(self._origin(first) + place, _sequence(segment))
            at, end = max(begin, 0), min(begin + len(raw), len(segment.payload))
            # Only what is byte for byte the same is explained: a segment sent twice need not have the same bytes twice.
            if at < end and segment.payload[at:end] == raw[at - begin : end - begin]:
                spans = part_of(message.spans(), at - begin, end - begin, segment.places[2] + at)
                yield _name(message, at - begin, end - begin), spans

    def _origin(self, first: CapturedMessage) -> int:
        """The sequence number of the first byte of a stream: the least that its first message was carried under."""
        segments = map(self._segment, first.packets)
        numbers = [_sequence(segment) for segment in segments if segment is not None]
        return min(numbers, key=lambda number: _difference(number, numbers[0]))


def _sequence(segment: Segment) -> int:
    """Of the first byte of data: a SYN takes one itself."""
    return segment.sequence + bool(segment.flags & SYN)


def _difference(one: int, other: int) -> int:
    """How far a sequence number is behind the other; less than 0 if it is before it.

    They wrap ("all arithmetic ... modulo 2**32", RFC 9293, 3.4), so what is more than half the circle away on one way
    round is nearer on the other.
    """
    return (one - other + HALF) % SPACE - HALF


def _name(message: CapturedMessage, start: int, end: int) -> str:
    size = message.wire_length
    name = f"{opcode_name(message.raw[0] & 0x0F)} frame" if message.kind == "frame" else message.kind
    return name if end - start == size else f"{name}, bytes {start:,} to {end - 1:,} of {size:,}"
