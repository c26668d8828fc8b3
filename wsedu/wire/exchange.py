# SPDX-License-Identifier: GPL-2.0-or-later
"""What two endpoints said to each other: HTTP messages in pairs, and from a 101 on what it switched to.

Bytes go in per direction and in order; messages come out as soon as they are complete. Where one message ends is for
the parsers to find (``message_parser.py``). What belongs here is what one direction means for the other: which bytes
follow a 101, a 2xx to CONNECT, or a request to switch that nobody has answered yet.
"""

from collections.abc import Iterator
from typing import NamedTuple

from ..protocol.deflate import DeflateParameters
from ..protocol.errors import ProtocolError, quoted
from ..protocol.http1 import Request, Response, begins_request, begins_response, split_request_line, split_status_line
from .codings import InflateBudget, agreement
from .http1_parser import LONGEST_HEAD, SHORT_HEAD, Http1Parser
from .http2_parser import Found, Http2Parser, begins_http2, continues_http2
from .message_parser import OTHER, FrameParser, Incoming, Sender, Unfinished, may_begin_frames
from .streams import Gap

# What a 101 may switch to and be read, by its token of Upgrade (RFC 9110, 7.8). HTTP/2 is not among it: a client that
# knows that it is understood begins with it, and nobody implemented the switch (RFC 9113, 3.1).
READ_AFTER_101 = "websocket"
NOT_HTTP = "neither HTTP nor WebSocket, or begins inside a message"


class SyncLost(NamedTuple):
    """Message boundaries of a direction cannot be read from here on; the other direction goes on."""

    sender: Sender | None  # None if it is so of both, and ``why`` is the whole reason
    why: str
    gap: Gap | None = None  # this is why; what came before it was read


class Direction(Incoming):
    """What one endpoint sends.

    Attributes:
        parser: reads what comes next; that of HTTP is made when something is there.
        waiting: it asked to switch, so that what follows depends on the response.
        unsure: frames or a request follow, and only the bytes themselves can say which.
        lost: message boundaries cannot be read any more.
        gap: what it ended with, until all before it was read.
        seeking: the capture begins inside of it, and no segment was seen yet that may begin with a frame.
        skipped: bytes that were left out for that.
    """

    __slots__ = ("gap", "lost", "parser", "seeking", "skipped", "unsure", "waiting")

    def __init__(self, sender: Sender) -> None:
        super().__init__(sender)
        self.parser: FrameParser | Http1Parser | Http2Parser | None = None
        self.waiting = self.unsure = self.lost = self.seeking = False
        self.skipped = 0
        self.gap: Gap | None = None

    def unfinished(self) -> Unfinished | None:
        """As much as is there of a message that is not complete; ``None`` if nothing is, or nothing is known of it."""
        if isinstance(self.parser, Http2Parser):
            return self.parser.unfinished(self)
        if not self.buffer or self.parser is None or self.unsure or self.waiting:
            return None
        return self.parser.unfinished(self)


Ends = tuple[Direction, Direction]


class Exchange:
    """Both directions of one connection. ``end`` a direction to say that no byte of it will follow.

    As long as nobody knows who the client is, the first to send counts as the client; nothing is read until then.

    Args:
        ends: what each of the two sends; the first to send before the other.
        budget: what may be inflated of transfer codings.
        late: for a connection that begins before the capture and is to be read as WebSocket unless it is HTTP: whether
            the first to send is the server. Else ``None``.
        agreed: what holds of permessage-deflate where no handshake says it.

    Attributes:
        identified: it is known who the client is.
        switched: a 101 to WebSocket has come.
    """

    def __init__(self, ends: Ends, budget: InflateBudget, late: bool | None, agreed: DeflateParameters | None) -> None:
        self._budget, self._late = budget, late
        for side in ends:
            side.agreed = agreed
        self._asked: list[Request] = []  # whose final response has not come
        self._directions: dict[Sender, Direction] = dict(zip(OTHER, ends, strict=True))
        self._known = False  # a head was read, so that this is HTTP
        self._why = ""  # why one direction is not HTTP, as long as nothing is known of the other one
        self._tunnel = False  # what is read now comes through one
        self.identified = self.switched = False

    def receive(self, side: Direction, data: bytes) -> Iterator[Found | SyncLost]:
        """Take the next bytes of a direction.

        Yields:
            The messages that they complete, in both directions: a 101 sets free what the client sent after it.
        """
        if side.ended or side.lost:
            return
        if side.seeking and not may_begin_frames(data, side.sender):
            side.start += len(data)
            side.skipped += len(data)
            return
        side.seeking = False
        side.buffer += data
        if self.identified:
            yield from self._read(side)
            yield from self._tell_gap(self._directions["client"])  # a response may have been what it waited for
        else:
            early = self._late is not None and len(side.buffer) - len(data) <= SHORT_HEAD
            yield from self._recognize(side, b"\n" in data or early)

    def end(self, side: Direction, *, whole: bool, gap: Gap | None) -> Iterator[Found | SyncLost]:
        """The direction has ended: ``whole`` if by FIN, so that content until the close is complete. As ``receive``."""
        if side.ended or side.lost:
            return
        side.ended, side.closed, side.gap = True, whole, gap
        if self.identified:
            yield from self._go_on(side)

    def identify(self, *, swapped: bool) -> Iterator[Found | SyncLost]:
        """Say who the client is, and read what came before that was known. As ``receive``."""
        self._assign(swapped=swapped)
        for side in self._directions.values():
            if side.buffer or side.ended:
                yield from self._go_on(side)

    def _assign(self, *, swapped: bool) -> None:
        self.identified = True
        if swapped:
            self._directions = dict(zip(OTHER, reversed(self._directions.values()), strict=True))
            for sender, side in self._directions.items():
                side.sender = sender

    @property
    def blank(self) -> bool:
        """Whether nothing was said yet: on the connection, or in the tunnel that has just opened."""
        return not (self._known or any(side.lost or side.buffer for side in self._directions.values()))

    def close(self) -> Iterator[SyncLost]:
        """Nothing will follow in either direction: say what was left open, whether this is HTTP at all."""
        early = next((side.buffer for side in self._directions.values() if side.buffer), None)
        if early and not self.identified:
            yield self._foreign(early, bytes(early))
        elif self._why and not self._known:
            yield self._nothing_to_read()

    def _recognize(self, side: Direction, line_end: bool) -> Iterator[Found | SyncLost]:
        """Without a SYN the client is the one who sends the first request, whatever the ports."""
        early = side.buffer
        # A long line that is still coming is not looked at again with each of its bytes.
        if not line_end and SHORT_HEAD < len(early) <= LONGEST_HEAD:
            return
        line, newline, _ = bytes(early).lstrip(b"\r\n").partition(b"\n")
        may_begin = begins_request(line) or begins_response(line)
        if not newline and may_begin and len(early) <= (LONGEST_HEAD if line else SHORT_HEAD):
            return
        for split, role in (split_request_line, "client"), (split_status_line, "server"):
            try:
                split(line)
            except ProtocolError:
                continue
            yield from self.identify(swapped=role != side.sender)
            return
        if self._late is None:
            yield self._foreign(early, line)
        else:
            yield from self._begin_inside(swapped=self._late)

    def _begin_inside(self, *, swapped: bool) -> Iterator[Found | SyncLost]:
        """Read frames, in each direction from the first segment on that may begin with one."""
        self._assign(swapped=swapped)
        self.switched = self._known = True
        for side in self._directions.values():
            side.parser, side.seeking = FrameParser(), True
            early, side.buffer = bytes(side.buffer), bytearray()
            if early:
                yield from self.receive(side, early)

    def _go_on(self, side: Direction) -> Iterator[Found | SyncLost]:
        """Read what is there of a direction, and what its end means for both."""
        yield from self._read(side)
        if side.ended:
            yield from self._tell_gap(side)
            yield from self._unanswered(side)
        yield from self._tell_gap(self._directions["client"])  # whose frames may have waited for a response

    def _tell_gap(self, side: Direction) -> Iterator[SyncLost]:
        """Tell a gap, once all before it was read: it is the last of its sender."""
        if side.gap is not None and not side.waiting and not side.lost:
            gap, side.gap = side.gap, None
            yield SyncLost(side.sender, f"{gap.missing:,} bytes are missing", gap)

    def _read(self, side: Direction) -> Iterator[Found | SyncLost]:
        if side.parser is None and not self._known:
            begins = begins_http2(side)
            if begins is None:
                return
            if begins:
                # One parser for both: what is said on a stream belongs together.
                parser, self._known = Http2Parser(), True
                for each in self._directions.values():
                    each.parser = parser
                if self._why:
                    yield SyncLost(OTHER[side.sender], self._why)
        if not isinstance(side.parser, Http2Parser):
            yield from self._read_messages(side)
            return
        try:
            yield from side.parser.read(side)
        except ProtocolError as error:
            yield from self._lose(side, str(error))

    def _read_messages(self, side: Direction) -> Iterator[Found | SyncLost]:
        while side.buffer and not side.waiting:  # and not lost: nothing is kept then
            if isinstance(side.parser, Http2Parser) or (side.unsure and not self._choose(side)):
                break
            if side.parser is None:
                side.parser = Http1Parser(self._asked, self._budget)
            try:
                message = side.parser.next_message(side)
            except ProtocolError as error:
                yield from self._lose(side, str(error))
                break
            if not self._known and (message is not None or side.parser.begun):
                self._known = True
                if self._why:
                    yield SyncLost(OTHER[side.sender], self._why)
            if message is None:
                break
            lost = None
            if isinstance(message.head, Request):
                self._asks(side, message.head)
            elif message.head is not None:
                lost = self._answers(message.head, message.switches)
            yield message
            if lost is not None:
                yield lost
            if isinstance(message.head, Response):
                yield from self._read(self._directions["client"])  # which may have waited for it

    def _choose(self, side: Direction) -> bool:
        """Look at what follows an opening handshake of which not all is there; false if too little is there."""
        # In a method neither of the first two bytes is more than a letter. In a frame the second one is, of a client:
        # it begins with MASK, which is set (RFC 6455, 5.3).
        if len(side.buffer) < 2:
            return False
        begin = bytes(side.buffer[:2])
        if begin[:1].isspace() or not begins_request(begin):
            side.parser = FrameParser()
        side.unsure = False
        return True

    def _asks(self, side: Direction, request: Request) -> None:
        """What follows a request: perhaps another protocol, and only the response says whether it does."""
        upgrades = READ_AFTER_101 in request.field_tokens("Upgrade")
        if upgrades and self.switched:  # captured behind its 101
            side.parser = FrameParser()
        elif (upgrades or request.method == "CONNECT") and any(one is request for one in self._asked):
            server = self._directions["server"]
            side.waiting = not (server.ended or server.lost)  # or else the response will never come
            side.unsure = upgrades

    def _answers(self, response: Response, switches: bool) -> SyncLost | None:
        """What follows on both sides after a final response, or a 101."""
        # "A client MUST be able to parse one or more 1xx responses received prior to a final response" (RFC 9110,
        # 15.2): they answer nothing. But 101 is the last one in HTTP.
        if response.status < 200 and not switches:
            return None
        client = self._directions["client"]
        request = self._asked.pop(0) if self._asked else None
        if request is None and isinstance(client.parser, Http1Parser) and client.buffer:
            client.parser.answered = True  # 408 or 431, say, to a head that is still coming
        if not switches:
            if not self._asked:
                client.waiting = client.unsure = False
            return None
        if response.status != 101:
            self._open_tunnel()
            return None
        # A 101 that does not say to what it switches has switched to what was asked for.
        says = response if request is None or response.get("Upgrade") is not None else request
        asked = says.field_tokens("Upgrade")
        if READ_AFTER_101 not in asked:
            what = quoted(", ".join(asked))
            return self._lose_both(f"the connection switched to a protocol that is not read: {what}")
        if response.get("Sec-WebSocket-Accept") is None:
            # RFC 6455, 4.2.2 has the server send it. Drafts up to the one called 76, or hixie, do not know it, and
            # their frames are others: text between a byte 00 and a byte FF.
            return self._lose_both(
                "its 101 has no Sec-WebSocket-Accept, so that what follows are not the frames of RFC 6455"
            )
        self.switched = True
        for side in self._directions.values():
            side.agreed = agreement(response)
        self._directions["server"].parser = FrameParser()
        if client.waiting:
            client.parser = FrameParser()
        client.unsure = not client.waiting  # the request was not there, or not yet
        client.waiting = False
        return None

    def _open_tunnel(self) -> None:
        """Read what goes through a tunnel as if the connection began here.

        RFC 9110, 9.3.6: after a 2xx to CONNECT the proxy will "thereafter restrict its behavior to blind forwarding of
        packets". Mostly that is TLS; but browsers also ask a proxy so for ws://.
        """
        self._tunnel, self._known, self._why = True, False, ""
        self._asked.clear()
        for side in self._directions.values():
            side.parser, side.waiting, side.unsure = None, False, False

    def _unanswered(self, side: Direction) -> Iterator[Found | SyncLost]:
        """Nothing more is read of a direction: what waits for it in the other one has to do without."""
        client = self._directions["client"]
        if side is not client and client.waiting:
            client.waiting = False
            yield from self._read(client)

    def _lose(self, side: Direction, why: str) -> Iterator[Found | SyncLost]:
        """Boundaries cannot be read in one direction. If nothing is HTTP yet, the other one decides what to say."""
        side.lost = True
        side.buffer.clear()
        if self._known:
            yield SyncLost(side.sender, why)
        elif all(each.lost for each in self._directions.values()):
            yield self._nothing_to_read()
        else:
            self._why = why
        yield from self._unanswered(side)

    def _foreign(self, begin: bytearray, line: bytes) -> SyncLost:
        inside = "a frame of HTTP/2, whose fields need those before" if continues_http2(begin) else quoted(line)
        return self._lose_both(f"{NOT_HTTP}: it begins with {inside}")

    def _nothing_to_read(self) -> SyncLost:
        what = "what goes through the tunnel is neither HTTP nor WebSocket" if self._tunnel else NOT_HTTP
        return self._lose_both(f"{what}: {self._why}")

    def _lose_both(self, why: str) -> SyncLost:
        self._why = ""
        for side in self._directions.values():
            side.lost = True
            side.buffer.clear()
        return SyncLost(None, why)
