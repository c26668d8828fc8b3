# SPDX-License-Identifier: GPL-2.0-or-later
"""``read`` and tshark say the same of every capture in data/: frames, requests, responses, and whose they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from oracles import tshark

import wsedu
from wsedu.wire.message import CapturedMessage

DATA = Path(__file__).parent.parent / "data"
CAPTURES = sorted(path.name for path in DATA.glob("*.pcap*"))
FRAME_FIELDS = (
    *("tcp.stream", "websocket.fin", "websocket.rsv", "websocket.opcode", "websocket.mask"),
    *("websocket.payload_length", "websocket.payload_length_ext_16", "websocket.payload_length_ext_64"),
)


def fields(name: str, kind: str, *wanted: str) -> list[list[str]]:
    """A row for each packet that holds such messages; several in a packet are joined by a bar."""
    arguments = [part for field in wanted for part in ("-e", field)]
    # Raw content, so that a length means the same to both.
    options = ("-o", "http.decompress_body:FALSE", "-E", "aggregator=|", "-T", "fields")
    return [
        row.split("\t") for row in tshark("-r", DATA / name, "-Y", kind, *options, *arguments).splitlines()
    ]


@cache
def ours(name: str, kind: str) -> tuple[CapturedMessage, ...]:
    """In the order in which each became complete."""
    read = [
        one for each in wsedu.read(DATA / name).conversations for one in each.messages if one.kind == kind
    ]
    return tuple(sorted(read, key=lambda one: one.packets[-1]))


@pytest.mark.parametrize("name", CAPTURES)
def test_frames(name: str) -> None:
    theirs: list[tuple[int, ...]] = []
    for row in fields(name, "websocket", *FRAME_FIELDS):
        stream, short, long, longest = row[0], row[5].split("|"), row[6].split("|"), row[7].split("|")
        extended = {"126": [one for one in long if one], "127": [one for one in longest if one]}
        lengths = [int(extended[one].pop(0) if one in extended else one) for one in short]
        bits = [
            [int(one, 16) if "0x" in one else int(one in ("1", "True")) for one in cell.split("|")]
            for cell in row[1:3]
        ]
        opcodes = [int(one, 0) for one in row[3].split("|")]
        masks = [int(one in ("1", "True")) for one in row[4].split("|")]
        theirs += zip([int(stream)] * len(opcodes), *bits, opcodes, masks, lengths, strict=True)
    found = []
    for one in ours(name, "frame"):
        header = one.header
        assert header is not None
        rsv = header.rsv1 << 2 | header.rsv2 << 1 | header.rsv3
        masked = header.masking_key is not None
        found.append(
            (one.conversation, int(header.fin), rsv, header.opcode, int(masked), header.payload_length)
        )
    assert found == theirs
    if "websocket" in name:
        assert found


def payloads(pairs: Any) -> Iterator[str]:
    """Every payload in what tshark writes as JSON, with the pairs of an object as a list: a packet may hold several."""
    for item in pairs if isinstance(pairs, list) else ():
        if isinstance(item, tuple):
            if item[0] == "websocket.payload_raw":
                yield item[1][0]
            else:
                yield from payloads(item[1])
        else:
            yield from payloads(item)


@pytest.mark.parametrize("name", CAPTURES)
def test_payloads(name: str) -> None:
    """As hexadecimal, unmasked, and not inflated."""
    text = tshark("-r", DATA / name, "-Y", "websocket", "-T", "json", "-x", "-j", "websocket")
    theirs = list(payloads(json.loads(text, object_pairs_hook=list)))
    assert [one.payload.hex() for one in ours(name, "frame") if one.payload] == theirs


@pytest.mark.parametrize("name", CAPTURES)
def test_requests(name: str) -> None:
    theirs = []
    for stream, methods, targets in fields(
        name, "http.request", "tcp.stream", "http.request.method", "http.request.uri"
    ):
        for method, target in zip(methods.split("|"), targets.split("|"), strict=True):
            theirs.append([stream, method, target])
    found = [
        [str(one.conversation), one.head.method, one.head.target]
        for one in ours(name, "request")
        if isinstance(one.head, wsedu.Request)
    ]
    assert found == theirs


@pytest.mark.parametrize("name", CAPTURES)
def test_responses(name: str) -> None:
    """The status codes; and the content of those that have a length, as its field says."""
    theirs = fields(name, "http.response", "tcp.stream", "http.response.code", "http.content_length")
    found = []
    for one, row in zip(ours(name, "response"), theirs, strict=True):
        assert isinstance(one.head, wsedu.Response)
        length = one.head.get("Content-Length")
        if length and one.request_method != "HEAD" and one.head.status not in (204, 304):
            assert len(one.content) == int(row[2])
        found.append([str(one.conversation), str(one.head.status), length or ""])
    assert found == [row + [""] * (3 - len(row)) for row in theirs]


@pytest.mark.parametrize("name", CAPTURES)
def test_conversations_have_the_numbers_of_tcp_streams(name: str) -> None:
    rows = {
        (row[0], row[1], row[2] or row[3], row[4], row[5] or row[6])
        for row in fields(
            name, "tcp.flags.syn == 1 and tcp.flags.ack == 0", "tcp.stream", "tcp.srcport", "ip.src", "ipv6.src",
            "tcp.dstport", "ip.dst", "ipv6.dst",
        )
    }  # fmt: skip
    theirs = {
        int(stream): tuple(
            f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"
            for ip, port in ((source, source_port), (target, target_port))
        )
        for stream, source_port, source, target_port, target in rows
    }
    for one in wsedu.read(DATA / name).conversations:
        assert (one.client, one.server) == theirs[one.index]
