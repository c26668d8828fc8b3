# SPDX-License-Identifier: GPL-2.0-or-later
"""The notebooks as nbconvert exports them, in a real browser: a page to print, or to put on a course's web site.

With our template, ``wsedu/show/inspector.html.j2``, maps can be explored there, and the page asks nobody for anything.
nbconvert's pages fetch require.js and MathJax from elsewhere. Nothing of ours needs them, so an export can do without:
``jupyter nbconvert --to html --HTMLExporter.require_js_url= --HTMLExporter.mathjax_url= NOTEBOOK``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from chromium import ACTIVE, CUT, DRAWN, MUTE, PageMonitor, chromium, screenshots
from hostile import HOSTILE
from lab_browser import write_notebook
from nbconvert import HTMLExporter
from programs import ROOT, python
from reading import EACH_NOTEBOOK, NOTEBOOKS, Reading, clone

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

OUTPUT, PROSE = ".jp-OutputArea-output", ".jp-MarkdownOutput"
ALONE = {"require_js_url": "", "mathjax_url": ""}


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
    return list(page.evaluate(f"selector => [...document.querySelectorAll(selector)].map({script})", selector))


def _faults(page: Page) -> list[str]:
    """What keeps somebody from reading the page, a line each."""
    cuts = [(kind, *cut) for kind in (OUTPUT, PROSE) for cut in enumerate(_each(page, kind, CUT))]
    faults = [f"{n}. {kind}: {cut:.0f} pixels cut off" for kind, n, cut in cuts if cut > 1]
    return faults + sum(_each(page, "body", MUTE), [])


def _assert_whole(page: Page, notebook: Any) -> None:
    """The page has the text of each stored output, white space apart."""
    wanted = []
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        data = output.get("data", {})
        html = data.get("text/html")
        wanted.append(Reading(html).text if html else output.get("text") or data.get("text/plain", ""))
    shown = _each(page, OUTPUT, "node => node.textContent")
    shown, wanted = (list(filter(None, ("".join(text.split()) for text in texts))) for texts in (shown, wanted))
    assert shown == wanted


def _run(path: Path) -> Any:
    """Run a notebook as tools/run_notebooks.py does, and give it."""
    python("tools/run_notebooks.py", path, check=True)
    return nbformat.read(path, as_version=4)


@pytest.mark.parametrize("width", [1366, *(pytest.param(width, marks=pytest.mark.slow) for width in (1280, 600))])
@pytest.mark.parametrize("name", EACH_NOTEBOOK)
def test_an_export_reads_well(browser: Browser, name: str, width: int, tmp_path: Path) -> None:
    notebook = nbformat.read(ROOT / f"notebooks/{name}.ipynb", as_version=4)
    with _exported(browser, notebook, tmp_path / f"{name}.html", **ALONE) as (page, monitor):
        _assert_whole(page, notebook)
        page.set_viewport_size({"width": width, "height": 768 if width == 1366 else 1400})
        if "WSEDU_SCREENSHOTS" in os.environ:
            page.screenshot(path=screenshots(tmp_path) / f"{name}-export-{width}.png", full_page=True)
        assert _faults(page) == monitor.foreign_requests == monitor.console_errors == []


INSPECTOR = str(ROOT / "wsedu/show/inspector.html.j2")
FRAME = b"Hello", bytes.fromhex("37 fa 21 3d")
EXPLORED = (
    f"""
import wsedu
frames = [wsedu.Frame(1, {FRAME[0]!r}, masking_key=key) for key in ({FRAME[1]!r}, None)]
request = wsedu.read("{ROOT}/data/chromium-polling.pcap").conversations[1].messages[2]
wsedu.touch(*frames)""",
    "wsedu.touch(request)",
    f"""
capture = wsedu.read("{ROOT}/data/websockets-session.pcap")
wsedu.touch(capture.packet(capture.conversations[0].messages[2].packets[0]))""",
    "wsedu.byte_map(wsedu.Frame(2, bytes(65_536)))",
)


@pytest.mark.slow
def test_maps_in_an_export_come_to_life_without_a_kernel(browser: Browser, tmp_path: Path) -> None:
    """Our template adds one script: it reads what the pictures say, and shows it as the widget does."""
    path = tmp_path / "explored.ipynb"
    write_notebook(path, EXPLORED, ["Not before [the opcode](#byte-opcode)."])
    with _exported(browser, _run(path), tmp_path / "export.html", template_file=INSPECTOR) as (page, monitor):
        alive = page.locator(".wsedu-alive")
        assert alive.count() == 3 and not page.locator(".wsedu-twin").first.is_visible()
        said = page.locator(".wsedu-said")
        alive.first.locator("[data-at='3']").first.hover()
        assert said.first.inner_text().startswith("masking key = 37 fa 21 3d")
        assert "RFC 6455, 5.3" in said.first.inner_text()
        alive.first.locator("[data-at='7']").first.click()
        assert [text[:15] for text in said.all_inner_texts()[:2]] == ["payload = Hello"] * 2
        # Of a head each line is a field, with all its bytes.
        page.evaluate("() => document.querySelectorAll('.wsedu-bytes')[2].focus()")
        page.keyboard.press("End")
        assert said.nth(2).inner_text().startswith("empty line") and "byte 491: 0a" in said.nth(2).inner_text()
        # A packet is a tree of layers, and is seen at its message first.
        assert said.nth(3).inner_text().startswith("Text frame › FIN, RSV1, RSV2, RSV3, opcode\n")
        layers = alive.nth(2).locator("[aria-level='1'] .wsedu-chip").all_inner_texts()
        assert layers == ["Ethernet", "IPv4", "TCP", "Text frame"]
        # A word of the prose lights up its bits in the next map that has them, else in the last one before it.
        page.get_by_role("link", name="the opcode").hover()
        assert said.nth(3).inner_text().startswith("Text frame › FIN, RSV1, RSV2, RSV3, opcode › opcode = 1")
        page.get_by_role("link", name="the opcode").click()
        page.mouse.move(0, 0)
        assert ".... 0001".replace(".", "·") in said.nth(3).inner_text()
        # A map that no widget would stand for is a picture, until somebody asks; what it leaves out is not made up.
        page.get_by_role("button", name="Explore").click()
        for key in ("Home", "PageDown", "PageDown"):
            page.keyboard.press(key)
        assert "··" in said.last.inner_text() and said.last.inner_text().startswith("payload")
        page.emulate_media(media="print")
        assert not alive.first.is_visible() and page.locator(".wsedu-twin").first.is_visible()
        assert monitor.foreign_requests == [] and monitor.console_errors == []


def test_an_export_needs_nothing_of_what_it_asks_for(browser: Browser, tmp_path: Path) -> None:
    """With nbconvert's own settings only its two scripts are asked for, and the page is whole without them."""
    notebook = nbformat.read(ROOT / f"notebooks/{NOTEBOOKS[0]}.ipynb", as_version=4)
    with _exported(browser, notebook, tmp_path / "export.html") as (page, monitor):
        exporter = HTMLExporter()
        assert monitor.foreign_requests == [exporter.require_js_url, exporter.mathjax_url]
        assert _faults(page) == []
        _assert_whole(page, notebook)


@pytest.mark.slow
def test_captured_html_is_text_in_an_export(browser: Browser, tmp_path: Path) -> None:
    clone(tmp_path)
    notebook = _run(tmp_path / "notebooks/hostile.ipynb")
    with _exported(browser, notebook, tmp_path / "export.html", **ALONE) as (page, monitor):
        assert page.evaluate("() => window.pwned") is None
        assert sum(_each(page, OUTPUT, ACTIVE), []) == []
        text = page.evaluate("() => document.body.innerText")
        assert [hostile for hostile in HOSTILE if hostile not in text] == []
        assert monitor.foreign_requests == [] and monitor.console_errors == []
