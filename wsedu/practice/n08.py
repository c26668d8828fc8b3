# SPDX-License-Identifier: GPL-2.0-or-later
"""Notebook 08: bytes of packets."""

import random
import struct

from .exercise import Arguments, exercise

FIRST_BYTES = [0x47, 0x81, 0x48, 0x01, *b"PDOCT", 0x82, 0x88, 0x89, 0x8A, 0x02, 0x00, 0x80, 0xC1, 0xC2]
"""All that there are: of the methods and ``HTTP``; of frames, the last two compressed (RFC 7692)."""


@exercise(
    "08",
    [(first,) for first in FIRST_BYTES],
    lambda rng: [],
    "RFC 9112, 2.1, and RFC 6455, 5.2",
    (lambda first: "WebSocket" if first & 0x80 else "HTTP", "a fragment begins without FIN, and is no letter either"),
    (
        lambda first: "HTTP" if chr(first).isalpha() else "WebSocket",
        "bytes above 127 are no letters of ASCII, though Python calls some of them letters",
    ),
    (lambda first: "HTTP" if first in b"GH" else "WebSocket", "there are other methods than GET"),
    (lambda first: "WebSocket" if first == 0x81 else "HTTP", "not every frame is a Text frame"),
    (lambda first: "HTTP" if first & 0x80 else "WebSocket", "it is the other way round"),
)
def speaks(first: int) -> str:
    """ "HTTP" or "WebSocket", by the first byte of a message."""
    return "HTTP" if chr(first).isalpha() and first < 0x80 else "WebSocket"


def packet(data: bytes, ip_options: int = 0, tcp_options: int = 12, padding: int = 0, low: int = 0) -> bytes:
    """A packet with its three headers; options in bytes, a multiple of 4; ``low``: the bits beside the data offset."""
    length = 20 + ip_options + 20 + tcp_options + len(data)
    ip = struct.pack("!BBHHHBBHII", 0x45 + ip_options // 4, 0, length, 0, 0, 64, 6, 0, 0xC0000201, 0xC0000202)
    tcp = struct.pack("!HHIIBBHHH", 80, 50_000, 1, 1, (5 + tcp_options // 4) << 4 | low, 0x18, 500, 0, 0)
    link = bytes.fromhex("00005e005301 00005e005302 0800")
    return link + ip + b"\x01" * ip_options + tcp + b"\x01" * tcp_options + data + bytes(padding)


def _packets(data: bytes, tcp_options: int, ip_options: int) -> list[Arguments]:
    return [
        (packet(data, tcp_options=0, padding=max(0, 6 - len(data))),),
        (packet(data, ip_options=ip_options),),
        (packet(data, ip_options, tcp_options),),
        (packet(b"", tcp_options=tcp_options),),
        (packet(b"", tcp_options=0, padding=6),),
    ]


PACKETS = [
    (packet(b"\x81\x05Hello"),),
    *_packets(b"\x81\x01a", tcp_options=20, ip_options=4),
    *_packets(b"\x82\x03a\0\0", tcp_options=40, ip_options=40),  # zeros that are data, before zeros that are not
    (packet(b"\0\0"),),
    (packet(b"ab", tcp_options=4),),  # 60 bytes, as many as a padded one
    (packet(b"x" * 300, ip_options=4, low=12),),  # which a receiver "must ignore"
]


def _some_packets(rng: random.Random) -> list[Arguments]:
    data = rng.randbytes(rng.randrange(1, 20)) + bytes(rng.randrange(2))
    return _packets(data, 4 * rng.randrange(1, 11), 4 * rng.randrange(1, 11))


def _tcp_at(data: bytes) -> int:
    return 14 + 4 * (data[14] & 15)


def _headers(data: bytes) -> int:
    return _tcp_at(data) + 4 * (data[_tcp_at(data) + 12] >> 4)


@exercise(
    "08",
    PACKETS,
    _some_packets,
    "RFC 791, 3.1, and RFC 9293, 3.1",
    (lambda data: 66, "that is usual, and not always so: both headers say how long they are"),
    (lambda data: 14 + 20 + 4 * (data[46] >> 4), "IP may have options too: its first byte says how many"),
    (lambda data: _tcp_at(data) + 20, "the header of TCP may have options: its length is the data offset"),
    (lambda data: _tcp_at(data) + data[_tcp_at(data) + 12] // 4, "the other four bits of that byte are reserved"),
    (lambda data: _headers(data) - 14, "the header of Ethernet is missing: 14 bytes"),
    (lambda data: 14 + (data[14] & 15) + (data[14 + (data[14] & 15) * 4 + 12] >> 4), "both count words of four bytes"),
)
def header_bytes(data: bytes) -> int:
    """How many bytes of Ethernet, IP and TCP stand before the data of a packet."""
    return _headers(data)


@exercise(
    "08",
    PACKETS,
    _some_packets,
    "RFC 791, 3.1 (total length), and RFC 9293, 3.1",
    (lambda data: data[_headers(data) :], "short packets are padded: the total length of IP says where the data ends"),
    (lambda data: tcp_data(data).rstrip(b"\0"), "zeros may be data as well: IP's total length says where it ends"),
    (lambda data: data[66 : 14 + int.from_bytes(data[16:18], "big")], "66 is usual, and not always so"),
    (lambda data: data[54 : 14 + int.from_bytes(data[16:18], "big")], "TCP has options, most often 12 bytes of them"),
    (
        lambda data: data[_headers(data) : int.from_bytes(data[16:18], "big")],
        "the total length of IP counts from the header of IP on, not from that of Ethernet",
    ),
)
def tcp_data(data: bytes) -> bytes:
    """What TCP carries in a packet."""
    return data[_headers(data) : 14 + int.from_bytes(data[16:18], "big")]
