# SPDX-License-Identifier: GPL-2.0-or-later
"""A JupyterLab, or Notebook 7, of one's own for a ``with`` block: a free port, a random token, private settings."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

# The name of what shows notebooks, as in python -m jupyterlab.
Application = Literal["jupyterlab", "notebook"]

# How each calls its own settings.
CLASSES = {"jupyterlab": "LabApp", "notebook": "JupyterNotebookApp"}

START_TIMEOUT = 600.0  # seconds, far beyond what Lab takes to answer on a busy machine

# What Lab reads before it starts: no question about news, and the theme that the browser asks for.
SETTINGS: dict[str, dict[str, object]] = {
    "notification": {"fetchNews": "false", "checkForUpdates": False},
    "themes": {"adaptive-theme": True},
}


@contextmanager
def lab_server(root: Path, application: Application = "jupyterlab") -> Iterator[tuple[str, str]]:
    """Start JupyterLab, or Notebook 7, on a free port, showing the folder `root`.

    Yields:
        Where it answers, as in "http://127.0.0.1:8888", and its token.
    """
    token = secrets.token_hex(16)
    with tempfile.TemporaryDirectory(prefix="wsedu-lab-") as folder:
        private = Path(folder)
        for name, content in SETTINGS.items():
            file = private / f"settings/@jupyterlab/apputils-extension/{name}.jupyterlab-settings"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(content))
        places = {"CONFIG": "config", "DATA": "data", "RUNTIME": "runtime"}
        environment = dict(os.environ, JUPYTERLAB_SETTINGS_DIR=str(private / "settings"))
        environment |= {f"JUPYTER_{key}_DIR": str(private / value) for key, value in places.items()}
        environment |= {
            "JUPYTERLAB_WORKSPACES_DIR": str(private / "workspaces"),
            "IPYTHONDIR": str(private / "ipython"),
        }
        options = ["--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", "--ServerApp.port=0"]
        options += [f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={root}"]
        # The tests talk to Lab's own objects; nothing is fetched from elsewhere.
        options += [
            f"--{CLASSES[application]}.expose_app_in_browser=True",
            "--LabApp.extension_manager=readonly",
            "--LabApp.news_url=",
        ]
        options += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
        with open(private / "log", "w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", application, *options],
                env=environment,
                cwd=root,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            yield _answering(process, private), token
        finally:
            # The kernels are Lab's children: Lab ends them when it is asked to end.
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _answering(process: subprocess.Popen[bytes], private: Path) -> str:
    """Wait until Lab answers. It writes the port that it was given to its runtime folder."""
    deadline = time.monotonic() + START_TIMEOUT
    while process.poll() is None and time.monotonic() < deadline:
        for file in (private / "runtime").glob("jpserver-*.json"):
            try:
                said = json.loads(file.read_text())
                origin = f"http://127.0.0.1:{said['port']}"
                urllib.request.urlopen(f"{origin}/api/status?token={said['token']}", timeout=5).read()
                return origin
            except (OSError, ValueError):
                pass  # half written, or not listening yet
        time.sleep(0.05)
    raise RuntimeError(f"JupyterLab did not start:\n{(private / 'log').read_text()}")
