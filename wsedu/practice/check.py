# SPDX-License-Identifier: GPL-2.0-or-later
"""Tells right from wrong: on which input, what was expected, and where to read; never the solution."""

from __future__ import annotations

import copy
import math
import random
from typing import Any

from ..show.html import clip, visible
from .exercise import EXERCISES, Arguments, Exercise, Function
from .progress import remember

SHOWN = 120  # characters of a value


class Verdict:
    """What a check found; ``print`` and a notebook show the same words.

    Attributes:
        right: ``True``, ``False``, or ``None`` if nothing was attempted.
        words: what to tell the reader.
    """

    def __init__(self, right: bool | None, words: str) -> None:
        self.right, self.words = right, words

    def __repr__(self) -> str:
        mark = {True: "✓ right", False: "✗ not yet", None: "○ not attempted"}[self.right]
        return f"{mark}: {self.words}" if self.words else mark


def check(name: str, answer: Function | None, *, chance: random.Random | None = None) -> Verdict:
    """Try the reader's function on fresh input.

    Args:
        name: of the exercise.
        answer: the function that the reader wrote.
        chance: where the input comes from; fresh each time if it is not given.

    Raises:
        ValueError: there is no such exercise.
    """
    if name not in EXERCISES:
        raise ValueError(f"there is no exercise {name!r}; there are {', '.join(sorted(EXERCISES))}")
    asked = EXERCISES[name]
    verdict = _judge(asked, answer, asked.cases(chance or random.Random()))
    if verdict.right is not None:
        remember(asked, verdict.right)
    return verdict


def _judge(asked: Exercise, answer: Function | None, cases: list[Arguments]) -> Verdict:
    if answer is None:
        return Verdict(None, "write the function, then run this cell again")
    if not callable(answer):
        return Verdict(False, f"{asked.name} should be a function; it is {_kind(answer)}")
    given: list[Any] = []
    for arguments in cases:
        try:
            given.append(answer(*copy.deepcopy(arguments)))  # so that it may change what it was given
        except NotImplementedError:
            return Verdict(None, "write the function, then run this cell again")
        except Exception as error:
            line = getattr(error.__traceback__ and error.__traceback__.tb_next, "tb_lineno", None)
            where = f" in line {line} of your cell" if line else ""
            said = f"{type(error).__name__}: {error}"
            return Verdict(
                False, f"for {_call(asked, arguments)} your function stopped{where} with {_show(said)}"
            )
    if all(one is None or one is Ellipsis for one in given):
        return Verdict(None, "write the function, then run this cell again")
    expected = [asked.solution(*arguments) for arguments in cases]
    wrong = [i for i, (one, want) in enumerate(zip(given, expected, strict=True)) if not _same(one, want)]
    if not wrong:
        return Verdict(True, f"{len(cases)} fresh cases of {len(cases)}")
    return Verdict(False, _explain(asked, cases, given, expected, wrong[0]))


def _explain(
    asked: Exercise, cases: list[Arguments], given: list[Any], expected: list[Any], first: int
) -> str:
    named = [words for mistake, words in asked.mistakes if _makes(mistake, cases, given)]
    told = f"of {_call(asked, cases[first])} "
    if type(given[first]) is not type(expected[first]) and not isinstance(given[first], bool | int):
        told += f"expected {_kind(expected[first])}, got {_kind(given[first])}, {_value(given[first])}"
    else:
        told += f"expected {_value(expected[first])}, got {_value(given[first])}"
    return "; ".join([*named[:1], told, f"read {asked.read}"])


def _makes(mistake: Function, cases: list[Arguments], given: list[Any]) -> bool:
    """Whether the answers are those of a known mistake."""
    try:
        return all(_same(one, mistake(*arguments)) for one, arguments in zip(given, cases, strict=True))
    except Exception:
        return False


def _same(one: Any, want: Any) -> bool:
    if isinstance(want, bytes) and isinstance(one, bytearray | memoryview):
        one = bytes(one)
    if isinstance(want, bool) != isinstance(one, bool):
        return False  # 1 is not True: whoever mixes them up has something to learn
    if isinstance(want, float):
        return isinstance(one, int | float) and math.isclose(one, want, rel_tol=1e-6)
    return isinstance(one, type(want)) and bool(one == want)


def _kind(value: Any) -> str:
    return "nothing (is there a return?)" if value is None else f"{type(value).__name__}"


def _value(value: Any) -> str:
    return _show(value.hex(" ") if isinstance(value, bytes) and value else repr(value))


def _show(text: str) -> str:
    return clip(visible(text), SHOWN)


def _call(asked: Exercise, arguments: Arguments) -> str:
    return f"{asked.name}({', '.join(_show(repr(one)) for one in arguments)})"
