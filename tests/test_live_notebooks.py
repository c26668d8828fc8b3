# SPDX-License-Identifier: GPL-2.0-or-later
"""Notebooks that talk to real servers print the same again and again, and also while nothing else gets a word in."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LIVE = "00", "01", "02", "03", "04", "05", "07", "09", "10", "11", "12", "13"
ROUNDS = 10
COMPARE = "--nbval", "--nbval-current-env", "--nbval-sanitize-with", "tests/nbval-sanitize.cfg"


@contextmanager
def spinning(count: int) -> Iterator[None]:
    """Processes that do nothing, as fast as they can."""
    with ExitStack() as ended:
        for _ in range(count):
            process = ended.enter_context(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
            ended.callback(process.kill)
        yield


@pytest.mark.slow
@pytest.mark.parametrize("busy", [False, True], ids=["as it is", "every core busy"])
def test_ten_times_in_a_row(busy: bool) -> None:
    notebooks = [str(path) for number in LIVE for path in (ROOT / "notebooks").glob(f"{number}-*.ipynb")]
    assert len(notebooks) == len(LIVE)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *COMPARE]
    with spinning((os.cpu_count() or 1) if busy else 0):
        for number in range(1, ROUNDS + 1):
            done = subprocess.run(
                [*command, "--nbval-cell-timeout=180", *notebooks],
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"round {number} of {ROUNDS}: {done.stdout[-4000:]}"
