# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the project is, and how a test runs another program there or waits for what runs beside it."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "data"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def cells(path: Path) -> list[dict[str, Any]]:
    """The cells of a notebook but the one for Colab, each source in one piece."""
    stored = json.loads(path.read_text(encoding="utf-8"))["cells"]
    del stored[1]  # tests/test_notebooks.py has tools/notebook_nav.py look at it
    return [{**cell, "source": "".join(cell["source"])} for cell in stored]


def until(is_so: Callable[[], object]) -> None:
    """Wait for something that another thread or process brings about, where nobody else uses the machine at once."""
    deadline = time.monotonic() + 300
    while not is_so():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.001)


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


def interrupted_at(line: int, in_ours: Callable[[Path, str], bool], act: Callable[[], object]) -> tuple[object, bool]:
    """Call something, and have a Ctrl-C come at a line of ours: the first that is run, the second, ...

    Python runs signal handlers between two steps of the main thread; here it is each line in turn. `in_ours` says of a
    file and the name of a function in it whether its lines count.

    Returns:
        What it gave, `None` if it was interrupted; and whether so many lines were run.
    """
    left, given, traced = line, None, sys.gettrace()

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal left
        if not in_ours(Path(frame.f_code.co_filename), frame.f_code.co_name):
            return None
        left -= event == "line"
        if event == "line" and left == 0:
            raise KeyboardInterrupt
        return trace

    sys.settrace(trace)
    try:
        with suppress(KeyboardInterrupt):
            given = act()
    finally:
        sys.settrace(traced)
    return given, left <= 0


@contextmanager
def kernel() -> Iterator[tuple[Callable[..., tuple[str, str]], Callable[[], None]]]:
    """Start a kernel of Jupyter, in the folder of the tests, for a ``with`` block.

    Yields:
        What runs a cell, and gives how that ended, an exception's name or "ok", and what was printed; as soon as the
        cell has printed `until`, it is interrupted. And what interrupts the kernel at any other time.
    """
    from jupyter_client.manager import start_new_kernel

    options: Any = {"stderr": subprocess.DEVNULL, "cwd": str(ROOT / "tests")}
    options["extra_arguments"] = ["--HistoryManager.enabled=False"]
    manager, client = start_new_kernel(startup_timeout=120, **options)

    def run_cell(code: str, until: str = "") -> tuple[str, str]:
        printed = ""

        def hear(message: dict[str, Any]) -> None:
            nonlocal printed
            before, printed = printed, printed + message["content"].get("text", "")
            if until in printed and until not in before:
                manager.interrupt_kernel()

        reply = client.execute_interactive(code, allow_stdin=False, timeout=300, output_hook=hear)["content"]
        return reply.get("ename", reply["status"]), printed

    try:
        yield run_cell, manager.interrupt_kernel
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
