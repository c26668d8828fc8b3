# SPDX-License-Identifier: GPL-2.0-or-later
"""Measure what an update costs, for the model in wsedu/model/cost.py to be held against; some eight minutes.

    sudo python tools/measure_grid.py              as root, or
    unshare -Urn python tools/measure_grid.py      as anybody, where that is allowed

Real servers and clients of wsedu.live on a small real network (tools/netns.py), each packet counted by
tools/packet_counter.py. Only the steady state counts: connections are open before the first update, and still open when
counting ends; the exception is polling with a new connection each, where opening and closing are the point. Polls are
counted whole: counting begins and ends half way between two polls. Writes wsedu/model/measured-grid.csv; a measurement
in which a packet was dropped or an update did not arrive once is refused and not written.
"""

import argparse
import asyncio
import csv
import json
import os
import platform
import random
import ssl
import subprocess
import sys
import time
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

from grid import BATCHES, Cell
from netns import CLIENT, SERVER, SERVER_INTERFACE, Network
from packet_counter import CountedPacket, PacketCounter

from wsedu.live.certificate import tls_contexts
from wsedu.live.news_client import NewsClient
from wsedu.live.news_server import news_server
from wsedu.live.publisher import Publisher, text_of
from wsedu.model.cost import RECORD, Situation
from wsedu.model.measured import FILE

FOREVER = 1 << 40  # the number of an update that never comes
SETTLE = 0.7  # seconds, in which delayed acknowledgements go out and the last update arrives
MARGIN = 0.02  # seconds before a poll in which nothing is published: the poll may come early or late by that


class Measured:
    """One client and its server, while they are measured.

    Attributes:
        begin, end: when counting begins and ends, in seconds since 1970.
    """

    def __init__(self, cell: Cell, port: int, publisher: Publisher) -> None:
        self.cell, self.port, self.publisher = cell, port, publisher
        self.begin = self.end = 0.0

    async def publish(self, counter: PacketCounter) -> None:
        """Publish the cell's updates, from now or from the next poll on."""
        cell, count, polls = self.cell, self.cell.updates, self.cell.way == "polling"
        start = await self._next_poll(counter) if polls else time.time()
        self.begin = start + (cell.poll_gap / 2 if polls else 0)
        self.end = start + cell.seconds + (cell.poll_gap / 2 if polls else SETTLE)
        # So many moments anywhere in a stretch of time are a Poisson process of which one knows the count.
        rng = random.Random(f"{cell}")
        moments = sorted(rng.random() for _ in range(count))
        if cell.updates_are == "fixed":
            moments = [(index + 0.5) / count for index in range(count)]
        for number, moment in enumerate(moments, start=1):
            await asyncio.sleep(start + MARGIN + moment * (cell.seconds - 2 * MARGIN) - time.time())
            self.publisher.publish(text_of(number, cell.payload) if cell.payload else "")
        await asyncio.sleep(self.end - time.time())

    async def _next_poll(self, counter: PacketCounter) -> float:
        seen = len(counter.counted[self.port])
        while True:
            await asyncio.sleep(0.005)
            for packet in counter.counted[self.port][seen:]:
                if packet.to_server and packet.data:
                    return packet.time


def heads_of(cell: Cell, packets: list[CountedPacket]) -> dict[str, list[int]]:
    """Bytes of each head, by what it is of; what nobody can read is told by its place and size."""
    if cell.carrier == "plain":
        kinds = "request", "news", "no news"
        return {kind: [packet.head_size for packet in packets if packet.head == kind] for kind in kinds}
    heads = dict[str, list[int]](zip(("request", "news", "no news"), ([], [], []), strict=True))
    answer = list[CountedPacket]()
    for packet in reversed([packet for packet in packets if packet.data and cell.way in ("polling", "longpoll")]):
        if not packet.to_server:
            answer.insert(0, packet)
            continue
        heads["request"].append(packet.data - RECORD)
        if answer and cell.carrier == "h2":  # Hypercorn sends head, content if any, and end one by one
            heads["news" if len(answer) > 2 else "no news"].append(answer[0].data - RECORD)
        elif answer:
            size, line = sum(one.data for one in answer) - RECORD, cell.payload + 1
            lines = round((size - Situation.news_head) / line) if size > Situation.empty_head else 0
            heads["news" if lines else "no news"].append(size - lines * line)
        answer.clear()
    return heads


def row(cell: Cell, measured: list[Measured], counter: PacketCounter) -> dict[str, Any]:
    """What was measured in a cell, by all who measured in it."""
    # The packets of the time that counts.
    lists = [[packet for packet in counter.counted[one.port] if one.begin <= packet.time < one.end] for one in measured]
    packets = [packet for packets in lists for packet in packets]
    updates = [update for one in measured for update in one.publisher.updates]
    heads = heads_of(cell, packets)
    requests = len(heads["request"])
    total = sum(packet.size for packet in packets)
    how = ([cell.carrier] if cell.carrier != "plain" else []) + ([] if cell.keep_alive else ["closing"])
    return {
        "way": " ".join([cell.way, *how]),
        "rate": cell.rate,
        "payload": cell.payload,
        "poll_gap": cell.poll_gap if cell.way == "polling" else "",
        "updates_are": cell.updates_are,
        "seconds": cell.seconds * len(measured),
        "updates": len(updates),
        "bytes": total,
        "packets": len(packets),
        "requests": requests,
        "application_bytes": sum(packet.data for packet in packets),
        "bytes_per_update": f"{total / len(updates):.2f}",
        "packets_per_update": f"{len(packets) / len(updates):.4f}",
        "requests_per_update": f"{requests / len(updates):.4f}",
        "empty_requests": len(heads["no news"]),
        "mean_payload": f"{fmean(len(update.payload) for update in updates):.2f}",
        "mean_digits": f"{fmean(len(str(update.number)) for update in updates):.2f}",
        "request_head": _mean(heads["request"]),
        "news_head": _mean(heads["news"]),
        "empty_head": _mean(heads["no news"]),
        "turnaround": f"{_turnaround(lists):.5f}" if cell.way == "longpoll" else "",
        "acknowledgements": sum(not packet.data for packet in packets),
    }


def _mean(sizes: list[int]) -> str:
    return f"{fmean(sizes):.2f}" if sizes else ""


def _turnaround(lists: list[list[CountedPacket]]) -> float:
    """Mean seconds from the end of a response to the next request, as the server's host sees them."""
    with_data = [[packet for packet in packets if packet.data] for packets in lists]
    turns = [turn for packets in with_data for turn in pairwise(packets)]
    gaps = [then.time - before.time for before, then in turns if then.to_server and not before.to_server]
    return fmean(gaps) if gaps else 0.0


async def measure(batch: list[Cell], network: Network, counter: PacketCounter) -> list[dict[str, Any]]:
    """Measure some cells at the same time."""
    with ExitStack() as servers:
        all_measured = []
        for cell in batch:
            for _ in range(cell.clients):
                publisher = Publisher()
                tls = None if cell.carrier == "plain" else tls_contexts(protocols=["h2", "http/1.1"], address=SERVER)[0]
                made = news_server(cell.way, publisher, host=SERVER, tls=tls, http2=cell.carrier == "h2")
                server = servers.enter_context(made)
                all_measured.append(Measured(cell, server.port, publisher))
        cells = [(one.cell, one.port) for one in all_measured]
        specs = [(cell.way, port, cell.poll_gap, cell.keep_alive, cell.carrier) for cell, port in cells]
        process = await asyncio.create_subprocess_exec(
            *network.client_command(sys.executable, __file__, "--clients", json.dumps(specs)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        if await process.stdout.readline() != b"ready\n":
            raise RuntimeError("the clients did not start")
        await asyncio.sleep(SETTLE)
        await asyncio.gather(*(one.publish(counter) for one in all_measured))
        output, _ = await process.communicate(b"")  # nothing, and the end of its input: the clients end
    for one, (cursor, faults) in zip(all_measured, json.loads(output), strict=True):
        if cursor != one.cell.updates or faults:
            raise RuntimeError(f"{one.cell}: {cursor} updates of {one.cell.updates}, {faults} faults")
    return [row(cell, [one for one in all_measured if one.cell is cell], counter) for cell in batch]


async def be_clients(specs: list[Any]) -> None:
    """Receive until the standard input closes, then write what was received to stdout."""
    clients = []
    for way, port, poll_gap, keep_alive, carrier in specs:
        client = NewsClient(way, port, lambda number, payload: None, poll_gap, keep_alive, address=SERVER)
        if carrier != "plain":
            client.tls, client.http2 = ssl._create_unverified_context(), carrier == "h2"
        clients.append(client)
    running = [asyncio.ensure_future(client.run(FOREVER)) for client in clients]
    await asyncio.gather(*(client.ready.wait() for client in clients))
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    print(json.dumps([(one.inbox.cursor, one.inbox.doubled + len(one.inbox.lost)) for one in clients]))


def write(path: Path, rows: list[dict[str, Any]], program: str, *packages: str) -> None:
    """Write the file, with when and with what it was measured in its first line."""
    programs = ", ".join([program, *(f"{name} {version(name)}" for name in packages)])
    with path.open("w", newline="") as file:
        file.write(f"# measured {datetime.now(UTC):%Y-%m-%d} by tools/{Path(sys.argv[0]).name} with {programs}\n")
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


async def run(batches: list[list[Cell]]) -> list[dict[str, Any]]:
    """Measure all batches, one after the other."""
    rows = []
    with Network() as network:
        for number, batch in enumerate(batches, start=1):
            print(f"batch {number} of {len(batches)}: {len(batch)} cells", flush=True)
            counter = PacketCounter(SERVER_INTERFACE, SERVER, CLIENT)
            with closing(counter):
                counter.start()
                rows += await measure(batch, network, counter)
                counter.stop()
            if counter.missing:
                raise RuntimeError(f"{counter.missing[0]}: measure again")
    return rows


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Measure what an update costs.")
    parser.add_argument("--batch", type=int, help="only this one, and write to stdout instead")
    parser.add_argument("--clients", type=json.loads, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.clients is not None:
        asyncio.run(be_clients(arguments.clients))
        return
    try:
        if arguments.batch is not None:
            print(json.dumps(asyncio.run(run([BATCHES[arguments.batch - 1]])), indent=1))
            return
        rows = asyncio.run(run(BATCHES))
    except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
        sys.exit(f"measure_grid: {error}")
    order = list(dict.fromkeys(row["way"] for row in rows))
    rows.sort(key=lambda row: (order.index(row["way"]), row["rate"], row["payload"]))
    system = f"Linux {os.uname().release.split('-')[0]}, Python {platform.python_version()}"
    write(FILE, rows, system, "tornado", "httpx", "websockets", "hypercorn", "h2")


if __name__ == "__main__":
    main()
