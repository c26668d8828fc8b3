# SPDX-License-Identifier: GPL-2.0-or-later
"""Real endpoints on 127.0.0.1 for the notebooks: servers, bytes typed by hand, and four ways to deliver the news."""

from .connect_raw import RawConnection, connect_raw
from .delivery import Delivery, deliver
from .news_server import news_server
from .publisher import Publisher, fixed, poisson
from .servers import Server, http_server, websocket_server

__all__ = [
    "Delivery",
    "Publisher",
    "RawConnection",
    "Server",
    "deliver",
    "connect_raw",
    "fixed",
    "http_server",
    "news_server",
    "poisson",
    "websocket_server",
]
