# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel does when a control is turned or a message is opened, without a browser."""

import asyncio
import re
import socket
import threading
import time
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from programs import DATA

import wsedu
from wsedu import lab, touch
from wsedu.lab import cost_slider, frame_builder, handshake_bench, servers
from wsedu.model.measured import held_against
from wsedu.protocol.handshake import request
from wsedu.show.cost_slider import CostSlider
from wsedu.show.explorer import CHUNK, ByteExplorer, SequenceExplorer
from wsedu.show.handshake_bench import SPOILED


@pytest.fixture(scope="module", autouse=True)
def _no_server_is_left() -> Iterator[None]:
    """The servers behind the buttons run as long as a kernel does; here other tests count threads after these."""
    yield
    for server in servers().values():
        server.close()
    servers.cache_clear()


def test_a_script_has_no_loop_and_is_answered_all_the_same() -> None:
    builder, said = frame_builder(), list[str]()
    builder.answer("send", b"\xc1" + builder.start[1:], said.append)
    assert "1002" in said[0] and "without a Close frame" in said[0]
    assert "✓ Legal" in builder.picture() and "81" in builder.picture()


def test_a_loop_sends_while_it_does_other_things() -> None:
    """Who asks goes on at once, and the answer comes by the same loop, also after a cell kept it busy."""

    async def cell() -> list[str]:
        said, threads = list[str](), threading.active_count()
        bench = handshake_bench()
        bench.answer("send", request("127.0.0.1"), said.append)
        assert said == [] and threading.active_count() == threads
        await asyncio.sleep(0)
        time.sleep(1.5 * lab.PATIENCE)  # a cell runs
        await asyncio.gather(*lab._sending)
        assert not [one.name for one in threading.enumerate() if one.name.startswith("asyncio")]  # a browser has none
        return said

    (said,) = asyncio.run(cell())
    assert "A WebSocket from here on" in said


def test_what_a_server_does_instead_of_an_answer_is_told(listener: socket.socket) -> None:
    server: Any = SimpleNamespace(port=listener.getsockname()[1])

    def ask() -> str:
        return asyncio.run(lab._ask(server, lambda reader, _: lab._soon(reader.readexactly(1)), "a x"))[0]

    def close_two() -> None:
        for _ in range(2):
            listener.accept()[0].close()

    assert "said nothing within" in ask()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lab, "PATIENCE", 60)
        closing = threading.Thread(target=close_two)
        closing.start()
        assert ask() == "closed the TCP connection, without a x."
        closing.join()
    listener.close()
    assert "could not be asked" in ask()


def test_a_request_without_a_key_has_no_accept_value() -> None:
    bench, said = handshake_bench(), list[str]()
    bench.answer("check", b"GET / HTTP/1.1\r\n\r\n", said.append)
    bench.answer("check", SPOILED["version 8"].replace("\n", "\r\n").encode() + b"\r\n\r\n", said.append)
    assert "Host" in said[0] and "no accept value" in said[0]
    assert "RFC 6455, 4.4</a>" in said[1] and "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in said[1]
    assert "✓ An opening handshake" in bench.shown == bench.picture()[-len(bench.shown) - 6 : -6]


def test_what_touch_takes() -> None:
    with pytest.raises(ValueError, match="0 given"):
        touch()
    assert isinstance(touch(wsedu.Frame(1)), ByteExplorer)
    assert isinstance(touch(wsedu.read(DATA / "http-408.pcap").conversations[0]), SequenceExplorer)
    assert len(touch(wsedu.Frame(1), wsedu.Frame(2), names=["one", "two"]).sides) == 2
    both = touch([wsedu.Frame(1), wsedu.Frame(2)]).sides[0]["tree"]
    assert [node["name"] for node in both] == ["Text frame", "Binary frame"]


def test_a_widget_has_a_twin_that_survives_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """An output of its own: where no widget runs it is read, and it is the same whenever the cell is run."""
    shown: list[dict[str, str]] = []
    monkeypatch.setattr("wsedu.show.controls.display", lambda data, **options: shown.append(data))
    for _ in range(2):
        touch(wsedu.Frame(1), b"ab", names=["one", "two"])._ipython_display_()
    twin, widget, again, _ = shown
    assert twin == again and repr(wsedu.byte_map(b"ab")) in twin["text/plain"]
    assert 'class="wsedu-twin wsedu-twin-' in twin["text/html"] and "two" in twin["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in widget and "text/html" not in widget
    # A live conversation has ephemeral ports: of all that the cell stores they alone may differ.
    said = wsedu.read(DATA / "chromium-websocket.pcap").conversations[1].messages
    for port in ("40000", "50001"):
        touch(SimpleNamespace(messages=said, client=f"127.0.0.1:{port}", server="s:80"))._ipython_display_()
    assert shown[4]["text/html"] == shown[6]["text/html"].replace("50001", "40000")
    # What asks the kernel has one as well, and a race nothing to show before it is run.
    for name in ("frame_builder", "handshake_bench", "cost_slider", "delivery_race"):
        getattr(lab, name)()._ipython_display_()
    assert ["text/html" in one for one in shown[8:]] == [True, False] * 3 + [False]
    assert shown[-1]["text/plain"] == "(run this cell: a race of the ways to deliver news)"


def test_an_answer_goes_to_its_question(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of two is answered last; bytes go beside what is said."""
    sent: list[Any] = []
    builder, tells = frame_builder(), list[Any]()
    monkeypatch.setattr(type(builder), "send", lambda self, content, buffers: sent.append((content, buffers)))
    monkeypatch.setattr(type(builder), "answer", lambda self, what, data, tell: tells.append((what, data, tell)))
    for name in ("a", "b"):
        builder._asked(None, {"ask": name, "what": "send"}, [memoryview(name.encode())])
    assert [one[:2] for one in tells] == [("send", b"a"), ("send", b"b")]
    tells[1][2]("<p>", b"x")
    tells[0][2]("<b>")
    assert sent == [({"to": "b", "said": "<p>"}, [b"x"]), ({"to": "a", "said": "<b>"}, [])]


def asked(ladder: Any, what: str, index: int) -> list[Any]:
    """What a ladder tells the browser, and bytes."""
    told: list[Any] = []
    ladder.answer(what, index.to_bytes(4, "big"), lambda *said: told.extend(said))
    return told


def test_a_ladder_sends_what_it_is_asked_for() -> None:
    conversation = wsedu.read(DATA / "websockets-large.pcap").conversations[0]
    long = SimpleNamespace(messages=conversation.messages * 200, capture=conversation.capture, client="c", server="s")
    ladder = touch(long)
    assert isinstance(ladder, SequenceExplorer) and len(ladder.first) == CHUNK
    assert len(asked(ladder, "messages", 1_150)[0]) == 50
    large = max(range(6), key=lambda index: len(conversation.messages[index].raw))
    said, data = asked(ladder, "message", large)
    assert data == conversation.messages[large].raw
    assert [packet[0] for packet in said["packets"]] == list(conversation.messages[large].packets)
    assert sum(packet[2] for packet in said["packets"]) > len(data)
    packet, data = asked(ladder, "packet", said["packets"][1][0])
    assert "Binary frame, bytes 1,4" in packet["side"]["tree"][-1]["name"]
    assert data == conversation.capture.packets[said["packets"][1][0]].data


def test_what_makes_no_sense_is_not_answered() -> None:
    conversation = wsedu.read(DATA / "http-408.pcap").conversations[0]
    for what, index in (("x", 0), ("message", 99_999), ("packet", 99_999)):
        assert asked(touch(conversation), what, index) == []
    # An empty conversation, and one without its capture.
    assert touch(SimpleNamespace(messages=[])).stretches == []
    ladder = touch(SimpleNamespace(messages=conversation.messages))
    assert asked(ladder, "message", 0)[0]["packets"] == [] == asked(ladder, "packet", 0)


@pytest.mark.parametrize("name", ["frame_builder", "handshake_bench", "delivery_race", "cost_slider"])
def test_a_page_without_a_kernel_says_what_to_do(name: str) -> None:
    said = repr(getattr(lab, name)())
    assert said.startswith("(run this cell: ") and said.endswith(")") and len(said) < 100


def test_a_packet_is_opened_at_its_message_and_several_messages_at_the_first() -> None:
    capture = wsedu.read(DATA / "chromium-websocket.pcap")
    frame = next(one for one in capture.conversations[1].messages if one.kind == "frame")
    packet = touch(capture.packet(frame.packets[0])).sides[0]
    assert [layer["open"] for layer in packet["tree"]] == [False, False, False, True]
    assert packet["start"] == packet["tree"][-1]["start"] > 0
    several = touch(capture.conversations[1].messages[:2]).sides[0]
    assert [layer["open"] for layer in several["tree"]] == [True, False]
    assert several["start"] == 0


# The cost slider: its numbers are the model's, its marks those of the file, whatever the controls say.


@pytest.fixture
def slider() -> CostSlider:
    return cost_slider()


def turned(slider: CostSlider, control: int, index: int) -> str:
    """The picture after one of the sliders was moved."""
    chosen, told = list(slider.chosen), list[str]()
    chosen[control] = index
    slider.answer("draw", bytes(chosen), told.append)
    assert told == [""]
    return slider.shown


def svg_in(picture: str) -> str:
    return b64decode(re.findall(r"base64,([^\"]+)", picture)[0]).decode()


def lines_in(picture: str) -> list[list[float]]:
    """How far down the points of each line of a plot lie."""
    lines = re.findall(r'points="([^"]+)" fill="none"', svg_in(picture))
    return [[float(point.split(",")[1]) for point in line.split()] for line in lines]


CLIENTS, PAYLOAD = 0, 2


def test_a_control_changes_the_numbers(slider: CostSlider) -> None:
    before = slider.shown
    alt = re.search(r'<img [^>]*alt="([^"]*)"', before)
    assert alt is not None and "websocket: from" in alt[1] and "20 points" in alt[1]
    assert "updates 1 a second, 27 bytes each: no keep-alive costs 8.5 times websocket" in before
    assert [name for name, _ in slider.sliders][CLIENTS] == "clients"
    for control, index in enumerate(slider.chosen):
        assert turned(slider, control, index + 1) != before
        before = slider.picture()


def test_clients_move_the_picture_on_an_axis_that_stays(slider: CostSlider) -> None:
    tops, axes = [], set()
    for index in range(4):
        tops.append(lines_in(turned(slider, CLIENTS, index))[0])
        axes.add(tuple(re.findall(r"y=\"([\d.]+)\"[^>]*>([^<]* [kMGTP]?bit/s)<", svg_in(slider.shown))))
    assert len(axes) == 1 and len(axes.pop()) == 4
    for before, after in zip(tops, tops[1:], strict=False):
        assert all(a - b > 20 for a, b in zip(before, after, strict=True)), "ten times the clients, and nobody sees it"


def test_the_axis_has_room_for_all_and_no_more_than_they_need(slider: CostSlider) -> None:
    for chosen in ([0, 0, 0, 1, 0], [3, 3, 0, 1, 0], [4, 3, 0, 1, 0], [7, 9, 0, 0, 0], [7, 9, 4, 0, 0]):
        slider.answer("draw", bytes(chosen), lambda said: None)
        heights = sum(lines_in(slider.shown), [])
        assert 16 <= min(heights) and max(heights) <= 360 - 48, chosen  # the frame of the axes
        assert max(heights) - min(heights) > 110, "a narrow band"


def test_marks_are_what_was_measured(slider: CostSlider) -> None:
    measured = [row for row in held_against() if 26 < row.situation.payload < 28 and not row.situation.fixed]
    measured = [row for row in measured if row.way != "polling" or row.situation.poll_gap == 1]
    measured = [row for row in measured if row.situation.carrier == "plain"]
    assert f"{len(measured)} measurements" in slider.shown
    assert "Nothing was measured" in turned(slider, PAYLOAD, slider.sliders[PAYLOAD][1].index("125 bytes"))


def test_the_model_goes_through_the_marks(slider: CostSlider) -> None:
    """The heads that the slider assumes are those that were measured."""
    _, settings = slider.settings()
    for way, points in slider._measured(settings).items():
        for rate, measured in points:
            assert slider._cost(way, replace(settings, rate=rate)) == pytest.approx(measured, rel=0.1), (way, rate)


def test_the_marks_lie_beside_the_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[Any, Any]] = []

    def plotted(series: Any, **options: Any) -> Any:
        drawn.append((series, options["measured"]))
        return wsedu.plot(series, **options)

    monkeypatch.setattr("wsedu.show.cost_slider.plot", plotted)
    cost_slider()
    ((curves, measured),) = drawn
    for way, points in measured.items():
        for rate, bits in points:
            near = min(curves[way], key=lambda point: abs(point[0] - rate))
            assert near[1] == pytest.approx(bits, rel=0.5), (way, rate)


def test_the_page_can_ask_for_no_value_that_is_not_there(slider: CostSlider) -> None:
    assert slider.sliders[3] == ("a poll every", ["0.1 s", "1 s", "10 s"])
    slider.answer("draw", bytes([99] * 5), lambda said: None)
    assert slider.chosen == [len(shown) - 1 for _, shown in slider.sliders]
    assert slider.settings()[0] == 10_000_000
