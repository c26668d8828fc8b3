# SPDX-License-Identifier: GPL-2.0-or-later
"""One table of dialogues, and who reads them: ``dissect``, the bill, and the Scapy session.

A dialogue is what both sides say, the messages that it has, what is said on stderr, and the bytes of data by what they
were spent on. Each is read in large segments and byte by byte.
"""

from __future__ import annotations

import gzip
import io
import tracemalloc
import zlib
from typing import Any, NamedTuple

import pytest
import test_scapy_session
from capture_maker import CLIENT, HANDSHAKE, SERVER, SWITCHING, Talk, dissected, frame, pcap
from scapy.error import log_runtime

import wsedu
from wsedu.wire import connections
from wsedu.wire.bill import bills
from wsedu.wire.connections import CaptureReader
from wsedu.wire.exchange import NOT_HTTP
from wsedu.wire.packets import Segment
from wsedu.wire.pcapfile import read_packets

Message = tuple[Any, ...]

GET, HEAD = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", b"HEAD / HTTP/1.1\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
EMPTY = b"HTTP/1.1 %b\r\nContent-Length: 0\r\n\r\n"
HELLO, HI = frame(b"Hello"), frame(b"Hi", key=b"wxyz")
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nContent-Length: %b\r\n\r\n"
CONNECT = b"CONNECT example.com:80 HTTP/1.1\r\nHost: example.com:80\r\n\r\n"
# The second chunk holds what looks like the end.
CHUNKS = b'3;first\r\nabc\r\nA;name="a;b"\r\n\r\n0\r\n\r\nxyz\r\n0000;last\r\nDigest: x\r\nExpires: never\r\n\r\n'
ASK_H2C = b"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
UNFINISHED = "unfinished at the end:"
TLS = b"\x16\x03\x01\x02"
# Draft 76 of 2010: keys of its own, an answer in the content, and text between 00 and FF.
HIXIE_ASK = (
    b"GET /demo HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nSec-WebSocket-Key1: 4 @1  46546xW%0l 1 5\r\n"
    b"Sec-WebSocket-Key2: 12998 5 Y3 1  .P00\r\nUpgrade: WebSocket\r\n\r\n"
)
HIXIE = (
    b"HTTP/1.1 101 WebSocket Protocol Handshake\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Origin: http://h\r\nSec-WebSocket-Location: ws://h/demo\r\n\r\n"
)


def req(method: str = "GET", target: str = "/", content: int = 0) -> Message:
    return "client", "request", method, target, content


def res(status: int = 200, content: int = 0) -> Message:
    return "server", "response", status, content


CHAT, SWITCHED = req(target="/chat"), res(101)
S_HELLO, C_HI = ("server", "frame", 1, b"Hello".hex()), ("client", "frame", 1, b"Hi".hex())


class Dialogue(NamedTuple):
    turns: list[tuple[bool, bytes]]
    messages: list[Message]
    says: list[str] = []  # what each line on stderr holds
    parts: dict[str, int] = {}  # of the bill; the rest of what was said is "http head"
    opened: bool = True  # with SYN
    closed: bool = False  # with FIN


def answered(request: bytes, response: bytes, *messages: Message, **more: Any) -> Dialogue:
    return Dialogue([(CLIENT, request), (SERVER, response)], list(messages), **more)


SHAKEN = [(CLIENT, HANDSHAKE), (SERVER, SWITCHING)]
SHAKEN_PART = {"handshake": len(HANDSHAKE + SWITCHING)}
FRAMES_PARTS = SHAKEN_PART | {"frame header": 2 + 6, "payload": 5 + 2}

# RFC 9112, 7: what a connection does to a message, and not the message itself. A coding that cannot be removed stays.
TEXT = b"the same line again\n" * 50
CODED = {
    b"gzip, chunked": (gzip.compress(TEXT), 1000),
    b"x-gzip,chunked": (gzip.compress(TEXT), 1000),
    b"deflate , chunked": (zlib.compress(TEXT), 1000),
    b"deflate, gzip, chunked": (gzip.compress(zlib.compress(TEXT)), 1000),
    b"gzip , chunked": (b"plain", 5),
    b"compress, chunked": (b"plain", 5),
    b"what, chunked": (b"plain", 5),
}
WITHOUT_BOUNDARIES = [
    OK.replace(b"2\r\n", b"two\r\n"), OK.replace(b"2\r\n", b"-2\r\n"), CHUNKED + b"zz\r\n", CHUNKED + b"-2\r\nhi\r\n",
    CHUNKED + b"1" + b"0" * 16 + b"\r\nhi\r\n",
]  # fmt: skip
TOP_BIT = b"\x82\x7f\x80" + bytes(6) + b"\x05Hello"
CLIENT_HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(189)
# What is no HTTP: a capture that begins inside a connection, and whole ones.
FOREIGN = {
    "inside a WebSocket, server": [(SERVER, HELLO), (CLIENT, HI)],
    "inside a WebSocket, client": [(CLIENT, HI), (SERVER, HELLO)],
    "inside a payload of text": [(SERVER, b"Hello"), (SERVER, HELLO)],
    "inside a payload of text, to the end": [(SERVER, b"Hello")],
    "inside TLS": [(CLIENT, b"\x17\x03\x03\0\x20" + bytes(32)), (SERVER, b"\x17\x03\x03\0\x20" + bytes(32))],
    "inside TLS, inside a record": [(SERVER, bytes(range(200, 240))), (CLIENT, bytes(range(100)))],
    "inside content": [(SERVER, b"the rest of a page\r\n</html>\r\n" + OK)],
    "inside a head": [(CLIENT, b"cept: text/html\r\n\r\n"), (SERVER, OK[9:])],
}
WHOLE = {
    "TLS": [(CLIENT, CLIENT_HELLO), (SERVER, b"\x16\x03\x03\0\x7a" + bytes(122))],
    "SSH": [(SERVER, b"SSH-2.0-OpenSSH_9.2p1\r\n"), (CLIENT, b"SSH-2.0-Go\r\n")],
    "mail": [(SERVER, b"220 mail.example ESMTP\r\n"), (CLIENT, b"EHLO x\r\n")],
    "Redis": [(CLIENT, b"*1\r\n$4\r\nPING\r\n"), (SERVER, b"+PONG\r\n")],
    "HTTP/2": [(CLIENT, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9)), (SERVER, bytes(9))],
    "a long line that only its end gives away": [(CLIENT, b"GET /" + b"x" * 400 + b"\r\n")],
    "HTTP/0.9": [(CLIENT, b"GET /\r\n"), (SERVER, b"<html>")],
    "zeros": [(CLIENT, bytes(3000)), (SERVER, bytes(3000))],
}

DIALOGUES = {
    "a request and its response": answered(GET, OK, req(), res(200, 2), parts={"content": 2}),
    "interim responses are responses and answer nothing": Dialogue(
        [(CLIENT, HEAD), (SERVER, b"HTTP/1.1 100 x\r\n\r\nHTTP/1.1 103 x\r\nLink: </a>\r\n\r\n" + OK[:-2]),
         (CLIENT, GET), (SERVER, b"HTTP/1.1 199 x\r\n\r\n" + OK)],
        [req("HEAD"), res(100), res(103), res(), req(), res(199), res(200, 2)], parts={"content": 2},
    ),
    "no content to HEAD": answered(HEAD + GET, OK[:-2] + OK, req("HEAD"), req(), res(), res(200, 2),
        parts={"content": 2}),
    "no chunks to HEAD": answered(HEAD + GET, CHUNKED + OK, req("HEAD"), req(), res(), res(200, 2),
        parts={"content": 2}),
    "204, whatever its fields say": answered(
        GET + GET, b"HTTP/1.1 204 x\r\nContent-Length: 5\r\n\r\n" + OK, req(), req(), res(204), res(200, 2),
        parts={"content": 2}),
    "304, whatever its fields say": answered(
        GET + GET, b"HTTP/1.1 304 x\r\nTransfer-Encoding: chunked\r\n\r\n" + OK, req(), req(), res(304), res(200, 2),
        parts={"content": 2}),
    "content until the close": answered(
        GET, b"HTTP/1.0 200 OK\r\n\r\nuntil the end", req(), res(200, 13), parts={"content": 13}, closed=True),
    "content until the close, which does not come": answered(
        GET, b"HTTP/1.0 200 OK\r\n\r\nuntil", req(),
        says=[f"{UNFINISHED} a response of the server, 24 bytes so far"], parts={"content": 5}),
    "chunks with extensions and trailers": answered(
        b"POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n" + CHUNKS + GET,
        CHUNKED[:-2] + b"Content-Length: 3\r\n\r\n" + CHUNKS + OK,
        req("POST", content=13), req(), res(200, 13), res(200, 2), parts={"content": 28}),
    "chunks, the last one ended by bare line feeds": answered(
        GET, CHUNKED + b"2\nhi\n0\n\n", req(), res(200, 2), parts={"content": 2}),
    # An empty line is CRLF (RFC 9112, 7.1), or LF (2.2). CR CR LF is a line with a bare CR in it: still the trailers.
    "a last chunk and CR CR LF": answered(
        GET, CHUNKED + b"2\r\nhi\r\n0\n\r\r\n", req(),
        says=[f"{UNFINISHED} a response of the server, 59 bytes so far"], parts={"content": 2}),
    "CR CR LF, and then the empty line": answered(
        GET, CHUNKED + b"2\r\nhi\r\n0\n\r\r\n\r\n", req(), res(200, 2), parts={"content": 2}),
    # 1*DIGIT (RFC 9110, 8.6) and 1*HEXDIG (RFC 9112, 7.1): any number of zeros.
    "zeros before a length": answered(POST % (b"0" * 5000 + b"5") + b"abcde", OK, req("POST", content=5), res(200,
        2), parts={"content": 7}),
    "zeros before a chunk's size": answered(
        GET, CHUNKED + b"0" * 3000 + b"2\r\nhi\r\n" + b"0" * 40 + b"\r\n\r\n", req(), res(200, 2),
        parts={"content": 2}),
    "lengths that say the same": answered(POST % b"3, 3" + b"abc", OK, req("POST", content=3), res(200, 2),
        parts={"content": 5}),
    "pipelining": answered(
        HEAD + GET + POST % b"3" + b"abc", OK[:-2] + OK + OK,
        req("HEAD"), req(), req("POST", content=3), res(), res(200, 2), res(200, 2), parts={"content": 7}),
    "a 408 that nobody asked for": Dialogue(
        [(SERVER, EMPTY % b"408 x"), (CLIENT, HEAD), (SERVER, OK[:-2] + OK)],
        [res(408), req("HEAD"), res(), res(200, 2)], parts={"content": 2}),
    "a final response before the request is complete": Dialogue(
        [(CLIENT, POST % b"6" + b"abc"), (SERVER, EMPTY % b"413 x"), (CLIENT, b"def" + HEAD), (SERVER, OK[:-2] + OK)],
        [res(413), req("POST", content=6), req("HEAD"), res(), res(200, 2)], parts={"content": 8}),
    "a final response before the head is complete": Dialogue(
        [(CLIENT, GET[:20]), (SERVER, EMPTY % b"431 x"), (CLIENT, GET[20:] + HANDSHAKE), (SERVER, OK), *SHAKEN,
        (CLIENT, HI)],
        [res(431), req(), CHAT, res(200, 2), CHAT, SWITCHED, C_HI],
        parts=SHAKEN_PART | {"content": 2, "frame header": 6, "payload": 2}),
    "a handshake": Dialogue([*SHAKEN, (SERVER, HELLO), (CLIENT, HI)], [CHAT, SWITCHED, S_HELLO, C_HI],
        parts=FRAMES_PARTS),
    "a refused handshake, and more HTTP": Dialogue(
        [(CLIENT, HANDSHAKE), (SERVER, OK), (CLIENT, GET), (SERVER, OK), *SHAKEN, (SERVER, HELLO), (CLIENT, HI)],
        [CHAT, res(200, 2), req(), res(200, 2), CHAT, SWITCHED, S_HELLO, C_HI], parts=FRAMES_PARTS | {"content": 4}),
    "frames begin only after the response to the request to switch": Dialogue(
        [(CLIENT, GET + HANDSHAKE + HI), (SERVER, OK), (SERVER, b"HTTP/1.1 103 x\r\n\r\n"), (SERVER, SWITCHING)],
        [req(), CHAT, res(200, 2), res(103), SWITCHED, C_HI],
        parts=SHAKEN_PART | {"content": 2, "frame header": 6, "payload": 2}),
    "Upgrade is a list, and case does not matter": answered(
        HANDSHAKE.replace(b"websocket\r", b"foo/2,  WebSocket\r"), SWITCHING.replace(b"websocket",
        b"WEBSOCKET") + HELLO,
        CHAT, SWITCHED, S_HELLO,
        parts={"handshake": len(HANDSHAKE + SWITCHING) + 8, "frame header": 2, "payload": 5}),
    # A client must fail such a connection (RFC 6455, 4.1), but a reader does not check. The request had said it.
    "a 101 that does not say to what it switches": answered(
        HANDSHAKE, SWITCHING.replace(b"Upgrade: websocket\r\n", b"") + HELLO, CHAT, SWITCHED, S_HELLO,
        parts={"handshake": len(HANDSHAKE + SWITCHING) - 20, "frame header": 2, "payload": 5}),
    "a 101 of a draft with other frames": answered(
        HIXIE_ASK, HIXIE + b"8jKS'y:G*Co,Wxa-\0Hello\xff", req(target="/demo"), SWITCHED,
        says=["its 101 has no Sec-WebSocket-Accept"], parts={"other": 23}),
    "a client that waits for an answer that cannot be read": Dialogue(
        [(CLIENT, HANDSHAKE + HI), (SERVER, b"no answer\r\n"), (CLIENT, HI)], [CHAT, C_HI, C_HI],
        says=["the server is not read any further"], parts={"frame header": 12, "payload": 4, "other": 11}),
    "an upgrade to something else": Dialogue(
        [(CLIENT, ASK_H2C), (SERVER, SWITCHING.replace(b"websocket", b"h2c") + bytes(9)), (CLIENT, bytes(9))],
        [req(), SWITCHED], says=["not WebSocket"], parts={"other": 18}),
    "a refused tunnel": Dialogue(
        [(CLIENT, CONNECT + GET), (SERVER, OK.replace(b"200", b"407") + OK)],
        [req("CONNECT", "example.com:80"), res(407, 2), req(), res(200, 2)], parts={"content": 4}),
    "a WebSocket through a tunnel": Dialogue(
        [(CLIENT, CONNECT), (SERVER, EMPTY % b"200 x"), *SHAKEN, (SERVER, HELLO), (CLIENT, HI)],
        [req("CONNECT", "example.com:80"), res(), CHAT, SWITCHED, S_HELLO, C_HI], parts=FRAMES_PARTS),
    "HTTP through a tunnel, before it is open": answered(
        CONNECT + GET, b"HTTP/1.1 200 x\r\n\r\n" + OK,
        req("CONNECT", "example.com:80"), res(), req(), res(200, 2), parts={"content": 2}),
    "TLS through a tunnel": Dialogue(
        [(CLIENT, CONNECT), (SERVER, EMPTY % b"200 x"), (CLIENT, TLS), (SERVER, TLS)],
        [req("CONNECT", "example.com:80"), res()],
        says=["what goes through the tunnel is neither HTTP nor WebSocket"], parts={"other": 8}),
    "a first request that cannot be read, and its 400": answered(
        b"GET /\r\n\r\n", EMPTY % b"400 x", res(400), says=["the client is not read any further: request line"],
        parts={"other": 9}),
    "a later request that cannot be read, and its 400": answered(
        GET + b"GET /\r\n\r\n", OK + EMPTY % b"400 x", req(), res(200, 2), res(400), parts={"content": 2, "other": 9},
        says=["the client is not read any further: request line"]),
    "two lengths": answered(GET, OK[:-6] + b"3\r\nContent-Length: 2\r\n\r\nhi", req(), parts={"other": 60},
                            says=["the server is not read any further: Content-Length"]),
    "it begins with a response": Dialogue(
        [(SERVER, OK), (CLIENT, GET), (SERVER, OK)], [res(200, 2), req(), res(200, 2)],
        parts={"content": 4}, opened=False),
    "it begins with the 101": Dialogue(
        [(SERVER, SWITCHING + HELLO), (CLIENT, HI)], [SWITCHED, S_HELLO, C_HI], opened=False,
        parts={"handshake": len(SWITCHING), "frame header": 8, "payload": 7}),
    "a head that is not complete": answered(GET + GET[:-2], OK, req(), res(200, 2), parts={"content": 2},
                                            says=[f"{UNFINISHED} a request of the client, 25 bytes so far"]),
    "content that is not complete": answered(GET, OK[:-1], req(), parts={"content": 1}, closed=True,
                                             says=[f"{UNFINISHED} a response of the server, 39 bytes of 40"]),
    "frames that are not complete": Dialogue(
        [*SHAKEN, (SERVER, HELLO[:-1]), (CLIENT, HI[:3])], [CHAT, SWITCHED],
        says=[f"{UNFINISHED} a frame of the client, 3 bytes so far; a frame of the server, 6 bytes of 7"],
        parts=SHAKEN_PART | {"frame header": 2 + 3, "payload": 4}),
    **{f"transfer codings, {codings.decode()}": answered(
        GET, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: %b\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (codings, len(coded),
        coded) + OK, req(), res(200, size), res(200, 2), parts={"content": len(coded) + 2})
       for codings, (coded, size) in CODED.items()},
    "a transfer coding that ends with the connection": answered(
        GET, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n" + gzip.compress(TEXT), req(), res(200, 1000),
        parts={"content": len(gzip.compress(TEXT))}, closed=True),
    **{f"no boundaries, {broken!r}": Dialogue(
        [(CLIENT, GET), (SERVER, broken + OK), (CLIENT, GET)], [req(), req()], parts={"other": len(broken + OK)},
        says=["the server is not read any further"]) for broken in WITHOUT_BOUNDARIES},
    "what cannot be read, inside a message of the other": Dialogue(
        [(CLIENT, POST % b"6" + b"abc"), (SERVER, bytes(20)), (CLIENT, b"def")], [req("POST", content=6)],
        says=["the server is not read any further"], parts={"content": 6, "other": 20}),
    **{f"a set top bit in a 64-bit length, {who}": Dialogue(
        [*SHAKEN, (sender, HELLO + TOP_BIT + HELLO), (not sender, HELLO), (sender, HELLO)],
        [CHAT, SWITCHED, (who, *S_HELLO[1:]), (other, *S_HELLO[1:])],
        says=[f"the {who} is not read any further: payload length"],
        parts=SHAKEN_PART | {"frame header": 4, "payload": 10, "other": len(TOP_BIT + HELLO * 2)})
       for sender, who, other in ((CLIENT, "client", "server"), (SERVER, "server", "client"))},
    **{f"{name}, closed: {closed}": Dialogue(
        turns, [], says=[NOT_HTTP], parts={"other": sum(len(data) for _, data in turns)}, opened=name in WHOLE,
        closed=closed)
       for name, turns in (FOREIGN | WHOLE).items() for closed in (False, True)},
    **{f"lengths that are not minimal, {key!r}": Dialogue(
        [*SHAKEN, (CLIENT, bytes([0x81, mask | 126, 0, 5]) + frame(b"Hello", key=key)[2:]),
         (CLIENT, bytes([0x81, mask | 127, *bytes(7), 5]) + frame(b"Hello", key=key)[2:]),
         (CLIENT, bytes([0x88, mask | 126, 0, 0]) + (key or b""))],
        [CHAT, SWITCHED, *[("client", *S_HELLO[1:])] * 2, ("client", "frame", 8, "")],
        parts=SHAKEN_PART | {"frame header": 4 + 10 + 4 + 3 * len(key or b""), "payload": 10})
       for key, mask in ((None, 0), (b"wxyz", 128))},
    "empty lines and bare line feeds": answered(
        b"\r\n\r\nGET /\xe9 HTTP/1.1\nX:\xe9\n\n", b"HTTP/1.1 204 \xe9\n\n", req(target="/\xe9"), res(204)),
}  # fmt: skip


def packets_of(one: Dialogue, size: int = 1400) -> list[bytes]:
    talk = Talk(server=("192.0.2.2", 8000))
    packets = talk.open() if one.opened else []
    for sender, data in one.turns:
        packets += talk.say(sender, data, size)
    return packets + (talk.close() if one.closed else [])


TABLE = pytest.mark.parametrize("one", DIALOGUES.values(), ids=DIALOGUES)


@pytest.mark.parametrize("size", [1, 1400])
@TABLE
def test_read(one: Dialogue, size: int) -> None:
    said = dissected(pcap(packets_of(one, size)))
    assert (said.status, said.brief()) == (0, one.messages)
    assert len(said.complaints) == len(one.says)
    assert all(words in line for words, line in zip(one.says, said.complaints, strict=True))


@TABLE
def test_bill(one: Dialogue) -> None:
    packets = packets_of(one)
    bill = wsedu.read(io.BytesIO(pcap(packets))).bill()
    data = sum(len(data) for _, data in one.turns)
    assert bill.total_bytes == sum(map(len, packets))
    parts = dict.fromkeys(("content", "payload", "frame header", "handshake", "other"), 0) | one.parts
    parts["http head"] = data - sum(parts.values())
    assert {name: bill.parts[name] for name in parts} == parts


@TABLE
def test_session(one: Dialogue, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(log_runtime, "warning", lambda text, *values: lines.append(text % values))
    packets = packets_of(one, 20)
    assert test_scapy_session.said(test_scapy_session.packets_of(packets)) == test_scapy_session.read(pcap(packets))
    # A session is not told that packets end, so of what is unfinished then it says nothing; nor of other protocols.
    assert len(lines) == sum(UNFINISHED not in words and words != NOT_HTTP for words in one.says)


def capture_of(many: int, talk: str) -> bytes:
    """A capture of many connections that say nothing, or nothing that can be read."""
    packets = []
    for number in range(many):
        one = Talk(client=(f"10.0.{number >> 8}.{number & 255}", 1024))
        packets += one.open()[:1] if talk == "SYN" else one.open() + one.say(CLIENT, TLS) + one.say(SERVER, TLS)
    return pcap(packets)


@pytest.mark.parametrize("talk", ["SYN", "TLS"])
def test_connections_of_which_there_is_nothing_to_tell_take_no_more_memory_the_more_they_are(
    talk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MOST_SILENT", 250)
    peaks = []
    for many in 800, 2400:
        file, warnings = io.BytesIO(capture_of(many, talk)), list[str]()
        tracemalloc.start()
        assert list(wsedu.messages(file, warnings)) == []
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert f"{many - 250:,} connections without a message were not followed" in warnings[-1]
    assert peaks[1] < 1.5 * peaks[0]


def test_of_many_unreadable_connections_few_have_a_line_and_the_rest_is_counted() -> None:
    said = dissected(capture_of(300, "TLS"))
    assert [line.startswith("wsedu: conversation") for line in said.complaints] == [True] * 5 + [False]
    assert said.complaints[-1] == f"wsedu: 295 more conversations: {NOT_HTTP}"


def test_a_bill_of_closed_connections_keeps_little_of_each() -> None:
    """Without a message nothing: who asks for its bill?"""
    packets = []
    for port in range(1, 3000):
        one = Talk(client=("192.0.2.1", port))
        packets += one.open() + one.close() if port > 2 else packets_of(DIALOGUES["a handshake"])
    total, conversations = bills(read_packets(io.BytesIO(pcap(packets))))
    assert total.connections == 2998 and len(conversations) < 1010


@pytest.mark.parametrize("data", [b"a" * 200_000, b"\r\n" * 100_000, b"GET /" + b"a" * 200_000])
def test_a_line_that_comes_byte_by_byte_without_a_syn_is_not_looked_at_again_each_time(data: bytes) -> None:
    """Minutes otherwise; and hours of a head of the longest length."""
    reader, ends = CaptureReader([]), ((b"\1" * 4, 1), (b"\2" * 4, 2))
    for at in range(0, len(data), 4):
        segment = Segment(*ends, at, 0, 16, data[at : at + 4], 0, (0, 0, 0))
        assert list(reader.segment(segment, at)) == []
    assert list(reader.finish(whole=True)) == []
    assert len(reader.warnings) == 1
