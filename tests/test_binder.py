# SPDX-License-Identifier: GPL-2.0-or-later
"""One set of versions everywhere, and what Binder would make of it: repo2docker is asked, without Docker."""

import os
import re
import shutil
import tomllib
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, distributions, requires, version
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName, canonicalize_name
from programs import ROOT, python, run
from ruamel.yaml import YAML

FIRST_PAGE = "notebooks/00-start-here.ipynb"
NBVAL = "--nbval --nbval-current-env --nbval-sanitize-with tests/nbval-sanitize.cfg --nbval-cell-timeout=180"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
MARKERS = "python_version", "python_full_version", "sys_platform", "platform_system", "os_name"
PLATFORMS = ("linux", "Linux", "posix"), ("darwin", "Darwin", "posix"), ("win32", "Windows", "nt")
SYSTEMS = [dict(zip(MARKERS, (one, f"{one}.0", *where), strict=True)) for one, where in product(PYTHONS, PLATFORMS)]


def _yaml(name: str) -> Any:
    return YAML(typ="safe", pure=True).load(ROOT / name)


PYPROJECT: Any = tomllib.loads((ROOT / "pyproject.toml").read_text())
ENVIRONMENT = _yaml("environment.yml")
CONDA = [line for line in ENVIRONMENT["dependencies"] if isinstance(line, str)]
PIP: list[str] = next(line["pip"] for line in ENVIRONMENT["dependencies"] if not isinstance(line, str))
DEPENDENCIES: list[str] = PYPROJECT["project"]["dependencies"]
LAB: list[str] = PYPROJECT["project"]["optional-dependencies"]["lab"]
TEST_ONLY: list[str] = PYPROJECT["project"]["optional-dependencies"]["test"]
TEST_PACKAGES = {canonicalize_name(Requirement(line).name) for line in TEST_ONLY}
CONSTRAINTS = re.findall(r"^[^#\n]+", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
PINS = {canonicalize_name(name): pin for name, _, pin in (line.partition("==") for line in CONSTRAINTS)}


def _needed(lines: Iterable[str], system: dict[str, str]) -> set[NormalizedName]:
    """The packages that pip would install for these requirements on that system, as the installed ones say."""
    seen: set[tuple[NormalizedName, str]] = set()
    todo = [Requirement(line) for line in lines]
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        for extra in {extra for extra in ("", *requirement.extras) if (name, extra) not in seen}:
            seen.add((name, extra))
            with suppress(PackageNotFoundError):  # which is of another system
                others = [Requirement(line) for line in requires(name) or []]
                todo += [o for o in others if o.marker is None or o.marker.evaluate(system | {"extra": extra})]
    return {name for name, _ in seen} - {canonicalize_name("wsedu")}


def test_binder_takes_environment_yml_and_nothing_else(tmp_path: Path) -> None:
    """repo2docker is asked what it would do with the files that git knows, as they are now."""
    clone = tmp_path / "wsedu"
    listed = run("git", "ls-files", "-z")
    if listed.returncode:  # no clone, but a copy without its history
        shutil.copytree(ROOT, clone, ignore=shutil.ignore_patterns(".venv", "*cache*", "*.egg-info"))
    for name in filter(None, listed.stdout.split("\0")):
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, clone / name)
    done = python("-m", "repo2docker", "--no-build", "--debug", ".", cwd=clone, timeout=60)
    assert done.returncode == 0, done.stderr
    dockerfile = done.stdout
    assert "LABEL repo2docker.version=" in dockerfile, "a Dockerfile of our own"
    assert re.findall(r'env update .*--file "(.*)"', dockerfile) == ["environment.yml"]
    assert "pip install" not in dockerfile and "./postBuild" not in dockerfile
    assert "Building conda environment for python=3.12\n" in done.stderr
    # The files that environment.yml names are there when it is read. repo2docker gives them to the user who runs it.
    assert PIP[:2] == ["--constraint constraints.txt", "--editable .[lab]"]
    assert (clone / "constraints.txt").exists() and (clone / "pyproject.toml").exists()
    steps = re.findall(r"COPY --chown=\S+ (src/)|env (update)", dockerfile)
    assert steps == [("src/", ""), ("", "update")], "the environment is made before the repository is there"


def test_the_image_is_lean() -> None:
    """The notebooks' packages and nbval, which needs pytest; nothing else that only tests need."""
    assert (CONDA, PIP[2:]) == (["python=3.12", "pip"], ["nbval"])
    installed = _needed([*DEPENDENCIES, *LAB, "nbval"], SYSTEMS[0])
    assert len(installed) > 50 and installed & TEST_PACKAGES == {"nbval", "pytest"}
    assert installed > {"jupyterlab", "ipywidgets", "scapy", "websockets"}


def test_a_jupyter_that_is_there_stays_as_it_is() -> None:
    """Without the extra nothing of Jupyter comes in but the widgets, of which Colab's, 7.7, do."""
    installed = _needed(DEPENDENCIES, SYSTEMS[0])
    assert {name for name in installed if re.match("jupyter|notebook|nb|ipykernel", name)} == {"jupyterlab-widgets"}
    said = [Requirement(line) for name in ("anywidget", *installed) for line in requires(name) or []]
    asked = [*map(Requirement, DEPENDENCIES), *(one for one in said if one.marker is None)]
    for name, colab in {"ipywidgets": "7.7.1", "ipython": "7.34.0", "tornado": "6.3.3"}.items():
        assert [one for one in asked if one.name == name and colab not in one.specifier] == []


def test_each_dependency_is_used() -> None:
    """Everything is imported by name."""
    paths = [ROOT / "README.md", *ROOT.glob("wsedu/**/*.py"), *ROOT.glob("notebooks/*.ipynb")]
    texts = [path.read_text() for path in paths]
    imported = {name for text in texts for name in re.findall(r"\b(?:import|from) (\w+)", text)}
    assert {Requirement(line).name for line in DEPENDENCIES} <= imported


def test_all_that_is_needed_is_pinned_and_no_more() -> None:
    """Constraints are exact versions, in order."""
    assert [line for line in CONSTRAINTS if not re.fullmatch(r"[a-z0-9-]+==[a-z0-9.]+", line)] == []
    assert CONSTRAINTS == sorted(CONSTRAINTS, key=lambda line: line.partition("==")[0])
    assert len(PINS) == len(CONSTRAINTS)
    build: list[str] = PYPROJECT["build-system"]["requires"]
    asked = [*DEPENDENCIES, *LAB, *TEST_PACKAGES, *build]
    assert set().union(*(_needed(asked, system) for system in SYSTEMS)) == set(PINS)
    assert build == [f"setuptools=={PINS[canonicalize_name('setuptools')]}"]


def test_the_pinned_versions_are_the_installed_ones_and_take_the_oldest_python() -> None:
    """3.11 means its first release too: Debian 12 has 3.11.2, and pip would say "ResolutionImpossible"."""
    here = {name: str(value) for name, value in default_environment().items()}
    needed = _needed([*DEPENDENCIES, *LAB, *TEST_PACKAGES], here)
    assert {name: version(name) for name in needed} == {name: PINS[name] for name in needed}
    installed = {canonicalize_name(one.name): one.metadata["Requires-Python"] for one in distributions()}
    asked = {name: installed[name] for name in PINS if installed.get(name)}
    assert len(asked) > 50
    assert {name: needs for name, needs in asked.items() if "3.11.0" not in SpecifierSet(needs)} == {}


def test_the_workflow_does_what_make_does() -> None:
    text = (ROOT / ".github/workflows/test.yml").read_text()
    linux = _yaml(".github/workflows/test.yml")["jobs"]["linux"]
    for name in ("constraints.txt", "environment.yml", "pyproject.toml", "Makefile"):
        named = re.findall(r"\S*://\S*|\S*index-url\S*|\S*find-links\S*", (ROOT / name).read_text())
        assert named == [], "no registry is named"
    assert linux["strategy"]["matrix"]["python"] == list(PYTHONS) and linux["env"]["CI"] == "true"
    assert all(python in SpecifierSet(PYPROJECT["project"]["requires-python"]) for python in PYTHONS)
    known = [line for line in PYPROJECT["project"]["classifiers"] if "Python" in line]
    assert known == [f"Programming Language :: Python :: {python}" for python in PYTHONS]
    assert f"NBVAL := {NBVAL}\n" in (ROOT / "Makefile").read_text() and f"pytest -q {NBVAL} " in text
    actions = re.findall(r"uses: (.*)", text + (ROOT / ".github/workflows/pages.yml").read_text())
    assert [one for one in actions if not re.fullmatch(r"\S+@[0-9a-f]{40} # v[\d.]+", one)] == [], "not pinned"


def test_ci_runs_the_readmes_command_as_on_a_machine_that_says_nothing_to_python(tmp_path: Path) -> None:
    (tmp_path / "make").write_text('#!/bin/sh\necho "$@"\nenv\n')
    (tmp_path / "make").chmod(0o755)
    told = {"PYTHONUNBUFFERED": "1", "PYTHON": "x", "PYTHONX": "two\nlines", "PIP_CERT": "kept"}
    environment = os.environ | told | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = run(ROOT / ".ci/run", env=environment)
    command, *said = done.stdout.splitlines()
    assert (done.returncode, command) == (0, "test") and {"CI=true", "PIP_CERT=kept"} <= set(said)
    assert [line for line in said if line.startswith("PYTHON")] == []


def test_a_home_that_cannot_be_written_is_replaced(tmp_path: Path) -> None:
    """Jupyter ends in a traceback otherwise."""
    (tmp_path / "show.mk").write_text("show:; @echo $$HOME\n")
    for home, replaced in (str(tmp_path), str(tmp_path)), ("/proc/nowhere", f"{ROOT}/.venv/home"):
        command = "make", "-s", "-f", "Makefile", "-f", tmp_path / "show.mk", "show"
        said = run(*command, env=os.environ | {"HOME": home})
        assert said.stdout == f"{replaced}\n", said.stderr


def test_the_readme_opens_the_first_notebook_on_binder() -> None:
    urls = re.findall(r"https://mybinder\.org/[^\s)>\"'`]+", (ROOT / "README.md").read_text())
    assert urls, "no word of Binder"
    for url in urls:
        parts = urlsplit(url)
        assert re.fullmatch("/v2/gh/[^/]+/[^/]+/HEAD", parts.path)  # OWNER/REPO, but in a fork
        assert parse_qs(parts.query, strict_parsing=True) == {"urlpath": [f"lab/tree/{FIRST_PAGE}"]}
    assert (ROOT / FIRST_PAGE).is_file()
    assert FIRST_PAGE in (ROOT / "Makefile").read_text()
