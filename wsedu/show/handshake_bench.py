# SPDX-License-Identifier: GPL-2.0-or-later
"""The handshake bench: an opening handshake to spoil, the rule that it breaks, and a real server's opinion."""

import base64
import hashlib
from collections.abc import Callable
from contextlib import suppress

import traitlets

from ..protocol.errors import NeedMoreData, ProtocolError
from ..protocol.handshake import GUID, check_request, check_response
from ..protocol.http1 import Request
from ..protocol.http1_spans import head_spans
from .bytemap import ByteMap
from .controls import AskingWidget, script
from .frame_builder import Send
from .html import LEFT, TABLE, Markup, join, row_head, scrolling, sentence, table_row, tag, with_links
from .parts import view
from .text import visible

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
REQUEST = f"""GET / HTTP/1.1
Host: 127.0.0.1
Upgrade: websocket
Connection: Upgrade
Sec-WebSocket-Key: {KEY}
Sec-WebSocket-Version: 13"""


SPOILED = {
    "nothing": REQUEST,
    "no Host": REQUEST.replace("Host: 127.0.0.1\n", ""),
    "no Upgrade": REQUEST.replace("Upgrade: websocket\n", ""),
    "Connection: keep-alive": REQUEST.replace("Connection: Upgrade", "Connection: keep-alive"),
    "no Sec-WebSocket-Key": REQUEST.replace(f"Sec-WebSocket-Key: {KEY}\n", ""),
    "a key of 15 bytes": REQUEST.replace(KEY, base64.b64encode(bytes(15)).decode()),
    "version 8": REQUEST.replace("Version: 13", "Version: 8"),
    "HTTP/1.0": REQUEST.replace("HTTP/1.1", "HTTP/1.0"),
    "POST": REQUEST.replace("GET", "POST"),
}


class HandshakeBench(AskingWidget):
    """A request head to edit, line by line, and to send; the kernel judges it after each change.

    Args:
        send: takes the bytes of a request and tells what the server answered.
    """

    promise = "an opening handshake to edit and to send"
    _esm = script("byte_pane.js", "kernel.js", "handshake_bench.js")
    spoiled = traitlets.Dict(SPOILED).tag(sync=True)
    shown = traitlets.Unicode().tag(sync=True)

    def __init__(self, send: Send) -> None:
        self._ask_servers = send
        super().__init__(shown=verdict_html(_bytes(REQUEST)))

    def picture(self) -> Markup:
        """The request that it begins with, the verdict, and the accept value step by step."""
        return tag("div", tag("pre", REQUEST), verdict_html(_bytes(REQUEST)))

    def answer(self, what: str, data: bytes, tell: Callable[..., None]) -> None:
        """Say what is right or wrong about a request, or send it and tell what came of it."""
        if what == "check":
            tell(verdict_html(data))
        else:
            self._ask_servers(data, lambda answers: tell(join(*(answer_html(data, *one) for one in answers.values()))))


def _bytes(lines: str) -> bytes:
    """The lines as a head: each with CRLF, and the empty line."""
    return (lines.replace("\n", "\r\n") + "\r\n\r\n").encode()


def verdict_html(data: bytes) -> Markup:
    """What is right or wrong about a request, and its accept value, step by step (RFC 6455, 4.2.2); as HTML."""
    key = _key(data)
    try:
        check_request(data)
        said = sentence("✓ An opening handshake", with_links(" by RFC 6455, 4.2.1."))
    except ProtocolError as error:
        said = sentence("✗ Must be refused: ", with_links(f"{error}; status code {error.status_code}"))
    except NeedMoreData:
        said = sentence("… Not whole: ", "the head has no end")
    if key is None:
        return join(said, tag("p", "Without Sec-WebSocket-Key there is no accept value to compute."))
    digest = hashlib.sha1((key + GUID).encode("utf-8", "surrogatepass")).digest()
    steps = [
        ("key", visible(key)),
        ("GUID, the same for all", GUID),
        ("key and GUID, joined", visible(key + GUID)),
        ("SHA-1, 20 bytes", digest.hex(" ")),
        ("base64: the accept value", base64.b64encode(digest).decode()),
    ]
    rows = (table_row(row_head(name), tag("td", tag("samp", value), style=LEFT)) for name, value in steps)
    caption = tag("caption", with_links("From key to accept value (RFC 6455, 4.2.2)"), style="text-align:left")
    return join(said, scrolling(tag("table", caption, *rows, style=TABLE)))


def answer_html(request: bytes, what: str, response: bytes) -> Markup:
    """A response to an opening handshake: whether a client may go on, what the server says, and its bytes; as HTML.

    Where there is none, ``what`` the server did.
    """
    if not response:
        return sentence("The server ", what)
    spans = head_spans(response)
    end = spans[-1].end
    try:
        check_response(response, _key(request) or "")
        right = with_links(": the accept value is the one computed here (RFC 6455, 4.1).")
        said = sentence("✓ A WebSocket from here on", right)
    except ProtocolError as error:
        said = sentence("✗ No WebSocket: ", with_links(str(error)))
    except NeedMoreData:
        said = sentence("… Not whole: ", "the head of the response has no end")
    content = response[end:].decode("utf-8", "replace").strip()
    words = tag("p", "The server says: ", tag("samp", visible(content))) if content else Markup("")
    return join(said, words, ByteMap(view(response[:end], spans, "response")).html())


def _key(request: bytes) -> str | None:
    """The key, if there is one in what can be read of a request."""
    with suppress(ProtocolError, NeedMoreData):
        return Request.parse(request, strict=False)[0].get("Sec-WebSocket-Key")
    return None
