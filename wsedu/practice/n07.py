# SPDX-License-Identifier: GPL-2.0-or-later
"""Notebook 07: messages, control frames, and who closed first."""

from __future__ import annotations

import random
from dataclasses import replace

from ..protocol.frames import Frame
from .exercise import Arguments, exercise


def _cut(chance: random.Random) -> list[Arguments]:
    def message(payload: bytes) -> list[Frame]:
        cut = chance.randrange(len(payload) + 1)
        return [Frame(2, payload[:cut], fin=False), Frame(9, b"?"), Frame(0, payload[cut:])]

    parts = [chance.randbytes(chance.randrange(1, 9)) for _ in range(3)]
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


def _goodbyes(chance: random.Random) -> list[Arguments]:
    first, second = chance.sample(["client", "server"], 2)
    code = chance.choice([1001, 1008, 3000 + chance.randrange(1000)])

    def close(value: int | None) -> Frame:
        return Frame(8, value.to_bytes(2, "big") + b"bye" if value else b"")

    return [
        ([("client", Frame(1, b"hi")), ("server", close(1000)), ("client", close(1000))],),
        ([("server", Frame(9)), ("client", close(1001)), ("server", Frame(10)), ("server", close(1000))],),
        ([(first, close(None)), (second, close(None))],),
        ([(first, Frame(9, b"xx")), (second, close(code)), (first, close(code))],),
    ]


def _closes(messages: list[tuple[str, Frame]]) -> list[tuple[str, int]]:
    return [(who, int.from_bytes(f.payload[:2], "big") or 1005) for who, f in messages if f.opcode == 8]


@exercise(
    "07",
    _goodbyes,
    "RFC 6455, 5.5.1 and 7.1.5",
    (
        lambda messages: _closes(messages)[-1],
        "that is the answer: the first Close began the closing handshake",
    ),
    (lambda messages: messages[-1][0], "both are asked for: who it was, and the status code"),
    (
        lambda messages: next(
            (w, int.from_bytes(f.payload[:2], "big")) for w, f in messages if f.opcode == 8
        ),
        "a Close frame without a payload has a status code of its own, that nobody sends",
    ),
    (
        lambda messages: next(
            (w, int.from_bytes(f.payload[:2], "little") or 1005) for w, f in messages if f.opcode == 8
        ),
        "network byte order: the greater part of the status code comes first",
    ),
)
def closed_first(messages: list[tuple[str, Frame]]) -> tuple[str, int]:
    """Who began the closing handshake, and with which status code."""
    return _closes(messages)[0]


def _ten(chance: random.Random) -> list[Arguments]:
    key = chance.randbytes(4)
    frames = [
        Frame(1, "číst".encode(), masking_key=key),
        Frame(2, b"\xff\xfe", masking_key=key),
        Frame(1, b"\xff\xfe", masking_key=key),
        Frame(1, b"not masked"),
        Frame(3, b"?", masking_key=key),
        Frame(9, b"", fin=False, masking_key=key),
        Frame(9, b"?" * chance.randrange(1, 9), masking_key=key),
        Frame(1, b"x", rsv1=True, masking_key=key),
        Frame(8, b"\x03", masking_key=key),
        Frame(8, b"\x03\xe8", masking_key=key),
    ]
    chance.shuffle(frames)
    return [(frame,) for frame in frames]


def _unless(frame: Frame, wrong: bool) -> int:
    return 0 if wrong else refuse(frame)


@exercise(
    "07",
    _ten,
    "RFC 6455, 5.1, 5.2, 5.5, 7.4.1 and 8.1",
    (lambda frame: refuse(frame) and 1002, "text that is not UTF-8 has a status code of its own"),
    (
        lambda frame: _unless(frame, frame.masking_key is None),
        "a client's frame that is not masked is refused too",
    ),
    (lambda frame: _unless(frame, frame.rsv1), "a reserved bit that no extension has claimed is refused too"),
    (
        lambda frame: _unless(frame, frame.opcode == 8),
        "the payload of Close is a status code of two bytes, or nothing: one byte is neither",
    ),
    (lambda frame: _unless(frame, not frame.fin), "a control frame has to be whole"),
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
    if frame.opcode == 8 and len(frame.payload) == 1:
        return 1002  # half a status code
    if frame.opcode == 1:
        try:
            frame.payload.decode()
        except UnicodeDecodeError:
            return 1007
    return 0
