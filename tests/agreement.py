# SPDX-License-Identifier: GPL-2.0-or-later
"""What must hold of every file: each way of reading it says the same, and the bill adds up."""

import io
from collections.abc import Iterable

from capture_maker import dissected, pcap

import wsedu
from wsedu.wire.capture import Capture
from wsedu.wire.connections import CaptureReader
from wsedu.wire.message import CapturedMessage
from wsedu.wire.pcapfile import CutShort, NotACapture


def facts(messages: Iterable[CapturedMessage]) -> list[tuple[object, ...]]:
    """Of each message what nobody can get wrong by chance; that the file is cut short, last."""
    found: list[tuple[object, ...]] = []
    try:
        for one in messages:
            where = one.conversation, one.sender, one.time, one.packets, one.request_method
            found.append((one.kind, *where, one.raw, one.head, one.payload, one.content, one.missing))
    except CutShort as error:
        found.append((str(error),))
    return found


def reads(file: bytes) -> Capture:
    """The capture in a file, the same for ``read``, ``messages``, ``dissect`` and a reader without its fast path.

    If the file is none it is one without packets.
    """
    try:
        capture = wsedu.read(io.BytesIO(file))
    except NotACapture:
        assert dissected(file).status == 2
        return wsedu.read(io.BytesIO(pcap([])))
    said, warnings, slow_warnings = dissected(file), list[str](), list[str]()
    fast_path = facts(wsedu.messages(io.BytesIO(file), warnings))
    assert fast_path == facts(CaptureReader(slow_warnings).messages(io.BytesIO(file), whole=False))
    # Of what took the fast path it is not known later what was in it.
    assert len(warnings) == len(slow_warnings) or any("retransmission" in line for line in slow_warnings)
    read = [one for each in capture.conversations for one in each.messages]
    assert len(said.rows) == len(read) == len(fast_path) - said.status
    assert {one[1:] for one in facts(read)} == {one[1:] for one in fast_path if len(one) > 1}
    assert said.status == (not capture.complete) and len(said.complaints) == min(len(capture.warnings), 21)
    assert capture.warnings == warnings + [str(error) for error, *rest in fast_path[-1:] if not rest]
    for one in read:
        assert len(one.raw) == one.wire_length and isinstance(repr(one), str)
        assert one.kind == "gap" or one.spans()
    bill = capture.bill()
    assert bill.total_bytes == sum(len(packet.data) for packet in capture.packets)
    assert bill.packets == len(capture.packets) and min(bill.parts.values()) >= 0
    assert bill.parts["payload"] >= sum(len(one.payload) for one in read)
    return capture
