# SPDX-License-Identifier: GPL-2.0-or-later
"""What ``import wsedu`` costs, beside the import of a WebSocket client."""

from __future__ import annotations

from collections.abc import Iterator

from bench_row import Row, python, times

RUNS = 15
IMPORT = """
import sys, time
begin = time.perf_counter()
__import__(sys.argv[1])
print(time.perf_counter() - begin)
"""


def import_rows() -> Iterator[Row]:
    """Rows of the table: each in fresh processes, in turn, the fastest counts."""
    names = "wsedu", "websockets.asyncio.client"
    ours, peer = (
        min(figures)
        for figures in zip(
            *([python(IMPORT, name).figure for name in names] for _ in range(RUNS)), strict=True
        )
    )
    yield Row(
        "import wsedu",
        f"{ours * 1000:.1f} ms",
        f"{names[1]} {peer * 1000:.1f} ms",
        times(peer / ours),
    )
