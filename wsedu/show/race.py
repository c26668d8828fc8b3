# SPDX-License-Identifier: GPL-2.0-or-later
"""The delivery race: several ways to deliver the same news, side by side and live."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Protocol

import ipywidgets as widgets

from .bars import BillLike, bars
from .controls import NotRun, choice, fitted, hint, number, row
from .html import Markup, figures, scrolling, sentence, tag
from .text import visible

LOOKS_EVERY = 0.2  # seconds between two looks at those who run
JOIN_LIMIT = 60.0  # seconds; a race that is stopped ends within one, unless others keep the machine busy


@dataclass(frozen=True)
class RaceSettings:
    """What all who take part are given.

    Attributes:
        updates: how many.
        rate: updates a second, in the mean.
        poll_gap: seconds between two polls.
        payload: bytes of an update.
        head: whose request head is sent.
    """

    updates: int
    rate: float
    poll_gap: float
    payload: int
    head: str


class RunningDelivery(Protocol):
    """One who takes part; all but ``stop`` is asked from one thread only."""

    @property
    def published(self) -> int: ...
    @property
    def requests(self) -> int: ...
    @property
    def delays(self) -> Sequence[float]: ...
    @property
    def done(self) -> bool: ...
    @property
    def error(self) -> str: ...
    def bill(self) -> BillLike: ...
    def stop(self) -> None: ...


Deliveries = Mapping[str, RunningDelivery]


class DeliveryRace(NotRun, widgets.VBox):
    """Controls, a button that starts and stops, and what each way has cost so far.

    Args:
        start: starts all who take part, by name, and returns at once.
        heads: whose request heads there are to choose from.
    """

    promise = "a race of the ways to deliver news"

    def __init__(self, start: Callable[[RaceSettings], Deliveries], heads: Sequence[str]) -> None:
        self._start = start
        self._deliveries: Deliveries = {}
        self._thread: threading.Thread | None = None
        self.updates = number(widgets.BoundedIntText, 40, 2, 2_000, "updates")
        self.rate = number(widgets.BoundedFloatText, 5.0, 0.1, 100.0, "updates a second")
        self.poll_gap = number(widgets.BoundedFloatText, 0.2, 0.01, 10.0, "seconds to next poll")
        self.payload = number(widgets.BoundedIntText, 27, 5, 4_096, "bytes of an update")
        self.head = choice(list(heads), heads[0], "request head")
        self.button = widgets.Button(description="Start", button_style="primary")
        self.shown = hint(HINT)
        self.button.on_click(self._clicked)
        self._controls = self.updates, self.rate, self.poll_gap, self.payload, self.head
        super().__init__([row(*self._controls), self.button, self.shown])

    @property
    def running(self) -> bool:
        """Whether a race is on."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def settings(self) -> RaceSettings:
        """As the controls stand."""
        return RaceSettings(*(control.value for control in self._controls))

    def start(self) -> None:
        """Start a race; nothing happens while one is on."""
        if self.running:
            return
        settings = self.settings
        try:
            self._deliveries = self._start(settings)
        except (OSError, ValueError) as error:
            self.shown.value = fitted(tag("p", f"The race could not begin: {error}"))
            return
        self.button.description = "Stop"
        # A daemon, so that a kernel that is told to end does not wait for the race.
        self._thread = threading.Thread(target=self._show, args=(settings,), name="wsedu race", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop the race; it ends by itself soon after. May be called when none is on."""
        for delivery in self._deliveries.values():
            delivery.stop()

    def join(self) -> None:
        """Wait until the race has ended."""
        if self._thread is not None:
            self._thread.join(JOIN_LIMIT)

    def close(self) -> None:
        """Stop the race, and take the widget off the page."""
        self.stop()
        self.join()
        super().close()

    def _clicked(self, button: object) -> None:
        # One button, so that whoever has pressed it by keyboard can press it again.
        (self.stop if self.running else self.start)()

    def _show(self, settings: RaceSettings) -> None:
        # Each look sends the whole picture to the page. It is taken here, not in the threads that deliver: nothing that
        # is drawn may delay what is measured.
        pause = threading.Event()  # never set: a wait that needs no clock
        try:
            while not all(delivery.done for delivery in self._deliveries.values()):
                self.shown.value = standing(self._deliveries, settings, over=False)
                pause.wait(LOOKS_EVERY)
            self.shown.value = standing(self._deliveries, settings, over=True)
        finally:
            self.stop()
            self.button.description = "Start"


HINT = "Set the controls, press Start: each way delivers the same news to a client of its own, until Stop."


def standing(deliveries: Deliveries, settings: RaceSettings, *, over: bool) -> Markup:
    """Who has what so far: a sentence, a table, and the bills as bars; as HTML."""
    received = {name: len(delivery.delays) for name, delivery in deliveries.items()}
    published = max((delivery.published for delivery in deliveries.values()), default=0)
    state = "Running" if not over else "Finished" if min(received.values()) == settings.updates else "Stopped"
    # A <progress> has no text of its own: without a label it is read out as a number of nothing.
    bar = tag("progress", value=published, max=settings.updates, **{"aria-label": "updates published"})
    progress = sentence(f"{state}: ", f"{published:,} of {settings.updates:,} updates published ", bar)
    bills = {name: delivery.bill() for name, delivery in deliveries.items()}
    rows = []
    for name, delivery in deliveries.items():
        cells = [f"{received[name]:,}", f"{delivery.requests:,}", f"{bills[name].total_bytes:,}"]
        times = [median(delivery.delays), max(delivery.delays)] if delivery.delays else []
        cells += [f"{1000 * seconds:,.1f} ms" for seconds in times] or ["–", "–"]
        rows.append((name, cells))
    errors = [sentence(f"{name}: ", visible(one.error)) for name, one in deliveries.items() if one.error]
    heads = ("received", "requests", "bytes", "delay, median", "delay, longest")
    table = scrolling(figures(heads, rows), style=";margin:8px 0")
    return fitted(progress, table, *errors, bars(bills).html())
