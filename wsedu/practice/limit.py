# SPDX-License-Identifier: GPL-2.0-or-later
"""Stops a function that does not end, so that a reader's endless loop does not hang the notebook.

A second thread looks at the clock and has Python raise ``TimeUp`` in the first one. No signal is used: Windows has no
timer that sends one, and the reader's own *Interrupt* stays what it was. No trace function either: debuggers need it.
"""

from __future__ import annotations

import ctypes
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Any

from .exercise import Function

SECONDS = 3.0
"""Of the processor, for one call. Who waits at a breakpoint, or for a busy machine, uses next to nothing of it."""


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
        except RuntimeError:
            self._watcher = None  # Python in a browser has no threads: there nothing is stopped
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        if self._watcher:
            self._watcher.join()

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
            if late:
                self._let_it_come()
        if self._late:
            raise TimeUp
        return result

    def _watch(self) -> None:
        # More than once, since "except:" in the loop may catch it; sooner or later it is raised outside of the "try".
        while not self._over.wait(0.05):
            with self._lock:
                if self._began is not None and time.process_time() - self._began > SECONDS:
                    self._late = True
                    self._raise()

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
