# SPDX-License-Identifier: GPL-2.0-or-later
"""The Scapy session gives every message whole and once; and what Scapy itself makes of the same packets."""

import gzip
import io
import random
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import hostile
import pytest
from capture_maker import CLIENT, DATA, GET, HANDSHAKE, SERVER, SWITCHING, Talk, frame, pcap
from hypothesis import example, given, settings, strategies as st
from oracles import CAPTURES
from programs import python
from protocol_cases import any_frames
from scapy.error import log_runtime
from scapy.layers.http import HTTP, HTTPRequest, HTTPResponse
from scapy.layers.inet import IP, TCP, fragment
from scapy.layers.l2 import Ether
from scapy.packet import Padding, Raw, bind_layers, fuzz, split_layers
from scapy.sendrecv import sniff
from scapy.sessions import IPSession, TCPSession

import wsedu
from wsedu.protocol.frames import Frame, LengthForm, shortest_form
from wsedu.protocol.opcodes import opcode_name
from wsedu.protocol.status import status_name
from wsedu.wire import WebSocket, WebSocketSession

KINDS = {HTTPRequest: "request", HTTPResponse: "response", WebSocket: "frame"}
PORT = 8000  # none that Scapy knows
ONE, TWO, THREE = (frame(text) for text in (b"one", b"two", b"three"))


def talk(**options: Any) -> Talk:
    return Talk(server=("192.0.2.2", options.pop("port", PORT)), **options)


def packets_of(packets: list[bytes], using: Any = WebSocketSession, **options: Any) -> list[Any]:
    return list(sniff(offline=io.BytesIO(pcap(packets, **options)), session=using))


def said(given: Iterable[Any]) -> list[tuple[str, bytes]]:
    """The messages among what a session gave: which kind, and their bytes."""
    return [(kind, bytes(packet[layer])) for packet in given for layer, kind in KINDS.items() if layer in packet]


def read(file: bytes) -> list[tuple[str, bytes]]:
    """What ``messages`` gives of a capture, in the same form."""
    # Empty lines before a start line are no part of it (RFC 9112, 2.2); only here they are kept with it.
    found = ((one.kind, one.raw) for one in wsedu.messages(io.BytesIO(file)) if one.kind != "gap")
    return [(kind, raw if kind == "frame" else raw.lstrip(b"\r\n")) for kind, raw in found]


@pytest.fixture
def their_frames() -> Iterator[Any]:
    """What TCPSession makes of frames from a server, if it is told the port: all payloads, in order."""
    bind_layers(TCP, WebSocket, sport=PORT)

    def payloads(packets: list[bytes]) -> list[bytes]:
        given = (layer for packet in packets_of(packets, TCPSession) for layer in packet.iterpayloads())
        return [bytes(layer.data) for layer in given if isinstance(layer, WebSocket)]

    yield payloads
    split_layers(TCP, WebSocket, sport=PORT)


# TCPSession's defects


def test_more_than_a_thousand_frames_in_one_segment(their_frames: Any) -> None:
    one = talk()
    begin, many = one.shake(), one.say(SERVER, frame(b"") * 2000, 60_000)
    assert said(packets_of(begin + many))[2:] == [("frame", frame(b""))] * 2000
    assert len(their_frames(many)) != 2000


def test_a_lost_segment(their_frames: Any) -> None:
    one = talk()
    begin, before, (first, _lost, last) = one.shake(), one.say(SERVER, ONE), one.say(SERVER, frame(b"x" * 30), 12)
    after = one.say(SERVER, TWO) + one.say(CLIENT, THREE) + one.close()
    given = packets_of([*begin, *before, first, last, *after])
    assert [raw for kind, raw in said(given) if kind == "frame"] == [ONE, THREE]
    assert their_frames([first, last]) == [b"x" * 10 + bytes(12) + b"x" * 8]


# Those of Scapy's HTTP layer


def exchange(response: bytes, request: bytes = GET, *, size: int = 1400, port: int = PORT) -> list[Any]:
    one = talk(port=port)
    return packets_of(one.open() + one.say(CLIENT, request) + one.say(SERVER, response, size))


def test_chunk_data_that_looks_like_the_last_chunk() -> None:
    content = b"a\r\n0\r\n\r\n-rest\r\n6;note=first\r\nsecond\r\n0\r\nDigest: x\r\n\r\n"
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + content
    for size in (1, 7, 75, 1400):
        given = exchange(answer * 2, size=size, port=80)
        assert said(given)[1:] == [("response", answer)] * 2
        assert [packet[Raw].load for packet in given if HTTPResponse in packet] == [b"0\r\n\r\n-restsecond"] * 2
    cut = talk(port=80).say(SERVER, answer, 57)
    assert ("response", answer) not in said(packets_of(cut, TCPSession))


def test_gzip_content_is_shown_inflated_and_keeps_its_bytes() -> None:
    content = gzip.compress(b"the same line again\n" * 50)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(content)
    (given,) = [packet for packet in exchange(head + content) if HTTPResponse in packet]
    assert given[Raw].load == b"the same line again\n" * 50
    assert bytes(given[HTTPResponse]) == head + content
    assert bytes(given.copy()[HTTPResponse]) == head + content


@pytest.mark.parametrize("line", [b"HTTP/1.1 101", b"HTTP/1.1 101 "])
def test_a_101_without_a_reason_phrase(line: bytes) -> None:
    answer = line + b"\r\n" + SWITCHING.partition(b"\r\n")[2]
    given = exchange(answer + ONE, HANDSHAKE)
    assert said(given) == [("request", HANDSHAKE), ("response", answer), ("frame", ONE)]
    (response,) = [packet[HTTPResponse] for packet in given if HTTPResponse in packet]
    assert (response.Status_Code, response.Reason_Phrase, response.Http_Version) == (b"101", b"", b"HTTP/1.1")


def test_content_behind_a_connection_that_says_upgrade_is_no_http_2() -> None:
    settings = bytes.fromhex("000000040000000000")
    refused = b"HTTP/1.1 426 No\r\nConnection: Upgrade\r\nContent-Length: 9\r\n\r\n" + settings
    (response,) = [packet for packet in exchange(refused, HANDSHAKE) if HTTPResponse in packet]
    assert response.lastlayer().name == "Raw" and response.load == settings
    assert HTTPResponse(refused).lastlayer().name != "Raw"


def test_building_a_response_adds_nothing() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
    (given,) = [packet for packet in exchange(answer) if HTTPResponse in packet]
    assert bytes(given).endswith(answer) and given.__class__(bytes(given))[IP].len == 40 + len(answer)
    assert b"Date" in bytes(HTTP() / HTTPResponse())


# What is ours


def test_other_protocols_come_as_they_are() -> None:
    one = talk(port=443)
    hello = bytes.fromhex("160301000501000001") + bytes(40)
    packets = one.open() + one.say(CLIENT, hello, 20) + one.say(SERVER, hello) + one.close()
    assert [bytes(packet) for packet in packets_of(packets)] == packets
    udp = one.packet(CLIENT, b"x")
    udp = udp[:23] + b"\x11" + udp[24:]
    assert [bytes(packet) for packet in packets_of([udp, b"short"])] == [udp, b"short"]


def test_what_completes_no_message_does_not_look_like_one() -> None:
    """On port 80 Scapy sees HTTP in any packet; behind a hole ours says nothing of the kind."""
    one = talk(port=80)
    begin, lost, rest = (one.open() + one.say(CLIENT, GET), one.say(SERVER, b"xxxx"), one.say(SERVER, SWITCHING))
    assert lost and said(packets_of(begin + rest)) == [("request", GET)]
    cut = packets_of(begin + rest, snap=100)
    assert [packet for packet in cut if HTTPResponse in packet] == []


def test_the_log_says_what_is_not_read_any_further(monkeypatch: pytest.MonkeyPatch) -> None:
    one = talk()
    lines: list[str] = []
    monkeypatch.setattr(log_runtime, "warning", lambda text, *values: lines.append(text % values))
    packets_of(one.shake() + one.say(SERVER, b"\x82\x7f\xff" + bytes(20)) + one.say(SERVER, ONE))
    (line,) = lines
    assert line.startswith("WebSocketSession: 192.0.2.2 port 8000 is not read any further: payload length at byte 2")


def test_fragments_of_ip_can_be_put_together_first() -> None:
    one = talk()
    packets = one.shake() + one.say(SERVER, frame(bytes(1000)))
    parts = [bytes(part) for packet in packets for part in fragment(Ether(packet), 400)]  # type: ignore[no-untyped-call]
    assert len(parts) > len(packets)
    found = said(packets_of(parts, WebSocketSession(IPSession)))
    assert found[2:] == [("frame", frame(bytes(1000)))]


# Agreement


def test_agrees_with_read_on_all_of_data_and_on_the_hostile_capture(tmp_path: Path) -> None:
    """But for what the session does not read: TLS, for which Scapy has a session of its own, and HTTP/2."""
    hostile.write_capture(tmp_path / "hostile.pcap")
    for path in (*CAPTURES, tmp_path / "hostile.pcap"):
        if any(each.tls or each.messages[0].stream for each in wsedu.read(path).conversations):
            continue
        assert said(sniff(offline=str(path), session=WebSocketSession)) == read(path.read_bytes()), path.name


@pytest.mark.parametrize("seed", range(5))
def test_no_bytes_raise(seed: int) -> None:
    """Captures with bytes changed at random, TCP and IP headers too."""
    rng = random.Random(seed)
    for path in CAPTURES:
        file = bytearray(path.read_bytes()[:20_000])
        for _ in range(60):
            file[rng.randrange(24 if path.suffix == ".pcap" else 400, len(file))] = rng.randrange(256)
        try:
            list(wsedu.messages(io.BytesIO(bytes(file))))
        except Exception:
            continue  # a length of the file format was hit
        sniff(offline=io.BytesIO(bytes(file)), session=WebSocketSession)


def test_a_long_message_costs_no_more_than_its_length() -> None:
    """Each byte of it is looked at once, and not again with each segment: 3 MB in 2,000 segments, and by the byte."""
    one = talk()
    coded = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + (b"3e8\r\n" + bytes(1000) + b"\r\n") * 3_000
    head = b"GET /" + b"a" * 1000 + b" HTTP/1.1\r\nX: " + b"b" * 1000 + b"\r\n\r\n"
    packets = one.open() + one.say(CLIENT, head, 1) + one.say(SERVER, coded + b"0\r\n\r\n")
    assert [(kind, len(raw)) for kind, raw in said(packets_of(packets))] == [
        ("request", len(head)), ("response", len(coded) + 5)]  # fmt: skip


def test_compressed_messages_have_their_content() -> None:
    path = DATA / "websockets-deflate.pcap"
    given = sniff(offline=str(path), session=WebSocketSession)
    packets = [packet[WebSocket] for packet in given if WebSocket in packet]
    frames = (one for one in wsedu.messages(path) if one.frame is not None)
    expected = [one.content if one.compressed and one.frame.fin else None for one in frames]  # type: ignore[union-attr]
    assert [packet.content for packet in packets] == expected
    assert packets[0].copy().content == packets[0].content == b"Hello" and packets[0].data != b"Hello"


# The layer: fields in, exact bytes out; bytes in, every field out; whatever the bytes are.


def fields_of(frame: Frame) -> dict[str, Any]:
    """The fields that a user would give."""
    key = frame.masking_key
    fields: dict[str, Any] = {"mask": 1, "masking_key": key} if key is not None else {}
    bits = {name: int(getattr(frame, name)) for name in ("fin", "rsv1", "rsv2", "rsv3")}
    return {**fields, **bits, "opcode": int(frame.opcode), "data": frame.payload}


@given(any_frames())
@example(Frame(2, bytes(65535)))
@example(Frame(2, bytes(65536)))
def test_fields_give_the_bytes_of_our_frame(frame: Frame) -> None:
    assert bytes(WebSocket(**fields_of(frame))) == frame.serialize()


@given(any_frames(), st.sampled_from([7, 16, 64]))
def test_bytes_give_every_field_also_of_frames_that_are_not_legal(frame: Frame, form: LengthForm) -> None:
    """Reserved bits and opcodes, long or fragmented control frames, lengths that are not minimal."""
    size = len(frame.payload)
    form = max(form, shortest_form(size))
    raw = frame.serialize(length_form=form)
    packet, longer = WebSocket(raw), WebSocket(raw + b"spare")
    for name, value in fields_of(frame).items():
        assert packet.getfieldval(name) == value, name
    assert packet.mask == (frame.masking_key is not None)
    lengths = {7: (size, None, None), 16: (126, size, None), 64: (127, None, size)}
    assert (packet.length, packet.length16, packet.length64) == lengths[form]
    assert packet.complete and bytes(packet) == raw
    assert longer.data == frame.payload and longer[Padding].load == b"spare"
    packet.clear_cache()  # as after a change of any field
    assert bytes(packet) == raw


@given(st.binary(max_size=40), st.integers(0, 125), st.integers(0, 65535), st.integers(0, 2**64 - 1))
def test_a_length_that_is_given_stays_right_or_wrong(data: bytes, seven: int, short: int, long: int) -> None:
    assert bytes(WebSocket(length=seven, data=data)) == bytes([0x81, seven]) + data
    header = struct.pack("!BBH", 0x81, 126, short)
    assert bytes(WebSocket(length=126, length16=short, data=data)) == header + data
    header = struct.pack("!BBQ", 0x81, 127, long)
    assert bytes(WebSocket(length=127, length64=long, data=data)) == header + data
    assert bytes(WebSocket(length=126, data=data)) == struct.pack("!BBH", 0x81, 126, len(data)) + data
    assert bytes(WebSocket(length=127, data=data)) == struct.pack("!BBQ", 0x81, 127, len(data)) + data


@given(any_frames(), st.data())
def test_a_frame_that_was_cut_short_keeps_its_bytes_and_says_so(frame: Frame, data: st.DataObject) -> None:
    raw = frame.serialize()
    cut = raw[: data.draw(st.integers(1, min(len(raw) - 1, 60)))]
    packet = WebSocket(cut)
    assert bytes(packet) == cut and not packet.complete
    assert "cut short" in packet.summary()
    packet.show(dump=True)


@given(st.binary(min_size=1, max_size=30))
def test_any_bytes_are_taken(raw: bytes) -> None:
    packet = WebSocket(raw)
    assert bytes(packet) == raw
    packet.show(dump=True), packet.summary(), packet.complete


def test_a_64_bit_length_with_its_top_bit_set_is_shown_and_never_complete() -> None:
    packet = WebSocket(b"\x82\x7f\x80\0\0\0\0\0\0\x01x")
    assert packet.length64 == 2**63 + 1 and packet.data == b"x" and not packet.complete


@settings(max_examples=20)
@given(any_frames())
def test_inside_other_layers(frame: Frame) -> None:
    raw = frame.serialize()
    if len(raw) < 65000:
        built = bytes(Ether() / IP(dst="192.0.2.1") / TCP(dport=8765) / WebSocket(**fields_of(frame)))
        assert built[54:] == raw == Ether(built)[TCP].payload.load  # Scapy guesses no more than before


def test_names_and_close_payloads() -> None:
    for code in range(16):
        assert WebSocket(opcode=opcode_name(code)).opcode == code
        assert WebSocket(opcode=code).sprintf("%opcode%") == opcode_name(code)
    packet = WebSocket(b"\x88\x05\x03\xe9bye")
    assert (packet.status_code, packet.reason) == (1001, "bye")
    assert f"1001 {status_name(1001)}, b'bye'" in str(packet.show(dump=True))
    for empty in WebSocket(b"\x88\x00"), WebSocket(b"\x88\x01\x03"), WebSocket(b"\x81\x02\x03\xe9"):
        assert (empty.status_code, empty.reason) == (None, None)
    assert WebSocket(b"\x88\x03\x03\xe9\xff").reason == "\ufffd"


def test_fuzz_builds_something_that_can_be_read() -> None:
    for _ in range(100):
        assert bytes(WebSocket(bytes(fuzz(WebSocket()))))


def test_what_is_under_a_frame_is_not_its_payload() -> None:
    assert bytes(WebSocket(data=b"a") / Raw(b"rest")) == b"\x81\x01arest"


IMPORT = """
import sys
from scapy.config import conf
from scapy.packet import Packet
import scapy.layers.l2, scapy.layers.inet, scapy.layers.inet6
if {http}:
    import scapy.layers.http, scapy.contrib.http2
from scapy.layers.inet import TCP

def classes(cls):
    return {{cls}}.union(*map(classes, cls.__subclasses__()))

def state():
    found = {{name: repr(getattr(conf, name)) for name in set(dir(conf)) - {{"layers", "ifaces", "route", "route6"}}}}
    found |= {{(each, name): repr(getattr(each, name, None)) for each in known for name in names}}
    return found | {{"links": (len(conf.l2types.num2layer), len(conf.l3types.num2layer))}}

known, names = classes(Packet), ("payload_guess", "_overload_fields", "fields_desc")
state()  # some of what conf has is made when first asked for
before = state()
from wsedu.wire import {names}
after = state()
assert before == after, [name for name in before if before[name] != after[name]]
from wsedu.wire import WebSocket
assert classes(Packet) - known == {{WebSocket}}, classes(Packet) - known
assert TCP in WebSocket._overload_fields
assert {http} or "scapy.layers.http" not in sys.modules
"""


@pytest.mark.parametrize(("names", "http"), [("WebSocket", False), ("WebSocket, WebSocketSession", True)])
def test_importing_changes_nothing_else_of_scapy(names: str, http: bool) -> None:
    """Every other layer's fields and bindings, HTTP's too, and all of ``conf`` are what they were."""
    code = IMPORT.format(names=names, http=http)
    done = python("-c", code)
    assert done.returncode == 0 and done.stderr == "", done.stderr
