# SPDX-License-Identifier: GPL-2.0-or-later
"""The house stands as designed: what imports what, how long things are, and what no file may hold."""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from types import ModuleType

import pytest
from programs import ROOT, python, run

import wsedu

PACKAGE = sorted((ROOT / "wsedu").rglob("*.py"))
OUTSIDE_PRACTICE = [path for path in PACKAGE if path.parent.name != "practice"]
TESTS, TOOLS = (sorted((ROOT / name).glob("*.py")) for name in ("tests", "tools"))

# Lines of code (comments, docstrings and blank lines are none). Of the package: 7,500 for the house, 300 for what pages
# and widgets have got since, 600 for deflate and what the dissector is asked, 1,400 for TLS and HTTP/2 (both versions
# of TLS, HPACK, streams, and servers and clients for each way over each), 400 for the network in memory
# and 85 for TLS over it and what programs of others ask of it.
MOST_CODE = {"wsedu without practice": (10300, OUTSIDE_PRACTICE), "tests": (11210, TESTS), "tools": (2500, TOOLS)}
LONGEST_MODULE, LONGEST_FUNCTION = 400, 45
# The hot loop of the reader may be one dense function. (Complexity and docstrings are ruff's, see pyproject.toml.)
MAY_BE_LONG = {"wsedu/wire/fast.py"}

# What each room may import of ours, and which modules of others belong to it alone.
MAY = {
    "protocol": set(),
    **dict.fromkeys(("wire", "model", "show"), {"protocol"}),
    "live": {"protocol", "wire", "model"},
    "practice": {"protocol", "show", "wire", "model", "live"},
}
FORBIDDEN = {
    "wsedu": {"scapy"},
    "protocol": {"socket", "time", "asyncio", "scapy", "IPython", "ipywidgets", "random", "threading"},
    "wire": {"IPython", "ipywidgets", "anywidget", "tornado", "httpx", "websockets"},
    "model": {"socket", "asyncio", "scapy", "IPython", "ipywidgets", "tornado", "httpx", "websockets"},
    "show": {"socket", "asyncio", "scapy", "tornado", "httpx", "websockets", "subprocess"},
    "live": {"scapy", "IPython", "ipywidgets"},
    "practice": {"scapy", "socket", "ipywidgets"},
}


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def _code_lines(path: Path) -> frozenset[int]:
    """The numbers of its lines that are not blank, not only a comment, and in no docstring.

    A string behind an assignment, which explains an attribute, is none: it counts as code.
    """
    explained: set[int] = set()
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            if ast.get_docstring(node) is not None:
                explained |= set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    lines = enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
    return frozenset(n for n, line in lines if line.strip() and not line.strip().startswith("#")) - explained


def _imports(path: Path, nodes: list[ast.stmt] | list[ast.AST]) -> Iterator[tuple[str, str]]:
    """What a module imports there: (room of ours, or "", the whole name). What is only for types does not count."""
    inside = path.relative_to(ROOT / "wsedu").parts
    blocks = [one for one in nodes if isinstance(one, ast.If) and ast.unparse(one.test) == "TYPE_CHECKING"]
    for_types = {node for block in blocks for node in ast.walk(block)}
    for node in nodes:
        if node in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (("", alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = [*inside[: len(inside) - node.level], *filter(None, (node.module or "").split("."))]
            yield ("".join(base[:1]), ".".join(base)) if node.level else ("", node.module or "")


def test_imports_go_one_way() -> None:
    wrong = []
    for path in PACKAGE:
        *inside, _ = path.relative_to(ROOT / "wsedu").parts
        # The front door, the command line, lab and doctor stand above the rooms.
        room = inside[0] if inside else "wsedu"
        for ours, name in _imports(path, list(ast.walk(_tree(path)))):
            top = name.partition(".")[0]
            if ours:
                allowed = ours == room or ours in MAY.get(room, {ours})
            else:  # our own modules are imported relatively
                allowed = top not in FORBIDDEN[room] | {"wsedu"}
                allowed &= room != "protocol" or top in {*sys.stdlib_module_names, "hpack"}
            if not allowed:
                wrong.append(f"{_name(path)} imports {name}")
    assert wrong == []


def test_there_are_no_circles() -> None:
    """Among the modules as they are when loaded: imports inside functions come later and do no harm."""
    edges: dict[str, set[str]] = {}
    for path in PACKAGE:
        name = ".".join(path.relative_to(ROOT / "wsedu").with_suffix("").parts)
        edges[name] = {imported for ours, imported in _imports(path, _tree(path).body) if ours}
    TopologicalSorter(edges).prepare()  # its error names the circle


LIGHT = [
    "import wsedu, wsedu.wire, wsedu.protocol.handshake",
    "import wsedu; wsedu.read(sys.argv[1]).conversations[0].messages[0].spans()",
    "import wsedu; wsedu.byte_map(wsedu.Frame(1, b'Hello'))._repr_html_()",
]


@pytest.mark.parametrize("code", LIGHT)
def test_nothing_is_loaded_that_is_not_needed(code: str) -> None:
    said = python("-c", f"import sys; {code}; print(*sys.modules)", "data/http-408.pcap", check=True).stdout
    heavy = {"scapy", "ipywidgets", "IPython", "anywidget", "tornado", "websockets", "socket", "asyncio"}
    assert set(said.split()) & heavy == set()


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


@pytest.mark.parametrize("room", MOST_CODE)
def test_the_house_is_as_small_as_the_plan_says(room: str) -> None:
    most, paths = MOST_CODE[room]
    assert sum(len(_code_lines(path)) for path in paths) <= most


def test_modules_and_functions_are_short() -> None:
    wrong = []
    for path in (*PACKAGE, *TOOLS, *TESTS):
        name, code = _name(path), _code_lines(path)
        if path in PACKAGE and len(code) > LONGEST_MODULE:
            wrong.append(f"{name} has {len(code)} lines")
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and name not in MAY_BE_LONG:
                length = len(code.intersection(range(node.lineno, (node.end_lineno or 0) + 1)))
                if length > LONGEST_FUNCTION:
                    wrong.append(f"{name}: {node.name} has {length} lines")
    assert wrong == []


def test_no_two_classes_share_a_name() -> None:
    """A reader who meets a name knows which class it is; a leading underscore makes no difference to people."""
    classes = (node for path in PACKAGE for node in ast.walk(_tree(path)) if isinstance(node, ast.ClassDef))
    counted = Counter(node.name.lstrip("_") for node in classes)
    assert [name for name, times in counted.items() if times > 1] == []


# Where the content of a message ends is decided in one module (RFC 9112, 6.3); which codings to take off, in another.
# Whoever else names one of these has a table of fields or codes, or sends them.
DECIDES_FRAMING = "wsedu/protocol/content.py"
NAMED = re.compile(r"content-length|transfer-encoding|\b[23]04\b|9112, 6\.3", re.IGNORECASE)
MAY_NAME = {
    "wsedu/protocol/http1_spans.py": {"content-length", "transfer-encoding", "204", "304"},
    "wsedu/wire/codings.py": {"transfer-encoding"},
    "wsedu/model/published_claims.py": {"content-length"},
    "wsedu/live/attacks.py": {"content-length"},
    **dict.fromkeys(("wsedu/live/load_worker.py", "wsedu/live/news_server.py"), {"204"}),
    "wsedu/live/asgi_server.py": {"204", "content-length"},
}


def test_where_content_ends_is_decided_once() -> None:
    named = {}
    for path in OUTSIDE_PRACTICE:
        lines = path.read_text(encoding="utf-8").splitlines()
        code = "\n".join(lines[number - 1].partition("  # ")[0] for number in sorted(_code_lines(path)))
        named[_name(path)] = {match.lower() for match in NAMED.findall(code)}
    assert named.pop(DECIDES_FRAMING) == {"content-length", "transfer-encoding", "204", "304", "9112, 6.3"}
    assert {name: found for name, found in named.items() if found - MAY_NAME.get(name, set())} == {}


# Words of our own from before the field's names were taken; spelled with dots so that this file does not find itself.
OLD_WORDS = r"""a.new news.room tal.ly im.patient care.ful\sway fan.out fam.ous kno.bs? lan.es? syn.th crow.ds? de.sk
    Follow.er""".replace(".", "").split()


def test_the_words_are_those_of_the_field() -> None:
    old = re.compile(rf"(?<![a-z])({'|'.join(OLD_WORDS)})(?![a-z])", re.IGNORECASE)
    scripts = sorted([*ROOT.glob("wsedu/show/*.js"), *ROOT.glob("wsedu/show/*.css"), ROOT / "Makefile"])
    found = Counter(
        f"{_name(path)}: {match[0]}"
        for path in (*PACKAGE, *TOOLS, *TESTS, *scripts)
        for match in old.finditer(f"{path.name} {path.read_text(encoding='utf-8')}")
    )
    assert found == {}


def _tracked() -> list[Path]:
    listed = run("git", "ls-files", "-z")
    if listed.returncode:
        pytest.skip("not a git checkout: there is no list of files")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


# Prose says its licence in LICENSE-PROSE.md, captures and measurements in data/README.md.
NO_SOURCES = {".md", ".ipynb", ".png", ".webp", ".pcap", ".pcapng", ".keys", ".csv", ".json"}


def test_every_source_names_its_licence() -> None:
    """Whatever its language: Python, JavaScript, CSS, YAML, TOML, make, sh and all that comes later."""
    sources = [path for path in _tracked() if path.suffix not in NO_SOURCES and path.name != "LICENSE"]
    assert {".py", ".js", ".css", ".yml", ".toml", ".cfg", ".uts"} <= {path.suffix for path in sources}
    # A "#!" or a title may stand before it.
    said = re.compile(r"(?:.*\n)?(#|//|/\*) SPDX-License-Identifier: GPL-2\.0-or-later\b")
    assert [_name(path) for path in sources if not said.match(path.read_text(encoding="utf-8"))] == []


def test_no_file_holds_what_it_must_not() -> None:
    """No unfinished work, no registry, and no place that exists on one machine only."""
    # Put together from pieces, so that this file does not find itself.
    words = ["TO" + "DO", "FIX" + "ME", "XX" + "X"]
    hosts = ["py" + "pi.org", "python" + "hosted.org", "registry." + "npmjs.org"]
    hosts += ["/ro" + "ot/", "/wo" + "rk/", "/ho" + "me/"]
    pattern = re.compile("|".join([*(rf"\b{word}\b" for word in words), *map(re.escape, hosts)]))
    found = []
    for path in _tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{_name(path)}: {match[0]}" for match in pattern.finditer(text)]
    assert found == []
