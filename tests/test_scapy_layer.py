# SPDX-License-Identifier: GPL-2.0-or-later
"""The Scapy layer: fields in, exact bytes out; bytes in, every field out; whatever the bytes are."""

from __future__ import annotations

import struct
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from protocol_cases import any_frames
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.packet import Padding, Raw, fuzz

from wsedu.protocol.frames import Frame, LengthForm, shortest_form
from wsedu.protocol.opcodes import opcode_name
from wsedu.protocol.status import status_name
from wsedu.wire import WebSocket


def fields_of(frame: Frame) -> dict[str, Any]:
    """The fields that a user would give."""
    key = frame.masking_key
    fields: dict[str, Any] = {"mask": 1, "masking_key": key} if key is not None else {}
    bits = {name: int(getattr(frame, name)) for name in ("fin", "rsv1", "rsv2", "rsv3")}
    return {**fields, **bits, "opcode": int(frame.opcode), "data": frame.payload}


def assert_every_field(packet: Any, frame: Frame, form: LengthForm) -> None:
    """A packet dissected from the frame's bytes, its length in so many bits."""
    size = len(frame.payload)
    for name, value in fields_of(frame).items():
        assert packet.getfieldval(name) == value, name
    assert packet.mask == (frame.masking_key is not None)
    lengths = {7: (size, None, None), 16: (126, size, None), 64: (127, None, size)}
    assert (packet.length, packet.length16, packet.length64) == lengths[form]
    assert packet.complete


@given(any_frames())
def test_fields_give_the_bytes_of_our_frame(frame: Frame) -> None:
    assert bytes(WebSocket(**fields_of(frame))) == frame.serialize()


@given(any_frames(), st.sampled_from([7, 16, 64]))
def test_bytes_give_every_field_also_of_frames_that_are_not_legal(frame: Frame, form: LengthForm) -> None:
    """Reserved bits and opcodes, long or fragmented control frames, lengths that are not minimal."""
    form = max(form, shortest_form(len(frame.payload)))
    raw = frame.serialize(length_form=form)
    packet, longer = WebSocket(raw), WebSocket(raw + b"spare")
    assert_every_field(packet, frame, form)
    assert bytes(packet) == raw
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
    layers = {{
        each: [repr(getattr(each, name, None)) for name in ("payload_guess", "_overload_fields", "fields_desc")]
        for each in known
    }}
    names = set(dir(conf)) - {{"layers", "ifaces", "route", "route6"}}
    values = {{name: repr(getattr(conf, name)) for name in names}}
    return layers, values, repr(conf.contribs), len(conf.l2types.num2layer), len(conf.l3types.num2layer)

known = classes(Packet)
state()  # some of what conf has is made when first asked for
before = state()
from wsedu.wire import {names}
after = state()
assert before[0] == after[0], [each for each in known if before[0][each] != after[0][each]]
assert before[1:] == after[1:], [name for name in before[1] if before[1][name] != after[1][name]]
from wsedu.wire import WebSocket
assert classes(Packet) - known == {{WebSocket}}, classes(Packet) - known
assert TCP in WebSocket._overload_fields
assert {http} or "scapy.layers.http" not in sys.modules
"""


@pytest.mark.parametrize(("names", "http"), [("WebSocket", False), ("WebSocket, WebSocketSession", True)])
def test_importing_changes_nothing_else_of_scapy(names: str, http: bool) -> None:
    """Every other layer's fields and bindings, HTTP's too, and all of ``conf`` are what they were."""
    code = IMPORT.format(names=names, http=http)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == "", done.stderr
