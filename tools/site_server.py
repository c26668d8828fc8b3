# SPDX-License-Identifier: GPL-2.0-or-later
"""Serve the built site on a free port, as a file server that compresses does."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

TYPES = {".mjs": "text/javascript", ".wasm": "application/wasm"}
PACKED = {".whl", ".zip", ".png", ".woff", ".woff2", ".gz"}  # which are compressed already


@cache
def compressed(path: Path) -> bytes:
    """A file as it goes over the wire."""
    content = path.read_bytes()
    return content if path.suffix in PACKED else gzip.compress(content, 6, mtime=0)


class _Handler(SimpleHTTPRequestHandler):
    extensions_map = {**SimpleHTTPRequestHandler.extensions_map, **TYPES}
    protocol_version = "HTTP/1.1"

    def __init__(self, *arguments: Any, sent: dict[str, int], **options: Any) -> None:
        self._sent = sent
        super().__init__(*arguments, **options)

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if path.is_dir():
            path /= "index.html"
        if not path.is_file():
            return self.send_error(404)
        content = compressed(path)
        self._sent[self.path] = len(content)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "max-age=600")
        if path.suffix not in PACKED:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self.wfile.write(content)
        return None

    def log_message(self, *said: Any) -> None:
        pass


@contextmanager
def site_server(site: Path) -> Iterator[tuple[str, dict[str, int]]]:
    """Serve a folder; yields where, and what was asked for: the path of each file, and its bytes on the wire."""
    sent: dict[str, int] = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=str(site), sent=sent))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", sent
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
