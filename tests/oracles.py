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
from pathlib import Path
from typing import NoReturn

import pytest


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
    program = shutil.which("tshark")
    if program is None:
        lacking("tshark is not installed", "nothing to compare with")
    command = [program, *map(str, args)]
    # An empty profile: the preferences of whoever runs the tests must not change what tshark says.
    with tempfile.TemporaryDirectory(prefix="tshark-") as profile:
        environment = dict(os.environ, WIRESHARK_CONFIG_DIR=profile, LC_ALL="C.UTF-8", TZ="UTC")
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=environment, check=False)
    if done.returncode != 0:
        pytest.fail(f"{' '.join(command)}: exit {done.returncode}: {done.stderr.strip()}", pytrace=False)
    return done.stdout
