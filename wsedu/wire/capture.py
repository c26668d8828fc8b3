# SPDX-License-Identifier: GPL-2.0-or-later
"""A capture, read: its conversations, and their messages in the order in which each became complete."""

from __future__ import annotations

import gc
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import cached_property
from itertools import chain, groupby, islice
from operator import attrgetter
from pathlib import Path
from typing import Any, BinaryIO

from ..protocol.deflate import MAX_CONTENT
from .bill import Bill, Billing
from .connections import Endpoint, MessageOrGap, TcpConnection, TcpReader
from .fast import FastReader
from .key_log import read_key_log
from .message import CapturedMessage
from .message_parser import Packets, Sender
from .packet_model import is_modelled
from .packet_view import PacketView, PacketViews
from .packets import Segment, endpoint
from .pcapfile import CutShort, Packet, read_packets, write_capture
from .tls import Record
from .tls_record import TlsRecord

Source = str | Path | BinaryIO


class Conversation:
    """What was said on one connection.

    Attributes:
        client, server: ``"ip:port"``.
        messages: in the order in which each became complete.
        index: its number in the capture, from 0, in the order of first packets. Connections on which nothing was said
            have numbers too, as tshark's tcp.stream has: when one begins nobody can know.
        capture: that it is of.
        tls: the version of TLS that carried it, such as "1.3"; empty if none did.
    """

    def __init__(
        self, index: int, client: str, server: str, tls: str, messages: list[CapturedMessage], capture: Capture
    ) -> None:
        self.index, self.client, self.server, self.messages = index, client, server, messages
        self.capture, self.tls = capture, tls

    def bill(self) -> Bill:
        """What every byte of this connection was spent on."""
        return self.capture._billing.conversations[self.index]

    @property
    def packets(self) -> list[tuple[int, Sender]]:
        """Its packets, acknowledgements too: the index of each in the capture, and who sent it."""
        sent = self.capture._sorted.sent[self.index]
        return [(index, "client" if source == self.client else "server") for index, source in sent]

    def __repr__(self) -> str:
        count = len(self.messages)
        return f"<conversation {self.index}: {self.client} to {self.server}, {count:,} message{'s' * (count != 1)}>"


class Capture:
    """A capture, read whole; see ``read``.

    Attributes:
        conversations: those of which something could be read.
        warnings: what could not be read and why, a line each.
        modelled: TCP/IP was made up by the relay of ``record``, by whose addresses a file is known again.
        complete: false if the file is cut short, or the kernel dropped packets that ``record`` was to write down.
    """

    def __init__(self, source: Source, **options: Any) -> None:
        self._source, self._options = source, options
        self.conversations: list[Conversation] = []
        self.warnings: list[str] = []
        self.modelled = False
        self.complete = True
        self._secrets = bytearray()  # key logs that the file itself holds, as they stand in it

    @cached_property
    def packets(self) -> Sequence[Packet]:
        """The packets as the file has them. Read from the file when first asked for, so keep it until then."""
        packets: list[Packet] = []
        with _opened(self._source) as file, suppress(CutShort):  # which is among the warnings already
            packets.extend(read_packets(file, self._keep_secrets))
        return packets

    def _keep_secrets(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._secrets += line.encode("latin-1")

    def packet(self, index: int) -> PacketView:
        """A packet with its layers, down to the messages in it: for ``byte_map`` and ``touch``.

        Raises:
            IndexError: there is no such packet.
        """
        return self._views[index]

    def tls_records(self) -> list[TlsRecord]:
        """The records of TLS on all connections, in the order in which each became complete.

        They are opened if the capture was read with keys, or holds them.
        """
        return self._sorted.records

    @cached_property
    def _views(self) -> PacketViews:
        said = chain.from_iterable(conversation.messages for conversation in self.conversations)
        return PacketViews(self.packets, said, self.modelled)

    @cached_property
    def _sorted(self) -> _PacketSorter:
        sorter = _PacketSorter([], keys=self._options["keys"])
        for index, packet in enumerate(self.packets):
            sorter.index = index
            deque(sorter.packet(index, packet), maxlen=0)
        deque(sorter.finish(whole=True), maxlen=0)
        return sorter

    def bill(self) -> Bill:
        """What every byte of the capture was spent on."""
        return self._billing.total

    @cached_property
    def _billing(self) -> Billing:
        """The bill, and that of each connection; made when first asked for, from the file, packet by packet."""
        billing = Billing(self.modelled, **self._options)
        with _opened(self._source) as file, suppress(CutShort):  # what was there is on the bill
            for packet in read_packets(file):
                billing.add(packet)
        deque(billing.finish(whole=True), maxlen=0)  # what is there of messages that are not complete counts too
        for bill in (billing.total, *billing.conversations.values()):
            bill.complete = self.complete
        return billing

    def save(self, path: str | Path) -> None:
        """Write the packets as a pcap file; as pcapng if pcap cannot hold them.

        That is so if they have several link types, or times that pcap has not, and if the file that was read holds
        keys of TLS, which stay in it. (Those of a key log file stay there.)

        What is not ``complete`` ends inside a packet: so whoever reads it again is told that it is not.

        Raises:
            OSError: the file cannot be written.
        """
        packets = self.packets  # which finds the secrets
        Path(path).write_bytes(write_capture(packets, cut_short=not self.complete, secrets=bytes(self._secrets)))

    def __repr__(self) -> str:
        messages = sum(len(conversation.messages) for conversation in self.conversations)
        count = len(self.conversations)
        held = f"{count:,} conversation{'s' * (count != 1)}, {messages:,} message{'s' * (messages != 1)}"
        modelled = "; TCP/IP modelled by the relay" if self.modelled else ""
        missing = "" if self.complete else "; NOT COMPLETE, see .warnings"
        return f"<capture: {held}{modelled}{missing}>"


class _PacketSorter(TcpReader[None]):
    """Which packet belongs to which connection, by indices and from where they came; and the records of TLS."""

    def __init__(self, warnings: list[str], **options: Any) -> None:
        super().__init__(warnings, **options)
        self.sent: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)
        self.records: list[TlsRecord] = []
        self.index = 0

    def noticed(self, connection: TcpConnection, segment: Segment) -> None:
        self.sent[connection.index].append((self.index, endpoint(segment.source)))

    def opened(self, connection: TcpConnection, side: Endpoint, record: Record, packet: int) -> None:
        self.records.append(TlsRecord(side.sender, self.now / 1e9, packet, record, connection.index))

    def made(self, connection: TcpConnection, side: Endpoint, packets: Packets, what: MessageOrGap) -> None:
        pass


def read(
    source: Source,
    *,
    ports: Collection[int] = (),
    deflate: bool = False,
    max_message: int = MAX_CONTENT,
    keylog: str | Path | None = None,
) -> Capture:
    """Read a pcap or pcapng file, which gzip may have packed.

    Args:
        source: a path, or a binary file that can seek.
        ports: connections to these ports that began before the capture, and are not HTTP, are WebSocket: read from the
            first frame on that can be read.
        deflate: on those RSV1 says that a message is compressed (RFC 7692). Elsewhere the handshake says it.
        max_message: bytes of a compressed message that are inflated.
        keylog: a file of secrets of TLS connections, as browsers write it; a pcapng may also hold them itself.

    Raises:
        OSError: a file cannot be opened; ``ValueError`` where a key log is none.
        NotACapture: it is neither pcap nor pcapng. (A file that is cut short gives a warning instead.)
    """
    keys = read_key_log(keylog)
    capture = Capture(source, ports=ports, keys=keys)
    reader = FastReader(capture.warnings, ports=ports, deflate=deflate, max_message=max_message, keys=keys)
    said: defaultdict[int, list[CapturedMessage]] = defaultdict(list)
    with _opened(source) as file, _collector_paused():
        try:
            with suppress(CutShort):
                capture.modelled = any(is_modelled(packet.data) for packet in islice(read_packets(file), 1))
            file.seek(0)
            for batch in reader.batches(file):
                for index, together in groupby(batch, attrgetter("conversation")):
                    said[index].extend(together)
        except CutShort as error:
            capture.complete = False
            capture.warnings.append(str(error))
    capture.conversations = [Conversation(index, *reader.names[index], said[index], capture) for index in sorted(said)]
    return capture


def messages(
    source: Source,
    warnings: list[str] | None = None,
    *,
    assembled: bool = False,
    keylog: str | Path | None = None,
    **options: Any,
) -> Iterator[CapturedMessage]:
    """The messages of a capture one by one, in flat memory: nothing is kept of those that were given.

    Args:
        source: as for ``read``.
        warnings: takes what ``read`` has in ``.warnings``, at the latest with the last message.
        assembled: whole messages in place of data frames, each of kind "message" and where its last frame was.
        keylog, options: ``ports``, ``deflate`` and ``max_message``, as for ``read``.

    Raises:
        OSError, NotACapture: as ``read``.
        CutShort: after the last message before the cut.
    """
    with _opened(source) as file:
        reader = FastReader([] if warnings is None else warnings, keys=read_key_log(keylog), **options)
        yield from reader.messages(file, whole=assembled)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """No search for garbage: all that is made is kept, and looking at it again and again is half of the cost."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            if not gc.get_freeze_count():
                # All that was made counts as old, or else the first search after this one would look at all of it.
                gc.freeze()
                gc.unfreeze()
            gc.enable()


def _opened(source: Source) -> AbstractContextManager[BinaryIO]:
    if isinstance(source, (str, Path)):
        return open(source, "rb")
    source.seek(0)
    return nullcontext(source)  # whoever has opened it closes it
