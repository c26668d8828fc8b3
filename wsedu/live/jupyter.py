# SPDX-License-Identifier: GPL-2.0-or-later
"""A private Jupyter server, and a client that runs code in a kernel over the same WebSocket that notebooks use."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from subprocess import DEVNULL

from websockets.sync.client import connect
from websockets.typing import Subprotocol

V1 = Subprotocol("v1.kernel.websocket.jupyter.org")
START_LIMIT, ANSWER_LIMIT = 45.0, 30.0  # seconds


@dataclass(frozen=True)
class JupyterServer:
    """A server of our own: nobody else's notebooks are there.

    Attributes:
        port: on 127.0.0.1.
        token: whoever knows it may run any program here; made up for this server alone.
    """

    port: int
    token: str

    def start_kernel(self) -> str:
        """Start a kernel by a POST, as JupyterLab does, and give its id."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_LIMIT)
        try:
            connection.request("POST", "/api/kernels", headers={"Authorization": f"token {self.token}"})
            kernel: str = json.loads(connection.getresponse().read())["id"]
            return kernel
        finally:
            connection.close()


def pack(channel: str, *parts: object) -> bytes:
    """A message as ``V1`` has it: how many offsets, the offsets, the channel's name, and JSON for each part.

    All numbers are of 8 bytes, the lowest first; the last offset is where the message ends.
    """
    pieces = [channel.encode(), *(json.dumps(part).encode() for part in parts)]
    offsets = [8 * (len(pieces) + 2)]
    for piece in pieces:
        offsets.append(offsets[-1] + len(piece))
    return b"".join([*(number.to_bytes(8, "little") for number in (len(offsets), *offsets)), *pieces])


def unpack(message: bytes) -> list[bytes]:
    """The pieces of such a message: channel, header, parent header, metadata, content, and buffers if there are any."""
    count = int.from_bytes(message[:8], "little")
    at = [int.from_bytes(message[8 * number : 8 * number + 8], "little") for number in range(1, count + 1)]
    return [message[start:end] for start, end in zip(at, at[1:], strict=False)]


def run_code(server: JupyterServer, kernel: str, code: str, port: int) -> None:
    """Run code in a kernel, through this port, and read until the kernel has answered and is idle again."""
    url = f"ws://127.0.0.1:{port}/api/kernels/{kernel}/channels"
    said = {"Authorization": f"token {server.token}"}
    with connect(url, additional_headers=said, subprotocols=[V1], compression=None, proxy=None) as client:
        header = {"msg_id": "ours", "msg_type": "execute_request", "session": "ours", "username": "", "version": "5.3"}
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
        client.send(pack("shell", header, {}, {}, content))
        awaited = {"execute_reply", "idle"}
        while awaited:
            received = client.recv(ANSWER_LIMIT)
            assert isinstance(received, bytes)
            _, header, parent, _, content = map(json.loads, [b"0", *unpack(received)[1:5]])
            if parent.get("msg_id") == "ours":
                awaited -= {header["msg_type"], content.get("execution_state")}


@contextmanager
def jupyter_server() -> Iterator[JupyterServer]:
    """Start a Jupyter server on a free port of 127.0.0.1, with a token and folders of its own; it ends with the block.

    Raises:
        RuntimeError: it does not begin to listen; Jupyter may not be installed.
    """
    token = secrets.token_hex(24)
    with tempfile.TemporaryDirectory(prefix="wsedu-", ignore_cleanup_errors=True) as folder:
        private = {f"JUPYTER_{name}_DIR": str(Path(folder, name)) for name in ("RUNTIME", "CONFIG", "DATA")}
        # In the environment, and not among the arguments, which every user of the machine can read. What is made an
        # error of here, PYTHONWARNINGS, is none of Jupyter's business.
        environment = {**os.environ, **private, "JUPYTER_TOKEN": token, "IPYTHONDIR": folder, "PYTHONWARNINGS": ""}
        options = ["--ip=127.0.0.1", "--port=0", "--no-browser", f"--ServerApp.root_dir={folder}"]
        options += ["--ServerApp.jpserver_extensions={}", *(["--allow-root"] if os.name == "posix" else [])]
        with subprocess.Popen(
            [sys.executable, "-m", "jupyter_server", *options],
            env=environment,
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=DEVNULL,
        ) as process:
            try:
                yield JupyterServer(_port(Path(folder, "RUNTIME"), process), token)
            finally:
                process.terminate()


def _port(runtime: Path, process: subprocess.Popen[bytes]) -> int:
    """The port: a Jupyter server writes it into a file of its runtime folder, and then begins to listen."""
    until = time.monotonic() + START_LIMIT
    while time.monotonic() < until and process.poll() is None:
        # No file, half a file, or nobody who listens yet.
        with suppress(OSError, ValueError, StopIteration):
            port: int = json.loads(next(runtime.glob("jpserver-*.json")).read_text())["port"]
            socket.create_connection(("127.0.0.1", port), ANSWER_LIMIT).close()
            return port
        time.sleep(0.05)
    raise RuntimeError("the Jupyter server does not begin to listen")
