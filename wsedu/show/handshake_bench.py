# SPDX-License-Identifier: GPL-2.0-or-later
"""The handshake bench: an opening handshake to spoil, the rule that it breaks, and a real server's opinion."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

import ipywidgets as widgets

from ..protocol.errors import NeedMoreData, ProtocolError
from ..protocol.handshake import GUID, check_request, check_response
from ..protocol.http1 import Request
from ..protocol.http1_spans import head_spans
from .bytemap import ByteMap
from .controls import LABELS, SendButton, WidgetWithPicture, choice, hint, verdict
from .html import LEFT, TABLE, Markup, join, row_head, scrolling, sentence, table_row, tag
from .parts import view
from .text import visible

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
REQUEST = f"""GET / HTTP/1.1
Host: 127.0.0.1
Upgrade: websocket
Connection: Upgrade
Sec-WebSocket-Key: {KEY}
Sec-WebSocket-Version: 13"""


def _without(name: str) -> str:
    return "\n".join(line for line in REQUEST.split("\n") if not line.startswith(name))


SPOILED = {
    "nothing": REQUEST,
    "no Host": _without("Host"),
    "no Upgrade": _without("Upgrade"),
    "Connection: keep-alive": REQUEST.replace("Connection: Upgrade", "Connection: keep-alive"),
    "no Sec-WebSocket-Key": _without("Sec-WebSocket-Key"),
    "a key of 15 bytes": REQUEST.replace(KEY, base64.b64encode(bytes(15)).decode()),
    "version 8": REQUEST.replace("Version: 13", "Version: 8"),
    "HTTP/1.0": REQUEST.replace("HTTP/1.1", "HTTP/1.0"),
    "POST": REQUEST.replace("GET", "POST"),
}
HINT = "Choose what to break, or edit the request: change a field, take its line out, add one. Then send it."


class HandshakeBench(WidgetWithPicture):
    """A request head to edit, line by line, and to send.

    Args:
        send: takes the bytes of a request and gives those of the response.

    Attributes:
        data: the request as it stands: its lines, each with CRLF, and the empty line.
        sender: the button, and what was answered.
    """

    promise = "an opening handshake to edit and to send"

    def __init__(self, send: Callable[[bytes], bytes]) -> None:
        wide = widgets.Layout(width="640px", max_width="98%", height="150px")
        self.broken = choice(list(SPOILED), "nothing", "break")
        self.lines = widgets.Textarea(REQUEST, description="request", style=LABELS, layout=wide)
        self.shown = widgets.HTML()
        self.data = b""
        self.broken.observe(self._spoil, names="value")
        self.sender = SendButton(lambda data: answer_html(data, send(data)), lambda: self.data)
        super().__init__([hint(HINT), self.broken, self.lines, self.shown, self.sender], [self.lines])

    def picture(self) -> Markup:
        """The request, the verdict, and the accept value step by step."""
        return tag("div", tag("pre", "\n".join(map(visible, self.lines.value.splitlines()))), self.drawn)

    def _spoil(self, change: object) -> None:
        self.lines.value = SPOILED[self.broken.value]

    def _changed(self, change: object = None) -> None:
        lines = [line.rstrip("\r") for line in self.lines.value.rstrip("\n").split("\n")]
        self.data = ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogatepass")
        self.shown.value = self.draw(verdict(self._check, "the head has no end"), self._accept())

    def _check(self) -> Markup:
        check_request(self.data)
        return sentence("✓ An opening handshake", " by RFC 6455, 4.2.1.")

    def _accept(self) -> Markup:
        """The accept value, step by step (RFC 6455, 4.2.2)."""
        try:
            key = Request.parse(self.data, strict=False)[0].get("Sec-WebSocket-Key")
        except (ProtocolError, NeedMoreData):
            key = None
        if key is None:
            return tag("p", "Without Sec-WebSocket-Key there is no accept value to compute.")
        digest = hashlib.sha1((key + GUID).encode("utf-8", "surrogatepass")).digest()
        steps = [
            ("key", visible(key)),
            ("GUID, the same for all", GUID),
            ("key and GUID, joined", visible(key + GUID)),
            ("SHA-1, 20 bytes", digest.hex(" ")),
            ("base64: the accept value", base64.b64encode(digest).decode()),
        ]
        rows = (table_row(row_head(name), tag("td", tag("samp", value), style=LEFT)) for name, value in steps)
        caption = tag("caption", "From key to accept value (RFC 6455, 4.2.2)", style="text-align:left")
        return scrolling(tag("table", caption, *rows, style=TABLE))


def answer_html(request: bytes, response: bytes) -> Markup:
    """A response to an opening handshake: whether a client may go on, what the server says, and its bytes; as HTML."""
    if not response:
        return sentence("The server closed the connection without a response.")
    spans = head_spans(response)
    end = spans[-1].end
    content = response[end:].decode("utf-8", "replace").strip()
    words = tag("p", "The server says: ", tag("samp", visible(content))) if content else Markup("")
    return join(_client(request, response), words, ByteMap(view(response[:end], spans, "response")).html())


def _client(request: bytes, response: bytes) -> Markup:
    try:
        key = Request.parse(request, strict=False)[0].get("Sec-WebSocket-Key") or ""
        check_response(response, key)
    except ProtocolError as error:
        return sentence("✗ No WebSocket: ", str(error))
    except NeedMoreData:
        return sentence("… Not whole: ", "the head of the response has no end")
    return sentence("✓ A WebSocket from here on", ": the accept value is the one computed here (RFC 6455, 4.1).")
