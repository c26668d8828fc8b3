# SPDX-License-Identifier: GPL-2.0-or-later
"""How each of our Tornado servers begins and ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any

import tornado.httpserver
import tornado.iostream
import tornado.netutil
import tornado.web
import tornado.websocket

BACKLOG = 1024  # clients that may knock at once

OF_CLIENTS = tornado.web.HTTPError, tornado.iostream.StreamClosedError, tornado.websocket.WebSocketClosedError
"""What a client that asks for nonsense, or leaves, makes a handler raise."""


class Handler(tornado.web.RequestHandler):
    """A handler that says nothing of what its clients do; an error of its own it does say.

    Tornado's loggers are left alone: Jupyter's own server may use them in the same process.
    """

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if not isinstance(value, OF_CLIENTS):
            super().log_exception(typ, value, tb)


@asynccontextmanager
async def serving(
    pages: Sequence[tuple[str, type[Handler]]],
    host: str = "127.0.0.1",
    **settings: Any,
) -> AsyncIterator[int]:
    """Serve pages on a free port while the block runs, and write no log of what clients do.

    Args:
        pages: patterns of targets, each with its handler.
        host: the address to listen on.
        settings: what the handlers find in their ``settings``.

    Yields:
        The port.
    """
    application = tornado.web.Application(list(pages), log_function=lambda handler: None, **settings)
    server = tornado.httpserver.HTTPServer(application)
    sockets = tornado.netutil.bind_sockets(0, host, backlog=BACKLOG)
    server.add_sockets(sockets)
    try:
        yield sockets[0].getsockname()[1]
    finally:
        server.stop()
        await server.close_all_connections()
