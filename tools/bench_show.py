# SPDX-License-Identifier: GPL-2.0-or-later
"""What a control costs in a real kernel, from a change to the new view, beside an update of a bare HTML widget."""

import subprocess
from collections.abc import Iterator
from statistics import median

from bench_row import Row, milli, row
from jupyter_client.manager import start_new_kernel

CHANGES = 40
SETUP = """
import ipywidgets, time, wsedu
from types import SimpleNamespace
from wsedu.lab import cost_slider
bare, slider = ipywidgets.HTML(), cost_slider()
text = wsedu.Frame(1, b"Hello")
message = SimpleNamespace(kind="frame", sender="client", time=0.0, raw=text.serialize(), frame=text, spans=text.spans,
                          packets=())
many = SimpleNamespace(messages=[message] * 10_000)
"""
CHANGE = "slider.answer('draw', bytes([3, {} % 10, 0, 1, 0]), str)"  # as its page asks
MADE = {
    "wsedu.touch(wsedu.Frame(2, bytes(65_536 - {})))": "byte map to touch, 64 KiB: to make one",
    "wsedu.touch(many), {}": "ladder to touch, 10,000 messages: to make one",
}


def show_rows() -> Iterator[Row]:
    """Rows of the table: CPU time within the kernel."""
    manager, client = start_new_kernel(stderr=subprocess.DEVNULL)

    def execute(code: str) -> str:
        said: list[str] = []
        reply = client.execute_interactive(
            code, timeout=60, output_hook=lambda message: said.append(message["content"].get("text", ""))
        )
        if reply["content"]["status"] != "ok":
            raise RuntimeError(f"{code}: {reply['content'].get('evalue')}")
        return "".join(said)

    def within(code: str) -> float:
        """Seconds that the code takes in the kernel, what it sends to the page included; the median of many."""
        timed = "begin = time.thread_time(); {}; print(time.thread_time() - begin)"
        return median(float(execute(timed.format(code.format(number)))) for number in range(CHANGES))

    try:
        execute(SETUP)
        execute(CHANGE.format(CHANGES))
        ours, bare = within(CHANGE), within("bare.value = '<p>{}</p>'")
        yield row("cost slider: a change", ours, "a bare HTML widget", bare, milli)
        for make, what in MADE.items():
            yield Row(what, milli(within(make)))
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
