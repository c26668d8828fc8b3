# SPDX-License-Identifier: GPL-2.0-or-later
"""What runs beside whoever started it: a coroutine on an event loop of its own, in a thread.

Where there are no threads (``memory.py``) something else stands in the place of these names; so they are always
looked up here.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

Done = TypeVar("Done")
Main = Callable[[], Coroutine[Any, Any, Done]]

INTERRUPT_GAP = 0.1  # seconds; a wait is as long at most, so that an interrupt is heard
STOP_LIMIT = 10.0  # seconds after which a thread is given up


class Background:
    """A coroutine, under way from ``start`` on; it does not keep Python from ending.

    Args:
        name: of the thread.
        main: makes the coroutine; called on the loop.

    Attributes:
        error: that it ended with.
    """

    def __init__(self, name: str, main: Main[None]) -> None:
        self._main = main
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=f"wsedu {name}", daemon=True)
        self.start = self._thread.start

    def _run(self) -> None:
        try:
            run(self._main())
        except BaseException as error:
            self.error = error

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self._thread.is_alive()

    def join(self, limit: float | None = None) -> None:
        """Wait for its end."""
        if self.alive:
            self._thread.join(limit)


def run(work: Coroutine[Any, Any, Done]) -> Done:
    """Run a coroutine to its end, here."""
    # In Python's development mode a loop tells stderr of each step that took a tenth of a second. On a busy machine
    # that is nobody's mistake, and stderr is the page that a reader reads.
    # The proxy has the loop watch its sockets (``add_reader``), which the loop that Windows has by default cannot.
    with asyncio.Runner(debug=False, loop_factory=asyncio.SelectorEventLoop) as runner:
        return runner.run(work)


async def here(work: Coroutine[Any, Any, Done]) -> Done:
    """Await a coroutine that uses the network, on a loop that may be anybody's."""
    return await work


def wait(event: threading.Event, limit: float) -> bool:
    """Wait for an event that something in the background sets; whether it is set."""
    return event.wait(limit)


def need_system(what: str, *, in_memory: bool = False) -> None:
    """Raise ``RuntimeError`` where there is nothing of the system's for it: no sockets, threads or programs.

    Args:
        what: that is asked for.
        in_memory: it can be where only the sockets are in memory, and all else of Python is there: not in a tab.
    """


def apart(main: Main[Done], stop: Callable[[], object]) -> Done:
    """Run a coroutine in a thread of its own, and wait for it: this one may have a loop that runs already.

    An interrupt comes to the main thread only, so it never finds a server or a recording half begun.

    Args:
        main: makes the coroutine.
        stop: has it end by itself, even if it has not begun yet; called on an interrupt.
    """
    outcome: Future[Done] = Future()
    # A lock, since one step waits for it: an interrupt inside `join` or an event's `wait` leaves these in disorder.
    running = threading.Lock()
    running.acquire()

    def work() -> None:
        try:
            outcome.set_result(run(main()))
        except BaseException as error:  # raised again in the thread that waits
            outcome.set_exception(error)
        finally:
            running.release()

    thread = threading.Thread(target=work, name="wsedu apart", daemon=True)
    try:
        thread.start()
        while not running.acquire(timeout=INTERRUPT_GAP):
            pass  # many short waits: an interrupt just before a wait does not end it
        return outcome.result()
    except BaseException:
        stop()
        raise
    finally:
        if thread.is_alive():
            thread.join(STOP_LIMIT)
