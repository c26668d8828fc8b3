# SPDX-License-Identifier: GPL-2.0-or-later
"""What one update costs on the wire, in closed form: a model, to be held against measurements.

One client in the steady state: its connection is open before the first update and stays open, except for polling
without keep-alive. Updates come at random (a Poisson process) or at fixed gaps. TCP is that of Linux on a network that
loses nothing: timestamps in each segment (RFC 7323), delayed acknowledgements that ride on data where there is some
(RFC 9293, 3.8.6.3).

All sizes are in bytes and all times in seconds, here and in ``Situation``.
"""

from dataclasses import dataclass
from math import ceil, exp, expm1, inf, lgamma, log, sqrt

# Headers without options: Ethernet (IEEE 802.3, 3.1), IPv4 (RFC 791, 3.1), TCP (RFC 9293, 3.1).
LINK, IP, TCP = 14, 20, 20
# 10 bytes of option and 2 of padding, in each segment but SYN once both sides have agreed (RFC 7323, 3.2).
TIMESTAMPS = 12
# SYN also says maximum segment size, SACK permitted and window scale.
SYN_OPTIONS = 20
PACKET = LINK + IP + TCP + TIMESTAMPS  # bytes of a packet without data
MSS = 1500 - IP - TCP - TIMESTAMPS  # bytes of TCP data in a full segment on Ethernet
# Linux waits so long for data on which an acknowledgement could ride; RFC 9293, 3.8.6.3 allows 0.5.
ACK_DELAY = 0.04
# Updates in the mean for each poll, or during a long one; with fewer the sums are beyond what floats hold.
FEWEST = 1e-12

# What TLS adds to a record: 5 bytes of header, 1 of content type, 16 of tag (RFC 8446, 5.2). The header of a frame of
# HTTP/2 (RFC 9113, 4.1). Either holds 16 KiB, and what more of them add to larger messages is not worth a sum here.
RECORD, FRAME = 22, 9

# The ways to deliver news, as ``wsedu.live`` names them.
WAYS = ("polling", "longpoll", "eventsource", "websocket")
# What is compared, by its label: a way, and whether its connection is kept alive. Only polls can do without.
CARRIERS = ("plain", "tls", "h2")  # HTTP/1.1 over TCP, the same over TLS, HTTP/2 over TLS
CASES = {"polling": ("polling", True), "no keep-alive": ("polling", False), **{way: (way, True) for way in WAYS[1:]}}


@dataclass(frozen=True)
class Situation:
    """What is assumed.

    Attributes:
        rate: updates a second.
        payload: bytes of an update.
        poll_gap: seconds between two polls.
        request_head, news_head, empty_head: bytes of a head: of a request, of a response with news, of one without. In
            HTTP/2 those of the whole HEADERS frame, when HPACK has seen the like before.
        longest_wait: seconds after which a long poll is answered without news.
        turnaround: seconds from a response to the same client's next long poll.
        around: bytes around each update in its content: a line's end, or the fields of a server-sent event with the
            chunk around them; for a WebSocket its frame header.
        fixed: whether updates come at equal gaps, instead of at random.
        keep_alive: for polling: whether all polls share a connection, or each has its own.
        carrier: one of ``CARRIERS``.
        pieces: in HTTP/2 head, content and end of a response are sent one by one, as Hypercorn does, and not at once.

    Raises:
        ValueError: a size or time that cannot be; the message names the fields.
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
    keep_alive: bool = True
    carrier: str = "plain"
    pieces: bool = True

    def __post_init__(self) -> None:
        if self.rate <= 0 or self.poll_gap <= 0 or self.longest_wait <= 0:
            raise ValueError("rate, poll_gap and longest_wait are more than 0")
        if min(self.payload, self.request_head, self.news_head, self.empty_head, self.turnaround) < 0:
            raise ValueError("sizes and times are not negative")
        if self.carrier not in CARRIERS or self.carrier != "plain" and not self.keep_alive:
            raise ValueError(f"carrier is one of {', '.join(CARRIERS)}, and without keep-alive it is plain")


@dataclass(frozen=True)
class Cost:
    """Of one update in the mean.

    Attributes:
        bytes: in packets, all headers counted.
        packets: how many, acknowledgements counted.
        requests: how many; for a WebSocket and server-sent events none: their only one is long past.
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


def _mean(rate: float, seconds: float, name: str) -> float:
    """How many updates come in so many seconds, in the mean; raises ValueError if it is hardly ever one."""
    mean = rate * seconds
    if not FEWEST <= mean < inf:
        raise ValueError(f"rate × {name} must be {FEWEST:g} updates at least, and finite; got {rate:g} × {seconds:g}")
    return mean


def _counts(situation: Situation, mean: float) -> list[tuple[int, float]]:
    """How many updates come in a stretch of time that has ``mean`` of them, and how probable that is."""
    if situation.fixed:
        # Equal gaps: 2.3 updates in the mean are 2 in seven stretches of ten, and 3 in the other three.
        whole = int(mean)
        return [(whole, whole + 1 - mean), (whole + 1, mean - whole)]
    # Poisson: mean^k e^-mean / k!, by logarithms, since the factorial of 200 is beyond a float. Its standard
    # deviation is the root of the mean: eight of them away, and a few for small means, nothing is left to count.
    width = 8 * sqrt(mean) + 20
    counts = range(max(0, int(mean - width)), int(mean + width) + 1)
    return [(count, exp(count * log(mean) - mean - lgamma(count + 1))) for count in counts]


def _segments(size: float) -> int:
    return max(1, ceil(size / MSS))


def _acknowledgements(segments: int) -> int:
    """Packets that acknowledge so many full segments at once.

    "An ACK SHOULD be generated for at least every second full-sized segment" (RFC 9293, 3.8.6.3), and one is for the
    last.
    """
    return ceil(segments / 2)


def _record(situation: Situation) -> int:
    return 0 if situation.carrier == "plain" else RECORD


def _response(situation: Situation, head: float, content: float = 0.0) -> list[float]:
    """What TCP carries of a response, in the pieces that are sent one by one."""
    pieces = [head + content]
    if situation.carrier == "h2":  # an empty DATA frame ends it
        pieces = [head, *([FRAME + content] if content else []), FRAME]
    return [piece + _record(situation) for piece in (pieces if situation.pieces else [sum(pieces)])]


def _polling(situation: Situation) -> Cost:
    """Each poll is a request, a response and its acknowledgement, whether there is news or not."""
    mean = _mean(situation.rate, situation.poll_gap, "poll_gap")
    request = situation.request_head + _record(situation)
    packets = application = syn = 0.0  # of one poll
    for count, probability in _counts(situation, mean):
        content = count * (situation.payload + situation.around)
        response = _response(situation, situation.news_head if count else situation.empty_head, content)
        segments = [_segments(piece) for piece in response]
        application += probability * (request + sum(response))
        # The request's acknowledgement rides on the response; the response's own has nothing to ride on.
        packets += probability * (_segments(request) + sum(segments) + sum(map(_acknowledgements, segments)))
    if not situation.keep_alive:
        # SYN, SYN ACK, ACK; an acknowledgement of the request at once, for a new connection does not wait (that is how
        # Linux learns the other's pace); FIN from both sides, and the last ACK: the first FIN's rides on the second.
        packets += 3 + 1 + 3
        # Two of these seven, the SYNs, have other options than the rest.
        syn = 2 * (SYN_OPTIONS - TIMESTAMPS)
    size = packets * PACKET + application + syn
    polls = 1 / mean  # for each update
    return Cost(polls * size, polls * packets, polls, polls * application)


def _longpoll(situation: Situation) -> Cost:
    """A request waits for news; the next one goes out as soon as it is there, and takes the acknowledgement along."""
    mean = _mean(situation.rate, situation.longest_wait, "longest_wait")
    missed = situation.rate * situation.turnaround  # updates in the mean while no request is with the server
    waits = exp(-missed)  # the share of requests that find nothing, and so have to wait
    updates = missed + waits  # in each response with news: those that were missed, or the one that ends the wait
    # A wait is over in vain with probability late, again and again: late + late² + … = late / (1 − late).
    late = exp(-mean)
    empty = waits * late / -expm1(-mean)  # responses, for each with news
    request = situation.request_head + _record(situation)
    news = _response(situation, situation.news_head, updates * (situation.payload + situation.around))
    none = _response(situation, situation.empty_head)
    *before, last = (_segments(piece) for piece in news)
    asked = _segments(request)
    # The request's acknowledgement rides on the response, if that comes before it can wait no longer.
    alone = exp(-situation.rate * (situation.turnaround + ACK_DELAY))
    # A long response is acknowledged on the way; the acknowledgement of its end rides on the next request.
    packets = asked + sum(before) + _acknowledgements(sum(before)) + last + (last - 1) // 2 + alone
    # The request, its acknowledgement (nothing came in time), and the 204, of which the end's rides on again.
    packets += empty * (asked + 2 * len(none))
    application = request + sum(news) + empty * (request + sum(none))
    size = packets * PACKET + application
    return Cost(size / updates, packets / updates, (1 + empty) / updates, application / updates)


def _pushed(situation: Situation) -> Cost:
    """An update is one piece of data on an open connection, and an acknowledgement comes back."""
    frame = FRAME if situation.carrier == "h2" else 0
    size = situation.payload + situation.around + frame + _record(situation)
    segments = _segments(size)
    # Nothing ever goes the other way on which an acknowledgement could ride, and Linux knows: as soon as the program
    # has read what was pushed it acknowledges, and waits for nothing.
    packets = segments + _acknowledgements(segments)
    return Cost(packets * PACKET + size, packets, 0.0, size)


_MODELS = {"polling": _polling, "longpoll": _longpoll, "eventsource": _pushed, "websocket": _pushed}
