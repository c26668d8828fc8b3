# SPDX-License-Identifier: GPL-2.0-or-later
"""One publisher, four ways to deliver its news: Tornado speaks HTTP, websockets speaks WebSocket.

In each way a client says which update it had last, and gets those after it, in order: as ``?after=7`` in the target,
or as ``Last-Event-ID: 7`` when an EventSource connects again. So nothing is lost and nothing comes twice, however slow
a client is and however often its connection breaks.
"""

import asyncio
import ssl
from contextlib import suppress
from functools import partial
from typing import Literal, get_args
from urllib.parse import parse_qs, urlsplit

import tornado.iostream
import tornado.web
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from .publisher import Publisher
from .servers import Handler, Server, serve, serving

Way = Literal["polling", "longpoll", "eventsource", "websocket"]
WAYS: tuple[Way, ...] = get_args(Way)

# Seconds after which a long poll is answered without news: proxies cut connections that are silent for longer.
LONGEST_WAIT = 30.0


def cursor_of(text: str) -> int:
    """The number of the last update that a client has, from what it says; an empty text is 0.

    Raises:
        ValueError: it is no number.
    """
    if not text:
        return 0
    # int() reads more than a request may hold, digits of other scripts among them, and long ones slowly.
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise ValueError(f"after must be the number of an update, got {text!r}")
    return int(text)


class _News(Handler):
    """What the handlers of the three ways over HTTP share."""

    waiting: asyncio.Task[object] | None = None

    def wait(self) -> Publisher:
        """The publisher, to wait for its updates; that is cancelled when the client goes: nobody is left to answer."""
        self.waiting = asyncio.current_task()
        publisher: Publisher = self.settings["publisher"]
        return publisher

    def on_connection_close(self) -> None:
        if self.waiting is not None:
            self.waiting.cancel()

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("Cache-Control", "no-store")  # a response is for one client and one moment

    def cursor(self, said: str) -> int:
        try:
            return cursor_of(said)
        except ValueError as error:
            # Tornado formats the message with %.
            raise tornado.web.HTTPError(400, str(error).replace("%", "%%"), reason="Bad Request") from None


class _Poll(_News):
    """200 with news; 204 without (RFC 9110, 15.3.5), which has no content, and so no Content-Type."""

    async def get(self) -> None:
        after = self.cursor(self.get_query_argument("after", ""))
        with suppress(asyncio.CancelledError):  # the client has gone
            if updates := await self.wait().wait_after(after, self.settings["longest_wait"]):
                self.write("".join(f"{update.payload}\n" for update in updates))  # a line for each
            else:
                self.clear_header("Content-Type")
                self.set_status(204)


class _EventSource(_News):
    async def get(self) -> None:
        after = self.cursor(self.request.headers.get("Last-Event-ID", ""))
        self.set_header("Content-Type", "text/event-stream")
        with suppress(asyncio.CancelledError, tornado.iostream.StreamClosedError):  # the client has gone
            await self.flush()  # the head goes out now: an EventSource is open before there is news
            async for update in self.wait().follow(after):
                # The fields of an event, and the empty line that ends it (HTML Living Standard, 9.2.5).
                self.write(f"id: {update.number}\ndata: {update.payload}\n\n")
                await self.flush()  # waits while the client is slow


async def _deliver(publisher: Publisher, connection: ServerConnection) -> None:
    assert connection.request is not None
    said = parse_qs(urlsplit(connection.request.path).query).get("after", [""])[0]
    try:
        after = cursor_of(said)
    except ValueError as error:
        # 1008, policy violation (RFC 6455, 7.4.1); a control frame has at most 125 bytes of payload (5.5).
        await connection.close(1008, str(error)[:123])
        return
    sending = asyncio.ensure_future(_send(connection, publisher, after))
    try:
        await connection.wait_closed()
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def _send(connection: ServerConnection, publisher: Publisher, after: int) -> None:
    with suppress(ConnectionClosed):  # the client has gone
        async for update in publisher.follow(after):
            await connection.send(update.payload)  # waits while the client is slow


def news_server(
    way: Way,
    publisher: Publisher,
    *,
    longest_wait: float = LONGEST_WAIT,
    host: str = "127.0.0.1",
    tls: ssl.SSLContext | None = None,
    http2: bool = False,
) -> Server:
    """A server that delivers the updates of a publisher in one of the four ways.

    Args:
        way: ``"polling"``, ``"longpoll"``, ``"eventsource"`` or ``"websocket"``; the target is ``/news/`` and its name.
        longest_wait: seconds after which a long poll is answered with 204.
        host: the address that it listens on, of this machine.
        tls: for TLS, as ``tls_contexts`` makes it.
        http2: in HTTP/2, by Hypercorn (``asgi_server`` says more); otherwise in HTTP/1.1.

    Raises:
        ValueError: there is no such way.
    """
    if way not in WAYS:
        raise ValueError(f"way must be one of {', '.join(WAYS)}; got {way!r}")
    if http2:
        from .asgi_server import asgi_news_server  # here, as it takes as long to load as all the rest

        return asgi_news_server(publisher, tls, longest_wait, host)
    if way == "websocket":
        return Server("news server by WebSocket", lambda: serve(partial(_deliver, publisher), host, ssl=tls), host)
    pages = [(f"/news/{way}", _EventSource if way == "eventsource" else _Poll)]
    longest_wait = longest_wait if way == "longpoll" else 0  # what polls is answered at once
    listen = partial(serving, pages, host, tls=tls, publisher=publisher, longest_wait=longest_wait)
    return Server(f"news server by {way}", listen, host)
