# SPDX-License-Identifier: GPL-2.0-or-later
"""The bill adds up, on every capture, and puts each byte where the design says."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest
from capture_maker import (
    ACK,
    CLIENT,
    FIN,
    HANDSHAKE,
    LINKS,
    PSH,
    RST,
    SERVER,
    SWITCHING,
    SYN,
    Talk,
    frame,
    pcap,
)
from oracles import tshark

import wsedu
from wsedu.live import connect_raw, websocket_server
from wsedu.live.delivery import deliver
from wsedu.live.news_server import WAYS, Way
from wsedu.show.bars import KIND_OF, bars
from wsedu.wire.bill import PARTS, Bill
from wsedu.wire.pcapfile import Packet, write_capture

DATA = Path(__file__).parent.parent / "data"
CAPTURES = sorted(path.name for path in DATA.glob("*.pcap*"))


@pytest.mark.parametrize("name", CAPTURES)
def test_it_adds_up(name: str) -> None:
    capture = wsedu.read(DATA / name)
    bill = capture.bill()
    assert tuple(bill.parts) == PARTS
    assert min(bill.parts.values()) >= 0
    assert bill.total_bytes == sum(bill.parts.values()) == sum(len(packet.data) for packet in capture.packets)
    assert bill.packets == len(capture.packets)
    assert sum((one.bill() for one in capture.conversations), Bill()) == bill
    frames = [message for one in capture.conversations for message in one.messages if message.kind == "frame"]
    assert bill.parts["payload"] == sum(len(message.payload) for message in frames)


@pytest.mark.parametrize("name", CAPTURES)
def test_headers_and_acknowledgements_are_tsharks(name: str) -> None:
    rows = tshark(
        *("-r", DATA / name, "-T", "fields", "-E", "occurrence=f"),
        *(
            item
            for field in ("frame.len", "ip.hdr_len", "tcp.hdr_len", "tcp.len", "tcp.flags")
            for item in ("-e", field)
        ),
    )
    sums = dict.fromkeys(("link", "ip", "tcp", "acknowledgements"), 0)
    for row in rows.splitlines():
        size, ip, tcp, data, flags = row.split("\t")
        if int(flags, 16) & 0x17 == 0x10 and data == "0":
            sums["acknowledgements"] += int(size)
            continue
        sums["link"] += 14
        sums["ip"] += int(ip or 40)
        sums["tcp"] += int(tcp)
    bill = wsedu.read(DATA / name).bill()
    assert {part: bill.parts[part] for part in sums} == sums


def test_what_is_not_complete_is_on_the_bill_too() -> None:
    """The response that carries server-sent events has no end when the client goes first."""
    parts = wsedu.read(DATA / "chromium-polling.pcap").conversations[1].bill().parts
    assert parts["content"] == 6 * 27 and parts["other"] == 0
    with websocket_server() as server, wsedu.record(port=server.port) as recording:
        with connect_raw(recording.port) as connection:
            connection.send(wsedu.handshake.request("127.0.0.1"))
            head = connection.receive_head()
            connection.send(wsedu.Frame(2, bytes(100), masking_key=b"abcd").serialize()[:50])
    parts = recording.capture.bill().parts
    assert parts["handshake"] == len(wsedu.handshake.request("127.0.0.1")) + len(head)
    assert (parts["frame header"], parts["payload"], parts["http head"]) == (6, 44, 0)


def test_padding_retransmissions_and_strangers_are_other() -> None:
    capture = wsedu.read(DATA / "chromium-websocket.pcap")
    before = capture.bill()
    packets = list(capture.packets)
    frame = next(m for m in capture.conversations[1].messages if m.kind == "frame")
    again = packets[frame.packets[0]]
    arp = b"\xff" * 12 + struct.pack("!H", 0x0806) + bytes(46)
    padded = Packet(again.time, 1, packets[0].data + bytes(6), len(packets[0].data) + 6)
    more = [padded, *packets[1:], again, Packet(again.time, 1, arp, len(arp))]
    bill = wsedu.read(io.BytesIO(write_capture(more))).bill()
    assert bill.parts["other"] - before.parts["other"] == 6 + len(frame.raw) + len(arp)
    assert bill.parts["payload"] == before.parts["payload"]
    assert bill.packets == before.packets + 2


@pytest.mark.parametrize("way", WAYS)
def test_a_delivery_is_billed_to_the_byte(way: Way) -> None:
    delivery = deliver(way, [0.0, 0.01, 0.0], poll_gap=0.01)
    bill = delivery.capture.bill()
    assert delivery.lost == delivery.doubled == 0
    assert bill.total_bytes == sum(len(packet.data) for packet in delivery.capture.packets)
    assert bill.parts["other"] == 0
    assert (
        bill.modelled
        and "modelled" in str(bars({way: bill}))
        and "modelled" in bars({way: bill})._repr_html_()
    )
    if way == "websocket":
        assert bill.parts["payload"] == 3 * 27 + 4  # and two Close frames with a status code
        assert bill.parts["http head"] == 0
    else:
        assert bill.parts["content"] >= 3 * 27
        assert bill.parts["handshake"] == bill.parts["payload"] == 0


def test_bars_say_the_numbers() -> None:
    ways: dict[str, Bill] = {way: wsedu.read(DATA / f"chromium-{way}.pcap").bill() for way in WAYS}
    shown = bars(ways, updates=6)
    assert set(KIND_OF) == set(PARTS)
    text = str(shown)
    assert f"{ways['polling'].total_bytes / 6:,.0f}" in text
    assert "modelled" not in text
    assert "costs" in text and "H http head" in text
    page = shown._repr_html_()
    assert all(f"{bill.total_bytes / 6:,.1f}" in page for bill in ways.values())
    whole = str(bars(ways))
    assert f"{ways['polling'].total_bytes:,} " in whole and ".0" not in whole  # counts, not shares
    assert "<script>" not in bars({"<script>": ways["polling"]})._repr_html_()
    with pytest.raises(ValueError, match="0 bills"):
        bars({})


# One clause of the design a test, on made captures: what each byte of a packet counts as.

GET = b"GET / HTTP/1.1\r\n\r\n"


def billed(packets: list[bytes], link: int = 1, snap: int | None = None) -> Bill:
    """The bill of a made capture, which adds up."""
    bill = wsedu.read(io.BytesIO(pcap(packets, link, snap=snap))).bill()
    assert bill.total_bytes == sum(len(packet[:snap]) for packet in packets)
    assert bill.packets == len(packets)
    assert min(bill.parts.values()) >= 0
    return bill


def test_each_part_of_a_websocket_connection() -> None:
    talk = Talk(tcp_options=bytes([1] * 12))
    packets = talk.shake() + talk.say(SERVER, frame(b"Hello")) + talk.say(CLIENT, frame(b"Hi", key=b"abcd"))
    packets += [talk.packet(SERVER), *talk.close()]
    parts = billed(packets).parts
    alone = 3  # of the client in the opening, of the server before FIN, and the last
    assert parts["handshake"] == len(HANDSHAKE) + len(SWITCHING)
    assert (parts["frame header"], parts["payload"]) == (2 + 6, 7)
    assert parts["acknowledgements"] == alone * 66
    assert (parts["link"], parts["ip"], parts["tcp"]) == tuple(
        (len(packets) - alone) * size for size in (14, 20, 32)
    )
    assert parts["http head"] == parts["content"] == parts["other"] == 0


@pytest.mark.parametrize("link", LINKS)
def test_layers_are_as_long_as_they_are(link: str) -> None:
    talk = Talk(link=link, ip_options=b"\1" * 8, tcp_options=b"\1" * 4)
    parts = billed([talk.packet(CLIENT, flags=SYN)], LINKS[link].number).parts
    below = len(LINKS[link].before_ipv4)
    assert (parts["link"], parts["ip"], parts["tcp"]) == (below, 28, 24)


def test_only_the_two_heads_of_the_handshake_are_handshake() -> None:
    """Behind other requests, with an interim response between, and captured the wrong way round."""
    talk = Talk()
    early = b"HTTP/1.1 103 x\r\n\r\n"
    done = b"HTTP/1.1 204 x\r\n\r\n"
    packets = talk.open() + talk.say(CLIENT, GET + HANDSHAKE)
    packets += talk.say(SERVER, done + early + SWITCHING)
    parts = billed(packets).parts
    assert parts["handshake"] == len(HANDSHAKE) + len(SWITCHING)
    assert parts["http head"] == len(GET) + len(early) + len(done)
    talk = Talk()
    packets = talk.shake()
    packets[3:] = packets[:2:-1]
    assert billed(packets).parts["handshake"] == len(HANDSHAKE) + len(SWITCHING)
    alone = Talk().say(SERVER, SWITCHING)
    assert billed(alone).parts["handshake"] == len(SWITCHING)


@pytest.mark.parametrize(
    "flags", [PSH | ACK, ACK | 0x20, ACK | 0x40, RST | ACK, FIN | ACK, SYN | ACK, 0, PSH]
)
def test_only_ack_set_and_no_data_is_an_acknowledgement(flags: int) -> None:
    talk = Talk()
    opened = talk.open()
    assert billed(opened).parts["acknowledgements"] == 54
    parts = billed([*opened, talk.packet(CLIENT, flags=flags)]).parts
    assert parts["acknowledgements"] == 54
    assert (parts["link"], parts["ip"], parts["tcp"]) == (14 * 3, 20 * 3, 20 * 3)


def test_an_acknowledgement_counts_whole_with_its_padding() -> None:
    talk = Talk()
    packets = [*talk.open(), talk.packet(CLIENT).ljust(60, b"\0")]
    parts = billed(packets).parts
    assert (parts["acknowledgements"], parts["other"]) == (54 + 60, 0)
    # Elsewhere padding is other.
    assert billed([packets[0].ljust(60, b"\0"), *packets[1:]]).parts["other"] == 6


@pytest.mark.parametrize("snap", range(0, 190, 7))
def test_a_packet_cut_by_the_snap_length_counts_what_was_captured(snap: int) -> None:
    talk = Talk(tcp_options=b"\1" * 12)
    packets = talk.shake() + talk.say(SERVER, frame(bytes(300))) + talk.close()
    parts = billed(packets, snap=snap).parts
    assert parts["handshake"] == 0  # neither head is whole
    if snap < 48:  # flags and ports are not there
        assert parts["other"] == sum(len(packet[:snap]) for packet in packets)
    elif snap <= 66:  # headers alone
        assert parts["other"] == 0
    assert parts["acknowledgements"] == (2 * min(66, snap) if snap >= 48 else 0)


def test_data_that_overlaps_is_counted_once() -> None:
    talk = Talk()
    packets, at = talk.shake(), len(SWITCHING)
    whole = frame(b"Hello")
    packets += [talk.packet(SERVER, whole[:4], at=at), talk.packet(SERVER, whole[2:], at=at + 2)]
    packets += [talk.packet(SERVER, whole, at=at), talk.packet(SERVER, whole[1:3], at=at + 1)]
    parts = billed(packets).parts
    assert (parts["frame header"], parts["payload"], parts["other"]) == (2, 5, 2 + 7 + 2)


def test_what_cannot_be_read_is_other() -> None:
    talk, foreign = Talk(), Talk(client=("192.0.2.7", 7))
    tls = b"\x16\x03\x01\0\x05hello"
    packets = talk.shake() + foreign.open() + foreign.say(CLIENT, tls)
    assert billed(packets).parts["other"] == len(tls)
    broken = b"\x82\x7f\x80" + bytes(7)
    assert (
        billed(packets + talk.say(SERVER, broken + frame(b"x"))).parts["other"] == len(tls) + len(broken) + 3
    )
    lost = talk.say(CLIENT, frame(b"lost", key=b"abcd"))
    behind = talk.say(CLIENT, frame(b"behind", key=b"abcd"))
    assert lost and billed(packets + behind).parts["other"] == len(tls) + 12
    fragment = packets[-1][:20] + b"\x20\0" + packets[-1][22:]
    assert billed([fragment]).parts["other"] == len(fragment)


def test_reset_data_is_other() -> None:
    talk = Talk()
    assert billed([*talk.shake(), talk.packet(SERVER, b"go away", RST)]).parts["other"] == 7


def test_each_connection_has_its_bill_and_silent_ones_count() -> None:
    first, silent, second = (Talk(client=("192.0.2.1", port)) for port in (1, 2, 3))
    packets = first.shake() + silent.open() + second.shake() + second.say(SERVER, frame(b"Hello"))
    capture = wsedu.read(io.BytesIO(pcap(packets)))
    assert capture.bill().connections == 3
    bills = [one.bill() for one in capture.conversations]
    assert [bill.parts["payload"] for bill in bills] == [0, 5]
    assert [bill.packets for bill in bills] == [5, 6]
    assert (
        sum(bill.total_bytes for bill in bills) + sum(map(len, silent.open())) == capture.bill().total_bytes
    )
