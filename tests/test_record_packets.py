# SPDX-License-Identifier: GPL-2.0-or-later
"""The packets of a recording: modelled, but as TCP would have them, byte by byte and checksum by checksum."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from by_hand import TcpPacket, ones_complement_sum, packets_in, tcp_packets, warnings
from capture_maker import DATA
from hypothesis import given, strategies as st

from wsedu.wire.packet_model import ACK_DELAY, MSS, Endpoints, EventKind, RelayEvent, checksum, packets
from wsedu.wire.packets import ACK, FIN, PSH, RST, SYN
from wsedu.wire.pcapfile import write_capture

CLIENT, SERVER = ("127.0.0.1", 50000), ("127.0.0.1", 8765)
MS = 1_000_000  # nanoseconds
CONNECT, ACCEPT, SENT, END, RESET = EventKind.CONNECT, EventKind.ACCEPT, EventKind.DATA, EventKind.END, EventKind.RESET

Step = tuple[int, str, EventKind] | tuple[int, str, EventKind, bytes]


def story(*steps: Step, start: int = 10**18) -> list[RelayEvent]:
    """Events of one connection, each as (milliseconds, who, what, data)."""
    ends = Endpoints(CLIENT, SERVER)
    return [RelayEvent(start + ms * MS, ends, who == "client", what, *data) for ms, who, what, *data in steps]


OPENED = (0, "client", CONNECT), (1, "server", ACCEPT)
CLOSED = (900, "client", END), (901, "server", END)


def seen(events: list[RelayEvent]) -> list[TcpPacket]:
    return tcp_packets((packet.time, packet.data, packet.original_length) for packet in packets(events))


def after_opening(*steps: Step) -> list[tuple[int, bool, int, int]]:
    """(milliseconds, from the client, flags, bytes of data) of what follows the opening."""
    all_seen = seen(story(*OPENED, *steps))
    return [((one.time - all_seen[0].time) // MS, one.from_client, one.flags, len(one.payload)) for one in all_seen[3:]]


def test_opening_and_closing() -> None:
    opening = seen(story(*OPENED, *CLOSED))
    flags = [SYN, SYN | ACK, ACK, FIN | ACK, ACK, FIN | ACK, ACK]  # the client's FIN is acknowledged at once
    assert [one.flags for one in opening] == flags
    assert [one.from_client for one in opening] == [True, False, True, True, False, False, True]
    syn, syn_ack, last_ack = opening[0], opening[1], opening[-1]
    assert syn_ack.acknowledged == syn.sequence + 1
    assert last_ack.sequence == syn.sequence + 2 and last_ack.acknowledged == syn_ack.sequence + 2


def test_the_first_data_is_acknowledged_at_once_and_then_it_rides_on_the_answer() -> None:
    ping, pong = (2, "client", SENT, b"ping"), (3, "server", SENT, b"pong!")
    again = [(ms + 10, who, what, data) for ms, who, what, data in (ping, pong)]
    assert after_opening(ping, pong, *again) == [
        (2, True, PSH | ACK, 4), (2, False, ACK, 0), (3, False, PSH | ACK, 5), (3, True, ACK, 0),
        (12, True, PSH | ACK, 4), (13, False, PSH | ACK, 5),
        (13 + ACK_DELAY // MS, True, ACK, 0),  # nothing to ride on came within 40 ms
    ]  # fmt: skip


def test_an_acknowledgement_waits_its_own_40_ms() -> None:
    data = [(ms, "client", SENT, b"x") for ms in (2, 3, 4, 10)]  # at once, waits, second, waits
    acknowledged = [ms for ms, from_client, _, _ in after_opening(*data) if not from_client]
    assert acknowledged == [2, 4, 10 + ACK_DELAY // MS]


def test_each_side_counts_its_packets_in_the_identification() -> None:
    numbers = [int.from_bytes(packet.data[18:20], "big") for packet in packets(story(*OPENED, *CLOSED))]
    assert numbers == [0, 0, 1, 2, 1, 2, 3]  # of client, server, client, client, server, server, client


def test_every_second_segment_is_acknowledged_at_once() -> None:
    long = after_opening((2, "server", SENT, bytes(5 * MSS + 1)))
    assert [size for _, from_client, _, size in long if not from_client] == [MSS] * 5 + [1]
    assert [flags for _, from_client, flags, _ in long if not from_client] == [ACK] * 5 + [ACK | PSH]
    assert [(ms, size) for ms, from_client, _, size in long if from_client] == [(2, 0)] * 3 + [(42, 0)]


def test_a_delayed_acknowledgement_goes_between_what_happens_on_other_connections() -> None:
    first = story(*OPENED, (2, "client", SENT, b"1"), (3, "client", SENT, b"2"))
    endpoints = Endpoints(("127.0.0.1", 50001), SERVER)
    other = [event._replace(endpoints=endpoints) for event in story(*OPENED, *CLOSED)]
    times = [packet.time for packet in packets(sorted(first + other, key=lambda event: event.time))]
    assert times == sorted(times)
    assert first[0].time + 3 * MS + ACK_DELAY in times


def test_a_refusal_and_a_reset() -> None:
    syn, refusal = seen(story((0, "client", CONNECT), (1, "server", RESET)))
    assert (refusal.flags, refusal.sequence, refusal.acknowledged) == (RST | ACK, 0, syn.sequence + 1)
    assert after_opening((2, "client", RESET)) == [(2, True, RST | ACK, 0)]
    assert seen(story((0, "client", CONNECT), (1, "client", RESET)))[1].flags == RST


@given(st.binary(min_size=1).filter(any))
def test_the_checksum_is_that_of_rfc_1071(data: bytes) -> None:
    assert int.from_bytes(checksum(data)) == 0xFFFF - ones_complement_sum(data)


WRAPPING = 4000 * (2**32 - 5)  # the clock of the sequence numbers is about to begin again


@pytest.mark.parametrize("start", [10**18, WRAPPING])
def test_tshark_finds_nothing_odd(start: int, tmp_path: Path) -> None:
    data = bytes(range(256)) * 100
    steps: list[Step] = [
        *OPENED, (2, "client", SENT, b"\0 no protocol that tshark knows"), (3, "server", SENT, data),
        (3, "client", SENT, data), (50, "server", END), (120, "client", SENT, b"after the server's end"),
        (300, "client", END),
    ]  # fmt: skip
    path = tmp_path / "story.pcap"
    path.write_bytes(write_capture(packets(story(*steps, start=start))))
    assert warnings(path) == ""
    spoiled = bytearray(path.read_bytes())
    spoiled[-1] ^= 1  # so this test can fail
    path.write_bytes(spoiled)
    assert "checksum" in warnings(path)


def recorded(name: str) -> list[TcpPacket]:
    """The packets of one of the captures in data/."""
    return tcp_packets(packets_in((DATA / name).read_bytes()))


def events_of(name: str) -> Iterator[RelayEvent]:
    """What a relay would have written down of it."""
    ends: dict[bytes, Endpoints] = {}
    for one in recorded(name):
        client = one.source if one.from_client else one.destination
        if one.flags == SYN:
            ends[client] = Endpoints(("192.0.2.2", int.from_bytes(client[-2:])), ("192.0.2.1", SERVER[1]))
        begins = CONNECT if one.flags == SYN else ACCEPT
        for kind, happened in (begins, one.flags & SYN), (SENT, one.payload), (END, one.flags & FIN):
            if happened:
                yield RelayEvent(one.time, ends[client], one.from_client, kind, one.payload)


@pytest.mark.parametrize("name", sorted(path.name for path in DATA.glob("*.pcap") if "lost" not in path.name))
def test_the_model_is_near_to_what_linux_does(name: str) -> None:
    """The bytes of a real capture, put into packets again: the same bytes, and about as many packets."""
    real, model = recorded(name), seen(list(events_of(name)))
    assert sum(len(one.payload) for one in model) == sum(len(one.payload) for one in real)
    # In bulk, Linux acknowledges several segments at once: those that came while it was busy.
    assert 0.9 < len(model) / len(real) < (1.4 if name == "websockets-large.pcap" else 1.1)
    kinds = Counter(one.flags & ~PSH for one in real), Counter(one.flags & ~PSH for one in model)
    assert kinds[0][SYN] == kinds[1][SYN] and kinds[0][SYN | ACK] == kinds[1][SYN | ACK]
