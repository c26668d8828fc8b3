# SPDX-License-Identifier: GPL-2.0-or-later
"""Stops a function that does not end, so that a reader's endless loop does not hang the notebook.

A second thread looks at the clock and has Python raise ``TimeUp`` in the first one. No signal is used: Windows has no
timer that sends one, and the reader's own *Interrupt* stays what it was. No trace function either: debuggers need it.

A browser's tab has no second thread. There, at every jump and every call, Python itself has the clock looked at, which
``sys.monitoring`` (Python 3.12) can do.
"""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Any

from .exercise import Function

SECONDS = 3.0
"""Of the processor, for one call. Who waits at a breakpoint, or for a busy machine, uses next to nothing of it."""

TOOL = 4  # one of the numbers that sys.monitoring gives to none of the usual tools


class TimeUp(BaseException):
    """A function was at work for too long. No ``Exception``, as the function may catch these."""


class Limit:
    """Calls functions that may not end; a context manager.

    A single call of C, such as ``list(itertools.count())``, cannot be stopped: something can be raised only between two
    steps of Python.
    """

    def __init__(self) -> None:
        self._thread = ctypes.c_ulong(threading.get_ident())
        self._began: float | None = None  # of the processor's time; None while no function is at work
        self._late = False
        self._lock, self._over = threading.Lock(), threading.Event()
        self._watcher: threading.Thread | None = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Limit:
        try:
            if self._watcher:
                self._watcher.start()
        except RuntimeError:  # Python in a browser has no threads
            self._watcher = None
            self._monitor(True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        if self._watcher:
            self._watcher.join()
        else:
            self._monitor(False)

    def call(self, function: Function, *arguments: Any) -> Any:
        """What the function gives.

        Raises:
            TimeUp: it was stopped, or has caught what should have stopped it.
        """
        self._late, self._began = False, time.process_time()
        try:
            result = function(*arguments)
        finally:
            # Python raises what another thread asks for only at a call or a jump back: this comes before any.
            self._began = None
            with self._lock:  # what the watcher was about to do in the same moment is done now
                late = self._late
            if late and self._watcher:
                self._let_it_come()
        if self._late:
            raise TimeUp
        return result

    def _watch(self) -> None:
        # More than once, since "except:" in the loop may catch it; sooner or later it is raised outside of the "try".
        while not self._over.wait(0.05):
            with self._lock:
                if self._is_late():
                    self._raise()

    def _is_late(self) -> bool:
        late = self._began is not None and time.process_time() - self._began > SECONDS
        self._late |= late
        return late

    def _monitor(self, on: bool) -> None:
        """Have `_step` called at every jump, also that at the end of each round of a loop, and every call; or no more.

        What it raises is raised there, as often as it takes: "except:" in a loop catches it once at most.
        """
        if sys.version_info >= (3, 12):
            monitoring, events = sys.monitoring, sys.monitoring.events
            if on:
                self._monitors = monitoring.get_tool(TOOL) is None  # else a check around this one does
            if not self._monitors:
                return
            if on:
                monitoring.use_tool_id(TOOL, "wsedu")
            for event in (events.JUMP, events.PY_START):
                monitoring.register_callback(TOOL, event, self._step if on else None)
            monitoring.set_events(TOOL, events.JUMP | events.PY_START if on else 0)
            if not on:
                monitoring.free_tool_id(TOOL)

    def _step(self, *where: object) -> None:
        if self._is_late():
            raise TimeUp

    def _let_it_come(self) -> None:
        """Have what may still be asked for raised here, so that it hits nobody else.

        To take it back would not do: CPython 3.11 goes on looking for it, and stands still for ever under a debugger.
        """
        with suppress(TimeUp):
            self._raise()
            while True:
                pass

    def _raise(self) -> None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(self._thread, ctypes.py_object(TimeUp))
