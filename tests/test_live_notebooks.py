# SPDX-License-Identifier: GPL-2.0-or-later
"""Notebooks that talk to real servers print the same again and again, and also while nothing else gets a word in."""

import os
import subprocess
import sys
from contextlib import ExitStack

import pytest
from programs import ROOT, nbval

LIVE = "00", "01", "02", "03", "04", "05", "07", "09", "10", "11", "12", "13", "14", "15"
ROUNDS = 10


@pytest.mark.slow
@pytest.mark.parametrize("number", range(1, ROUNDS + 1))
@pytest.mark.parametrize("busy", [False, True], ids=["as it is", "every core busy"])
def test_ten_times_in_a_row(busy: bool, number: int) -> None:
    notebooks = [path for number in LIVE for path in (ROOT / "notebooks").glob(f"{number}-*.ipynb")]
    assert len(notebooks) == len(LIVE)
    with ExitStack() as ended:
        for _ in range((os.cpu_count() or 1) if busy else 0):  # processes that do nothing, as fast as they can
            process = ended.enter_context(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
            ended.callback(process.kill)
        done = nbval(ROOT, *notebooks)
    assert done.returncode == 0, f"round {number} of {ROUNDS}: {done.stdout[-4000:]}"
