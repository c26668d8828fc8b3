# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of the protocol share: the RFC's samples, strategies, and what is always promised."""

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import strategies as st

from wsedu import Frame, Opcode
from wsedu.protocol.errors import NeedMoreData, ProtocolError, Role
from wsedu.protocol.spans import Span

KEY = bytes.fromhex("37fa213d")

# Bytes and what they mean, to be held in both directions.
FRAMES: list[tuple[str, Frame]] = [
    # RFC 6455, 5.7
    ("81 05 48 65 6c 6c 6f", Frame(Opcode.TEXT, b"Hello")),
    ("81 85 37 fa 21 3d 7f 9f 4d 51 58", Frame(Opcode.TEXT, b"Hello", masking_key=KEY)),
    ("01 03 48 65 6c", Frame(Opcode.TEXT, b"Hel", fin=False)),
    ("80 02 6c 6f", Frame(Opcode.CONTINUATION, b"lo")),
    ("89 05 48 65 6c 6c 6f", Frame(Opcode.PING, b"Hello")),
    ("8a 85 37 fa 21 3d 7f 9f 4d 51 58", Frame(Opcode.PONG, b"Hello", masking_key=KEY)),
    ("82 7e 01 00" + 256 * "ab", Frame(Opcode.BINARY, 256 * b"\xab")),
    ("82 7f 00 00 00 00 00 01 00 00" + 65536 * "cd", Frame(Opcode.BINARY, 65536 * b"\xcd")),
    # RFC 7692, 7.2.3; RSV1 claimed
    ("c1 07 f2 48 cd c9 c9 07 00", Frame(Opcode.TEXT, bytes.fromhex("f248cdc9c90700"), rsv1=True)),
    ("41 03 f2 48 cd", Frame(Opcode.TEXT, bytes.fromhex("f248cd"), fin=False, rsv1=True)),
    ("80 04 c9 c9 07 00", Frame(Opcode.CONTINUATION, bytes.fromhex("c9c90700"))),
    # where the length form changes, and the smallest frames of each kind
    ("81 00", Frame(Opcode.TEXT)),
    ("82 80 01 02 03 04", Frame(Opcode.BINARY, masking_key=b"\1\2\3\4")),
    ("82 7d" + 125 * "00", Frame(Opcode.BINARY, bytes(125))),
    ("82 7e 00 7e" + 126 * "00", Frame(Opcode.BINARY, bytes(126))),
    ("82 7e ff ff" + 65535 * "00", Frame(Opcode.BINARY, bytes(65535))),
    ("88 00", Frame(Opcode.CLOSE)),
    ("88 05 03 e9 62 79 65", Frame(Opcode.CLOSE, b"\x03\xe9bye")),
]

# Frames that are refused, by themselves and in a stream: name, bytes in hexadecimal, arguments, then offset, field,
# section, and after how many bytes it shows.
REFUSED_FRAMES: list[tuple[str, str, dict[str, Any], int, str, str, int]] = [
    ("RSV1", "c1 00", {}, 0, "RSV1", "RFC 6455, 5.2", 1),
    ("RSV2", "a1 00", {}, 0, "RSV2", "RFC 6455, 5.2", 1),
    ("RSV3", "91 00", {}, 0, "RSV3", "RFC 6455, 5.2", 1),
    ("RSV2 beside a claimed RSV1", "e1 00", {"rsv1": True}, 0, "RSV2", "RFC 6455, 5.2", 1),
    ("RSV3 beside a claimed RSV1", "d1 00", {"rsv1": True}, 0, "RSV3", "RFC 6455, 5.2", 1),
    ("claimed RSV1 on a Ping", "c9 00", {"rsv1": True}, 0, "RSV1", "RFC 7692, 6.1", 1),
    ("claimed RSV1 on a Continuation", "c0 00", {"rsv1": True}, 0, "RSV1", "RFC 7692, 6.1", 1),
    *[(f"opcode {code}", f"8{code} 00", {}, 0, "opcode", "RFC 6455, 5.2", 1) for code in "34567bcdef"],
    *[(f"fragment of {code}", f"0{code} 00", {}, 0, "FIN", "RFC 6455, 5.5", 1) for code in "89a"],
    *[(f"126 {code}", f"8{code} 7e007e" + 126 * "00", {}, 1, "payload length", "RFC 6455, 5.5", 2) for code in "89a"],
    ("client without mask", "81 00", {"role": "client"}, 1, "MASK", "RFC 6455, 5.1", 2),
    ("server with mask", "81 80 00 00 00 00", {"role": "server"}, 1, "MASK", "RFC 6455, 5.1", 2),
    ("125 in 16 bits", "82 7e 00 7d" + 125 * "00", {}, 2, "payload length", "RFC 6455, 5.2", 4),
    ("65535 in 64 bits", "82 7f 000000000000ffff", {}, 2, "payload length", "RFC 6455, 5.2", 8),
    ("top bit of 64", "82 7f 8000000000000000", {}, 2, "payload length", "RFC 6455, 5.2", 3),
    ("Close payload of 1", "88 01 03", {}, 2, "status code", "RFC 6455, 5.5.1", 2),
    ("masked Close payload of 1", "88 81 01020304 02", {}, 6, "status code", "RFC 6455, 5.5.1", 2),
    ("status code 1005", "88 02 03 ed", {}, 2, "status code", "RFC 6455, 7.4.1", 4),
    ("masked status code 1006", "88 82 ffffffff fc11", {}, 6, "status code", "RFC 6455, 7.4.1", 8),
    # The byte that breaks it counts, not the one that the broken character began with.
    ("reason, a byte too early", "88 05 03e8 61e228", {}, 6, "reason", "RFC 6455, 8.1", 7),
    ("reason that stops inside a character", "88 04 03e8 61e2", {}, 5, "reason", "RFC 6455, 8.1", 6),
    ("reason with a surrogate", "88 07 03e8 61eda08062", {}, 6, "reason", "RFC 6455, 8.1", 7),
    ("masked reason", "88 84 37fa213d 3412 de21", {}, 8, "reason", "RFC 6455, 8.1", 9),
]

SAMPLE_KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # RFC 6455, 1.3
SAMPLE_REQUEST = (  # RFC 6455, 1.3
    b"GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://example.com\r\n"
    b"Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
SAMPLE_RESPONSE = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n"
)

# Strategies

ROLES: list[Role | None] = [None, "client", "server"]
payloads = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([124, 125, 126, 127, 511, 512, 513, 65535, 65536]).map(lambda size: b"\xa5" * size),
)
masking_keys = st.one_of(st.none(), st.binary(min_size=4, max_size=4))


@st.composite
def any_frames(draw: st.DrawFn) -> Frame:
    """A frame that bits can carry, legal or not."""
    fin, rsv1, rsv2, rsv3 = (draw(st.booleans()) for _ in range(4))
    return Frame(draw(st.integers(0, 15)), draw(payloads), fin, rsv1, rsv2, rsv3, draw(masking_keys))


@st.composite
def legal_frames(draw: st.DrawFn) -> Frame:
    """A frame that breaks no rule by itself."""
    opcode = draw(st.sampled_from(list(Opcode)))
    key = draw(masking_keys)
    if opcode == Opcode.CLOSE:
        reason = draw(st.text(max_size=30)).encode()[:120].decode("utf-8", "ignore").encode()
        code = draw(st.sampled_from([1000, 1001, 1003, 1011, 3000, 4999]))
        payload = draw(st.sampled_from([b"", code.to_bytes(2, "big") + reason]))
        return Frame(opcode, payload, masking_key=key)
    if opcode in (Opcode.PING, Opcode.PONG):
        return Frame(opcode, draw(st.binary(max_size=125)), masking_key=key)
    return Frame(opcode, draw(payloads), draw(st.booleans()), masking_key=key)


@st.composite
def legal_streams(draw: st.DrawFn, *, masked: bool = True) -> list[Frame]:
    """Frames that are whole messages, each in fragments, with Pings and Pongs between them."""
    keys: st.SearchStrategy[bytes | None] = st.binary(min_size=4, max_size=4) if masked else st.none()
    frames: list[Frame] = []
    for _ in range(draw(st.integers(0, 4))):
        opcode = draw(st.sampled_from([Opcode.TEXT, Opcode.BINARY]))
        data = draw(st.text(max_size=20)).encode() if opcode == Opcode.TEXT else draw(st.binary(max_size=150))
        cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=3)))
        for number, (start, end) in enumerate(pairwise([0, *cuts, len(data)])):
            kind = Opcode.CONTINUATION if number else opcode
            frames.append(Frame(kind, data[start:end], number == len(cuts), masking_key=draw(keys)))
            if draw(st.booleans()):
                control = draw(st.sampled_from([Opcode.PING, Opcode.PONG]))
                frames.append(Frame(control, draw(st.binary(max_size=9)), masking_key=draw(keys)))
    return frames


# What is always promised

HOLDERS: list[Any] = [bytes, bytearray, memoryview]  # of the bytes that are parsed
Parse = Callable[[bytes], Any]


def prefixes(data: bytes, most: int = 400) -> Iterator[bytes]:
    """Every proper prefix of ``data``; of long data, those near its start and its end."""
    for size in range(len(data)):
        if size < most or size > len(data) - 20:
            yield data[:size]


def assert_needs_more(parse: Parse, some: Iterable[bytes]) -> None:
    for data in some:
        with pytest.raises(NeedMoreData):
            parse(data)


def refusal(parse: Parse, data: bytes, shows_after: int) -> ProtocolError:
    """The error that the whole data gives; the same at the earliest prefix that shows it, and from there on."""
    assert_needs_more(parse, (data[:size] for size in range(shows_after)))
    errors = []
    for size in range(shows_after, len(data) + 1):
        with pytest.raises(ProtocolError) as info:
            parse(data[:size])
        errors.append(info.value)
    assert len(set(map(described, errors))) == 1
    return errors[-1]


def described(error: ProtocolError) -> tuple[str, int, str, str, int | None]:
    return error.message, *where(error)


def where(error: ProtocolError) -> tuple[int, str, str, int | None]:
    assert str(error).isascii() and str(error).isprintable()  # whatever the peer wrote
    return error.offset, error.field, error.section, error.status_code


def told(spans: list[Span]) -> list[tuple[int, int, str, object]]:
    return [(span.start, span.end, span.name, span.value) for span in spans]


def assert_every_byte_once(spans: list[Span], data: bytes) -> None:
    """Spans are in order and cover every bit of ``data``, and none twice."""
    at = 0  # in bits
    for span in spans:
        first, stop = span.bits or (0, 8 * (span.end - span.start))
        assert span.start < span.end, span
        assert first < stop <= 8 * (span.end - span.start), span
        assert 8 * span.start + first == at, span
        at = 8 * span.start + stop
        assert span.name and span.meaning and span.section.startswith(("RFC ", "HTML")), span
    assert at == 8 * len(data)
