# SPDX-License-Identifier: GPL-2.0-or-later
"""Notebook 07: messages, control frames, and who closed first."""

from __future__ import annotations

import atexit
import itertools
import random
import tempfile
import zlib
from base64 import b64encode
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Literal

from ..protocol.frames import Frame
from ..protocol.handshake import request, response
from ..protocol.status import may_be_sent
from ..wire.capture import read
from ..wire.message import CapturedMessage
from ..wire.packet_model import Endpoints, EventKind, RelayEvent, packets
from ..wire.pcapfile import write_capture
from .exercise import Arguments, exercise

# Beside the package in a clone, and beside the notebooks' folder wherever these run.
DATA = next(filter(Path.is_dir, (Path(__file__).resolve().parents[2] / "data", Path("../data"))), Path())


def _fragments(payload: bytes, *cuts: int, between: tuple[Frame, ...] = ()) -> list[Frame]:
    """A message, cut at these places, with these frames behind every fragment but the last."""
    ends = [0, *cuts, len(payload)]
    frames: list[Frame] = []
    for start, end in itertools.pairwise(ends):
        frames += [Frame(0 if start or frames else 2, payload[start:end], fin=False), *between]
    frames = frames[: len(frames) - len(between)]
    return [*frames[:-1], replace(frames[-1], fin=True)]


PING, CLOSE = Frame(9, b"?"), Frame(8, b"\x03\xe8bye")
CUT = [
    [Frame(1, b"Hello")],
    [Frame(1, b"a"), Frame(2, b"b")],
    _fragments(b"Hello", 3, 4),
    [*_fragments("č".encode(), 1), Frame(1, b"x")],
    [*_fragments(b"Hello", 0, 3, between=(PING, Frame(10))), PING, *_fragments(b"ab", 1, between=(CLOSE,)), CLOSE],
    [Frame(1, b""), *_fragments(b"", 0), *_fragments(b"a", 1)],
    [Frame(1, b"a"), *_fragments(b"not whole", 3, 6)[:-1]],
    [*_fragments(b"not whole", 3)[:-1], PING],
    [PING, CLOSE],
    [],
]


def _cut(rng: random.Random) -> list[Arguments]:
    parts = [rng.randbytes(rng.randrange(2, 9)) for _ in range(3)]
    return [([frame for part in parts for frame in _fragments(part, rng.randrange(1, len(part)), between=(PING,))],)]


def _as_if_data(frames: list[Frame]) -> list[bytes]:
    whole: list[bytes] = together([replace(frame, opcode=frame.opcode % 8) for frame in frames])
    return whole


def _open(frames: list[Frame]) -> bool:
    """Whether the last message is not whole."""
    data = [frame for frame in frames if frame.opcode < 8]
    return bool(data) and not data[-1].fin


@exercise(
    "07",
    [(frames,) for frames in CUT],
    _cut,
    "RFC 6455, 5.4",
    (lambda frames: [frame.payload for frame in frames], "these are frames: FIN says where a message ends"),
    (_as_if_data, "a control frame between fragments is not part of the message"),
    (
        lambda frames: together([*frames, Frame(0)]) if _open(frames) else together(frames),
        "what FIN has not ended yet is no message, and is not given",
    ),
    (lambda frames: [b"".join(together(frames))], "a new message begins after FIN"),
    (
        lambda frames: [f.payload for f in frames if f.fin and f.opcode < 8],
        "the fragments before the last belong to it",
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


def _recorded(rng: random.Random, first: bool, code: int | None) -> str:
    """A fresh capture of one WebSocket that is closed by the client or not, with this status code or none."""
    payload = b"" if code is None else code.to_bytes(2, "big") + b"bye"
    endpoints = Endpoints(("192.0.2.2", 40_000 + rng.randrange(9_000)), ("192.0.2.1", 80))
    key = b64encode(rng.randbytes(16)).decode()
    said = [(True, request("192.0.2.1", key=key)), (False, response(key))]
    # what the other side says before it has seen the Close crosses it
    ping, late = (not first, 9, b"\x88\x02"), (not first, 2, b"late")
    for by_client, opcode, content in (ping, (first, 8, payload), late, (not first, 8, payload)):
        masking_key = rng.randbytes(4) if by_client else None
        said.append((by_client, Frame(opcode, content, masking_key=masking_key).serialize()))
    happened = [(True, EventKind.CONNECT, b""), (False, EventKind.ACCEPT, b"")]
    happened += [(by_client, EventKind.DATA, data) for by_client, data in said]
    events = [RelayEvent(i * 10**6, endpoints, by, what, data) for i, (by, what, data) in enumerate(happened)]
    data = write_capture(packets(events))
    path = _folder() / f"fresh-{zlib.crc32(data):08x}.pcap"
    path.write_bytes(data)
    return str(path)


CAPTURES = [DATA / name for name in ("chromium-websocket.pcap", "websockets-ipv6.pcapng", "handshake-refused.pcap")]


def _captures(rng: random.Random) -> list[Arguments]:
    codes = [None, 1008, 3000 + rng.randrange(1000)]
    return [(_recorded(rng, first, code),) for code in codes for first in (True, False)]


def _closes(path: str) -> list[CapturedMessage]:
    messages = [message for conversation in read(path).conversations for message in conversation.messages]
    return [one for one in messages if one.frame and one.frame.opcode == 8]


def _code(message: CapturedMessage, order: Literal["big", "little"] = "big") -> int:
    return int.from_bytes(message.payload[:2], order)


@exercise(
    "07",
    [(str(path),) for path in CAPTURES if path.exists()],
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


KEY = b"\x37\xfa\x21\x3d"
FRAMES = [
    # in order
    *(Frame(1, text.encode()) for text in ("číst", "日本", "", "x" * 126)),
    *(Frame(2, payload) for payload in (b"\xff\x00", b"", b"\xff" * 126)),
    Frame(1, b"\xc5", fin=False),  # a fragment may end inside a letter; only the message is UTF-8 (RFC 6455, 5.6)
    Frame(2, b"\xff", fin=False),
    *(Frame(opcode, payload) for opcode in (9, 10) for payload in (b"", b"\xff", b"?" * 125)),
    *(Frame(8, payload) for payload in (b"", b"\x03\xe8", b"\x03\xe8" + b"x" * 123, b"\x03\xe9" + "č".encode())),
    *(Frame(8, code.to_bytes(2, "big")) for code in (1002, 1003, 1007, 1008, 1011, 3000, 4999)),
    # each breaks one rule
    *(Frame(1, payload) for payload in (b"\xff", b"ab\xc5", b"\xe6\x97", b"\xed\xa0\x80")),
    *(Frame(8, b"\x03\xe8" + reason) for reason in (b"\xff", b"\xc5")),
    *(Frame(opcode) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)),
    *(Frame(opcode, b"?" * length) for opcode in (9, 10) for length in (126, 127, 65_536)),
    Frame(8, b"\x03\xe8" + b"x" * 124),
    *(Frame(opcode, fin=False) for opcode in (8, 9, 10)),
    *(Frame(opcode, rsv1=i == 0, rsv2=i == 1, rsv3=i == 2) for opcode in (2, 8, 9) for i in range(3)),
    Frame(8, b"\x03"),
    *(Frame(8, code.to_bytes(2, "big")) for code in (0, 999, 1005, 1006, 1015, 5000, 65_535)),
]
UNMASKED = [Frame(1, b"not masked"), Frame(2), Frame(9)]


def _frames(rng: random.Random) -> list[Arguments]:
    """One that is in order and one that is not, of each kind."""
    code, ping, cut = rng.choice([999, 5000]), 9 + rng.randrange(2), rng.randrange(1, 3)
    frames = [
        *(Frame(1, "日本".encode()[:end]) for end in (6, 3 + cut)),
        *(Frame(ping, rng.randbytes(length)) for length in (rng.randrange(126), rng.randrange(126, 200))),
        *(Frame(8, some.to_bytes(2, "big") + b"bye") for some in (3000 + rng.randrange(2000), code)),
    ]
    rng.shuffle(frames)
    return [(replace(frame, masking_key=rng.randbytes(4)),) for frame in frames]


def _unless(frame: Frame, wrong: bool) -> int:
    return 0 if wrong else refuse(frame)


@exercise(
    "07",
    [(frame,) for frame in [*(replace(frame, masking_key=KEY) for frame in FRAMES), *UNMASKED]],
    _frames,
    "RFC 6455, 5.1, 5.2, 5.5, 7.4.1 and 8.1",
    (lambda frame: refuse(frame) and 1002, "text that is not UTF-8 has a status code of its own"),
    (lambda frame: _unless(frame, frame.masking_key is None), "a client's frame that is not masked is refused too"),
    (
        lambda frame: _unless(frame, frame.rsv1 or frame.rsv2 or frame.rsv3),
        "a reserved bit that no extension has claimed is refused too",
    ),
    (
        lambda frame: _unless(frame, frame.opcode == 8 and len(frame.payload) > 2 and refuse(frame) == 1007),
        "the reason in a Close frame is text too",
    ),
    (
        lambda frame: 1007 if frame.payload == b"\xc5" else refuse(frame),
        "a fragment may end inside a letter: the text is whole only where FIN is set",
    ),
    (
        lambda frame: 1002 if frame.opcode == 8 and not frame.payload else refuse(frame),
        "a Close frame need not say why: its payload may be empty",
    ),
    (
        lambda frame: _unless(frame, frame.opcode == 8 and len(frame.payload) == 1),
        "the payload of Close is a status code of two bytes, or nothing: one byte is neither",
    ),
    (lambda frame: _unless(frame, frame.opcode >= 8 and not frame.fin), "a control frame has to be whole"),
    (lambda frame: _unless(frame, len(frame.payload) > 125), "a control frame has a payload of at most 125 bytes"),
    (lambda frame: _unless(frame, len(frame.payload) == 2), "not every status code may be sent"),
    (lambda frame: 1007 if frame.payload[:1] == b"\xff" else refuse(frame), "only a Text frame has to hold UTF-8"),
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
    text = frame.payload if frame.opcode == 1 and frame.fin else b""  # a fragment may end inside a character
    if frame.opcode == 8 and frame.payload:
        code, text = int.from_bytes(frame.payload[:2], "big"), frame.payload[2:]
        if len(frame.payload) == 1 or not may_be_sent(code):
            return 1002  # half a status code, or one that nobody sends
    try:
        text.decode()
    except UnicodeDecodeError:
        return 1007
    return 0
