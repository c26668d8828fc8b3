# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames, messages and opening handshakes beside two other implementations, ``websockets`` and ``wsproto``.

Where they differ from us, a test names the difference, and the rule of the RFC by which we differ.
"""

import base64
from typing import Any, cast

import pytest
import websockets.frames
from hypothesis import given, settings, strategies as st
from protocol_cases import KEY, SAMPLE_KEY, legal_frames, legal_streams
from websockets.server import ServerProtocol
from websockets.streams import StreamReader
from wsproto import ConnectionType, WSConnection
from wsproto.events import Request as RequestEvent
from wsproto.frame_protocol import FrameProtocol, ParseFailed
from wsproto.utilities import RemoteProtocolError

from wsedu import Frame, Opcode, handshake
from wsedu.protocol.errors import NeedMoreData, ProtocolError, Role
from wsedu.protocol.messages import Message, MessageAssembler

Events = list[tuple[int, bytes]]

# What is there, right or nearly right


@st.composite
def payloads_nearly(draw: st.DrawFn) -> bytes:
    code = draw(st.sampled_from([0, 999, 1000, 1004, 1005, 1006, 1013, 1015, 1016, 2999, 3000, 4999, 5000]))
    broken = [b"\xe2", b"\x82\xac", b"\xed\xa0\x80", b"\xf4\x90", b"x" * 125, b"x" * 126]
    reasons = [b"", b"bye", b"\xc3"]
    kinds = st.binary(max_size=6), st.text(max_size=4).map(str.encode), st.sampled_from(broken)
    return draw(st.one_of(*kinds, st.sampled_from(reasons).map(code.to_bytes(2, "big").__add__)))


@st.composite
def frames_nearly(draw: st.DrawFn, role: Role) -> bytes:
    """The bytes of a frame that breaks a rule now and then."""

    def seldom() -> bool:
        return draw(st.integers(0, 30)) == 0

    opcode = draw(st.integers(0, 15)) if seldom() else draw(st.sampled_from(Opcode))
    fin = draw(st.booleans()) if opcode < 8 else not seldom()
    key = KEY if (role == "client") != seldom() else None
    frame = Frame(opcode, draw(payloads_nearly()), fin, seldom(), seldom(), seldom(), masking_key=key)
    return frame.serialize(length_form=64 if seldom() else None)


# Frames beside websockets


def websockets_parse(raw: bytes, mask: bool) -> tuple[websockets.frames.Frame, int]:
    """The frame at the start of ``raw``, and how many bytes it took."""
    reader = StreamReader()
    reader.feed_data(raw)
    with pytest.raises(StopIteration) as done:
        next(websockets.frames.Frame.parse(reader.read_exact, mask=mask))
    return done.value.value, len(raw) - len(reader.buffer)


def as_websockets(frame: Frame) -> websockets.frames.Frame:
    opcode = websockets.frames.Opcode(frame.opcode)
    return websockets.frames.Frame(opcode, frame.payload, frame.fin, frame.rsv1, frame.rsv2, frame.rsv3)


@given(legal_frames(), st.binary(max_size=5))
def test_websockets_reads_what_we_write_and_we_what_it_writes(frame: Frame, spare: bytes) -> None:
    mask = frame.masking_key is not None
    role: Role = "client" if mask else "server"
    frame.check(role)
    raw = frame.serialize()
    assert websockets_parse(raw + spare, mask) == (as_websockets(frame), len(raw))
    theirs = as_websockets(frame).serialize(mask=mask)  # with a masking key of its own
    assert mask or theirs == raw
    parsed, used = Frame.parse(theirs + spare, role=role)
    assert used == len(theirs) and as_websockets(parsed) == as_websockets(frame)


# Messages beside wsproto


def our_events(raw: bytes, role: Role) -> tuple[Events, int | None]:
    """What comes out, and the status code with which it ends."""
    assembler, events = MessageAssembler(role), []
    assembler.receive_data(raw)
    try:
        while (event := assembler.next_event()) is not None:
            data = event.data if isinstance(event, Message) else event.payload
            events.append((int(event.opcode), data.encode() if isinstance(data, str) else data))
    except ProtocolError as error:
        return events, error.status_code
    return events, None


def wsproto_events(raw: bytes, role: Role) -> tuple[Events, int | None]:
    protocol = FrameProtocol(client=role == "server", extensions=[])
    protocol.receive_bytes(raw)
    events: Events = []
    parts: list[tuple[int, bytes]] = []
    try:
        for frame in protocol.received_frames():
            opcode, data = int(frame.opcode), cast(Any, frame.payload)
            if opcode == Opcode.CLOSE:
                code, reason = data
                told = b"" if code == 1005 else int(code).to_bytes(2, "big") + (reason or "").encode()
                return [*events, (opcode, told)], None
            if opcode > Opcode.CLOSE:
                events.append((opcode, bytes(data)))
                continue
            parts.append((opcode, data.encode() if isinstance(data, str) else bytes(data)))
            if frame.message_finished:
                events.append((parts[0][0], b"".join(part for _, part in parts)))
                parts = []
    except ParseFailed as error:
        return events, int(error.code)
    return events, None


@st.composite
def any_streams(draw: st.DrawFn) -> tuple[Role, bytes]:
    """Legal, or nearly."""
    role: Role = draw(st.sampled_from(["client", "server"]))
    legal = legal_streams(masked=role == "client").map(lambda frames: [frame.serialize() for frame in frames])
    return role, b"".join(draw(st.one_of(legal, st.lists(frames_nearly(role), max_size=5))))


@settings(max_examples=300)
@given(any_streams())
def test_wsproto_reads_the_same_messages_and_refuses_the_same_streams(stream: tuple[Role, bytes]) -> None:
    role, raw = stream
    events, status_code = our_events(raw, role)
    if status_code == 1007 and wsproto_events(raw, role)[1] == 1002:
        # It refuses a reason that is not UTF-8 with 1002. Section 8.1 makes no difference between text and a reason.
        status_code = 1002
    assert (events, status_code) == wsproto_events(raw, role)


def test_wsproto_does_not_know_1014() -> None:
    """It was registered in 2014 (IANA, RFC 6455, 11.7), as 1012 and 1013 were, which it does know."""
    for code, theirs in ((1012, None), (1013, None), (1014, 1002)):
        raw = Frame(Opcode.CLOSE, code.to_bytes(2, "big")).serialize()
        assert (our_events(raw, "server")[1], wsproto_events(raw, "server")[1]) == (None, theirs)


# Opening handshakes beside both

FIELDS = {
    "Host": ["", "a b", "a:1", "[::1]", "u@a", None],
    "Upgrade": ["WebSocket", "h2c", "h2c, websocket", "websocket/13", "", None],
    "Connection": ["keep-alive, upgrade", ",Upgrade", "close", "Upgrades", "", None],
    "Sec-WebSocket-Key": [
        *(base64.b64encode(bytes(size)).decode() for size in (0, 15, 16, 17)),
        "dGhlIHNhbXBsZSBub25jZQ", "dGhl IHNhbXBsZSBub25jZQ==", "__________________________==", None,
    ],
    "Sec-WebSocket-Version": ["8", "13, 8", "013", " 13\t", "", None],
    "Sec-WebSocket-Protocol": ["a", "a, b", "a, a", "a b", ",", "", None],
    "Sec-WebSocket-Extensions": ["x; a=b", 'x; a="b"', 'x; a="b c"', "x;", "x y", "", None],
    "X": ["", "\xe9", "a\x00", "a\rb", "a\nb", "a\r\n b", None],
}  # fmt: skip
USUAL = {"Host": "a", "Upgrade": "websocket", "Connection": "Upgrade"}
USUAL |= {"Sec-WebSocket-Key": SAMPLE_KEY, "Sec-WebSocket-Version": "13"}
LINES = [
    "POST / HTTP/1.1", "get / HTTP/1.1", "GET / HTTP/1.0", "GET / HTTP/1.2", "GET / HTTP/2.0", "GET /",
    "GET /a#b HTTP/1.1", "GET * HTTP/1.1", "GET /\xe9 HTTP/1.1", "GET  / HTTP/1.1", "GET http://a/ HTTP/1.1",
]  # fmt: skip


@st.composite
def heads_nearly(draw: st.DrawFn) -> bytes:
    """A request to switch, with a thing or two about it that is unusual or wrong."""
    unusual = draw(st.lists(st.sampled_from(["line", "twice", "name", *FIELDS]), max_size=2))
    lines = [draw(st.sampled_from(LINES)) if "line" in unusual else "GET /chat HTTP/1.1"]
    for name, values in FIELDS.items():
        value = draw(st.sampled_from(values)) if name in unusual else USUAL.get(name)
        if value is not None:
            lines.append(f"{name}: {value}")
    at = draw(st.integers(1, len(lines) - 1))
    if "twice" in unusual:
        lines.insert(at, lines[at])
    if "name" in unusual:
        name, colon, value = lines[at].partition(":")
        name = draw(st.sampled_from([name.lower(), name.upper(), name + " ", " " + name]))
        lines[at] = name + colon + value
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1")


def websockets_status(raw: bytes) -> int:
    protocol = ServerProtocol()
    protocol.receive_data(raw)
    events = protocol.events_received()
    return protocol.accept(events[0]).status_code if events else 400  # type: ignore[arg-type]


def wsproto_status(raw: bytes) -> int:
    connection = WSConnection(ConnectionType.SERVER)
    try:
        connection.receive_data(raw)
        events = list(connection.events())
    except (RemoteProtocolError, UnicodeDecodeError):
        return 400
    return 101 if any(isinstance(event, RequestEvent) for event in events) else 400


def our_verdict(raw: bytes) -> tuple[int | None, str]:
    try:
        handshake.check_request(raw)
    except ProtocolError as error:
        return error.status_code, error.field
    except NeedMoreData:
        return 400, "it never ends"
    return 101, ""


# Fields and parts of the head about whose rules a peer does not ask, or asks less.
NOT_ASKED_BY_WEBSOCKETS = {"Host", "request target", "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"}
NOT_ASKED_BY_WSPROTO = {*NOT_ASKED_BY_WEBSOCKETS, "HTTP version", "Sec-WebSocket-Key", "Sec-WebSocket-Version"}


@settings(max_examples=300)
@given(heads_nearly())
def test_peers_refuse_the_same_handshakes(raw: bytes) -> None:
    status, field = our_verdict(raw)
    upgrades = [line for line in raw.split(b"\r\n") if line.lower().startswith(b"upgrade:")]
    verdicts = (websockets_status(raw), NOT_ASKED_BY_WEBSOCKETS), (wsproto_status(raw), NOT_ASKED_BY_WSPROTO)
    for theirs, not_asked in verdicts:
        if status == 101:
            # RFC 6455, 4.2.1 asks for "HTTP/1.1 or higher", and for a field that contains "websocket". websockets wants
            # 1.1, and both want the field to say that and no more.
            more = len(upgrades) > 1 or b"," in upgrades[0] or b"HTTP/1.2" in raw
            assert theirs == 101 or more, raw
        else:
            folded = b"\r\n " in raw and not_asked is NOT_ASKED_BY_WSPROTO  # h11 still reads obs-fold
            assert theirs != 101 or field in not_asked or folded, (raw, field)


@given(st.from_regex(handshake.HOST, fullmatch=True), st.sampled_from(["/", "/chat?room=1"]))
def test_peers_accept_what_we_write(host: str, target: str) -> None:
    raw = handshake.request(host, target, fields=[("Origin", "null"), ("Sec-WebSocket-Protocol", "chat")])
    assert our_verdict(raw)[0] == websockets_status(raw) == wsproto_status(raw) == 101


@given(st.binary(min_size=16, max_size=16).map(base64.b64encode).map(bytes.decode))
def test_we_accept_what_websockets_answers(key: str) -> None:
    protocol: Any = ServerProtocol()
    protocol.receive_data(handshake.request("a", key=key))
    protocol.send_response(protocol.accept(protocol.events_received()[0]))
    raw = b"".join(protocol.data_to_send())
    assert handshake.check_response(raw, key)[1] == len(raw)
