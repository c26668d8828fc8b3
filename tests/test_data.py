# SPDX-License-Identifier: GPL-2.0-or-later
"""The captures in data/ are what their README says: real, whole, correct to the checksum, and small."""

import json
import re
import shutil
import sys
from collections import defaultdict
from itertools import takewhile
from pathlib import Path
from typing import Any

import describe_captures
import pytest
from browse import keys_of
from by_hand import FIN, RST, SYN, TcpPacket, packets_in, tcp_packets, warnings
from oracles import tshark_in_data
from programs import DATA, ROOT, run
from publisher_pages import NEWS
from record_captures import RECORDINGS, TEXT

import wsedu
from wsedu.wire.message import CapturedMessage

CAPTURES = sorted(path.name for path in DATA.glob("*.pcap*"))
LOGS = sorted(path.name for path in DATA.glob("*.json"))
KEYS = sorted(path.name for path in DATA.glob("*.keys"))
OTHERS = ("README.md",)
WAYS = ("polling", "longpoll", "eventsource", "websocket")


def test_the_readme_names_every_capture_and_no_other() -> None:
    text = (DATA / "README.md").read_text(encoding="utf-8")
    assert CAPTURES
    assert sorted(re.findall(r"^- \*\*(\S+\.pcap\w*)\*\*", text, re.MULTILINE)) == CAPTURES
    assert sorted(re.findall(r"^\| (\S+\.pcap\w*) \|", text, re.MULTILINE)) == CAPTURES
    logged = {name for name, one in RECORDINGS.items() if one.connections and not one.expected}
    assert {Path(name).stem for name in LOGS} == {Path(name).stem for name in logged}
    assert {Path(name).with_suffix(".pcap").name for name in LOGS} <= set(CAPTURES)
    assert sorted(path.name for path in DATA.iterdir()) == sorted([*CAPTURES, *LOGS, *KEYS, *OTHERS])
    assert {Path(name).with_suffix(".pcap").name for name in KEYS} <= set(CAPTURES)


def test_the_readme_counts_what_tshark_counts() -> None:
    def asked(_n: str, _r: str, path: Path, *options: str) -> str:
        return "\n".join(tshark_in_data(path, "-n", *options))

    begin, end = describe_captures.MARKS
    text = (DATA / "README.md").read_text(encoding="utf-8")
    assert text.partition(begin)[2].partition(end)[0] == describe_captures.table(asked)


@pytest.mark.parametrize("name", CAPTURES)
def test_packets_are_whole_right_and_nobody_s(name: str) -> None:
    content = (DATA / name).read_bytes()
    assert content.startswith(b"\n\r\r\n") is name.endswith(".pcapng")
    assert len(content) < (75_000 if name == "websockets-large.pcap" else 30_000)
    assert all(len(data) == original <= 1514 for _, data, original in packets_in(content))
    packets = tcp_packets(packets_in(content))
    assert len({one.frame for one in packets}) == len(packets), "a packet is there twice"
    assert [one.time for one in packets] == sorted(one.time for one in packets)
    assert all(one.right for one in packets)
    lossy = "lost" in name
    assert streams(packets, late=lossy), "connections are complete"
    # Addresses that are set aside for documentation.
    known = {f"c000020{last}" for last in (1, 2)} | {f"20010db8{0:023}{last}" for last in (1, 2)}
    assert {end[:-2].hex() for one in packets for end in (one.source, one.destination)} <= known
    assert all(one.frame[0:5] == one.frame[6:11] == bytes.fromhex("00005e0053") for one in packets)
    assert bool(warnings(DATA / name)) is lossy


@pytest.mark.parametrize("offset", [14 + 8, 14 + 20 + 4, -1])
def test_one_changed_byte_is_noticed(offset: int) -> None:
    """Time to live, sequence number, last byte of the last packet: so the test above can fail."""
    content = bytearray((DATA / "websockets-session.pcap").read_bytes())
    content[offset if offset < 0 else 24 + 16 + offset] ^= 0x10
    assert [one.right for one in tcp_packets(packets_in(bytes(content)))].count(False) == 1


def streams(packets: list[TcpPacket], *, late: bool = False) -> dict[tuple[bytes, bytes], bytes]:
    """The bytes of each direction, if every connection is there from SYN to the last ACK, with nothing sent again.

    Of one of them a packet may be `late`.
    """
    directions: dict[tuple[bytes, bytes], list[TcpPacket]] = defaultdict(list)
    for one in packets:
        directions[one.source, one.destination].append(one)
    for (here, there), sent in directions.items():
        if late:
            sent.sort(key=lambda one: one.after)
        assert [bool(one.flags & SYN) for one in sent] == [True] + [False] * (len(sent) - 1)
        assert [one.flags & (FIN | RST) for one in sent if one.flags & (FIN | RST)] == [FIN]
        assert [one.sequence for one in sent[1:]] == [one.after for one in sent[:-1]], "missing or repeated"
        assert directions[there, here][-1].acknowledged == sent[-1].after
    return {ends: b"".join(one.payload for one in sent) for ends, sent in directions.items()}


def test_one_stream_waits_for_another_s_packet_and_one_connection_does_not() -> None:
    for version, waits in (2, True), (1, False):
        capture = wsedu.read(DATA / f"http{version}-one-lost-packet.pcap")
        said = [one for each in capture.conversations for one in each.messages if one.kind == "frame" and one.text]
        times: dict[str, float] = {str(one.text): one.time for one in said}
        arrived = {str(one.text): capture.packets[one.packets[-1]].time for one in said}
        assert list(times) == list(dict.fromkeys(times)) and len(times) == 60 and not capture.warnings
        began = capture.packets[0].time
        held = [text for text in times if times[text] - (arrived[text] - began) / 1e9 > 0.01]
        assert {text[0] for text in held} == ({"A", "B"} if waits else {"A"}) and "A 11" in held
        assert 0.03 < times["A 10"] - times["A 09"] < 0.5
        assert (times["B 10"] - times["B 09"] > 0.03) is waits


def test_the_news_is_the_same_in_all_four_ways() -> None:
    found, everything = {}, {}
    for way in WAYS:
        sent = streams(tcp_packets(packets_in((DATA / f"chromium-{way}.pcap").read_bytes())))
        everything[way] = b"".join(sent.values())
        from_server = b"".join(data for (sender, _), data in sent.items() if sender.endswith(b"\0P"))
        found[way] = re.findall(rb'\{"id":(\d),"news":"([^"]{9})"\}', from_server)
    assert [number for number, _ in found["polling"]] == [b"1", b"2", b"3", b"4", b"5", b"6"]
    assert all(found[way] == found["polling"] for way in WAYS)
    assert 2 <= everything["polling"].count(b"HTTP/1.1 204 No Content\r\n") <= 10, "it also asks in vain"


@pytest.mark.parametrize("way", WAYS)
def test_the_news_is_the_same_over_tls_and_over_http2(way: str) -> None:
    for name in "tls", "h2":
        said = [one for one in wsedu.messages(DATA / f"chromium-{way}-{name}.pcapng") if one.sender == "server"]
        content = b"".join(one.content or one.payload for one in said if one.conversation == 1).decode("latin-1")
        assert re.findall(r'\{"id":\d,"news":"[^"]{9}"\}', content) == NEWS


def test_a_resumed_session_saves_bytes_and_typing_is_typing() -> None:
    first, second = wsedu.read(DATA / "python-resumed.pcapng").conversations
    saved = first.bill().parts["tls"] - second.bill().parts["tls"]
    assert [one.wire_length for one in first.messages] == [one.wire_length for one in second.messages] and saved > 500
    _, typed = wsedu.read(DATA / "chromium-typing.pcapng").conversations
    keys = [json.loads(one.text)["key"] for one in typed.messages if one.kind == "frame" and one.text]
    assert keys == keys_of(TEXT) and keys.count("Backspace") == 4


def websockets_in(name: str) -> list[tuple[list[CapturedMessage], list[dict[str, Any]]]]:
    """Of each WebSocket that a page opened, what the capture has of it and what the page noted."""
    said: dict[int, list[CapturedMessage]] = defaultdict(list)
    for one in wsedu.messages((DATA / name).with_suffix(".pcap"), assembled=True):
        said[one.conversation].append(one)
    noted: list[list[dict[str, Any]]] = []
    for entry in json.loads((DATA / name).read_text(encoding="utf-8")):
        if entry["what"] == "new WebSocket":
            noted.append([])
        if entry["what"] != "page":
            noted[-1].append(entry)
    upgrades = [each for each in said.values() if each[0].head is not None and each[0].head.get("Upgrade")]
    return list(zip(upgrades, noted, strict=True))


def as_noted(message: CapturedMessage) -> dict[str, object]:
    length, text = len(message.content), message.text
    return {"length": length, "bytes": list(message.content)} if text is None else {"length": length, "text": text[:60]}


@pytest.mark.parametrize("name", LOGS)
def test_what_a_page_noted_is_what_the_capture_has(name: str) -> None:
    for (request, response, *rest), noted in websockets_in(name):
        assert isinstance(request.head, wsedu.Request) and isinstance(response.head, wsedu.Response)
        seen: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for entry in noted:
            seen[entry["what"]].append(entry)
        url = f"ws://{request.head.get('Host')}{request.head.target}"
        assert [one["url"] for one in seen["new WebSocket"]] == [url]
        accepted = response.head.status == 101
        agreed = tuple(response.head.get(f"Sec-WebSocket-{field}") or "" for field in ("Extensions", "Protocol"))
        assert [(one["extensions"], one["protocol"]) for one in seen["onopen"]] == [agreed] * accepted
        assert len(seen["onerror"]) == (not accepted), "no error where a connection only ends"
        sent = [one for one in takewhile(lambda entry: entry["what"] != "close", noted) if one["what"] == "send"]
        for entries, sender in ((sent, "client"), (seen["onmessage"], "server")):
            told = [{key: one[key] for key in ("length", "text", "bytes") if key in one} for one in entries]
            assert told == [as_noted(one) for one in rest if one.kind == "message" and one.sender == sender]
        # What the page said, not what compression made of it; and nothing of before was waiting.
        assert all(one["bufferedAmount"] == [0, one["length"]] for one in seen["send"])
        frames = [one for one in rest if one.frame is not None and one.frame.opcode == wsedu.Opcode.CLOSE]
        closes = {one.sender: one.payload for one in frames}
        payload = closes.get("server")
        # RFC 6455, 7.1.5: what no Close frame said is 1006, what an empty one said is 1005.
        code = 1006 if payload is None else int.from_bytes(payload[:2]) or 1005
        ended = code, (payload or b"")[2:].decode(), len(closes) == 2
        assert [(one["code"], one["reason"], one["wasClean"]) for one in seen["onclose"]] == [ended]


def test_the_pages_met_what_they_were_made_for() -> None:
    found = {name: websockets_in(name) for name in LOGS}
    assert {name: [noted[-1]["code"] for _, noted in each] for name, each in found.items()} == {
        "chromium-closes.json": [1000, 1001, 1005, 1006, 1009, 1011, 1006, 1005],
        "chromium-hijack.json": [1000, 1000, 1006, 1006, 1006],
        "chromium-session.json": [1000],
        "nginx-idle.json": [1006, 1000, 1000],
    }
    hellos = [f"{one.sender} {len(one.payload)}" for one in found["chromium-session.json"][0][0] if one.text == "Hello"]
    assert hellos == ["client 7", "server 7", "client 5", "server 5"]
    # The one that was silent ended after a second, the others lived on for longer.
    lived = [noted[-1]["ms"] - noted[1]["ms"] for _, noted in found["nginx-idle.json"]]
    assert 900 < lived[0] < 1500 and min(lived[1:]) > 2000
    tried: list[Any] = [(request.head, response.head) for (request, response, *_), _ in found["chromium-hijack.json"]]
    assert [(one.target, one.get("Origin"), one.get("Cookie"), answer.status) for one, answer in tried] == [
        ("/account/checked", "http://192.0.2.1", "login=alice-5d41402a", 101),
        ("/account", "http://192.0.2.1:8080", "login=alice-5d41402a", 101),
        ("/account/checked", "http://192.0.2.1:8080", "login=alice-5d41402a", 403),
        ("/account", "http://[2001:db8::1]:8080", None, 401),
        ("/account/checked", "http://[2001:db8::1]:8080", None, 401),
    ]


ALONE = "unshare", "-Urn"  # in a network of its own


@pytest.mark.skipif(
    shutil.which("unshare") is None or run(*ALONE, "true").returncode != 0,
    reason="network namespaces are not allowed here",
)
def test_what_is_recorded_again_says_the_same(tmp_path: Path) -> None:
    names = ("websockets-large.pcap", "websockets-ipv6.pcapng")
    tool, stems = ROOT / "tools" / "record_captures.py", [Path(name).stem for name in names]
    done = run(*ALONE, sys.executable, tool, "--folder", tmp_path, *stems, timeout=120)
    assert done.returncode == 0, done.stderr
    for name in names:
        content = (tmp_path / name).read_bytes()
        assert content.startswith(b"\n\r\r\n") is name.endswith(".pcapng")
        assert streams(tcp_packets(packets_in(content)))
        assert warnings(tmp_path / name) == ""
        old, new = (
            [(one.kind, one.sender, one.payload, one.wire_length) for one in wsedu.messages(path)]
            for path in (DATA / name, tmp_path / name)
        )
        assert new == old and len(old) > 5
