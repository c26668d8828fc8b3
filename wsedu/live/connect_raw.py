# SPDX-License-Identifier: GPL-2.0-or-later
"""A plain TCP connection for requests and frames that are typed by hand; it waits for an answer, but not for ever."""

import select
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress

from ..protocol.errors import Data, NeedMoreData
from ..protocol.frames import parse_header
from ..protocol.http1 import head_end

TIMEOUT = 5.0  # seconds without a byte


def frame_end(data: Data) -> int:
    """Where the frame ends with which these bytes begin (RFC 6455, 5.2); -1 while it is not whole."""
    with suppress(NeedMoreData):
        header = parse_header(data)
        if (end := header.size + header.payload_length) <= len(data):
            return end
    return -1


class RawConnection(AbstractContextManager["RawConnection"]):
    """A TCP connection without any protocol on top; use it in a ``with`` block, or call ``close``.

    TCP keeps no boundaries between messages, so what came too early stays for the next call. Each ``receive_…`` raises
    ``TimeoutError`` when nothing comes for the socket's timeout and ``EOFError`` when the other side has closed. Both
    say what was awaited and what is there; nothing that was received is lost by it.
    """

    def __init__(self, connected: socket.socket) -> None:
        self._socket, self._received = connected, bytearray()

    def send(self, data: bytes) -> None:
        """Send exactly these bytes.

        Raises:
            ConnectionError: the other side has closed.
        """
        self._socket.sendall(data)

    def send_end(self) -> None:
        """Say that no more will be sent (FIN), and go on to receive."""
        self._socket.shutdown(socket.SHUT_WR)

    def receive_exactly(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        return self._receive(f"{count} bytes", lambda data: count if len(data) >= count else -1)

    def receive_until(self, end: bytes) -> bytes:
        """All bytes up to and with the next ``end``."""
        return self._receive(repr(end), lambda data: data.find(end) + len(end) if end in data else -1)

    def receive_head(self) -> bytes:
        """An HTTP head, its empty line included (RFC 9112, 2.1)."""
        return self._receive("the end of a head", head_end)

    def receive_frame(self) -> bytes:
        """The bytes of one WebSocket frame, header and payload; legal or not (RFC 6455, 5.2)."""
        return self._receive("the end of a frame", frame_end)

    def receive_all(self) -> bytes:
        """All bytes until the other side closes; empty if it has closed already."""
        with suppress(EOFError):
            while True:
                self._read("the end of the connection")
        return self.receive_exactly(len(self._received))

    def quiet_for(self, seconds: float) -> bool:
        """Whether no byte comes within so many seconds, and none is there unread."""
        if not self._received:
            if not select.select([self._socket], [], [], seconds)[0]:
                return True
            self._read("a byte")  # if it is the end that has come, this says so
        return False

    def close(self) -> None:
        """Close our side, whatever the other does. May be called twice."""
        self._socket.close()

    def _read(self, awaited: str) -> None:
        here = f"{len(self._received)} bytes are there: {bytes(self._received[:40])!r}"
        try:
            data = self._socket.recv(65536)
        except TimeoutError:
            raise TimeoutError(f"waited {self._socket.gettimeout()} s for {awaited}; {here}") from None
        except ConnectionResetError:
            data = b""  # the other side closed with bytes of ours unread (RFC 9293, 3.6.1): also an end
        if not data:
            raise EOFError(f"the other side closed before {awaited} came; {here}")
        self._received += data

    def _receive(self, awaited: str, size: Callable[[bytearray], int]) -> bytes:
        """Read until ``size`` finds the end of what is awaited, and is no longer -1; take it."""
        while (end := size(self._received)) < 0:
            self._read(awaited)
        data = bytes(self._received[:end])
        del self._received[:end]
        return data

    def __exit__(self, *error: object) -> None:
        self.close()


def connect_raw(port: int, host: str = "127.0.0.1", timeout: float = TIMEOUT) -> RawConnection:
    """Connect to a port of this machine.

    Args:
        port: of a server, or of a recording.
        timeout: seconds without a byte after which a ``receive_…`` gives up.

    Raises:
        ConnectionRefusedError: nobody listens there.
    """
    try:
        return RawConnection(socket.create_connection((host, port), timeout))
    except ConnectionRefusedError:
        raise ConnectionRefusedError(f"nobody listens on {host}:{port}; is the server still running?") from None
