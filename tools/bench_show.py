# SPDX-License-Identifier: GPL-2.0-or-later
"""How long a knob takes in a real kernel, from a change to the new view, beside an update of a bare HTML widget."""

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
from types import SimpleNamespace
from wsedu.lab import cost_slider, frame_builder
builder, bare, slider = frame_builder(), ipywidgets.HTML(), cost_slider()
text = wsedu.Frame(1, b"Hello")
message = SimpleNamespace(kind="frame", sender="client", time=0.0, raw=text.serialize(), frame=text, spans=text.spans,
                          packets=())
many = SimpleNamespace(messages=[message] * 10_000)
"""
# A change of each knob, and what it is called.
KNOBS = {
    **{f"builder.payload.value = '{{:0>{size}}}'": f"frame builder, {size:,} bytes of payload: a change"
       for size in (5, 125, 1_024, 4_096)},
    "slider.rate.index = {} % 10": "cost slider: a change",
}  # fmt: skip
MADE = {
    "wsedu.touch(wsedu.Frame(2, bytes(65_536 - {})))": "byte map to touch, 64 KiB: to make one",
    "wsedu.touch(many), {}": "ladder to touch, 10,000 messages: to make one",
}


def show_rows() -> Iterator[Row]:
    """Rows of the table: ours is the time within the kernel, and beside it a round trip through it."""
    manager, client = start_new_kernel(stderr=subprocess.DEVNULL)

    def execute(code: str) -> str:
        said: list[str] = []
        client.execute_interactive(
            code, timeout=60, output_hook=lambda message: said.append(message["content"].get("text", ""))
        )
        return "".join(said)

    def within(code: str) -> float:
        """Seconds that the code takes in the kernel, what it sends to the page included; the median of many."""
        timed = "begin = time.perf_counter(); {}; print(time.perf_counter() - begin)"
        return median(float(execute(timed.format(code.format(number)))) for number in range(CHANGES))

    try:
        execute(SETUP)
        bare = median(_round_trip(execute, f"bare.value = '<p>{number}</p>'") for number in range(CHANGES))
        for change, what in KNOBS.items():
            execute(change.format(CHANGES))
            ours = within(change)
            peer = f"round trip of a bare HTML widget {bare * 1000:.1f} ms"
            yield Row(f"{what}, within the kernel", f"{ours * 1000:.1f} ms", peer, times(bare / ours))
        for make, what in MADE.items():
            yield Row(f"{what}, within the kernel", f"{within(make) * 1000:.1f} ms")
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def _round_trip(execute: Callable[[str], str], code: str) -> float:
    """Seconds from sending the code to the kernel until it is idle again."""
    begin = time.perf_counter()
    execute(code)
    return time.perf_counter() - begin
