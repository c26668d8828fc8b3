# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets from the kernel: each of them, once, or the recording says what is missing.

All but the refusals need the right to see packets, and are skipped with one line where there is none.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from test_record import LIMIT, port_of, receive, reset, seen, talk

from wsedu import Frame, Opcode, bars, byte_map, handshake
from wsedu.live import http_server, websocket_server
from wsedu.wire import packet_recorder
from wsedu.wire.capture import Capture, read
from wsedu.wire.packet_recorder import ClosingConnections, PacketRecorder
from wsedu.wire.packets import ACK, FIN, RST, SYN
from wsedu.wire.pcapfile import Packet
from wsedu.wire.recording import KernelRecording, Recording, record

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))
from packet_counter import PacketCounter  # noqa: E402

KEY = bytes.fromhex("37fa213d")  # RFC 6455, 5.7


@pytest.fixture(scope="module")
def roomy(packets_allowed: None) -> None:
    with record(9, kernel=True) as rec:
        assert isinstance(rec, KernelRecording)
        size = rec._recorder.buffer_size()
    if size < packet_recorder.BUFFER:
        pytest.skip(f"without CAP_NET_ADMIN the kernel grants a buffer of {size >> 10:,} KiB: too small for this")


real = pytest.mark.usefixtures("packets_allowed")
pytestmark = pytest.mark.usefixtures("nothing_left_open")


@contextlib.contextmanager
def joined(listener: socket.socket) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A client and a server that have shaken hands, so that what they send next are frames."""
    with socket.create_connection(listener.getsockname()[:2], LIMIT) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server, _ = listener.accept()
        with server:
            server.settimeout(LIMIT)
            request = handshake.request("localhost", key="AQIDBAUGBwgJCgsMDQ4PEA==")
            response = handshake.response("AQIDBAUGBwgJCgsMDQ4PEA==")
            client.sendall(request)
            assert receive(server, len(request)) == request
            server.sendall(response)
            assert receive(client, len(response)) == response
            yield client, server


def frame(number: int) -> bytes:
    return Frame(Opcode.TEXT, b"%d" % number, masking_key=KEY).serialize()


def payloads(capture: Capture, sender: str = "client") -> list[bytes]:
    (conversation,) = capture.conversations
    return [one.payload for one in conversation.messages if one.kind == "frame" and one.sender == sender]


@real
def test_what_the_kernel_saw_and_what_the_relay_passed_on_are_the_same_messages() -> None:
    with websocket_server() as server, record(server.port, kernel=True) as seen:
        with record(server.port) as passed:  # its connections to the server are what the kernel sees
            for _ in range(3):
                talk(passed.port)
    assert seen.port == server.port != passed.port
    assert len(seen.capture.conversations) == 3
    for one, other in zip(seen.capture.conversations, passed.capture.conversations, strict=True):
        assert one.server == other.server == f"127.0.0.1:{server.port}"
        assert [(m.kind, m.sender, m.raw) for m in one.messages] == [(m.kind, m.sender, m.raw) for m in other.messages]
        assert len(one.messages) == 8
    assert seen.capture.warnings == passed.capture.warnings == []
    assert (seen.capture.modelled, passed.capture.modelled) == (False, True)
    assert "TCP/IP modelled by the relay" in repr(passed.capture)
    assert "modelled" not in repr(seen.capture) + repr(seen)
    assert "packets of the kernel's loopback" in repr(seen)
    assert "TCP/IP modelled by the relay" in str(byte_map(passed.capture.packet(0)))
    assert "modelled" not in str(byte_map(seen.capture.packet(0)))


@real
def test_each_packet_once_from_first_to_last() -> None:
    began = time.time_ns()
    with websocket_server() as server, record(server.port, kernel=True) as rec:
        talk(rec.port)
    ended = time.time_ns()
    packets = rec.capture.packets
    assert len({packet.data for packet in packets}) == len(packets)  # no two have the same IP identification
    times = [packet.time for packet in packets]
    assert times == sorted(times) and began < times[0] and times[-1] < ended
    flags = [one.flags for one in seen(rec)]
    assert flags[:3] == [SYN, SYN | ACK, ACK]
    assert sum(bool(flag & FIN) for flag in flags) == 2 and flags[-1] == ACK
    assert max(len(packet.data) for packet in packets) > 1514, "loopback: nothing is cut to 1,500 bytes"
    # By the sequence numbers, as a busy machine sends a segment twice now and then.
    for sender in "client", "server":
        sent = [one for one in seen(rec) if one.from_client is (sender == "client")]
        messages = rec.capture.conversations[0].messages
        size = sum(len(message.raw) for message in messages if message.sender == sender)
        assert (sent[-1].after - sent[0].after) % (1 << 32) == size + 1, "and the FIN"


def hold(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Let the recording read nothing until the event is set."""
    event, go_on = threading.Event(), PacketRecorder._read

    def wait_and_read(self: PacketRecorder) -> None:
        event.wait(LIMIT)
        go_on(self)

    monkeypatch.setattr(PacketRecorder, "_read", wait_and_read)
    return event


class Sentinel:
    """Stands in for the socket that a recording sends its sentinels with."""

    def __init__(self, rec: Recording, then: Callable[[int], bool]) -> None:
        assert isinstance(rec, KernelRecording)
        self.sent, self.then, self.socket = 0, then, rec._recorder._sentinel
        rec._recorder._sentinel = self  # type: ignore[assignment]

    def sendto(self, data: bytes, address: tuple[str, int]) -> None:
        self.sent += 1
        if self.then(self.sent):
            self.socket.sendto(data, address)


@pytest.mark.usefixtures("roomy")
@pytest.mark.parametrize("held", [False, True])
def test_a_burst_of_ten_thousand_messages(held: bool, listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read while it comes, or only when it is over: then it has waited in the buffer."""
    burst_is_over = hold(monkeypatch) if held else threading.Event()
    with record(port_of(listener), kernel=True) as rec, joined(listener) as (client, server):
        for number in range(10_000):
            client.sendall(frame(number))
            server.recv(100)
        burst_is_over.set()
    assert rec.capture.warnings == [] and rec.capture.complete
    assert payloads(rec.capture) == [b"%d" % number for number in range(10_000)]


@real
def test_what_does_not_fit_is_missed_and_said(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(packet_recorder, "BUFFER", 1 << 14)
    reading = hold(monkeypatch)

    def full_at_first(count: int) -> bool:
        if count == 3:  # two were sent into a buffer that was full
            reading.set()
        return True

    with record(port_of(listener), kernel=True) as rec, joined(listener) as (client, server):
        for number in range(500):
            client.sendall(frame(number))
            server.recv(100)
        sentinel = Sentinel(rec, full_at_first)
    assert sentinel.sent >= 3
    assert not rec.capture.complete
    assert "the kernel dropped" in rec.capture.warnings[0] and "(16 KiB" in rec.capture.warnings[0]
    assert "NOT COMPLETE" in repr(rec) and "NOT COMPLETE" in repr(rec.capture)
    drawn = bars({"lossy": rec.capture.bill(), "mine": rec.capture.conversations[0].bill()})
    assert "Not complete, packets are missing: lossy, mine." in str(drawn)
    assert len(payloads(rec.capture)) < 500
    rec.save(tmp_path / "a.pcap")
    rec.capture.save(tmp_path / "b.pcap")
    for saved in read(tmp_path / "a.pcap"), read(tmp_path / "b.pcap"):
        assert not saved.complete and "the file ends" in saved.warnings[-1]
        assert list(saved.packets) == list(rec.capture.packets)


def fail(error: BaseException) -> bool:
    raise error


@real
@pytest.mark.parametrize(
    ("limit", "then", "said"),
    [
        (0.0, lambda count: False, "the end of the recording was not seen"),
        (LIMIT, lambda count: fail(OSError(101, "is down")), "the interface lo failed (is down)"),
        (LIMIT, lambda count: fail(KeyboardInterrupt()), "interrupted before the end"),
    ],
)
def test_an_end_that_fails_is_said(
    limit: float, then: Callable[[int], bool], said: str, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packet_recorder, "LIMIT", limit)
    interrupted = pytest.raises(KeyboardInterrupt) if "interrupted" in said else contextlib.nullcontext()
    with interrupted, record(port_of(listener), kernel=True) as rec:
        Sentinel(rec, then)
    assert rec.capture.warnings == [f"not complete: {said}"]
    assert "NOT COMPLETE" in repr(rec)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """The answers to whether a connection is half closed, as they are given."""
    answers, are_half_done = list[bool](), ClosingConnections.are_half_done

    def noted(self: ClosingConnections, packets: list[Packet]) -> bool:
        answers.append(are_half_done(self, packets))
        return answers[-1]

    monkeypatch.setattr(ClosingConnections, "are_half_done", noted)
    return answers


@real
def test_who_closes_last_is_given_time_to(listener: socket.socket, asked: list[bool]) -> None:
    def close_late(server: socket.socket) -> None:
        # When this is asked for the third time, the client's FIN has been acknowledged.
        deadline = time.monotonic() + LIMIT
        while len(asked) < 3 and time.monotonic() < deadline:
            time.sleep(0.001)
        server.close()

    with record(port_of(listener), kernel=True) as rec:
        assert isinstance(rec, KernelRecording)
        rec._recorder._grace = LIMIT
        client = socket.create_connection(listener.getsockname(), LIMIT)
        closer = threading.Thread(target=close_late, args=(listener.accept()[0],), name="closer")
        closer.start()
        client.close()
    closer.join()
    assert asked[0] and not asked[-1]
    flags = [one.flags for one in seen(rec)]
    assert [flag & FIN for flag in flags].count(FIN) == 2 and flags[-1] == ACK


@real
def test_a_connection_that_stays_open_is_not_waited_for(listener: socket.socket, asked: list[bool]) -> None:
    with contextlib.ExitStack() as open_still:
        with record(port_of(listener), kernel=True) as rec:
            open_still.enter_context(joined(listener))
            with joined(listener) as (_, server):
                reset(server)
            for who in (1, 0):  # nobody owes anybody anything after a reset, from whichever side
                with joined(listener) as pair:
                    pair[0].shutdown(socket.SHUT_WR)
                    assert pair[1].recv(1) == b""
                    reset(pair[who])
        assert asked == [False]
    assert [one.flags & RST for one in seen(rec)].count(RST) == 3


@real
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_only_tcp_of_this_port_is_there(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, 0), family=family)
    except OSError as error:
        pytest.skip(f"no IPv6 on loopback here: {error.strerror}")
    with listener, websocket_server() as other, record(port_of(listener), kernel=True) as rec:
        listener.settimeout(LIMIT)
        with joined(listener) as (client, _), socket.socket(family, socket.SOCK_DGRAM) as udp:
            client.sendall(frame(6))
            talk(other.port)
            udp.sendto(b"not TCP", (host, rec.port))
    (conversation,) = rec.capture.conversations
    assert conversation.server == (f"[{host}]" if ":" in host else host) + f":{rec.port}"
    assert payloads(rec.capture) == [b"6"]
    assert len({port for one in seen(rec) for port in (one.source[-2:], one.destination[-2:])}) == 2


@real
def test_it_begins_when_the_kernel_stamps_packets(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    stamps, following = [3, 2, 1, 0], PacketRecorder._next

    def late(self: PacketRecorder) -> Packet | None:
        packet = following(self)
        if packet is None or not stamps:
            return packet
        return packet._replace(time=packet.time + stamps.pop(0) * 10**9)

    monkeypatch.setattr(PacketRecorder, "_next", late)
    with record(port_of(listener), kernel=True) as rec:
        assert stamps == []
    assert len(rec.capture.packets) == 0 and rec.capture.complete


@real
def test_packets_are_counted_by_the_port_of_their_server() -> None:
    """As `tools/measure_grid.py` does, but here the two hosts are two addresses of loopback."""
    counter = PacketCounter("lo", "127.0.0.1", "127.0.0.2")
    with contextlib.closing(counter), http_server() as server:
        counter.start()
        with socket.create_connection(("127.0.0.1", server.port), LIMIT, ("127.0.0.2", 0)) as client:
            request = b"GET /chunks HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            client.sendall(request)
            response = receive(client, 1 << 20)
        counter.stop()
    assert counter.missing == [] and counter.packets == []
    packets = counter.counted[server.port]
    for to_server, said, kind in (True, request, "request"), (False, response, "news"):
        (head,) = [one for one in packets if one.head == kind]
        assert head.to_server is to_server and head.head_size == said.index(b"\r\n\r\n") + 4
        assert sum(one.data for one in packets if one.to_server is to_server) == len(said)
    assert all(one.size >= one.data + 14 + 20 + 20 for one in packets)


def test_only_this_machine(listener: socket.socket) -> None:
    rec = record(port_of(listener), "192.0.2.1", kernel=True)
    with pytest.raises(ValueError, match="host 192.0.2.1 is not this machine"), rec:
        pass


def test_only_linux(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(PermissionError, match="on Linux only.*leave kernel=True away"):
        with record(port_of(listener), kernel=True):
            pytest.fail("the block must not begin")


NOBODY = """
import os
from wsedu.doctor import doctor
from wsedu.wire import recording
doctor()  # loads all that is needed: nobody may be unable to read where Python is installed
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
files = len(os.listdir("/proc/self/fd"))
try:
    with recording.record(9, kernel=True):
        print("the block has begun")
except PermissionError as error:
    print(error)
print(len(os.listdir("/proc/self/fd")) - files)
print(*[finding for finding in doctor() if finding.what == "packets from the kernel"])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has packet sockets")
def test_who_may_not_see_packets_is_told_why_and_what_to_do() -> None:
    done = subprocess.run([sys.executable, "-c", NOBODY], capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    refusal, left_open, finding = done.stdout.splitlines()
    assert "CAP_NET_RAW" in refusal and "not permitted" in refusal
    for way_out in ("as root", "setcap", "virtual machine", "leave kernel=True away"):
        assert way_out in refusal
    assert left_open == "0"
    assert "works=False" in finding and "the relay" in finding
