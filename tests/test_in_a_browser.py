# SPDX-License-Identifier: GPL-2.0-or-later
"""What notebook 11 stands on: a page's log beside the wire, a cut cable, clients that come back, two real programs."""

import json
import random
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from programs import DATA

import wsedu
from wsedu.live import connect_raw, websocket_server
from wsedu.live.browser import NAMES, browser_page
from wsedu.live.jupyter import jupyter_server, pack, run_code, unpack
from wsedu.live.program import program
from wsedu.model.reconnect import reconnect
from wsedu.show.page_log import Entry, endings, page_log


def _log(name: str) -> list[Entry]:
    entries: list[Entry] = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
    return entries


def test_each_line_of_the_log_is_at_its_message() -> None:
    log, session = _log("chromium-session"), wsedu.read(DATA / "chromium-session.pcap").conversations[1]
    rows = page_log(log, session).rows
    alone = ["bufferedAmount is 0", 'send("too late")', "onclose: 1000, clean"]
    assert [row.page for row in rows if row.page and not row.wire] == alone
    assert sum(bool(row.page) for row in rows) == len(log)
    assert [row.wire for row in rows if row.wire and row.wire.size] == [row.wire for row in rows if row.wire]
    assert sum(row.wire is not None for row in rows) == len(session.messages)
    unseen = [row.wire.text.split(":")[0].split(",")[0] for row in rows if row.wire and not row.page]
    assert unseen == ["Ping", "Pong", "Text", "Continuation", "Continuation", "Close 1000 all read"]
    for row in rows:  # what was said is the same on both sides
        if row.page.startswith("onmessage: {") and row.wire:
            assert row.page.removeprefix("onmessage: ") in row.wire.text


def test_endings_are_those_of_the_log_and_of_the_wire() -> None:
    rows = endings(_log("chromium-closes"), wsedu.read(DATA / "chromium-closes.pcap").conversations[1:]).rows
    assert [told["code"] for _, _, told in rows] == [1000, 1001, 1005, 1006, 1009, 1011, 1006, 1005]
    for _, wire, told in rows:
        assert told["wasClean"] == (wire.count("Close ") == 2 and "no Close" not in wire)
        assert (str(told["code"]) in wire) == (told["code"] not in (1005, 1006))


def test_what_is_swallowed_is_recorded_and_not_passed_on() -> None:
    with websocket_server() as server, wsedu.record(port=server.port) as recording:
        with connect_raw(recording.port) as connection:
            connection.send(wsedu.handshake.request("127.0.0.1"))
            connection.receive_head()
            recording.swallow()  # type: ignore[union-attr]
            connection.send(wsedu.Frame(9, b"?", masking_key=b"key!").serialize())
            assert connection.quiet_for(0.2)
    assert [message.sender for message in recording.capture.conversations[0].messages] == ["client", "server", "client"]


@pytest.mark.parametrize(("delay", "most"), [(lambda failures, rng: 1.0, 6), (lambda failures, rng: rng.random(), 7)])
def test_all_come_back_as_the_server_takes_them(delay: Callable[[int, random.Random], float], most: float) -> None:
    attempts = reconnect(1000, delay, random.Random(1), down=2, each_second=200)
    accepted = Counter(int(at) for at, succeeds in attempts if succeeds)
    assert sum(accepted.values()) == 1000 and min(accepted) == 2 and max(accepted.values()) == 200
    assert attempts == sorted(attempts, key=lambda attempt: attempt[0]) and attempts[-1][0] <= most
    assert attempts == reconnect(1000, delay, random.Random(1), down=2, each_second=200)


def test_a_message_of_jupyter_is_packed_as_it_is_unpacked() -> None:
    pieces = unpack(pack("shell", {"a": 1}, {}, [], "x" * 300))
    assert pieces == [b"shell", b'{"a": 1}', b"{}", b"[]", json.dumps("x" * 300).encode()]


@pytest.mark.slow
def test_a_kernel_answers_on_its_channels() -> None:
    with jupyter_server() as jupyter, wsedu.record(port=jupyter.port) as recording:
        run_code(jupyter, jupyter.start_kernel(), "6 * 7", recording.port)
    frames = recording.capture.conversations[0].messages[2:]
    pieces = [unpack(frame.payload) for frame in frames if frame.frame and frame.frame.opcode == 2]
    results = [piece for piece in pieces if b'"execute_result"' in piece[1]]
    assert [(piece[0], json.loads(piece[4])["data"]["text/plain"]) for piece in results] == [(b"iopub", "42")]


def test_a_program_that_ends_at_once_is_not_waited_for() -> None:
    with pytest.raises(RuntimeError, match="it does not begin to listen"):
        with program("it", [sys.executable, "-c", ""], Path("/nowhere").stat):
            pass


def test_a_program_that_does_not_heed_its_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsedu.live.program.END_LIMIT", 0.1)
    deaf = "import pathlib, signal as s; s.signal(15, s.SIG_IGN); pathlib.Path('ready').touch(); s.pause()"
    with program("it", [sys.executable, "-c", deaf], (tmp_path / "ready").stat, cwd=tmp_path):
        pass  # the block ends: without a kill it never would


def test_no_browser_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", "")
    with browser_page() as page:
        assert page is None
    assert len(capsys.readouterr().out.splitlines()) == 1


@pytest.mark.skipif(not any(map(shutil.which, NAMES)), reason="there is no Chromium to drive")
def test_a_browser_does_what_it_is_told() -> None:
    with browser_page() as page:
        assert page is not None
        assert page.evaluate("new Promise(done => done([6 * 7, 'ping' in WebSocket.prototype]))") == [42, False]
        with pytest.raises(RuntimeError, match="ReferenceError"):
            page.evaluate("nothing()")
        with pytest.raises(RuntimeError, match=r"Nothing\.at"):
            page.call("Nothing.at_all")
