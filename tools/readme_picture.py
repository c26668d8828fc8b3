# SPDX-License-Identifier: GPL-2.0-or-later
"""Take the README's picture again: an output of notebook 08, as JupyterLab shows it in a real Chromium.

PYTHONPATH=tests python tools/readme_picture.py
"""

from __future__ import annotations

from pathlib import Path

from lab_browser import lab_browser

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOK = "notebooks/08-http-and-websocket-byte-under-byte.ipynb"
PICTURE = ROOT / "docs" / "one-update-twice.png"
CALL = "compare([question"  # how the cell's source begins
WIDTH = 1180  # CSS pixels of the window


def main() -> None:
    """Write the picture."""
    with lab_browser(ROOT) as lab, lab.open(NOTEBOOK, width=WIDTH) as notebook:
        sources = ["".join(cell["source"]) for cell in notebook.cells]
        number = next(number for number, source in enumerate(sources) if source.startswith(CALL))
        notebook.show_cell(number)
        cell = notebook.page.locator(".jp-Notebook .jp-Cell:visible").filter(has_text=CALL)
        output = cell.locator(".jp-OutputArea-output").first
        PICTURE.parent.mkdir(exist_ok=True)
        output.screenshot(path=PICTURE, style=".jp-InputArea { visibility: hidden }")
    print(f"{PICTURE.relative_to(ROOT)}: {PICTURE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
