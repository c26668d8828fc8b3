# SPDX-License-Identifier: GPL-2.0-or-later
"""Real endpoints on 127.0.0.1 for the notebooks: servers, bytes typed by hand, and four ways to deliver the news."""

from .delivery import Delivery, deliver
from .dial import RawConnection, dial
from .http_server import http_server
from .news_server import news_server
from .newsroom import Newsroom, bursts, fixed, poisson
from .server import Server
from .websocket_server import websocket_server

__all__ = [
    "Delivery",
    "Newsroom",
    "RawConnection",
    "Server",
    "bursts",
    "deliver",
    "dial",
    "fixed",
    "http_server",
    "news_server",
    "poisson",
    "websocket_server",
]
