# SPDX-License-Identifier: GPL-2.0-or-later
"""Two published comparisons of polling, with the bytes behind them, to be worked out again.

Peter Lubbers and Frank Greco, "HTML5 Web Sockets: A Quantum Leap in Scalability for the Web" (2010), count 871 bytes of
head for each poll against 2 for a WebSocket frame, and multiply. Ilya Grigorik, "High Performance Browser Networking"
(2013), chapter 15, counts 850 bytes for a poll each minute. Names that end in a year belong to that comparison.
"""

from typing import NamedTuple

from .cost import Situation, cost

# Bytes of content of each response, by its Content-Length; the comparison prints and counts none of them.
CONTENT_2010 = 21
# Bytes of head of each poll in the sum of 2013: 800 of HTTP, 50 of cookie and message number.
POLL_2013 = 850
# Its clients, and the seconds between two polls of each.
CLIENTS_2013, GAP_2013 = 10_000, 60

# Its cookie has nine parts of the same form.
_HIDDEN = "Constant ProtectedConstant Property ProtectedProperty Method ProtectedMethod Event Style Effect".split()
# The request fields after Host, as (name, value) in their order.
FIELDS_2010 = [
    ("User-Agent", "Mozilla/5.0 (Windows; U; Windows NT 5.1; en-US; rv:1.9.1.5) Gecko/20091102 Firefox/3.5.5"),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("Accept-Language", "en-us"),
    ("Accept-Encoding", "gzip,deflate"),
    ("Accept-Charset", "ISO-8859-1,utf-8;q=0.7,*;q=0.7"),
    ("Keep-Alive", "300"),
    ("Connection", "keep-alive"),
    ("Referer", "http://www.example.com/PollingStock/"),
    ("Cookie", "; ".join(f"showInherited{name}=false" for name in _HIDDEN)),
]


def _head(first: str, fields: list[tuple[str, str]]) -> bytes:
    return "".join(f"{line}\r\n" for line in (first, *(f"{n}: {v}" for n, v in fields), "")).encode("ascii")


# The head of the request, as a network would carry it: Firefox 3.5.5 asks.
REQUEST_2010 = _head("GET /PollingStock//PollingStock HTTP/1.1", [("Host", "localhost:8080"), *FIELDS_2010])
# The head of the response; the browser's tool that printed it wrote "HTTP/1.x" for whatever version it was.
RESPONSE_2010 = _head(
    "HTTP/1.x 200 OK",
    [
        ("X-Powered-By", "Servlet/2.5"),
        ("Server", "Sun Java System Application Server 9.1_02"),
        ("Content-Type", "text/html;charset=UTF-8"),
        ("Content-Length", str(CONTENT_2010)),
        ("Date", "Sat, 07 Nov 2009 00:32:46 GMT"),
    ],
)


def printed_characters(head: bytes) -> int:
    """How many characters a head has in print, where lines end without CR and LF: 871 of them for both heads."""
    return len(head) - head.count(b"\r") - head.count(b"\n")


class Megabits(NamedTuple):
    """A rate in two units that both go by the name of Mbps.

    Attributes:
        decimal: in 1,000,000 bits a second, as networks are sold.
        binary: in 1,048,576 bits a second.
    """

    decimal: float
    binary: float

    def __str__(self) -> str:
        return f"{self.decimal:.3f} decimal or {self.binary:.3f} binary Mbit/s"


def megabits(bytes_per_second: float) -> Megabits:
    """A rate, given in bytes a second, in both units."""
    return Megabits(bytes_per_second * 8 / 10**6, bytes_per_second * 8 / 2**20)


def counted_2010() -> dict[str, dict[str, float]]:
    """What an update costs by the comparison of 2010, counted in three ways.

    Returns:
        For each way of counting the size of a poll and of a WebSocket frame: characters of heads, as printed; bytes
        that TCP carries; bytes in packets, of a connection that has long been open.
    """
    heads, content, frame_header = (REQUEST_2010, RESPONSE_2010), CONTENT_2010, 2
    sizes = [len(head) for head in heads]
    poll = Situation(1, content, request_head=sizes[0], news_head=sizes[1], around=0, fixed=True)
    push = Situation(1, content, around=frame_header)
    counted = {
        "heads, in characters as printed": (sum(map(printed_characters, heads)), frame_header),
        "heads and content, in bytes": (sum(sizes) + content, frame_header + content),
        "with TCP/IP and acknowledgements": (cost("polling", poll).bytes, cost("websocket", push).bytes),
    }
    return {name: dict(zip(("a poll", "a frame"), pair, strict=True)) for name, pair in counted.items()}
