# SPDX-License-Identifier: GPL-2.0-or-later
"""The opening handshake (RFC 6455, 4): an HTTP request that asks to switch, and a response that does.

The client sends 16 random bytes, ``Sec-WebSocket-Key``; the server sends back their digest together with a fixed GUID,
``Sec-WebSocket-Accept``. That keeps no secret. It proves that the server read the key *as WebSocket*: a server that
only knows HTTP, or a cache with an old answer, cannot produce the value (RFC 6455, 1.3).

``request`` and ``response`` write; ``check_request`` and ``check_response`` read and check, by the rules about single
fields that ``FieldRules`` has.
"""

import base64
import hashlib
import re
import secrets
from collections.abc import Collection, Iterable
from typing import NamedTuple, NoReturn

from .errors import Data, ProtocolError, need_text, need_texts, quoted
from .http1 import TCHAR, Request, Response, as_fields

# Any other would have done: it "is unlikely to be used by network endpoints that do not understand the WebSocket
# Protocol" (RFC 6455, 1.3), and that is all.
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
# The drafts had numbers of their own, of which 8 was in use for a while; "values 9, 10, 11, and 12 were not used as
# valid values for Sec-WebSocket-Version" (RFC 6455, 4.1), as the bytes did not change any more.
VERSION = "13"

# What both sides say. Connection: Upgrade beside Upgrade, as a proxy that does not know the latter takes off what
# Connection names, and the handshake fails where it could not have worked (RFC 9110, 7.8).
SWITCH = (("Upgrade", "websocket"), ("Connection", "Upgrade"))


def accept_key(key: str) -> str:
    """The value of Sec-WebSocket-Accept that answers a Sec-WebSocket-Key (RFC 6455, 4.2.2).

    Args:
        key: the value of the field as it came, in Base64; it is not decoded.

    Raises:
        TypeError: bytes, or something else that is not text.
        ValueError: a character that is not ASCII.
    """
    # The key is taken as text, not as the 16 bytes it stands for: "as a string, not base64-decoded" (RFC 6455, 4.1).
    need_text(key, "key")
    if not key.isascii():
        raise ValueError(f"a key is in Base64, which is ASCII; found {quoted(key)}")
    # SHA-1 is broken as a proof of authorship; here it only proves that a protocol was read (RFC 6455, 10.8).
    digest = hashlib.sha1((key + GUID).encode("ascii"), usedforsecurity=False).digest()
    return base64.b64encode(digest).decode("ascii")


def request(host: str, target: str = "/", *, key: str | None = None, fields: Iterable[tuple[str, str]] = ()) -> bytes:
    """The client's opening handshake. Whether a server may take it is for ``check_request`` to say.

    Args:
        host: host, and port if it is not the default one: the value of Host.
        target: path and query.
        key: the value of Sec-WebSocket-Key; ``None`` makes one of 16 random bytes.
        fields: pairs of name and value to send after those that are required.

    Raises:
        TypeError: bytes, or something else that is not text, where text belongs; fields that are no pairs.
        ValueError: an argument that would not read back as it is, such as one with a line end in it.
    """
    # "The nonce MUST be selected randomly for each connection": a cache could learn the answer to a fixed one.
    if key is None:
        key = base64.b64encode(secrets.token_bytes(16)).decode("ascii")
    need_text(host, "host")
    need_text(key, "key")
    # In the order of 4.1: "The request MUST contain a |Host| header field", "an |Upgrade| header field whose value MUST
    # include the "websocket" keyword", "a |Connection| header field whose value MUST include the "Upgrade" token". The
    # order means nothing to a server.
    required = (("Host", host), *SWITCH, ("Sec-WebSocket-Key", key), ("Sec-WebSocket-Version", VERSION))
    return _written(Request("GET", target, fields=required + as_fields(fields)))


def response(key: str, *, fields: Iterable[tuple[str, str]] = ()) -> bytes:
    """The server's opening handshake, which answers ``key``.

    Args:
        key: the value of Sec-WebSocket-Key in the request.
        fields: pairs of name and value to send after those that are required.

    Raises:
        TypeError: bytes, or something else that is not text, where text belongs; fields that are no pairs.
        ValueError: an argument that would not read back as it is, such as one with a line end in it.
    """
    accept = accept_key(key)
    if "\r" in key or "\n" in key:
        raise ValueError(f"a key has no line end in it: {quoted(key)}")
    required = (*SWITCH, ("Sec-WebSocket-Accept", accept))
    return _written(Response(101, "Switching Protocols", fields=required + as_fields(fields)))


def _written(head: Request | Response) -> bytes:
    """The bytes of a head; refused unless they read back as the same head.

    Text with CR LF in it would end its field and begin another, and whoever supplied the text would have written that
    one ("header injection"). Reading back finds this, and anything else that a reader would take otherwise.
    """
    data = head.serialize()
    try:
        if type(head).parse(data) == (head, len(data)):
            return data
        problem = "it would read back as another head, as text does with a line end in it or spaces around it"
    except ProtocolError as error:
        problem = str(error)
    raise ValueError(f"this cannot be sent: {problem}")


# Fields are allowed once where other fields might be repeated: who reads the first of two and who reads the last would
# see different handshakes. Of these two another section says so than the one that asks for the field.
ONCE = {"Sec-WebSocket-Key": "RFC 6455, 11.3.1", "Sec-WebSocket-Accept": "RFC 6455, 11.3.3"}

# 16 bytes in Base64: 22 digits and "==" (RFC 4648, 4). The last digit carries 2 bits; what its other 4 say is ignored:
# "It is not necessary for the server to base64-decode the |Sec-WebSocket-Key| value" (RFC 6455, 4.2.2), and the RFC's
# own printed sample (4.1) has them set.
KEY = re.compile(r"[A-Za-z0-9+/]{22}==")
# uri-host [ ":" port ] (RFC 9110, 7.2; RFC 3986, 3.2.2): an IPv6 address in brackets, or a name or IPv4 address.
HOST = re.compile(r"(?:\[[0-9A-Za-z:.]+\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+)(?::[0-9]*)?")

# A token as text. It takes all that it can and gives nothing back, so that no value is tried in many ways.
TOKEN = TCHAR + "++"
# A subprotocol is a token in all but name: "characters in the range U+0021 to U+007E not including separator characters
# as defined in [RFC2616]" (RFC 6455, 4.1).
SUBPROTOCOL = re.compile(TOKEN)
# RFC 6455, 9.1: "When using the quoted-string syntax variant, the value after quoted-string unescaping MUST conform to
# the 'token' ABNF."
PARAMETER = rf'[ \t]*;[ \t]*{TOKEN}(?:[ \t]*=[ \t]*(?:{TOKEN}|"{TOKEN}"))?'
EXTENSION = re.compile(rf"{TOKEN}(?:{PARAMETER})*")


class FieldRules(NamedTuple):
    """One head, the rules about its fields, and where to point when one is broken.

    Attributes:
        head: as it was parsed, strictly, from ``raw``.
        raw: the bytes of the head.
        status_code: what a refusal carries unless a rule says another.
    """

    head: Request | Response
    raw: bytes
    status_code: int | None

    def refuse(
        self, field: str, message: str, section: str, *, at: int | None = None, status_code: int | None = None
    ) -> NoReturn:
        """Raise ProtocolError; at the first line of this field if no offset is given."""
        at = self.head.line_offset(self.raw, field) if at is None else at
        status_code = status_code or self.status_code
        raise ProtocolError(message, status_code=status_code, offset=at, field=field, section=section)

    def expect(self, right: object, field: str, expected: str, found: str, section: str, **refusal: int) -> None:
        """Refuse what was found unless it is right; ``refusal`` as for ``refuse``."""
        if not right:
            self.refuse(field, f"expected {expected}; found {quoted(found)}", section, **refusal)

    def single(self, name: str, section: str) -> str:
        """The value of a field that must be there, once."""
        values = self.head.get_all(name)
        if not values:
            self.refuse(name, "expected this field, and there is none", section)
        if len(values) > 1:
            message = f"expected this field once; found it {len(values)} times"
            self.refuse(name, message, ONCE.get(name, section), at=self.head.line_offset(self.raw, name, 1))
        return values[0]

    def token(self, name: str, token: str, section: str) -> None:
        """A token that must be among those of a field, in any case, as in "keep-alive, Upgrade"."""
        found = self.head.get(name)
        if found is None:
            self.refuse(name, f"expected {token} among its tokens; there is no such field", section)
        self.expect(token.lower() in self.head.field_tokens(name), name, f"{token} among its tokens", found, section)

    def http_version(self, at: int, section: str) -> None:
        """HTTP/1.1 or a later minor version; HTTP/2 and HTTP/3 are written in other bytes altogether."""
        version = self.head.version
        if version.startswith("HTTP/1.") and version != "HTTP/1.0":
            return
        # 505 (HTTP Version Not Supported): "the server does not support, or refuses to support, the major version of
        # HTTP that was used in the request message" (RFC 9110, 15.6.6).
        status_code = 505 if self.status_code and not version.startswith("HTTP/1.") else None
        self.refuse("HTTP version", f"expected HTTP/1.1; found {version}", section, at=at, status_code=status_code)

    def subprotocols(self) -> None:
        """4.1: what a client offers "MUST all be unique strings", each a token."""
        name, section = "Sec-WebSocket-Protocol", "RFC 6455, 4.1"
        if self.head.get(name) is None:
            return
        # The grammar is 1#token: a field without any element is none of it.
        offered = self.head.field_elements(name) or [""]
        for element in offered:
            self.expect(SUBPROTOCOL.fullmatch(element), name, "tokens with commas between them", element, section)
        unique = len(set(offered)) == len(offered)
        self.expect(unique, name, "different subprotocols", ", ".join(offered), section)

    def extensions(self, offered: Collection[str] | None = None) -> None:
        """9.1: extensions have a grammar, and a server chooses among those that were offered."""
        name = "Sec-WebSocket-Extensions"
        if self.head.get(name) is None:
            return
        for element in self.head.field_elements(name) or [""]:
            legal = EXTENSION.fullmatch(element)
            self.expect(legal, name, "extensions, as in permessage-deflate", element, "RFC 6455, 9.1")
            # If "this header field indicates the use of an extension that was not present in the client's handshake",
            # a client gives up: it would not understand the frames.
            chosen = element.partition(";")[0].rstrip(" \t")
            known = offered is None or chosen in offered
            self.expect(known, name, "one of those that were offered", chosen, "RFC 6455, 4.1")


def check_request(data: Data) -> tuple[Request, int]:
    """Read a client's opening handshake as a server must (RFC 6455, 4.2.1).

    Args:
        data: bytes from the wire; may hold less than the head, or more.

    Returns:
        The request, and how many bytes of ``data`` its head took.

    Raises:
        NeedMoreData: nothing is wrong so far, and the head is not complete.
        ProtocolError: the handshake is to be refused with the HTTP ``status_code``. The offset is that of the field
            line, and of the empty line at the end of the head if the field is not there.
        TypeError: the data is not bytes.
    """
    # The grammar comes first: where a head can be read in two ways, its fields say nothing for certain.
    head, used = Request.parse(data)
    rules = FieldRules(head, bytes(data[:used]), status_code=400)
    # 4.2.1: "An HTTP/1.1 or higher GET request, including a "Request-URI"."
    section = "RFC 6455, 4.2.1"
    # 405 (Method Not Allowed) says that the target is there, and knows other methods (RFC 9110, 15.5.6).
    rules.expect(head.method == "GET", "method", "GET", head.method, section, at=0, status_code=405)
    at = len(head.method) + 1
    path = head.target.lower().startswith(("/", "http://", "https://"))
    expected = "a path that begins with /, or a whole http URI"
    rules.expect(path, "request target", expected, head.target, section, at=at)
    # RFC 6455, 3: "Fragment identifiers are meaningless in the context of WebSocket URIs and MUST NOT be used".
    if "#" in head.target:
        place = at + head.target.index("#")
        rules.refuse("request target", "a fragment (#) in it, which is never sent", "RFC 6455, 3", at=place)
    rules.http_version(at + len(head.target) + 1, section)
    # RFC 9112, 3.2: 400 is also for "a Host header field with an invalid field value".
    host = rules.single("Host", "RFC 9112, 3.2")
    rules.expect(HOST.fullmatch(host), "Host", "a host, and perhaps a port", host, "RFC 9112, 3.2")
    # 4.2.1: a field "containing the value "websocket", treated as an ASCII case-insensitive value". So it may offer
    # other protocols too, and the server takes one.
    rules.token("Upgrade", "websocket", section)
    rules.token("Connection", "Upgrade", section)
    # 4.2.1: "a base64-encoded (see Section 4 of [RFC4648]) value that, when decoded, is 16 bytes in length".
    key, expected = rules.single("Sec-WebSocket-Key", section), "16 bytes in Base64, which are 24 characters"
    rules.expect(KEY.fullmatch(key), "Sec-WebSocket-Key", expected, key, section)
    # 4.4: for another version a server answers with "all versions it is willing to use", and 426.
    name = "Sec-WebSocket-Version"
    if len(found := head.get_all(name)) > 1:
        rules.single(name, "RFC 6455, 11.3.5")
    if found != [VERSION]:
        what = f"; found {quoted(found[0])}" if found else ", and there is none"
        message = f"expected {VERSION}{what}; answer with the field {name}: {VERSION}"
        rules.refuse(name, message, "RFC 6455, 4.4", status_code=426)
    rules.subprotocols()
    rules.extensions()
    return head, used


def check_response(
    data: Data, key: str, *, extensions: Collection[str] = (), subprotocols: Collection[str] = ()
) -> tuple[Response, int]:
    """Read a server's opening handshake as a client must (RFC 6455, 4.1).

    Args:
        data: bytes from the wire; may hold less than the head, or more: frames may follow at once.
        key: the value of Sec-WebSocket-Key that was sent.
        extensions: the names of the extensions that were offered.
        subprotocols: the subprotocols that were offered.

    Returns:
        The response, and how many bytes of ``data`` its head took.

    Raises:
        NeedMoreData: nothing is wrong so far, and the head is not complete.
        ProtocolError: the client must drop the connection; ``status_code`` is ``None``, since nothing is sent. The
            offset is as for ``check_request``.
        TypeError: an argument that is none of the above.
    """
    # A text is a collection of texts too, and "in" would find letters in it: so it is refused by name.
    need_texts(extensions, "extensions")
    need_texts(subprotocols, "subprotocols")
    head, used = Response.parse(data)
    rules = FieldRules(head, bytes(data[:used]), status_code=None)
    section = "RFC 6455, 4.1"
    rules.http_version(0, "RFC 6455, 4.2.2")
    # "If the status code received from the server is not 101, the client handles the response per HTTP procedures":
    # a redirect, say, or a question for a password.
    if head.status != 101:
        message = f"expected 101; found {head.status} {quoted(head.reason)}: the server does not switch"
        rules.refuse("status code", message, section, at=len(head.version) + 1)
    # A server names one protocol, where a client may name several.
    upgrade = rules.single("Upgrade", section)
    rules.expect(upgrade.lower() == "websocket", "Upgrade", "websocket", upgrade, section)
    # 4.1: without "a token that is an ASCII case-insensitive match for the value "Upgrade", the client MUST _Fail the
    # WebSocket Connection_". It may stand among others, such as keep-alive.
    rules.token("Connection", "Upgrade", section)
    # Without this value who answered may not have understood: "the client MUST _Fail the WebSocket Connection_".
    accept, expected = rules.single("Sec-WebSocket-Accept", section), accept_key(key)
    which = f"{expected}, which answers the key {quoted(key)}"
    rules.expect(accept == expected, "Sec-WebSocket-Accept", which, accept, section)
    rules.extensions(offered=extensions)
    # One, chosen "from the client's handshake", letter by letter: subprotocols are compared with their case.
    if head.get("Sec-WebSocket-Protocol") is not None:
        chosen = rules.single("Sec-WebSocket-Protocol", "RFC 6455, 11.3.4")
        # 4.1: with "a subprotocol that was not present in the client's handshake [...], the client MUST _Fail the
        # WebSocket Connection_". No subprotocol at all is an answer too: the server speaks none of them.
        offered = "one of those that were offered"
        rules.expect(chosen in subprotocols, "Sec-WebSocket-Protocol", offered, chosen, section)
    return head, used
