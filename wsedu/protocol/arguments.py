# SPDX-License-Identifier: GPL-2.0-or-later
"""What callers pass: the types that several functions share, and a clear error for what is none of them.

Without it, text where bytes belong would fail somewhere inside, or not fail and mean something else.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

Data = bytes | bytearray | memoryview
Role = Literal["client", "server"]


def need_bytes(value: object, name: str = "data") -> None:
    """Raise TypeError unless it is bytes, of whatever kind."""
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise _wrong(name, "bytes", value)


def need_text(value: object, name: str) -> None:
    """Raise TypeError unless it is text."""
    if not isinstance(value, str):
        raise _wrong(name, "str", value)


def need_texts(values: Collection[str], name: str) -> None:
    """Raise TypeError unless it is a collection of texts; one text alone is a collection too, of its letters."""
    if isinstance(values, str) or not isinstance(values, Collection):
        raise _wrong(name, "a list of str", values)
    for value in values:
        need_text(value, f"each of {name}")


def need_role(role: object) -> None:
    """Raise ValueError unless it is a role, or ``None`` for a sender of whom nothing is known."""
    if role not in ("client", "server", None):
        raise ValueError(f"the sender's role is 'client', 'server' or None: {role!r:.60}")


def _wrong(name: str, expected: str, value: object) -> TypeError:
    return TypeError(f"{name}: expected {expected}; found {type(value).__name__}: {value!r:.60}")
