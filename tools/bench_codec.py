# SPDX-License-Identifier: GPL-2.0-or-later
"""``Frame`` and ``MessageAssembler`` beside the codecs of websockets (whose masking is in C) and wsproto."""

from collections.abc import Iterator
from functools import partial

from bench_row import Row, micro, rate, row, seconds_of
from websockets import frames
from websockets.streams import StreamReader
from wsproto.frame_protocol import FrameProtocol, Opcode as WsprotoOpcode

from wsedu.protocol.frames import Frame
from wsedu.protocol.messages import MessageAssembler

KEY = bytes.fromhex("37fa213d")


def codec_rows() -> Iterator[Row]:
    """Rows of the table."""
    ours, peer = seconds_of(lambda: Frame(2, b"Hello"), lambda: frames.Frame(frames.Opcode.BINARY, b"Hello"))
    yield row("Frame(2, b'Hello')", ours, "websockets", peer, micro)
    for size, mask in ((16, False), (16, True), (1_024, True), (65_536, True)):
        payload, key = bytes(i % 251 for i in range(size)), KEY if mask else None
        wire = Frame(2, payload, masking_key=key).serialize()
        what = f"{size:,} bytes, {'masked' if mask else 'not masked'}"
        ours, *peers = seconds_of(
            lambda payload=payload, key=key: Frame(2, payload, masking_key=key).serialize(),  # type: ignore[misc]
            partial(_websockets_serialize, payload, mask),
            partial(_wsproto_serialize, payload, mask),
        )
        for name, peer in zip(("websockets", "wsproto"), peers, strict=True):
            yield row(f"Frame().serialize(), {what}", ours, name, peer, rate)
        parsed, assembled, *peers = seconds_of(
            partial(Frame.parse, wire),
            partial(_assemble, wire),
            partial(_websockets_parse, wire, mask),
            partial(_wsproto_parse, wire, mask),
        )
        yield row(f"Frame.parse(), {what}", parsed, "websockets", peers[0], rate)
        yield row(f"MessageAssembler, {what}", assembled, "wsproto", peers[1], rate)


def _assemble(wire: bytes) -> object:
    assembler = MessageAssembler()
    assembler.receive_data(wire)
    return assembler.next_event(), assembler.next_event()


def _websockets_serialize(payload: bytes, mask: bool) -> bytes:
    return frames.Frame(frames.Opcode.BINARY, payload).serialize(mask=mask)


def _websockets_parse(wire: bytes, mask: bool) -> object:
    reader = StreamReader()
    reader.feed_data(wire)
    return next(frames.Frame.parse(reader.read_exact, mask=mask), None)  # all bytes are there: it runs to its end


def _wsproto_serialize(payload: bytes, mask: bool) -> bytes | bytearray:
    protocol = FrameProtocol(client=mask, extensions=[])
    return protocol._serialize_frame(WsprotoOpcode.BINARY, bytearray(payload))


def _wsproto_parse(wire: bytes, mask: bool) -> object:
    protocol = FrameProtocol(client=not mask, extensions=[])
    protocol.receive_bytes(wire)
    return list(protocol.received_frames())
