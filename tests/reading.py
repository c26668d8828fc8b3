# SPDX-License-Identifier: GPL-2.0-or-later
"""The notebooks as a reader has them, and whether what is on a page is what is stored."""

import shutil
from collections.abc import Collection
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hostile import HOSTILE, HOSTILE_CELLS, write_capture
from lab_browser import NotebookPage, Output, write_notebook
from programs import ROOT

NOTEBOOKS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))

# What ``make test`` opens in a browser: among them they have every kind of output and widget. Opening all of them costs
# two minutes of processor more, and is for ``make test-all``; nbval runs all of them every time.
OPENED = ("08",)
EACH_NOTEBOOK = [pytest.param(name, marks=() if name.startswith(OPENED) else pytest.mark.slow) for name in NOTEBOOKS]


def clone(root: Path) -> None:
    """Write to `root` what a reader has, so that nothing that a browser does can reach the stored notebooks.

    Beside it lies ``notebooks/hostile.ipynb``, not run, with the capture that it shows.
    """
    for folder in ("notebooks", "data"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    write_capture(root / "data/hostile.pcap")
    write_notebook(root / "notebooks/hostile.ipynb", HOSTILE_CELLS.values())


def assert_stored_outputs_read_well(notebook: NotebookPage) -> None:
    """Every stored output of the notebook is on its page, whole."""
    shown: dict[int, list[Output]] = {}
    for output in notebook.outputs():
        shown.setdefault(output.cell, []).append(output)
    for number, cell in enumerate(notebook.cells):
        # An output without text or data takes no room on the page, such as a widget whose view is not stored.
        stored = [output for output in cell.get("outputs", []) if output.get("text") or output.get("data")]
        pages = shown.get(number, [])
        assert len(pages) == len(stored), f"cell {number}: {len(stored)} outputs are stored, {len(pages)} shown"
        for one, page in zip(stored, pages, strict=True):
            _assert_reads_well(one, page)


def assert_runs_well(notebook: NotebookPage, usual: Collection[str] = ()) -> list[Output]:
    """The notebook runs to its end, every widget has its model, and no other host is asked. Gives the outputs.

    `usual`: errors that are on the console whatever is opened.
    """
    assert notebook.run_all() == []
    outputs = notebook.outputs()
    assert outputs, "nothing was shown"
    broken = ("model not found", "Error displaying widget", "Failed to load model class")
    assert [o.cell for o in outputs if any(words in o.text for words in broken)] == []
    assert [fault for output in outputs for fault in output.faults] == []
    assert [error for error in notebook.console_errors if error not in usual] == []
    assert notebook.foreign_requests == []
    return outputs


def assert_hostile_is_text(notebook: NotebookPage, usual: Collection[str] = ()) -> None:
    """Run ``hostile.ipynb``: nothing that the peers wrote has become part of the page, and all of it can be read."""
    outputs = assert_runs_well(notebook, usual)
    assert [element for output in outputs for element in output.active] == []
    assert notebook.page.evaluate("() => window.pwned") is None
    views = list(HOSTILE_CELLS)
    seen = dict.fromkeys(views, "")
    for output in outputs:
        seen[views[output.cell]] += output.visible + "\n"
    said, active = notebook.choose_all(views.index("touch"))
    assert active == []
    for text in HOSTILE:
        assert text in seen["byte_map"], f"byte_map does not show {text}"
        assert any(text in line for line in said), f"touch does not say {text}"
    assert notebook.page.evaluate("() => window.pwned") is None
    for view in HOSTILE_CELLS.keys() - {"setup", "values"}:
        assert "<script>" in seen[view] or "<img src=x" in seen[view], f"{view} shows none of it"


def _assert_reads_well(stored: dict[str, Any], page: Output) -> None:
    where = f"cell {page.cell}"
    assert page.visible.strip() or "<img" in page.html, f"{where}: an output of {page.mime} shows nothing"
    assert page.width > 0 and page.height > 0, f"{where}: an output takes no room"
    assert "model not found" not in page.text, f"{where}: a widget without its model"
    html = stored.get("data", {}).get("text/html")
    if html:
        assert page.mime == "text/html", f"{where}: {page.mime} is shown instead of HTML"
        got, wanted = Reading(page.html), Reading("".join(html))
        for what in ("text", "tags", "styles"):
            assert getattr(got, what) == getattr(wanted, what), f"{where}: Lab took {what} out of the HTML"


class Reading(HTMLParser):
    """What is in a piece of HTML: its text without white space, its elements, and its styles, one declaration each."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.tags, self.styles = "", list[str](), list[str]()
        self.feed(html)
        self.close()

    def handle_data(self, data: str) -> None:
        self.text += "".join(data.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "tbody":  # a browser puts one into every table
            self.tags.append(tag)
        declarations = (dict(attrs).get("style") or "").split(";")
        # A plot's filter only turns its card dark, and is known to be lost where a notebook is not trusted.
        kept = (one for one in declarations if one.strip() and not one.startswith("filter:"))
        self.styles += ["".join(declaration.split()) for declaration in kept]
