# SPDX-License-Identifier: GPL-2.0-or-later
"""Every notebook in JupyterLab, in a real browser: opened as in a fresh clone, trusted, run, and looked at.

The same on the site, where $WSEDU_SITE names it (``make test-site``).

One notebook alone: ``pytest tests/test_browser.py -k 05``. Pictures of every screenful go to $WSEDU_SCREENSHOTS, or
to pytest's temporary folder; ``make shots`` takes them all.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import reading
from lab_browser import LabBrowser, NotebookPage, axe_core, lab_browser, screenshots, write_notebook

# What these tests must see when it happens: an error, a script that ran, a request to another host.
BROKEN_CELLS = (
    "from IPython.display import HTML\nHTML('<img src=x onerror=\"window.pwned=1\">')",
    'HTML(\'<img src="http://192.0.2.1/picture.png" alt="a picture">\')',
    "HTML('<img src=x alt=x onerror=\"console.error(\\'broken on purpose\\')\">')",
    "print('<b>bold</b>')",
    "HTML('<p style=\"color:#ccc;background:#fff\">pale</p>')",
    "HTML('<p style=\"width:3000px;background:#fff;color:#000\">wide</p>')",
    "HTML('<p style=\"height:9px;overflow:hidden;background:#fff;color:#000\">high</p>')",
    'HTML(\'<div style="overflow:auto"><p style="width:3000px;background:#fff;color:#000">scrolls</p></div>\')',
    "1 / 0",
)
BROKEN_PROSE = (
    '<img src="data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA=">',
    '<div style="width:3000px">wide</div>',
    "All is well.",
)

LOOKS = [(theme, width) for theme in ("light", "dark") for width in (1366, 1280, 600)]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabBrowser]:
    root = tmp_path_factory.mktemp("clone")
    reading.clone(root)
    write_notebook(root / "notebooks/broken.ipynb", BROKEN_CELLS, BROKEN_PROSE)
    with lab_browser(root) as browser:
        yield browser


@pytest.fixture(scope="module")
def opened(lab: LabBrowser, request: pytest.FixtureRequest) -> Iterator[NotebookPage]:
    """A notebook, opened once for all tests of it: first those that look, then the one that runs it."""
    with lab.open(f"notebooks/{request.param}.ipynb") as notebook:
        yield notebook


@pytest.fixture(scope="module")
def ran(opened: NotebookPage) -> NotebookPage:
    """A notebook, run once for all looks at it."""
    assert opened.run_all() == []
    return opened


each_notebook = pytest.mark.parametrize("opened", reading.EACH_NOTEBOOK, indirect=True)


@each_notebook
def test_a_fresh_clone_reads_well(opened: NotebookPage) -> None:
    trusted = [cell["metadata"].get("trusted") for cell in opened.cells]
    assert not any(trusted), "this must be the first look at the notebook"
    reading.assert_stored_outputs_read_well(opened)
    assert [fault for prose in opened.prose() for fault in prose.faults] == []


@pytest.mark.slow  # to run it trusts it too
@each_notebook
def test_it_reads_well_when_it_is_trusted(lab: LabBrowser, opened: NotebookPage) -> None:
    if lab.on_site:
        pytest.skip("a file server keeps no list of notebooks that are trusted")
    opened.trust()
    code = [cell for cell in opened.cells if cell["cell_type"] == "code"]
    assert all(cell["metadata"].get("trusted") for cell in code)
    reading.assert_stored_outputs_read_well(opened)


@each_notebook
def test_it_runs_to_the_end(opened: NotebookPage) -> None:
    reading.assert_runs_well(opened)


@pytest.mark.slow  # test_show_outside.py feeds every view with the same
def test_captured_html_is_shown_as_text(lab: LabBrowser) -> None:
    with lab.open("notebooks/hostile.ipynb") as notebook:
        reading.assert_hostile_is_text(notebook)
        outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    # As a terminal would get it.
    stored = "".join("".join(one.get("text") or one.get("data", {}).get("text/plain", "")) for one in outputs)
    assert "pwned" in stored
    assert {c for c in stored if not c.isprintable()} <= {"\n"}, "a control character got through"


@pytest.mark.slow
def test_what_is_broken_is_seen(lab: LabBrowser) -> None:
    """The tests above are worth what this one shows: each thing that they look for is found when it is there."""
    with lab.open("notebooks/broken.ipynb") as notebook:
        errors = notebook.run_all()
        outputs = notebook.outputs()
        notebook.page.wait_for_function("() => window.pwned === 1")
        findings = notebook.axe(axe_core())
        prose = [text.cell - len(BROKEN_CELLS) for text in notebook.prose() if text.faults]
    (error,) = errors
    assert error.startswith(f"cell {len(BROKEN_CELLS) - 1}: ") and "ZeroDivisionError" in error
    assert "http://192.0.2.1/picture.png" in notebook.foreign_requests
    assert "broken on purpose" in notebook.console_errors
    assert [one.cell for one in outputs if one.active] == [one.cell for one in outputs if one.mute] == [0, 1, 2]
    assert [one.cell for one in outputs if one.cut > 1] == [5, 6]
    assert prose == [0, 1]
    assert len(findings) == 1 and findings[0].startswith("color-contrast") and "pale" in findings[0]


@pytest.mark.slow
@each_notebook
@pytest.mark.parametrize(("theme", "width"), LOOKS)
def test_everyone_can_read_it(ran: NotebookPage, theme: Any, width: int, tmp_path: Path) -> None:
    """axe-core finds nothing in any output, contrast included, and nothing is wider than the page."""
    ran.look(theme, width)
    ran.photograph(screenshots(tmp_path), f"{Path(ran.name).stem}-{theme}-{width}")
    assert ran.faults() == []
    assert ran.axe(axe_core()) == []
