# SPDX-License-Identifier: GPL-2.0-or-later
"""Notebook 10: how cost grows with the number of clients."""

from __future__ import annotations

import random

from .exercise import Arguments, exercise


def _sizes(rng: random.Random) -> list[Arguments]:
    return [
        (100_000, 50_000),
        (100_001, 50_000),
        (130_000, 50_000),
        (80_000, 50_000),
        (rng.randrange(10**6), rng.randrange(100, 9999)),
    ]


@exercise(
    "10",
    _sizes,
    "the section “Beyond one machine”",
    (lambda listeners, most: listeners // most, "the listeners that are left over need a server too"),
    (lambda listeners, most: listeners // most + 1, "where it comes out even no further server is needed"),
    (lambda listeners, most: listeners / most, "there is no part of a server"),
    (
        lambda listeners, most: round(listeners / most),
        "the listeners that are left over need a server, however few they are",
    ),
)
def servers_for(listeners: int, most: int) -> int:
    """How many servers it takes if each holds so many listeners at most."""
    return -(-listeners // most)


def _lines(rng: random.Random) -> list[Arguments]:
    cases: list[Arguments] = []
    for _ in range(3):
        start, slope = rng.randrange(1, 50), rng.randrange(2, 90) + 0.5
        cases.append((*((n, int(start + slope * n)) for n in (100, 1000)),))
    return cases


@exercise(
    "10",
    _lines,
    "the section “Clients that wait”",
    (
        lambda small, large: large[1] / large[0],
        "something is spent however few there are: it does not grow, so leave it out",
    ),
    (
        lambda small, large: (large[0] - small[0]) / (large[1] - small[1]),
        "turned round: time for each listener, not listeners in a time",
    ),
    (
        lambda small, large: (large[1] - small[1]) // (large[0] - small[0]),
        "a part of a microsecond counts as well: there are many listeners",
    ),
    (lambda small, large: float(large[1] - small[1]), "that is for all the listeners that were added; for each?"),
)
def per_listener(small: tuple[int, int], large: tuple[int, int]) -> float:
    """Microseconds that each further listener takes, from two load tests: (listeners, microseconds)."""
    return (large[1] - small[1]) / (large[0] - small[0])


def _rates(rng: random.Random) -> list[Arguments]:
    return [
        (1, 3600),
        (3600, 3600),
        (60, 1),
        (1, 100_000),
        (3 * (even := rng.randrange(2, 999)), even),
        (rng.randrange(1, 50), rng.randrange(60, 90)),
    ]


def _cheaper(push: float, poll: float) -> str:
    return "push" if push < poll else "poll" if poll < push else "equal"


@exercise(
    "10",
    _rates,
    "the section “The same clients, asking”",
    (lambda updates, polls: "push", "not always: what if updates are many and polls are rare?"),
    (lambda updates, polls: _cheaper(updates, polls), "a poll costs more than a push: three times as much, here"),
    (
        lambda updates, polls: _cheaper(3 * updates, polls),
        "it is the poll that costs three times as much, not the push",
    ),
    (lambda updates, polls: _cheaper(3 * polls, updates), "it is the other way round"),
    (
        lambda updates, polls: "push" if updates <= 3 * polls else "poll",
        "and where the one takes as much as the other?",
    ),
    (lambda updates, polls: "push" if updates < 3 * polls else "poll", "what if the one takes as much as the other?"),
)
def cheaper(updates: int, polls: int) -> str:
    """ "push", "poll" or "equal": in an hour, if a poll takes three times the processor of a push."""
    return _cheaper(updates, 3 * polls)
