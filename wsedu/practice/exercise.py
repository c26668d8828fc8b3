# SPDX-License-Identifier: GPL-2.0-or-later
"""What an exercise is: a function that the reader writes, inputs to try it on, and the mistakes that people make."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Arguments = tuple[Any, ...]
Function = Callable[..., Any]


@dataclass(frozen=True)
class Exercise:
    """An exercise.

    Attributes:
        name: of the exercise, and of the function that the reader writes.
        notebook: its number, as in ``"06"``.
        solution: does what is asked.
        always: arguments that every check tries: first the plain ones, then the boundaries, which chance could miss.
        fresh: makes further ones, so that no answer can be learned by heart.
        read: where to read about it, such as ``"RFC 6455, 5.3"``.
        mistakes: what people get wrong: a function that makes the mistake, and a sentence that names it.
    """

    name: str
    notebook: str
    solution: Function
    always: list[Arguments]
    fresh: Callable[[random.Random], list[Arguments]]
    read: str
    mistakes: tuple[tuple[Function, str], ...]

    def cases(self, rng: random.Random) -> list[Arguments]:
        """The arguments of one check."""
        return [*self.always, *self.fresh(rng)]


FLOAT = "the quotient of / is a float, which is rounded where numbers are large"
"""Said of more than one exercise."""

EXERCISES: dict[str, Exercise] = {}
"""All of them, by name."""


def exercise(
    notebook: str,
    always: list[Arguments],
    fresh: Callable[[random.Random], list[Arguments]],
    read: str,
    *mistakes: tuple[Function, str],
) -> Callable[[Function], Function]:
    """Make a function the solution of an exercise of its name; the other arguments are ``Exercise``'s."""

    def register(solution: Function) -> Function:
        name = solution.__name__
        EXERCISES[name] = Exercise(name, notebook, solution, always, fresh, read, mistakes)
        return solution

    return register
