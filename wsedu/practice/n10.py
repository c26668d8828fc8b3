# SPDX-License-Identifier: GPL-2.0-or-later
"""Notebook 10: how cost grows with the number of clients."""

import random
from math import ceil

from .exercise import FLOAT, Arguments, exercise

SIZES: list[Arguments] = [
    (100_000, 50_000),
    (100_001, 50_000),
    (130_000, 50_000),
    (80_000, 50_000),
    (99_999, 50_000),
    (1, 50_000),
    (0, 50_000),
    (7, 1),
    (3 * 10**18 + 1, 3),  # where "/" gives a float that is rounded
    (2**62 - 1, 2**31),
]


@exercise(
    "10",
    SIZES,
    lambda rng: [(rng.randrange(10**6), rng.randrange(100, 9999)), (rng.randrange(10**20, 10**21), 7)],
    "the section “Beyond one machine”",
    (lambda listeners, most: listeners // most, "the listeners that are left over need a server too"),
    (lambda listeners, most: listeners // most + 1, "where it comes out even no further server is needed"),
    (lambda listeners, most: listeners / most, "there is no part of a server"),
    (lambda listeners, most: ceil(listeners / most), FLOAT),
    (lambda listeners, most: round(listeners / most), "those who are left over need a server, however few"),
)
def servers_for(listeners: int, most: int) -> int:
    """How many servers it takes if each holds so many listeners at most."""
    return -(-listeners // most)


def _line(start: int, slope: float, small: int, large: int) -> Arguments:
    return tuple((n, int(start + slope * n)) for n in (small, large))


@exercise(
    "10",
    [_line(40, 2.5, 100, 1000), _line(7, 20.5, 200, 600), _line(0, 0.25, 4, 8), _line(900, -0.5, 10, 1010)],
    lambda rng: [_line(rng.randrange(1, 50), rng.randrange(2, 90) + 0.5, 100, rng.randrange(200, 2000))],
    "the section “Clients that wait”",
    (lambda small, large: large[1] / large[0], "what is spent however few there are does not grow: leave it out"),
    (
        lambda small, large: (large[0] - small[0]) / (large[1] - small[1]),
        "turned round: time for each listener is asked for",
    ),
    (lambda small, large: (large[1] - small[1]) // (large[0] - small[0]), "a part of a microsecond counts as well"),
    (lambda small, large: float(large[1] - small[1]), "that is for all the listeners that were added; for each?"),
)
def per_listener(small: tuple[int, int], large: tuple[int, int]) -> float:
    """Microseconds that each further listener takes, from two load tests: (listeners, microseconds)."""
    return (large[1] - small[1]) / (large[0] - small[0])


RATES: list[Arguments] = [
    (1, 3600),
    (3600, 3600),
    (60, 1),
    (1, 100_000),
    *((updates, 100) for updates in (299, 300, 301, 33, 34, 100, 101, 200)),
    (1, 0),
    (0, 1),
    (0, 0),
    (3 * 10**17 + 1, 10**17),
]


def _rates(rng: random.Random) -> list[Arguments]:
    even = rng.randrange(2, 999)
    return [(3 * even + more, even) for more in (-1, 0, 1)]


def _cheaper(push: float, poll: float) -> str:
    return "push" if push < poll else "poll" if poll < push else "equal"


@exercise(
    "10",
    RATES,
    _rates,
    "the section “The same clients, asking”",
    (lambda updates, polls: "push", "not always: what if updates are many and polls are rare?"),
    (lambda updates, polls: _cheaper(updates, polls), "a poll costs more than a push: three times as much, here"),
    (lambda updates, polls: _cheaper(3 * updates, polls), "the poll costs three times as much, not the push"),
    (lambda updates, polls: _cheaper(updates / 3, float(polls)), FLOAT),
    (lambda updates, polls: _cheaper(3 * polls, updates), "it is the other way round"),
    (lambda updates, polls: "push" if updates <= 3 * polls else "poll", "and if the one takes as much as the other?"),
    (lambda updates, polls: "push" if updates < 3 * polls else "poll", "what if the one takes as much as the other?"),
)
def cheaper(updates: int, polls: int) -> str:
    """ "push", "poll" or "equal": in an hour, if a poll takes three times the processor of a push."""
    return _cheaper(updates, 3 * polls)
