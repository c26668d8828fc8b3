# SPDX-License-Identifier: GPL-2.0-or-later
"""permessage-deflate: the RFC's own bytes, what websockets and zlib make, and captures with every way it can go."""

import io
from operator import attrgetter
from typing import Any

import pytest
from capture_maker import CLIENT, DATA, HANDSHAKE, SERVER, SWITCHING, Talk, frame, pcap
from hypothesis import given, strategies as st
from oracles import tshark
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame as PeerFrame, Opcode as PeerOpcode

import wsedu
from wsedu import ProtocolError, Response
from wsedu.protocol.deflate import DeflateParameters, Deflater, Inflater, agreed_parameters
from wsedu.wire.connections import CaptureReader

KEY = b"\x37\xfa\x21\x3d"
RSV1 = 0x40
AGREED = SWITCHING[:-2] + b"Sec-WebSocket-Extensions: permessage-deflate%s\r\n\r\n"

# RFC 7692, 7.2.3.1 to 7.2.3.6: what a message has in its frames, one after the other on one connection.
RFC = {
    "once": ["f248cdc9c90700"],
    "twice, with takeover": ["f248cdc9c90700", "f200110000"],
    "a stored block": ["000500faff48656c6c6f00"],
    "BFINAL": ["f348cdc9c9070000"],
    "two blocks": ["f248050000 00ffffcac9c90700"],
    "BFINAL, and then without a window": ["f348cdc9c9070000", "f248cdc9c90700"],
}


@pytest.mark.parametrize("payloads", RFC.values(), ids=RFC)
def test_the_bytes_of_the_rfc(payloads: list[str]) -> None:
    inflater = Inflater()
    assert {inflater.inflate(bytes.fromhex(payload)) for payload in payloads} == {b"Hello"}


def test_an_empty_message_is_one_byte() -> None:
    """7.2.3.6: 0x00."""
    assert Deflater().deflate(b"") == b"\x00" and Inflater().inflate(b"\x00") == b""


@pytest.mark.parametrize("takeover", [True, False])
@pytest.mark.parametrize("bits", [9, 12, 15])
@given(messages=st.lists(st.binary(max_size=200) | st.text(max_size=90).map(str.encode), max_size=6))
def test_websockets_and_we_read_each_other(takeover: bool, bits: int, messages: list[bytes]) -> None:
    peer = PerMessageDeflate(not takeover, not takeover, bits, bits)
    ours, theirs = Deflater(takeover=takeover, window_bits=bits), Inflater(takeover=takeover)
    for content in messages:
        made = PeerFrame(PeerOpcode.BINARY, ours.deflate(content), rsv1=True)
        assert bytes(peer.decode(made).data) == content
        assert theirs.inflate(bytes(peer.encode(PeerFrame(PeerOpcode.BINARY, content)).data)) == content


REFUSED = {
    "ffffff": "not DEFLATE: a block of the reserved type 3",
    "000500fafe": "not DEFLATE: the length of a stored block",
    "f200110000": "it refers to bytes before those that are known",
}


@pytest.mark.parametrize("payload", REFUSED)
def test_what_cannot_be_inflated_is_said_and_the_next_can_be(payload: str) -> None:
    inflater = Inflater()
    with pytest.raises(ProtocolError, match=REFUSED[payload]) as refused:
        inflater.inflate(bytes.fromhex(payload))
    assert (refused.value.status_code, refused.value.section) == (1007, "RFC 7692, 7.2.2")
    assert inflater.inflate(bytes.fromhex(RFC["once"][0])) == b"Hello"


def test_a_bomb_is_not_inflated() -> None:
    bomb = Deflater().deflate(bytes(1 << 26))
    with pytest.raises(ProtocolError, match="more than 1,000 bytes of content") as refused:
        Inflater().inflate(bomb, 1_000)
    assert refused.value.status_code == 1009
    assert len(Inflater().inflate(Deflater().deflate(bytes(1_000)), 1_000)) == 1_000


PARAMETERS = {
    "": DeflateParameters(),
    "; server_no_context_takeover; client_no_context_takeover": DeflateParameters(True, True),
    '; server_max_window_bits="10"; client_max_window_bits=8': DeflateParameters(False, False, 10, 8),
}


@pytest.mark.parametrize("written", PARAMETERS)
def test_what_was_agreed_on(written: str) -> None:
    value = f"x-other; a=1, permessage-deflate{written}"
    response = Response(101, "", fields=(("sec-websocket-extensions", value),))
    assert agreed_parameters(response) == PARAMETERS[written]
    assert agreed_parameters(Response(101, "", fields=(("Sec-WebSocket-Extensions", "x-other"),))) is None


@pytest.mark.parametrize("wrong", [
    "client_max_window_bits", "server_max_window_bits=08", "server_max_window_bits=16", "nonsense",
    "server_no_context_takeover=1", "server_max_window_bits=9; server_max_window_bits=9",
])  # fmt: skip
def test_what_a_client_refuses(wrong: str) -> None:
    with pytest.raises(ProtocolError, match="permessage-deflate: ") as refused:
        agreed_parameters(Response(101, "", fields=(("Sec-WebSocket-Extensions", f"permessage-deflate; {wrong}"),)))
    assert refused.value.section == "RFC 7692, 7.1" and refused.value.field == "Sec-WebSocket-Extensions"


# Captures


def talk(*said: tuple[bool, bytes], parameters: bytes = b"", deflate: bool = True) -> bytes:
    """A capture of a connection on which this was said, by sender."""
    connection = Talk()
    packets = connection.open() + connection.say(CLIENT, HANDSHAKE)
    packets += connection.say(SERVER, AGREED % parameters if deflate else SWITCHING)
    for sender, data in said:
        packets += connection.say(sender, data)
    return pcap(packets + connection.close())


def frames(file: bytes, **options: Any) -> tuple[list[Any], list[str]]:
    """Its frames, by way of the fast path; the slow path gives the same. And the warnings."""
    capture = wsedu.read(io.BytesIO(file), **options)
    slow = CaptureReader([], **options).messages(io.BytesIO(file), whole=False)
    both = [[one for one in way if one.kind == "frame"] for way in (capture.conversations[0].messages, slow)]
    telling = attrgetter("payload", "compressed", "content", "text", "inflate_error")
    assert list(map(telling, both[0])) == list(map(telling, both[1]))
    return both[0], capture.warnings


def hello(sender: bool, payload: str, first: int = 0x81 | RSV1) -> tuple[bool, bytes]:
    return sender, frame(bytes.fromhex(payload), first=first, key=KEY if sender == CLIENT else None)


def test_both_directions_have_a_window_of_their_own() -> None:
    again = "f200110000"
    found, warnings = frames(talk(hello(CLIENT, RFC["once"][0]), hello(SERVER, RFC["once"][0]),
                                  hello(SERVER, again), hello(CLIENT, again)))  # fmt: skip
    assert [one.sender for one in found] == ["client", "server", "server", "client"]
    assert {(one.text, one.compressed) for one in found} == {("Hello", True)} and warnings == []


@pytest.mark.parametrize("of", ["client", "server"])
def test_without_takeover_a_message_refers_to_none_before(of: str) -> None:
    said = [hello(sender, payload) for payload in ("f248cdc9c90700", "f200110000") for sender in (CLIENT, SERVER)]
    found, warnings = frames(talk(*said, parameters=f"; {of}_no_context_takeover".encode()))
    assert [one.sender for one in found if one.inflate_error] == [of]
    assert len(warnings) == 1 and f"a message of the {of} is not inflated: it refers to bytes before" in warnings[0]


def test_fragments_with_control_frames_between() -> None:
    said = [hello(SERVER, "f248", 0x01 | RSV1), (SERVER, frame(b"ping", 9)), hello(SERVER, "cdc9", 0x00),
            (SERVER, frame(b"", 0xA)), hello(SERVER, "c90700", 0x80), (SERVER, frame(b"plain"))]  # fmt: skip
    found, warnings = frames(talk(*said))
    assert [one.compressed for one in found] == [True, None, True, None, True, False]
    assert [one.content for one in found] == [b"", b"ping", b"", b"", b"Hello", b"plain"]
    assert [one.text for one in found] == [None, None, None, None, "Hello", "plain"] and warnings == []
    messages = list(wsedu.messages(io.BytesIO(talk(*said)), assembled=True))[2:]
    assert [one.kind for one in messages] == ["frame", "frame", "message", "message"]
    whole = messages[2]
    assert (whole.text, whole.content, whole.compressed) == ("Hello", b"Hello", True)
    assert whole.payload.hex() == "f248cdc9c90700" and whole.wire_length == len(whole.raw) == 6 + len(whole.payload)
    assert [span.start for span in whole.spans()] == sorted(span.start for span in whole.spans())


def test_where_nobody_agreed_nothing_is_inflated() -> None:
    found, _ = frames(talk(hello(SERVER, RFC["once"][0]), deflate=False))
    assert (found[0].compressed, found[0].text, found[0].content) == (None, None, found[0].payload)


@pytest.mark.parametrize("payload", REFUSED)
def test_broken_data_never_stops_the_frames(payload: str) -> None:
    said = [hello(SERVER, payload), hello(SERVER, RFC["once"][0]), hello(CLIENT, RFC["once"][0])]
    found, warnings = frames(talk(*said))
    assert [bool(one.inflate_error) for one in found] == [True, False, False]
    assert [one.text for one in found] == [None, "Hello", "Hello"]
    assert len(warnings) == 1 and REFUSED[payload] in warnings[0]


def test_a_limit_is_said() -> None:
    large = Deflater().deflate(bytes(100_000))
    found, warnings = frames(talk((SERVER, frame(large, 2, first=0x82 | RSV1))), max_message=99_999)
    assert found[0].inflate_error == "more than 99,999 bytes of content" and "99,999" in warnings[0]
    assert len(frames(talk((SERVER, frame(large, 2, first=0x82 | RSV1))), max_message=100_000)[0][0].content) == 100_000


def test_every_fast_path_message_is_inflated() -> None:
    """Ten thousand messages, so that most of them take the fast path, and the window goes on from one to the next."""
    deflater = Deflater()
    said = b"".join(frame(deflater.deflate(b"news %d" % number), first=0x81 | RSV1) for number in range(10_000))
    capture = wsedu.read(io.BytesIO(talk((SERVER, said))))
    texts = [one.text for one in capture.conversations[0].messages if one.kind == "frame"]
    assert texts == [f"news {number}" for number in range(10_000)]


def test_what_the_fast_path_reads_late_in_a_file_is_said_too() -> None:
    warnings: list[str] = []
    said = talk(*[(SERVER, frame(bytes(60_000), 2))] * 6, hello(SERVER, "ff"))
    assert len(list(wsedu.messages(io.BytesIO(said), warnings))) == 9
    assert len(warnings) == 1 and "a message of the server is not inflated" in warnings[0]


@pytest.mark.parametrize("cut", [0, 1])
def test_what_began_before_the_capture(cut: int) -> None:
    """Frames are read from the first segment on that may begin with one, and if we are told so RSV1 is believed."""
    connection = Talk()
    connection.shake()
    packets = [connection.packet(SERVER, frame(b"x" * 40)[9 + cut :])]  # the end of a frame
    packets += connection.say(CLIENT, frame(b"Hi", key=KEY)) + connection.say(SERVER, frame(b"Hello"))
    packets += connection.say(*hello(SERVER, RFC["once"][0]))
    assert wsedu.read(io.BytesIO(pcap(packets))).conversations == []
    capture = wsedu.read(io.BytesIO(pcap(packets)), ports=(80,), deflate=True)
    told = [(one.sender, one.text) for one in capture.conversations[0].messages]
    assert told == [("client", "Hi"), ("server", "Hello"), ("server", "Hello")]
    (warning,) = capture.warnings
    assert f"{33 - cut:,} bytes of the server before its first frame" in warning
    plain = wsedu.read(io.BytesIO(pcap(packets)), ports=(80,)).conversations[0].messages
    assert [one.compressed for one in plain] == [None] * 3


def test_what_began_before_the_capture_and_begins_with_a_large_message() -> None:
    """Its first frame is one of many packets, without a line end."""
    connection = Talk()
    packets = connection.say(SERVER, frame(bytes(6000), 2)) + connection.say(*hello(SERVER, RFC["once"][0]))
    found, warnings = frames(pcap(packets), ports=(80,), deflate=True)
    assert warnings == [] and [one.compressed for one in found] == [False, True]


def test_tshark_inflates_the_same() -> None:
    """But for a message in fragments, of which tshark 4.0 inflates each frame by itself."""
    path = DATA / "websockets-deflate.pcap"
    fields = "-e", "websocket.fin", "-e", "websocket.payload.text", "-e", "data.data"
    table = tshark("-r", path, "-Y", "websocket.rsv == 4", "-T", "fields", *fields)
    rows = [line.split("\t") for line in table.splitlines()]
    ours = [one for one in wsedu.messages(path) if one.compressed and one.header is not None and one.header.rsv1]
    assert len(rows) == len(ours) > 10
    compared = [(text or data, one) for (fin, text, data), one in zip(rows, ours, strict=True) if fin == "1"]
    assert len(compared) > 10
    for theirs, one in compared:
        assert theirs == (one.content.hex() if one.text is None else one.text) or one.content == b""


def test_a_byte_map_says_what_was_meant() -> None:
    said = [hello(SERVER, "f248", 0x01 | RSV1), hello(SERVER, "cdc9c90700", 0x80), hello(SERVER, "ffffff")]
    meant = [frame.spans()[-1].meaning for frame in frames(talk(*said))[0]]
    assert meant == [
        "part of a compressed message (RFC 7692)",
        "compressed message (RFC 7692): inflated, the message is 5 bytes, “Hello”",
        "compressed message (RFC 7692), and not inflated: not DEFLATE: a block of the reserved type 3",
    ]
