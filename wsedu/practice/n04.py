# SPDX-License-Identifier: GPL-2.0-or-later
"""Notebook 04: the opening handshake."""

import base64
import hashlib
import random

from .exercise import Arguments, exercise

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
NEEDED = ["Host", "Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version"]


def _digest(text: str) -> bytes:
    return hashlib.sha1(text.encode()).digest()


@exercise(
    "04",
    # the digest of the second begins with 0; the third has bits that base64 does not use
    [("dGhlIHNhbXBsZSBub25jZQ==",), ("AAAAAAAAAAAAAAAAAAACmw==",), ("AAAAAAAAAAAAAAAAAAAAAB==",)],
    lambda rng: [(base64.b64encode(rng.randbytes(16)).decode(),)],
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


def _request(names: list[str], target: str = "/", value: str = "x") -> bytes:
    return "\r\n".join([f"GET {target} HTTP/1.1", *(f"{name}: {value}" for name in names), "", ""]).encode()


def _without(name: str) -> list[str]:
    return [other for other in NEEDED if other != name]


REQUESTS = [
    _request(NEEDED),
    _request([name.lower() for name in NEEDED]),
    *(_request(_without(name)) for name in NEEDED),
    *(_request(_without(name), f"/?about={name}:") for name in NEEDED),
    *(_request(_without(name), value=f"{name}: {name}") for name in NEEDED),
    # longer names; browsers do send Upgrade-Insecure-Requests
    _request(NEEDED).replace(b": ", b":"),
    *(_request([*_without(name), f"{name}-Insecure-Requests", f"X-{name}"]).upper() for name in NEEDED),
]


def _requests(rng: random.Random) -> list[Arguments]:
    name = rng.choice(NEEDED)
    return [(_request(rng.sample(some, len(some)), f"/{name.lower()}:"),) for some in (_without(name), NEEDED)]


def _named(request: bytes) -> set[str]:
    return {line.partition(":")[0].lower() for line in request.decode().split("\r\n")[1:]}


@exercise(
    "04",
    [(request,) for request in REQUESTS],
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
        lambda request: next((n for n in NEEDED if f"\r\n{n}".lower().encode() not in request.lower()), ""),
        "a longer name is another field, such as Upgrade-Insecure-Requests: the name ends at the colon",
    ),
    (
        lambda request: next((n for n in NEEDED if f"\r\n{n}: ".lower().encode() not in request.lower()), ""),
        "the space behind the colon may be missing (RFC 9112, 5)",
    ),
    (
        lambda request: next((name for name in NEEDED[1:] if name.lower() not in _named(request)), ""),
        "Host is missing from your list: HTTP/1.1 asks for it in every request",
    ),
)
def missing_field(request: bytes) -> str:
    """Which of the five fields an opening handshake lacks, or an empty text."""
    return next((name for name in NEEDED if name.lower() not in _named(request)), "")


PAIRS: list[Arguments] = [
    ("Upgrade", "websocket"),
    ("keep-alive, Upgrade", "websocket"),
    ("upgrade", "WebSocket"),
    ("keep-alive", "websocket"),
    ("Upgrade", "h2c"),
    ("no-upgrade", "websocket"),
    ("upgrade-insecure, keep-alive", "websocket"),
    ("Upgrade", "websocket2"),
    ("Upgrade", "x-websocket"),
    ("Upgrade", "h2c, WebSocket"),
    ("Upgrade", "websockets, h2c"),
    ("close,UPGRADE", "websocket"),
    ("Upgrade ,close", "WEBSOCKET , h2c"),
    ("websocket", "Upgrade"),
    ("Upgrade", ""),
    ("", "websocket"),
]


def _pairs(rng: random.Random) -> list[Arguments]:
    cases = [rng.choice([str.upper, str.lower, str.title]) for _ in range(4)]
    one, two, three, four = (
        case(word) for case, word in zip(cases, ["close", "upgrade", "h2c", "websocket"], strict=True)
    )
    return [(f"{one}, {two}", f"{four}, {three}"), (f"{two}d, {one}", four), (f"{two},{one}", f"{three},{four}z")]


def _tokens(value: str) -> list[str]:
    return [one.strip().lower() for one in value.split(",")]


@exercise(
    "04",
    PAIRS,
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
    (lambda connection, upgrade: "upgrade" in _tokens(connection), "there are other protocols: what does Upgrade say?"),
    (
        lambda connection, upgrade: "upgrade" in _tokens(connection) and "websocket" in upgrade.lower(),
        "a longer word that holds websocket is another protocol",
    ),
    (
        lambda connection, upgrade: "upgrade" in _tokens(connection) and upgrade.lower() == "websocket",
        "Upgrade is a list too: a client may offer more than one protocol",
    ),
)
def wants_websocket(connection: str, upgrade: str) -> bool:
    """Whether the values of Connection and Upgrade ask for a WebSocket."""
    return "upgrade" in _tokens(connection) and "websocket" in _tokens(upgrade)
