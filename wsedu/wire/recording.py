# SPDX-License-Identifier: GPL-2.0-or-later
"""Record a live exchange: through a relay, which any user may do, or the kernel's own packets (Linux only).

The kernel shows packets only to those who may see everybody's. A relay between clients and a server sees its own
connections, and needs no privilege. What it cannot see is TCP/IP: the packets of its recordings are modelled
(``packet_model.py`` says how), the bytes that they carry are real.
"""

import io
import socket
from collections.abc import Generator, Iterable
from contextlib import ExitStack, closing
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Self

from ..protocol.errors import need_text
from . import background
from .capture import Capture, read
from .packet_model import EventKind, RelayEvent, packets
from .packet_recorder import LOOPBACK, PacketRecorder
from .pcapfile import Packet, write_capture
from .tcp_proxy import TcpProxy

BACKLOG = 1024  # clients that may ask for a connection before the relay has accepted any of them
_WHAT_TO_DO = (
    "Start Python or JupyterLab as root, give the Python program the right (setcap cap_net_raw,cap_net_admin=ep), or "
    "use a virtual machine of your own. Or leave kernel=True away: the relay needs no privilege, and records the same "
    "messages with TCP/IP modelled around them."
)


class Recording:
    """A recording, running inside its ``with`` block and finished after it; see ``record``."""

    # Whether the packets are made up around real bytes.
    modelled: ClassVar[bool]
    # The file in which clients note the secrets of their TLS connections.
    keylog: str | Path | None = None

    def __init__(self, port: int, host: str) -> None:
        if isinstance(port, bool) or not isinstance(port, int):
            raise TypeError(f"port must be a number from 1 to 65535, such as server.port; got {port!r}")
        if not 1 <= port <= 65535:
            raise ValueError(f"port must be from 1 to 65535, got {port}")
        need_text(host, "host")
        try:
            found = socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise ValueError(f"host {host!r} has no IPv4 address: {error}") from None
        self._server = (str(found[0][4][0]), port)
        # Where clients connect, from the beginning of the block on.
        self._address: tuple[str, int] | None = None
        self._running = self._steps()
        self._finished = False
        self._missing = list[str]()  # why packets are missing, a line each

    # What a kind of recording has to say for itself:

    def _steps(self) -> Generator[tuple[str, int]]:
        """Up to its only ``yield`` it begins to record, and yields where clients connect; behind it, it ends.

        An interrupt can come between any two steps, also where the caller goes on or where it closes this generator,
        which raises GeneratorExit at the ``yield``. So all that is opened is opened in a ``with`` around it.

        Raises:
            RuntimeError: at the end, if the recording had broken off.
        """
        raise NotImplementedError

    def _packets(self) -> Iterable[Packet]:
        """What was recorded, in the order of time."""
        raise NotImplementedError

    def _summary(self) -> str:
        """Of what was recorded, for ``repr``."""
        raise NotImplementedError

    # What is the same for all:

    @property
    def port(self) -> int:
        """Where clients connect, on 127.0.0.1; the server's own with ``kernel=True``.

        Raises:
            RuntimeError: the ``with`` block has not begun.
        """
        if self._address is None:
            raise RuntimeError("the recording has not begun: write `with wsedu.record(port=…) as rec:`")
        return self._address[1]

    @cached_property
    def capture(self) -> Capture:
        """What was recorded, dissected; the packets name the server's own port.

        Its ``modelled`` and ``complete`` say how far its packets can be trusted.

        Raises:
            RuntimeError: the ``with`` block has not ended.
        """
        if not self._finished:
            raise RuntimeError("the recording is not finished: it can be read after its `with` block")
        capture = read(io.BytesIO(write_capture(self._packets())), keylog=self.keylog)
        capture.modelled = self.modelled
        capture.complete = not self._missing
        capture.warnings[:0] = self._missing
        return capture

    def save(self, path: str | Path) -> None:
        """Write the recording as a pcap file, for tshark, Wireshark, Scapy or ``wsedu.read``.

        One that is not complete ends inside a packet: so whoever reads it is told that it is not.

        Raises:
            RuntimeError: the ``with`` block has not ended.
            OSError: the file cannot be written.
        """
        self.capture.save(path)

    def __enter__(self) -> Self:
        if self._address is not None:
            raise RuntimeError("this recording has been used: begin another with wsedu.record(port=…)")
        try:
            self._address = next(self._running)
            return self
        except BaseException:
            self._running.close()
            raise

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            next(self._running, None)
        except RuntimeError:
            if kind is None:  # otherwise what went wrong inside the block comes first
                raise
        finally:
            self._finished = True
            self._running.close()  # if an interrupt came before it could go on

    def __repr__(self) -> str:
        what = f"recording of {self._server[0]}:{self._server[1]}"
        if self._address is None:
            return f"<{what}, not begun>"
        if not self._finished:
            return f"<{what}, running: connect to {self._address[0]}:{self._address[1]}>"
        return f"<{what}: {self._summary()}{'; NOT COMPLETE, see capture.warnings' if self._missing else ''}>"


class RelayRecording(Recording):
    """What passed through a relay; its packets are modelled."""

    modelled = True

    def _steps(self) -> Generator[tuple[str, int]]:
        with ExitStack() as opened:
            listener = opened.enter_context(socket.create_server(("127.0.0.1", 0), backlog=BACKLOG))
            self._proxy = TcpProxy(listener, self._server)
            self._relay = background.Background("relay", self._proxy.run)
            opened.callback(self._halt)  # before the socket is closed, which the relay has in its hands
            self._relay.start()
            yield listener.getsockname()
            self._halt()
            if self._relay.error is not None:
                self._missing.append(f"the recording broke off early: {self._relay.error}")
                raise RuntimeError(self._missing[0]) from self._relay.error

    def _halt(self) -> None:
        self._proxy.stop()
        self._relay.join()

    @property
    def events(self) -> list[RelayEvent]:
        """What has happened so far; the relay goes on adding to it.

        Raises:
            RuntimeError: the ``with`` block has not begun.
        """
        if self._address is None:
            raise RuntimeError("the recording has not begun")
        return self._proxy.events

    def swallow(self) -> None:
        """From here on pass nothing on, neither bytes nor the end of a connection, and tell nobody.

        As if a cable were cut, somebody's wireless lost, or a host had lost its power. What an end sends is recorded.
        """
        self._proxy.swallows = True

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


class KernelRecording(Recording):
    """Packets as the kernel's loopback interface carried them."""

    modelled = False

    def __init__(self, port: int, host: str) -> None:
        super().__init__(port, host)
        background.need_system("record(kernel=True)")
        # Whatever this machine says to one of its own addresses goes over loopback.
        self._recorder = PacketRecorder(LOOPBACK, port, self._server[0], self._server[0])
        self._missing = self._recorder.missing

    def _steps(self) -> Generator[tuple[str, int]]:
        with closing(self._recorder):
            try:
                self._recorder.start()
            except PermissionError as error:
                raise PermissionError(f"record(kernel=True) does not work here: {error}. {_WHAT_TO_DO}") from None
            yield self._server
            self._recorder.stop()

    def _packets(self) -> list[Packet]:
        return self._recorder.packets

    def _summary(self) -> str:
        size = sum(packet.original_length for packet in self._recorder.packets)
        return f"{len(self._recorder.packets):,} packets of the kernel's loopback, {size:,} bytes"


def record(
    port: int, host: str = "127.0.0.1", *, kernel: bool = False, keylog: str | Path | None = None
) -> RelayRecording | KernelRecording:
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
        keylog: for TLS, the file to which clients add their secrets; it is read with the capture.

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
    recording = KernelRecording(port, host) if kernel else RelayRecording(port, host)
    recording.keylog = keylog
    return recording
