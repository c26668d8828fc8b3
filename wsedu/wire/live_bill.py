# SPDX-License-Identifier: GPL-2.0-or-later
"""The bill of a recording that is still running."""

from .bill import Bill, Billing
from .packet_model import PacketModel
from .recording import Recording, RelayRecording


class LiveBill:
    """What a relay's recording has cost so far: a look at it costs only what came since the last one.

    Args:
        recording: as ``record`` gives it, without ``kernel=True``.

    Raises:
        TypeError: the kernel records, and its packets are not known before the end.
    """

    def __init__(self, recording: Recording) -> None:
        if not isinstance(recording, RelayRecording):
            raise TypeError("a live bill is that of a relay's recording; the kernel's comes when it has ended")
        self._recording = recording
        self._model, self._billing = PacketModel(), Billing(modelled=True)
        self._seen = 0

    def bill(self) -> Bill:
        """The bill so far. Its application bytes are real, TCP/IP is modelled; call it from one thread only."""
        # The relay goes on writing at the end of the list: take what is there now.
        for event in self._recording.events[self._seen :]:
            self._seen += 1
            for packet in self._model.add(event):
                self._billing.add(packet)
        return self._billing.so_far()
