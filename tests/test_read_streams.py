# SPDX-License-Identifier: GPL-2.0-or-later
"""What TCP does to segments, and what a capture lacks (RFC 9293, 3.4): the messages are the same, or a gap says why."""

import io
import zlib
from itertools import permutations, product
from time import process_time
from timeit import repeat

import pytest
from capture_maker import ACK, CLIENT, FIN, HANDSHAKE, RST, SERVER, SWITCHING, Talk, dissected, frame, pcap

import wsedu
from wsedu.wire.pcapfile import Packet, write_capture

ONE, TWO, SIX = frame(b"one"), frame(b"two"), frame(b"three", key=b"abcd")
TEXTS = [("server", "frame", 1, text.hex()) for text in (b"one", b"two")]
THREE = ("client", "frame", 1, b"three".hex())
OTHER_CONTENT = "taken for a retransmission with other content"


def after_the_handshake(packets: list[bytes], complaint: str = "") -> list[tuple[object, ...]]:
    """What is said after request and response; on stderr nothing, or one line with ``complaint`` in it."""
    said = dissected(pcap(packets))
    assert said.status == 0 and len(said.complaints) == bool(complaint)
    assert all(complaint in line for line in said.complaints)
    assert [row["kind"] for row in said.rows[:2]] == ["request", "response"]
    return said.brief()[2:]


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_reordered_and_again(order: tuple[int, ...]) -> None:
    talk = Talk()
    packets, parts = talk.shake(), talk.say(SERVER, ONE + TWO, 4) + [talk.packet(SERVER, flags=FIN | ACK)]
    order *= 2
    assert after_the_handshake(packets + [parts[index] for index in order]) == TEXTS
    packets += talk.say(CLIENT, SIX)
    assert after_the_handshake(packets + [parts[index] for index in order]) == [THREE, *TEXTS]


def snapped(packets: list[bytes], index: int, cut: int) -> bytes:
    """A pcap file in which one packet lacks its last ``cut`` bytes."""
    whole = [Packet(at * 1_000_000, 1, packet, len(packet)) for at, packet in enumerate(packets)]
    whole[index] = whole[index]._replace(data=packets[index][:-cut])
    return write_capture(whole)


def test_of_overlapping_segments_with_different_data_the_first_to_arrive_counts() -> None:
    """The other one is left out, and that is said; of what the fast path has read nothing is known any more."""
    talk = Talk()
    shaken, at = talk.shake(), len(SWITCHING)
    lie = b"\xff" * 5
    in_order = [talk.packet(SERVER, ONE, at=at), talk.packet(SERVER, lie + TWO, at=at)]
    assert dissected(pcap(shaken + in_order)).brief()[2:] == TEXTS
    # Behind a hole too: whether the later one is longer, begins earlier or goes on for longer.
    for start, later in (2, lie[2:] + TWO), (0, ONE[:2] + lie[2:] + TWO), (1, ONE[1:2] + lie[2:4]):
        said = [(2, ONE[2:]), (start, later), (0, ONE[:2]), (5, TWO)]
        packets = [talk.packet(SERVER, data, at=at + place) for place, data in said]
        assert after_the_handshake(shaken + packets, OTHER_CONTENT) == TEXTS


@pytest.mark.parametrize("other", [b"", b"X", b"HTTP/1.1 404 No"])
def test_a_retransmission_with_other_content_is_said_once(other: bytes) -> None:
    """Also of what was passed on already, as far back as it is remembered."""
    talk = Talk()
    packets = talk.open() + talk.say(CLIENT, b"GET /b HTTP/1.1\r\n\r\n")
    response = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    packets += talk.say(SERVER, response)
    packets += [talk.packet(SERVER, other + response[len(other) :], at=0)] * 3
    said = dissected(pcap(packets + talk.close()))
    assert said.brief() == [("client", "request", "GET", "/b", 0), ("server", "response", 200, 2)]
    assert [OTHER_CONTENT in line for line in said.complaints] == [True] * bool(other)


def test_all_sequence_numbers_are_0() -> None:
    """Whatever wrote them: the first byte stands at the number of the SYN, so it is none (RFC 9293, 3.4)."""
    talk, get = Talk(first=(0, 0)), b"GET /b HTTP/1.1\r\n\r\n"
    said = dissected(pcap(talk.open() + [talk.packet(CLIENT, get, at=-1), talk.packet(SERVER, SWITCHING, at=-1)]))
    assert said.brief() == [("client", "request", "ET", "/b", 0)]
    assert [OTHER_CONTENT in line for line in said.complaints] == [True, False]
    assert "expected a status line" in said.complaints[1]


@pytest.mark.parametrize("octet", [b"", b"\0", b"G"])
@pytest.mark.parametrize("asked", [CLIENT, SERVER])
@pytest.mark.parametrize("when", ["before", "after", "never"])
def test_a_capture_that_begins_with_a_keep_alive(octet: bytes, asked: bool, when: str) -> None:
    """Its octet is no data if the other side has acknowledged it; else it is: a client that types, say."""
    talk, get = Talk(), b"GET /b HTTP/1.1\r\n\r\n"
    probe, answer = talk.packet(asked, octet, at=-1), talk.packet(not asked)
    begin = {"before": [answer, probe, probe], "after": [probe, answer, probe], "never": [probe]}[when]
    said = dissected(pcap(begin + talk.say(CLIENT, get) + talk.say(SERVER, b"HTTP/1.1 204 No\r\n\r\n")))
    if when != "never":
        assert said.brief() == [("client", "request", "GET", "/b", 0), ("server", "response", 204, 0)]
        assert said.complaints == []
    elif octet == b"G" and asked is CLIENT:
        assert said.brief()[0] == ("client", "request", "GGET", "/b", 0)


@pytest.mark.parametrize("comes", [True, False])
def test_a_gap_that_the_snap_length_shows_waits_for_the_101_too(comes: bool) -> None:
    talk = Talk()
    packets = talk.open() + talk.say(CLIENT, HANDSHAKE) + talk.say(CLIENT, SIX)
    answer, rest = talk.say(SERVER, SWITCHING + ONE), [("server", "response", 101, 0), TEXTS[0]]
    said = dissected(snapped(packets + answer * comes, 4, 3))
    assert said.brief()[1:] == rest * comes + [("client", "gap", 3)]


def test_a_101_captured_before_the_request() -> None:
    talk = Talk()
    packets = talk.open() + talk.say(CLIENT, HANDSHAKE) + talk.say(SERVER, SWITCHING + ONE)
    packets[3:] = packets[:2:-1]
    file = pcap(packets + talk.say(CLIENT, SIX))
    said = dissected(file)
    assert [row["kind"] for row in said.rows] == ["response", "frame", "request", "frame"]
    assert said.brief()[1] == TEXTS[0] and said.brief()[3] == THREE
    assert wsedu.read(io.BytesIO(file)).bill().parts["handshake"] == len(HANDSHAKE + SWITCHING)


@pytest.mark.parametrize("cut", [1, 4, 5, 6])
def test_a_segment_cut_by_the_snap_length_is_one_gap(cut: int) -> None:
    talk = Talk()
    packets = talk.shake() + talk.say(SERVER, ONE) + talk.say(SERVER, TWO + frame(b"x" * 120))
    packets += talk.say(SERVER, ONE) + talk.say(CLIENT, SIX)
    said = dissected(snapped(packets, 6, cut))
    assert (said.status, said.complaints) == (0, [])
    assert said.brief()[2:] == [*TEXTS, ("server", "gap", cut), THREE]
    assert said.rows[4]["time"] == 0.006


@pytest.mark.parametrize(("options", "snap"), [(b"", 54), (bytes([1] * 12), 60)])
def test_a_snap_length_that_leaves_headers_only_or_not_even_all_options(options: bytes, snap: int) -> None:
    """Sequence number and flags are there, so it is known what is missing."""
    talk = Talk(tcp_options=options)
    said = dissected(pcap(talk.shake() + talk.say(SERVER, ONE) + talk.close(), snap=snap))
    assert (said.status, said.complaints) == (0, [])
    assert said.brief() == [("client", "gap", len(HANDSHAKE)), ("server", "gap", len(SWITCHING))]


def test_bytes_that_were_cut_and_then_came_whole() -> None:
    """What fills a hole before anything stands still is no gap."""
    talk = Talk()
    packets, at = talk.shake(), len(SWITCHING)
    late, early = talk.packet(SERVER, ONE[2:] + TWO, at=at + 2), talk.packet(SERVER, ONE[:2], at=at)
    file = snapped([*packets, late, talk.packet(SERVER, TWO[2:], at=at + 7), early], 5, 3)
    assert dissected(file).brief()[2:] == TEXTS


# By chance, or by a poor choice, the same sequence numbers; or others.
AGAIN = [*product([(5000, 1000)], ["FIN", "RST", "RST and a late FIN"])]
AGAIN += product([(7_000_000, 9_000_000), (3, 4_294_967_295)], ["FIN", "RST", "not at all"])


@pytest.mark.parametrize(("first", "ended"), AGAIN)
def test_a_4_tuple_used_again(ended: str, first: tuple[int, int]) -> None:
    old, new = Talk(), Talk(first=first)
    packets = old.shake() + old.say(SERVER, ONE)
    reset, fin = old.packet(CLIENT, flags=RST), old.packet(SERVER, flags=FIN | ACK)
    ways = {"FIN": old.close(), "RST": [reset], "RST and a late FIN": [reset, fin], "not at all": []}
    packets += ways[ended]
    request = b"GET /again HTTP/1.1\r\n\r\n"
    packets += new.open() + new.say(CLIENT, request) + new.say(SERVER, b"HTTP/1.1 204 No\r\n\r\n")
    said = dissected(pcap(packets))
    assert (said.status, said.complaints) == (0, [])
    assert said.brief()[3:] == [("client", "request", "GET", "/again", 0), ("server", "response", 204, 0)]
    assert [row["conversation"] for row in said.rows] == [0, 0, 0, 1, 1]


def test_a_4_tuple_used_again_with_a_hole_open_and_roles_turned() -> None:
    old = Talk()
    packets = old.shake() + old.lose(SERVER, TWO) + old.say(SERVER, ONE)
    new = Talk(client=old.server, server=old.client, first=(77, 99))
    said = dissected(pcap(packets + new.open() + new.say(CLIENT, b"GET /x HTTP/1.1\r\n\r\n")))
    assert said.brief()[2:] == [("server", "gap", len(TWO)), ("client", "request", "GET", "/x", 0)]
    assert said.rows[-1]["client"] == "192.0.2.2:80" and said.rows[-1]["conversation"] == 1


def test_a_4_tuple_used_again_after_the_tail_of_another_connection() -> None:
    """The capture begins with the last packet of the connection before, of the server alone."""
    old, new = Talk(first=(123_456_789, 1)), Talk()
    said = dissected(pcap([old.packet(SERVER, flags=FIN | ACK), *new.shake(), *new.say(SERVER, ONE)]))
    assert said.brief()[2:] == TEXTS[:1]
    assert said.rows[0]["conversation"] == 1


def test_syn_packets_that_come_again_or_late() -> None:
    talk = Talk()
    packets = talk.shake()
    syn, syn_ack, ack, request, response = packets
    frames = talk.say(SERVER, ONE)
    for order in (
        [syn, syn, syn_ack, syn_ack, ack, request, syn_ack, response, syn],
        [syn_ack, syn, ack, request, response],
        [syn, request, syn_ack, response, ack],
        [syn, ack, request, response, syn_ack],
    ):
        said = dissected(pcap(order + frames))
        assert [row["kind"] for row in said.rows] == ["request", "response", "frame"]
        assert {(row["conversation"], row["client"]) for row in said.rows} == {(0, "192.0.2.1:40000")}


def test_conversations_count_every_connection_in_the_order_of_first_packets() -> None:
    """One that says nothing has a number as well: nobody can know yet, when its first packet comes."""
    silent, late, early = (Talk(client=("192.0.2.1", port)) for port in (1, 2, 3))
    opened = silent.open() + late.open() + early.open()
    said = early.say(CLIENT, b"GET /3 HTTP/1.1\r\n\r\n") + late.say(CLIENT, b"GET /2 HTTP/1.1\r\n\r\n")
    rows = dissected(pcap(opened + said)).rows
    assert [(row["conversation"], row["target"]) for row in rows] == [(2, "/3"), (1, "/2")]


def test_gaps_stand_in_the_order_of_conversations() -> None:
    talks = [Talk(client=("192.0.2.1", port)) for port in (9, 2, 5)]
    packets = [packet for talk in talks for packet in talk.shake()]
    for talk in reversed(talks):
        packets += talk.lose(SERVER, TWO) + talk.say(SERVER, ONE)
    gaps = dissected(pcap(packets)).rows[-3:]
    assert [(row["conversation"], row["kind"]) for row in gaps] == [(0, "gap"), (1, "gap"), (2, "gap")]
    assert all(row["missing"] == 5 and row["wire_length"] == 0 for row in gaps)


def cpu_seconds(file: bytes) -> float:
    """For reading a capture, in the better of two."""

    def read_it() -> None:
        assert wsedu.read(io.BytesIO(file)).conversations[0].messages[-1].missing == 5

    return min(repeat(read_it, number=1, repeat=2, timer=process_time))


MANY_HOLES = {
    "a snap length": (2_000, 1, 1, 250),
    "many holes": (4_000, 2, 1, None),
    "many holes, the last segment first": (4_000, 2, -1, None),
}


@pytest.mark.parametrize("case", MANY_HOLES)
def test_a_hole_costs_no_more_than_the_segments_behind_it(case: str) -> None:
    files, (count, step, order, snap) = [], MANY_HOLES[case]
    for size in count, 4 * count:
        talk = Talk()
        packets = talk.shake() + talk.lose(SERVER, TWO)
        files.append(pcap(packets + talk.say(SERVER, frame(bytes(300)) * size, 304)[::step][::order], snap=snap))
    assert cpu_seconds(files[1]) < 8 * cpu_seconds(files[0])


def test_a_hole_is_given_up_when_no_sender_has_that_much_under_way() -> None:
    """So that one lost segment does not keep all that follows in memory."""
    talk = Talk()
    packets = talk.shake() + talk.lose(SERVER, TWO) + talk.say(SERVER, frame(bytes(1 << 20)) * 17, 60_000)
    said = dissected(pcap(packets + talk.say(CLIENT, SIX)))
    assert said.brief()[2:] == [("server", "gap", 5), THREE]
    assert said.rows[2]["time"] < said.rows[3]["time"]


@pytest.mark.parametrize("mebibytes", [[1, 2], [17, 1], [16] * 4 + [1]])
def test_only_so_much_is_inflated(mebibytes: list[int]) -> None:
    """16 MiB a message, 64 MiB a capture; what would be more stays as it was coded, and that is said in one line."""
    packets, sizes, left = [], [], 64
    for port, size in enumerate(mebibytes):
        coded = zlib.compress(bytes(size << 20), 9)
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: deflate, chunked\r\n\r\n%x\r\n" % len(coded)
        talk = Talk(client=("192.0.2.1", port))
        packets += talk.open() + talk.say(CLIENT, b"GET / HTTP/1.1\r\n\r\n")
        packets += talk.say(SERVER, head + coded + b"\r\n0\r\n\r\n")
        sizes.append(size << 20 if size <= min(16, left) else len(coded))
        left -= min(16, size)
    said = dissected(pcap(packets))
    assert [row["content_bytes"] for row in said.rows if row["kind"] == "response"] == sizes
    refused = len([size for size in sizes if size % (1 << 20)])
    assert len(said.complaints) == bool(refused)
    assert all(f"64 MiB in all are inflated ({refused} message" in line for line in said.complaints)
