# SPDX-License-Identifier: GPL-2.0-or-later
"""The pages and the news of publisher_pages.py over TLS: by Tornado in HTTP/1.1, by Hypercorn in HTTP/2.

HTTP/2 has no `Connection: close` that would give the news a connection of its own. So a page waits before it asks, and
the server meanwhile closes the connection on which the page was loaded, as it is idle. And Chromium opens a WebSocket
on a stream only where a connection is open already, so that page asks for something else first.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any

from netns import SERVER
from publisher_pages import TimedPublisher, page, serve

from wsedu.live.asgi_server import NewsApplication, asgi_serving
from wsedu.live.certificate import tls_contexts
from wsedu.live.publisher import Update

PORT = 443
IDLE = 0.7  # seconds until the server closes what is idle
_WAIT = "setTimeout(() => {{\n{script}\n}}, 1500);"
_ASK_FIRST = 'setTimeout(() => fetch("/news/polling?after=6").then(() => {{\n{script}\n}}), 1500);'


class _News(NewsApplication):
    """As the handlers of publisher_pages.py: a poll gets one update, and none has its number before it."""

    publisher: TimedPublisher

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan" and scope["path"].startswith("/news/"):
            self.publisher.open()
        await super().__call__(scope, receive, send)

    def page(self, path: str) -> str:
        way = path.strip("/")
        return page(way, _ASK_FIRST if way == "websocket" else _WAIT)

    def content(self, updates: list[Update]) -> str:
        return updates[0].text if updates else ""

    def event(self, update: Update) -> str:
        return f"data: {update.text}\n\n"

    def message(self, update: Update) -> str:
        return update.text


def http1() -> AbstractAsyncContextManager[object]:
    """Tornado, over TLS."""
    return serve(tls_contexts(address=SERVER)[0])


def http2(port: int = PORT) -> AbstractAsyncContextManager[object]:
    """Hypercorn, with HTTP/2 alone; on other ports without TLS, for clients that know beforehand."""
    tls, _ = tls_contexts(protocols=["h2"], address=SERVER)
    return asgi_serving(_News(TimedPublisher()), tls if port == PORT else None, SERVER, port, keep_alive_timeout=IDLE)
