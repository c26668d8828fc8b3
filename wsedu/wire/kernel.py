# SPDX-License-Identifier: GPL-2.0-or-later
"""Record a live exchange as the kernel sees it: every packet of one TCP port on the loopback interface (Linux only).

Linux shows a packet on loopback twice, when it leaves and when it arrives. The first is the one to keep: it is written
down while the sender is still inside its system call, so what was sent before the block ended is never missed.

All that is needed is a packet socket (packet(7)) with a filter inside the kernel (the BPF of "The BSD Packet Filter",
McCanne and Jacobson, 1993), a buffer that holds a burst until Python gets to it, and the honesty to ask at the end how
many packets did not fit.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time

from .loopback import BUFFER, LARGEST, PATIENCE, buffer_size, dropped_packets, own_socket, packet_socket
from .packets import ACK, FIN, RST, Segment, Unreadable, segment_of
from .pcapfile import Packet, write_capture
from .recording import Recording

GRACE = 1.0  # seconds for the second side of a connection to close after the first, as with the relay
LIMIT = 5.0  # seconds without any news from the kernel after which the end of a recording is given up

_LINKTYPE_ETHERNET = 1

Direction = tuple[tuple[bytes, int], tuple[bytes, int]]  # source and destination


class KernelRecording(Recording):
    """Packets as the kernel's loopback interface carried them."""

    modelled = False

    def _begin(self) -> tuple[str, int]:
        address, port = self._server
        with contextlib.ExitStack() as opened:  # closes them again if one of the steps fails
            sentinel = opened.enter_context(own_socket(address))
            tap = opened.enter_context(packet_socket(port, sentinel.getsockname()[1]))
            self._tap = Tap(tap, sentinel)
            self._tap.begin()
            self._opened = opened.pop_all()
        return self._server

    def _end(self) -> None:
        self._missing = self._tap.missing
        with self._opened:
            self._tap.end()

    def _contents(self) -> bytes:
        return write_capture(self._tap.packets)

    def _summary(self) -> str:
        packets = self._tap.packets
        size = sum(packet.original_length for packet in packets)
        return f"{len(packets):,} packets of the kernel's loopback, {size:,} bytes"


class Tap:
    """Reads packets in a thread of its own, from a sentinel to a sentinel.

    A sentinel is a UDP packet that we send to ourselves over the same interface. The kernel gives packets in order, so
    when it is read, all before it have been.

    Attributes:
        packets: what was read; after ``end`` in the order of time.
        missing: after ``end``, why packets are missing, a line each.
    """

    def __init__(self, tap: socket.socket, sentinel: socket.socket) -> None:
        self.packets: list[Packet] = []
        self.missing: list[str] = []
        self._tap, self._sentinel = tap, sentinel
        self._buffer = memoryview(bytearray(LARGEST))
        self._given_up = False
        self._ends = _Ends()

    def begin(self) -> None:
        """Return when packets come, with the kernel's own time stamps.

        The kernel turns these on a moment after it was asked, and until then the time is that of reading. So a
        sentinel is sent until one has a time before it was read.

        Raises:
            OSError: no packet came.
        """
        came, deadline = False, time.monotonic() + GRACE
        while time.monotonic() < deadline:
            self._sentinel.send(b"")
            sent = time.time_ns()
            while (packet := self._next()) is not None and not self._is_sentinel(packet):
                pass  # the recording has not begun
            if packet is not None:
                came = True
                if packet.time <= sent:
                    break
        if not came:
            raise OSError("record(kernel=True): the loopback interface shows no packets here")
        self._thread = threading.Thread(target=self._read, name="wsedu kernel", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Return when all that was sent before has been read, and connections that are closing have closed."""
        try:
            self._read_to_the_end()
        except OSError as error:
            self.missing.append(f"not complete: the loopback interface failed ({error.strerror})")
        except BaseException:  # Ctrl-C
            self.missing.append("not complete: interrupted before the end")
            raise
        finally:
            self._given_up = True  # the thread looks at it within PATIENCE
            self._thread.join()
        deadline = time.monotonic() + GRACE
        while self._ends.half_closed(self.packets) and time.monotonic() < deadline:
            self._keep(self._next())
        if dropped := dropped_packets(self._tap):
            size = buffer_size(self._tap)
            more = "" if size >= BUFFER else f"; with CAP_NET_ADMIN it has {BUFFER >> 20} MiB"
            self.missing.append(
                f"not complete: the kernel dropped {dropped:,} packets that did not fit into its buffer "
                f"({size >> 10:,} KiB{more})"
            )
        # What two processors send at the same time may come some microseconds out of order.
        self.packets.sort(key=lambda packet: packet.time)

    def _read_to_the_end(self) -> None:
        read, news = 0, time.monotonic()
        while self._thread.is_alive():
            if len(self.packets) > read:
                read, news = len(self.packets), time.monotonic()
            elif time.monotonic() > news + LIMIT:
                self.missing.append("not complete: the end of the recording was not seen")
                break
            self._sentinel.send(b"")  # again, should the last one have found the buffer full
            self._thread.join(PATIENCE)

    def _read(self) -> None:
        while not self._given_up and self._keep(self._next()):
            pass

    def _keep(self, packet: Packet | None) -> bool:
        """Keep it, unless it is the sentinel: then the answer is no."""
        if packet is not None:
            if self._is_sentinel(packet):
                return False
            self.packets.append(packet)
        return True

    def _is_sentinel(self, packet: Packet) -> bool:
        return packet.data[23] == socket.IPPROTO_UDP and packet.data[12:14] == b"\x08\x00"

    def _next(self) -> Packet | None:
        """The next packet; ``None`` if none came in time, or if the interface has just been switched off."""
        try:
            size, ancillary, _, _ = self._tap.recvmsg_into([self._buffer], 64, socket.MSG_TRUNC)
        except OSError:
            return None
        seconds, nanoseconds = struct.unpack("@ll", ancillary[0][2])
        data = bytes(self._buffer[:size])
        return Packet(seconds * 1_000_000_000 + nanoseconds, _LINKTYPE_ETHERNET, data, size)


class _Ends:
    """How far the connections among the packets have been closed."""

    def __init__(self) -> None:
        self._looked_at = 0
        self._after_fin: dict[Direction, int] = {}  # sequence number after the FIN, for who has sent one
        self._acknowledged: dict[Direction, int] = {}  # what the other side has acknowledged last

    def half_closed(self, packets: list[Packet]) -> bool:
        """Whether somebody has sent FIN, and the other has not or has not acknowledged it."""
        for packet in packets[self._looked_at :]:
            with contextlib.suppress(Unreadable):
                if (segment := segment_of(packet.link_type, packet.data)) is not None:
                    self._follow(segment)
        self._looked_at = len(packets)
        return any(
            self._acknowledged.get(direction) != end or direction[::-1] not in self._after_fin
            for direction, end in self._after_fin.items()
        )

    def _follow(self, segment: Segment) -> None:
        direction = segment.source, segment.destination
        if segment.flags & ACK:
            self._acknowledged[direction[::-1]] = segment.acknowledgement
        if segment.flags & FIN:
            self._after_fin[direction] = (segment.sequence + len(segment.payload) + 1) & 0xFFFFFFFF
        if segment.flags & RST:
            self._after_fin.pop(direction, None)
            self._after_fin.pop(direction[::-1], None)
