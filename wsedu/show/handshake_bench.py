# SPDX-License-Identifier: GPL-2.0-or-later
"""The handshake bench: an opening handshake to spoil, the rule that it breaks, and a real server's opinion."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Callable

import ipywidgets as widgets

from ..protocol.errors import NeedMoreData, ProtocolError
from ..protocol.handshake import GUID, check_request, check_response
from ..protocol.head_spans import head_spans
from ..protocol.http1 import Request
from .bytemap import byte_map
from .html import Markup, join, tag, visible

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
REQUEST = f"""GET / HTTP/1.1
Host: 127.0.0.1
Upgrade: websocket
Connection: Upgrade
Sec-WebSocket-Key: {KEY}
Sec-WebSocket-Version: 13"""


class HandshakeBench(widgets.VBox):
    """A request head to edit, line by line, and to send.

    Args:
        send: takes the bytes of a request and gives those of the response; without it there is no button.

    Attributes:
        data: the request as it stands: its lines, each with CRLF, and the empty line.
    """

    def __init__(self, send: Callable[[bytes], bytes] | None = None) -> None:
        self._send = send
        wide = widgets.Layout(width="560px", max_width="98%", height="150px")
        self.lines = widgets.Textarea(REQUEST, description="request", layout=wide)
        self.shown, self.answered = widgets.HTML(), widgets.HTML()
        self.button = widgets.Button(description="Send it", button_style="primary")
        self.data = b""
        self.lines.observe(self._changed, names="value")
        self.button.on_click(self._clicked)
        super().__init__([self.lines, self.shown, *([self.button, self.answered] if send else [])])
        self._changed()

    def __repr__(self) -> str:
        return "(run this cell: an opening handshake to edit and to send)"

    def _changed(self, change: object = None) -> None:
        lines = [line.rstrip("\r") for line in self.lines.value.rstrip("\n").split("\n")]
        self.data = ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogatepass")
        self.shown.value = self._verdict() + self._accept()

    def _verdict(self) -> Markup:
        try:
            check_request(self.data)
        except ProtocolError as error:
            return tag("p", tag("b", "✗ Must be refused: "), f"{error}; status code {error.status_code}")
        except NeedMoreData:
            return tag("p", tag("b", "… Not whole: "), "the head has no end")
        return tag("p", tag("b", "✓ An opening handshake"), " by RFC 6455, 4.2.1.")

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
            ("key and GUID", visible(key + GUID)),
            ("SHA-1, 20 bytes", digest.hex(" ")),
            ("base64: the accept value", base64.b64encode(digest).decode()),
        ]
        rows = [
            tag("tr", tag("th", name, scope="row", style="text-align:left"), tag("td", tag("samp", value)))
            for name, value in steps
        ]
        return tag("table", tag("caption", "From key to accept value"), *rows)

    def _clicked(self, button: object) -> None:
        assert self._send is not None
        self.button.disabled = True
        threading.Thread(target=self._ask, args=(self.data, self._send), daemon=True).start()

    def _ask(self, data: bytes, send: Callable[[bytes], bytes]) -> None:
        try:
            self.answered.value = answer_html(data, send(data))
        except OSError as error:
            self.answered.value = tag("p", f"The server could not be asked: {error}")
        finally:
            self.button.disabled = False


def answer_html(request: bytes, response: bytes) -> Markup:
    """A response to an opening handshake: its bytes, and whether a client may go on; as HTML."""
    if not response:
        return tag("p", tag("b", "The server closed the connection without a response."))
    spans = head_spans(response)
    return join(_client(request, response), Markup(byte_map(response[: spans[-1].end], spans)._repr_html_()))


def _client(request: bytes, response: bytes) -> Markup:
    try:
        key = Request.parse(request, strict=False)[0].get("Sec-WebSocket-Key") or ""
        check_response(response, key)
    except ProtocolError as error:
        return tag("p", tag("b", "✗ No WebSocket: "), str(error))
    except NeedMoreData:
        return tag("p", tag("b", "… Not whole: "), "the head of the response has no end")
    return tag("p", tag("b", "✓ A WebSocket from here on"), " (RFC 6455, 4.1).")
