# SPDX-License-Identifier: GPL-2.0-or-later
"""The layer that could go to Scapy: it needs nothing but Scapy, its tests pass there, and they can fail."""

import ast
import os
import shutil
import subprocess
from pathlib import Path

import make_contrib
import pytest
import scapy
from programs import ROOT, python

SCAPY = Path(scapy.__file__).parent
OURS = "import sys, wsedu.wire; sys.modules['websocket'] = wsedu.wire"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the tool writes."""
    make_contrib.main(tmp_path / "contrib")
    return tmp_path / "contrib"


def utscapy(folder: Path, *options: str, alone: bool = True) -> subprocess.CompletedProcess[str]:
    """Run Scapy's own test runner there; ``alone`` with Scapy and the standard library, and nothing else."""
    path = folder.parent / "path"
    path.mkdir(exist_ok=True)
    if not (path / "scapy").exists():
        (path / "scapy").symlink_to(SCAPY, target_is_directory=True)
    env = dict(os.environ, PYTHONPATH=str(path) if alone else str(ROOT), PYTHONDONTWRITEBYTECODE="1")
    command = [*["-S"] * alone, "-m", "scapy.tools.UTscapy", "-f", "text", "-t", "websocket.uts"]
    return python(*command, *options, cwd=folder, env=env, timeout=300)


@pytest.mark.parametrize("alone", [True, False])
def test_scapy_alone_passes_its_tests_and_so_does_our_own_layer(folder: Path, alone: bool) -> None:
    if not alone:
        (folder / "websocket.py").unlink()
    done = utscapy(folder) if alone else utscapy(folder, "-P", OURS, alone=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("=[passed]") == make_contrib.SPEC.read_text().count("\n= ")


def test_it_is_short_and_says_what_scapys_session_loses(folder: Path) -> None:
    text = (folder / "websocket.py").read_text()
    assert len(text.splitlines()) < 320 and "import wsedu" not in text
    docstring = ast.get_docstring(ast.parse(text)) or ""
    assert "TCPSession gives a retransmission twice" in docstring
    assert "wsedu.wire.WebSocketSession" in docstring.splitlines()[-1]


FAULTS = [
    ("apply_mask(data, pkt.masking_key)", "apply_mask(data, pkt.masking_key[::-1])"),
    pytest.param("return frame if frame.complete else None", "return frame", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("right", "wrong"), FAULTS)
def test_a_broken_module_is_seen(folder: Path, right: str, wrong: str) -> None:
    module = folder / "websocket.py"
    text = module.read_text()
    assert right in text
    module.write_text(text.replace(right, wrong))
    done = utscapy(folder)
    # On Python 3.12 and 3.13 UTscapy itself stops at the first test that fails, where it wants to show the traceback.
    stopped = "'StringWriter' object has no attribute 'tb_frame'" in done.stderr
    assert done.returncode != 0 and ("=[failed]" in done.stdout or stopped)


def test_it_is_made_of_the_sources(folder: Path) -> None:
    """Nothing is written twice: what is in the module is in the package, word for word."""
    text = (folder / "websocket.py").read_text()
    assert text.startswith("# SPDX-License-Identifier: GPL-2.0-or-later\n")
    for line in "# scapy.contrib.description = WebSocket (RFC 6455)", "# scapy.contrib.status = loads":
        assert line in text.splitlines()
    body = text.rpartition("from scapy.packet")[2].partition("\n")[2]
    package = "\n".join(path.read_text() for path in (ROOT / "wsedu").rglob("*.py"))
    known = {line.partition("  # ")[0].rstrip() for line in package.splitlines()}
    assert {line for line in body.splitlines() if line.partition("  # ")[0].rstrip() not in known} == set()


def test_scapy_lists_it(folder: Path, tmp_path: Path) -> None:
    """In its place in Scapy it is found as any other contrib module is."""
    checkout = tmp_path / "checkout"
    shutil.copytree(SCAPY, checkout / "scapy", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(folder / "websocket.py", checkout / "scapy" / "contrib")
    code = "from scapy.main import *; load_contrib('websocket'); print(list_contrib('websocket', ret=True))"
    environment = dict(os.environ, PYTHONPATH=str(checkout))
    told = python("-S", "-c", code, cwd=checkout, env=environment, check=True).stdout
    assert "'description': 'WebSocket (RFC 6455)', 'status': 'loads'" in told
