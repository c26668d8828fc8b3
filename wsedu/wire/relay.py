# SPDX-License-Identifier: GPL-2.0-or-later
"""Record a live exchange, for any user: a relay between clients and a server that writes down what it passes on.

The kernel shows packets only to those who may see everybody's. A relay sees its own connections, and needs no
privilege. What it cannot see is TCP/IP: the packets of a recording are modelled (``synth.py`` says how), the bytes that
they carry are real.
"""

from __future__ import annotations

import contextlib
import io
import os
import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from .passing import Passing
from .synth import What, pcap

if TYPE_CHECKING:
    from .capture import Capture

BACKLOG = 1024  # clients that may knock at once


class Recording:
    """A recording, running inside its ``with`` block and finished after it; see ``record``."""

    def __init__(self, port: int, host: str) -> None:
        if isinstance(port, bool) or not isinstance(port, int):
            raise TypeError(
                f"port must be a number from 1 to 65535, as in record(port=server.port); got {port!r}"
            )
        if not 1 <= port <= 65535:
            raise ValueError(f"port must be from 1 to 65535, got {port}")
        self._server = (_ipv4_address(host), port)
        self._passing: Passing | None = None
        self._error: BaseException | None = None
        self._finished = False
        self._capture: Capture | None = None

    @property
    def port(self) -> int:
        """Where clients connect, on 127.0.0.1.

        Raises:
            RuntimeError: the ``with`` block has not begun.
        """
        if self._passing is None:
            raise RuntimeError("the recording has not begun: write `with wsedu.record(port=…) as rec:`")
        return self._port

    @property
    def capture(self) -> Capture:
        """What was recorded, dissected; the packets name the server's own port.

        Raises:
            RuntimeError: the ``with`` block has not ended.
        """
        if self._capture is None:
            data = io.BytesIO(self._pcap())
            from .capture import read  # here, since recording does without it

            self._capture = read(data)
        return self._capture

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the recording as a pcap file, for tshark, Wireshark, Scapy or ``wsedu.read``.

        Raises:
            RuntimeError: the ``with`` block has not ended.
            OSError: the file cannot be written.
        """
        Path(path).write_bytes(self._pcap())

    def _pcap(self) -> bytes:
        if self._passing is None or not self._finished:
            raise RuntimeError("the recording is not finished: it can be read after its `with` block")
        return pcap(self._passing.events)

    def __enter__(self) -> Self:
        if self._passing is not None:
            raise RuntimeError("this recording has been used: begin another with wsedu.record(port=…)")
        with contextlib.ExitStack() as opened:  # closes them again if one of the steps fails
            listener = opened.enter_context(socket.create_server(("127.0.0.1", 0), backlog=BACKLOG))
            self._stop, stop = socket.socketpair()
            opened.enter_context(self._stop)
            opened.enter_context(stop)
            self._passing = Passing(listener, self._server, stop)
            self._port: int = listener.getsockname()[1]
            self._thread = threading.Thread(
                target=self._run, args=(self._passing,), name="wsedu relay", daemon=True
            )
            self._thread.start()
            opened.pop_all()
        return self

    def _run(self, passing: Passing) -> None:
        try:
            passing.run()
        except BaseException as error:  # it is raised where the reader can see it, at the end of the block
            self._error = error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.close()  # the other half of the pair sees the end, and so the relay knows
        self._thread.join()
        self._finished = True
        if self._error is not None and kind is None:
            raise RuntimeError(f"the recording broke off early: {self._error}") from self._error

    def __repr__(self) -> str:
        what = f"recording of {self._server[0]}:{self._server[1]}"
        if self._passing is None:
            return f"<{what}, not begun>"
        if not self._finished:
            return f"<{what}, running: connect to 127.0.0.1:{self._port}>"
        events = self._passing.events
        connections = sum(event.what is What.CONNECT for event in events)
        sent = [sum(len(event.data) for event in events if event.by_client is side) for side in (True, False)]
        return (
            f"<{what}: {connections} connection{'' if connections == 1 else 's'}, {sent[0]:,} bytes from clients, "
            f"{sent[1]:,} from the server; application bytes are real, TCP/IP is modelled>"
        )


def _ipv4_address(host: str) -> str:
    try:
        found = socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ValueError(f"host {host!r} has no IPv4 address: {error}") from None
    return str(found[0][4][0])


def record(port: int, host: str = "127.0.0.1") -> Recording:
    """Record what clients and a server say to each other, without any privilege.

    A relay listens on a free port of 127.0.0.1 while the ``with`` block runs. Clients connect to ``rec.port`` instead
    of the server's own; what they send is passed on at once, both ways, with half-closes, resets and refusals::

        with wsedu.record(port=server.port) as rec:
            ...  # connect to rec.port
        rec.capture

    At the end of the block what is under way is passed on first. Where one side has closed, the other is given a second
    to do so too. A connection that is open even then is recorded as open, without FIN, and closed.

    Args:
        port: the server's.
        host: the server's name or IPv4 address.

    Returns:
        A recording with ``port``, and after the block ``capture`` and ``save(path)``. Its packets name the server's
        own port; the bytes in them are real (a client may have written ``rec.port`` into its Host field), TCP/IP
        around them is modelled.

    Raises:
        TypeError: the port is no number.
        ValueError: no server can have this port, or the host has no IPv4 address.
    """
    return Recording(port, host)
