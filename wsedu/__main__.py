# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line: ``python -m wsedu``."""

import argparse
import contextlib
import io
import os
import re
import sys
import warnings
from functools import partial
from typing import Any, NoReturn, TextIO

from .protocol.deflate import MAX_CONTENT
from .protocol.errors import printable
from .protocol.opcodes import OPCODE_NAMES
from .wire.key_log import KeyLog, read_key_log


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
            return _complain("stdout is closed", 1)
        try:
            return _run(arguments)
        finally:  # also after argparse, which prints its help and raises SystemExit
            sys.stdout.flush()
    except BrokenPipeError:
        return 0
    except OSError as error:
        return _complain(f"stdout: {error.strerror or error}", 1)
    except KeyboardInterrupt:
        return 130  # what a shell makes of SIGINT
    finally:
        _let_go(sys.stdout)
        _let_go(sys.stderr)


def _run(arguments: list[str] | None) -> int:
    try:
        options = _parser().parse_args(arguments)
    except argparse.ArgumentTypeError as error:
        return _complain(str(error), 2)
    # Each is loaded when it is asked for: what one of them needs may be missing where another works.
    if options.command == "dissect":
        from .wire.dissect import dissect

        if options.kind == "message" and not options.messages:
            return _complain("--kind message: there are none without --messages", 2)
        return dissect(options, _complain)
    if options.command == "bill":
        from .wire.dissect import print_bill

        return print_bill(options, _complain)
    if options.command == "doctor":
        from .doctor import doctor

        print(doctor())
        return 0
    from .practice.solutions import solutions

    try:
        print(solutions(options.notebook))
    except ValueError as error:
        return _complain(str(error), 2, "")
    return 0


EXAMPLES = """examples:
  python -m wsedu dissect data/websockets-session.pcap --kind frame --sender server
  python -m wsedu dissect chat.pcapng.gz --messages --match 'tea|coffee' --json
  tcpdump -i any -U -w - port 8000 | python -m wsedu dissect -
"""


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m wsedu", description="See what a WebSocket is.")
    commands = parser.add_subparsers(dest="command", required=True)
    keep = argparse.RawDescriptionHelpFormatter
    dissect = commands.add_parser(
        "dissect", help="the messages of captures, one a line", epilog=EXAMPLES, formatter_class=keep
    )
    add = dissect.add_argument
    add("file", metavar="FILE", nargs="+", help="pcap or pcapng, also gzipped; - is stdin, read as packets come")
    add("--json", action="store_true", help="one JSON object a message")
    add("--messages", action="store_true", help="whole messages in place of data frames")
    shown = dissect.add_argument_group("only these are shown; may be given together").add_argument
    index = partial(_number, least=0, most=sys.maxsize)
    opcode = partial(_number, least=0, most=15, names={name.lower(): int(code) for code, name in OPCODE_NAMES.items()})
    shown("--conversation", metavar="N", type=index, help="the number that stands first in each line")
    shown("--sender", choices=("client", "server"))
    shown("--kind", choices=("request", "response", "frame", "gap", "message"))
    shown("--opcode", metavar="NAME", type=opcode, help="text, binary, continuation, close, ping, pong, or a number")
    match = "found in the text of a message, or of HTTP content; one that takes for ever is ended by Control-C"
    shown("--match", metavar="REGEX", type=_pattern, help=match)
    how = dissect.add_argument_group("what the capture does not say").add_argument
    late = "connections to these that began before the capture are WebSocket"
    how("--ports", metavar="N,N", type=_ports, default=(), help=late)
    how("--deflate", action="store_true", help="and RSV1 says that their messages are compressed")
    size, limit = partial(_number, least=1, most=sys.maxsize), "a compressed message is inflated up to this (16 MiB)"
    how("--max-message", metavar="BYTES", type=size, default=MAX_CONTENT, help=limit)
    secrets = "secrets of TLS connections, as browsers and programs write them"
    how("--keylog", metavar="FILE", type=_key_log, help=secrets)
    bill = commands.add_parser("bill", help="what every byte of a capture was spent on")
    bill.add_argument("file", metavar="FILE", help="pcap or pcapng, also gzipped; - is stdin")
    bill.add_argument("--json", action="store_true", help="one JSON object")
    commands.add_parser("doctor", help="what works here, and what a missing part costs")
    solved = commands.add_parser("solutions", help="the solutions of the exercises, for teachers")
    solved.add_argument("notebook", nargs="?", metavar="NN", help="number of a notebook, such as 06")
    return parser


def _number(text: str, least: int, most: int, names: dict[str, int] | None = None) -> int:
    """A number, or one that has a name."""
    if names and text.lower() in names:
        return names[text.lower()]
    # Of thousands of digits Python makes no number.
    if text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most:
        return int(text)
    found = printable(text if len(text) <= 40 else text[:40] + "...")
    if names:
        raise argparse.ArgumentTypeError(f"{found} is neither a number below {most + 1} nor one of {', '.join(names)}")
    raise argparse.ArgumentTypeError(f"{found} is no number from {least} to {most:,}")


def _ports(text: str) -> list[int]:
    return [_number(port.strip(), 1, 65_535) for port in text.split(",") if port]


def _key_log(path: str) -> KeyLog:
    try:
        return read_key_log(path)
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{printable(path)}: {getattr(error, 'strerror', None) or error}") from None


def _pattern(text: str) -> re.Pattern[str]:
    try:
        with warnings.catch_warnings(action="ignore"):  # that "[[" may once mean something else
            return re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:  # as of a{99999999999}, and of a thousand brackets
        raise argparse.ArgumentTypeError(f"{printable(text)} is no regular expression: {error}") from None


class _Parser(argparse.ArgumentParser):
    def print_help(self, file: Any = None) -> None:
        """As always, but that help which cannot be written is an error: argparse passes over it."""
        print(self.format_help(), end="", file=file)

    def error(self, message: str) -> NoReturn:
        """Of what is wrong with a value one line, by ``_run``; what is missing or unknown comes with the usage."""
        if not message.startswith("argument "):
            super().error(message)
        raise argparse.ArgumentTypeError(message.removeprefix("argument "))


def _complain(text: str, status: int, who: str = "wsedu: ") -> int:
    """Say on one line of stderr what is wrong, if it can be written; the exit status that goes with it."""
    with contextlib.suppress(OSError):
        print(who + printable(text), file=sys.stderr)
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
