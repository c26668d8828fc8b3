# SPDX-License-Identifier: GPL-2.0-or-later
"""The relay: what passes is what was sent, what was seen is written down, and nothing is left behind. And packets from
the kernel: each of them, once, or the recording says what is missing.

Most tests play both the client and the server by hand, on bare sockets, so that nothing in them depends on who is
scheduled when. Those of the kernel, all but the refusals, need the right to see packets, and are skipped with one line
where there is none.
"""

import contextlib
import itertools
import os
import socket
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from by_hand import TcpPacket, packets_in, tcp_packets, warnings
from capture_maker import HANDSHAKE, SWITCHING
from hypothesis import HealthCheck, given, settings, strategies as st
from packet_counter import PacketCounter
from programs import interrupted_at, python
from pytest import MonkeyPatch
from websockets.sync.client import connect

import wsedu
from wsedu import Frame, Opcode, bars, byte_map
from wsedu.live import http_server, websocket_server
from wsedu.wire import background, packet_recorder, tcp_proxy
from wsedu.wire.capture import Capture
from wsedu.wire.packet_model import EventKind
from wsedu.wire.packet_recorder import ClosingConnections, PacketRecorder
from wsedu.wire.packets import ACK, FIN, RST, SYN
from wsedu.wire.pcapfile import Packet, write_capture
from wsedu.wire.recording import KernelRecording, Recording, RelayRecording, record

Pair = tuple[socket.socket, socket.socket]
LIMIT = 10  # seconds, after which a test that waits has failed


pytestmark = pytest.mark.usefixtures("nothing_left_open")


@pytest.fixture(params=[False, True], ids=["relay", "kernel"])
def kernel(request: pytest.FixtureRequest) -> bool:
    if request.param:
        request.getfixturevalue("packets_allowed")
    return bool(request.param)


@contextlib.contextmanager
def joined(rec: Recording, listener: socket.socket, *, shaken: bool = False) -> Iterator[Pair]:
    """A client and a server, connected to each other; ``shaken`` says that what they send next are frames."""
    with socket.create_connection((listener.getsockname()[0], rec.port), LIMIT) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server, _ = listener.accept()
        with server:
            server.settimeout(LIMIT)
            for one, other, data in ((client, server, HANDSHAKE), (server, client, SWITCHING)) if shaken else ():
                one.sendall(data)
                assert receive(other, len(data)) == data
            yield client, server


def receive(end: socket.socket, count: int) -> bytes:
    data = bytearray()
    while len(data) < count and (piece := end.recv(1 << 20)):
        data += piece
    return bytes(data)


def odd(rec: Recording) -> str:
    """What tshark finds odd in the saved recording."""
    with tempfile.TemporaryDirectory() as folder:
        rec.save(Path(folder, "recording.pcap"))
        return warnings(Path(folder, "recording.pcap"))


def seen(rec: Recording) -> list[TcpPacket]:
    """All packets of a recording, taken apart by hand."""
    packets = tcp_packets(packets_in(write_capture(rec.capture.packets)))
    assert packets[0].destination[-2:] == struct.pack("!H", rec._server[1]), "they name the server's own port"
    return packets


def sent(packets: list[TcpPacket], from_client: bool) -> bytes:
    return b"".join(one.payload for one in packets if one.from_client is from_client)


def ends(packets: list[TcpPacket]) -> list[tuple[bool, int]]:
    """Who said FIN or RST, in order."""
    return [(one.from_client, one.flags & ~ACK) for one in packets if one.flags & (FIN | RST)]


def both_closed(packets: list[TcpPacket]) -> bool:
    """Whether both said FIN, and the last packet of each acknowledges that of the other.

    The kernel of a busy machine sends a FIN twice now and then, so they are not counted.
    """
    last = {one.from_client: one for one in packets}
    told = [last[who].acknowledged == last[not who].after for who in last]
    return set(ends(packets)) == {(True, FIN), (False, FIN)} and all(told)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.booleans(), st.binary(min_size=1, max_size=4000)), max_size=20))
def test_the_bytes_are_the_same(listener: socket.socket, spoken: list[tuple[bool, bytes]]) -> None:
    with record(listener.getsockname()[1]) as rec, joined(rec, listener) as (client, server):
        for by_client, data in spoken:
            (client if by_client else server).sendall(data)
        said = [b"".join(data for by, data in spoken if by is by_client) for by_client in (True, False)]
        assert receive(server, len(said[0])) == said[0]
        assert receive(client, len(said[1])) == said[1]
    packets = seen(rec)
    assert [sent(packets, True), sent(packets, False)] == said
    times = [one.time for one in packets]
    assert times == sorted(times)


def test_what_is_under_way_at_the_end_is_recorded(listener: socket.socket) -> None:
    """The client sends and the block ends at once; even a connection that nobody has accepted yet is seen."""
    for _ in range(30):
        with contextlib.ExitStack() as clients:
            with record(listener.getsockname()[1]) as rec:
                client = clients.enter_context(socket.create_connection(("127.0.0.1", rec.port), LIMIT))
                client.sendall(b"x" * 100_000)
            assert sent(seen(rec), True) == b"x" * 100_000


def test_a_server_that_closes_after_its_client_is_waited_for(listener: socket.socket) -> None:
    served = threading.Thread(target=echo_until_the_end, args=[listener], name="server")
    served.start()
    with record(listener.getsockname()[1]) as rec, socket.create_connection(("127.0.0.1", rec.port), LIMIT) as client:
        client.sendall(b"hello")
        assert receive(client, 5) == b"hello"  # unread, it would make a reset of the end
    served.join(LIMIT)
    assert ends(seen(rec)) == [(True, FIN), (False, FIN)]
    assert sent(seen(rec), False) == b"hello"


def echo_until_the_end(listener: socket.socket) -> None:
    server, _ = listener.accept()
    with server:
        while data := server.recv(65536):
            server.sendall(data)


@pytest.mark.parametrize("half_closed", [False, True])
def test_what_is_open_at_the_end_is_recorded_so(
    listener: socket.socket, half_closed: bool, monkeypatch: MonkeyPatch
) -> None:
    monkeypatch.setattr(tcp_proxy, "PATIENCE", 0.05)  # or the end of the server would be waited for longer
    with contextlib.ExitStack() as connection:
        with record(listener.getsockname()[1]) as rec:
            client, server = connection.enter_context(joined(rec, listener))
            client.sendall(b"hello")
            if half_closed:
                client.shutdown(socket.SHUT_WR)
        assert ends(seen(rec)) == [(True, FIN)] * half_closed
        assert client.recv(1) == b""  # and then it is closed
        assert receive(server, 6) == b"hello"


@pytest.mark.parametrize("by_client", [True, False])
def test_a_half_close(listener: socket.socket, by_client: bool, kernel: bool) -> None:
    with record(listener.getsockname()[1], kernel=kernel) as rec, joined(rec, listener) as pair:
        first, second = pair if by_client else reversed(pair)
        first.sendall(b"that is all")
        first.shutdown(socket.SHUT_WR)
        assert receive(second, 99) == b"that is all"  # until the end, which therefore was passed on
        second.sendall(b"not from me")
        assert receive(first, 11) == b"not from me"
        second.shutdown(socket.SHUT_WR)
        assert first.recv(1) == b""
    # Each once: the kernel of a busy machine sends a FIN twice now and then.
    assert list(dict.fromkeys(ends(seen(rec)))) == [(by_client, FIN), (not by_client, FIN)]
    assert sent(seen(rec), not by_client) == b"not from me"


@pytest.mark.parametrize(("by_client", "before"), [(True, False), (False, False), (False, True)])
def test_a_reset(listener: socket.socket, by_client: bool, before: bool, monkeypatch: MonkeyPatch) -> None:
    """Also ``before`` the relay looks: it is made to wait with its first look at the connection until all is over."""
    over = hold(monkeypatch, tcp_proxy.TcpProxy, "_decided") if before else threading.Event()
    with record(listener.getsockname()[1]) as rec, joined(rec, listener) as pair:
        first, second = pair if by_client else reversed(pair)
        first.sendall(b"last words")
        reset(first)
        over.set()
        with pytest.raises(ConnectionResetError):
            assert receive(second, 10) == b"last words"
            second.recv(1)
    assert sent(seen(rec), by_client) == b"last words"
    assert ends(seen(rec)) == [(by_client, RST)]
    assert odd(rec) == "Connection reset (RST)"  # it was one; nothing else is odd


def hold(monkeypatch: MonkeyPatch, owner: type, method: str) -> threading.Event:
    """Let a method do nothing until the event is set."""
    event, go_on = threading.Event(), getattr(owner, method)

    def wait_and_go_on(*arguments: Any) -> Any:
        event.wait(LIMIT)
        return go_on(*arguments)

    monkeypatch.setattr(owner, method, wait_and_go_on)
    return event


def reset(end: socket.socket) -> None:
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()


def test_both_ends_break_off_before_the_relay_looks(listener: socket.socket, monkeypatch: MonkeyPatch) -> None:
    """One RST closes both sockets of the relay, also the one whose own RST is still to be looked at in that round."""
    with record(listener.getsockname()[1]) as rec, joined(rec, listener) as (client, server):
        client.sendall(b"here")
        assert receive(server, 4) == b"here"
        go_on = hold(monkeypatch, tcp_proxy.TcpProxy, "_note")
        client.sendall(b"now")
        reset(client)
        reset(server)
        go_on.set()
    assert len(ends(seen(rec))) == 1 and rec.capture.complete


def test_a_reset_that_shows_only_when_something_is_sent(listener: socket.socket) -> None:
    with record(listener.getsockname()[1]) as rec, joined(rec, listener) as (client, server):
        client.shutdown(socket.SHUT_WR)
        assert server.recv(1) == b""
        client.close()  # from now on whatever comes is answered with a reset
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            while True:  # how much fits into the sockets between before that is the kernel's business
                server.sendall(bytes(100_000))
    assert ends(seen(rec)) == [(True, FIN), (True, RST)]


@pytest.fixture
def closed() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        return int(unused.getsockname()[1])


def test_a_server_that_refuses(closed: int) -> None:
    with record(closed) as rec, pytest.raises(ConnectionResetError):
        with socket.create_connection(("127.0.0.1", rec.port), LIMIT) as client:
            client.recv(1)
    assert [(one.from_client, one.flags) for one in seen(rec)] == [(True, SYN), (False, RST | ACK)]
    assert "1 connection (1 refused: no server listens there), 0 bytes from clients" in repr(rec)


def test_fifty_connections_at_once(listener: socket.socket) -> None:
    with record(listener.getsockname()[1]) as rec, contextlib.ExitStack() as connections:
        pairs = [connections.enter_context(joined(rec, listener)) for _ in range(50)]
        for number, (client, _) in enumerate(pairs):
            client.sendall(b"%d" % number)
        for number, (_, server) in reversed(list(enumerate(pairs))):
            assert receive(server, len(str(number))) == b"%d" % number
            server.sendall(bytes(number))
        for number, (client, _) in enumerate(pairs):
            assert receive(client, number) == bytes(number)
    packets = seen(rec)
    assert sum(one.flags == SYN for one in packets) == 50
    assert sum(bool(one.flags & FIN) for one in packets) == 100
    assert len(sent(packets, False)) == sum(range(50))
    assert "50 connections, 90 bytes from clients, 1,225 from the server" in repr(rec)


def test_a_slow_reader_slows_the_sender_down(listener: socket.socket) -> None:
    data = os.urandom(1 << 20) * 24
    with record(listener.getsockname()[1]) as rec, joined(rec, listener) as (client, server):
        sending = threading.Thread(target=lambda: client.sendall(data), name="sender")
        sending.start()
        sending.join(0.3)
        assert sending.is_alive(), "24 MiB vanished in the relay"
        assert isinstance(rec, RelayRecording)
        assert max(len(end.outgoing) for end in rec._proxy._open) < 2 * tcp_proxy.ENOUGH
        assert receive(server, len(data)) == data
        sending.join(LIMIT)
    assert sent(seen(rec), True) == data


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_an_exception_leaves_nothing_behind(listener: socket.socket, error: type[BaseException], kernel: bool) -> None:
    with pytest.raises(error), record(listener.getsockname()[1], kernel=kernel) as rec:
        with joined(rec, listener) as (client, _):
            client.sendall(b"until here")
            raise error
    assert sent(seen(rec), True) == b"until here" and rec.capture.complete


def test_when_the_relay_itself_fails_the_end_of_the_block_says_so(closed: int, monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setattr(tcp_proxy.TcpProxy, "_break", Mock(side_effect=OSError(24, "Too many open files")))
    with pytest.raises(RuntimeError, match="the recording broke off early: .*Too many open files"):
        with record(closed) as rec, socket.create_connection(("127.0.0.1", rec.port), LIMIT) as client:
            assert client.recv(1) == b""
    assert [one.flags for one in seen(rec)] == [SYN]


NO_SERVERS = [
    *((port, "::", ValueError, f"port must be from 1 to 65535, got {port}") for port in (0, -1, 65536, 10**9)),
    *((port, "::", TypeError, "port must be a number from 1") for port in ("8765", None, 8765.0, True)),
    (8765, "::1", ValueError, "host '::1' has no IPv4 address"),
    (8765, 80, TypeError, "host: expected str; found int: 80"),
]


@pytest.mark.parametrize(("port", "host", "error", "said"), NO_SERVERS)
def test_where_no_server_can_be(port: Any, host: Any, error: type[Exception], said: str) -> None:
    for kernel in (False, True):
        with pytest.raises(error, match=said):
            record(port, host, kernel=kernel)


def test_things_done_too_early_or_twice(listener: socket.socket, tmp_path: Path) -> None:
    rec = record(listener.getsockname()[1])
    assert "not begun" in repr(rec)
    with pytest.raises(RuntimeError, match="has not begun"):
        _ = rec.port
    with rec:
        assert f"running: connect to 127.0.0.1:{rec.port}" in repr(rec)
        for read_it in (lambda: rec.capture, lambda: rec.save(tmp_path / "early.pcap")):
            with pytest.raises(RuntimeError, match="can be read after its `with` block"):
                read_it()
    assert not (tmp_path / "early.pcap").exists()
    with pytest.raises(RuntimeError, match="has been used"), rec:
        pass
    assert "TCP/IP is modelled" in repr(rec)


def talk(port: int) -> None:
    """A whole WebSocket connection: short messages, a large one, a closing handshake."""
    with connect(f"ws://127.0.0.1:{port}", compression=None, max_size=None) as client:
        for message in ("Hello", "x" * 200_000):
            client.send(message)
            assert client.recv() == message


def test_a_saved_recording_is_known_again(listener: socket.socket, tmp_path: Path) -> None:
    with record(listener.getsockname()[1]) as rec, joined(rec, listener):
        pass
    rec.save(tmp_path / "own.pcap")
    wsedu.read(tmp_path / "own.pcap").save(tmp_path / "again.pcap")
    for name in ("own.pcap", "again.pcap"):
        saved = wsedu.read(tmp_path / name)
        assert saved.modelled and "TCP/IP modelled by the relay" in repr(saved)
        assert saved.bill().modelled
    for path in (Path(__file__).parent.parent / "data").glob("*.pcap*"):
        assert not wsedu.read(path).modelled


def test_tshark_finds_no_error_and_no_warning() -> None:
    with websocket_server() as server, record(server.port) as rec, ThreadPoolExecutor(4) as talkers:
        list(talkers.map(talk, [rec.port] * 4))
    for conversation in rec.capture.conversations:
        assert [one.sender for one in conversation.messages] == ["client", "server"] * 4
        assert [one.kind for one in conversation.messages] == ["request", "response"] + ["frame"] * 6
        assert conversation.messages[2].payload == b"Hello"
    assert rec.capture is rec.capture and rec.capture.warnings == []
    assert odd(rec) == ""
    assert ends(seen(rec)).count((False, FIN)) == 4


def test_both_have_ended_and_one_still_has_bytes_to_come(listener: socket.socket, monkeypatch: MonkeyPatch) -> None:
    data, client_ended = os.urandom(1 << 20) * 24, threading.Event()
    note = tcp_proxy.TcpProxy._note

    def noted(self: tcp_proxy.TcpProxy, end: Any, kind: EventKind, data: bytes = b"") -> None:
        note(self, end, kind, data)
        if kind is EventKind.END and end.is_client:
            client_ended.set()

    monkeypatch.setattr(tcp_proxy, "ENOUGH", 2 * len(data))  # all of it waits in the relay
    monkeypatch.setattr(tcp_proxy.TcpProxy, "_note", noted)
    with record(listener.getsockname()[1]) as rec, joined(rec, listener) as (client, server):
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        assert background.wait(client_ended, LIMIT)
        server.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
        assert receive(server, len(data) + 1) == data
    assert ends(seen(rec)) == [(True, FIN), (False, FIN)]


BEGINNING = {"__enter__", "_steps", "start", "_open_sockets", "_wait_for_time_stamps"}
END = {"__exit__", "_halt", "stop", "close"}


@pytest.mark.parametrize("functions", [BEGINNING, END])
def test_an_interrupt_at_any_line_leaves_nothing(kernel: bool, functions: set[str]) -> None:
    """But for the first line of `__exit__`, before it has done anything: nothing written in Python could help there."""
    first = 1 if functions is BEGINNING else 2

    def use() -> None:
        with record(9, kernel=kernel):
            pass

    for line in itertools.count(first):
        _, interrupted = interrupted_at(line, lambda path, name: path.parent.name == "wire" and name in functions, use)
        assert not any(one.name in ("wsedu relay", "wsedu packets") for one in threading.enumerate()), line
        if not interrupted:
            break
    assert line > 8


# Packets from the kernel.


@pytest.fixture(scope="module")
def roomy(packets_allowed: None) -> None:
    with record(9, kernel=True) as rec:
        assert isinstance(rec, KernelRecording)
        size = rec._recorder.buffer_size()
    if size < packet_recorder.BUFFER:
        pytest.skip(f"without CAP_NET_ADMIN the kernel grants a buffer of {size >> 10:,} KiB: too small for this")


real = pytest.mark.usefixtures("packets_allowed")


def frame(number: int) -> bytes:
    return Frame(Opcode.TEXT, b"%d" % number, masking_key=b"key!").serialize()


def payloads(capture: Capture, sender: str = "client") -> list[bytes]:
    (conversation,) = capture.conversations
    return [one.payload for one in conversation.messages if one.kind == "frame" and one.sender == sender]


@real
def test_what_the_kernel_saw_and_what_the_relay_passed_on_are_the_same_messages() -> None:
    with websocket_server() as server, record(server.port, kernel=True) as kernel:
        with record(server.port) as passed:  # its connections to the server are what the kernel sees
            for _ in range(3):
                talk(passed.port)
    assert kernel.port == server.port != passed.port
    found, modelled = kernel.capture, passed.capture
    assert len(found.conversations) == 3
    for one, other in zip(found.conversations, modelled.conversations, strict=True):
        assert one.server == other.server == f"127.0.0.1:{server.port}"
        assert [(m.kind, m.sender, m.raw) for m in one.messages] == [(m.kind, m.sender, m.raw) for m in other.messages]
        assert len(one.messages) == 8
    assert found.warnings == modelled.warnings == [] and (found.modelled, modelled.modelled) == (False, True)
    assert "packets of the kernel's loopback" in repr(kernel) and "modelled" not in repr(found) + repr(kernel)
    assert "TCP/IP modelled by the relay" in repr(modelled)
    for capture in found, modelled:
        assert ("TCP/IP modelled by the relay" in str(byte_map(capture.packet(0)))) is capture.modelled


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
    assert [one.flags for one in seen(rec)][:3] == [SYN, SYN | ACK, ACK] and both_closed(seen(rec))
    assert max(len(packet.data) for packet in packets) > 1514, "loopback: nothing is cut to 1,500 bytes"
    # By the sequence numbers, as a busy machine sends a segment twice now and then.
    for sender in "client", "server":
        mine = [one for one in seen(rec) if one.from_client is (sender == "client")]
        size = sum(len(one.raw) for one in rec.capture.conversations[0].messages if one.sender == sender)
        assert (mine[-1].after - mine[0].after) % (1 << 32) == size + 1, "and the FIN"


def let_through(rec: Recording, then: Callable[[int], bool]) -> Mock:
    """Stands in for the socket that a recording sends its sentinels with; ``then`` is asked with their number."""
    assert isinstance(rec, KernelRecording)
    real = rec._recorder._sentinel
    socket_ = rec._recorder._sentinel = Mock()
    socket_.sendto.side_effect = lambda *sentinel: then(socket_.sendto.call_count) and real.sendto(*sentinel)
    return socket_


@pytest.mark.usefixtures("roomy")
@pytest.mark.parametrize("held", [False, True])
def test_a_burst_of_ten_thousand_messages(held: bool, listener: socket.socket, monkeypatch: MonkeyPatch) -> None:
    """Read while it comes, or only when it is over: then it has waited in the buffer."""
    burst_is_over = hold(monkeypatch, PacketRecorder, "_read") if held else threading.Event()
    with record(listener.getsockname()[1], kernel=True) as rec, joined(rec, listener, shaken=True) as (client, server):
        for number in range(10_000):
            client.sendall(frame(number))
            server.recv(100)
        burst_is_over.set()
    assert rec.capture.warnings == [] and rec.capture.complete
    assert payloads(rec.capture) == [b"%d" % number for number in range(10_000)]


@real
def test_what_does_not_fit_is_missed(listener: socket.socket, monkeypatch: MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(packet_recorder, "BUFFER", 1 << 14)
    reading = hold(monkeypatch, PacketRecorder, "_read")

    def full_at_first(count: int) -> bool:
        if count == 3:  # two were sent into a buffer that was full
            reading.set()
        return True

    with record(listener.getsockname()[1], kernel=True) as rec, joined(rec, listener, shaken=True) as (client, server):
        for number in range(500):
            client.sendall(frame(number))
            server.recv(100)
        sentinels = let_through(rec, full_at_first)
    assert sentinels.sendto.call_count >= 3
    assert not rec.capture.complete
    assert "the kernel dropped" in rec.capture.warnings[0] and "(16 KiB" in rec.capture.warnings[0]
    assert "NOT COMPLETE" in repr(rec) and "NOT COMPLETE" in repr(rec.capture)
    drawn = bars({"lossy": rec.capture.bill(), "mine": rec.capture.conversations[0].bill()})
    assert "Not complete, packets are missing: lossy, mine." in str(drawn)
    assert len(payloads(rec.capture)) < 500
    rec.save(tmp_path / "a.pcap")
    rec.capture.save(tmp_path / "b.pcap")
    for again in wsedu.read(tmp_path / "a.pcap"), wsedu.read(tmp_path / "b.pcap"):
        assert not again.complete and "the file ends" in again.warnings[-1]
        assert list(again.packets) == list(rec.capture.packets)


END_FAILS: dict[str, tuple[float, Any]] = {
    "the end of the recording was not seen": (0.0, lambda count: False),
    "the interface lo failed (is down)": (LIMIT, Mock(side_effect=OSError(101, "is down"))),
    "interrupted before the end": (LIMIT, Mock(side_effect=KeyboardInterrupt)),
}


@real
@pytest.mark.parametrize("said", END_FAILS)
def test_an_end_that_fails_is_said(said: str, listener: socket.socket, monkeypatch: MonkeyPatch) -> None:
    limit, then = END_FAILS[said]
    monkeypatch.setattr(packet_recorder, "LIMIT", limit)
    interrupted = pytest.raises(KeyboardInterrupt) if "interrupted" in said else contextlib.nullcontext()
    with interrupted, record(listener.getsockname()[1], kernel=True) as rec:
        let_through(rec, then)
    assert rec.capture.warnings == [f"not complete: {said}"]
    assert "NOT COMPLETE" in repr(rec)


@pytest.fixture
def asked(monkeypatch: MonkeyPatch) -> list[bool]:
    """The answers to whether a connection is half closed, as they are given."""
    answers, are_half_done = list[bool](), ClosingConnections.are_half_done

    def noted(self: ClosingConnections, packets: list[Packet]) -> bool:
        answers.append(are_half_done(self, packets))
        return answers[-1]

    monkeypatch.setattr(ClosingConnections, "are_half_done", noted)
    return answers


@real
def test_who_closes_last_is_given_time_to(listener: socket.socket, asked: list[bool]) -> None:
    def close_late() -> None:
        # When this is asked for the third time, the client's FIN has been acknowledged.
        deadline = time.monotonic() + LIMIT
        with listener.accept()[0]:
            while len(asked) < 3 and time.monotonic() < deadline:
                time.sleep(0.001)

    closer = threading.Thread(target=close_late, name="closer")
    closer.start()
    with record(listener.getsockname()[1], kernel=True) as rec:
        assert isinstance(rec, KernelRecording)
        rec._recorder._grace = LIMIT
        socket.create_connection(listener.getsockname(), LIMIT).close()
    closer.join()
    assert asked[0] and not asked[-1]
    assert both_closed(seen(rec))


@real
def test_a_connection_that_stays_open_is_not_waited_for(listener: socket.socket, asked: list[bool]) -> None:
    with contextlib.ExitStack() as open_still:
        with record(listener.getsockname()[1], kernel=True) as rec:
            open_still.enter_context(joined(rec, listener))
            with joined(rec, listener, shaken=True) as (_, server):
                reset(server)
            for who in (1, 0):  # nobody owes anybody anything after a reset, from whichever side
                with joined(rec, listener) as pair:
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
    with listener, websocket_server() as other, record(listener.getsockname()[1], kernel=True) as rec:
        listener.settimeout(LIMIT)
        with joined(rec, listener, shaken=True) as (client, _), socket.socket(family, socket.SOCK_DGRAM) as udp:
            client.sendall(frame(6))
            talk(other.port)
            udp.sendto(b"not TCP", (host, rec.port))
    (conversation,) = rec.capture.conversations
    assert conversation.server == (f"[{host}]" if ":" in host else host) + f":{rec.port}"
    assert payloads(rec.capture) == [b"6"]
    assert len({port for one in seen(rec) for port in (one.source[-2:], one.destination[-2:])}) == 2


@real
def test_it_begins_when_the_kernel_stamps_packets(listener: socket.socket, monkeypatch: MonkeyPatch) -> None:
    stamps, following = [3, 2, 1, 0], PacketRecorder._next

    def late(self: PacketRecorder) -> Packet | None:
        packet = following(self)
        if packet is None or not stamps:
            return packet
        return packet._replace(time=packet.time + stamps.pop(0) * 10**9)

    monkeypatch.setattr(PacketRecorder, "_next", late)
    with record(listener.getsockname()[1], kernel=True) as rec:
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
    rec = record(listener.getsockname()[1], "192.0.2.1", kernel=True)
    with pytest.raises(ValueError, match="host 192.0.2.1 is not this machine"), rec:
        pass


def test_only_linux(listener: socket.socket, monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(PermissionError, match="on Linux only.*leave kernel=True away"):
        with record(listener.getsockname()[1], kernel=True):
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
    done = python("-c", NOBODY, timeout=60)
    assert done.stderr == ""
    refusal, left_open, finding = done.stdout.splitlines()
    assert "CAP_NET_RAW" in refusal and "not permitted" in refusal
    for way_out in ("as root", "setcap", "virtual machine", "leave kernel=True away"):
        assert way_out in refusal
    assert left_open == "0"
    assert "works=False" in finding and "the relay" in finding
