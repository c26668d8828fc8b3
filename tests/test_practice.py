# SPDX-License-Identifier: GPL-2.0-or-later
"""Each exercise knows right from wrong, names what people get wrong, and cannot be passed by doing nothing."""

import inspect
import itertools
import json
import random
import re
import sys
import threading
import time
import tomllib
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from programs import NOTEBOOKS, ROOT, cells, python

from wsedu import Frame
from wsedu.practice import check, limit, n04, n07, n08, progress
from wsedu.practice.check import Verdict
from wsedu.practice.exercise import EXERCISES, Exercise
from wsedu.practice.solutions import solutions
from wsedu.practice.words import SHOWN, show
from wsedu.protocol.frames import check_header, parse_header

SEEDS = range(10)
UNMASK = EXERCISES["unmask"]
NUMBERED = {path.stem[:2]: path for path in NOTEBOOKS}


def _seeds(asked: Exercise) -> range:
    """Captures take time, and fresh ones are all alike: they are closed by each side, with codes and without."""
    return range(2) if asked.name == "closed_first" else SEEDS


each = pytest.mark.parametrize("asked", EXERCISES.values(), ids=EXERCISES)


@pytest.fixture(autouse=True)
def progress_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nobody's own progress is touched."""
    path = tmp_path / "progress.json"
    monkeypatch.setenv("WSEDU_PROGRESS", str(path))
    return path


def test_three_in_every_notebook() -> None:
    counted = Counter(one.notebook for one in EXERCISES.values())
    assert counted.keys() == NUMBERED.keys() and min(counted.values()) >= 3


@each
def test_the_solution_is_right_even_if_it_spoils_its_arguments(asked: Exercise) -> None:
    """What the reader's function does to a list it was given changes neither its next case nor what is expected."""

    def careless(*arguments: Any) -> Any:
        result = asked.solution(*arguments)
        for one in arguments:
            if isinstance(one, list):
                one.clear()
        return result

    for seed in SEEDS:
        assert check(asked.name, careless, rng=random.Random(seed)).right is True


@each
def test_every_mistake_is_caught_and_named(asked: Exercise) -> None:
    assert len(asked.mistakes) >= 3
    for (mistake, words), seed in itertools.product(asked.mistakes, _seeds(asked)):
        verdict = check(asked.name, mistake, rng=random.Random(seed))
        assert verdict.right is False
        assert [said for said in (words, asked.read, "expected") if said not in verdict.words] == [], verdict.words


ANSWERS = tomllib.loads((ROOT / "tests" / "wrong_answers.toml").read_text(encoding="utf-8"))


def _code(payload: bytes, without: int = 1005) -> int:
    return int.from_bytes(payload[:2], "big") if len(payload) >= 2 else without


def _utf8(payload: bytes) -> bool:
    return payload.decode(errors="replace").encode() == payload


# What the readers of wrong_answers.toml have at hand.
MODULES = "base64 functools hashlib itertools json math re statistics struct wsedu zlib".split()
READERS = {name: import_module(name) for name in MODULES} | {
    **{"Frame": Frame, "GUID": n04.GUID, "FIELDS": n04.NEEDED},
    **{"closes": n07._closes, "code": _code, "utf8": _utf8, "headers": n08._headers},
}


def _handed_in(asked: Exercise, text: str) -> Callable[..., Any]:
    """The function of an answer in wrong_answers.toml, which is our own text."""
    names: dict[str, Any] = READERS | {"right": asked.solution}
    if text.startswith("def "):
        exec(text, names)
        return names[asked.name]  # type: ignore[no-any-return]
    parameters = ", ".join(inspect.signature(asked.solution).parameters)
    return eval(f"lambda {parameters}: {text}", names)  # type: ignore[no-any-return]


@each
def test_likely_wrong_answers_are_refused(asked: Exercise, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what is always tried, whatever the fresh input may be; but what a capture should hold is in fresh ones."""
    if asked.name != "closed_first":
        monkeypatch.setitem(EXERCISES, asked.name, replace(asked, fresh=lambda rng: []))
    answers: dict[str, str] = ANSWERS["wrong"][asked.name]
    assert len(answers) >= 5
    for rng in map(random.Random, _seeds(asked) if asked.name == "closed_first" else [1]):
        passed = [why for why, text in answers.items() if check(asked.name, _handed_in(asked, text), rng=rng).right]
        assert passed == []


@each
def test_right_answers_of_any_kind_are_right(asked: Exercise) -> None:
    for text, seed in itertools.product(ANSWERS["right"][asked.name], _seeds(asked)):
        verdict = check(asked.name, _handed_in(asked, text), rng=random.Random(seed))
        assert verdict.right is True, (text, verdict)


class _Unwilling:
    def __repr__(self) -> str:
        raise ValueError("no")


CONSTANTS = [0, 1, "", b"", [], True, False, "WebSocket", "client", 1002, 2.0, 10**400, 10**5000, _Unwilling()]


@each
def test_no_constant_passes(asked: Exercise) -> None:
    for constant in CONSTANTS:
        assert check(asked.name, lambda *arguments, constant=constant: constant).right is False


def _answers(solve: Callable[..., Any]) -> list[tuple[Any, bool | None, str]]:
    """What a reader may hand in, whether it counts as right, and a part of what is said of it."""

    def untouched(*arguments: Any) -> Any: ...

    def undone(*arguments: Any) -> Any:
        raise NotImplementedError

    def forgets(*arguments: Any) -> None:
        solve(*arguments)

    def yields(*arguments: Any) -> Any:
        yield solve(*arguments)

    async def later(*arguments: Any) -> Any:  # a warning about what was never awaited would be an error here
        return solve(*arguments)

    def broken(*arguments: Any) -> Any:
        raise IndexError("nothing\x1b[31m there")

    def endless(*arguments: Any) -> Any:
        raise KeyboardInterrupt  # which is what a reader's *Interrupt* comes to

    line = broken.__code__.co_firstlineno + 1
    return [
        *((answer, None, "○ not attempted") for answer in (untouched, undone, None)),
        (lambda *arguments: print("said", solve(*arguments)), False, "a check sees only what it returns"),
        (forgets, False, "is there a return?"),
        (yields, False, "a generator, whose values are not there yet"),
        (later, False, "write def alone"),
        (broken, False, f"in line {line} of your cell with IndexError: nothing"),
        (endless, False, "still at work in line"),
        (lambda: 1, False, "TypeError"),
        (lambda *arguments: object(), False, "object"),
        ("unmask", False, "should be a function; it is a str"),
    ]


@each
def test_what_is_said_of_an_answer(asked: Exercise, capsys: pytest.CaptureFixture[str]) -> None:
    for answer, right, words in _answers(asked.solution):
        verdict = check(asked.name, answer)
        said = f"{verdict!r} {verdict.words}"
        assert verdict.right is right and words in said
        assert "\x1b" not in said and ("0x" not in said or words == "object")
    assert "said" in capsys.readouterr().out  # what a reader prints to find a mistake is seen


@each
def test_what_it_failed_on_can_be_tried_again(asked: Exercise) -> None:
    """The call that a reader is shown can be typed into a cell, and the arguments are there as they were."""
    for seed in SEEDS:
        verdict = check(asked.name, lambda *arguments: object(), rng=random.Random(seed))
        call = re.search(r"^ +call +(.*)$", verdict.words, re.M)
        assert call and verdict.arguments in asked.cases(random.Random(seed))
        if "…" not in call[1]:
            typed = eval(call[1], {asked.name: lambda *arguments: arguments, "Frame": Frame})  # our own text
            assert typed == verdict.arguments


ENDLESS: list[object] = []
ENDLESS.append(ENDLESS)


def _half_done(first: int) -> int:
    if first > 0x81:
        raise NotImplementedError  # which is no untouched cell
    return first & 15


OF_THEIR_OWN: list[tuple[str, Callable[..., Any], str]] = [
    ("opcode_of", lambda first: first & 15 if first > 0x80 else None, "is there a return on every way"),
    ("opcode_of", _half_done, "NotImplementedError"),
    # The first wrong answer is told, and not the exception that a later case would raise.
    ("text_of", lambda frame: frame[2:-1].decode(), "expected"),
    # An int will do for a float, if the number is right: so its kind is not told.
    ("mbit", lambda clients, size, gap: 7, "0 of 5 cases\n    call      mbit(1000, 871, 1)\n    expected  6.968"),
    ("lost", lambda ids: ENDLESS, "that cannot be shown: RecursionError"),
]


@pytest.mark.parametrize(("name", "answer", "words"), OF_THEIR_OWN)
def test_answers_of_their_own_kind(name: str, answer: Callable[..., Any], words: str) -> None:
    verdict = check(name, answer, rng=random.Random(1))
    assert verdict.right is False and words in verdict.words and "Unicode" not in verdict.words


def test_bytes_that_are_text_stay_text() -> None:
    assert show([b"GET / HTTP/1.1\r\n", b"\x81\x05"]) == r"[b'GET / HTTP/1.1\r\n', bytes.fromhex('81 05')]"
    assert show("\x1b[31m\u202e") == r"'\x1b[31m\u202e'"
    assert show((b"",)) == "(b'',)"
    assert len(show(bytes(1000))) == SHOWN


def test_an_exercise_that_is_none() -> None:
    with pytest.raises(ValueError, match="no exercise 'unmsk'; there are .*unmask"):
        check("unmsk", None)


def test_input_is_fresh() -> None:
    seen: list[bytes] = []

    def monitor(frame: bytes) -> bytes:
        seen.append(frame)
        return b""

    check("unmask", monitor)
    check("unmask", monitor)
    always = {frame for (frame,) in UNMASK.always}
    fresh = Counter(seen) - Counter([*always, *always])
    assert len(fresh) >= 10 and set(fresh.values()) == {1} and always < set(seen)


def _in_vain(frame: bytes) -> bytes:
    while True:
        pass


def _deaf(frame: bytes) -> bytes:
    while True:
        try:
            frame.hex()
        except BaseException:
            pass


def _calling(frame: bytes) -> bool:
    return any(map(lambda one: False, itertools.repeat(frame)))


def _stubborn(frame: bytes) -> bytes:
    try:
        _in_vain(frame)
    except BaseException:
        pass
    return UNMASK.solution(frame)  # type: ignore[no-any-return]


@pytest.mark.parametrize("answer", [_in_vain, _deaf, _stubborn, _calling])
@pytest.mark.parametrize("main_thread", [True, False])
def test_endless_is_stopped(answer: Callable[..., Any], main_thread: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limit, "SECONDS", 0.05)
    with ThreadPoolExecutor(1) as other:
        _was_stopped(check("unmask", answer) if main_thread else other.submit(check, "unmask", answer).result())


@pytest.mark.parametrize("answer", [_in_vain, _deaf, _stubborn, _calling])
def test_endless_is_stopped_without_threads(answer: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a tab, where another test sees it too."""
    monkeypatch.setattr(limit, "SECONDS", 0.05)
    monkeypatch.setattr(threading.Thread, "start", Mock(side_effect=RuntimeError("can't start new thread")))
    assert check("unmask", UNMASK.solution).right is True
    if sys.version_info < (3, 12):
        pytest.skip("sys.monitoring is of Python 3.12; a tab has 3.14")
    _was_stopped(check("unmask", answer))
    assert check("unmask", lambda frame: check("unmask", UNMASK.solution) and UNMASK.solution(frame)).right is True
    assert sys.monitoring.get_tool(limit.TOOL) is None


def _was_stopped(verdict: Verdict) -> None:
    assert verdict.right is False and verdict.arguments == UNMASK.always[0]
    assert "still at work" in verdict.words and "does its loop ever end" in verdict.words


def test_who_only_waits_is_not_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """As at a breakpoint, or on a machine that has no time: it is the processor's time that counts."""
    waits = iter([0.3])

    def waiting(frame: bytes) -> Any:
        time.sleep(next(waits, 0))
        return UNMASK.solution(frame)

    monkeypatch.setattr(limit, "SECONDS", 0.1)
    assert check("unmask", waiting).right is True


def test_all_of_a_notebook_solved_is_said(progress_file: Path) -> None:
    said = [check(one.name, one.solution).words for one in EXERCISES.values() if one.notebook == "05"]
    assert ["All three of notebook 05 are solved" in words for words in said] == [False, False, True]
    assert "All three" not in check("unmask", UNMASK.solution).words
    assert "All three" not in check("opcode_of", lambda first: first).words


@each
def test_a_section_to_read_is_there(asked: Exercise) -> None:
    for number, section in re.findall(r"(?:notebook (\d\d), |the section )“(.+?)”", asked.read):
        sources = [cell["source"] for cell in cells(NUMBERED[number or asked.notebook])]
        assert f"## {section}" in "\n".join(sources).splitlines(), asked.read


@each
def test_a_gap_says_what_comes_in_and_goes_out(asked: Exercise) -> None:
    line = f"def {asked.name}{inspect.signature(asked.solution)}:".replace("'", "")
    sources = [cell["source"] for cell in cells(NUMBERED[asked.notebook])]
    assert any(source.startswith(line) and source.endswith("\n    ...") for source in sources)


def test_progress_is_kept(progress_file: Path) -> None:
    assert progress()["06"] == (0, 3)
    check("unmask", lambda frame: frame)
    check("unmask", UNMASK.solution, rng=random.Random(1))  # a demonstration
    assert not progress_file.exists()
    check("unmask", UNMASK.solution)
    check("unmask", lambda frame: frame)  # what was solved once stays solved
    assert progress()["06"] == (1, 3)
    assert "06  ●○○  1 of 3" in repr(progress())
    assert json.loads(progress_file.read_text()) == ["unmask"]


@pytest.mark.parametrize("text", ["", "{", "7", '["gone", 1]'])
def test_a_spoilt_progress_file_does_no_harm(progress_file: Path, text: str) -> None:
    progress_file.write_text(text)
    assert progress()["00"][0] == 0
    check("unmask", UNMASK.solution)
    assert progress()["06"] == (1, 3)


def test_progress_where_nothing_can_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WSEDU_PROGRESS", str(tmp_path / "no" / "such" / "folder"))
    assert check("unmask", UNMASK.solution).right is True


@each
def test_the_printed_solution_runs_by_itself(asked: Exercise) -> None:
    text = next(part for part in solutions(asked.notebook).split("\n# notebook ") if f", {asked.name}:" in part)
    assert "mistake" not in text and "lambda" not in text
    names: dict[str, Any] = {}
    exec(text if text.startswith("#") else f"# {text}", names)  # it is our own text
    assert check(asked.name, names[asked.name]).right is True


def test_a_length_is_read_as_it_was_said() -> None:
    lengths = (length for seed in SEEDS for (length,) in EXERCISES["length_bytes"].cases(random.Random(seed)))
    for length in lengths:
        header = b"\x82" + EXERCISES["length_bytes"].solution(length)
        check_header(header)  # which refuses what is not minimal
        assert parse_header(header).payload_length == length


def test_solutions_on_the_command_line() -> None:
    every, of_one, wrong = (python("-m", "wsedu", "solutions", *numbers) for numbers in ([], ["06"], ["99"]))
    assert all(f"def {name}(" in every.stdout for name in EXERCISES)
    assert re.findall(r"^def (\w+)", of_one.stdout, re.M) == ["unmask", "length_bytes", "key_from"]
    assert wrong.returncode == 2 and wrong.stderr.startswith("no notebook '99'")


TRACED = """
import sys
from wsedu.practice.limit import Limit, TimeUp

def endless():
    while True:
        pass

with Limit() as limit:
    assert limit.call(len, "abc") == 3
    if sys.argv[1:]:
        try:
            limit.call(endless)
        except TimeUp:
            print("stopped")
sys.settrace(lambda frame, event, argument: None)
print(max(map(len, ["a", "bc"])), (lambda: "traced")())
"""


@pytest.mark.parametrize("late", [[], ["late"]])
def test_a_debugger_works_after_a_check(late: list[str]) -> None:
    """What is asked for and taken back again leaves CPython 3.11 standing still as soon as anybody traces."""
    done = python("-c", TRACED, *late, timeout=60)
    assert (done.stdout, done.stderr) == ("stopped\n" * len(late) + "2 traced\n", "")
