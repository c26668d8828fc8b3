# SPDX-License-Identifier: GPL-2.0-or-later
"""One direction of a TCP connection, put in order again (RFC 9293, 3.4): what came twice, late or not at all."""

from bisect import bisect_left
from collections.abc import Iterator
from heapq import heappop, heappush
from typing import NamedTuple

HALF = 1 << 31
SPACE = 1 << 32
# What may wait behind a hole for the segment that fills it: bytes, and segments. More than any sender has under way at
# once, so that past this the segment is not late but missing from the capture. The second limit also keeps an insertion
# cheap: whatever the order in which segments come, a list of this length is what it moves at most.
MOST_WAITING = 16 << 20
MOST_WAITING_SEGMENTS = 1 << 16
# Bytes that were passed on last and are still known, to compare with what comes for the same place again. Enough for
# most of a segment, and little enough for ten thousand connections.
REMEMBERED = 1 << 10


class Piece(NamedTuple):
    """Bytes that continue the stream, and the packet that carried them."""

    data: bytes
    packet: int  # index into the capture


class Gap(NamedTuple):
    """A hole in the stream: bytes that the capture lacks."""

    missing: int  # bytes
    packet: int  # the packet behind the hole, which shows it; or the one that was cut


class _Waiting(NamedTuple):
    place: int  # in the stream, of its first byte
    end: int
    data: bytes
    packet: int


class Stream:
    """Segments in, in any order; pieces in the stream's order out. After a ``Gap`` or the end nothing comes any more.

    The first bytes to arrive for a place in the stream stay, whatever a later segment says about the same place.

    Attributes:
        first: sequence number of the first byte, as a SYN or the first packet seen tells it; ``None`` until then.
        length: bytes that were passed on, so the place of the next one.
        ended: by FIN, by a gap, or because nobody reads on.
        closed: by FIN, and all that was sent is there.
        acknowledged: number of the next byte that the other side expects, as its last segment says (RFC 9293, 3.1).
        doubt: why bytes that were left out as a retransmission may be none; empty as long as there is no reason.
    """

    __slots__ = (  # a capture may have a million connections of which there is no more than a SYN
        "_cuts", "_fin", "_probe", "_remembered", "_shown", "_waiting", "_waiting_bytes", "acknowledged", "closed",
        "doubt", "ended", "first", "length",
    )  # fmt: skip

    def __init__(self) -> None:
        self.first: int | None = None
        self.length = 0
        self.ended = self.closed = False
        self.acknowledged: int | None = None
        self.doubt = ""
        self._probe: tuple[int, bytes, int, bool, int] | None = None  # what came first, if it may be no data
        self._fin: int | None = None  # place of the end, as a FIN tells it
        self._shown = 0, 0  # the furthest place that a packet showed, and that packet
        self._cuts: list[tuple[int, int, int]] = []  # a heap: place, packet, bytes that the snap length took
        self._waiting: list[_Waiting] = []  # in order, and no two overlap
        self._waiting_bytes = 0
        self._remembered = 0, b""  # the bytes that were passed on last, and the place of the first of them

    @property
    def next(self) -> int:
        """Sequence number of the next byte that is due; only once the first is known."""
        assert self.first is not None
        return (self.first + self.length) % SPACE

    def in_order(self) -> bool:
        """Whether all that came was passed on, and no end is in sight."""
        held_up = self.ended or self._waiting or self._fin is not None or self._probe is not None
        return self.first is not None and not held_up

    def receive(
        self, sequence: int, data: bytes, cut: int, fin: bool, packet: int, *, pushed: bool = True
    ) -> Iterator[Piece | Gap]:
        """Take a segment.

        Args:
            sequence: of its first byte, or of the next one if it has none.
            data: the bytes that were captured of it.
            cut: bytes at its end that the snap length took away.
            fin: whether FIN is set.
            packet: index of the packet.
            pushed: whether PSH is set.

        Yields:
            What the segment lets the stream go on with, none or several.
        """
        # The first segment of a capture without SYN may be a keep-alive. It "SHOULD be sent with SEG.SEQ = SND.NXT-1"
        # and "may or may not contain one garbage octet of data" (RFC 9293, 3.8.4). Of data PSH would be set: a sender
        # "MUST set the PSH bit in the last buffered segment" (3.9.1.2). Whether its octet has been acknowledged is
        # known at the latest when more comes.
        if self.first is None and len(data) + cut <= 1 and not (fin or pushed):
            self.first = sequence % SPACE
            self._probe = sequence, data, cut, fin, packet
            return
        if self._probe is not None:
            probe, self._probe = self._probe, None
            if self.acknowledged == (probe[0] + 1) % SPACE:
                self.first = self.acknowledged
            else:
                yield from self._take(*probe)
        if self.first is None:
            self.first = sequence % SPACE
        yield from self._take(sequence, data, cut, fin, packet)

    def _take(self, sequence: int, data: bytes, cut: int, fin: bool, packet: int) -> Iterator[Piece | Gap]:
        # Half of the sequence numbers are ahead of the one that is due, the others behind it.
        place = self.length + (sequence - self.next + HALF) % SPACE - HALF
        end = place + len(data) + cut
        if self.ended:
            return
        if fin:
            self._fin = end
        if end > max(self.length, self._shown[0]):
            self._shown = end, packet
        if cut:
            heappush(self._cuts, (end - cut, packet, cut))
        if place < self.length:
            if len(data) > 1:  # the one octet of a keep-alive is garbage
                self.doubt = "data before its first sequence number" if place < 0 else self.doubt
                self._compare(*self._remembered, place, data)
            data, place = data[self.length - place :], self.length
        self._keep(place, data, packet)
        yield from self._go_on()
        if self._waiting_bytes > MOST_WAITING or len(self._waiting) > MOST_WAITING_SEGMENTS:
            if gap := self.give_up():
                yield gap

    def _compare(self, known_at: int, known: bytes, place: int, data: bytes) -> None:
        """A retransmission has the same bytes where it overlaps with what came before."""
        low, high = max(known_at, place), min(known_at + len(known), place + len(data))
        if low < high and known[low - known_at : high - known_at] != data[low - place : high - place]:
            self.doubt = self.doubt or "other bytes for sequence numbers that it has used before"

    def _keep(self, place: int, data: bytes, packet: int) -> None:
        """Put bytes where they belong, except those for places that have theirs."""
        waiting, start, end = self._waiting, place, place + len(data)
        at = bisect_left(waiting, (place + 1,))  # tuples compare item by item
        if at and waiting[at - 1].end > place:
            at -= 1
        while place < end:
            other = waiting[at] if at < len(waiting) else None
            until = end if other is None else min(end, other.place)
            if until > place:
                waiting.insert(at, _Waiting(place, until, data[place - start : until - start], packet))
                self._waiting_bytes += until - place
                at += 1
            if other is None:
                return
            self._compare(other.place, other.data, start, data)
            place, at = max(until, other.end), at + 1

    def _go_on(self) -> Iterator[Piece | Gap]:
        """Pass on what has become due."""
        count, due = 0, self.length
        while count < len(self._waiting) and self._waiting[count].place == due:
            due = self._waiting[count].end
            count += 1
        ready, self._waiting[:count] = self._waiting[:count], []
        for one in ready:
            self._waiting_bytes -= len(one.data)
            at, known = self._remembered
            if at + len(known) != one.place:
                known = b""  # the fast path has read on since
            known = (known + one.data[-REMEMBERED:])[-REMEMBERED:]
            self._remembered, self.length = (one.end - len(known), known), one.end
            yield Piece(one.data, one.packet)
            if self.ended:
                return  # whoever takes the pieces has seen enough
        while self._cuts and self._cuts[0][0] < self.length:
            heappop(self._cuts)  # came whole in the end
        if self._cuts and self._cuts[0][0] == self.length:
            _, packet, missing = self._cuts[0]
            if self._waiting:
                missing = min(missing, self._waiting[0].place - self.length)
            self.end()
            yield Gap(missing, packet)
        elif self._fin is not None and self._fin <= self.length:
            self.closed = True
            self.end()

    def give_up(self) -> Gap | None:
        """No segment will fill the hole any more: say how large it is, if there is one."""
        place, packet = self._shown
        if self._waiting:
            place, packet = self._waiting[0].place, self._waiting[0].packet
        elif self._fin is not None:
            place = self._fin
        elif place - self.length == 1:
            return None  # most likely a FIN is missing, which takes a sequence number too, and no byte
        missing = place - self.length
        if self.ended or missing <= 0:
            return None
        self.end()
        return Gap(missing, packet)

    def end(self) -> None:
        """Pass nothing on any more."""
        self.ended = True
        self._waiting.clear()
        self._cuts.clear()
        self._waiting_bytes = 0
        self._remembered = 0, b""
