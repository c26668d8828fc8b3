# SPDX-License-Identifier: GPL-2.0-or-later
"""Notebook 11: what a page is told, when a dead connection is found out, and how long to wait before trying again."""

import random

from .exercise import Arguments, exercise

CLOSES: list[Arguments] = [
    (b"\x03\xe8",),
    (b"\x03\xe9server restarts",),
    (b"",),
    (None,),
    (b"\x03\xf3",),
    (b"\x0f\xa0",),
    (b"\x13\x87" + b"x" * 123,),
    (b"\x03\xea" + "č".encode(),),
]


def _closes(rng: random.Random) -> list[Arguments]:
    codes = [rng.choice([1002, 1007, 1008, 1009]), rng.randrange(3000, 5000)]
    return [(code.to_bytes(2, "big") + b"bye" * rng.randrange(3),) for code in codes]


@exercise(
    "11",
    CLOSES,
    _closes,
    "RFC 6455, 7.1.4 and 7.1.5, and the section “How it ended”",
    (lambda payload: (told(payload)[0], True), "without a Close frame it did not end cleanly"),
    (
        lambda payload: (1000, True) if payload == b"" else told(payload),
        "a Close frame without a payload has a status code of its own, that nobody sends",
    ),
    (
        lambda payload: (1006, payload is not None) if not payload else told(payload),
        "an empty Close frame is still a Close frame",
    ),
    (lambda payload: told(payload)[0], "both are asked for: code and wasClean"),
    (
        lambda payload: (told(payload)[0], told(payload)[0] == 1000),
        "clean says how it ended, by a closing handshake, and not why",
    ),
    (
        lambda payload: (int.from_bytes(payload, "big"), True) if payload else told(payload),
        "the status code is two bytes; what follows is the reason",
    ),
    (
        lambda payload: (int.from_bytes(payload[:2], "little"), True) if payload else told(payload),
        "network byte order: the greater part of the status code comes first",
    ),
)
def told(payload: bytes | None) -> tuple[int, bool]:
    """The code and wasClean of onclose, after a Close frame with this payload, or none; the page has answered it."""
    if payload is None:
        return 1006, False
    return int.from_bytes(payload[:2], "big") or 1005, True


BEATS: list[Arguments] = [
    (25, 10, 3),
    (7, 20, 5),
    (30, 10, 3),
    (29, 10, 3),
    (31, 10, 3),
    (0, 10, 3),
    (1, 10, 3),
    (10, 10, 10),
    (5, 1, 0),
    (0, 1, 1),
    (3 * 10**18 + 1, 3, 1),
]


def _beats(rng: random.Random) -> list[Arguments]:
    gap = rng.randrange(5, 60)
    return [(gap * rng.randrange(1, 50) + off, gap, rng.randrange(1, gap)) for off in (-1, 0, 1)]


@exercise(
    "11",
    BEATS,
    _beats,
    "the section “A connection that is dead”",
    (
        lambda cut, gap, patience: cut + gap + patience,
        "the next question does not wait for the cut: it has its own times",
    ),
    (
        lambda cut, gap, patience: found_out(cut, gap, 0),
        "after the question comes the time that an answer is waited for",
    ),
    (lambda cut, gap, patience: cut // gap * gap + patience, "a question before the cut was answered"),
    (
        lambda cut, gap, patience: (cut // gap + 1) * gap + patience,
        "a question at the very second of the cut is not answered either",
    ),
    (
        lambda cut, gap, patience: -(-cut // gap) * gap + patience,
        "the first question comes after one gap, not at second 0",
    ),
    (lambda cut, gap, patience: found_out(cut, gap, patience) - cut, "seconds since the beginning, not since the cut"),
)
def found_out(cut: int, gap: int, patience: int) -> int:
    """When a dead connection is found out: asked every `gap` seconds, cut at second `cut`, `patience` for an answer."""
    return max(gap, -(-cut // gap) * gap) + patience


MOST = 30
FAILURES: list[Arguments] = [
    (0, 0.5),
    (1, 0.5),
    (3, 0.25),
    *((failures, 1.0) for failures in (0, 1, 2, 3, 4, 5, 6, 20)),
    *((failures, 0.0) for failures in (0, 1, 5)),
    (5, 0.75),
    (5000, 0.5),
]


@exercise(
    "11",
    FAILURES,
    lambda rng: [
        (failures, rng.randrange(1, 999) / 1000) for failures in (0, rng.randrange(1, 5), rng.randrange(5, 90))
    ],
    "RFC 6455, 7.2.3, and the section “Coming back”",
    (lambda failures, chance: _wait(failures, chance, 10**6), "it does not grow without end: 30 seconds at most"),
    (
        lambda failures, chance: 5 * chance if failures == 0 else float(min(MOST, 2 ** min(failures, 9))),
        "and where is the chance? All would come at once",
    ),
    (lambda failures, chance: chance * min(MOST, 2 ** min(failures, 9)), "before the first try it is up to 5 seconds"),
    (
        lambda failures, chance: _wait(failures + (failures > 0), chance, MOST),
        "after 1 failure up to 2 seconds, after 2 up to 4: one doubling too many",
    ),
    (
        lambda failures, chance: (
            _wait(failures, chance, MOST) if failures in (0, 1) else _wait(failures - 1, chance, MOST)
        ),
        "after 1 failure up to 2 seconds, after 2 up to 4: one doubling is missing",
    ),
    (
        lambda failures, chance: min(MOST, _wait(failures, chance, 10**6)),
        "the limit is for the longest wait; the chance takes its share of that",
    ),
)
def wait(failures: int, chance: float) -> float:
    """Seconds before the next try: up to 5 at first, then up to 2, 4, 8 and so on, at most 30; chance is 0 to 1."""
    if failures == 0:
        return 5 * chance
    return chance * min(30.0, 2.0 ** min(failures, 5))  # 2 to a great number is no float


def _wait(failures: int, chance: float, most: float) -> float:
    return chance * (5.0 if failures == 0 else min(most, 2.0 ** min(failures, 60)))
