# SPDX-License-Identifier: GPL-2.0-or-later
"""Other systems and other installations. What they lack is taken away here: that shows what would break there, not that
all works there."""

import ast
import asyncio
import json
import os
import shutil
import sys
import tomllib
from pathlib import Path
from unittest.mock import Mock

import pytest
from nbconvert import HTMLExporter
from programs import NOTEBOOKS, ROOT, cells, run

from wsedu import Frame, lab
from wsedu.live import deliver, jupyter
from wsedu.live.delivery import Carrier
from wsedu.live.news_server import Way


class LikeProactor(asyncio.SelectorEventLoop):
    """As the loop that Windows has by default, it does not watch sockets for others."""

    add_reader = add_writer = Mock(side_effect=NotImplementedError)


def test_where_there_is_no_jupyter_server_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jupyter, "find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match="^Jupyter's server is not installed here; .*$"), jupyter.jupyter_server():
        pass


# Tornado and a WebSocket, httpx and a stream of HTTP/2; each with a recording, whose proxy wants to be told.
@pytest.mark.parametrize(("way", "carrier"), [("polling", "plain"), ("websocket", "plain"), ("eventsource", "h2")])
def test_news_on_a_loop_that_does_not_watch_sockets(
    way: Way, carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in asyncio, asyncio.events:
        monkeypatch.setattr(module, "new_event_loop", LikeProactor)
    assert len(deliver(way, [0.0, 0.0], carrier=carrier).delays) == 2
    answers = asyncio.run(lab.send_frame(Frame(1, b"Hi", masking_key=bytes(4)).serialize()))
    assert [said for said, _ in answers.values()] == ["answered with a Text frame."] * 2


def test_what_is_installed_has_all_files() -> None:
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["wsedu"]
    there = {path for path in (ROOT / "wsedu").rglob("*.*") if path.suffix not in (".py", ".pyc")}
    assert there == {path for pattern in patterns for path in (ROOT / "wsedu").glob(pattern)}


def test_a_page_to_hand_out_has_no_cell_for_colab() -> None:
    page = HTMLExporter(template_file=str(ROOT / "wsedu/show/inspector.html.j2")).from_filename(str(NOTEBOOKS[0]))[0]
    assert "new WebSocket" in page and "google.colab" not in page


# What Colab has, as far as it is older than what constraints.txt says and matters here.
COLAB = {"ipython": "7.34.0", "tornado": "6.3.3", "traitlets": "5.7.1"}
# The cell for Colab, and then what every notebook begins with and imports.
AS_IN_COLAB = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell

sys.modules["google.colab"] = sys
shell = InteractiveShell.instance()
for source in json.load(sys.stdin):
    shell.run_cell(source).raise_error()
"""
THEN = """
import wsedu
from wsedu.lab import cost_slider, frame_builder, handshake_bench

assert "site-packages" in wsedu.__file__ and wsedu.read("../data/websockets-session.pcap").conversations
print(frame_builder(), handshake_bench(), cost_slider())
"""


@pytest.mark.slow
def test_an_installation_that_is_no_clone_and_the_cell_for_colab(tmp_path: Path) -> None:
    """Installed by that cell, in a fresh environment that has the IPython of Colab, and keeps it."""
    pins = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line.split("==")[0] not in COLAB]
    (tmp_path / "pins").write_text("\n".join([*pins, *(asked := list(map("==".join, COLAB.items())))]))
    shutil.copytree(ROOT, tmp_path / "wsedu", ignore=shutil.ignore_patterns(".*", "build", "*.egg-info"))
    bin_folder, here = tmp_path / "venv/bin", {"cwd": tmp_path, "check": True}
    run(sys.executable, "-m", "venv", tmp_path / "venv", **here)
    run(bin_folder / "pip", "install", "-q", "-c", "pins", *asked, **here)
    (first,) = {"".join(json.loads(path.read_text("utf-8"))["cells"][1]["source"]) for path in NOTEBOOKS}
    sources = [first.replace("/content", str(tmp_path)), THEN]
    for path in NOTEBOOKS:
        code = [cell["source"] for cell in cells(path) if cell["cell_type"] == "code"]
        nodes = (node for source in code for node in ast.walk(ast.parse(source)))
        sources += [code[0], *(ast.unparse(node) for node in nodes if isinstance(node, ast.Import | ast.ImportFrom))]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment |= {"PATH": f"{bin_folder}:{os.environ['PATH']}", "PIP_CONSTRAINT": str(tmp_path / "pins")}
    given = {"env": environment, "input": json.dumps(sources), "cwd": tmp_path}
    done = run(bin_folder / "python", "-c", AS_IN_COLAB, **given)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    kept = run(bin_folder / "pip", "freeze").stdout.lower().splitlines()
    assert {*asked} <= {*kept} and not [one for one in kept if one.startswith("jupyterlab==")]
    for command in "doctor", "dissect wsedu/data/websockets-session.pcap", "bill wsedu/data/python-wss.pcap":
        done = run(bin_folder / "python", "-m", "wsedu", *command.split(), **given)
        assert done.returncode == 0 and done.stdout, done.stderr
