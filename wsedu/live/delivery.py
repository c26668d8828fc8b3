# SPDX-License-Identifier: GPL-2.0-or-later
"""One publisher, one client, one way: news is delivered and recorded, so that the ways can be compared.

What runs where: the publisher and the client share an event loop, in a thread of their own; the server and the relay
that records have a thread each. Times are those of ``time.monotonic``, in seconds.
"""

import asyncio
import tempfile
import threading
import time
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any, Literal

from ..wire import background
from ..wire.bill import Bill
from ..wire.capture import Capture
from ..wire.live_bill import LiveBill
from ..wire.recording import record
from .certificate import tls_contexts
from .news_client import NewsClient
from .news_server import Way, news_server
from .publisher import Publisher, Update, fixed, text_of
from .request_headers import HeadStyle

Carrier = Literal["plain", "tls", "h2"]

# Seconds that the last update may take to arrive, beside those between two polls.
LAST_UPDATE_LIMIT = 10.0


@dataclass(frozen=True)
class Delivery:
    """What it took to deliver some news in one way.

    Attributes:
        capture: the whole exchange; its TCP/IP is modelled by the relay, the bytes above it are real.
        updates: as they were published.
        delays: of each update that came, from its publication to its receipt, in seconds.
        requests: that the client sent; an opening handshake is one.
        lost, doubled: how many updates never came, or came again.
    """

    capture: Capture
    updates: tuple[Update, ...]
    delays: tuple[float, ...]
    requests: int
    lost: int
    doubled: int

    def delay(self, percent: int) -> float:
        """The delay in seconds that so many per cent of the updates did not exceed, 1 to 99.

        Between two updates it is interpolated: of three delays the middle one is at 50 per cent, and the 75th lies half
        way from there to the longest.

        Raises:
            ValueError: fewer than two updates, or no such percentile.
        """
        if not 1 <= percent <= 99:
            raise ValueError(f"a percentile is from 1 to 99, got {percent}")
        if len(self.delays) < 2:
            raise ValueError("percentiles need two updates at least")
        # 99 cuts make 100 groups: the first cut is the 1st percentile, so the list is one behind.
        return quantiles(self.delays, n=100, method="inclusive")[percent - 1]


class DeliveryMonitor:
    """Progress of a delivery while it runs, and a way to stop it: hand a new one to ``delivering``.

    The figures may be read from any one other thread, at any time; ``stop`` may be called from any thread at all.

    Attributes:
        publisher: has the updates.
        receipts: when each of them was received, by its number.
        client, live_bill: for ``deliver`` to set: these know the other figures.
    """

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._running: asyncio.Future[None] | None = None
        self.publisher = Publisher()
        self.receipts: dict[int, float] = {}
        self.client: NewsClient | None = None
        self.live_bill: LiveBill | None = None

    @property
    def published(self) -> int:
        """How many updates have been published."""
        return len(self.publisher.updates)

    @property
    def requests(self) -> int:
        """How many requests the client has sent."""
        return self.client.requests if self.client else 0

    @property
    def delays(self) -> tuple[float, ...]:
        """Of each update that has been received, from its publication, in seconds."""
        published = self.publisher.updates
        return tuple(self.receipts[number] - time for number, time, _ in published if number in self.receipts)

    def bill(self) -> Bill:
        """What was spent so far; TCP/IP in it is modelled by the relay."""
        return self.live_bill.bill() if self.live_bill else Bill(modelled=True)

    def stop(self) -> None:
        """End the delivery: nothing further is published, and ``deliver`` returns what was delivered until now."""
        # First the one and then the other, and `run` the other way round: so one of the two sees the other.
        self._stop.set()
        if self._running is not None:
            with suppress(RuntimeError):  # the loop has ended already
                self._running.get_loop().call_soon_threadsafe(self._running.cancel)

    def received(self, number: int, text: str) -> None:
        """For ``deliver``: the client has this update now."""
        self.receipts[number] = time.monotonic()

    async def run(self, work: Coroutine[None, None, None]) -> None:
        """For ``deliver``: do the work, or as much of it as there is before ``stop``."""
        self._running = asyncio.ensure_future(work)
        if self._stop.is_set():
            self._running.cancel()
        try:
            await self._running
        except asyncio.CancelledError:
            if not self._stop.is_set():
                raise


def deliver(
    way: Way,
    gaps: Iterable[float] | None = None,
    *,
    payload: int = 27,
    poll_gap: float = 0.1,
    keep_alive: bool = True,
    head: HeadStyle = "browser",
    carrier: Carrier = "plain",
) -> Delivery:
    """Publish news and let one client receive it; returns when the last update is there.

    Args:
        way: ``"polling"``, ``"longpoll"``, ``"eventsource"`` or ``"websocket"``.
        gaps: seconds before each update, as ``fixed`` and ``poisson`` give them; by default ten updates, a twentieth
            of a second apart.
        payload: bytes of each update.
        poll_gap: seconds between two polls.
        keep_alive: for polling: one connection for all polls, or one for each.
        head: of the requests: a ``"browser"``'s, ``"minimal"``, or that of ``"2009"``.
        carrier: ``"plain"`` HTTP/1.1, ``"tls"`` for HTTP/1.1 over TLS, or ``"h2"`` for HTTP/2 over TLS, where a
            WebSocket is on a stream (RFC 8441).

    Returns:
        What it took; the times in it are in seconds.

    Raises:
        ValueError: there is no such way or head, or the payload cannot hold the number of an update.
        TimeoutError: the last update did not come; it says how long it was waited for.
    """
    plan = list(fixed(0.05, 10) if gaps is None else gaps)
    text_of(len(plan), payload)  # raises now if it does not fit, and not in the middle of the delivery
    monitor = DeliveryMonitor()
    return background.apart(
        lambda: delivering(monitor, way, plan, payload, carrier, poll_gap=poll_gap, keep_alive=keep_alive, head=head),
        monitor.stop,
    )


async def delivering(
    monitor: DeliveryMonitor, way: Way, plan: list[float], payload: int, carrier: Carrier, **options: Any
) -> Delivery:
    """As ``deliver``, on a loop that has nothing else to do; the monitor may be read and stopped from elsewhere."""
    publisher = monitor.publisher
    client = NewsClient(way, 0, monitor.received, http2=carrier == "h2", **options)
    client.fields()  # raises now if there is no such head
    with tempfile.TemporaryDirectory(prefix="wsedu-") as directory:
        keys = Path(directory) / "keys" if carrier != "plain" else None
        tls, client.tls = tls_contexts(keys, ["h2" if client.http2 else "http/1.1"]) if keys else (None, None)
        server = news_server(way, publisher, tls=tls, http2=client.http2)
        with server, record(port=server.port, keylog=keys) as recording:
            client.port = recording.port
            monitor.client, monitor.live_bill = client, LiveBill(recording)
            await monitor.run(_publish(client, publisher, plan, payload))
        capture = recording.capture
    lost, doubled = len(client.inbox.lost), client.inbox.doubled
    return Delivery(capture, publisher.updates, monitor.delays, client.requests, lost, doubled)


async def _publish(client: NewsClient, publisher: Publisher, plan: list[float], payload: int) -> None:
    """Publish by the plan while the client receives, and wait for the last update."""
    loop = asyncio.get_running_loop()
    receiving = asyncio.ensure_future(client.run(len(plan)))
    try:
        ready = asyncio.ensure_future(client.ready.wait())
        await asyncio.wait([ready, receiving], return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        due = loop.time()
        for number, gap in enumerate(plan, start=1):
            due += gap  # from the plan and not from now: a late update does not delay all that follow
            await asyncio.sleep(due - loop.time())
            publisher.publish(text_of(number, payload))
        # Between two polls nothing can come, however well all goes.
        limit = LAST_UPDATE_LIMIT + (client.poll_gap if client.way == "polling" else 0)
        if not (await asyncio.wait([receiving], timeout=limit))[0]:
            raise TimeoutError(f"waited {limit:g} s for update {len(plan)}, the last; {client.inbox.cursor} have come")
        await receiving
    finally:
        receiving.cancel()
        await asyncio.gather(receiving, return_exceptions=True)
