# SPDX-License-Identifier: GPL-2.0-or-later
"""Load tests: every listener gets every update, what is asked of the machine is asked before, what goes wrong in a
process is said, and nothing stays."""

import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import faulty_servers as faulty
import psutil
import pytest
from programs import python

from wsedu import ProtocolError
from wsedu.live import limits, load_test
from wsedu.live.load_test import poll_load, push_load
from wsedu.live.load_worker import LoadClients, said

LIMIT = 60.0  # seconds for what takes milliseconds


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    yield
    assert multiprocessing.active_children() == []


def test_every_listener_is_reached() -> None:
    seen: list[int] = []
    measured = push_load(250, updates=3, progress=seen.append)
    assert seen == [200, 250]
    assert len(measured.last) == 3 and all(0 < seconds < LIMIT for seconds in measured.last)
    assert 2_000 < measured.memory < 200_000


def test_deflate_takes_memory_for_each_connection() -> None:
    """A compressor has a window of its own, and keeps it (RFC 7692, 7.1.1); without one there is nothing to keep."""
    plain, deflate = (push_load(200, compression=compression) for compression in (False, True))
    assert deflate.memory > 2 * plain.memory


def test_the_server_that_pushes_answers_polls_too() -> None:
    polled = poll_load(20, gap=0.05, rounds=2, of_pusher=True, server=faulty.pushes_only)
    assert polled.requests > 0 and polled.cpu_each > 0


def test_who_polls_ten_times_as_often_gets_more_answers() -> None:
    often, seldom = (poll_load(20, gap=gap, rounds=2) for gap in (0.05, 0.5))
    assert often.requests > 2 * seldom.requests > 0
    assert 0 < seldom.memory < 200_000


@pytest.mark.parametrize(("keep_alive", "connections"), [(True, 1), (False, 4)])
def test_polls_have_one_connection_or_one_each(keep_alive: bool, connections: int) -> None:
    """What a client keeps open from one poll to the next is what a server has to hold for it."""
    asked, connected = list[bytes](), list[asyncio.StreamWriter]()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.append(writer)
        while head := await reader.readuntil(b"\r\n\r\n"):
            asked.append(head)
            if len(asked) == 4:
                break  # closed without an answer
            closes = b"Connection: close\r\n" in head
            writer.write(b"HTTP/1.1 204 No Content\r\n" + b"Connection: close\r\n" * closes + b"\r\n")
            if closes:
                break
        writer.close()

    async def poll() -> None:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            clients = LoadClients(server.sockets[0].getsockname()[1], 1, 0.0, keep_alive)
            await clients.connect(1)
            clients.begin()
            progress = await clients.wait(4, LIMIT)
            assert (progress.received, progress.lost) == (3, 1)
            assert progress.why == "ConnectionError: closed by the server"

    asyncio.run(poll())
    assert (len(asked), len(connected)) == (4, connections)


PUSH, POLL = partial(push_load, 20), partial(poll_load, 20, gap=0.1, of_pusher=True)
FAULTS: list[tuple[Callable[..., object], Any, str]] = [
    (PUSH, faulty.breaks(faulty.two_are_lost), r"2 of 20 clients lost their connection to the"),
    (PUSH, faulty.breaks(faulty.nothing_is_sent), r"20 of 20 listeners had no update within 0\.3 s"),
    (PUSH, faulty.breaks(faulty.it_dies), "the load server has ended, with exit code 3"),
    (PUSH, faulty.breaks(faulty.it_raises), "the load server gave up: ZeroDivisionError: said there"),
    (PUSH, faulty.cannot_start, "the load server gave up: OSError: no port is free"),
    (PUSH, faulty.nowhere, "the load clients gave up: ConnectionRefusedError"),
    (POLL, faulty.nowhere, r"\d+ of 20 clients lost their connection to the server: ConnectionRefused"),
    (POLL, faulty.silent, r"0 polls of 20 clients were answered within 0\.3 s, and 2 are needed"),
]


@pytest.mark.parametrize(("measure", "server", "words"), FAULTS, ids=[words for _, _, words in FAULTS])
def test_what_happened_is_said(
    measure: Callable[..., object], server: Any, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load_test, "LIMIT", 0.3 if "within" in words else LIMIT)
    with pytest.raises(RuntimeError, match=words):
        measure(server=server)


SWITCH = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
FRAMES = b"\x81\0\x81\x7e\0\x021 \x82\x7f" + bytes(8)  # payload lengths of 7, 16 and 64 bits (RFC 6455, 5.2)
NEWS = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n1 a"


ANSWERS: list[tuple[float | None, bytes, int, str]] = [
    (None, b"HTTP/1.1 503 Busy\r\n\r\n", 0, "ConnectionError: the server answered 503 Busy"),
    (None, b"SSH-2.0\r\n\r\n", 0, "ProtocolError: "),
    (None, SWITCH[:20], 0, "ConnectionError: closed by the server"),
    (None, SWITCH + FRAMES + b"\x81\x05Hel", 3, "ConnectionError: closed by the server"),
    (None, SWITCH + b"\x81\x7f\xff" + bytes(7), 0, "ProtocolError: payload length at byte 2"),
    (0.0, NEWS + b"HTTP/1.1 204 OK\r\n\r\n", 2, "ConnectionError: closed by the server"),
    (0.0, NEWS + NEWS[:-1], 1, "ConnectionError: closed by the server"),
    (0.0, b"HTTP/1.1 500 Oops\r\n\r\n", 0, "ConnectionError: the server answered 500 Oops"),
]


@pytest.mark.parametrize(("gap", "answer", "received", "why"), ANSWERS)
def test_what_is_whole_is_counted(gap: float | None, answer: bytes, received: int, why: str) -> None:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        writer.write_eof()

    async def count() -> tuple[int, str]:
        async with await asyncio.start_server(say, "127.0.0.1", 0) as server:
            clients = LoadClients(server.sockets[0].getsockname()[1], 1, gap)
            try:
                await clients.connect(1)
            except (OSError, EOFError, ProtocolError) as error:
                return 0, said(error)
            clients.begin()
            receipts = await clients.wait(received + 1, LIMIT)  # the last one is the loss
            return receipts.received, receipts.why

    counted, told = asyncio.run(count())
    if gap is not None and "closed" in why and told.startswith(("BrokenPipeError", "ConnectionResetError")):
        told = why  # on a busy machine the next poll may be written before the end is read
    assert (counted, told[: len(why)]) == (received, why)


@pytest.mark.parametrize(("measure", "more"), [(push_load, "updates"), (poll_load, "rounds")])
def test_nothing_to_measure_is_refused(measure: Callable[..., object], more: str) -> None:
    with pytest.raises(ValueError, match="takes one client at least, got 0"):
        measure(0)
    with pytest.raises(ValueError, match=f"takes one {more[:-1]} at least, got 0"):
        measure(1, **{more: 0})


POLLS = "from wsedu.live.load_test import poll_load; print(poll_load(20, gap=0.1, of_pusher=True).clients)"


@pytest.mark.parametrize("how", ["-c", "-", "script.py"])
def test_a_program_says_nothing_else_in_development_mode(how: str, tmp_path: Path) -> None:
    """A traceback for each of many connections would fill a pipe, or a cell. The script has no guard."""
    script = tmp_path / "script.py"
    script.write_text(POLLS)
    arguments = {"-c": ["-c", POLLS], "-": ["-"]}.get(how, [script])
    done = python("-X", "dev", *arguments, input=POLLS, timeout=LIMIT)
    assert (done.stdout, done.stderr) == ("20\n", "")


@pytest.mark.skipif(sys.platform == "win32", reason="has no such signals")
@pytest.mark.parametrize("how", ["SIGKILL", "SIGINT"])
def test_processes_end_with_their_parent_whatever_they_wait_for(how: str) -> None:
    """A killed parent can say nothing to them; and Ctrl-C goes to all the processes of a shell's job."""
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    command = [sys.executable, "-c", "import faulty_servers; faulty_servers.waits()"]
    with subprocess.Popen(command, cwd=Path(__file__).parent, **pipes) as parent:
        assert parent.stdout is not None and parent.stderr is not None
        children = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
        assert len(children) == 2
        os.killpg(parent.pid, signal.SIGINT) if how == "SIGINT" else parent.kill()
        _, alive = psutil.wait_procs(children, timeout=LIMIT)
        for child in alive:
            child.kill()  # otherwise stderr would have no end
        said = parent.stderr.read()
    assert alive == []
    assert said.count("Traceback") == said.count("KeyboardInterrupt") == (how == "SIGINT")


def test_limits_are_asked_first(monkeypatch: pytest.MonkeyPatch) -> None:
    def most(files: int, memory: int, wanted: int = 10_000) -> int:
        monkeypatch.setattr(limits, "raise_file_limit", lambda: files)
        monkeypatch.setattr(limits, "available_bytes", lambda: memory)
        return limits.most_listeners(wanted)

    given = (1_100, 1 << 40), (1 << 20, 1 << 40), (1 << 20, 1 << 28), (300, 1 << 28), (300, 1 << 28, 10)
    assert [most(*one) for one in given] == [1_000, 10_000, 2_048, 200, 10]
    with pytest.raises(RuntimeError, match=r"200 connections at least; here 50 open files .* allows 0"):
        most(50, 1 << 28)
    with pytest.raises(RuntimeError, match="its free memory allows 50"):
        most(300, 100 * 64 * 1024)


LIMITS: list[tuple[int | None, int | None, int, int]] = [
    (256, None, 10_240, 8_192),  # macOS: it claims to have no limit
    (256, None, 1 << 30, 1 << 20),
    (1_024, 4_096, 1 << 30, 4_096),
    (256, 4_096, 0, 256),  # it may not be changed at all
    (1 << 21, 1 << 22, 1 << 30, 1 << 21),  # it has more than we would ask for
    (None, None, 245_760, 131_072),  # macOS again: no limit is in force either, but for the kernel's own
    (None, None, 0, limits.WITHOUT_LIMIT),
]


@pytest.mark.parametrize(("soft", "hard", "kernel", "given"), LIMITS)
def test_what_the_kernel_gives_counts(
    soft: int | None, hard: int | None, kernel: int, given: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource = pytest.importorskip("resource", reason="Windows has no such limits")
    in_force, hard = (resource.RLIM_INFINITY if limit is None else limit for limit in (soft, hard))

    def setrlimit(what: int, wanted: tuple[int, int]) -> None:
        nonlocal in_force
        if wanted[0] > kernel:
            raise ValueError("current limit exceeds maximum limit")
        in_force = wanted[0]

    monkeypatch.setattr(resource, "getrlimit", lambda what: (in_force, hard))
    monkeypatch.setattr(resource, "setrlimit", setrlimit)
    assert limits.raise_file_limit() == given


def test_files_without_a_limit_are_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resource", None)
    assert limits.raise_file_limit() > 1_000
