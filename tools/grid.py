# SPDX-License-Identifier: GPL-2.0-or-later
"""What tools/measure_grid.py measures, and in which company."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Literal, cast

from wsedu.live.news_server import Way
from wsedu.model.cost import CASES

SMALL = (0, 27, 1024)
LARGE = 65536


@dataclass(frozen=True)
class Cell:
    """One row.

    Attributes:
        label: of the way of delivery, a key of wsedu.model.cost.CASES.
        rate: updates a second.
        payload: bytes of an update; 0 for the smallest that is possible, its number and a space.
        seconds: for which updates are published.
        poll_gap: seconds between two polls.
        updates_are: "poisson", or "fixed" for gaps of equal length.
        clients: that measure it at the same time, each with a publisher of its own.
    """

    label: str
    rate: float
    payload: int
    seconds: float
    poll_gap: float = 1.0
    updates_are: Literal["poisson", "fixed"] = "poisson"
    clients: int = 1

    @property
    def way(self) -> Way:
        """The way, as in wsedu.live."""
        return cast(Way, CASES[self.label][0])

    @property
    def keep_alive(self) -> bool:
        """Whether polls share a connection."""
        return CASES[self.label][1]

    @property
    def written(self) -> str:
        """As the file has it: the way, and a second word where each poll has a connection of its own."""
        return self.way if self.keep_alive else f"{self.way} closing"

    @property
    def updates(self) -> int:
        """How many are published."""
        return round(self.rate * self.seconds)


def _rare(label: str, rate: float) -> int:
    # An update every ten seconds: chance decides how many long polls end empty, so more clients take part.
    return 10 if label == "longpoll" and rate < 1 else 1


_SLOW = [
    Cell(label, rate, payload, 100, clients=_rare(label, rate))
    for label, rate, payload in product(CASES, (0.1, 1), (*SMALL, LARGE))
]
_TEN = [Cell(label, 10, payload, 60) for label, payload in product(CASES, SMALL)]
_FIXED = [Cell("polling", rate, 27, 100, updates_are="fixed") for rate in (0.1, 1, 10)]
_POLLS = [label for label in CASES if CASES[label][0] == "polling"]
_OFTEN = [Cell(label, 0.1, 27, 100, poll_gap=0.1) for label in _POLLS]

BATCHES = [
    _SLOW + _TEN + _FIXED + _OFTEN,
    [Cell(label, 10, LARGE, 20) for label in CASES],
    [Cell(label, rate, 27, 20, poll_gap=0.1) for label, rate in product(_POLLS, (1, 10, 100))],
    *([Cell(label, 100, payload, 10) for label in CASES] for payload in SMALL),
    *([Cell(label, 100, LARGE, 6)] for label in CASES),
]
"""What is in one batch is measured at the same time: the quiet cells together, the loud ones alone."""
