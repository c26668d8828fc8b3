# SPDX-License-Identifier: GPL-2.0-or-later
"""A network in memory, for where there are no sockets and no threads: a browser tab, a sandbox.

A socket is a queue of bytes. Servers and clients are the same as ever, on event loops of asyncio; what differs is who
runs them. There is one thread, so whoever waits for bytes runs all others until the bytes are there: a cell that waits
for a response runs the server that gives it, and the relay between the two. ``install`` puts these sockets in the place
of the real ones, and this kind of background in that of threads.

Sockets behave as those of Linux on loopback: what is sent can be read at once, a connection is there before it is
accepted, closing with unread bytes resets (RFC 9293, 3.6.1).
"""

import asyncio
import errno
import os
import select
import selectors
import socket
import ssl
import sys
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from typing import Any, TypeVar

import websockets.asyncio.client
import websockets.sync.client
from websockets.exceptions import ConnectionClosedOK

from .wire import background

Done = TypeVar("Done")
Address = tuple[str, int]
HERE = "127.0.0.1"
ROOM = 1 << 18  # bytes that wait for a reader; then the sender waits too
NAP = 0.05  # seconds that nothing is looked at, at most, when there is nothing to do
TURNS = 100  # in which the others are through with what is there, whoever does not want to wait
EPHEMERAL, PORTS = 40_000, 25_000  # the first port for whoever asks for none, and how many there are

# What a browser's Python does not know of sockets; nothing looks at the numbers here but this module.
MISSING = {"SO_REUSEADDR": 2, "SO_TYPE": 3, "SO_ERROR": 4, "SO_KEEPALIVE": 9, "SO_LINGER": 13, "IPV6_V6ONLY": 26,
           "TCP_NODELAY": 1, "SOMAXCONN": 4096, "MSG_DONTWAIT": 64, "has_ipv6": True}  # fmt: skip

_REAL_SOCKET, _real_select, _real_getaddrinfo = socket.socket, select.select, socket.getaddrinfo


class Network:
    """All sockets, and all that runs in the background."""

    def __init__(self) -> None:
        self.sockets: dict[int, MemorySocket] = {}
        self.bound: dict[tuple[int, bool], MemorySocket] = {}  # by their ports, and whether they are of IPv6
        self.running: list[MemoryBackground] = []
        self._pumping = False
        self._ports = self._numbers = 0

    def new_port(self) -> int:
        """A port that nobody listens on."""
        while True:
            self._ports += 1
            port = EPHEMERAL + self._ports % PORTS
            if (port, False) not in self.bound and (port, True) not in self.bound:
                return port

    def new_number(self) -> int:
        """A file number that no file of the system has."""
        self._numbers += 1
        return (1 << 20) + self._numbers

    def wait(self, ready: Callable[[], Any], timeout: float | None) -> bool:
        """Run what is in the background until something is so, or ``timeout`` seconds are over; whether it is so."""
        end, turns = None if timeout is None else time.monotonic() + timeout, TURNS
        while not ready():
            moved = self.step()
            left = NAP if end is None else end - time.monotonic()
            if left <= 0 and not (moved and timeout == 0 and (turns := turns - 1)):
                return bool(ready())
            if not moved:
                due = (each.due() for each in self.running if not each.busy)
                pause(max(0.0, min(left, NAP, *due)))
        return True

    def pump(self) -> None:
        """From here on a loop that is not ours, a notebook's, runs what is in the background between two cells."""
        with suppress(RuntimeError):
            loop = asyncio.get_running_loop()
            if not self._pumping and not isinstance(loop, MemoryLoop):
                self._pumping = True
                loop.call_soon(self._pump, loop)

    def _pump(self, loop: asyncio.AbstractEventLoop) -> None:
        self._pumping = bool(self.running)
        if self._pumping:
            moved, due = self.step(), (each.due() for each in self.running)
            loop.call_later(0 if moved else max(0.0, min(NAP, *due, NAP)), self._pump, loop)

    def step(self) -> bool:
        """Let each that runs in the background, and does not wait for us, do what it can; whether any did."""
        moved = False
        for each in tuple(self.running):
            if not each.busy and each.due() <= 0:
                each.step()
                moved = True
        return moved

    def ready(self, reads: Iterable[Any], writes: Iterable[Any]) -> tuple[list[Any], list[Any]]:
        """Those of the sockets, or their numbers, that can be read, and those that can be written."""
        can_read = [one for one in reads if self._of(one).readable()]
        return can_read, [one for one in writes if self._of(one).writable()]

    def select(self, reads: Any, writes: Any, timeout: float | None) -> tuple[list[Any], list[Any]]:
        """The same, as soon as there is one, or after ``timeout`` seconds."""
        if timeout != 0 or not any(each.busy for each in self.running):
            self.wait(lambda: any(self.ready(reads, writes)), timeout)
        return self.ready(reads, writes)

    def knows(self, one: Any) -> bool:
        """Whether it is a socket in memory, or the number of one."""
        return one in self.sockets if isinstance(one, int) else isinstance(one, MemorySocket)

    def _of(self, one: Any) -> "MemorySocket":
        return self.sockets[one if isinstance(one, int) else one.fileno()]

    def run(self, work: Coroutine[Any, Any, Done]) -> Done:
        """Run a coroutine to its end, whatever loop is running already."""
        with _Suspended(), asyncio.Runner(loop_factory=MemoryLoop) as runner:
            return runner.run(work)


NETWORK = Network()


def pause(seconds: float) -> None:
    """Sleep. In a browser nobody wakes whoever sleeps, so there it waits."""
    if sys.platform != "emscripten":
        time.sleep(seconds)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


class _Suspended:
    """While the block runs no loop is running: so that another can."""

    def __enter__(self) -> None:
        self._loop, self._task = asyncio._get_running_loop(), None
        if self._loop is not None and sys.version_info >= (3, 12):
            self._task = asyncio.tasks._swap_current_task(self._loop, None)
        asyncio._set_running_loop(None)

    def __exit__(self, *raised: object) -> None:
        asyncio._set_running_loop(self._loop)
        if self._loop is not None and sys.version_info >= (3, 12):
            asyncio.tasks._swap_current_task(self._loop, self._task)


class MemorySelector(selectors.SelectSelector):
    """Looks at sockets in memory."""

    _readers: set[int]
    _writers: set[int]

    def _select(self, reads: Any, writes: Any, _: Any, timeout: float | None = None) -> Any:
        return *NETWORK.select(reads, writes, timeout), []


class MemoryLoop(asyncio.SelectorEventLoop):
    """asyncio's own loop, on sockets in memory."""

    _ready: Any  # what it has to do now, and what it has to do later, of asyncio.base_events
    _scheduled: Any

    def __init__(self) -> None:
        self._sockets = MemorySelector()
        super().__init__(self._sockets)

    def _make_self_pipe(self) -> None:
        real = socket.socketpair
        socket.socketpair = socketpair  # type: ignore[assignment]
        try:
            super()._make_self_pipe()  # type: ignore[misc]
        finally:
            socket.socketpair = real

    async def getaddrinfo(self, *asked: Any, **options: Any) -> Any:
        """What is asked for, without a thread."""
        return socket.getaddrinfo(*asked, **options)

    def due(self) -> float:
        """Seconds until it has something to do, as far as it knows."""
        if self._ready or any(NETWORK.ready(self._sockets._readers, self._sockets._writers)):
            return 0.0
        return max(0.0, self._scheduled[0]._when - self.time()) if self._scheduled else NAP


class MemorySocket(AbstractContextManager["MemorySocket"]):
    """A TCP socket in memory; as ``socket.socket``, as far as asyncio, Tornado and this package use that.

    Attributes:
        family, type, proto: of IPv4 and TCP.
    """

    family, type, proto = socket.AF_INET, socket.SOCK_STREAM, 0

    # A file of it, as http.client reads one, keeps it open, until that is closed too.
    _io_refs, _closed = 0, False
    makefile: Any = _REAL_SOCKET.makefile
    close: Any = _REAL_SOCKET.close
    _decref_socketios: Any = _REAL_SOCKET._decref_socketios  # type: ignore[attr-defined]

    def __new__(cls, family: int = -1, type: int = -1, proto: int = -1, fileno: int | None = None) -> Any:
        """One in memory, if it is to be of TCP; anything else is the system's, such as Scapy's to list interfaces."""
        if family in (-1, socket.AF_INET, socket.AF_INET6) and type in (-1, socket.SOCK_STREAM) and fileno is None:
            return super().__new__(cls)
        return _REAL_SOCKET(family, type, proto, fileno)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._number = NETWORK.new_number()
        NETWORK.sockets[self._number] = self
        self._received = bytearray()
        self._waiting: deque[MemorySocket] | None = None  # clients, of a socket that listens
        self._backlog = 0
        self._listener: MemorySocket | None = None  # of a client that may have to wait for its turn
        self._peer: Any = None  # the other end
        self._names: tuple[Address, Address | None] = ("0.0.0.0", 0), None
        # It reads no more, the other side sends no more, it sends no more, it was reset, its close is a reset.
        self._deaf = self._ended = self._said_end = self._gone = self._lingers_not = False
        self._error = 0  # to be told once
        self._timeout: float | None = None

    # State

    def readable(self) -> bool:
        """Whether ``recv`` or ``accept`` need not wait."""
        if self._waiting is not None:
            return bool(self._waiting)
        return bool(self._received or self._deaf or self._ended or self._gone)

    def writable(self) -> bool:
        """Whether ``send`` need not wait."""
        peer = self._peer
        if self._error or self._gone or self._said_end or peer is None:
            return True
        return self._connected() and (peer._number < 0 or len(peer._received) < ROOM)

    def _connected(self) -> bool:
        """Whether the listener has room for it, if it has not accepted it: as Linux has it, for one more than said."""
        if self._listener is not None:
            waiting, room = self._listener._waiting or (), self._listener._backlog + 1
            if len(waiting) > room and self._peer in tuple(waiting)[room:]:
                return False
            self._listener = None
        return True

    def _wait(self, ready: Callable[[], bool], flags: int = 0) -> None:
        self._need(self._number >= 0, errno.EBADF)
        if ready():
            return
        self._need(self._timeout != 0 and not flags & socket.MSG_DONTWAIT, errno.EAGAIN)
        if not NETWORK.wait(ready, self._timeout):
            raise TimeoutError("timed out")
        self._need(self._number >= 0, errno.EBADF)

    def _need(self, is_so: object, number: int) -> None:
        if not is_so:
            raise OSError(number, os.strerror(number))  # which is a BrokenPipeError, or whatever the number is

    def _tell_error(self) -> None:
        number, self._error = self._error, 0
        self._need(not number, number)

    def _break(self) -> None:
        """The other side resets the connection: told once, and nothing of it is left but what had come before."""
        self._gone, self._error = True, errno.EPIPE if self._ended else errno.ECONNRESET

    # Connections

    def bind(self, address: Address) -> None:
        """Take a port, any for 0."""
        host, port = address[:2]
        self._need(self._number >= 0, errno.EBADF)
        self._need(not self._names[0][1], errno.EINVAL)
        self._need((port, ":" in host) not in NETWORK.bound, errno.EADDRINUSE)
        self._names = (host, port or NETWORK.new_port()), None
        NETWORK.bound[self._names[0][1], ":" in host] = self

    def listen(self, backlog: int = 128) -> None:
        """Wait for clients."""
        if not self._names[0][1]:
            self.bind(self._names[0])
        self._waiting, self._backlog = self._waiting or deque(), backlog

    def accept(self) -> tuple["MemorySocket", Address]:
        """The next client, and its address."""
        self._need(self._number < 0 or self._waiting is not None, errno.EINVAL)
        self._wait(self.readable)
        accepted = self._waiting.popleft()  # type: ignore[union-attr]
        return accepted, accepted._names[1]  # type: ignore[return-value]

    def connect(self, address: Address) -> None:
        """Connect to whoever listens."""
        host, port = address[:2]
        self._need(self._number >= 0, errno.EBADF)
        self._need(self._peer is None, errno.EISCONN)
        if not (host.startswith("127.") or host in ("localhost", "0.0.0.0", "::1", "::", "")):
            raise OSError(
                errno.ENETUNREACH, f"Network is unreachable: in memory there is no other machine, such as {host}"
            )
        listener = NETWORK.bound.get((port, ":" in host))
        if listener is None or listener._waiting is None:
            self._error = errno.ECONNREFUSED
        else:
            here, other = (HERE, self._names[0][1] or NETWORK.new_port()), MemorySocket()
            self._peer, other._peer = other, self
            self._names, other._names = (here, (host, port)), ((host, port), here)
            self._listener = listener
            listener._waiting.append(other)
        self._need(self._timeout != 0, errno.EINPROGRESS)
        try:
            self._wait(lambda: bool(self._error) or self._connected())
        except TimeoutError:
            self._peer.close()
            raise
        self._tell_error()

    def connect_ex(self, address: Address) -> int:
        """The same, with a number for an error."""
        try:
            self.connect(address)
        except OSError as error:
            return error.errno or errno.EAGAIN
        return 0

    # Bytes

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Bytes that are there; none at the end."""
        self._need(self._number < 0 or self._peer is not None, errno.ENOTCONN)
        self._wait(self.readable, flags)
        if not (self._received or self._ended):
            self._tell_error()
        data = bytes(self._received[:size])
        if not flags & socket.MSG_PEEK:
            del self._received[:size]
        return data

    def recv_into(self, buffer: Any, size: int = 0, flags: int = 0) -> int:
        """The same, into a buffer; how many."""
        view = memoryview(buffer).cast("B")
        data = self.recv(size or len(view), flags)
        view[: len(data)] = data
        return len(data)

    def send(self, data: Any, flags: int = 0) -> int:
        """Send as many bytes as there is room for; how many."""
        self._wait(self.writable, flags)
        self._tell_error()
        peer = self._peer
        self._need(peer is not None and not (self._gone or self._said_end), errno.EPIPE)
        view = memoryview(data).cast("B")
        if peer._number < 0 and view:  # it is closed: it answers with a reset
            self._break()
            return len(view)
        sent = view[: ROOM - len(peer._received)]
        peer._received += sent
        return len(sent)

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send all; then the other side has some time to read it, as if it ran beside us."""
        view = memoryview(data).cast("B")
        while len(view):
            view = view[self.send(view, flags) :]
        NETWORK.wait(lambda: False, 0)

    def sendmsg(self, buffers: Iterable[Any], *more: Any) -> int:
        """Send as much as there is room for of what is in all of them; how much."""
        return self.send(b"".join(buffers))

    def shutdown(self, how: int) -> None:
        """Say that no more will be sent, or take no more."""
        self._need(self._number >= 0, errno.EBADF)
        self._need(self._peer is not None and not self._gone, errno.ENOTCONN)
        self._deaf = self._deaf or how != socket.SHUT_WR
        if how != socket.SHUT_RD and not self._said_end:
            self._said_end = self._peer._ended = True

    def _real_close(self) -> None:
        """Close; the other side sees the end, or a reset if there is something that nobody has read."""
        if self._number < 0:
            return
        del NETWORK.sockets[self._number]
        self._number = -1
        NETWORK.bound = {key: one for key, one in NETWORK.bound.items() if one is not self}
        for client in self._waiting or ():
            client._lingers_not = True
            client.close()
        if self._peer is not None and not self._gone:
            if self._received or self._lingers_not:
                self._peer._break()
            self._peer._ended = self._peer._ended or not self._peer._gone

    # What it is

    def fileno(self) -> int:
        """Its number, -1 once it is closed."""
        return self._number

    def getsockname(self) -> Address:
        """Its own address."""
        return self._names[0]

    def getpeername(self) -> Address:
        """That of the other side."""
        self._need(self._number >= 0, errno.EBADF)
        self._need(self._names[1] is not None and not self._gone, errno.ENOTCONN)
        return self._names[1]  # type: ignore[return-value]

    def settimeout(self, seconds: float | None) -> None:
        """How long to wait for something to be possible."""
        self._timeout = seconds

    def gettimeout(self) -> float | None:
        """The same, to be asked."""
        return self._timeout

    def setblocking(self, flag: bool) -> None:
        """Wait for ever, or not at all."""
        self._timeout = None if flag else 0

    def setsockopt(self, level: int, option: int, value: Any, *more: Any) -> None:
        """Of all that can be set only this has a meaning here: a close that resets."""
        if option == socket.SO_LINGER:
            self._lingers_not = bool(value[0])

    def getsockopt(self, level: int, option: int, size: int = 0) -> Any:
        """The error that is to be told, or its type; there is nothing else to be asked for."""
        if option == socket.SO_ERROR:
            number, self._error = self._error, 0
            return number
        return bytes(size) if size else self.type if option == socket.SO_TYPE else 0

    def __exit__(self, *raised: object) -> None:
        self.close()


def socketpair(*arguments: Any) -> tuple[MemorySocket, MemorySocket]:
    """Two that are connected to each other."""
    one, other = MemorySocket(), MemorySocket()
    one._peer, other._peer = other, one
    return one, other


class MemoryBackground:
    """As ``background.Background``, but it goes on whenever somebody waits.

    Attributes:
        busy: it is running at the moment, and waits for somebody else.
    """

    def __init__(self, name: str, main: background.Main[None]) -> None:
        self._main, self.busy, self.alive = main, False, False
        self.error: BaseException | None = None

    def start(self) -> None:
        """Begin."""
        self._runner = asyncio.Runner(loop_factory=MemoryLoop)
        with _Suspended():
            self._loop: Any = self._runner.get_loop()
            self._task = self._loop.create_task(self._main())
        self.alive = True
        NETWORK.running.append(self)
        NETWORK.pump()

    def due(self) -> float:
        """Seconds until there is something to do."""
        return float(self._loop.due())

    def step(self) -> None:
        """Do what can be done now."""
        self.busy = True
        try:
            with _Suspended():
                self._loop.call_soon(self._loop.stop)
                self._loop.run_forever()
                if self._task.done():
                    NETWORK.running.remove(self)
                    self.alive = False
                    self.error = None if self._task.cancelled() else self._task.exception()
                    self._runner.close()
        finally:
            self.busy = False

    def call(self, work: Coroutine[Any, Any, Done]) -> Done:
        """Run a coroutine on its loop, to its end."""
        task: asyncio.Task[Done] = self._loop.create_task(work)
        NETWORK.wait(task.done, None)
        return task.result()

    def join(self, limit: float | None = None) -> None:
        """Wait for its end."""
        NETWORK.wait(lambda: not self.alive, limit)


class MemoryClient(AbstractContextManager["MemoryClient"]):
    """As the client of ``websockets.sync``, which has a thread of its own: the asyncio one, in the background."""

    def __init__(self, uri: str, **options: Any) -> None:
        self._stop = asyncio.Event()
        self._background = MemoryBackground("client", self._main)
        self._background.start()

        async def connecting() -> Any:
            return await websockets.asyncio.client.connect(uri, **options)

        self._connection = self._background.call(connecting())

    async def _main(self) -> None:
        await self._stop.wait()

    def send(self, message: Any, **options: Any) -> None:
        """Send a message."""
        self._background.call(self._connection.send(message, **options))

    def recv(self, timeout: float | None = None, **options: Any) -> Any:
        """The next message; ``TimeoutError`` if it does not come in so many seconds."""

        async def receiving() -> Any:
            async with asyncio.timeout(timeout):
                return await self._connection.recv(**options)

        return self._background.call(receiving())

    def close(self, *arguments: Any) -> None:
        """Shake hands once more, and be gone."""
        self._background.call(self._connection.close(*arguments))
        self._stop.set()
        self._background.join()

    def __iter__(self) -> Iterator[Any]:
        with suppress(ConnectionClosedOK):
            while True:
                yield self.recv()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def __exit__(self, *raised: object) -> None:
        self.close()


async def _here(work: Coroutine[Any, Any, Done]) -> Done:
    return NETWORK.run(work)


def _apart(main: background.Main[Done], stop: Callable[[], object]) -> Done:
    return NETWORK.run(main())


def _getaddrinfo(host: Any, *more: Any, **options: Any) -> Any:
    """As the system's, but a browser's makes up an address for each name, this machine's too."""
    return _real_getaddrinfo(HERE if host == "localhost" else host, *more, **options)


def _select(reads: Any, writes: Any, errors: Any, timeout: float | None = None) -> Any:
    if all(NETWORK.knows(one) for one in (*reads, *writes)):
        return *NETWORK.select(reads, writes, timeout), []
    return _real_select(reads, writes, errors, timeout)


def _need_system(what: str, *, in_memory: bool = False) -> None:
    if sys.platform == "emscripten" or not in_memory:
        why = "a browser tab has none" if sys.platform == "emscripten" else "WSEDU_NETWORK=memory keeps to memory"
        raise RuntimeError(f"{what} cannot run here: needed are sockets, threads or programs of the system, and {why}")


def install() -> None:
    """From here on sockets are in memory, and what runs in the background needs no threads."""
    from .memory_tls import MemoryTlsSocket  # which is one of them

    for name, number in MISSING.items():
        if not getattr(socket, name, 0):
            setattr(socket, name, number)
    background.Background = MemoryBackground  # type: ignore
    background.here, background.apart, background.run = _here, _apart, NETWORK.run
    background.need_system = _need_system
    background.wait = lambda event, limit: NETWORK.wait(event.is_set, limit)
    asyncio.new_event_loop = asyncio.events.new_event_loop = MemoryLoop
    if hasattr(select, "poll"):
        del select.poll  # httpcore asks it whether a connection is still open; without it, it asks ``select``
    websockets.sync.client.connect = MemoryClient  # type: ignore
    socket.socket, ssl.SSLContext.sslsocket_class = MemorySocket, MemoryTlsSocket  # type: ignore
    select.select, socket.getaddrinfo = _select, _getaddrinfo
