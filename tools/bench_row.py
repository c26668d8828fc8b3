# SPDX-License-Identifier: GPL-2.0-or-later
"""How things are measured, and a line of the table.

Measured is CPU time: the clock on the wall swings tenfold with what else a machine does. What is compared takes turns,
in short slices, and of each the fastest slice counts: whatever disturbs makes a program only slower.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from timeit import Timer
from typing import NamedTuple

SLICES = 25  # of each call that is compared, of a hundredth of a second
RUNS = 3  # of each program that is compared


class Row(NamedTuple):
    """One line of the table; its cells are text."""

    what: str
    ours: str
    peer: str = ""
    ratio: str = ""
    memory: str = ""


def row(what: str, ours: float, name: str, peer: float, shown: Callable[[float], str], memory: str = "") -> Row:
    """Seconds for one thing, ours and those of a peer; the ratio is over 1 if ours are fewer."""
    ratio = peer / ours
    times = f"{ratio:.2f} ×" if ratio < 10 else f"{ratio:.0f} ×"
    return Row(what, shown(ours), f"{name} {shown(peer)}", times, memory)


def rate(seconds: float) -> str:
    """How many fit into a second."""
    return f"{1 / seconds:,.0f} /s"


def micro(seconds: float) -> str:
    """Microseconds."""
    return f"{seconds * 1e6:,.2f} µs"


def milli(seconds: float) -> str:
    """Milliseconds."""
    return f"{seconds * 1e3:.1f} ms"


def megabytes(count: float) -> str:
    """Bytes, as they are printed."""
    return f"{count / 1e6:,.0f} MB"


def seconds_of(*calls: Callable[[], object]) -> list[float]:
    """Seconds of CPU time that one call of each takes."""
    timers = [Timer(call, timer=time.thread_time) for call in calls]
    # ``autorange`` finds how many calls take 0.2 seconds, or a little more.
    counted = [(timer, max(1, timer.autorange()[0] // 20)) for timer in timers]
    rounds = [[timer.timeit(count) / count for timer, count in counted] for _ in range(SLICES)]
    return list(map(min, zip(*rounds, strict=True)))


class Run(NamedTuple):
    """A program that ended: seconds of CPU time, peak memory in bytes, the end of what it printed."""

    seconds: float
    memory: int
    printed: str

    @property
    def figure(self) -> float:
        """The number that it printed last."""
        return float(self.printed.split()[-1])


def fastest(*commands: tuple[str, ...]) -> list[Run]:
    """Each of some programs, run in turn to its end; of each the run that took the fewest seconds."""
    rounds = [[run(*command) for command in commands] for _ in range(RUNS)]
    return [min(runs, key=lambda one: one.seconds) for runs in zip(*rounds, strict=True)]


def python(script: str, *arguments: object) -> tuple[str, ...]:
    """The command that runs a piece of Python in a fresh process."""
    return sys.executable, "-c", script, *map(str, arguments)


def run(*command: str) -> Run:
    """Run a program to its end.

    Raises:
        RuntimeError: it failed; with the last line that it wrote to stderr.
    """
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, stdout=output, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)  # the one way to know what one child took
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            raise RuntimeError(f"{command[0]}: {(errors.read().strip() or 'failed').splitlines()[-1]}")
        # Only the end: Linux counts what this process ever held into the peak of every program that it starts.
        output.seek(0, os.SEEK_END)
        output.seek(max(output.tell() - 200, 0))
        memory = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return Run(usage.ru_utime + usage.ru_stime, memory, output.read())
