# SPDX-License-Identifier: GPL-2.0-or-later
"""One server, many listeners: what it takes to reach them all, measured from outside of both."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from statistics import median
from types import TracebackType
from typing import NamedTuple, Self

DESK = "-m", "wsedu.live.load_server"
ANSWER_LIMIT = 120.0  # seconds that a process may take to end
RECEIPT_LIMIT = 60.0
"""Seconds that an update may take to the last listener; ten thousand have it within one or two."""


class FanOut(NamedTuple):
    """What was measured with one crowd.

    Attributes:
        listeners: how many.
        connect: seconds until all were connected.
        last: of each update, seconds from its publication until the last listener had it.
        memory: bytes that the server holds for each connection.
        cpu: seconds of the server's processor for each update, all listeners together.
    """

    listeners: int
    connect: float
    last: tuple[float, ...]
    memory: float
    cpu: float

    @property
    def median_last(self) -> float:
        """The median of ``last``, in seconds."""
        return median(self.last)


class Polled(NamedTuple):
    """What was measured with a crowd that polls.

    Attributes:
        listeners: how many.
        requests: a second, answered.
        memory: bytes that the server holds for each client from one poll to the next: for its connection, where it
            keeps one; where each poll has its own, what is left of those.
        cpu: seconds of the server's processor in each second.
    """

    listeners: int
    requests: float
    memory: float
    cpu: float


class _Process:
    """A process that answers lines with lines of JSON."""

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def answer(self) -> dict[str, float]:
        assert self._process.stdout is not None and self._process.stderr is not None
        line = self._process.stdout.readline()
        if not line:
            said = self._process.stderr.read().strip().splitlines()
            raise RuntimeError(f"the process has ended: {said[-1] if said else 'it does not say why'}")
        answer: dict[str, float] = json.loads(line)
        return answer

    def tell(self, command: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()

    def ask(self, command: str) -> dict[str, float]:
        self.tell(command)
        return self.answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        assert self._process.stderr is not None
        if kind is not None:
            self._process.kill()
        try:
            self._process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            self._process.wait(ANSWER_LIMIT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._process.stderr.close()


def _silent(connected: int) -> None:
    """Nobody wants to know."""


def _start(port: int, listeners: int, *more: str) -> _Process:
    return _Process("-m", "wsedu.live.load_client", "--port", str(port), "--listeners", str(listeners), *more)


def _connected(crowd: _Process, progress: Callable[[int], None]) -> float:
    while "seconds" not in (said := crowd.answer()):
        progress(int(said["connected"]))
    progress(int(said["connected"]))
    return said["seconds"]


def _whole(said: dict[str, float], listeners: int) -> dict[str, float]:
    """What a crowd said of receipts. Raises RuntimeError if it is no longer whole."""
    if said["lost"]:
        raise RuntimeError(
            f"{said['lost']:,.0f} of {listeners:,} listeners lost their connection to the server"
        )
    return said


def fan_out(
    listeners: int,
    *,
    updates: int = 5,
    progress: Callable[[int], None] = _silent,
    limit: float = RECEIPT_LIMIT,
) -> FanOut:
    """Connect a crowd to a WebSocket server, publish updates one after the other, and wait for the last listener.

    Args:
        listeners: how many; ``limits.most_listeners`` says what this machine allows.
        updates: how many.
        progress: called with the number of connected listeners now and then.
        limit: seconds that each update may take to the last listener.

    Raises:
        RuntimeError: the server or the crowd gave up, and says why; or so many listeners were lost, or had no update
            within the limit.
    """
    return desk_and_crowd(listeners, updates, DESK, progress, limit)


def desk_and_crowd(
    listeners: int,
    updates: int,
    desk_command: tuple[str, ...],
    progress: Callable[[int], None] = _silent,
    limit: float = RECEIPT_LIMIT,
) -> FanOut:
    """``fan_out`` with any server: ``desk_command`` are Python's arguments for one that obeys as ``desk`` does."""
    with _Process(*desk_command) as desk:
        ports = desk.answer()
        empty = desk.ask("usage")
        with _start(int(ports["websocket"]), listeners) as crowd:
            seconds = _connected(crowd, progress)
            full, last = desk.ask("usage"), []
            for _ in range(updates):
                crowd.tell(f"receipts {limit}")
                published = desk.ask("publish")
                said = _whole(crowd.answer(), listeners)
                if said["missing"]:
                    missing = f"{said['missing']:,.0f} of {listeners:,}"
                    raise RuntimeError(f"{missing} listeners had no update within {limit:g} s")
                last.append(said["last"] - published["time"])
            done = desk.ask("usage")
    memory = (full["resident"] - empty["resident"]) / listeners
    return FanOut(listeners, seconds, tuple(last), memory, (done["cpu"] - full["cpu"]) / updates)


def poll_crowd(
    listeners: int,
    *,
    gap: float = 1.0,
    rounds: int = 3,
    progress: Callable[[int], None] = _silent,
    keep_alive: bool = True,
) -> Polled:
    """Let a crowd poll a server that has no news, and measure until each client had ``rounds`` responses in the mean.

    A server that cannot keep up is measured for twice the time that this should take.

    Args:
        listeners: how many.
        gap: seconds between a response and the same client's next request.
        keep_alive: one connection for all polls of a client, or one for each, closed after it.

    Raises:
        RuntimeError: the server or the crowd gave up, and says why; or so many clients had no response.
    """
    with _Process(*DESK) as desk:
        ports = desk.answer()
        empty = desk.ask("usage")
        how = ("--poll", str(gap)) if keep_alive else ("--poll", str(gap), "--anew")
        with _start(int(ports["polling"]), listeners, *how) as crowd:
            _connected(crowd, progress)
            _whole(crowd.ask(f"receipts {2 * gap}"), listeners)  # by now it goes round
            begin, used = crowd.ask("polls"), desk.ask("usage")
            for _ in range(rounds):
                _whole(crowd.ask(f"receipts {2 * gap}"), listeners)  # twice the time that it should take
            end = crowd.ask("polls")
            spent = desk.ask("usage")["cpu"] - used["cpu"]
    seconds = end["time"] - begin["time"]
    memory = (used["resident"] - empty["resident"]) / listeners
    return Polled(listeners, (end["responses"] - begin["responses"]) / seconds, memory, spent / seconds)
