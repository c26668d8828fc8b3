# SPDX-License-Identifier: GPL-2.0-or-later
"""Run notebooks from top to bottom in a fresh kernel and store what they print.

    python tools/run_notebooks.py [NOTEBOOK ...]        (without names: all of notebooks/)

Outputs are never written by hand; this is how they come into the files. Cells are numbered 1 to n, times of execution
and widget states are left out, so that running an unchanged notebook again changes only what its cells say may change.
A cell that fails without the tag ``raises-exception`` leaves its notebook untouched and makes the exit status 1.
"""

import argparse
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from notebook_nav import COLAB_TAG

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
ROOT = Path(__file__).resolve().parent.parent


def run(path: Path) -> None:
    """Execute one notebook and store it.

    Raises:
        CellExecutionError, CellTimeoutError, DeadKernelError: the notebook is left as it was.
    """
    notebook = nbformat.read(path, as_version=4)
    # The kernel starts in the notebook's own folder, as it does in JupyterLab and under nbval.
    client = NotebookClient(
        notebook,
        timeout=120,
        kernel_name="python3",
        skip_cells_with_tag=COLAB_TAG,  # nothing to be stored, and the first cell that is seen is number 1
        coalesce_streams=True,  # what was printed in two pieces is shown as one
        resources={"metadata": {"path": path.parent}},
    )
    client.execute()
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    notebook.metadata = nbformat.from_dict({"kernelspec": kernel, "language_info": {"name": "python"}})
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            # A stored view reads "model not found" when the notebook is opened without a kernel.
            output.get("data", {}).pop(WIDGET_VIEW, None)
    nbformat.write(notebook, path)


def main() -> int:
    """The command line; gives the exit status."""
    parser = argparse.ArgumentParser(description="Run notebooks and store what they print.")
    parser.add_argument("notebooks", nargs="*", type=Path, metavar="NOTEBOOK")
    paths = parser.parse_args().notebooks or sorted((ROOT / "notebooks").glob("*.ipynb"))
    failed = False
    for path in paths:
        try:
            run(path)
            print(f"{path.name}: run and stored")
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            failed = True
            print(f"{path.name}: not stored\n{error}", file=sys.stderr)
    return failed


if __name__ == "__main__":
    sys.exit(main())
