# SPDX-License-Identifier: GPL-2.0-or-later
"""Any dialogue, in any segments, with any accident on the way: what is read is what was said, as far as it is there.

What must come out is worked out byte by byte from the packets, without putting a stream together: the first place that
no packet covers, and for each message the packet with which all before its end is covered.
"""

import io
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate, groupby
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from agreement import facts, reads
from capture_maker import CLIENT, FIN, HANDSHAKE, LINKS, SERVER, SWITCHING, Blocks, Talk, frame, pcap, pcapng
from hypothesis import HealthCheck, given, settings, strategies as st
from hypothesis.strategies import DrawFn

import wsedu
from wsedu.wire.message import CapturedMessage

NAMES = {CLIENT: "client", SERVER: "server"}
Telling = tuple[object, ...]


class Saying(NamedTuple):
    """A message that somebody says: its bytes, and what is to be read of it."""

    sender: bool
    data: bytes
    telling: Telling


@dataclass
class Sent:
    """A packet, and which bytes of its sender's stream it holds."""

    sender: bool
    start: int
    end: int
    packet: bytes


def told(message: CapturedMessage) -> Telling:
    head = message.head
    if isinstance(head, wsedu.Request):
        return "request", head.method, head.target, message.content
    if isinstance(head, wsedu.Response):
        return "response", head.status, message.content
    if message.frame is None:
        return "gap", message.missing
    one = message.frame
    return "frame", int(one.opcode), one.fin, one.rsv1, one.rsv2, one.rsv3, one.masking_key, message.payload


contents = st.binary(max_size=40)
contents |= st.sampled_from([b"", b"\r\n", b"\r\n0\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])


@st.composite
def with_content(draw: DrawFn, start: bytes) -> tuple[bytes, bytes]:
    """The bytes of a message with this start line, and its content."""
    content = draw(contents)
    if draw(st.booleans()):
        return start + b"content-length: %d\r\n\r\n" % len(content) + content, content
    sizes = draw(st.lists(st.integers(1, 20), max_size=4))
    chunks, at = b"", 0
    for size in (*sizes, len(content)):
        if piece := content[at : at + size]:
            extension = draw(st.sampled_from([b"", b";a", b' ; b="0;x"']))
            chunks += b"%X%b\r\n%b\r\n" % (len(piece), extension, piece)
        at += size
    trailers = draw(st.sampled_from([b"", b"Digest: x\r\n", b"A: 0\r\nB: 1\r\n"]))
    return start + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n" + trailers + b"\r\n", content


@st.composite
def exchanges(draw: DrawFn) -> list[Saying]:
    """A request and its response, which may be refused handshakes; with interim responses between."""
    if draw(st.integers(0, 4)) == 0:
        request, asked = HANDSHAKE, ("request", "GET", "/chat", b"")
    else:
        method = draw(st.sampled_from([b"GET", b"POST", b"OPTIONS"]))
        request, content = draw(with_content(method + b" /\xe9 HTTP/1.1\r\n"))
        asked = "request", method.decode(), "/\xe9", content
    said = [Saying(CLIENT, request, asked)]
    for status in draw(st.lists(st.sampled_from([100, 103]), max_size=2)):
        said.append(Saying(SERVER, b"HTTP/1.1 %d\r\n\r\n" % status, ("response", status, b"")))
    status = draw(st.sampled_from([200, 204, 304, 404, 426]))
    if status in (204, 304):
        data, content = b"HTTP/1.1 %d x\r\nContent-Length: 3\r\n\r\n" % status, b""
    else:
        data, content = draw(with_content(b"HTTP/1.1 %d\r\n" % status))
    return [*said, Saying(SERVER, data, ("response", status, content))]


@st.composite
def frames(draw: DrawFn) -> Saying:
    sender, first = draw(st.booleans()), draw(st.integers(0, 255))
    key = draw(st.binary(min_size=4, max_size=4)) if draw(st.integers(0, 9)) and sender else None
    payload = draw(st.binary(max_size=140) | st.integers(120, 300).map(bytes))
    if sender and key is None:
        first |= 128  # or else, with its 101 lost, it might be the beginning of a method
    bits = (first & 15, *(bool(first & bit) for bit in (128, 64, 32, 16)))
    return Saying(sender, frame(payload, first=first, key=key), ("frame", *bits, key, payload))


@st.composite
def dialogues(draw: DrawFn) -> list[Saying]:
    said = [saying for exchange in draw(st.lists(exchanges(), max_size=3)) for saying in exchange]
    if not said or draw(st.booleans()):
        said.append(Saying(CLIENT, HANDSHAKE, ("request", "GET", "/chat", b"")))
        said.append(Saying(SERVER, SWITCHING, ("response", 101, b"")))
        said += draw(st.lists(frames(), max_size=8))
    return said


@st.composite
def segments(draw: DrawFn, talk: Talk, said: list[Saying]) -> list[Sent]:
    """Cut anywhere: what one says without being interrupted is one run of bytes."""
    sent = []
    for sender, run in groupby(said, key=attrgetter("sender")):
        data = b"".join(saying.data for saying in run)
        sizes = draw(st.lists(st.sampled_from([1, 2, 3, 7, 20, 100, 1400]), min_size=1, max_size=12))
        at = 0
        for size in [*sizes, len(data)]:
            if piece := data[at : at + size]:
                start = talk.sent[sender]
                sent.append(Sent(sender, start, start + len(piece), talk.packet(sender, piece)))
            at += size
        if draw(st.booleans()):
            place = talk.sent[not sender]
            sent.append(Sent(not sender, place, place, talk.packet(not sender)))  # an acknowledgement
    return sent


def whole_streams(said: list[Saying]) -> dict[bool, bytes]:
    return {who: b"".join(one.data for one in said if one.sender == who) for who in (CLIENT, SERVER)}


@st.composite
def with_accidents(draw: DrawFn, talk: Talk, sent: list[Sent], streams: dict[bool, bytes]) -> list[Sent]:
    """Twice, late, overlapping, lost. Late only as long as the other side is silent: it answers what it has."""
    sent = list(sent)
    for _ in range(draw(st.integers(0, 4))):
        if not sent:
            break
        at = draw(st.integers(0, len(sent) - 1))
        one = sent[at]
        match draw(st.sampled_from(["twice", "late", "overlap", "lost"])):
            case "twice":
                sent.insert(draw(st.integers(at + 1, len(sent))), one)
            case "late" if at + 1 < len(sent) and sent[at + 1].sender == one.sender:
                sent[at], sent[at + 1] = sent[at + 1], one
            case "overlap" if one.end > one.start:
                start, end = max(0, one.start - draw(st.integers(0, 9))), one.end
                data = streams[one.sender][start:end]
                sent[at] = Sent(one.sender, start, end, talk.packet(one.sender, data, at=start))
            case "lost":
                sent = [each for each in sent if each is not one]
    return sent


def first_hole(sent: list[Sent], sender: bool, fin: int | None) -> tuple[int, int]:
    """The first place of a stream that no packet covers, and how many bytes packets show to be missing there."""
    mine = [one for one in sent if one.sender == sender]
    covered = {place for one in mine for place in range(one.start, one.end)}
    hole = next(place for place in range(len(covered) + 1) if place not in covered)
    behind = [place for place in covered if place > hole] or ([] if fin is None else [fin])
    if not behind:  # an acknowledgement has a sequence number too; one byte may be a lost FIN
        missing = max((one.start for one in mine), default=0) - hole
        return hole, missing if missing > 1 else 0
    return hole, max(0, min(behind) - hole)


def expected(said: list[Saying], sent: list[Sent], sender: bool, fin: int | None) -> tuple[list[Telling], list[int]]:
    """What one sender is to have said, and with which packet the last byte of each message was there."""
    mine = [saying for saying in said if saying.sender == sender]
    ends = list(accumulate(len(saying.data) for saying in mine))
    hole, missing = first_hole(sent, sender, fin)
    covered: set[int] = set()
    reached, times = 0, list[int]()
    found: list[Telling] = []
    for number, one in enumerate(sent):
        if one.sender == sender:
            covered.update(range(one.start, one.end))
        while reached in covered:
            reached += 1
        while len(found) < len(mine) and ends[len(found)] <= reached:
            times.append(number + 3)  # behind the opening
            found.append(mine[len(found)].telling)
    assert reached == hole
    return found + ([("gap", missing)] if missing else []), times


Made = tuple[list[Saying], list[Sent], list[bytes], Talk, dict[bool, int | None]]


@st.composite
def captures(draw: DrawFn) -> Made:
    first = st.integers(0, 2**32 - 1) | st.integers(2**32 - 600, 2**32 - 1)
    ends = draw(st.sampled_from([("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2")]))
    link = draw(st.sampled_from(sorted(LINKS)))
    talk = Talk((ends[0], 40000), (ends[1], 80), (draw(first), draw(first)), link=link)
    talk.tcp_options = bytes([1] * draw(st.sampled_from([0, 0, 12])))
    said = draw(dialogues())
    packets = talk.open()
    sent = draw(segments(talk, said))
    sent = draw(with_accidents(talk, sent, whole_streams(said)))
    packets += [one.packet for one in sent]
    fins: dict[bool, int | None] = {CLIENT: None, SERVER: None}
    for sender in draw(st.sampled_from([(), (CLIENT,), (SERVER, CLIENT)])):
        fins[sender] = talk.sent[sender]
        packets.append(talk.packet(sender, flags=FIN | 16))
    return said, sent, packets, talk, fins


MANY = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))


@MANY
@given(captures(), st.sampled_from([pcap, pcapng]))
def test_what_was_said_is_what_is_read(made: Made, maker: Callable[[list[bytes], int], bytes]) -> None:
    said, sent, packets, talk, fins = made
    file = maker(packets, LINKS[talk.link].number)
    capture = reads(file)
    assert all("unfinished at the end" in line for line in capture.warnings)
    assert len(capture.warnings) <= len(capture.conversations) <= 1
    read = capture.conversations[0].messages if capture.conversations else []
    streams = whole_streams(said)
    for sender in CLIENT, SERVER:
        mine = [one for one in read if one.sender == NAMES[sender]]
        telling, times = expected(said, sent, sender, fins[sender])
        assert list(map(told, mine)) == telling
        # Bytes and gaps together are the stream.
        stream = b"".join(one.raw for one in mine)
        assert streams[sender].startswith(stream)
        if mine and mine[-1].kind == "gap":
            hole, missing = first_hole(sent, sender, fins[sender])
            assert len(stream) <= hole and missing == mine.pop().missing
        # Packets carry what they are said to carry.
        place = 0
        for one, time in zip(mine, times, strict=True):
            carriers = [sent[index - 3] for index in one.packets]
            assert all(each.sender == sender and each.start < place + len(one.raw) for each in carriers)
            held = {at for each in carriers for at in range(each.start, each.end)}
            assert held >= set(range(place, place + len(one.raw)))
            place += len(one.raw)
            # A client's may have had to wait for the 101.
            assert one.time == time / 1000 or (one.sender == "client" and one.time > time / 1000)
            assert one.wire_length == len(one.raw)
    assert [one.time for one in read] == sorted(one.time for one in read)


@MANY
@given(captures(), st.integers(54, 400))
def test_a_snap_length_leaves_what_is_before_the_first_cut(made: Made, snap: int) -> None:
    said, sent, packets, talk, fins = made
    whole, cut = (reads(pcap(packets, LINKS[talk.link].number, snap=length)) for length in (None, snap))
    if not whole.conversations or not cut.conversations:
        return
    for sender in "client", "server":
        all_of_it = [told(one) for one in whole.conversations[0].messages if one.sender == sender]
        read = [told(one) for one in cut.conversations[0].messages if one.sender == sender]
        if read and read[-1][0] == "gap":
            read.pop()
        assert read == all_of_it[: len(read)]
        missing = any(len(one.packet) > snap and one.end > one.start for one in sent if NAMES[one.sender] == sender)
        assert missing or read == [one for one in all_of_it if one[0] != "gap"]


@settings(parent=MANY, max_examples=40)
@given(st.lists(captures(), min_size=1, max_size=3), st.integers(0, 40))
def test_saved_and_read_again_it_is_the_same(made: list[Made], cut: int) -> None:
    """Several link types in one file too, which pcap cannot hold; and that the file was cut short."""
    blocks = Blocks()
    for number, (_, _, packets, talk, _) in enumerate(made):
        blocks.interface(LINKS[talk.link].number, resolution=9)
        for packet in packets:
            blocks.enhanced(packet, number, ticks=1_700_000_000_123_456_789 + blocks.packets * 1001)
    whole = wsedu.read(io.BytesIO(blocks.file))
    once = wsedu.read(io.BytesIO(blocks.file[: len(blocks.file) - cut]))
    assert once.complete is not bool(cut) and len(once.packets) == len(whole.packets) - bool(cut)
    with tempfile.TemporaryDirectory() as folder:
        once.save(Path(folder, "saved"))
        again = wsedu.read(io.BytesIO(Path(folder, "saved").read_bytes()))
    assert (again.complete, len(again.warnings)) == (once.complete, len(once.warnings))
    assert again.packets == once.packets
    for one, other in zip(once.conversations, again.conversations, strict=True):
        assert (one.index, one.client, one.server) == (other.index, other.client, other.server)
        assert facts(one.messages) == facts(other.messages)
    assert again.bill() == once.bill()
