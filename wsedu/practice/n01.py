# SPDX-License-Identifier: GPL-2.0-or-later
"""Notebook 01: heads, contents, and what a cookie costs."""

from __future__ import annotations

import random
import re

from .exercise import Arguments, exercise

LENGTH = [b"Content-Length", b"content-length", b"CONTENT-LENGTH"]


def _responses(rng: random.Random) -> list[Arguments]:
    def joined(contents: list[bytes]) -> Arguments:
        heads = [b"HTTP/1.1 200 OK\r\n%s: %d\r\n\r\n" % (rng.choice(LENGTH), len(c)) for c in contents]
        return (b"".join(head + content for head, content in zip(heads, contents, strict=True)),)

    return [
        joined([b"Hello\n"]),
        joined([b"one", b"two"]),
        joined([b"", b"a\r\n\r\nb", b"HTTP/1.1"]),
        joined([bytes(rng.choices(b"\r\nab:", k=rng.randrange(12))) for _ in range(4)]),
        (b"HTTP/1.1 200 OK\r\ncontent-LENGTH: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n!",),
    ]


def _split_at_empty_lines(data: bytes) -> list[bytes]:
    return [part.partition(b"HTTP/1.1")[0] for part in data.split(b"\r\n\r\n")[1:]]


def _only_as_usual(data: bytes) -> list[bytes]:
    """The contents, if names of fields were always written in one way."""
    found = []
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        length = re.search(rb"Content-Length: *(\d+)", head)
        size = int(length[1]) if length else 0
        found.append(data[:size])
        data = data[size:]
    return found


@exercise(
    "01",
    _responses,
    "RFC 9112, 6.2",
    (_split_at_empty_lines, "an empty line may stand in the content as well: only the length says where it ends"),
    (_only_as_usual, "the name of a field may be written in any case (RFC 9110, 5.1)"),
    (lambda data: contents(data)[:1], "that is the first response only: begin again behind its content"),
    (lambda data: [part.decode() for part in contents(data)], "contents are bytes; nothing says that they are text"),
)
def contents(data: bytes) -> list[bytes]:
    """The contents of responses that arrived in one piece."""
    found = []
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\ncontent-length: *(\d+)", head)
        size = int(length[1]) if length else 0
        found.append(data[:size])
        data = data[size:]  # the next response begins right behind it
    return found


def _heads(rng: random.Random) -> list[Arguments]:
    lines = ["200 OK", "404 Not Found", "204 ", "299 1 of 3", f"{rng.randrange(200, 600)} Code 7"]
    return [(f"HTTP/1.1 {line}\r\nAge: {rng.randrange(99)}\r\n\r\n".encode(),) for line in lines]


@exercise(
    "01",
    _heads,
    "RFC 9112, 4",
    (lambda head: head[9:12], "these are the three digits as bytes: make a number of them"),
    (lambda head: int(re.findall(rb"\d+", head)[0]), "the first number of the line is that of the HTTP version"),
    (
        lambda head: int(re.findall(rb"\d+", head.split(b"\r\n")[0])[-1]),
        "a reason phrase may hold digits too: the status code is the second word",
    ),
    (lambda head: head.split(b" ", 1)[1].split(b"\r\n")[0].decode(), "the reason phrase is not part of it"),
)
def status(head: bytes) -> int:
    """The status code of a response."""
    return int(head.split(b" ", 2)[1][:3])


def _cookies(rng: random.Random) -> list[Arguments]:
    return [
        ("visits=1", 1),
        ("visits=1", 1000),
        ("a=b; c=d", 2),
        (f"session={rng.randbytes(16).hex()}", rng.randrange(2, 10_000)),
    ]


@exercise(
    "01",
    _cookies,
    "RFC 6265, 4.2, and RFC 9112, 5",
    (
        lambda cookie, requests: len(cookie) * requests,
        "the field has a name too, and a colon, a space and a line's end",
    ),
    (lambda cookie, requests: (len(cookie) + 8) * requests, "the line ends in CR and LF, two bytes"),
    (lambda cookie, requests: len(cookie) + 10, "the client sends it again with every request"),
    (lambda cookie, requests: (len(cookie) + 9) * requests, "a line ends in two bytes, CR and LF"),
)
def cookie_cost(cookie: str, requests: int) -> int:
    """How many bytes a cookie adds to so many requests."""
    return len(f"Cookie: {cookie}\r\n") * requests
