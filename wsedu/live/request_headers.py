# SPDX-License-Identifier: GPL-2.0-or-later
"""The fields that a client adds to each request by itself: those of a browser today, of one in 2009, and none.

``browser`` is what Chromium 156 sent for the captures in data/, and ``tests/test_news.py`` holds it against them.
``2009`` is the request head of the famous comparison (Peter Lubbers and Frank Greco, "HTML5 Web Sockets: A Quantum Leap
in Scalability for the Web"): Firefox 3.5.5.
"""

from __future__ import annotations

from typing import Literal, get_args

from ..model.published_claims import FIELDS_2010
from .news_server import Way

HeadStyle = Literal["browser", "minimal", "2009"]
HEAD_STYLES: tuple[HeadStyle, ...] = get_args(HeadStyle)
Fields = list[tuple[str, str]]

_AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/156.0.0.0 Safari/537.36"
_BRAND = '"Not:A-Brand";v="8", "Chromium";v="156"'
_LANGUAGE: Fields = [("Accept-Encoding", "gzip, deflate"), ("Accept-Language", "en-US,en;q=0.9")]
_UNCACHED: Fields = [("Pragma", "no-cache"), ("Cache-Control", "no-cache")]
_PLATFORM = ("sec-ch-ua-platform", '"Linux"')
_SITE: Fields = [
    ("Sec-Fetch-Site", "same-origin"),
    ("Sec-Fetch-Mode", "cors"),
    ("Sec-Fetch-Dest", "empty"),
]
# What a browser always offers, whether the server takes it up or not; ours does not.
_OFFER = ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")


def request_fields(way: Way, style: HeadStyle, host: str) -> Fields:
    """The fields after Host that a client adds to a request for news.

    Args:
        way: of delivery; for a WebSocket those that every opening handshake has are not among them.
        style: whose head it is.
        host: as in the Host field, for Origin and Referer.

    Raises:
        ValueError: there is no such style.
    """
    if style not in HEAD_STYLES:
        raise ValueError(f"head must be one of {', '.join(HEAD_STYLES)}; got {style!r}")
    if style == "minimal":
        return []
    if style == "2009":
        # An opening handshake has a Connection field of its own, "whose value MUST include the "Upgrade" token"
        # (RFC 6455, 4.1). Keep-Alive says more about the one that is left out.
        left_out = ("Connection", "Keep-Alive") if way == "websocket" else ()
        return [field for field in FIELDS_2010 if field[0] not in left_out]
    referer = ("Referer", f"http://{host}/{way}")
    if way == "websocket":
        return [*_UNCACHED, ("User-Agent", _AGENT), ("Origin", f"http://{host}"), *_LANGUAGE, _OFFER]
    if way == "eventsource":
        middle: Fields = [
            _PLATFORM,
            ("User-Agent", _AGENT),
            ("Accept", "text/event-stream"),
            ("sec-ch-ua", _BRAND),
        ]
        begin = [("Connection", "keep-alive"), *_UNCACHED, *middle, ("sec-ch-ua-mobile", "?0")]
        return [*begin, *_SITE, referer, *_LANGUAGE]
    begin = [("Connection", "keep-alive"), _PLATFORM, ("User-Agent", _AGENT), ("sec-ch-ua", _BRAND)]
    return [*begin, ("sec-ch-ua-mobile", "?0"), ("Accept", "*/*"), *_SITE, referer, *_LANGUAGE]
