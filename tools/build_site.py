# SPDX-License-Identifier: GPL-2.0-or-later
"""Build the notebooks as a static site: JupyterLite, with all that they import inside.

    make site                             into site/, with what tools/site-build.txt lists
    make site ADDRESS=https://host/path/  for those who show a picture of a linked page

JupyterLite is in ``lab/``; the pages to read, and the contents page, are those of ``reading_pages.py``.

Pyodide comes from npm and wheels from the package index, all pinned. What they have goes, compiled, into the archive of
the standard library, from which Python imports without unpacking anything; the few that are unpacked are written into
Pyodide's lock file. Nothing is installed when a page is opened: no request goes to another host.

Python is started (``pages/start_python.mjs``) when the page is opened, beside JupyterLab, and not when that asks for a
kernel.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat
from notebook_nav import README
from reading_pages import ICON, write_site

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / "tools"
PINNED = TOOLS / "site-packages.txt"
CELLS = TOOLS / "site_cells.toml"
STARTUP = TOOLS / "site_startup.py"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

# Pyodide as npm has it, and the SHA-256 of that.
PYODIDE, PYODIDE_SHA256 = "pyodide@314.0.6", "d78ac549b28a2a58600cd06f44e017024151775f8c6b2d73fab1475400d38ea2"
LIBRARY, LOCK = "python_stdlib.zip", "pyodide-lock.json"
PYODIDE_FILES = "pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", LIBRARY, LOCK
PYTHON, PLATFORM = "3.14", "pyemscripten_2026_0_wasm32"
KERNEL = "@jupyterlite/pyodide-kernel-extension"

# JupyterLite in lab/ reads the page above it too, which has to have this.
ROOT_CONFIG = '<script id="jupyter-config-data" type="application/json" data-jupyter-lite-root=".">{}</script>\n'

# Unpacked when a page is opened, since they have files beside their modules; and Scapy, when a cell imports it.
AT_ONCE, LATER = {"ipython", "wsedu", "wsedu_site"}, {"scapy"}
# What the kernel would look for on the package index if it were not told that it is here; of jedi that is not so, and
# completion asks the objects.
OF_KERNEL = ["comm", "ipykernel", "ipython", "jedi", "micropip", "piplite", "pyodide-kernel"]
# Never opened in a tab: tests, what Lab has already, colours for other languages than Python.
UNUSED = re.compile(
    r"/(tests?|labextension)/|\.data/|\.dist-info/RECORD$"
    r"|pygments/lexers/(?!__init__|_mapping|python|special|_python)"
)

# Into Lab's page, before all else: the first kernel is a worker that has started already. (A page that is isolated from
# others, which a server may ask for, has another kind of worker.)
EARLY = """<script>
{
    const start = () => new Plain(new URL("../static/pyodide/early.mjs", document.baseURI), {type: "module"});
    const Plain = Worker;
    let first = crossOriginIsolated ? null : start();
    window.Worker = new Proxy(Plain, {
        construct(_, [url, options]) {
            if (!String(url).includes("/comlink.worker.")) return new Plain(url, options);
            const worker = first ?? start();
            first = null;
            return worker;
        },
    });
}
</script>
"""


def run(*command: str | Path, **options: Any) -> None:
    """Run a program, and end if it fails."""
    subprocess.run(command, check=True, **options)


def pyodide(to: Path) -> None:
    """Unpack Pyodide's core, of which npm has no packages."""
    with TemporaryDirectory() as folder:
        run("npm", "pack", "--silent", PYODIDE, cwd=folder, stdout=subprocess.DEVNULL)
        (packed,) = Path(folder).glob("*.tgz")
        if (found := hashlib.sha256(packed.read_bytes()).hexdigest()) != PYODIDE_SHA256:
            raise SystemExit(f"{PYODIDE} has the SHA-256 {found}, and not the one that is expected")
        with tarfile.open(packed) as archive:
            archive.extractall(folder, filter="data")
        for name in PYODIDE_FILES:
            shutil.copy(Path(folder, "package", name), to / name)


def wheels(to: Path) -> None:
    """The pinned wheels, Tornado without its C, ours, those of the kernel, and what the site alone has."""
    pip = sys.executable, "-m", "pip", "--disable-pip-version-check"
    for_pyodide = "--only-binary=:all:", "--python-version", PYTHON, "--platform", PLATFORM, "--platform", "any"
    pins = PINNED.read_text().splitlines()
    tornado = next(line for line in pins if line.startswith("tornado=="))
    others = to / "others.txt"
    others.write_text("\n".join(line for line in pins if line != tornado))
    run(*pip, "download", "-q", "--no-deps", *for_pyodide, "-d", to, "-r", others)
    pure = os.environ | {"TORNADO_EXTENSION": "0"}
    run(*pip, "wheel", "-q", "--no-deps", "--no-cache-dir", "--no-binary", "tornado", "-w", to, tornado, env=pure)
    with TemporaryDirectory() as copy:  # so that setuptools writes no build/ here, and takes nothing from an old one
        for name in "wsedu", "pyproject.toml", "README.md", "LICENSE", "LICENSE-PROSE.md", "data":
            (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, Path(copy, name))
        run(*pip, "wheel", "-q", "--no-deps", "-w", to, copy)
    of_kernel = Path(sys.prefix, "share/jupyter/labextensions", KERNEL, "static/pypi")
    for wheel in of_kernel.glob("*.whl"):
        if not wheel.name.startswith("widgetsnbextension-3"):  # that of ipywidgets 7
            shutil.copy(wheel, to)
    with zipfile.ZipFile(to / "wsedu_site-1-py3-none-any.whl", "w") as archive:
        archive.write(STARTUP, "wsedu_site.py")
        archive.writestr("wsedu_site_startup.py", "import wsedu_site")
        archive.write(TOOLS / "site_aead.py", "cryptography/hazmat/primitives/ciphers/aead.py")
        archive.writestr("cryptography/exceptions.py", "class InvalidTag(Exception):\n    pass\n")
        archive.writestr("wsedu_site.json", json.dumps(stored_runs()))
        archive.writestr("wsedu_site-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: wsedu-site\nVersion: 1\n")


def stored_runs() -> dict[str, Any]:
    """What to show for the cells that cannot run in a tab: the source of each -> why, and its outputs."""
    listed = tomllib.loads(CELLS.read_text())["not-run"]
    found = {}
    for notebook in NOTEBOOKS:
        why = dict(listed.get(notebook.stem[:2], {}))
        for cell in json.loads(notebook.read_text())["cells"]:
            if cell["id"] in why:
                found["".join(cell["source"])] = [why.pop(cell["id"]), cell["outputs"]]
        if why:
            raise SystemExit(f"{CELLS.name} has cells that {notebook.name} has not: {', '.join(why)}")
    return found


def pack(unpacked: Path, home: Path) -> None:
    """Compile the modules with Pyodide itself, and pack them again: a tab that compiles them starts seconds later.

    Of others' modules only what is compiled stays; ours keep their source, which tracebacks show.
    """
    run("node", TOOLS / "pages" / "compile_site.mjs", home, unpacked)
    with packed(home / LIBRARY) as library:
        for folder in sorted(unpacked.iterdir()):
            if (name := folder.name.partition("-")[0]) not in AT_ONCE | LATER:
                add(folder, library)
                continue
            with packed(home / folder.name) as wheel:
                add(folder, wheel, ours=name.startswith("wsedu"))


def packed(path: Path) -> zipfile.ZipFile:
    """An archive to write, as small as it gets."""
    return zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9)


def add(folder: Path, archive: zipfile.ZipFile, *, ours: bool = False) -> None:
    """Add what is in a folder."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder)
        if ours and name.suffix == ".pyc":
            name = name.parent / "__pycache__" / f"{name.stem}.cpython-{PYTHON.replace('.', '')}.pyc"
        if ours or name.suffix != ".py" or not path.with_suffix(".pyc").exists():
            archive.write(path, name)


def entry(wheel: Path) -> dict[str, Any]:
    """A wheel as the lock file has it."""
    name, version = wheel.name.split("-")[:2]
    return {
        "name": name.replace("_", "-"), "version": version, "file_name": wheel.name, "install_dir": "site",
        "package_type": "package", "unvendored_tests": False, "depends": [], "imports": [name],
        "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
    }  # fmt: skip


def lock(home: Path) -> None:
    """Write a lock file of these wheels alone."""
    packages = {one["name"]: one for one in map(entry, sorted(home.glob("*.whl")))}
    (home / LOCK).write_text(json.dumps({**json.loads((home / LOCK).read_text()), "packages": packages}))


def unpack(wheels: Iterable[Path], to: Path) -> None:
    """Each archive into a folder of its name, without what is never opened."""
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(to / wheel.name, [each for each in archive.namelist() if not UNUSED.search(each)])


def configuration() -> dict[str, Any]:
    """JupyterLite's, as pages read it: Pyodide and its packages are ours."""
    kernel = {
        "pyodideUrl": "./static/pyodide/pyodide.mjs", "disablePyPIFallback": True,
        "loadPyodideOptions": {"packages": OF_KERNEL},
    }  # fmt: skip
    # Pages that notebooks link are shown as they are read; Lab is dark where the reader's system is, as our pages are.
    settings = {
        "@jupyterlab/docmanager-extension:plugin": {"defaultViewers": {"markdown": "Markdown Preview"}},
        "@jupyterlab/apputils-extension:themes": {"adaptive-theme": True},
    }
    data = {
        "appName": "WebSocket on the wire",
        "exposeAppInBrowser": True,
        "litePluginSettings": {f"{KERNEL}:kernel": kernel},
        "settingsOverrides": settings,
    }
    return {"jupyter-lite-schema-version": 0, "jupyter-config-data": data}


def main(site: Path, address: str) -> None:
    """Build it; what was there before is gone."""
    shutil.rmtree(site, ignore_errors=True)
    with TemporaryDirectory() as made:
        folder = Path(made)
        home, raw, unpacked = folder / "static/pyodide", folder / "raw", folder / "unpacked"
        for each in home, raw, unpacked:
            each.mkdir(parents=True)
        pyodide(home)
        wheels(raw)
        unpack([home / LIBRARY, *raw.glob("*.whl")], unpacked)
        pack(unpacked, home)
        lock(home)
        (folder / "jupyter-lite.json").write_text(json.dumps(configuration()))
        for name in "notebooks", "data", "docs":
            shutil.copytree(ROOT / name, folder / "content" / name, ignore=shutil.ignore_patterns(".*"))
        shutil.copy(README, folder / "content")  # the contents that each notebook links
        for path in folder.glob("content/notebooks/*.ipynb"):
            path.write_text(json.dumps(nbformat.read(path, as_version=4)))  # JupyterLite puts commas between lines
        build = {"contents": ["content"], "output_dir": str(site), "apps": ["lab"], "no_sourcemaps": True}
        lite = {"LiteBuildConfig": {**build, "cache_dir": str(folder / "cache")}}
        (folder / "jupyter_lite_config.json").write_text(json.dumps(lite))
        run(sys.executable, "-m", "jupyterlite_core", "build", "--lite-dir", folder, cwd=folder)
    home = site / "static/pyodide"
    (home / "pyodide.mjs").rename(home / "loader.mjs")
    startup = f"/lib/python{PYTHON}/site-packages/wsedu_site_startup.py"
    packages = sorted(name.replace("_", "-") for name in AT_ONCE)
    options = json.dumps({"packages": packages, "env": {"PYTHONSTARTUP": startup}})
    start = (TOOLS / "pages/start_python.mjs").read_text().replace("await load(OPTIONS)", f"await load({options})")
    (home / "pyodide.mjs").write_text(start)
    (worker,) = (site / "extensions" / KERNEL / "static").glob("comlink.worker.*.js")
    (home / "early.mjs").write_text(f'import "./pyodide.mjs";\nimport "../../{worker.relative_to(site)}";\n')
    write_site(site, address)
    for page, more in (site / "index.html", ROOT_CONFIG), (site / "lab/index.html", ICON + EARLY):
        page.write_text(page.read_text().replace("</head>", f"{more}</head>"))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), "".join(sys.argv[2:3]))
