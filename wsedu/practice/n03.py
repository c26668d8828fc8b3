# SPDX-License-Identifier: GPL-2.0-or-later
"""Notebook 03: event streams, and updates that got lost."""

import json
import random

from .exercise import Arguments, exercise

STREAMS = [
    "data: sun rises\n\n",
    "data: one\n\ndata: two\n\n",
    "id: 7\ndata: one\n\n: nothing yet\n\ndata: two\n\n",
    "data: one\nid: 7\nevent: news\n\n",
    "data: one\n\ndata: not yet whole\n",
    "data: one\n\nid: 8\ndata: not yet",
    "data: not yet whole\n",
    "dataset: 7\ndata: one\n\n: nothing yet\n\ndata: not yet",
    "data:  two spaces \n\n",
    "data: at noon\n\ndata: one\u2028line\n\n",
    "data: data: a: b\n\n: data: no data\n\ndata: \n\n",
    "",
]


def _streams(rng: random.Random) -> list[Arguments]:
    words = [rng.choice(["one", "a: b", "", "data: x", " two", "č"]) for _ in range(5)]
    return [("".join(f"id: {i}\ndata: {word}\n\n" for i, word in enumerate(words)),)]


def _every_line(text: str) -> list[str]:
    return [line.removeprefix("data: ") for line in text.split("\n") if line.startswith("data: ")]


@exercise(
    "03",
    [(text,) for text in STREAMS],
    _streams,
    "HTML Living Standard, 9.2.6",
    (
        lambda text: [one[6:] for one in text[: text.rfind("\n\n") + 1].splitlines() if one.startswith("data: ")],
        "splitlines cuts at more than line feeds, U+2028 for one: here these are part of the data",
    ),
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


MANY = [*range(1, 3), *range(4, 64), *range(65, 99)]
"""Of these a set gives the two that are missing in another order."""


def _numbers(rng: random.Random) -> list[Arguments]:
    some = rng.sample(range(1, 40), 30)
    return [(sorted(some),), ([*some, some[0]],)]


@exercise(
    "03",
    [(ids,) for ids in ([1, 2, 4], [1, 2, 3], [3, 4, 8], [1, 2, 2, 5, 4], [6, 1, 3], [9, 9, 2], [1], [2], [], MANY)],
    _numbers,
    "the section “Lost and found”",
    (lambda ids: max(ids) - len(ids), "not how many, but which; and an update may also come twice"),
    (
        lambda ids: [i for i in range(min(ids), max(ids)) if i not in ids],
        "updates are numbered from 1: those before the first receipt are lost as well",
    ),
    (
        lambda ids: [i for i in range(1, ids[-1]) if i not in ids] if ids else [],
        "the last one need not be the greatest",
    ),
    (
        lambda ids: [a + 1 for a, b in zip([0, *ids], ids, strict=False) if b > a + 1],
        "a hole may be wider than one update, and updates may come late",
    ),
)
def lost(ids: list[int]) -> list[int]:
    """Which updates are missing, from 1 to the greatest that came, in order."""
    return sorted(set(range(1, max(ids, default=0))) - set(ids))


def _content(*ids: int) -> str:
    return "".join(json.dumps({"id": i, "news": "x" * (i % 5)}) + "\n" for i in ids)


POLLS: list[Arguments] = [
    (0, _content(1)),
    (3, ""),
    (4, _content(5, 6, 7)),
    (4, _content(7, 5, 6)),
    (8, _content(9, 10)),
    (9, _content(8, 7)),
    (98, _content(100, 99)),
    (5, '{"news": "{\\"id\\": 99}", "id": 6}\n{"id":7}\n'),
    (0, ""),
]


def _polls(rng: random.Random) -> list[Arguments]:
    first = rng.randrange(20, 90)
    return [(first, _content(*rng.sample(range(first + 1, first + 20), 3))), (first, "")]


def _ids(content: str) -> list[int]:
    return [json.loads(line)["id"] for line in content.split("\n") if line]


@exercise(
    "03",
    POLLS,
    _polls,
    "the section “A question that waits”",
    (
        lambda after, content: f"/news?after={[*_ids(content), after][0]}",
        "several updates may come at once: ask for what follows the greatest of them",
    ),
    (
        lambda after, content: f"/news?after={max(_ids(content), default=0)}",
        "an answer without news changes nothing: go on from where you were, not from the beginning",
    ),
    (lambda after, content: f"/news?after={[after, *_ids(content)][-1]}", "the last line need not have the greatest"),
    (
        lambda after, content: f"/news?after={max(_ids(content), default=after)}",
        "updates may come that the client has already: it never goes back",
    ),
    (lambda after, content: f"/news?after={after + 1}", "count what came, not how often you asked"),
    (
        lambda after, content: f"/news?after={max([after, *_ids(content)]) + 1}",
        "*after* names the last update that you have, not the next one",
    ),
)
def next_target(after: int, content: str) -> str:
    """The target of the next request."""
    return f"/news?after={max([after, *_ids(content)])}"
