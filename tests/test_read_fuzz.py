# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever a file holds, it is read or refused: no traceback, no endless loop, and the bill adds up."""

from __future__ import annotations

import io
import random
from pathlib import Path

import pytest
from agreement import reads
from capture_maker import CLIENT, LINKS, SERVER, SWITCHING, Blocks, Talk, frame, pcap, pcapng
from hypothesis import given, settings
from hypothesis import strategies as st

import wsedu
from wsedu.wire.pcapfile import read_packets

DATA = Path(__file__).parent.parent / "data"
CAPTURES = sorted(path.name for path in DATA.glob("*.pcap*"))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes(data: bytes) -> None:
    reads(data)
    reads(pcap([])[:24] + data)
    reads(Blocks().interface(1).file + data)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=90), max_size=6), st.sampled_from(sorted(LINKS)))
def test_any_packets(packets: list[bytes], link: str) -> None:
    number = LINKS[link].number
    reads(pcap([LINKS[link].before_ipv4 + b"\x45" + packet for packet in packets], number))
    reads(pcapng([LINKS[link].before_ipv6 + b"\x60" + packet for packet in packets], number))


pieces = st.sampled_from([
    b"GET / HTTP/1.1", b"HTTP/1.1 200 OK", b"HTTP/1.1 101", b"HTTP/1.0", b"HEAD", b"CONNECT a:1 HTTP/1.1",
    b"Content-Length", b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip, chunked", b"Upgrade: websocket",
    b"\r\n", b"\n", b"\r\n\r\n", b" ", b":", b",", b"0", b"5;x", b"\xff", b'"', b"PRI * HTTP/2.0\r\n\r\n",
    b"\x81\x05Hello", b"\x88\x80abcd", b"\x01\x7e\xff\xff", b"\x82\x7f\x80", SWITCHING,
])  # fmt: skip
data = st.binary(max_size=60) | st.lists(pieces, max_size=6).map(b"".join)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.booleans(), data), max_size=8), st.sampled_from(["", "open", "shake"]))
def test_any_bytes_and_almost_http_on_a_connection(said: list[tuple[bool, bytes]], begin: str) -> None:
    talk = Talk()
    packets = getattr(talk, begin)() if begin else []
    for sender, data in said:
        packets += talk.say(sender, data, 17)
    reads(pcap(packets + talk.close()))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 255), st.integers(-50, 300), st.binary(max_size=9))),
    st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)),
)
def test_any_flags_and_sequence_numbers(said: list[tuple[bool, int, int, bytes]], first: tuple[int, int]) -> None:
    talk = Talk(first=first)
    packets = [talk.packet(sender, data, flags, at=at) for sender, flags, at, data in said]
    reads(pcap(packets))
    reads(pcap(talk.shake() + packets))


def test_both_ends_are_the_same() -> None:
    """A socket that connected to itself, or an attack of 1997."""
    talk = Talk(("192.0.2.1", 80), ("192.0.2.1", 80))
    reads(pcap(talk.shake() + talk.say(SERVER, frame(b"x")) + talk.say(CLIENT, frame(b"y")) + talk.close()))


@pytest.mark.parametrize("name", CAPTURES)
def test_captures_of_data_with_bytes_changed_and_lost_and_put_in(name: str) -> None:
    file, rng = (DATA / name).read_bytes(), random.Random(name)
    for _ in range(10):
        damaged = bytearray(file)
        for _ in range(rng.choice((1, 1, 3, 30))):
            damaged[rng.randrange(len(file))] = rng.randrange(256)
        reads(bytes(damaged))
        at, size = rng.randrange(24, len(file)), rng.choice((1, 2, 16, 100))
        for other in file[at + size :], rng.randbytes(size) + file[at:], b"":
            reads(file[:at] + other)


@pytest.mark.parametrize("name", ["http-keepalive.pcap", "websockets-ipv6.pcapng"])
def test_every_field_of_every_header_at_its_extremes(name: str) -> None:
    """Lengths, offsets, protocol numbers: each byte of the headers of a few packets, all zeros and all ones."""
    file = (DATA / name).read_bytes()
    packets = list(read_packets(io.BytesIO(file)))
    for number in {0, 3} & set(range(len(packets))):
        for at in range(12, min(66, len(packets[number].data))):
            for value in 0x00, 0xFF:
                data = [packet.data for packet in packets]
                data[number] = data[number][:at] + bytes([value]) + data[number][at + 1 :]
                wsedu.read(io.BytesIO(pcap(data)))
