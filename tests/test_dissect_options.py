# SPDX-License-Identifier: GPL-2.0-or-later
"""What ``dissect`` and ``bill`` take beside a file, held against tshark where it has the same."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
from capture_maker import CLIENT, SERVER, Talk, frame, pcap
from oracles import tshark
from test_dissect import DATA, ROOT, in_here, one_line, run

import wsedu

SESSION, DEFLATE, POLLING = (
    DATA / f"{name}.pcap" for name in ("websockets-session", "websockets-deflate", "chromium-polling")
)


def rows(*arguments: object, status: int = 0) -> list[dict[str, Any]]:
    given, out, err = in_here("dissect", "--json", *arguments)
    assert (given, err) == (status, "")
    return list(map(json.loads, out.splitlines()))


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
    told = tshark(
        "-r", path, "-d", "tcp.port==8765,http", "-Y", asked, "-T", "fields", "-e", field, "-E", "aggregator=|"
    )
    count = sum(len(line.split("|")) for line in told.split())
    chosen = rows(path, *options)
    assert 0 < len(chosen) < len(ALL[path]) and [row for row in ALL[path] if row in chosen] == chosen
    assert len(chosen) == count


def test_whole_messages() -> None:
    whole = [row for row in rows(SESSION, "--messages") if row["kind"] == "message"]
    assert {row["opcode"] for row in whole} == {1, 2} and {row["kind"] for row in rows(SESSION, "--messages")} == {
        "request", "response", "message", "frame",
    }  # fmt: skip
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
    limited = [row for row in rows_with_complaints(DEFLATE, "--max-message", "100") if "inflate_error" in row]
    assert limited[0]["inflate_error"] == "more than 100 bytes of content" and "content_bytes" not in limited[0]


def rows_with_complaints(*arguments: object) -> list[dict[str, Any]]:
    status, out, err = in_here("dissect", "--json", *arguments)
    assert status == 0 and err
    return list(map(json.loads, out.splitlines()))


def test_http_is_told_as_text_where_it_is() -> None:
    page = next(row for row in ALL[POLLING] if row.get("status") == 200)
    assert page["text"].startswith("<!doctype html>") and ["Content-Type", "text/html; charset=UTF-8"] in page["fields"]
    assert page["version"] == "HTTP/1.1"


@pytest.mark.parametrize("coding", ["gzip", "deflate", "identity", "unknown"])
def test_http_content_without_its_coding(tmp_path: Path, coding: str) -> None:
    content = b'{"news":"tea"}'
    coded = {"gzip": gzip.compress(content), "deflate": zlib.compress(content)}.get(coding, content)
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: {coding}\r\n"
    head += f"Content-Length: {len(coded)}"
    talk = Talk()
    packets = talk.open() + talk.say(CLIENT, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    (tmp_path / "x.pcap").write_bytes(pcap(packets + talk.say(SERVER, head.encode() + b"\r\n\r\n" + coded)))
    response = rows(tmp_path / "x.pcap")[1]
    assert response["content_bytes"] == len(coded)
    assert response.get("text") == (None if coding == "unknown" else '{"news":"tea"}')


@pytest.mark.parametrize(("size", "letter"), [(65_536, "x"), (65_537, "x"), (65_536, "é"), (70_000, "é")])
def test_long_text_is_cut_and_that_is_said(tmp_path: Path, size: int, letter: str) -> None:
    text = ("y" + letter * size).encode()[:size].decode("utf-8", "ignore")
    talk = Talk()
    (tmp_path / "x.pcap").write_bytes(pcap(talk.shake() + talk.say(SERVER, frame(text.encode()))))
    row = rows(tmp_path / "x.pcap")[2]
    assert text.startswith(row["text"]) and len(row["text"].encode()) >= min(len(text.encode()), 65_535)
    assert row.get("text_cut", False) is (len(text.encode()) > 65_536)


@pytest.mark.parametrize("members", [1, 3])
def test_gzip_is_unpacked(tmp_path: Path, members: int) -> None:
    file = SESSION.read_bytes()
    pieces = [file[len(file) * at // members : len(file) * (at + 1) // members] for at in range(members)]
    (tmp_path / "x.pcap.gz").write_bytes(b"".join(map(gzip.compress, pieces)) + bytes(20))
    assert rows(tmp_path / "x.pcap.gz") == ALL[SESSION]
    assert wsedu.read(tmp_path / "x.pcap.gz").bill().parts == wsedu.read(SESSION).bill().parts


@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_gzip_that_is_damaged(tmp_path: Path, damage: str) -> None:
    packed = bytearray(gzip.compress(SESSION.read_bytes()))
    if damage == "cut":
        del packed[len(packed) // 2 :]
    else:
        packed[len(packed) // 2 :] = bytes(len(packed) // 2)
    (tmp_path / "x.gz").write_bytes(packed)
    status, _, err = in_here("dissect", tmp_path / "x.gz")
    assert status == 1 and "the gzip file" in err.splitlines()[0]


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
}


@pytest.mark.parametrize("options", WRONG, ids=lambda options: " ".join(options)[:30])
def test_what_makes_no_sense_is_refused(options: tuple[str, str]) -> None:
    status, out, err = in_here("dissect", SESSION, *options)
    assert (status, out) == (2, "") and WRONG[options] in one_line(err)


@pytest.mark.parametrize("name", ["websockets-session.pcap", "http-keepalive.pcap"])
def test_the_bill_is_that_of_read_and_its_total_that_of_tshark(name: str) -> None:
    status, out, err = in_here("bill", DATA / name, "--json")
    told = json.loads(out)
    assert (status, err) == (0, "") and told["parts"] == wsedu.read(DATA / name).bill().parts
    lengths = tshark("-r", DATA / name, "-T", "fields", "-e", "frame.cap_len").split()
    assert told["total_bytes"] == sum(map(int, lengths)) == sum(told["parts"].values())
    assert told["packets"] == len(lengths)
    lines = in_here("bill", DATA / name)[1].splitlines()
    assert lines[-2].split() == ["total", f"{told['total_bytes']:,}"] and len(lines) == len(told["parts"]) + 2


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
    done = subprocess.run(first, shell=True, cwd=ROOT, capture_output=True, env=dict(os.environ), check=False)
    assert done.returncode == 0 and done.stdout
