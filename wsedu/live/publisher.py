# SPDX-License-Identifier: GPL-2.0-or-later
"""A source of updates: each has a number and a time and is kept, so that a client that was away can catch up.

The clock and the random numbers are given to it, so that a test or a notebook can decide both.
"""

import asyncio
import random
import re
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from math import inf
from typing import NamedTuple

from ..protocol.errors import need_text

# Control characters, whatever else ends a line for ``str.splitlines``, and what UTF-8 does not have. A poll's response
# is a line for each update, in an event stream a field ends with its line (HTML Living Standard, 9.2.5), and a text
# message "MUST contain valid UTF-8" (RFC 6455, 5.6): what passes here can be delivered in every way.
_NO_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class Update(NamedTuple):
    """One piece of news.

    Attributes:
        number: 1 for the first; each update has the number after that of the one before.
        time: when it was published, in seconds of the publisher's clock.
        text: one line, as ``Publisher.publish`` takes it.
    """

    number: int
    time: float
    text: str

    @property
    def payload(self) -> str:
        """What is delivered, the same in each way: number, space, text."""
        return f"{self.number} {self.text}"


def fixed(gap: float, count: int) -> Iterator[float]:
    """Gaps for ``deliver``: ``count`` updates, always ``gap`` seconds apart."""
    return (gap for _ in range(count))


def poisson(gap: float, count: int, rng: random.Random) -> Iterator[float]:
    """Gaps for ``deliver``: ``count`` updates that come at random, ``gap`` seconds apart in the mean.

    The gaps of a Poisson process are exponentially distributed: how long nothing came says nothing about what is next.

    Raises:
        ValueError: the gap is not more than 0, or has no end.
    """
    if not 0 < gap < inf:
        raise ValueError(f"gap must be a number of seconds, more than 0; got {gap}")
    return (rng.expovariate(1 / gap) for _ in range(count))


def text_of(number: int, size: int) -> str:
    """A text, all of dots, with which update ``number`` has a payload of ``size`` bytes.

    Raises:
        ValueError: the number and a space are longer than that.
    """
    room = size - len(f"{number} ")
    if room < 0:
        raise ValueError(f"a payload of {size} bytes cannot hold the number {number}")
    return "." * room


class Publisher:
    """Takes updates from one thread and gives them to any number of waiting ones.

    Args:
        clock: gives the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._updates: list[Update] = []
        self._waiting: set[Callable[[], object]] = set()
        self._lock = threading.Lock()

    @property
    def updates(self) -> tuple[Update, ...]:
        """All that was published so far."""
        return tuple(self.after(0))

    def publish(self, text: str) -> Update:
        """Publish a text now, from any thread, and wake those who wait.

        Args:
            text: one line, since that is what a poll's response and a server-sent event have room for: no character
                that ends a line, no other control character, no surrogate. It may be empty.

        Returns:
            The update, with its number and time.

        Raises:
            TypeError: it is no text.
            ValueError: it has one of those characters; nothing is published.
        """
        need_text(text, "text")
        if found := _NO_TEXT.search(text):
            raise ValueError(
                "the text of an update is one line, without control characters and surrogates; "
                f"got {found[0]!a} at index {found.start()}"
            )
        with self._lock:
            update = Update(len(self._updates) + 1, self._clock(), text)
            self._updates.append(update)
            waiting = tuple(self._waiting)
        for wake in waiting:
            wake()
        return update

    def after(self, number: int) -> list[Update]:
        """The updates with a higher number, in order; empty when there are none yet."""
        with self._lock:
            return self._updates[max(number, 0) :]

    async def wait_after(self, number: int, limit: float | None = None) -> list[Update]:
        """The same, but wait for one when there is none.

        Args:
            number: of the last update that the client has; 0 for none. It may be one that is still to come.
            limit: seconds after which the answer is an empty list; ``None`` waits for ever.
        """
        loop, published = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            with suppress(RuntimeError):  # its loop is closed, and nobody waits there any more
                loop.call_soon_threadsafe(published.set)

        with self._lock:
            self._waiting.add(wake)  # before looking: an update between looking and waiting would wake nobody
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(limit):
                    while number >= len(self._updates):
                        await published.wait()  # the next one may have a number that is still too low
                        published.clear()
        finally:
            with self._lock:
                self._waiting.discard(wake)
        return self.after(number)

    async def follow(self, number: int) -> AsyncIterator[Update]:
        """Each update after that number, as soon as it is there; without end."""
        while True:
            for update in await self.wait_after(number):
                yield update
                number = update.number


class Inbox:
    """What a client has received, by the numbers of the updates: the cursor that it sends in all four ways.

    Attributes:
        cursor: the number of the last update that was received; the next one must be ``cursor + 1``.
        doubled: how many were received again, and ignored.
        lost: the numbers of those that were skipped.
    """

    def __init__(self) -> None:
        self.cursor = 0
        self.doubled = 0
        self.lost: list[int] = []

    def receive(self, number: int) -> bool:
        """Note an update by its number; ``False`` when it was there already."""
        if number <= self.cursor:
            self.doubled += 1
            return False
        self.lost += range(self.cursor + 1, number)
        self.cursor = number
        return True
