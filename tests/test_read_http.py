# SPDX-License-Identifier: GPL-2.0-or-later
"""Where HTTP messages end and frames begin, on made captures: one rule of RFC 9112 or of the design a test."""

from __future__ import annotations

import gzip
import zlib

import pytest
from capture_maker import CLIENT, FIN, HANDSHAKE, RST, SERVER, SWITCHING, Said, Talk, dissected, frame, pcap

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
HELLO = frame(b"Hello")
REQUEST, RESPONSE = ("client", "request", "GET", "/", 0), ("server", "response", 200, 2)
FRAME = ("server", "frame", 1, b"Hello".hex())


def talked(*turns: tuple[bool, bytes], size: int = 1400, opened: bool = True, closed: bool = False) -> Said:
    """What is read of a connection on which this is said."""
    talk = Talk()
    packets = talk.open() if opened else []
    for sender, data in turns:
        packets += talk.say(sender, data, size)
    said = dissected(pcap(packets + (talk.close() if closed else [])))
    assert said.status == 0
    return said


@pytest.mark.parametrize("flags", [RST, RST | 16])
def test_content_until_the_close_is_not_complete_after_a_reset(flags: int) -> None:
    talk = Talk()
    packets = talk.open() + talk.say(CLIENT, GET) + talk.say(SERVER, b"HTTP/1.1 200 OK\r\n\r\nxyz")
    assert dissected(pcap([*packets, talk.packet(SERVER, flags=flags)])).brief() == [REQUEST]


def test_content_until_the_close_with_a_hole_is_not_complete() -> None:
    talk = Talk()
    packets = talk.open() + talk.say(CLIENT, GET) + talk.say(SERVER, b"HTTP/1.1 200 OK\r\n\r\nxyz")
    lost = talk.say(SERVER, b"lost")
    assert len(lost) == 1
    packets += talk.say(SERVER, b"there") + [talk.packet(SERVER, flags=FIN | 16)]
    assert dissected(pcap(packets)).brief() == [REQUEST, ("server", "gap", 4)]


TEXT = b"the same line again\n" * 50


def in_chunks(data: bytes) -> bytes:
    return b"".join(
        b"%x\r\n%b\r\n" % (len(data[at : at + 9]), data[at : at + 9]) for at in range(0, len(data), 9)
    )


@pytest.mark.parametrize(
    ("codings", "coded"),
    [
        ("gzip, chunked", gzip.compress(TEXT, mtime=0)),
        ("x-gzip,chunked", gzip.compress(TEXT, mtime=0)),
        ("deflate , chunked", zlib.compress(TEXT)),
        ("deflate, gzip, chunked", gzip.compress(zlib.compress(TEXT), mtime=0)),
    ],
)
def test_content_bytes_are_those_after_all_transfer_codings(codings: str, coded: bytes) -> None:
    """RFC 9112, 7: what a connection does to a message, and not the message itself."""
    head = f"HTTP/1.1 200 OK\r\nTransfer-Encoding: {codings}\r\nContent-Encoding: gzip\r\n\r\n".encode()
    said = talked((CLIENT, GET), (SERVER, head + in_chunks(coded) + b"0\r\n\r\n" + OK))
    assert said.brief() == [REQUEST, ("server", "response", 200, len(TEXT)), RESPONSE]


def test_a_transfer_coding_that_ends_with_the_connection() -> None:
    response = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n" + gzip.compress(TEXT)
    assert talked((CLIENT, GET), (SERVER, response), closed=True).brief()[1] == (
        "server",
        "response",
        200,
        1000,
    )


@pytest.mark.parametrize("coding", ["gzip", "compress", "what"])
def test_a_transfer_coding_that_cannot_be_removed_stays(coding: str) -> None:
    response = (
        f"HTTP/1.1 200 OK\r\nTransfer-Encoding: {coding}, chunked\r\n\r\n5\r\nplain\r\n0\r\n\r\n".encode()
    )
    assert talked((CLIENT, GET), (SERVER, response)).brief()[1] == ("server", "response", 200, 5)


# A capture that begins in the middle of a connection.


def test_the_sender_of_the_first_request_is_the_client_whatever_the_ports() -> None:
    for ports in ((80, 40000), (40000, 80)):
        talk = Talk(("10.0.0.1", ports[0]), ("10.0.0.2", ports[1]))
        rows = dissected(pcap(talk.say(CLIENT, GET, 1) + talk.say(SERVER, OK, 1))).rows
        assert [(row["sender"], row["client"]) for row in rows] == [
            ("client", f"10.0.0.1:{ports[0]}"),
            ("server", f"10.0.0.1:{ports[0]}"),
        ]


def test_the_sender_of_the_syn_is_the_client_whatever_it_says() -> None:
    said = talked((SERVER, GET))
    assert said.rows == [] and len(said.complaints) == 1


def test_a_syn_ack_says_who_the_client_is() -> None:
    talk = Talk()
    packets = talk.open()[1:] + talk.say(SERVER, b"HTTP/1.1 408 Request Timeout\r\n\r\n") + talk.close()
    (row,) = dissected(pcap(packets)).rows
    assert (row["sender"], row["client"]) == ("server", "192.0.2.1:40000")


TLS = bytes.fromhex("16030100c8010000c40303") + bytes(189)
FOREIGN = {
    "inside a WebSocket, server": [(SERVER, HELLO), (CLIENT, frame(b"Hi", key=b"wxyz"))],
    "inside a WebSocket, client": [(CLIENT, frame(b"Hi", key=b"wxyz")), (SERVER, HELLO)],
    "inside a payload of text": [(SERVER, b"Hello"), (SERVER, HELLO)],
    "inside a payload of text, to the end": [(SERVER, b"Hello")],
    "inside TLS": [(CLIENT, b"\x17\x03\x03\0\x20" + bytes(32)), (SERVER, b"\x17\x03\x03\0\x20" + bytes(32))],
    "inside TLS, inside a record": [(SERVER, bytes(range(200, 240))), (CLIENT, bytes(range(100)))],
    "inside content": [(SERVER, b"the rest of a page\r\n</html>\r\n" + OK)],
    "inside a head": [(CLIENT, b"cept: text/html\r\n\r\n"), (SERVER, OK[9:])],
}
WHOLE = {
    "TLS": [(CLIENT, TLS), (SERVER, b"\x16\x03\x03\0\x7a" + bytes(122))],
    "SSH": [(SERVER, b"SSH-2.0-OpenSSH_9.2p1\r\n"), (CLIENT, b"SSH-2.0-Go\r\n")],
    "mail": [(SERVER, b"220 mail.example ESMTP\r\n"), (CLIENT, b"EHLO x\r\n")],
    "Redis": [(CLIENT, b"*1\r\n$4\r\nPING\r\n"), (SERVER, b"+PONG\r\n")],
    "HTTP/2": [(CLIENT, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9)), (SERVER, bytes(9))],
    "a long line that only its end gives away": [(CLIENT, b"GET /" + b"x" * 400 + b"\r\n")],
    "HTTP/0.9": [(CLIENT, b"GET /\r\n"), (SERVER, b"<html>")],
    "zeros": [(CLIENT, bytes(3000)), (SERVER, bytes(3000))],
    "one long line": [(CLIENT, b"a" * 300_000)],
}


@pytest.mark.parametrize("size", [1, 3, 1400])
@pytest.mark.parametrize("what", [*FOREIGN, *WHOLE])
def test_what_is_no_http_is_one_line_on_stderr_and_nothing_else(what: str, size: int) -> None:
    size = max(size, 1000) if what == "one long line" else size
    opened = what in WHOLE
    for closed in False, True:
        said = talked(*(WHOLE if opened else FOREIGN)[what], size=size, opened=opened, closed=closed)
        assert said.rows == []
        assert len(said.complaints) == 1
        assert "conversation 0 (192.0.2." in said.complaints[0]


def test_foreign_connections_leave_others_alone() -> None:
    foreign, talk = Talk(client=("192.0.2.9", 5)), Talk()
    packets = foreign.open() + foreign.say(CLIENT, TLS)
    packets += talk.open() + talk.say(CLIENT, GET) + foreign.say(SERVER, TLS) + talk.say(SERVER, OK)
    said = dissected(pcap(packets))
    assert said.brief() == [REQUEST, RESPONSE]
    assert [row["conversation"] for row in said.rows] == [1, 1]
    assert len(said.complaints) == 1


def test_a_connection_that_says_nothing_is_passed_over_in_silence() -> None:
    assert talked(closed=True) == Said(0, [], [])
    assert talked(opened=False, closed=True) == Said(0, [], [])


# What breaks rules.


@pytest.mark.parametrize("first", [0x00, 0x0F, 0x18, 0x49, 0x72, 0x80, 0x93, 0xFF])
def test_frames_are_given_as_they_are(first: int) -> None:
    """Reserved bits and opcodes, fragmented control frames, continuations of nothing: all printed, none judged."""
    payload = bytes(range(7))
    said = talked(
        (CLIENT, HANDSHAKE),
        (SERVER, SWITCHING + frame(payload, first=first)),
        (CLIENT, frame(payload, first=first, key=b"\x01\0\xff\x80") + frame(payload, first=first)),
    )
    for row, masked in zip(said.rows[2:], (False, True, False), strict=True):
        assert [row[name] for name in ("fin", "rsv1", "rsv2", "rsv3")] == [
            bool(first & bit) for bit in (128, 64, 32, 16)
        ]
        assert (row["opcode"], row["masked"]) == (first & 15, masked)
        assert (row["payload_length"], row["payload"]) == (7, payload.hex())
        assert row["wire_length"] == 9 + 4 * masked


@pytest.mark.parametrize("size", [1, 1400])
@pytest.mark.parametrize("key", [None, b"wxyz"])
def test_lengths_that_are_not_minimal_are_read(key: bytes | None, size: int) -> None:
    mask = 128 if key else 0
    plain = frame(b"Hello", key=key)[2:]
    data = bytes([0x81, mask | 126, 0, 5]) + plain + bytes([0x81, mask | 127, *bytes(7), 5]) + plain
    data += bytes([0x88, mask | 126, 0, 0]) + (key or b"") + frame(bytes(126), 9, key=key)
    said = talked((CLIENT, HANDSHAKE), (SERVER, SWITCHING), (CLIENT, data), size=size)
    assert [row["payload_length"] for row in said.rows[2:]] == [5, 5, 0, 126]
    assert [row["payload"] for row in said.rows[2:]] == ["48656c6c6f"] * 2 + ["", "00" * 126]
    assert sum(row["wire_length"] for row in said.rows[2:]) == len(data)


@pytest.mark.parametrize("size", [1, 1400])
@pytest.mark.parametrize("sender", [CLIENT, SERVER])
def test_a_set_top_bit_in_a_64_bit_length_ends_that_sender(sender: bool, size: int) -> None:
    bad = b"\x82\x7f\x80" + bytes(6) + b"\x05Hello"
    said = talked(
        (CLIENT, HANDSHAKE),
        (SERVER, SWITCHING),
        (sender, HELLO + bad + HELLO),
        (not sender, HELLO),
        (sender, HELLO),
        size=size,
    )
    names = ["server", "client"]
    assert [(row["sender"], row["kind"]) for row in said.rows[2:]] == [
        (names[sender], "frame"),
        (names[not sender], "frame"),
    ]
    assert len(said.complaints) == 1 and f"the {names[sender]} is not read any further" in said.complaints[0]
    assert "64-bit" in said.complaints[0] and "RFC 6455, 5.2" in said.complaints[0]


def test_after_that_a_hole_of_the_same_sender_is_not_told() -> None:
    talk = Talk()
    packets = talk.shake() + talk.say(SERVER, b"\x82\x7f\x80" + bytes(7))
    talk.say(SERVER, HELLO)  # lost
    said = dissected(pcap(packets + talk.say(SERVER, HELLO)))
    assert [row["kind"] for row in said.rows] == ["request", "response"]


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\nhi\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1" + b"0" * 16 + b"\r\nhi\r\n",
    ],
)
def test_content_without_boundaries_ends_that_sender(head: bytes) -> None:
    said = talked((CLIENT, GET), (SERVER, head + OK), (CLIENT, GET))
    assert said.brief() == [REQUEST, REQUEST]
    assert len(said.complaints) == 1 and "the server is not read any further" in said.complaints[0]


def test_a_head_that_never_ends() -> None:
    """As much as Chromium takes, and no more; in time that grows with its length."""
    endless = b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200_000
    said = talked((CLIENT, endless), (SERVER, OK))
    assert said.rows == [] or said.brief() == [RESPONSE]
    assert len(said.complaints) == 1
    long = b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 40_000 + b"\r\n"
    assert talked((CLIENT, long), size=100).brief() == [REQUEST]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"GET / HTTP/1.1\r\nA: b\r\n" + b" x\r\n" * 60_000 + b"\r\n", id="folded lines"),
        pytest.param(
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 50_000 + b"0\r\n\r\n",
            id="tiny chunks",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"a:b\r\n" * 300_000 + b"\r\n",
            id="trailers",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nTransfer-Encoding: " + b"chunked, " * 25_000 + b"\r\n\r\n0\r\n\r\n",
            id="codings",
        ),
        pytest.param(b"POST / HTTP/1.1\r\nContent-Length: " + b"0, " * 80_000 + b"0\r\n\r\n", id="lengths"),
        pytest.param(b"GET / HTTP/1.1\r\nUpgrade: " + b'"' * 200_000 + b"\r\n\r\n", id="quotes"),
        pytest.param(b"\r\n" * 100_000 + GET, id="empty lines"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n" * 20_000, id="requests"),
    ],
)
def test_nothing_takes_forever(data: bytes) -> None:
    said = talked((CLIENT, data))
    assert len(said.rows) + len(said.complaints) >= 1
