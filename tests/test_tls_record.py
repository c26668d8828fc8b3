# SPDX-License-Identifier: GPL-2.0-or-later
"""A TLS record is drawn as what it is to somebody without a key."""

import io
from pathlib import Path

import pytest
from capture_maker import DATA

import wsedu
from wsedu.wire.pcapfile import write_capture
from wsedu.wire.tls import Record
from wsedu.wire.tls_record import TlsRecord

CAPTURE = DATA / "python-wss.pcap"
HEADER = ["content type", "legacy version", "length"]


@pytest.mark.parametrize(
    ("content_type", "kind", "names"),
    [
        (20, "ChangeCipherSpec", ["in clear"]),
        (21, "alert", ["in clear"]),
        (22, "handshake", ["in clear"]),
        (23, "application data", ["encrypted", "tag"]),
    ],
)
def test_its_parts(content_type: int, kind: str, names: list[str]) -> None:
    raw = bytes([content_type, 3, 3, 0, 28]) + bytes(range(28))
    record = TlsRecord("client", 0.5, 7, Record(content_type, None, raw, []))
    spans = record.spans()
    assert (record.kind, [span.name for span in spans]) == (kind, HEADER + names)
    assert [span.start for span in spans] == [0, *(span.end for span in spans[:-1])] and spans[-1].end == 33
    assert spans[2].value == 28 and spans[-1].start == (17 if content_type == 23 else 5)  # a tag has 16 bytes
    assert kind in str(wsedu.ladder([record])) and names[0] in str(wsedu.byte_map(record))


@pytest.mark.parametrize("keys", [None, CAPTURE.with_suffix(".keys")])
def test_those_of_a_capture(keys: Path | None) -> None:
    """In order, also where packets come twice or late; with keys it is seen what is inside."""
    capture = wsedu.read(CAPTURE, keylog=keys)
    found = capture.tls_records()
    kinds = [record.kind for record in found]
    assert kinds[:3] == ["ClientHello", "ServerHello", "ChangeCipherSpec"] and len(found) == 20
    assert kinds.count("application data") == (8 if keys else 16) and kinds.count("Finished") == 2 * bool(keys)
    assert [record.content for record in found].count(None) == (0 if keys else 16)
    assert [record.packet for record in found] == sorted(record.packet for record in found)
    assert {record.conversation for record in found} == {0} and found[-1].time > found[0].time
    packets = [*capture.packets]
    packets[6], packets[7] = packets[7], packets[6]
    packets.insert(9, packets[5])
    again = wsedu.read(io.BytesIO(write_capture(packets)), keylog=keys).tls_records()
    for sender in "client", "server":
        raw, once_more = ([one.raw for one in records if one.sender == sender] for records in (found, again))
        assert raw == once_more
