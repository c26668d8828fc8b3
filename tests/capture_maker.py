# SPDX-License-Identifier: GPL-2.0-or-later
"""Captures made by hand, with `struct` alone: what is tested shall not help to build the test.

    talk = Talk()
    packets = talk.open() + talk.say(CLIENT, b"GET / HTTP/1.1\\r\\n\\r\\n") + talk.close()
    Path("x.pcap").write_bytes(pcap(packets))

A packet is bytes from the link layer on; a test loses, repeats, swaps and cuts them with what lists and bytes can do.
"""

from __future__ import annotations

import contextlib
import io
import json
import struct
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from oracles import CAPTURES

from wsedu.__main__ import main as command_line

DATA = Path(__file__).parent.parent / "data"
IN_DATA = pytest.mark.parametrize("path", CAPTURES, ids=[path.name for path in CAPTURES])
OF_HTTP2 = pytest.mark.parametrize(
    "path",
    HTTP2 := [path for path in CAPTURES if "h2" in path.name or "http2" in path.name],
    ids=[path.name for path in HTTP2],
)


def key_log(path: Path) -> Path | None:
    """The secrets beside a capture, if there are any."""
    return log if (log := path.with_suffix(".keys")).exists() else None


FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
CLIENT, SERVER = True, False
START = 1_700_000_000  # seconds since 1970, of the first packet
STEP = 1_000  # microseconds from packet to packet

HANDSHAKE = (  # with the key of RFC 6455, 1.3
    b"GET /chat HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
SWITCHING = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


def frame(payload: bytes, opcode: int = 1, *, key: bytes | None = None, first: int | None = None) -> bytes:
    """A frame, its length in the shortest form; ``first`` is its whole first byte, FIN and opcode included."""
    size, mask = len(payload), 0x80 if key is not None else 0
    if size < 126:
        header = struct.pack("!B", mask | size)
    else:
        header = struct.pack("!BH", mask | 126, size) if size < 65536 else struct.pack("!BQ", mask | 127, size)
    if key is not None:
        payload = key + bytes(byte ^ key[at % 4] for at, byte in enumerate(payload))
    return struct.pack("!B", 0x80 | opcode if first is None else first) + header + payload


class Link(NamedTuple):
    """A link layer: its LINKTYPE_ number, and what stands before an IPv4 and before an IPv6 packet."""

    number: int
    before_ipv4: bytes
    before_ipv6: bytes


_MACS, _COOKED = bytes(range(1, 13)), bytes.fromhex("0000 0001 0006 0102030405060000")
_TAG, _SERVICE_TAG = bytes.fromhex("8100 0007"), bytes.fromhex("88a8 0064")
_V4, _V6 = bytes.fromhex("0800"), bytes.fromhex("86dd")
_COOKED2 = bytes.fromhex("0000 00000002 0001 00 06 0102030405060000")  # what follows the protocol
LINKS = {
    "ethernet": Link(1, _MACS + _V4, _MACS + _V6),
    "vlan": Link(1, _MACS + _TAG + _V4, _MACS + _TAG + _V6),
    "qinq": Link(1, _MACS + _SERVICE_TAG + _TAG + _V4, _MACS + _SERVICE_TAG + _TAG + _V6),
    "qinq-9100": Link(1, _MACS + b"\x91\0\0\x01" + _TAG + _V4, _MACS + b"\x91\0\0\x01" + _TAG + _V6),
    "sll": Link(113, _COOKED + _V4, _COOKED + _V6),
    "sll-vlan": Link(113, _COOKED + _TAG + _V4, _COOKED + _TAG + _V6),
    "sll2": Link(276, _V4 + _COOKED2, _V6 + _COOKED2),
    "raw": Link(101, b"", b""),
    "raw-12": Link(12, b"", b""),  # what BSD writes for raw IP
    "null-little": Link(0, b"\x02\0\0\0", b"\x1e\0\0\0"),
    "null-big": Link(0, b"\0\0\0\x02", b"\0\0\0\x18"),
    "loop": Link(108, b"\0\0\0\x02", b"\0\0\0\x1c"),
}


@dataclass
class Talk:
    """A TCP connection. ``first`` are the sequence numbers of the two SYNs, by sender."""

    client: tuple[str, int] = ("192.0.2.1", 40000)
    server: tuple[str, int] = ("192.0.2.2", 80)
    first: tuple[int, int] = (5000, 1000)  # of the server, of the client
    link: str = "ethernet"
    ip_options: bytes = b""  # IPv4, a multiple of 4 bytes
    extensions: Sequence[tuple[int, bytes]] = ()  # IPv6: number of each header, and what follows its first byte
    tcp_options: bytes = b""  # a multiple of 4 bytes
    sent: dict[bool, int] = field(default_factory=lambda: {CLIENT: 0, SERVER: 0})  # bytes so far

    def packet(self, sender: bool, data: bytes = b"", flags: int = ACK, *, at: int | None = None) -> bytes:
        """One segment. ``at`` is the place of its data in the stream; by default it carries on."""
        if at is None:
            at, self.sent[sender] = self.sent[sender], self.sent[sender] + len(data)
        sequence = self.first[sender] + (0 if flags & SYN else 1 + at)
        acknowledgement = self.first[not sender] + 1 + self.sent[not sender] if flags & ACK else 0
        source, destination = (self.client, self.server) if sender else (self.server, self.client)
        numbers, size = (sequence % 2**32, acknowledgement % 2**32), 20 + len(self.tcp_options)
        tcp = struct.pack("!HHIIBBHHH", source[1], destination[1], *numbers, size << 2, flags, 65535, 0, 0)
        return self.ip(source[0], destination[0], tcp + self.tcp_options + data)

    def ip(self, source: str, destination: str, tcp: bytes) -> bytes:
        """The layers below TCP."""
        link, ends = LINKS[self.link], ip_address(source).packed + ip_address(destination).packed
        if len(ends) == 8:
            words = 5 + len(self.ip_options) // 4
            # 0 in what the card is to cut into packets.
            length = words * 4 + len(tcp) if words * 4 + len(tcp) < 65536 else 0
            header = struct.pack("!BBHHHBBH", 0x40 + words, 0, length, 7, 0x4000, 64, 6, 0)
            return link.before_ipv4 + header + ends + self.ip_options + tcp
        numbers = [number for number, _ in self.extensions] + [6]
        pairs = zip(numbers[1:], self.extensions, strict=True)
        between = b"".join(bytes([number]) + rest for number, (_, rest) in pairs)
        header = struct.pack("!IHBB", 6 << 28, len(between + tcp), numbers[0], 64)
        return link.before_ipv6 + header + ends + between + tcp

    def open(self) -> list[bytes]:
        """SYN, SYN/ACK, ACK."""
        return [self.packet(CLIENT, flags=SYN), self.packet(SERVER, flags=SYN | ACK), self.packet(CLIENT)]

    def say(self, sender: bool, data: bytes, size: int = 1400) -> list[bytes]:
        """Data, in segments of at most ``size`` bytes."""
        return [self.packet(sender, data[at : at + size], PSH | ACK) for at in range(0, len(data), size)]

    def lose(self, sender: bool, data: bytes) -> list[bytes]:
        """Data that is not captured."""
        return self.say(sender, data)[:0]

    def shake(self) -> list[bytes]:
        """The whole beginning of a WebSocket connection."""
        return self.open() + self.say(CLIENT, HANDSHAKE) + self.say(SERVER, SWITCHING)

    def close(self) -> list[bytes]:
        """FIN from both sides, the server first, and the last acknowledgement."""
        last = self.packet(SERVER, flags=FIN | ACK)
        return [last, self.packet(CLIENT, flags=FIN | ACK), self.packet(SERVER, at=self.sent[SERVER] + 1)]


def pcap(
    packets: Iterable[bytes], link: int = 1, *, order: str = "<", nano: bool = False, snap: int | None = None
) -> bytes:
    """A pcap file. ``order`` as in ``struct``; ``snap`` is the snap length, in bytes."""
    magic, tick = (0xA1B23C4D, 1000) if nano else (0xA1B2C3D4, 1)
    parts = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, snap or 262144, link)]
    for number, packet in enumerate(packets):
        data, (seconds, micros) = packet[:snap], divmod(number * STEP, 1_000_000)
        parts += struct.pack(order + "IIII", START + seconds, micros * tick, len(data), len(packet)), data
    return b"".join(parts)


class Blocks:
    """A pcapng file, block by block."""

    def __init__(self, order: str = "<") -> None:
        self.order = order
        self.file = b""
        self.packets = 0  # so far; gives each its time
        self.section()

    def block(self, number: int, body: bytes) -> Blocks:
        """Any block; the length stands before and behind."""
        body += bytes(-len(body) % 4)
        length = struct.pack(self.order + "I", 12 + len(body))
        self.file += struct.pack(self.order + "I", number) + length + body + length
        return self

    def section(self) -> Blocks:
        """A section header. What interfaces there were is forgotten."""
        return self.block(0x0A0D0D0A, struct.pack(self.order + "IHHq", 0x1A2B3C4D, 1, 0, -1))

    def interface(
        self, link: int = 1, *, snap: int = 0, resolution: int | None = None, offset: int | None = None
    ) -> Blocks:
        """An interface; ``resolution`` as if_tsresol has it, ``offset`` in seconds as if_tsoffset."""
        body = struct.pack(self.order + "HHIHH4s", link, 0, snap, 2, 3, b"eth")  # if_name: to be skipped
        if resolution is not None:
            body += struct.pack(self.order + "HHB3x", 9, 1, resolution)
        if offset is not None:
            body += struct.pack(self.order + "HHq", 14, 8, offset)
        return self.block(1, body + bytes(4))

    def _head(self, data: bytes, ticks: int | None = None, original: int | None = None) -> bytes:
        """Of a packet: its time, by default in microseconds as in ``pcap``, and how long it is here and was."""
        ticks = START * 1_000_000 + self.packets * STEP if ticks is None else ticks
        self.packets += 1
        sizes = len(data), len(data) if original is None else original
        return struct.pack(self.order + "IIII", ticks >> 32, ticks & 0xFFFFFFFF, *sizes)

    def enhanced(self, data: bytes, interface: int = 0, **more: int | None) -> Blocks:
        """A packet, with a comment; ``ticks`` and the ``original`` length may be given."""
        head = struct.pack(self.order + "I", interface) + self._head(data, **more)
        comment = struct.pack(self.order + "HH", 1, 5) + b"hello\0\0\0" + bytes(4)
        return self.block(6, head + data + bytes(-len(data) % 4) + comment)

    def old(self, data: bytes, interface: int = 0) -> Blocks:
        """The packet block that the enhanced one replaced."""
        return self.block(2, struct.pack(self.order + "HH", interface, 0xFFFF) + self._head(data) + data)

    def simple(self, data: bytes, *, original: int | None = None) -> Blocks:
        """A packet of interface 0, of which only the original length is told."""
        return self.block(3, self._head(data, original=original)[12:] + data)


def pcapng(packets: Iterable[bytes], link_type: int = 1, *, order: str = "<", snap: int | None = None) -> bytes:
    """A pcapng file of one interface, with blocks in it that nobody knows."""
    blocks = Blocks(order).block(0x0BAD, b"who knows?").interface(link_type, snap=snap or 0)
    for packet in packets:
        blocks.enhanced(packet[:snap], original=len(packet)).block(0x40000001, b"")
    return blocks.block(5, struct.pack(order + "III", 0, 0, 0)).file  # interface statistics


class Said(NamedTuple):
    """What `dissect --json` did."""

    status: int
    rows: list[dict[str, Any]]
    complaints: list[str]  # lines on stderr

    def brief(self) -> list[tuple[Any, ...]]:
        """Of each message: sender, kind, and what it says."""
        return [(row["sender"], row["kind"], *(row[name] for name in _TELLING if name in row)) for row in self.rows]


_TELLING = ("method", "target", "status", "content_bytes", "opcode", "payload", "missing")


def in_here(*arguments: object) -> tuple[int, str, str]:
    """`python -m wsedu` in this process, which is quicker: exit status, stdout, stderr."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = command_line(list(map(str, arguments)))
    return status, out.getvalue(), err.getvalue()


def dissected(file: bytes | Path, *options: object) -> Said:
    """Run `python -m wsedu dissect --json` on a capture, in this process."""
    if isinstance(file, bytes):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "made.pcap")
            path.write_bytes(file)
            return dissected(path, *options)
    status, out, err = in_here("dissect", "--json", file, *options)
    return Said(status, list(map(json.loads, out.splitlines())), err.splitlines())
