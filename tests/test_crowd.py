# SPDX-License-Identifier: GPL-2.0-or-later
"""Crowds: every listener gets every update, what is asked of the machine is asked before, and nothing stays."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

from wsedu.live import fanout, limits
from wsedu.live.fanout import fan_out, poll_crowd


def test_every_listener_is_reached() -> None:
    seen: list[int] = []
    measured = fan_out(250, updates=3, progress=seen.append)
    assert seen == [100, 200, 250]
    assert len(measured.last) == 3
    assert all(0 < seconds < 10 for seconds in measured.last)
    assert 2_000 < measured.memory < 200_000


def test_a_polling_crowd_asks_at_its_rate() -> None:
    measured = poll_crowd(20, gap=0.1, rounds=10)
    assert 100 < measured.requests < 220
    assert 0 < measured.memory < 200_000


def test_a_crowd_without_a_server_says_so() -> None:
    with fanout._start(1, 1) as crowd, pytest.raises(RuntimeError, match="ConnectionRefusedError|refused"):
        crowd.answer()


def test_processes_end_with_an_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[str]] = []
    real = subprocess.Popen

    def remember(*arguments: object, **more: object) -> subprocess.Popen[str]:
        process = real(*arguments, **more)  # type: ignore[call-overload]
        started.append(process)
        return process  # type: ignore[no-any-return]

    def interrupted(connected: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "Popen", remember)
    with pytest.raises(KeyboardInterrupt):
        fan_out(100, progress=interrupted)
    assert len(started) == 2
    assert all(process.poll() is not None for process in started)


def test_limits_are_asked_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "file_limit", lambda: 1_100)
    monkeypatch.setattr(limits, "available_bytes", lambda: 1 << 40)
    assert limits.most_listeners() == 1_000
    monkeypatch.setattr(limits, "file_limit", lambda: 1 << 20)
    assert limits.most_listeners() == 10_000
    monkeypatch.setattr(limits, "available_bytes", lambda: 1 << 28)  # 256 MiB
    assert limits.most_listeners() == 2_048
    monkeypatch.setattr(limits, "file_limit", lambda: 50)
    with pytest.raises(RuntimeError, match=r"200 connections at least; here 50 open files .* allows 0"):
        limits.most_listeners()
    monkeypatch.setattr(limits, "file_limit", lambda: 300)
    assert limits.most_listeners() == 200
    assert limits.most_listeners(10) == 10
    monkeypatch.setattr(limits, "available_bytes", lambda: 100 * 64 * 1024)
    with pytest.raises(RuntimeError, match="its free memory allows 50"):
        limits.most_listeners()


@pytest.mark.skipif(
    sys.platform != "linux", reason="limits are set for a process of its own as Linux does it"
)
def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    hard = min(1_000, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    code = (
        f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (50, {hard}));"
        "from wsedu.live.limits import raise_file_limit; print(raise_file_limit(),"
        "resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(hard), str(hard)]
