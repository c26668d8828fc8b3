# SPDX-License-Identifier: GPL-2.0-or-later
"""Record the captures in data/ again, from real programs on a small real network.

    sudo python tools/record_captures.py [NAME...]              as root, or
    unshare -Urn python tools/record_captures.py [NAME...]      as anybody, where that is allowed

Without a NAME all are recorded; a NAME is a file in data/ without its ending. Needs Linux, the programs
``ip``, ``unshare`` and ``nsenter``, and for some captures ``chromium``, ``curl`` or ``haproxy``. A recording in which a
packet was dropped, a connection was reset or left open, or the news did not arrive whole is refused and not
written. Afterwards tools/describe_captures.py brings the figures in data/README.md up to date.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import dialogues
import haproxy_timeout
import http_samples
import publisher_pages
from netns import SERVER, SERVER_INTERFACE, SERVER_IPV6, Network
from sniffer import Sniffer, write_pcap, write_pcapng

TOOLS = Path(__file__).resolve().parent
DATA = TOOLS.parent / "data"
Recording = Callable[[Network], Coroutine[None, None, None]]


async def run_client(network: Network, *command: str) -> bytes:
    """Run a program on the client's host and return what it wrote to stdout; an error there ends all."""
    with tempfile.TemporaryDirectory(prefix="capture-") as home:
        process = await asyncio.create_subprocess_exec(
            *network.client_command(*command),
            stdout=asyncio.subprocess.PIPE,
            env=dict(os.environ, HOME=home, LC_ALL="C.UTF-8", TZ="UTC"),
        )
        output, _ = await asyncio.wait_for(process.communicate(), 60)
    if process.returncode != 0:
        raise RuntimeError(f"{command[0]}: exit {process.returncode}")
    return output


def chromium(way: str) -> Recording:
    """Chromium gets the news in one of the four ways."""

    async def record(network: Network) -> None:
        stop = publisher_pages.listen(SERVER, 80)
        url = f"http://{SERVER}/{way}"
        received = json.loads(await run_client(network, sys.executable, str(TOOLS / "browse.py"), url))
        stop()
        if received != list(publisher_pages.NEWS):
            raise RuntimeError(f"the page received {received}")

    return record


def websockets(client: str, server: Callable[[], AbstractAsyncContextManager[object]]) -> Recording:
    """One of the clients in dialogues.py talks to one of the servers there."""

    async def record(network: Network) -> None:
        async with server():
            await run_client(network, sys.executable, str(TOOLS / "dialogues.py"), client)

    return record


async def keepalive(network: Network) -> None:
    """Pipelined requests by hand, then curl's questions on one connection, then one in HTTP/1.0."""
    stop = http_samples.listen(SERVER, http_samples.PORT)
    await run_client(network, sys.executable, str(TOOLS / "dialogues.py"), "pipelined")
    await run_client(network, *http_samples.curl_command())
    await run_client(network, *http_samples.old_curl_command())
    stop()


async def unasked(network: Network) -> None:
    """HAProxy, and a client that says nothing."""
    async with haproxy_timeout.impatient_server():
        await run_client(network, sys.executable, str(TOOLS / "dialogues.py"), "silent")


echo = dialogues.echo_server
RECORDINGS: dict[str, tuple[int, Recording]] = {
    **{f"chromium-{way}.pcap": (80, chromium(way)) for way in publisher_pages.WAYS},
    "websockets-session.pcap": (dialogues.PORT, websockets("session", echo)),
    "websockets-large.pcap": (dialogues.PORT, websockets("large", echo)),
    "websockets-deflate.pcap": (dialogues.PORT, websockets("deflate", partial(echo, compression="deflate"))),
    "websockets-ipv6.pcapng": (dialogues.PORT, websockets("ipv6", partial(echo, SERVER_IPV6))),
    "handshake-refused.pcap": (dialogues.PORT, websockets("refused", dialogues.choosy_server)),
    "http-keepalive.pcap": (http_samples.PORT, keepalive),
    "http-408.pcap": (haproxy_timeout.PORT, unasked),
}


def record(name: str, network: Network) -> None:
    """Record one capture and write it to data/."""
    port, recording = RECORDINGS[name]

    async def recorded() -> None:
        with Sniffer(SERVER_INTERFACE, port) as sniffer:
            await recording(network)
            await asyncio.to_thread(sniffer.wait_until_closed, 10)
        if sniffer.reset:
            raise RuntimeError(f"{name}: a connection was reset, not closed: record again")
        if port == 80 and sniffer.connections != 2:
            raise RuntimeError(f"{name}: {sniffer.connections} connections, not 2 (page, news): record again")
        write = write_pcapng if name.endswith(".pcapng") else write_pcap
        write(DATA / name, sniffer.packets)
        print(f"{name}: {len(sniffer.packets)} packets")

    asyncio.run(recorded())


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Record the captures in data/ again.")
    names = {Path(name).stem: name for name in RECORDINGS}
    parser.add_argument("name", nargs="*", choices=[*names, []], help="which (all, if none is named)")
    chosen = parser.parse_args().name or list(names)
    try:
        with Network() as network:
            for stem in chosen:
                record(names[stem], network)
    except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
        sys.exit(f"record_captures: {error}")


if __name__ == "__main__":
    main()
