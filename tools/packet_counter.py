# SPDX-License-Identifier: GPL-2.0-or-later
"""Count the TCP packets of many servers at once, from the kernel (Linux only)."""

import re
import socket
from typing import NamedTuple

from wsedu.wire.packet_recorder import PacketRecorder
from wsedu.wire.packets import segment_of
from wsedu.wire.pcapfile import Packet

_KINDS = {b"GET ": "request", b"HTTP/1.1 200 ": "news", b"HTTP/1.1 204 ": "no news"}
_HEAD = re.compile(b"(%s).*?\r\n\r\n" % b"|".join(_KINDS), re.DOTALL)


class CountedPacket(NamedTuple):
    """A packet.

    Attributes:
        time: in seconds since 1970, by the kernel.
        to_server: its direction.
        size: bytes, from the Ethernet header on.
        data: bytes of TCP data in it.
        head: what begins in it: "request", "news", "no news", or "" for anything else, and for half a head.
        head_size: bytes of that head.
    """

    time: float
    to_server: bool
    size: int
    data: int
    head: str
    head_size: int


class PacketCounter(PacketRecorder):
    """Counts every TCP packet on an interface, by the server's port, and keeps none of them.

    Args:
        interface: on which.
        server, client: their IPv4 addresses; the server is on this host.

    Attributes:
        counted: by port, in the order in which the kernel saw them.
    """

    def __init__(self, interface: str, server: str, client: str) -> None:
        super().__init__(interface, None, server, client)
        self._server = socket.inet_aton(server)
        self.counted: dict[int, list[CountedPacket]] = {}

    def keep(self, packet: Packet) -> None:
        """Count it."""
        segment = segment_of(packet.link_type, packet.data)
        assert segment is not None  # nothing else comes through the recorder's filter
        to_server = segment.destination[0] == self._server
        _, port = segment.destination if to_server else segment.source
        found = _HEAD.match(segment.payload)
        kind, head_size = (_KINDS[found[1]], found.end()) if found else ("", 0)
        one = CountedPacket(packet.time / 1e9, to_server, len(packet.data), len(segment.payload), kind, head_size)
        self.counted.setdefault(port, []).append(one)
