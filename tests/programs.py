# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the project is, and how a test runs another program there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "data"


def run(*command: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a program in the project's folder; its text and its exit status are what comes back."""
    return subprocess.run(list(map(str, command)), **{"cwd": ROOT, "capture_output": True, "text": True, **options})


def python(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run Python, the one of the tests."""
    return run(sys.executable, *arguments, **options)


def nbval(folder: Path, *notebooks: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run notebooks of a folder with the package that is there, and compare what they print with what they store."""
    compare = "--nbval", "--nbval-current-env", "--nbval-sanitize-with", "tests/nbval-sanitize.cfg"
    quiet = "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", folder
    return python(*quiet, *compare, "--nbval-cell-timeout=180", *notebooks, cwd=folder, **options)
