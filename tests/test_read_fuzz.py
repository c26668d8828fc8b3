# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever a file holds, it is read or refused: no traceback, no endless loop, and the bill adds up."""

from __future__ import annotations

import io
import random
from pathlib import Path

import pytest
from capture_maker import CLIENT, LINKS, SERVER, SWITCHING, Blocks, Talk, dissected, frame, pcap, pcapng
from hypothesis import given, settings
from hypothesis import strategies as st

import wsedu
from wsedu.wire.connections import CaptureReader
from wsedu.wire.pcapfile import CutShort, NotACapture, read_packets

DATA = Path(__file__).parent.parent / "data"
CAPTURES = sorted(path.name for path in DATA.glob("*.pcap*"))


def reads(file: bytes) -> None:
    """Every way of reading says the same: messages, or an error of ours."""
    try:
        capture = wsedu.read(io.BytesIO(file))
    except NotACapture:
        assert dissected(file).status == 2
        return
    said = dissected(file)
    assert said.status == (not capture.complete)
    read = sorted(
        (one for each in capture.conversations for one in each.messages),
        key=lambda one: (one.conversation, one.sender, one.time),
    )
    assert len(said.rows) == len(read)
    for one in read:
        assert one.kind in ("request", "response", "frame", "gap")
        assert len(one.raw) == one.wire_length and isinstance(repr(one), str)
        assert one.kind == "gap" or one.spans()
    careful, quick = [CaptureReader([]).run(read_packets(io.BytesIO(file))), wsedu.messages(io.BytesIO(file))]
    while True:
        try:
            first = next(careful, None)
        except CutShort:
            with pytest.raises(CutShort):
                next(quick)
            break
        second = next(quick, None)
        assert (first is None) == (second is None)
        if first is None or second is None:
            break
        assert (first.kind, first.raw, first.time, first.packets) == (
            second.kind,
            second.raw,
            second.time,
            second.packets,
        )
    bill = capture.bill()
    assert bill.total_bytes == sum(len(packet.data) for packet in capture.packets)
    assert min(bill.parts.values(), default=0) >= 0


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


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=60)), max_size=8), st.booleans())
def test_any_bytes_on_a_connection(said: list[tuple[bool, bytes]], shaken: bool) -> None:
    talk = Talk()
    packets = talk.shake() if shaken else []
    for sender, data in said:
        packets += talk.say(sender, data, 17)
    reads(pcap(packets + talk.close()))


pieces = st.sampled_from(
    [b"GET / HTTP/1.1", b"HTTP/1.1 200 OK", b"HTTP/1.1 101", b"\r\n", b"\n", b"\r\n\r\n", b" ", b":", b","]
    + [
        b"Content-Length",
        b"Transfer-Encoding: chunked",
        b"Upgrade: websocket",
        b"0",
        b"5;x",
        b"\xff",
        b"HEAD",
    ]
    + [b"Transfer-Encoding: gzip, chunked", b"CONNECT a:1 HTTP/1.1", b"\x81\x05Hello", b"\x88\x80abcd", b'"']
    + [SWITCHING, b"\x01\x7e\xff\xff", b"\x82\x7f\x80", b"HTTP/1.0", b"PRI * HTTP/2.0\r\n\r\n"]
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.lists(pieces, max_size=6).map(b"".join)), max_size=8))
def test_almost_http_on_a_connection(said: list[tuple[bool, bytes]]) -> None:
    talk = Talk()
    packets = talk.open()
    for sender, data in said:
        packets += talk.say(sender, data, 23)
    reads(pcap(packets + talk.close()))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 255), st.integers(-50, 300), st.binary(max_size=9))),
    st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)),
)
def test_any_flags_and_sequence_numbers(
    said: list[tuple[bool, int, int, bytes]], first: tuple[int, int]
) -> None:
    talk = Talk(first=first)
    packets = [talk.packet(sender, data, flags, at=at) for sender, flags, at, data in said]
    reads(pcap(packets))
    reads(pcap(talk.shake() + packets))


def test_both_ends_are_the_same() -> None:
    """A socket that connected to itself, or an attack of 1997."""
    talk = Talk(("192.0.2.1", 80), ("192.0.2.1", 80))
    reads(pcap(talk.shake() + talk.say(SERVER, frame(b"x")) + talk.say(CLIENT, frame(b"y")) + talk.close()))


@pytest.mark.parametrize("name", CAPTURES)
def test_captures_of_data_with_flipped_bytes(name: str) -> None:
    file = (DATA / name).read_bytes()
    rng = random.Random(name)
    for _ in range(40):
        damaged = bytearray(file)
        for _ in range(rng.choice((1, 1, 3, 30))):
            damaged[rng.randrange(len(file))] = rng.randrange(256)
        reads(bytes(damaged))


@pytest.mark.parametrize("name", CAPTURES)
def test_captures_of_data_with_bytes_lost_and_put_in(name: str) -> None:
    file = (DATA / name).read_bytes()
    rng = random.Random(name)
    for _ in range(20):
        at, size = rng.randrange(24, len(file)), rng.choice((1, 2, 16, 100))
        reads(file[:at] + file[at + size :])
        reads(file[:at] + rng.randbytes(size) + file[at:])
        reads(file[:at])


@pytest.mark.parametrize("name", CAPTURES)
def test_every_field_of_every_header_at_its_extremes(name: str) -> None:
    """Lengths, offsets, protocol numbers: each byte of the headers of a few packets, all zeros and all ones."""
    file = (DATA / name).read_bytes()
    with io.BytesIO(file) as opened:
        packets = list(read_packets(opened))
    for number in {0, 3} & set(range(len(packets))):
        for at in range(12, min(66, len(packets[number].data))):
            for value in 0x00, 0xFF:
                data = [packet.data for packet in packets]
                data[number] = data[number][:at] + bytes([value]) + data[number][at + 1 :]
                wsedu.read(io.BytesIO(pcap(data)))
