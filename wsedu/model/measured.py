# SPDX-License-Identifier: GPL-2.0-or-later
"""The model of ``cost`` beside what tools/measure_grid.py measured between two network namespaces."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from .cost import Situation, cost

FILE = Path(__file__).resolve().parents[2] / "data" / "measured-grid.csv"
"""Where the measurements are, in a clone of the project."""


@dataclass(frozen=True)
class Row:
    """One measurement, and what the model says.

    Attributes:
        way: as in ``cost``.
        situation: as it was measured.
        bytes, packets, requests: of an update, measured.
        model_bytes, model_packets, model_requests: of an update, by the model.
    """

    way: str
    situation: Situation
    bytes: float
    packets: float
    requests: float
    model_bytes: float
    model_packets: float
    model_requests: float

    @property
    def error(self) -> float:
        """Of the model in bytes, as a share of what was measured."""
        return self.model_bytes / self.bytes - 1

    @property
    def packet_error(self) -> float:
        """Of the model in packets, as a share of what was measured."""
        return self.model_packets / self.packets - 1

    @property
    def request_error(self) -> float:
        """Of the model in requests, as a share of what was measured; 0 where nobody asks."""
        return self.model_requests / self.requests - 1 if self.requests else 0.0

    def __str__(self) -> str:
        gap = f" gap {self.situation.poll_gap:g}" if self.way.startswith("polling") else ""
        fixed = " fixed" if self.situation.fixed else ""
        return f"{self.way} {self.situation.rate:g}/s {self.situation.payload:g} B{gap}{fixed}"


def held_against(path: str | Path = FILE) -> list[Row]:
    """Each measurement of a file beside the model.

    Raises:
        OSError: the file cannot be read.
    """
    with open(path, newline="") as file:
        return [_row(line) for line in csv.DictReader(line for line in file if not line.startswith("#"))]


def _row(line: dict[str, str]) -> Row:
    situation = Situation(
        rate=int(line["updates"]) / float(line["seconds"]),
        payload=float(line["mean_payload"]),
        poll_gap=float(line["poll_gap"] or 1),
        request_head=float(line["request_head"] or 0),
        news_head=float(line["news_head"] or 0),
        empty_head=float(line["empty_head"] or 0),
        turnaround=float(line["turnaround"] or 0),
        around=around(line["way"], float(line["mean_payload"]), float(line["mean_digits"])),
        fixed=line["updates_are"] == "fixed",
    )
    update = cost(line["way"], situation)
    size, packets, requests = (float(line[f"{what}_per_update"]) for what in ("bytes", "packets", "requests"))
    modelled = update.bytes, update.packets, update.requests
    return Row(line["way"], situation, size, packets, requests, *modelled)


def around(way: str, payload: float, digits: float) -> float:
    """Bytes around an update of our own servers; ``digits`` has its number in the mean."""
    if way == "websocket":
        return 2 if payload < 126 else 4 if payload < 65_536 else 10
    if way == "eventsource":
        event = len("id: \ndata: \n\n") + digits + payload
        return event - payload + len(f"{round(event):x}") + 4  # the chunk's size, and two line ends
    return 1
