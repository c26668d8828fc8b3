# SPDX-License-Identifier: GPL-2.0-or-later
"""What a notebook shows and what it talks to, put together: the controls of ``show`` on the servers of ``live``.

The servers here run as long as the kernel does, since a reader may press a button at any time.
"""

import asyncio
import random
import signal
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import ExitStack, suppress
from functools import cache
from typing import Any

from .live.attacks import reaction, wsproto_echo_server
from .live.delivery import DeliveryMonitor, delivering
from .live.load_worker import read_frame, read_response
from .live.news_client import NewsClient
from .live.news_server import WAYS, Way
from .live.publisher import poisson
from .live.request_headers import HEAD_STYLES, HeadStyle
from .live.servers import Server, tornado_echo_server, websocket_server
from .model.cost import CASES
from .model.measured import measured_points, modelled_bytes
from .protocol.errors import ProtocolError
from .protocol.frames import Frame
from .protocol.handshake import request
from .protocol.http1 import Request
from .protocol.opcodes import Opcode, opcode_name
from .protocol.status import parse_close_payload
from .show.controls import DeliverySettings, ProgressBar
from .show.cost_slider import CostSlider
from .show.frame_builder import Answers, FrameBuilder, Send
from .show.handshake_bench import HandshakeBench
from .show.race import LOOKS_EVERY, DeliveryRace
from .show.reactions import Reactions
from .show.text import visible
from .wire import background

PATIENCE = 0.5  # seconds after which a server that says nothing is taken to have nothing to say
INTERRUPT_GAP = 0.2  # seconds after which it is looked again whether the kernel listens to interrupts itself


@cache
def servers() -> dict[str, Server]:
    """Two echo servers that differ, by name; started when first asked for."""
    return {"websockets": websocket_server(), "Tornado": tornado_echo_server()}


async def send_frame(data: bytes) -> Answers:
    """Send the bytes of a frame to both servers, each on a connection of its own, and tell what each did."""

    async def talk(reader: StreamReader, writer: StreamWriter) -> bytes:
        writer.write(request("127.0.0.1"))
        await _soon(reader.readuntil(b"\r\n\r\n"))
        writer.write(data)
        return await _soon(read_frame(reader))

    async def all_asked() -> list[tuple[str, bytes]]:
        return await asyncio.gather(*(_ask(server, talk, "a Close frame") for server in servers().values()))

    in_words = [(what or _in_words(answer), answer) for what, answer in await background.here(all_asked())]
    return dict(zip(servers(), in_words, strict=True))


async def _send_request(data: bytes) -> Answers:
    """Send the bytes of a request to the first server, and tell what it answered: head and content."""

    async def talk(reader: StreamReader, writer: StreamWriter) -> bytes:
        writer.write(data)
        return await _soon(read_response(reader))

    name, server = next(iter(servers().items()))
    return {name: await background.here(_ask(server, talk, "a response"))}


Talk = Callable[[StreamReader, StreamWriter], Awaitable[bytes]]


async def _ask(server: Server, talk: Talk, awaited: str) -> tuple[str, bytes]:
    """What a server answered on a connection of its own; where that is nothing, what it did instead, in words."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    except OSError as error:
        return f"could not be asked: {error}.", b""
    try:
        return "", await talk(reader, writer)
    except TimeoutError:
        return f"said nothing within {PATIENCE} s; it waits for more, or had nothing to say.", b""
    except (EOFError, ConnectionError):
        return f"closed the TCP connection, without {awaited}.", b""
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _soon(awaited: Coroutine[Any, Any, bytes]) -> bytes:
    """What comes within ``PATIENCE``."""
    task = asyncio.create_task(awaited)
    # While a cell runs, nobody looks at what has come: so before giving up it is looked for once more.
    for seconds in (PATIENCE, 0.05):
        await asyncio.wait({task}, timeout=seconds)
    if not task.done():
        task.cancel()
        raise TimeoutError
    return task.result()


_sending: set[asyncio.Task[None]] = set()  # a task that nobody holds may be collected before its end


def _in_background(ask: Callable[[bytes], Coroutine[Any, Any, Answers]]) -> Send:
    """For a widget: the kernel's loop asks and stays free. No threads, as Colab drops what these tell a widget."""

    def send(data: bytes, tell: Callable[[Answers], None]) -> None:
        async def answered() -> None:
            tell(await ask(data))

        try:
            task = asyncio.get_running_loop().create_task(answered())
        except RuntimeError:  # a script, which has no loop
            asyncio.run(answered())
        else:
            _sending.add(task)
            task.add_done_callback(_sending.discard)

    return send


def _in_words(answer: bytes) -> str:
    frame, _ = Frame.parse(answer, strict=False)
    if frame.opcode != Opcode.CLOSE:
        return f"answered with a {opcode_name(frame.opcode)} frame."
    try:
        code, reason = parse_close_payload(frame.payload, offset=2)
    except ProtocolError as error:
        return f"closed, with a Close frame that breaks a rule itself: {error}."
    said = f"status code {code}" if code else "no status code"
    return f"closed: {said}{f', “{visible(reason)}”' if reason else ''}."


def frame_builder() -> FrameBuilder:
    """A frame to build and to send to two real servers."""
    return FrameBuilder(_in_background(send_frame))


def handshake_bench() -> HandshakeBench:
    """An opening handshake to spoil and to send to a real server, the ``websockets`` library."""
    return HandshakeBench(_in_background(_send_request))


def reactions(attempts: Mapping[str, tuple[Any, ...]]) -> Reactions:
    """What three servers, each made with another library, do about the same bytes.

    Args:
        attempts: for each name the section of RFC 6455 that is about it, the bytes, and what follows them where that is
            no message (see ``live.attacks.reaction``).
    """
    makers = {"websockets": websocket_server, "wsproto": wsproto_echo_server, "Tornado": tornado_echo_server}
    with ExitStack() as running:
        ports = {name: running.enter_context(make()).port for name, make in makers.items()}
        return Reactions(
            {
                name: (section, {server: reaction(port, *tried) for server, port in ports.items()})
                for name, (section, *tried) in attempts.items()
            }
        )


class DeliveryThread(DeliveryMonitor):
    """One way of delivery, under way in a thread of its own."""

    def __init__(self, way: Way, gaps: list[float], settings: DeliverySettings) -> None:
        super().__init__()
        head: Any = settings.head  # one of HEAD_STYLES, which are what the race has to choose from

        async def main() -> None:
            await delivering(self, way, gaps, settings.payload, "plain", poll_gap=settings.poll_gap, head=head)

        self._thread = background.Background(way, main)
        self._thread.start()

    @property
    def error(self) -> str:
        """What it ended with, whatever it is; empty if all went well."""
        error = self._thread.error
        return str(error) or type(error).__name__ if error else ""

    @property
    def done(self) -> bool:
        """Whether all that was started for it has ended."""
        return not self._thread.alive


_race: DeliveryRace | None = None  # the latest, so that there is never more than one


def delivery_race() -> DeliveryRace:
    """The four ways side by side, live, with the same news; a race that is on from an earlier call is stopped."""
    global _race
    if _race is not None:
        _race.close()
    # The kernel's loop; a script has none, and needs none: its interrupts reach it.
    with suppress(RuntimeError):
        asyncio.get_running_loop().call_soon(_hear_interrupts)

    def start(settings: DeliverySettings) -> dict[str, DeliveryThread]:
        gaps = list(poisson(1 / settings.rate, settings.updates, random.Random(settings.updates)))
        return {way: DeliveryThread(way, gaps, settings) for way in WAYS}

    def most(settings: DeliverySettings) -> float:
        return settings.updates * max(_modelled(way, settings) for way in WAYS)

    _race = DeliveryRace(start, WAYS, HEAD_STYLES, most, _often)
    return _race


def _often(look: Callable[[], bool]) -> None:
    """Call it on the kernel's loop, now and then, while it gives true; a script that has no loop calls it itself."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return
    if look():
        loop.call_later(LOOKS_EVERY, _often, look)


def _hear_interrupts() -> None:
    """From here on an interrupt stops the race that is on: between two cells a kernel would ignore the signal."""
    # ipykernel saves the handler before a cell and restores it afterwards: one that is set while a cell runs would be
    # gone with it. Between two cells SIGINT is ignored, which tells when to set ours; from then on it is what is saved
    # and restored, and a cell is interrupted as always.
    heard = signal.getsignal(signal.SIGINT)
    if heard == signal.SIG_IGN:
        signal.signal(signal.SIGINT, _interrupted)
    elif heard == signal.default_int_handler:
        asyncio.get_running_loop().call_later(INTERRUPT_GAP, _hear_interrupts)


def _interrupted(number: int, frame: object) -> None:
    if _race is not None:
        _race.stop()


progress_bar = ProgressBar


def cost_slider() -> CostSlider:
    """What clients × rate × payload × head cost by each way: the model's curves, and what was measured on them."""

    def measured(given: DeliverySettings) -> dict[str, list[tuple[float, float]]]:
        # All measurements are of clients with a browser's head.
        return measured_points(given.payload, given.poll_gap) if given.head == "browser" else {}

    return CostSlider(tuple(CASES), _modelled, measured, HEAD_STYLES)


def _modelled(case: str, given: Any) -> float:
    """Bytes of an update by the model; ``given`` has the settings of the race, or of the slider."""
    head = _request_head(*CASES[case], given.head)
    return modelled_bytes(case, rate=given.rate, payload=given.payload, poll_gap=given.poll_gap, request_head=head)


@cache
def _request_head(way: str, keep_alive: bool, head: HeadStyle) -> int:
    """Bytes of the head with which our client asks."""
    name: Way = "longpoll" if way == "longpoll" else "polling"
    client = NewsClient(name, 8000, lambda number, text: None, keep_alive=keep_alive, head=head)
    fields = (("Host", client.host), *client.fields())
    return len(Request("GET", f"/news/{name}?after=10", fields=fields).serialize())
