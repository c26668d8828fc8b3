# SPDX-License-Identifier: GPL-2.0-or-later
"""Pages whose WebSockets a browser opens, and the `websockets` servers behind them; one of them behind nginx.

The pages' scripts are in tools/pages/: log.js and talk.js, which write down what a page does and sees, and stories.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from dialogues import SECURE_PORT, listen
from netns import SERVER, SERVER_IPV6
from publisher_pages import NEWS, PAGE
from websockets.asyncio.server import Server, ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from wsedu.live.certificate import tls_contexts

_PAGES = Path(__file__).resolve().parent / "pages"
_STARTED = "story().then(() => { finished = true; });"
_COOKIE = "login=alice-5d41402a"
_ACCOUNT = '{"owner":"Alice","balance":"1204.00"}'


def _guard(connection: ServerConnection, request: Request) -> Response | None:
    """Who may not in: None lets a request pass."""
    if request.path == "/not-here":
        return connection.respond(404, "There is no news here.\n")
    if request.path.startswith("/account") and request.headers.get("Cookie") != _COOKIE:
        return connection.respond(401, "Log in first.\n")
    if request.path == "/account/checked" and request.headers.get("Origin") != f"http://{SERVER}":
        return connection.respond(403, "Not for pages of others.\n")
    return None


def _listen(
    scripts: tuple[str, ...],
    handler: Callable[[ServerConnection], Awaitable[None]],
    address: str = SERVER,
    port: int = 80,
    *,
    cookie: str = "",
    **options: Any,
) -> AbstractAsyncContextManager[Server]:
    """A server with one page, at /, and WebSockets at all other paths."""
    # Each without its first line, the licence's.
    texts = [(_PAGES / f"{name}.js").read_text(encoding="utf-8").partition("\n")[2] for name in scripts]
    page = PAGE.format(name=scripts[-1], script="\n".join(texts) + _STARTED)

    def answer(connection: ServerConnection, request: Request) -> Response | None:
        if request.path != "/":
            return _guard(connection, request)
        response = connection.respond(200, page)
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = "text/html; charset=utf-8"
        if cookie:
            response.headers["Set-Cookie"] = cookie
        return response

    return listen(handler, address, port, process_request=answer, **options)


async def _session(connection: ServerConnection) -> None:
    for _ in range(2):
        await connection.send(await connection.recv())
    await connection.recv()
    for update in NEWS[:2]:
        await connection.send(update)
    await (await connection.ping(b"still there?"))
    await connection.send([NEWS[2][:9], NEWS[2][9:18], NEWS[2][18:]])
    await connection.send(await connection.recv())
    await connection.send(f"{len(await connection.recv()):,} characters")
    await connection.wait_closed()


async def _closes(connection: ServerConnection) -> None:
    match connection.request and connection.request.path:
        case "/done":
            await connection.close(1000, "that was all")
        case "/going-away":
            await connection.close(1001, "server restarts")
        case "/no-code":
            with suppress(ConnectionClosed):  # close() would put in 1000
                async with connection.send_context():
                    connection.protocol.send_close()
        case "/no-close-frame":
            connection.transport.close()
        case "/raises":
            raise RuntimeError("the handler has a bug")
    await connection.wait_closed()


async def _idle(connection: ServerConnection) -> None:
    if connection.request and connection.request.path == "/pinged":
        for _ in range(6):
            await asyncio.sleep(0.4)
            await (await connection.ping(b"still there?"))
        await connection.close(1000)
    await connection.wait_closed()


async def _account(connection: ServerConnection) -> None:
    await connection.send(_ACCOUNT)
    await connection.close(1000)


async def _read(connection: ServerConnection) -> None:
    async for _ in connection:
        pass


def typed() -> AbstractAsyncContextManager[Server]:
    """A page that sends each key that is pressed, over TLS."""
    return _listen(("log", "typing"), _read, port=SECURE_PORT, ssl=tls_contexts(address=SERVER)[0])


deflated = partial(
    _listen, ("log", "talk", "session"), _session, compression="deflate", subprotocols=[Subprotocol("news.v1")]
)
closing = partial(_listen, ("log", "talk", "closes"), _closes, max_size=125)
behind = partial(_listen, ("log", "talk", "idle"), _idle, "127.0.0.1", 8080)
bank = partial(_listen, ("log", "account"), _account, cookie=f"{_COOKIE}; Path=/account; HttpOnly; SameSite=Strict")
attackers = [partial(_listen, ("log", "attack"), _account, address, 8080) for address in (SERVER, SERVER_IPV6)]
