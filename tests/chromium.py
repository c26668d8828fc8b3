# SPDX-License-Identifier: GPL-2.0-or-later
"""A headless Chromium that reaches no other host, what it wrote down of a page, and axe-core to judge it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from oracles import lacking

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

BLOCK = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"  # no other host can be reached
AXE_CORE = "axe-core@4.14.1"
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")

# How many CSS pixels of an element's content are out of sight where no box of the page's own scrolls them in: to the
# right of the element, or in any part of it that hides what does not fit. A part of one pixel is there for screen
# readers alone. Lab scrolls an output as a whole, which takes its captions along: that counts as cut off too.
CUT = """node => {
    const hidden = value => ['hidden', 'clip'].includes(value);
    const across = element => element.scrollWidth - element.clientWidth;
    const lost = [across(node)];
    for (const element of node.querySelectorAll('*')) {
        const style = getComputedStyle(element);
        if (style.display === 'inline' || element.clientWidth <= 1 || element.clientHeight <= 1) continue;
        // A text that ends in … and says the rest when it is pointed at is not lost.
        if (style.textOverflow === 'ellipsis' && element.closest('[title]')) continue;
        if (hidden(style.overflowX)) lost.push(across(element));
        if (hidden(style.overflowY)) lost.push(element.scrollHeight - element.clientHeight);
    }
    return Math.max(...lost);
}"""

# What may not come from a peer's bytes into a page: elements and attributes that do something.
ACTIVE = """node => [...node.querySelectorAll('*')].filter(element =>
    element.matches('script, iframe, object, embed, svg, img, link, style, form')
    || [...element.attributes].some(a => a.name.startsWith('on') || /^\\s*javascript:/i.test(a.value)))
    .map(element => element.outerHTML.slice(0, 200))"""

# Pictures that are not there, or say nothing to those who cannot see them. Jupyter fills in words where none are.
MUTE = """node => [...node.querySelectorAll('img, [role=img]')].filter(image =>
    /^\\s*(Image|No description has been provided .*)?$/.test(image.alt ?? image.getAttribute('aria-label') ?? '')
    || image.naturalWidth === 0).map(image => image.outerHTML.slice(0, 200))"""

# Two frames are drawn and all pictures decoded, so that what a page does on being drawn is done.
DRAWN = """async node => {
    for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame);
    await Promise.allSettled([...node.querySelectorAll('img:not([loading=lazy])')].map(image => image.decode()));
}"""


class PageMonitor:
    """What a page said and asked for, from the moment that it is monitored."""

    def __init__(self, page: Page, origin: str) -> None:
        """`origin`: what the page may ask, as in "http://127.0.0.1:8888", or a "file:" URL."""
        self.console_errors: list[str] = []
        self.foreign_requests: list[str] = []
        self._origin = urlsplit(origin)[:2]
        page.on("console", lambda said: self.console_errors.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.console_errors.append(f"uncaught: {error}"))
        page.on("websocket", lambda socket: self._ask(socket.url))
        page.on("request", lambda request: self._ask(request.url))

    def _ask(self, url: str) -> None:
        scheme, host = urlsplit(url)[:2]
        own = (scheme.replace("ws", "http"), host) == self._origin
        if not own and scheme not in ("data", "blob", "about"):
            self.foreign_requests.append(url)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start a Chromium. Without one: see `chromium_path`."""
    executable = chromium_path()
    from playwright.sync_api import sync_playwright

    # Chromium's own sandbox does not work for root, which is what a container usually gives.
    sandbox = ["--no-sandbox"] if os.name == "posix" and os.geteuid() == 0 else []
    arguments = ["--disable-background-networking", "--disable-dev-shm-usage", BLOCK, *sandbox]
    with sync_playwright() as playwright:
        # A page has scroll bars, which take room: playwright hides them, and with them what they push aside.
        shown = ["--hide-scrollbars"]
        browser = playwright.chromium.launch(executable_path=executable, args=arguments, ignore_default_args=shown)
        try:
            yield browser
        finally:
            browser.close()


def chromium_path() -> str:
    """Where Chromium is: $CHROMIUM, else the first on the path.

    Without Chromium or playwright the test that called is skipped with one line, except where ``CI`` is ``true``:
    there it fails, because pages that nobody has looked at prove nothing.
    """
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if found is None:
        lacking("Chromium is not installed", "no notebook is opened in a browser")
    if find_spec("playwright") is None:
        lacking("Python's playwright is not installed", "no notebook is opened in a browser")
    return found


@cache
def axe_core() -> str:
    """axe-core as a script: the file $AXE, else what npm gives. Without either: see `chromium_path`."""
    if "AXE" in os.environ:
        return Path(os.environ["AXE"]).read_text()
    npm = shutil.which("npm")
    if npm is None:
        lacking("npm is not installed and $AXE is not set", "axe-core looks at no output")
    with tempfile.TemporaryDirectory(prefix="axe-") as folder:
        subprocess.run([npm, "pack", "--silent", AXE_CORE], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        (packed,) = Path(folder).glob("*.tgz")
        with tarfile.open(packed) as archive:
            script: Any = archive.extractfile("package/axe.min.js")
            return str(script.read(), "utf-8")


def screenshots(default: Path) -> Path:
    """The folder for pictures: $WSEDU_SCREENSHOTS if set, else `default`. It is made if it is not there."""
    folder = Path(os.environ.get("WSEDU_SCREENSHOTS") or default)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
