# SPDX-License-Identifier: GPL-2.0-or-later
"""The network in memory: a socket there does what one of Linux does on loopback, and nothing else is opened."""

import errno
import select
import socket
import struct
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any

import pytest

from wsedu.live.memory import NETWORK, MemorySocket

HERE = "127.0.0.1"
SOON = 0.05  # seconds in which nothing is to come
NOT_LINGERING = struct.pack("ii", 1, 0)
REAL = socket.socket


class Net:
    """Sockets of one kind, all closed in the end, and what came of what was tried on them."""

    def __init__(self, memory: bool, opened: ExitStack) -> None:
        self._new: Any = MemorySocket if memory else REAL
        self.memory, self._opened, self.said = memory, opened, list[Any]()

    def new(self, timeout: float | None = 5) -> Any:
        made = self._opened.enter_context(self._new(socket.AF_INET, socket.SOCK_STREAM))
        made.settimeout(timeout)
        return made

    def listener(self, backlog: int = 10) -> Any:
        made = self.new()
        made.bind((HERE, 0))
        made.listen(backlog)
        return made

    def waiting(self, listener: Any) -> Any:
        """A client that nobody has accepted yet."""
        client = self.new()
        client.connect(listener.getsockname())
        return client

    def pair(self) -> tuple[Any, Any]:
        listener = self.listener()
        return self.waiting(listener), self.accept(listener)

    def accept(self, listener: Any) -> Any:
        accepted = self._opened.enter_context(listener.accept()[0])
        accepted.settimeout(5)
        return accepted

    def closed_port(self) -> tuple[str, int]:
        with self.listener() as one:
            return one.getsockname()  # type: ignore[no-any-return]

    def select(self, reads: list[Any], writes: list[Any], timeout: float = SOON) -> None:
        """Says at which places in the lists those are that need not wait."""
        found = (NETWORK.select if self.memory else lambda r, w, t: select.select(r, w, [], t)[:2])(
            reads, writes, timeout
        )
        self.said.append([[asked.index(one) for one in has] for asked, has in zip((reads, writes), found, strict=True)])

    def does(self, what: Callable[..., Any], *arguments: Any) -> None:
        """Says what a call gives, or raises."""
        try:
            self.said.append(what(*arguments))
        except OSError as error:
            self.said.append((type(error).__name__, error.errno and errno.errorcode[error.errno]))


def refused(net: Net) -> None:
    net.does(net.new().connect, net.closed_port())
    net.does(net.new().connect_ex, net.closed_port())
    late = net.new(0)
    net.does(late.connect_ex, net.closed_port())
    net.select([], [late])
    net.does(late.getsockopt, socket.SOL_SOCKET, socket.SO_ERROR)


def nothing_connected(net: Net) -> None:
    one = net.new()
    for what in (one.getsockname, one.getpeername):
        net.does(what)
    net.does(one.recv, 1)
    net.does(one.send, b"x")
    net.does(one.shutdown, socket.SHUT_WR)
    net.does(one.accept)


def connected_already(net: Net) -> None:
    client, server = net.pair()
    client.connect_ex(server.getsockname())  # after a connect that did not block, Linux says once that it was done
    net.does(client.connect, server.getsockname())
    net.does(client.connect_ex, server.getsockname())
    net.said.append(client.getpeername() == server.getsockname() and server.getpeername() == client.getsockname())


def closed_here(net: Net) -> None:
    client, server = net.pair()
    client.close()
    client.close()
    net.said.append(client.fileno())
    for what, *given in ((client.recv, 1), (client.send, b"x"), (client.shutdown, 1), (client.getpeername,)):
        net.does(what, *given)


def half_close(net: Net) -> None:
    client, server = net.pair()
    client.sendall(b"last")
    client.shutdown(socket.SHUT_WR)
    net.does(client.send, b"more")
    net.does(server.recv, 9)
    net.does(server.recv, 9)
    server.sendall(b"late")
    net.does(client.recv, 9)
    server.close()
    net.does(client.recv, 9)
    net.does(client.recv, 9)


def reads_no_more(net: Net) -> None:
    client, server = net.pair()
    client.shutdown(socket.SHUT_RD)
    net.does(client.recv, 9)
    server.settimeout(SOON)
    net.does(server.recv, 9)
    client.shutdown(socket.SHUT_RDWR)
    net.does(server.recv, 9)


def both_close(net: Net) -> None:
    client, server = net.pair()
    client.shutdown(socket.SHUT_WR)
    server.shutdown(socket.SHUT_WR)
    net.does(client.recv, 9)
    net.does(server.recv, 9)
    net.does(server.send, b"x")


def unread_bytes_reset(net: Net) -> None:
    client, server = net.pair()
    client.sendall(b"unread")
    server.sendall(b"read")
    server.close()
    net.does(client.recv, 9)
    net.does(client.recv, 9)
    net.does(client.recv, 9)
    net.does(client.send, b"x")


def unread_bytes_reset_a_sender(net: Net) -> None:
    client, server = net.pair()
    client.sendall(b"unread")
    server.close()
    net.does(client.send, b"x")
    net.does(client.send, b"x")
    net.does(client.recv, 9)


def not_lingering_resets(net: Net) -> None:
    client, server = net.pair()
    server.sendall(b"before")
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NOT_LINGERING)
    server.close()
    net.select([client], [client])
    net.does(client.getsockopt, socket.SOL_SOCKET, socket.SO_ERROR)
    net.does(client.recv, 9)
    net.does(client.recv, 9)
    net.does(client.shutdown, socket.SHUT_WR)


def a_reset_is_told_once(net: Net) -> None:
    client, server = net.pair()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NOT_LINGERING)
    server.close()
    net.does(client.recv, 9)
    net.does(client.recv, 9)
    net.does(client.send, b"x")
    net.does(client.getpeername)


def sent_to_one_that_has_closed(net: Net) -> None:
    client, server = net.pair()
    server.close()
    net.does(client.recv, 9)
    net.does(client.send, b"x")
    net.does(client.send, b"x")
    net.does(client.recv, 9)


def sent_to_one_that_has_closed_after_bytes(net: Net) -> None:
    client, server = net.pair()
    server.sendall(b"bye")
    server.close()
    net.does(client.send, b"x")
    net.does(client.recv, 9)
    net.does(client.recv, 9)


def timeouts(net: Net) -> None:
    client, server = net.pair()
    listener = net.listener()
    for seconds in (SOON, 0):
        for one in (client, listener):
            one.settimeout(seconds)
            net.said.append(one.gettimeout())
        net.does(client.recv, 1)
        net.does(listener.accept)
    client.setblocking(True)
    net.said.append(client.gettimeout())
    net.does(client.recv, 1, socket.MSG_DONTWAIT)


def a_sender_that_does_not_wait(net: Net) -> None:
    client, server = net.pair()
    client.setblocking(False)
    sent = 0
    with suppress(BlockingIOError):
        while True:
            sent += client.send(bytes(100_001))
    net.does(client.send, b"x")
    net.select([], [client])
    client.settimeout(SOON)
    net.does(client.sendall, b"x")
    client.shutdown(socket.SHUT_WR)
    came = 0
    while data := server.recv(1 << 20):
        came += len(data)
    net.said.append(came == sent > 100_001)


def there_is_room_again(net: Net) -> None:
    client, server = net.pair()
    client.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            client.send(bytes(100_001))
    server.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            server.recv(1 << 20)
    net.select([server], [client, server])


def kinds_of_bytes(net: Net) -> None:
    client, server = net.pair()
    for data in (bytearray(b"ab"), memoryview(b"abcd")[1:3], memoryview(b"abcdefgh").cast("I"), b""):
        net.does(client.send, data)
    net.does(client.sendall, memoryview(b"12345678").cast("I"))
    room = bytearray(7)
    net.does(server.recv, 3, socket.MSG_PEEK)
    net.does(server.recv_into, room)
    net.does(server.recv_into, room, 3)
    net.said.append(bytes(room))
    net.does(server.recv_into, memoryview(room)[5:], 2, socket.MSG_PEEK)
    net.does(server.recv, 100)
    net.said.append(bytes(room))


def selected(net: Net) -> None:
    listener = net.listener()
    net.select([listener], [])
    client = net.waiting(listener)
    net.select([listener], [client])
    server = net.accept(listener)
    net.select([client, server, listener], [client, server])
    client.send(b"x")
    net.select([client, server], [])
    net.does(server.recv, 1)
    client.close()
    net.select([server], [server])


def port_in_use(net: Net) -> None:
    listener, bound = net.listener(), net.new()
    bound.bind((HERE, 0))
    for one in (listener, bound):
        net.does(net.new().bind, one.getsockname())
    net.does(net.new().connect, bound.getsockname())
    net.does(bound.bind, (HERE, 0))
    address = listener.getsockname()
    listener.close()
    net.does(net.new().bind, address)
    net.does(bound.listen)
    net.does(net.new().connect, bound.getsockname())


def accepted_after_the_client_has_closed(net: Net) -> None:
    listener = net.listener()
    client = net.waiting(listener)
    client.sendall(b"hello")
    client.close()
    server = net.accept(listener)
    net.does(server.recv, 9)
    net.does(server.recv, 9)


def accepted_after_the_client_has_reset(net: Net) -> None:
    listener = net.listener()
    client = net.waiting(listener)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NOT_LINGERING)
    client.close()
    net.select([listener], [])
    server = net.accept(listener)
    net.does(server.recv, 9)
    net.does(server.recv, 9)


def nobody_accepts_before_the_end(net: Net) -> None:
    listener = net.listener()
    client = net.waiting(listener)
    client.sendall(b"hello")
    listener.close()
    net.does(client.recv, 9)


def more_clients_than_the_backlog(net: Net) -> None:
    listener = net.listener(backlog=1)
    for _ in range(2):
        net.waiting(listener)
    late = net.new(SOON)
    net.does(late.connect, listener.getsockname())
    later = net.new(0)
    net.does(later.connect_ex, listener.getsockname())
    net.select([], [later])
    net.does(later.send, b"x")
    for _ in range(2):
        net.accept(listener)
    net.select([], [later], 5)
    net.does(later.getsockopt, socket.SOL_SOCKET, socket.SO_ERROR)


DIALOGUES = (
    refused, nothing_connected, connected_already, closed_here, half_close, reads_no_more, both_close,
    unread_bytes_reset, unread_bytes_reset_a_sender, not_lingering_resets, a_reset_is_told_once,
    sent_to_one_that_has_closed, sent_to_one_that_has_closed_after_bytes, timeouts, a_sender_that_does_not_wait,
    there_is_room_again, kinds_of_bytes, selected, port_in_use, accepted_after_the_client_has_closed,
    accepted_after_the_client_has_reset, nobody_accepts_before_the_end, more_clients_than_the_backlog,
)  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="sockets in memory are those of Linux")
@pytest.mark.parametrize("dialogue", DIALOGUES, ids=lambda dialogue: dialogue.__name__)
def test_a_socket_in_memory_does_what_a_real_one_does(dialogue: Callable[[Net], None]) -> None:
    said = []
    for memory in (False, True):
        with ExitStack() as opened:
            net = Net(memory, opened)
            dialogue(net)
            said.append(net.said)
    assert said[1] == said[0] != []
