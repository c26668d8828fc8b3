# SPDX-License-Identifier: GPL-2.0-or-later
"""The fast way from a capture file to messages, which ``read`` and ``messages`` take.

Most packets of a long WebSocket connection are dull: they look like the one before from the same sender, except for
their length, and carry on where that one stopped. Such packets take the fast way, one dense loop (``batches``) that
reads frames straight out of the buffer the file was read into. Everything else, be it a packet of HTTP, a segment that
came late or twice, or the end of a connection, takes the careful way of ``connections.py``, and so does the first
packet of every sender.

A *lane* is a sender whose next packet may take the fast way. What is known of its TCP stream and of the frame under
way is then in the lane; before a packet of its connection takes the careful way it is handed back there.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NamedTuple

from ..protocol.errors import NeedMoreData, ProtocolError
from ..protocol.frames import LENGTH_16, MASK, apply_mask, parse_header
from .connections import CaptureReader, Endpoint, TcpConnection
from .message import CapturedMessage, FrameMessage
from .message_parser import Sender
from .packets import FIN, RST, SYN, Address, Segment
from .pcapfile import CutShort, Packet, place_packets
from .streams import SPACE

_LAST = SYN | FIN | RST  # flags that take the careful way
_MASKED_16 = MASK | LENGTH_16
_LONGEST_HEADER = 14  # bytes, of a frame
# Bytes of a TCP header by its data offset; one that is too small takes the careful way, being past every end.
_TCP_HEADER = (1 << 60,) * 5 + tuple(range(20, 64, 4))


class _Shape(NamedTuple):
    """Where things stand in packets of one link type and IP version.

    ``unpack`` gives of a packet: what stands before the IP header, and the version; the length that the IP header
    tells; what stands beside it (fragmentation, time to live, next header); addresses and ports; sequence number; data
    offset and flags, in 4 + 12 bits (RFC 791, 3.1; RFC 8200, 3; RFC 9293, 3.1).
    """

    link_type: int
    size: int  # bytes that ``unpack`` needs
    unpack: Callable[[bytes, int], tuple[Any, ...]]
    ip_end: int  # to which the length in the IP header is added
    tcp_at: int


def _shape(link_type: int, ip_at: int, version: int) -> _Shape:
    if version == 4:
        layout = struct.Struct(f"!{ip_at + 1}s x H 2x 4s 2x 12s I 4x H")
        return _Shape(link_type, layout.size, layout.unpack_from, ip_at, ip_at + 20)
    layout = struct.Struct(f"!{ip_at + 1}s 3x H 2s 36s I 4x H")
    return _Shape(link_type, layout.size, layout.unpack_from, ip_at + 40, ip_at + 40)


class _Lane:
    __slots__ = (
        "before", "beside", "connection", "held", "index", "need", "next", "packets", "sender", "side", "start",
    )  # fmt: skip

    def __init__(self, connection: TcpConnection, side: Endpoint) -> None:
        self.connection, self.side = connection, side
        self.index = connection.index
        self.sender: Sender = connection.sender(side)
        self.before = self.beside = b""  # what must be the same in the next packet
        self.next = 0  # sequence number that is due
        self.start = 0  # place in the stream of the frame that is due
        self.held = bytearray()  # what is there of that frame
        self.need = 0  # bytes to hold before another look at it is worth while
        self.packets: list[int] = []  # that carried it so far

    def borrow(self) -> bool:
        """Take over from the careful way; ``False`` if that is not possible now."""
        stream, side = self.side.stream, self.side
        if self.connection.over or not stream.in_order():
            return False
        held = self.connection.exchange.lend_frames(self.sender)
        if held is None:
            return False
        self.next, self.held, self.need = stream.next, held, 0
        self.start = stream.length - len(held)
        self.packets = [packet for end, packet in side.carriers if end > self.start]
        return True

    def hand_back(self) -> None:
        """Give back to the careful way."""
        length = self.side.stream.length = self.start + len(self.held)
        # All of them carried the frame under way; how far each of them reached matters no more.
        self.side.carriers = [(length, packet) for packet in self.packets if self.held]
        self.connection.exchange.take_back(self.sender, self.start, self.held)


class FastReader(CaptureReader):
    """Reads one capture."""

    def __init__(self, warnings: list[str]) -> None:
        super().__init__(warnings)
        self._lanes: dict[bytes, _Lane] = {}  # by addresses and ports as they stand in a packet
        self._shapes: dict[tuple[int, int, int], _Shape] = {}
        self._shape = _shape(-1, 0, 4)  # of the last packet on the careful way; at first that of none
        self._packet = Packet(0, 0, b"", 0)

    def batches(self, file: BinaryIO) -> Iterator[list[CapturedMessage]]:
        """The messages of a capture in the order in which each became complete, some at a time.

        Raises:
            NotACapture, CutShort: as ``place_packets`` does.
        """
        # This is the hot loop: about 2 microseconds a message. So it is one function, and names are local. All that
        # it decides is whether a packet is dull; ``tests/test_fast.py`` holds its messages to those of ``run``.
        cut: CutShort | None = None
        batch: list[CapturedMessage] = []
        index, now, buffer, lanes, shape, header_size = -1, 0, b"", self._lanes, self._shape, _TCP_HEADER
        link, size, unpack, ip_end, tcp_at = shape
        try:
            for now, link_type, original, data, at, end in place_packets(file):
                index += 1
                if data is not buffer:  # a further piece of the file
                    buffer = data
                    if batch:
                        yield batch
                        batch = []
                lane = None
                if link_type == link and end - at >= size:
                    before, length, beside, key, sequence, flags = unpack(data, at)
                    lane = lanes.get(key)
                if lane is not None:
                    start, stop = at + tcp_at + header_size[flags >> 12], at + ip_end + length
                    if (
                        sequence != lane.next
                        or before != lane.before
                        or beside != lane.beside
                        or flags & _LAST
                        or not start <= stop <= end
                    ):
                        lane = None
                if lane is None:
                    self._packet = packet = Packet(now, link_type, data[at:end], original)
                    batch.extend(self.packet(index, packet))
                    if shape is not self._shape:
                        link, size, unpack, ip_end, tcp_at = shape = self._shape
                    continue
                if start == stop:
                    continue  # an acknowledgement

                lane.next = (sequence + stop - start) % SPACE
                packets: tuple[int, ...]
                if lane.held:
                    lane.held += data[start:stop]
                    lane.packets.append(index)
                    if len(lane.held) < lane.need:
                        continue
                    data, start, stop = bytes(lane.held), 0, len(lane.held)
                    lane.held = bytearray()
                    packets = tuple(lane.packets)
                else:
                    packets = (index,)
                # Frames from ``start`` on, until one goes on behind ``stop``: at ``after``, if that is known.
                seconds, at, broken = (now - self.origin) / 1e9, start, False
                while True:
                    after = stop + 1
                    if at + 2 > stop:
                        break
                    second = data[at + 1]
                    if second < LENGTH_16:
                        payload_at = at + 2
                        after = payload_at + second
                        if after > stop:
                            break
                        payload = data[payload_at:after]
                    elif MASK <= second < _MASKED_16:
                        payload_at = at + 6
                        after = payload_at + second - MASK
                        if after > stop:
                            break
                        payload = apply_mask(data[payload_at:after], data[payload_at - 4 : payload_at])
                    else:
                        try:
                            header = parse_header(data[at : min(at + _LONGEST_HEADER, stop)])
                        except NeedMoreData:
                            break
                        except ProtocolError:
                            broken = True
                            break
                        payload_at = at + header.size
                        after = payload_at + header.payload_length
                        if after > stop:
                            break
                        payload = data[payload_at:after]
                        if header.masking_key is not None:
                            payload = apply_mask(payload, header.masking_key)
                    header_bytes = data[at:payload_at]
                    batch.append(
                        FrameMessage(lane.index, lane.sender, seconds, packets, header_bytes, payload)
                    )
                    at, packets = after, (index,)
                lane.start += at - start
                if at < stop:
                    lane.held, lane.need, lane.packets = bytearray(data[at:stop]), after - at, list(packets)
                    if broken:
                        self._give_up(key)
        except CutShort as error:
            cut = error
        self.now = now  # a gap that only the end of the file makes certain has the time of the last packet
        batch.extend(self.finish(whole=cut is None))
        if batch:
            yield batch
        if cut is not None:
            raise cut

    def finish(self, *, whole: bool) -> Iterator[CapturedMessage]:
        """What the end of the file shows, frames under way on the fast path included."""
        while self._lanes:
            self._lanes.popitem()[1].hand_back()
        yield from super().finish(whole=whole)

    def segment(self, segment: Segment, index: int) -> Iterator[CapturedMessage]:
        """A segment on the careful way; look then whether those that follow it may take the fast one."""
        ends = segment.source, segment.destination
        key, answers = _key(*ends), _key(*ends[::-1])
        mine, other = self._lanes.pop(key, None), self._lanes.pop(answers, None)
        for lane in mine, other:
            if lane is not None:
                lane.hand_back()
        yield from super().segment(segment, index)
        connection = self.connections.get(ends)
        if connection is None:
            return
        if other is not None and other.connection is connection and other.borrow():
            self._lanes[answers] = other
        mine = _Lane(connection, connection.at(segment.source))
        if self._note_shape(segment, mine) and mine.borrow():
            self._lanes[key] = mine

    def _note_shape(self, segment: Segment, lane: _Lane) -> bool:
        """Remember what the packet of this segment looks like; ``False`` if the fast way cannot read such packets."""
        link_type, data = self._packet.link_type, self._packet.data
        ip_at, tcp_at, _ = segment.places
        version = data[ip_at] >> 4
        name = link_type, ip_at, version
        shape = self._shapes.get(name) or self._shapes.setdefault(name, _shape(*name))
        if shape.tcp_at != tcp_at:
            return False  # options or extension headers
        self._shape = shape
        lane.before, _, lane.beside, *_ = shape.unpack(data, 0)
        return True

    def _give_up(self, key: bytes) -> None:
        """Let the careful way find, and say, that the frame under way has no boundaries."""
        lane = self._lanes.pop(key)
        lane.hand_back()
        for _ in self.read(lane.connection, lane.sender, b""):
            raise AssertionError("a frame without boundaries was read")


def _key(source: Address, destination: Address) -> bytes:
    """Addresses and ports as they stand in a packet."""
    return source[0] + destination[0] + struct.pack("!HH", source[1], destination[1])
