# SPDX-License-Identifier: GPL-2.0-or-later
"""One web server that brings the same news in four ways, and one page for each of them.

A page is loaded on a connection of its own; the news then comes on another. News breaks every `GAP` seconds
from the moment at which the page first asks: a page that polls finds an answer now and then, but not always.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import tornado.web
import tornado.websocket
from netns import SERVER

from wsedu.live.news_server import WAYS
from wsedu.live.publisher import Publisher, Update
from wsedu.live.servers import serving

# Texts of equal length: whatever differs between the captures is the way, not the news.
_TEXTS = "sun rises", "rain soon", "bread out", "tea ready", "bus is in", "moon rise"
NEWS = [f'{{"id":{number},"news":"{text}"}}' for number, text in enumerate(_TEXTS, 1)]
GAP = 0.3

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{name}</title>
<link rel="icon" href="data:,">
<script>
{script}
</script>
</html>
"""

# Each of the scripts below shows what came and sets `finished` when it has all of it.
_SHOW = """
const received = [];
let finished = false;
function show(text) {
  received.push(text);
  document.body.append(JSON.parse(text).news, document.createElement("br"));
  return received.length === 6;
}
"""

_SCRIPTS = {
    "polling": """
const timer = setInterval(async () => {
  const answer = await fetch("/news/polling?after=" + received.length);
  if (answer.status === 200 && show(await answer.text())) {
    clearInterval(timer);
    finished = true;
  }
}, 200);
""",
    "longpoll": """
async function ask() {
  const answer = await fetch("/news/longpoll?after=" + received.length);
  if (show(await answer.text())) finished = true;
  else ask();
}
ask();
""",
    "eventsource": """
const source = new EventSource("/news/eventsource");
source.onmessage = (event) => show(event.data);
source.onerror = () => {
  source.close();
  finished = true;
};
""",
    "websocket": """
const socket = new WebSocket("ws" + location.origin.slice(4) + "/news/websocket");
socket.onmessage = (event) => {
  if (show(event.data)) socket.close(1000, "all read");
};
socket.onclose = () => { finished = true; };
""",
}


def page(way: str, begin: str = "{script}") -> str:
    """The page that gets its news in one way; ``begin`` says when its script runs."""
    script = begin.format(script=_SCRIPTS[way].strip())
    return PAGE.format(name=f"News by {way}", script=_SHOW.lstrip() + script)


class TimedPublisher(Publisher):
    """News breaks by the clock, which starts with the first reader."""

    _plan: list[asyncio.TimerHandle] = []

    def open(self) -> None:
        """Start it, unless it runs already."""
        loop = asyncio.get_running_loop()
        self._plan = self._plan or [loop.call_later(at * GAP, self.publish, text) for at, text in enumerate(NEWS, 1)]

    async def follow(self, number: int) -> AsyncIterator[Update]:
        """Each of the news, as soon as it is out."""
        async for update in super().follow(number):
            yield update
            if update.number == len(NEWS):
                return


class _Page(tornado.web.RequestHandler):
    def get(self, way: str) -> None:
        self.set_header("Connection", "close")  # the news gets a connection of its own
        self.write(page(way))


class _News(tornado.web.RequestHandler):
    def prepare(self) -> None:
        self.publisher: TimedPublisher = self.settings["publisher"]
        self.publisher.open()

    def set_default_headers(self) -> None:
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")

    def compute_etag(self) -> None:
        """News that is not stored needs no validator."""


class _Polling(_News):
    def get(self) -> None:
        updates = self.publisher.after(int(self.get_query_argument("after")))
        if updates:
            self.write(updates[0].text)
        else:
            self.clear_header("Content-Type")
            self.set_status(204)


class _LongPoll(_News):
    async def get(self) -> None:
        updates = await self.publisher.wait_after(int(self.get_query_argument("after")))
        self.write(updates[0].text)


class _EventSource(_News):
    async def get(self) -> None:
        self.set_header("Content-Type", "text/event-stream")
        await self.flush()
        async for update in self.publisher.follow(0):
            self.write(f"data: {update.text}\n\n")
            await self.flush()
        # Here the content ends. An EventSource asks again after a few seconds, if its page lets it.


class _WebSocket(tornado.websocket.WebSocketHandler):
    async def open(self) -> None:
        publisher: TimedPublisher = self.settings["publisher"]
        publisher.open()
        async for update in publisher.follow(0):
            await self.write_message(update.text)

    def on_message(self, message: str | bytes) -> None:
        """The page only listens."""


_HANDLERS = zip(WAYS, (_Polling, _LongPoll, _EventSource, _WebSocket), strict=True)
_ROUTES = [(f"/({'|'.join(WAYS)})", _Page), *((f"/news/{way}", handler) for way, handler in _HANDLERS)]


def serve(tls: ssl.SSLContext | None = None) -> AbstractAsyncContextManager[object]:
    """The server, whose clock has not started yet."""
    return serving(_ROUTES, SERVER, 443 if tls else 80, tls, publisher=TimedPublisher())
