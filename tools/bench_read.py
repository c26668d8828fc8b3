# SPDX-License-Identifier: GPL-2.0-or-later
"""``read()`` and ``messages()`` beside tshark, what a message costs as files grow, and what an import costs."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench_row import Row, fastest, megabytes, micro, milli, python, rate, row, run

TIMED = """
import sys, time, wsedu
wsedu.read, wsedu.messages  # loaded now, so that reading is measured and not importing
begin = time.process_time()
{}
print(time.process_time() - begin)
"""
# Both keep every payload: ours in the list of messages, tshark's in the text that it writes.
READ = "messages = [each for one in wsedu.read(sys.argv[1]).conversations for each in one.messages]"
READ_SCRIPT = TIMED.format(READ)
FRAMES_SCRIPT = TIMED.format(f"{READ}\nfor each in messages: each.frame")
ITERATE_SCRIPT = TIMED.format("for message in wsedu.messages(sys.argv[1]): message.payload")
LARGE_SCRIPT = """
import resource, sys, wsedu
wsedu.read
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
wsedu.read(sys.argv[1])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
IMPORT_SCRIPT = """
import sys, time
begin = time.process_time()
__import__(sys.argv[1])
print(time.process_time() - begin)
"""
TSHARK = "-Y", "websocket", "-T", "fields", "-e", "frame.time_epoch", "-e", "websocket.opcode"
LARGE = 256 << 20  # bytes


def read_rows() -> Iterator[Row]:
    """Rows of the table; the captures are made for it, in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "capture.pcap")
        for count, size, together in ((100_000, 64, 1), (100_000, 64, 20), (2_000, 65_536, 1)):
            _write(path, count, size, together)
            yield from _beside_tshark(path, count, size, together)
        _write(path, 100_000, 64, of="compressed")
        yield from _beside_tshark(path, 100_000, 64, 1, "compressed, inflated by both, ")
        for count in (1_000, 10_000, 100_000, 1_000_000):
            _write(path, count, 64)
            kept, iterated = fastest(python(READ_SCRIPT, path), python(ITERATE_SCRIPT, path))
            memory = f"{megabytes(kept.memory)} / {megabytes(iterated.memory)}"
            each = f"{micro(kept.figure / count)} / {micro(iterated.figure / count)}"
            yield Row(f"{count:,} messages: read() / messages(), each", each, memory=memory)
        _write(path, 1, LARGE)
        peak = run(*python(LARGE_SCRIPT, path)).figure * 1024
        yield Row("read() one masked message of 256 MiB, memory", f"{peak / LARGE:.2f} times its size")


def import_rows() -> Iterator[Row]:
    """The import of the package beside that of a WebSocket client."""
    names = "wsedu", "websockets.asyncio.client"
    ours, peer = fastest(*(python(IMPORT_SCRIPT, name) for name in names))
    yield row("import wsedu", ours.figure, names[1], peer.figure, milli)


def _write(path: Path, *how: int, of: str = "plain") -> None:
    # In another process: Linux counts the peak of this one into that of every program it starts.
    run(sys.executable, str(Path(__file__).with_name("bench_files.py")), of, str(path), *map(str, how))


def _beside_tshark(path: Path, count: int, size: int, together: int, are: str = "") -> Iterator[Row]:
    what = f"read() {count:,} messages, {are}of {size:,} bytes" + (f", {together} a write" if together > 1 else "")
    commands = [python(READ_SCRIPT, path), python(FRAMES_SCRIPT, path)]
    if here := shutil.which("tshark") is not None:
        commands.append(("tshark", "-r", str(path), *TSHARK, "-e", "websocket.payload.text"))
    ours, frames, *peers = fastest(*commands)
    if not here:
        yield Row(what, rate(ours.figure / count), "tshark is not here", memory=megabytes(ours.memory))
    for peer in peers:
        memory = f"{megabytes(ours.memory)} / {megabytes(peer.memory)} ({ours.memory / peer.memory:.2f})"
        yield row(what, ours.figure / count, "tshark", peer.seconds / count, rate, memory)
        whole = "  both as whole programs, start and end included"
        yield row(whole, ours.seconds, "tshark", peer.seconds, milli)
    yield row("  and their .frame", frames.figure / count, "read() alone", ours.figure / count, rate)
