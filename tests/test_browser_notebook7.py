# SPDX-License-Identifier: GPL-2.0-or-later
"""Every notebook in Notebook 7, which many classrooms have instead of JupyterLab, in a real browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from lab_browser import LabBrowser, lab_browser, screenshots, write_notebook
from reading import NOTEBOOKS, assert_hostile_is_text, assert_runs_well, assert_stored_outputs_read_well, clone

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def notebook7(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabBrowser]:
    root = tmp_path_factory.mktemp("clone")
    clone(root)
    write_notebook(root / "empty.ipynb", [])
    with lab_browser(root, "notebook") as browser:
        yield browser


@pytest.fixture(scope="module")
def usual(notebook7: LabBrowser) -> list[str]:
    """What Notebook 7 complains of by itself: 7.6.5 misses the schema of a setting of its own."""
    with notebook7.open("empty.ipynb") as notebook:
        return notebook.console_errors


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_it_reads_and_runs_well(notebook7: LabBrowser, usual: list[str], name: str, tmp_path: Path) -> None:
    with notebook7.open(f"notebooks/{name}.ipynb") as notebook:
        assert notebook.page.evaluate("() => jupyterapp.name") == "Jupyter Notebook"
        assert_stored_outputs_read_well(notebook)
        assert_runs_well(notebook, usual)
        for width in (1366, 600):
            notebook.look("light", width)
            notebook.photograph(screenshots(tmp_path), f"{name}-notebook7-{width}")
            assert notebook.faults() == []


def test_captured_html_is_shown_as_text(notebook7: LabBrowser, usual: list[str]) -> None:
    with notebook7.open("notebooks/hostile.ipynb") as notebook:
        assert_hostile_is_text(notebook, usual)
