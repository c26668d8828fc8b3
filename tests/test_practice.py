# SPDX-License-Identifier: GPL-2.0-or-later
"""Each exercise knows right from wrong, names what people get wrong, and cannot be passed by doing nothing."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wsedu import Frame, MessageAssembler, ProtocolError, accept_key
from wsedu.practice import check, progress
from wsedu.practice.exercise import EXERCISES, Exercise
from wsedu.practice.solutions import solutions
from wsedu.practice.words import SHOWN, show
from wsedu.protocol.frames import check_header, parse_header

ROOT = Path(__file__).parent.parent
SEEDS = range(40)
each = pytest.mark.parametrize("asked", EXERCISES.values(), ids=EXERCISES)


@pytest.fixture(autouse=True)
def progress_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nobody's own progress is touched."""
    path = tmp_path / "progress.json"
    monkeypatch.setenv("WSEDU_PROGRESS", str(path))
    return path


def test_three_in_every_notebook() -> None:
    counted = Counter(one.notebook for one in EXERCISES.values())
    assert set(counted) == {f"{number:02}" for number in range(11)}
    assert min(counted.values()) >= 3


@each
def test_the_solution_is_right(asked: Exercise) -> None:
    for seed in SEEDS:
        assert check(asked.name, asked.solution, rng=random.Random(seed)).right is True


@each
def test_every_mistake_is_caught_and_named(asked: Exercise) -> None:
    assert len(asked.mistakes) >= 3
    for mistake, words in asked.mistakes:
        for seed in SEEDS:
            verdict = check(asked.name, mistake, rng=random.Random(seed))
            assert verdict.right is False
            assert words in verdict.words, (verdict.words, words)
            assert asked.read in verdict.words
            assert "expected" in verdict.words


@each
def test_an_untouched_cell_never_passes(asked: Exercise) -> None:
    def untouched(*arguments: Any) -> Any: ...

    def undone(*arguments: Any) -> Any:
        raise NotImplementedError

    for answer in (untouched, undone, None):
        verdict = check(asked.name, answer)
        assert verdict.right is None
        assert repr(verdict).startswith("○ not attempted")


@each
def test_no_constant_passes(asked: Exercise) -> None:
    constants: list[Any] = [0, 1, "", b"", [], True, False, "WebSocket", "client", 1002, 2.0]
    for constant in constants:

        def answer(*arguments: Any, constant: Any = constant) -> Any:
            return constant

        assert check(asked.name, answer).right is False


@each
def test_a_wrong_type_is_explained(asked: Exercise) -> None:
    verdict = check(asked.name, lambda *arguments: object())
    assert verdict.right is False
    assert "object" in verdict.words


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


@each
def test_print_is_not_return(asked: Exercise, capsys: pytest.CaptureFixture[str]) -> None:
    def prints(*arguments: Any) -> None:
        print("said", asked.solution(*arguments))

    verdict = check(asked.name, prints)
    assert verdict.right is False and "prints its result; a check sees only what it returns" in verdict.words
    assert "said" in capsys.readouterr().out  # what a reader prints to find a mistake is seen

    def forgets(*arguments: Any) -> None:
        asked.solution(*arguments)

    verdict = check(asked.name, forgets)
    assert verdict.right is False and "is there a return?" in verdict.words


def test_only_some_ways_return() -> None:
    verdict = check("opcode_of", lambda first: first & 15 if first > 0x80 else None)
    assert verdict.right is False and "nothing: is there a return on every way" in verdict.words


@each
def test_a_generator_is_explained(asked: Exercise) -> None:
    def yields(*arguments: Any) -> Any:
        yield asked.solution(*arguments)

    verdict = check(asked.name, yields)
    assert verdict.right is False
    assert "a generator, whose values are not there yet" in verdict.words and "0x" not in verdict.words


def test_a_loop_without_an_end_can_be_stopped() -> None:
    def endless(*arguments: Any) -> Any:
        raise KeyboardInterrupt  # which is what a reader's *Interrupt* comes to

    verdict = check("unmask", endless)
    assert verdict.right is False and "still at work in line" in verdict.words


def test_bytes_that_are_text_stay_text() -> None:
    assert show([b"GET / HTTP/1.1\r\n", b"\x81\x05"]) == r"[b'GET / HTTP/1.1\r\n', bytes.fromhex('81 05')]"
    assert show("\x1b[31m\u202e") == r"'\x1b[31m\u202e'"
    assert show((b"",)) == "(b'',)"
    assert len(show(bytes(1000))) == SHOWN


@each
def test_an_exception_is_explained_with_its_line(asked: Exercise) -> None:
    def broken(*arguments: Any) -> Any:
        raise IndexError("nothing\x1b[31m there")

    verdict = check(asked.name, broken)
    assert verdict.right is False
    assert (
        f"in line {broken.__code__.co_firstlineno + 1} of your cell with IndexError: nothing" in verdict.words
    )
    assert "\x1b" not in verdict.words


def test_the_first_wrong_answer_comes_before_a_later_exception() -> None:
    verdict = check("text_of", lambda frame: frame[2:-1].decode(), rng=random.Random(1))
    assert verdict.right is False and "expected" in verdict.words and "Unicode" not in verdict.words


def test_not_implemented_for_some_is_no_untouched_cell() -> None:
    answered: list[int] = []

    def half(first: int) -> int:
        if answered:
            raise NotImplementedError
        answered.append(first & 15)
        return answered[0]

    verdict = check("opcode_of", half)
    assert verdict.right is False and "NotImplementedError" in verdict.words


class _Unwilling:
    def __repr__(self) -> str:
        raise ValueError("no")


@pytest.mark.parametrize("value", [10**400, 10**5000, _Unwilling()], ids=["large", "larger", "unwilling"])
@each
def test_no_answer_is_too_odd(asked: Exercise, value: object) -> None:
    assert check(asked.name, lambda *arguments: value).right is False


def test_a_list_that_holds_itself() -> None:
    odd: list[object] = []
    odd.append(odd)
    assert "that cannot be shown: RecursionError" in check("lost", lambda ids: odd).words


@each
def test_an_async_function_is_explained(asked: Exercise) -> None:
    async def later(*arguments: Any) -> Any:
        return asked.solution(*arguments)

    verdict = check(asked.name, later)  # a warning about what was never awaited would be an error here
    assert verdict.right is False and "write def alone" in verdict.words


@each
def test_too_few_arguments_are_explained(asked: Exercise) -> None:
    verdict = check(asked.name, lambda: 1)
    assert verdict.right is False and "TypeError" in verdict.words


@each
def test_arguments_may_be_changed(asked: Exercise) -> None:
    """What the reader's function does to a list it was given changes neither its next case nor what is expected."""

    def careless(*arguments: Any) -> Any:
        result = asked.solution(*arguments)
        for one in arguments:
            if isinstance(one, list):
                one.clear()
        return result

    assert check(asked.name, careless).right is True


def test_no_function_at_all() -> None:
    assert "should be a function; it is a str" in check("unmask", "unmask").words  # type: ignore[arg-type]


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
    assert len(set(seen)) == len(seen)


def test_progress_is_kept(progress_file: Path) -> None:
    assert progress()["06"] == (0, 3)
    check("unmask", lambda frame: frame)
    assert not progress_file.exists()
    check("unmask", EXERCISES["unmask"].solution)
    check("unmask", lambda frame: frame)  # what was solved once stays solved
    assert progress()["06"] == (1, 3)
    assert "06  ●○○  1 of 3" in repr(progress())
    assert json.loads(progress_file.read_text()) == ["unmask"]


@pytest.mark.parametrize("text", ["", "{", "7", '["gone", 1]'])
def test_a_spoilt_progress_file_does_no_harm(progress_file: Path, text: str) -> None:
    progress_file.write_text(text)
    assert progress()["00"][0] == 0
    check("unmask", EXERCISES["unmask"].solution)
    assert progress()["06"] == (1, 3)


def test_progress_where_nothing_can_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WSEDU_PROGRESS", str(tmp_path / "no" / "such" / "folder"))
    assert check("unmask", EXERCISES["unmask"].solution).right is True


@each
def test_the_printed_solution_runs_by_itself(asked: Exercise) -> None:
    text = next(
        part for part in solutions(asked.notebook).split("\n# notebook ") if f", {asked.name}:" in part
    )
    assert "mistake" not in text and "lambda" not in text
    names: dict[str, Any] = {}
    exec(text if text.startswith("#") else f"# {text}", names)  # it is our own text
    assert check(asked.name, names[asked.name]).right is True


def _judged(frame: Frame) -> int:
    try:
        assembler = MessageAssembler(role="client")
        assembler.receive_data(frame.serialize())
        assembler.next_event()
    except ProtocolError as error:
        return int(error.status_code or 0)
    return 0


@pytest.mark.parametrize(
    ("name", "judge"),
    [
        ("unmask", lambda frame: Frame.parse(frame)[0].payload),
        ("text_of", lambda frame: Frame.parse(frame)[0].payload.decode()),
        ("opcode_of", lambda first: Frame.parse(bytes([first, 0]), strict=False)[0].opcode),
        ("accept", accept_key),
        ("refuse", _judged),
    ],
)
def test_the_package_is_of_the_same_opinion(name: str, judge: Callable[..., object]) -> None:
    """Solutions are written out for readers, and must not go their own ways."""
    for seed in SEEDS:
        for arguments in EXERCISES[name].cases(random.Random(seed)):
            assert EXERCISES[name].solution(*arguments) == judge(*arguments)


def test_a_length_is_read_as_it_was_said() -> None:
    for seed in SEEDS:
        for (length,) in EXERCISES["length_bytes"].cases(random.Random(seed)):
            header = b"\x82" + EXERCISES["length_bytes"].solution(length)
            check_header(header)  # which refuses what is not minimal
            assert parse_header(header).payload_length == length


def test_solutions_can_be_cut_off() -> None:
    """A pager that is left before the end, or ``head``, makes no traceback."""
    command = [sys.executable, "-m", "wsedu", "solutions"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout and process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_solutions_on_the_command_line() -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "wsedu", "solutions", *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert all(f"def {name}(" in run().stdout for name in EXERCISES)
    assert "def unmask(" in run("06").stdout and "def polls(" not in run("06").stdout
    wrong = run("99")
    assert wrong.returncode == 2 and wrong.stderr.startswith("no notebook '99'")
