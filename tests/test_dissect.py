# SPDX-License-Identifier: GPL-2.0-or-later
"""``python -m wsedu dissect`` from the outside: exit status, stderr, and what reaches a terminal."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import random
import subprocess
import sys
import tempfile
import unicodedata
from pathlib import Path

import pytest
from capture_maker import (
    CLIENT,
    HANDSHAKE,
    SERVER,
    START,
    SWITCHING,
    Blocks,
    Talk,
    dissected,
    frame,
    pcap,
    pcapng,
)
from hostile import HOSTILE, TERMINAL
from hostile import write_capture as write_hostile

from wsedu.__main__ import main

DATA = Path(__file__).parent.parent / "data"
CAPTURES = sorted(path.name for path in DATA.glob("*.pcap*"))
KINDS = {
    "request": {"method", "target", "content_bytes"},
    "response": {"status", "content_bytes"},
    "frame": {"fin", "rsv1", "rsv2", "rsv3", "opcode", "masked", "payload_length", "payload"},
    "gap": {"missing"},
}
COMMON = {"conversation", "client", "server", "sender", "time", "kind", "wire_length"}


def run(*args: str | Path, **more: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "wsedu", "dissect", *map(str, args)]
    return subprocess.run(command, capture_output=True, timeout=60, check=False, **more)  # type: ignore[call-overload, no-any-return]


def one_line(stderr: bytes) -> str:
    text = stderr.decode()
    assert text.count("\n") == 1 and text.startswith("wsedu: ") and text.endswith("\n"), text
    return text


@pytest.fixture
def chat(tmp_path: Path) -> Path:
    talk = Talk()
    packets = talk.shake() + talk.say(SERVER, frame(b"Hello") * 3) + talk.close()
    (tmp_path / "chat.pcap").write_bytes(pcap(packets))
    return tmp_path / "chat.pcap"


@pytest.mark.parametrize("name", CAPTURES)
def test_fields_and_kinds(name: str) -> None:
    said = dissected((DATA / name).read_bytes())
    assert (said.status, said.complaints) == (0, [])
    assert said.rows
    for row in said.rows:
        assert set(row) == COMMON | KINDS[row["kind"]]
        assert row["sender"] in ("client", "server")
    assert [row["time"] for row in said.rows] == sorted(row["time"] for row in said.rows)


def test_a_whole_run(chat: Path) -> None:
    done = run(chat, "--json")
    assert (done.returncode, done.stderr) == (0, b"")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["kind"] for row in rows] == ["request", "response", "frame", "frame", "frame"]
    done = run(chat)
    assert (done.returncode, done.stderr) == (0, b"")
    assert [line.split()[3] for line in done.stdout.decode().splitlines()] == [row["kind"] for row in rows]


@pytest.mark.parametrize("form", ["pcap", "pcapng"])
def test_a_file_cut_short_at_every_byte(form: str) -> None:
    """All before the cut is printed, no gap for it, and one line says so; between packets it is no cut."""
    talk = Talk()
    packets = talk.shake() + talk.say(SERVER, frame(b"Hello")) + talk.say(SERVER, frame(b"again"), 3)
    packets[-1], packets[-3] = packets[-3], packets[-1]  # so that for a while there is a hole
    if form == "pcap":
        file = pcap(packets)
        ends = [24 + sum(16 + len(packet) for packet in packets[:count]) for count in range(len(packets) + 1)]
    else:
        blocks = Blocks()
        ends = [len(blocks.file)]
        for link_type in 113, 1:
            blocks.interface(link_type)
            ends.append(len(blocks.file))
        for packet in packets:
            blocks.enhanced(packet, 1)
            ends.append(len(blocks.file))
        file = blocks.file
    whole = dissected(file)
    assert (whole.status, whole.complaints) == (0, []) and len(whole.rows) == 4
    times = [row["time"] for row in whole.rows]
    for end in range(1, len(file)):
        said = dissected(file[:end])
        between = end in ends
        assert (said.status, len(said.complaints)) == ((0, 0) if between else (1, 1)), end
        there = sum(stop <= end for stop in ends[-len(packets) :])  # whole packets
        expected = [row for row, time in zip(whole.rows, times, strict=True) if round(time * 1000) < there]
        gaps = [row for row in said.rows if row["kind"] == "gap"]
        assert [row for row in said.rows if row not in gaps] == expected, end
        assert not gaps or between, end
        if not between:
            assert f"at byte {end:,}" in said.complaints[0] or f"at byte {end}" in said.complaints[0]


@pytest.mark.parametrize("name", CAPTURES)
def test_captures_of_data_cut_short_anywhere(name: str) -> None:
    file = (DATA / name).read_bytes()
    whole = dissected(file).rows
    rng = random.Random(name)
    for end in sorted(rng.sample(range(24, len(file)), 40)):
        said = dissected(file[:end])
        assert said.status == len(said.complaints) <= 1
        rows = [row for row in said.rows if row["kind"] != "gap"] if not said.status else said.rows
        assert rows == whole[: len(rows)]


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b"GET / HTTP/1.1\r\n\r\n", "neither pcap nor pcapng"),
        (gzip.compress(b"GET / HTTP/1.1\r\n\r\n", mtime=0), "1f 8b 08 00, which is gzip; unpack it first"),
        (b"\x1b[2J\x07 not a capture", "neither pcap nor pcapng"),
        (bytes(100), "neither pcap nor pcapng"),
        (b"\x7fELF" + bytes(100), "neither pcap nor pcapng"),
    ],
)
def test_no_capture(tmp_path: Path, content: bytes, word: str) -> None:
    path = tmp_path / "x\x1b[2J\n.pcap"
    path.write_bytes(content)
    for options in [], ["--json"]:
        done = run(path, *options)
        assert (done.returncode, done.stdout) == (2, b"")
        text = one_line(done.stderr)
        assert word in text and "\x1b" not in text


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    for path in tmp_path, tmp_path / "absent", tmp_path / "x" / "y":
        done = run(path, "--json")
        assert (done.returncode, done.stdout) == (2, b"")
        assert str(path) in one_line(done.stderr)


def test_a_file_that_may_not_be_read(
    chat: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*args: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)  # as a user's `chmod 0` would; root may read that
    assert main(["dissect", str(chat)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "Permission denied" in one_line(err.encode())


def test_a_disk_that_breaks(
    chat: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was read before is printed."""

    class Breaking(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > 200:
                raise OSError(5, "Input/output error")
            return super().read(min(size or 0, 700))

    monkeypatch.setattr("builtins.open", lambda *args: Breaking(chat.read_bytes()))
    assert main(["dissect", str(chat), "--json"]) == 1
    out, err = capsys.readouterr()
    assert [json.loads(line)["kind"] for line in out.splitlines()] == ["request", "response"]
    assert "Input/output error" in one_line(err.encode())


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_whoever_has_read_enough_may_go(tmp_path: Path, options: list[str]) -> None:
    """`| head -1`: nothing on stderr, and it ends."""
    talk = Talk()
    path = tmp_path / "long.pcap"
    path.write_bytes(pcap(talk.shake() + talk.say(SERVER, frame(bytes(100)) * 20_000)))
    command = [sys.executable, "-m", "wsedu", "dissect", str(path), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        assert b"request" in process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
def test_a_disk_that_is_full(chat: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "wsedu", "dissect", chat], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 1
    assert "stdout: No space left on device" in one_line(done.stderr)


@pytest.mark.skipif(not os.path.exists("/dev/stdin"), reason="there is no /dev/stdin here")
def test_a_capture_from_a_pipe(chat: Path) -> None:
    done = run("/dev/stdin", input=chat.read_bytes())
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(done.stdout.splitlines()) == 5


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8", "cp1252"])
def test_a_terminal_that_has_not_every_character(tmp_path: Path, encoding: str) -> None:
    talk = Talk()
    path = tmp_path / "wide.pcap"
    text = "naïve ✓ 🍵" + "x" * 100
    path.write_bytes(pcap(talk.shake() + talk.say(SERVER, frame(text.encode()))))
    done = run(path, env=os.environ | {"PYTHONIOENCODING": encoding})
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(done.stdout.decode(encoding).splitlines()) == 3
    if encoding == "utf-8":
        assert "naïve ✓ 🍵" in done.stdout.decode()


def harmless(text: str) -> bool:
    """Nothing in it but what a terminal shows as it is: no C0, C1, bidirectional or other format characters."""
    return all(unicodedata.category(char)[0] not in "CZ" or char == " " for char in text)


# Every control character, the escape sequences of a terminal, and what turns text round or hides it.
NASTY = "".join(map(chr, [*range(0x20), *range(0x7F, 0xA0), 0xAD, 0x61C, *range(0x200B, 0x2010)]))
NASTY += "".join(map(chr, [*range(0x2028, 0x202F), *range(0x2060, 0x2070), 0xFEFF, 0xFFF9, 0xE0001, 0xE0041]))


def test_no_control_character_reaches_the_terminal() -> None:
    """Wherever a peer can put text: method, target, field, reason phrase, content, payload, trailer."""
    harm = NASTY.encode("utf-8")
    flat = bytes(byte for byte in range(256) if byte not in b"\r\n")
    for text in (
        flat,
        harm.replace(b"\n", b"").replace(b"\r", b""),
        TERMINAL.encode(),
        b"\x9b31m",
        b"\xff\xfe",
    ):
        talk = Talk()
        request = b"GET /" + text + b" HTTP/1.1\r\nX: " + text + b"\r\nUpgrade: websocket\r\n\r\n"
        response = b"HTTP/1.1 101 " + text + b"\r\nUpgrade: websocket\r\n\r\n"
        packets = talk.open() + talk.say(CLIENT, request) + talk.say(SERVER, response)
        for start in range(0, len(text), 50):
            part = text[start : start + 50]
            packets += talk.say(SERVER, frame(part)) + talk.say(
                CLIENT, frame(b"\x03\xe8" + part, 8, key=b"abcd")
            )
        other = Talk(client=("192.0.2.9", 1))
        packets += other.open() + other.say(CLIENT, text + b"\r\n\r\n")
        third = Talk(client=("192.0.2.8", 1))
        packets += third.open() + third.say(
            CLIENT, b"GET / HTTP/1.1\r\nContent-Length: " + text + b"\r\n\r\n"
        )
        for form in pcap, pcapng:
            with_file = dissected_text(form(packets))
            assert with_file[0] == 0 and len(with_file[1].splitlines()) > 2
            for line in "".join(with_file[1:]).split("\n"):
                assert harmless(line), ascii(line)
        said = dissected(pcap(packets))
        assert said.rows[0]["target"] == "/" + text.decode("latin-1")


def test_the_capture_of_people_who_mean_harm(tmp_path: Path) -> None:
    write_hostile(tmp_path / "hostile.pcap")
    for options in [], ["--json"]:
        done = run(tmp_path / "hostile.pcap", *options)
        assert (done.returncode, done.stderr) == (0, b"")
        assert all(harmless(line) for line in done.stdout.decode().split("\n"))
    assert HOSTILE[0] in done.stdout.decode()  # text, not removed


def test_long_texts_are_shortened_for_people_only() -> None:
    talk = Talk()
    target = "/" + "x" * 5000
    packets = talk.open() + talk.say(CLIENT, f"GET {target} HTTP/1.1\r\n\r\n".encode())
    status, out, err = dissected_text(pcap(packets))
    assert (status, err) == (0, "") and len(out) < 150
    assert dissected(pcap(packets)).rows[0]["target"] == target


def dissected_text(file: bytes) -> tuple[int, str, str]:
    """The other form, for people: exit status, stdout, stderr."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "made.pcap")
        path.write_bytes(file)
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main(["dissect", str(path)])
    return status, out.getvalue(), err.getvalue()


def test_a_line_for_people_says_what_it_is() -> None:
    talk = Talk()
    packets = talk.shake() + talk.say(
        SERVER, frame(b"Hi") + frame(b"", first=0x72) + frame(b"\x03\xe8bye", 8)
    )
    talk.say(SERVER, frame(b"lost"))
    packets += talk.say(SERVER, frame(b"behind it"))
    lines = dissected_text(pcap(packets))[1].splitlines()
    assert [line.split()[:6] for line in lines[:3]] == [
        ["0", "0.003000", "->", "request", str(len(HANDSHAKE)), "GET"],
        ["0", "0.004000", "<-", "response", str(len(SWITCHING)), "101"],
        ["0", "0.005000", "<-", "frame", "4", "Text"],
    ]
    assert "Binary RSV1 RSV2 RSV3 FIN=0 0" in lines[3]
    assert lines[4].endswith("Close 5 1000 bye")
    assert "6 bytes are missing" in lines[5]
    assert f"{START}" not in "".join(lines)


def test_wrong_usage_is_told_in_the_usual_way() -> None:
    done = subprocess.run([sys.executable, "-m", "wsedu", "dissect"], capture_output=True, check=False)
    assert done.returncode == 2 and b"usage:" in done.stderr and b"Traceback" not in done.stderr
