# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line: ``python -m wsedu``."""

from __future__ import annotations

import argparse
import os
import sys


def main(arguments: list[str] | None = None) -> int:
    """Run a command; gives its exit status."""
    parser = argparse.ArgumentParser(prog="python -m wsedu", description="See what a WebSocket is.")
    commands = parser.add_subparsers(dest="command", required=True)
    dissect = commands.add_parser("dissect", help="the messages of a capture, one a line")
    dissect.add_argument("file", metavar="FILE", help="pcap or pcapng")
    dissect.add_argument("--json", action="store_true", help="one JSON object a message")
    commands.add_parser("doctor", help="what works here, and what a missing part costs")
    solved = commands.add_parser("solutions", help="the solutions of the exercises, for teachers")
    solved.add_argument("notebook", nargs="?", metavar="NN", help="number of a notebook, such as 06")
    options = parser.parse_args(arguments)
    if options.command == "doctor":
        from .doctor import doctor

        print(doctor())
        return 0
    if options.command == "solutions":
        return _print_solutions(options.notebook)
    from .wire.dissect import main as run_dissect

    return run_dissect(options.file, options.json)


def _print_solutions(notebook: str | None) -> int:
    from .practice.solutions import solutions

    try:
        print(solutions(notebook))
        sys.stdout.flush()
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    except BrokenPipeError:  # of a pager that was left, or of head
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # so that nothing is said at the end either
    return 0


if __name__ == "__main__":
    sys.exit(main())
