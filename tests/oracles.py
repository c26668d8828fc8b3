# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs that others wrote and that the tests hold this project against.

A test asks them so:

    from oracles import tshark
    text = tshark("-r", "data/websockets-session.pcap", "-T", "fields", "-e", "frame.len")
"""

import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest

CAPTURES = tuple(sorted(Path(__file__).parent.parent.glob("data/*.pcap*")))
_FOLDER = tempfile.TemporaryDirectory(prefix="merged-")


def lacking(what: str, so: str) -> NoReturn:
    """Skip the test that called with one line, except where ``CI`` is ``true``: there it fails."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what}, and CI=true promises that it is there", pytrace=False)
    pytest.skip(f"{what}: {so}")


def tshark(*args: str | Path, timeout: float = 120) -> str:
    """Run tshark and return what it wrote to stdout.

    Without tshark the test that called is skipped with one line, except where ``CI`` is ``true``: there it
    fails, because a comparison that never runs proves nothing. A tshark that exits with an error, or takes
    longer than `timeout` seconds, fails the test.
    """
    return _ask("tshark", *args, timeout=timeout)


@cache
def merged(paths: tuple[Path, ...] = CAPTURES) -> Path:
    """Captures in one file: to start takes tshark longer than to read any. Each is an interface, in their order."""
    path = Path(_FOLDER.name, f"{len(paths)}.pcapng")
    _ask("mergecap", "-a", "-I", "none", "-w", path, *paths)
    return path


def tshark_in_data(path: Path, *options: str | Path) -> list[str]:
    """What tshark writes of each packet of a capture in data/, from one run for all; "-T fields" is of the options."""
    return _in_data(options)[CAPTURES.index(path)]


@cache
def _in_data(options: tuple[str | Path, ...]) -> list[list[str]]:
    found: list[list[str]] = [[] for _ in CAPTURES]
    for line in tshark("-r", merged(), "-e", "frame.interface_id", *options).splitlines():
        number, _, rest = line.partition("\t")
        found[int(number)].append(rest)
    return found


def _ask(name: str, *args: str | Path, timeout: float = 120) -> str:
    program = shutil.which(name)
    if program is None:
        lacking(f"{name} is not installed", "nothing to compare with")
    command = [program, *map(str, args)]
    # An empty profile: the preferences of whoever runs the tests must not change what tshark says.
    with tempfile.TemporaryDirectory(prefix="tshark-") as profile:
        environment = dict(os.environ, WIRESHARK_CONFIG_DIR=profile, LC_ALL="C.UTF-8", TZ="UTC")
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=environment, check=False)
    if done.returncode != 0:
        pytest.fail(f"{' '.join(command)}: exit {done.returncode}: {done.stderr.strip()}", pytrace=False)
    return done.stdout
