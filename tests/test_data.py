# SPDX-License-Identifier: GPL-2.0-or-later
"""The captures in data/ are what their README says: real, whole, correct to the checksum, and small.

Packets are taken apart here by a few lines of `struct`, on purpose without wsedu: the captures are what wsedu
is tested against.
"""

from __future__ import annotations

import re
import struct
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from oracles import tshark

import wsedu

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "data"
CAPTURES = sorted(path.name for path in DATA.glob("*.pcap*"))
WAYS = ("polling", "longpoll", "eventsource", "websocket")

sys.path.insert(0, str(ROOT / "tools"))
import describe_captures  # noqa: E402

SYN, FIN, RST = 2, 1, 4


@dataclass
class Packet:
    time: float
    data: bytes
    original_length: int


@dataclass
class Segment:
    source: bytes
    destination: bytes
    tcp: bytes
    pseudo_header: bytes
    ip_header: bytes

    @property
    def ends(self) -> tuple[bytes, bytes]:
        return self.source + self.tcp[0:2], self.destination + self.tcp[2:4]

    @property
    def payload(self) -> bytes:
        return self.tcp[4 * (self.tcp[12] >> 4) :]


def read_packets(content: bytes) -> Iterator[Packet]:
    if content[:4] == b"\x0a\x0d\x0d\x0a":
        offset = 0
        while offset < len(content):
            kind, length = struct.unpack_from("<II", content, offset)
            if kind == 6:
                _, high, low, captured, original = struct.unpack_from("<5I", content, offset + 8)
                data = content[offset + 28 : offset + 28 + captured]
                yield Packet(((high << 32) + low) / 1e9, data, original)
            offset += length
        return
    assert content[:4] == b"\xd4\xc3\xb2\xa1"
    offset = 24
    while offset < len(content):
        seconds, micros, captured, original = struct.unpack_from("<4I", content, offset)
        yield Packet(seconds + micros / 1e6, content[offset + 16 : offset + 16 + captured], original)
        offset += 16 + captured


def segment(packet: bytes) -> Segment:
    if packet[12:14] == b"\x08\x00":
        header = packet[14:34]
        assert header[0] == 0x45 and header[9] == 6
        source, destination = header[12:16], header[16:20]
        tcp = packet[34 : 14 + int.from_bytes(header[2:4], "big")]
    else:
        assert packet[12:14] == b"\x86\xdd" and packet[20] == 6
        header = b""  # an IPv6 header has no checksum
        source, destination = packet[22:38], packet[38:54]
        tcp = packet[54 : 54 + int.from_bytes(packet[18:20], "big")]
    pseudo_header = source + destination + struct.pack("!II", len(tcp), 6)
    return Segment(source, destination, tcp, pseudo_header, header)


def ones_complement_sum(data: bytes) -> int:
    """RFC 1071. Over data that holds its own right checksum the sum is 0xFFFF."""
    data += bytes(len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def wrong_checksums(content: bytes) -> list[int]:
    wrong = []
    for number, packet in enumerate(read_packets(content), start=1):
        part = segment(packet.data)
        if ones_complement_sum(part.pseudo_header + part.tcp) != 0xFFFF:
            wrong.append(number)
        elif part.ip_header and ones_complement_sum(part.ip_header) != 0xFFFF:
            wrong.append(number)
    return wrong


def streams(name: str) -> dict[tuple[bytes, bytes], bytes]:
    """The bytes of each direction. Nothing is lost or sent again in these captures, so order is enough."""
    result: dict[tuple[bytes, bytes], bytes] = defaultdict(bytes)
    expected: dict[tuple[bytes, bytes], int] = {}
    for packet in read_packets((DATA / name).read_bytes()):
        part = segment(packet.data)
        sequence, flags = struct.unpack_from("!I5xB", part.tcp, 4)
        assert expected.setdefault(part.ends, sequence) == sequence, "a segment is missing or repeated"
        expected[part.ends] = (sequence + len(part.payload) + bool(flags & SYN) + bool(flags & FIN)) % 2**32
        result[part.ends] += part.payload
    return result


def test_the_readme_names_every_capture_and_no_other() -> None:
    text = (DATA / "README.md").read_text(encoding="utf-8")
    assert CAPTURES
    assert sorted(re.findall(r"^- \*\*(\S+\.pcap\w*)\*\*", text, re.MULTILINE)) == CAPTURES
    assert sorted(re.findall(r"^\| (\S+\.pcap\w*) \|", text, re.MULTILINE)) == CAPTURES
    assert sorted(path.name for path in DATA.iterdir()) == sorted(
        [*CAPTURES, "README.md", "measured-grid.csv"]
    )


def test_the_readme_counts_what_tshark_counts() -> None:
    begin, end = describe_captures.MARKS
    text = (DATA / "README.md").read_text(encoding="utf-8")
    assert text.partition(begin)[2].partition(end)[0] == describe_captures.table(tshark)


@pytest.mark.parametrize("name", CAPTURES)
def test_a_capture_is_small_and_its_packets_are_whole(name: str) -> None:
    content = (DATA / name).read_bytes()
    assert len(content) < (75_000 if name == "websockets-large.pcap" else 20_000)
    packets = list(read_packets(content))
    assert all(len(packet.data) == packet.original_length <= 1514 for packet in packets)
    assert len({packet.data for packet in packets}) == len(packets), "a packet is there twice"
    assert [packet.time for packet in packets] == sorted(packet.time for packet in packets)


@pytest.mark.parametrize("name", CAPTURES)
def test_checksums_are_right(name: str) -> None:
    content = (DATA / name).read_bytes()
    assert wrong_checksums(content) == []


@pytest.mark.parametrize("offset", [14 + 8, 14 + 20 + 4, -1])
def test_one_changed_byte_is_noticed(offset: int) -> None:
    """Time to live, sequence number, last byte of the last packet: so the test above can fail."""
    content = bytearray((DATA / "websockets-session.pcap").read_bytes())
    content[offset if offset < 0 else 24 + 16 + offset] ^= 0x10
    assert len(wrong_checksums(bytes(content))) == 1


@pytest.mark.parametrize("name", CAPTURES)
def test_only_documentation_addresses(name: str) -> None:
    known = {bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2])}
    known |= {bytes.fromhex("20010db8") + bytes(11) + bytes([last]) for last in (1, 2)}
    for packet in read_packets((DATA / name).read_bytes()):
        part = segment(packet.data)
        assert part.source in known and part.destination in known
        assert packet.data[0:5] == packet.data[6:11] == bytes.fromhex("00005e0053")


@pytest.mark.parametrize("name", CAPTURES)
def test_connections_are_complete(name: str) -> None:
    flags: dict[tuple[bytes, bytes], list[int]] = defaultdict(list)
    after_fin: dict[tuple[bytes, bytes], int] = {}
    acknowledged: dict[tuple[bytes, bytes], int] = {}
    for packet in read_packets((DATA / name).read_bytes()):
        part = segment(packet.data)
        sequence, acknowledged[part.ends], flag = struct.unpack_from("!IIxB", part.tcp, 4)
        flags[part.ends].append(flag)
        if flag & FIN:
            after_fin[part.ends] = (sequence + len(part.payload) + 1) % 2**32
    for (here, there), seen in flags.items():
        assert seen[0] & SYN and not any(flag & SYN for flag in seen[1:])
        assert sum(bool(flag & FIN) for flag in seen) == 1
        assert not any(flag & RST for flag in seen)
        assert acknowledged[there, here] == after_fin[here, there]
    streams(name)  # and no segment is missing between


@pytest.mark.parametrize("name", CAPTURES)
def test_tshark_sees_nothing_odd(name: str) -> None:
    options = ("-n", "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE")
    assert tshark(*options, "-r", DATA / name, "-Y", '_ws.expert.severity >= "Warning"') == ""


def test_the_news_is_the_same_in_all_four_ways() -> None:
    port80 = (80).to_bytes(2, "big")
    found = {}
    for way in WAYS:
        sent = b"".join(
            data for (sender, _), data in streams(f"chromium-{way}.pcap").items() if sender.endswith(port80)
        )
        found[way] = re.findall(rb'\{"id":\d+,"news":"[^"]*"\}', sent)
    assert len(found["polling"]) == 6
    assert {len(update) for update in found["polling"]} == {27}
    assert [int(re.findall(rb"\d+", update)[0]) for update in found["polling"]] == [1, 2, 3, 4, 5, 6]
    for way in WAYS:
        assert found[way] == found["polling"], way


def test_polling_also_asks_in_vain() -> None:
    sent = b"".join(streams("chromium-polling.pcap").values())
    assert 2 <= sent.count(b"HTTP/1.1 204 No Content\r\n") <= 10


def test_a_response_that_nobody_asked_for() -> None:
    unasked, asked = wsedu.read(DATA / "http-408.pcap").conversations
    assert [(message.kind, message.sender) for message in unasked.messages] == [("response", "server")]
    assert isinstance(unasked.messages[0].head, wsedu.Response)
    assert unasked.messages[0].head.status == 408
    assert unasked.client.startswith("192.0.2.2:")
    assert [message.kind for message in asked.messages] == ["request", "response"]
