# SPDX-License-Identifier: GPL-2.0-or-later
"""One table of dialogues, and who reads them: ``dissect``, the bill, and the Scapy session.

A dialogue is what both sides say, what TCP does to it, the messages that it has, what is said on stderr, and the bytes
of data by what they were spent on. Each is read in large segments and byte by byte.
"""

import gzip
import io
import tracemalloc
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest
import test_scapy_session
from capture_maker import CLIENT, GET, HANDSHAKE, OK, SERVER, SWITCHING, Said, Talk, dissected, frame, pcap
from scapy.error import log_runtime

import wsedu
from wsedu.wire import WebSocketSession, connections
from wsedu.wire.connections import CaptureReader
from wsedu.wire.exchange import NOT_HTTP
from wsedu.wire.fast import FastReader
from wsedu.wire.packets import ACK, RST, SYN, Segment

Message = tuple[Any, ...]

HEAD, UNTIL_CLOSE = b"HEAD / HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\nxyz"
EMPTY = b"HTTP/1.1 %b\r\nContent-Length: 0\r\n\r\n"
HELLO, HI = frame(b"Hello"), frame(b"Hi", key=b"wxyz")
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nContent-Length: %b\r\n\r\n"
CONNECT = b"CONNECT example.com:80 HTTP/1.1\r\nHost: example.com:80\r\n\r\n"
# The second chunk holds what looks like the end.
CHUNKS = b'3;first\r\nabc\r\nA;name="a;b"\r\n\r\n0\r\n\r\nxyz\r\n0000;last\r\nDigest: x\r\nExpires: never\r\n\r\n'
ASK_IRC = b"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: irc\r\n\r\n"
UNFINISHED = "unfinished at the end:"
STOPPED = "goes no further; "  # of a handshake of TLS, at the end too
TLS = b"\x16\x03\x01\x02"
# Draft 76 of 2010: keys of its own, an answer in the content, and text between 00 and FF.
HIXIE_ASK = b"GET /demo HTTP/1.1\r\nUpgrade: WebSocket\r\nSec-WebSocket-Key1: 4 @1  46546xW%0l 1 5\r\n\r\n"
HIXIE = b"HTTP/1.1 101 WebSocket Protocol Handshake\r\nUpgrade: WebSocket\r\nSec-WebSocket-Origin: http://h\r\n\r\n"


def req(method: str = "GET", target: str = "/", content: int = 0) -> Message:
    return "client", "request", method, target, content


def res(status: int = 200, content: int = 0) -> Message:
    return "server", "response", status, content


CHAT, SWITCHED = req(target="/chat"), res(101)
S_HELLO, C_HI = ("server", "frame", 1, b"Hello".hex()), ("client", "frame", 1, b"Hi".hex())


Turns = Sequence[tuple[bool, bytes, *tuple[int, ...]]]
LOST = -1  # in place of flags: said, but not captured


class Dialogue(NamedTuple):
    # Who says what. With flags it is one packet, and a last number says how far from the next byte its data stand.
    turns: Turns
    messages: list[Message]
    says: list[str] = []  # what each line on stderr holds
    parts: dict[str, int] = {}  # of the bill; the rest of what was said is "http head"
    opened: bool = True  # with SYN
    closed: bool = False  # with FIN


def answered(request: bytes, response: bytes, *messages: Message, **more: Any) -> Dialogue:
    return Dialogue([(CLIENT, request), (SERVER, response)], list(messages), **more)


SHAKEN: Turns = [(CLIENT, HANDSHAKE), (SERVER, SWITCHING)]
SHAKEN_PART = {"handshake": len(HANDSHAKE + SWITCHING)}


def shaken(turns: Turns, *messages: Message, parts: dict[str, int] | None = None, **more: Any) -> Dialogue:
    return Dialogue([*SHAKEN, *turns], [CHAT, SWITCHED, *messages], parts=SHAKEN_PART | (parts or {}), **more)


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
WITHOUT_BOUNDARIES = OK.replace(b"2\r\n", b"two\r\n"), CHUNKED + b"-2\r\nhi\r\n", CHUNKED + b"1" + b"0" * 16 + b"\r\n"
TOP_BIT = b"\x82\x7f\x80" + bytes(6) + b"\x05Hello"
CLIENT_HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(194)
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
    "SSH": [(SERVER, b"SSH-2.0-OpenSSH_9.2p1\r\n"), (CLIENT, b"SSH-2.0-Go\r\n")],
    "mail": [(SERVER, b"220 mail.example ESMTP\r\n"), (CLIENT, b"EHLO x\r\n")],
    "Redis": [(CLIENT, b"*1\r\n$4\r\nPING\r\n"), (SERVER, b"+PONG\r\n")],
    "a long line that only its end gives away": [(CLIENT, b"GET /" + b"x" * 400 + b"\r\n")],
    "HTTP/0.9": [(CLIENT, b"GET /\r\n"), (SERVER, b"<html>")],
    "zeros": [(CLIENT, bytes(3000)), (SERVER, bytes(3000))],
}

# What TCP does to segments, and what a capture lacks (RFC 9293, 3.4).
GAP, C_GAP = ("server", "gap", len(HELLO)), ("client", "gap", len(HELLO))
A_HOLE = (SERVER, HELLO, LOST)
WAITING: Turns = [(CLIENT, HANDSHAKE), (CLIENT, HI), (CLIENT, HELLO, LOST), (CLIENT, HI)]
ONE_FRAME = {"frame header": 2, "payload": 5}
OPENING: Turns = [(CLIENT, b"", SYN), (SERVER, b"", SYN | ACK), (CLIENT, b"", ACK)]
TCP = {
    **{f"content until the close, and a reset, {flags}": Dialogue(
        [(CLIENT, GET), (SERVER, UNTIL_CLOSE), (SERVER, b"", flags)], [req()], parts={"content": 3},
        says=[f"{UNFINISHED} a response of the server, 22 bytes so far"]) for flags in (RST, RST | ACK)},
    "content until the close with a hole": Dialogue(
        [(CLIENT, GET), (SERVER, UNTIL_CLOSE), A_HOLE, (SERVER, b"there")], [req(), GAP],
        parts={"content": 3, "other": 5}, closed=True),
    # A hole is seen by what comes behind it.
    "a hole, FIN": shaken([A_HOLE], GAP, closed=True),
    "a hole, RST": shaken([A_HOLE, (SERVER, b"", ACK), (CLIENT, b"", RST)], GAP),
    "a hole, ACK": shaken([A_HOLE, (SERVER, b"", ACK)], GAP),
    "a hole, data and RST": shaken([A_HOLE, (SERVER, HELLO), (SERVER, b"", RST | ACK)], GAP, parts={"other": 7}),
    "a hole, nothing": shaken([A_HOLE]),
    # A FIN has a sequence number, and is no byte.
    "a lost FIN": shaken([(SERVER, b"", ACK, 1)]),
    "a hole behind what has no boundaries": shaken(
        [(SERVER, TOP_BIT), A_HOLE, (SERVER, HELLO)], parts={"other": len(TOP_BIT) + 7},
        says=["the server is not read any further: payload length"]),
    # The last one begins with the letter A, and is no method.
    **{f"a 101 that is lost, and a frame of the client, {first:x}": Dialogue(
        [(CLIENT, HANDSHAKE), (SERVER, SWITCHING, LOST), (CLIENT, frame(b"Hi", first=first, key=b"\xabbcd")),
         (SERVER, HELLO)], [CHAT, ("server", "gap", len(SWITCHING)), ("client", "frame", first & 15, b"Hi".hex())],
        parts={"frame header": 6, "payload": 2, "other": 7}) for first in (0x81, 0x01, 0x41)},
    # Its gap comes behind its frames.
    "a gap of a client whose 101 does not come": Dialogue(
        WAITING, [CHAT, C_HI, C_GAP], parts={"frame header": 6, "payload": 2, "other": 8}),
    "a gap of a client that waits for its 101": Dialogue(
        [*WAITING, (SERVER, SWITCHING + HELLO)], [CHAT, SWITCHED, C_HI, S_HELLO, C_GAP],
        parts=FRAMES_PARTS | {"other": 8}),
    "keep-alive probes": shaken(
        [(SERVER, b"\0", ACK, -1), (SERVER, b"", ACK, -1), (SERVER, HELLO), (SERVER, b"\0", ACK, -8)], S_HELLO,
        parts=ONE_FRAME | {"other": 2}),
    # Somebody types, and the other side acknowledges each letter (RFC 9293, 3.9.1.2: the last byte has PSH).
    "a first byte that is pushed is data": Dialogue(
        [(CLIENT, GET[:1]), (SERVER, b"", ACK), (CLIENT, GET[1:])], [req()], opened=False),
    "a byte before the first": shaken(
        [(SERVER, SWITCHING[-1:] + HELLO, ACK, -1), (SERVER, b"\0", ACK, -1 - len(SWITCHING))], S_HELLO,
        parts=ONE_FRAME | {"other": 2}),
    # Of the sequence numbers one half is ahead and one behind: the last of one, and the first of the other.
    "bytes as far ahead as can be": shaken(
        [(SERVER, HELLO), (SERVER, b"early", ACK, (1 << 31) - 1)], S_HELLO, ("server", "gap", (1 << 31) - 1),
        parts=ONE_FRAME | {"other": 5}),
    **{f"bytes before the first, {by}": shaken(
        [(SERVER, HELLO), *[(SERVER, b"early", ACK, by)] * 2], S_HELLO, parts=ONE_FRAME | {"other": 10},
        says=["data before its first sequence number"]) for by in (-12 - len(SWITCHING), 1 << 31)},
    "data that overlap": shaken(
        [(SERVER, HELLO[:4], ACK, 0), (SERVER, HELLO[2:], ACK, 2), (SERVER, HELLO, ACK, 0),
         (SERVER, HELLO[1:3], ACK, 1)], S_HELLO, parts=ONE_FRAME | {"other": 2 + 7 + 2}),
    "refused, and another try from the same port": Dialogue(
        [OPENING[0], (SERVER, b"", RST | ACK), *OPENING, *SHAKEN], [CHAT, SWITCHED], parts=SHAKEN_PART, opened=False),
    **{f"under way when a reset came, {sender}": shaken(
        [(sender, b"", RST | ACK), (SERVER, HELLO)], S_HELLO, parts=ONE_FRAME) for sender in (CLIENT, SERVER)},
    "a reset with text for people, which is no data": shaken(  # RFC 9293, 3.5.3
        [(SERVER, HELLO), (SERVER, HELLO, RST | ACK)], S_HELLO, parts=ONE_FRAME | {"other": 7}),
    "data in a SYN": Dialogue(  # TCP Fast Open (RFC 7413)
        [(CLIENT, HANDSHAKE, SYN), *OPENING[1:], SHAKEN[1]], [CHAT, SWITCHED], parts=SHAKEN_PART, opened=False),
    "the sender of the SYN is the client, whatever it says": Dialogue(
        [(SERVER, GET)], [], says=[NOT_HTTP], parts={"other": len(GET)}),
    "a SYN/ACK says who the client is": Dialogue(
        [*OPENING[1:], (SERVER, EMPTY % b"408 x")], [res(408)], opened=False, closed=True),
    **{f"nothing, opened: {opened}": Dialogue([], [], opened=opened, closed=True) for opened in (True, False)},
}  # fmt: skip
DIALOGUES = TCP | {
    "a request and its response": answered(GET, OK, req(), res(200, 2), parts={"content": 2}),
    "interim responses are responses and answer nothing": Dialogue(
        [(CLIENT, HEAD), (SERVER, b"HTTP/1.1 100 x\r\n\r\nHTTP/1.1 103 x\r\nLink: </a>\r\n\r\n" + OK[:-2]),
         (CLIENT, GET), (SERVER, b"HTTP/1.1 199 x\r\n\r\n" + OK)],
        [req("HEAD"), res(100), res(103), res(), req(), res(199), res(200, 2)], parts={"content": 2},
    ),
    "no content to HEAD": answered(HEAD + GET, OK[:-2] + OK, req("HEAD"), req(), res(), res(200, 2),
        parts={"content": 2}),
    "204, whatever its fields say": answered(
        GET + GET, b"HTTP/1.1 204 x\r\nContent-Length: 5\r\n\r\n" + OK, req(), req(), res(204), res(200, 2),
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
    "a handshake": shaken([(SERVER, HELLO), (CLIENT, HI)], S_HELLO, C_HI, parts=FRAMES_PARTS),
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
        [(CLIENT, ASK_IRC), (SERVER, SWITCHING.replace(b"websocket", b"irc") + bytes(9)), (CLIENT, bytes(9))],
        [req(), SWITCHED], says=["not read: 'irc'"], parts={"other": 18}),
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
        says=[f"{UNFINISHED} a TLS record of the client, 4 bytes so far; a TLS record of the server, 4 bytes so far"],
        parts={"other": 8}),
    "a first request that cannot be read, and its 400": answered(
        b"GET /\r\n\r\n", EMPTY % b"400 x", res(400), says=["the client is not read any further: request line"],
        parts={"other": 9}),
    "a later request that cannot be read, and its 400": answered(
        GET + b"GET /\r\n\r\n", OK + EMPTY % b"400 x", req(), res(200, 2), res(400), parts={"content": 2, "other": 9},
        says=["the client is not read any further: request line"]),
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
    "frames that are not complete": shaken(
        [(SERVER, HELLO[:-1]), (CLIENT, HI[:3])], parts={"frame header": 2 + 3, "payload": 4},
        says=[f"{UNFINISHED} a frame of the client, 3 bytes so far; a frame of the server, 6 bytes of 7"]),
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
    **{f"a set top bit in a 64-bit length, {who}": shaken(
        [(sender, HELLO + TOP_BIT + HELLO), (not sender, HELLO), (sender, HELLO)],
        (who, *S_HELLO[1:]), (other, *S_HELLO[1:]), says=[f"the {who} is not read any further: payload length"],
        parts={"frame header": 4, "payload": 10, "other": len(TOP_BIT + HELLO * 2)})
       for sender, who, other in ((CLIENT, "client", "server"), (SERVER, "server", "client"))},
    **{f"{name}, closed: {closed}": Dialogue(
        turns, [], says=[NOT_HTTP], parts={"other": sum(len(data) for _, data in turns)}, opened=name in WHOLE,
        closed=closed)
       for name, turns in (FOREIGN | WHOLE).items() for closed in (False, True)},
    **{f"TLS, closed: {closed}": Dialogue(
        [(CLIENT, CLIENT_HELLO), (SERVER, b"\x16\x03\x03\0\x7a" + bytes(100))], [],
        says=[STOPPED, f"{UNFINISHED} a TLS record of the server, 105 bytes so far"],
        parts={"tls": len(CLIENT_HELLO), "other": 105}, closed=closed) for closed in (False, True)},
    **{f"lengths that are not minimal, {key!r}": shaken(
        [(CLIENT, bytes([0x81, mask | 126, 0, 5]) + frame(b"Hello", key=key)[2:]),
         (CLIENT, bytes([0x81, mask | 127, *bytes(7), 5]) + frame(b"Hello", key=key)[2:]),
         (CLIENT, bytes([0x88, mask | 126, 0, 0]) + (key or b""))],
        *[("client", *S_HELLO[1:])] * 2, ("client", "frame", 8, ""),
        parts={"frame header": 4 + 10 + 4 + 3 * len(key or b""), "payload": 10})
       for key, mask in ((None, 0), (b"wxyz", 128))},
    "empty lines and bare line feeds": answered(
        b"\r\n\r\nGET /\xe9 HTTP/1.1\nX:\xe9\n\n", b"HTTP/1.1 204 \xe9\n\n", req(target="/\xe9"), res(204)),
}  # fmt: skip


def packets_of(one: Dialogue, size: int = 1400, port: int = 40000) -> list[bytes]:
    talk = Talk(client=("192.0.2.1", port), server=("192.0.2.2", 8000))
    packets = talk.open() if one.opened else []
    for sender, data, *how in one.turns:
        if not how or how == [LOST]:
            packets += talk.lose(sender, data) if how else talk.say(sender, data, size)
        else:
            at = talk.sent[sender] + how[1] if how[1:] else None
            packets.append(talk.packet(sender, data, how[0], at=at))
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
    data = sum(len(data) for _, data, *how in one.turns if how != [LOST])
    assert bill.total_bytes == sum(map(len, packets))
    parts = dict.fromkeys(("content", "payload", "frame header", "handshake", "other"), 0) | one.parts
    parts["http head"] = data - sum(parts.values())
    assert {name: bill.parts[name] for name in parts} == parts


@TABLE
def test_session(one: Dialogue, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(log_runtime, "warning", lambda text, *values: lines.append(text % values))
    packets = packets_of(one, 20)
    found = test_scapy_session.said(test_scapy_session.packets_of(packets))
    read = test_scapy_session.read(pcap(packets))
    # A session is not told that packets end, so it goes on waiting for a 101, and of what is unfinished then it says
    # nothing; nor of other protocols.
    assert found == read or (found == read[: len(found)] and SWITCHED not in one.messages)
    assert len(lines) == sum(UNFINISHED not in words and words not in (NOT_HTTP, STOPPED) for words in one.says)


def many_of(many: int, one: Dialogue) -> list[bytes]:
    """Packets of many connections, one after the other."""
    return [packet for port in range(2000, 2000 + many) for packet in packets_of(one, port=port)]


def closed(many: int, *turns: Any) -> list[bytes]:
    return many_of(many, Dialogue(turns, [], closed=True))


SILENT = {"SYN": Dialogue([(CLIENT, b"", SYN)], [], opened=False), "TLS": Dialogue([(CLIENT, TLS), (SERVER, TLS)], [])}


@pytest.mark.parametrize("talk", SILENT)
def test_many_connections_with_nothing_to_tell_take_no_memory(talk: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST_SILENT", 100)
    peaks = []
    for many in 200, 600:
        file, warnings = io.BytesIO(pcap(many_of(many, SILENT[talk]))), list[str]()
        tracemalloc.start()
        assert list(wsedu.messages(file, warnings)) == []
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert f"{many - 100:,} connections without a message were not followed" in warnings[-1]
    assert peaks[1] < 1.5 * peaks[0]


def test_of_many_unreadable_connections_few_have_a_line_and_the_rest_is_counted() -> None:
    for turn, reason in ((CLIENT, TLS), UNFINISHED[:-1]), ((CLIENT, b"EHLO x\r\n"), NOT_HTTP):
        said = dissected(pcap(many_of(300, Dialogue([turn], []))))
        assert [line.startswith("wsedu: conversation") for line in said.complaints] == [True] * 5 + [False]
        assert said.complaints[-1] == f"wsedu: 295 more conversations: {reason}"


def test_nothing_is_kept_of_connections_that_are_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither windows nor names; and without a message no bill: who asks for it?"""
    deflating = SWITCHING[:-2] + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    monkeypatch.setattr(connections, "MOST_CLOSED", 100)
    compressed = closed(150, SHAKEN[0], (SERVER, deflating + frame(bytes.fromhex("f248cdc9c90700"), first=0xC1)))
    reader = CaptureReader([])
    frames = [one for one in reader.messages(io.BytesIO(pcap(compressed)), whole=False) if one.kind == "frame"]
    assert [one.text for one in frames] == ["Hello"] * 150 and reader.connections == {}
    fast = FastReader([])
    for number, message in enumerate(fast.messages(io.BytesIO(pcap(closed(3000, (CLIENT, GET)))), whole=False)):
        assert fast.names[message.conversation][0] == f"192.0.2.1:{2000 + number}" and len(fast.names) < 2500
    assert number == 2999
    capture = wsedu.read(io.BytesIO(pcap(closed(2, *SHAKEN) + closed(296))))
    assert capture.bill().connections == 298
    assert len(capture._billing.conversations) < 110
    monkeypatch.setattr(connections, "MOST_CLOSED", 3)
    session = WebSocketSession()
    given = test_scapy_session.packets_of(closed(20, *SHAKEN, (SERVER, HELLO)), session)
    assert len(test_scapy_session.said(given)) == 60
    assert len(set(session._reader.connections.values())) == 3


@pytest.mark.parametrize("data", [b"a" * 200_000, b"\r\n" * 100_000, b"GET /" + b"a" * 200_000])
def test_a_line_that_comes_byte_by_byte_without_a_syn_is_not_looked_at_again_each_time(data: bytes) -> None:
    """Minutes otherwise; and hours of a head of the longest length."""
    reader, ends = CaptureReader([]), ((b"\1" * 4, 1), (b"\2" * 4, 2))
    for at in range(0, len(data), 4):
        segment = Segment(*ends, at, 0, 16, data[at : at + 4], 0, (0, 0, 0))
        assert list(reader.segment(segment, at)) == []
    assert list(reader.finish(whole=True)) == []
    assert len(reader.warnings) == 1


def talked(*turns: Any, size: int = 1400) -> Said:
    """What is read of a connection on which this is said."""
    return dissected(pcap(packets_of(Dialogue(turns, []), size)))


@pytest.mark.parametrize("ports", [(80, 40000), (40000, 80)])
def test_the_sender_of_the_first_request_is_the_client_whatever_the_ports(ports: tuple[int, int]) -> None:
    talk, client = Talk(("10.0.0.1", ports[0]), ("10.0.0.2", ports[1])), f"10.0.0.1:{ports[0]}"
    rows = dissected(pcap(talk.say(CLIENT, GET, 1) + talk.say(SERVER, OK, 1))).rows
    assert [(row["sender"], row["client"]) for row in rows] == [("client", client), ("server", client)]


@pytest.mark.parametrize("first", [0x00, 0x0F, 0x18, 0x49, 0x72, 0x80, 0x93, 0xFF])
def test_frames_are_given_as_they_are(first: int) -> None:
    """Reserved bits and opcodes, fragmented control frames, continuations of nothing: all printed, none judged."""
    payload = bytes(range(7))
    plain, masked = frame(payload, first=first), frame(payload, first=first, key=b"\x01\0\xff\x80")
    bits = {"fin": bool(first & 128), "rsv1": bool(first & 64), "rsv2": bool(first & 32), "rsv3": bool(first & 16)}
    telling = bits | {"opcode": first & 15, "payload_length": 7, "payload": payload.hex()}
    rows = talked(*SHAKEN, (SERVER, plain), (CLIENT, masked + plain)).rows[2:]
    for row, key in zip(rows, (False, True, False), strict=True):
        assert row.items() >= (telling | {"masked": key, "wire_length": 9 + 4 * key}).items()


def test_a_head_that_never_ends() -> None:
    """As much as Chromium takes, and no more; in time that grows with its length."""
    endless = b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200_000
    said = talked((CLIENT, endless), (SERVER, OK))
    assert said.rows == [] or said.brief() == [res(200, 2)]
    assert len(said.complaints) == 1
    long = b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 40_000 + b"\r\n"
    assert talked((CLIENT, long), size=100).brief() == [req()]


REQUEST_CODED = b"POST / HTTP/1.1\r\nTransfer-Encoding: "
LONG = {
    "folded lines": b"GET / HTTP/1.1\r\nA: b\r\n" + b" x\r\n" * 60_000 + b"\r\n",
    "tiny chunks": REQUEST_CODED + b"chunked\r\n\r\n" + b"1\r\nx\r\n" * 50_000 + b"0\r\n\r\n",
    "trailers": REQUEST_CODED + b"chunked\r\n\r\n0\r\n" + b"a:b\r\n" * 300_000 + b"\r\n",
    "codings": REQUEST_CODED + b"chunked, " * 25_000 + b"\r\n\r\n0\r\n\r\n",
    "lengths": b"POST / HTTP/1.1\r\nContent-Length: " + b"0, " * 80_000 + b"0\r\n\r\n",
    "quotes": b"GET / HTTP/1.1\r\nUpgrade: " + b'"' * 200_000 + b"\r\n\r\n",
    "empty lines": b"\r\n" * 100_000 + GET,
    "requests": b"GET / HTTP/1.1\r\n\r\n" * 20_000,
}


@pytest.mark.parametrize("data", LONG.values(), ids=LONG)
def test_nothing_takes_forever(data: bytes) -> None:
    said = talked((CLIENT, data))
    assert len(said.rows) + len(said.complaints) >= 1
