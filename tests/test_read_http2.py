# SPDX-License-Identifier: GPL-2.0-or-later
"""HTTP/2 in a capture: what two peers of the h2 library say, and what others must not do to us."""

import io
import random
import struct
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.settings
import pytest
from agreement import reads
from capture_maker import CLIENT, SERVER, Talk, dissected, frame, pcap
from hpack import Encoder
from hyperframe import frame as theirs
from oracles import tshark
from protocol_cases import assert_every_byte_once

import wsedu
from wsedu.protocol.hpack import MAX_FIELDS
from wsedu.protocol.http2 import PREFACE
from wsedu.wire.capture import Capture
from wsedu.wire.connections import CaptureReader
from wsedu.wire.message import FrameMessage
from wsedu.wire.rows import as_line

GET = [(":method", "GET"), (":path", "/news"), (":scheme", "http"), (":authority", "h"), ("accept", "*/*")]
CONNECT = [
    (":method", "CONNECT"),
    (":protocol", "websocket"),
    (":path", "/chat"),
    (":scheme", "http"),
    (":authority", "h"),
]
DEFLATE = ("sec-websocket-extensions", "permessage-deflate")
OK = [(":status", "200"), ("content-type", "text/plain")]


def headers(stream: int, block: bytes, *flags: str) -> bytes:
    """A HEADERS frame."""
    return theirs.HeadersFrame(stream, block, flags=flags).serialize()


class Peers:
    """A client and a server of the h2 library, and the packets between them."""

    def __init__(self, **settings: int) -> None:
        self.talk = Talk()
        self.packets = self.talk.open()
        configs = (h2.config.H2Configuration(client_side=side, header_encoding=None) for side in (True, False))
        self.client, self.server = map(h2.connection.H2Connection, configs)
        self.server.local_settings.enable_connect_protocol = 1
        for one in self.client, self.server:
            one.initiate_connection()
        self.flush()

    def flush(self, size: int = 1000) -> None:
        """What they have to say, in packets."""
        for _ in range(2):
            for sender, one, other in (CLIENT, self.client, self.server), (SERVER, self.server, self.client):
                data = one.data_to_send()
                other.receive_data(data)
                self.say(sender, data, size)

    def say(self, sender: bool, data: bytes, size: int = 1000) -> None:
        """Bytes in packets."""
        for at in range(0, len(data), size):
            self.packets += self.talk.say(sender, data[at : at + size])

    def request(self, stream: int, fields: Any = GET, content: bytes = b"", **padding: Any) -> None:
        """A whole request."""
        self.client.send_headers(stream, fields, end_stream=not content)
        if content:
            self.client.send_data(stream, content, end_stream=True, **padding)

    def capture(self) -> Capture:
        """All of it, held against every way of reading."""
        capture = reads(pcap(self.packets))
        for one in capture.conversations[0].messages if capture.conversations else ():
            assert_every_byte_once(one.spans(), one.raw)
            sent = b"".join(packet.data for packet in (capture.packets[index] for index in one.packets))
            assert one.raw[:9] in sent or len(one.packets) > 1
        return capture


def spoken(long: int = 20_000, *, pushes: bool = True) -> Peers:
    """Requests and responses of every kind, their frames in between one another."""
    peers = Peers()
    peers.request(1, content=b"a" * 3000, pad_length=7)
    peers.request(3)
    peers.flush()
    peers.server.send_headers(3, [(":status", "103"), ("link", "</a.css>")])
    peers.server.send_headers(3, [*OK, ("x-long", "v" * long)])
    peers.server.send_data(3, b"Hel", pad_length=3)
    peers.server.send_headers(1, OK)
    peers.server.send_data(1, b"for 1", end_stream=True)
    if pushes:
        peers.server.push_stream(3, 2, [*GET, ("x-pushed", "v")])
        peers.server.send_headers(2, [*OK, ("x-pushed", "v")], end_stream=True)
    peers.server.send_data(3, b"lo")
    peers.server.send_headers(3, [("x-sum", "5")], end_stream=True)
    peers.flush()
    return peers


def test_requests_and_responses() -> None:
    peers = spoken()
    capture = peers.capture()
    told = [(one.kind, one.sender, one.stream, one.content[:5]) for one in capture.conversations[0].messages]
    assert told == [
        ("request", "client", 1, b"aaaaa"), ("request", "client", 3, b""), ("response", "server", 3, b""),
        ("response", "server", 1, b"for 1"), ("response", "server", 3, b"Hello"),
    ]  # fmt: skip
    # What is pushed is no message; but the fields behind it can be read, which may be those of its blocks again.
    assert ["pushes responses" in line for line in capture.warnings] == [True] * 2
    first, *_, last = capture.conversations[0].messages
    assert first.head == wsedu.Request("GET", "/news", "HTTP/2", tuple(GET)) and last.request_method == "GET"
    assert {"x-sum", "x-long"} <= {span.value for span in last.spans()} and last.text == "Hello"
    row = dissected(pcap(peers.packets)).rows[-1]
    assert (row["stream"], row["version"], row["status"], row["content_bytes"]) == (3, "HTTP/2", 200, 5)
    assert as_line(first).endswith("GET /news, content 3,000 (stream 1)") and as_line(last).endswith("(stream 3)")
    parts = capture.bill().parts
    assert (parts["content"], parts["other"], parts["payload"]) == (3000 + 5 + 5, 0, 0)
    assert parts["http2 frame"] > len(PREFACE) + 9 * 13 and parts["http head"] > 15_000


def test_tshark_reads_the_same(tmp_path: Path) -> None:
    """Every field, and every frame that carries content."""
    path = tmp_path / "http2.pcap"
    path.write_bytes(pcap(spoken(long=500, pushes=False).packets))
    fields = "-e", "http2.header.name", "-e", "http2.header.value", "-e", "http2.length", "-e", "http2.type"
    text = tshark("-r", path, "-d", "tcp.port==80,http2", "-T", "fields", "-E", "aggregator=|", *fields)
    found: list[tuple[str, str]] = []
    data = 0  # bytes of payload of DATA frames
    for line in text.splitlines():
        names, values, sizes, types = (cell.split("|") if cell else [] for cell in line.split("\t"))
        found += zip(names, values, strict=True)
        data += sum(int(size) for size, number in zip(sizes, types, strict=True) if number == "0")
    messages = wsedu.read(path).conversations[0].messages
    heads = [(one.head, one.on_stream) for one in messages]
    ours = [pair for head, more in heads if head and more for pair in (*head.fields, *more.trailers)]
    padding = 1 + 7 + 1 + 3
    assert sorted(ours) == sorted(found) and data == sum(len(one.content) for one in messages) + padding


def websockets(*streams: int) -> Peers:
    """Several WebSockets on one connection, compressed where the number is not 3."""
    peers = Peers()
    for stream in streams:
        more = [DEFLATE] * (stream != 3)
        peers.client.send_headers(stream, [*CONNECT, *more])
        peers.flush()
        peers.server.send_headers(stream, [*OK[:1], *more])
        peers.flush()
    return peers


def test_websockets_on_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same frames as ever: over several DATA frames and several in one, compressed on each stream by itself."""
    monkeypatch.setattr("wsedu.wire.connections.MOST_CARRIERS", 0)  # what is needed of packets is kept all the same
    peers = websockets(1, 3, 5)
    long, short = frame(b"x" * 300, key=b"abcd"), frame(b"hi", key=b"abcd")
    peers.client.send_data(3, short + short + long[:100], pad_length=2)
    peers.client.send_data(3, long[100:] + short, pad_length=2)
    peers.client.send_data(3, frame(b"\x03\xe8", 8, key=b"abcd"), end_stream=True)
    coders = {stream: zlib.compressobj(wbits=-15) for stream in (1, 5)}
    peers.server.send_data(3, frame(b"fr", first=0x01))
    for stream, text in (1, b"Hello"), (5, b"other"), (1, b"Hello"):
        compressed = coders[stream].compress(text) + coders[stream].flush(zlib.Z_SYNC_FLUSH)
        peers.server.send_data(stream, frame(compressed[:-4], first=0xC1))
    peers.server.send_data(3, b"")
    peers.server.send_data(3, frame(b"ag", 0), end_stream=True)
    peers.flush(25)
    capture = peers.capture()
    messages = capture.conversations[0].messages
    frames = [one for one in messages if isinstance(one, FrameMessage)]
    assert [(one.sender, one.stream, one.content[:5]) for one in frames] == [
        ("client", 3, b"hi"), ("client", 3, b"hi"), ("client", 3, b"xxxxx"), ("client", 3, b"hi"),
        ("client", 3, b"\x03\xe8"), ("server", 3, b"fr"), ("server", 1, b"Hello"), ("server", 5, b"other"),
        ("server", 1, b"Hello"), ("server", 3, b"ag"),
    ]  # fmt: skip
    assert [one.head.target for one in messages if isinstance(one.head, wsedu.Request)] == ["/chat"] * 3
    assert frames[6].compressed and frames[6].text == "Hello"
    # The header of a DATA frame is with the frame whose first byte is behind it, its padding with the last.
    assert [len(one.raw) - len(one.frame.serialize()) for one in frames[:6]] == [10, 0, 12, 2, 9, 9]
    assert frames[3].spans()[-1].name == "padding"
    sent = [(byte, at) for at, packet in enumerate(capture.packets) for byte in packet.data[54:]]
    data, at = bytes(byte for byte, _ in sent), 0
    for one in frames:
        begin = data.index(one.raw, at)
        at = begin + len(one.raw)
        assert one.packets == tuple(dict.fromkeys(index for _, index in sent[begin:at]))
    whole = wsedu.messages(io.BytesIO(pcap(peers.packets)), assembled=True)
    assert [one.content for one in whole if one.kind == "message" and one.sender == "server"] == [
        b"Hello", b"other", b"Hello", b"frag",
    ]  # fmt: skip
    parts = capture.bill().parts
    assert parts["handshake"] > 60 and parts["other"] == parts["content"] == 0
    assert parts["payload"] == sum(len(one.payload) for one in frames)


@pytest.mark.parametrize(
    ("crumbs", "says"),
    [
        ([b"\x81\xff\xff" + b"a" * 9], "stream 3 of the client is not read any further: payload length"),
        ([b"\x81\xfe\x01", *[b"a"] * 6], "a WebSocket frame in more than 4 frames"),
    ],
)
def test_a_websocket_that_cannot_be_read(crumbs: list[bytes], says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its stream ends there for us, and others go on."""
    monkeypatch.setattr("wsedu.wire.http2_parser.MOST_PIECES", 4)
    peers = websockets(3, 5)
    for crumb in crumbs:
        peers.client.send_data(3, crumb)
    peers.client.send_data(3, frame(b"lost", key=b"abcd"))
    peers.client.send_data(5, frame(b"goes on", key=b"abcd"))
    peers.flush()
    capture = peers.capture()
    assert len(capture.warnings) == 1 and says in capture.warnings[0]
    assert [one.content for one in capture.conversations[0].messages[4:]] == [b"goes on"]


def test_the_client_may_be_read_late() -> None:
    """Frames of a client come before the 200 that they wait for; the server speaks first; no HTTP/2 by Upgrade."""
    peers = Peers()
    peers.client.send_headers(1, CONNECT)
    early = peers.client.data_to_send() + theirs.DataFrame(1, frame(b"early", key=b"abcd")).serialize()
    peers.say(CLIENT, early)
    peers.server.receive_data(early)
    peers.server.send_headers(1, OK[:1])
    peers.flush()
    told = [(one.kind, one.content) for one in peers.capture().conversations[0].messages]
    assert told == [("request", b""), ("response", b""), ("frame", b"early")]

    talk, settings = Talk(), theirs.SettingsFrame(0).serialize()
    upgrade = b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    packets = talk.open() + talk.say(CLIENT, b"GET / HTTP/1.1\r\nHost: h\r\nHTTP2-Settings: \r\n" + upgrade)
    packets += talk.say(SERVER, b"HTTP/1.1 101 Switching Protocols\r\n" + upgrade + settings)
    capture = reads(pcap(packets + talk.say(CLIENT, PREFACE + settings)))
    assert [(one.kind, one.request_method) for one in capture.conversations[0].messages[1:]] == [("response", "GET")]
    assert len(capture.warnings) == 1 and "switched to a protocol that is not read: 'h2c'" in capture.warnings[0]
    talk = Talk()
    packets = talk.open() + talk.say(SERVER, settings[:5]) + talk.say(SERVER, settings[5:])
    packets += talk.say(CLIENT, PREFACE + settings + headers(1, b"\x82\x84", "END_HEADERS", "END_STREAM"))
    capture = reads(pcap(packets))
    assert [one.stream for one in capture.conversations[0].messages] == [1] and capture.warnings == []


def test_polls_are_short_and_leave_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the second on fields are entries of the table, which may be larger once the server has said so."""
    monkeypatch.setattr("wsedu.wire.http2_parser.MOST_STREAMS", 2)
    peers = Peers()
    peers.server.update_settings({1: 1 << 16})
    peers.flush()
    for stream in range(1, 11, 2):
        peers.request(stream, [*GET, ("x-long", "v" * 5000)])
        peers.flush()
        peers.server.send_headers(stream, OK, end_stream=True)
        peers.flush()
    capture = peers.capture()
    assert capture.warnings == []
    sizes = [one.wire_length for one in capture.conversations[0].messages if one.kind == "request"]
    assert sizes[0] > 3000 and sizes[1:] == [9 + len(GET) + 1] * 4
    # And the text of an entry is in memory once, not with each of those who refer to it.
    heads = [one.head for one in capture.conversations[0].messages if isinstance(one.head, wsedu.Request)]
    assert len({id(head.get("x-long")) for head in heads}) == 1 < len(heads)


def test_what_is_not_complete_is_said() -> None:
    peers = Peers()
    peers.request(1)
    peers.request(3)
    peers.client.send_headers(5, [(":method", "CONNECT"), GET[3]])
    peers.flush()
    for stream in 1, 3, 5:
        peers.server.send_headers(stream, OK)
        peers.server.send_data(stream, b"half")
    peers.server.reset_stream(3, 8)
    peers.server.close_connection(11)
    peers.flush()
    capture = peers.capture()
    assert [one.stream for one in capture.conversations[0].messages] == [1, 3, 5, 5]
    said = "\n".join(capture.warnings)
    assert "the server ends stream 3 (CANCEL) inside a response, which is left out" in said
    assert "stream 5 is a tunnel, and not read" in said and capture.bill().parts["other"] == 4
    assert "the server ends the connection (GOAWAY): ENHANCE_YOUR_CALM" in said
    assert "unfinished at the end: a response of the server on stream 1, " in said


@pytest.mark.parametrize("content", [[b"x" * 3000] * 3, [b""] * 30], ids=["content", "frames"])
@pytest.mark.parametrize("streams", [1, 3])
def test_messages_without_end_are_not_kept(content: list[bytes], streams: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither one nor many of which each is small."""
    monkeypatch.setattr("wsedu.wire.http2_parser.LARGEST", 7000)
    numbers = [3 + 2 * (at % streams) for at in range(len(content))]
    data = b"".join(headers(stream, b"\x82", "END_HEADERS") for stream in sorted(set(numbers)))
    data += b"".join(theirs.DataFrame(*one).serialize() for one in zip(numbers, content, strict=True))
    test_hostile(data, "messages of more than 7,000 bytes are under way")


def test_what_is_over_does_not_count_among_what_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsedu.wire.http2_parser.LARGEST", 7000)
    peers = Peers()
    for stream in range(1, 21, 2):
        peers.request(stream)
        peers.flush()
        peers.server.send_headers(stream, OK)
        peers.server.send_data(stream, bytes(5000), end_stream=True)
        peers.flush()
    assert len((capture := peers.capture()).conversations[0].messages) == 20 and capture.warnings == []


def test_a_client_may_leave_when_all_that_was_announced_is_there() -> None:
    """As curl does, before the frame that says END_STREAM (RFC 9113, 8.1.1 on Content-Length)."""
    for size in 4, 5:
        peers = Peers()
        peers.request(1)
        peers.flush()
        peers.server.send_headers(1, [*OK, ("content-length", str(size))])
        peers.server.send_data(1, b"full")
        peers.flush()
        peers.client.reset_stream(1, 8)
        peers.flush()
        capture = peers.capture()
        assert [one.content for one in capture.conversations[0].messages if one.head] == [b"", b"full"][: 6 - size]
        assert bool(capture.warnings) == (size == 5)


HALF = theirs.DataFrame(1, frame(b"half")[:4]).serialize()


@pytest.mark.parametrize(
    ("turns", "says"),
    [
        ([(SERVER, HALF + theirs.RstStreamFrame(1).serialize())], "ends stream 1 (NO_ERROR) inside a frame, which is"),
        ([(SERVER, HALF), (CLIENT, theirs.DataFrame(1, flags=["END_STREAM"]).serialize()),
          (SERVER, theirs.DataFrame(1, flags=["END_STREAM"]).serialize())], "the server ends stream 1 inside a frame"),
        ([(SERVER, theirs.DataFrame(7, b"of nothing").serialize())], "content of the server on stream 7, which is not"),
        ([(CLIENT, headers(1, b"\x82", "END_HEADERS"))], "fields of the client on stream 1, which belong to"),
        ([(CLIENT, headers(3, b"\x82", "END_HEADERS", "END_STREAM") + headers(3, b"\x82", "END_HEADERS"))],
         "fields of the client on stream 3, which belong to no message, are left out"),
        ([(SERVER, headers(3, b"\x88"))], "a response of the server on stream 3, 10 bytes so far"),
        ([(SERVER, headers(3, b"\x88")[:9])], "a response of the server on stream 3, 9 bytes so far"),
        ([(CLIENT, headers(3, b"\x82")[:3])], "a request of the client on stream 0, 3 bytes so far"),
    ],
)  # fmt: skip
def test_what_is_left_out_is_said(turns: list[tuple[bool, bytes]], says: str) -> None:
    """Of a WebSocket, too, and of a frame or field block that stops."""
    peers = websockets(1)
    for sender, data in turns:
        peers.say(sender, data)
    [said] = peers.capture().warnings
    assert says in said
    talk = Talk()
    inside = [packet for sender, data in turns for packet in talk.say(sender, data)]
    assert len(turns[0][1]) < 9 or "begins with a frame of HTTP/2" in reads(pcap(inside)).warnings[0]


BOMB = b"\x40\x01a\x7f\x81\x1e" + b"v" * 4000 + b"\xbe" * 9000
MORE = theirs.ContinuationFrame(1, b"\x82" * 200).serialize()
HOSTILE: dict[bytes, str] = {
    headers(1, b"\xff\xff", "END_HEADERS"): "the index is cut",
    headers(1, BOMB, "END_HEADERS"): f"larger than {MAX_FIELDS} ",
    headers(1, b"\x82") + MORE * 1300: "a field block of more than 262,144 bytes",
    headers(1, b"\x82") + theirs.PingFrame(0).serialize(): "the frames of a field block stand together",
    MORE: "the frames of a field block stand together",
    bytes.fromhex("000003000800000001ff6162"): "Pad Length",
    b"".join(headers(n, b"\x82", "END_HEADERS") for n in range(5, 2105, 2)): "more than 1,024 streams",
    PREFACE[:18] + b"XX\r\n\r\n": "HTTP/2 begins here",
}


@pytest.mark.parametrize(("data", "says"), HOSTILE.items(), ids=HOSTILE.values())
def test_hostile(data: bytes, says: str) -> None:
    """One line, and what was said before is there; the other direction goes on."""
    peers = Peers()
    if data.startswith(b"PRI"):
        peers = Peers.__new__(Peers)
        peers.packets = (talk := Talk()).open() + talk.say(CLIENT, data)
    else:
        peers.request(1)
        peers.flush()
        peers.say(CLIENT, data, 1400)
        peers.server.send_headers(1, OK, end_stream=True)
        peers.flush()
    capture = peers.capture()
    assert len([line for line in capture.warnings if says in line]) == 1, capture.warnings
    if not data.startswith(b"PRI"):
        assert [one.kind for one in capture.conversations[0].messages] == ["request", "response"]


def plain(stream: int, fields: Any, *flags: str) -> bytes:
    """A HEADERS frame whose fields no table remembers."""
    encoder = Encoder()
    encoder.header_table_size = 0
    return headers(stream, encoder.encode(fields), "END_HEADERS", *flags)


ASK, ANSWER = plain(1, GET, "END_STREAM"), plain(1, OK)
ODD = range(1, 2401, 2)
FLOODS: dict[str, tuple[bytes, bytes, int, str]] = {  # of the client, of the server; messages, and what is said
    "SETTINGS": (theirs.SettingsFrame(0, flags=["ACK"]).serialize() * 1500, b"", 0, ""),
    "PING": (theirs.PingFrame(0).serialize() * 1500, b"", 0, ""),
    "resets": (
        b"".join(plain(n, GET, "END_STREAM") + theirs.RstStreamFrame(n, 8).serialize() for n in ODD), b"", 1200, "",
    ),
    "resets inside": (
        b"".join(plain(n, GET) + theirs.RstStreamFrame(n, 8).serialize() for n in ODD), b"", 0,
        "1,195 more conversations: streams ended inside a message",
    ),
    "streams": (b"".join(plain(n, CONNECT) for n in ODD), b"", 1200, "more than 1,024 streams"),
    "a stream without end": (ASK, ANSWER + theirs.DataFrame(1, bytes(9000)).serialize() * 60, 1, "540,0"),
    "empty frames": (ASK, ANSWER + theirs.DataFrame(1, b"").serialize() * 1500, 1, "unfinished at the end: a response"),
    "103": (ASK, plain(1, [(":status", "103")]) * 1200, 1201, ""),
    "early frames": (
        plain(1, CONNECT) + theirs.DataFrame(1, b"x").serialize() * 3000, b"", 1, "in more than 1,024 frames",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("client", "server", "count", "says"), FLOODS.values(), ids=FLOODS)
def test_floods_take_little_memory(
    client: bytes, server: bytes, count: int, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is under way is kept, and no more than one line of each kind is said."""
    monkeypatch.setattr("wsedu.wire.http2_parser.MOST_PIECES", 1024)
    talk, settings = Talk(), theirs.SettingsFrame(0).serialize()
    packets = talk.open() + talk.say(CLIENT, PREFACE + settings + client, 1400)
    packets += talk.say(SERVER, settings + server, 1400)
    warnings, file = list[str](), pcap(packets)
    tracemalloc.start()
    assert sum(1 for _ in CaptureReader(warnings).messages(io.BytesIO(file), whole=False)) == count
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000 and (len(warnings) <= 1 or "more conversations" in warnings[-1])
    assert says in (warnings[-1] if warnings else "") and bool(warnings) == bool(says)


def test_it_begins_inside() -> None:
    talk = Talk()
    packets = talk.say(SERVER, headers(7, b"\xbe", "END_HEADERS")) + talk.say(CLIENT, headers(9, b"\xbe"))
    capture = reads(pcap(packets))
    [said] = capture.warnings
    assert "begins with a frame of HTTP/2, whose fields need those before" in said


def test_packets_say_what_is_in_them() -> None:
    peers = Peers()
    peers.request(1)
    peers.flush()
    capture = peers.capture()
    [message] = capture.conversations[0].messages
    name, spans = capture.packet(message.packets[0]).layers()[-1]
    assert (name, spans[0].meaning) == ("HTTP/2 frames", "in them: request of stream 1")


def test_a_server_that_knows_no_http2() -> None:
    talk = Talk()
    packets = talk.open() + talk.say(CLIENT, PREFACE) + talk.say(SERVER, b"HTTP/1.1 400 Bad Request\r\n\r\n")
    assert "connection preface at byte 0: it begins with 'HTTP/1.1 400 Bad Req'..." in reads(pcap(packets)).warnings[0]


def test_any_bytes_behind_the_preface() -> None:
    """Whatever the frames say: no traceback, and the bill adds up."""
    rng = random.Random(7)
    for _ in range(30):
        peers = Peers()
        for _ in range(6):
            payload = rng.choice([b"", rng.randbytes(rng.randrange(40)), frame(b"hi", key=b"abcd"), b"\x82\x84"])
            kind, flags, stream = rng.randrange(11), rng.choice([0, 1, 4, 5, 8, 0x2D, 255]), rng.choice([0, 1, 1, 2, 3])
            header = struct.pack("!IBI", len(payload) << 8 | kind, flags, stream)
            peers.say(rng.choice([CLIENT, SERVER]), header + payload, rng.choice([7, 1000]))
        reads(pcap(peers.packets))
