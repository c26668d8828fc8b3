# SPDX-License-Identifier: GPL-2.0-or-later
"""Crowds: every listener gets every update, what is asked of the machine is asked before, and nothing stays."""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys

import pytest

from wsedu.live import limits, load_test, websocket_server
from wsedu.live.load_clients import PollerAnew
from wsedu.live.load_test import desk_and_crowd, fan_out, poll_crowd

LIMIT = 20.0  # seconds for what takes milliseconds


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


def test_polls_anew_leave_the_server_nothing_to_hold() -> None:
    kept, anew = (poll_crowd(300, gap=0.3, rounds=2, keep_alive=keep_alive) for keep_alive in (True, False))
    assert 500 < anew.requests < 1_050
    assert anew.memory < kept.memory / 2  # a tenth and less; other things grow in a process, too


def test_a_poller_anew_has_a_connection_for_each_poll() -> None:
    asked: list[bytes] = []

    async def serve_some() -> None:
        enough = asyncio.Event()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            if len(asked) < 4:
                writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            port, answers = server.sockets[0].getsockname()[1], list[int]()
            poller = PollerAnew(port, None, lambda: answers.append(1), enough.set, 0.0)
            poller.ask()
            async with asyncio.timeout(LIMIT):
                await enough.wait()  # the fourth was closed without an answer
            assert len(answers) == 3

    asyncio.run(serve_some())
    assert len(asked) == 4 and all(b"\r\nConnection: close\r\n" in head for head in asked)


# A desk as ours, except that what it does to its listeners is told by the test.
DESK = """
import asyncio
from wsedu.live import load_server as desk
broadcast = desk.broadcast
def other(listeners, payload):
    {}
desk.broadcast = other
asyncio.run(desk.main())
"""


def test_listeners_that_are_lost_are_counted() -> None:
    code = DESK.format(
        "[one.transport.abort() for one in list(listeners)[:2]]; broadcast(listeners, payload)"
    )
    with pytest.raises(RuntimeError, match="2 of 20 listeners lost their connection"):
        desk_and_crowd(20, 2, ("-c", code), limit=LIMIT)


def test_an_update_that_does_not_come_is_not_waited_for_longer_than_the_limit() -> None:
    with pytest.raises(RuntimeError, match=r"20 of 20 listeners had no update within 0\.2 s"):
        desk_and_crowd(20, 1, ("-c", DESK.format("pass")), limit=0.2)


def test_a_crowd_ends_with_its_parent_while_it_waits() -> None:
    with websocket_server() as server, load_test._start(server.port, 3) as crowd:
        load_test._connected(crowd, load_test._silent)
        crowd.tell("receipts")  # nothing is ever published
        assert crowd._process.stdin is not None
        crowd._process.stdin.close()  # as it is when the parent has died
        assert crowd._process.wait(LIMIT) == 0


def test_a_crowd_without_a_server_says_so() -> None:
    with load_test._start(1, 1) as crowd, pytest.raises(RuntimeError, match="ConnectionRefusedError|refused"):
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
