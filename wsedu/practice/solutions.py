# SPDX-License-Identifier: GPL-2.0-or-later
"""For teachers: the solutions as a text that runs by itself, made from the code that the checks use."""

import ast
import inspect
import sys

from .exercise import EXERCISES, Exercise


def solutions(notebook: str | None = None) -> str:
    """The solutions of a notebook (its number, as in ``"06"``), or of all; Python source.

    Raises:
        ValueError: no such notebook has exercises.
    """
    numbers = sorted({one.notebook for one in EXERCISES.values()})
    if notebook is not None and notebook not in numbers:
        raise ValueError(f"no notebook {notebook!r} with exercises; there are {', '.join(numbers)}")
    wanted = [one for one in EXERCISES.values() if notebook in (None, one.notebook)]
    return "\n\n".join(map(_solution, sorted(wanted, key=lambda one: one.notebook)))


def _solution(asked: Exercise) -> str:
    source = inspect.getsource(sys.modules[asked.solution.__module__])
    tree = ast.parse(source)
    found: dict[str, ast.stmt] = {}
    _collect(asked.name, _defined(tree), found)
    parts = [_text(node, source) for node in tree.body if node in found.values()]
    return f"# notebook {asked.notebook}, {asked.name}: read {asked.read}\n" + "\n\n".join(parts) + "\n"


def _defined(tree: ast.Module) -> dict[str, ast.stmt]:
    """The statements of a module by the names that they define."""
    named: dict[str, ast.stmt] = {}
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name):
                node.decorator_list = []  # these hold the mistakes, and what only they need
                named[name] = node
            case ast.Assign(targets=[ast.Name(id=name)]):
                named[name] = node
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                named |= {(alias.asname or alias.name): node for alias in names}
    return named


def _collect(name: str, defined: dict[str, ast.stmt], found: dict[str, ast.stmt]) -> None:
    """What a name needs, and what that needs in turn."""
    if name in defined and name not in found:
        found[name] = defined[name]
        for node in ast.walk(defined[name]):
            if isinstance(node, ast.Name):
                _collect(node.id, defined, found)


def _text(node: ast.stmt, source: str) -> str:
    """A statement as it was written, comments and all; what is ours is imported from its place in the package."""
    if isinstance(node, ast.ImportFrom) and node.level == 2:
        return ast.unparse(ast.ImportFrom(module=f"wsedu.{node.module}", names=node.names, level=0))
    return ast.get_source_segment(source, node) or ast.unparse(node)
