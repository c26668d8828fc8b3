# SPDX-License-Identifier: GPL-2.0-or-later
"""The static site: every notebook runs in a tab, cell by cell as stored, but for what tools/site_cells.toml lists."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from configparser import ConfigParser
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import site_aead
from build_site import CELLS, LATER, NOTEBOOKS, PINNED, stored_runs
from chromium import PageMonitor, chromium
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from programs import ROOT
from site_server import AT, site_server
from test_binder import CONSTRAINTS, DEPENDENCIES, PINS

if TYPE_CHECKING:
    from playwright.sync_api import Page

SITE = ROOT / "site"
LISTED: dict[str, Any] = tomllib.loads(CELLS.read_text())
MB = 10**6
LIMIT = 240_000  # milliseconds, far beyond what any cell takes

PANEL = "jupyterapp.shell.currentWidget"
IDLE = "() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
# One cell after the other, each to its end, whatever the last one did; those of some ids with a comment behind them.
RUN = f"""async changed => {{
    const panel = {PANEL}, cells = panel.content.model.cells;
    for (let i = 0; i < cells.length; i++) {{
        const cell = cells.get(i).sharedModel;
        if (cell.cell_type !== 'code' || changed && !changed.includes(cell.id)) continue;
        if (changed) cell.setSource(cell.source + '  # changed');
        panel.content.activeCellIndex = i;
        await jupyterapp.commands.execute('notebook:run-cell');
    }}
    return panel.content.model.toJSON().cells;
}}"""


def _sanitized() -> Any:
    config = ConfigParser(interpolation=None)
    config.read(ROOT / "tests/nbval-sanitize.cfg")
    rules = [(re.compile(config[name]["regex"]), config[name]["replace"]) for name in config.sections()]

    def sanitize(text: str) -> str:
        for pattern, by in rules:
            text = pattern.sub(by, text)
        return text

    return sanitize


SANITIZE = _sanitized()


def shown(outputs: list[dict[str, Any]]) -> list[Any]:
    """What of a cell's outputs nbval compares: streams put together, data but for pictures, names of errors."""
    said: dict[str, str] = {}
    found: list[Any] = []
    for output in outputs:
        if output["output_type"] == "stream":
            said[output["name"]] = said.get(output["name"], "") + "".join(output["text"])
        elif output["output_type"] == "error":
            found.append([output["ename"].rpartition(".")[2].strip("'>"), SANITIZE(output["evalue"])])
        else:
            data = {kind: text for kind, text in output["data"].items() if not kind.startswith(UNSTORED)}
            found += [{kind: SANITIZE("".join(text)) for kind, text in data.items()}] if data else []
    return [*found, {name: SANITIZE(text).replace("\r\n", "\n") for name, text in said.items()}]


# What nbval does not look at, and what notebooks do not store. (Lab itself drops a \r before a \n, wherever it runs.)
UNSTORED = "image/", "application/vnd.jupyter.widget-view"


class Ran(NamedTuple):
    """A cell of code, as it was stored and as it was run."""

    cell: str
    ignored: bool  # nbval does not look at its outputs
    stored: list[Any]
    now: list[Any]
    failed: bool

    @property
    def is_stored_run(self) -> bool:
        """Whether the site said so, and showed what is stored."""
        return "Not run in this tab" in json.dumps(self.now[:1]) and self.now[1:] == self.stored


def ran(stored: list[dict[str, Any]], now: list[dict[str, Any]]) -> Iterator[Ran]:
    """The code cells, as stored and as run."""
    for before, after in zip(stored, now, strict=True):
        if before["cell_type"] == "code":
            tags = before["metadata"].get("tags", ())
            errors = "error" in {one["output_type"] for one in after["outputs"]}
            failed = errors and "raises-exception" not in tags
            outputs = shown(before["outputs"]), shown(after["outputs"])
            yield Ran(before["id"], "nbval-ignore-output" in tags, *outputs, failed)


def listed(kind: str, notebook: Path) -> dict[str, str]:
    """The cells of a notebook that the list has, and why."""
    return dict(LISTED[kind].get(notebook.stem[:2], {}))


def code(notebook: Path) -> list[dict[str, Any]]:
    """The cells of code, as stored, but for the one that installs things in Colab."""
    cells = [cell for cell in json.loads(notebook.read_text())["cells"] if cell["cell_type"] == "code"]
    return [cell for cell in cells if "colab" not in cell["metadata"].get("tags", ())]


@contextmanager
def opened(notebook: Path) -> Iterator[tuple[Page, PageMonitor, dict[str, int]]]:
    """A notebook of the site in a new Chromium, its kernel idle; and the bytes that came over the wire, by path."""
    with site_server(SITE) as (origin, sent), chromium() as browser:
        page = browser.new_page(viewport={"width": 1366, "height": 768})
        page.set_default_timeout(LIMIT)
        monitor = PageMonitor(page, origin)
        page.goto(f"{origin}/lab/index.html?path=notebooks/{notebook.name}")
        page.wait_for_function(IDLE)
        yield page, monitor, sent


LACKING = "and a browser tab has none$|^name '.+' is not defined$"


@pytest.mark.site
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem[:2])
def test_a_notebook_runs_in_a_tab_as_it_is_stored(notebook: Path) -> None:
    """But for the cells that are listed, which do not."""
    stored, shown_only = json.loads(notebook.read_text())["cells"], listed("not-run", notebook)
    with opened(notebook) as (page, monitor, sent):
        cells = list(ran(stored, page.evaluate(RUN, None)))
        really = list(ran(stored, page.evaluate(RUN, list(shown_only))))
    assert monitor.foreign_requests == [path for path in sent if not path.startswith(AT)] == []
    assert {one.cell for one in cells if one.is_stored_run} == set(shown_only)
    assert [one for one in cells if one.failed] == []
    differ = {one.cell for one in cells if one.now != one.stored and not (one.ignored or one.is_stored_run)}
    assert differ == set(listed("differs", notebook)), [one for one in cells if one.cell in differ]
    # A cell that somebody has changed is run: what is listed cannot run, or says something else.
    changed = [one for one in really if one.cell in shown_only]
    assert [one for one in changed if one.now == one.stored] == []
    # It says what a tab has not, or what the cell above would have made.
    errors = [said[1] for one in changed for said in one.now if isinstance(said, list)]
    assert [said for said in errors if not re.search(LACKING, said)] == []


# The first widget that has something to choose from.
WIDGET = ".jp-OutputArea-output [role=tree]"


@pytest.mark.site
def test_from_the_contents_page_to_a_widget() -> None:
    """A reader looks for something, reads it, and runs it; all of it under the path of the site."""
    with site_server(SITE) as (origin, _), chromium() as browser:
        page = browser.new_page(viewport={"width": 1366, "height": 768})
        page.set_default_timeout(LIMIT)
        monitor = PageMonitor(page, origin)
        page.goto(f"{origin}/")
        page.get_by_label("Search in all pages").fill("eleven bytes by hand")
        page.locator("#results a").first.click()
        page.wait_for_url("**/read/05-anatomy-of-a-frame.html#Our-turn*")
        page.locator(".wsedu-alive [data-at='3']").first.hover()
        assert "payload = Hello" in page.locator(".wsedu-said").first.inner_text()
        page.get_by_role("link", name="Open it running").first.click()
        page.wait_for_function(IDLE)
        page.evaluate(RUN, None)
        page.locator(WIDGET).first.wait_for(state="attached")
        assert monitor.foreign_requests == monitor.console_errors == []


OPEN = "path => void jupyterapp.commands.execute('docmanager:open', {path})"
# What the kernel of the notebook in front says of a name that has been begun.
COMPLETE = f"""async code => {{
    const kernel = {PANEL}.sessionContext.session.kernel;
    const reply = await kernel.requestComplete({{code, cursor_pos: code.length}});
    return reply.content.matches;
}}"""


@pytest.mark.site
def test_kernels_that_come_later_start_like_the_first() -> None:
    """Python runs before the first is asked for; one that is started again, and that of another notebook, do too."""
    first, second = NOTEBOOKS[0], NOTEBOOKS[5]
    with opened(first) as (page, monitor, _):
        page.evaluate(f"() => {PANEL}.sessionContext.session.kernel.restart()")
        page.wait_for_function(IDLE)
        for notebook in first, second:
            page.evaluate(OPEN, f"notebooks/{notebook.name}")
            page.wait_for_function(f"name => {PANEL}?.context?.path.endsWith(name)", arg=notebook.name)
            page.wait_for_function(IDLE)
            cells = list(ran(json.loads(notebook.read_text())["cells"], page.evaluate(RUN, None)))
            assert [one for one in cells if one.failed] == [] and any(one.now for one in cells)
            assert page.evaluate(COMPLETE, "wsedu.byte_")[0].endswith(".byte_map")
        assert monitor.foreign_requests == []


@pytest.mark.site
def test_a_first_visit_is_light_and_so_is_the_site() -> None:
    with opened(NOTEBOOKS[0]) as (page, monitor, sent):
        page.evaluate(RUN, None)
    assert monitor.foreign_requests == [] and not [path for path in sent if "scapy" in path]
    print(f"first visit: {len(sent)} files, {sum(sent.values()) / MB:.1f} MB compressed")
    assert sum(sent.values()) <= 20 * MB
    assert sum(path.stat().st_size for path in SITE.rglob("*") if path.is_file()) <= 60 * MB
    names = {path.relative_to(SITE).as_posix() for path in SITE.rglob("*")}
    data = {path.relative_to(ROOT).as_posix() for path in (ROOT / "data").glob("*.*")}
    pages = {"index.html", "lab/index.html"} | {f"read/{path.stem}.html" for path in NOTEBOOKS}
    assert pages | {f"files/notebooks/{path.name}" for path in NOTEBOOKS} | {f"files/{name}" for name in data} <= names


def test_the_list_leaves_enough_that_runs_and_is_the_same() -> None:
    cells = {path: code(path) for path in NOTEBOOKS}
    for kind, path in product(LISTED, NOTEBOOKS):
        assert set(listed(kind, path)) <= {cell["id"] for cell in cells[path]}, (kind, path.name)
    assert len(stored_runs()) == sum(len(listed("not-run", path)) for path in NOTEBOOKS)
    # Of 00 to 10 at most eleven cells do not run; what the others show is compared.
    first = [(path, cell) for path in NOTEBOOKS[:11] for cell in cells[path]]
    run = [(path, cell) for path, cell in first if cell["id"] not in listed("not-run", path)]
    ignored = sum("nbval-ignore-output" in cell["metadata"].get("tags", ()) for _, cell in run)
    same = len(run) - ignored - sum(len(listed("differs", path)) for path in NOTEBOOKS[:11])
    assert len(run) >= len(first) - 11 and same >= 230


def test_what_the_site_is_made_of_is_pinned() -> None:
    """Exact versions, those of constraints.txt where it has them; and a wheel for whatever the notebooks import."""
    lines = [line for line in PINNED.read_text().splitlines() if line[0] != "#"]
    pins = dict(line.split("==") for line in lines)
    assert lines == sorted(lines) and all(re.fullmatch(r"[\w.]+", version) for version in pins.values())
    assert [line for line in lines if line.partition("==")[0] in {*PINS} and line not in CONSTRAINTS] == []
    build = [line for line in (ROOT / "tools/site-build.txt").read_text().splitlines() if line[0] not in "#-"]
    assert [line for line in build if "==" not in line and line not in PINS] == []
    texts = [path.read_text() for path in (*ROOT.glob("wsedu/**/*.py"), *NOTEBOOKS)]
    imported = {name for text in texts for name in re.findall(r"^[ \"]*(?:import|from) ([a-z]\w+)", text, re.MULTILINE)}
    outside = {"cryptography", "psutil", "trustme"}  # TLS and processes: written in C, and of no use in a tab
    assert imported & (set(DEPENDENCIES) | {"httpx", "tornado"}) - outside <= set(pins)
    assert LATER <= set(pins)


@pytest.mark.parametrize("size", [16, 24, 32])
def test_a_tab_opens_what_cryptography_sealed(size: int) -> None:
    rng = Random(size)
    key, nonce, more = rng.randbytes(size), rng.randbytes(12), rng.randbytes(13)
    for length in 0, 1, 16, 17, 100:
        text = rng.randbytes(length)
        sealed = AESGCM(key).encrypt(nonce, text, more)
        assert site_aead.AESGCM(key).decrypt(nonce, sealed, more) == text
        with pytest.raises(InvalidTag):
            site_aead.AESGCM(key).decrypt(nonce, sealed[:-1] + bytes([sealed[-1] ^ 1]), more)
