# SPDX-License-Identifier: GPL-2.0-or-later
"""``read()`` and ``messages()`` beside tshark; and what a message costs as files grow."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench_row import Row, Run, megabytes, python, run, times

RUNS = 3

# Both keep every payload: ours in the list of messages, tshark's in the text that it writes.
READ = """
import sys, time
import wsedu
wsedu.read  # loaded now, so that reading is measured and not importing
begin = time.perf_counter()
capture = wsedu.read(sys.argv[1])
seconds = time.perf_counter() - begin
print(sum(len(message.payload) for one in capture.conversations for message in one.messages), seconds)
"""
ITERATE = """
import sys, time
import wsedu
wsedu.messages
begin = time.perf_counter()
print(sum(len(message.payload) for message in wsedu.messages(sys.argv[1])), time.perf_counter() - begin)
"""
TSHARK = "-Y", "websocket", "-T", "fields", "-e", "frame.time_epoch", "-e", "websocket.opcode"


def read_rows() -> Iterator[Row]:
    """Rows of the table; the captures are made for it, in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        for count, size, together in ((100_000, 64, 1), (100_000, 64, 20), (2_000, 65_536, 1)):
            path = Path(folder, "beside.pcap")
            _write(path, count, size, together)
            yield from _beside_tshark(path, count, size, together)
        for count in (1_000, 10_000, 100_000, 1_000_000):
            path = Path(folder, "growing.pcap")
            _write(path, count, 64)
            yield _growing(path, count)


def _write(path: Path, *how: int) -> None:
    # In another process: Linux counts the peak of this one into that of every program it starts.
    run(sys.executable, str(Path(__file__).with_name("bench_files.py")), str(path), *map(str, how))


def _fastest(script: str, path: Path) -> Run:
    return min((python(script, str(path)) for _ in range(RUNS)), key=lambda one: one.figure)


def _beside_tshark(path: Path, count: int, size: int, together: int) -> Iterator[Row]:
    what = f"read() {count:,} messages of {size:,} bytes" + (f", {together} a write" if together > 1 else "")
    ours = _fastest(READ, path)
    if shutil.which("tshark") is None:
        yield Row(what, f"{count / ours.figure:,.0f} /s", "tshark is not here", "", megabytes(ours.memory))
        return
    command = "tshark", "-r", str(path), *TSHARK, "-e", "websocket.payload.text"
    peer = min((run(*command) for _ in range(RUNS)), key=lambda one: one.seconds)
    memory = f"{megabytes(ours.memory)} / {megabytes(peer.memory)} ({ours.memory / peer.memory:.2f})"
    yield Row(
        what,
        f"{count / ours.figure:,.0f} /s",
        f"tshark {count / peer.seconds:,.0f} /s",
        times(peer.seconds / ours.figure),
        memory,
    )
    yield Row(
        "  both as whole programs, start and end included",
        f"{ours.seconds:.2f} s",
        f"{peer.seconds:.2f} s",
        times(peer.seconds / ours.seconds),
    )


def _growing(path: Path, count: int) -> Row:
    kept, passing = _fastest(READ, path), _fastest(ITERATE, path)
    return Row(
        f"{count:,} messages: read() / messages()",
        f"{kept.figure / count * 1e6:.2f} / {passing.figure / count * 1e6:.2f} µs each",
        memory=f"{megabytes(kept.memory)} / {megabytes(passing.memory)}",
    )
