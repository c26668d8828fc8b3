# SPDX-License-Identifier: GPL-2.0-or-later
"""How long a knob takes: the frame builder and the byte map in a real kernel, beside a bare HTML widget."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from statistics import median

from bench_row import Row, times
from jupyter_client.manager import start_new_kernel

CHANGES = 40
SETUP = """
import ipywidgets, time, wsedu
from wsedu.lab import frame_builder
builder, bare = frame_builder(), ipywidgets.HTML()
"""


def show_rows() -> Iterator[Row]:
    """Rows of the table."""
    manager, client = start_new_kernel(stderr=subprocess.DEVNULL)

    def execute(code: str) -> float:
        begin = time.perf_counter()
        client.execute_interactive(code, timeout=60, output_hook=lambda message: None)
        return time.perf_counter() - begin

    try:
        execute(SETUP)
        bare = _median(execute, "bare.value = '<p>{}</p>'")
        for size in (5, 125, 1_024, 4_096):
            execute(f"builder.payload.value = 'x' * {size}")
            ours = _median(execute, f"builder.payload.value = '{{:0>{size}}}'")
            yield Row(
                f"frame builder, {size:,} bytes of payload: a change",
                f"{ours * 1000:.1f} ms",
                f"a bare HTML widget {bare * 1000:.1f} ms",
                times(bare / ours),
            )
        large = _median(execute, "wsedu.touch(wsedu.Frame(2, bytes(65_536 - {})))")
        yield Row("byte map to touch, 64 KiB: to make one", f"{large * 1000:.1f} ms")
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def _median(execute: Callable[[str], float], code: str) -> float:
    """Seconds from sending the code to the kernel until it is idle again, the median of many."""
    return median(execute(code.format(number)) for number in range(CHANGES))
