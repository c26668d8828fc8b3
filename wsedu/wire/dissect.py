# SPDX-License-Identifier: GPL-2.0-or-later
"""``python -m wsedu dissect``: the messages of a capture, one a line, for people or as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import accumulate
from typing import Any, BinaryIO
from unicodedata import east_asian_width

from ..protocol.errors import printable
from ..protocol.http1 import Request, Response
from ..protocol.opcodes import Opcode, opcode_name
from .fast import FastReader
from .message import CapturedMessage
from .pcapfile import CutShort, NotACapture

COLUMNS = 100  # of a terminal that a line for people takes at most
MOST_WARNINGS = 20  # lines on stderr about what could not be read; one more counts the rest


def dissect(path: str, as_json: bool, complain: Callable[[str, int], int]) -> int:
    """Print the messages of a capture.

    Args:
        path: of a pcap or pcapng file.
        as_json: one JSON object a line.
        complain: says a line on stderr, and gives back the exit status that it got with it.

    Returns:
        The exit status: 0; 1 if the file is cut short, or cannot be read to its end; 2 if it is no capture, or cannot
        be opened.

    Raises:
        OSError: stdout cannot be written.
    """

    def say(what: object, status: int) -> int:
        return complain(f"wsedu: {printable(str(what))}", status)

    try:
        file = open(path, "rb")
    except OSError as error:
        return say(f"{path}: {error.strerror}", 2)
    warnings: list[str] = []
    status = 0
    with file:
        try:
            for line in _lines(file, as_json, warnings):
                print(line)
        except NotACapture as error:
            status = say(f"{path}: {error}", 2)
        except CutShort as error:
            status = say(f"{path}: {error}", 1)
    for warning in warnings[:MOST_WARNINGS]:
        say(warning, status)
    if len(warnings) > MOST_WARNINGS:
        say(f"{len(warnings) - MOST_WARNINGS:,} more such lines; wsedu.read(...).warnings has them", status)
    return status


def _lines(file: BinaryIO, as_json: bool, warnings: list[str]) -> Iterator[str]:
    reader = FastReader(warnings)
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    for batch in reader.batches(file):
        for message in batch:
            if as_json:
                yield json.dumps(as_object(message, *reader.names[message.conversation]))
            else:
                yield as_line(message, encoding)
        # Nothing is held of connections of which no packet can come any more, or memory would grow with the capture.
        alive = {connection.index for connection in reader.connections.values()}
        for index in reader.names.keys() - alive:
            del reader.names[index]


def as_object(message: CapturedMessage, client: str, server: str) -> dict[str, Any]:
    """A message as ``--json`` prints it."""
    row: dict[str, Any] = {"conversation": message.conversation, "client": client, "server": server}
    row |= {name: getattr(message, name) for name in ("sender", "time", "kind", "wire_length")}
    if isinstance(message.head, Request):
        row |= {"method": message.head.method, "target": message.head.target}
    if isinstance(message.head, Response):
        row["status"] = message.head.status
    if message.head is not None:
        row["content_bytes"] = len(message.content)
    if (header := message.header) is not None:
        row |= {name: getattr(header, name) for name in ("fin", "rsv1", "rsv2", "rsv3", "opcode")}
        row |= {"masked": header.masking_key is not None, "payload_length": header.payload_length}
        row["payload"] = message.payload.hex()
    if message.kind == "gap":
        row["missing"] = message.missing
    return row


def as_line(message: CapturedMessage, encoding: str = "utf-8") -> str:
    """A message on one line of at most ``COLUMNS`` columns, for a terminal that has the characters of an encoding."""
    arrow = "->" if message.sender == "client" else "<-"
    start = f"{message.conversation:>3} {message.time:>11.6f} {arrow} {message.kind:<8} {message.wire_length:>7}  "
    before, text, after = _what(message)
    return start + before + fitted(text, COLUMNS - len(start + before + after), encoding) + after


def _what(message: CapturedMessage) -> tuple[str, str, str]:
    """What is said of a message: text from outside, which may be long, and what stands before and after it."""
    head, header = message.head, message.header
    content = f", content {len(message.content):,}" if message.content else ""
    if isinstance(head, Request):
        return "", f"{head.method} {head.target}", content
    if isinstance(head, Response):
        return f"{head.status} ", head.reason, content
    if header is None:
        return f"{message.missing:,} bytes are missing; this sender is not read any further", "", ""
    flags = "".join(f" RSV{n}" for n in (1, 2, 3) if header[n]) + ("" if header.fin else " FIN=0")
    payload, code = message.payload, ""
    if header.opcode == Opcode.CLOSE and len(payload) >= 2:
        code, payload = f"{int.from_bytes(payload[:2], 'big')} ", payload[2:]
    # A character of UTF-8 has at most four bytes, so one that this cuts in two is behind the end of the line.
    text = payload[: 4 * COLUMNS].decode("utf-8", "replace")
    return f"{opcode_name(header.opcode)}{flags} {header.payload_length:,} {code}", text, ""


def fitted(text: str, columns: int, encoding: str) -> str:
    """Text from outside, made printable, with dots at its end if it has to be cut to fit into so many columns."""
    shown, widths = zip(("", 0), *(_shown(character, encoding) for character in text[: columns + 1]), strict=True)
    ends = list(accumulate(widths))
    if ends[-1] <= columns:
        return "".join(shown)
    return "".join(each for each, end in zip(shown, ends, strict=True) if end <= columns - 3) + "..."


@lru_cache(maxsize=4096)  # as a line has dozens of them
def _shown(character: str, encoding: str) -> tuple[str, int]:
    """A character as a terminal can show it, and the columns that it takes: two if it is wide (UAX 11)."""
    shown = printable(character).encode(encoding, "backslashreplace").decode(encoding)
    return shown, sum(1 + (east_asian_width(each) in "WF") for each in shown)
