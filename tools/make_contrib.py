# SPDX-License-Identifier: GPL-2.0-or-later
"""Write the WebSocket layer as one module for Scapy, with its tests; it needs nothing of this package.

    python tools/make_contrib.py FOLDER
    cd FOLDER && python -m scapy.tools.UTscapy -t websocket.uts

The module is ``wsedu/wire/layer.py`` and what that uses of ``wsedu/protocol``: each table, class and function as it
stands there. In a Scapy checkout ``websocket.py`` belongs into ``scapy/contrib``, ``websocket.uts`` into
``test/contrib`` and the captures into ``test/pcaps``. The session stays here: it stands on all of the reader.
"""

import ast
import re
import shutil
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LAYER = "wire.layer"
SPEC = ROOT / "tests" / "websocket.uts"
CAPTURE = "websockets-session.pcap"

HEADER = '''\
# SPDX-License-Identifier: GPL-2.0-or-later
# This file is part of Scapy
# See https://scapy.net/ for more information

# scapy.contrib.description = WebSocket (RFC 6455)
# scapy.contrib.status = loads

"""
WebSocket frames (RFC 6455, 5.2), one packet each. Tell Scapy the port, and frames are found in captures::

    bind_layers(TCP, WebSocket, sport=8765)
    sniff(offline="capture.pcap", session=TCPSession)

TCPSession gives a retransmission twice, and zeros for a lost segment; of a segment that ends inside a frame behind
whole ones it loses bytes, and all of one with a thousand frames. On a port that is used again it takes HTTP for
WebSocket. wsedu.wire.WebSocketSession, of the package that this layer comes from, does none of this.
"""

from __future__ import annotations

'''


class Module:
    """A module's text, and what stands where in it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines = (ROOT / "wsedu" / (name.replace(".", "/") + ".py")).read_text(encoding="utf-8").splitlines()
        self.defined: dict[str, ast.stmt] = {}
        self.imported: dict[str, tuple[str, bool]] = {}  # name -> module, and whether it is ours
        for node in ast.parse("\n".join(self.lines)).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                self.defined[node.name] = node
            elif isinstance(node, ast.ImportFrom):
                module = f"{name.partition('.')[0]}.{node.module}" if node.level == 1 else node.module or ""
                self.imported.update({alias.name: (module, node.level > 0) for alias in node.names})
            elif isinstance(node, ast.Import):
                self.imported.update({alias.name: ("", False) for alias in node.names})
            elif not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Constant):
                targets = node.targets if isinstance(node, ast.Assign) else []
                names = [each.id for each in targets if isinstance(each, ast.Name)]
                self.defined.update(dict.fromkeys(names or [f"line {node.lineno}"], node))

    def excerpt(self, node: ast.stmt) -> str:
        """The text of a statement, with the comments above it."""
        start = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))]) - 1
        while start and self.lines[start - 1].startswith("#"):
            start -= 1
        return re.sub(r"  # (noqa|type: ignore).*", "", "\n".join(self.lines[start : node.end_lineno]))


_module = cache(Module)


class Bundle:
    """The module, put together: each statement behind those that it uses."""

    def __init__(self) -> None:
        self.owner: dict[str, str] = {}  # name -> module
        self.imports: dict[str, set[str]] = {}
        self.blocks: list[str] = []
        for name in _module(LAYER).defined:
            self._need(LAYER, name)

    def _need(self, module: str, name: str) -> None:
        if self.owner.setdefault(name, module) != module:
            raise ValueError(f"{name} is defined in {self.owner[name]} and in {module}")
        source = _module(module)
        text = source.excerpt(source.defined[name])
        if text in self.blocks:
            return
        # Names of annotations too, which nobody evaluates: who reads the module looks for them.
        for node in ast.walk(source.defined[name]):
            if isinstance(node, ast.Name) and node.id not in self.owner:
                self._use(source, node.id)
        self.blocks.append(text)

    def _use(self, source: Module, name: str) -> None:
        module, ours = source.imported.get(name, ("", False))
        if name in source.defined:
            self._need(source.name, name)
        elif ours:
            self._need(module, name)
        elif name in source.imported:
            self.imports.setdefault(module or name, set()).add(name if module else "")

    def text(self) -> str:
        """The whole module."""
        text = HEADER
        for module, names in sorted(self.imports.items(), key=lambda item: (item[0][:5] == "scapy", item[0])):
            names_too = f"from {module} import {', '.join(sorted(names))}"
            text += (f"import {module}" if "" in names else names_too) + "\n"
        large = True
        for block in self.blocks:  # empty lines around what has several
            before, large = large, "\n" in block
            text += ("\n\n" if large or before else "") + block + "\n"
        return text


def main(folder: Path) -> None:
    """Write the module, its tests and the capture that they read."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "websocket.py").write_text(Bundle().text(), encoding="utf-8")
    shutil.copy(SPEC, folder)
    shutil.copy(ROOT / "data" / CAPTURE, folder)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: make_contrib.py FOLDER")
    main(Path(sys.argv[1]))
