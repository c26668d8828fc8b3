# SPDX-License-Identifier: GPL-2.0-or-later
"""``python -m wsedu bill``: what every byte of a capture was spent on."""

from __future__ import annotations

import json
from collections.abc import Callable

from ..protocol.errors import printable
from .capture import read
from .pcapfile import NotACapture


def print_bill(path: str, as_json: bool, complain: Callable[[str, int], int]) -> int:
    """Print the bill of a capture, a part a line, or as one JSON object.

    Args:
        path: of a pcap or pcapng file.
        as_json: parts by name, ``total_bytes``, ``packets`` and ``connections``.
        complain: says a line on stderr, and gives back the exit status that it got with it.

    Returns:
        The exit status, as of ``dissect``.
    """
    try:
        capture = read(path)
        bill = capture.bill()
    except (OSError, NotACapture) as error:
        why = isinstance(error, OSError) and error.strerror or error  # of a pipe there is no strerror
        return complain(f"wsedu: {printable(f'{path}: {why}')}", 2)
    rest = {"total_bytes": bill.total_bytes, "packets": bill.packets, "connections": bill.connections}
    if as_json:
        print(json.dumps({"parts": bill.parts, **rest}))
    else:
        for name, count in (bill.parts | {"total": bill.total_bytes}).items():
            print(f"{name:<16} {count:>15,}")
        print(f"{bill.packets:,} packets, {bill.connections:,} connections")
    status = 0 if capture.complete else 1
    for warning in capture.warnings:
        complain(f"wsedu: {printable(warning)}", status)
    return status
