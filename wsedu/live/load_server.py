# SPDX-License-Identifier: GPL-2.0-or-later
"""A server for crowds, in a process of its own: so that the kernel is not measured with it.

    python -m wsedu.live.load_server          (a WebSocket server that broadcasts, and a polling server beside it)

It obeys lines on stdin and answers each with a line of JSON on stdout: ``publish`` sends the next update to every
listener, ``usage`` says what the process has used. At the end of stdin it ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path

from websockets.asyncio.server import ServerConnection, broadcast

from .limits import raise_file_limit
from .news_server import news_server
from .publisher import Publisher
from .servers import serve

LARGEST_BACKLOG = 65_535


def resident_bytes() -> int:
    """What this process holds in memory now; elsewhere than on Linux, the most that it ever held."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024


async def main() -> None:
    """Serve until stdin ends."""
    raise_file_limit()
    publisher, listeners = Publisher(), set[ServerConnection]()

    async def listen(connection: ServerConnection) -> None:
        listeners.add(connection)
        try:
            await connection.wait_closed()
        finally:
            listeners.discard(connection)

    stdin = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    async with serve(listen, close_timeout=0, backlog=LARGEST_BACKLOG) as server:
        with news_server("polling", publisher) as polling:
            _say(websocket=next(iter(server.sockets)).getsockname()[1], polling=polling.port)
            while line := await stdin.readline():
                if line == b"publish\n":
                    update = publisher.publish("")
                    broadcast(listeners, update.payload)
                    _say(number=update.number, time=update.time, listeners=len(listeners))
                elif line == b"usage\n":
                    used = {"resident": resident_bytes(), "cpu": time.process_time()}
                    _say(listeners=len(listeners), **used)
            for connection in listeners:
                connection.transport.abort()  # thousands of closing handshakes would take longer than the lesson


def _say(**said: float) -> None:
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
