# SPDX-License-Identifier: GPL-2.0-or-later
"""A private Jupyter server, and a client that runs code in a kernel over the same WebSocket that notebooks use."""

import json
import os
import secrets
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import httpx
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from ..wire import background
from .program import program

V1 = Subprotocol("v1.kernel.websocket.jupyter.org")
ANSWER_LIMIT = 30.0  # seconds


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
        url, said = f"http://127.0.0.1:{self.port}/api/kernels", {"Authorization": f"token {self.token}"}
        return str(httpx.post(url, headers=said, timeout=ANSWER_LIMIT, trust_env=False).json()["id"])


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
            header, parent, _, content = map(json.loads, unpack(client.recv(ANSWER_LIMIT, decode=False))[1:5])
            if parent.get("msg_id") == "ours":
                awaited -= {header["msg_type"], content.get("execution_state")}


@contextmanager
def jupyter_server() -> Iterator[JupyterServer]:
    """Start a Jupyter server on a free port of 127.0.0.1, with a token and folders of its own; it ends with the block.

    Raises:
        RuntimeError: it does not begin to listen, or is not installed.
    """
    background.need_system("Jupyter's server")
    if not find_spec("jupyter_server"):
        raise RuntimeError("Jupyter's server is not installed here; pip install jupyterlab brings it")
    token = secrets.token_hex(24)
    with tempfile.TemporaryDirectory(prefix="wsedu-", ignore_cleanup_errors=True) as folder:
        private = {f"JUPYTER_{name}_DIR": str(Path(folder, name)) for name in ("RUNTIME", "CONFIG", "DATA")}
        # In the environment, and not among the arguments, which every user of the machine can read. What is made an
        # error of here, PYTHONWARNINGS, is none of Jupyter's business.
        environment = {**os.environ, **private, "JUPYTER_TOKEN": token, "IPYTHONDIR": folder, "PYTHONWARNINGS": ""}
        options = ["--ip=127.0.0.1", "--port=0", "--no-browser", f"--ServerApp.root_dir={folder}"]
        options += ["--ServerApp.jpserver_extensions={}", *(["--allow-root"] if os.name == "posix" else [])]
        command = [sys.executable, "-m", "jupyter_server", *options]

        def listens() -> int:
            # It writes the port into a file of its runtime folder, and then begins to listen.
            (file,) = Path(folder, "RUNTIME").glob("jpserver-*.json")
            port: int = json.loads(file.read_text())["port"]
            socket.create_connection(("127.0.0.1", port), ANSWER_LIMIT).close()
            return port

        with program("the Jupyter server", command, listens, env=environment) as port:
            yield JupyterServer(port, token)
