# SPDX-License-Identifier: GPL-2.0-or-later
"""A message as ``dissect`` prints it: one line for people, or one JSON object."""

from functools import lru_cache
from itertools import accumulate
from typing import Any
from unicodedata import east_asian_width

from ..protocol.errors import printable
from ..protocol.frames import FIN
from ..protocol.http1 import Request, Response
from ..protocol.opcodes import Opcode, opcode_name
from .message import CapturedMessage, FrameMessage, WholeMessage

COLUMNS = 100  # of a terminal that a line for people takes at most
MOST_TEXT = 64 << 10  # bytes of text in a JSON object; what is behind them is cut off


def as_object(message: CapturedMessage, client: str, server: str, tls: str = "") -> dict[str, Any]:
    """A message as ``--json`` prints it."""
    row: dict[str, Any] = {"conversation": message.conversation, "client": client, "server": server}
    row |= {"tls": tls} if tls else {}
    row |= {name: getattr(message, name) for name in ("sender", "time", "kind", "wire_length")}
    if message.stream is not None:
        row["stream"] = message.stream
    if message.head is not None:
        return row | _http(message.head, len(message.content)) | _text(message)
    if message.kind == "gap":
        return row | {"missing": message.missing}
    ends = True
    if isinstance(message, WholeMessage):
        row |= {"opcode": message.opcode, "frames": len(message.frames), "compressed": bool(message.compressed)}
        row |= {"payload_length": len(message.payload)}
    elif header := message.header:
        row |= {name: getattr(header, name) for name in ("fin", "rsv1", "rsv2", "rsv3", "opcode")}
        row |= {"masked": header.masking_key is not None, "payload_length": header.payload_length}
        row |= {"payload": message.payload.hex()}
        row |= {} if message.compressed is None else {"compressed": message.compressed}
        ends = bool(message.compressed and header.fin)
    if message.inflate_error:
        return row | {"inflate_error": message.inflate_error}
    if not ends:
        return row | _text(message)
    return row | {"content_bytes": len(message.content)} | (_text(message) or {"content": message.content.hex()})


def _http(head: Request | Response, size: int) -> dict[str, Any]:
    what = {"method": head.method, "target": head.target} if isinstance(head, Request) else {"status": head.status}
    return what | {"content_bytes": size, "version": head.version, "fields": [list(one) for one in head.fields]}


def _text(message: CapturedMessage) -> dict[str, Any]:
    text = message.text
    if text is None:
        return {}
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
    if message.stream is not None:
        after += f"{' ' * bool(text or after)}(stream {message.stream})"
    return start + before + fitted(text, COLUMNS - len(start + before + after), encoding) + after


def _what(message: CapturedMessage) -> tuple[str, str, str]:
    """What is said of a message: text from outside, which may be long, and what stands before and after it."""
    head = message.head
    content = f", content {len(message.content):,}" if message.content else ""
    if isinstance(head, Request):
        return "", f"{head.method} {head.target}", content
    if isinstance(head, Response):
        return f"{head.status} ", head.reason, content
    if not isinstance(message, FrameMessage | WholeMessage):
        return f"{message.missing:,} bytes are missing; this sender is not read any further", "", ""
    first, code, notes = message.first_byte, "", []
    payload, size = message.payload, len(message.payload)
    # RSV1 says that a message is compressed; where it was inflated, that is said behind it.
    shown = (2, 3) if message.compressed and not message.inflate_error else (1, 2, 3)
    flags = "".join(f" RSV{n}" for n in shown if first & (FIN >> n)) + ("" if first & FIN else " FIN=0")
    if message.opcode == Opcode.CLOSE and size >= 2:
        code, payload = f"{int.from_bytes(payload[:2], 'big')} ", payload[2:]
    if message.inflate_error:
        payload, notes = b"", [f"not inflated: {message.inflate_error}"]
    elif message.compressed and first & FIN:
        payload, notes, size = message.content, [f"{size:,} compressed"], len(message.content)
    elif message.compressed:
        payload, notes = b"", ["compressed"]
    if isinstance(message, WholeMessage) and len(message.frames) > 1:
        notes.append(f"{len(message.frames):,} frames")
    # A character of UTF-8 has at most four bytes, so one that this cuts in two is behind the end of the line.
    text = payload[: 4 * COLUMNS].decode("utf-8", "replace")
    after = f"({', '.join(notes)})" if notes else ""
    return f"{opcode_name(message.opcode)}{flags} {size:,} {code}", text, f" {after}" if text and after else after


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
