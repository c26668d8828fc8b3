# SPDX-License-Identifier: GPL-2.0-or-later
"""``Frame`` beside the codecs of websockets (whose masking is in C) and wsproto."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from functools import partial

import websockets.frames
from bench_row import Row, times
from websockets.streams import StreamReader
from wsproto.frame_protocol import FrameProtocol
from wsproto.frame_protocol import Opcode as WsprotoOpcode

from wsedu.protocol.frames import Frame

KEY = bytes.fromhex("37fa213d")
SECONDS = 0.4  # for which each is measured, three times


def codec_rows() -> Iterator[Row]:
    """Rows of the table."""
    for size, mask in ((16, False), (16, True), (1_024, True), (65_536, True)):
        payload, key = bytes(i % 251 for i in range(size)), KEY if mask else None
        wire = Frame(2, payload, masking_key=key).serialize()
        what = f"{size:,} bytes, {'masked' if mask else 'not masked'}"
        yield from _beside(
            f"a frame to bytes, {what}",
            partial(_serialize, payload, key),
            websockets=partial(_websockets_serialize, payload, mask),
            wsproto=partial(_wsproto_serialize, payload, mask),
        )
        yield from _beside(
            f"bytes to a frame, {what}",
            partial(Frame.parse, wire),
            websockets=partial(_websockets_parse, wire, mask),
            wsproto=partial(_wsproto_parse, wire, mask),
        )


def _beside(what: str, ours: Callable[[], object], **peers: Callable[[], object]) -> Iterator[Row]:
    rate = _rate(ours)
    for name, peer in peers.items():
        other = _rate(peer)
        yield Row(what, f"{rate:,.0f} /s", f"{name} {other:,.0f} /s", times(rate / other))
        what = "  the same"


def _rate(call: Callable[[], object]) -> float:
    rates = []
    for _ in range(3):
        count, begin = 0, time.perf_counter()
        while (now := time.perf_counter()) - begin < SECONDS:
            for _ in range(10):
                call()
            count += 10
        rates.append(count / (now - begin))
    return max(rates)


def _serialize(payload: bytes, key: bytes | None) -> bytes:
    return Frame(2, payload, masking_key=key).serialize()


def _websockets_serialize(payload: bytes, mask: bool) -> bytes:
    return websockets.frames.Frame(websockets.frames.Opcode.BINARY, payload).serialize(mask=mask)


def _websockets_parse(wire: bytes, mask: bool) -> object:
    reader = StreamReader()
    reader.feed_data(wire)
    parser: Generator[None, None, object] = websockets.frames.Frame.parse(reader.read_exact, mask=mask)
    try:
        next(parser)
    except StopIteration as done:
        return done.value
    raise AssertionError("websockets wants more bytes than the frame has")


def _wsproto_serialize(payload: bytes, mask: bool) -> bytes | bytearray:
    protocol = FrameProtocol(client=mask, extensions=[])
    return protocol._serialize_frame(WsprotoOpcode.BINARY, bytearray(payload))


def _wsproto_parse(wire: bytes, mask: bool) -> object:
    protocol = FrameProtocol(client=not mask, extensions=[])
    protocol.receive_bytes(wire)
    return list(protocol.received_frames())
