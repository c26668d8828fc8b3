# SPDX-License-Identifier: GPL-2.0-or-later
"""A JupyterLab, or Notebook 7, of one's own for a ``with`` block: a free port, a random token, private settings."""

import json
import os
import secrets
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from site_server import SiteHandler, site_server

from wsedu.live.program import program

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


# Where Lab and its kernels keep what is theirs: in a folder of our own.
PLACES = {"JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces", "IPYTHONDIR": "ipython"}
PLACES |= {f"JUPYTER_{name.upper()}_DIR": name for name in ("config", "data", "runtime")}

# Nothing is fetched from elsewhere.
OPTIONS = """--no-browser --allow-root --ServerApp.ip=127.0.0.1 --ServerApp.port=0 --LabApp.extension_manager=readonly
    --LabApp.news_url= --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate""".split()


@contextmanager
def lab_server(root: Path, application: Application = "jupyterlab") -> Iterator[tuple[str, str]]:
    """Start JupyterLab, or Notebook 7, on a free port, showing the folder `root`.

    Yields:
        Where it answers, as in "http://127.0.0.1:8888", and its token.
    """
    token = secrets.token_hex(16)
    with tempfile.TemporaryDirectory(prefix="wsedu-lab-") as folder:
        private = Path(folder)
        settings = private / "settings/@jupyterlab/apputils-extension"
        settings.mkdir(parents=True)
        for name, content in SETTINGS.items():
            (settings / f"{name}.jupyterlab-settings").write_text(json.dumps(content))
        environment = os.environ | {name: str(private / place) for name, place in PLACES.items()}
        options = [*OPTIONS, f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={root}"]
        options.append(f"--{CLASSES[application]}.expose_app_in_browser=True")  # the tests talk to Lab's own objects
        command = [sys.executable, "-m", application, *options]

        def answers() -> str:
            """It writes the port that it was given to its runtime folder, and then begins to listen."""
            said = json.loads(b"".join(file.read_bytes() for file in (private / "runtime").glob("jpserver-*.json")))
            origin = f"http://127.0.0.1:{said['port']}"
            urllib.request.urlopen(f"{origin}/api/status?token={token}", timeout=5).read()
            return origin

        with open(private / "log", "w") as log:
            own: Any = {"env": environment, "cwd": root, "stdout": log, "stderr": log, "start_new_session": True}
            try:
                # The kernels are Lab's children: Lab ends them when it is asked to end.
                with program(application, command, answers, START_TIMEOUT, **own) as origin:
                    yield origin, token
            except RuntimeError as error:
                error.add_note((private / "log").read_text())
                raise


class _FolderHandler(SiteHandler):
    """The site, with the files of `root` beside its own; of these two of one name, the site's."""

    root: Path

    def translate_path(self, path: str) -> str:
        own, at = super().translate_path(path), unquote(urlsplit(path).path)
        of_root = at.startswith("/files/") and not Path(own).is_file()
        return str(self.root / at.removeprefix("/files/")) if of_root else own

    def do_GET(self) -> None:
        at = unquote(urlsplit(self.path).path)
        if at == "/jupyter-lite.json":
            found = json.loads(Path(self.directory, "jupyter-lite.json").read_text())
            data = found["jupyter-config-data"]
            data["exposeAppInBrowser"] = True
            shown = {f"@jupyterlab/apputils-extension:{name}": content for name, content in SETTINGS.items()}
            data["settingsOverrides"] = {**data.get("settingsOverrides", {}), **shown}
        elif at.startswith("/api/contents/"):
            folder = self.root / at.removeprefix("/api/contents/").removesuffix("all.json")
            found = self._model(folder) | {"content": [self._model(one) for one in sorted(folder.iterdir())]}
        else:
            return super().do_GET()
        return self.answer(json.dumps(found).encode(), "application/json", {})

    def _model(self, path: Path) -> dict[str, Any]:
        kind = "directory" if path.is_dir() else "notebook" if path.suffix == ".ipynb" else "file"
        time, at = "2020-01-01T00:00:00Z", path.relative_to(self.root).as_posix()
        model = {"name": path.name, "path": "" if at == "." else at, "type": kind, "created": time}
        return model | {"last_modified": time, "writable": True, "format": None, "mimetype": None, "content": None}


@contextmanager
def site_as_lab(site: Path, root: Path) -> Iterator[str]:
    """Serve the site that was built, showing the folder `root`; yields where, as `lab_server` does."""
    with site_server(site, type("Handler", (_FolderHandler,), {"root": root.resolve()})) as (origin, _):
        yield origin
