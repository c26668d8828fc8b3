# SPDX-License-Identifier: GPL-2.0-or-later
"""Take a picture of one output of each page to read, in a real Chromium.

It stands beside the page, for who links to it, and on the contents page. Whose output it is says page_pictures.toml.
"""

import shutil
import tomllib
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

LISTED: dict[str, list[str]] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
CHROMIUM = "chromium", "chromium-browser", "google-chrome"
WIDTH, HEIGHT = 1200, 630  # pixels, as those who show linked pages want it: two for each of CSS
LOOK = """
.pictured { position: fixed; inset: 0; z-index: 1; overflow: hidden; background: var(--page); }
.jp-OutputArea-output.pictured { margin: 0; padding: 14px 18px; }
.pictured :is(.wsedu-hint, .wsedu-copy, .wsedu-explore, details) { display: none; }
"""
# The output alone, as large as fits; what is too high goes on below the picture.
POSE = """id => {
    const output = document.getElementById(`cell-id=${id}`).querySelector(".jp-RenderedHTML");
    output.classList.add("pictured");
    const ends = (side, at) => [...output.querySelectorAll("*")].every(one => one.getBoundingClientRect()[side] <= at);
    const zooms = [1.3, 1.15, 1, 0.9, 0.8, 0.7, 0.64], tried = zoom => { output.style.zoom = zoom; return true; };
    const wide = zooms.filter(zoom => tried(zoom) && ends("right", innerWidth));
    tried(wide.find(zoom => tried(zoom) && ends("bottom", innerHeight)) ?? Math.min(wide[0] ?? 0.64, 1));
}"""


def found() -> str | None:
    """The Chromium to take them with, or None, which is said."""
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if path and find_spec("playwright"):
        return path
    print("No picture of each page: that takes Chromium and Playwright. The README's picture stands for them.")
    return None


def take(chromium: str, pages: Iterable[Path]) -> None:
    """Write a PNG beside each of these pages."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH // 2, "height": HEIGHT // 2}, device_scale_factor=2)
        for path in pages:
            page.goto(path.as_uri())
            page.add_style_tag(content=LOOK)
            page.evaluate(POSE, LISTED[path.stem[:2]][0])
            page.screenshot(path=path.with_suffix(".png"))
        browser.close()
