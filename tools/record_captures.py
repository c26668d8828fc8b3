# SPDX-License-Identifier: GPL-2.0-or-later
"""Record the captures in data/ again, from real programs on a small real network.

    sudo python tools/record_captures.py [NAME...]              as root, or
    unshare -Urn python tools/record_captures.py [NAME...]      as anybody, where that is allowed

Without a NAME all are recorded; a NAME is a file in data/ without its ending. ``--folder`` writes them elsewhere. Needs
Linux, the programs ``ip``, ``unshare`` and ``nsenter``, and for some captures ``chromium``, ``curl``, ``haproxy`` or
``nginx``. A recording in which a packet was dropped, a connection was reset or left open, or the news did not arrive
whole is refused and not written. Afterwards tools/describe_captures.py brings the figures in data/README.md up to date.
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
from contextlib import AbstractAsyncContextManager, AsyncExitStack, closing
from functools import partial
from pathlib import Path

import browser_pages
import dialogues
import http_samples
import publisher_pages
from netns import CLIENT, SERVER, SERVER_INTERFACE, SERVER_IPV6, Network

from wsedu.wire.packet_recorder import PacketRecorder
from wsedu.wire.packets import ACK, FIN, RST, SYN, segment_of
from wsedu.wire.pcapfile import write_capture

TOOLS = Path(__file__).resolve().parent
Recording = Callable[[Network], Coroutine[None, None, list[object] | None]]  # what comes back is the pages' log


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


async def pages(story: browser_pages.Story, network: Network) -> list[object]:
    """Chromium opens pages, and comes back with their log."""
    async with AsyncExitStack() as servers:
        for server in story.servers:
            await servers.enter_async_context(server())
        command = (sys.executable, str(TOOLS / "browse.py"), *story.urls)
        return list(json.loads(await run_client(network, *command)))


def websockets(client: str, server: Callable[[], AbstractAsyncContextManager[object]]) -> Recording:
    """One of the clients in dialogues.py talks to one of the servers there."""

    async def record(network: Network) -> None:
        async with server():
            await run_client(network, sys.executable, str(TOOLS / "dialogues.py"), client)

    return record


async def keepalive(network: Network) -> None:
    """Pipelined requests by hand, then curl's questions on one connection, then one in HTTP/1.0."""
    stop = http_samples.listen()
    await run_client(network, sys.executable, str(TOOLS / "dialogues.py"), "pipelined")
    await run_client(network, *http_samples.curl_command())
    await run_client(network, *http_samples.old_curl_command())
    stop()


async def unasked(network: Network) -> None:
    """HAProxy, and a client that says nothing."""
    async with http_samples.haproxy():
        await run_client(network, sys.executable, str(TOOLS / "dialogues.py"), "silent")


echo = dialogues.echo_server
RECORDINGS: dict[str, tuple[int | None, Recording]] = {
    **{name: (story.port, partial(pages, story)) for name, story in browser_pages.STORIES.items()},
    **{f"chromium-{way}.pcap": (80, chromium(way)) for way in publisher_pages.WAYS},
    "websockets-session.pcap": (dialogues.PORT, websockets("session", echo)),
    "websockets-large.pcap": (dialogues.PORT, websockets("large", echo)),
    "websockets-deflate.pcap": (dialogues.PORT, websockets("deflate", partial(echo, compression="deflate"))),
    "websockets-ipv6.pcapng": (dialogues.PORT, websockets("ipv6", partial(echo, SERVER_IPV6))),
    "handshake-refused.pcap": (dialogues.PORT, websockets("refused", dialogues.choosy_server)),
    "http-keepalive.pcap": (http_samples.PORT, keepalive),
    "http-408.pcap": (http_samples.PORT, unasked),
}
CONNECTIONS = {f"chromium-{way}.pcap": 2 for way in publisher_pages.WAYS}  # page, news
CONNECTIONS |= {name: story.connections for name, story in browser_pages.STORIES.items()}


async def record(name: str, network: Network, folder: Path) -> None:
    """Record one capture and write it to a folder."""
    port, recording = RECORDINGS[name]
    recorder = PacketRecorder(SERVER_INTERFACE, port, SERVER, CLIENT, grace=10)
    with closing(recorder):
        recorder.start()
        log = await recording(network)
        # In a thread, since the servers run in this event loop and may still have to close their side.
        await asyncio.to_thread(recorder.stop)
    segments = [segment_of(packet.link_type, packet.data) for packet in recorder.packets]
    flags = [segment.flags for segment in segments if segment is not None]
    opened = sum(flag & (SYN | ACK) == SYN for flag in flags)
    faults = list(recorder.missing)
    if any(flag & RST for flag in flags):
        faults.append("a connection was reset, not closed")
    if sum(bool(flag & FIN) for flag in flags) != 2 * opened:
        faults.append("a connection is still open")
    if name in CONNECTIONS and opened != CONNECTIONS[name]:
        faults.append(f"{opened} connections, not {CONNECTIONS[name]}")
    if faults:
        raise RuntimeError(f"{name}: {'; '.join(faults)}: record again")
    capture = write_capture(recorder.packets, pcapng=name.endswith(".pcapng"))
    (folder / name).write_bytes(capture)
    if log is not None:  # one entry a line
        lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in log)
        (folder / name).with_suffix(".json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    print(f"{name}: {len(recorder.packets)} packets")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Record the captures in data/ again.")
    names = {Path(name).stem: name for name in RECORDINGS}
    parser.add_argument("name", nargs="*", choices=[*names, []], help="which (all, if none is named)")
    parser.add_argument("--folder", type=Path, default=TOOLS.parent / "data", help="where to write (data/)")
    options = parser.parse_args()
    try:
        with Network() as network:
            for stem in options.name or names:
                asyncio.run(record(names[stem], network, options.folder))
    except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
        sys.exit(f"record_captures: {error}")


if __name__ == "__main__":
    main()
