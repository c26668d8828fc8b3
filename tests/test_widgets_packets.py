# SPDX-License-Identifier: GPL-2.0-or-later
"""The layers of a packet: every byte explained once, fields as tshark reads them, messages as they were read."""

from pathlib import Path

import pytest
from capture_maker import IN_DATA
from hypothesis import given, strategies as st
from oracles import CAPTURES, tshark_in_data
from programs import DATA

import wsedu
from wsedu.wire.packet_view import PacketView, PacketViews
from wsedu.wire.pcapfile import Packet

# tshark's name of a field, and ours: layer and name.
TCP = {
    "srcport": "source port", "dstport": "destination port", "seq_raw": "sequence number",
    "ack_raw": "acknowledgment number", "window_size_value": "window", "checksum": "checksum",
    "flags.syn": "SYN", "flags.ack": "ACK", "flags.push": "PSH", "flags.fin": "FIN",
}  # fmt: skip
FIELDS = {f"tcp.{theirs}": ("TCP", ours) for theirs, ours in TCP.items()} | {
    "ip.ttl": ("IPv4", "time to live"), "ip.len": ("IPv4", "total length"), "ip.id": ("IPv4", "identification"),
    "ip.flags.df": ("IPv4", "DF"), "ip.src": ("IPv4", "source address"),
    "ipv6.hlim": ("IPv6", "hop limit"), "ipv6.plen": ("IPv6", "IPv6 payload length"),
    "ipv6.dst": ("IPv6", "destination address"), "eth.src": ("Ethernet", "source address"),
}  # fmt: skip


def covered(view: PacketView) -> int:
    """How many bytes are explained, from the first on, each by one span, or by the bits of one byte."""
    at = 0
    for span in view.spans():
        if span.bits is None or span.bits[0] == 0:
            assert span.start == at, span
            at = span.end
    return at


@IN_DATA
def test_every_byte_is_explained_once_and_every_message_is_found(path: Path) -> None:
    capture = wsedu.read(path)
    explained: dict[int, int] = {}  # bytes of messages in each packet
    for index, packet in enumerate(capture.packets):
        view = capture.packet(index)
        assert covered(view) == len(view.raw) == len(packet.data)
        messages = [spans for layer, spans in view.layers() if layer.partition(" ")[0] not in OUTER]
        explained[index] = sum(spans[-1].end - spans[0].start for spans in messages)
    said = [message for one in capture.conversations if not one.tls for message in one.messages]
    assert sum(explained.values()) == sum(len(message.raw) for message in said if message.stream is None)


OUTER = {"Ethernet", "IPv4", "IPv6", "TCP", "padding", "link", "no", "TLS", "HTTP/2"}


@IN_DATA
def test_fields_are_what_tshark_reads(path: Path) -> None:
    options = [option for field in FIELDS for option in ("-e", field)]
    said = tshark_in_data(path, "-T", "fields", "-E", "occurrence=f", *options)
    capture = wsedu.read(path)
    assert len(said) == len(capture.packets)
    for index, line in enumerate(said):
        # The first of a name: bits of a byte come after it.
        spans = [(layer, span) for layer, spans in capture.packet(index).layers() for span in reversed(spans)]
        ours = {(layer, span.name): str(span.value) for layer, span in spans}
        for field, theirs in zip(FIELDS.values(), line.split("\t"), strict=True):
            assert not theirs or ours[field] == theirs, (index, field)


def test_a_message_in_many_packets_has_its_part_in_each() -> None:
    capture = wsedu.read(DATA / "websockets-large.pcap")
    message = max(capture.conversations[0].messages, key=lambda message: len(message.packets))
    parts = []
    for index in message.packets:
        view = capture.packet(index)
        spans = view.layers()[-1][1]
        parts.append(view.raw[spans[0].start : spans[-1].end])
    assert len(parts) > 10 and b"".join(parts) == message.raw


def test_there_is_no_packet_beyond_the_last() -> None:
    capture = wsedu.read(DATA / "http-408.pcap")
    for index in (-1, len(capture.packets)):
        with pytest.raises(IndexError, match="packets 0 to 16"):
            capture.packet(index)


def test_byte_map_and_repr_of_a_packet() -> None:
    view = wsedu.read(DATA / "websockets-session.pcap").packet(10)
    assert repr(view) == "<packet 10: 96 bytes, Ethernet, IPv4, TCP, Text frame>"
    text = str(wsedu.byte_map(view))
    assert text.startswith("packet 10, 96 bytes: ") and "sequence number" in text and "opcode" in text


SEEDS = [packet for path in CAPTURES for packet in wsedu.read(path).packets[:12]]


@given(
    seed=st.sampled_from(SEEDS),
    cut=st.integers(0, 200),
    changes=st.lists(st.tuples(st.integers(0, 79), st.integers(0, 255)), max_size=4),
    link_type=st.sampled_from([1, 1, 0, 12, 101, 113, 276, 9999]),
)
def test_whatever_a_packet_holds_its_bytes_are_covered(
    seed: Packet, cut: int, changes: list[tuple[int, int]], link_type: int
) -> None:
    data = bytearray(seed.data[: len(seed.data) - cut] if cut < len(seed.data) else b"")
    for at, value in changes:
        if at < len(data):
            data[at] = value
    view = PacketViews([Packet(0, link_type, bytes(data), len(seed.data))], [])[0]
    assert covered(view) == len(data)
    wsedu.byte_map(view)._repr_html_()
