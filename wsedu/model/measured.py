# SPDX-License-Identifier: GPL-2.0-or-later
"""The model of ``cost`` with the heads of our own servers and client, and beside it what was measured of them.

``tools/measure_grid.py`` measured between two network namespaces; ``tools/redis_broker.py`` on one machine.
"""

import csv
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from .cost import CARRIERS, CASES, Cost, Situation, cost

# The measurements.
FILE = Path(__file__).with_name("measured-grid.csv")
BROKER_FILE = FILE.with_name("redis-broker.csv")
Point = tuple[float, float]  # in a drawing

DIGITS = 2  # of the number of an update, as 10 to 99 have
CLOSE = len("Connection: close\r\n")  # in a response's head, where each poll has a connection of its own
# In HTTP/2: HEADERS frames of Chromium and Hypercorn, from the third poll on (data/chromium-polling-h2.pcapng).
H2_HEADS = {"request_head": 47, "news_head": 13, "empty_head": 11}


@dataclass(frozen=True)
class Row:
    """One measurement, and what the model says.

    Attributes:
        way: as in ``cost``.
        situation: as it was measured.
        bytes, packets: of an update, measured.
        model: the same, by the model.
    """

    way: str
    situation: Situation
    bytes: float
    packets: float
    model: Cost

    @property
    def label(self) -> str:
        """What it is called beside others: a key of ``cost.CASES``."""
        return next(label for label, case in CASES.items() if case == (self.way, self.situation.keep_alive))

    @property
    def error(self) -> float:
        """Of the model in bytes, as a share of what was measured."""
        return self.model.bytes / self.bytes - 1

    def __str__(self) -> str:
        gap = f" gap {self.situation.poll_gap:g}" if self.way == "polling" else ""
        fixed = " fixed" if self.situation.fixed else ""
        over = "" if self.situation.carrier == "plain" else f" over {self.situation.carrier}"
        return f"{self.label}{over} {self.situation.rate:g}/s {self.situation.payload:g} B{gap}{fixed}"


@cache
def held_against() -> list[Row]:
    """Each measurement beside the model."""
    return [_row(line) for line in _lines(FILE)]


def _lines(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


def by_case(rows: Iterable[Row]) -> dict[str, list[Point]]:
    """Bytes of an update by case, each as (measured, by the model), to be drawn."""
    return _grouped(rows, lambda row: (row.bytes, row.model.bytes))


def _grouped(rows: Iterable[Row], point: Callable[[Row], Point]) -> dict[str, list[Point]]:
    found: dict[str, list[Point]] = {}
    for row in rows:
        found.setdefault(row.label, []).append(point(row))
    return found


def broker_rows() -> list[dict[str, int]]:
    """What a Redis sent to two WebSocket servers, and they to their listeners: a row for each run.

    Returns:
        Of each run ``listeners`` (of both servers together), ``updates`` that were published, ``messages`` that reached
        listeners, and bytes of all the updates that TCP carried: ``publisher_bytes`` to the Redis, ``broker_bytes``
        from there to both servers, ``server_bytes`` to all listeners.
    """
    return [{name: int(value) for name, value in line.items()} for line in _lines(BROKER_FILE)]


def _row(line: dict[str, str]) -> Row:
    # A second word says that each poll had a connection of its own, or what carried it.
    way, _, word = line["way"].partition(" ")
    carrier = word if word in CARRIERS else "plain"
    names, payload = ("request_head", "news_head", "empty_head", "turnaround"), float(line["mean_payload"])
    measured: dict[str, Any] = {name: float(line[name] or 0) for name in names}
    situation = Situation(
        rate=int(line["updates"]) / float(line["seconds"]),
        payload=payload,
        poll_gap=float(line["poll_gap"] or 1),
        around=around(way, payload, float(line["mean_digits"]), carrier),
        fixed=line["updates_are"] == "fixed",
        keep_alive=word != "closing",
        carrier=carrier,
        **measured,
    )
    size, packets = float(line["bytes_per_update"]), float(line["packets_per_update"])
    return Row(way, situation, size, packets, cost(way, situation))


def around(way: str, payload: float, digits: float, carrier: str = "plain") -> float:
    """Bytes that our own servers put around an update of ``payload`` bytes, for ``Situation.around``.

    Args:
        digits: how many its number has in the mean; the ``id:`` of a server-sent event repeats it.
        carrier: as in ``Situation``.
    """
    if way == "websocket":  # a server's frame header: 7, 16 or 64 bits of payload length (RFC 6455, 5.2)
        return 2 if payload < 126 else 4 if payload < 65_536 else 10
    if way == "eventsource":
        event = len("id: \ndata: \n\n") + digits + payload
        # In HTTP/1.1 each event is a chunk of its own: its size in hex and two line ends (RFC 9112, 7.1).
        return event - payload + (0 if carrier == "h2" else len(f"{round(event):x}") + 4)
    return 1  # an update is a line of the response


def modelled_bytes(case: str, *, payload: int = 27, **more: Any) -> float:
    """Bytes on the wire of one update, by the model.

    Args:
        case: a key of ``CASES``.
        payload: bytes of an update.
        more: what else ``Situation`` takes, its rate at least; the heads of responses are those of our own servers, and
            in HTTP/2 those of requests are Chromium's.
    """
    way, more["keep_alive"] = CASES[case]
    for head in "news_head", "empty_head":
        more[head] = getattr(Situation, head) + (0 if more["keep_alive"] else CLOSE)
    if (carrier := more.get("carrier", "plain")) == "h2":
        more |= H2_HEADS
    return cost(way, Situation(payload=payload, around=around(way, payload, DIGITS, carrier), **more)).bytes


def measured_points(payload: int, poll_gap: float) -> dict[str, list[Point]]:
    """What was measured of random updates, without TLS, by case: (updates a second, bytes of an update).

    Args:
        payload: bytes of an update, in the mean; the measured ones differ from it by less than one.
        poll_gap: seconds between two polls, of those cases that poll.
    """
    rows = [row for row in held_against() if row.situation.carrier == "plain" and not row.situation.fixed]
    rows = [row for row in rows if round(row.situation.payload) == payload]
    right = [row for row in rows if row.way != "polling" or row.situation.poll_gap == poll_gap]
    return _grouped(right, lambda row: (row.situation.rate, row.bytes))
