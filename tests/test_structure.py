# SPDX-License-Identifier: GPL-2.0-or-later
"""The house stands as designed: what imports what, how long things are, and what no file may hold."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import wsedu

ROOT = Path(__file__).parent.parent
PACKAGE = sorted((ROOT / "wsedu").rglob("*.py"))
SOURCES = sorted([*PACKAGE, *(ROOT / "tools").glob("*.py"), *(ROOT / "tests").glob("*.py")])

# What each room may import of ours, and which modules of others belong to it alone.
MAY = {
    "protocol": set(),
    "wire": {"protocol"},
    "model": {"protocol"},
    "show": {"protocol"},
    "live": {"protocol", "wire", "model"},
    "practice": {"protocol", "show", "wire", "model", "live"},
}
FORBIDDEN = {
    "protocol": {"socket", "time", "asyncio", "scapy", "IPython", "ipywidgets", "random", "threading"},
    "wire": {"IPython", "ipywidgets", "anywidget", "tornado", "httpx", "websockets"},
    "model": {"socket", "asyncio", "scapy", "IPython", "ipywidgets", "tornado", "httpx", "websockets"},
    "show": {"socket", "asyncio", "scapy", "tornado", "httpx", "websockets", "subprocess"},
    "live": {"scapy", "IPython", "ipywidgets"},
    "practice": {"scapy", "socket", "ipywidgets"},
}
LONGEST_MODULE, LONGEST_FUNCTION = 400, 45
# The hot loop of the reader may be one dense function.
MAY_BE_LONG = {"wsedu/wire/fast.py"}


def _imports(path: Path) -> Iterator[tuple[str, str]]:
    """What a module imports: (room of ours, or "", the whole name). What is only for types does not count."""
    inside = path.relative_to(ROOT / "wsedu").parts
    tree = ast.parse(path.read_text())
    for_types = {
        node
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if node in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (("", alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if not node.level:
                yield "", node.module or ""
                continue
            base = [*inside[: len(inside) - node.level], *(node.module or "").split(".")]
            yield base[0], ".".join(base)


@pytest.mark.parametrize("path", PACKAGE, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path: Path) -> None:
    inside = path.relative_to(ROOT / "wsedu").parts
    if len(inside) == 1:
        return  # the front door, the command line, lab and doctor stand above the rooms
    room = inside[0]
    for ours, name in _imports(path):
        if ours:
            assert ours == room or ours in MAY[room], f"{room} imports {name}"
        else:
            top = name.partition(".")[0]
            assert top != "wsedu", "import from the module itself, relatively"
            assert top not in FORBIDDEN[room], f"{room} imports {name}"
            if room == "protocol":
                assert top in sys.stdlib_module_names


def test_only_wire_has_scapy() -> None:
    users = {
        path.parent.name for path in PACKAGE for ours, name in _imports(path) if name.startswith("scapy")
    }
    assert users == {"wire"}


def test_there_are_no_circles() -> None:
    """Among the modules as they are when loaded: imports inside functions come later and do no harm."""
    edges: dict[str, set[str]] = {}
    for path in PACKAGE:
        inside = path.relative_to(ROOT / "wsedu").with_suffix("").parts
        targets = edges.setdefault(".".join(inside), set())
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ImportFrom) and node.level:
                base = [*inside[: len(inside) - node.level], *filter(None, (node.module or "").split("."))]
                targets.add(".".join(base))
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join([*way, name])
        if name not in done:
            for other in edges.get(name, ()):
                visit(other, (*way, name))
            done.add(name)

    for name in edges:
        visit(name, ())


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        (
            "import wsedu",
            {"scapy", "ipywidgets", "IPython", "anywidget", "tornado", "websockets", "socket", "asyncio"},
        ),
        (
            "import wsedu; wsedu.read(sys.argv[1]).conversations[0].messages[0].spans()",
            {"scapy", "ipywidgets", "socket"},
        ),
        (
            "import wsedu; wsedu.byte_map(wsedu.Frame(1, b'Hello'))._repr_html_()",
            {"scapy", "ipywidgets", "socket"},
        ),
        ("import wsedu.wire, wsedu.protocol.handshake", {"scapy", "ipywidgets", "socket"}),
    ],
)
def test_nothing_is_loaded_that_is_not_needed(code: str, absent: set[str]) -> None:
    said = subprocess.run(
        [sys.executable, "-c", f"import sys; {code}; print(*sys.modules)", ROOT / "data/http-408.pcap"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert set(said.split()) & absent == set()


def test_the_front_door() -> None:
    names = {
        "Frame", "NeedMoreData", "ProtocolError", "MessageAssembler", "accept_key", "handshake",
        "record", "read", "messages", "byte_map", "compare", "ladder",
    }  # fmt: skip
    assert names <= set(wsedu.__all__) <= set(dir(wsedu))
    assert all(name.startswith("__") for name in set(dir(wsedu)) - set(wsedu.__all__))
    modules = {name for name in wsedu.__all__ if isinstance(getattr(wsedu, name), ModuleType)}
    assert modules == {"handshake"}
    assert not {"Connection", "serve"} & set(dir(wsedu))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = wsedu.nothing


def _code_lines(source: str) -> int:
    """Lines of code: no comments, no docstrings, no blank lines."""
    explained = {
        number
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and ast.get_docstring(node)
        for number in range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1)
    }
    lines = enumerate(source.splitlines(), start=1)
    return sum(
        bool(line.strip()) and not line.strip().startswith("#") and n not in explained for n, line in lines
    )


@pytest.mark.parametrize("path", PACKAGE, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_and_functions_are_short_and_explained(path: Path) -> None:
    source = path.read_text()
    tree = ast.parse(source)
    assert _code_lines(source) <= LONGEST_MODULE
    assert ast.get_docstring(tree), "a module says what it is"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (
                (node.end_lineno or 0) - node.lineno + 1 - len((ast.get_docstring(node) or "").splitlines())
            )
            if str(path.relative_to(ROOT)) not in MAY_BE_LONG:
                assert length <= LONGEST_FUNCTION, f"{node.name}: {length} lines"
    for node in tree.body:
        if isinstance(
            node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        ) and not node.name.startswith("_"):
            explained = ast.get_docstring(node) or any(base for base in getattr(node, "bases", ()))
            assert explained or path.name == "__main__.py", f"{node.name} has no docstring"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_source_names_its_licence(path: Path) -> None:
    assert path.read_text().startswith("# SPDX-License-Identifier: GPL-2.0-or-later\n")


def _tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        return []
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_file_holds_what_it_must_not() -> None:
    """No unfinished work, no registry, and no place that exists on one machine only."""
    # Put together from pieces, so that this file does not find itself.
    words = ["TO" + "DO", "FIX" + "ME", "XX" + "X"]
    hosts = [
        "py" + "pi.org",
        "python" + "hosted.org",
        "registry." + "npmjs.org",
        "/ro" + "ot/",
        "/wo" + "rk/",
        "/ho" + "me/",
    ]
    pattern = re.compile("|".join([*(rf"\b{word}\b" for word in words), *map(re.escape, hosts)]))
    files = _tracked()
    if not files:
        pytest.skip("not a git checkout: there is no list of files")
    found = []
    for path in files:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in pattern.finditer(text)]
    assert found == []
