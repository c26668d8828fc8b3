# SPDX-License-Identifier: GPL-2.0-or-later
"""A second real WebSocket server, Tornado's: so that a reader sees where two servers differ."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import tornado.httpserver
import tornado.netutil
import tornado.web
import tornado.websocket

from .server import Server


class _Echo(tornado.websocket.WebSocketHandler):
    def set_default_headers(self) -> None:
        self.set_header("Server", "Tornado")

    def check_origin(self, origin: str) -> bool:
        return True

    async def on_message(self, message: str | bytes) -> None:
        await self.write_message(message, binary=isinstance(message, bytes))


@asynccontextmanager
async def _serving() -> AsyncIterator[int]:
    application = tornado.web.Application([(r"/", _Echo)], log_function=lambda handler: None)
    server = tornado.httpserver.HTTPServer(application)
    sockets = tornado.netutil.bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    try:
        yield sockets[0].getsockname()[1]
    finally:
        server.stop()
        await server.close_all_connections()


def tornado_echo_server() -> Server:
    """An echo server on 127.0.0.1, made with Tornado; the target is ``/``."""
    return Server("WebSocket server by Tornado", _serving)
