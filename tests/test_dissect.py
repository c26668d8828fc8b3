# SPDX-License-Identifier: GPL-2.0-or-later
"""``python -m wsedu`` from the outside: exit status, stderr, what reaches a terminal, and what each option does."""

import gzip
import io
import json
import os
import subprocess
import sys
import unicodedata
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import capture_maker as made
import pytest
from capture_maker import CLIENT, DATA, HANDSHAKE, SERVER, SWITCHING, Talk, dissected, frame, in_here, pcap, pcapng
from hostile import HOSTILE, TERMINAL
from oracles import tshark
from wcwidth import wcswidth

import wsedu
from wsedu.wire import dissect

ROOT = Path(__file__).parent.parent
KINDS = {
    "request": {"method", "target", "content_bytes", "version", "fields"},
    "response": {"status", "content_bytes", "version", "fields"},
    "frame": {"fin", "rsv1", "rsv2", "rsv3", "opcode", "masked", "payload_length", "payload"},
    "gap": {"missing"},
}
SOMETIMES = {"tls", "stream", "text", "text_cut", "compressed", "content", "content_bytes"}
COMMON = {"conversation", "client", "server", "sender", "time", "kind", "wire_length"}


def run(*arguments: object, shell: str = "", **more: object) -> subprocess.CompletedProcess[bytes]:
    """A command in a process of its own; ``shell`` is what stands behind it on the command line."""
    command = ["sh", "-c", f'exec "$@" {shell}', "sh", sys.executable, "-m", "wsedu", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, timeout=60, check=False, cwd=ROOT, **more)  # type: ignore[call-overload, no-any-return]


def one_line(text: str) -> str:
    assert text.count("\n") == 1 and text.startswith("wsedu: ") and text.endswith("\n"), text
    return text


@pytest.fixture
def chat(tmp_path: Path) -> Path:
    talk = Talk()
    packets = talk.shake() + talk.say(SERVER, frame(b"Hello") * 3) + talk.close()
    (tmp_path / "chat.pcap").write_bytes(pcap(packets))
    return tmp_path / "chat.pcap"


@made.IN_DATA
def test_captures_of_data(path: Path) -> None:
    log = made.key_log(path)
    whole = dissected(path, *(("--keylog", log) if log else ()))
    assert (whole.status, whole.complaints) == (0, []) and whole.rows
    for row in whole.rows:
        always = COMMON | KINDS[row["kind"]]
        assert always <= set(row) <= always | SOMETIMES and row["sender"] in ("client", "server")
    assert [row["time"] for row in whole.rows] == sorted(row["time"] for row in whole.rows)


def in_blocks(packets: list[bytes]) -> bytes:
    blocks = made.Blocks().interface(1)
    for packet in packets:
        blocks.enhanced(packet)
    return blocks.file


@pytest.mark.parametrize("make", [pcap, pytest.param(in_blocks, marks=pytest.mark.slow)])
def test_a_file_cut_short_at_every_byte(make: Callable[[list[bytes]], bytes]) -> None:
    """All before the cut is printed, no gap for it, and one line says so; between packets it is no cut."""
    talk = Talk()
    packets = talk.shake() + talk.say(SERVER, frame(b"Hello")) + talk.say(SERVER, frame(b"again"), 3)
    packets[-1], packets[-3] = packets[-3], packets[-1]  # so that for a while there is a hole
    file = make(packets)
    stops = [len(make(packets[:count])) for count in range(1, len(packets) + 1)]
    ends = {*stops, len(make([])), len(made.Blocks().file) if make is in_blocks else 0}
    whole = dissected(file)
    assert (whole.status, whole.complaints) == (0, []) and len(whole.rows) == 4
    for end in range(1, len(file)):
        said = dissected(file[:end])
        between = end in ends
        assert (said.status, len(said.complaints)) == ((0, 0) if between else (1, 1)), end
        there = sum(stop <= end for stop in stops)  # whole packets
        gaps = [row for row in said.rows if row["kind"] == "gap"]
        rows = [row for row in said.rows if row not in gaps]
        assert rows == [row for row in whole.rows if round(row["time"] * 1000) < there], end
        assert between or (not gaps and f"at byte {end}" in said.complaints[0].replace(",", "")), end


NO_CAPTURES = {
    "empty": b"",
    "neither pcap nor pcapng": b"GET / HTTP/1.1\r\n\r\n",
    "neither pcap nor pcapng: it begins with 47 45": gzip.compress(b"GET / HTTP/1.1\r\n\r\n"),
    "1f 8b 08 00, which is gzip once more; unpack it first": gzip.compress(gzip.compress(b"", mtime=0)),
    "28 b5 2f fd, which is Zstandard; unpack it first": b"\x28\xb5\x2f\xfd" + bytes(100),
    "neither pcap nor pcapng: it begins with 1b 5b": b"\x1b[2J\x07 not a capture",
    "begins with 00 00 00 00": bytes(100),
    "begins with 7f 45 4c 46": b"\x7fELF" + bytes(100),
}


@pytest.mark.parametrize("reason", NO_CAPTURES)
def test_no_capture(tmp_path: Path, reason: str) -> None:
    path = tmp_path / "x\x1b[2J\n.pcap"
    path.write_bytes(NO_CAPTURES[reason])
    status, out, err = in_here("dissect", path)
    assert (status, out) == (2, "") and reason in one_line(err) and r"x\x1b[2J\n.pcap" in err


def test_what_cannot_be_opened(chat: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reasons = {chat.parent: "Is a directory", chat / "y": "Not a directory"}
    reasons |= {chat.parent / "absent": "No such file or directory", chat: "Permission denied"}
    for path, reason in reasons.items():
        if path == chat:  # as after a user's `chmod 0`; root may read that
            monkeypatch.setattr("builtins.open", Mock(side_effect=PermissionError(13, reason)))
        status, out, err = in_here("dissect", path, "--json")
        assert (status, out) == (2, "") and f"{path}: {reason}" in one_line(err)


def test_a_disk_that_breaks(chat: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read before is printed."""

    class Breaking(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > 200:
                raise OSError(5, "Input/output error")
            return super().read(min(size or 0, 700))

    monkeypatch.setattr("builtins.open", lambda *args, **more: Breaking(chat.read_bytes()))
    status, out, err = in_here("dissect", chat, "--json")
    assert [json.loads(line)["kind"] for line in out.splitlines()] == ["request", "response"]
    assert status == 1 and "Input/output error" in one_line(err)


DISSECT = ("dissect", "data/websockets-session.pcap")
EVERY_COMMAND = (DISSECT, (*DISSECT, "--json"), ("doctor",), ("solutions", "06"), ("--help",))
FULL, CLOSED = b"wsedu: stdout: No space left on device\n", b"wsedu: stdout is closed\n"
FATES = [
    *((command, ">/dev/full", 1, FULL) for command in EVERY_COMMAND),
    *((command, ">&-", 1, CLOSED) for command in EVERY_COMMAND),
    (DISSECT, ">/dev/full 2>/dev/full", 1, b""),
    (DISSECT, ">/dev/null 2>&-", 0, b""),
    (("dissect", "absent"), "2>/dev/full", 2, b""),
    (("dissect", "absent"), "2>&-", 2, b""),  # which must not say it on stdout then
    (("solutions", "99"), "2>&-", 2, b""),
    (("dissect",), "2>/dev/full", 2, b""),  # argparse's own error
]
# Each costs a process, so make test has one half: every other one buffered, so that each command is seen both ways.
BUFFERED = [
    pytest.param(*fate, unbuffered, marks=() if bool(unbuffered) == number % 2 else pytest.mark.slow)
    for number, fate in enumerate(FATES)
    for unbuffered in ("", "1")
]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
@pytest.mark.parametrize(("command", "shell", "status", "said", "unbuffered"), BUFFERED, ids=str)
def test_where_what_it_says_cannot_go(command: Any, shell: str, status: int, said: bytes, unbuffered: str) -> None:
    """A full disk or a closed stdout is one line and status 1, with every command, however Python buffers."""
    done = run(*command, shell=shell, env=os.environ | {"PYTHONUNBUFFERED": unbuffered})
    assert (done.returncode, done.stdout, done.stderr) == (status, b"", said)


@pytest.mark.parametrize("command", EVERY_COMMAND, ids=" ".join)
def test_whoever_has_read_enough_may_go(command: tuple[str, ...]) -> None:
    """A reader who is gone before the first byte: nothing on stderr, and status 0."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-m", "wsedu", *command], cwd=ROOT, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_reader_who_goes_in_the_middle(tmp_path: Path, options: list[str]) -> None:
    """``| head -1`` of a long capture that comes through a pipe, as from ``tcpdump -w -``: it ends."""
    talk = Talk()
    file = pcap(talk.shake() + talk.say(SERVER, frame(bytes(100)) * 20_000))
    done = run("dissect", "/dev/stdin", *options, shell="| head -1", input=file)
    assert (done.returncode, done.stderr) == (0, b"") and done.stdout.count(b"\n") == 1


def test_control_c_is_no_traceback(monkeypatch: pytest.MonkeyPatch, chat: Path) -> None:
    monkeypatch.setattr(dissect, "as_line", Mock(side_effect=["a line", KeyboardInterrupt]))
    assert in_here("dissect", chat) == (130, "a line\n", "")


# Every control character, the escape sequences of a terminal, and what turns text round or hides it.
NASTY = "".join(map(chr, [*range(0x20), *range(0x7F, 0xA0), 0xAD, 0x61C, *range(0x200B, 0x2010)]))
NASTY += "".join(map(chr, [*range(0x2028, 0x202F), *range(0x2060, 0x2070), 0xFEFF, 0xFFF9, 0xE0001, 0xE0041]))
TEXTS = {
    "ascii": b"x" * 300,
    "every byte": bytes(byte for byte in range(256) if byte not in b"\r\n") * 2,
    "control": NASTY.replace("\n", "").replace("\r", "").encode(),
    "terminal": TERMINAL.encode(),
    "c1": b"\x9b31m",
    "bom": b"\xff\xfe",
    "accents": "é".encode() * 300,
    "combining": "e\u0301\u0302".encode() * 100,
    "wide": "日本語のニュース".encode() * 30,
    "emoji": "🍵".encode() * 100,
    "mixed": " naïve ✓ 🍵".encode() * 30,
    "zeros": bytes(300),
    "html": HOSTILE[0].encode(),
}


def harmless(text: str) -> bool:
    """Nothing in it but what a terminal shows as it is: no C0, C1, bidirectional or other format characters."""
    return all(unicodedata.category(char)[0] not in "CZ" or char in " \n" for char in text)


@pytest.mark.parametrize("name", TEXTS)
def test_what_a_terminal_gets_is_harmless_and_fits(tmp_path: Path, name: str) -> None:
    """Wherever a peer can put text: method, target, field, reason phrase, payload, Close reason, what is no HTTP."""
    text, path = TEXTS[name], tmp_path / "made.pcap"
    talk, other, third = Talk(), Talk(client=("192.0.2.9", 1)), Talk(client=("192.0.2.8", 1))
    request, response = (
        head.replace(was, text).replace(b"\r\n\r\n", b"\r\nX: " + text + b"\r\n\r\n")
        for head, was in ((HANDSHAKE, b"chat"), (SWITCHING, b"Switching Protocols"))
    )
    packets = talk.open() + talk.say(CLIENT, request) + talk.say(SERVER, response)
    for payload in frame(text), frame(text, 2), frame(text, first=0x72), frame(b"\x03\xe8" + text[:60], 8):
        packets += talk.say(SERVER, payload)
    packets += other.open() + other.say(CLIENT, text + b"\r\n\r\n")
    packets += third.open() + third.say(CLIENT, b"GET / HTTP/1.1\r\nContent-Length: " + text + b"\r\n\r\n")
    for form in pcap, pcapng:
        path.write_bytes(form(packets))
        status, out, err = in_here("dissect", path)
        assert (status, harmless(out), harmless(err)) == (0, True, True), ascii(out + err)
        lines = out.splitlines()
        assert len(lines) > 5
        assert [line for line in lines if wcswidth(line) > 100] == []  # wcwidth counts the columns of terminals
        if len(text) > 200:
            assert lines[2].endswith("..."), "what is left out is said"
            assert wcswidth(lines[2]) > 80 or name == "combining", "and no more than that is left out"
        assert name != "html" or out.count(HOSTILE[0]) == 6, "text is not removed"
        if name not in ("every byte", "bom", "c1"):
            assert "\ufffd" not in out, "a character was cut in two"
    assert dissected(pcap(packets)).rows[0]["target"] == "/" + text.decode("latin-1")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8", "cp1252"])
def test_a_terminal_that_has_not_every_character(tmp_path: Path, encoding: str) -> None:
    talk, path = Talk(), tmp_path / "wide.pcap"
    packets = talk.shake()
    for name in "mixed", "wide", "every byte":
        packets += talk.say(SERVER, frame(TEXTS[name]))
    path.write_bytes(pcap(packets))
    env = os.environ | {"PYTHONIOENCODING": encoding}
    for command in ["solutions"], ["dissect", path]:
        done = run(*command, env=env)
        assert (done.returncode, done.stderr) == (0, b"")
    lines = done.stdout.decode(encoding).splitlines()
    assert len(lines) == 5 and max(map(len, lines)) <= 100
    assert ("naïve ✓ 🍵" in lines[2]) == (encoding == "utf-8") and ("naïve" in lines[2]) == (encoding != "ascii")


def test_a_line_for_people_says_what_it_is(tmp_path: Path) -> None:
    talk, path = Talk(), tmp_path / "made.pcap"
    frames = frame(b"Hi") + frame(b"", first=0x72) + frame(b"\x03\xe8bye", 8)
    packets = talk.shake() + talk.say(SERVER, frames) + talk.lose(SERVER, frame(b"lost"))
    path.write_bytes(pcap(packets + talk.say(SERVER, frame(b"behind it"))))
    assert in_here("dissect", path) == (
        0,
        f"  0    0.003000 -> request  {len(HANDSHAKE):>7}  GET /chat\n"
        f"  0    0.004000 <- response {len(SWITCHING):>7}  101 Switching Protocols\n"
        "  0    0.005000 <- frame          4  Text 2 Hi\n"
        "  0    0.005000 <- frame          2  Binary RSV1 RSV2 RSV3 FIN=0 0 \n"
        "  0    0.005000 <- frame          7  Close 5 1000 bye\n"
        "  0    0.006000 <- gap            0  6 bytes are missing; this sender is not read any further\n",
        "",
    )


def test_many_gaps_at_the_end_of_a_pipe() -> None:
    talks = [Talk(client=("192.0.2.1", 2000 + number)) for number in range(1001)]
    said = (one.open() + one.lose(CLIENT, b"lost") + one.say(CLIENT, b"GET / HTTP/1.1\r\n\r\n") for one in talks)
    done = run("dissect", "-", input=pcap([packet for packets in said for packet in packets]))
    assert done.returncode == 0 and done.stdout.count(b" gap ") == 1001


# What `dissect` and `bill` take beside a file, held against tshark where it has the same.

SESSION, DEFLATE = DATA / "websockets-session.pcap", DATA / "websockets-deflate.pcap"
POLLING = DATA / "chromium-polling.pcap"


def rows(file: bytes | Path, *options: object) -> list[dict[str, Any]]:
    said = dissected(file, *options)
    assert (said.status, said.complaints) == (0, [])
    return said.rows


ALL = {path: rows(path) for path in (SESSION, DEFLATE, POLLING)}
CHOSEN = {
    ("--kind", "frame", "--opcode", "ping"): (SESSION, "websocket.opcode == 9", "websocket.opcode"),
    ("--opcode", "8"): (SESSION, "websocket.opcode == 8", "websocket.opcode"),
    ("--sender", "server", "--kind", "frame"): (SESSION, "websocket && tcp.srcport == 8765", "websocket.opcode"),
    ("--kind", "request"): (POLLING, "http.request", "http.request.method"),
    ("--kind", "response", "--conversation", "1"): (POLLING, "http.response && tcp.stream == 1", "http.response.code"),
    ("--match", "^please: "): (SESSION, 'websocket.payload.text matches "^please: "', "websocket.opcode"),
}


@pytest.mark.parametrize("options", CHOSEN, ids=" ".join)
def test_what_is_chosen_is_what_tshark_chooses(options: tuple[str, ...]) -> None:
    path, asked, field = CHOSEN[options]
    fields = "-T", "fields", "-e", field, "-E", "aggregator=|"
    told = tshark("-r", path, "-d", "tcp.port==8765,http", "-Y", asked, *fields)
    count = sum(len(line.split("|")) for line in told.split())
    chosen = rows(path, *options)
    assert 0 < len(chosen) < len(ALL[path]) and [row for row in ALL[path] if row in chosen] == chosen
    assert len(chosen) == count


def test_whole_messages() -> None:
    told = rows(SESSION, "--messages")
    whole = [row for row in told if row["kind"] == "message"]
    assert {row["opcode"] for row in whole} == {1, 2}
    assert {row["kind"] for row in told} == {"request", "response", "message", "frame"}
    pieces = next(row for row in whole if row["frames"] > 1)
    assert pieces["text"] == "a ping comes between the fragments" and pieces["compressed"] is False
    data = [row for row in ALL[SESSION] if row["kind"] == "frame" and row["opcode"] < 8]
    assert sum(row["payload_length"] for row in whole) == sum(row["payload_length"] for row in data)
    assert sum(row["frames"] for row in whole) == len(data)
    for row in whole:
        assert ("text" in row) == (row["opcode"] == 1) and ("content" in row) == (row["opcode"] == 2)


def test_compressed_messages_are_shown_as_they_were_meant() -> None:
    first = [row for row in ALL[DEFLATE] if row["kind"] == "frame"][0]
    assert (first["payload"], first["text"], first["content_bytes"]) == ("f248cdc9c90700", "Hello", 5)
    assert first["compressed"] is True and first["payload_length"] == 7
    binary = next(row for row in ALL[DEFLATE] if row.get("opcode") == 2)
    assert (binary["content_bytes"], binary["content"], "text" in binary) == (1000, "00" * 1000, False)
    assert "  Text 5 Hello (7 compressed)\n" in in_here("dissect", DEFLATE)[1]
    limited = [row for row in dissected(DEFLATE, "--max-message", "100").rows if "inflate_error" in row]
    assert limited[0]["inflate_error"] == "more than 100 bytes of content" and "content_bytes" not in limited[0]


def test_http_is_told_as_text_where_it_is() -> None:
    page = next(row for row in ALL[POLLING] if row.get("status") == 200)
    assert page["text"].startswith("<!doctype html>") and ["Content-Type", "text/html; charset=UTF-8"] in page["fields"]
    assert page["version"] == "HTTP/1.1"


@pytest.mark.parametrize("coding", ["gzip", "deflate", "identity", "unknown"])
def test_http_content_without_its_coding(coding: str) -> None:
    content = b'{"news":"tea"}'
    coded = {"gzip": gzip.compress(content), "deflate": zlib.compress(content)}.get(coding, content)
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: {coding}\r\n"
    head += f"Content-Length: {len(coded)}\r\n\r\n"
    talk = Talk()
    packets = talk.open() + talk.say(CLIENT, b"GET / HTTP/1.1\r\n\r\n")
    response = rows(pcap(packets + talk.say(SERVER, head.encode() + coded)))[1]
    assert response["content_bytes"] == len(coded)
    assert response.get("text") == (None if coding == "unknown" else '{"news":"tea"}')


@pytest.mark.parametrize(("size", "letter"), [(65_536, "x"), (65_537, "x"), (65_536, "é"), (70_000, "é")])
def test_long_text_is_cut_and_that_is_said(size: int, letter: str) -> None:
    text = ("y" + letter * size).encode()[:size].decode("utf-8", "ignore")
    talk = Talk()
    row = rows(pcap(talk.shake() + talk.say(SERVER, frame(text.encode()))))[2]
    assert text.startswith(row["text"]) and len(row["text"].encode()) >= min(len(text.encode()), 65_535)
    assert row.get("text_cut", False) is (len(text.encode()) > 65_536)


@pytest.mark.parametrize("members", [1, 3])
def test_gzip_is_unpacked(tmp_path: Path, members: int) -> None:
    file = SESSION.read_bytes()
    pieces = [file[len(file) * at // members : len(file) * (at + 1) // members] for at in range(members)]
    (tmp_path / "x.pcap.gz").write_bytes(b"".join(map(gzip.compress, pieces)) + bytes(20))
    assert rows(tmp_path / "x.pcap.gz") == ALL[SESSION]
    assert wsedu.read(tmp_path / "x.pcap.gz").bill().parts == wsedu.read(SESSION).bill().parts


@pytest.mark.parametrize("rest", [b"", bytes(1000)])
def test_gzip_that_is_damaged(rest: bytes) -> None:
    packed = gzip.compress(SESSION.read_bytes())
    said = dissected(packed[: len(packed) // 2] + rest)
    assert said.status == 1 and "the gzip file" in said.complaints[0]


def test_what_stands_before_a_damaged_byte_of_gzip_is_read(tmp_path: Path) -> None:
    """As of a file that is cut there. The byte is the header of a block, which becomes one of the reserved type 3."""
    file, at = SESSION.read_bytes(), 3000
    packer = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    before = packer.compress(file[:at]) + packer.flush(zlib.Z_FULL_FLUSH)
    behind = packer.compress(file[at:]) + packer.flush()
    (tmp_path / "x.gz").write_bytes(before + b"\x07" + behind[1:])
    (tmp_path / "cut.pcap").write_bytes(file[:at])
    status, out, err = in_here("dissect", tmp_path / "x.gz")
    assert (status, out) == in_here("dissect", tmp_path / "cut.pcap")[:2]
    assert status == 1 and len(out.splitlines()) >= 4
    assert f"behind byte {at} the file cannot be read: the gzip file is damaged" in err and err.count("\n") == 1


def test_a_pipe_is_read_line_by_line() -> None:
    """Each message is printed before the next packet is there: nobody waits for the end of a pipe."""
    file = SESSION.read_bytes()
    command = [sys.executable, "-m", "wsedu", "dissect", "-"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(file[:3000])
        process.stdin.flush()
        lines = [process.stdout.readline() for _ in range(4)]
        process.stdin.write(file[3000:])
        process.stdin.close()
        lines += process.stdout.readlines()
    whole = run("dissect", SESSION).stdout.splitlines(keepends=True)
    assert process.returncode == 0 and lines == whole


def test_several_files_and_one_that_is_not_there(tmp_path: Path) -> None:
    several = rows(SESSION, POLLING)
    counts = [(path, len(ALL[path])) for path in (SESSION, POLLING)]
    assert [row.pop("file") for row in several] == [str(path) for path, count in counts for _ in range(count)]
    assert several == ALL[SESSION] + ALL[POLLING]
    status, out, err = in_here("dissect", tmp_path / "absent", SESSION)
    assert status == 2 and "No such file" in one_line(err) and f"==> {SESSION} <==" in out


WRONG = {
    ("--opcode", "tex"): "tex is neither a number below 16 nor one of continuation, text",
    ("--opcode", "16"): "16 is neither",
    ("--match", "("): "( is no regular expression: missing )",
    ("--match", "a{99999999999}"): "a{99999999999} is no regular expression: the repetition number is too large",
    ("--match", "(" * 2000 + ")" * 2000): "is no regular expression: maximum recursion depth exceeded",
    ("--ports", "80,x"): "x is no number from 1 to 65,535",
    ("--ports", "65536"): "65536 is no number",
    ("--max-message", "0"): "0 is no number",
    ("--match", "(\x1b[2J"): r"(\x1b[2J is no regular expression",
    **{(option, "9" * 5000): f"{option}: {'9' * 40}... is n" for option in ("--opcode", "--ports", "--conversation")},
    ("--kind", "message"): "--kind message: there are none without --messages",
}


@pytest.mark.parametrize("options", WRONG, ids=lambda options: " ".join(options)[:30])
def test_what_makes_no_sense_is_refused(options: tuple[str, str]) -> None:
    status, out, err = in_here("dissect", SESSION, *options)
    assert (status, out) == (2, "") and WRONG[options] in one_line(err)


def test_a_set_in_a_set_is_what_it_says() -> None:
    """Python warns that it may mean something else one day; a bracket of a text is found all the same, and quietly."""
    assert [row["text"] for row in rows(SESSION, "--match", "[[µ]m")] == ["naïve café, 5 µm ✓ 🍵"] * 2


@pytest.mark.parametrize("name", ["websockets-session.pcap", "http-keepalive.pcap"])
def test_the_bill_is_that_of_read_and_its_total_that_of_tshark(name: str) -> None:
    status, out, err = in_here("bill", DATA / name, "--json")
    told = json.loads(out)
    assert (status, err) == (0, "") and told["parts"] == wsedu.read(DATA / name).bill().parts
    lengths = tshark("-r", DATA / name, "-T", "fields", "-e", "frame.cap_len").split()
    assert told["total_bytes"] == sum(map(int, lengths)) == sum(told["parts"].values())
    assert told["packets"] == len(lengths)
    done = run("bill", "-", "--json", input=(DATA / name).read_bytes())
    assert (done.returncode, done.stdout.decode(), done.stderr) == (0, out, b"")
    lines = in_here("bill", DATA / name)[1].splitlines()
    assert lines[-2].split() == ["total", f"{told['total_bytes']:,}"] and len(lines) == len(told["parts"]) + 2
    assert lines[-1] == {"websockets-session.pcap": "52 packets, 1 connection"}.get(name, "66 packets, 3 connections")


def test_the_bill_of_what_is_none(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"no capture")
    for path, reason in (tmp_path / "x", "neither pcap nor pcapng"), (tmp_path / "y", "No such file"):
        status, out, err = in_here("bill", path)
        assert (status, out) == (2, "") and reason in one_line(err)
    (tmp_path / "x").write_bytes(SESSION.read_bytes()[:-1])
    status, out, err = in_here("bill", tmp_path / "x")
    assert status == 1 and out and "inside a packet" in one_line(err)
    done = run("bill", "/dev/stdin", input=SESSION.read_bytes())
    assert done.returncode == 2 and "/dev/stdin: File or stream is not seekable." in one_line(done.stderr.decode())


def test_help_has_examples_that_run() -> None:
    text = run("dissect", "--help").stdout.decode()
    examples = [line.strip() for line in text.partition("examples:")[2].splitlines() if line.strip()]
    assert len(examples) == 3
    first = examples[0].replace("python -m wsedu", f"{sys.executable} -m wsedu")
    assert subprocess.check_output(first, shell=True, cwd=ROOT)
