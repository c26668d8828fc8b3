# SPDX-License-Identifier: GPL-2.0-or-later
"""TLS over sockets in memory, for whoever wraps one: what asyncio does over its transports needs nothing of this.

OpenSSL wants a file to read and write; it also takes two queues of bytes, and this stands between them and a socket.
"""

import ssl
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any

from .memory import MemorySocket

HEADER = 5  # bytes before each record, the last two of them its length (RFC 8446, 5.1)


class MemoryTlsSocket(MemorySocket):
    """A socket in memory after ``ssl.SSLContext.wrap_socket``; as ``ssl.SSLSocket``."""

    _record = _leaving = b""  # what has come of a record, and what could not leave yet
    _sealed = 0  # of how many bytes that is

    @staticmethod
    def _create(sock: Any, **options: Any) -> Any:
        """As that of ``ssl.SSLSocket``, which is there for a socket of the system."""
        if not isinstance(sock, MemorySocket):
            return ssl.SSLSocket._create(sock=sock, **options)  # type: ignore
        context, at_once, _ = map(options.pop, ("context", "do_handshake_on_connect", "suppress_ragged_eofs"))
        if context.check_hostname and not options["server_hostname"]:
            raise ValueError("check_hostname requires server_hostname")  # which OpenSSL is not asked here
        made: Any = sock  # the other end and the network have it already; from here on it speaks TLS
        made.__class__, made._incoming, made._outgoing = MemoryTlsSocket, ssl.MemoryBIO(), ssl.MemoryBIO()
        made._tls = context.wrap_bio(made._incoming, made._outgoing, **options)
        with ExitStack() as failing:
            failing.push(made)
            if at_once:
                made.do_handshake()
            failing.pop_all()
        return made

    def do_handshake(self) -> None:
        """Shake hands, or go on with it."""
        self._through(self._tls.do_handshake)

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Bytes that are there, as they were before TLS; none at the end, whether TLS has said so or not."""
        with suppress(ssl.SSLEOFError):
            return bytes(self._through(self._tls.read, size))
        return b""

    def send(self, data: Any, flags: int = 0) -> int:
        """Send all, in records; where there is no room, and no waiting, the same has to be sent again."""
        if not self._leaving:
            self._sealed = self._through(self._tls.write, data)
        self._flush()
        return self._sealed

    def _through(self, step: Callable[..., Any], *given: Any) -> Any:
        """What a step of OpenSSL's gives, once it has all that it wants to read."""
        while True:
            try:
                return step(*given)
            except ssl.SSLWantReadError:
                pass
            finally:  # even if it raises: OpenSSL has something to say about that
                self._leaving += self._outgoing.read()
                with suppress(ssl.SSLWantWriteError):
                    self._flush()
            self._feed()

    def _flush(self) -> None:
        while self._leaving:
            self._leaving = self._leaving[super().send(self._leaving) :]

    def _feed(self) -> None:
        """Hand over the header of a record, or the rest of one; the next is still for ``select`` to see."""
        had = self._record
        size = HEADER + int.from_bytes(had[3:HEADER]) if len(had) >= HEADER else HEADER
        if data := super().recv(size - len(had)):
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
        self._record = b"" if len(had) + len(data) == size > HEADER else had + data

    def _wait(self, ready: Callable[[], bool], flags: int = 0) -> None:
        try:
            super()._wait(ready, flags)
        except BlockingIOError as error:
            if ready == self.readable:
                raise ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, str(error)) from None
            raise ssl.SSLWantWriteError(ssl.SSL_ERROR_WANT_WRITE, str(error)) from None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tls, name)
