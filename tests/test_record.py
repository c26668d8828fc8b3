# SPDX-License-Identifier: GPL-2.0-or-later
"""The relay: what passes is what was sent, what was seen is written down, and nothing is left behind.

Most tests play both the client and the server by hand, on bare sockets, so that nothing in them depends on who is
scheduled when.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from by_hand import TcpPacket, packets_in, tcp_packets, warnings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.sync.client import connect

import wsedu
from wsedu.live import websocket_server
from wsedu.wire import tcp_proxy
from wsedu.wire.packet_model import EventKind
from wsedu.wire.packets import ACK, FIN, RST, SYN
from wsedu.wire.pcapfile import write_capture
from wsedu.wire.recording import Recording, RelayRecording, record

LIMIT = 10  # seconds, after which a test that waits has failed


pytestmark = pytest.mark.usefixtures("nothing_left_open")


@pytest.fixture(params=[False, True], ids=["relay", "kernel"])
def kernel(request: pytest.FixtureRequest) -> bool:
    if request.param:
        request.getfixturevalue("packets_allowed")
    return bool(request.param)


def port_of(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


@contextlib.contextmanager
def joined(rec: Recording, listener: socket.socket) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A client and a server, connected to each other through the relay."""
    with socket.create_connection(("127.0.0.1", rec.port), LIMIT) as client:
        server, _ = listener.accept()
        with server:
            server.settimeout(LIMIT)
            yield client, server


def receive(end: socket.socket, count: int) -> bytes:
    data = bytearray()
    while len(data) < count and (piece := end.recv(1 << 20)):
        data += piece
    return bytes(data)


def saved(rec: Recording, folder: Path) -> Path:
    path = folder / "recording.pcap"
    rec.save(path)
    return path


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


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.booleans(), st.binary(min_size=1, max_size=4000)), max_size=20))
def test_the_bytes_are_the_same(listener: socket.socket, spoken: list[tuple[bool, bytes]]) -> None:
    with record(port_of(listener)) as rec, joined(rec, listener) as (client, server):
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
            with record(port_of(listener)) as rec:
                client = clients.enter_context(socket.create_connection(("127.0.0.1", rec.port), LIMIT))
                client.sendall(b"x" * 100_000)
            assert sent(seen(rec), True) == b"x" * 100_000


def test_a_server_that_closes_after_its_client_is_waited_for(listener: socket.socket) -> None:
    served = threading.Thread(target=lambda: echo_until_the_end(listener), name="server")
    served.start()
    with record(port_of(listener)) as rec, socket.create_connection(("127.0.0.1", rec.port), LIMIT) as client:
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
def test_a_connection_that_is_open_at_the_end_is_recorded_as_open(
    listener: socket.socket, half_closed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tcp_proxy, "PATIENCE", 0.05)  # or the end of the server would be waited for longer
    with contextlib.ExitStack() as connection:
        with record(port_of(listener)) as rec:
            client, server = connection.enter_context(joined(rec, listener))
            client.sendall(b"hello")
            if half_closed:
                client.shutdown(socket.SHUT_WR)
        assert ends(seen(rec)) == [(True, FIN)] * half_closed
        assert client.recv(1) == b""  # and then it is closed
        assert receive(server, 6) == b"hello"


@pytest.mark.parametrize("by_client", [True, False])
def test_a_half_close(listener: socket.socket, by_client: bool, kernel: bool) -> None:
    with record(port_of(listener), kernel=kernel) as rec, joined(rec, listener) as pair:
        first, second = pair if by_client else reversed(pair)
        first.sendall(b"that is all")
        first.shutdown(socket.SHUT_WR)
        assert receive(second, 99) == b"that is all"  # until the end, which therefore was passed on
        second.sendall(b"not from me")
        assert receive(first, 11) == b"not from me"
        second.shutdown(socket.SHUT_WR)
        assert first.recv(1) == b""
    packets = seen(rec)
    assert ends(packets) == [(by_client, FIN), (not by_client, FIN)]
    assert sent(packets, not by_client) == b"not from me"


@pytest.mark.parametrize("by_client", [True, False])
def test_a_reset(listener: socket.socket, by_client: bool, tmp_path: Path) -> None:
    with record(port_of(listener)) as rec, joined(rec, listener) as pair:
        first, second = pair if by_client else reversed(pair)
        first.sendall(b"last words")
        reset(first)
        with pytest.raises(ConnectionResetError):
            assert receive(second, 10) == b"last words"
            second.recv(1)
    packets = seen(rec)
    assert sent(packets, by_client) == b"last words"
    assert ends(packets) == [(by_client, RST)]
    assert warnings(saved(rec, tmp_path)) == "Connection reset (RST)\n"  # it was one; nothing else is odd


def test_a_server_that_has_broken_off_before_the_relay_looks(listener: socket.socket) -> None:
    """The relay is made to wait with its first look at the new connection until all is over."""
    over = threading.Event()
    with pytest.MonkeyPatch.context() as patched:
        decided = tcp_proxy.TcpProxy._decided

        def late(self: tcp_proxy.TcpProxy, server: Any) -> None:
            over.wait(LIMIT)
            decided(self, server)

        patched.setattr(tcp_proxy.TcpProxy, "_decided", late)
        with record(port_of(listener)) as rec, joined(rec, listener) as (client, server):
            server.sendall(b"last words")
            reset(server)
            over.set()
            assert receive(client, 10) == b"last words"
            with pytest.raises(ConnectionResetError):
                client.recv(1)
    assert sent(seen(rec), False) == b"last words"
    assert ends(seen(rec)) == [(False, RST)]


def reset(end: socket.socket) -> None:
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()


def test_both_ends_break_off_before_the_relay_looks(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """One RST closes both sockets of the relay, also the one whose own RST is still to be looked at in that round."""
    hold, over, wait = threading.Event(), threading.Event(), tcp_proxy.TcpProxy._wait

    def late(self: tcp_proxy.TcpProxy) -> Any:
        ready = wait(self)
        if hold.is_set():
            hold.clear()
            over.wait(LIMIT)
            ready = self._selector.select(0)
            assert len(ready) >= 2  # both ends, and the stop if the block is over by now
        return ready

    monkeypatch.setattr(tcp_proxy.TcpProxy, "_wait", late)
    with record(port_of(listener)) as rec, joined(rec, listener) as (client, server):
        client.sendall(b"here")
        assert receive(server, 4) == b"here"
        hold.set()
        reset(client)
        reset(server)
        over.set()
    assert len(ends(seen(rec))) == 1 and rec.capture.complete


def test_a_reset_that_shows_only_when_something_is_sent(listener: socket.socket) -> None:
    with record(port_of(listener)) as rec, joined(rec, listener) as (client, server):
        client.shutdown(socket.SHUT_WR)
        assert server.recv(1) == b""
        client.close()  # from now on whatever comes is answered with a reset
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            while True:  # how much fits into the sockets between before that is the kernel's business
                server.sendall(bytes(100_000))
    assert ends(seen(rec)) == [(True, FIN), (True, RST)]


def test_a_server_that_refuses() -> None:
    closed = free_port()
    with record(closed) as rec, pytest.raises(ConnectionResetError):
        with socket.create_connection(("127.0.0.1", rec.port), LIMIT) as client:
            client.recv(1)
    assert [(one.from_client, one.flags) for one in seen(rec)] == [(True, SYN), (False, RST | ACK)]
    assert "1 connection (1 refused: no server listens there), 0 bytes from clients" in repr(rec)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        return port_of(unused)


def test_fifty_connections_at_once(listener: socket.socket) -> None:
    with record(port_of(listener)) as rec, contextlib.ExitStack() as connections:
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
    with record(port_of(listener)) as rec, joined(rec, listener) as (client, server):
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
def test_an_exception_in_the_block_leaves_nothing_behind(
    listener: socket.socket, error: type[BaseException], kernel: bool
) -> None:
    with pytest.raises(error), record(port_of(listener), kernel=kernel) as rec:
        with joined(rec, listener) as (client, _):
            client.sendall(b"until here")
            raise error
    assert sent(seen(rec), True) == b"until here" and rec.capture.complete


def test_when_the_relay_itself_fails_the_end_of_the_block_says_so(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_more_sockets(self: Any, server: Any, noted: bool) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(tcp_proxy.TcpProxy, "_break", no_more_sockets)
    closed = free_port()
    with pytest.raises(RuntimeError, match="the recording broke off early: .*Too many open files"):
        with record(closed) as rec, socket.create_connection(("127.0.0.1", rec.port), LIMIT) as client:
            assert client.recv(1) == b""
    assert [one.flags for one in seen(rec)] == [SYN]


NO_PORTS, NO_NUMBERS = (0, -1, 65536, 10**9), ("8765", None, 8765.0, True)


@pytest.mark.parametrize(
    ("port", "host", "error", "said"),
    [
        *((port, "::", ValueError, f"port must be from 1 to 65535, got {port}") for port in NO_PORTS),
        *((port, "::", TypeError, "port must be a number from 1") for port in NO_NUMBERS),
        (8765, "::1", ValueError, "host '::1' has no IPv4 address"),
        (8765, 80, TypeError, "host: expected str; found int: 80"),
    ],
)
def test_where_no_server_can_be(port: Any, host: Any, error: type[Exception], said: str) -> None:
    for kernel in (False, True):
        with pytest.raises(error, match=said):
            record(port, host, kernel=kernel)


def test_things_done_too_early_or_twice(listener: socket.socket, tmp_path: Path) -> None:
    rec = record(port_of(listener))
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
    with record(port_of(listener)) as rec, joined(rec, listener):
        pass
    rec.save(tmp_path / "own.pcap")
    wsedu.read(tmp_path / "own.pcap").save(tmp_path / "again.pcap")
    for name in ("own.pcap", "again.pcap"):
        saved = wsedu.read(tmp_path / name)
        assert saved.modelled and "TCP/IP modelled by the relay" in repr(saved)
        assert saved.bill().modelled
    for path in (Path(__file__).parent.parent / "data").glob("*.pcap*"):
        assert not wsedu.read(path).modelled


def test_tshark_finds_no_error_and_no_warning(tmp_path: Path) -> None:
    with websocket_server() as server, record(server.port) as rec:
        talkers = [threading.Thread(target=talk, args=(rec.port,), name="talker") for _ in range(4)]
        for one in talkers:
            one.start()
        for one in talkers:
            one.join()
    for conversation in rec.capture.conversations:
        assert [one.sender for one in conversation.messages] == ["client", "server"] * 4
        assert [one.kind for one in conversation.messages] == ["request", "response"] + ["frame"] * 6
        assert conversation.messages[2].payload == b"Hello"
    assert rec.capture is rec.capture and rec.capture.warnings == []
    path = saved(rec, tmp_path)
    assert warnings(path) == ""
    assert ends(seen(rec)).count((False, FIN)) == 4


def test_both_have_ended_and_one_still_has_bytes_to_come(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, client_ended = os.urandom(1 << 20) * 24, threading.Event()
    note = tcp_proxy.TcpProxy._note

    def noted(self: tcp_proxy.TcpProxy, end: Any, kind: EventKind, data: bytes = b"") -> None:
        note(self, end, kind, data)
        if kind is EventKind.END and end.is_client:
            client_ended.set()

    monkeypatch.setattr(tcp_proxy, "ENOUGH", 2 * len(data))  # all of it waits in the relay
    monkeypatch.setattr(tcp_proxy.TcpProxy, "_note", noted)
    with record(port_of(listener)) as rec, joined(rec, listener) as (client, server):
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        assert client_ended.wait(LIMIT)
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
    for line in itertools.count(first):
        rec, left = record(9, kernel=kernel), line

        def trace(frame: FrameType, event: str, argument: object) -> Any:
            nonlocal left
            if Path(frame.f_code.co_filename).parent.name != "wire" or frame.f_code.co_name not in functions:
                return None
            left -= event == "line"
            if event == "line" and left == 0:
                raise KeyboardInterrupt
            return trace

        traced = sys.gettrace()
        sys.settrace(trace)
        with contextlib.suppress(KeyboardInterrupt), rec:
            pass
        sys.settrace(traced)
        assert not any(one.name in ("wsedu relay", "wsedu packets") for one in threading.enumerate()), line
        if left > 0:  # it has no line of that number
            break
    assert line > 8
