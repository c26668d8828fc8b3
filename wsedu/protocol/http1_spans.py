# SPDX-License-Identifier: GPL-2.0-or-later
"""What each byte of a head says (RFC 9112, 2 to 5): the head's half of every picture.

It explains what is there, legal or not, and cuts every line into pieces that leave no byte out. The tables come first:
of the fields, methods and status codes that a reader meets most, a sentence each, with the section that defines them.
"""

import re
from dataclasses import replace

from .errors import Data
from .http1 import empty_lines_before, head_end
from .spans import Kind, Span

# In lower case, as the case of a field name does not matter (RFC 9110, 5.1).
KNOWN_FIELDS = {
    "accept": ("the media types that the client would like", "RFC 9110, 12.5.1"),
    "accept-encoding": ("the content codings that the client can undo", "RFC 9110, 12.5.3"),
    "accept-language": ("the languages that the user would like", "RFC 9110, 12.5.4"),
    "accept-ranges": ("whether the server sends parts on request", "RFC 9110, 14.3"),
    "allow": ("the methods that this target knows", "RFC 9110, 10.2.1"),
    "authorization": ("credentials of the user", "RFC 9110, 11.6.2"),
    "cache-control": ("what caches may do with this message", "RFC 9111, 5.2"),
    "connection": ("what holds for this one connection; a proxy takes it off", "RFC 9110, 7.6.1"),
    "content-encoding": ("how the content is compressed", "RFC 9110, 8.4"),
    "content-length": ("how many bytes of content follow the empty line", "RFC 9110, 8.6"),
    "content-type": ("the media type of the content", "RFC 9110, 8.3"),
    "cookie": ("what the server gave to this client before, sent back with every request", "RFC 6265, 5.4"),
    "date": ("when the server made this response", "RFC 9110, 6.6.1"),
    "etag": ("a name for this version of the content", "RFC 9110, 8.8.3"),
    "expect": ("what the client waits for before it sends the content", "RFC 9110, 10.1.1"),
    "expires": ("when the content becomes stale", "RFC 9111, 5.3"),
    "host": ("which host is asked for, as one address may serve many", "RFC 9110, 7.2"),
    "if-modified-since": ("answer in full only if it changed after this", "RFC 9110, 13.1.3"),
    "if-none-match": ("answer in full only if the version is none of these", "RFC 9110, 13.1.2"),
    "keep-alive": ("how long an idle connection stays open", "RFC 2068, 19.7.1.1"),
    "last-event-id": ("the last event that the client saw before it lost the stream", "HTML, 9.2.4"),
    "last-modified": ("when the content was changed last", "RFC 9110, 8.8.2"),
    "location": ("where to go instead", "RFC 9110, 10.2.2"),
    "origin": ("the site whose page asks; a server can refuse those that it does not know", "RFC 6454, 7"),
    "pragma": ("cache control for HTTP/1.0", "RFC 9111, 5.4"),
    "referer": ("the page that led here", "RFC 9110, 10.1.3"),
    "retry-after": ("how long to wait before asking again", "RFC 9110, 10.2.3"),
    # "sec-ch-ua…" is of a draft whose sections still change their numbers; all of its fields are in section 3.
    "sec-ch-ua": ("brands and versions that the browser goes by; one of them is made up", "UA Client Hints, 3"),
    "sec-ch-ua-mobile": ("whether a page made for a phone is wanted (?1) or not (?0)", "UA Client Hints, 3"),
    "sec-ch-ua-platform": ("the operating system that the browser runs on", "UA Client Hints, 3"),
    "sec-fetch-dest": ("what the response becomes: document, image …; empty: a script asked", "Fetch Metadata, 2.1"),
    "sec-fetch-mode": ("in which mode it is fetched: navigate, cors …", "Fetch Metadata, 2.2"),
    "sec-fetch-site": ("whether the page that asks is of the same origin or of another site", "Fetch Metadata, 2.3"),
    "sec-fetch-user": ("?1: the user went to this page, by a click or a key", "Fetch Metadata, 2.4"),
    "sec-websocket-accept": ("the proof that the server read the key as WebSocket", "RFC 6455, 4.2.2"),
    "priority": ("how urgent the response is, and whether it is of use in parts", "RFC 9218, 5"),
    "sec-websocket-extensions": ("extensions, offered by the client and chosen by the server", "RFC 6455, 9.1"),
    "sec-websocket-key": ("16 random bytes in Base64, which the server must answer to", "RFC 6455, 4.1"),
    "sec-websocket-protocol": ("subprotocols, offered by the client, one chosen by the server", "RFC 6455, 1.9"),
    "sec-websocket-version": ("the version of the WebSocket protocol; RFC 6455 is 13", "RFC 6455, 4.1"),
    "server": ("the server's software", "RFC 9110, 10.2.4"),
    "set-cookie": ("to be sent back by the client with every later request", "RFC 6265, 4.1"),
    "transfer-encoding": ("how the content is framed on this connection", "RFC 9112, 6.1"),
    "upgrade": ("the protocol to switch to on this connection", "RFC 9110, 7.8"),
    "upgrade-insecure-requests": ("1: the browser would rather have this over TLS", "Upgrade Insecure Requests, 3.2"),
    "user-agent": ("the client's software", "RFC 9110, 10.1.5"),
    "vary": ("the request fields that this response depends on", "RFC 9110, 12.5.5"),
    "www-authenticate": ("how to authenticate", "RFC 9110, 11.6.1"),
}

# RFC 9110, 9.3; PATCH is of RFC 5789. In capitals only: "The method token is case-sensitive" (RFC 9110, 9.1).
METHODS = {
    "GET": "send me a representation of the target",
    "HEAD": "as GET, without the content",
    "POST": "do with this content what the target does with it",
    "PUT": "replace the target with this content",
    "DELETE": "remove the target",
    "CONNECT": "open a tunnel to the target",
    "OPTIONS": "what can the target do?",
    "TRACE": "send back what you got",
    "PATCH": "change the target as this content says",
}

# By the whole code, else by its first digit: "a client MUST understand the class of any status code, as indicated by
# the first digit, and treat an unrecognized status code as being equivalent to the x00 status code of that class"
# (RFC 9110, 15).
STATUSES = {
    "1": "informational: the final response is still to come",
    "100": "go on and send the content; the final response is still to come",
    "101": "from the empty line on, this connection speaks the protocol named in Upgrade",
    "2": "successful",
    "204": "successful, and there is no content",
    "3": "redirection: go elsewhere, or use what you have",
    "304": "what you have is still good; there is no content",
    "4": "the client's error",
    "408": "the server waited long enough for a request",
    "426": "the server wants another protocol; it is named in Upgrade",
    "5": "the server's error",
}

BLANK = b" \t"
LINE = re.compile(rb"[^\n]*\n|[^\n]+")  # with its end; the last one may have none yet
# The first word, with the whitespace before it; the whitespace after it; and the rest.
FIRST_WORD = re.compile(rb"([ \t]*[^ \t]*)([ \t]*)(.*)", re.DOTALL)
REQUEST_LINE = "RFC 9112, 3"
STATUS_LINE = "RFC 9112, 4"


def head_spans(data: Data) -> list[Span]:
    """What each byte of one request or response head is, in order; of as much of the head as is there.

    Args:
        data: bytes from the wire, from the start line on; bytes after the empty line are left alone.
    """
    # A head that is not complete is explained as far as it goes, since a reader may watch it arrive.
    data = bytes(data)
    end = head_end(data)
    if end >= 0:
        data = data[:end]
    pieces = _Pieces()
    before = empty_lines_before(data)
    pieces.add(data[:before], "empty line", "before the start line; a server ignores it", "RFC 9112, 2.2")
    # "The first line of a response message" begins with the version, that of a request ends with it.
    take = _take_status_line if data[before:].lstrip(BLANK).startswith(b"HTTP/") else _take_request_line
    for line in LINE.findall(data, before):
        text = line.removesuffix(b"\n").removesuffix(b"\r")
        take(pieces, text)
        # CR and LF are one piece, and so is a bare LF that stands for both.
        meaning = "the end of the line" if line.endswith(b"\n") else "the end of the line begins"
        pieces.add(line[len(text) :], "CRLF", meaning, "RFC 9112, 2.2")
        take = _take_field_line
    # RFC 9112, 2.1: HTTP-message = start-line CRLF *( field-line CRLF ) CRLF [ message-body ]. It is the lone CRLF.
    if end >= 0:  # the line end that stands alone is the empty line
        last = pieces.spans.pop()
        pieces.spans.append(replace(last, name="empty line", meaning="the head ends here", section="RFC 9112, 2.1"))
    return pieces.spans


class _Pieces:
    """Spans one after the other, each beginning where the one before it ends."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.at = 0

    def add(self, raw: bytes, name: str, meaning: str, section: str) -> None:
        """A span for these bytes; none for no bytes."""
        # Most pieces are optional, as in grammars: who cuts a line need not ask which are there.
        if not raw:
            return
        # As text where a reader would read it, as bytes where the bytes are the point.
        value = raw if name in ("CRLF", "SP", "empty line") else raw.decode("latin-1")
        start, self.at = self.at, self.at + len(raw)
        self.spans.append(Span(start, self.at, name, value, meaning, Kind.HTTP_HEAD, section))


def _take_request_line(pieces: _Pieces, text: bytes) -> None:
    method, gap, rest = FIRST_WORD.findall(text)[0]
    # Others are legal: "Additional methods, outside the scope of this specification, have been specified for use in
    # HTTP" (RFC 9110, 9.1), and a method is any token.
    meaning = METHODS.get(method.decode("latin-1"), "a method that RFC 9110 does not define")
    pieces.add(method, "method", meaning, REQUEST_LINE)
    pieces.add(gap, "SP", "separates method and request target", REQUEST_LINE)
    # A target may hold spaces that were not encoded: what counts is the last thing that looks like a version.
    at = max(rest.rfind(b" HTTP/"), rest.rfind(b"\tHTTP/")) + 1
    target, version = (rest[:at], rest[at:]) if at else (rest, b"")
    bare = target.rstrip(BLANK)
    pieces.add(bare, "request target", "what is asked for", "RFC 9112, 3.2")
    pieces.add(target[len(bare) :], "SP", "separates request target and version", REQUEST_LINE)
    pieces.add(version, "HTTP version", "the version that the client speaks", "RFC 9112, 2.3")


def _take_status_line(pieces: _Pieces, text: bytes) -> None:
    version, gap, rest = FIRST_WORD.findall(text)[0]
    pieces.add(version, "HTTP version", "the version that the server speaks", "RFC 9112, 2.3")
    pieces.add(gap, "SP", "separates version and status code", STATUS_LINE)
    status, gap, reason = FIRST_WORD.findall(rest)[0]
    code = status.decode("latin-1")
    meaning = STATUSES.get(code) or STATUSES.get(code[:1], "an invalid status code")
    pieces.add(status, "status code", meaning, "RFC 9110, 15")
    pieces.add(gap, "SP", "separates status code and reason phrase", STATUS_LINE)
    # RFC 9112, 4: "A client SHOULD ignore the reason-phrase content because it is not a reliable channel for
    # information".
    pieces.add(reason, "reason phrase", "for people; a program goes by the status code", STATUS_LINE)


def _take_field_line(pieces: _Pieces, text: bytes) -> None:
    """Cut a field line into name, colon and value."""
    # obs-fold = OWS CRLF RWS (RFC 9112, 5.2): to who cuts at line ends it is a line that begins with whitespace.
    if text[:1] in (b" ", b"\t"):
        pieces.add(text, "field value", "goes on with the value of the line before (obs-fold)", "RFC 9112, 5.2")
        return
    # RFC 9112, 5: field-line = field-name ":" OWS field-value OWS. What is optional whitespace (OWS) is not part of
    # the value: it is one space after the colon most often, for people.
    before, _, after = text.partition(b":")
    name, value = before.rstrip(BLANK), after.strip(BLANK)
    value_at = len(text) - len(after.lstrip(BLANK))
    # A field that the table does not have is nothing odd: anybody may add one, and who does not know it passes it by.
    known = KNOWN_FIELDS.get(name.decode("latin-1").lower(), ("a field", "RFC 9110, 5.1"))
    pieces.add(name, "field name", *known)
    pieces.add(text[len(name) : value_at], "colon", "separates name and value", "RFC 9112, 5")
    pieces.add(value, "field value", f"the value of {name.decode('latin-1')}", "RFC 9110, 5.5")
    pieces.add(text[value_at + len(value) :], "whitespace", "not part of the value", "RFC 9112, 5")
