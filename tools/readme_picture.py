# SPDX-License-Identifier: GPL-2.0-or-later
"""Take the README's pictures again: an output of notebook 08, as JupyterLab shows it in a real Chromium.

PYTHONPATH=tests python tools/readme_picture.py
"""

from pathlib import Path
from typing import get_args

from lab_browser import Theme, lab_browser

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOK = "notebooks/08-http-and-websocket-byte-under-byte.ipynb"
CALL = "compare([question"  # how the cell's source begins
WIDTH = 1120  # CSS pixels of the window
FITS = "node => [...node.querySelectorAll('*')].every(one => one.scrollWidth <= one.clientWidth)"


def main() -> None:
    """Write a picture for each theme, of the output down to the bytes that stand under each other."""
    with lab_browser(ROOT, scale=2) as lab:
        for theme in get_args(Theme):
            picture = ROOT / f"docs/one-update-twice-{theme}.png"
            with lab.open(NOTEBOOK, theme=theme, width=WIDTH) as notebook:
                sources = ["".join(cell["source"]) for cell in notebook.cells]
                notebook.show_cell(next(n for n, source in enumerate(sources) if source.startswith(CALL)))
                cell = notebook.page.locator(".jp-Notebook .jp-Cell:visible").filter(has_text=CALL)
                output = cell.locator(".jp-OutputArea-output").first
                assert output.evaluate(FITS), "something scrolls, and so would be cut off"
                clip, bytes_under_each_other = output.bounding_box(), output.locator("pre").first.bounding_box()
                assert clip and bytes_under_each_other
                clip["height"] = bytes_under_each_other["y"] + bytes_under_each_other["height"] - clip["y"] + 1
                notebook.page.screenshot(path=picture, clip=clip)
            print(f"{picture.relative_to(ROOT)}: {picture.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
