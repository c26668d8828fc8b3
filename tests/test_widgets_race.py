# SPDX-License-Identifier: GPL-2.0-or-later
"""The delivery race: real deliveries that are monitored while they run, and stopped without a trace."""

import asyncio
import json
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from programs import kernel, python, until

from wsedu.lab import delivery_race
from wsedu.live.delivery import Delivery, DeliveryMonitor, delivering
from wsedu.live.news_server import WAYS, Way
from wsedu.live.publisher import fixed
from wsedu.live.request_headers import HeadStyle
from wsedu.show.race import DeliveryRace
from wsedu.wire.live_bill import LiveBill
from wsedu.wire.recording import record

LIMIT = 300.0  # seconds for what takes milliseconds, where nobody else uses the machine


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


def monitored(monitor: DeliveryMonitor, way: Way, gaps: Iterable[float], head: HeadStyle = "browser") -> Delivery:
    return asyncio.run(delivering(monitor, way, list(gaps), 27, "plain", poll_gap=0.01, head=head))


@pytest.mark.parametrize("way", WAYS)
def test_a_delivery_is_monitored_and_stopped(way: Way) -> None:
    monitor = DeliveryMonitor()
    with ThreadPoolExecutor(1) as pool:
        delivered = pool.submit(monitored, monitor, way, fixed(0.01, 100_000))
        until(lambda: len(monitor.delays) >= 5)
        early = monitor.bill()
        assert early.modelled and early.packets > 5
        assert early.parts["payload" if way == "websocket" else "content"] >= 5 * 27
        monitor.stop()
        delivery = delivered.result(LIMIT)
    assert 5 <= len(delivery.delays) <= len(delivery.updates) < 100_000
    assert monitor.bill() == delivery.capture.bill()  # what was seen on the way adds up to what was recorded
    assert monitor.bill().total_bytes > early.total_bytes


def test_what_is_stopped_beforehand_does_not_begin() -> None:
    monitor = DeliveryMonitor()
    monitor.stop()
    assert monitored(monitor, "websocket", [0.0]).updates == () and monitor.delays == ()


def test_a_way_that_fails_says_so() -> None:
    with pytest.raises(ValueError, match="head must be one of"):
        monitored(DeliveryMonitor(), "polling", [0.0], "1999")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="relay"):
        LiveBill(record(port=1, kernel=True))


@pytest.fixture
def race() -> Iterator[DeliveryRace]:
    race = delivery_race()
    race.chosen = {**race.chosen, "rate": 100, "poll_gap": 0.05}
    yield race
    race.close()


def test_all_four_get_the_same_news(race: DeliveryRace) -> None:
    race.chosen = {**race.chosen, "updates": 20, "payload": 100, "head": "minimal"}
    race.start()
    assert race.running and race.ghosts == []
    race.join()
    assert not race.running
    now = race.now
    assert (now["state"], now["published"]) == ("Finished", 20)
    assert [way["name"] for way in now["ways"]] == list(WAYS)
    assert {way["received"] for way in now["ways"]} == {20}
    for way in now["ways"]:
        assert sum(count for _, count in way["kinds"]) == way["bytes"] < 1.2 * now["axis"]
    # Twenty times 100 bytes in frames, and the status codes of two Close frames.
    assert dict(now["ways"][3]["kinds"])["payload"] == 2_004


def test_a_race_stays_as_a_ghost_with_its_settings_and_the_axis_has_room_for_it(race: DeliveryRace) -> None:
    for updates in (30, 2, 3, 4):
        race.chosen = {**race.chosen, "updates": updates}
        race.start()
        race.look()
        axis = race.now["axis"]
        race.join()
        assert axis == race.now["axis"]
        assert race.now["axis"] >= max([way["bytes"] for ghost in race.ghosts for way in ghost["ways"]], default=0)
    assert [ghost["settings"]["updates"] for ghost in race.ghosts] == [3, 2]
    assert race.now["settings"]["updates"] == 4


def test_the_button_stops_and_starts_again_and_a_second_race_ends_the_first(race: DeliveryRace) -> None:
    for _ in range(2):
        race.answer("start", json.dumps({"updates": 2_000}).encode(), print)
        assert race.look() and race.now["state"] == "Running"
        race.answer("stop", b"", print)
        race.join()
        assert race.now["state"] == "Stopped" and not race.running
    race.start()
    race.start()  # nothing further
    second = delivery_race()
    assert not race.running and race.comm is None
    second.start()
    second.close()
    assert not second.running


@pytest.mark.parametrize("wrong", [{"rate": 0}, {"rate": "<b>"}, {"updates": None}, {"head": "1999"}, {"no": 1}])
def test_what_cannot_begin_or_breaks_is_told(race: DeliveryRace, wrong: dict[str, object]) -> None:
    race.answer("start", json.dumps(wrong).encode(), print)
    race.join()
    errors = [way["error"] for way in race.now.get("ways", [])]
    assert "could not begin: " in race.now["state"] or all("must be one of" in error for error in errors)
    assert not race.running


def test_a_program_that_ends_is_not_held_up() -> None:
    code = "from wsedu.lab import delivery_race as d; r = d(); r.chosen = {**r.chosen, 'updates': 2000}; r.start()"
    python("-c", code, check=True, timeout=LIMIT)


START = """
import threading; from wsedu.lab import delivery_race; before = set(threading.enumerate())
r = delivery_race(); r.chosen = {**r.chosen, 'updates': 2000}; r.start(); print(r.running)
"""


def test_an_interrupt_of_the_kernel_stops_it() -> None:
    with kernel() as (run_cell, interrupt):
        assert run_cell(START) == ("ok", "True\n")

        def stopped() -> bool:
            interrupt()
            return run_cell("print(r.running)")[1] == "False\n"

        until(stopped)
        # The kernel's own loop has told the page.
        until(lambda: run_cell("print(r.now['state'])")[1] == "Stopped\n")
        assert run_cell("print(set(threading.enumerate()) <= before, 6 * 7)") == ("ok", "True 42\n")
