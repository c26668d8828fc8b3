# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs in the site's kernels when they start: a cell that cannot run in a tab shows its stored run, and why."""

import json
import logging
import socket
import sys
from contextlib import suppress
from ipaddress import IPv6Address
from pathlib import Path
from types import ModuleType
from typing import Any

from IPython import get_ipython
from IPython.display import display


def show(source: str) -> None:
    """Show the outputs that are stored for a cell; what it imports is there for later ones, as far as it can be."""
    for line in source.splitlines():
        if line.startswith(("import ", "from ")):
            with suppress(ImportError):
                exec(line, get_ipython().user_ns)
    why, outputs = STORED[source]
    said = f"Not run in this tab: {why}. What follows is the stored run."
    display({"text/plain": said, "text/html": f"<p><em>{said}</em></p>"}, raw=True)
    for output in outputs:
        if output["output_type"] == "stream":
            print("".join(output["text"]), end="", file=getattr(sys, output["name"]))
        elif output["output_type"] == "error":
            print("\n".join(output["traceback"]), file=sys.stderr)
        else:
            display(output["data"], metadata=output["metadata"], raw=True)


def instead(lines: list[str]) -> list[str]:
    """The lines of a cell, or one that shows its stored run."""
    source = "".join(lines).rstrip("\n")
    return [f"__import__('wsedu_site').show({source!r})\n"] if source in STORED else lines


STORED: dict[str, Any] = json.loads(Path("/lib/python3.14/site-packages/wsedu_site.json").read_text())


def inet_pton(family: int, text: str) -> bytes:
    """As the system's, which knows no IPv6 here."""
    if family != socket.AF_INET6:
        return known_pton(family, text)
    try:
        return IPv6Address(text).packed
    except ValueError as error:
        raise OSError(*error.args) from error


def inet_ntop(family: int, packed: bytes) -> str:
    """The same, back."""
    return str(IPv6Address(packed)) if family == socket.AF_INET6 else known_ntop(family, packed)


known_pton, known_ntop = socket.inet_pton, socket.inet_ntop
socket.inet_pton, socket.inet_ntop = inet_pton, inet_ntop  # type: ignore[assignment]
# Scapy, which only reads captures here, says that it cannot send.
logging.getLogger("scapy.loading").addFilter(lambda said: "emscripten" not in said.getMessage())


def pretend(name: str, **has: object) -> None:
    """Let a module be imported that Pyodide has not: whoever calls what is in it gets an error."""
    module = sys.modules[name] = ModuleType(name)
    vars(module).update(has)


# anyio, with which httpx waits, imports sub-interpreters; load tests, which need processes, import multiprocessing.
pretend("concurrent.interpreters", ExecutionFailed=RuntimeError, create=None)
pretend("_multiprocessing", SemLock=type("SemLock", (), {"SEM_VALUE_MAX": 0}), sem_unlink=None)
pretend("_posixshmem", shm_unlink=None)

get_ipython().input_transformers_cleanup.append(instead)
get_ipython().Completer.use_jedi = False
