# SPDX-License-Identifier: GPL-2.0-or-later
"""What an update costs by our own servers and client: the model with their heads, and what was measured of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from .cost import CASES, Situation, cost
from .measured import Row, around, held_against

DIGITS = 2  # of the number of an update, as 10 to 99 have
CLOSE = len("Connection: close\r\n")  # in a response's head, where each poll has a connection of its own


def modelled_bytes(case: str, *, rate: float, payload: int, poll_gap: float, request_head: int) -> float:
    """Bytes on the wire of one update, by the model.

    Args:
        case: a key of ``CASES``.
        rate: updates a second.
        payload: bytes of an update.
        poll_gap: seconds between two polls.
        request_head: bytes of the head with which a client asks.
    """
    way, keep_alive = CASES[case]
    close = 0 if keep_alive else CLOSE
    situation = Situation(
        rate=rate,
        payload=payload,
        poll_gap=poll_gap,
        request_head=request_head,
        news_head=Situation.news_head + close,
        empty_head=Situation.empty_head + close,
        around=around(way, payload, DIGITS),
        keep_alive=keep_alive,
    )
    return cost(way, situation).bytes


def measured_points(payload: int, poll_gap: float) -> dict[str, list[tuple[float, float]]]:
    """What was measured of random updates, by case: (updates a second, bytes of an update).

    Args:
        payload: bytes of an update, in the mean; the measured ones differ from it by less than one.
        poll_gap: seconds between two polls, of those cases that poll.
    """
    found: dict[str, list[tuple[float, float]]] = {}
    for row in _rows():
        situation = row.situation
        gap_is_right = row.way != "polling" or situation.poll_gap == poll_gap
        if round(situation.payload) == payload and not situation.fixed and gap_is_right:
            found.setdefault(row.label, []).append((situation.rate, row.bytes))
    return found


@cache
def _rows() -> Sequence[Row]:
    try:
        return held_against()
    except OSError:
        return ()  # the package is here without its data
