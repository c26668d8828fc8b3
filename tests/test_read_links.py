# SPDX-License-Identifier: GPL-2.0-or-later
"""Every link layer, IP version and file format that the design names: the same talk, the same messages."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable

import pytest
from capture_maker import (
    CLIENT,
    HANDSHAKE,
    LINKS,
    SERVER,
    START,
    STEP,
    SWITCHING,
    Blocks,
    Talk,
    dissected,
    frame,
    pcap,
    pcapng,
)

IPV4, IPV6 = ("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2")
FORMATS: dict[str, Callable[[Iterable[bytes], int], bytes]] = {
    "pcap": pcap,
    "pcap, big endian": lambda packets, link: pcap(packets, link, order=">"),
    "pcap, nanoseconds": lambda packets, link: pcap(packets, link, nanoseconds=True),
    "pcap, nanoseconds, big endian": lambda packets, link: pcap(packets, link, nanoseconds=True, order=">"),
    "pcapng": pcapng,
    "pcapng, big endian": lambda packets, link: pcapng(packets, link, order=">"),
}


def chat(talk: Talk) -> list[bytes]:
    """Ten packets: a WebSocket connection with one masked and one plain frame."""
    packets = talk.shake()
    packets += talk.say(CLIENT, frame(b"Hi", key=b"\x01\x02\x03\x04"))
    packets += talk.say(SERVER, frame(b"Hello"))
    return packets + talk.close()


def expected(client: str = "192.0.2.1:40000", server: str = "192.0.2.2:80") -> list[dict[str, object]]:
    """Every field of every row, as the design defines them."""
    common = {"conversation": 0, "client": client, "server": server}
    bits = {"fin": True, "rsv1": False, "rsv2": False, "rsv3": False, "opcode": 1}

    def row(sender: str, packet: int, kind: str, length: int, **more: object) -> dict[str, object]:
        time = packet * STEP / 1e6
        return {**common, "sender": sender, "time": time, "kind": kind, "wire_length": length, **more}

    request = {"method": "GET", "target": "/chat", "content_bytes": 0}
    hi = {**bits, "masked": True, "payload_length": 2, "payload": "4869"}
    hello = {**bits, "masked": False, "payload_length": 5, "payload": "48656c6c6f"}
    return [
        row("client", 3, "request", len(HANDSHAKE), **request),
        row("server", 4, "response", len(SWITCHING), status=101, content_bytes=0),
        row("client", 5, "frame", 8, **hi),
        row("server", 6, "frame", 7, **hello),
    ]


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("form", FORMATS)
def test_link_layers_in_each_format(form: str, link: str, version: int) -> None:
    ends = IPV4 if version == 4 else IPV6
    talk = Talk((ends[0], 40000), (ends[1], 80), link=link)
    said = dissected(FORMATS[form](chat(talk), LINKS[link].number))
    names = [f"{end}:" if version == 4 else f"[{end}]:" for end in ends]
    assert (said.status, said.complaints) == (0, [])
    assert said.rows == expected(names[0] + "40000", names[1] + "80")


@pytest.mark.parametrize("number", [14, 101, 228, 229])
def test_all_numbers_of_raw_ip(number: int) -> None:
    ends = IPV6 if number == 229 else IPV4
    assert len(dissected(pcap(chat(Talk((ends[0], 1), (ends[1], 2), link="raw")), number)).rows) == 4


@pytest.mark.parametrize("link", LINKS)
def test_options_of_ip_and_of_tcp(link: str) -> None:
    talk = Talk(link=link, ip_options=b"\x94\x04\0\0" * 3, tcp_options=b"\x01\x01\x08\x0a" + bytes(8))
    assert dissected(pcap(chat(talk), LINKS[link].number)).rows == expected()


@pytest.mark.parametrize(
    "extensions",
    [
        [(0, b"\0\x01\x04\0\0\0\0")],  # hop-by-hop options
        [(43, b"\x02\x04" + bytes(21))],  # routing, 24 bytes
        [(60, b"\x01\x01\x0c" + bytes(12))],  # destination options, 16 bytes
        [(44, b"\0\0\0\0\0\0\x09")],  # an atomic fragment: the whole packet (RFC 6946)
        [(51, b"\x04" + bytes(22))],  # authentication, 24 bytes
        [(135, b"\0" + bytes(6))],  # mobility
        [(0, b"\0\x01\x04\0\0\0\0"), (60, b"\0\x01\x04\0\0\0\0"), (43, b"\0" + bytes(6))],
    ],
)
def test_extension_headers_of_ipv6(extensions: list[tuple[int, bytes]]) -> None:
    talk = Talk((IPV6[0], 40000), (IPV6[1], 80), extensions=extensions)
    assert dissected(pcap(chat(talk))).rows == expected("[2001:db8::1]:40000", "[2001:db8::2]:80")


@pytest.mark.parametrize("version", [4, 6])
def test_padding_of_ethernet_is_no_data(version: int) -> None:
    ends = IPV4 if version == 4 else IPV6
    packets = chat(Talk((ends[0], 40000), (ends[1], 80)))
    padded = [packet.ljust(60, b"\xee") + b"\xee\xee\xee\xee" for packet in packets]
    assert [row["kind"] for row in dissected(pcap(padded)).rows] == ["request", "response", "frame", "frame"]


def test_segments_that_a_card_was_to_cut_have_no_length() -> None:
    """What a machine captures of its own packets: IPv4 total length 0 (and IPv6 payload length 0)."""
    for ends, at in ((IPV4, 16), (IPV6, 18)):
        packets = chat(Talk((ends[0], 40000), (ends[1], 80)))
        unfilled = [packet[:at] + b"\0\0" + packet[at + 2 :] for packet in packets]
        assert len(dissected(pcap(unfilled)).rows) == 4
    large = Talk()
    packets = large.shake() + large.say(SERVER, frame(bytes(70000)), 100_000)
    assert dissected(pcap(packets)).rows[-1]["payload_length"] == 70000
    # The snap length cuts it: then only the file knows how long it was.
    cut = dissected(pcap(packets, snap=30_000))
    assert cut.rows[-1]["missing"] == len(packets[-1]) - 30_000


@pytest.mark.parametrize("order", "<>")
def test_interfaces_of_several_link_types_and_resolutions(order: str) -> None:
    """One connection seen in turn on three interfaces, each with its own clock."""
    ways = [("ethernet", 6, 10**6, None), ("sll2", 9, 10**9, None), ("raw", 0x80 | 20, 2**20, START)]
    blocks = Blocks(order)
    for link, resolution, _, offset in ways:
        blocks.interface(LINKS[link].number, resolution=resolution, offset=offset)
    talks = [Talk(link=link) for link, *_ in ways]
    for index, packets in enumerate(zip(*map(chat, talks), strict=True)):
        which = index % 3
        seconds = (0 if ways[which][3] else START) + index * STEP / 1e6
        ticks = int(seconds) * ways[which][2] + round(seconds % 1 * ways[which][2])
        blocks.enhanced(packets[which], which, ticks=ticks)
    said = dissected(blocks.file)
    times = [row.pop("time") for row in said.rows]
    assert times == pytest.approx([0.003, 0.004, 0.005, 0.006], abs=1e-5)
    assert said.rows == [{name: row[name] for name in row if name != "time"} for row in expected()]


def test_a_new_section_forgets_interfaces_and_may_turn_bytes_round() -> None:
    packets, blocks = chat(Talk()), Blocks("<").interface(1)
    for packet in packets[:5]:
        blocks.enhanced(packet)
    blocks.order = ">"
    blocks.section().interface(276)
    for packet in chat(Talk(link="sll2"))[5:]:
        blocks.enhanced(packet)
    assert dissected(blocks.file).rows == expected()


def test_simple_and_old_packet_blocks() -> None:
    packets = chat(Talk())
    simple, old = Blocks().interface(1), Blocks().interface(113).interface(1)
    for packet in packets:
        simple.simple(packet)
        old.old(packet, 1)
    assert dissected(old.file).rows == expected()
    assert dissected(simple.file).rows == [row | {"time": 0.0} for row in expected()]


def test_a_packet_without_a_time_has_that_of_the_one_before() -> None:
    blocks = Blocks().interface(1)
    for number, packet in enumerate(chat(Talk())):
        if number in (4, 6):
            blocks.simple(packet)
        else:
            blocks.enhanced(packet)
    assert [row["time"] for row in dissected(blocks.file).rows] == [0.003, 0.003, 0.005, 0.005]


def test_simple_packet_blocks_have_the_snap_length_of_the_interface() -> None:
    packets = chat(Talk())
    blocks = Blocks().interface(1, snap=100)
    for packet in packets:
        blocks.simple(packet[:100], original=len(packet))
    said = dissected(blocks.file)
    assert said.brief() == [
        ("client", "gap", len(packets[3]) - 100),
        ("server", "gap", len(packets[4]) - 100),
    ]


def test_what_holds_no_tcp_is_left_alone() -> None:
    arp = LINKS["ethernet"].before_ipv4[:12] + b"\x08\x06" + bytes(28)
    udp = Talk().packet(CLIENT, b"x" * 20)
    udp = udp[:23] + b"\x11" + udp[24:]
    packets = chat(Talk())
    said = dissected(pcap([arp, udp, *packets[:5], arp, udp, *packets[5:], b"", b"\0"]))
    assert said.status == 0
    assert [row["kind"] for row in said.rows] == ["request", "response", "frame", "frame"]


@pytest.mark.parametrize(
    ("packet", "why"),
    [
        pytest.param(lambda p: p[:14] + b"\x44" + p[15:], "header", id="IP header of 16 bytes"),
        pytest.param(lambda p: p[:46] + b"\x40" + p[47:], "header", id="TCP header of 16 bytes"),
        pytest.param(lambda p: p[:16] + b"\0\x1e" + p[18:], "header", id="IP packet that ends inside TCP"),
        pytest.param(lambda p: p[:20] + b"\x20\0" + p[22:], "fragment", id="first fragment"),
        pytest.param(lambda p: p[:20] + b"\0\x08" + p[22:], "fragment", id="later fragment"),
        pytest.param(lambda p: p[:40], "header", id="cut inside the TCP header"),
    ],
)
def test_a_packet_that_cannot_be_read_is_said_and_skipped(packet: Callable[[bytes], bytes], why: str) -> None:
    packets = chat(Talk())
    packets[6] = packet(packets[6])
    said = dissected(pcap(packets))
    assert said.status == 0
    assert said.brief()[3:] == [("server", "gap", 7)]
    assert len(said.complaints) == 1 and why in said.complaints[0]


def test_an_unknown_link_type_is_said_once() -> None:
    said = dissected(pcap(chat(Talk()), 147))
    assert (said.status, said.rows) == (0, [])
    assert len(said.complaints) == 1 and "147" in said.complaints[0] and "10 packets" in said.complaints[0]


def test_frame_check_sequences_are_not_part_of_the_link_type() -> None:
    file = bytearray(pcap([packet + b"\xfc\xfc\xfc\xfc" for packet in chat(Talk())]))
    file[20:24] = struct.pack("<I", 1 | 0x14000000)  # "the length of the FCS is 2 times 16 bits"
    assert dissected(bytes(file)).rows == expected()
