# SPDX-License-Identifier: GPL-2.0-or-later
"""What other systems lack, taken away here: that shows what would break there, not that all works there."""

import asyncio
from unittest.mock import Mock

import pytest

from wsedu import Frame, lab
from wsedu.live import deliver, jupyter
from wsedu.live.delivery import Carrier
from wsedu.live.news_server import Way


class LikeProactor(asyncio.SelectorEventLoop):
    """As the loop that Windows has by default, it does not watch sockets for others."""

    add_reader = add_writer = Mock(side_effect=NotImplementedError)


def test_where_there_is_no_jupyter_server_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jupyter, "find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match="^Jupyter's server is not installed here; .*$"), jupyter.jupyter_server():
        pass


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
