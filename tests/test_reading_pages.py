# SPDX-License-Identifier: GPL-2.0-or-later
"""The pages of the site that are read without running, and its contents page: what is in them, and what they do."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import page_pictures
import pytest
from bs4 import BeautifulSoup
from chromium import DRAWN, PageMonitor, axe_core, chromium
from hostile import HOSTILE
from lab_browser import write_notebook
from notebook_nav import Notebook, notebooks
from programs import ROOT
from reading_pages import PICTURE, write_site

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ALL = pytest.param("all", marks=pytest.mark.slow)
TITLE = "Less < more & `&lt;`"


@pytest.fixture(scope="module", params=["some", ALL])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two notebooks and one with hostile text, or all."""
    folder = tmp_path_factory.mktemp("site")
    hostile = folder / "98-hostile.ipynb"
    write_notebook(hostile, ["pass"], [f'# {TITLE}\n\nFirst & <b>foremost</b>. **Is it "safe"?**'])
    notebook = json.loads(hostile.read_text())
    said = {"output_type": "stream", "name": "stdout", "text": "\n".join(HOSTILE)}
    code = next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    code |= {"source": "\n".join(HOSTILE), "outputs": [said]}
    notebook["cells"].sort(key=lambda cell: cell["cell_type"] == "code")
    hostile.write_text(json.dumps(notebook))
    every = notebooks()
    write_site(
        folder,
        "https://example.org/",
        [*(every if request.param == "all" else (every[0], every[5])), Notebook(hostile)],
    )
    return folder


def _pages(site: Path) -> dict[Path, BeautifulSoup]:
    return {
        path: BeautifulSoup(path.read_text(), "html.parser")
        for path in (site / "index.html", *site.glob("read/*.html"))
    }


def test_pages_are_whole_and_ask_nobody(site: Path) -> None:
    """Each says what it is, loads only what lies beside it, and its links lead somewhere."""
    pages, wrong = _pages(site), []
    assert {path.stem for path in site.glob("read/*.html")} >= {"00-start-here", "05-anatomy-of-a-frame", "data"}
    for path, page in pages.items():
        said = {meta.get("property") or meta.get("name"): str(meta["content"]) for meta in page.select("meta[content]")}
        assert page.title and page.title.get_text() == said["og:title"]
        assert 20 < len(said["description"]) <= 300 and said["twitter:card"] == "summary_large_image"
        picture = said["og:image"].removeprefix("https://example.org/")
        assert (site / picture).is_file() and picture in (PICTURE, f"read/{path.stem}.png")
        text = page.get_text()
        assert "google.colab" not in text and "this cell again" not in text
        assert ("Nothing runs on this page" in text) == path.name[0].isdigit()
        loaded = [str(one.get("src") or one["href"]) for one in page.select("[src], link[href]")]
        loaded += [one.split()[0] for source in page.select("[srcset]") for one in str(source["srcset"]).split(",")]
        wrong += [(path.name, url) for url in loaded if url[:5] != "data:" and not (path.parent / url).is_file()]
        assert not re.search(r"@import|url\(", "".join(style.get_text() for style in page.select("style")))
        for link in page.select("a[href]"):
            url = str(link["href"])
            file, _, anchor = url.partition("#")
            if url.startswith(("http://", "https://")) or anchor.startswith("byte-"):
                continue
            to = (path.parent / file).resolve() if file else path
            if "?path=" in file:
                good = file[: file.index("?")].removeprefix("../") == "lab/index.html"
                good &= (ROOT / file.partition("?path=")[2]).is_file() or "98-" in file
            elif to in pages:
                good = not anchor or bool(pages[to].find(id=anchor))
            else:
                good = (ROOT / "notebooks" / f"{to.stem}.ipynb").is_file() and to.parent == site / "read"
            wrong += [] if good else [(path.name, url)]
    assert wrong == []


def _index(site: Path) -> list[dict[str, str]]:
    text = (site / "read/search_index.js").read_text()
    return list(json.loads(text.removeprefix("window.SEARCH_INDEX = ").rstrip().removesuffix(";")))


def test_the_search_knows_every_page(site: Path) -> None:
    """Of each notebook what was printed, and each heading with its place."""
    index, pages = _index(site), _pages(site)
    for one in notebooks():
        path = site / f"read/{one.path.stem}.html"
        if path not in pages:
            continue
        own = [section for section in index if section["url"].startswith(f"read/{path.name}")]
        assert {section["title"] for section in own} == {one.title}
        headings = [str(head["id"]) for head in pages[path].select("h1, h2, h3")]
        assert [section["url"].partition("#")[2] for section in own] == headings
        text = "".join("".join(section["text"].split()) for section in own)
        outputs = [output for cell in one.content["cells"] for output in cell.get("outputs", [])]
        printed = ["".join("".join(output["text"]).split()) for output in outputs if "text" in output]
        assert printed and [said for said in printed if said not in text] == []


def test_what_was_captured_is_text(site: Path) -> None:
    html = (site / "read/98-hostile.html").read_text()
    page = BeautifulSoup(html, "html.parser")
    assert page.title and page.title.get_text().startswith(TITLE)
    assert [script.get("src") for script in page.select("script")] == ["byte_pane.js", "inspector.js", "reading.js"]
    assert not page.select("img, iframe, [onerror], [onload]")
    shown = "".join(page.get_text().split())
    assert [text for text in HOSTILE if "".join(text.split()) not in shown] == []


def test_one_output_of_each_notebook_is_its_picture() -> None:
    for one in notebooks():
        cell_id, shown = page_pictures.LISTED[one.number]
        (cell,) = (cell for cell in one.content["cells"] if cell["id"] == cell_id)
        assert any("text/html" in output.get("data", {}) for output in cell["outputs"]) and 40 < len(shown) < 130


def test_without_chromium_the_readmes_picture_stands_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(page_pictures, "CHROMIUM", ())
    write_site(tmp_path, "https://example.org/", notebooks()[:1])
    assert capsys.readouterr().out.count("\n") == 1 and not list(tmp_path.glob("read/*.png"))
    assert f'"og:image" content="https://example.org/{PICTURE}"' in (tmp_path / "read/00-start-here.html").read_text()
    assert "<li><div>" in (tmp_path / "index.html").read_text()


@pytest.fixture(scope="module")
def browser(site: Path) -> Iterator[Browser]:
    """It comes after the site, whose pictures need one too: playwright runs one at a time."""
    with chromium() as started:
        yield started


def _open(browser: Browser, path: Path) -> tuple[Page, PageMonitor]:
    page = browser.new_page(viewport={"width": 1366, "height": 768})
    monitor = PageMonitor(page, path.as_uri())
    page.goto(path.as_uri())
    page.evaluate(f"() => ({DRAWN})(document)")
    return page, monitor


def test_a_page_is_alive_and_is_found(site: Path, browser: Browser) -> None:
    """From a disk: search by keyboard, go to the section, and explore its bytes by pointer and keyboard."""
    page, monitor = _open(browser, site / "index.html")
    page.get_by_label("Search in all pages").click()
    page.keyboard.type("<script> window.pwned")
    page.locator("#results a", has_text=TITLE).wait_for()
    page.get_by_label("Search in all pages").fill("masking key")
    page.locator("#results li").first.get_by_text("Anatomy of a frame › Our turn: eleven bytes by hand").wait_for()
    page.get_by_label("Search in all pages").fill("eleven versus")
    page.get_by_text("No section has all of these words. Some of them: ").wait_for()
    page.get_by_label("Search in all pages").fill("eleven BYTES hand")
    first = page.locator("#results li").first
    first.get_by_text("Anatomy of a frame › Our turn: eleven bytes by hand").wait_for()
    assert {text.lower() for text in first.locator("mark").all_inner_texts()} <= {"eleven", "bytes", "hand"}
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/05-anatomy-of-a-frame.html#Our-turn*")
    said, alive = page.locator(".wsedu-said").first, page.locator(".wsedu-alive").first
    alive.locator("[data-at='3']").first.hover()
    assert said.inner_text().startswith("payload = Hello")
    alive.locator("[data-at='1']").first.click()
    page.mouse.move(0, 0)
    assert "MASK" in said.inner_text()
    page.locator(".wsedu-bytes").first.focus()
    page.keyboard.press("End")
    assert "byte 6: 6f" in said.inner_text()
    page.get_by_role("link", name="opcode").first.hover()
    assert "opcode = 1" in said.inner_text()
    assert page.evaluate("window.pwned") is None
    assert monitor.foreign_requests == monitor.console_errors == []
    page.close()


def test_each_page_has_its_picture(site: Path, browser: Browser) -> None:
    """Of the size that is promised, smaller on a telephone, and with room left for it."""
    page, monitor = _open(browser, site / "index.html")
    listed = page.locator("main li", has=page.locator(".title"))
    assert listed.count() == listed.locator("img").count() + 1  # that which is hostile is not in the list
    for image in listed.locator("img").all():
        file = site / str(image.get_attribute("src"))
        assert struct.unpack(">II", file.read_bytes()[16:24]) == (1200, 630) and file.stat().st_size < 200_000
        assert [image.get_attribute(name) for name in ("loading", "width", "height")] == ["lazy", "240", "126"]
    first = listed.locator("img").first
    for width in (1366, 600, 390):
        page.set_viewport_size({"width": width, "height": 768})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    box = first.bounding_box()
    assert box and 100 < box["width"] < 150 and abs(box["width"] * 630 / 1200 - box["height"]) < 1
    page.mouse.click(box["x"] + 10, box["y"] + 10)
    page.wait_for_url("**/read/00-start-here.html")
    assert monitor.foreign_requests == monitor.console_errors == []
    page.close()


# Bytes in hexadecimal digits that are partly in one line and partly in the next, and what is wider than the paper.
BROKEN = """() => {
    const broken = [];
    for (const pre of document.querySelectorAll('pre, samp')) {
        const walker = document.createTreeWalker(pre, NodeFilter.SHOW_TEXT);
        for (let node = walker.nextNode(); node; node = walker.nextNode())
            for (const { index } of node.data.matchAll(/\\b[0-9a-f]{2}\\b/g)) {
                const range = document.createRange();
                range.setStart(node, index);
                range.setEnd(node, index + 2);
                if (new Set([...range.getClientRects()].map(rect => rect.top)).size > 1) broken.push(node.data);
            }
    }
    const wide = [...document.querySelectorAll('main *')].filter(one =>
        one.getClientRects().length && one.getBoundingClientRect().right > innerWidth + 1);
    return [...broken, ...wide.map(one => one.outerHTML.slice(0, 200))];
}"""


@pytest.mark.slow
def test_pages_can_be_printed(site: Path, browser: Browser) -> None:
    """Hints are open, nothing is cut off, and no byte goes on in the next line."""
    for path in sorted(site.glob("read/*.html")):
        page, monitor = _open(browser, path)
        page.set_viewport_size({"width": 688, "height": 1000})  # A4 without its margins
        page.emulate_media(media="print")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert page.locator(".jp-MarkdownOutput details:not([open])").count() == 0
        assert page.evaluate(BROKEN) == [], path.name
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert page.locator(".jp-MarkdownOutput details[open]").count() == 0
        assert not page.locator("nav").first.is_visible() and monitor.console_errors == []
        page.close()


@pytest.mark.slow
@pytest.mark.parametrize("width", [600, 1366])
def test_axe_finds_nothing(site: Path, browser: Browser, width: int) -> None:
    script = axe_core()
    for path in (site / "index.html", site / "read/05-anatomy-of-a-frame.html"):
        page, _ = _open(browser, path)
        page.set_viewport_size({"width": width, "height": 768})
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            page.evaluate(f"() => {{ {script} }}")
            assert (
                page.evaluate(
                    "async () => (await axe.run(document)).violations.map(one => [one.id, one.nodes[0].html])"
                )
                == []
            )
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.close()
