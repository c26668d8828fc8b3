# SPDX-License-Identifier: GPL-2.0-or-later
"""What one update costs on the wire, in closed form: a model, to be held against measurements.

One client, in the steady state: its connection is open, except where a way opens one for each poll. Updates come by
rng (a Poisson process) or at fixed gaps. TCP is that of Linux on a network that loses nothing: timestamps in each
segment (RFC 7323), delayed acknowledgements that ride on data where there is some (RFC 9293, 3.8.6.3).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, exp, expm1, isfinite, lgamma, log, sqrt

LINK, IP, TCP = 14, 20, 20
"""Bytes of the headers of Ethernet, IPv4 and TCP, without options."""
TIMESTAMPS = 12
"""Bytes of the option, with padding, in each segment but SYN (RFC 7323, 3.2)."""
SYN_OPTIONS, SYN_OPTIONS_BARE = 20, 12
"""Bytes of options in SYN: maximum segment size, SACK, window scale, with timestamps and without them."""
ACK_DELAY = 0.04
"""Seconds that Linux waits for data on which an acknowledgement could ride; RFC 9293 allows 0.5."""
FEWEST = 1e-12
"""Updates in the mean between two polls, or during a long one; with fewer the sums are beyond what numbers hold."""
WAYS = ("polling", "polling anew", "longpoll", "eventsource", "websocket")
"""The ways: "polling anew" opens a connection for each poll."""


@dataclass(frozen=True)
class Situation:
    """What is assumed.

    Attributes:
        rate: updates a second.
        payload: bytes of an update.
        poll_gap: seconds between two polls.
        request_head, news_head, empty_head: bytes of a head: of a request, of a response with news, of one without.
        longest_wait: seconds after which a long poll is answered without news.
        turnaround: seconds from a response to the same client's next long poll.
        around: bytes around each update in its content: a line's end, or the fields of a server-sent event with the
            chunk around them; for a WebSocket its frame header.
        fixed: whether updates come at equal gaps, instead of by chance.
        mss: bytes of TCP data in a full segment (Ethernet's 1,500 less IP, TCP and timestamps).
        link: bytes of the link's header in each packet; 0 leaves the link out.
        options: bytes of TCP options in each segment but SYN: timestamps, or 0 where they are off (``mss`` follows).
        ack_delay: seconds for which an acknowledgement waits for data to ride on.
    """

    rate: float
    payload: float
    poll_gap: float = 1.0
    request_head: float = 500
    news_head: float = 159
    empty_head: float = 106
    longest_wait: float = 30.0
    turnaround: float = 0.002
    around: float = 1
    fixed: bool = False
    mss: int = 1448
    link: int = LINK
    options: int = TIMESTAMPS
    ack_delay: float = ACK_DELAY

    def __post_init__(self) -> None:
        if self.rate <= 0 or self.poll_gap <= 0 or self.longest_wait <= 0:
            raise ValueError("rate, poll_gap and longest_wait are more than 0")
        sizes = self.payload, self.request_head, self.news_head, self.empty_head, self.options
        if min(*sizes, self.turnaround, self.ack_delay) < 0:
            raise ValueError("sizes and times are not negative")

    @property
    def packet(self) -> int:
        """Bytes of a packet without data."""
        return self.link + IP + TCP + self.options


@dataclass(frozen=True)
class Cost:
    """Of one update in the mean.

    Attributes:
        bytes: in packets, all headers counted.
        packets: how many, acknowledgements counted.
        requests: how many, for a WebSocket none: its only one is long past.
        application_bytes: that TCP carries: heads, content, frames.
    """

    bytes: float
    packets: float
    requests: float
    application_bytes: float


def cost(way: str, situation: Situation) -> Cost:
    """What an update costs by one of ``WAYS``.

    Raises:
        ValueError: there is no such way, or hardly ever an update: fewer than ``FEWEST`` for each request.
    """
    if way not in _MODELS:
        raise ValueError(f"way must be one of {', '.join(WAYS)}; got {way!r}")
    return _MODELS[way](situation)


def _often_enough(situation: Situation, seconds: float, name: str) -> None:
    if not FEWEST <= (mean := situation.rate * seconds) or not isfinite(mean):
        raise ValueError(
            f"rate × {name} must be {FEWEST:g} updates at least, and finite; "
            f"got {situation.rate:g} × {seconds:g}"
        )


def _together(situation: Situation, mean: float) -> list[tuple[int, float]]:
    """How many updates come in a stretch of time that has ``mean`` of them, and how probable that is."""
    if situation.fixed:
        whole = int(mean)
        return [(whole, whole + 1 - mean), (whole + 1, mean - whole)]
    around = 8 * sqrt(mean) + 20  # beyond this many more or fewer than the mean nothing is left to count
    chances = []
    for count in range(max(0, int(mean - around)), int(mean + around) + 1):
        chances.append((count, exp(count * log(mean) - mean - lgamma(count + 1))))
    return chances


def _segments(size: float, situation: Situation) -> int:
    return max(1, ceil(size / situation.mss))


def _acknowledged(segments: int) -> float:
    """Packets that acknowledge so many full segments at once: one for every second, and one for the last."""
    return ceil(segments / 2)


def _polling(situation: Situation, anew: bool = False) -> Cost:
    """Each poll is a request, a response and its acknowledgement, whether there is news or not."""
    _often_enough(situation, situation.poll_gap, "poll_gap")
    polls = 1 / (situation.rate * situation.poll_gap)  # for each update
    packets = application = 0.0
    for count, probability in _together(situation, situation.rate * situation.poll_gap):
        content = count * (situation.payload + situation.around)
        response = (situation.news_head if count else situation.empty_head) + content
        segments = _segments(response, situation)
        application += probability * (situation.request_head + response)
        # The request, whose acknowledgement rides on the response; the response, whose own has nothing to ride on.
        packets += probability * (
            _segments(situation.request_head, situation) + segments + _acknowledged(segments)
        )
    extra = 0
    if anew:
        # SYN, SYN ACK, ACK; an acknowledgement of the request at once, for a new connection does not wait (that is how
        # Linux learns the other's pace); FIN from both sides, and the last ACK: the first FIN's rides on the second.
        packets += 3 + 1 + 3
        extra = 2 * ((SYN_OPTIONS if situation.options else SYN_OPTIONS_BARE) - situation.options)
    size = packets * situation.packet + application + extra
    return Cost(polls * size, polls * packets, polls, polls * application)


def _longpoll(situation: Situation) -> Cost:
    """A request waits for news; the next one goes out as soon as it is there, and takes the acknowledgement along."""
    _often_enough(situation, situation.longest_wait, "longest_wait")
    mean = situation.rate * situation.turnaround
    wait = exp(-mean)  # rng that nothing came in the meantime, so that the request has to wait
    updates = mean + wait  # in each response with news
    late = exp(-situation.rate * situation.longest_wait)
    empty = (
        wait * late / -expm1(-situation.rate * situation.longest_wait)
    )  # responses without news, for each with news
    content = updates * (situation.payload + situation.around)
    news = situation.news_head + content
    segments = _segments(news, situation)
    asked = _segments(situation.request_head, situation)
    slow = exp(
        -situation.rate * (situation.turnaround + situation.ack_delay)
    )  # the request is acknowledged before news comes
    # A long response is acknowledged on the way; the acknowledgement of its end rides on the next request.
    packets = asked + segments + (segments - 1) // 2 + slow
    packets += empty * (asked + 1 + 1)
    application = situation.request_head + news + empty * (situation.request_head + situation.empty_head)
    size = packets * situation.packet + application
    return Cost(size / updates, packets / updates, (1 + empty) / updates, application / updates)


def _pushed(situation: Situation) -> Cost:
    """An update is one piece of data on an open connection, and an acknowledgement comes back."""
    size = situation.payload + situation.around
    segments = _segments(size, situation)
    # Nothing ever goes the other way on which an acknowledgement could ride, and Linux knows: as soon as the program
    # has read what was pushed it acknowledges, and waits for nothing.
    packets = segments + _acknowledged(segments)
    return Cost(packets * situation.packet + size, packets, 0.0, size)


_MODELS: dict[str, Callable[[Situation], Cost]] = {
    "polling": _polling,
    "polling anew": lambda situation: _polling(situation, anew=True),
    "longpoll": _longpoll,
    "eventsource": _pushed,
    "websocket": _pushed,
}
