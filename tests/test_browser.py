# SPDX-License-Identifier: GPL-2.0-or-later
"""Every notebook in JupyterLab, in a real browser: opened untrusted as in a fresh clone, then run, and looked at.

One notebook alone: ``pytest tests/test_browser.py -k 05``. Pictures of every screenful go to $WSEDU_SCREENSHOTS, or
to pytest's temporary folder.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hostile import HOSTILE, write_capture
from lab_browser import (
    LabBrowser,
    NotebookPage,
    Output,
    axe_core,
    lab_browser,
    screenshots,
    write_notebook,
)

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"

# Lab and Chromium are started once for this file, so one worker of pytest-xdist takes all of it.
pytestmark = pytest.mark.xdist_group("browser")

# A capture in which outsiders put HTML everywhere, in all that shows one. Each cell is one view.
HOSTILE_CELLS = {
    "setup": """
import wsedu
from IPython.display import display
capture = wsedu.read("../data/hostile.pcap")
messages = [message for conversation in capture.conversations for message in conversation.messages]""",
    "byte_map": "for message in messages: display(wsedu.byte_map(message))",
    "compare": "display(wsedu.compare(*messages), wsedu.compare(messages[0], messages[-1]))",
    "ladder": "for conversation in capture.conversations: display(wsedu.ladder(conversation))",
    "repr": "display(capture, capture.packets, capture.warnings, *capture.conversations, *messages)",
    "values": "display(*[message.head or message.frame for message in messages])",
    "print": """
for message in messages: print(wsedu.byte_map(message))
for conversation in capture.conversations: print(wsedu.ladder(conversation))
print(wsedu.compare(*messages))""",
}

# What these tests must see when it happens: an error, a script that ran, a request to another host.
BROKEN_CELLS = (
    "from IPython.display import HTML\nHTML('<img src=x onerror=\"window.pwned=1\">')",
    "HTML('<img src=\"http://192.0.2.1/picture.png\">')",
    "HTML('<img src=x onerror=\"console.error(\\'broken on purpose\\')\">')",
    "print('<b>bold</b>')",
    "HTML('<p style=\"color:#ccc;background:#fff\">pale</p>')",
    "HTML('<p style=\"width:3000px;background:#fff;color:#000\">wide</p>')",
    "1 / 0",
)

ACTIVE = """() => [...document.querySelectorAll('.jp-OutputArea-output *')].filter(element =>
    element.matches('script, iframe, object, embed, svg, img, link, style, form')
    || [...element.attributes].some(a => a.name.startsWith('on') || /^\\s*javascript:/i.test(a.value)))
    .map(element => element.outerHTML)"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabBrowser]:
    """Lab over a copy of what a reader has, so that nothing that a browser does can reach the stored notebooks."""
    root = tmp_path_factory.mktemp("clone")
    for folder in ("notebooks", "data"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    write_capture(root / "data/hostile.pcap")
    write_notebook(root / "notebooks/hostile.ipynb", HOSTILE_CELLS.values())
    write_notebook(root / "notebooks/broken.ipynb", BROKEN_CELLS)
    with lab_browser(root) as browser:
        yield browser


@pytest.fixture(scope="module")
def opened(lab: LabBrowser, request: pytest.FixtureRequest) -> Iterator[NotebookPage]:
    """A notebook, opened once for all tests of it: first those that look, then the one that runs it."""
    with lab.open(f"notebooks/{request.param}.ipynb") as notebook:
        yield notebook


each_notebook = pytest.mark.parametrize("opened", NOTEBOOKS, indirect=True)


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS, "no notebook was found, so none was opened"


@each_notebook
def test_stored_outputs_read_well_untrusted(opened: NotebookPage) -> None:
    cells = opened.cells
    assert not any(cell["metadata"].get("trusted") for cell in cells), (
        "this must be the first look at the notebook"
    )
    shown: dict[int, list[Output]] = {}
    for output in opened.outputs():
        shown.setdefault(output.cell, []).append(output)
    for number, cell in enumerate(cells):
        # An output without text or data takes no room on the page, such as a widget whose view is not stored.
        stored = [output for output in cell.get("outputs", []) if output.get("text") or output.get("data")]
        pages = shown.get(number, [])
        assert len(pages) == len(stored), (
            f"cell {number}: {len(stored)} outputs are stored, {len(pages)} shown"
        )
        for one, page in zip(stored, pages, strict=True):
            _assert_reads_well(one, page)


def _assert_reads_well(stored: dict[str, Any], page: Output) -> None:
    where = f"cell {page.cell}"
    assert page.visible.strip() or "<img" in page.html, f"{where}: an output of {page.mime} shows nothing"
    assert page.width > 0 and page.height > 0, f"{where}: an output takes no room"
    assert "model not found" not in page.text, f"{where}: a widget without its model"
    # Trusted, without a kernel, such a view would read "model not found".
    assert WIDGET_VIEW not in stored.get("data", {}), f"{where}: a widget's view is stored"
    html = stored.get("data", {}).get("text/html")
    if html:
        assert page.mime == "text/html", f"{where}: {page.mime} is shown instead of HTML"
        wanted = _Reading("".join(html))
        got = _Reading(page.html)
        assert got.text == wanted.text, f"{where}: Lab took text out of the HTML"
        assert got.tags == wanted.tags, f"{where}: Lab took elements out of the HTML"
        assert got.styles == wanted.styles, f"{where}: Lab took styles out of the HTML"


class _Reading(HTMLParser):
    """What is in a piece of HTML: its text without white space, its elements, and its styles, one declaration each."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self.tags: list[str] = []
        self.styles: list[str] = []
        self.feed(html)
        self.close()

    def handle_data(self, data: str) -> None:
        self.text += "".join(data.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "tbody":  # a browser puts one into every table
            self.tags.append(tag)
        declarations = (dict(attrs).get("style") or "").split(";")
        self.styles += ["".join(declaration.split()) for declaration in declarations if declaration.strip()]


@each_notebook
def test_runs_to_the_end(opened: NotebookPage, tmp_path: Path) -> None:
    assert opened.run_all() == []
    outputs = opened.outputs()
    assert outputs, "nothing was shown"
    assert [
        o.cell for o in outputs if "model not found" in o.text or "Error displaying widget" in o.text
    ] == []
    opened.photograph(screenshots(tmp_path))
    assert opened.console_errors == []
    assert opened.foreign_requests == []


def test_captured_html_is_shown_as_text(lab: LabBrowser, tmp_path: Path) -> None:
    with lab.open("notebooks/hostile.ipynb") as notebook:
        assert notebook.run_all() == []
        shown = {view: notebook.outputs([n]) for n, view in enumerate(HOSTILE_CELLS)}
        notebook.photograph(screenshots(tmp_path))
        assert notebook.page.evaluate(ACTIVE) == []
        assert notebook.page.evaluate("() => window.pwned") is None
        assert notebook.console_errors == [] and notebook.foreign_requests == []
        stored = "\n".join(text for cell in notebook.cells for text in _texts(cell))
    seen = {view: "\n".join(output.visible for output in outputs) for view, outputs in shown.items()}
    for text in HOSTILE:
        assert text in seen["byte_map"], f"byte_map does not show {text}"
    for view in HOSTILE_CELLS.keys() - {"setup", "values"}:
        assert "<script>" in seen[view] or "<img src=x" in seen[view], f"{view} shows none of it"
    assert "pwned" in stored
    assert {c for c in stored if not c.isprintable()} <= {"\n"}, "a control character got through"


def _texts(cell: dict[str, Any]) -> list[str]:
    """The text of a cell's outputs as a terminal would get it."""
    outputs = cell.get("outputs", [])
    texts = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs]
    return ["".join(text) for text in texts]


def test_what_is_broken_is_seen(lab: LabBrowser) -> None:
    """The tests above are worth what this one shows: each thing that they look for is found when it is there."""
    with lab.open("notebooks/broken.ipynb") as notebook:
        errors = notebook.run_all()
        notebook.outputs()
        notebook.page.wait_for_function("() => window.pwned === 1")
        active = notebook.page.evaluate(ACTIVE)
    assert len(errors) == 1 and errors[0].startswith("cell 6: ZeroDivisionError")
    assert "http://192.0.2.1/picture.png" in notebook.foreign_requests
    assert "broken on purpose" in notebook.console_errors
    assert len(active) == 3


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 600])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_everyone_can_read_it(lab: LabBrowser, name: str, theme: Any, width: int, tmp_path: Path) -> None:
    """axe-core finds nothing in any output, contrast included, and nothing is wider than the page."""
    with lab.open(f"notebooks/{name}.ipynb", theme=theme, width=width) as notebook:
        assert notebook.run_all() == []
        outputs = notebook.outputs()
        notebook.photograph(screenshots(tmp_path), f"{name}-{theme}-{width}")
        assert [f"cell {o.cell}: {o.cut:.0f} pixels cut off" for o in outputs if o.cut > 1] == []
        assert notebook.axe(axe_core()) == []


@pytest.mark.slow
def test_what_cannot_be_read_is_found(lab: LabBrowser) -> None:
    with lab.open("notebooks/broken.ipynb") as notebook:
        notebook.run_all()
        cut = [output.cell for output in notebook.outputs() if output.cut > 1]
        findings = notebook.axe(axe_core())
    assert cut == [5]
    assert len(findings) == 1 and findings[0].startswith("color-contrast") and "pale" in findings[0]
