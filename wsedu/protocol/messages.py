# SPDX-License-Identifier: GPL-2.0-or-later
"""From frames to messages (RFC 6455, 5.4 to 5.6): the rules that one frame alone cannot break.

A message is one data frame with FIN set; or a data frame without it, Continuation frames, and a last one with FIN::

    Text "Hel"  FIN 0  |  Ping  |  Continuation "lo"  FIN 1

Control frames may stand between fragments, so that a Ping need not wait for the end of a long message; fragments of
another message may not.
"""

from dataclasses import dataclass

from .errors import Data, NeedMoreData, ProtocolError, Role, need_bytes, need_role
from .frames import Frame, Header, apply_mask, check_header, parse_header
from .opcodes import Opcode, is_control, opcode_name
from .status import StatusCode, not_utf8, parse_close_payload
from .utf8 import Utf8Validator


@dataclass(frozen=True, slots=True)
class Message:
    """A message, put together from its fragments.

    Attributes:
        opcode: ``Opcode.TEXT`` or ``Opcode.BINARY``: that of the first fragment.
        data: ``str`` for text, ``bytes`` for binary; ``bytes``, and still compressed, where RSV1 was set.
        fragments: how many frames it came in, 1 or more.
        rsv1: whether RSV1 was set on the first fragment.
    """

    opcode: Opcode
    data: str | bytes
    fragments: int = 1
    rsv1: bool = False


class MessageAssembler:
    """Puts messages together and lets control frames through.

    ``receive_data`` takes bytes as they come, ``next_event`` gives what they make. It reads and checks; what to answer
    is for others to say.

    A rule is seen broken at the earliest byte that shows it, also inside a frame that is not complete, since the peer
    could hold back the rest for ever. What was complete before that byte comes out first. Offsets of errors count
    from the first byte ever received.

    Args:
        role: the sender's role; turns on the masking rule.
        rsv1: permessage-deflate is in use: RSV1 marks a message that is compressed.
        max_size: the largest message to take, in bytes on the wire; ``None`` for any (RFC 6455, 10.4).

    Raises:
        ValueError: a role that there is not, a size that is no number of bytes.
    """

    def __init__(self, role: Role | None = None, *, rsv1: bool = False, max_size: int | None = None) -> None:
        need_role(role)
        if max_size is not None and not (isinstance(max_size, int) and max_size >= 0):
            raise ValueError(f"the largest message is a number of bytes, or None for any: {max_size!r:.60}")
        self._role, self._rsv1, self._max_size = role, rsv1, max_size
        # A bytearray forgets its first bytes without moving the others, so that taking frame after frame off its front
        # costs what the frames have, and not what is left each time.
        self._buffer = bytearray()  # received and not taken yet
        self._offset = 0  # of the first byte of the buffer
        self._error: ProtocolError | None = None
        self._closed = False
        # The frame under way: its header, and its payload as far as it is there, if it is a control frame.
        self._header: Header | None = None
        self._taken = 0  # bytes of its payload
        self._control = bytearray()
        # The message under way, as far as it is there.
        self._first: Header | None = None  # of its first fragment
        self._data = bytearray()
        self._fragments = 0
        self._text = Utf8Validator()

    def receive_data(self, data: Data) -> None:
        """Take bytes from the wire, as many or few as came. It only keeps them: ``next_event`` checks."""
        # An exception from here would leave the caller not knowing what became of the bytes: so nothing is read yet.
        need_bytes(data)
        self._buffer += data

    def next_event(self) -> Message | Frame | None:
        """The next message, or the next control frame, as soon as it is complete.

        Returns:
            ``None`` if more data is needed; and always after a Close frame: "after receiving a control frame
            indicating the connection should be closed, a peer discards any further data received" (RFC 6455, 1.4).

        Raises:
            ProtocolError: 1002, 1007 for text that is not UTF-8, 1009 for a message over ``max_size``. The same again
                at every further call: nothing after a broken rule can be trusted.
        """
        # 7.1.7: an endpoint "MUST NOT continue to attempt to process data (including a responding Close frame) from the
        # remote endpoint after being instructed to _Fail the WebSocket Connection_".
        if self._error is not None:
            raise self._error.with_traceback(None)
        try:
            # Without a byte nothing can be complete that was not so before: an empty payload ends with its header.
            while self._buffer and not self._closed:
                header = self._begin_frame()
                if header is None or not self._take_payload(header):
                    return None
                event = self._end_frame(header)
                if event is not None:
                    return event
        except ProtocolError as error:
            self._error = error
            raise
        self._buffer.clear()
        return None

    def _begin_frame(self) -> Header | None:
        """The header of the frame under way, or else of the next one; ``None`` if it is not complete."""
        if self._header is not None:
            return self._header
        try:
            try:
                check_header(self._buffer, role=self._role, rsv1=self._rsv1)
            except ProtocolError as error:
                # What the first byte breaks comes before what the second does; its opcode may break a rule of messages.
                if error.offset:
                    self._check_sequence()
                raise
            self._check_sequence()
            header = parse_header(self._buffer)
            self._check_size(header)
        except NeedMoreData:
            return None
        except ProtocolError as error:
            raise error.shifted(self._offset) from None
        self._header, self._taken = header, 0
        self._skip(header.size)
        # A control frame in between changes nothing about the message that is under way.
        if not is_control(header.opcode):
            # "A fragmented message consists of a single frame with the FIN bit clear and an opcode other than 0,
            # followed by zero or more frames with the FIN bit clear and the opcode set to 0, and terminated by a single
            # frame with the FIN bit set and an opcode of 0" (RFC 6455, 5.4).
            self._fragments += 1
            self._first = self._first or header
        return header

    def _check_sequence(self) -> None:
        """Hold the opcode, which is in the first byte, against what came before (RFC 6455, 5.4)."""
        opcode = self._buffer[0] & 0xF
        # "Control frames [...] MAY be injected in the middle of a fragmented message."
        if is_control(opcode) or (opcode == Opcode.CONTINUATION) == (self._first is not None):
            return
        if self._first is None:
            # A message begins with "an opcode other than 0".
            message = "a Continuation frame, and no message is under way"
        else:
            # "The fragments of one message MUST NOT be interleaved between the fragments of another message unless an
            # extension has been negotiated that can interpret the interleaving." None that is registered does.
            message = f"expected a Continuation frame, as a {opcode_name(self._first.opcode)} message is not complete"
            message += f"; found a {opcode_name(opcode)} frame"
        raise ProtocolError(message, offset=0, field="opcode", section="RFC 6455, 5.4")

    def _check_size(self, header: Header) -> None:
        """10.4: who has limits on the "total message size after reassembly [...] MUST protect" itself."""
        # The header says enough: nothing of a payload that is too large needs to be kept first. And it is the whole
        # message that counts, or else many small fragments would get past.
        size = len(self._data) + header.payload_length
        if self._max_size is None or is_control(header.opcode) or size <= self._max_size:
            return
        message = f"a message of {size:,} bytes or more; at most {self._max_size:,} are taken"
        section, code = "RFC 6455, 10.4", StatusCode.MESSAGE_TOO_BIG
        raise ProtocolError(message, offset=1, field="payload length", section=section, status_code=code)

    def _take_payload(self, header: Header) -> bool:
        """Unmask, check and keep as much of the payload as is there; say whether that is all of it."""
        # What is there is looked at before the rest has come: where a rule is broken in the first kilobyte of a long
        # frame nobody should wait for the last one.
        data: bytes | bytearray = self._buffer[: header.payload_length - self._taken]
        if data and header.masking_key is not None:
            data = apply_mask(data, header.masking_key, self._taken)
        self._taken += len(data)
        complete = self._taken == header.payload_length
        if is_control(header.opcode):
            # At most 125 bytes, as the header was held against the rules.
            self._control += data
            if header.opcode == Opcode.CLOSE:
                begin = self._offset + len(data) - self._taken
                parse_close_payload(bytes(self._control), offset=begin, length=header.payload_length)
        else:
            self._check_text(data, complete and header.fin)
            self._data += data
        self._skip(len(data))
        return complete

    def _check_text(self, data: bytes | bytearray, final: bool) -> None:
        first = self._first
        assert first is not None
        if first.opcode != Opcode.TEXT or first.rsv1:
            return  # what must be UTF-8 is the text, and a compressed message does not show it yet
        # 8.1: who "finds that the byte stream is not, in fact, a valid UTF-8 stream [...] MUST _Fail the WebSocket
        # Connection_". So the text of a message is held against it as it comes, and not at its end.
        at = self._text.validate(data, final=final)
        if at is not None:
            raise not_utf8("the text", self._offset + at, "payload")

    def _skip(self, size: int) -> None:
        """These bytes of the buffer are taken."""
        del self._buffer[:size]
        self._offset += size

    def _end_frame(self, header: Header) -> Message | Frame | None:
        """The payload is complete: a control frame is an event, and the last fragment makes a message."""
        self._header = None
        if is_control(header.opcode):
            payload, self._control = bytes(self._control), bytearray()
            self._closed = header.opcode == Opcode.CLOSE
            # "an endpoint MUST be capable of handling control frames in the middle of a fragmented message" (RFC 6455,
            # 5.4): what was kept of that message stays as it is.
            return Frame(header.opcode, payload, masking_key=header.masking_key)
        if not header.fin:
            return None
        # "all fragments of a message are of the same type, as set by the first fragment's opcode" (RFC 6455, 5.4); and
        # RSV1 of the first one says of them all that they are compressed (RFC 7692, 6).
        first, self._first = self._first, None
        assert first is not None
        text = first.opcode == Opcode.TEXT and not first.rsv1
        whole = self._data.decode("utf-8") if text else bytes(self._data)
        message = Message(Opcode(first.opcode), whole, self._fragments, first.rsv1)
        self._data, self._fragments = bytearray(), 0
        return message
