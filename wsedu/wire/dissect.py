# SPDX-License-Identifier: GPL-2.0-or-later
"""``python -m wsedu dissect``: the messages of a capture, one a line, for people or as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

from ..protocol.http1 import Request, Response
from ..protocol.opcodes import Opcode, opcode_name
from .fast import FastReader
from .message import CapturedMessage
from .pcapfile import CutShort, NotACapture

PREVIEW = 60  # characters of a payload or target that a line shows


def main(path: str, as_json: bool = False) -> int:
    """Print the messages of a capture.

    Args:
        path: of a pcap or pcapng file.
        as_json: one JSON object a line.

    Returns:
        The exit status: 0; 1 if the file is cut short, or cannot be read to its end; 2 if it is no capture, or cannot
        be opened. It is 0 as well if whoever reads the lines has read enough.
    """
    warnings: list[str] = []
    status = 0
    try:
        file = open(path, "rb")
    except OSError as error:
        return _complain(f"{path}: {error.strerror}", 2)
    with file:
        try:
            for line in _lines(file, as_json, warnings):
                _say(line)
            print(end="", flush=True)
        except NotACapture as error:
            status = _complain(f"{path}: {error}", 2)
        except CutShort as error:
            status = _complain(f"{path}: {error}", 1)
        except OSError as error:
            return 0 if isinstance(error, BrokenPipeError) else _complain(f"stdout: {error.strerror}", 1)
    for warning in warnings:
        _complain(warning, status)
    return status


def _lines(file: BinaryIO, as_json: bool, warnings: list[str]) -> Iterator[str]:
    reader = FastReader(warnings)
    for batch in reader.batches(file):
        for message in batch:
            if as_json:
                yield json.dumps(as_object(message, *reader.names[message.conversation]))
            else:
                yield as_line(message)


def _say(line: str) -> None:
    """Print; what the terminal has no character for is written as an escape."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(line.encode(encoding, "backslashreplace").decode(encoding))


def _complain(text: str, status: int) -> int:
    print(f"wsedu: {printable(text)}", file=sys.stderr)
    return status


def as_object(message: CapturedMessage, client: str, server: str) -> dict[str, Any]:
    """A message as ``--json`` prints it."""
    row: dict[str, Any] = {
        "conversation": message.conversation,
        "client": client,
        "server": server,
        "sender": message.sender,
        "time": message.time,
        "kind": message.kind,
        "wire_length": message.wire_length,
    }
    if isinstance(message.head, Request):
        row |= {"method": message.head.method, "target": message.head.target}
    if isinstance(message.head, Response):
        row["status"] = message.head.status
    if message.head is not None:
        row["content_bytes"] = len(message.content)
    if message.header is not None:
        header = message.header
        row |= {name: getattr(header, name) for name in ("fin", "rsv1", "rsv2", "rsv3", "opcode")}
        row["masked"] = header.masking_key is not None
        row["payload_length"] = header.payload_length
        row["payload"] = message.payload.hex()
    if message.kind == "gap":
        row["missing"] = message.missing
    return row


def as_line(message: CapturedMessage) -> str:
    """A message on one line; what came from outside is made printable."""
    arrow = "->" if message.sender == "client" else "<-"
    start = f"{message.conversation:>3} {message.time:>11.6f} {arrow} {message.kind:<8}"
    return f"{start} {message.wire_length:>7}  {printable(_what(message))}"


def _what(message: CapturedMessage) -> str:
    head = message.head
    if isinstance(head, Request):
        return f"{head.method} {_short(head.target)}{_content(message)}"
    if isinstance(head, Response):
        return f"{head.status} {_short(head.reason)}{_content(message)}"
    if message.kind == "gap":
        return f"{message.missing:,} bytes are missing; this sender is not read any further"
    header = message.header
    assert header is not None
    flags = "".join(f" RSV{n}" for n in (1, 2, 3) if header[n]) + ("" if header.fin else " FIN=0")
    payload, code = message.payload, ""
    if header.opcode == Opcode.CLOSE and len(payload) >= 2:
        code, payload = f"{int.from_bytes(payload[:2], 'big')} ", payload[2:]
    text = code + _short(payload[: PREVIEW + 1].decode("utf-8", "replace"))
    return f"{opcode_name(header.opcode)}{flags} {header.payload_length:,} {text}"


def _content(message: CapturedMessage) -> str:
    return f", content {len(message.content):,}" if message.content else ""


def _short(text: str) -> str:
    return text if len(text) <= PREVIEW else text[:PREVIEW] + "…"


def printable(text: str) -> str:
    """The text with everything that a terminal might act on written as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
