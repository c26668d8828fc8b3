# SPDX-License-Identifier: GPL-2.0-or-later
"""JupyterLab in a headless Chromium, as a reader has it, for tests that look at notebooks.

    with lab_browser(root) as browser, browser.open("notebooks/00-start-here.ipynb") as notebook:
        stored = notebook.outputs()                    # as a reader sees them who has only opened it
        assert notebook.run_all() == []                # runs to the end
        assert not notebook.console_errors and not notebook.foreign_requests
        notebook.page.keyboard.press("ArrowRight")     # .page is playwright's Page: drive what is on it
        notebook.photograph(screenshots(tmp_path))

Lab runs with private settings and a private store of trusted notebooks, so every notebook opens untrusted, as in a
fresh clone. Other hosts cannot be reached; whatever a page asks of another origin is written down.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn
from urllib.parse import quote, urlsplit

import pytest
from lab_server import lab_server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Theme = Literal["light", "dark"]

OPEN_TIMEOUT = 60.0  # seconds until a notebook is on the page and its kernel is idle
RUN_TIMEOUT = 120.0  # seconds for all cells of a notebook
BLOCK = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"  # no other host can be reached
AXE_CORE = "axe-core@4.14.1"
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")

PANEL = "window.jupyterapp?.shell?.currentWidget"
IDLE = f"""() => {PANEL}?.sessionContext?.session?.kernel?.status === 'idle' && {PANEL}.context.isReady"""

# A promise of Lab's that never ends would hang the test, so its result is put where the test can wait for it.
RUN_ALL = "() => { window.ranAll = null; jupyterapp.commands.execute('notebook:run-all-cells')" + (
    ".then(done => { window.ranAll = {done} }, error => { window.ranAll = {done: false} }) }"
)

ERRORS = f"""() => [...{PANEL}.content.model.cells].flatMap((cell, number) => cell.type !== 'code' ? [] :
    cell.outputs.toJSON().filter(output => output.output_type === 'error')
        .map(output => `cell ${{number}}: ${{output.ename}}: ${{output.evalue}}`))"""

NOT_RUN = f"""() => [...{PANEL}.content.model.cells].flatMap((cell, number) =>
    cell.type === 'code' && cell.sharedModel.source.trim() && cell.executionState !== 'idle'
        ? [`cell ${{number}}: not run to its end`] : [])"""

# Lab attaches and draws what is near the view. A cell is ready when it is attached, in view, and two frames have
# been drawn since, so that what its outputs do on being drawn is done.
SHOW_CELL = f"""async number => {{
    const notebook = {PANEL}.content, cell = notebook.widgets[number];
    await notebook.scrollToItem(number, 'start');
    await cell.ready;
    cell.node.scrollIntoView();
    for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame);
}}"""

OUTPUTS = f"""number => [...{PANEL}.content.widgets[number].node.querySelectorAll('.jp-OutputArea-output')]
    .map(node => {{
    // Lab scrolls an output as a whole, which takes its captions along: what is wide should scroll in a box of its own.
    const hides = element => ['hidden', 'clip'].includes(getComputedStyle(element).overflowX);
    const cut = Math.max(...[node, ...[...node.querySelectorAll('*')].filter(hides)]
        .map(element => element.scrollWidth - element.clientWidth));
    const box = node.getBoundingClientRect();
    return {{cell: number, mime: node.dataset.mimeType || '', visible: node.innerText, text: node.textContent,
             html: node.innerHTML, width: box.width, height: box.height, cut}}
}})"""

# Lab's own frame and the colours that it gives to stderr and tracebacks are not ours to judge. Lab's <body> is 0 pixels
# high, and axe-core takes all in it for invisible and judges no contrast, unless it is given a height.
AXE = """() => { document.body.style.height = '100vh'; return axe.run({include:
    [['.jp-NotebookPanel .jp-OutputArea-output:not([data-mime-type="application/vnd.jupyter.stderr"])']]
}, {resultTypes: ['violations']}) }"""

SCROLLER = ".jp-NotebookPanel:visible .jp-WindowedPanel-outer"


@dataclass(frozen=True)
class Output:
    """One output as it stands on the page."""

    cell: int
    """Index of the cell in the notebook, prose counted."""
    mime: str
    """The form that Lab chose to show, as in "text/html"."""
    visible: str
    """The text that can be seen."""
    text: str
    """All text, also what is folded away."""
    html: str
    """The elements, after Lab has taken out what it does not trust."""
    width: float
    height: float
    cut: float
    """CSS pixels that are out of sight to the right, where no box of the output's own scrolls."""


class NotebookPage:
    """A notebook open in Lab, its kernel idle."""

    def __init__(self, page: Page, name: str, origin: str) -> None:
        self.page = page
        self.name = name
        self.console_errors: list[str] = []
        self.foreign_requests: list[str] = []
        self._origin = urlsplit(origin).netloc
        page.on(
            "console", lambda said: self.console_errors.append(said.text) if said.type == "error" else None
        )
        page.on("pageerror", lambda error: self.console_errors.append(f"uncaught: {error}"))
        page.on(
            "websocket",
            lambda socket: None if self._own(socket.url) else self.foreign_requests.append(socket.url),
        )
        page.on(
            "request",
            lambda request: None if self._own(request.url) else self.foreign_requests.append(request.url),
        )

    def _own(self, url: str) -> bool:
        parts = urlsplit(url)
        return parts.scheme in ("data", "blob", "about") or parts.netloc == self._origin

    @property
    def cells(self) -> list[dict[str, Any]]:
        """The cells as Lab holds them now, in the notebook format."""
        return list(self.page.evaluate(f"() => {PANEL}.content.model.toJSON().cells"))

    def run_all(self, timeout: float = RUN_TIMEOUT) -> list[str]:
        """Run all cells and wait until the kernel is idle again.

        Returns:
            What went wrong, a line each: the error outputs, or the cells that had not ended after `timeout` seconds.
            Empty if all is well.
        """
        from playwright.sync_api import TimeoutError as Late

        self.page.evaluate(RUN_ALL)
        try:
            self.page.wait_for_function("() => window.ranAll", timeout=timeout * 1000)
            self.page.wait_for_function(IDLE, timeout=timeout * 1000)
        except Late:
            return [*self.page.evaluate(ERRORS), *self.page.evaluate(NOT_RUN)]
        return list(self.page.evaluate(ERRORS))

    def show_cell(self, number: int) -> None:
        """Scroll until the cell stands at the top of the view, and is drawn."""
        self.page.evaluate(SHOW_CELL, number)

    def outputs(self, cells: Iterable[int] | None = None) -> list[Output]:
        """Go to each cell with outputs, as one who scrolls, and read what is shown. `cells`: all by default."""
        found = []
        with_outputs = [number for number, cell in enumerate(self.cells) if cell.get("outputs")]
        for number in with_outputs if cells is None else cells:
            self.show_cell(number)
            found += [Output(**output) for output in self.page.evaluate(OUTPUTS, number)]
        return found

    def screens(self) -> Iterator[int]:
        """Scroll from the top to the end; each time a screenful stands there, its number is given."""
        scroller = self.page.locator(SCROLLER)
        scroller.evaluate("node => node.scrollTo(0, 0)")
        number = 0
        while True:
            self.page.evaluate(
                "async () => { for (let i = 0; i < 3; i++) await new Promise(requestAnimationFrame) }"
            )
            yield number
            number += 1
            if scroller.evaluate(
                "e => { const y = e.scrollTop; e.scrollBy(0, e.clientHeight - 60); return e.scrollTop === y }"
            ):
                return

    def photograph(self, folder: Path, name: str = "") -> list[Path]:
        """Write each screenful to `folder` as NAME-00.png, NAME-01.png, ... and give the paths."""
        taken = []
        for number in self.screens():
            taken.append(folder / f"{name or Path(self.name).stem}-{number:02}.png")
            self.page.screenshot(path=taken[-1])
        return taken

    def axe(self, script: str) -> list[str]:
        """Ask axe-core about every output. `script`: axe-core itself, see `axe_core`. Returns findings, a line each."""
        found: dict[tuple[str, str], None] = {}
        self.page.evaluate(script)
        for _ in self.screens():
            for violation in self.page.evaluate(AXE)["violations"]:
                found |= {(violation["id"], node["html"][:160]): None for node in violation["nodes"]}
        return [f"{rule}: {html}" for rule, html in found]


class LabBrowser:
    """One Lab and one Chromium, for as many notebooks as a test module opens."""

    def __init__(self, chromium: Browser, origin: str, token: str) -> None:
        self._context = chromium.new_context()  # one for all, so that Lab's own scripts are fetched once
        self._origin = origin
        self._token = token

    @contextmanager
    def open(self, path: str, *, theme: Theme = "light", width: int = 1280) -> Iterator[NotebookPage]:
        """Open a notebook and wait for its kernel.

        Args:
            path: from the folder that Lab was started with.
            width: of the window, in CSS pixels.
        """
        page = self._context.new_page()
        page.set_viewport_size({"width": width, "height": 1400})
        page.emulate_media(color_scheme=theme)
        try:
            notebook = NotebookPage(page, path, self._origin)
            # A workspace of its own, so that Lab does not bring back what another page had open.
            workspace = secrets.token_hex(4)
            page.goto(
                f"{self._origin}/lab/workspaces/{workspace}/tree/{quote(path)}?token={self._token}",
                wait_until="commit",
            )
            page.locator(".jp-NotebookPanel:visible").wait_for(timeout=OPEN_TIMEOUT * 1000)
            page.wait_for_function(IDLE, timeout=OPEN_TIMEOUT * 1000)
            page.evaluate("() => jupyterapp.shell.collapseLeft()")
            yield notebook
            page.evaluate(f"() => {PANEL}.sessionContext.shutdown()")
        finally:
            page.close()


def chromium_path() -> str:
    """Where Chromium is: $CHROMIUM, else the first on the path.

    Without Chromium or playwright the test that called is skipped with one line, except where ``CI`` is ``true``:
    there it fails, because pages that nobody has looked at prove nothing.
    """
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if found is None:
        _lacking("Chromium is not installed", "no notebook is opened in a browser")
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        _lacking("Python's playwright is not installed", "no notebook is opened in a browser")
    return found


@cache
def axe_core() -> str:
    """axe-core as a script: the file $AXE, else what npm gives. Without either: see `chromium_path`."""
    if "AXE" in os.environ:
        return Path(os.environ["AXE"]).read_text()
    npm = shutil.which("npm")
    if npm is None:
        _lacking("npm is not installed and $AXE is not set", "axe-core looks at no output")
    with tempfile.TemporaryDirectory(prefix="axe-") as folder:
        subprocess.run([npm, "pack", "--silent", AXE_CORE], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        (packed,) = Path(folder).glob("*.tgz")
        with tarfile.open(packed) as archive:
            script = archive.extractfile("package/axe.min.js")
            assert script is not None
            return script.read().decode()


def _lacking(what: str, so: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what}, and CI=true promises that it is there", pytrace=False)
    pytest.skip(f"{what}: {so}")


def screenshots(default: Path) -> Path:
    """The folder for pictures: $WSEDU_SCREENSHOTS if set, else `default`. It is made if it is not there."""
    folder = Path(os.environ.get("WSEDU_SCREENSHOTS") or default)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def write_notebook(path: Path, sources: Iterable[str]) -> None:
    """A notebook of code cells that nobody has run."""
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    cells: list[dict[str, object]] = [
        {
            "cell_type": "code",
            "id": f"c{n}",
            "source": source.strip(),
            "metadata": {},
            "outputs": [],
            "execution_count": None,
        }
        for n, source in enumerate(sources)
    ]
    notebook = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(notebook), encoding="utf-8")


@contextmanager
def lab_browser(root: Path) -> Iterator[LabBrowser]:
    """Start JupyterLab in `root` and a Chromium beside it. Without Chromium: see `chromium_path`."""
    executable = chromium_path()
    from playwright.sync_api import sync_playwright

    # Chromium's own sandbox does not work for root, which is what a container usually gives.
    sandbox = ["--no-sandbox"] if os.name == "posix" and os.geteuid() == 0 else []
    arguments = ["--disable-background-networking", "--disable-dev-shm-usage", BLOCK, *sandbox]
    with lab_server(root) as (origin, token), sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=arguments)
        try:
            yield LabBrowser(chromium, origin, token)
        finally:
            chromium.close()
