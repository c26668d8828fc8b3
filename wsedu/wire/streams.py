# SPDX-License-Identifier: GPL-2.0-or-later
"""One direction of a TCP connection, put in order again (RFC 9293, 3.4): what came twice, late or not at all."""

from __future__ import annotations

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


class Stream:
    """Segments in, in any order; pieces in the stream's order out. After a ``Gap`` or the end nothing comes any more.

    The first bytes to arrive for a place in the stream stay, whatever a later segment says about the same place.
    """

    def __init__(self) -> None:
        self.next: int | None = None  # sequence number of the next byte that is due; None until one is known
        self.ended = False  # by FIN, RST or a gap
        self.closed = False  # by FIN: all that was sent is there
        self._fin: int | None = None
        self._waiting: dict[int, tuple[bytes, int, int]] = {}  # sequence -> bytes, bytes cut, packet
        self._waiting_bytes = 0

    def start(self, sequence: int) -> None:
        """The sequence number of the first byte, as a SYN or the first packet seen tells it."""
        if self.next is None:
            self.next = sequence % SPACE

    def in_order(self) -> bool:
        """Whether all that came was passed on, and no end is in sight."""
        return self.next is not None and not (self.ended or self._waiting or self._fin is not None)

    def distance(self, sequence: int) -> int:
        """How far a sequence number is ahead of the next byte that is due; negative for one that was there."""
        assert self.next is not None
        return (sequence - self.next + HALF) % SPACE - HALF

    def receive(self, sequence: int, data: bytes, cut: int, fin: bool, packet: int) -> Iterator[Piece | Gap]:
        """Take a segment.

        Args:
            sequence: of its first byte.
            data: the bytes that were captured of it.
            cut: bytes at its end that the snap length took away.
            fin: whether FIN is set.
            packet: index of the packet.

        Yields:
            What the segment lets the stream go on with, none or several.
        """
        self.start(sequence)
        if fin:
            self._fin = (sequence + len(data) + cut) % SPACE
        if self.ended:
            return
        if data or cut:
            known = self._waiting.get(sequence)
            if known is None or len(known[0]) < len(data):
                self._waiting_bytes += len(data) - (len(known[0]) if known else 0)
                self._waiting[sequence] = data, cut, packet
        yield from self._go_on(packet)
        if not self.ended and self._waiting_bytes > MOST_WAITING:
            yield from self.give_up()

    def _go_on(self, packet: int) -> Iterator[Piece | Gap]:
        while self._waiting and not self.ended:
            sequence = min(self._waiting, key=self.distance)
            ahead = self.distance(sequence)
            if ahead > 0:
                break
            data, cut, carrier = self._waiting.pop(sequence)
            self._waiting_bytes -= len(data)
            if len(data) + ahead > 0:
                self.next = (sequence + len(data)) % SPACE
                yield Piece(data[-ahead:] if ahead else data, carrier)
            if cut and self.distance(sequence + len(data)) == 0:
                self._end()
                yield Gap(cut, carrier)
        if self._fin is not None and not self.ended and self.distance(self._fin) <= 0:
            self.closed = True
            self._end()

    def give_up(self) -> Iterator[Gap]:
        """No segment will fill the hole any more: say how large it is, if there is one."""
        if self._waiting and not self.ended:
            sequence = min(self._waiting, key=self.distance)
            gap = Gap(self.distance(sequence), self._waiting[sequence][2])
            self._end()
            yield gap

    def reset(self) -> None:
        """RST: nothing more comes."""
        self._end()

    def _end(self) -> None:
        self.ended = True
        self._waiting.clear()
        self._waiting_bytes = 0
