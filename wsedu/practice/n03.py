# SPDX-License-Identifier: GPL-2.0-or-later
"""Notebook 03: event streams, and updates that got lost."""

from __future__ import annotations

import json
import random

from .exercise import Arguments, exercise


def _streams(rng: random.Random) -> list[Arguments]:
    words = [rng.choice(["one", "a: b", "", "data: x", " two", "č"]) for _ in range(5)]
    return [
        ("data: sun rises\n\n",),
        ("data: one\n\ndata: two\n\n",),
        ("id: 7\ndata: one\n\n: nothing yet\n\ndata: two\n\n",),
        ("data: one\n\ndata: not yet whole\n",),
        ("data:  two spaces\n\n",),
        ("".join(f"id: {i}\ndata: {word}\n\n" for i, word in enumerate(words)),),
    ]


def _every_line(text: str) -> list[str]:
    return [line.removeprefix("data: ") for line in text.split("\n") if line.startswith("data: ")]


@exercise(
    "03",
    _streams,
    "HTML Living Standard, 9.2.6",
    (_every_line, "an event counts only once its empty line is there"),
    (lambda text: text.split("\n\n")[:-1], "the name of the field is not part of it, and not every line is data"),
    (lambda text: _every_line(text)[:1], "there may be more than one event"),
    (
        lambda text: [one.strip() for one in _every_line(text[: text.rfind("\n\n") + 1])],
        "only one space after the colon belongs to the field; the others belong to the data",
    ),
)
def events(text: str) -> list[str]:
    """The data of the events in a stream."""
    whole = text[: text.rfind("\n\n") + 1]
    return _every_line(whole)


def _numbers(rng: random.Random) -> list[Arguments]:
    most = rng.randrange(12, 40)
    some = sorted(rng.sample(range(1, most), most - 4))
    return [([1, 2, 4],), ([1, 2, 3],), ([3, 4, 8],), ([1, 2, 2, 5, 4],), ([*some, most],), ([],)]


@exercise(
    "03",
    _numbers,
    "the section “SyncLost and found”",
    (lambda ids: max(ids) - len(ids), "not how many, but which; and an update may also come twice"),
    (
        lambda ids: [i for i in range(min(ids), max(ids)) if i not in ids],
        "updates are numbered from 1: those before the first receipt are lost as well",
    ),
    (
        lambda ids: [a + 1 for a, b in zip([0, *ids], ids, strict=False) if b > a + 1],
        "a hole may be wider than one update, and updates may come late",
    ),
)
def lost(ids: list[int]) -> list[int]:
    """Which updates are missing, from 1 to the last that came."""
    return sorted(set(range(1, max(ids, default=0))) - set(ids))


def _polls(rng: random.Random) -> list[Arguments]:
    def content(*ids: int) -> str:
        return "".join(json.dumps({"id": i, "news": "x" * rng.randrange(5)}) + "\n" for i in ids)

    first = rng.randrange(20, 90)
    return [(0, content(1)), (3, ""), (4, content(5, 6, 7)), (first, content(first + 1, first + 2)), (first, "")]


def _last(content: str) -> int:
    return int(json.loads(content.splitlines()[-1])["id"])


@exercise(
    "03",
    _polls,
    "the section “A question that waits”",
    (
        lambda after, content: f"/news?after={json.loads(content.splitlines()[0])['id'] if content else after}",
        "several updates may come at once: ask for what follows the last of them",
    ),
    (
        lambda after, content: f"/news?after={_last(content) if content else 0}",
        "an answer without news changes nothing: go on from where you were, not from the beginning",
    ),
    (lambda after, content: f"/news?after={after + 1}", "count what came, not how often you asked"),
    (
        lambda after, content: f"/news?after={(_last(content) if content else after) + 1}",
        "*after* names the last update that you have, not the next one",
    ),
)
def next_target(after: int, content: str) -> str:
    """The target of the next request."""
    return f"/news?after={_last(content) if content else after}"
