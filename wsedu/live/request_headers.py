# SPDX-License-Identifier: GPL-2.0-or-later
"""The request fields that a client adds by itself: those of a browser today, of one in 2009, and none.

``browser`` is what Chromium 156 sent for the captures in data/, in its order; ``tests/test_news.py`` compares the two.
There it was told to treat ``http:`` as secure: otherwise it leaves out its client hints and the Sec-Fetch fields.
``2009`` is Firefox 3.5.5, from a published comparison (``model.published_claims``). ``minimal`` adds nothing: HTTP/1.1
asks for Host alone (RFC 9112, 3.2).
"""

from typing import Literal, get_args

from ..model.published_claims import FIELDS_2010
from .news_server import Way

HeadStyle = Literal["browser", "minimal", "2009"]
HEAD_STYLES: tuple[HeadStyle, ...] = get_args(HeadStyle)
Fields = list[tuple[str, str]]

_AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/156.0.0.0 Safari/537.36"
_LANGUAGE: Fields = [("Accept-Encoding", "gzip, deflate"), ("Accept-Language", "en-US,en;q=0.9")]
_UNCACHED: Fields = [("Pragma", "no-cache"), ("Cache-Control", "no-cache")]
_KEPT: Fields = [("Connection", "keep-alive")]
_PLATFORM = ("sec-ch-ua-platform", '"Linux"')
_CLIENT_HINTS: Fields = [("sec-ch-ua", '"Not:A-Brand";v="8", "Chromium";v="156"'), ("sec-ch-ua-mobile", "?0")]
_SITE: Fields = [("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Mode", "cors"), ("Sec-Fetch-Dest", "empty")]
# A browser always offers permessage-deflate (RFC 7692), whether the server takes it up or not; ours does not.
_OFFER = ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")


def request_fields(way: Way, style: HeadStyle, origin: str) -> Fields:
    """The fields after Host that a client adds to a request for news.

    Args:
        way: of delivery; for a WebSocket those that every opening handshake has are not among them.
        style: whose head it is.
        origin: such as ``http://127.0.0.1:8000``, for Origin (RFC 6455, 4.1) and Referer.

    Returns:
        (name, value) of each, in order.

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
    if way == "websocket":
        return [*_UNCACHED, ("User-Agent", _AGENT), ("Origin", origin), *_LANGUAGE, _OFFER]
    if way == "eventsource":
        accept = ("Accept", "text/event-stream")  # HTML Living Standard, 9.2.2
        begin = [*_KEPT, *_UNCACHED, _PLATFORM, ("User-Agent", _AGENT), accept, *_CLIENT_HINTS]
    else:  # polls, by fetch()
        begin = [*_KEPT, _PLATFORM, ("User-Agent", _AGENT), *_CLIENT_HINTS, ("Accept", "*/*")]
    return [*begin, *_SITE, ("Referer", f"{origin}/{way}"), *_LANGUAGE]
