# SPDX-License-Identifier: GPL-2.0-or-later
"""Write the WebSocket layer and session as one module for Scapy, with its tests; it needs nothing of this package.

    python tools/make_contrib.py FOLDER
    cd FOLDER && python -m scapy.tools.UTscapy -t websocket.uts

The module is put together from the sources in ``wsedu/wire``, and from what they use of ``wsedu/protocol``: each table,
class and function as it stands there. In a Scapy checkout ``websocket.py`` belongs into ``scapy/contrib``,
``websocket.uts`` into ``test/contrib`` and the captures into ``test/pcaps``.
"""

from __future__ import annotations

import ast
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WHOLE = (
    "wire.streams",
    "wire.boundaries",
    "wire.layer",
    "wire.session",
)  # in this order; of others what these use
SPEC = ROOT / "tests" / "websocket.uts"
CAPTURES = ("websockets-session.pcap", "handshake-refused.pcap", "websockets-ipv6.pcapng")

HEADER = '''\
# SPDX-License-Identifier: GPL-2.0-or-later
# This file is part of Scapy
# See https://scapy.net/ for more information

# scapy.contrib.description = WebSocket (RFC 6455)
# scapy.contrib.status = loads

"""
{}
"""
'''


class Source:
    """A module's text, and what stands where in it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.text = (ROOT / "wsedu" / (name.replace(".", "/") + ".py")).read_text(encoding="utf-8")
        self.tree = ast.parse(self.text)
        self.defined: dict[str, ast.stmt] = {}
        self.imported: dict[
            str, tuple[str, str]
        ] = {}  # name -> module, "" for our own with its name behind a dot
        for node in self.tree.body:
            for name_defined in _defines(node):
                self.defined[name_defined] = node
            if isinstance(node, ast.ImportFrom) and node.module != "__future__":
                module = _own_module(name, node) if node.level else node.module or ""
                for alias in node.names:
                    self.imported[alias.name] = module, "own" if node.level else "other"
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    self.imported[alias.name] = "", "other"

    def excerpt(self, node: ast.stmt) -> str:
        """The text of a statement, with the comments above it."""
        lines = self.text.splitlines()
        start = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))]) - 1
        while start and lines[start - 1].startswith("#") and "SPDX" not in lines[start - 1]:
            start -= 1
        return re.sub(r"  # (noqa|type: ignore).*", "", "\n".join(lines[start : node.end_lineno]))


def _own_module(name: str, node: ast.ImportFrom) -> str:
    return (node.module or "") if node.level == 2 else f"{name.partition('.')[0]}.{node.module}"


def _defines(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else []
    return [each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)]


def _names(node: ast.AST, *, annotations: bool) -> Iterator[str]:
    """The names that a statement uses when it runs; or with its annotations, which nobody evaluates."""
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns") and not annotations:
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.Name):
                yield child.id
            elif isinstance(child, ast.AST):
                yield from _names(child, annotations=annotations)


class Bundle:
    """What goes into the module, and from where."""

    def __init__(self) -> None:
        self.sources: dict[str, Source] = {}
        self.needed: dict[
            str, list[ast.stmt]
        ] = {}  # by module, each once, in the order in which modules are ready
        self.imports: dict[bool, dict[str, set[str]]] = {
            True: {},
            False: {},
        }  # whether at runtime; module -> names
        self.types: list[str] = []  # what only annotations use
        for name in WHOLE:
            for node in self._source(name).tree.body:
                if not isinstance(node, ast.Import | ast.ImportFrom):
                    self._need(name, node, runtime=True)

    def _source(self, name: str) -> Source:
        if name not in self.sources:
            self.sources[name] = Source(name)
        return self.sources[name]

    def _need(self, module: str, node: ast.stmt, *, runtime: bool) -> None:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return  # a docstring
        source, have = self._source(module), self.needed.get(module, [])
        if any(node is each for each in have):
            return
        if not runtime and isinstance(node, ast.Assign):
            if source.excerpt(node) not in self.types:
                self.types.append(source.excerpt(node))
                for name in _names(node, annotations=True):
                    self._use(source, name, runtime=False)
            return
        self.needed.setdefault(module, []).append(node)
        used = set(_names(node, annotations=False))
        for name in sorted(used):
            self._use(source, name, runtime=True)
        for name in sorted(set(_names(node, annotations=True)) - used):
            self._use(source, name, runtime=False)

    def _use(self, source: Source, name: str, *, runtime: bool) -> None:
        if name in source.defined:
            self._need(source.name, source.defined[name], runtime=runtime)
        elif name in source.imported:
            module, whose = source.imported[name]
            if whose == "own":
                other = self._source(module)
                if module not in WHOLE:
                    self._need(module, other.defined[name], runtime=runtime)
            else:
                self.imports[runtime].setdefault(module or name, set()).add(name if module else "")

    def text(self) -> str:
        """The whole module."""
        blocks: list[str] = []
        owner: dict[str, str] = {}
        for module in self._in_order():
            source = self.sources[module]
            for node in sorted(self.needed[module], key=lambda each: each.lineno):
                for name in _defines(node):
                    if owner.setdefault(name, module) != module:
                        raise ValueError(f"{name} is defined in {owner[name]} and in {module}")
                blocks.append(source.excerpt(node))
        types = [text for text in self.types if not set(_defines(ast.parse(text).body[0])) & set(owner)]
        docstring = ast.get_docstring(self.sources["wire.session"].tree) or ""
        return HEADER.format(docstring) + "\n" + self._imports(types) + "\n" + _joined(blocks)

    def _in_order(self) -> list[str]:
        """Modules, each behind those that it imports."""
        order: list[str] = []

        def visit(name: str) -> None:
            for module, whose in self.sources[name].imported.values():
                if whose == "own" and module in self.needed and module not in order:
                    visit(module)
            if name in self.needed and name not in order:
                order.append(name)

        for name in WHOLE:
            visit(name)
        return order

    def _imports(self, types: list[str]) -> str:
        runtime = self.imports[True]
        runtime.setdefault("typing", set()).add("TYPE_CHECKING")
        only = {module: names - runtime.get(module, set()) for module, names in self.imports[False].items()}
        lines = ["from __future__ import annotations", "", *_import_lines(runtime), "", "if TYPE_CHECKING:"]
        lines += [f"    {line}" for line in [*_import_lines(only), *types]]
        return "\n".join(lines) + "\n"


def _import_lines(modules: dict[str, set[str]]) -> list[str]:
    lines = []
    for module, names in sorted(modules.items(), key=lambda item: (item[0].startswith("scapy"), item[0])):
        if "" in names:
            lines.append(f"import {module}")
        elif names:
            line = f"from {module} import {', '.join(sorted(names))}"
            lines.append(line)
    return lines


def _joined(blocks: list[str]) -> str:
    """Two empty lines around classes and functions, as Scapy has it."""
    text = ""
    for block in blocks:
        large = (
            block.lstrip("#").startswith(("class ", "def ", "@")) or "\ndef " in block or "\nclass " in block
        )
        text += (
            ("\n\n" if large or text.endswith("\n#end\n") else "")
            + block
            + "\n"
            + ("#end\n" if large else "")
        )
    return text.replace("#end\n", "")


def main(folder: Path) -> None:
    """Write the module, its tests and the captures that they read."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "websocket.py").write_text(Bundle().text(), encoding="utf-8")
    shutil.copy(SPEC, folder)
    for name in CAPTURES:
        shutil.copy(ROOT / "data" / name, folder)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: make_contrib.py FOLDER")
    main(Path(sys.argv[1]))
