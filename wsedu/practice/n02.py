# SPDX-License-Identifier: GPL-2.0-or-later
"""Notebook 02: what asking costs."""

import random
from math import exp

from .exercise import FLOAT, Arguments, exercise


def _times(rng: random.Random) -> list[Arguments]:
    gap, polls = rng.randrange(2, 40), rng.randrange(2, 99)
    return [(gap * polls + late, gap) for late in (-1, 0, 1)]


@exercise(
    "02",
    [(10, 5), (10, 3), (11, 4), (1, 2), (60, 1), (0, 5), (4, 5), (5, 5), (6, 5), (10**17 - 1, 1)],
    _times,
    "the ladder above: the first request goes out at 0 s",
    (lambda seconds, gap: seconds // gap, "the page asks at once: a request goes out before the first gap"),
    (lambda seconds, gap: seconds / gap, "there is no such thing as a part of a request"),
    (lambda seconds, gap: int(seconds / gap) + 1, FLOAT),
    (lambda seconds, gap: seconds * gap, "a longer gap means fewer requests, not more"),
    (lambda seconds, gap: round(seconds / gap) + 1, "a gap that is not over has no request at its end: round down"),
)
def polls(seconds: int, gap: int) -> int:
    """How many requests go out in so many seconds."""
    return seconds // gap + 1


EMPTY = b"HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n"


def _news(text: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(text), text)


ANSWERS = [
    [EMPTY, _news(b"sun rises"), EMPTY],
    [_news(b"room 204 is free"), _news(b"a"), _news(b"")],
    [EMPTY],
    [_news(b"none", b"404 Not Found"), _news(b"new", b"201 Created"), b"HTTP/1.1 304 Not Modified\r\n\r\n"],
    [_news(b" 204 No Content"), _news(b"x" * 204), EMPTY],
    [_news(b"a", b"200 No Content"), _news(b"b", b"200 not 204"), _news(b"c", b"200 204 205")],
    [b"HTTP/1.0 204 \r\n\r\n", b"HTTP/1.1 204 Nothing to say\r\nAge: 200\r\n\r\n"],
    [],
]


@exercise(
    "02",
    [(answers,) for answers in ANSWERS],
    lambda rng: [([rng.choice([EMPTY, _news(b"204" * rng.randrange(9))]) for _ in range(9)],)],
    "RFC 9110, 15.3.5",
    (
        lambda answers: sum(one.startswith(b"HTTP/1.1 204") for one in answers),
        "that is how many answers brought nothing; how many bytes are they?",
    ),
    (
        lambda answers: sum(len(one) for one in answers if b"204" in one),
        "204 may stand in the news: look at the status code",
    ),
    (
        lambda answers: sum(len(one) for one in answers if b"No Content" in one.split(b"\r\n")[0]),
        "the reason phrase may be any words, or none: the number decides",
    ),
    (lambda answers: sum(map(len, answers)), "answers with news are not wasted"),
    (
        lambda answers: sum(len(one) for one in answers if one.startswith(b"HTTP/1.1 200")),
        "these are the answers that brought news: the others are asked for",
    ),
)
def wasted(answers: list[bytes]) -> int:
    """Bytes of the answers that brought no news."""
    return sum(len(one) for one in answers if one.split(b" ", 2)[1] == b"204")


@exercise(
    "02",
    [(1.0, 1.0), (20.0, 0.02), (20.0, 0.2), (0.5, 0.1), (0.25, 10.0), (0.0, 1.0)],
    lambda rng: [(rng.uniform(0.1, 3), rng.uniform(0.1, 3))],
    "the section “How often to ask”",
    (lambda rate, gap: 1 - exp(-rate * gap), "that is the share of polls that *do* find something"),
    (lambda rate, gap: exp(-rate / gap), "a longer gap brings fewer empty polls, not more"),
    (lambda rate, gap: 100 * exp(-rate * gap), "as a share of 1, not of 100"),
    (lambda rate, gap: rate * gap, "that is how many updates a poll finds on average; it may be more than 1"),
)
def empty_share(rate: float, gap: float) -> float:
    """Which share of the polls finds nothing."""
    return exp(-rate * gap)
