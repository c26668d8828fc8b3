# SPDX-License-Identifier: GPL-2.0-or-later
"""Load tests: one server and many clients, in processes of their own, measured from outside of both.

``push_load`` measures a WebSocket server that has news, ``poll_load`` a server that is asked and has none: Tornado, or
the one that pushes.
"""

import multiprocessing
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from functools import partial
from importlib.machinery import ModuleSpec
from multiprocessing import resource_tracker
from statistics import median
from typing import Any, NamedTuple

from ..wire import background
from .load_worker import Receipts, Usage, load_clients, load_server, work

# A Jupyter kernel has threads. A forked child has a copy of whatever they held at that moment, locks too, and none of
# the threads that would let go of it; a spawned one begins with a fresh interpreter.
SPAWN = multiprocessing.get_context("spawn")

# Connections that are opened at a time, so that the server's queue of new ones does not overflow.
AT_ONCE = 200
# Seconds that an update may take to the last listener, or the first polls to their responses; ten thousand have an
# update within one or two.
LIMIT = 60.0
END_LIMIT = 5.0  # seconds in which a process ends that has been told to; it takes milliseconds
LOOKS_EVERY = 0.1  # seconds: a signal that comes just before a blocking read would be noticed after it only


# Makes the server under load, in its process: a function of a module, which is imported there.
MakeServer = Callable[..., AbstractAsyncContextManager[object]]
Progress = Callable[[int], object]


class PushLoad(NamedTuple):
    """What was measured of a server that pushes.

    Attributes:
        listeners: how many.
        connect: seconds until all were connected.
        last: of each update, seconds from its publication until the last listener had it.
        memory: bytes that the server holds for each connection, once it has sent the updates.
        cpu: seconds of the server's processor for each update, all listeners together.
    """

    listeners: int
    connect: float
    last: tuple[float, ...]
    memory: float
    cpu: float

    @property
    def median_last(self) -> float:
        """The median of ``last``, in seconds."""
        return median(self.last)

    @property
    def cpu_each(self) -> float:
        """Seconds of processor for one update to one listener."""
        return self.cpu / self.listeners


class PollLoad(NamedTuple):
    """What was measured of a server that is polled.

    Attributes:
        clients: how many.
        requests: a second, answered; always more than 0.
        memory: bytes that the server holds for each client from one poll to the next: for its connection, where it
            keeps one; where each poll has its own, what is left of those.
        cpu: seconds of the server's processor in each second.
    """

    clients: int
    requests: float
    memory: float
    cpu: float

    @property
    def cpu_each(self) -> float:
        """Seconds of processor for one poll."""
        return self.cpu / self.requests


# Takes the name of a method, or of an attribute, and arguments; gives what a process of ``load_worker`` answers.
#
# Raises RuntimeError where something was raised there, or the process has ended: it says what is known of it.
Call = Callable[..., Any]


@contextmanager
def _started(what: str, make: Callable[..., object], *arguments: object) -> Iterator[Call]:
    """A process of ``load_worker`` while the block runs."""
    background.need_system(f"A {what} of its own", in_memory=True)
    ours, theirs = SPAWN.Pipe()
    # A daemon is ended with its parent, if that ends in good order; if not, it sees that the pipe is closed.
    process = SPAWN.Process(target=work, args=(theirs, partial(make, *arguments)), name=what, daemon=True)

    def call(name: str, *arguments: object) -> Any:
        try:
            with suppress(BrokenPipeError):  # it has ended, and its last words may be there to be read
                ours.send((name, arguments))
            while not ours.poll(LOOKS_EVERY):
                pass
            why, answer = ours.recv()
        except (EOFError, OSError):
            process.join(END_LIMIT)
            raise RuntimeError(f"the {what} has ended, with exit code {process.exitcode}") from None
        if why:
            raise RuntimeError(f"the {what} gave up: {why}")
        return answer

    try:
        with ours:
            with theirs, _starting():
                process.start()
            yield call
    finally:
        if process.pid is not None:
            process.kill()  # it has nothing to close that the operating system does not
            process.join()
            process.close()


@contextmanager
def _starting() -> Iterator[None]:
    """Around the start of a process: it shall know nothing of ``__main__``, nor of SIGINT."""
    # A spawned process imports the ``__main__`` of its parent again, so that it finds what is defined there. Ours needs
    # nothing of it, and a script would have to guard itself against starting its load test over and over. The module
    # that ``python -m`` calls ``__main__`` is left out by multiprocessing itself, and by this name all are.
    main = sys.modules["__main__"]
    spec, main.__spec__ = main.__spec__, ModuleSpec("__main__", None)
    if sys.platform != "win32":
        # Ctrl-C goes to all processes of a shell's job, and one that is still loading its modules would answer with a
        # traceback. It inherits what is blocked in this thread. The resource tracker is started before, since its
        # start, in the first use of multiprocessing, ends with SIGINT let in again.
        resource_tracker.ensure_running()
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        main.__spec__ = spec
        if sys.platform != "win32":
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


@contextmanager
def _loaded(
    server: MakeServer, way: str, total: int, *how: object, progress: Progress = lambda connected: None
) -> Iterator[tuple[Call, Call, Usage, float]]:
    """A server and its clients, which are connected and begin when the block does.

    Yields:
        Both processes; what the server had used before; the seconds that it took to connect.

    Raises:
        ValueError: there is to be no client.
    """
    if total < 1:
        raise ValueError(f"a load test takes one client at least, got {total}")
    with _started("load server", server) as serving:
        port, empty, seconds = serving(way), serving("usage"), 0.0
        with _started("load clients", load_clients, port, total, *how) as clients:
            for done in range(0, total, AT_ONCE):
                count = min(AT_ONCE, total - done)
                seconds += clients("connect", count)
                progress(done + count)
            clients("begin")
            yield serving, clients, empty, seconds


def _wait(clients: Call, total: int, count: int, limit: float) -> Receipts:
    """Wait for so many receipts, or so many seconds; raises RuntimeError if a client is lost."""
    seen: Receipts = clients("wait", count, limit)
    if seen.lost:
        raise RuntimeError(f"{seen.lost:,} of {total:,} clients lost their connection to the server: {seen.why}")
    return seen


def push_load(
    listeners: int,
    *,
    updates: int = 5,
    compression: bool = False,
    progress: Progress = lambda connected: None,
    server: MakeServer = load_server,
) -> PushLoad:
    """Connect clients to a WebSocket server, publish updates one after the other, and wait for the last client.

    Args:
        listeners: how many clients; ``limits.most_listeners`` says what this machine allows.
        updates: how many.
        compression: take up permessage-deflate, which the clients offer.
        progress: called with the number of connected clients now and then.
        server: what is measured, where it is not ours; for compression it gets ``compression="deflate"``.

    Raises:
        RuntimeError: the server or the clients gave up, and why; or so many clients were lost, or had no update within
            the limit.
        ValueError: no clients, or no updates.
    """
    if updates < 1:
        raise ValueError(f"a load test that pushes takes one update at least, got {updates}")
    last = []
    server = partial(server, compression="deflate") if compression else server
    with _loaded(server, "websocket", listeners, progress=progress) as (serving, clients, empty, seconds):
        full = serving("usage")
        for number in range(1, updates + 1):
            published = serving("publish")
            seen = _wait(clients, listeners, number * listeners, LIMIT)
            if missing := number * listeners - seen.received:
                raise RuntimeError(f"{missing:,} of {listeners:,} listeners had no update within {LIMIT:g} s")
            last.append(seen.last - published)
        done = serving("usage")
    memory = (done.resident - empty.resident) / listeners
    return PushLoad(listeners, seconds, tuple(last), memory, (done.cpu - full.cpu) / updates)


def poll_load(
    clients: int, *, gap: float = 1.0, rounds: int = 3, of_pusher: bool = False, server: MakeServer = load_server
) -> PollLoad:
    """Let clients poll a server that has no news, and measure until each had ``rounds`` responses in the mean.

    A server that cannot keep up is measured for twice the time that this should take, or until a tenth of one round is
    answered: of fewer polls there is nothing to say.

    Args:
        clients: how many.
        gap: seconds between a response and the same client's next request.
        rounds: how many.
        of_pusher: ask the server that ``push_load`` measures, which closes a connection after each poll, and not
            Tornado, which has one for all polls of a client.
        server: what is measured, where it is not ours.

    Raises:
        RuntimeError: the server or the clients gave up, and why; or so many clients were lost, or so few polls were
            answered within the limit.
        ValueError: no clients, or no rounds.
    """
    if rounds < 1:
        raise ValueError(f"a load test that polls takes one round at least, got {rounds}")
    fewest = -(-clients // 10)

    def polls(before: int, rounds: int) -> Receipts:
        """So many rounds more, or as many as there were in time."""
        seen = _wait(asking, clients, before + rounds * clients, 2 * gap * rounds)
        if seen.received - before < fewest:
            seen = _wait(asking, clients, before + fewest, LIMIT)
        if (answered := seen.received - before) < fewest:
            raise RuntimeError(
                f"{answered:,} polls of {clients:,} clients were answered within {LIMIT:g} s, "
                f"and {fewest:,} are needed to measure anything"
            )
        return seen

    way = "websocket" if of_pusher else "polling"
    with _loaded(server, way, clients, gap, not of_pusher) as (serving, asking, empty, _):
        begin, before = polls(0, 1), serving("usage")  # by now it goes round
        end, after = polls(begin.received, rounds), serving("usage")
    requests = (end.received - begin.received) / (end.time - begin.time)
    memory = (before.resident - empty.resident) / clients
    return PollLoad(clients, requests, memory, (after.cpu - before.cpu) / (after.time - before.time))
