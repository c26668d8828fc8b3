# SPDX-License-Identifier: GPL-2.0-or-later
"""Breaking the product turns the notebooks red: the stored outputs hold it, byte by byte."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FRAME, COMPARED = "05-anatomy-of-a-frame", "08-http-and-websocket-byte-under-byte"


def _nbval(copy: Path, notebook: str) -> tuple[int, str]:
    """Run a notebook of the copy up to its first red cell, with the copy's own package.

    Returns the exit status and what was said.
    """
    command = [sys.executable, "-m", "pytest", "-qx", "-p", "no:cacheprovider", "--rootdir", copy, "--nbval"]
    command += ["--nbval-current-env", "--nbval-sanitize-with", copy / "tests/nbval-sanitize.cfg"]
    done = subprocess.run(
        [*map(str, command), f"notebooks/{notebook}.ipynb"],
        cwd=copy,
        env=dict(os.environ, PYTHONPATH=str(copy)),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The package, the notebooks and the captures, to be broken."""
    for name in ("wsedu", "notebooks", "data"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    (tmp_path / "tests").mkdir()
    shutil.copy(ROOT / "tests/nbval-sanitize.cfg", tmp_path / "tests")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


def _change(path: Path, old: str, new: str) -> None:
    source = path.read_text()
    assert source.count(old) == 1, f"{old!r} stands {source.count(old)} times in {path.name}"
    path.write_text(source.replace(old, new))


@pytest.mark.slow
@pytest.mark.parametrize("notebook", [FRAME, COMPARED])
def test_unbroken_it_is_green(copy: Path, notebook: str) -> None:
    status, said = _nbval(copy, notebook)
    assert status == 0, said


@pytest.mark.slow
def test_the_copy_is_what_runs(copy: Path) -> None:
    (copy / "wsedu/__init__.py").write_text("raise ImportError('this is the copy')\n")
    status, said = _nbval(copy, FRAME)
    assert status == 1 and "this is the copy" in said


def test_two_bytes_of_a_frame_header_change_places(copy: Path) -> None:
    _change(copy / "wsedu/protocol/frames.py", "bytes((first, second))", "bytes((second, first))")
    assert _nbval(copy, FRAME)[0] == 1


def test_a_span_is_dropped(copy: Path) -> None:
    with (copy / "wsedu/protocol/frame_spans.py").open("a") as module:
        module.write("\n\n_whole = frame_spans\n\n\ndef frame_spans(data):\n    return _whole(data)[:-1]\n")
    assert _nbval(copy, FRAME)[0] == 1


def test_a_captured_byte_changes(copy: Path) -> None:
    capture = copy / "data/chromium-websocket.pcap"
    data = capture.read_bytes()
    assert data.count(b"sun rises") == 1
    capture.write_bytes(data.replace(b"sun rises", b"sun risen"))
    assert _nbval(copy, COMPARED)[0] == 1
