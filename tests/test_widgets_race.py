# SPDX-License-Identifier: GPL-2.0-or-later
"""The delivery race: real deliveries that are watched while they run, and stopped without a trace."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from wsedu.live.delivery import Watch, deliver
from wsedu.live.news_server import WAYS, Way
from wsedu.live.newsroom import fixed
from wsedu.wire.meter import Meter
from wsedu.wire.relay import record

LIMIT = 20.0  # seconds for what takes milliseconds


def until(is_so: Callable[[], object]) -> None:
    """Wait for something that another thread brings about."""
    deadline = time.monotonic() + LIMIT
    while not is_so():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


@pytest.mark.parametrize("way", WAYS)
def test_a_delivery_is_watched_and_stopped(way: Way) -> None:
    before = set(threading.enumerate())
    watch = Watch()
    with ThreadPoolExecutor(1) as pool:
        delivering = pool.submit(deliver, way, fixed(0.01, 100_000), poll_gap=0.01, watch=watch)
        until(lambda: len(watch.delays) >= 5)
        early = watch.bill()
        assert early.modelled and early.packets > 5
        assert early.parts["payload" if way == "websocket" else "content"] >= 5 * 27
        watch.stop()
        delivery = delivering.result(LIMIT)
    assert 5 <= len(delivery.delays) <= len(delivery.updates) < 100_000
    assert watch.bill() == delivery.capture.bill()  # what was seen on the way adds up to what was recorded
    assert watch.bill().total_bytes > early.total_bytes
    assert set(threading.enumerate()) <= before


def test_what_is_stopped_beforehand_does_not_begin() -> None:
    watch = Watch()
    watch.stop()
    assert deliver("websocket", watch=watch).updates == watch.delays == ()


def test_a_way_that_fails_says_so_and_leaves_nothing() -> None:
    before = set(threading.enumerate())
    with pytest.raises(ValueError, match="head must be one of"):
        deliver("polling", head="1999", watch=Watch())  # type: ignore[arg-type]
    assert set(threading.enumerate()) <= before


def test_a_meter_reads_the_relay_only() -> None:
    with pytest.raises(TypeError, match="relay"):
        Meter(record(port=1, kernel=True))
