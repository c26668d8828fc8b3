# SPDX-License-Identifier: GPL-2.0-or-later
"""How values are told to a reader: as Python that can be typed, in one line, with nothing that a terminal obeys."""

from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from typing import Any

from ..show.text import clip, visible

SHOWN = 240  # characters of a value


def show(value: Any) -> str:
    """A value as Python would have it, in at most ``SHOWN`` characters."""
    try:
        return safe(_literal(value))
    except Exception as error:
        # More digits than Python prints, a list that holds itself, a class that cannot say it.
        return f"{kind(value)} that cannot be shown: {type(error).__name__}"


def safe(text: str) -> str:
    """Text that may hold anything, in one line of at most ``SHOWN`` characters."""
    return clip(text if text.isprintable() else visible(text), SHOWN)


def kind(value: Any) -> str:
    """What a value is, with an article: ``"a list"``, ``"an int"``; what a reader may not have meant, in words."""
    if value is None:
        return "nothing: is there a return on every way through it?"
    if isinstance(value, Iterator):
        return f"a {type(value).__name__}, whose values are not there yet: list(…) asks for them"
    name = type(value).__name__
    article = "" if isinstance(value, bytes) else "an " if name[:1] in "aeiou" else "a "
    return f"{article}{name}"


def _literal(value: Any) -> str:
    if isinstance(value, bytes) and value and not _is_text(value):
        return f"bytes.fromhex({value.hex(' ')!r})"
    if type(value) is list:
        return f"[{', '.join(map(_literal, value))}]"
    if type(value) is tuple:
        return f"({', '.join(map(_literal, value))}{',' * (len(value) == 1)})"
    if is_dataclass(value) and not isinstance(value, type):
        return f"{type(value).__name__}({', '.join(_given(value))})"
    return repr(value)


def _given(value: Any) -> Iterator[str]:
    """The fields of a dataclass that are not what they are by default."""
    for field in fields(value):
        one = getattr(value, field.name)
        if field.default is MISSING:
            yield _literal(one.value if isinstance(one, Enum) else one)
        elif one != field.default:
            yield f"{field.name}={_literal(one)}"


def _is_text(data: bytes) -> bool:
    return all(0x20 <= byte < 0x7F or byte in b"\r\n\t" for byte in data)
