# SPDX-License-Identifier: GPL-2.0-or-later
"""On the site an exercise stays solved, as the browser keeps what is written beside a notebook; no loop is endless."""

from pathlib import Path

import pytest
from lab_browser import lab_browser, write_notebook

CELL = """
from wsedu.practice import check, progress
from wsedu.practice.exercise import EXERCISES
print(progress()["04"][0])
check("accept", EXERCISES["accept"].solution)
print(progress()["04"][0])"""

ENDLESS = """
def endless(*arguments):
    while True:
        pass

print(check("accept", endless).words.partition(":")[0])"""
STOPPED = "your function was still at work in line 3 of your cell after 3 seconds, and was stopped"


@pytest.mark.site
def test_what_is_solved_is_solved_when_the_page_is_opened_again(tmp_path: Path) -> None:
    (tmp_path / "notebooks").mkdir()
    write_notebook(tmp_path / "notebooks/exercise.ipynb", [CELL, ENDLESS])
    said = []
    with lab_browser(tmp_path) as browser:
        for _ in range(2):  # in a new page, with a new kernel
            with browser.open("notebooks/exercise.ipynb") as notebook:
                assert notebook.run_all() == []
                texts = [one["text"] for cell in notebook.cells for one in cell["outputs"] if "text" in one]
                said.append("".join(map("".join, texts)).splitlines())
                assert notebook.foreign_requests == []
    assert said == [["0", "1", STOPPED], ["1", "1", STOPPED]]
