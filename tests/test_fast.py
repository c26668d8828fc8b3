# SPDX-License-Identifier: GPL-2.0-or-later
"""The fast path through a capture gives what the slow path gives, whatever happens to the packets on the way."""

from __future__ import annotations

import io
import random
import struct
import time
import tracemalloc
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

import wsedu
from wsedu.protocol import handshake
from wsedu.protocol.frames import Frame
from wsedu.wire import fast, pcapfile
from wsedu.wire.connections import CaptureReader
from wsedu.wire.message import CapturedMessage
from wsedu.wire.packets import ACK, FIN, RST, SYN
from wsedu.wire.pcapfile import CutShort, Packet, read_packets, write_capture

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
DATA = sorted((Path(__file__).parent.parent / "data").glob("*.pcap*"))
# link type -> what stands before the IP header, of version 4 and of version 6
LINKS = {
    1: (bytes(12) + b"\x08\x00", bytes(12) + b"\x86\xdd"),
    101: (b"", b""),
    108: (b"\0\0\0\x02", b"\0\0\0\x1e"),
    113: (bytes(14) + b"\x08\x00", bytes(14) + b"\x86\xdd"),
    276: (b"\x08\x00" + bytes(18), b"\x86\xdd" + bytes(18)),
}


class Talk:
    """A WebSocket connection whose bytes and packets are drawn from ``rng``."""

    def __init__(self, rng: random.Random, number: int, link_type: int) -> None:
        self.rng, self.link_type = rng, link_type
        self.version = rng.choice((4, 4, 6))
        size = 4 if self.version == 4 else 16
        self.addresses = {True: bytes([number] * size), False: bytes([100] * size)}
        self.ports = {True: 40000 + number, False: 80}
        self.next = {side: rng.choice((1000, 0xFFFFFF00, 0x7FFFFF00)) for side in (True, False)}

    def packet(self, client: bool, flags: int, data: bytes = b"") -> bytes:
        rng, sequence = self.rng, self.next[client]
        self.next[client] = (sequence + len(data) + bool(flags & (SYN | FIN))) % 2**32
        options = b"\1" * rng.choice((0, 0, 0, 12))
        tcp = struct.pack(
            "!HHIIBBHHH", self.ports[client], self.ports[not client], sequence, self.next[not client],
            (5 + len(options) // 4) << 4, flags, 65535, 0, 0,
        )  # fmt: skip
        tcp += options + data
        both, hops = self.addresses[client] + self.addresses[not client], rng.choice((64,) * 9 + (63,))
        before = LINKS[self.link_type][self.version == 6]
        if self.version == 6:
            return before + struct.pack("!IHBB", 6 << 28, len(tcp), 6, hops) + both + tcp
        more = rng.choice((0,) * 19 + (1,))  # words of IP options
        length = 20 + 4 * more + len(tcp)
        ip = struct.pack("!BBHHHBBH", 0x45 + more, 0, length, rng.getrandbits(16), 0x4000, hops, 6, 0)
        padding = bytes(rng.choice((0, 0, 3)))
        return before + ip + both + b"\1" * 4 * more + tcp + padding

    def frames(self, client: bool) -> bytes:
        rng, parts = self.rng, []
        for _ in range(rng.randrange(1, 12)):
            size = rng.choice((0, 1, 5, 64, 125, 126, 300, 4000, 65535, 70000))
            size = size if rng.random() < 0.3 else size % 130
            key = rng.randbytes(4) if client ^ (rng.random() < 0.05) else None
            frame = Frame(rng.choice((0, 1, 2, 9, 15)), rng.randbytes(size), masking_key=key)
            form: Any = rng.choice((None,) * 8 + (16, 64))
            parts.append(frame.serialize(length_form=None if size > 125 else form))
        if rng.random() < 0.03:
            parts.append(b"\x82\x7f\xff" + rng.randbytes(20))  # no boundary can be read
        return b"".join(parts)

    def __iter__(self) -> Iterator[bytes]:
        rng = self.rng
        yield self.packet(True, SYN)
        yield self.packet(False, SYN | ACK)
        yield self.packet(True, ACK, handshake.request("h", key=KEY))
        early = self.frames(False) if rng.random() < 0.3 else b""
        yield self.packet(False, ACK, handshake.response(KEY) + early[:1000])
        for turn in range(rng.randrange(1, 20)):
            client = turn > 0 and rng.random() < 0.5
            data = self.frames(client) if turn else early[1000:]
            whole = rng.random() < 0.4
            while data:
                size = 1448 if whole else rng.choice((1, 2, 3, 7, 100, 1448, 5000))
                yield self.packet(client, ACK, data[:size])
                data = data[size:]
                if rng.random() < 0.3:
                    yield self.packet(not client, ACK)
        for client in True, False:
            if rng.random() < 0.6:
                yield self.packet(client, rng.choice((FIN | ACK, RST)))


def capture(seed: int) -> bytes:
    """A capture file: some connections, mixed; then packets lost, late, twice, cut; or the whole file cut short."""
    rng = random.Random(seed)
    link_type = rng.choice(list(LINKS))
    talks = [iter(Talk(rng, number, link_type)) for number in range(1, rng.choice((2, 3, 5)))]
    again = [iter(Talk(rng, number, link_type)) for number in range(1, 5) if rng.random() < 0.1]
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
            match rng.randrange(6):
                case 0:
                    del packets[at]
                case 1:
                    packets.insert(min(len(packets), at + rng.randrange(1, 5)), packets.pop(at))
                case 2:
                    packets.insert(min(len(packets), at + rng.randrange(1, 9)), packets[at])
                case 3:
                    packets[at] = packets[at][: rng.randrange(1, len(packets[at]) + 1)]
                case 4:  # no IP, or no version that there is
                    packets[at] = bytes(byte ^ 0x10 for byte in packets[at][:20]) + packets[at][20:]
                case 5:  # a fragment, or no TCP
                    ip_at = len(LINKS[link_type][0])
                    beside = bytes(byte ^ 0x20 for byte in packets[at][ip_at + 6 : ip_at + 7])
                    packets[at] = packets[at][: ip_at + 6] + beside + packets[at][ip_at + 7 :]
    file = write_capture(
        Packet(10**18 + 1000 * at, link_type, data, len(data)) for at, data in enumerate(packets)
    )
    return file[: rng.randrange(24, len(file))] if rng.random() < 0.1 else file


def facts(message: CapturedMessage) -> tuple[object, ...]:
    names = (
        "kind", "conversation", "sender", "time", "packets", "raw", "payload", "head", "content", "missing",
        "request_method",
    )  # fmt: skip
    return tuple(getattr(message, name) for name in names)


def both(file: bytes) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """The messages and warnings of a capture, on the fast path and on the slow one."""
    result = []
    for fast_path in True, False:
        warnings: list[str] = []
        found: list[tuple[object, ...]] = []
        try:
            if fast_path:
                for batch in fast.FastReader(warnings).batches(io.BytesIO(file)):
                    found.extend(map(facts, batch))
            else:
                found.extend(map(facts, CaptureReader(warnings).run(read_packets(io.BytesIO(file)))))
        except CutShort as error:
            warnings.append(str(error))
        result.append([*found, tuple(warnings)])
    return result[0], result[1]


@pytest.mark.parametrize("path", DATA, ids=lambda path: path.name)
def test_captures_of_data(path: Path) -> None:
    fast_path, slow_path = both(path.read_bytes())
    assert fast_path == slow_path
    for conversation in wsedu.read(path).conversations:
        for message in conversation.messages:
            parsed = Frame.parse(message.raw, strict=False)[0] if message.kind == "frame" else None
            assert message.frame == parsed


@pytest.mark.parametrize("first", range(200, 400, 20))
def test_whatever_happens_to_packets(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(first, first + 20):
        monkeypatch.setattr(pcapfile, "AT_ONCE", (100, 5000, 1 << 18)[seed % 3])
        fast_path, slow_path = both(capture(seed))
        assert fast_path == slow_path, f"seed {seed}"


def test_packets_like_the_one_before_take_the_fast_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or else the rest of this file proves nothing."""
    taken: list[int] = []
    packet = CaptureReader.packet

    def counted(self: CaptureReader, index: int, one: Packet) -> Any:
        taken.append(index)
        return packet(self, index, one)

    monkeypatch.setattr(CaptureReader, "packet", counted)
    path = next(path for path in DATA if path.name == "websockets-large.pcap")
    count = len(wsedu.read(path).packets)
    assert 0 < len(taken) < count / 2


class First(random.Random):
    """No rng at all: packets of one sender all look the same."""

    def choice(self, seq: Any) -> Any:
        return seq[0]


def large(size: int, again: int, masking_key: bytes | None) -> bytes:
    """A capture of one message of this many bytes, of whose packets every ``again``-th comes twice."""
    talk = Talk(First(0), 1, 101)
    packets = list(islice(talk, 4))
    wire = Frame(2, bytes(range(256)) * (size // 256), masking_key=masking_key).serialize()
    for number, at in enumerate(range(0, len(wire), 1400), 1):
        packets.append(talk.packet(True, ACK, wire[at : at + 1400]))
        packets += packets[-1:] * (number % again == 0)
    return write_capture(Packet(at, 101, data, len(data)) for at, data in enumerate(packets))


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
        *_, message = [
            message for batch in fast.FastReader([]).batches(io.BytesIO(file)) for message in batch
        ]
        assert len(message.payload) == size
        return time.thread_time() - begin

    assert seconds(16 << 20) < 13 * seconds(2 << 20)


def test_a_gap_that_the_end_shows_has_the_time_of_the_last_packet() -> None:
    talk = Talk(First(0), 1, 101)
    packets = list(islice(talk, 4))
    frame = Frame(1, b"x").serialize()
    packets += [talk.packet(True, ACK, frame) for _ in range(3)]
    talk.packet(False, ACK, b"lost")
    packets.append(talk.packet(False, ACK, frame))
    packets += [talk.packet(True, ACK, frame) for _ in range(3)]
    file = write_capture(Packet(at, 101, data, len(data)) for at, data in enumerate(packets))
    fast_path, slow_path = both(file)
    assert fast_path == slow_path
    *_, gap, _warnings = fast_path
    assert gap[0] == "gap" and gap[3] == (len(packets) - 1) / 1e9
