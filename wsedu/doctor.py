# SPDX-License-Identifier: GPL-2.0-or-later
"""What works on this machine, and what a missing part costs the reader."""

import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import version
from typing import NamedTuple

from .show.html import Markup, Picture, table_rows, wide_table

PACKAGES = "ipywidgets", "scapy", "websockets"
IN_A_TAB = "Python", "ipywidgets", "websockets"  # Scapy is loaded when a cell needs it, and nothing else can be there
LIMIT = 0.5  # seconds for what takes milliseconds where it is allowed


class Finding(NamedTuple):
    """One thing that was looked for."""

    what: str
    works: bool
    found: str  # what was found, or what its absence costs


class Report(Picture, list[Finding]):
    """The findings; ``print`` shows them as text, a notebook as a table."""

    def lines(self) -> Iterator[str]:
        """The findings as lines of text."""
        width = max(len(finding.what) for finding in self)
        return (f"{'yes' if works else 'no':<4} {what:<{width}}  {found}" for what, works, found in self)

    def html(self) -> Markup:
        """The findings as HTML."""
        rows = ((what, "yes" if works else "no", found) for what, works, found in self)
        return wide_table(*table_rows(("what", "works here", "found"), rows))


def doctor() -> Report:
    """Look at this machine, in less than a second; changes nothing and never raises."""
    if sys.platform != "emscripten":
        return Report(_finding(*check) for check in CHECKS)
    tab = Finding("a browser's tab", True, "no network, servers are in its memory; a few cells show their stored run")
    return Report([*(_finding(*check) for check in CHECKS if check[0] in IN_A_TAB), tab])


def _finding(what: str, look: Callable[[], str], cost: str) -> Finding:
    try:
        return Finding(what, True, look())
    except Exception as error:  # whatever is not as it should be here: that is what it was looked for
        return Finding(what, False, cost.format(getattr(error, "strerror", None) or error))


def _connect() -> str:
    # To listen is not enough: a firewall or a sandbox may let a program do that, and nobody connect to it.
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), LIMIT).close()
    return "the live cells work, and so does record()"


def _record() -> str:
    from .wire.recording import record

    with record(9, kernel=True):  # the port that discards; whoever may see it may see any other
        return "record(kernel=True) works"


def _unshare() -> str:
    subprocess.run(["unshare", "-Urn", "true"], capture_output=True, timeout=LIMIT, check=True)
    return "tools/record_captures.py can record data/ again"


def _program(tests: str, *commands: str) -> str:
    if not any(map(shutil.which, commands)):
        raise FileNotFoundError(f"not found: the tests {tests} are skipped; no notebook needs it")
    return "found"


def _memory() -> str:
    try:
        from .live.limits import available_bytes

        free = available_bytes()
    except Exception:  # a package is not there, or psutil does not know this system
        return f"unknown; {NEEDED} MB"
    if free < 500_000_000:
        raise MemoryError(f"{free >> 20} MiB available; {NEEDED}")
    return f"{free >> 20:,} MiB available; {NEEDED}"


NEEDED = "the notebooks need less than 500"
RELAY = "record(kernel=True) is not allowed; the relay of record() needs no privilege"
# What is looked at: what looks, and says what was found or raises; and what its absence costs, where {} is why.
CHECKS: list[tuple[str, Callable[[], str], str]] = [
    ("Python", platform.python_version, "{}"),
    *((name, partial(version, name), "not installed: some notebooks will not run") for name in PACKAGES),
    ("jupyterlab", partial(version, "jupyterlab"), "not installed: something else has to open the notebooks"),
    ("nbval", partial(version, "nbval"), "not installed: the notebooks run, but are not tested"),
    ("servers on 127.0.0.1", _connect, "{}: live cells fail, captures can be read"),
    ("packets from the kernel", _record, RELAY),
    ("network namespaces", _unshare, "not allowed: data/ cannot be recorded again here, only read"),
    ("tshark", partial(_program, "that compare with it", "tshark"), "{}"),
    ("browser", partial(_program, "in a browser", "chromium", "chromium-browser", "google-chrome", "chrome"), "{}"),
    ("memory", _memory, "{}"),
]
