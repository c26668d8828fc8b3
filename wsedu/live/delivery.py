# SPDX-License-Identifier: GPL-2.0-or-later
"""One publisher, one client, one way: the same news delivered and recorded, so that ways can be compared."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from statistics import quantiles
from typing import TYPE_CHECKING, TypeVar

from ..wire.bill import Bill
from ..wire.live_bill import LiveBill
from ..wire.relay import record
from .news_client import NewsClient
from .news_server import Way, news_server
from .publisher import Publisher, Update, fixed, text_of
from .request_headers import HeadStyle
from .servers import STOP_LIMIT

if TYPE_CHECKING:
    from ..wire.capture import Capture
    from ..wire.recording import Recording

Done = TypeVar("Done")

PATIENCE = 10.0
"""Seconds that the last update may take to arrive, beside those for which a poll is not even asked."""
LOOKS_EVERY = 0.1
"""Seconds between two looks at whether a delivery has ended, or was interrupted; it is told at once when it has."""


@dataclass(frozen=True)
class Delivery:
    """What it took to deliver some news in one way.

    Attributes:
        way: of delivery.
        capture: the whole exchange; its TCP/IP is modelled by the relay, the bytes above it are real.
        updates: as they were published.
        delays: of each update, from its publication to its receipt, in seconds.
        requests: that the client sent; an opening handshake is one.
        lost, doubled: how many updates never came, or came again.
    """

    way: Way
    capture: Capture
    updates: tuple[Update, ...]
    delays: tuple[float, ...]
    requests: int
    lost: int
    doubled: int

    def delay(self, percent: int) -> float:
        """The delay in seconds that so many per cent of the updates did not exceed, 1 to 99.

        Raises:
            ValueError: fewer than two updates, or no such percentile.
        """
        if not 1 <= percent <= 99:
            raise ValueError(f"a percentile is from 1 to 99, got {percent}")
        if len(self.delays) < 2:
            raise ValueError("percentiles need two updates at least")
        return quantiles(self.delays, n=100, method="inclusive")[percent - 1]


class DeliveryMonitor:
    """A delivery, seen from outside while it runs: hand a new one to ``deliver``, in a thread of its own.

    All of it may be asked from any one other thread, at any time; ``stop`` from any thread at all.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a signal handler may stop it while its own thread does
        self._stop = threading.Event()
        self._running: tuple[asyncio.AbstractEventLoop, asyncio.Future[None]] | None = None
        self._seen: tuple[Publisher, NewsClient, LiveBill] | None = None
        self._bill = Bill(modelled=True)
        self.receipts: dict[int, float] = {}

    @property
    def stopped(self) -> bool:
        """Whether it was told to stop."""
        return self._stop.is_set()

    @property
    def published(self) -> int:
        """How many updates have been published."""
        return len(self._seen[0].updates) if self._seen else 0

    @property
    def requests(self) -> int:
        """How many requests the client has sent."""
        return self._seen[1].requests if self._seen else 0

    @property
    def delays(self) -> tuple[float, ...]:
        """Of each update that has been received, in seconds."""
        updates = self._seen[0].updates if self._seen else ()
        return tuple(
            self.receipts[update.number] - update.time for update in updates if update.number in self.receipts
        )

    def bill(self) -> Bill:
        """What was spent so far; TCP/IP in it is modelled by the relay."""
        if self._seen:
            self._bill = self._seen[2].bill()
        return self._bill

    def stop(self) -> None:
        """End the delivery: nothing further is published, and ``deliver`` returns what was delivered until now."""
        with self._lock:
            self._stop.set()
            if self._running is not None:
                loop, running = self._running
                loop.call_soon_threadsafe(running.cancel)

    def begin(self, publisher: Publisher, client: NewsClient, live_bill: LiveBill) -> None:
        """For ``deliver``: this is what there is to see."""
        self._seen = publisher, client, live_bill

    async def run(self, running: asyncio.Future[None]) -> None:
        """For ``deliver``: wait for it, or until ``stop``."""
        with self._lock:
            self._running = asyncio.get_running_loop(), running
            if self.stopped:
                running.cancel()
        try:
            await running
        except asyncio.CancelledError:
            if not self.stopped:
                raise
        finally:
            with self._lock:  # from here on the loop may end
                self._running = None


def deliver(
    way: Way,
    gaps: Iterable[float] | None = None,
    *,
    payload: int = 27,
    poll_gap: float = 0.1,
    keep_alive: bool = True,
    head: HeadStyle = "browser",
    monitor: DeliveryMonitor | None = None,
) -> Delivery:
    """Publish news and let one client receive it; returns when the last update is there.

    Args:
        way: ``"polling"``, ``"longpoll"``, ``"eventsource"`` or ``"websocket"``.
        gaps: seconds before each update, as ``fixed``, ``poisson`` and ``bursts`` give them; by default ten updates,
            a twentieth of a second apart.
        payload: bytes of each update.
        poll_gap: seconds between two polls.
        keep_alive: for polling: one connection for all polls, or one for each.
        head: of the requests: a ``"browser"``'s, ``"minimal"``, or that of ``"2009"``.
        monitor: for whoever wants to look on, and to stop it; this thread must have no event loop then.

    Returns:
        What it took; the times in it are in seconds.

    Raises:
        ValueError: there is no such way or head, or the payload cannot hold the number of an update.
        TimeoutError: the last update did not come; it says how long it was waited for.
    """
    publisher, monitored, monitor = Publisher(), monitor is not None, monitor or DeliveryMonitor()
    seen = monitor

    def on_update(number: int, text: str) -> None:
        seen.receipts[number] = time.monotonic()

    plan = list(fixed(0.05, 10) if gaps is None else gaps)
    text_of(len(plan), payload)  # says so now if it does not fit

    def exchange() -> tuple[NewsClient, Recording]:
        with news_server(way, publisher) as server, record(port=server.port) as recording:
            client = NewsClient(way, recording.port, on_update, poll_gap, keep_alive, head)
            client.fields()  # says so now if there is no such head
            seen.begin(publisher, client, LiveBill(recording))
            asyncio.run(_run(client, publisher, plan, payload, seen))
        return client, recording

    client, recording = exchange() if monitored else _apart(exchange, monitor)
    inbox = client.inbox
    return Delivery(
        way,
        recording.capture,
        publisher.updates,
        monitor.delays,
        client.requests,
        len(inbox.lost),
        inbox.doubled,
    )


def _apart(work: Callable[[], Done], monitor: DeliveryMonitor) -> Done:
    """Do the work in a thread of its own: this one may have a loop that runs already, as the kernel's has.

    And so an interrupt, which comes to the main thread only, never finds a server or a recording half begun.
    """
    outcome: Future[Done] = Future()
    running = threading.Lock()  # one step to wait for: an interrupt inside `join` or an event confuses them
    running.acquire()

    def run() -> None:
        try:
            if not monitor.stopped:  # otherwise nobody waits any more
                outcome.set_result(work())
        except BaseException as error:  # raised where it was asked for
            outcome.set_exception(error)
        finally:
            running.release()

    thread = threading.Thread(target=run, name="wsedu delivery", daemon=True)
    try:
        thread.start()
        while not running.acquire(timeout=LOOKS_EVERY):
            pass  # in pieces: an interrupt just before a wait does not end it
        return outcome.result()
    except BaseException:
        monitor.stop()  # then it ends by itself, even if it has not begun yet
        raise
    finally:
        if thread.is_alive():
            thread.join(STOP_LIMIT)


async def _run(
    client: NewsClient, publisher: Publisher, plan: list[float], payload: int, monitor: DeliveryMonitor
) -> None:
    await monitor.run(asyncio.ensure_future(_publish(client, publisher, plan, payload)))


async def _publish(client: NewsClient, publisher: Publisher, plan: list[float], payload: int) -> None:
    loop = asyncio.get_running_loop()
    receiving = asyncio.ensure_future(client.run(len(plan)))
    try:
        ready = asyncio.ensure_future(client.ready.wait())
        await asyncio.wait([ready, receiving], return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        due = loop.time()
        for number, gap in enumerate(plan, start=1):
            due += gap
            await asyncio.sleep(due - loop.time())
            publisher.publish(text_of(number, payload))
        # Between two polls nothing can come, however well all goes.
        patience = PATIENCE + (client.poll_gap if client.way == "polling" else 0)
        if not (await asyncio.wait([receiving], timeout=patience))[0]:
            have = client.inbox.cursor
            raise TimeoutError(f"waited {patience:g} s for update {len(plan)}, the last; {have} have come")
        await receiving
    finally:
        receiving.cancel()
        await asyncio.gather(receiving, return_exceptions=True)
