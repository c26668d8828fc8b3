# SPDX-License-Identifier: GPL-2.0-or-later
"""HAProxy as a server that waits for a request, but not for long."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from netns import SERVER

PORT = 8080

# It answers every request by itself and has no other server behind it.
_CONFIGURATION = f"""
global
    maxconn 16
    stats socket {{folder}}/admin
defaults
    mode http
    timeout client 5s
    timeout http-request 300ms
    timeout http-keep-alive 300ms
frontend impatient
    bind {SERVER}:{PORT}
    http-request return status 200 content-type text/plain string "here I am\\n"
"""


@asynccontextmanager
async def impatient_server() -> AsyncIterator[None]:
    """HAProxy on the server's host; raises FileNotFoundError where it is not installed."""
    with tempfile.TemporaryDirectory(prefix="haproxy-") as folder:
        file = Path(folder) / "haproxy.cfg"
        file.write_text(_CONFIGURATION.format(folder=folder))
        process = await asyncio.create_subprocess_exec("haproxy", "-db", "-q", "-f", str(file))
        try:
            while not (Path(folder) / "admin").exists() and process.returncode is None:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)  # the admin socket is bound a moment before it serves
            yield
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
