# SPDX-License-Identifier: GPL-2.0-or-later
"""Notebook 04: the opening handshake."""

from __future__ import annotations

import base64
import hashlib
import random

from .exercise import Arguments, exercise

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
NEEDED = ["Host", "Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version"]


def _keys(rng: random.Random) -> list[Arguments]:
    fresh = base64.b64encode(rng.randbytes(16)).decode()
    return [("dGhlIHNhbXBsZSBub25jZQ==",), (fresh,)]


def _digest(text: str) -> bytes:
    return hashlib.sha1(text.encode()).digest()


@exercise(
    "04",
    _keys,
    "RFC 6455, 4.2.2",
    (lambda key: base64.b64encode(_digest(key + GUID)), "the value of a field is text: decode the base64 bytes"),
    (lambda key: _digest(key + GUID).hex(), "the digest goes into base64 as 20 bytes, not as hex"),
    (
        lambda key: base64.b64encode(_digest(key + GUID).hex().encode()).decode(),
        "base64 takes the 20 bytes of the digest, not its 40 letters of hex",
    ),
    (
        lambda key: base64.b64encode(hashlib.sha1(base64.b64decode(key) + GUID.encode()).digest()).decode(),
        "the key is not decoded: its letters go in as they stand in the field",
    ),
    (lambda key: base64.b64encode(_digest(GUID + key)).decode(), "the key comes first, then the GUID"),
    (lambda key: base64.b64encode(_digest(key)).decode(), "something is appended to the key first"),
)
def accept(key: str) -> str:
    """The value of Sec-WebSocket-Accept."""
    return base64.b64encode(_digest(key + GUID)).decode()


def _request(names: list[str], target: str = "/") -> bytes:
    return "\r\n".join([f"GET {target} HTTP/1.1", *(f"{name}: x" for name in names), "", ""]).encode()


def _requests(rng: random.Random) -> list[Arguments]:
    cases: list[Arguments] = [(_request(NEEDED),), (_request([name.lower() for name in NEEDED]),)]
    for name in NEEDED:
        others = [other for other in NEEDED if other != name]
        rng.shuffle(others)
        cases.append((_request(others, f"/?about={name}:"),))
    return cases


def _named(request: bytes) -> set[str]:
    return {line.partition(":")[0].lower() for line in request.decode().split("\r\n")[1:]}


@exercise(
    "04",
    _requests,
    "RFC 6455, 4.2.1",
    (
        lambda request: next((name for name in NEEDED if f"{name}: ".encode() not in request), ""),
        "names of fields may be written in any case (RFC 9110, 5.1)",
    ),
    (
        lambda request: next((n for n in NEEDED if f"{n}:".lower().encode() not in request.lower()), ""),
        "the name may also stand in the target: look at the beginning of each line of a field",
    ),
    (
        lambda request: next((name for name in NEEDED[1:] if name.lower() not in _named(request)), ""),
        "Host is missing from your list: HTTP/1.1 asks for it in every request",
    ),
)
def missing_field(request: bytes) -> str:
    """Which of the five fields an opening handshake lacks, or an empty text."""
    return next((name for name in NEEDED if name.lower() not in _named(request)), "")


def _pairs(rng: random.Random) -> list[Arguments]:
    return [
        ("Upgrade", "websocket"),
        ("keep-alive, Upgrade", "websocket"),
        ("upgrade", "WebSocket"),
        ("keep-alive", "websocket"),
        ("Upgrade", "h2c"),
        ("no-upgrade", "websocket"),
        (rng.choice(["close,UPGRADE", "Upgrade ,close"]), rng.choice(["websocket", "WEBSOCKET"])),
    ]


def _tokens(value: str) -> list[str]:
    return [one.strip().lower() for one in value.split(",")]


@exercise(
    "04",
    _pairs,
    "RFC 6455, 4.2.1, and RFC 9110, 7.6.1 and 7.8",
    (
        lambda connection, upgrade: connection.lower() == "upgrade" and upgrade.lower() == "websocket",
        "Connection is a list, and browsers do send more than one thing in it",
    ),
    (
        lambda connection, upgrade: "upgrade" in connection.lower() and upgrade.lower() == "websocket",
        "a longer word that holds upgrade is another word: compare the elements of the list",
    ),
    (
        lambda connection, upgrade: (
            "Upgrade" in [one.strip() for one in connection.split(",")] and upgrade == "websocket"
        ),
        "both values are compared without regard to case",
    ),
    (
        lambda connection, upgrade: "upgrade" in _tokens(connection),
        "there are other protocols to upgrade to: what does Upgrade say?",
    ),
)
def wants_websocket(connection: str, upgrade: str) -> bool:
    """Whether the values of Connection and Upgrade ask for a WebSocket."""
    return "upgrade" in _tokens(connection) and "websocket" in _tokens(upgrade)
