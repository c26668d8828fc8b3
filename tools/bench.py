# SPDX-License-Identifier: GPL-2.0-or-later
"""Measure this package beside its peers, in the same run, and print the ratios.

    make bench                            everything, some five minutes
    python tools/bench.py read codec      only these parts

What is measured, the figure of this package, that of the peer, how many times better this one is (below 1: worse), and
the peak memory of both where that says something. Figures are CPU time but for the part "live", whose subject is what
a user waits for.
"""

import argparse
from collections.abc import Callable, Iterator

from bench_codec import codec_rows
from bench_live import live_rows
from bench_read import import_rows, read_rows
from bench_row import Row
from bench_show import show_rows
from bench_site import site_rows

PARTS: dict[str, Callable[[], Iterator[Row]]] = {
    "read": read_rows,
    "import": import_rows,
    "codec": codec_rows,
    "live": live_rows,
    "show": show_rows,
    "site": site_rows,
}
WIDTHS = 52, 22, 34, 8, 25


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Measure this package beside its peers.")
    parser.add_argument("part", nargs="*", choices=[*PARTS, []], help="which (all, if none is named)")
    parts = parser.parse_args().part or PARTS
    _print("what", "ours", "peer", "ratio", "peak memory, ours / peer")
    for part in parts:
        _print(*("-" * width for width in WIDTHS))
        for one in PARTS[part]():
            _print(*one)


def _print(*cells: str) -> None:
    padded = (cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=True))
    print(" ".join(padded).rstrip(), flush=True)


if __name__ == "__main__":
    main()
