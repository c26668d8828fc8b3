# SPDX-License-Identifier: GPL-2.0-or-later
"""Record a live exchange, for any user: a relay between clients and a server that writes down what it passes on.

The kernel shows packets only to those who may see everybody's. A relay sees its own connections, and needs no
privilege. What it cannot see is TCP/IP: the packets of a recording are modelled (``packet_model.py`` says how), the
bytes that they carry are real.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Generator, Iterable

from .packet_model import EventKind, RelayEvent, packets
from .pcapfile import Packet
from .recording import Recording
from .tcp_proxy import TcpProxy

BACKLOG = 1024  # clients that may ask for a connection before the relay has accepted any of them


class RelayRecording(Recording):
    """What passed through a relay; its packets are modelled."""

    modelled = True
    _error: BaseException | None = None

    def _steps(self) -> Generator[tuple[str, int]]:
        with contextlib.ExitStack() as opened:
            listener = opened.enter_context(socket.create_server(("127.0.0.1", 0), backlog=BACKLOG))
            self._stop, stop = map(opened.enter_context, socket.socketpair())
            self._proxy = TcpProxy(listener, self._server, stop)
            self._thread = threading.Thread(target=self._run, name="wsedu relay", daemon=True)
            opened.callback(self._halt)  # before the sockets are closed, which the thread has in its hands
            self._thread.start()
            address: tuple[str, int] = listener.getsockname()
            yield address
            self._halt()
            if self._error is not None:
                self._missing.append(f"the recording broke off early: {self._error}")
                raise RuntimeError(self._missing[0]) from self._error

    def _run(self) -> None:
        try:
            self._proxy.run()
        except BaseException as error:  # it is raised where the reader can see it, at the end of the block
            self._error = error

    def _halt(self) -> None:
        self._stop.close()  # the other half of the pair sees the end, and so the relay knows
        if self._thread.is_alive():
            self._thread.join()

    @property
    def events(self) -> list[RelayEvent]:
        """What has happened so far; the relay goes on adding to it.

        Raises:
            RuntimeError: the ``with`` block has not begun.
        """
        if self._address is None:
            raise RuntimeError("the recording has not begun")
        return self._proxy.events

    def _packets(self) -> Iterable[Packet]:
        return packets(self._proxy.events)

    def _summary(self) -> str:
        events = self._proxy.events
        connections = sum(event.kind is EventKind.CONNECT for event in events)
        # A refusal is a RST of the server before it has accepted.
        accepted = {event.endpoints for event in events if event.kind is EventKind.ACCEPT}
        reset = {event.endpoints for event in events if event.kind is EventKind.RESET and not event.by_client}
        refused = len(reset - accepted)
        sent = [sum(len(event.data) for event in events if event.by_client is side) for side in (True, False)]
        return (
            f"{connections} connection{'' if connections == 1 else 's'}"
            f"{f' ({refused} refused: no server listens there)' * (refused > 0)}, {sent[0]:,} bytes from clients, "
            f"{sent[1]:,} from the server; application bytes are real, TCP/IP is modelled"
        )


def record(port: int, host: str = "127.0.0.1", *, kernel: bool = False) -> Recording:
    """Record what clients and a server say to each other, without any privilege.

    A relay listens on a free port of 127.0.0.1 while the ``with`` block runs. Clients connect to ``rec.port`` instead
    of the server's own; what they send is passed on at once, both ways, with half-closes, resets and refusals::

        with wsedu.record(port=server.port) as rec:
            ...  # connect to rec.port
        rec.capture

    At the end of the block what is under way is passed on first. Where one side has closed, the other is given a second
    to do so too. A connection that is open even then is recorded as open, without FIN, and closed.

    With ``kernel=True`` there is no relay, and ``rec.port`` is ``port`` itself: what is recorded are the real packets
    of that TCP port (IPv4 and IPv6), each once, as Linux's loopback interface carries them. That is no network: packets
    have up to 64 KiB, since nothing has to cut them smaller, and their TCP checksums are not filled in, since nothing
    can damage them. (tshark does not mind unless asked to check.) Where the kernel could not hand over every packet,
    ``rec.capture.complete`` is false and ``rec.capture.warnings`` says why.

    Args:
        port: the server's.
        host: the server's name or IPv4 address; with ``kernel=True``, one of this machine's.
        kernel: record real packets, where that is allowed (``python -m wsedu doctor`` says whether it is).

    Returns:
        A recording with ``port``, and after the block ``capture`` and ``save(path)``. Its packets name the server's
        own port. From the relay, the bytes in them are real (a client may have written ``rec.port`` into its Host
        field) and TCP/IP around them is modelled: ``capture.modelled`` says so, also of a saved file.

    Raises:
        TypeError: the port is no number, or the host no text.
        ValueError: no server can have this port, or the host has no IPv4 address.
        PermissionError: when the block begins with ``kernel=True``, and this process may not see packets; it says what
            can be done about that.
    """
    if kernel:
        from .kernel import KernelRecording  # here, since only Linux has what it needs

        return KernelRecording(port, host)
    return RelayRecording(port, host)
