# SPDX-License-Identifier: GPL-2.0-or-later
"""The ladder to scale: what it counts is what the captures hold, and down is time."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from capture_maker import key_log
from programs import DATA

import wsedu
from wsedu.show.explorer import TimelineExplorer
from wsedu.wire.capture import Conversation

WAYS = "polling", "longpoll", "eventsource", "websocket"
UPDATE = rb'"id":\d+'


def _conversation(way: str) -> Conversation:
    return wsedu.read(DATA / f"chromium-{way}.pcap").conversations[1]


def test_its_counters_add_up_and_the_play_head_has_them() -> None:
    ways = {way: _conversation(way) for way in WAYS}
    picture = wsedu.timeline(ways, update=UPDATE)
    for name, counted in picture.totals().items():
        bill = ways[name].bill()
        assert counted == (bill.total_bytes, bill.packets, len(ways[name].messages), 6)
    widget = wsedu.touch(picture)
    assert isinstance(widget, TimelineExplorer)
    for name, packets in widget.ways.items():
        assert tuple(map(sum, zip(*packets, strict=True)))[1:] == picture.totals()[name]
        assert packets[0][0] == 0 and packets[-1][0] <= widget.clock[0]
    assert picture.html() == widget.shown == widget.picture() and widget.pictures == [picture]


@pytest.mark.parametrize("path", sorted(DATA.glob("*.pcap*")), ids=lambda path: path.stem)
def test_each_packet_belongs_to_one_connection(path: Path) -> None:
    capture = wsedu.read(path, keylog=key_log(path))
    for conversation in capture.conversations:
        packets = conversation.packets
        assert len(packets) == conversation.bill().packets
        assert sum(len(capture.packets[index].data) for index, _ in packets) == conversation.bill().total_bytes
        senders = dict(packets)
        assert all(senders[i] == message.sender for message in conversation.messages for i in message.packets)
    whole = wsedu.timeline({"all": capture}).totals()["all"]
    assert whole[0] == sum(conversation.bill().total_bytes for conversation in capture.conversations)


def test_down_is_time_and_thickness_is_bytes() -> None:
    html = wsedu.timeline({"WebSocket": _conversation("websocket")}, update=UPDATE).html()
    bar = r'top:([\d.]+)px;height:([\d.]+)px[^"]*" title="([\d.]+) s, from the server: payload 27"'
    news = [tuple(map(float, found)) for found in re.findall(bar, html)]
    assert len(news) == 6
    slopes = [(b[0] - a[0]) / (b[2] - a[2]) for a, b in zip(news, news[1:], strict=False)]
    assert max(slopes) < 1.01 * min(slopes)
    thick = re.search(r'height:([\d.]+)px[^"]*" title="[\d.]+ s, from the client: http head 489"', html)
    assert thick is not None
    assert float(thick[1]) / news[0][1] == pytest.approx((489 + 66) / (29 + 66), rel=0.02)


def test_as_text() -> None:
    lines = str(wsedu.timeline({"polling": _conversation("polling")}, update=UPDATE)).splitlines()
    assert lines[0].split() == ["seconds", "polling"]
    assert lines[3].split() == ["0.2", "HHHHHT>", "<HT"] and lines[2].split() == ["0.1"]
    assert lines[-1].split() == ["updates", "6"]


def test_what_was_modelled_is_said_and_updates_are_those_of_the_server() -> None:
    capture = wsedu.read(DATA / "chromium-polling.pcap")
    asked = wsedu.timeline({"all": capture}, update=rb"GET ")
    assert asked.totals()["all"][3] == 0 and "modelled" not in asked.html()
    capture.modelled = True
    for shown in (str(wsedu.timeline({"all": capture})), wsedu.timeline({"all": capture}).html()):
        assert "modelled by the relay" in shown


def test_what_cannot_be_drawn_is_told() -> None:
    nothing: dict[str, Any] = {"nothing": SimpleNamespace(conversations=[])}
    for ways, words in (({}, "one way or more"), (nothing, "there are 0"), ({"a number": 5}, "not int")):
        with pytest.raises((ValueError, TypeError), match=words):
            wsedu.timeline(ways)
