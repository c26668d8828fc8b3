# SPDX-License-Identifier: GPL-2.0-or-later
"""Count the TCP packets of many servers at once, from the kernel (Linux only)."""

from __future__ import annotations

import socket
import struct
import threading
from types import TracebackType
from typing import NamedTuple

_ETH_P_ALL = 3
_SOL_PACKET, _PACKET_STATISTICS = 263, 6
_SO_TIMESTAMPNS, _SO_RCVBUFFORCE = 35, 33
_BUFFER = 32 << 20  # bytes
_REQUEST, _NEWS, _NO_NEWS = b"GET ", b"HTTP/1.1 200 ", b"HTTP/1.1 204 "


class Counted(NamedTuple):
    """A packet.

    Attributes:
        time: in seconds since 1970, by the kernel.
        to_server: its direction.
        size: bytes, from the Ethernet header on.
        data: bytes of TCP data in it.
        head: what begins in it: "request", "news", "no news", or "" for anything else.
        head_size: bytes of that head, in so far as they are in this packet.
    """

    time: float
    to_server: bool
    size: int
    data: int
    head: str
    head_size: int


class Tally:
    """Counts every TCP packet over IPv4 on an interface, by the server's port, for the length of a ``with`` block.

    Args:
        interface: on which.
        server: the server's address.

    Attributes:
        packets: by port, in the order in which the kernel saw them.

    Raises:
        RuntimeError: at the end, when the kernel dropped packets.
    """

    def __init__(self, interface: str, server: str) -> None:
        self._interface, self._server = interface, socket.inet_aton(server)
        self.packets: dict[int, list[Counted]] = {}

    def __enter__(self) -> Tally:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
        except PermissionError:  # only the machine's root may go beyond its limit; drops are counted anyway
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._socket.settimeout(0.1)
        self._socket.bind((self._interface, 0))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="tally", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        with self._socket:
            seen = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        _, drops = struct.unpack("II", seen)
        if drops and kind is None:
            raise RuntimeError(f"the kernel dropped {drops} packets: measure again")

    def _listen(self) -> None:
        while not self._stop.is_set():
            try:
                packet, ancillary, _, _ = self._socket.recvmsg(2048, 64)
            except TimeoutError:
                continue
            if packet[12:14] == b"\x08\x00" and packet[23] == socket.IPPROTO_TCP:
                seconds, nanoseconds = struct.unpack("qq", ancillary[0][2])
                self._count(seconds + nanoseconds / 1e9, packet)

    def _count(self, time: float, packet: bytes) -> None:
        tcp_at = 14 + 4 * (packet[14] & 15)
        source, destination = struct.unpack_from("!HH", packet, tcp_at)
        to_server = packet[30:34] == self._server
        data_at = tcp_at + 4 * (packet[tcp_at + 12] >> 4)
        end = 14 + int.from_bytes(packet[16:18])  # not len(packet): Ethernet may pad
        kind, size = _head(packet[data_at:end])
        counted = Counted(time, to_server, len(packet), end - data_at, kind, size)
        self.packets.setdefault(destination if to_server else source, []).append(counted)


def _head(data: bytes) -> tuple[str, int]:
    for begin, kind in ((_REQUEST, "request"), (_NEWS, "news"), (_NO_NEWS, "no news")):
        if data.startswith(begin):
            end = data.find(b"\r\n\r\n")
            return kind, end + 4 if end >= 0 else len(data)
    return "", 0
