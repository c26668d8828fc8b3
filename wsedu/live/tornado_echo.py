# SPDX-License-Identifier: GPL-2.0-or-later
"""A second real WebSocket server, Tornado's: so that a reader sees where two servers differ."""

from __future__ import annotations

import tornado.websocket

from .server import Server
from .tornado_server import Handler, serving


class _Echo(Handler, tornado.websocket.WebSocketHandler):
    def set_default_headers(self) -> None:
        self.set_header("Server", "Tornado")

    def check_origin(self, origin: str) -> bool:
        return True

    async def on_message(self, message: str | bytes) -> None:
        await self.write_message(message, binary=isinstance(message, bytes))


def tornado_echo_server() -> Server:
    """An echo server on 127.0.0.1, made with Tornado; the target is ``/``."""
    return Server("WebSocket server by Tornado", lambda: serving([(r"/", _Echo)]))
