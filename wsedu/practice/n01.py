# SPDX-License-Identifier: GPL-2.0-or-later
"""Notebook 01: heads, contents, and what a cookie costs."""

import random
import re

from .exercise import Arguments, exercise

NAMES = [b"Content-Length", b"content-length", b"CONTENT-LENGTH"]


def _joined(contents: list[bytes], name: bytes = b"Content-Length", before: bytes = b"") -> Arguments:
    return (b"".join(b"HTTP/1.1 200 OK\r\n%s%s: %d\r\n\r\n%s" % (before, name, len(c), c) for c in contents),)


INSIDE = _joined([b"ab", b""])[0]  # responses as the content of a response

RESPONSES = [
    _joined([b"Hello\n"]),
    _joined([b"one", b"two", b"twelve bytes"]),
    _joined([b"", b"a\r\n\r\nb", b"HTTP/1.1"]),
    _joined([b"one", b""]),
    _joined([b"one", b"\r\n", b"a\n", b" b "], b"content-LENGTH"),
    _joined([INSIDE, b"\xff\x00"], b"content-length"),
    _joined([b"one", b"two"], before=b"X-Content-Length: 2\r\nAge: 7\r\n"),
    _joined(["č".encode(), b"Two"]),
    (b"HTTP/1.1 200 OK\r\nContent-Length:2\r\n\r\nokHTTP/1.0 200 OK\r\nContent-Length:   1\r\nAge: 7\r\n\r\n!",),
]


def _responses(rng: random.Random) -> list[Arguments]:
    contents = [bytes(rng.choices(b"\r\nab:", k=rng.randrange(12))) for _ in range(4)]
    return [_joined(contents, rng.choice(NAMES), b"Age: %d\r\n" % rng.randrange(99))]


def _split_at_empty_lines(data: bytes) -> list[bytes]:
    return [part.partition(b"HTTP/1.1")[0] for part in data.split(b"\r\n\r\n")[1:]]


def _by(pattern: bytes, data: bytes) -> list[bytes]:
    """The contents, if their length stands where the pattern says."""
    found = []
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        length = re.search(pattern, head)
        size = int(length[1]) if length else 0
        found.append(data[:size])
        data = data[size:]  # the next response begins right behind it
    return found


@exercise(
    "01",
    RESPONSES,
    _responses,
    "RFC 9112, 6.2",
    (_split_at_empty_lines, "an empty line may stand in the content as well: only the length says where it ends"),
    (lambda data: _by(rb"\nContent-Length: *(\d+)", data), "a field's name may be in any case (RFC 9110, 5.1)"),
    (lambda data: _by(rb"(?i)content-length: *(\d+)", data), "a longer name is another field's"),
    (lambda data: _by(rb"(?i)\ncontent-length: (\d+)", data), "the colon needs no space behind it (RFC 9112, 5)"),
    (lambda data: contents(data)[:1], "that is the first response only: begin again behind its content"),
    (lambda data: [part.decode() for part in contents(data)], "contents are bytes; nothing says that they are text"),
)
def contents(data: bytes) -> list[bytes]:
    """The contents of responses that arrived in one piece."""
    return _by(rb"(?i)\ncontent-length: *(\d+)", data)


def _heads(lines: list[str], age: int, version: str = "1.1") -> list[Arguments]:
    return [(f"HTTP/{version} {line}\r\nAge: {age}\r\n\r\n".encode(),) for line in lines]


LINES = ["200 OK", "404 Not Found", "204 ", "101 Switching Protocols", "299 1 of 3", "500 not 404", "599 600"]


@exercise(
    "01",
    [*_heads(LINES, 200), *_heads(["304 Not Modified", "500 HTTP/1.1 200"], 200, "1.0")],
    lambda rng: _heads(
        [f"{rng.randrange(200, 600)} Code {rng.choice([7, 700])}" for _ in range(3)], rng.randrange(999)
    ),
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


@exercise(
    "01",
    [("visits=1", 1), ("visits=1", 1000), ("a=b; c=d", 2), ("visits=1", 0)],
    lambda rng: [(f"session={rng.randbytes(16).hex()}", rng.randrange(2, 10_000))],
    "RFC 6265, 4.2, and RFC 9112, 5",
    (lambda cookie, requests: len(cookie) * requests, "the field has a name too, a colon, a space and a line end"),
    (lambda cookie, requests: (len(cookie) + 8) * requests, "the line ends in CR and LF, two bytes"),
    (lambda cookie, requests: len(cookie) + 10, "the client sends it again with every request"),
    (lambda cookie, requests: (len(cookie) + 9) * requests, "a line ends in two bytes, CR and LF"),
)
def cookie_cost(cookie: str, requests: int) -> int:
    """How many bytes a cookie adds to so many requests."""
    return len(f"Cookie: {cookie}\r\n") * requests
