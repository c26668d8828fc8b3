# SPDX-License-Identifier: GPL-2.0-or-later
"""A TLS record is drawn as what it is to somebody without a key."""

import pytest

import wsedu
from wsedu.wire.tls_record import TlsRecord

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
    record = TlsRecord("client", 0.5, 7, bytes([content_type, 3, 3, 0, 28]) + bytes(range(28)))
    spans = record.spans()
    assert (record.kind, [span.name for span in spans]) == (kind, HEADER + names)
    assert [span.start for span in spans] == [0, *(span.end for span in spans[:-1])] and spans[-1].end == 33
    assert spans[2].value == 28
    assert kind in str(wsedu.ladder([record])) and names[0] in str(wsedu.byte_map(record))
