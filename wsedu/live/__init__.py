# SPDX-License-Identifier: GPL-2.0-or-later
"""Real endpoints on 127.0.0.1 for the notebooks: two servers, and a connection on which bytes are typed by hand."""

from .dial import RawConnection, dial
from .http_server import http_server
from .server import Server
from .websocket_server import websocket_server

__all__ = ["RawConnection", "Server", "dial", "http_server", "websocket_server"]
