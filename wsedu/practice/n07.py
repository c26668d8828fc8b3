# SPDX-License-Identifier: GPL-2.0-or-later
"""Notebook 07: messages, control frames, and who closed first."""

from __future__ import annotations

import atexit
import random
import tempfile
import zlib
from base64 import b64encode
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Literal

from ..model.measured import FILE
from ..protocol.frames import Frame
from ..protocol.handshake import request, response
from ..protocol.status import may_be_sent
from ..wire.capture import read
from ..wire.message import CapturedMessage
from ..wire.packet_model import Endpoints, EventKind, RelayEvent, packets
from ..wire.pcapfile import write_capture
from .exercise import Arguments, exercise

DATA = FILE.parent


def _cut(rng: random.Random) -> list[Arguments]:
    def message(payload: bytes) -> list[Frame]:
        cut = rng.randrange(len(payload) + 1)
        return [Frame(2, payload[:cut], fin=False), Frame(9, b"?"), Frame(0, payload[cut:])]

    parts = [rng.randbytes(rng.randrange(1, 9)) for _ in range(3)]
    return [
        ([Frame(1, b"Hello")],),
        ([Frame(1, b"a"), Frame(1, b"b")],),
        ([Frame(1, b"Hel", fin=False), Frame(0, b"l", fin=False), Frame(0, b"o")],),
        ([frame for part in parts for frame in message(part)],),
    ]


def _as_if_data(frames: list[Frame]) -> list[bytes]:
    whole: list[bytes] = together([replace(frame, opcode=frame.opcode % 8) for frame in frames])
    return whole


@exercise(
    "07",
    _cut,
    "RFC 6455, 5.4",
    (lambda frames: [frame.payload for frame in frames], "these are frames: FIN says where a message ends"),
    (_as_if_data, "a control frame between fragments is not part of the message"),
    (lambda frames: [b"".join(together(frames))], "a new message begins after FIN"),
    (
        lambda frames: [f.payload for f in frames if f.fin and f.opcode < 8],
        "the fragments before the last one belong to it",
    ),
)
def together(frames: list[Frame]) -> list[bytes]:
    """The payloads of all messages, whole."""
    whole, buffer = [], b""
    for frame in frames:
        if frame.opcode >= 8:
            continue  # a control frame belongs to no message
        buffer += frame.payload
        if frame.fin:
            whole.append(buffer)
            buffer = b""
    return whole


@cache
def _folder() -> Path:
    """Where captures are written; it is gone with the process."""
    folder = tempfile.TemporaryDirectory(prefix="wsedu-")
    atexit.register(folder.cleanup)
    return Path(folder.name)


def _recorded(rng: random.Random, code: int | None) -> Path:
    """A fresh capture of one WebSocket that is closed by either side, with this status code or none."""
    payload = b"" if code is None else code.to_bytes(2, "big") + b"bye"
    endpoints = Endpoints(("192.0.2.2", 40_000 + rng.randrange(9_000)), ("192.0.2.1", 80))
    key = b64encode(rng.randbytes(16)).decode()
    said = [(True, request("192.0.2.1", key=key)), (False, response(key))]
    first = rng.random() < 0.5
    for by_client, opcode, content in ((not first, 9, b"\x88\x02"), (first, 8, payload), (not first, 8, payload)):
        masking_key = rng.randbytes(4) if by_client else None
        said.append((by_client, Frame(opcode, content, masking_key=masking_key).serialize()))
    happened = [(True, EventKind.CONNECT, b""), (False, EventKind.ACCEPT, b"")]
    happened += [(by_client, EventKind.DATA, data) for by_client, data in said]
    events = [RelayEvent(i * 10**6, endpoints, by, what, data) for i, (by, what, data) in enumerate(happened)]
    data = write_capture(packets(events))
    path = _folder() / f"fresh-{zlib.crc32(data):08x}.pcap"
    path.write_bytes(data)
    return path


def _captures(rng: random.Random) -> list[Arguments]:
    known = [DATA / name for name in ("chromium-websocket.pcap", "websockets-ipv6.pcapng", "handshake-refused.pcap")]
    codes = [None, 1008, 3000 + rng.randrange(1000), rng.choice([None, 1001])]
    fresh = [_recorded(rng, code) for code in codes]
    return [(str(path),) for path in (*known, *fresh) if path.exists()]


def _closes(path: str) -> list[CapturedMessage]:
    messages = [message for conversation in read(path).conversations for message in conversation.messages]
    return [one for one in messages if one.frame and one.frame.opcode == 8]


def _code(message: CapturedMessage, order: Literal["big", "little"] = "big") -> int:
    return int.from_bytes(message.payload[:2], order)


@exercise(
    "07",
    _captures,
    "RFC 6455, 5.5.1 and 7.1.5",
    (
        lambda path: (_closes(path)[-1].sender, _code(_closes(path)[-1]) or 1005),
        "that is the answer: the first Close began the closing handshake",
    ),
    (lambda path: _closes(path)[0].sender, "both are asked for: who it was, and the status code"),
    (
        lambda path: (_closes(path)[0].sender, _code(_closes(path)[0])),
        "a Close frame without a payload has a status code of its own, that nobody sends",
    ),
    (
        lambda path: (_closes(path)[0].sender, _code(_closes(path)[0], "little") or 1005),
        "network byte order: the greater part of the status code comes first",
    ),
)
def closed_first(path: str) -> tuple[str, int]:
    """Who began the closing handshake in a capture with one WebSocket, and with which status code."""
    for conversation in read(path).conversations:
        for message in conversation.messages:
            if message.frame and message.frame.opcode == 8:
                return message.sender, int.from_bytes(message.payload[:2], "big") or 1005
    raise ValueError(f"nobody closed in {path}")


def _ten(rng: random.Random) -> list[Arguments]:
    """Two rounds of ten frames: three in order, and one for each rule that a frame can break."""
    cases: list[Arguments] = []
    for cut, half in ((True, False), (False, True)):
        ping, close = 9 + rng.randrange(2), rng.choice([1000, 1001, 3000 + rng.randrange(2000)])
        key, reserved = rng.randbytes(4), rng.choice([3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
        bit = rng.randrange(3)
        wrong = rng.choice([1005, 1006, 5000 + rng.randrange(999), rng.randrange(1000)])
        frames = [
            Frame(1, rng.choice(["číst", "žluť", "x"]).encode()),
            Frame(2, b"\xff" + rng.randbytes(2)),
            rng.choice([Frame(ping, b"?" * rng.choice([1, 125])), Frame(8, close.to_bytes(2, "big") + b"bye")]),
            Frame(1, b"ab"[: rng.randrange(3)] + b"\xff" + rng.randbytes(1)),
            Frame(1, b"not masked"),
            Frame(reserved, b"?"),
            Frame(ping, b"", fin=False) if cut else Frame(ping, b"?" * rng.randrange(126, 200)),
            Frame(1, b"x", rsv1=bit == 0, rsv2=bit == 1, rsv3=bit == 2),
            Frame(8, b"\x03" if half else wrong.to_bytes(2, "big")),
            Frame(8, b"\x03\xe8"),
        ]
        frames = [frame if frame.payload == b"not masked" else replace(frame, masking_key=key) for frame in frames]
        rng.shuffle(frames)
        cases += [(frame,) for frame in frames]
    return cases


def _unless(frame: Frame, wrong: bool) -> int:
    return 0 if wrong else refuse(frame)


@exercise(
    "07",
    _ten,
    "RFC 6455, 5.1, 5.2, 5.5, 7.4.1 and 8.1",
    (lambda frame: refuse(frame) and 1002, "text that is not UTF-8 has a status code of its own"),
    (lambda frame: _unless(frame, frame.masking_key is None), "a client's frame that is not masked is refused too"),
    (
        lambda frame: _unless(frame, frame.rsv1 or frame.rsv2 or frame.rsv3),
        "a reserved bit that no extension has claimed is refused too",
    ),
    (
        lambda frame: _unless(frame, frame.opcode == 8 and len(frame.payload) == 1),
        "the payload of Close is a status code of two bytes, or nothing: one byte is neither",
    ),
    (lambda frame: _unless(frame, frame.opcode >= 8 and not frame.fin), "a control frame has to be whole"),
    (lambda frame: _unless(frame, len(frame.payload) > 125), "a control frame has a payload of at most 125 bytes"),
    (lambda frame: _unless(frame, len(frame.payload) == 2), "not every status code may be sent"),
    (
        lambda frame: 1007 if frame.payload[:1] == b"\xff" else refuse(frame),
        "only the payload of a Text frame has to be UTF-8",
    ),
)
def refuse(frame: Frame) -> int:
    """With which status code a server closes after this frame of a client, or 0 if the frame is in order."""
    control = frame.opcode >= 8
    if frame.masking_key is None or frame.rsv1 or frame.rsv2 or frame.rsv3:
        return 1002
    if frame.opcode not in (0, 1, 2, 8, 9, 10):
        return 1002
    if control and (not frame.fin or len(frame.payload) > 125):
        return 1002
    text = frame.payload if frame.opcode == 1 else b""
    if frame.opcode == 8 and frame.payload:
        code, text = int.from_bytes(frame.payload[:2], "big"), frame.payload[2:]
        if len(frame.payload) == 1 or not may_be_sent(code):
            return 1002  # half a status code, or one that nobody sends
    try:
        text.decode()
    except UnicodeDecodeError:
        return 1007
    return 0
