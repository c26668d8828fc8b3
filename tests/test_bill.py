# SPDX-License-Identifier: GPL-2.0-or-later
"""The bill adds up, on every capture, and puts each byte where the design says."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest
from oracles import tshark

import wsedu
from wsedu.live import dial, websocket_server
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
        with dial(recording.port) as connection:
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
