# SPDX-License-Identifier: GPL-2.0-or-later
"""The ladder to scale: several ways beside each other on one clock; down is time, and thickness is bytes."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ..protocol.spans import Kind
from .html import MUTED, RIGHT, Markup, Picture, row_head, table_row, tag, wide_table
from .palette import LOOKS, chip, order
from .parts import view
from .plot import round_step
from .text import WIDTH, clip, visible

HEIGHT = 340  # pixels of the whole time
THICKEST = 0.05  # pixels of a byte, at most
FULL = 0.8  # share of the height that the busiest column fills, so that packets seldom wait for those before them
STEPS = 22  # rows of time in text, about
COUNTED = "bytes", "packets", "messages", "updates"
MOST_PACKETS = 2_000  # of each way: more would be a picture of megabytes, each bar thinner than a line
LABEL = 12  # pixels that the number of an update takes
LINE = "2px solid #808080"
ABSOLUTE = "position:absolute"
NEWS = f"{ABSOLUTE};left:100%;padding-left:5px;font-size:11px;line-height:{LABEL}px"
SCALE = "Down is time. A bar is a packet, as thick as it has bytes: ► from the client, ◄ from the server. "
MODELLED = "TCP/IP is modelled by the relay that recorded."


class TimedPacket(NamedTuple):
    """A packet on its way.

    Attributes:
        time: seconds since the first packet of its way.
        sender: ``"client"`` or ``"server"``.
        sizes: its bytes by kind.
        counts: what it adds to each of ``COUNTED``.
    """

    time: float
    sender: str
    sizes: Mapping[Kind | None, int]
    counts: tuple[int, ...]


class Timeline(Picture):
    """Several ways beside each other on one clock, to scale: down is time, and thickness is bytes.

    In a notebook it shows itself; ``print`` gives the same as text. Its counters add up to the bytes and packets of
    ``.bill()``.

    Args:
        ways: a name for each, and a conversation of a capture, or a whole capture.
        update: a regular expression; where a packet of the server matches it, that is an update. Without one, updates
            are not counted.

    Raises:
        TypeError: one of them is none of these.
        ValueError: no way, or one without packets.

    Attributes:
        ways: the packets of each, in order of time.
        seconds: the time that is drawn.
        note: what a reader must know about the numbers; mostly empty.
        counted: what is counted of each way.
    """

    def __init__(self, ways: Mapping[str, object], *, update: bytes | None = None) -> None:
        if not ways:
            raise ValueError("timeline draws one way or more, and none is given")
        conversations = {name: list(getattr(way, "conversations", [way])) for name, way in ways.items()}
        self.ways = {visible(name): _packets(said, update) for name, said in conversations.items()}
        captures = [conversation.capture for said in conversations.values() for conversation in said]
        self.note = MODELLED if any(getattr(capture, "modelled", False) for capture in captures) else ""
        self.seconds = max(packets[-1].time for packets in self.ways.values()) or 1.0
        self.counted = COUNTED if update else COUNTED[:3]
        self._legend = order(kind for packets in self.ways.values() for packet in packets for kind in packet.sizes)
        sides = [(packets, sender) for packets in self.ways.values() for sender in ("client", "server")]
        most = max(sum(one.counts[0] for one in packets if one.sender == sender) for packets, sender in sides)
        self._thickness = min(THICKEST, FULL * HEIGHT / most)

    def totals(self) -> dict[str, tuple[int, ...]]:
        """What is counted, of each way, when all has been said."""
        ways = self.ways.items()
        return {name: tuple(map(sum, zip(*(packet.counts for packet in way), strict=True))) for name, way in ways}

    @property
    def sentence(self) -> str:
        """How long it took, and the most and the least that was carried."""
        sizes = {name: counts[0] for name, counts in self.totals().items()}
        low, high = min(sizes, key=lambda name: sizes[name]), max(sizes, key=lambda name: sizes[name])
        times = f", {sizes[high] / sizes[low]:.1f} times the {sizes[low]:,} of {low}" if low != high else ""
        return f"In {self.seconds:.1f} seconds {high} took {sizes[high]:,} bytes{times}."

    def _rows(self) -> Iterator[tuple[str, list[str]]]:
        """What is counted: its name, and a number for each way."""
        for name, counts in zip(self.counted, zip(*self.totals().values(), strict=True), strict=True):
            yield name, [f"{count:,}" for count in counts]

    def lines(self) -> Iterator[str]:
        """The picture as lines of text: a row is a step of time, a letter so many bytes."""
        step, width = round_step(self.seconds / STEPS), (WIDTH - 10) // len(self.ways)
        steps = [_steps(packets, step) for packets in self.ways.values()]
        room = (width - 3) // 2
        # A letter is as many bytes as let the most that was sent in a step have room.
        most = max(size.total() for way in steps for size in way.values())
        letter = max(100, 100 * math.ceil(most / max(1, room - 3) / 100))
        decimals = max(1, -math.floor(math.log10(step)))
        yield f"{'seconds':>9} " + "".join(f"{clip(name, width - 1):{width}}" for name in self.ways)
        for row in range(round(self.seconds / step) + 1):
            cells = (_cell(way[row, "client"], way[row, "server"], letter, room) for way in steps)
            yield f"{row * step:9.{decimals}f} " + "".join(f"{cell:{width}}" for cell in cells)
        kinds = ", ".join(f"{LOOKS[kind].letter} {LOOKS[kind].label}" for kind in self._legend)
        sides = f"> from the client, < from the server; a letter is {letter:,} bytes or less"
        yield from ("", f"  {kinds}", f"  {sides}", f"  {self.note}")
        yield from (f"{name:>9} " + "".join(f"{cell:{width}}" for cell in cells) for name, cells in self._rows())

    def html(self) -> Markup:
        """The picture as HTML: a table of one row for the wires, and a row for each thing that is counted."""
        legend = (Markup(f"{chip(kind)} ") for kind in self._legend)
        head = f"text-align:center;padding:2px 18px;min-width:{max(90, 600 // len(self.ways))}px"
        names = (tag("th", name, scope="col", style=head) for name in self.ways)
        wires, height = self._wires()
        rows = [table_row(tag("td"), *names), table_row(tag("td", self._clock(height), style="padding:0"), *wires)]
        for name, cells in self._rows():
            counted = (tag("td", cell, style=f"{RIGHT};padding-right:18px") for cell in cells)
            rows.append(table_row(row_head(name), *counted))
        head = tag("div", tag("b", self.sentence))
        scale = tag("div", SCALE, self.note, " ", *legend, style="margin:4px 0 8px 0;line-height:1.8")
        return tag("div", head, scale, wide_table(*rows), style="max-width:100%")

    def _clock(self, height: float) -> Markup:
        step, ticks = round_step(self.seconds / 5), []
        for tick in range(math.floor(self.seconds / step) + 1):
            style = f"{ABSOLUTE};right:8px;top:{self._at(tick * step) - 8:.1f}px;white-space:nowrap;line-height:16px"
            ticks.append(tag("div", f"{tick * step:g} s", style=f"{style};{MUTED}"))
        return tag("div", *ticks, style=f"position:relative;height:{height:.1f}px")

    def _at(self, time: float) -> float:
        """How far down a time is, in pixels."""
        return time / self.seconds * HEIGHT

    def _wires(self) -> tuple[list[Markup], float]:
        """Of each way two lines, client and server, and the packets between them; and the height of all."""
        drawn, height = [], float(HEIGHT)
        for packets in self.ways.values():
            free, bars = {"client": 0.0, "server": 0.0}, [Markup("")]
            news, named = 0, -float(LABEL)
            for packet in packets:
                # A packet begins at its time, or where the one before it from the same side ends.
                top = max(self._at(packet.time), free[packet.sender])
                free[packet.sender] = top + packet.counts[0] * self._thickness
                bars += _bar(packet, top, free[packet.sender] - top)
                if any(packet.counts[3:]):
                    news += packet.counts[3]
                    if top >= named + LABEL:  # of those so near to each other that one covers the other, the first
                        named = top
                        bars.append(tag("b", f"{news}", style=f"{NEWS};top:{top - 3:.1f}px"))
            drawn.append(bars)
            height = max(height, *free.values())
        style = f"position:relative;height:{height:.1f}px;border-left:{LINE};border-right:{LINE}"
        return [tag("td", tag("div", *bars, style=style), style="padding:0 18px") for bars in drawn], height


def _bar(packet: TimedPacket, top: float, thick: float) -> Iterator[Markup]:
    """The kinds in a packet side by side, so that the area of each is its share of the bytes.

    Those of each side go from its own line to the middle.
    """
    at = 0.0 if packet.sender == "client" else 55.0
    for kind, size in packet.sizes.items():
        share = 45 * size / packet.counts[0]
        title = f"{packet.time:.3f} s, from the {packet.sender}: {LOOKS[kind].label} {size:,.0f}"
        place = f"left:{at:.2f}%;width:{share:.2f}%;top:{top:.1f}px;height:{thick:.1f}px"
        yield tag("div", style=f"{ABSOLUTE};box-sizing:border-box;{place};{LOOKS[kind].style}", title=title)
        at += share
    if set(packet.sizes) != {Kind.TCP_IP}:
        mark, left = ("►", 45.5) if packet.sender == "client" else ("◄", 49.5)
        middle = f"left:{left}%;top:{top + thick / 2 - 6:.1f}px"
        yield tag("span", mark, style=f"{ABSOLUTE};{middle};line-height:12px;font-size:10px")


timeline = Timeline


def _packets(conversations: Sequence[Any], update: bytes | None) -> list[TimedPacket]:
    """The packets of all these conversations, in order of time."""
    found = []
    for conversation in conversations:
        if not hasattr(conversation, "packets"):
            raise TypeError(f"timeline draws conversations of a capture, not {type(conversation).__name__}")
        completed = Counter(index for message in conversation.messages for index in message.packets[-1:])
        for index, sender in conversation.packets:
            packet = conversation.capture.packet(index)
            counts = [len(packet.raw), 1, completed[index]]
            if update:
                counts.append(len(re.findall(update, packet.raw)) if sender == "server" else 0)
            found.append(TimedPacket(packet.time, sender, view(packet).sizes(), tuple(counts)))
    if not 1 <= len(found) <= MOST_PACKETS:
        raise ValueError(f"timeline draws 1 to {MOST_PACKETS:,} packets of each way, and there are {len(found):,}")
    first = min(packet.time for packet in found)
    return sorted((packet._replace(time=packet.time - first) for packet in found), key=lambda packet: packet.time)


def _steps(packets: Sequence[TimedPacket], step: float) -> defaultdict[tuple[int, str], Counter[Kind | None]]:
    """What each side sent in each step of time."""
    steps: defaultdict[tuple[int, str], Counter[Kind | None]] = defaultdict(Counter)
    for packet in packets:
        steps[round(packet.time / step), packet.sender].update(packet.sizes)
    return steps


def _cell(client: Counter[Kind | None], server: Counter[Kind | None], letter: int, room: int) -> str:
    asked, said = (
        "".join(LOOKS[kind].letter * max(1, round(sizes[kind] / letter)) for kind in order(sizes))
        for sizes in (client, server)
    )
    return f"{asked + '>' if asked else '':{room + 1}}{'<' + said if said else ''}"
