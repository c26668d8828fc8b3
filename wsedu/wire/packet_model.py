# SPDX-License-Identifier: GPL-2.0-or-later
"""What two programs said to each other, as packets: a pcap whose application bytes are real and whose TCP/IP is not.

Somebody who may not capture packets can still write down what passes on a connection (``relay.py``). This module
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

MSS = 1460  # bytes: 1,500 of an Ethernet frame, less 20 of IP and 20 of TCP
ACK_DELAY = 40_000_000  # nanoseconds; as Linux does, and far below the 500 ms that RFC 5681, 4.2 allows
WINDOW = 65535  # bytes
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16

# RFC 9542, 2.1.2: set aside for documentation. No other captures of ours have these two, so a file can be known again.
CLIENT_MAC, SERVER_MAC = bytes.fromhex("00005e0053f2"), bytes.fromhex("00005e0053f1")
_IPV4 = b"\x08\x00"
_MSS_OPTION = struct.pack("!BBH", 2, 4, MSS)
# Nanoseconds (the magic number says so), version 2.4, no time zone, snap length, Ethernet.
PCAP_HEADER = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 1)

Address = tuple[str, int]


class What(Enum):
    """What can happen on a connection."""

    CONNECT = auto()  # the client asks for a connection
    ACCEPT = auto()  # the server takes it
    DATA = auto()
    END = auto()  # the sender says that it will send no more
    RESET = auto()  # the sender breaks the connection off; or, before it was accepted, refuses it


@dataclass(eq=False)
class Ends:
    """The two ends of one connection, each as (IPv4 address, port). Two connections are never the same one."""

    client: Address
    server: Address


class Event(NamedTuple):
    """One thing that was seen to happen."""

    time: int  # nanoseconds since 1970; never less than that of the event before
    ends: Ends
    by_client: bool  # whose doing it is
    what: What
    data: bytes = b""


def pcap(events: Iterable[Event]) -> bytes:
    """The contents of a pcap file in which these events travel as packets; times in nanoseconds."""
    parts = [PCAP_HEADER]
    for time, packet in packets(events):
        parts.append(struct.pack("<IIII", *divmod(time, 1_000_000_000), len(packet), len(packet)))
        parts.append(packet)
    return b"".join(parts)


def is_modelled(frame: bytes) -> bool:
    """Whether an Ethernet frame is one of these packets: only they go between these two addresses."""
    return {frame[:6], frame[6:12]} == {CLIENT_MAC, SERVER_MAC}


def packets(events: Iterable[Event]) -> Iterator[tuple[int, bytes]]:
    """The packets that would have carried these events, as (nanoseconds since 1970, Ethernet frame), in order."""
    model = Model()
    for event in events:
        yield from model.add(event)
    yield from model.end()


class Model:
    """Makes packets of events that come one after the other; ``packets`` does it for all of them at once."""

    def __init__(self) -> None:
        self._connections: dict[Ends, _Connection] = {}
        # The delay is the same for all, so the first to wait is the first to go.
        self._waiting: deque[_Waiting] = deque()

    def add(self, event: Event) -> Iterator[tuple[int, bytes]]:
        """The packets until this event, and of it."""
        while self._waiting and self._waiting[0].due <= event.time:
            yield from self._waiting.popleft().go()
        connection = self._connections.get(event.ends)
        if connection is None:
            connection = self._connections[event.ends] = _Connection(event.ends, event.time)
        for packet in connection.segments(event):
            yield event.time, packet
        receiver = connection.server if event.by_client else connection.client
        if receiver.unacknowledged:
            self._waiting.append(_Waiting(event.time + ACK_DELAY, receiver, receiver.expected))

    def end(self) -> Iterator[tuple[int, bytes]]:
        """The acknowledgements that are still waiting after the last event."""
        while self._waiting:
            yield from self._waiting.popleft().go()


@dataclass
class _Side:
    """One end of a connection: what it will send next, and what it expects."""

    ethernet: bytes
    addresses: bytes  # source and destination, as in the IP header
    ports: bytes  # likewise, as in the TCP header
    sequence: int
    expected: int = 0  # the acknowledgement number that it sends
    unacknowledged: int = 0  # segments that came and were not acknowledged
    at_once: bool = True  # acknowledges the next segment without waiting for a second
    ended: bool = False  # has sent FIN, so its acknowledgements have nothing to ride on
    identification: int = 0

    def segment(self, flags: int, data: bytes = b"", options: bytes = b"") -> bytes:
        """The next packet from here; it acknowledges all that came, if ACK is among the flags."""
        acknowledged = self.expected if flags & ACK else 0
        size = 20 + len(options) + len(data)
        head = self.ports + struct.pack(
            "!IIBBHHH", self.sequence, acknowledged, (20 + len(options)) << 2, flags, WINDOW, 0, 0
        )
        pseudo_header = self.addresses + struct.pack("!HH", 6, size)
        tcp = head[:16] + checksum(pseudo_header + head + options + data) + head[18:] + options + data
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + size, self.identification, 0x4000, 64, 6, 0)
        ip = ip[:10] + checksum(ip + self.addresses) + self.addresses
        self.identification = (self.identification + 1) & 0xFFFF
        self.sequence = (self.sequence + len(data) + bool(flags & (SYN | FIN))) & 0xFFFFFFFF
        if flags & ACK:
            self.unacknowledged = 0
        return self.ethernet + ip + tcp


class _Waiting(NamedTuple):
    """An acknowledgement that waits for a segment to ride on."""

    due: int
    side: _Side
    expected: int

    def go(self) -> Iterator[tuple[int, bytes]]:
        if self.side.unacknowledged and self.side.expected == self.expected:
            yield self.due, self.side.segment(ACK)


class _Connection:
    """Makes the segments of one connection."""

    def __init__(self, ends: Ends, time: int) -> None:
        client, server = (IPv4Address(end[0]).packed for end in (ends.client, ends.server))
        ports = struct.pack("!HH", ends.client[1], ends.server[1])
        clock = time // 4000
        self.client = _Side(SERVER_MAC + CLIENT_MAC + _IPV4, client + server, ports, clock & 0xFFFFFFFF)
        self.server = _Side(
            CLIENT_MAC + SERVER_MAC + _IPV4,
            server + client,
            ports[2:] + ports[:2],
            (clock + (1 << 31)) & 0xFFFFFFFF,
        )
        self._accepted = False

    def segments(self, event: Event) -> Iterator[bytes]:
        """What travels on account of this event: the sender's segments and the receiver's answers at once."""
        sender, receiver = self.client, self.server
        if not event.by_client:
            sender, receiver = receiver, sender
        match event.what:
            case What.CONNECT:
                yield sender.segment(SYN, options=_MSS_OPTION)
                receiver.expected = sender.sequence
            case What.ACCEPT:
                self._accepted = True
                yield sender.segment(SYN | ACK, options=_MSS_OPTION)
                receiver.expected = sender.sequence
                yield receiver.segment(ACK)
            case What.DATA:
                yield from self._data(sender, receiver, event.data)
            case What.END:
                yield sender.segment(FIN | ACK)
                sender.at_once = sender.ended = True
                yield from self._received(sender, receiver)
            case What.RESET:
                if not self._accepted and not event.by_client:
                    sender.sequence = (
                        0  # RFC 9293, 3.10.7.1: it comes from no connection, so it counts from 0
                    )
                yield sender.segment(RST | ACK if sender.expected else RST)
                sender.unacknowledged = receiver.unacknowledged = 0

    def _data(self, sender: _Side, receiver: _Side, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), MSS):
            last = start + MSS >= len(data)
            yield sender.segment(ACK | PSH if last else ACK, data[start : start + MSS])
            yield from self._received(sender, receiver)

    @staticmethod
    def _received(sender: _Side, receiver: _Side) -> Iterator[bytes]:
        """Let the receiver have what the sender has sent, and acknowledge it if it does so at once."""
        receiver.expected = sender.sequence
        receiver.unacknowledged += 1
        if receiver.at_once or receiver.unacknowledged == 2:
            yield receiver.segment(ACK)
            receiver.at_once = receiver.ended


def checksum(data: bytes) -> bytes:
    """The Internet checksum (RFC 1071) of data that is not all zeros, in 2 bytes.

    The sum of 16-bit words with the carry added back is what arithmetic modulo 65,535 does, and a number's
    remainder there is that of the sum of its 16-bit digits; so Python's own long division adds up a packet.
    """
    if len(data) % 2:
        data += b"\x00"
    return (-int.from_bytes(data, "big") % 0xFFFF).to_bytes(2, "big")
