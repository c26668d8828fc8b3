# SPDX-License-Identifier: GPL-2.0-or-later
"""What tools/measure_grid.py measures, and in which company."""

from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

from wsedu.model.cost import CARRIERS, CASES, WAYS

SMALL = (0, 27, 1024)
LARGE = 65536


@dataclass(frozen=True)
class Cell:
    """One row.

    Attributes:
        way: of delivery, as in wsedu.live.
        keep_alive: whether polls share a connection.
        rate: updates a second.
        payload: bytes of an update; 0 for the smallest that is possible, its number and a space.
        seconds: for which updates are published.
        poll_gap: seconds between two polls.
        updates_are: "poisson", or "fixed" for gaps of equal length.
        carrier: of ``wsedu.model.cost.CARRIERS``.
        clients: that measure it at the same time, each with a publisher of its own.
    """

    way: Any  # one of Way
    keep_alive: bool
    rate: float
    payload: int
    seconds: float
    poll_gap: float = 1.0
    updates_are: Literal["poisson", "fixed"] = "poisson"
    carrier: Any = "plain"
    clients: int = 1

    @property
    def updates(self) -> int:
        """How many are published."""
        return round(self.rate * self.seconds)


ALL = list(CASES.values())
# With an update every ten seconds chance decides how many long polls end empty, so more clients take part.
_SLOW = [
    Cell(*case, rate, payload, 100, clients=10 if case[0] == "longpoll" and rate < 1 else 1)
    for case, rate, payload in product(ALL, (0.1, 1), (*SMALL, LARGE))
]
_TEN = [Cell(*case, 10, payload, 60) for case, payload in product(ALL, SMALL)]
_FIXED = [Cell("polling", True, rate, 27, 100, updates_are="fixed") for rate in (0.1, 1, 10)]
_POLLS = [case for case in ALL if case[0] == "polling"]
_OFTEN = [Cell(*case, 0.1, 27, 100, poll_gap=0.1) for case in _POLLS]

_SECURE = [
    Cell(way, True, rate, payload, 100 if rate < 10 else 60, carrier=carrier,
         clients=10 if way == "longpoll" and rate < 1 else 1)
    for carrier, way, (rate, payload) in product(CARRIERS[1:], WAYS, ((0.1, 27), (1, 27), (1, 1024), (10, 27)))
]  # fmt: skip

BATCHES = [
    _SLOW + _TEN + _FIXED + _OFTEN,
    [Cell(*case, 10, LARGE, 20) for case in ALL],
    [Cell(*case, rate, 27, 20, poll_gap=0.1) for case, rate in product(_POLLS, (1, 10, 100))],
    *([Cell(*case, 100, payload, 10) for case in ALL] for payload in SMALL),
    *([Cell(*case, 100, LARGE, 6)] for case in ALL),
    [cell for cell in _SECURE if (cell.way, cell.carrier) != ("polling", "h2")],
    # A busy client reads the pieces of a response together, and acknowledges them together.
    [cell for cell in _SECURE if (cell.way, cell.carrier) == ("polling", "h2")],
]
"""What is in one batch is measured at the same time: the quiet cells together, the loud ones alone."""
