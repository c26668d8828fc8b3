# SPDX-License-Identifier: GPL-2.0-or-later
"""Pass bytes on between clients and a server, both ways at once, and write down what happened.

One event loop, sockets that never block: so what is written down is in order, and when it is time to stop the loop
knows whether anything is still under way.

The two TCP connections of a client and a server through a proxy are to look like one. Bytes are easily passed on; what
takes care is how a connection ends, of which TCP has three ways, and each must reach the other side as itself and after
all bytes that came before it: one side says that it will send no more, and goes on to receive (FIN, a half-close, RFC
9293, 3.6); one side breaks off (RST, 3.5.3); nobody listens (RST to the SYN, 3.10.7.1).
"""

import asyncio
import contextlib
import errno
import socket
import struct
import sys
import time
from typing import Any

from .packet_model import Address, Endpoints, EventKind, RelayEvent

READ = 65536  # bytes taken from a socket in one go
ENOUGH = 262144  # bytes waiting for a slow reader; more are left in the sender's hands until there is room
# What makes `close` send RST instead of FIN: linger, for 0 seconds.
RESET_ON_CLOSE = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
PATIENCE = 1.0  # seconds that an end is waited for at the end, once the other end has closed


class _ProxyEnd:
    """One of the two sockets of a connection: the one that leads to the client, or to the server."""

    def __init__(self, connected: socket.socket, endpoints: Endpoints, is_client: bool) -> None:
        connected.setblocking(False)
        # Otherwise Nagle's algorithm (RFC 9293, 3.7.4) would hold back a small piece until the one before it is
        # acknowledged: a delay that neither client nor server has asked for, and that a recording would show.
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket, self.endpoints, self.is_client = connected, endpoints, is_client
        self.other = self
        self.talks = is_client  # is connected, and has not said yet that it will send no more
        self.listens = True  # takes what is sent to it
        self.outgoing = bytearray()  # on its way to this end
        self.then: EventKind | None = None  # what this end is to see after those bytes: END or RESET
        self.reads = self.writes = False  # what the loop is asked to tell


class TcpProxy:
    """Passes bytes on until it is told to stop.

    Args:
        listener: where clients connect. It is closed in the end, as every other socket is.
        server: where their connections go on to.

    Attributes:
        events: what happened, in order.
        swallows: whether what is received goes no further, and nobody is told: a cable that has been cut.
    """

    def __init__(self, listener: socket.socket, server: Address) -> None:
        self.events: list[RelayEvent] = []
        self.swallows = False
        self._listener, self._server = listener, server
        self._open: set[_ProxyEnd] = set()
        self._error: BaseException | None = None
        self._stop, self._stopped, self._begun = asyncio.Event(), False, False
        self._loop: asyncio.AbstractEventLoop
        # Wall clock time, except that it never goes back.
        self._epoch = time.time_ns() - time.perf_counter_ns()

    def stop(self) -> None:
        """Pass on what is under way, and end. May be called from any thread, before ``run`` too."""
        # First the one and then the other, and `run` the other way round: so one of the two sees the other.
        self._stopped = True
        if self._begun:
            with contextlib.suppress(RuntimeError):  # the loop has ended already
                self._loop.call_soon_threadsafe(self._stop.set)

    async def run(self) -> None:
        """Pass on until told to stop; then what is under way, and all is over.

        Raises:
            OSError: there are no more sockets to be had. What was written down until then stays.
        """
        self._loop, self._moved = asyncio.get_running_loop(), asyncio.Event()
        self._begun = True
        if self._stopped:
            self._stop.set()

        def failed(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
            self._error = context.get("exception")
            self._stop.set()

        self._loop.set_exception_handler(failed)  # of what the loop calls, which is all below
        with self._listener:
            try:
                self._listener.setblocking(False)
                self._loop.add_reader(self._listener, self._accept)
                await self._stop.wait()
                await self._finish_all()
            finally:
                self._loop.remove_reader(self._listener)
                for end in tuple(self._open):
                    self._close(end)

    async def _finish_all(self) -> None:
        """Wait until all that was under way has arrived, but not for ever."""
        until = time.monotonic() + PATIENCE
        while (left := until - time.monotonic()) > 0:
            if self._error is not None:
                raise self._error
            self._moved.clear()
            # Loopback delivers before `send` returns: what was sent before the stop can be read by now. So if nothing
            # is done in a whole turn of the loop, only what waits for somebody else is left: a connection that is not
            # accepted yet, bytes for a slow reader, the answer to a FIN.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            if self._moved.is_set():
                continue
            if not any(end.outgoing or not end.talks for end in self._open):
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._moved.wait(), left)

    def _note(self, end: _ProxyEnd, kind: EventKind, data: bytes = b"") -> None:
        now = self._epoch + time.perf_counter_ns()
        self.events.append(RelayEvent(now, end.endpoints, end.is_client, kind, data))

    def _accept(self) -> None:
        self._moved.set()
        try:
            accepted, address = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):  # the client is gone before we came
            return
        endpoints = Endpoints(address, self._server)
        client = _ProxyEnd(accepted, endpoints, True)
        self._open.add(client)
        server = _ProxyEnd(socket.socket(), endpoints, False)
        self._open.add(server)
        client.other, server.other = server, client
        self._note(client, EventKind.CONNECT)
        # It must not block, or one server that does not answer would hold up all connections.
        error = server.socket.connect_ex(self._server)
        if error in (0, errno.EINPROGRESS, errno.EWOULDBLOCK):  # when it can be written, it is decided
            self._loop.add_writer(server.socket, self._decided, server)
        else:
            self._break(server, noted=error == errno.ECONNREFUSED)

    def _decided(self, server: _ProxyEnd) -> None:
        self._moved.set()
        self._loop.remove_writer(server.socket)
        error = server.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error == errno.ECONNRESET:  # it did accept, and has broken off already; there may be bytes to read
            server.listens = False
        elif error:
            self._break(server, noted=error == errno.ECONNREFUSED)
            return
        server.talks = True
        self._note(server, EventKind.ACCEPT)
        self._register(server)
        self._register(server.other)

    def _register(self, end: _ProxyEnd) -> None:
        """Ask the loop for what can be done next at this end, and for nothing else.

        An end is not read while too much waits for the other one: then the kernel's buffers fill up, the window closes
        (RFC 9293, 3.8.6), and the sender is slowed down as it would be without a proxy.
        """
        if end not in self._open:
            return
        reads = end.talks and len(end.other.outgoing) < ENOUGH
        writes = end.listens and bool(end.outgoing)
        if reads != end.reads:
            (self._loop.add_reader(end.socket, self._receive, end) if reads else self._loop.remove_reader(end.socket))
        if writes != end.writes:
            (self._loop.add_writer(end.socket, self._send, end) if writes else self._loop.remove_writer(end.socket))
        end.reads, end.writes = reads, writes

    def _receive(self, end: _ProxyEnd) -> None:
        self._moved.set()
        try:
            data = end.socket.recv(READ)
        except BlockingIOError:
            return
        except OSError:
            self._break(end)
            return
        if data:
            self._note(end, EventKind.DATA, data)
            if not self.swallows:
                end.other.outgoing += data
        elif not end.listens:  # it took no more, and this was all that it had sent before
            self._break(end)
            return
        else:
            end.talks = False
            self._note(end, EventKind.END)
            if not self.swallows:
                end.other.then = EventKind.END
        self._send(end.other)

    def _send(self, end: _ProxyEnd) -> None:
        """Send what waits for this end, as far as it takes it."""
        self._moved.set()
        try:
            if end.outgoing and end.listens:
                del end.outgoing[: end.socket.send(end.outgoing)]
        except BlockingIOError:
            pass
        except OSError:
            # It has reset the connection; but what it had sent before may still be here to be read.
            end.listens = False
            end.outgoing.clear()
            if not end.talks:
                self._break(end)
        if end in self._open and not end.outgoing and end.then is not None:
            self._finish(end)
        self._register(end)
        self._register(end.other)

    def _finish(self, end: _ProxyEnd) -> None:
        """All bytes are sent to this end: pass on what came after them."""
        if end.then is EventKind.RESET:
            self._close(end, reset=True)
            return
        end.then = None
        # Not `close`: this end may have much to say yet (RFC 9293, 3.6).
        with contextlib.suppress(OSError):  # it has reset the connection: the next read or write will say so
            end.socket.shutdown(socket.SHUT_WR)
        if not end.talks and not end.other.talks and end.other.then is None:
            self._close(end)
            self._close(end.other)

    def _break(self, end: _ProxyEnd, *, noted: bool = True) -> None:
        """This end has reset the connection, or refused it, or did not answer: the other end is to see a reset."""
        if noted:
            self._note(end, EventKind.RESET)
        self._close(end)
        if end.other in self._open:
            end.other.then, end.other.talks = EventKind.RESET, False
            self._send(end.other)

    def _close(self, end: _ProxyEnd, *, reset: bool = False) -> None:
        if end in self._open:
            self._open.remove(end)
            self._loop.remove_reader(end.socket)
            self._loop.remove_writer(end.socket)
            # Closing a socket sends FIN. To send RST instead one has to ask for it, by the promise not to linger.
            if reset:
                end.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            end.socket.close()
