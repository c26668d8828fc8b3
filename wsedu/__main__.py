# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line: ``python -m wsedu``."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
from typing import Any, TextIO


def main(arguments: list[str] | None = None) -> int:
    """Run a command; gives its exit status.

    What can happen to stdout is the same for every command, so it is settled here: 0 and not a word if whoever reads
    has read enough (``| head -1``), 1 and a line on stderr if it cannot be written (a full disk, ``>&-``).
    """
    if sys.stderr is None:  # closed, as by 2>&-. print() would take None for stdout.
        sys.stderr = open(os.devnull, "w")
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What a terminal has no character for is written as an escape.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        if sys.stdout is None:
            return _complain("wsedu: stdout is closed", 1)
        try:
            return _run(arguments)
        finally:  # also after argparse, which prints its help and raises SystemExit
            sys.stdout.flush()
    except BrokenPipeError:
        return 0
    except OSError as error:
        return _complain(f"wsedu: stdout: {error.strerror or error}", 1)
    except KeyboardInterrupt:
        return 130  # what a shell makes of SIGINT
    finally:
        _let_go(sys.stdout)
        _let_go(sys.stderr)


def _run(arguments: list[str] | None) -> int:
    parser = _Parser(prog="python -m wsedu", description="See what a WebSocket is.")
    commands = parser.add_subparsers(dest="command", required=True)
    dissect = commands.add_parser("dissect", help="the messages of a capture, one a line")
    dissect.add_argument("file", metavar="FILE", help="pcap or pcapng")
    dissect.add_argument("--json", action="store_true", help="one JSON object a message")
    commands.add_parser("doctor", help="what works here, and what a missing part costs")
    solved = commands.add_parser("solutions", help="the solutions of the exercises, for teachers")
    solved.add_argument("notebook", nargs="?", metavar="NN", help="number of a notebook, such as 06")
    options = parser.parse_args(arguments)
    # Each is loaded when it is asked for: what one of them needs may be missing where another works.
    if options.command == "dissect":
        from .wire.dissect import dissect as run

        return run(options.file, options.json, _complain)
    if options.command == "doctor":
        from .doctor import doctor

        print(doctor())
        return 0
    from .practice.solutions import solutions

    try:
        print(solutions(options.notebook))
    except ValueError as error:
        return _complain(str(error), 2)
    return 0


class _Parser(argparse.ArgumentParser):
    def print_help(self, file: Any = None) -> None:
        """As always, but that help which cannot be written is an error: argparse passes over it."""
        print(self.format_help(), end="", file=file)


def _complain(text: str, status: int) -> int:
    """Say on one line of stderr what is wrong, if it can be written; the exit status that goes with it."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr)
    return status


def _let_go(stream: TextIO | None) -> None:
    """Leave nothing in the stream for the interpreter to write at its end: that failing would be status 120."""
    if stream is None:
        return
    try:
        stream.flush()
    except OSError:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), stream.fileno())


if __name__ == "__main__":
    sys.exit(main())
