# SPDX-License-Identifier: GPL-2.0-or-later
"""A Tornado server whose answers show what HTTP/1.1 can look like, and the questions that curl asks it."""

from __future__ import annotations

from collections.abc import Callable

import tornado.httpserver
import tornado.web
from netns import SERVER

PORT = 8080
_BASE = f"http://{SERVER}:{PORT}"

# One curl process, one connection: what is asked, one after the other. --next forgets all options but the
# connection.
_QUESTIONS: list[list[str]] = [
    [f"{_BASE}/length"],
    ["--head", f"{_BASE}/length"],
    [f"{_BASE}/chunked"],
    [f"{_BASE}/none"],
    ["--header", 'If-None-Match: "v1"', f"{_BASE}/tagged"],
    [f"{_BASE}/moved"],
    [f"{_BASE}/absent"],
    ["--header", "Expect: 100-continue", "--data", "a" * 40, f"{_BASE}/count"],
    ["--header", "Transfer-Encoding: chunked", "--data", "b" * 30, f"{_BASE}/count"],
    ["--request", "PUT", "--data", "", f"{_BASE}/count"],
    ["--compressed", f"{_BASE}/long"],
    ["--header", "Connection: close", f"{_BASE}/length"],
]


def curl_command() -> list[str]:
    """All questions on one connection."""
    command = ["curl", "--silent", "--show-error", "--output", "/dev/null", *_QUESTIONS[0]]
    for question in _QUESTIONS[1:]:
        command += ["--next", "--silent", "--show-error", "--output", "/dev/null", *question]
    return command


def old_curl_command() -> list[str]:
    """One question in HTTP/1.0, whose answer has no length: it ends with the connection."""
    return ["curl", "--silent", "--show-error", "--output", "/dev/null", "--http1.0", f"{_BASE}/chunked"]


class _Handler(tornado.web.RequestHandler):
    """By path. Without an Etag, except where the Etag is the point."""

    def compute_etag(self) -> str | None:
        return '"v1"' if self.request.path == "/tagged" else None

    async def get(self, path: str) -> None:
        self.set_header("Content-Type", "text/plain")
        match path:
            case "chunked":
                # The second piece looks like the end of a chunked content, and is not.
                for piece in ("in two ", "pieces\r\n0\r\n\r\nor three\n", "at the end\n"):
                    self.write(piece)
                    await self.flush()
            case "none":
                self.set_status(204)
                self.clear_header("Content-Type")
            case "moved":
                self.redirect("/length", permanent=True)
            case "absent":
                self.set_status(404)
                self.write("nothing here\n")
            case "long":
                self.write("the same line again\n" * 200)
            case _:
                self.write(f"this is {self.request.path}\n")

    async def head(self, path: str) -> None:
        await self.get(path)

    def post(self, path: str) -> None:
        self.set_header("Content-Type", "text/plain")
        self.write(f"{len(self.request.body)} bytes\n")

    put = post


def listen(address: str, port: int) -> Callable[[], None]:
    """Start the server in the running event loop; the function that comes back stops it."""
    application = tornado.web.Application(
        [(r"/(.*)", _Handler)], compress_response=True, log_function=lambda handler: None
    )
    server = tornado.httpserver.HTTPServer(application)
    server.listen(port, address)
    return server.stop
