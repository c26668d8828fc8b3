# SPDX-License-Identifier: GPL-2.0-or-later
"""The delivery race: several ways to deliver the same news, side by side and live.

The page draws it, and is told a few times a second how far each way has come. That happens on the kernel's own loop
and in no thread: some notebooks drop what a thread says to a widget, and a kernel in the browser has none.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from statistics import median
from typing import Any

import traitlets

from .bars import kinds_of
from .controls import AskingWidget, DeliverySettings, script
from .text import visible

LOOKS_EVERY = 0.2  # seconds between two looks at those who run
JOIN_LIMIT = 60.0  # seconds; a race that is stopped ends within one, unless others keep the machine busy
GHOSTS = 2  # races that stay on the page when the next one begins
# Those who take part, by name: each has ``published`` and ``requests`` (how many so far), ``delays`` (seconds, one for
# each that came), ``done``, ``error`` (in words), ``bill()`` and ``stop()``. All but the last is asked from one thread.
Deliveries = Mapping[str, Any]
StartRace = Callable[[DeliverySettings], Deliveries]
Estimate = Callable[[DeliverySettings], float]
Often = Callable[[Callable[[], bool]], None]


class DeliveryRace(AskingWidget):
    """Controls, a button that starts and stops, and a track for each way.

    Args:
        start: starts all who take part, by name, and returns at once.
        ways: the names of all who take part, in order.
        heads: whose request heads there are to choose from.
        most: about how many bytes the dearest way will take: so long is the axis, which stays as it is.
        often: calls what it is given a few times a second, for as long as that gives true.

    Attributes:
        chosen: what the controls say, by the names of ``DeliverySettings``.
        now: the race that is on, or was last, for the page; empty before the first.
        ghosts: those before it.
    """

    promise = "a race of the ways to deliver news"
    _esm = script("byte_pane.js", "kernel.js", "race.js")
    ways = traitlets.List(traitlets.Unicode()).tag(sync=True)
    heads = traitlets.List(traitlets.Unicode()).tag(sync=True)
    chosen = traitlets.Dict(asdict(DeliverySettings())).tag(sync=True)
    now: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    ghosts: traitlets.List[Any] = traitlets.List().tag(sync=True)

    def __init__(
        self, start: StartRace, ways: Sequence[str], heads: Sequence[str], most: Estimate, often: Often
    ) -> None:
        self._start, self._most, self._often = start, most, often
        self._deliveries: Deliveries = {}
        super().__init__(ways=[visible(way) for way in ways], heads=list(heads))

    @property
    def running(self) -> bool:
        """Whether a race is on."""
        return not all(delivery.done for delivery in self._deliveries.values())

    def start(self) -> None:
        """Start a race; nothing happens while one is on."""
        if self.running:
            return
        try:
            settings = DeliverySettings(**self.chosen)
            most = self._most(settings)
            self._deliveries = self._start(settings)
        except (OSError, ValueError, TypeError, ArithmeticError) as error:
            self.now = {**self.now, "state": f"The race could not begin: {visible(str(error))}"}
            return
        if "ways" in self.now:
            self.ghosts = [self.now, *self.ghosts][:GHOSTS]
        sizes = [way["bytes"] for ghost in self.ghosts for way in ghost["ways"]]
        self._given = {"axis": max(most, *sizes, 1), "settings": asdict(settings)}
        self._often(self.look)

    def look(self) -> bool:
        """Tell the page how far each way has come; whether it should be told again."""
        running = self.running  # asked first, so that what comes in between is in the last look
        updates = self._given["settings"]["updates"]
        self.now = {**self._given, **standing(self._deliveries, updates, running=running)}
        return running

    def stop(self) -> None:
        """Stop the race; it ends by itself soon after. May be called when none is on."""
        for delivery in self._deliveries.values():
            delivery.stop()

    def join(self) -> None:
        """Wait until the race has ended."""
        late = time.monotonic() + JOIN_LIMIT
        while self._deliveries and self.look() and time.monotonic() < late:
            time.sleep(LOOKS_EVERY)

    def close(self) -> None:
        """Stop the race, and take the widget off the page."""
        self.stop()
        self.join()
        super().close()

    def answer(self, what: str, data: bytes, tell: Callable[..., None]) -> None:
        """Start with what was chosen, which comes as JSON, or stop; and say that this was heard."""
        if what == "start":
            self.chosen = {**self.chosen, **json.loads(data)}
            self.start()
        else:
            self.stop()
        tell("")


def standing(deliveries: Deliveries, updates: int, *, running: bool) -> dict[str, Any]:
    """Who has what so far, for the page; ``updates`` is how many there are to be."""
    ways = []
    for name, delivery in deliveries.items():
        bill, delays = delivery.bill(), delivery.delays
        way = {"name": visible(name), "received": len(delays), "requests": delivery.requests, "bytes": bill.total_bytes}
        delay = 1000 * median(delays) if delays else None
        ways.append({**way, "kinds": [*kinds_of(bill).items()], "delay": delay, "error": visible(delivery.error)})
    over = "Finished" if all(way["received"] == updates for way in ways) else "Stopped"
    published = max(delivery.published for delivery in deliveries.values())
    return {"state": "Running" if running else over, "published": published, "ways": ways}
