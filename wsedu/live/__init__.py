# SPDX-License-Identifier: GPL-2.0-or-later
"""Real endpoints on 127.0.0.1 for the notebooks: servers, bytes typed by hand, and four ways to deliver the news."""

from .connect_raw import connect_raw
from .delivery import deliver
from .news_server import news_server
from .publisher import Publisher, fixed, poisson
from .servers import http_server, websocket_server

__all__ = ["Publisher", "connect_raw", "deliver", "fixed", "http_server", "news_server", "poisson", "websocket_server"]
