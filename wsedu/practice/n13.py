# SPDX-License-Identifier: GPL-2.0-or-later
"""Notebook 13: who may in, what a log may keep, and when a connection has become a tunnel."""

import random
import re

from .exercise import Arguments, exercise

BANK = ["http://bank.example", "https://bank.example:8443"]
LOCAL = ["http://localhost:8888"]
ORIGINS: list[Arguments] = [
    ("http://bank.example", BANK),
    ("http://evil.example", BANK),
    (None, BANK),
    ("null", BANK),
    ("", BANK),
    ("https://bank.example:8443", BANK),
    # each differs in one thing from one that is welcome
    ("https://bank.example", BANK),
    ("http://bank.example:8443", BANK),
    ("http://bank.example:8080", BANK),
    ("https://bank.example:844", BANK),
    ("http://bank.example.evil.example", BANK),
    ("http://evil-bank.example", BANK),
    ("http://www.bank.example", BANK),
    ("http://bank", BANK),
    ("bank.example", BANK),
    ("http://localhost:8888", LOCAL),
    ("http://localhost:9999", LOCAL),
    ("http://127.0.0.1:8888", LOCAL),
    ("http://evil.example", []),
    (None, []),
]


def _origins(rng: random.Random) -> list[Arguments]:
    port = rng.randrange(1024, 6000)
    allowed = [f"http://shop{rng.randrange(100)}.example:{port}", "https://shop.example"]
    return [(origin, allowed) for origin in (allowed[0], f"{allowed[0]}1", f"{allowed[1]}:{port}", None)]


def _host(origin: str) -> str:
    return re.sub(r"^\w+://|:\d+$", "", origin)


@exercise(
    "13",
    ORIGINS,
    _origins,
    "RFC 6455, 10.2, and RFC 6454, 4 and 6",
    (lambda origin, allowed: origin in allowed, "no Origin at all: that is a program and no page, and it may in"),
    (
        lambda origin, allowed: origin is None or any(origin.startswith(one) for one in allowed),
        "a longer host or port may begin in the same way: compare whole",
    ),
    (
        lambda origin, allowed: origin is None or any(_host(origin) == _host(one) for one in allowed),
        "an origin is scheme, host and port: all three have to be the same (RFC 6454, 4)",
    ),
    (
        lambda origin, allowed: origin is None or any(_host(one) in origin for one in allowed),
        "whoever owns bank.example.evil.example, or evil-bank.example, is another",
    ),
    (
        lambda origin, allowed: origin in (None, "null", *allowed),
        "null is what a page without an origin of its own sends, such as one in a sandbox: anybody can make one",
    ),
    (lambda origin, allowed: not origin or origin in allowed, "an empty Origin is not the same as none"),
)
def welcome(origin: str | None, allowed: list[str]) -> bool:
    """Whether a client with this Origin may in; ``None`` where there is no such field."""
    return origin is None or origin in allowed


LINES = [
    "101 GET /?token=s3cret (127.0.0.1)",
    "101 GET /?token=s3cret&room=7 (127.0.0.1)",
    "101 GET /?room=7&token=s3cret (127.0.0.1)",
    "101 GET /?room=7&token=s3cret&quiet=1 (127.0.0.1)",
    "101 GET /?room=7&quiet=1 (127.0.0.1)",
    "101 GET / (127.0.0.1)",
    "101 GET /?token= (127.0.0.1)",
    "101 GET /?token=&room=token (127.0.0.1)",
    "101 GET /?token=ab/c+d%26e==&room=7 (127.0.0.1)",
    "101 GET /?token=one&token=two (127.0.0.1)",
    "101 GET /?room=s3cret&token=s3cret (127.0.0.1)",
    "101 GET /?mytoken=7&tokens=8&token=9 (127.0.0.1)",
    "101 GET /token=7?room=8 (127.0.0.1)",
]


def _lines(rng: random.Random) -> list[Arguments]:
    parameters = [f"room={rng.randrange(100)}", f"token={rng.randbytes(6).hex()}", f"mytoken={rng.randrange(100)}"]
    rng.shuffle(parameters)
    return [(f"101 GET /news?{'&'.join(parameters)} (127.0.0.1)",)]


@exercise(
    "13",
    [(line,) for line in LINES],
    _lines,
    "RFC 9110, 17.9, and RFC 6750, 5.3",
    (lambda line: re.sub(r"token=[^& ]*", "token=***", line), "a longer name, such as mytoken, is another parameter"),
    (lambda line: re.sub(r"\?\S*", "?***", line), "only the token has to go: the other parameters are of use"),
    (lambda line: re.sub(r"([?&])token=\S*", r"\1token=***", line), "a value ends at the next &"),
    (lambda line: re.sub(r"(\?token=)[^& ]*", r"\1***", line), "the token need not be the first parameter"),
    (lambda line: re.sub(r"([?&]token=)\w+", r"\1***", line), "a value holds other characters than letters and digits"),
    (lambda line: re.sub(r"([?&]token=)[^& ]*", r"\1***", line, count=1), "a parameter can be there twice"),
    (lambda line: re.sub(r"[?&]token=[^& ]*", "", line), "the name stays, and *** stands where its value was"),
)
def redacted(line: str) -> str:
    """The line of a log with ``***`` in place of the value of each parameter ``token`` of the query."""
    return re.sub(r"(?<=[?&]token=)[^& ]*", "***", line)


def _request(upgrade: str = "Upgrade: websocket", target: str = "/", version: int = 13) -> bytes:
    fields = [f"GET {target} HTTP/1.1", "Host: bank.example", upgrade, f"Sec-WebSocket-Version: {version}", "", ""]
    return "\r\n".join(fields).encode()


def _response(status: str = "101 Switching Protocols", upgrade: str = "Upgrade: websocket") -> bytes:
    return f"HTTP/1.1 {status}\r\n{upgrade}\r\nConnection: Upgrade\r\n\r\n".encode()


HEADS: list[Arguments] = [
    (_request(), _response()),
    (_request(version=9), _response("426 Upgrade Required")),  # which names what it would take (RFC 9110, 15.5.22)
    (_request(version=9), _response("426 Upgrade Required", "Sec-WebSocket-Version: 13")),
    (_request(), _response("200 OK")),
    (_request(), _response("200 101")),
    (_request(), _response("401 Unauthorized")),
    (_request(), _response("100 Continue", "Date: today")),
    (_request("Accept: */*"), _response()),
    (_request("Accept: */*", "/?Upgrade: websocket"), _response()),
    (_request("Upgrade-Insecure-Requests: websocket"), _response()),
    (_request("X-Upgrade: websocket"), _response()),
    (_request("Upgrade: h2c"), _response(upgrade="Upgrade: h2c")),
    (_request("Upgrade: h2c, websocket"), _response(upgrade="Upgrade: h2c")),
    (_request("Upgrade: h2c, websocket"), _response()),
    (_request("Upgrade: websocket2"), _response(upgrade="Upgrade: websocket2")),
    (_request("UPGRADE: WebSocket"), _response(upgrade="upgrade:WEBSOCKET")),
    (_request(), _response("101 ")),
    (_request(), _response(upgrade="X: websocket")),
]


def _heads(rng: random.Random) -> list[Arguments]:
    status = rng.choice(["400 Bad Request", "403 Forbidden", "404 Not Found", "503 Service Unavailable"])
    request = _request(target=f"/{rng.randrange(1000)}")
    return [(request, _response(status)), (request, _response())]


def _upgrades(head: bytes) -> bool:
    """Whether its Upgrade field names WebSocket."""
    fields = (line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:])
    values = [value for name, _, value in fields if name.lower() == "upgrade"]
    return "websocket" in [one.strip().lower() for value in values for one in value.split(",")]


def _status(response: bytes) -> int:
    return int(response.split()[1])


@exercise(
    "13",
    HEADS,
    _heads,
    "RFC 9110, 7.8 and 15.2.2",
    (lambda request, response: _upgrades(request), "the client only asks: what does the response say?"),
    (
        lambda request, response: _upgrades(request) and b"101" in response,
        "101 may stand elsewhere too: the status code is the second word of the first line",
    ),
    (
        lambda request, response: _upgrades(request) and _upgrades(response),
        "a 426 names in Upgrade what it would take, and switches to nothing",
    ),
    (
        lambda request, response: _status(response) == 101 and _upgrades(response),
        "a 101 answers a request that asked for it: otherwise whose response is it?",
    ),
    (
        lambda request, response: _status(response) == 101 and b"upgrade:" in request.lower(),
        "there are other protocols than WebSocket",
    ),
    (
        lambda request, response: _status(response) == 101 and b"Upgrade: websocket" in request,
        "names of fields, and names of protocols, may be written in any case",
    ),
)
def may_tunnel(request: bytes, response: bytes) -> bool:
    """Whether a connection is a WebSocket after this request and this response, of which both heads are given."""
    return _status(response) == 101 and _upgrades(request) and _upgrades(response)
