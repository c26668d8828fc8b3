# SPDX-License-Identifier: GPL-2.0-or-later
"""What a reader has solved, in one place: a small file in the folder of the notebooks."""

import json
import os
from pathlib import Path

from .exercise import EXERCISES, Exercise

FILE = ".wsedu-progress.json"


def _path() -> Path:
    return Path(os.environ.get("WSEDU_PROGRESS", FILE))


def solved() -> set[str]:
    """The names of the exercises that were answered right at least once."""
    try:
        names = json.loads(_path().read_text())
    except (OSError, ValueError):
        return set()
    return {name for name in names if name in EXERCISES} if isinstance(names, list) else set()


def remember(asked: Exercise, right: bool) -> None:
    """Note an exercise as solved. Where nothing can be written, nothing is noted."""
    names = solved()
    if right and asked.name not in names:
        try:
            _path().write_text(json.dumps(sorted(names | {asked.name})))
        except OSError:
            pass


def all_solved(notebook: str) -> int:
    """How many exercises a notebook has, if all of them are solved; else 0."""
    done, count = progress()[notebook]
    return count if done == count else 0


class Progress(dict[str, tuple[int, int]]):
    """For each notebook how many exercises are solved, and how many there are."""

    def __repr__(self) -> str:
        lines = [
            f"{number}  {'●' * done}{'○' * (count - done)}  {done} of {count}" for number, (done, count) in self.items()
        ]
        done, count = (sum(one[i] for one in self.values()) for i in (0, 1))
        return "\n".join([*lines, f"in all {done} of {count}"])


def progress() -> Progress:
    """What is solved so far, by notebook; ``print`` and a notebook show it as a table."""
    names, numbers = solved(), sorted({one.notebook for one in EXERCISES.values()})
    counted = Progress()
    for number in numbers:
        these = [one.name for one in EXERCISES.values() if one.notebook == number]
        counted[number] = (sum(name in names for name in these), len(these))
    return counted
