# SPDX-License-Identifier: GPL-2.0-or-later
"""A message as ``dissect`` prints it: one line for people, or one JSON object."""

from __future__ import annotations

from functools import lru_cache
from itertools import accumulate
from typing import Any
from unicodedata import east_asian_width

from ..protocol.errors import printable
from ..protocol.frames import RSV1
from ..protocol.http1 import Request, Response
from ..protocol.opcodes import Opcode, opcode_name
from .assemble import WholeMessage
from .message import CapturedMessage

COLUMNS = 100  # of a terminal that a line for people takes at most
MOST_TEXT = 64 << 10  # bytes of text in a JSON object; what is behind them is cut off


def as_object(message: CapturedMessage, client: str, server: str) -> dict[str, Any]:
    """A message as ``--json`` prints it."""
    row: dict[str, Any] = {"conversation": message.conversation, "client": client, "server": server}
    row |= {name: getattr(message, name) for name in ("sender", "time", "kind", "wire_length")}
    if message.head is not None:
        return row | _http(message)
    if message.kind == "gap":
        return row | {"missing": message.missing}
    if isinstance(message, WholeMessage):
        row |= {"opcode": message.opcode, "frames": len(message.frames), "compressed": bool(message.compressed)}
        row |= {"payload_length": len(message.payload)}
        return row | (_meant(message) if not message.inflate_error else {"inflate_error": message.inflate_error})
    header = message.header
    assert header is not None
    row |= {name: getattr(header, name) for name in ("fin", "rsv1", "rsv2", "rsv3", "opcode")}
    row |= {"masked": header.masking_key is not None, "payload_length": header.payload_length}
    row["payload"] = message.payload.hex()
    if message.compressed is not None:
        row["compressed"] = message.compressed
    if message.inflate_error:
        row["inflate_error"] = message.inflate_error
    elif message.compressed and header.fin:
        row |= _meant(message)
    elif message.text is not None:
        row |= _cut(message.text)
    return row


def _meant(message: CapturedMessage) -> dict[str, Any]:
    """What was meant by a whole message."""
    size = {"content_bytes": len(message.content)}
    return size | ({"content": message.content.hex()} if message.text is None else _cut(message.text))


def _http(message: CapturedMessage) -> dict[str, Any]:
    head = message.head
    assert head is not None
    row: dict[str, Any] = {"method": head.method, "target": head.target} if isinstance(head, Request) else {}
    if isinstance(head, Response):
        row["status"] = head.status
    row |= {
        "content_bytes": len(message.content),
        "version": head.version,
        "fields": [list(one) for one in head.fields],
    }
    text = message.text
    return row if text is None else row | _cut(text)


def _cut(text: str) -> dict[str, Any]:
    encoded = text.encode("utf-8", "surrogatepass")
    if len(encoded) <= MOST_TEXT:
        return {"text": text}
    # A letter that this cuts in two is left out.
    return {"text": encoded[:MOST_TEXT].decode("utf-8", "ignore"), "text_cut": True}


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
    if message.kind == "gap":
        return f"{message.missing:,} bytes are missing; this sender is not read any further", "", ""
    flags, code, notes = "", "", []
    payload, size = message.payload, len(message.payload)
    if header is not None:
        name = opcode_name(header.opcode)
        # RSV1 says that a message is compressed; where it was inflated, that is said behind it.
        shown = (2, 3) if message.compressed and not message.inflate_error else (1, 2, 3)
        flags = "".join(f" RSV{n}" for n in shown if header[n]) + ("" if header.fin else " FIN=0")
        if header.opcode == Opcode.CLOSE and len(payload) >= 2:
            code, payload = f"{int.from_bytes(payload[:2], 'big')} ", payload[2:]
    if message.inflate_error:
        payload, notes = b"", [f"not inflated: {message.inflate_error}"]
    elif message.compressed and (header is None or header.fin):
        payload, notes, size = message.content, [f"{size:,} compressed"], len(message.content)
    elif message.compressed:
        payload, notes = b"", ["compressed"]
    if isinstance(message, WholeMessage):
        name, count = opcode_name(message.opcode), len(message.frames)
        flags = " RSV1" * bool(
            message.frames[0].first_byte & RSV1 and (not message.compressed or message.inflate_error)
        )
        notes += [f"{count:,} frames"] * (count > 1)
    # A character of UTF-8 has at most four bytes, so one that this cuts in two is behind the end of the line.
    text = payload[: 4 * COLUMNS].decode("utf-8", "replace")
    after = f"({', '.join(notes)})" if notes else ""
    return f"{name}{flags} {size:,} {code}", text, f" {after}" if text and after else after


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
