# SPDX-License-Identifier: GPL-2.0-or-later
"""What works on this machine, and what a missing part costs the reader."""

from __future__ import annotations

import html
import platform
import shutil
import socket
import subprocess
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

from .protocol.errors import printable

PACKAGES = ("jupyterlab", "ipywidgets", "scapy", "websockets", "nbval")
LIMIT = 0.5  # seconds for what takes milliseconds where it is allowed
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


class Finding(NamedTuple):
    """One thing that was looked for."""

    what: str
    works: bool
    found: str  # what was found, or what its absence costs


class Report(list[Finding]):
    """The findings; ``print`` shows them as text, a notebook as a table."""

    def __str__(self) -> str:
        width = max(len(finding.what) for finding in self)
        # What programs and packages say of themselves is text from outside too.
        return "\n".join(
            printable(f"{'yes' if f.works else 'no':<4} {f.what:<{width}}  {f.found}") for f in self
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><td style="text-align:left">{"yes" if finding.works else "no"}</td>'
            f'<th scope="row" style="text-align:left">{html.escape(printable(finding.what))}</th>'
            f'<td style="text-align:left">{html.escape(printable(finding.found))}</td></tr>'
            for finding in self
        )
        return f"<table><caption>What works here</caption>{rows}</table>"


def doctor() -> Report:
    """Look at this machine, in less than a second; changes nothing and never raises."""
    return Report(
        [
            Finding("Python", True, platform.python_version()),
            *map(_package, PACKAGES),
            _loopback(),
            _kernel_capture(),
            _namespaces(),
            _program("tshark", ("tshark",), "that compare with it"),
            _program("browser", BROWSERS, "in a browser"),
            _memory(),
        ]
    )


def _package(name: str) -> Finding:
    try:
        return Finding(name, True, version(name))
    except PackageNotFoundError:
        cost = "the notebooks run, but are not tested" if name == "nbval" else "some notebooks will not run"
        return Finding(name, False, f"not installed: {cost}")


def _loopback() -> Finding:
    name = "servers on 127.0.0.1"
    try:
        # To listen is not enough: a firewall or a sandbox may let a program do that, and nobody connect to it.
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(server.getsockname(), LIMIT).close()
        return Finding(name, True, "the live cells work, and so does record()")
    except OSError as error:
        return Finding(name, False, f"{error.strerror or error}: live cells fail, captures can be read")


def _kernel_capture() -> Finding:
    from .wire.recording import record

    name = "packets from the kernel"
    try:
        with record(9, kernel=True):  # the port that discards; whoever may see it may see any other
            return Finding(name, True, "record(kernel=True) works")
    except (OSError, ValueError):  # ValueError: not even 127.0.0.1 is there
        cost = "record(kernel=True) is not allowed; the relay of record() needs no privilege"
        return Finding(name, False, cost)


def _namespaces() -> Finding:
    name = "network namespaces"
    try:
        subprocess.run(["unshare", "-Urn", "true"], capture_output=True, timeout=LIMIT, check=True)
        return Finding(name, True, "tools/record_captures.py can record data/ again")
    except (OSError, subprocess.SubprocessError):
        return Finding(name, False, "not allowed: data/ cannot be recorded again here, only read")


def _program(name: str, commands: tuple[str, ...], tests: str) -> Finding:
    found = any(map(shutil.which, commands))
    cost = f"not found: the tests {tests} are skipped; no notebook needs it"
    return Finding(name, found, "found" if found else cost)


def _memory() -> Finding:
    needed = "the notebooks need less than 500"
    try:
        from .live.limits import available_bytes

        free = available_bytes()
    except Exception:  # a package is not there, or psutil does not know this system
        return Finding("memory", True, f"unknown; {needed} MB")
    return Finding("memory", free > 500_000_000, f"{free >> 20:,} MiB available; {needed}")
