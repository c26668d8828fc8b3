# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients that lost their server and come back: when each tries, on a clock that is only a number (RFC 6455, 7.2.3)."""

import heapq
import random
from collections import Counter
from collections.abc import Callable

Delay = Callable[[int, random.Random], float]
"""Seconds that a client waits after so many failures; 0 of them when it has just lost its connection."""


def reconnect(
    clients: int, delay: Delay, rng: random.Random, *, down: float, each_second: int
) -> list[tuple[float, bool]]:
    """All attempts, in order of time: when it was, and whether it succeeded.

    Args:
        clients: how many lost their connection at second 0.
        delay: how long each of them waits before it tries, and tries again.
        rng: where their randomness comes from.
        down: seconds for which the server is away.
        each_second: connections that it can accept in one second, once it is back; it refuses the others.
    """
    waiting = [(delay(0, rng), client, 0) for client in range(clients)]
    heapq.heapify(waiting)
    attempts, accepted = list[tuple[float, bool]](), Counter[int]()
    while waiting:
        at, client, failures = heapq.heappop(waiting)
        succeeds = at >= down and accepted[int(at)] < each_second
        attempts.append((at, succeeds))
        if succeeds:
            accepted[int(at)] += 1
        else:
            heapq.heappush(waiting, (at + delay(failures + 1, rng), client, failures + 1))
    return attempts
