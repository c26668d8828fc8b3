# SPDX-License-Identifier: GPL-2.0-or-later
"""Record a live exchange as the kernel sees it: every packet of one TCP port on the loopback interface (Linux only)."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing

from .packet_recorder import LOOPBACK, PacketRecorder
from .pcapfile import Packet
from .recording import Recording

_WHAT_TO_DO = (
    "Start Python or JupyterLab as root, give the Python program the right (setcap cap_net_raw,cap_net_admin=ep), or "
    "use a virtual machine of your own. Or leave kernel=True away: the relay needs no privilege, and records the same "
    "messages with TCP/IP modelled around them."
)


class KernelRecording(Recording):
    """Packets as the kernel's loopback interface carried them."""

    modelled = False

    def __init__(self, port: int, host: str) -> None:
        super().__init__(port, host)
        # Whatever this machine says to one of its own addresses goes over loopback.
        self._recorder = PacketRecorder(LOOPBACK, port, self._server[0], self._server[0])
        self._missing = self._recorder.missing

    def _steps(self) -> Generator[tuple[str, int]]:
        with closing(self._recorder):
            try:
                self._recorder.start()
            except PermissionError as error:
                why = f"record(kernel=True) does not work here: {error}. {_WHAT_TO_DO}"
                raise PermissionError(why) from None
            yield self._server
            self._recorder.stop()

    def _packets(self) -> list[Packet]:
        return self._recorder.packets

    def _summary(self) -> str:
        size = sum(packet.original_length for packet in self._recorder.packets)
        return f"{len(self._recorder.packets):,} packets of the kernel's loopback, {size:,} bytes"
