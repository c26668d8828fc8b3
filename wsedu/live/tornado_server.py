# SPDX-License-Identifier: GPL-2.0-or-later
"""How each of our Tornado servers begins and ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import tornado.httpserver
import tornado.netutil
import tornado.web

BACKLOG = 1024  # clients that may knock at once


@asynccontextmanager
async def serving(
    pages: Sequence[tuple[str, type[tornado.web.RequestHandler]]],
    host: str = "127.0.0.1",
    **settings: Any,
) -> AsyncIterator[int]:
    """Serve pages on a free port while the block runs, and write no log.

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
