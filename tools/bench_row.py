# SPDX-License-Identifier: GPL-2.0-or-later
"""What a measurement is, and how a program is measured from outside."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

TAIL = 200  # characters


@dataclass(frozen=True)
class Row:
    """One line of the table; its cells are text."""

    what: str
    ours: str
    peer: str = ""
    ratio: str = ""
    memory: str = ""


@dataclass(frozen=True)
class Run:
    """A program that ended: wall time in seconds, peak memory in bytes, the end of what it printed."""

    seconds: float
    memory: int
    printed: str

    @property
    def figure(self) -> float:
        """The number that it printed last."""
        return float(self.printed.split()[-1])


def run(*command: str) -> Run:
    """Run a program to its end.

    Raises:
        RuntimeError: it failed; with the last line that it wrote to stderr.
    """
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        begin = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)  # the one way to know the peak memory of one child
        seconds = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0, os.SEEK_END)
        if process.returncode:
            errors.seek(0)
            raise RuntimeError(f"{command[0]}: {(errors.read().strip() or 'failed').splitlines()[-1]}")
        # Only the end: Linux counts what this process ever held into the peak of every program that it starts.
        output.seek(max(output.tell() - TAIL, 0))
        return Run(seconds, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024), output.read())


def python(script: str, *arguments: str) -> Run:
    """Run a piece of Python in a fresh process."""
    return run(sys.executable, "-c", script, *arguments)


def best(runs: int, *command: str) -> Run:
    """The fastest of some runs, by wall time."""
    return min((run(*command) for _ in range(runs)), key=lambda one: one.seconds)


def times(ratio: float) -> str:
    """A ratio, as it is printed."""
    return f"{ratio:.2f} ×" if ratio < 10 else f"{ratio:.0f} ×"


def megabytes(count: float) -> str:
    """Bytes, as they are printed."""
    return f"{count / 1e6:,.0f} MB"
