# SPDX-License-Identifier: GPL-2.0-or-later
"""Tells right from wrong: on which input, what was expected, and where to read; never the solution."""

from __future__ import annotations

import copy
import dis
import io
import math
import random
import sys
from collections.abc import Coroutine
from contextlib import redirect_stdout
from typing import Any, TextIO

from .exercise import EXERCISES, Arguments, Exercise, Function
from .limit import SECONDS, Limit, TimeUp
from .progress import all_solved, remember
from .words import kind, safe, show

UNTOUCHED = "write the function, run this cell again"
IDLE = {"RESUME", "NOP", "LOAD_CONST", "RETURN_CONST", "RETURN_VALUE", "POP_TOP"}
"""What Python does in a function whose body is ``...``, ``pass`` or a docstring."""


class Verdict:
    """What a check found; ``print`` and a notebook show the same words.

    Attributes:
        right: ``True``, ``False``, or ``None`` if nothing was attempted.
        words: what to tell the reader.
        arguments: those on which the function failed, to try it on; ``None`` if it did not.
    """

    def __init__(self, right: bool | None, words: str, arguments: Arguments | None = None) -> None:
        self.right, self.words, self.arguments = right, words, arguments

    def __repr__(self) -> str:
        mark = {True: "✓ right", False: "✗ not yet", None: "○ not attempted"}[self.right]
        return f"{mark}: {self.words}"


def check(name: str, answer: Function | None, *, rng: random.Random | None = None) -> Verdict:
    """Try the reader's function, on the boundaries of its exercise and on fresh input.

    Args:
        name: of the exercise.
        answer: the function that the reader wrote.
        rng: where the fresh input comes from, for a demonstration, which is not noted as solved.

    Raises:
        ValueError: there is no such exercise.
    """
    if name not in EXERCISES:
        raise ValueError(f"there is no exercise {name!r}; there are {', '.join(sorted(EXERCISES))}")
    asked = EXERCISES[name]
    verdict = _verdict(asked, answer, asked.cases(rng or random.Random()))
    if rng is None and verdict.right is not None:
        remember(asked, verdict.right)
        if verdict.right and (count := all_solved(asked.notebook)):
            every = "three" if count == 3 else count
            verdict.words += f"\n    All {every} of notebook {asked.notebook} are solved."
    return verdict


def _verdict(asked: Exercise, answer: Function | None, cases: list[Arguments]) -> Verdict:
    if answer is None:
        return Verdict(None, UNTOUCHED)
    if not callable(answer):
        return Verdict(False, f"{asked.name} should be a function; it is {kind(answer)}")
    ear = _Ear(sys.stdout)
    given, stopped = _try(answer, cases, ear)
    if given and isinstance(given[-1], Coroutine):
        return Verdict(False, "your function is async, and gives nothing before it is awaited: write def alone")
    if isinstance(stopped, NotImplementedError) and not given:
        return Verdict(None, UNTOUCHED)
    if stopped is None and all(one is None or one is Ellipsis for one in given):
        return _nothing(answer, ear.heard)
    tried = cases[: len(given)]
    expected = [asked.solution(*arguments) for arguments in tried]
    wrong = [i for i, (one, want) in enumerate(zip(given, expected, strict=True)) if not _same(one, want)]
    if stopped is not None and (not wrong or isinstance(stopped, KeyboardInterrupt | TimeUp)):
        arguments = cases[len(given)]
        return Verdict(False, _stopped(asked, arguments, stopped), arguments)
    if not wrong:
        return Verdict(True, f"{len(cases)} cases of {len(cases)}")
    first = wrong[0]
    mistake = next((words for makes, words in asked.mistakes if _makes(makes, tried, given)), "")
    told = f"{mistake and f'{mistake}; '}right in {len(tried) - len(wrong)} of {len(cases)} cases"
    told += _lines(asked, cases[first], *_both(expected[first], given[first]))
    return Verdict(False, told, cases[first])


def _try(answer: Function, cases: list[Arguments], ear: _Ear) -> tuple[list[Any], BaseException | None]:
    """What the function gave for each case, up to the one that it stopped on, and with what; ``None`` if it did not."""
    given: list[Any] = []
    with Limit() as limit:
        for arguments in cases:
            try:
                with redirect_stdout(ear):
                    given.append(limit.call(answer, *copy.deepcopy(arguments)))  # it may change what it was given
            except (Exception, KeyboardInterrupt, SystemExit, TimeUp) as error:
                return given, error
            if isinstance(given[-1], Coroutine):
                given[-1].close()
                break
    return given, None


class _Ear(io.TextIOBase):
    """Passes on what is printed, and remembers that something was."""

    def __init__(self, out: TextIO) -> None:
        self.out, self.heard = out, False

    def write(self, text: str) -> int:
        self.heard = True
        return self.out.write(text)


def _nothing(answer: Function, printed: bool) -> Verdict:
    """What to say of a function that gave nothing, whatever it was given."""
    code = getattr(answer, "__code__", None)
    if code is not None and {one.opname for one in dis.get_instructions(code)} <= IDLE:
        return Verdict(None, UNTOUCHED)
    if printed:
        return Verdict(False, "your function prints its result; a check sees only what it returns")
    return Verdict(False, "your function returns nothing: is there a return?")


def _stopped(asked: Exercise, arguments: Arguments, error: BaseException) -> str:
    at = error.__traceback__  # in this module, then in Limit.call, then in the reader's function
    for _ in range(2):
        at = at and at.tb_next
    where = f" in line {at.tb_lineno} of your cell" if at else ""
    if isinstance(error, TimeUp):
        still = f"your function was still at work{where} after {SECONDS:g} seconds, and was stopped"
        return f"{still}: does its loop ever end?{_lines(asked, arguments)}"
    if isinstance(error, KeyboardInterrupt):
        return f"your function was still at work{where} when you stopped it{_lines(asked, arguments)}"
    said = safe(f"{type(error).__name__}: {error}")
    return f"your function stopped{where} with {said}{_lines(asked, arguments)}"


def _both(want: Any, one: Any) -> tuple[str, str]:
    """What was expected and what came; with their types, if these differ and it matters."""
    kinds = int | float if isinstance(want, float) else type(want)
    if isinstance(one, kinds) and isinstance(one, bool) == isinstance(want, bool):
        return show(want), show(one)
    came = kind(one) if ":" in kind(one) else f"{kind(one)}, {show(one)}"
    return f"{kind(want)}, {show(want)}", came


def _lines(asked: Exercise, arguments: Arguments, expected: str = "", got: str = "") -> str:
    call = f"{asked.name}({', '.join(map(show, arguments))})"
    lines = {"call": call, "expected": expected, "got": got, "read": asked.read}
    return "".join(f"\n    {name:<9} {text}" for name, text in lines.items() if text)


def _makes(mistake: Function, cases: list[Arguments], given: list[Any]) -> bool:
    """Whether the answers are those of a known mistake."""
    try:
        return all(_same(one, mistake(*arguments)) for one, arguments in zip(given, cases, strict=True))
    except Exception:
        return False


def _same(one: Any, want: Any) -> bool:
    try:
        return _equal(one, want)
    except Exception:
        # A number too great for a float, a list that holds itself, a class that will not compare.
        return False


def _equal(one: Any, want: Any) -> bool:
    if isinstance(want, bytes) and isinstance(one, bytearray | memoryview):
        one = bytes(one)
    if isinstance(want, bool) != isinstance(one, bool):
        return False  # 1 is not True: whoever mixes them up has something to learn
    if isinstance(want, float):
        return isinstance(one, int | float) and math.isclose(one, want, rel_tol=1e-6)
    return isinstance(one, type(want)) and bool(one == want)
