# SPDX-License-Identifier: GPL-2.0-or-later
"""Build the notebooks as a static site: JupyterLite, with all that they import inside.

    python tools/build_site.py SITE

Pyodide comes from npm and wheels from the package index, both pinned (``site-packages.txt``). Pyodide looks into its
lock file for whoever has a module that is imported; so the wheels are written into that file, and nothing is installed
when a page is opened: no request goes to another host.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PYODIDE = "pyodide@314.0.6"  # that of jupyterlite-pyodide-kernel in constraints.txt
PYTHON, PLATFORM = "3.14", "pyemscripten_2026_0_wasm32"
# What the kernel itself loads before a first cell, by name; the rest comes with ``import wsedu``.
KERNEL = ("ipython", "ipykernel", "comm", "micropip", "pyodide-kernel", "piplite", "jedi")


def run(*command: str | Path, **options: Any) -> None:
    """Run a program, and end if it fails."""
    subprocess.run(command, check=True, **options)


def pyodide(to: Path) -> None:
    """Unpack Pyodide's core, of which npm has no packages."""
    with TemporaryDirectory() as folder:
        run("npm", "pack", "--silent", PYODIDE, cwd=folder, stdout=subprocess.DEVNULL)
        with tarfile.open(next(Path(folder).glob("*.tgz"))) as archive:
            archive.extractall(folder, filter="data")
        for name in "pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json":
            shutil.copy(Path(folder, "package", name), to / name)


def wheels(to: Path) -> None:
    """Our own wheel, Tornado without what is written in C, and the pinned ones."""
    pip = sys.executable, "-m", "pip"
    for_pyodide = "--only-binary=:all:", "--python-version", PYTHON, "--platform", PLATFORM, "--platform", "any"
    pinned = ROOT / "tools" / "site-packages.txt"
    run(*pip, "download", "-q", "--no-deps", *for_pyodide, "-d", to, "-r", pinned)
    run(*pip, "wheel", "-q", "--no-deps", "-w", to, ROOT)
    environment = {"TORNADO_EXTENSION": "0", "PATH": "/usr/bin:/bin"}
    run(*pip, "wheel", "-q", "--no-deps", "--no-binary", "tornado", "-w", to, "tornado", env=environment)


def entry(wheel: Path) -> dict[str, Any]:
    """A wheel as the lock file has it."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name and ".data/" not in name]
    name, version = wheel.name.split("-")[:2]
    return {
        "name": name.lower().replace("_", "-"), "version": version, "file_name": wheel.name,
        "install_dir": "site", "package_type": "package", "unvendored_tests": False, "depends": [],
        "imports": sorted({each.split("/")[0].removesuffix(".py") for each in names if each.endswith(".py")}),
        "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
    }  # fmt: skip


def lock(folder: Path, more: list[Path]) -> None:
    """Write the lock file anew: of these wheels alone."""
    for wheel in more:
        shutil.copy(wheel, folder)
    path = folder / "pyodide-lock.json"
    said = json.loads(path.read_text())
    packages = {one["name"]: one for one in map(entry, sorted(folder.glob("*.whl")))}
    rest = sorted(set(packages) - set(KERNEL) - {"wsedu"})
    packages["wsedu"]["depends"] = rest
    packages["ipython"]["depends"] = [name for name in OF_IPYTHON if name in packages]
    path.write_text(json.dumps({**said, "packages": packages}))


OF_IPYTHON = (
    "asttokens", "decorator", "executing", "matplotlib-inline", "prompt-toolkit", "pure-eval", "pygments", "six",
    "stack-data", "traitlets", "wcwidth", "parso", "packaging", "typing-extensions", "tornado",
)  # fmt: skip


def main(site: Path) -> None:
    """Build it; what was there before is gone."""
    shutil.rmtree(site, ignore_errors=True)
    with TemporaryDirectory() as made:
        folder = Path(made)
        home = folder / "static" / "pyodide"
        home.mkdir(parents=True)
        pyodide(home)
        wheels(home)
        share = Path(sys.prefix, "share/jupyter/labextensions/@jupyterlite/pyodide-kernel-extension/static/pypi")
        lock(home, [w for w in share.glob("*.whl") if not w.name.startswith("widgetsnbextension-3")])
        for name in "notebooks", "data":
            shutil.copytree(ROOT / name, folder / "content" / name, ignore=shutil.ignore_patterns(".*"))
        config = {
            "LiteBuildConfig": {
                "contents": ["content"], "output_dir": str(site), "apps": ["lab"], "no_sourcemaps": True,
                "cache_dir": str(folder / "cache"),
            }
        }  # fmt: skip
        (folder / "jupyter_lite_config.json").write_text(json.dumps(config))
        run(sys.executable, "-m", "jupyterlite_core", "build", "--lite-dir", folder, cwd=folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
