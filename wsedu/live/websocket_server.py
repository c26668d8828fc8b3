# SPDX-License-Identifier: GPL-2.0-or-later
"""A real WebSocket server: the ``websockets`` library, echoing what it is sent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import websockets.asyncio.server as websockets
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.typing import Origin, Subprotocol

from .server import Server

# A reader breaks handshakes and leaves without a closing handshake; the library logs that as an error, with a
# traceback on stderr, in the middle of the page.
quiet = logging.getLogger("wsedu.live.websockets")
quiet.addHandler(logging.NullHandler())
quiet.propagate = False


def without_date(connection: ServerConnection, request: Request, response: Response) -> Response:
    """The response as it is sent: a 101 need not have a Date (RFC 9110, 6.6.1), and without it the same bytes come
    on every day."""
    if response.status_code == 101:
        del response.headers["Date"]
    return response


@asynccontextmanager
async def serve(
    handler: Callable[[ServerConnection], Awaitable[None]], host: str = "127.0.0.1", **options: Any
) -> AsyncIterator[websockets.Server]:
    """The library's ``serve`` as all our servers use it, on a free port; ``options`` are its own."""
    connected = set[ServerConnection]()

    class Known(ServerConnection):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            connected.add(self)

        def connection_lost(self, exc: Exception | None) -> None:
            connected.discard(self)
            super().connection_lost(exc)

    async with websockets.serve(
        handler,
        host,
        0,
        create_connection=Known,
        process_response=without_date,
        server_header="websockets",
        ping_interval=None,  # a Ping of the server's own would come between what a reader expects
        logger=quiet,
        **{"compression": None, "close_timeout": 0.2} | options,  # a reader's client may never answer a Close
    ) as server:
        try:
            yield server
        finally:
            # The library waits for opening handshakes that have begun, up to ten seconds each.
            for connection in tuple(connected):
                if connection.state is State.CONNECTING:
                    connection.transport.abort()


def websocket_server(
    *,
    greeting: str | None = None,
    origins: Sequence[str] | None = None,
    subprotocols: Sequence[str] = (),
    compression: bool = False,
) -> Server:
    """An echo server on 127.0.0.1: each message comes back as it is.

    Args:
        greeting: sent to each client as soon as the handshake is done, before the client says anything.
        origins: the values of Origin that are welcome; ``None`` welcomes all.
        subprotocols: those it speaks, the best first.
        compression: take up permessage-deflate when a client offers it.

    Returns:
        The running server; its Server field reads ``websockets``, whatever the version of Python.
    """

    async def echo(connection: ServerConnection) -> None:
        try:
            if greeting is not None:
                await connection.send(greeting)
            async for message in connection:
                await connection.send(message)
        except ConnectionClosed:
            pass

    @asynccontextmanager
    async def serving() -> AsyncIterator[int]:
        async with serve(
            echo,
            origins=None if origins is None else [cast(Origin, origin) for origin in origins],
            subprotocols=[cast(Subprotocol, name) for name in subprotocols] or None,
            compression="deflate" if compression else None,
        ) as server:
            yield next(iter(server.sockets)).getsockname()[1]

    return Server("WebSocket server", serving)
