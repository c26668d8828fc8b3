# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever happens inside its block, a server, a recording or a load test leaves nothing: no port, task, thread,
process or file; and an interrupted cell neither.
"""

import asyncio
import gc
import itertools
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from types import FrameType

import pytest
from programs import interrupted_at, kernel, until

from wsedu import handshake, record
from wsedu.live import Publisher, connect_raw, deliver, http_server, news_server, websocket_server
from wsedu.live.asgi_server import asgi_news_server
from wsedu.live.news_server import WAYS, Way
from wsedu.live.publisher import Update
from wsedu.live.servers import Server, tornado_echo_server
from wsedu.wire.recording import Recording

LIMIT = 30.0  # seconds for what takes milliseconds
HELLO = handshake.request("127.0.0.1")
WAITS = b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"


def _news_server(way: Way) -> Server:
    return news_server(way, Publisher())


# A server, and what a client asks of it: nearly all of it is answered by waiting.
SERVERS: dict[str, tuple[Callable[[], Server], bytes]] = {
    "websockets": (websocket_server, HELLO),
    "tornado": (tornado_echo_server, HELLO),
    "http": (http_server, WAITS),
    # The fields of an opening handshake change nothing for the other three ways.
    **{f"news by {way}": (partial(_news_server, way), HELLO.replace(b"/", b"/news/%b?after=0" % way.encode(), 1))
       for way in WAYS},
    **{f"{way} by Hypercorn": (partial(asgi_news_server, Publisher()),
                               HELLO.replace(b"/", b"/news/%b?after=0" % way.encode(), 1)) for way in WAYS},
}  # fmt: skip


def files() -> Iterator[str]:
    for number in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else ():
        with suppress(OSError):  # that of the folder itself
            yield os.readlink(f"/proc/self/fd/{number}")


def traces() -> dict[str, object]:
    """What this process has open, as far as Python and Linux can tell."""
    gc.collect()
    every, children = gc.get_objects(), Path(f"/proc/self/task/{os.getpid()}/children")
    return {
        "threads": sorted(thread.name for thread in threading.enumerate()),
        # The kernel of Jupyter has an eventfd for each thread that has printed.
        "files": sum("eventfd" not in file for file in files()),
        "children": children.read_text() if children.exists() else "",
        "tasks": sum(isinstance(one, asyncio.Task) and not one.done() for one in every),
        "loops": sum(isinstance(one, asyncio.BaseEventLoop) and not one.is_closed() for one in every),
    }


@pytest.fixture(scope="module", autouse=True)
def nothing_older() -> Iterator[None]:
    gc.collect()
    gc.freeze()  # what is there already is not looked at each time
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def nothing_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    before = traces()
    yield
    assert traces() == before
    assert list(tmp_path.iterdir()) == []
    assert [said for said in caplog.records if said.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize("error", [None, ZeroDivisionError, KeyboardInterrupt])
@pytest.mark.parametrize("recorded", [False, True])
def test_nothing_with_clients_in_the_middle(name: str, error: type[BaseException] | None, recorded: bool) -> None:
    make, question = SERVERS[name]
    with ExitStack() as still_open:
        with ExitStack() as block:
            if error is not None:
                block.enter_context(pytest.raises(error))
            server = block.enter_context(make())
            port = block.enter_context(record(server.port)).port if recorded else server.port
            clients = [still_open.enter_context(connect_raw(port)) for _ in range(3)]
            clients[0].send(question)
            if name in ("websockets", "tornado", "news by websocket"):
                clients[0].receive_head()  # what is open now is a WebSocket
            clients[1].send(question[:20])  # a request that never gets whole; and the third says nothing
            if error is not None:
                raise error
        for closed in {server.port, port}:
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", closed), LIMIT)


def until_threads_have_ended() -> None:
    """All other threads of ours end by themselves; `join` takes no thread that is only about to begin."""
    until(lambda: not any(thread.name.startswith("wsedu ") for thread in threading.enumerate()))


BEGINNINGS: dict[str, Callable[[], object]] = {
    **{f"the server {name}": make for name, (make, _) in SERVERS.items()},
    "a recording": lambda: record(1).__enter__(),
    **{f"a delivery by {way}": partial(deliver, way, [0.0]) for way in WAYS},
}
# Where what has begun is not in anybody's hands yet.
INTERRUPTED = {"servers.py": {"__init__"}, "recording.py": {"__enter__", "_steps"}, "background.py": {"apart"}}


@pytest.mark.parametrize("name", BEGINNINGS)
def test_nothing_after_an_interrupt_at_any_line_of_its_beginning(name: str) -> None:

    def in_beginning(path: Path, function: str) -> bool:
        return path.parent.parent.name == "wsedu" and function in INTERRUPTED.get(path.name, ())

    for line in itertools.count(1):
        before = traces()
        begun, interrupted = interrupted_at(line, in_beginning, BEGINNINGS[name])
        if not interrupted:
            assert line > 5
            if isinstance(begun, Server | Recording):
                begun.__exit__(None, None, None)
            break
        until_threads_have_ended()
        assert traces() == before, line


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs a signal for one thread")
def test_an_interrupt_that_wakes_nobody_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that another thread was given, or that came just before the main thread began to wait."""
    publish, published = Publisher.publish, list[str]()

    def told(publisher: Publisher, text: str) -> Update:
        published.append(text)
        signal.pthread_kill(threading.get_ident(), signal.SIGALRM)
        return publish(publisher, text)

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Publisher, "publish", told)
    heard = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            deliver("websocket", [0.0, 5.0])
    finally:
        signal.signal(signal.SIGALRM, heard)
    assert len(published) == 1
    until_threads_have_ended()


BEFORE_ALL = """
import time
from test_left_behind import *
from wsedu.live import load_test
from wsedu.live.load_test import poll_load, push_load

def under_way(*anything):
    print("under way", flush=True)

publish = Publisher.publish
def told(self, text):
    try:
        return publish(self, text)
    finally:
        under_way()
Publisher.publish = told
deliver("websocket", [0.0, 0.0])  # loads what is loaded late
push_load(1)  # and starts multiprocessing's resource tracker, which a process keeps
wait = load_test._wait
def waited(*arguments):
    under_way()
    return wait(*arguments)

def left():
    return {what: found for what, found in traces().items() if what != "tasks"}  # a kernel's own come and go
"""

CELLS = {
    **{f"deliver by {way}": f"deliver({way!r}, [0.0, 600.0])" for way in WAYS},
    "servers with clients": """
with websocket_server() as server, record(server.port) as recording, connect_raw(recording.port) as client:
    under_way()
    while True:
        time.sleep(0.01)  # one long sleep would miss an interrupt that comes just before it
""",
    "a load test that pushes": "push_load(100, updates=10**9, progress=under_way)",
    "a load test that polls": "load_test._wait = waited; poll_load(100, gap=600.0)",
}


@pytest.fixture(scope="module")
def run_cell() -> Iterator[Callable[..., tuple[str, str]]]:
    with kernel() as (run, _):
        assert run(BEFORE_ALL)[0] == "ok"
        # jupyter_client starts a thread at its first interrupt, and keeps it.
        assert run("while True: under_way(), time.sleep(0.01)", until="under way")[0] == "KeyboardInterrupt"
        yield run


@pytest.mark.parametrize("name", CELLS)
def test_nothing_after_a_cell_was_interrupted(name: str, run_cell: Callable[..., tuple[str, str]]) -> None:
    before = run_cell("print(left())")
    how, printed = run_cell(CELLS[name], until="under way")
    assert how == "KeyboardInterrupt"
    assert "Error" not in printed.replace("KeyboardInterrupt", "")
    assert run_cell("print(left())") == before
