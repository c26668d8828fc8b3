# SPDX-License-Identifier: GPL-2.0-or-later
"""Record the captures in data/ again, from real programs on a small real network.

    sudo python tools/record_captures.py [NAME...]              as root, or
    unshare -Urn python tools/record_captures.py [NAME...]      as anybody, where that is allowed

Without a NAME all are recorded; a NAME is a file in data/ without its ending. ``--folder`` writes them elsewhere. Needs
Linux, the programs ``ip``, ``unshare`` and ``nsenter``, and for some captures ``chromium``, ``curl``, ``haproxy``,
``nghttp``, ``nginx`` or ``node``. A recording in which a packet was dropped, a connection was reset or left open, or
the news did not arrive whole is refused and not written. Afterwards tools/describe_captures.py brings the figures in
data/README.md up to date.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, closing
from functools import partial
from pathlib import Path
from typing import NamedTuple

import browser_pages as pages
import dialogues
import http_samples
import publisher_pages
import secure_pages
from browse import keys_of
from dialogues import answer, choosy_server, echo_server, listen, stories_server
from http_samples import CURL, OLD_CURL, haproxy, nginx
from netns import CLIENT, CLIENT_HALF, SERVER, SERVER_INTERFACE, SERVER_IPV6, LossyNetwork, Network
from publisher_pages import NEWS

from wsedu.live.news_server import WAYS
from wsedu.wire.packet_recorder import PacketRecorder
from wsedu.wire.packets import ACK, FIN, RST, SYN, segment_of
from wsedu.wire.pcapfile import write_capture

TOOLS = Path(__file__).resolve().parent
KEY_LOG = Path(tempfile.mkdtemp(prefix="capture-")) / "keys"  # of the clients that speak TLS


class Recording(NamedTuple):
    """Who speaks in a capture.

    Attributes:
        port: the one that is recorded; all, if None.
        servers: that run meanwhile.
        clients: the commands that run on the client's host, one after the other.
        connections: how many there must be, where that is the client's choice.
        expected: what the pages must say at the end; what they say otherwise is a log, kept beside the capture.
        lossy: whether a packet gets lost on the way to the client, who is the one that is recorded then.
    """

    port: int | None
    servers: Sequence[Callable[[], AbstractAsyncContextManager[object]]]
    clients: Sequence[Sequence[str]]
    connections: int | None = None
    expected: list[str] | None = None
    lossy: bool = False


async def run_client(network: Network, *command: str) -> bytes:
    """Run a program on the client's host and return what it wrote to stdout; an error there ends all."""
    with tempfile.TemporaryDirectory(prefix="capture-") as home:
        process = await asyncio.create_subprocess_exec(
            *network.client_command(*command),
            stdout=asyncio.subprocess.PIPE,
            env=dict(os.environ, HOME=home, LC_ALL="C.UTF-8", TZ="UTC", SSLKEYLOGFILE=str(KEY_LOG)),
        )
        output, _ = await asyncio.wait_for(process.communicate(), 60)
    if process.returncode != 0:
        raise RuntimeError(f"{command[0]}: exit {process.returncode}")
    return output


def _by_hand(client: str) -> tuple[str, ...]:
    return sys.executable, str(TOOLS / "dialogues.py"), client


def _node(protocol: str) -> tuple[str, ...]:
    return "node", f"--tls-keylog={KEY_LOG}", str(TOOLS / "node_client.js"), protocol, SECURE_HOME + "polling"


def _chromium(*urls: str) -> tuple[str, ...]:
    return sys.executable, str(TOOLS / "browse.py"), *urls


SECURE_HOME = f"https://{SERVER}/"
HOME, OTHER_PORT, OTHER_SITE = f"http://{SERVER}/", f"http://{SERVER}:8080/", f"http://[{SERVER_IPV6}]:8080/"
ECHO, HTTP, PAGES, SECURE = dialogues.PORT, http_samples.PORT, 80, dialogues.SECURE_PORT
TEXT = "we meet at teh<<he old harbour on sundya<<ay evening"  # with mistakes, as people type: "<" is Backspace
ASKED = "polling", "news/polling?after=0"  # by clients other than browsers
_deflating, _over_ipv6 = partial(echo_server, compression="deflate"), partial(listen, answer, SERVER_IPV6, ECHO)
RECORDINGS = {
    "chromium-session.pcap": Recording(PAGES, [pages.deflated], [_chromium(HOME)], 2),
    "chromium-closes.pcap": Recording(PAGES, [pages.closing], [_chromium(HOME)], 9),
    "nginx-idle.pcap": Recording(PAGES, [pages.behind, nginx], [_chromium(HOME)], 4),
    "chromium-hijack.pcap": Recording(
        None, [pages.bank, *pages.attackers], [_chromium(HOME, OTHER_PORT, OTHER_SITE)], 8
    ),
    **{
        f"chromium-{way}.pcap": Recording(PAGES, [publisher_pages.serve], [_chromium(HOME + way)], 2, NEWS)
        for way in WAYS
    },
    **{
        f"chromium-{way}-{name}.pcapng": Recording(SECURE, [server], [_chromium(SECURE_HOME + way)], 2, NEWS)
        for name, server in (("tls", secure_pages.http1), ("h2", secure_pages.http2))
        for way in WAYS
    },
    "chromium-typing.pcapng": Recording(SECURE, [pages.typed], [_chromium(f"{SECURE_HOME}#{TEXT}")], 2, keys_of(TEXT)),
    "websockets-session.pcap": Recording(ECHO, [echo_server], [_by_hand("session")]),
    "websockets-large.pcap": Recording(ECHO, [echo_server], [_by_hand("large")]),
    "websockets-deflate.pcap": Recording(ECHO, [_deflating], [_by_hand("deflate")]),
    "websockets-ipv6.pcapng": Recording(ECHO, [_over_ipv6], [_by_hand("ipv6")]),
    "python-wss.pcap": Recording(SECURE, [dialogues.secure_server], [_by_hand("wss")]),
    "python-resumed.pcapng": Recording(SECURE, [dialogues.secure_server], [_by_hand("resumed")]),
    "http2-one-lost-packet.pcap": Recording(ECHO, [stories_server], [_by_hand("on_one_connection")], lossy=True),
    "http1-one-lost-packet.pcap": Recording(ECHO, [stories_server], [_by_hand("on_two_connections")], lossy=True),
    "curl-h2.pcapng": Recording(
        SECURE, [secure_pages.http2], [("curl", "-ksZ", *(SECURE_HOME + one for one in ASKED), *["-o/dev/null"] * 2)]
    ),
    "nghttp2-h2.pcapng": Recording(
        PAGES, [partial(secure_pages.http2, PAGES)], [("nghttp", "--null-out", *(HOME + one for one in ASKED))]
    ),
    "node-tls12.pcapng": Recording(SECURE, [secure_pages.http1], [_node("https")]),
    "node-h2.pcapng": Recording(SECURE, [secure_pages.http2], [_node("http2")]),
    "handshake-refused.pcap": Recording(ECHO, [choosy_server], [_by_hand("refused")]),
    "http-keepalive.pcap": Recording(HTTP, [http_samples.serve], [_by_hand("pipelined"), CURL, OLD_CURL]),
    "http-408.pcap": Recording(HTTP, [haproxy], [_by_hand("silent")]),
}


async def record(name: str, network: Network, folder: Path) -> None:
    """Record one capture and write it to a folder."""
    port, servers, clients, connections, expected, lossy = RECORDINGS[name]
    recorder = PacketRecorder(CLIENT_HALF if lossy else SERVER_INTERFACE, port, SERVER, CLIENT, grace=10)
    with closing(recorder):
        recorder.start()
        async with AsyncExitStack() as running:
            for server in servers:
                await running.enter_async_context(server())
            said = [await run_client(network, *client) for client in clients]
        # In a thread, since the servers run in this event loop and may still have to close their side.
        await asyncio.to_thread(recorder.stop)
    log = json.loads(said[-1] or "null")
    found = (segment_of(packet.link_type, packet.data) for packet in recorder.packets)
    segments = [segment for segment in found if segment is not None]
    flags = [segment.flags for segment in segments]
    data = [(segment.source, segment.sequence) for segment in segments if segment.payload]
    opened = sum(flag & (SYN | ACK) == SYN for flag in flags)
    faults = list(recorder.missing)
    if any(flag & RST for flag in flags):
        faults.append("a connection was reset, not closed")
    if sum(bool(flag & FIN) for flag in flags) != 2 * opened:
        faults.append("a connection is still open")
    if len(set(data)) != len(data):
        faults.append("a segment was sent again")
    if connections not in (None, opened):
        faults.append(f"{opened} connections, not {connections}")
    if expected not in (None, log):
        faults.append(f"the page received {log}")
    if faults:
        raise RuntimeError(f"{name}: {'; '.join(faults)}: record again")
    secrets = KEY_LOG.read_bytes() if KEY_LOG.exists() else b""
    KEY_LOG.unlink(missing_ok=True)
    pcapng = name.endswith(".pcapng")
    if secrets and not pcapng:
        (folder / name).with_suffix(".keys").write_bytes(secrets)
        secrets = b""
    (folder / name).write_bytes(write_capture(recorder.packets, pcapng=pcapng, secrets=secrets))
    if log and not expected:  # one entry a line
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
        for kind, lossy in (Network, False), (LossyNetwork, True):
            asked = [names[stem] for stem in options.name or names if RECORDINGS[names[stem]].lossy is lossy]
            if asked:
                with kind() as network:
                    for name in asked:
                        asyncio.run(record(name, network, options.folder))
    except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
        sys.exit(f"record_captures: {error}")


if __name__ == "__main__":
    main()
