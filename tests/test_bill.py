# SPDX-License-Identifier: GPL-2.0-or-later
"""The bill adds up, on every capture, and puts each byte where the design says."""

import io
from pathlib import Path
from typing import Any

import pytest
from capture_maker import ACK, CLIENT, DATA, FIN, IN_DATA, LINKS, PSH, RST, SERVER, SYN, Talk, frame, key_log, pcap
from oracles import tshark_in_data

import wsedu
from wsedu.live.delivery import deliver
from wsedu.live.news_server import WAYS, Way
from wsedu.show.bars import KIND_OF, bar_chart, bars
from wsedu.show.plot import plot
from wsedu.wire.bill import PARTS, Bill

FIELDS = "-e frame.len -e ip.hdr_len -e tcp.hdr_len -e tcp.len -e tcp.flags".split()


@IN_DATA
def test_it_adds_up_and_headers_and_acknowledgements_are_tsharks(path: Path) -> None:
    sums = dict.fromkeys(("link", "ip", "tcp", "acknowledgements"), 0)
    for row in tshark_in_data(path, "-T", "fields", "-E", "occurrence=f", *FIELDS):
        size, ip, tcp, data, flags = row.split("\t")
        acknowledges = int(flags, 16) & 0x17 == 0x10 and data == "0"
        layers = {"acknowledgements": size} if acknowledges else {"link": 14, "ip": ip or 40, "tcp": tcp}
        sums |= {part: sums[part] + int(count) for part, count in layers.items()}
    capture = wsedu.read(path, keylog=key_log(path))
    bill = capture.bill()
    assert {part: bill.parts[part] for part in sums} == sums
    assert tuple(bill.parts) == PARTS and sum((one.bill() for one in capture.conversations), Bill()) == bill
    frames = [message for one in capture.conversations for message in one.messages if message.kind == "frame"]
    assert bill.parts["payload"] == sum(len(message.payload) for message in frames)


@pytest.mark.parametrize("way", WAYS)
def test_a_delivery_is_billed_to_the_byte(way: Way) -> None:
    delivery = deliver(way, [0.0, 0.01, 0.0], poll_gap=0.01)
    bill = delivery.capture.bill()
    assert delivery.lost == delivery.doubled == 0
    assert bill.total_bytes == sum(len(packet.data) for packet in delivery.capture.packets)
    assert bill.parts["other"] == 0
    assert bill.modelled and "modelled" in str(bars({way: bill})) and "modelled" in bars({way: bill})._repr_html_()
    if way == "websocket":  # and two Close frames with a status code
        assert (bill.parts["payload"], bill.parts["http head"]) == (3 * 27 + 4, 0)
    else:
        assert bill.parts["content"] >= 3 * 27 and bill.parts["handshake"] == bill.parts["payload"] == 0


def test_bars_say_the_numbers() -> None:
    ways: dict[str, Bill] = {way: wsedu.read(DATA / f"chromium-{way}.pcap").bill() for way in WAYS}
    shown = bars(ways, updates=6)
    assert set(KIND_OF) == set(PARTS)
    text = str(shown)
    assert f"{ways['polling'].total_bytes / 6:,.0f}" in text
    assert "modelled" not in text and "costs" in text and "H http head" in text
    page = shown._repr_html_()
    assert all(f"{bill.total_bytes / 6:,.1f}" in page for bill in ways.values())
    whole = str(bars(ways))
    assert f"{ways['polling'].total_bytes:,} " in whole and ".0" not in whole  # counts, not shares
    assert "<script>" not in bars({"<script>": ways["polling"]})._repr_html_()
    with pytest.raises(ValueError, match="0 bills"):
        bars({})


def test_a_bar_chart_says_its_numbers_and_ratios() -> None:
    chart = bar_chart({"heads": {"a poll": 871, "a frame": 2}, "alone": 0.25}, unit="bytes", ratios=True)
    text, page = str(chart), chart._repr_html_()
    assert "heads: 435.5 to 1" in text and "heads: 435.5 to 1" in page
    assert [text.count(number) for number in (" 871", " 2\n", " 0.25")] == [1, 1, 1]
    assert "width:100.00%" in page and "width:0.23%" in page
    assert "435.5" not in str(bar_chart({"heads": {"a poll": 871, "a frame": 2}}, unit="bytes"))
    nothings: list[Any] = [{}, {"a": {}}, {"a": -1}]
    for nothing in nothings:
        with pytest.raises(ValueError, match="one in each group or more"):
            bar_chart(nothing, unit="bytes")


def test_a_plot_has_marks_without_a_line_and_no_more_names_than_looks() -> None:
    svg = plot({"the same": [(1, 1), (9, 9)]}, measured={"marks": [(1, 2), (2, 3)]}, x="x", y="y").svg()
    assert svg.count("<polyline") == 1 and ">the same<" in svg and ">marks<" in svg
    assert svg.count("<polygon") == 2 + 1  # and in the legend
    with pytest.raises(ValueError, match="one to 6 series with points: 7 given"):
        plot({str(name): [(1, 1)] for name in range(7)}, x="x", y="y")


# One clause of the design a test, on made captures: what each byte of a packet counts as.


def billed(packets: list[bytes], link: int = 1, snap: int | None = None) -> Bill:
    """The bill of a made capture, which adds up."""
    bill = wsedu.read(io.BytesIO(pcap(packets, link, snap=snap))).bill()
    assert bill.total_bytes == sum(len(packet[:snap]) for packet in packets)
    assert bill.packets == len(packets) and min(bill.parts.values()) >= 0
    return bill


@pytest.mark.parametrize("link", LINKS)
def test_layers_are_as_long_as_they_are(link: str) -> None:
    talk = Talk(link=link, ip_options=b"\1" * 8, tcp_options=b"\1" * 4)
    parts = billed([talk.packet(CLIENT, flags=SYN)], LINKS[link].number).parts
    below = len(LINKS[link].before_ipv4)
    assert (parts["link"], parts["ip"], parts["tcp"]) == (below, 28, 24)


@pytest.mark.parametrize("flags", [PSH | ACK, ACK | 0x20, ACK | 0x40, RST | ACK, FIN | ACK, SYN | ACK, 0, PSH])
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


def test_what_no_message_can_have_is_other() -> None:
    """Fragments, and what is no TCP."""
    packet = Talk().packet(CLIENT, frame(b"Hello"))
    fragment, arp = packet[:20] + b"\x20\0" + packet[22:], bytes(12) + b"\x08\x06" + bytes(46)
    assert billed([fragment, arp]).parts["other"] == len(fragment + arp)


def test_what_began_before_the_capture_and_is_read_as_frames_is_billed_so() -> None:
    talk = Talk()
    talk.shake()
    file = pcap(talk.say(SERVER, frame(b"Hello")) + talk.say(CLIENT, frame(b"Hi", key=b"abcd")))
    for ports, sizes in {(80,): (7, 2 + 6, 0), (81,): (0, 0, 7 + 8)}.items():
        parts = wsedu.read(io.BytesIO(file), ports=ports).bill().parts
        assert (parts["payload"], parts["frame header"], parts["other"]) == sizes


def test_each_connection_has_its_bill_and_silent_ones_count() -> None:
    first, silent, second = (Talk(client=("192.0.2.1", port)) for port in (1, 2, 3))
    packets = first.shake() + silent.open() + second.shake() + second.say(SERVER, frame(b"Hello"))
    capture = wsedu.read(io.BytesIO(pcap(packets)))
    assert capture.bill().connections == 3
    bills = [one.bill() for one in capture.conversations]
    assert [(bill.parts["payload"], bill.packets) for bill in bills] == [(0, 5), (5, 6)]
    assert sum(bill.total_bytes for bill in bills) + sum(map(len, silent.open())) == capture.bill().total_bytes
