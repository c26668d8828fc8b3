# SPDX-License-Identifier: GPL-2.0-or-later
"""The fast path from a capture file to messages, which ``read`` and ``messages`` take.

Most packets of a long WebSocket connection look like the one before from the same sender, except for their length, and
carry on where that one stopped. Such packets take the fast path, one dense loop (``batches``) that reads frames
straight out of the buffer the file was read into. Everything else, be it a packet of HTTP, a segment that came late or
twice, or the end of a connection, takes the slow path, which is the reader of ``connections.py``; so does the first
packet of every sender. The fast path decides nothing about the protocol: it takes a packet only where there is nothing
to decide.

A ``_FastSender`` is a sender whose next packet may take the fast path. What is known of its TCP stream and of the frame
under way is kept where the slow path keeps it; before a packet of its connection takes that, it is handed back.
"""

import struct
from collections import deque
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, BinaryIO, NamedTuple

from ..protocol.errors import NeedMoreData, ProtocolError
from ..protocol.frames import LENGTH_16, MASK, PAYLOAD_LENGTH, apply_mask, parse_header
from .connections import NO_CARRIERS, CaptureReader, Endpoint, TcpConnection
from .message import CapturedMessage, FrameMessage
from .message_parser import FrameParser
from .packets import FIN, RST, SYN, Address, Segment
from .pcapfile import CutShort, Packet, place_packets
from .streams import SPACE

_SLOW_FLAGS = SYN | FIN | RST  # a packet that begins or ends something takes the slow path
_LONGEST_HEADER = 14  # bytes, of a frame
# Bytes of a TCP header by its data offset; one that is too small takes the slow path, being past every end.
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


@lru_cache  # the same few, for every packet on the slow path
def _shape(link_type: int, ip_at: int, version: int) -> _Shape:
    if version == 4:
        layout = struct.Struct(f"!{ip_at + 1}s x H 2x 4s 2x 12s I 4x H")
        return _Shape(link_type, layout.size, layout.unpack_from, ip_at, ip_at + 20)
    layout = struct.Struct(f"!{ip_at + 1}s 3x H 2s 36s I 4x H")
    return _Shape(link_type, layout.size, layout.unpack_from, ip_at + 40, ip_at + 40)


class _FastSender:
    def __init__(self, connection: TcpConnection, side: Endpoint, make: Callable[..., FrameMessage]) -> None:
        self.connection, self.side, self.make = connection, side, make
        self.index = connection.index
        self.before = self.beside = b""  # what must be the same in the next packet
        self.next = 0  # sequence number that is due
        self.need = 0  # bytes to hold of the frame that is due before another look at it is worth while

    def take_over(self) -> bool:
        """Take over from the slow path; ``False`` if that is not possible now."""
        side = self.side
        due = isinstance(side.parser, FrameParser) and not side.seeking
        if not due or self.connection.over or self.connection.tls or not side.stream.in_order():
            return False
        # Without its size each packet on the slow path inside a large message would have all of that copied again.
        message = side.unfinished()
        self.next, self.need = side.stream.next, (message and message.size) or 0
        # The packets that carried what is there, and where in the stream each ended. Of a large message it is long.
        while side.carriers and side.carriers[0][0] <= side.start:
            side.carriers.popleft()
        return True

    def hand_back(self) -> None:
        """Give back to the slow path."""
        side = self.side
        side.stream.length = side.start + len(side.buffer)
        if not side.buffer:
            side.carriers = NO_CARRIERS


class FastReader(CaptureReader):
    """Reads one capture. Its options are those of ``CaptureReader``."""

    def __init__(self, warnings: list[str], **options: Any) -> None:
        super().__init__(warnings, **options)
        self._fast: dict[bytes, _FastSender] = {}  # by addresses and ports as they stand in a packet
        self._shape = _shape(-1, 0, 4)  # of the last packet on the slow path; at first that of none
        self._packet = Packet(0, 0, b"", 0)

    def batches(self, file: BinaryIO) -> Iterator[list[CapturedMessage]]:
        """As always, but in larger batches: what was read of the file together."""
        # This is the hot loop: about 2 microseconds a message. So it is one function, and names are local. All that
        # it decides is whether a packet may go through; ``tests/test_fast.py`` holds it to what the slow path gives.
        cut: CutShort | None = None
        batch: list[CapturedMessage] = []
        index, now, buffer, senders, header_size = -1, 0, b"", self._fast, _TCP_HEADER
        link, size, unpack, ip_end, tcp_at = self._shape
        try:
            for now, link_type, original, data, at, end in place_packets(file, self.take_keys):
                index += 1
                if data is not buffer:  # a further piece of the file
                    buffer = data
                    yield batch
                    batch = []
                # The same link, addresses and ports, and nothing else different but what differs in every packet: the
                # IP identification, the acknowledgement number and the window, and both checksums (which say nothing
                # in a capture of a sending machine: it often leaves them to its card).
                fast = None
                if link_type == link and end - at >= size:
                    before, length, beside, key, sequence, flags = unpack(data, at)
                    fast = senders.get(key)
                if fast is not None:
                    start, stop = at + tcp_at + header_size[flags >> 12], at + ip_end + length
                    if (
                        sequence != fast.next
                        or before != fast.before
                        or beside != fast.beside
                        or flags & _SLOW_FLAGS
                        or not start <= stop <= end
                    ):
                        fast = None
                if fast is None:
                    self._packet = packet = Packet(now, link_type, data[at:end], original)
                    batch.extend(self.packet(index, packet))
                    link, size, unpack, ip_end, tcp_at = self._shape
                    continue
                if start == stop:
                    continue  # an acknowledgement

                fast.next = (sequence + stop - start) % SPACE
                side = fast.side
                if side.buffer:
                    side.buffer += data[start:stop]
                    side.carriers.append((side.start + len(side.buffer), index))
                    if len(side.buffer) < fast.need:
                        continue
                    data, start, stop = bytes(side.buffer), 0, len(side.buffer)
                    side.buffer = bytearray()
                    packets = tuple([packet for _, packet in side.carriers])
                else:
                    packets = (index,)
                # Frames from ``start`` on, until one goes on behind ``stop``: at ``after``, if that is known.
                seconds, at, broken = (now - self.origin) / 1e9, start, False
                while True:
                    after = stop + 1
                    if at + 2 > stop:
                        break
                    second = data[at + 1]
                    seven_bits = second & PAYLOAD_LENGTH
                    if seven_bits < LENGTH_16:  # most messages are short: their header is split here
                        payload_at = at + 6 if second >= MASK else at + 2
                        after = payload_at + seven_bits
                        if after > stop:
                            break
                        payload = data[payload_at:after]
                        if second >= MASK:
                            payload = apply_mask(payload, data[payload_at - 4 : payload_at])
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
                        # A view, which is no copy: while a large message is read it is in memory twice, and not more.
                        view, mask = memoryview(data)[payload_at:after], header.masking_key
                        payload = bytes(view) if mask is None else apply_mask(view, mask)
                    head = data[at:payload_at]
                    batch.append(fast.make(fast.index, side.sender, seconds, packets, head, payload))
                    at, packets = after, (index,)
                side.start += at - start
                if at < stop:
                    side.buffer, fast.need = bytearray(data[at:stop]), after - at
                    side.carriers = deque((side.start + stop - at, packet) for packet in packets)
                    if broken:  # the slow path finds, and says, that it has no boundaries
                        senders.pop(key).hand_back()
                        batch.extend(self._given(fast.connection, fast.connection.exchange.receive(side, b"")))
        except CutShort as error:
            cut = error
        self.now = now  # a gap that only the end of the file makes certain has the time of the last packet
        yield batch
        yield [*self.finish(whole=cut is None)]
        if cut is not None:
            raise cut

    def finish(self, *, whole: bool) -> Iterator[CapturedMessage]:
        """What the end of the file shows, frames under way on the fast path included."""
        while self._fast:
            self._fast.popitem()[1].hand_back()
        yield from super().finish(whole=whole)

    def segment(self, segment: Segment, index: int) -> Iterator[CapturedMessage]:
        """A segment on the slow path; look then whether those that follow it may take the fast one."""
        ends = segment.source, segment.destination
        key, answers = _key(*ends), _key(*ends[::-1])
        mine, other = self._fast.pop(key, None), self._fast.pop(answers, None)
        for fast in mine, other:
            if fast is not None:
                fast.hand_back()
        yield from super().segment(segment, index)
        connection = self.connections.get(ends)
        if connection is None or not connection.exchange.switched or connection.index in self._silent:
            return  # what the fast path reads are frames, and never the first message, with which ``made`` begins
        if other is not None and other.connection is connection and other.take_over():
            self._fast[answers] = other
        side = connection.at(segment.source)
        mine = _FastSender(connection, side, self.maker(connection, side))
        if self._note_shape(segment, mine) and mine.take_over():
            self._fast[key] = mine

    def _note_shape(self, segment: Segment, fast: _FastSender) -> bool:
        """Remember what the packet of this segment looks like; ``False`` if the fast path cannot read such packets."""
        data = self._packet.data
        ip_at, tcp_at, _ = segment.places
        shape = _shape(self._packet.link_type, ip_at, data[ip_at] >> 4)
        if shape.tcp_at != tcp_at:
            return False  # options or extension headers
        self._shape = shape
        fast.before, _, fast.beside, *_ = shape.unpack(data, 0)
        return True


def _key(source: Address, destination: Address) -> bytes:
    """Addresses and ports as they stand in a packet."""
    return source[0] + destination[0] + struct.pack("!HH", source[1], destination[1])
