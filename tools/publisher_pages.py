# SPDX-License-Identifier: GPL-2.0-or-later
"""One web server that brings the same news in four ways, and one page for each of them.

A page is loaded on a connection of its own; the news then comes on another. News breaks every `GAP` seconds
from the moment at which the page first asks: a page that polls finds an answer now and then, but not always.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import tornado.httpserver
import tornado.web
import tornado.websocket

# Texts of equal length: whatever differs between the captures is the way, not the news.
NEWS = tuple(
    json.dumps({"id": number, "news": text}, separators=(",", ":"))
    for number, text in enumerate(
        ["sun rises", "rain soon", "bread out", "tea ready", "bus is in", "moon rise"], start=1
    )
)
GAP = 0.3
WAYS = ("polling", "longpoll", "eventsource", "websocket")

# Each script shows what came in `received` and sets `finished` when it has all of it.
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>News by {way}</title>
<link rel="icon" href="data:,">
<ol id="news"></ol>
<script>
const received = [];
let finished = false;
function show(text) {{
  received.push(text);
  const item = document.createElement("li");
  item.textContent = JSON.parse(text).news;
  document.getElementById("news").append(item);
  return received.length === {count};
}}
{script}
</script>
</html>
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
const socket = new WebSocket("ws://" + location.host + "/news/websocket");
socket.onmessage = (event) => {
  if (show(event.data)) socket.close(1000, "all read");
};
socket.onclose = () => { finished = true; };
""",
}


class Clock:
    """When which news breaks. The clock starts with the first reader."""

    start: float | None = None  # by the clock of the event loop

    def open(self) -> None:
        """Start it, unless it runs already."""
        if self.start is None:
            self.start = asyncio.get_running_loop().time()

    def elapsed(self) -> float:
        """Seconds since it was started."""
        assert self.start is not None
        return asyncio.get_running_loop().time() - self.start

    async def wait_for(self, number: int) -> str:
        """Update `number` (the first is 1), as soon as it is out."""
        await asyncio.sleep(number * GAP - self.elapsed())
        return NEWS[number - 1]


class _Page(tornado.web.RequestHandler):
    def get(self, way: str) -> None:
        self.set_header("Connection", "close")  # the news gets a connection of its own
        self.write(_PAGE.format(way=way, count=len(NEWS), script=_SCRIPTS[way].strip()))


class _News(tornado.web.RequestHandler):
    def initialize(self) -> None:
        self.clock: Clock = self.settings["clock"]

    def prepare(self) -> None:
        self.clock.open()
        self.set_header("Cache-Control", "no-store")

    def compute_etag(self) -> None:
        """News that is not stored needs no validator."""

    def answer(self, update: str) -> None:
        self.set_header("Content-Type", "application/json")
        self.write(update)


class _Polling(_News):
    def get(self) -> None:
        seen = int(self.get_query_argument("after"))
        if (seen + 1) * GAP <= self.clock.elapsed():
            self.answer(NEWS[seen])
        else:
            self.set_status(204)


class _LongPoll(_News):
    async def get(self) -> None:
        self.answer(await self.clock.wait_for(int(self.get_query_argument("after")) + 1))


class _EventSource(_News):
    async def get(self) -> None:
        self.set_header("Content-Type", "text/event-stream")
        await self.flush()
        for number in range(1, len(NEWS) + 1):
            self.write(f"data: {await self.clock.wait_for(number)}\n\n")
            await self.flush()
        # Here the content ends. An EventSource asks again after a few seconds, if its page lets it.


class _WebSocket(tornado.websocket.WebSocketHandler):
    async def open(self) -> None:
        self.clock: Clock = self.settings["clock"]
        self.clock.open()
        for number in range(1, len(NEWS) + 1):
            await self.write_message(await self.clock.wait_for(number))

    def on_message(self, message: str | bytes) -> None:
        """The page only listens."""


def listen(address: str, port: int) -> Callable[[], None]:
    """Start the server in the running event loop; the function that comes back stops it."""
    application = tornado.web.Application(
        [
            (r"/(polling|longpoll|eventsource|websocket)", _Page),
            (r"/news/polling", _Polling),
            (r"/news/longpoll", _LongPoll),
            (r"/news/eventsource", _EventSource),
            (r"/news/websocket", _WebSocket),
        ],
        clock=Clock(),
        log_function=lambda handler: None,
    )
    server = tornado.httpserver.HTTPServer(application)
    server.listen(port, address)
    return server.stop
