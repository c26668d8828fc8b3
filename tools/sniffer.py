# SPDX-License-Identifier: GPL-2.0-or-later
"""Record the TCP packets of one port from the kernel, and know that none is missing (Linux only)."""

from __future__ import annotations

import socket
import struct
import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

_ETH_P_ALL = 3
_SOL_PACKET, _PACKET_STATISTICS = 263, 6
_SO_TIMESTAMPNS, _SO_RCVBUFFORCE = 35, 33
_FIN, _RST, _ACK = 1, 4, 16
_LINKTYPE_ETHERNET = 1


@dataclass
class _Side:
    """What one end of a connection has said about its end, in sequence numbers."""

    after_fin: int | None = None
    acknowledged: int | None = None


@dataclass
class Sniffer:
    """Records every TCP packet to and from `port` on `interface` for the length of a ``with`` block.

    `packets` holds (nanoseconds since 1970, bytes) in the order in which the kernel saw them.
    """

    interface: str
    port: int
    packets: list[tuple[int, bytes]] = field(default_factory=list)
    reset: bool = False

    def __enter__(self) -> Sniffer:
        self._sides: dict[tuple[bytes, bytes], _Side] = {}
        self._changed = threading.Condition()
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 8 << 20)
        except PermissionError:  # only the machine's root may go beyond its limit; drops are counted anyway
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._socket.settimeout(0.1)
        self._socket.bind((self.interface, 0))
        self._stop = False
        self._thread = threading.Thread(target=self._listen, name="sniffer", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop = True
        self._thread.join()
        with self._socket:
            seen = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        _, drops = struct.unpack("II", seen)
        if drops and kind is None:
            raise RuntimeError(f"the kernel dropped {drops} packets: record again")

    @property
    def connections(self) -> int:
        """How many connections there were, counted by their two ends."""
        return len(self._sides) // 2

    def wait_until_closed(self, timeout: float) -> None:
        """Return when every connection has ended: FIN from both sides, both acknowledged.

        The kernel delivers in order, so nothing that came before is missing then. Raises TimeoutError after
        `timeout` seconds.
        """
        with self._changed:
            if not self._changed.wait_for(self._all_closed, timeout):
                raise TimeoutError(f"after {timeout} seconds a connection is still open")

    def _all_closed(self) -> bool:
        return bool(self._sides) and all(
            side.after_fin is not None and self._sides[other, me].acknowledged == side.after_fin
            for (me, other), side in self._sides.items()
            if (other, me) in self._sides
        )

    def _listen(self) -> None:
        while not self._stop:
            try:
                packet, ancillary, _, _ = self._socket.recvmsg(65536, 64)
            except TimeoutError:
                continue
            seconds, nanoseconds = struct.unpack("qq", ancillary[0][2])
            if (start := self._tcp_start(packet)) is not None:
                self.packets.append((seconds * 1_000_000_000 + nanoseconds, packet))
                with self._changed:
                    self._follow(packet, start)
                    self._changed.notify_all()

    def _tcp_start(self, packet: bytes) -> int | None:
        """Where TCP begins in a packet of ours; None for all other packets."""
        if packet[12:14] == b"\x08\x00" and packet[23] == socket.IPPROTO_TCP:
            start = 14 + 4 * (packet[14] & 15)
        elif packet[12:14] == b"\x86\xdd" and packet[20] == socket.IPPROTO_TCP:
            start = 54
        else:
            return None
        return start if self.port in struct.unpack_from("!HH", packet, start) else None

    def _follow(self, packet: bytes, start: int) -> None:
        source, destination = packet[start : start + 2], packet[start + 2 : start + 4]
        sequence, acknowledged, offset, flags = struct.unpack_from("!IIBB", packet, start + 4)
        side = self._sides.setdefault((source, destination), _Side())
        if flags & _RST:
            self.reset = True
        if flags & _ACK:
            side.acknowledged = acknowledged
        if flags & _FIN:
            version6 = packet[12:14] == b"\x86\xdd"
            ip_length = 40 + int.from_bytes(packet[18:20]) if version6 else int.from_bytes(packet[16:18])
            data = 14 + ip_length - start - 4 * (offset >> 4)
            side.after_fin = (sequence + data + 1) & 0xFFFFFFFF


def write_pcap(path: Path, packets: list[tuple[int, bytes]]) -> None:
    """Write a pcap file with microseconds (libpcap's first format, which everything reads)."""
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, _LINKTYPE_ETHERNET))
        for time, packet in packets:
            seconds, nanoseconds = divmod(time, 1_000_000_000)
            file.write(struct.pack("<IIII", seconds, nanoseconds // 1000, len(packet), len(packet)))
            file.write(packet)


def write_pcapng(path: Path, packets: list[tuple[int, bytes]]) -> None:
    """Write a pcapng file: one section, one interface with times in nanoseconds, a block for each packet."""
    interface = struct.pack("<HHI", _LINKTYPE_ETHERNET, 0, 65535)
    interface += struct.pack("<HHB3x", 9, 1, 9)  # if_tsresol: 10 to the minus 9 seconds
    interface += struct.pack("<HH", 0, 0)  # opt_endofopt
    blocks = [
        _block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)),
        _block(1, interface),
    ]
    for time, packet in packets:
        head = struct.pack("<IIIII", 0, time >> 32, time & 0xFFFFFFFF, len(packet), len(packet))
        blocks.append(_block(6, head + packet + bytes(-len(packet) % 4)))
    path.write_bytes(b"".join(blocks))


def _block(kind: int, body: bytes) -> bytes:
    length = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + length + body + length
