# SPDX-License-Identifier: GPL-2.0-or-later
"""What every recording of a live exchange has in common, whoever writes the packets down."""

from __future__ import annotations

import io
import os
import socket
from collections.abc import Generator, Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Self

from ..protocol.errors import need_text
from .pcapfile import Packet, write_capture

if TYPE_CHECKING:
    from .capture import Capture


class Recording:
    """A recording, running inside its ``with`` block and finished after it; see ``record``."""

    modelled: ClassVar[bool]
    """Whether the packets are made up around real bytes."""

    def __init__(self, port: int, host: str) -> None:
        if isinstance(port, bool) or not isinstance(port, int):
            raise TypeError(
                f"port must be a number from 1 to 65535, as in record(port=server.port); got {port!r}"
            )
        if not 1 <= port <= 65535:
            raise ValueError(f"port must be from 1 to 65535, got {port}")
        need_text(host, "host")
        self._server = (_ipv4_address(host), port)
        # Where clients connect, from the beginning of the block on.
        self._address: tuple[str, int] | None = None
        self._running = self._steps()
        self._finished = False
        self._missing = list[str]()  # why packets are missing, a line each
        self._capture: Capture | None = None

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

    @property
    def capture(self) -> Capture:
        """What was recorded, dissected; the packets name the server's own port.

        Its ``modelled`` and ``complete`` say how far its packets can be trusted.

        Raises:
            RuntimeError: the ``with`` block has not ended.
        """
        if self._capture is None:
            data = io.BytesIO(self._pcap())
            from .capture import read  # here, since recording does without it

            self._capture = read(data)
            self._capture.modelled = self.modelled
            self._capture.complete = not self._missing
            self._capture.warnings[:0] = self._missing
        return self._capture

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the recording as a pcap file, for tshark, Wireshark, Scapy or ``wsedu.read``.

        One that is not complete ends inside a packet: so whoever reads it is told that it is not.

        Raises:
            RuntimeError: the ``with`` block has not ended.
            OSError: the file cannot be written.
        """
        Path(path).write_bytes(self._pcap(cut_short=bool(self._missing)))

    def _pcap(self, *, cut_short: bool = False) -> bytes:
        if not self._finished:
            raise RuntimeError("the recording is not finished: it can be read after its `with` block")
        return write_capture(self._packets(), cut_short=cut_short)

    def __enter__(self) -> Self:
        if self._address is not None:
            raise RuntimeError("this recording has been used: begin another with wsedu.record(port=…)")
        try:
            self._address = next(self._running)
            return self
        except BaseException:
            self._running.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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


def _ipv4_address(host: str) -> str:
    try:
        found = socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ValueError(f"host {host!r} has no IPv4 address: {error}") from None
    return str(found[0][4][0])
