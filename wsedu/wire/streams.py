# SPDX-License-Identifier: GPL-2.0-or-later
"""One direction of a TCP connection, put in order again (RFC 9293, 3.4): what came twice, late or not at all."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import NamedTuple

HALF = 1 << 31
SPACE = 1 << 32
# Bytes that may wait behind a hole for the segment that fills it. More than any sender has under way at once, so that
# past this the segment is not late but missing from the capture.
MOST_WAITING = 16 << 20


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
    """

    def __init__(self) -> None:
        self.first: int | None = None
        self.length = 0
        self.ended = False
        self.closed = False
        self._fin: int | None = None  # place of the end, as a FIN tells it
        self._shown = 0, 0  # the furthest place that a packet showed, and that packet
        self._cuts: dict[int, tuple[int, int]] = {}  # place -> bytes that the snap length took there, packet
        self._waiting: list[_Waiting] = []  # in order, and no two overlap
        self._waiting_bytes = 0

    @property
    def next(self) -> int:
        """Sequence number of the next byte that is due; only once the first is known."""
        assert self.first is not None
        return (self.first + self.length) % SPACE

    def start(self, sequence: int) -> None:
        """The sequence number of the first byte."""
        if self.first is None:
            self.first = sequence % SPACE

    def in_order(self) -> bool:
        """Whether all that came was passed on, and no end is in sight."""
        return self.first is not None and not (self.ended or self._waiting or self._fin is not None)

    def receive(self, sequence: int, data: bytes, cut: int, fin: bool, packet: int) -> Iterator[Piece | Gap]:
        """Take a segment.

        Args:
            sequence: of its first byte, or of the next one if it has none.
            data: the bytes that were captured of it.
            cut: bytes at its end that the snap length took away.
            fin: whether FIN is set.
            packet: index of the packet.

        Yields:
            What the segment lets the stream go on with, none or several.
        """
        self.start(sequence)
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
            self._cuts.setdefault(end - cut, (cut, packet))
        if place < self.length:
            data, place = data[self.length - place :], self.length
        self._keep(place, data, packet)
        yield from self._go_on()
        gap = self.give_up() if self._waiting_bytes > MOST_WAITING else None
        if gap:
            yield gap

    def _keep(self, place: int, data: bytes, packet: int) -> None:
        """Put bytes where they belong, except those for places that have theirs."""
        waiting, start, end = self._waiting, place, place + len(data)
        at = bisect_left(waiting, (place + 1,))  # tuples compare item by item
        if at and waiting[at - 1].end > place:
            place = waiting[at - 1].end
        while place < end:
            until = min(end, waiting[at].place) if at < len(waiting) else end
            if until > place:
                waiting.insert(at, _Waiting(place, until, data[place - start : until - start], packet))
                self._waiting_bytes += until - place
                at += 1
            if at == len(waiting):
                return
            place, at = max(until, waiting[at].end), at + 1

    def _go_on(self) -> Iterator[Piece | Gap]:
        """Pass on what has become due."""
        count, due = 0, self.length
        while count < len(self._waiting) and self._waiting[count].place == due:
            due = self._waiting[count].end
            count += 1
        ready, self._waiting[:count] = self._waiting[:count], []
        for one in ready:
            if self.ended:
                return  # whoever takes the pieces has seen enough
            self._waiting_bytes -= len(one.data)
            self.length = one.end
            yield Piece(one.data, one.packet)
        if self.ended:
            return
        if self._cuts:
            known, self._cuts = self._cuts, {at: cut for at, cut in self._cuts.items() if at > self.length}
            if self.length in known:
                missing, packet = known[self.length]
                if self._waiting:
                    missing = min(missing, self._waiting[0].place - self.length)
                self.end()
                yield Gap(missing, packet)
        if self._fin is not None and not self.ended and self._fin <= self.length:
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
            return (
                None  # what is missing is most likely a FIN, which takes a sequence number too, and no byte
            )
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
