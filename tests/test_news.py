# SPDX-License-Identifier: GPL-2.0-or-later
"""Four ways to deliver the same news: nothing lost, nothing doubled, whatever happens to the connections."""

from __future__ import annotations

import asyncio
import itertools
import random
import threading
import unicodedata
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import wsedu
from wsedu import Request
from wsedu.live import delivery
from wsedu.live.connect_raw import connect_raw
from wsedu.live.news_client import NewsClient, pause_after
from wsedu.live.news_server import WAYS, Way, news_server
from wsedu.live.publisher import Inbox, Publisher, bursts, fixed, poisson, text_of
from wsedu.live.request_headers import request_fields
from wsedu.model.published_claims import REQUEST_2010

DATA = Path(__file__).parent.parent / "data"
LIMIT = 20.0  # seconds for what takes milliseconds


@asynccontextmanager
async def cutting(port: int, cuts: Iterator[int | None]) -> AsyncIterator[int]:
    """A relay that breaks each connection after so many bytes from the server; ``None`` lets it live."""
    tasks: set[asyncio.Task[None]] = set()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: int | None) -> None:
        try:
            while data := await reader.read(65536):
                if left is not None:
                    data, left = data[:left], left - len(data)
                writer.write(data)
                await writer.drain()
                if left is not None and left <= 0:
                    break
        except OSError:
            pass

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        onward, back = await asyncio.open_connection("127.0.0.1", port)
        ways = [
            asyncio.ensure_future(pass_on(onward, writer, next(cuts))),
            asyncio.ensure_future(pass_on(reader, back, None)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            writer.close()
            back.close()
            tasks.discard(task)

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


NO_TEXT = [
    chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) in ("Cc", "Cs", "Zl", "Zp")
]
TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=40)
Burst = tuple[
    int, bool
]  # so many updates at once, and whether all have to arrive before the next ones are published


async def deliver(
    way: Way,
    port: int,
    publisher: Publisher,
    schedule: list[Burst],
    cuts: list[int],
    slow: int,
    words: Sequence[str] = ("news",),
) -> list[str]:
    """Publish bursts of these texts while a client receives; gives what it received."""
    texts = itertools.cycle(words)
    received: list[str] = []
    came = asyncio.Event()

    async def on_update(number: int, payload: str) -> None:
        received.append(payload)
        came.set()
        for _ in range(slow):
            await asyncio.sleep(0)  # a slow reader: others run in between

    async with cutting(port, itertools.chain(cuts, itertools.repeat(None))) as cut_port:
        client = NewsClient(way, cut_port, on_update, poll_gap=0, keep_alive=bool(slow % 2))
        running = asyncio.create_task(client.run(sum(size for size, _ in schedule)))
        async with asyncio.timeout(LIMIT):
            for size, wait in schedule:
                for _ in range(size):
                    publisher.publish(next(texts))
                await asyncio.sleep(0)
                while wait and client.inbox.cursor < len(publisher.updates):
                    came.clear()
                    await came.wait()
            await running
    assert client.inbox.lost == []
    assert client.inbox.doubled == 0
    return received


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_update_is_lost_or_doubled(way: Way, data: st.DataObject) -> None:
    """250 schedules for each of the four ways: a thousand."""
    burst = st.tuples(st.integers(0, 7), st.booleans())
    schedule = data.draw(st.lists(burst, min_size=1, max_size=6), label="bursts")
    cuts = data.draw(st.lists(st.integers(0, 400), max_size=4), label="bytes until a connection breaks")
    slow = data.draw(st.integers(0, 3), label="slowness")
    words = data.draw(st.lists(TEXTS, min_size=1, max_size=4), label="texts")
    publisher = Publisher()
    with news_server(way, publisher) as server:
        received = asyncio.run(deliver(way, server.port, publisher, schedule, cuts, slow, words))
    assert received == [update.payload for update in publisher.updates]


@pytest.mark.parametrize("way", WAYS)
def test_a_slow_reader_gets_all_of_a_flood(way: Way) -> None:
    publisher = Publisher()
    for _ in range(50):
        publisher.publish("x" * 65_536)  # more than the buffers of the kernel hold
    with news_server(way, publisher) as server:
        received = asyncio.run(deliver(way, server.port, publisher, [(1, False), (1, False)], [100_000], 3))
        # the client was asked for 2 updates only: those that it lacks are still there for the next one
        assert len(received) >= 2
        rest = asyncio.run(deliver(way, server.port, publisher, [(52, False)], [300_000, 70_000], 1))
    assert [line.partition(" ")[0] for line in rest][:52] == [str(n) for n in range(1, 53)]


def test_what_no_way_could_deliver_is_not_published() -> None:
    publisher = Publisher()
    for code in NO_TEXT:
        with pytest.raises(ValueError, match="index 3") as refused:
            publisher.publish(f"two{code}lines")
        assert ascii(code) in str(refused.value)
    assert {code for code in map(chr, range(0x110000)) if len(f"a{code}b".splitlines()) > 1} < set(NO_TEXT)
    with pytest.raises(TypeError, match="text: expected str"):
        publisher.publish(b"bytes")  # type: ignore[arg-type]
    assert publisher.updates == ()


def test_a_cursor_ahead_of_the_newsroom_waits_for_its_update() -> None:
    publisher = Publisher()
    publisher.publish("a")
    with news_server("longpoll", publisher) as server, connect_raw(server.port, timeout=LIMIT) as connection:
        connection.send(b"GET /news/longpoll?after=2 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.quiet_for(0.1)
        publisher.publish("b")
        assert connection.quiet_for(0.1)
        publisher.publish("c")
        assert connection.receive_head().startswith(b"HTTP/1.1 200 ")
        assert connection.receive_exactly(4) == b"3 c\n"
    assert asyncio.run(publisher.wait_after(9, 0.01)) == []


def test_a_delivery_waits_as_long_as_its_client_between_two_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "PATIENCE", 0.2)
    assert len(delivery.deliver("polling", [0.05], poll_gap=0.6).delays) == 1


def test_a_delivery_that_fails_says_what_it_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(client: NewsClient, last: int) -> None:
        client.ready.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(delivery, "PATIENCE", 0.01)
    monkeypatch.setattr(NewsClient, "run", never)
    with pytest.raises(TimeoutError, match=r"waited 0\.01 s for update 2, the last; 0 have come"):
        delivery.deliver("websocket", [0.0, 0.0])


def test_a_client_does_not_connect_in_a_tight_circle() -> None:
    async def asked(way: Way) -> int:
        async with await asyncio.start_server(
            lambda reader, writer: writer.close(), "127.0.0.1", 0
        ) as server:
            port = server.sockets[0].getsockname()[1]
            client = NewsClient(way, port, lambda number, payload: None, poll_gap=0)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await client.run(1)
            return client.requests

    for way in WAYS:
        assert 2 <= asyncio.run(asked(way)) <= 8  # at once, and after 10, 20, 40, 80 and 160 ms
    assert pause_after(10_000) == 1.0


def test_a_long_poll_ends_after_its_time_and_says_so() -> None:
    with news_server("longpoll", Publisher(), longest_wait=0.05) as server:
        with urllib.request.urlopen(
            f"http://127.0.0.1:{server.port}/news/longpoll?after=0", timeout=5
        ) as response:
            assert response.status == 204 and response.read() == b""


@pytest.mark.parametrize("way", ["polling", "longpoll"])
def test_a_cursor_that_is_no_number_is_refused(way: Way) -> None:
    with news_server(way, Publisher()) as server, pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"http://127.0.0.1:{server.port}/news/{way}?after=%3Cscript%3E", timeout=5)
    assert refused.value.code == 400
    refused.value.close()


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_left_behind(way: Way) -> None:
    before = set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt), news_server(way, Publisher()):
        raise KeyboardInterrupt
    assert set(threading.enumerate()) <= before


def test_an_unknown_way_is_named() -> None:
    with pytest.raises(ValueError, match="pigeon"):
        news_server("pigeon", Publisher())  # type: ignore[arg-type]


def test_the_browser_head_is_what_chromium_sent() -> None:
    for way in WAYS:
        request = wsedu.read(DATA / f"chromium-{way}.pcap").conversations[1].messages[0].head
        assert request is not None
        ours = request_fields(way, "browser", "192.0.2.1")
        own = {"Host"}
        if way == "websocket":
            own |= {"Connection", "Upgrade", "Sec-WebSocket-Key", "Sec-WebSocket-Version"}
        assert ours == [item for item in request.fields if item[0] not in own]


def test_our_opening_handshake_is_as_long_as_chromiums() -> None:
    theirs = wsedu.read(DATA / "chromium-websocket.pcap").conversations[1].messages[0].head
    ours = delivery.deliver("websocket", [0.0]).capture.conversations[0].messages[0].head
    assert theirs is not None and ours is not None
    host = len(ours.get("Host") or "") - len(theirs.get("Host") or "")
    assert len(ours.serialize()) - len(theirs.serialize()) == 2 * host  # it stands in Host and in Origin


def test_the_head_of_2009_is_the_published_one() -> None:
    fields = [("Host", "localhost:8080"), *request_fields("polling", "2009", "localhost:8080")]
    request = Request("GET", "/PollingStock//PollingStock", fields=tuple(fields))
    assert request.serialize() == REQUEST_2010


def test_gaps() -> None:
    assert list(fixed(0.5, 3)) == [0.5, 0.5, 0.5]
    assert list(bursts(1.0, 5, 2)) == [1.0, 0.0, 1.0, 0.0, 1.0]
    gaps = list(poisson(0.1, 10_000, random.Random(1)))
    assert 0.095 < sum(gaps) / len(gaps) < 0.105
    for none in (0, -1.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="gap must be a number of seconds, more than 0"):
            poisson(none, 1, random.Random(1))


def test_updates_are_numbered_and_stamped() -> None:
    times = iter([1.5, 2.5])
    publisher = Publisher(clock=lambda: next(times))
    assert publisher.publish("a")[:] == (1, 1.5, "a")
    assert publisher.publish("b")[:] == (2, 2.5, "b")
    assert [update.number for update in publisher.after(1)] == [2]
    assert len(f"7 {text_of(7, 27)}") == 27
    with pytest.raises(ValueError, match="2 bytes"):
        text_of(10, 2)


def test_an_inbox_sees_what_is_lost_and_doubled() -> None:
    inbox = Inbox()
    assert [inbox.receive(number) for number in (1, 1, 4)] == [True, False, True]
    assert (inbox.doubled, inbox.lost, inbox.cursor) == (1, [2, 3], 4)
