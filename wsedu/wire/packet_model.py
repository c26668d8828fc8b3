# SPDX-License-Identifier: GPL-2.0-or-later
"""What two programs said to each other, as packets: a pcap whose application bytes are real and whose TCP/IP is not.

Somebody who may not capture packets can still write down what passes on a connection (``recording.py``). This module
puts Ethernet, IPv4 and TCP around those bytes. **They are modelled**, after RFC 9293 and what Linux does:

- a connection begins with SYN, SYN/ACK, ACK, and each side ends it with FIN;
- what was sent in one piece travels in segments of at most 1,460 bytes (MSS), the last of them with PSH;
- a receiver acknowledges at once the first segment with data, and then every second one (RFC 5681, 4.2); in between
  its acknowledgement rides on the next segment of its own, or goes alone after 40 ms if there is none;
- initial sequence numbers come from a clock that ticks every 4 microseconds (RFC 9293, 3.4.1);
- nothing is lost, nothing is sent twice, no window fills up, and there are no options but the MSS in a SYN. (Linux adds
  12 bytes of timestamps to every segment.)

Held against the captures in ``data/`` (a test does that), the number of packets comes out within a few per cent, and a
third too high in bulk, where Linux acknowledges several segments with one. So trust the messages and their bytes in a
recording, and count packets in ``data/``.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from ipaddress import IPv4Address
from typing import NamedTuple

from .packets import ACK, FIN, PSH, RST, SYN
from .pcapfile import LINKTYPE_ETHERNET, Packet
from .streams import HALF, SPACE

MSS = 1460  # bytes: 1,500 of an Ethernet frame, less 20 of IP and 20 of TCP
ACK_DELAY = 40_000_000  # nanoseconds; as Linux does, and far below the 500 ms that RFC 5681, 4.2 allows
WINDOW = 65535  # bytes

# RFC 9542, 2.1.2: set aside for documentation. No other captures of ours have these two, so a file can be known again.
CLIENT_MAC, SERVER_MAC = bytes.fromhex("00005e0053f2"), bytes.fromhex("00005e0053f1")
_IPV4 = b"\x08\x00"
_MSS_OPTION = struct.pack("!BBH", 2, 4, MSS)

Address = tuple[str, int]


class EventKind(Enum):
    """What can happen on a connection, as far as a relay sees it."""

    CONNECT = auto()  # the client asks for a connection
    ACCEPT = auto()  # the server takes it
    DATA = auto()
    END = auto()  # the sender says that it will send no more
    RESET = auto()  # the sender breaks the connection off; or, before it was accepted, refuses it


@dataclass(eq=False)
class Endpoints:
    """The two ends of one connection, each as (IPv4 address, port). Two connections are never the same one."""

    client: Address
    server: Address


class RelayEvent(NamedTuple):
    """One thing that a relay saw happen."""

    time: int  # nanoseconds since 1970; never less than that of the event before
    endpoints: Endpoints
    by_client: bool  # whose doing it is
    kind: EventKind
    data: bytes = b""


def is_modelled(frame: bytes) -> bool:
    """Whether an Ethernet frame is one of these packets: only they go between these two addresses."""
    return {frame[:6], frame[6:12]} == {CLIENT_MAC, SERVER_MAC}


def packets(events: Iterable[RelayEvent]) -> Iterator[Packet]:
    """The packets that would have carried these events, in order."""
    model = PacketModel()
    for event in events:
        yield from model.add(event)
    yield from model.acknowledge()


class PacketModel:
    """Makes packets of events that come one after the other; ``packets`` does it for all of them at once."""

    def __init__(self) -> None:
        self._connections: dict[Endpoints, tuple[_ModelledSender, _ModelledSender]] = {}  # client and server
        # Acknowledgements that wait for a segment to ride on: when they are due, whose they are and of what. The delay
        # is the same for all, so the first to wait is the first to go.
        self._delayed: deque[tuple[int, _ModelledSender, int]] = deque()

    def add(self, event: RelayEvent) -> Iterator[Packet]:
        """The packets until this event, and of it."""
        yield from self.acknowledge(event.time)
        if event.endpoints not in self._connections:
            client, server = event.endpoints.client, event.endpoints.server
            from_client = _ModelledSender(SERVER_MAC + CLIENT_MAC, client, server)
            from_server = _ModelledSender(CLIENT_MAC + SERVER_MAC, server, client)
            self._connections[event.endpoints] = from_client, from_server
        sender, receiver = self._connections[event.endpoints]
        if not event.by_client:
            sender, receiver = receiver, sender
        for frame in _frames(event, sender, receiver):
            yield _packet(event.time, frame)
        if receiver.unacknowledged:
            self._delayed.append((event.time + ACK_DELAY, receiver, receiver.expected))

    def acknowledge(self, until: int | None = None) -> Iterator[Packet]:
        """The acknowledgements that are due at this time; after the last event, all that are still waiting."""
        while self._delayed and (until is None or self._delayed[0][0] <= until):
            due, sender, expected = self._delayed.popleft()
            # Unless one has gone since: with a segment of its own, or because a second segment came.
            if sender.unacknowledged and sender.expected == expected:
                yield _packet(due, sender.segment(ACK))


def _packet(time: int, frame: bytes) -> Packet:
    return Packet(time, LINKTYPE_ETHERNET, frame, len(frame))


def _frames(event: RelayEvent, sender: _ModelledSender, receiver: _ModelledSender) -> Iterator[bytes]:
    """What travels on account of this event: the sender's segments and the receiver's answers at once."""
    match event.kind:
        # The three-way handshake (RFC 9293, 3.5).
        case EventKind.CONNECT:
            yield sender.open(event.time, SYN)
            receiver.expected = sender.sequence
        case EventKind.ACCEPT:
            # Half a circle away from the client's numbers, so that nobody takes the one's for the other's.
            yield sender.open(event.time + 4000 * HALF, SYN | ACK)
            receiver.expected = sender.sequence
            yield receiver.segment(ACK)
        case EventKind.DATA:
            # PSH on the last: what the program wrote at once is complete, hand it on (RFC 9293, 3.9.1.2).
            for start in range(0, len(event.data), MSS):
                last = start + MSS >= len(event.data)
                yield sender.segment(ACK | PSH if last else ACK, event.data[start : start + MSS])
                yield from receiver.receive(sender.sequence)
        # "I have no more data to send" (RFC 9293, 3.6); the other side may go on for as long as it likes.
        case EventKind.END:
            yield sender.segment(FIN | ACK)
            sender.at_once = sender.ended = True
            yield from receiver.receive(sender.sequence)
        case EventKind.RESET:
            # RFC 9293, 3.10.7.1, of a segment to a port where nobody listens: "If the ACK bit is off, sequence number
            # zero is used", since what answers is no connection and has no numbers of its own. A server that has not
            # accepted is still at 0.
            yield sender.segment(RST | ACK if sender.expected else RST)
            sender.unacknowledged = receiver.unacknowledged = 0


class _ModelledSender:
    """One end of a connection: what it will send next, and what it expects."""

    def __init__(self, macs: bytes, own: Address, other: Address) -> None:
        self._ethernet = macs + _IPV4
        self._addresses = IPv4Address(own[0]).packed + IPv4Address(other[0]).packed
        self._ports = struct.pack("!HH", own[1], other[1])
        self._identification = 0
        self.sequence = 0
        self.expected = 0  # the acknowledgement number that it sends
        self.unacknowledged = 0  # segments that came and were not acknowledged
        # Acknowledges the next segment without waiting for a second: at the beginning, as Linux does so that the
        # sender's congestion window opens quickly, and after its own FIN, when nothing of its own can carry it.
        self.at_once, self.ended = True, False

    def open(self, time: int, flags: int) -> bytes:
        """Its SYN.

        RFC 9293, 3.4.1: ISN = M + F(...), where M is a clock of 4 microseconds and F a secret of each connection, so
        that nobody can guess the numbers. Here nobody has to be kept from guessing.
        """
        self.sequence = time // 4000 % SPACE
        return self.segment(flags, options=_MSS_OPTION)

    def segment(self, flags: int, data: bytes = b"", options: bytes = b"") -> bytes:
        """The next packet from here; it acknowledges all that came, if ACK is among the flags."""
        # RFC 9293, 3.1: the acknowledgment number counts "if the ACK control bit is set", and is 0 here otherwise.
        acknowledged = self.expected if flags & ACK else 0
        head_size = 20 + len(options)
        size = head_size + len(data)
        head = self._ports + struct.pack("!IIBBHHH", self.sequence, acknowledged, head_size << 2, flags, WINDOW, 0, 0)
        # The checksum covers addresses and length as well (RFC 9293, 3.1), so that a segment that was led astray is
        # noticed. It is computed with zeros in its own place.
        pseudo_header = self._addresses + struct.pack("!HH", 6, size)
        tcp = head[:16] + checksum(pseudo_header + head + options + data) + head[18:] + options + data
        # 0x4000: do not fragment. Linux sets it, as it finds out by itself how much fits (RFC 1191).
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + size, self._identification, 0x4000, 64, 6, 0)
        ip = ip[:10] + checksum(ip + self._addresses) + self._addresses
        self._identification = (self._identification + 1) & 0xFFFF
        # SYN and FIN take a sequence number each (RFC 9293, 3.4), so that they, too, can be acknowledged.
        self.sequence = (self.sequence + len(data) + bool(flags & (SYN | FIN))) % SPACE
        if flags & ACK:
            self.unacknowledged = 0
        return self._ethernet + ip + tcp

    def receive(self, expected: int) -> Iterator[bytes]:
        """Take a segment, behind which this sequence number is expected; acknowledge it if that is done at once.

        RFC 5681, 4.2: "an ACK SHOULD be generated for at least every second full-sized segment, and MUST be generated
        within 500 ms of the arrival of the first unacknowledged packet".
        """
        self.expected = expected
        self.unacknowledged += 1
        if self.at_once or self.unacknowledged == 2:
            yield self.segment(ACK)
            self.at_once = self.ended


def checksum(data: bytes) -> bytes:
    """The Internet checksum (RFC 1071) of data that is not all zeros, in 2 bytes.

    The sum of 16-bit words with the carry added back is what arithmetic modulo 65,535 does, and a number's
    remainder there is that of the sum of its 16-bit digits; so Python's own long division adds up a packet.
    """
    if len(data) % 2:
        data += b"\x00"
    return (-int.from_bytes(data, "big") % 0xFFFF).to_bytes(2, "big")
