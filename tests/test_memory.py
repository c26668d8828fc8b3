# SPDX-License-Identifier: GPL-2.0-or-later
"""The network in memory: a socket there does what one of Linux does on loopback, and nothing else is opened."""

import errno
import os
import random
import select
import socket
import ssl
import struct
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any

import pytest
from programs import ROOT, nbval, python

from wsedu.live.certificate import tls_contexts
from wsedu.live.news_server import WAYS
from wsedu.memory import NETWORK, MemorySocket
from wsedu.memory_tls import MemoryTlsSocket

MEMORY = os.environ | {"WSEDU_NETWORK": "memory"}
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

    def tls_pair(self) -> tuple[Any, Any]:
        """A client and a server that have shaken hands, and do not wait."""
        at_server, at_client = tls_contexts()
        plain, other = self.pair()
        client, server = self.tls(plain, at_client, server_hostname=HERE), self.tls(other, at_server, server_side=True)
        shaking = [client, server]
        while shaking:
            with suppress(ssl.SSLWantReadError):
                shaking[0].do_handshake()
                del shaking[0]
            shaking.reverse()
        server.sendall(b"!")
        client.settimeout(5)
        client.recv(1)  # what was before it are tickets
        client.settimeout(0)
        return client, server

    def tls(self, plain: Any, context: ssl.SSLContext, **options: Any) -> Any:
        """One end, which does not wait."""
        plain.settimeout(0)
        context.sslsocket_class = MemoryTlsSocket  # type: ignore  # leaves a socket of the system to the class of that
        return self._opened.enter_context(context.wrap_socket(plain, do_handshake_on_connect=False, **options))

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
    net.does(client.sendmsg, [b"", b"9", memoryview(b"abc")[1:]])
    room = bytearray(7)
    net.does(server.recv, 3, socket.MSG_PEEK)
    net.does(server.recv_into, room)
    net.does(server.recv_into, room, 3)
    net.said.append(bytes(room))
    net.does(server.recv_into, memoryview(room)[5:], 2, socket.MSG_PEEK)
    net.does(server.recv, 100)
    net.said.append(bytes(room))


def as_a_file(net: Net) -> None:
    client, server = net.pair()
    client.sendall(b"one\ntwo\n")
    with client.makefile("rb") as answer, server.makefile("rb") as lines:
        server.close()
        net.does(lines.readline)
        client.close()
        net.does(lines.read)
        net.said.append([one.fileno() > 0 for one in (answer, client, server)])
    net.said.append([client.fileno(), server.fileno()])


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


def over_tls(net: Net) -> None:
    client, server = net.tls_pair()
    net.does(client.selected_alpn_protocol)
    net.does(client.recv, 1)
    net.select([client], [])
    server.sendall(b"one")
    server.sendall(b"another")
    for size in 2, 4:
        net.select([client], [])
        net.does(client.recv, size)
        net.does(client.pending)
        net.does(client.recv, 9)
    server.close()
    net.select([client], [])
    net.does(client.recv, 9)


def over_tls_what_is_no_record(net: Net) -> None:
    context = tls_contexts()[0]
    for sent, times in (b"GET / HTTP/1.1\r\n\r\n", 1), (b"\x16\x03", 2):
        client, server = net.pair()
        server = net.tls(server, context, server_side=True)
        client.sendall(sent)
        for _ in range(times):
            net.select([server], [])
            net.does(server.do_handshake)
            client.shutdown(socket.SHUT_WR)


def over_tls_that_fails_at_once(net: Net) -> None:
    (client, server), context = net.pair(), tls_contexts()[1]
    context.sslsocket_class = MemoryTlsSocket  # type: ignore
    server.sendall(b"GET / HTTP/1.1\r\n\r\n")
    net.does(lambda: context.wrap_socket(client, server_hostname=HERE))
    net.said.append(client.fileno())


def over_tls_a_sender_that_does_not_wait(net: Net) -> None:
    client, server = net.tls_pair()
    sent, again, came, data = 0, 0, bytearray(), random.Random(1).randbytes(100_001)
    with suppress(ssl.SSLWantWriteError):
        while True:
            sent += client.send(data)
    while len(came) < sent + len(data):
        with suppress(ssl.SSLWantReadError):
            while True:
                came += server.recv(1 << 20)
        with suppress(ssl.SSLWantWriteError):
            again = again or client.send(data)  # the same again, as OpenSSL wants it
    net.said.append((again, bytes(came) == data * (sent // len(data) + 1)))


DIALOGUES = (
    refused, nothing_connected, connected_already, closed_here, half_close, reads_no_more, both_close,
    unread_bytes_reset, unread_bytes_reset_a_sender, not_lingering_resets, a_reset_is_told_once,
    sent_to_one_that_has_closed, sent_to_one_that_has_closed_after_bytes, timeouts, a_sender_that_does_not_wait,
    there_is_room_again, kinds_of_bytes, as_a_file, selected, port_in_use, accepted_after_the_client_has_closed,
    accepted_after_the_client_has_reset, nobody_accepts_before_the_end, more_clients_than_the_backlog,
    over_tls, over_tls_what_is_no_record, over_tls_that_fails_at_once,
    over_tls_a_sender_that_does_not_wait,
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


def in_memory(*arguments: Any, **options: Any) -> str:
    done = python(*arguments, env=MEMORY, cwd=ROOT, **options)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


# The same tests, in memory: the relay, servers, news. Left out is what takes real sockets as such, above all packets
# of the kernel.
SAME = " and ".join(
    f"not {word}"
    for word in (
        "kernel", "burst", "what_does_not_fit", "only_tcp", "each_packet", "closes_last", "stays_open", "counted",
        "end_that_fails", "only_this_machine", "only_linux", "who_may_not"
    )
)  # fmt: skip
FEW = "half_close or under_way_at or accept_value or http_pages or release or without_news or of_a_flood"


@pytest.mark.parametrize("few", [True, pytest.param(False, marks=pytest.mark.slow)], ids=["few", "all"])
def test_the_same_tests_in_memory(few: bool) -> None:
    which = f"({FEW}) and {SAME}" if few else SAME
    files = (f"tests/test_{name}.py" for name in ("record", "live", "news"))
    in_memory("-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-m", "not slow", "-k", which, *files)


# As in a browser's tab: no socket, no thread, and a loop of the notebook's own that goes on between two cells.
WITHOUT = """
import asyncio, sys, threading
from itertools import product
kernel = asyncio.SelectorEventLoop()
import httpx, wsedu
from websockets.sync.client import connect
from wsedu.lab import _in_background, _send_request, delivery_race, send_frame
from wsedu.live import deliver, fixed, http_server, websocket_server
from wsedu.practice.limit import Limit

def refuse(*said):  # a tab's resolver has another address for each name
    if said[0] in ("socket.bind", "socket.connect", "socket.sendto") or said[1][:1] == ("localhost",):
        raise PermissionError(said)
def no_thread(self):
    raise RuntimeError("can't start new thread")
sys.addaudithook(refuse)
threading.Thread.start = no_thread

with websocket_server(greeting="hi") as server, wsedu.record(server.port) as rec:
    with connect(f"ws://localhost:{rec.port}") as client:
        client.send("Hello")
        print(client.recv(), client.recv())
print(*[message.kind for message in rec.capture.conversations[0].messages])
with http_server() as server:
    print(httpx.get(f"http://localhost:{server.port}/hello").text, end="")
for way, carrier in product(("polling", "longpoll", "eventsource", "websocket"), ("plain", "tls", "h2")):
    done = deliver(way, fixed(0.01, 3), poll_gap=0.01, carrier=carrier)
    print(way, carrier, len(done.delays), done.lost, done.doubled)
with Limit() as limit:
    print(limit.call(lambda: "exercise"))

async def page():
    said = []
    _in_background(send_frame)(wsedu.Frame(1, b"Hello", masking_key=b"key!").serialize(), said.append)
    _in_background(_send_request)(b"BREW / HTTP/1.1" + 2 * bytes([13, 10]), said.append)
    race = delivery_race()
    race.chosen = {**race.chosen, "updates": 3, "rate": 20.0}
    race.start()
    while race.running or len(said) < 2:
        await asyncio.sleep(0.05)
    race.look()
    print(*[{name: answer[:15] for name, (_, answer) in one.items()} for one in said])
    print(race.now["state"], [way["received"] for way in race.now["ways"]])
kernel.run_until_complete(page())
"""


def test_no_socket_and_no_thread_is_needed() -> None:
    assert in_memory("-c", WITHOUT).splitlines() == [
        "hi Hello",
        "request response frame frame frame frame frame",
        "Hello",
        *(f"{way} {carrier} 3 0 0" for way in WAYS for carrier in ("plain", "tls", "h2")),
        "exercise",
        "{'websockets': b'\\x81\\x05Hello', 'Tornado': b'\\x81\\x05Hello'} {'websockets': b'HTTP/1.1 405 Me'}",
        "Finished [3, 3, 3, 3]",
    ]


CANNOT = {
    "wsedu.record(80, kernel=True)": "record(kernel=True)",
    "program('node', ['node'], lambda: 0).__enter__()": "node",
}


def test_what_cannot_be_in_memory_says_what_it_needs() -> None:
    tried = "".join(
        f"try: {what}\nexcept RuntimeError as error: print(error)\nelse: print('no error')\n" for what in CANNOT
    )
    said = in_memory("-c", f"import wsedu\nfrom wsedu.live.program import program\n{tried}").splitlines()
    needed = "needed are sockets, threads or programs of the system, and WSEDU_NETWORK=memory keeps to memory"
    assert said == [f"{what} cannot run here: {needed}" for what in CANNOT.values()]


def test_another_network_is_not_known() -> None:
    done = python("-c", "import wsedu", env=os.environ | {"WSEDU_NETWORK": "memroy"}, cwd=ROOT)
    assert done.stderr.endswith("WSEDU_NETWORK must be memory or sockets (the default), not 'memroy'\n")


@pytest.mark.slow
@pytest.mark.parametrize("number", [f"{number:02}" for number in (*range(11), *range(12, 16))])
def test_a_notebook_runs_in_memory(number: str) -> None:
    done = nbval(ROOT, *(ROOT / "notebooks").glob(f"{number}-*.ipynb"), env=MEMORY)
    assert done.returncode == 0, done.stdout[-4000:]
