# SPDX-License-Identifier: GPL-2.0-or-later
"""Pass bytes on between clients and a server, both ways at once, and write down what happened.

One thread, one selector, sockets that never block: so what is written down is in order, and when it is time to stop
the selector knows whether anything is still under way.

The two TCP connections of a client and a server through a proxy are to look like one. Bytes are easily passed on; what
takes care is how a connection ends, of which TCP has three ways, and each must reach the other side as itself and after
all bytes that came before it: one side says that it will send no more, and goes on to receive (FIN, a half-close, RFC
9293, 3.6); one side breaks off (RST, 3.5.3); nobody listens (RST to the SYN, 3.10.7.1).
"""

import contextlib
import errno
import selectors
import socket
import struct
import sys
import time

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


class TcpProxy:
    """Passes bytes on until it is told to stop.

    Args:
        listener: where clients connect. It is closed in the end, as every other socket is.
        server: where their connections go on to.
        stop: as soon as it can be read, what is under way is passed on, and then all is over.

    Attributes:
        events: what happened, in order.
        swallows: whether what is received goes no further, and nobody is told: a cable that has been cut.
    """

    def __init__(self, listener: socket.socket, server: Address, stop: socket.socket) -> None:
        self.events: list[RelayEvent] = []
        self.swallows = False
        self._listener, self._server, self._stop = listener, server, stop
        self._open: set[_ProxyEnd] = set()
        self._until: float | None = None  # when patience ends; None before the stop
        # Wall clock time, except that it never goes back.
        self._epoch = time.time_ns() - time.perf_counter_ns()

    def run(self) -> None:
        """Pass on until ``stop`` can be read.

        Raises:
            OSError: there are no more sockets to be had. What was written down until then stays.
        """
        with self._listener, self._stop, selectors.DefaultSelector() as self._selector:
            try:
                self._listener.setblocking(False)
                self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
                self._selector.register(self._stop, selectors.EVENT_READ, self._begin_to_stop)
                while ready := self._wait():
                    for key, mask in ready:
                        # Unless a step before this one has closed it. It is looked up by its number, as a closed socket
                        # has none any more; and the number may be another socket's by now.
                        known = self._selector.get_map().get(key.fd)
                        if known and known.fileobj is key.fileobj:
                            key.data(mask)
            finally:
                for end in self._open:
                    end.socket.close()

    def _wait(self) -> list[tuple[selectors.SelectorKey, int]]:
        """What can be done now; nothing when all that was under way has arrived, and it is time to stop."""
        if self._until is None:
            return self._selector.select()
        left = self._until - time.monotonic()
        # Loopback delivers before `send` returns: what was sent before the stop can be read by now. So if nothing can
        # be done at once, only what waits for somebody else is left: a connection that is not accepted yet, bytes for a
        # slow reader, the answer to a FIN.
        waits = any(end.outgoing or not end.talks for end in self._open)
        return self._selector.select(left if waits else 0) if left >= 0 else []

    def _begin_to_stop(self, mask: int) -> None:
        self._selector.unregister(self._stop)
        self._until = time.monotonic() + PATIENCE

    def _note(self, end: _ProxyEnd, kind: EventKind, data: bytes = b"") -> None:
        now = self._epoch + time.perf_counter_ns()
        self.events.append(RelayEvent(now, end.endpoints, end.is_client, kind, data))

    def _accept(self, mask: int) -> None:
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
            self._selector.register(server.socket, selectors.EVENT_WRITE, lambda mask: self._decided(server))
        else:
            self._break(server, noted=error == errno.ECONNREFUSED)

    def _decided(self, server: _ProxyEnd) -> None:
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
        """Ask the selector for what can be done next at this end, and for nothing else.

        An end is not read while too much waits for the other one: then the kernel's buffers fill up, the window closes
        (RFC 9293, 3.8.6), and the sender is slowed down as it would be without a proxy.
        """
        if end not in self._open:
            return
        mask = selectors.EVENT_READ * (end.talks and len(end.other.outgoing) < ENOUGH)
        mask |= selectors.EVENT_WRITE * (end.listens and bool(end.outgoing))
        known = self._selector.get_map().get(end.socket)
        if mask == (known.events if known else 0):
            return
        if known:
            self._selector.unregister(end.socket)
        if mask:
            self._selector.register(end.socket, mask, lambda mask: self._step(end, mask))

    def _step(self, end: _ProxyEnd, mask: int) -> None:
        if mask & selectors.EVENT_WRITE:
            self._send(end)
        if mask & selectors.EVENT_READ and end in self._open and end.talks:
            self._receive(end)

    def _receive(self, end: _ProxyEnd) -> None:
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
            with contextlib.suppress(KeyError):
                self._selector.unregister(end.socket)
            # Closing a socket sends FIN. To send RST instead one has to ask for it, by the promise not to linger.
            if reset:
                end.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            end.socket.close()
