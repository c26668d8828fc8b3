# SPDX-License-Identifier: GPL-2.0-or-later
"""Every link layer, IP version and file format that the design names: the same talk, the same messages."""

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from capture_maker import CLIENT, HANDSHAKE, LINKS, SERVER, SWITCHING, Blocks, Talk, dissected, frame, pcap, pcapng
from oracles import tshark

import wsedu
from wsedu.wire.packets import segment_of
from wsedu.wire.pcapfile import CutShort, Packet, read_packets, write_capture

VERSIONS: dict[int, dict[str, Any]] = {4: {}, 6: {"client": ("2001:db8::1", 40000), "server": ("2001:db8::2", 80)}}


def chat(**options: Any) -> list[bytes]:
    """Ten packets: a WebSocket connection with one masked and one plain frame."""
    talk = Talk(**options)
    packets = talk.shake()
    packets += talk.say(CLIENT, frame(b"Hi", key=b"\x01\x02\x03\x04"))
    packets += talk.say(SERVER, frame(b"Hello"))
    return packets + talk.close()


def expected(version: int = 4) -> list[dict[str, object]]:
    """Every field of every row, as the design defines them."""
    client, server = ("192.0.2.1", "192.0.2.2") if version == 4 else ("[2001:db8::1]", "[2001:db8::2]")
    common = {"conversation": 0, "client": f"{client}:40000", "server": f"{server}:80"}
    bits = {"fin": True, "rsv1": False, "rsv2": False, "rsv3": False, "opcode": 1}

    def row(sender: str, packet: int, kind: str, length: int, **more: object) -> dict[str, object]:
        return {**common, "sender": sender, "time": packet / 1000, "kind": kind, "wire_length": length, **more}

    def head(data: bytes) -> dict[str, object]:
        fields = [line.split(": ") for line in data.decode().splitlines()[1:-1]]
        return {"version": "HTTP/1.1", "fields": fields, "content_bytes": 0}

    hi = {**bits, "masked": True, "payload_length": 2, "payload": "4869", "text": "Hi"}
    hello = {**bits, "masked": False, "payload_length": 5, "payload": "48656c6c6f", "text": "Hello"}
    return [
        row("client", 3, "request", len(HANDSHAKE), method="GET", target="/chat", **head(HANDSHAKE)),
        row("server", 4, "response", len(SWITCHING), status=101, **head(SWITCHING)),
        row("client", 5, "frame", 8, **hi),
        row("server", 6, "frame", 7, **hello),
    ]


EXTENSIONS = [
    [(0, b"\0\x01\x04\0\0\0\0"), (60, b"\0\x01\x04\0\0\0\0")],  # hop-by-hop and destination options
    [(43, b"\x02\x04" + bytes(21))],  # routing, 24 bytes
    [(60, b"\x01\x01\x0c" + bytes(12))],  # destination options, 16 bytes
    [(44, b"\0\0\0\0\0\0\x09")],  # an atomic fragment: the whole packet (RFC 6946)
    [(51, b"\x04" + bytes(22)), (135, b"\0" + bytes(6))],  # authentication, 24 bytes; mobility
]


def ways() -> dict[str, tuple[int, bytes]]:
    """Files of the same talk, each with the version of IP in it."""
    found = {}
    for version, ends in VERSIONS.items():
        plain, in_ip = chat(**ends), f"IPv{version}"
        for link, (number, *_) in LINKS.items():
            options = {"ip_options": b"\x94\x04\0\0" * 3, "tcp_options": b"\x01\x01\x08\x0a" + bytes(8)}
            found[f"{link}, options, {in_ip}"] = version, pcap(chat(**ends, link=link, **options), number)
        for order in "<>":
            found[f"pcapng, {order}, {in_ip}"] = version, pcapng(plain, order=order)
            for nano in False, True:
                found[f"pcap, {order}, nanoseconds: {nano}, {in_ip}"] = version, pcap(plain, order=order, nano=nano)
        padded = [packet.ljust(60, b"\xee") + b"\xee\xee\xee\xee" for packet in plain]
        found[f"padding of Ethernet, {in_ip}"] = version, pcap(padded)
        at = 16 if version == 4 else 18
        unfilled = [packet[:at] + b"\0\0" + packet[at + 2 :] for packet in plain]
        found[f"a length for the card to fill in, {in_ip}"] = version, pcap(unfilled)
    for number, version in (14, 4), (228, 4), (229, 6):
        found[f"raw IP, {number}"] = version, pcap(chat(**VERSIONS[version], link="raw"), number)
    for extensions in EXTENSIONS:
        found[f"extensions {extensions}"] = 6, pcap(chat(**VERSIONS[6], extensions=extensions))
    checked = bytearray(pcap([packet + b"\xfc\xfc\xfc\xfc" for packet in chat()]))
    checked[20:24] = struct.pack("<I", 1 | 0x14000000)  # "the length of the FCS is 2 times 16 bits"
    found["frame check sequences"] = 4, bytes(checked)
    old = Blocks().interface(113).interface(1)
    for packet in chat():
        old.old(packet, 1)
    found["old packet blocks"] = 4, old.file
    return found


WAYS = ways()


@pytest.mark.parametrize(("version", "file"), WAYS.values(), ids=WAYS)
def test_however_it_was_captured_the_messages_are_the_same(version: int, file: bytes) -> None:
    said = dissected(file)
    assert (said.status, said.complaints) == (0, [])
    assert said.rows == expected(version)


def test_a_segment_that_is_larger_than_ip_can_tell() -> None:
    """A card was to cut it: the machine that captured its own packets has it whole."""
    large = Talk()
    packets = large.shake() + large.say(SERVER, frame(bytes(70000)), 100_000)
    assert dissected(pcap(packets)).rows[-1]["payload_length"] == 70000
    # The snap length cuts it: then only the file knows how long it was.
    cut = dissected(pcap(packets, snap=30_000))
    assert cut.rows[-1]["missing"] == len(packets[-1]) - 30_000


@pytest.mark.parametrize("order", "<>")
def test_interfaces_of_several_link_types_and_resolutions(order: str) -> None:
    """One connection seen in turn on three interfaces, each with its own clock."""
    start = 1_700_000_000
    clocks = [("ethernet", 6, 10**6, None), ("sll2", 9, 10**9, None), ("raw", 0x80 | 20, 2**20, start)]
    blocks = Blocks(order)
    for link, resolution, _, offset in clocks:
        blocks.interface(LINKS[link].number, resolution=resolution, offset=offset)
    talks = [chat(link=link) for link, *_ in clocks]
    for index, packets in enumerate(zip(*talks, strict=True)):
        which = index % 3
        seconds = (0 if clocks[which][3] else start) + index / 1000
        ticks = int(seconds) * clocks[which][2] + round(seconds % 1 * clocks[which][2])
        blocks.enhanced(packets[which], which, ticks=ticks)
    said = dissected(blocks.file)
    times = [row.pop("time") for row in said.rows]
    assert times == pytest.approx([0.003, 0.004, 0.005, 0.006], abs=1e-5)
    assert said.rows == [{name: row[name] for name in row if name != "time"} for row in expected()]


def test_a_new_section_forgets_interfaces_and_may_turn_bytes_round() -> None:
    packets, blocks = chat(), Blocks("<").interface(1)
    for packet in packets[:5]:
        blocks.enhanced(packet)
    blocks.order = ">"
    blocks.section().interface(276)
    for packet in chat(link="sll2")[5:]:
        blocks.enhanced(packet)
    assert dissected(blocks.file).rows == expected()


def test_simple_packet_blocks_have_the_time_of_the_packet_before_and_the_snap_length_of_their_interface() -> None:
    packets, blocks, cut = chat(), Blocks().interface(1), Blocks().interface(1, snap=100)
    for number, packet in enumerate(packets):
        (blocks.simple if number in (4, 6) else blocks.enhanced)(packet)
        cut.simple(packet[:100], original=len(packet))
    assert [row["time"] for row in dissected(blocks.file).rows] == [0.003, 0.003, 0.005, 0.005]
    gaps = [(who, "gap", len(packets[at]) - 100) for who, at in (("client", 3), ("server", 4))]
    assert dissected(cut.file).brief() == gaps


def test_what_holds_no_tcp_is_left_alone() -> None:
    arp = LINKS["ethernet"].before_ipv4[:12] + b"\x08\x06" + bytes(28)
    udp = Talk().packet(CLIENT, b"x" * 20)
    udp = udp[:23] + b"\x11" + udp[24:]
    snap = bytes(12) + b"\0\x60" + b"\xaa\xaa\x03\0\0\0\0\x60" * 5_000  # SNAP within SNAP: there is no such thing
    packets = chat()
    said = dissected(pcap([arp, udp, *packets[:5], arp, udp, *packets[5:], snap]))
    assert (said.status, said.complaints) == (0, [])
    assert dissected(pcap([b"", b"\0"])).complaints == ["wsedu: a packet is cut inside its headers (2 packets)"]
    assert said.rows[0]["time"] == 0.005 and len(said.rows) == 4


SPOILED = [
    (14, "44", "an IPv4 header of less than 20 bytes"), (46, "40", "a TCP header of less than 20 bytes"),
    (16, "001e", "goes on behind the end of its IP packet"), (40, "", "cut inside its headers"),
    (20, "2000", "fragment"), (20, "0008", "fragment"),  # the first, and a later one
]  # fmt: skip


@pytest.mark.parametrize(("at", "new", "why"), SPOILED)
def test_a_packet_that_cannot_be_read_is_said_and_skipped(at: int, new: str, why: str) -> None:
    packets, put = chat(), bytes.fromhex(new)
    packets[6] = packets[6][:at] + put + packets[6][at + len(put) :] if put else packets[6][:at]
    said = dissected(pcap(packets))
    assert (said.status, len(said.complaints)) == (0, 1) and why in said.complaints[0]
    assert said.brief()[3:] == [("server", "gap", 7)]


def test_an_unknown_link_type_is_said_once() -> None:
    said = dissected(pcap(chat(), 147))
    assert (said.status, said.rows) == (0, [])
    assert said.complaints == ["wsedu: link type 147 is not known here (10 packets)"]


@pytest.mark.parametrize("seconds", [0, -5, 1 << 33])
def test_what_is_written_is_what_is_read_whatever_the_times_and_link_types(seconds: int) -> None:
    packets = [Packet(seconds * 10**9 + at, at % 3, bytes(at), at + 2) for at in range(9)]
    for some, form in ((packets, False), (packets[::3], False), (packets[::3], True), ([], True)):
        assert list(read_packets(io.BytesIO(write_capture(some, pcapng=form)))) == some
        with pytest.raises(CutShort, match="inside"):
            list(read_packets(io.BytesIO(write_capture(some, pcapng=form, cut_short=True))))
    with pytest.raises(ValueError, match="584 years"):
        write_capture([packets[0], packets[0]._replace(time=1 << 65)])


def tunnels() -> dict[str, tuple[int, Callable[[Any], Any]]]:
    """Of each tunnel its link type, and what puts a packet of raw IPv4 into it: Scapy, which fills in lengths."""
    from scapy.contrib import mpls
    from scapy.layers import inet, inet6, ipsec, l2, ppp, vxlan

    # Or else Scapy would ask the network for them.
    macs: dict[str, Any] = {"src": "02:00:00:00:00:01", "dst": "02:00:00:00:00:02"}
    ether, outer, bottom = l2.Ether(**macs), inet.IP(src="198.51.100.1", dst="198.51.100.2"), mpls.MPLS(label=9, s=1)
    in_vxlan = outer / inet.UDP(sport=9, dport=4789) / vxlan.VXLAN(vni=7) / ether
    gre = l2.GRE(chksum_present=1, key_present=1, seqnum_present=1, key=3)
    return {
        "LLC and SNAP": (1, lambda ip: l2.Dot3(**macs) / l2.LLC() / l2.SNAP(code=0x800) / ip),
        "SNAP in a VLAN": (1, lambda ip: ether / l2.Dot1Q(type=len(ip) + 8) / l2.LLC() / l2.SNAP(code=0x800) / ip),
        "PPPoE": (1, lambda ip: ether / ppp.PPPoE(sessionid=1) / ppp.PPP(proto=0x21) / ip),
        "MPLS": (1, lambda ip: ether / mpls.MPLS(label=5, s=0) / bottom / ip),
        "IP in IP": (1, lambda ip: ether / outer.copy() / ip),
        "IP in IPv6": (1, lambda ip: ether / inet6.IPv6(src="2001:db8::1", dst="2001:db8::2", nh=4) / ip),
        "AH": (101, lambda ip: outer / ipsec.AH(nh=4, payloadlen=4, icv=bytes(12)) / ip),
        "GRE": (113, lambda ip: l2.CookedLinux() / outer / l2.GRE() / ip),
        "GRE with all its fields": (1, lambda ip: ether / outer / gre / ip),
        "Ethernet in GRE": (101, lambda ip: outer / l2.GRE(proto=0x6558) / ether / ip),
        "VXLAN": (1, lambda ip: ether / in_vxlan / ip),
        "MPLS in GRE in VXLAN": (1, lambda ip: ether / in_vxlan / outer / l2.GRE(proto=0x8847) / bottom / ip),
    }


def test_tunnels(tmp_path: Path) -> None:
    """The messages are as without one, tshark sees the same segments, and every byte of a packet is explained."""
    from scapy.layers.inet import IP

    blocks, ours = Blocks(), []
    for number, (name, (link_type, put_in)) in enumerate(tunnels().items()):
        blocks.interface(link_type)
        packets = [bytes(put_in(IP(packet))) for packet in chat(link="raw")]
        file = pcap(packets, link_type)
        said, capture = dissected(file), wsedu.read(io.BytesIO(file))
        assert (said.rows, said.complaints, capture.bill().parts["other"]) == (expected(), [], 0), name
        for index, packet in enumerate(packets):
            blocks.enhanced(packet, number)
            spans = capture.packet(index).spans()
            assert (spans[0].start, spans[-1].end) == (0, len(packet)) and wsedu.byte_map(capture.packet(index))
            one = segment_of(link_type, packet)
            assert one is not None
            ours.append(f"{one.sequence}\t{len(one.payload)}\t{one.payload.hex()}")
    (tmp_path / "tunnels.pcapng").write_bytes(blocks.file)
    fields = ("-T", "fields", "-e", "tcp.seq_raw", "-e", "tcp.len", "-e", "tcp.payload")
    assert tshark("-r", tmp_path / "tunnels.pcapng", *fields).splitlines() == ours


NOT_LOOKED_INTO = {
    "ESP": "08004500 0054 0000 0000 4032 0000 c6336401 c6336402",
    "Geneve": "08004500 0054 0000 0000 4011 0000 c6336401 c6336402 0009 17c1",
    "GRE of another kind": "08004500 0054 0000 0000 402f 0000 c6336401 c6336402 3001 880b",
    "fragment": "08004500 0054 0000 2000 402f 0000 c6336401 c6336402 0000 0800",
    "MPLS that carries no IP": "8847 00009140 00000000",
    "cut inside its headers": "8864 1100",
    "more than 32 headers": "0800" + "4500 0054 0000 0000 4004 0000 c6336401 c6336402" * 40,
}


@pytest.mark.parametrize("why", NOT_LOOKED_INTO)
def test_what_is_not_looked_into_is_counted(why: str) -> None:
    said = dissected(pcap([bytes(12) + bytes.fromhex(NOT_LOOKED_INTO[why])] * 3))
    assert (said.status, said.rows, len(said.complaints)) == (0, [], 1)
    assert why in said.complaints[0] and "3 packets" in said.complaints[0]
