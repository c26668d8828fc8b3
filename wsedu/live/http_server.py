# SPDX-License-Identifier: GPL-2.0-or-later
"""A real HTTP server: Tornado, which is also the server behind JupyterLab."""

from __future__ import annotations

import asyncio

from .server import Server
from .tornado_server import Handler, serving


class _Page(Handler):
    def set_default_headers(self) -> None:
        self.set_header("Server", "Tornado")
        self.set_header("Content-Type", "text/plain; charset=utf-8")

    def compute_etag(self) -> None:
        """None: an Etag would be one field more to explain, and this server caches nothing."""


class _Hello(_Page):
    def get(self) -> None:
        self.write("Hello\n")


class _Number(_Page):
    """Says its own number, so that a reader can tell which response is which."""

    def get(self, number: str) -> None:
        self.write(f"{number}\n")


class _Visits(_Page):
    """Counts visits in a cookie: the server itself remembers nothing."""

    def get(self) -> None:
        told = self.get_cookie("visits", "")
        visits = int(told) + 1 if told and told.isdecimal() else 1
        self.set_cookie("visits", str(visits))
        self.write(f"visit {visits}\n")


class _Echo(_Page):
    """Sends the content back. Tornado answers ``Expect: 100-continue`` by itself, with 100 Continue."""

    def post(self) -> None:
        self.write(self.request.body)


class _Chunks(_Page):
    """Sends its content in pieces, without saying before how long it will be."""

    async def get(self) -> None:
        for piece in ("one\n", "two\n", "three\n"):
            self.write(piece)
            await self.flush()


class _Wait(_Page):
    """Answers when ``HttpServer.release`` is called, and not before."""

    async def get(self) -> None:
        await self.settings["released"].wait()
        self.write("released\n")


PAGES = (
    (r"/hello", _Hello),
    (r"/number/(\d+)", _Number),
    (r"/visits", _Visits),
    (r"/echo", _Echo),
    (r"/chunks", _Chunks),
    (r"/wait", _Wait),
)


class HttpServer(Server):
    """The HTTP server of the notebooks; see ``http_server``."""

    def __init__(self) -> None:
        self._released = asyncio.Event()
        super().__init__("HTTP server", lambda: serving(PAGES, released=self._released))

    def release(self) -> None:
        """Let every request for ``/wait`` have its response, those to come too."""
        self.call(self._released.set)


def http_server() -> HttpServer:
    """An HTTP/1.1 server on 127.0.0.1; its Server field reads ``Tornado``, whatever the version.

    Returns:
        The running server. It answers GET for ``/hello``, ``/number/7`` (its number), ``/visits`` (counted in a
        cookie), ``/chunks`` (in three pieces) and ``/wait`` (after ``release()``), and POST for ``/echo``.
    """
    return HttpServer()
