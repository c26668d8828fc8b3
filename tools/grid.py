# SPDX-License-Identifier: GPL-2.0-or-later
"""What tools/measure_grid.py measures, and in which company."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Literal, cast

from wsedu.live.news_server import Way

WAYS = ("polling", "polling anew", "longpoll", "eventsource", "websocket")
SMALL = (0, 27, 1024)
LARGE = 65536


@dataclass(frozen=True)
class Cell:
    """One row.

    Attributes:
        way: of delivery, as in wsedu.model.cost.
        rate: updates a second.
        payload: bytes of an update; 0 for the smallest that is possible, its number and a space.
        seconds: for which updates are published.
        poll_gap: seconds between two polls.
        updates_are: "poisson", or "fixed" for gaps of equal length.
        clients: that measure it at the same time, each with a publisher of its own.
    """

    way: str
    rate: float
    payload: int
    seconds: float
    poll_gap: float = 1.0
    updates_are: Literal["poisson", "fixed"] = "poisson"
    clients: int = 1

    @property
    def live_way(self) -> Way:
        """The way, as in wsedu.live."""
        return cast(Way, self.way.removesuffix(" anew"))

    @property
    def keep_alive(self) -> bool:
        """Whether polls share a connection."""
        return self.way != "polling anew"

    @property
    def polls(self) -> bool:
        """Whether it is one of the ways that poll."""
        return self.way in ("polling", "polling anew")

    @property
    def updates(self) -> int:
        """How many are published."""
        return round(self.rate * self.seconds)


def _rare(way: str, rate: float) -> int:
    # An update every ten seconds: rng decides how many long polls end empty, so more clients take part.
    return 10 if way == "longpoll" and rate < 1 else 1


_SLOW = [
    Cell(way, rate, payload, 100, clients=_rare(way, rate))
    for way, rate, payload in product(WAYS, (0.1, 1), (*SMALL, LARGE))
]
_TEN = [Cell(way, 10, payload, 60) for way, payload in product(WAYS, SMALL)]
_FIXED = [Cell("polling", rate, 27, 100, updates_are="fixed") for rate in (0.1, 1, 10)]
_OFTEN = [Cell(way, 0.1, 27, 100, poll_gap=0.1) for way in WAYS[:2]]

BATCHES = [
    _SLOW + _TEN + _FIXED + _OFTEN,
    [Cell(way, 10, LARGE, 20) for way in WAYS],
    [Cell(way, rate, 27, 20, poll_gap=0.1) for way, rate in product(WAYS[:2], (1, 10, 100))],
    *([Cell(way, 100, payload, 10) for way in WAYS] for payload in SMALL),
    *([Cell(way, 100, LARGE, 6)] for way in WAYS),
]
"""What is in one batch is measured at the same time: the quiet cells together, the loud ones alone."""
