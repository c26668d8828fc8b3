# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs of others that run for the length of a block, from the moment at which one can talk to them."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from subprocess import DEVNULL, Popen, TimeoutExpired
from typing import Any, TypeVar

from ..wire import background

Where = TypeVar("Where")
START_LIMIT, END_LIMIT = 45.0, 5.0  # seconds


@contextmanager
def program(
    name: str, command: Sequence[str], find: Callable[[], Where], limit: float = START_LIMIT, **options: Any
) -> Iterator[Where]:
    """Run a program, silent, until the block ends.

    Args:
        name: what it is, for the error.
        command: the program and its arguments.
        find: gives where it listens, from what it has written, say; raises OSError or ValueError until it does.
        limit: seconds until it must be found.
        options: those of ``Popen``.

    Yields:
        What ``find`` gives.

    Raises:
        RuntimeError: it ended before, or took longer.
    """
    background.need_system(name)
    with Popen(command, **{"stdin": DEVNULL, "stdout": DEVNULL, "stderr": DEVNULL} | options) as process:
        try:
            until = time.monotonic() + limit
            while time.monotonic() < until and process.poll() is None:
                with suppress(OSError, ValueError):
                    where = find()
                    break
                time.sleep(0.05)
            else:
                raise RuntimeError(f"{name} does not begin to listen")
            yield where
        finally:
            process.terminate()
            # A Jupyter server that is still about to answer somebody has been seen to wait for ever.
            with suppress(TimeoutExpired):
                process.wait(END_LIMIT)
            process.kill()
