# SPDX-License-Identifier: GPL-2.0-or-later
"""What ``python -m wsedu`` says of captures: ``dissect`` their messages, ``bill`` what every byte was spent on."""

import io
import json
import sys
from argparse import Namespace
from collections.abc import Callable
from typing import BinaryIO

from ..protocol.errors import printable
from .capture import read
from .connections import CaptureReader
from .fast import FastReader
from .message import CapturedMessage
from .pcapfile import CutShort, NotACapture
from .rows import as_line, as_object

MOST_WARNINGS = 20  # lines on stderr about what could not be read; one more counts the rest
STDIN = "-"
Complain = Callable[[str, int], int]  # says a line on stderr, made printable; gives back the exit status with it


def dissect(options: Namespace, complain: Complain) -> int:
    """Print the messages of captures, one after the other.

    Args:
        options: those of the command line, by their names. ``file`` are paths of pcap or pcapng files, which gzip may
            have packed; ``-`` is stdin. What comes through a pipe is printed as it comes.
        complain: as ``Complain``.

    Returns:
        The exit status: 0; 1 if a file is cut short, or cannot be read to its end; 2 if one is no capture, or cannot be
        opened. Of several files the highest.

    Raises:
        OSError: stdout cannot be written.
    """
    status, several = 0, len(options.file) > 1
    for number, path in enumerate(options.file):
        if several and not options.json:
            print(f"{chr(10) * (number > 0)}==> {printable(path)} <==")
        try:
            file = _opened(path)
        except OSError as error:
            status = max(status, complain(f"{path}: {error.strerror}", 2))
            continue
        with file:
            status = max(status, _dissect(file, path, options, {"file": path} if several else {}, complain))
    return status


def _opened(path: str) -> BinaryIO:
    # Unbuffered, so that what is there of a pipe is read at once. The reader takes much at a time anyway.
    return open(0 if path == STDIN else path, "rb", buffering=0, closefd=path != STDIN)


def _dissect(file: BinaryIO, path: str, options: Namespace, more: dict[str, str], complain: Complain) -> int:
    status, warnings = 0, list[str]()
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    live = not file.seekable()
    # The fast path gives messages when it has read a further piece; somebody who looks on wants them now.
    chosen = {name: getattr(options, name) for name in ("ports", "deflate", "max_message")}
    reader = (CaptureReader if live else FastReader)(warnings, keys=options.keylog, **chosen)
    try:
        for message in reader.messages(file, whole=options.messages):
            if _is_wanted(message, options):
                ends = reader.names[message.conversation]
                line = json.dumps(as_object(message, *ends) | more) if options.json else as_line(message, encoding)
                print(line, flush=live)
    except (CutShort, NotACapture) as error:
        status = complain(f"{path}: {error}", 1 if isinstance(error, CutShort) else 2)
    for warning in warnings[:MOST_WARNINGS]:
        complain(warning, status)
    if len(warnings) > MOST_WARNINGS:
        complain(f"{len(warnings) - MOST_WARNINGS:,} more such lines; wsedu.read(...).warnings has them", status)
    return status


def _is_wanted(message: CapturedMessage, options: Namespace) -> bool:
    """Whether a message is what each option says that is given; a pattern is searched for in text alone."""
    names = "conversation", "sender", "kind", "opcode"
    if any(getattr(options, name) not in (None, getattr(message, name)) for name in names):
        return False
    return options.match is None or (message.text is not None and options.match.search(message.text) is not None)


def print_bill(options: Namespace, complain: Complain) -> int:
    """Print the bill of a capture, a part a line, or as one JSON object.

    Args:
        options: ``file``, the path of a pcap or pcapng file, which gzip may have packed, where ``-`` is stdin; with
            ``json`` parts by name, ``total_bytes``, ``packets`` and ``connections``.
        complain: as ``Complain``.

    Returns:
        The exit status, as of ``dissect``.
    """
    try:
        capture = read(io.BytesIO(_opened(STDIN).read()) if options.file == STDIN else options.file)
        bill = capture.bill()
    except (OSError, NotACapture) as error:
        why = isinstance(error, OSError) and error.strerror or error  # of a pipe there is no strerror
        return complain(f"{options.file}: {why}", 2)
    rest = {"total_bytes": bill.total_bytes, "packets": bill.packets, "connections": bill.connections}
    if options.json:
        print(json.dumps({"parts": bill.parts, **rest}))
    else:
        for name, count in (bill.parts | {"total": bill.total_bytes}).items():
            print(f"{name:<16} {count:>15,}")
        told = ((bill.packets, "packet"), (bill.connections, "connection"))
        print(", ".join(f"{count:,} {name}{'s' * (count != 1)}" for count, name in told))
    status = 0 if capture.complete else 1
    for warning in capture.warnings:
        complain(warning, status)
    return status
