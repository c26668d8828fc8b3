# SPDX-License-Identifier: GPL-2.0-or-later
"""Real endpoints on 127.0.0.1 for the notebooks: servers, bytes typed by hand, and four ways to deliver the news.

``deliver`` records and counts what it delivers. What that takes is loaded when ``deliver`` is first asked for: the two
processes of each load test need none of it.
"""

from typing import TYPE_CHECKING, Any

from .connect_raw import connect_raw
from .news_server import news_server
from .publisher import Publisher, fixed, poisson
from .servers import http_server, websocket_server

if TYPE_CHECKING:
    from .delivery import deliver

__all__ = ["Publisher", "connect_raw", "deliver", "fixed", "http_server", "news_server", "poisson", "websocket_server"]


def __getattr__(name: str) -> Any:
    if name != "deliver":
        raise AttributeError(f"module 'wsedu.live' has no attribute {name!r}")
    from .delivery import deliver

    return deliver
