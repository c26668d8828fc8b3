# SPDX-License-Identifier: GPL-2.0-or-later
"""``read`` and tshark say the same of every capture in data/: frames, requests, responses, and whose they are."""

import json
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from capture_maker import IN_DATA, OF_HTTP2, key_log
from describe_captures import reading
from oracles import CAPTURES, merged, tshark, tshark_in_data

import wsedu
from wsedu.wire.message import CapturedMessage

FIELDS = """
    tcp.stream tcp.flags.syn tcp.flags.ack tcp.srcport ip.src ipv6.src tcp.dstport ip.dst ipv6.dst
    http.request.method http.request.uri http.response.code http.content_length
    websocket.fin websocket.rsv websocket.opcode websocket.mask websocket.payload_length
    websocket.payload_length_ext_16 websocket.payload_length_ext_64
""".split()


@cache
def rows(path: Path) -> list[dict[str, list[str]]]:
    """Of each packet each of the fields, with a value for each message in the packet."""
    arguments = [part for field in FIELDS for part in ("-e", field)]
    # Raw content, so that a length means the same to both.
    options = ("-o", "http.decompress_body:FALSE", "-T", "fields", "-E", "aggregator=|")
    lines = [line.split("\t") for line in tshark_in_data(path, *reading(path)[2:], *options, *arguments)]
    cells = [[[one for one in cell.split("|") if one] for cell in line] for line in lines]
    found = [dict(zip(FIELDS, line, strict=True)) for line in cells]
    first = int(found[0]["tcp.stream"][0])  # as it counts on from capture to capture
    return [row | {"tcp.stream": [str(int(one) - first) for one in row["tcp.stream"]]} for row in found]


def theirs(path: Path, kind: str) -> list[dict[str, list[str]]]:
    """The packets that have this field."""
    return [row for row in rows(path) if row[kind]]


@cache
def ours(path: Path, kind: str) -> tuple[CapturedMessage, ...]:
    """In the order in which each became complete; without those on streams of HTTP/2."""
    read = (one for each in wsedu.read(path, keylog=key_log(path)).conversations for one in each.messages)
    found = (one for one in read if one.kind == kind and one.stream is None)
    return tuple(sorted(found, key=lambda one: one.time))


@IN_DATA
def test_frames(path: Path) -> None:
    expected: list[tuple[int, ...]] = []
    for row in theirs(path, "websocket.opcode"):
        extended = {form: iter(row[f"websocket.payload_length_ext_{bits}"]) for form, bits in ((126, 16), (127, 64))}
        for at, opcode in enumerate(row["websocket.opcode"]):
            fin, rsv, mask = (_number(row[f"websocket.{bit}"][at]) for bit in ("fin", "rsv", "mask"))
            length = int(row["websocket.payload_length"][at])
            length = int(next(extended[length])) if length in extended else length
            expected.append((int(row["tcp.stream"][0]), fin, rsv, int(opcode, 0), mask, length))
    found = []
    for one in ours(path, "frame"):
        header = one.header
        assert header is not None
        rsv, masked = header.rsv1 << 2 | header.rsv2 << 1 | header.rsv3, header.masking_key is not None
        found.append((one.conversation, int(header.fin), rsv, header.opcode, int(masked), header.payload_length))
    assert found == expected
    assert found or "websocket" not in path.name or "h2" in path.name


def _number(text: str) -> int:
    return ("False", "True").index(text) if text in ("False", "True") else int(text, 0)


def values(pairs: Any, name: str) -> Iterator[Any]:
    """Every value of a name in what tshark writes as JSON, with the pairs of an object as a list, as they repeat."""
    for item in pairs if isinstance(pairs, list) else ():
        if isinstance(item, tuple) and item[0] == name:
            yield item[1]
        else:
            yield from values(item[1] if isinstance(item, tuple) else item, name)


@cache
def payloads(options: tuple[str | Path, ...]) -> dict[Path, list[str]]:
    text = tshark("-r", merged(), *options, "-Y", "websocket", "-T", "json", "-x", "-j", "frame websocket")
    found: dict[Path, list[str]] = defaultdict(list)
    for packet in json.loads(text, object_pairs_hook=list):
        (number,) = values(packet, "frame.interface_id")
        found[CAPTURES[int(number)]] += [payload for payload, *_ in values(packet, "websocket.payload_raw")]
    return found


@IN_DATA
def test_payloads(path: Path) -> None:
    """As hexadecimal, unmasked, and not inflated."""
    expected = payloads(reading(path)[2:]).get(path, [])
    assert [one.payload.hex() for one in ours(path, "frame") if one.payload] == expected


@IN_DATA
def test_requests_and_responses(path: Path) -> None:
    """Method and target; the status code, and the content of those that have a length, as its field says."""
    heads = [(str(one.conversation), one.head) for one in ours(path, "request")]
    found = [(index, head.method, head.target) for index, head in heads if isinstance(head, wsedu.Request)]
    expected = []
    for row in theirs(path, "http.request.method"):
        for asked in zip(row["http.request.method"], row["http.request.uri"], strict=True):
            expected.append((*row["tcp.stream"], *asked))
    assert found == expected
    for one, row in zip(ours(path, "response"), theirs(path, "http.response.code"), strict=True):
        assert isinstance(one.head, wsedu.Response)
        length = one.head.get("Content-Length")
        assert [str(one.conversation), str(one.head.status)] == row["tcp.stream"] + row["http.response.code"]
        assert [length] * bool(length) == row["http.content_length"]
        if length and one.request_method != "HEAD" and one.head.status not in (204, 304):
            assert len(one.content) == int(length)


@IN_DATA
def test_conversations_have_the_numbers_of_tcp_streams(path: Path) -> None:
    ends = {}
    for row in theirs(path, "tcp.stream"):
        if _number(row["tcp.flags.syn"][0]) and not _number(row["tcp.flags.ack"][0]):
            sides = [(f"ip.{side}", f"ipv6.{side}", f"tcp.{side}port") for side in ("src", "dst")]
            hosts = [([*row[ip], *(f"[{one}]" for one in row[ipv6])], row[port]) for ip, ipv6, port in sides]
            ends[int(row["tcp.stream"][0])] = tuple(f"{host}:{port}" for (host,), (port,) in hosts)
    for one in wsedu.read(path).conversations:
        assert (one.client, one.server) == ends[one.index]


@OF_HTTP2
def test_streams_of_http2(path: Path) -> None:
    """The fields of each stream in each direction, and the content of its DATA frames."""
    expected: dict[tuple[str, str, int], tuple[list[tuple[str, str]], list[str]]] = defaultdict(lambda: ([], []))
    for packet in ElementTree.fromstring(tshark(*reading(path), "-Y", "http2", "-T", "pdml")):
        shown = {field.get("name"): field.get("show", "") for field in packet.iter("field")}
        for one in packet.iterfind("proto[@name='http2']/field[@name='http2.stream']"):
            [number] = _shown(one, "streamid") or ["0"]  # the preface has none
            fields, content = expected[shown["tcp.stream"], shown["tcp.srcport"], int(number)]
            fields += zip(_shown(one, "header.name"), _shown(one, "header.value"), strict=True)
            if _shown(one, "body.fragments"):  # here it says all of it once more
                content.clear()
            content += [data.replace(":", "") for data in _shown(one, "data.data")]
    found: dict[tuple[str, str, int], tuple[list[tuple[str, str]], list[str]]] = defaultdict(lambda: ([], []))
    for each in wsedu.read(path, keylog=key_log(path)).conversations:
        for message in each.messages:
            if message.stream is not None:
                port = (each.client if message.sender == "client" else each.server).rpartition(":")[2]
                fields, content = found[str(each.index), port, message.stream]
                fields += message.head.fields if message.head else ()
                content.append((message.frame.serialize() if message.frame else message.content).hex())
    assert {key: (fields, "".join(content)) for key, (fields, content) in found.items()} == {
        key: (fields, "".join(content)) for key, (fields, content) in expected.items() if key[2] and fields
    }
    assert found or "h2" not in path.name


def _shown(element: ElementTree.Element, name: str) -> list[str]:
    return [field.get("show", "") for field in element.iter("field") if field.get("name") == f"http2.{name}"]
