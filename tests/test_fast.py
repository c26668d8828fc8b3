# SPDX-License-Identifier: GPL-2.0-or-later
"""The fast path through a capture gives what the slow path gives, whatever happens to the packets on the way.

And whatever a file holds, it is read or refused: no traceback, no endless loop, and the bill adds up.
"""

import io
import random
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from agreement import reads
from capture_maker import CLIENT, DATA, HANDSHAKE, IN_DATA, LINKS, SERVER, SWITCHING, Blocks, Talk, frame, pcap, pcapng
from hypothesis import given, settings, strategies as st

import wsedu
from wsedu.protocol.frames import Frame
from wsedu.wire import pcapfile
from wsedu.wire.connections import CaptureReader
from wsedu.wire.packets import ACK, FIN, RST
from wsedu.wire.pcapfile import read_packets


def frames(rng: random.Random, client: bool) -> bytes:
    parts = []
    for _ in range(rng.randrange(1, 12)):
        size = rng.choice((0, 1, 5, 64, 125, 126, 300, 4000, 65535, 70000)) % rng.choice((130, 130, 1 << 20))
        key = rng.randbytes(4) if client ^ (rng.random() < 0.05) else None
        one = Frame(rng.choice((0, 1, 2, 9, 15)), rng.randbytes(size), masking_key=key)
        form: Any = rng.choice((None,) * 8 + (16, 64))
        parts.append(one.serialize(length_form=None if size > 125 else form))
    if rng.random() < 0.03:
        parts.append(b"\x82\x7f\xff" + rng.randbytes(20))  # no boundary can be read
    return b"".join(parts)


def connection(rng: random.Random, number: int, link: str) -> Iterator[bytes]:
    """The packets of a WebSocket connection. What is said is drawn, and what stands beside it in a packet."""
    network = rng.choice(("192.0.2.", "192.0.2.", "2001:db8::"))
    first: Any = tuple(rng.choices((1000, 0xFFFFFF00, 0x7FFFFF00), k=2))
    talk = Talk((f"{network}{number}", 40000 + number), (f"{network}100", 80), first, link)

    def packet(sender: bool, data: bytes = b"", flags: int = ACK) -> bytes:
        talk.tcp_options = b"\1" * rng.choice((0, 0, 0, 12))
        talk.ip_options = b"\1" * rng.choice((0,) * 19 + (4,))
        return talk.packet(sender, data, flags) + bytes(rng.choice((0, 0, 3)))

    yield from talk.open()
    early = frames(rng, SERVER) if rng.random() < 0.3 else b""
    yield packet(CLIENT, HANDSHAKE)
    yield packet(SERVER, SWITCHING + early[:1000])
    for turn in range(rng.randrange(1, 20)):
        client = turn > 0 and rng.random() < 0.5
        data = frames(rng, client) if turn else early[1000:]
        whole = rng.random() < 0.4
        while data:
            size = 1448 if whole else rng.choice((1, 2, 3, 7, 100, 1448, 5000))
            yield packet(client, data[:size])
            data = data[size:]
            if rng.random() < 0.3:
                yield packet(not client)
    for client in CLIENT, SERVER:
        if rng.random() < 0.6:
            yield packet(client, flags=rng.choice((FIN | ACK, RST)))


def capture(seed: int) -> bytes:
    """A capture file: some connections, mixed; then packets lost, late, twice, cut; or the whole file cut short."""
    rng = random.Random(seed)
    link = rng.choice(("ethernet", "raw", "loop", "sll", "sll2"))
    talks = [connection(rng, number, link) for number in range(1, rng.choice((2, 3, 5)))]
    again = [connection(rng, number, link) for number in range(1, 5) if rng.random() < 0.1]
    packets: list[bytes] = []
    while talks:
        talk = rng.choice(talks)
        packet = next(talk, None)
        if packet is None:
            talks.remove(talk)
            talks += [again.pop()] if again else []  # the same ports once more
        else:
            packets.append(packet)
    trouble = rng.choice((0, 0.005, 0.05))
    if rng.random() < 0.1:
        del packets[: rng.randrange(4)]  # began before the capture
    for at in range(len(packets) - 1, 3, -1):
        if rng.random() < trouble:
            packet, flip = packets[at], len(LINKS[link].before_ipv4) + rng.choice((0, 6, 8, 9))
            # No version of IP that there is, a fragment, another time to live, no TCP.
            flipped = packet[:flip] + bytes([packet[flip] ^ 0x20]) + packet[flip + 1 :]
            cut = packet[: rng.randrange(1, len(packet) + 1)]
            packets[at : at + 1] = rng.choice([[], [packet, packet], [cut], [flipped]])
            if rng.random() < 0.4:
                packets.insert(min(len(packets), at + rng.randrange(1, 9)), packet)
    file = pcap(packets, LINKS[link].number)
    return file[: rng.randrange(24, len(file))] if rng.random() < 0.1 else file


@IN_DATA
def test_captures_of_data(path: Path) -> None:
    for one in reads(path.read_bytes()).conversations:
        for message in (each for each in one.messages if each.stream is None):
            parsed = Frame.parse(message.raw, strict=False)[0] if message.kind == "frame" else None
            assert message.frame == parsed


SEEDS = [200, *(pytest.param(first, marks=pytest.mark.slow) for first in range(210, 400, 10))]


@pytest.mark.parametrize("first", SEEDS)
def test_whatever_happens_to_packets(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(first, first + 10):
        monkeypatch.setattr(pcapfile, "AT_ONCE", (100, 5000, 1 << 18)[seed % 3])
        reads(capture(seed))


def test_packets_like_the_one_before_take_the_fast_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or else the rest of this file proves nothing."""
    taken = Mock(wraps=CaptureReader.packet)
    monkeypatch.setattr(CaptureReader, "packet", lambda *arguments: taken(*arguments))
    count = len(wsedu.read(DATA / "websockets-large.pcap").packets)
    assert 0 < taken.call_count < count / 2


def large(size: int, again: int, masking_key: bytes | None) -> bytes:
    """A capture of one message of this many bytes, of whose packets every ``again``-th comes twice."""
    talk = Talk()
    packets = talk.shake()
    wire = Frame(2, bytes(range(256)) * (size // 256), masking_key=masking_key).serialize()
    for number, packet in enumerate(talk.say(CLIENT, wire), 1):
        packets += [packet] * (1 + (number % again == 0))
    return pcap(packets)


@pytest.mark.parametrize("masking_key", [None, b"abcd"])
def test_a_large_message_is_in_memory_twice(tmp_path: Path, masking_key: bytes | None) -> None:
    size = 8 << 20
    path = tmp_path / "large.pcap"
    path.write_bytes(large(size, size, masking_key))
    wsedu.read(path)  # what is loaded and remembered once does not count
    tracemalloc.start()
    capture = wsedu.read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert capture.conversations[0].messages[-1].payload == bytes(range(256)) * (size // 256)
    assert peak < 2.2 * size


def test_packets_on_the_slow_path_inside_a_large_message_copy_none_of_it() -> None:
    """Twice the message with twice the packets that come again takes twice the time, and not four times."""

    def seconds(size: int) -> float:
        file, begin = large(size, 3, b"abcd"), time.thread_time()
        *_, message = wsedu.messages(io.BytesIO(file))
        assert len(message.payload) == size
        return time.thread_time() - begin

    assert seconds(16 << 20) < 13 * seconds(2 << 20)


def test_a_gap_that_the_end_shows_has_the_time_of_the_last_packet() -> None:
    talk = Talk()
    packets = talk.shake() + talk.say(CLIENT, frame(b"x")) * 3 + talk.lose(SERVER, b"lost")
    packets += talk.say(SERVER, frame(b"x")) + talk.say(CLIENT, frame(b"y")) + talk.say(CLIENT, frame(b"z"))
    gap = reads(pcap(packets)).conversations[0].messages[-1]
    assert gap.kind == "gap" and gap.time == (len(packets) - 1) / 1000


# Whatever a file holds.


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


@pytest.mark.parametrize("rounds", [4, pytest.param(12, marks=pytest.mark.slow)])
@IN_DATA
def test_captures_of_data_with_bytes_changed_and_lost_and_put_in(path: Path, rounds: int) -> None:
    file, rng = path.read_bytes(), random.Random(path.name)
    for _ in range(rounds):
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
