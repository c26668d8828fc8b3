# SPDX-License-Identifier: GPL-2.0-or-later
"""Capture files taken apart by a few lines of `struct`, on purpose without wsedu, which is held against them."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from oracles import CAPTURES, tshark, tshark_in_data

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


class TcpPacket(NamedTuple):
    """A TCP segment over Ethernet and IP."""

    time: int  # nanoseconds since 1970
    frame: bytes
    source: bytes  # address and port, as in the headers
    destination: bytes
    sequence: int
    acknowledged: int
    flags: int
    payload: bytes
    from_client: bool  # to a port to which a SYN went, or the first packet of the capture
    right: bool  # whether the checksums are

    @property
    def after(self) -> int:
        """The sequence number after it; SYN and FIN take one each (RFC 9293, 3.4)."""
        size = len(self.payload) + bool(self.flags & SYN) + bool(self.flags & FIN)
        return (self.sequence + size) % 2**32


def packets_in(content: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Of each packet in a pcap or pcapng file: nanoseconds since 1970, what was captured, and how long it was."""
    if content[:4] == b"\x0a\x0d\x0d\x0a":
        offset = 0
        while offset < len(content):
            kind, length = struct.unpack_from("<II", content, offset)
            if kind == 6:
                _, high, low, captured, original = struct.unpack_from("<5I", content, offset + 8)
                yield (high << 32) + low, content[offset + 28 : offset + 28 + captured], original
            offset += length
        return
    tick = {b"\xd4\xc3\xb2\xa1": 1000, b"\x4d\x3c\xb2\xa1": 1}[content[:4]]
    offset = 24
    while offset < len(content):
        seconds, ticks, captured, original = struct.unpack_from("<4I", content, offset)
        yield seconds * 10**9 + ticks * tick, content[offset + 16 : offset + 16 + captured], original
        offset += 16 + captured


def tcp_packets(packets: Iterator[tuple[int, bytes, int]]) -> list[TcpPacket]:
    """The packets, taken apart; all of them hold TCP."""
    found: list[TcpPacket] = []
    server_ports: set[bytes] = set()
    for time, frame, _ in packets:
        if frame[12:14] == b"\x08\x00":
            header = frame[14:34]
            assert header[0] == 0x45 and header[9] == 6
            addresses, tcp = header[12:20], frame[34 : 14 + int.from_bytes(header[2:4], "big")]
        else:
            assert frame[12:14] == b"\x86\xdd" and frame[20] == 6
            header = b"\xff\xff"  # an IPv6 header has no checksum
            addresses, tcp = frame[22:54], frame[54 : 54 + int.from_bytes(frame[18:20], "big")]
        pseudo_header = addresses + struct.pack("!II", len(tcp), 6)
        half = len(addresses) // 2
        source, destination = addresses[:half] + tcp[:2], addresses[half:] + tcp[2:4]
        numbers: tuple[int, int, int] = struct.unpack_from("!IIxB", tcp, 4)
        if not found or numbers[2] & (SYN | ACK) == SYN:
            server_ports.add(destination[-2:])
        payload, from_client = tcp[4 * (tcp[12] >> 4) :], destination[-2:] in server_ports
        right = ones_complement_sum(header) == ones_complement_sum(pseudo_header + tcp) == 0xFFFF
        found.append(TcpPacket(time, frame, source, destination, *numbers, payload, from_client, right))
    return found


def ones_complement_sum(data: bytes) -> int:
    """RFC 1071. Over data that holds its own right checksum the sum is 0xFFFF."""
    data += bytes(len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def warnings(path: Path) -> str:
    """What tshark finds odd in a capture, wrong checksums included."""
    checked = ("-n", "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE")
    odd = (*checked, "-Y", '_ws.expert.severity >= "Warning"', "-T", "fields", "-e", "_ws.expert.message")
    said = tshark_in_data(path, *odd) if path in CAPTURES else tshark("-r", path, *odd).splitlines()
    # Of compressed messages tshark says "Trailing stray characters", but only in this form of output.
    return "\n".join(line for line in said if line != "Trailing stray characters")
