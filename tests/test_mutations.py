# SPDX-License-Identifier: GPL-2.0-or-later
"""Breaking the product turns the notebooks red: the stored outputs hold it, byte by byte."""

import os
import random
import shutil
from pathlib import Path

import pytest
from by_hand import packets_in, tcp_packets
from programs import ROOT, nbval

REQUEST = "01-one-request-one-response"
FRAME, COMPARED = "05-anatomy-of-a-frame", "08-http-and-websocket-byte-under-byte"

# Which notebook holds every byte of which capture in its outputs.
READ = {f"chromium-{way}": COMPARED for way in ("polling", "longpoll", "eventsource", "websocket")}
READ |= {"http-408": REQUEST}
LEFT_OUT = shutil.ignore_patterns("__pycache__", ".*")
slow = pytest.mark.slow


def _nbval(copy: Path, notebook: str, red: int = 1) -> tuple[int, str]:
    """Run a notebook of the copy up to its first red cell, or until so many are, with the copy's own package.

    Returns the exit status and what was said.
    """
    path = f"notebooks/{notebook}.ipynb"
    done = nbval(copy, f"--maxfail={red}", path, env=dict(os.environ, PYTHONPATH=f"{copy}:{ROOT}/tests/quicker"))
    return done.returncode, done.stdout


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The package, the notebooks and the captures, to be broken; files of a read-only clone can be written here."""
    for name in ("wsedu", "notebooks", "data"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=LEFT_OUT, copy_function=shutil.copyfile)
    (tmp_path / "tests").mkdir()
    shutil.copy(ROOT / "tests/nbval-sanitize.cfg", tmp_path / "tests")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


@slow
@pytest.mark.parametrize("notebook", [REQUEST, FRAME, COMPARED])
def test_unbroken_it_is_green(copy: Path, notebook: str) -> None:
    status, said = _nbval(copy, notebook)
    assert status == 0, said


# Two bytes change places, and a span is dropped.
FAULTS = [
    ("frames", "bytes((first, second))", "bytes((second, first))"),
    pytest.param("frame_spans", "spans + _payload", "spans[:-1] + _payload", marks=slow),
]


@pytest.mark.parametrize(("module", "old", "new"), FAULTS)
def test_a_fault_in_the_package(copy: Path, module: str, old: str, new: str) -> None:
    path = copy / f"wsedu/protocol/{module}.py"
    source = path.read_text()
    assert source.count(old) == 1
    path.write_text(source.replace(old, new))
    assert _nbval(copy, FRAME)[0] == 1


def _carried(data: bytes) -> list[int]:
    """Where in a pcap file the bytes stand that TCP carried: HTTP and WebSocket, no header below them."""
    packets = tcp_packets(packets_in(data))
    ends = [data.index(packet.frame) + len(packet.frame) for packet in packets]
    return [at for end, one in zip(ends, packets, strict=True) for at in range(end - len(one.payload), end)]


def test_what_is_carried_begins_with_a_request_and_ends_with_a_close_frame() -> None:
    data = (ROOT / "data/chromium-websocket.pcap").read_bytes()
    carried = bytes(data[place] for place in _carried(data))
    assert carried.startswith(b"GET /websocket HTTP/1.1\r\n") and carried.endswith(b"\x88\x02\x03\xe8")


@slow
@pytest.mark.parametrize("third", range(3))
@pytest.mark.parametrize("name", READ)
def test_a_captured_byte_changes(copy: Path, name: str, third: int) -> None:
    """One byte of each third of what was carried, so that each connection has its turn."""
    capture = copy / f"data/{name}.pcap"
    data = capture.read_bytes()
    carried = _carried(data)
    size = len(carried) // 3
    place = random.Random(f"{name} {third}").choice(carried[third * size :][:size])
    capture.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    status, said = _nbval(copy, READ[name])
    assert status == 1, f"byte {place} of {name} changed, and nobody noticed\n{said}"


@slow
@pytest.mark.parametrize(("way", "update"), [("polling", 2), ("longpoll", 3), ("eventsource", 4), ("websocket", 6)])
def test_one_way_brings_other_news(copy: Path, way: str, update: int) -> None:
    capture = copy / f"data/chromium-{way}.pcap"
    data = capture.read_bytes()
    assert data.count(b'{"id":%d' % update) == 1
    capture.write_bytes(data.replace(b'{"id":%d' % update, b'{"ie":%d' % update))
    status, said = _nbval(copy, COMPARED, red=9)  # the timeline counts an update less, and is red before
    assert status == 1 and "the same: False" in said
