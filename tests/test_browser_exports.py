# SPDX-License-Identifier: GPL-2.0-or-later
"""The notebooks as nbconvert exports them, in a real browser: a page to print, or to put on a course's web site.

nbconvert's pages fetch require.js and MathJax from elsewhere. Nothing of ours needs them, so an export can do without:
``jupyter nbconvert --to html --HTMLExporter.require_js_url= --HTMLExporter.mathjax_url= NOTEBOOK``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from chromium import ACTIVE, CUT, DRAWN, MUTE, PageMonitor, chromium, screenshots
from hostile import HOSTILE
from nbconvert import HTMLExporter
from reading import EACH_NOTEBOOK, NOTEBOOKS, ROOT, Reading, clone

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

OUTPUT, PROSE = ".jp-OutputArea-output", ".jp-MarkdownOutput"
ALL = "selector => [...document.querySelectorAll(selector)].map({})"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@contextmanager
def _exported(browser: Browser, notebook: Any, path: Path, **options: Any) -> Iterator[tuple[Page, PageMonitor]]:
    """Write the notebook as HTML to `path`, and open that."""
    path.write_text(HTMLExporter(**options).from_notebook_node(notebook)[0], encoding="utf-8")
    page = browser.new_page(viewport={"width": 1280, "height": 1400}, color_scheme="light")
    monitor = PageMonitor(page, path.as_uri())
    page.goto(path.as_uri())
    page.evaluate(f"() => ({DRAWN})(document)")
    yield page, monitor
    page.close()


def _each(page: Page, selector: str, script: str) -> list[Any]:
    """What a script says of each element that the selector finds."""
    return list(page.evaluate(ALL.format(f"({script})"), selector))


def _faults(page: Page) -> list[str]:
    """What keeps somebody from reading the page, a line each."""
    faults = [
        f"{n}. {kind}: {cut:.0f} pixels cut off"
        for kind in (OUTPUT, PROSE)
        for n, cut in enumerate(_each(page, kind, CUT))
        if cut > 1
    ]
    return faults + sum(_each(page, "body", MUTE), [])


def _wanted(notebook: Any) -> list[str]:
    """The text of each stored output, without white space."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    wanted = []
    for output in outputs:
        data = output.get("data", {})
        html = data.get("text/html")
        text = Reading(html).text if html else output.get("text") or data.get("text/plain", "")
        wanted.append("".join(text.split()))
    return list(filter(None, wanted))


@pytest.mark.parametrize("width", [1280, pytest.param(600, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", EACH_NOTEBOOK)
def test_an_export_reads_well(browser: Browser, name: str, width: int, tmp_path: Path) -> None:
    notebook = nbformat.read(ROOT / f"notebooks/{name}.ipynb", as_version=4)
    with _exported(browser, notebook, tmp_path / f"{name}.html", require_js_url="", mathjax_url="") as seen:
        page, monitor = seen
        shown = ["".join(text.split()) for text in _each(page, OUTPUT, "node => node.textContent")]
        assert list(filter(None, shown)) == _wanted(notebook)
        page.set_viewport_size({"width": width, "height": 1400})
        if "WSEDU_SCREENSHOTS" in os.environ:
            page.screenshot(path=screenshots(tmp_path) / f"{name}-export-{width}.png", full_page=True)
        assert _faults(page) == []
        assert monitor.foreign_requests == []
        assert monitor.console_errors == []


def test_an_export_needs_nothing_of_what_it_asks_for(browser: Browser, tmp_path: Path) -> None:
    """With nbconvert's own settings only its two scripts are asked for, and the page is whole without them."""
    notebook = nbformat.read(ROOT / f"notebooks/{NOTEBOOKS[0]}.ipynb", as_version=4)
    with _exported(browser, notebook, tmp_path / "export.html") as (page, monitor):
        exporter = HTMLExporter()
        assert monitor.foreign_requests == [exporter.require_js_url, exporter.mathjax_url]
        assert _faults(page) == []
        shown = ["".join(text.split()) for text in _each(page, OUTPUT, "node => node.textContent")]
        assert list(filter(None, shown)) == _wanted(notebook)


@pytest.mark.slow  # in Lab it is looked at every time
def test_captured_html_is_text_in_an_export(browser: Browser, tmp_path: Path) -> None:
    clone(tmp_path)
    path = tmp_path / "notebooks/hostile.ipynb"
    subprocess.run([sys.executable, ROOT / "tools/run_notebooks.py", path], check=True, capture_output=True)
    notebook = nbformat.read(path, as_version=4)
    with _exported(browser, notebook, tmp_path / "export.html", require_js_url="", mathjax_url="") as seen:
        page, monitor = seen
        assert page.evaluate("() => window.pwned") is None
        assert sum(_each(page, OUTPUT, ACTIVE), []) == []
        text = page.evaluate("() => document.body.innerText")
        assert [hostile for hostile in HOSTILE if hostile not in text] == []
        assert monitor.foreign_requests == [] and monitor.console_errors == []


@pytest.mark.slow
def test_what_is_broken_is_seen(browser: Browser, tmp_path: Path) -> None:
    html = ('<img src=x onerror="window.pwned=1">', '<p style="width:3000px">wide</p>', "<p>well</p>")
    outputs = [nbformat.v4.new_output("display_data", {"text/html": text}) for text in html]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", outputs=outputs)])
    with _exported(browser, notebook, tmp_path / "export.html", require_js_url="", mathjax_url="") as seen:
        page, monitor = seen
        assert page.evaluate("() => window.pwned") == 1
        assert len(sum(_each(page, OUTPUT, ACTIVE), [])) == 1
        faults = _faults(page)
        assert len(faults) == 2 and "1. .jp-OutputArea-output" in faults[0] and "<img" in faults[1]
        assert len(monitor.console_errors) == 1
