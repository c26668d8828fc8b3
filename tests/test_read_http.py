# SPDX-License-Identifier: GPL-2.0-or-later
"""Where HTTP messages end and frames begin, on made captures: one rule of RFC 9112 or of the design a test."""

from __future__ import annotations

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


def test_after_that_a_hole_of_the_same_sender_is_not_told() -> None:
    talk = Talk()
    packets = talk.shake() + talk.say(SERVER, b"\x82\x7f\x80" + bytes(7))
    talk.say(SERVER, HELLO)  # lost
    said = dissected(pcap(packets + talk.say(SERVER, HELLO)))
    assert [row["kind"] for row in said.rows] == ["request", "response"]


def test_a_head_that_never_ends() -> None:
    """As much as Chromium takes, and no more; in time that grows with its length."""
    endless = b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200_000
    said = talked((CLIENT, endless), (SERVER, OK))
    assert said.rows == [] or said.brief() == [RESPONSE]
    assert len(said.complaints) == 1
    long = b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 40_000 + b"\r\n"
    assert talked((CLIENT, long), size=100).brief() == [REQUEST]


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
