# SPDX-License-Identifier: GPL-2.0-or-later
"""Read an interface's TCP packets from the kernel, and know whether any of them is missing (Linux only).

A packet socket (packet(7)) is given a copy of every packet that an interface sends or receives. To make a record of
that one can rely on takes four things more:

- A filter that runs inside the kernel, so that what nobody asked for is not even copied. It is a program for a machine
  with an accumulator, an index register and jumps that only lead forward: BPF, as in McCanne and Jacobson, "The BSD
  Packet Filter: A New Architecture for User-level Packet Capture" (USENIX, 1993).
- A buffer that holds a burst until Python gets to it, and at the end the question how many packets did not fit into it
  (PACKET_STATISTICS).
- A sentinel: a UDP packet that we send over the same interface. A packet socket is a queue, so when the sentinel is
  read, everything that the interface carried before it has been.
- Patience: who closes a connection needs the other side for it, which may be a moment later.

Linux shows a packet on loopback twice, when it leaves and when it arrives (both times with the same bytes), so there
only the first is kept. That is the better one: it is written down while the sender is still inside its system call, so
what was sent before the end of a recording is never missed. Any other interface shows each packet once.
"""

import array
import contextlib
import socket
import struct
import sys
import threading
import time

from .packets import ACK, FIN, RST, Segment, Unreadable, segment_of
from .pcapfile import LINKTYPE_ETHERNET, Packet

LOOPBACK = "lo"
# Bytes; at 8 MiB a burst of 10,000 small messages did not fit while Python was busy elsewhere.
BUFFER = 32 << 20
LARGEST = 1 << 18  # bytes kept of a packet; on loopback they have up to 64 KiB and their headers
PATIENCE = 0.25  # seconds that one read waits for a packet, and so the time in which the thread sees that it must end
GRACE = 1.0  # seconds for the second side of a connection to close after the first, as with the relay
LIMIT = 5.0  # seconds without any packet after which the sentinel is given up

# From <linux/if_packet.h>, <linux/if_ether.h> and <asm-generic/socket.h>; Python has no names for them.
_ETH_P_ALL, _SOL_PACKET, _PACKET_STATISTICS, _PACKET_OUTGOING = 3, 263, 6, 4
_SO_ATTACH_FILTER, _SO_RCVBUFFORCE, _SO_TIMESTAMPNS = 26, 33, 35
# From <linux/filter.h>. A is the accumulator, X the index register; IPv4 tells its header's length in words of 4 bytes
# in half a byte, for which BPF has an instruction of its own.
_LOAD_BYTE, _LOAD_HALF, _LOAD_HALF_AT_X = 0x30, 0x28, 0x48  # A = packet[operand], or packet[X + operand]
_SET_X_TO_IPV4_HEADER = 0xB1  # X = 4 * (packet[operand] & 15)
_IS, _RETURN = 0x15, 0x06  # A == operand; keep so many bytes of the packet
# No place in the packet, but whether it comes or goes: SKF_AD_OFF + SKF_AD_PKTTYPE.
_PACKET_TYPE = 0xFFFFF004

_Direction = tuple[tuple[bytes, int], tuple[bytes, int]]  # source and destination


class PacketRecorder:
    """Records TCP packets of an interface from ``start`` to ``stop``, once; ``close`` may come at any time.

    Args:
        interface: its name.
        port: only packets from or to this TCP port; ``None`` for all.
        source, destination: IPv4 addresses from and to which a packet goes out over the interface. On loopback both
            are the same.
        grace: seconds that a connection which one side has closed is given at the end.

    Attributes:
        packets: what was read; after ``stop`` in the order of time.
        missing: after ``stop``, why packets are missing, a line each.
    """

    def __init__(self, interface: str, port: int | None, source: str, destination: str, grace: float = GRACE) -> None:
        self.packets: list[Packet] = []
        self.missing: list[str] = []
        self._interface, self._port, self._grace = interface, port, grace
        self._source, self._destination = source, destination
        self._buffer = memoryview(bytearray(LARGEST))
        self._given_up = False
        self._last_read = 0.0  # when a packet came last, by the monotonic clock
        self._closings = ClosingConnections()
        self._opened = contextlib.ExitStack()
        self._thread = threading.Thread(target=self._read, name="wsedu packets", daemon=True)

    def keep(self, packet: Packet) -> None:
        """Called with each packet, in a thread of the recorder's own."""
        self.packets.append(packet)

    def start(self) -> None:
        """Return when packets come, with the kernel's own time stamps; ``close`` is due even if it fails.

        Raises:
            ValueError: the source is not one of this machine's addresses.
            PermissionError: this process may not see packets.
            OSError: there is no such interface, or no packet came.
        """
        self._open_sockets()
        self._wait_for_time_stamps()
        self._thread.start()

    def stop(self) -> None:
        """Return when all that was sent before has been read, and connections that are closing have closed."""
        try:
            self._read_to_the_sentinel()
            deadline = time.monotonic() + self._grace
            while self._closings.are_half_done(self.packets) and time.monotonic() < deadline:
                self._take_next()
            self._count_drops()
        except OSError as error:
            self.missing.append(f"not complete: the interface {self._interface} failed ({error.strerror})")
        except BaseException:  # Ctrl-C
            self.missing.append("not complete: interrupted before the end")
            raise
        finally:
            self.close()
            # What two processors send at the same time may come some microseconds out of order.
            self.packets.sort(key=lambda packet: packet.time)

    def close(self) -> None:
        """Stop at once and leave nothing open; what was read stays."""
        self._halt()
        self._opened.close()

    def _halt(self) -> None:
        self._given_up = True
        if self._thread.is_alive():
            self._thread.join()

    def _open_sockets(self) -> None:
        # The sentinel's socket is not connected: an ICMP "port unreachable" would come back to it as an error, and that
        # nobody listens there is as it should be.
        self._sentinel = self._opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        try:
            self._sentinel.bind((self._source, 0))
        except OSError as error:
            why = f"host {self._source} is not this machine ({error.strerror})"
            raise ValueError(f"{why}, and only its own packets can be seen") from None
        self._sentinel_to = self._destination, self._sentinel.getsockname()[1]
        if sys.platform != "linux":
            raise PermissionError("the kernel shows its packets on Linux only")
        try:
            tap = self._socket = self._opened.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
        except PermissionError as error:
            why = "it takes the right to see packets (CAP_NET_RAW), and this process does not have it"
            raise PermissionError(f"{why} ({error.strerror})") from None
        tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)  # as much as the machine's limit allows
        with contextlib.suppress(PermissionError):  # without CAP_NET_ADMIN
            tap.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, BUFFER)
        tap.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        # Python's own time-out asks the kernel twice for each packet, first whether there is one; this asks once.
        tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", 0, int(PATIENCE * 1e6)))
        program = array.array("Q", _filter(self._port, self._sentinel_to[1], self._interface == LOOPBACK))
        where = struct.pack("@HP", len(program), program.buffer_info()[0])
        tap.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, where)
        tap.bind((self._interface, _ETH_P_ALL))  # last, so that nothing comes before the filter is there

    def _wait_for_time_stamps(self) -> None:
        """The kernel turns its time stamps on a moment after it was asked, and until then the time is that of reading.

        So a sentinel is sent until one has a time before it was read.
        """
        came, deadline = False, time.monotonic() + GRACE
        while time.monotonic() < deadline:
            self._sentinel.sendto(b"", self._sentinel_to)
            sent = time.time_ns()
            while (packet := self._next()) is not None and not _is_sentinel(packet):
                pass  # the recording has not begun
            if packet is not None and packet.time <= sent:
                return
            came = came or packet is not None
        if not came:
            raise OSError(f"the interface {self._interface} shows no packets here")

    def _read_to_the_sentinel(self) -> None:
        self._last_read = time.monotonic()
        while self._thread.is_alive():
            if time.monotonic() > self._last_read + LIMIT:
                self.missing.append("not complete: the end of the recording was not seen")
                break
            self._sentinel.sendto(b"", self._sentinel_to)  # again, should the last one have found the buffer full
            self._thread.join(PATIENCE)
        self._halt()

    def _count_drops(self) -> None:
        # Of all that came.
        _, dropped = struct.unpack("@II", self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))
        if dropped:
            size = self.buffer_size()
            more = "" if size >= BUFFER else f"; with CAP_NET_ADMIN it has {BUFFER >> 20} MiB"
            why = f"the kernel dropped {dropped:,} packets that did not fit into its buffer"
            self.missing.append(f"not complete: {why} ({size >> 10:,} KiB{more})")

    def buffer_size(self) -> int:
        """Bytes that may wait to be read. Linux says twice as many, the half being for its own records (socket(7))."""
        return self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2

    def _read(self) -> None:
        while not self._given_up and not self._take_next():
            pass

    def _take_next(self) -> bool:
        """Keep the next packet, if one comes in time; true if it is the sentinel, which is not kept."""
        packet = self._next()
        if packet is None or _is_sentinel(packet):
            return packet is not None
        self._last_read = time.monotonic()
        self.keep(packet)
        return False

    def _next(self) -> Packet | None:
        """The next packet; ``None`` if none came in time, or if the interface has just been switched off."""
        try:
            size, ancillary, _, _ = self._socket.recvmsg_into([self._buffer], 64, socket.MSG_TRUNC)
        except OSError:
            return None
        seconds, nanoseconds = struct.unpack("@ll", ancillary[0][2])
        # With MSG_TRUNC the size is that of the packet, even if it was larger than the buffer.
        return Packet(seconds * 1_000_000_000 + nanoseconds, LINKTYPE_ETHERNET, bytes(self._buffer[:size]), size)


class ClosingConnections:
    """Which connections have been closed by one side and not yet by both.

    RFC 9293, 3.6: closing says "I have no more data to send", each side for itself. So a connection is over when both
    have sent FIN and both FINs are acknowledged, or after a RST.
    """

    def __init__(self) -> None:
        self._looked_at = 0
        self._after_fin: dict[_Direction, int] = {}  # sequence number after the FIN, for who has sent one
        self._acknowledged: dict[_Direction, int] = {}  # what the other side has acknowledged last

    def are_half_done(self, packets: list[Packet]) -> bool:
        """Whether somebody has sent FIN, and the other has not or has not acknowledged it.

        ``packets`` are those of the last call, and more.
        """
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
        if segment.flags & FIN:  # it takes a sequence number of its own (RFC 9293, 3.4)
            self._after_fin[direction] = (segment.sequence + len(segment.payload) + 1) & 0xFFFFFFFF
        if segment.flags & RST:  # "aborts the connection" (RFC 9293, 3.5.3): nobody owes anybody a FIN now
            self._after_fin.pop(direction, None)
            self._after_fin.pop(direction[::-1], None)


def _is_sentinel(packet: Packet) -> bool:
    """The filter lets only TCP through, and our own UDP."""
    return packet.data[23] == socket.IPPROTO_UDP and packet.data[12:14] == b"\x08\x00"


def _filter(port: int | None, sentinel_port: int, outgoing_only: bool) -> bytes:
    """A program for the kernel's packet filter: TCP from or to the port, and UDP to the sentinel's.

    It is a list of tests, of two instructions each: load a number of the packet, and compare it. Each test has a name,
    how to load, from where, the number, and which test comes next if they are equal and if not. Ethernet's header has
    14 bytes; IPv6's has 40, and TCP is looked for right behind it; X has the length of an IPv4 header.
    """
    tcp, udp, wanted, any_port = socket.IPPROTO_TCP, socket.IPPROTO_UDP, port or 0, port is None
    tests = {
        "direction": (_LOAD_BYTE, _PACKET_TYPE, _PACKET_OUTGOING, "IPv6", "no" if outgoing_only else "IPv6"),
        "IPv6": (_LOAD_HALF, 12, 0x86DD, "TCP in IPv6", "IPv4"),
        "TCP in IPv6": (_LOAD_BYTE, 20, tcp, "yes" if any_port else "source in IPv6", "no"),
        "source in IPv6": (_LOAD_HALF, 14 + 40, wanted, "yes", "destination in IPv6"),
        "destination in IPv6": (_LOAD_HALF, 14 + 40 + 2, wanted, "yes", "no"),
        "IPv4": (_LOAD_HALF, 12, 0x0800, "TCP", "no"),
        "TCP": (_LOAD_BYTE, 23, tcp, "yes" if any_port else "source", "UDP"),
        "source": (_LOAD_HALF_AT_X, 14, wanted, "yes", "destination"),
        "destination": (_LOAD_HALF_AT_X, 14 + 2, wanted, "yes", "no"),
        "UDP": (_LOAD_BYTE, 23, udp, "sentinel", "no"),
        "sentinel": (_LOAD_HALF_AT_X, 14 + 2, sentinel_port, "yes", "no"),
    }
    place = {name: 1 + 2 * number for number, name in enumerate(tests)}
    place |= {"yes": 1 + 2 * len(tests), "no": 2 + 2 * len(tests)}
    program = [(_SET_X_TO_IPV4_HEADER, 0, 0, 14)]
    for load, where, number, *goals in tests.values():
        # A jump says how many instructions behind the comparison to leave out.
        equal, other = (place[goal] - len(program) - 2 for goal in goals)
        program += [(load, 0, 0, where), (_IS, equal, other, number)]
    program += [(_RETURN, 0, 0, LARGEST), (_RETURN, 0, 0, 0)]
    return b"".join(struct.pack("@HBBI", *instruction) for instruction in program)
