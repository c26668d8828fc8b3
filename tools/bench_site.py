# SPDX-License-Identifier: GPL-2.0-or-later
"""How long the site's first notebook takes from being opened to a first output, in Chromium: what a reader waits for.

On a machine that does nothing else; `make site` has to have built the site.
"""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from bench_row import Row
from playwright.sync_api import Page, sync_playwright
from site_server import site_server

SITE = Path(__file__).resolve().parent.parent / "site"
SANDBOX = ["--no-sandbox"]  # which a container's root has not
READY = "() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel"
# The cells from the top on, as by a reader who runs them as soon as the notebook is there, until one shows something.
FIRST = """async () => {
    const content = jupyterapp.shell.currentWidget.content;
    for (const [index, cell] of content.widgets.entries()) {
        if (cell.model.type !== 'code') continue;
        content.activeCellIndex = index;
        await jupyterapp.commands.execute('notebook:run-cell');
        if (cell.model.outputs.length) return;
    }
}"""


def site_rows() -> Iterator[Row]:
    """With nothing in the browser's cache, and once more with all of it; nothing where no site was built."""
    if not SITE.is_dir():
        return
    with site_server(SITE) as (origin, sent), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=SANDBOX)
        context = browser.new_context()
        for cache in "cold", "warm":
            page = context.new_page()
            yield Row(f"site: open to first output, {cache} cache", f"{_first_output(page, origin):.1f} s")
            page.close()
        yield Row("site: bytes of a first visit, compressed", f"{sum(sent.values()) / 1e6:.1f} MB")
        browser.close()


def _first_output(page: Page, origin: str) -> float:
    page.set_default_timeout(120_000)
    start = time.perf_counter()
    page.goto(f"{origin}/lab/index.html?path=notebooks/00-start-here.ipynb")
    page.wait_for_function(READY)
    page.evaluate(FIRST)
    return time.perf_counter() - start
