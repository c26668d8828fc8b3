# SPDX-License-Identifier: GPL-2.0-or-later
"""Serve the built site on a free port, under a path and compressed, as GitHub Pages does."""

import gzip
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

AT = "/websocket-on-the-wire"  # where a site of GitHub Pages has the name of its repository; beside it there is nothing
TYPES = {".mjs": "text/javascript", ".wasm": "application/wasm"}
PACKED = {".whl", ".zip", ".png", ".woff", ".woff2", ".gz"}  # which are compressed already


@cache
def compressed(path: Path) -> bytes:
    """A file as it goes over the wire."""
    content = path.read_bytes()
    return content if path.suffix in PACKED else gzip.compress(content, 6, mtime=0)


class SiteHandler(SimpleHTTPRequestHandler):
    """Answers for the site's files."""

    extensions_map = {**SimpleHTTPRequestHandler.extensions_map, **TYPES}
    protocol_version = "HTTP/1.1"

    def __init__(self, *arguments: Any, sent: dict[str, int], **options: Any) -> None:
        self._sent = sent
        super().__init__(*arguments, **options)

    def parse_request(self) -> bool:
        """Read the request, and take from its path where the site is."""
        read = super().parse_request()
        if read and not self.path.startswith(f"{AT}/"):
            self._sent[self.path] = 0
            self.send_error(404)
            return False
        self.path = self.path.removeprefix(AT)
        return read

    def do_GET(self) -> None:
        """Answer with a file, compressed."""
        path = Path(self.translate_path(self.path))
        if path.is_dir():
            path /= "index.html"
        if not path.is_file():
            return self.send_error(404)
        self._sent[AT + self.path] = len(content := compressed(path))
        packed = {} if path.suffix in PACKED else {"Content-Encoding": "gzip"}
        return self.answer(content, self.guess_type(str(path)), {"Cache-Control": "max-age=600", **packed})

    def answer(self, content: bytes, content_type: str, fields: Mapping[str, str]) -> None:
        """Answer 200 with these bytes."""
        self.send_response(200)
        length = {"Content-Type": content_type, "Content-Length": str(len(content))}
        for name, value in {**length, **fields}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *said: Any) -> None:
        """Say nothing on stderr."""


@contextmanager
def site_server(site: Path, handler: type[SiteHandler] = SiteHandler) -> Iterator[tuple[str, dict[str, int]]]:
    """Serve a folder; yields where, and what was asked for: the path of each file, and its bytes on the wire."""
    sent: dict[str, int] = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(site), sent=sent))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{AT}", sent
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
