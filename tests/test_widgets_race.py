# SPDX-License-Identifier: GPL-2.0-or-later
"""The delivery race: real deliveries that are monitored while they run, and stopped without a trace."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from jupyter_client.manager import start_new_kernel

from wsedu.lab import delivery_race
from wsedu.live.delivery import DeliveryMonitor, deliver
from wsedu.live.news_server import WAYS, Way
from wsedu.live.publisher import fixed
from wsedu.show.race import DeliveryRace, RaceSettings
from wsedu.wire.live_bill import LiveBill
from wsedu.wire.recording import record

LIMIT = 300.0  # seconds for what takes milliseconds, where nobody else uses the machine


def until(is_so: Callable[[], object]) -> None:
    """Wait for something that another thread brings about."""
    deadline = time.monotonic() + LIMIT
    while not is_so():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


@pytest.mark.parametrize("way", WAYS)
def test_a_delivery_is_monitored_and_stopped(way: Way) -> None:
    before = set(threading.enumerate())
    monitor = DeliveryMonitor()
    with ThreadPoolExecutor(1) as pool:
        delivering = pool.submit(deliver, way, fixed(0.01, 100_000), poll_gap=0.01, monitor=monitor)
        until(lambda: len(monitor.delays) >= 5)
        early = monitor.bill()
        assert early.modelled and early.packets > 5
        assert early.parts["payload" if way == "websocket" else "content"] >= 5 * 27
        monitor.stop()
        delivery = delivering.result(LIMIT)
    assert 5 <= len(delivery.delays) <= len(delivery.updates) < 100_000
    assert monitor.bill() == delivery.capture.bill()  # what was seen on the way adds up to what was recorded
    assert monitor.bill().total_bytes > early.total_bytes
    assert set(threading.enumerate()) <= before


def test_what_is_stopped_beforehand_does_not_begin() -> None:
    monitor = DeliveryMonitor()
    monitor.stop()
    assert deliver("websocket", monitor=monitor).updates == () and monitor.delays == ()


def test_a_way_that_fails_says_so_and_leaves_nothing() -> None:
    before = set(threading.enumerate())
    with pytest.raises(ValueError, match="head must be one of"):
        deliver("polling", head="1999", monitor=DeliveryMonitor())  # type: ignore[arg-type]
    assert set(threading.enumerate()) <= before


def test_a_live_bill_is_of_the_relay_only() -> None:
    with pytest.raises(TypeError, match="relay"):
        LiveBill(record(port=1, kernel=True))


@pytest.fixture
def race() -> Iterator[DeliveryRace]:
    """A race that must leave nothing behind."""
    before = set(threading.enumerate())
    race = delivery_race()
    race.rate.value, race.poll_gap.value = 100, 0.05
    yield race
    race.close()
    assert set(threading.enumerate()) <= before


def test_all_four_get_the_same_news(race: DeliveryRace) -> None:
    race.updates.value, race.payload.value, race.head.value = 20, 100, "minimal"
    race.button.click()
    assert race.button.description == "Stop"
    race.join()
    assert race.button.description == "Start" and not race.running
    shown = race.shown.value
    assert "Finished" in shown and "20 of 20 updates" in shown and "modelled" in shown
    for way in WAYS:
        assert re.search(rf"<th[^>]*>{way}</th><td[^>]*>20</td>", shown), way
    payload = re.search(r">payload</span></th>(.*?)</tr>", shown)
    # Twenty times 100 bytes in frames, and the status codes of two Close frames.
    assert payload is not None and ">2,004<" in payload[1]


def test_the_button_stops_and_starts_again_and_a_second_race_ends_the_first(race: DeliveryRace) -> None:
    race.updates.value = 2_000
    for _ in range(2):
        race.button.click()
        until(lambda: "<b>Running" in race.shown.value)
        race.button.click()
        race.join()
        assert "<b>Stopped" in race.shown.value and race.button.description == "Start"
    race.start()
    race.start()  # nothing further
    second = delivery_race()
    assert not race.running and race.comm is None
    second.start()
    second.close()
    assert not second.running


def test_what_cannot_begin_or_breaks_is_told() -> None:
    def fails(settings: RaceSettings) -> dict[str, None]:
        raise ValueError("no <such> thing")

    race = DeliveryRace(fails, ["minimal"])  # type: ignore[arg-type]
    race.start()
    assert "no &lt;such&gt; thing" in race.shown.value and not race.running


def test_a_program_that_ends_is_not_held_up() -> None:
    code = "from wsedu.lab import delivery_race as d; r = d(); r.updates.value = 2000; r.start()"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=LIMIT)


def test_an_interrupt_of_the_kernel_stops_it() -> None:
    manager, client = start_new_kernel(stderr=subprocess.DEVNULL)

    def said(code: str) -> str:
        texts: list[str] = []
        client.execute_interactive(
            code, timeout=LIMIT, output_hook=lambda message: texts.append(message["content"].get("text", ""))
        )
        return "".join(texts)

    try:
        said("import threading; from wsedu.lab import delivery_race; before = set(threading.enumerate())")
        assert said("r = delivery_race(); r.updates.value = 2000; r.start(); print(r.running)") == "True\n"

        def stopped() -> bool:
            manager.interrupt_kernel()
            return said("print(r.running)") == "False\n"

        until(stopped)
        assert said("print(set(threading.enumerate()) <= before)") == "True\n"
        assert said("print(6 * 7)") == "42\n"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
