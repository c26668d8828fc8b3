# SPDX-License-Identifier: GPL-2.0-or-later
"""Four ways to deliver the same news: nothing lost, nothing doubled, whatever happens to the connections."""

import asyncio
import itertools
import random
import sys
import unicodedata
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, closing, suppress
from typing import Any, cast

import httpx
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from programs import DATA
from websockets.exceptions import InvalidStatus

import wsedu
from wsedu import Request
from wsedu.live import Publisher, connect_raw, delivery, fixed, news_client, news_server, poisson
from wsedu.live.asgi_server import asgi_news_server
from wsedu.live.certificate import tls_contexts
from wsedu.live.connect_http2 import Http2Connection
from wsedu.live.delivery import Carrier
from wsedu.live.news_client import NewsClient, pause_after
from wsedu.live.news_server import WAYS, Way
from wsedu.live.publisher import Inbox, text_of
from wsedu.live.request_headers import request_fields
from wsedu.model.published_claims import REQUEST_2010
from wsedu.wire.capture import Capture

LIMIT = 20.0  # seconds for what takes milliseconds


@asynccontextmanager
async def cutting(port: int, cuts: Iterator[int]) -> AsyncIterator[int]:
    """A TCP proxy that breaks each connection after so many bytes from the server; it lasts as long as the loop."""

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: int) -> None:
        with suppress(OSError):
            while left > 0 and (data := (await reader.read(65536))[:left]):
                left -= len(data)
                writer.write(data)
                await writer.drain()
        writer.close()  # and so the other way ends too

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward, back = await asyncio.open_connection("127.0.0.1", port)
        with suppress(asyncio.CancelledError):
            await asyncio.gather(pass_on(onward, writer, next(cuts)), pass_on(reader, back, sys.maxsize))

    with closing(await asyncio.start_server(proxy, "127.0.0.1", 0)) as server:
        yield server.sockets[0].getsockname()[1]


NO_TEXT = [code for code in map(chr, range(0x110000)) if unicodedata.category(code) in ("Cc", "Cs", "Zl", "Zp")]
TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=40)
# So many updates at once, and whether all have to arrive before the next ones are published.
Burst = tuple[int, bool]


async def deliver(
    way: Way, port: int, publisher: Publisher, schedule: list[Burst], cuts: list[int], slow: int, words: list[str]
) -> list[str]:
    """Publish bursts of these texts while a client receives; gives what it received."""
    texts, received, came = itertools.cycle(words), list[str](), asyncio.Event()

    async def on_update(number: int, payload: str) -> None:
        received.append(payload)
        came.set()
        for _ in range(slow):
            await asyncio.sleep(0)  # a slow reader: others run in between

    async with cutting(port, itertools.chain(cuts, itertools.repeat(sys.maxsize))) as cut_port:
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
    assert (client.inbox.lost, client.inbox.doubled) == ([], 0)
    return received


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_update_is_lost_or_doubled(way: Way, data: st.DataObject) -> None:
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
        received = asyncio.run(deliver(way, server.port, publisher, [(1, False)] * 2, [100_000], 3, ["news"]))
        # the client was asked for 2 updates only: those that it lacks are still there for the next one
        assert len(received) >= 2
        rest = asyncio.run(deliver(way, server.port, publisher, [(52, False)], [300_000, 70_000], 1, ["news"]))
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


def test_a_cursor_ahead_of_the_publisher_waits_for_its_update() -> None:
    publisher = Publisher()
    publisher.publish("a")
    with news_server("longpoll", publisher) as server, connect_raw(server.port, timeout=LIMIT) as connection:
        connection.send(b"GET /news/longpoll?after=2 HTTP/1.1\r\nHost: x\r\n\r\n")
        for text in "bc":
            assert connection.quiet_for(0.1)
            publisher.publish(text)
        assert connection.receive_head().startswith(b"HTTP/1.1 200 ")
        assert connection.receive_exactly(4) == b"3 c\n"
    assert asyncio.run(publisher.wait_after(9, 0.01)) == []


@pytest.mark.parametrize("way, poll_gap, limit", [("websocket", 9.0, "0.01"), ("polling", 0.2, "0.21")])
def test_what_it_waited_for_is_said(way: Way, poll_gap: float, limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last update has so much more time as its client lets pass between two polls."""

    async def never(client: NewsClient, last: int) -> None:
        client.ready.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(delivery, "LAST_UPDATE_LIMIT", 0.01)
    monkeypatch.setattr(NewsClient, "run", never)
    with pytest.raises(TimeoutError, match=f"waited {limit} s for update 2, the last; 0 have come"):
        delivery.deliver(way, [0.0, 0.0], poll_gap=poll_gap)


def test_percentiles_are_those_of_the_delays() -> None:
    def delay(delays: tuple[float, ...], percent: int) -> float:
        return delivery.Delivery(cast(Capture, None), (), delays, 0, 0, 0).delay(percent)

    hundred = tuple(float(number) for number in range(101))
    assert [delay(hundred, percent) for percent in (1, 50, 95, 99)] == pytest.approx([1, 50, 95, 99])
    assert [delay((2.0, 0.0, 1.0), percent) for percent in (50, 75)] == [1.0, 1.5]
    for percent, delays, said in ((0, hundred, "from 1 to 99"), (100, hundred, "from 1"), (50, (1.0,), "two")):
        with pytest.raises(ValueError, match=said):
            delay(delays, percent)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("carrier, version", [("tls", "HTTP/1.1"), ("h2", "HTTP/2")])
def test_each_way_over_tls_and_over_http2(way: Way, carrier: Carrier, version: str) -> None:
    done = delivery.deliver(way, [0.0, 0.01, 0.02], poll_gap=0.01, carrier=carrier)
    assert (len(done.delays), done.lost, done.doubled) == (3, 0, 0)
    (conversation,) = done.capture.conversations
    assert conversation.tls == "1.3"
    bill, request, *others = done.capture.bill(), *conversation.messages
    assert request.head is not None and request.head.version == version
    assert (request.stream is not None) == (carrier == "h2") == (bill.parts["http2 frame"] > 0)
    received = [update.payload.encode() for update in done.updates]
    if way == "websocket":
        texts = [message for message in others if message.kind == "frame" and message.sender == "server"]
        assert [message.payload for message in texts][:3] == received
        assert {message.stream for message in texts} == {request.stream}
    elif way != "eventsource":  # an event stream has no end
        said = b"".join(message.content or b"" for message in others if message.kind == "response")
        assert said.splitlines() == received
    assert bill.total_bytes == sum(len(packet.data) for packet in done.capture.packets)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("http2", [False, True])
def test_one_server_speaks_both_and_the_client_chooses(way: Way, http2: bool) -> None:
    """By ALPN; and without TLS by what is known before (RFC 9113, 3.3)."""
    publisher, received = Publisher(), list[str]()
    for text in "abc":
        publisher.publish(text)
    contexts: list[Any] = [tls_contexts(protocols=["h2", "http/1.1"]), (None, None)]
    for tls, client_tls in contexts:
        with asgi_news_server(publisher, tls) as server:
            client = NewsClient(way, server.port, lambda number, text: received.append(text))
            client.tls, client.http2 = client_tls, http2
            asyncio.run(receive(client, 3))
    assert received == 2 * ["1 a", "2 b", "3 c"]


@pytest.mark.parametrize("way", WAYS)
def test_over_http2_what_is_refused_and_what_breaks_is_said(way: Way) -> None:
    async def leave(client: NewsClient) -> None:
        running = asyncio.ensure_future(client.run(1))
        await client.ready.wait()
        running.cancel()  # while it waits for news
        await asyncio.gather(running, return_exceptions=True)

    with asgi_news_server(Publisher()) as server:
        client = NewsClient(way, server.port, lambda number, text: None, http2=True)
        client.inbox.cursor = -1
        with pytest.raises((httpx.HTTPStatusError, ConnectionError), match="400"):
            asyncio.run(receive(client))
        asyncio.run(asyncio.wait_for(leave(NewsClient(way, server.port, lambda number, text: None, http2=True)), LIMIT))
    with pytest.raises((httpx.ConnectError, ConnectionRefusedError)):
        asyncio.run(receive(client))


@pytest.mark.parametrize("does", ["waits", "has gone", "never reads"])
def test_a_client_over_http2_does_not_keep_the_server(
    does: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    publisher = Publisher()
    if does == "never reads":
        publisher.publish("x" * 10_000_000)  # more than the kernel keeps
    with ExitStack() as clients:
        with asgi_news_server(publisher) as server:
            connection = clients.enter_context(Http2Connection(server.port))
            connection._h2.increment_flow_control_window(1 << 30)
            for way in "longpoll", "eventsource":
                connection._open("GET", f"/news/{way}", (), end=True)
            stream = connection.websocket("/news/websocket") if does != "never reads" else 1
            connection._h2.increment_flow_control_window(1 << 30, stream)
            connection._flush()
            if does == "has gone":
                clients.close()
        assert "has stopped listening" in repr(server)
        if does == "waits":
            with pytest.raises((EOFError, ConnectionError)):
                connection.receive(1, 1)
    assert capfd.readouterr().err == "" and caplog.messages == []


async def receive(client: NewsClient, last: int = 1) -> None:
    async with asyncio.timeout(LIMIT):
        await client.run(last)


@pytest.mark.parametrize("way", WAYS)
def test_only_a_broken_connection_is_a_reason_to_connect_again(way: Way) -> None:
    """What is refused, what the program itself raises and a server that is not there come out of ``run``."""

    def fails(number: int, payload: str) -> None:
        raise ZeroDivisionError

    publisher, other = Publisher(), "longpoll" if way == "polling" else "polling"
    publisher.publish("news")
    with news_server(way, publisher) as server, pytest.raises(ZeroDivisionError):
        asyncio.run(receive(NewsClient(way, server.port, fails)))
    with news_server(cast(Way, other), publisher) as server:
        client = NewsClient(way, server.port, fails)
        with pytest.raises((httpx.HTTPStatusError, InvalidStatus), match="404"):
            asyncio.run(receive(client))
    with pytest.raises((httpx.ConnectError, ConnectionRefusedError)):
        asyncio.run(receive(client))


@pytest.mark.parametrize("way", WAYS)
def test_no_proxy_is_asked(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    with news_server("polling", Publisher()) as closed:
        pass
    names = "http_proxy", "https_proxy", "all_proxy", "ws_proxy"
    for name in (*names, *map(str.upper, names)):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed.port}")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert len(delivery.deliver(way, [0.0]).delays) == 1


@pytest.mark.parametrize("way", WAYS)
def test_a_client_that_gets_nothing_waits_before_it_connects_again(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    def noted(fruitless: int) -> float:
        waits.append(pause_after(fruitless))
        return 0.0 if len(waits) < 6 else LIMIT

    async def never_served() -> None:
        async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0) as server:
            client = NewsClient(way, server.sockets[0].getsockname()[1], lambda number, payload: None, 0)
            running = asyncio.ensure_future(client.run(1))
            while len(waits) < 6:
                await asyncio.sleep(0.001)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            assert client.requests == 6

    monkeypatch.setattr(news_client, "pause_after", noted)
    asyncio.run(never_served())
    assert waits == pytest.approx([0, 0.01, 0.02, 0.04, 0.08, 0.16])
    assert pause_after(10_000) == 1.0


# A long poll at the end of its time; what is no cursor; and a digit that is none of ASCII.
@pytest.mark.parametrize("after, status", [("0", 204), ("%3Cscript%3E", 400), ("%D9%A1", 400)])
@pytest.mark.parametrize("way", ["longpoll", "polling"])
def test_the_answers_without_news(way: Way, after: str, status: int) -> None:
    server = news_server(way, Publisher(), longest_wait=0.05)
    with server, connect_raw(server.port, timeout=LIMIT) as connection:
        connection.send(f"GET /news/{way}?after={after} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert connection.receive_head().startswith(f"HTTP/1.1 {status} ".encode())


def test_an_unknown_way_is_named() -> None:
    with pytest.raises(ValueError, match="pigeon"):
        news_server("pigeon", Publisher())  # type: ignore[arg-type]


@pytest.mark.parametrize("way", WAYS)
def test_the_browser_head_is_what_chromium_sent(way: Way) -> None:
    request = wsedu.read(DATA / f"chromium-{way}.pcap").conversations[1].messages[0].head
    assert request is not None
    own = {"Host"}
    if way == "websocket":
        own |= {"Connection", "Upgrade", "Sec-WebSocket-Key", "Sec-WebSocket-Version"}
        ours = delivery.deliver("websocket", [0.0]).capture.conversations[0].messages[0].head
        assert ours is not None
        host = len(ours.get("Host") or "") - len(request.get("Host") or "")
        assert len(ours.serialize()) - len(request.serialize()) == 2 * host  # it stands in Host and in Origin
    assert request_fields(way, "browser", "http://192.0.2.1") == [item for item in request.fields if item[0] not in own]


def test_the_head_of_2009_is_the_published_one() -> None:
    fields = [("Host", "localhost:8080"), *request_fields("polling", "2009", "")]
    request = Request("GET", "/PollingStock//PollingStock", fields=tuple(fields))
    assert request.serialize() == REQUEST_2010


def test_gaps() -> None:
    assert list(fixed(0.5, 3)) == [0.5, 0.5, 0.5]
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
