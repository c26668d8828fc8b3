# SPDX-License-Identifier: GPL-2.0-or-later
"""``python -m wsedu dissect``: the messages of captures, one a line, for people or as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from ..protocol.errors import printable
from .assemble import Assembly
from .connections import CaptureReader
from .fast import FastReader
from .message import CapturedMessage
from .pcapfile import CutShort, NotACapture, read_packets
from .rows import as_line, as_object
from .selection import Selection

MOST_WARNINGS = 20  # lines on stderr about what could not be read; one more counts the rest
STDIN = "-"


@dataclass(frozen=True)
class DissectOptions:
    """What is printed of a capture.

    Attributes:
        as_json: one JSON object a message.
        whole: whole messages in place of data frames.
        selection: which messages.
        reader: what ``FastReader`` takes: ports, deflate, max_message.
    """

    as_json: bool = False
    whole: bool = False
    selection: Selection = Selection()
    reader: dict[str, Any] = field(default_factory=dict)


def dissect(paths: Sequence[str], options: DissectOptions, complain: Callable[[str, int], int]) -> int:
    """Print the messages of captures, one after the other.

    Args:
        paths: of pcap or pcapng files, which gzip may have packed; ``-`` is stdin. What comes through a pipe is printed
            as it comes.
        options: what is printed.
        complain: says a line on stderr, and gives back the exit status that it got with it.

    Returns:
        The exit status: 0; 1 if a file is cut short, or cannot be read to its end; 2 if one is no capture, or cannot be
        opened. Of several files the highest.

    Raises:
        OSError: stdout cannot be written.
    """
    status = 0
    for number, path in enumerate(paths):
        if len(paths) > 1 and not options.as_json:
            print(f"{chr(10) * (number > 0)}==> {printable(path)} <==")
        try:
            # Unbuffered, so that what is there of a pipe is read at once. The reader takes much at a time anyway.
            file = open(0 if path == STDIN else path, "rb", buffering=0, closefd=path != STDIN)
        except OSError as error:
            status = max(status, complain(f"wsedu: {printable(path)}: {error.strerror}", 2))
            continue
        with file:
            status = max(status, _dissect(file, path, options, {"file": path} if len(paths) > 1 else {}, complain))
    return status


def _dissect(
    file: BinaryIO, path: str, options: DissectOptions, more: dict[str, str], complain: Callable[[str, int], int]
) -> int:
    def say(what: object, status: int) -> int:
        return complain(f"wsedu: {printable(str(what))}", status)

    warnings: list[str] = []
    status = 0
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    live = not file.seekable()
    try:
        for message, ends in _messages(file, options, warnings, live):
            if message in options.selection:
                as_json = options.as_json
                line = json.dumps(as_object(message, *ends) | more) if as_json else as_line(message, encoding)
                print(line, flush=live)
    except NotACapture as error:
        status = say(f"{path}: {error}", 2)
    except CutShort as error:
        status = say(f"{path}: {error}", 1)
    for warning in warnings[:MOST_WARNINGS]:
        say(warning, status)
    if len(warnings) > MOST_WARNINGS:
        say(f"{len(warnings) - MOST_WARNINGS:,} more such lines; wsedu.read(...).warnings has them", status)
    return status


Named = tuple[CapturedMessage, tuple[str, str]]


def _messages(file: BinaryIO, options: DissectOptions, warnings: list[str], live: bool) -> Iterator[Named]:
    """The messages of a capture, each with the names of client and server."""
    reader = (CaptureReader if live else FastReader)(warnings, **options.reader)
    assembly = Assembly() if options.whole else None
    if isinstance(reader, FastReader):
        batches = reader.batches(file)
    else:  # the fast path gives messages when it has read a further piece; somebody who looks on wants them now
        batches = reader.by_packet(read_packets(file))
    try:
        for batch in batches:
            for message in assembly.take(batch) if assembly else batch:
                yield message, reader.names[message.conversation]
            if live and len(reader.names) < 2 * len(reader.connections) + 1000:
                continue  # to look at every connection for every message would take long
            # Nothing is held of connections of which no packet can come any more, or memory would grow.
            alive = reader.forget_names()
            if assembly:
                warnings.extend(assembly.left(alive))
    finally:
        if assembly:
            warnings.extend(assembly.left())
