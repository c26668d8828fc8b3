# SPDX-License-Identifier: GPL-2.0-or-later
"""What other systems lack, taken away here: that shows what would break there, not that all works there."""

import asyncio
from typing import Any, NoReturn

import pytest

from wsedu import Frame, lab
from wsedu.live import deliver
from wsedu.live.delivery import Carrier
from wsedu.live.news_server import Way


class LikeProactor(asyncio.SelectorEventLoop):
    """As the loop that Windows has by default, it does not watch sockets for others."""

    def add_reader(self, *_: Any) -> NoReturn:
        raise NotImplementedError

    add_writer = add_reader


# Tornado and a WebSocket, httpx and a stream of HTTP/2; each with a recording, whose proxy wants to be told.
@pytest.mark.parametrize(("way", "carrier"), [("polling", "plain"), ("websocket", "plain"), ("eventsource", "h2")])
def test_news_on_a_loop_that_does_not_watch_sockets(
    way: Way, carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in asyncio, asyncio.events:
        monkeypatch.setattr(module, "new_event_loop", LikeProactor)
    assert len(deliver(way, [0.0, 0.0], carrier=carrier).delays) == 2
    answers = asyncio.run(lab.send_frame(Frame(1, b"Hi", masking_key=bytes(4)).serialize()))
    assert [said for said, _ in answers.values()] == ["answered with a Text frame."] * 2
