# SPDX-License-Identifier: GPL-2.0-or-later
"""JupyterLab, or Notebook 7, in a headless Chromium, as a reader has it, for tests that look at notebooks.

    with lab_browser(root) as browser, browser.open("notebooks/00-start-here.ipynb") as notebook:
        stored = notebook.outputs()                    # as a reader sees them who has only opened it
        notebook.trust()                               # and as one sees them who trusts the notebook
        assert notebook.run_all() == []                # runs to the end
        assert not notebook.console_errors and not notebook.foreign_requests
        notebook.page.keyboard.press("ArrowRight")     # .page is playwright's Page: drive what is on it
        notebook.photograph(screenshots(tmp_path), "start")

Lab runs with private settings and a private store of trusted notebooks, so every notebook opens untrusted, as in a
fresh clone. Other hosts cannot be reached; whatever a page asks of another origin is written down.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from chromium import ACTIVE, CUT, DRAWN, MUTE, PageMonitor, axe_core, chromium, screenshots
from lab_server import Application, lab_server, site_as_lab

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, ViewportSize

__all__ = ["LabBrowser", "NotebookPage", "Output", "axe_core", "lab_browser", "screenshots", "write_notebook"]

Theme = Literal["light", "dark"]

WIDTH = 1366
HEIGHTS = {WIDTH: 768}  # CSS pixels of a window, by its width: those of most laptops; a higher one takes fewer pictures
HEIGHT = 1400

# All waits are for something that happens, and end when it does; this is when they give up, in milliseconds. It is far
# beyond what anything takes, since others may use the machine: it says how long a failure takes, not what is one.
LIMIT = 240_000

PANEL = "window.jupyterapp?.shell?.currentWidget"
IDLE = f"""() => {PANEL}?.sessionContext?.session?.kernel?.status === 'idle' && {PANEL}.context.isReady"""

# A promise of Lab's that never ends would hang the test, so its result is put where the test can wait for it.
RUN_ALL = "() => { window.ranAll = null; jupyterapp.commands.execute('notebook:run-all-cells')" + (
    ".then(done => { window.ranAll = {done} }, error => { window.ranAll = {done: false} }) }"
)

# What went wrong, a line each: the outputs that are errors, and the cells that were not run to their end.
ERRORS = f"""() => [...{PANEL}.content.model.cells].flatMap((cell, number) => cell.type !== 'code' ? [] : [
    ...cell.outputs.toJSON().filter(output => output.output_type === 'error')
        .map(output => `cell ${{number}}: ${{output.ename}}: ${{output.evalue}}`),
    ...cell.sharedModel.source.trim() && cell.executionState !== 'idle' ? [`cell ${{number}}: not run to its end`] : []
])"""

# Lab attaches and draws what is near the view. A cell is ready when it is attached, in view, and drawn; widgets come
# later than the rest, and one that has nothing to show is given ten seconds for it.
SHOW_CELL = f"""async number => {{
    const notebook = {PANEL}.content, cell = notebook.widgets[number];
    await notebook.scrollToItem(number, 'start');
    await cell.ready;
    cell.node.scrollIntoView();
    const empty = node => !node.innerText.trim() && !node.querySelector('img');
    for (let frames = 0; frames < 600; frames++) {{
        await new Promise(requestAnimationFrame);
        if (![...cell.node.querySelectorAll('.jp-OutputArea-output')].some(empty)) break;
    }}
    await ({DRAWN})(cell.node);
}}"""

OUTPUTS = f"""([at, selector]) => [...{PANEL}.content.widgets[at].node.querySelectorAll(selector)].map(node => {{
    const box = node.getBoundingClientRect();
    return {{cell: at, mime: node.dataset.mimeType || '', visible: node.innerText, text: node.textContent,
             html: node.innerHTML, width: box.width, height: box.height,
             cut: ({CUT})(node), active: ({ACTIVE})(node), mute: ({MUTE})(node)}}
}})"""

# Each field of each tree of a cell is chosen in turn, by the keys that a reader has, so that all that is said of it is
# seen: what has been said, and what in it does something.
CHOOSE = f"""number => {{
    const said = [], active = [];
    for (const tree of {PANEL}.content.widgets[number].node.querySelectorAll('[role=tree]')) {{
        const pane = tree.closest('.wsedu-pane');
        const press = key => tree.dispatchEvent(new KeyboardEvent('keydown', {{key, bubbles: true, cancelable: true}}));
        press('Home');
        for (let before = null; ; press('ArrowDown')) {{
            press('ArrowRight');
            const now = pane.querySelector('.wsedu-said').innerText;
            if (now === before) break;
            said.push(before = now);
            active.push(...({ACTIVE})(pane));
        }}
    }}
    return {{said, active}};
}}"""

THEME = "theme => document.body.dataset.jpThemeLight === String(theme === 'light')"

# Lab's own frame and the colours that it gives to stderr and tracebacks are not ours to judge. Lab's <body> is 0 pixels
# high, and axe-core takes all in it for invisible and judges no contrast, unless it is given a height.
AXE = """() => { document.body.style.height = '100vh'; return axe.run({include:
    [['.jp-NotebookPanel .jp-OutputArea-output:not([data-mime-type="application/vnd.jupyter.stderr"])']]
}, {resultTypes: ['violations']}) }"""

OVERLAP = 60  # CSS pixels that one screenful shares with the next

# Lab scrolls by itself too, late, as to the cell that was run last: go there until it lets the page be.
SCROLL = """async (node, top) => {
    const end = () => node.scrollHeight - node.clientHeight;
    let still = 0;
    for (let frames = 0; still < 3 && frames < 600; frames++) {
        const away = Math.abs(node.scrollTop - Math.min(top, end())) > 1;
        if (away) node.scrollTop = top;
        still = away ? 0 : still + 1;
        await new Promise(requestAnimationFrame);
    }
    return still < 3 ? 'elsewhere' : top >= end() - 1 ? 'end' : 'there';
}"""

SCROLLER = ".jp-NotebookPanel:visible .jp-WindowedPanel-outer"


@dataclass(frozen=True)
class Output:
    """One output, or a cell of prose, as it stands on the page."""

    # Index of the cell in the notebook, prose counted.
    cell: int
    # The form that Lab chose to show, as in "text/html".
    mime: str
    # The text that can be seen.
    visible: str
    # All text, also what is folded away.
    text: str
    # The elements, after Lab has taken out what it does not trust.
    html: str
    width: float
    height: float
    # CSS pixels that are out of sight, where no box of the output's own scrolls.
    cut: float
    # Elements that do something, such as scripts, or that have handlers.
    active: list[str]
    # Pictures that are not there, or have no alternative text.
    mute: list[str]

    @property
    def faults(self) -> list[str]:
        """What keeps somebody from reading it, a line each."""
        lines = [f"cell {self.cell}: {self.cut:.0f} pixels cut off"] if self.cut > 1 else []
        return lines + [f"cell {self.cell}: a picture without a word: {image}" for image in self.mute]


class NotebookPage(PageMonitor):
    """A notebook open in Lab, its kernel idle."""

    def __init__(self, page: Page, name: str, origin: str) -> None:
        super().__init__(page, origin)
        self.page, self.name, self._url = page, name, origin

    @property
    def cells(self) -> list[dict[str, Any]]:
        """The cells as Lab holds them now, in the notebook format."""
        return list(self.page.evaluate(f"() => {PANEL}.content.model.toJSON().cells"))

    def run_all(self) -> list[str]:
        """Run all cells and wait until the kernel is idle again.

        Returns:
            What went wrong, a line each: the error outputs, or the cells that had not ended when `LIMIT` came.
            Empty if all is well.
        """
        from playwright.sync_api import TimeoutError as Late

        self.page.evaluate(RUN_ALL)
        with suppress(Late):
            self.page.wait_for_function("() => window.ranAll")
            self.page.wait_for_function(IDLE)
        return list(self.page.evaluate(ERRORS))

    def trust(self) -> None:
        """Trust the notebook as it is stored, and read it again, as one who opens it next time."""
        cookies = self.page.context.cookies()
        headers = {"X-XSRFToken": next(c["value"] for c in cookies if c["name"] == "_xsrf")}
        url = f"{self._url}/api/contents/{quote(self.name)}/trust"
        assert self.page.request.post(url, headers=headers).ok
        self.page.evaluate(f"() => {PANEL}.context.revert()")

    def show_cell(self, number: int) -> None:
        """Scroll until the cell stands at the top of the view, and is drawn."""
        self.page.evaluate(SHOW_CELL, number)

    def outputs(self) -> list[Output]:
        """Go to each cell with outputs, as one who scrolls, and read what is shown."""
        return self._read(".jp-OutputArea-output", lambda cell: bool(cell.get("outputs")))

    def prose(self) -> list[Output]:
        """Go to each cell of prose, and read it."""
        return self._read(".jp-MarkdownOutput", lambda cell: bool(cell["cell_type"] == "markdown"))

    def faults(self) -> list[str]:
        """What keeps somebody from reading the notebook, a line each."""
        return [fault for output in (*self.outputs(), *self.prose()) for fault in output.faults]

    def _read(self, selector: str, is_read: Callable[[dict[str, Any]], bool]) -> list[Output]:
        found = []
        for number in (number for number, cell in enumerate(self.cells) if is_read(cell)):
            self.show_cell(number)
            found += [Output(**output) for output in self.page.evaluate(OUTPUTS, [number, selector])]
        return found

    def choose_all(self, cell: int) -> tuple[list[str], list[str]]:
        """Choose each field of each byte map in a cell. Returns what was said of them, and what does something."""
        self.show_cell(cell)
        found = self.page.evaluate(CHOOSE, cell)
        return found["said"], found["active"]

    def look(self, theme: Theme, width: int) -> None:
        """Change to another theme, and to a window that is `width` CSS pixels wide."""
        self.page.set_viewport_size(_window(width))
        self.page.emulate_media(color_scheme=theme)
        self.page.wait_for_function(THEME, arg=theme)

    def screens(self) -> Iterator[int]:
        """Scroll from the top to the end; each time a screenful stands there, its number is given."""
        scroller = self.page.locator(SCROLLER)
        height = int(scroller.evaluate("node => node.clientHeight"))
        for number in count():
            where = scroller.evaluate(SCROLL, number * (height - OVERLAP))
            yield number
            if where == "end":
                return
            assert where == "there", f"screen {number} is not where it should be"

    def photograph(self, folder: Path, name: str) -> None:
        """Write each screenful to `folder` as NAME-00.png, NAME-01.png, ..."""
        for number in self.screens():
            self.page.screenshot(path=folder / f"{name}-{number:02}.png")

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

    def __init__(self, browser: Browser, application: Application, origin: str, token: str, scale: float) -> None:
        # One for all, so that Lab's own scripts are fetched once.
        self._context = browser.new_context(device_scale_factor=scale)
        self._context.set_default_timeout(LIMIT)
        self._application, self._origin, self._token = application, origin, token
        self.on_site = not token

    @contextmanager
    def open(self, path: str, *, theme: Theme = "light", width: int = WIDTH) -> Iterator[NotebookPage]:
        """Open a notebook and wait for its kernel.

        Args:
            path: from the folder that Lab was started with.
            width: of the window, in CSS pixels.
        """
        page = self._context.new_page()
        page.set_viewport_size(_window(width))
        page.emulate_media(color_scheme=theme)
        try:
            notebook = NotebookPage(page, path, self._origin)
            # A workspace of its own, so that Lab does not bring back what another page had open.
            lab = f"lab/workspaces/{secrets.token_hex(4)}/tree"
            place = lab if self._application == "jupyterlab" else "notebooks"
            url = f"{place}/{quote(path)}?token={self._token}"
            if self.on_site:
                url = f"lab/index.html?path={quote(path)}"
            page.goto(f"{self._origin}/{url}", wait_until="commit")
            page.locator(".jp-NotebookPanel:visible").wait_for()
            page.wait_for_function(IDLE)
            page.evaluate("() => jupyterapp.shell.collapseLeft()")
            yield notebook
            page.evaluate(f"() => {PANEL}.sessionContext.shutdown()")
        finally:
            page.close()


def _window(width: int) -> ViewportSize:
    return {"width": width, "height": HEIGHTS.get(width, HEIGHT)}


def write_notebook(path: Path, sources: Iterable[str], prose: Iterable[str] = ()) -> None:
    """A notebook of code cells that nobody has run, and after them cells of prose."""
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    not_run: Any = {"outputs": [], "execution_count": None}
    code = [{"cell_type": "code", "source": one.strip(), **not_run} for one in sources]
    texts = [{"cell_type": "markdown", "source": text} for text in prose]
    cells = [{"id": f"c{number}", "metadata": {}, **cell} for number, cell in enumerate([*code, *texts])]
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    notebook = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(notebook), encoding="utf-8")


@contextmanager
def lab_browser(root: Path, application: Application = "jupyterlab", scale: float = 1) -> Iterator[LabBrowser]:
    """Start JupyterLab or Notebook 7 in `root`, and a Chromium beside it. Without Chromium: see `chromium_path`.

    Where $WSEDU_SITE names the folder of the site that `make site` builds, the site stands in the place of Lab: its
    kernel is Python in the page.

    `scale`: pixels of a picture for each CSS pixel.
    """
    with chromium() as browser, ExitStack() as running:
        if site := os.environ.get("WSEDU_SITE"):
            origin, token = running.enter_context(site_as_lab(Path(site).resolve(), root)), ""
        else:
            origin, token = running.enter_context(lab_server(root, application))
        yield LabBrowser(browser, application, origin, token, scale)
