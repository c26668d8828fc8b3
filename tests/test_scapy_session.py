# SPDX-License-Identifier: GPL-2.0-or-later
"""The Scapy session gives every message whole and once; and what Scapy itself makes of the same packets."""

from __future__ import annotations

import gzip
import io
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import hostile
import pytest
from capture_maker import CAPTURES, CLIENT, DATA, GET, HANDSHAKE, SERVER, SWITCHING, Talk, frame, pcap
from scapy.error import log_runtime
from scapy.layers.http import HTTP, HTTPRequest, HTTPResponse
from scapy.layers.inet import IP, TCP, fragment
from scapy.layers.l2 import Ether
from scapy.packet import Raw, bind_layers, split_layers
from scapy.sendrecv import sniff
from scapy.sessions import IPSession, TCPSession

import wsedu
from wsedu.wire import WebSocket, WebSocketSession

KINDS = {HTTPRequest: "request", HTTPResponse: "response", WebSocket: "frame"}
PORT = 8000  # none that Scapy knows
ONE, TWO, THREE = (frame(text) for text in (b"one", b"two", b"three"))


def talk(**options: Any) -> Talk:
    return Talk(server=("192.0.2.2", options.pop("port", PORT)), **options)


def packets_of(packets: list[bytes], using: Any = WebSocketSession, **options: Any) -> list[Any]:
    return list(sniff(offline=io.BytesIO(pcap(packets, **options)), session=using))


def said(given: Iterable[Any]) -> list[tuple[str, bytes]]:
    """The messages among what a session gave: which kind, and their bytes."""
    return [(kind, bytes(packet[layer])) for packet in given for layer, kind in KINDS.items() if layer in packet]


def frames(packets: list[bytes]) -> list[bytes]:
    """The frames that our session gives, behind request and response."""
    kinds, found = zip(*said(packets_of(packets)), strict=True)
    assert kinds == ("request", "response", *["frame"] * (len(kinds) - 2))
    return list(found[2:])


def read(file: bytes) -> list[tuple[str, bytes]]:
    """What ``messages`` gives of a capture, in the same form."""
    # Empty lines before a start line are no part of it (RFC 9112, 2.2); only here they are kept with it.
    found = ((one.kind, one.raw) for one in wsedu.messages(io.BytesIO(file)) if one.kind != "gap")
    return [(kind, raw if kind == "frame" else raw.lstrip(b"\r\n")) for kind, raw in found]


@pytest.fixture
def their_frames() -> Iterator[Any]:
    """What TCPSession makes of frames from a server, if it is told the port: all payloads, in order."""
    bind_layers(TCP, WebSocket, sport=PORT)

    def payloads(packets: list[bytes]) -> list[bytes]:
        found = []
        for packet in packets_of(packets, TCPSession):
            layer = packet.getlayer(WebSocket)
            while isinstance(layer, WebSocket):
                found.append(bytes(layer.data))
                layer = layer.payload
        return found

    yield payloads
    split_layers(TCP, WebSocket, sport=PORT)


# TCPSession's defects


def test_more_than_a_thousand_frames_in_one_segment(their_frames: Any) -> None:
    one = talk()
    begin, many = one.shake(), one.say(SERVER, frame(b"") * 2000, 60_000)
    assert frames(begin + many) == [frame(b"")] * 2000
    assert len(their_frames(many)) != 2000


def test_a_lost_segment(their_frames: Any) -> None:
    one = talk()
    begin, before, (first, _lost, last) = one.shake(), one.say(SERVER, ONE), one.say(SERVER, frame(b"x" * 30), 12)
    after = one.say(SERVER, TWO) + one.say(CLIENT, THREE) + one.close()
    given = packets_of([*begin, *before, first, last, *after])
    assert [raw for kind, raw in said(given) if kind == "frame"] == [ONE, THREE]
    assert their_frames([first, last]) == [b"x" * 10 + bytes(12) + b"x" * 8]


# Those of Scapy's HTTP layer


def exchange(response: bytes, request: bytes = GET, *, size: int = 1400, port: int = PORT) -> list[Any]:
    one = talk(port=port)
    return packets_of(one.open() + one.say(CLIENT, request) + one.say(SERVER, response, size))


def test_chunk_data_that_looks_like_the_last_chunk() -> None:
    content = b"a\r\n0\r\n\r\n-rest\r\n6;note=first\r\nsecond\r\n0\r\nDigest: x\r\n\r\n"
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + content
    for size in (1, 7, 75, 1400):
        given = exchange(answer * 2, size=size, port=80)
        assert said(given)[1:] == [("response", answer)] * 2
        assert [packet[Raw].load for packet in given if HTTPResponse in packet] == [b"0\r\n\r\n-restsecond"] * 2
    cut = talk(port=80).say(SERVER, answer, 57)
    assert ("response", answer) not in said(packets_of(cut, TCPSession))


def test_gzip_content_is_shown_inflated_and_keeps_its_bytes() -> None:
    content = gzip.compress(b"the same line again\n" * 50)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(content)
    (given,) = [packet for packet in exchange(head + content) if HTTPResponse in packet]
    assert given[Raw].load == b"the same line again\n" * 50
    assert bytes(given[HTTPResponse]) == head + content
    assert bytes(given.copy()[HTTPResponse]) == head + content


@pytest.mark.parametrize("line", [b"HTTP/1.1 101", b"HTTP/1.1 101 "])
def test_a_101_without_a_reason_phrase(line: bytes) -> None:
    answer = line + b"\r\n" + SWITCHING.partition(b"\r\n")[2]
    given = exchange(answer + ONE, HANDSHAKE)
    assert said(given) == [("request", HANDSHAKE), ("response", answer), ("frame", ONE)]
    (response,) = [packet[HTTPResponse] for packet in given if HTTPResponse in packet]
    assert (response.Status_Code, response.Reason_Phrase, response.Http_Version) == (b"101", b"", b"HTTP/1.1")


def test_content_behind_a_connection_that_says_upgrade_is_no_http_2() -> None:
    settings = bytes.fromhex("000000040000000000")
    refused = b"HTTP/1.1 426 No\r\nConnection: Upgrade\r\nContent-Length: 9\r\n\r\n" + settings
    (response,) = [packet for packet in exchange(refused, HANDSHAKE) if HTTPResponse in packet]
    assert response.lastlayer().name == "Raw" and response.load == settings
    assert HTTPResponse(refused).lastlayer().name != "Raw"


def test_building_a_response_adds_nothing() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
    (given,) = [packet for packet in exchange(answer) if HTTPResponse in packet]
    assert bytes(given).endswith(answer) and given.__class__(bytes(given))[IP].len == 40 + len(answer)
    assert b"Date" in bytes(HTTP() / HTTPResponse())


# What is ours


def test_other_protocols_come_as_they_are() -> None:
    one = talk(port=443)
    hello = bytes.fromhex("160301000501000001") + bytes(40)
    packets = one.open() + one.say(CLIENT, hello, 20) + one.say(SERVER, hello) + one.close()
    assert [bytes(packet) for packet in packets_of(packets)] == packets
    udp = one.packet(CLIENT, b"x")
    udp = udp[:23] + b"\x11" + udp[24:]
    assert [bytes(packet) for packet in packets_of([udp, b"short"])] == [udp, b"short"]


def test_what_completes_no_message_does_not_look_like_one() -> None:
    """On port 80 Scapy sees HTTP in any packet; behind a hole ours says nothing of the kind."""
    one = talk(port=80)
    begin, lost, rest = (one.open() + one.say(CLIENT, GET), one.say(SERVER, b"xxxx"), one.say(SERVER, SWITCHING))
    assert lost and said(packets_of(begin + rest)) == [("request", GET)]
    cut = packets_of(begin + rest, snap=100)
    assert [packet for packet in cut if HTTPResponse in packet] == []


def test_the_log_says_what_is_not_read_any_further(monkeypatch: pytest.MonkeyPatch) -> None:
    one = talk()
    lines: list[str] = []
    monkeypatch.setattr(log_runtime, "warning", lambda text, *values: lines.append(text % values))
    packets_of(one.shake() + one.say(SERVER, b"\x82\x7f\xff" + bytes(20)) + one.say(SERVER, ONE))
    (line,) = lines
    assert line.startswith("WebSocketSession: 192.0.2.2 port 8000 is not read any further: payload length at byte 2")


def test_fragments_of_ip_can_be_put_together_first() -> None:
    one = talk()
    packets = one.shake() + one.say(SERVER, frame(bytes(1000)))
    parts = [bytes(part) for packet in packets for part in fragment(Ether(packet), 400)]  # type: ignore[no-untyped-call]
    assert len(parts) > len(packets)
    found = said(packets_of(parts, WebSocketSession(IPSession)))
    assert found[2:] == [("frame", frame(bytes(1000)))]


# Agreement


def test_agrees_with_read_on_all_of_data_and_on_the_hostile_capture(tmp_path: Path) -> None:
    hostile.write_capture(tmp_path / "hostile.pcap")
    for path in (*CAPTURES, tmp_path / "hostile.pcap"):
        assert said(sniff(offline=str(path), session=WebSocketSession)) == read(path.read_bytes()), path.name


@pytest.mark.parametrize("seed", range(5))
def test_no_bytes_raise(seed: int) -> None:
    """Captures with bytes changed at random, TCP and IP headers too."""
    rng = random.Random(seed)
    for path in CAPTURES:
        file = bytearray(path.read_bytes()[:20_000])
        for _ in range(60):
            file[rng.randrange(24 if path.suffix == ".pcap" else 400, len(file))] = rng.randrange(256)
        try:
            list(wsedu.messages(io.BytesIO(bytes(file))))
        except Exception:
            continue  # a length of the file format was hit
        sniff(offline=io.BytesIO(bytes(file)), session=WebSocketSession)


def test_a_long_message_costs_no_more_than_its_length() -> None:
    """Each byte of it is looked at once, and not again with each segment: 3 MB in 2,000 segments, and by the byte."""
    one = talk()
    coded = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + (b"3e8\r\n" + bytes(1000) + b"\r\n") * 3_000
    head = b"GET /" + b"a" * 1000 + b" HTTP/1.1\r\nX: " + b"b" * 1000 + b"\r\n\r\n"
    packets = one.open() + one.say(CLIENT, head, 1) + one.say(SERVER, coded + b"0\r\n\r\n")
    assert [(kind, len(raw)) for kind, raw in said(packets_of(packets))] == [
        ("request", len(head)), ("response", len(coded) + 5)]  # fmt: skip


def test_compressed_messages_have_their_content() -> None:
    path = DATA / "websockets-deflate.pcap"
    given = sniff(offline=str(path), session=WebSocketSession)
    packets = [packet[WebSocket] for packet in given if WebSocket in packet]
    frames = (one for one in wsedu.messages(path) if one.frame is not None)
    expected = [one.content if one.compressed and one.frame.fin else None for one in frames]  # type: ignore[union-attr]
    assert [packet.content for packet in packets] == expected
    assert packets[0].copy().content == packets[0].content == b"Hello" and packets[0].data != b"Hello"
