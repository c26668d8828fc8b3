# SPDX-License-Identifier: GPL-2.0-or-later
"""``python -m wsedu dissect``: the messages of a capture, one a line, for people or as JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

from ..protocol.header import parse_header
from ..protocol.http1 import Request, Response
from ..protocol.opcodes import opcode_name
from .connections import Event, follow
from .message import Message, message_of
from .pcapfile import CutShort, NotACapture, read_packets

PREVIEW = 60  # characters of a payload or target that a line shows


def main(path: str, as_json: bool = False) -> int:
    """Print the messages of a capture.

    Args:
        path: of a pcap or pcapng file.
        as_json: one JSON object a line.

    Returns:
        The exit status: 0; 1 if the file is cut short or cannot be opened; 2 if it is no capture.
    """
    warnings: list[str] = []
    status = 0
    try:
        with open(path, "rb") as file:
            for event in follow(read_packets(file), warnings):
                message = message_of(event)
                print(json.dumps(as_object(message, event)) if as_json else as_line(message))
    except NotACapture as error:
        status = _complain(f"{path}: {error}", 2)
    except (CutShort, OSError) as error:
        status = _complain(f"{path}: {error.strerror if isinstance(error, OSError) else error}", 1)
    for warning in warnings:
        _complain(warning, status)
    return status


def _complain(text: str, status: int) -> int:
    print(f"wsedu: {printable(text)}", file=sys.stderr)
    return status


def as_object(message: Message, event: Event) -> dict[str, Any]:
    """A message as ``--json`` prints it."""
    row: dict[str, Any] = {
        "conversation": message.conversation,
        "client": event.client,
        "server": event.server,
        "sender": message.sender,
        "time": message.time,
        "kind": message.kind,
        "wire_length": len(message.raw),
    }
    if isinstance(message.head, Request):
        row |= {"method": message.head.method, "target": message.head.target}
    if isinstance(message.head, Response):
        row["status"] = message.head.status
    if message.head is not None:
        row["content_bytes"] = len(message.content)
    if message.kind == "frame":
        header = parse_header(message.raw)
        row |= {name: getattr(header, name) for name in ("fin", "rsv1", "rsv2", "rsv3", "opcode")}
        row["masked"] = header.masking_key is not None
        row["payload_length"] = header.payload_length
        row["payload"] = message.payload.hex()
    if message.kind == "gap":
        row["missing"] = message.missing
    return row


def as_line(message: Message) -> str:
    """A message on one line; what came from outside is made printable."""
    arrow = "->" if message.sender == "client" else "<-"
    start = f"{message.conversation:>3} {message.time:>11.6f} {arrow} {message.kind:<8}"
    return f"{start} {len(message.raw):>7}  {printable(_what(message))}"


def _what(message: Message) -> str:
    head = message.head
    if isinstance(head, Request):
        return f"{head.method} {_short(head.target)}{_content(message)}"
    if isinstance(head, Response):
        return f"{head.status} {_short(head.reason)}{_content(message)}"
    if message.kind == "gap":
        return f"{message.missing:,} bytes are missing; this sender is not read any further"
    header = parse_header(message.raw)
    flags = "".join(f" RSV{n}" for n in (1, 2, 3) if header[n]) + ("" if header.fin else " FIN=0")
    text = _short(message.payload[: PREVIEW + 1].decode("utf-8", "replace"))
    return f"{opcode_name(header.opcode)}{flags} {header.payload_length:,} {text}"


def _content(message: Message) -> str:
    return f", content {len(message.content):,}" if message.content else ""


def _short(text: str) -> str:
    return text if len(text) <= PREVIEW else text[:PREVIEW] + "…"


def printable(text: str) -> str:
    """The text with everything that a terminal might act on written as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
