# SPDX-License-Identifier: GPL-2.0-or-later
"""TLS records of a capture to plaintext, with the secrets that a browser or program wrote into a key log.

TLS cuts what it carries into records: a type, a version and a length in 5 bytes, then at most 16 KiB, encrypted and
with a tag (RFC 8446, 5). Whoever has the *traffic secret* of a direction derives a key and a nonce from it and opens
them one by one; the secret itself never travels. So a program is asked to write it down: that is a key log.

Read are TLS 1.3, and of TLS 1.2 the suites with an AEAD, an encryption that also proves that nothing was changed
(RFC 5288, RFC 7905). Tags are checked: what comes out of here is what was sent.
"""

from __future__ import annotations

import hmac
import struct
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from ..protocol.errors import ProtocolError, quoted
from .key_log import KeyLog
from .message_parser import OTHER, Incoming, Sender

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA = 20, 21, 22, 23  # content types (RFC 8446, 5.1)
CLIENT_HELLO, SERVER_HELLO, ENCRYPTED_EXTENSIONS, FINISHED, KEY_UPDATE = 1, 2, 8, 20, 24
SERVER_NAME, ALPN, PRE_SHARED_KEY, EARLY_DATA, SUPPORTED_VERSIONS = 0, 16, 41, 42, 43  # extensions
LARGEST_RECORD = (1 << 14) + 2048  # bytes behind the header; TLS 1.3 allows less (RFC 5246, 6.2.3; RFC 8446, 5.2)
LARGEST_HANDSHAKE = 1 << 20  # bytes of one handshake message that are kept; a chain of certificates is far smaller
HEADER = 5  # bytes before a record


class Suite(NamedTuple):
    """What a cipher suite says of records."""

    cipher: Literal["AESGCM", "ChaCha20Poly1305"]  # the name of its class in ``cryptography``
    key_size: int  # bytes
    hash: Literal["sha256", "sha384"]


_AES_128, _AES_256 = Suite("AESGCM", 16, "sha256"), Suite("AESGCM", 32, "sha384")
_CHACHA = Suite("ChaCha20Poly1305", 32, "sha256")
SUITES = {  # numbers as at IANA; those that begin with 13 are of TLS 1.3
    **dict.fromkeys((0x1301, 0xC02B, 0xC02F, 0x009C, 0x009E), _AES_128),
    **dict.fromkeys((0x1302, 0xC02C, 0xC030, 0x009D, 0x009F), _AES_256),
    **dict.fromkeys((0x1303, 0xCCA8, 0xCCA9, 0xCCAA), _CHACHA),
}


def expand_label(secret: bytes, label: str, length: int, hash_name: str) -> bytes:
    """HKDF-Expand-Label with an empty context: ``length`` bytes that follow from a secret (RFC 8446, 7.1)."""
    name = b"tls13 " + label.encode()
    info = struct.pack("!HB", length, len(name)) + name + b"\0"
    # HKDF-Expand (RFC 5869, 2.3): each block is the HMAC of the one before, the label, and a count. One block is enough
    # for a key and for an IV, and all that is ever asked for has at most the length of the hash.
    return hmac.digest(secret, info + b"\1", hash_name)[:length]


def expand_master(secret: bytes, label: bytes, length: int, hash_name: str) -> bytes:
    """The pseudorandom function of TLS 1.2: ``length`` bytes from a secret and a label (RFC 5246, 5)."""
    block, made = label, b""
    while len(made) < length:
        block = hmac.digest(secret, block, hash_name)
        made += hmac.digest(secret, block + label, hash_name)
    return made[:length]


def open_record(aead: Any, iv: bytes, number: int, raw: bytes, *, tls13: bool) -> bytes | None:
    """The plaintext of a record; ``None`` if it was not made with this key, or was changed.

    Args:
        aead: the cipher, with its key.
        iv: 12 bytes; 4 where each record brings the other 8 itself (AES-GCM in TLS 1.2).
        number: of the record, since the key was new.
        raw: the record.
        tls13: or else the version is 1.2.
    """
    from cryptography.exceptions import InvalidTag

    header, body = raw[:HEADER], raw[HEADER:]
    # A nonce must never come twice with one key, so the number of the record goes into it (RFC 8446, 5.3).
    if len(iv) == 12:
        nonce = (int.from_bytes(iv) ^ number).to_bytes(12)
    else:
        nonce, body = iv + body[:8], body[8:]
    # What is not encrypted and yet may not be changed: in TLS 1.3 the header as it stands (5.2), in TLS 1.2 also the
    # number of the record, and the length that the plaintext has (RFC 5246, 6.2.3.3).
    guarded = header if tls13 else number.to_bytes(8) + header[:3] + max(0, len(body) - 16).to_bytes(2)
    try:
        return bytes(aead.decrypt(nonce, body, guarded))
    except (InvalidTag, ValueError):
        return None


class Record(NamedTuple):
    """A record, opened."""

    content_type: int  # the true one, as far as that is known
    content: bytes | None  # ``None`` if it is encrypted and there is no key for it
    raw: bytes  # as it was sent
    messages: list[int]  # types of the handshake messages that are complete with it


class Records(Incoming):
    """What one endpoint sends: the bytes that no record has taken yet, and how to open those that will.

    Attributes:
        end: place, in the stream that is read, at which the plaintext of the records before ends.
        packets: those that carried what is there.
        encrypted: what comes is, but for the hello of a client that is asked for another one.
        aead: the cipher, with its key; ``None`` if there are no keys.
        iv: for its nonces.
        number: of the next record that it opens.
        secret: from which its keys follow.
        early: it may be early data, which is not opened.
        handshake: the beginning of a handshake message that goes on in the next record.
        unopened: how many records were not opened, and their bytes.
    """

    def __init__(self, sender: Sender) -> None:
        super().__init__(sender)
        self.end = 0
        self.packets: list[int] = []
        self.aead: Any = None
        self.iv, self.number, self.secret, self.handshake = b"", 0, b"", bytearray()
        self.encrypted = self.early = False
        self.unopened = [0, 0]


class TlsConnection:
    """Both directions of a TLS connection.

    Attributes:
        sides: what each endpoint sends.
        waits: nothing of the client was read so far. Until then the server's first records are left where they are, as
            the ClientHello, by which the keys are found, may have been captured late.
        version: "1.3" or "1.2" and so on once the server has chosen; before that empty.
        server_name: that the client asked for (SNI, RFC 6066, 3); empty if it did not.
        offered: the protocols that the client offers (ALPN, RFC 7301).
        protocol: the one that the server chose; in TLS 1.3 it is encrypted, so empty without keys.
        resumed: the server goes on with a session of before (PSK, RFC 8446, 2.2), so no certificate is sent.
        why_closed: why encrypted records cannot be opened; empty as long as they can.
    """

    def __init__(self, keys: KeyLog) -> None:
        self.sides: dict[Sender, Records] = {sender: Records(sender) for sender in OTHER}
        self.version = self.server_name = self.protocol = self.why_closed = ""
        self.offered: tuple[str, ...] = ()
        self.waits, self.resumed = True, False
        self._keys = keys
        self._random = self._server_random = b""
        self._suite: Suite | None = None

    def next_record(self, side: Records) -> Record | None:
        """Take the next record; ``None`` if it is not complete.

        Raises:
            ProtocolError: the bytes are no record, or its tag is wrong.
        """
        there = len(side.buffer)
        if there < HEADER or (self.waits and side.sender == "server" and there < LARGEST_RECORD):
            return None
        content_type, version, length = struct.unpack_from("!BHH", side.buffer)
        if not CHANGE_CIPHER_SPEC <= content_type <= APPLICATION_DATA or version >> 8 != 3 or length > LARGEST_RECORD:
            raise _refusal(side.start, "record", "not the header of a record", "5.1")
        if there < HEADER + length:
            return None
        self.waits, start, raw = False, side.start, side.take(HEADER + length)
        content: bytes | None = raw[HEADER:]
        # A ChangeCipherSpec is never encrypted. In TLS 1.3 it means nothing, and is sent so that boxes on the way see
        # what they know (RFC 8446, D.4). And all that is encrypted there calls itself application data (5.2).
        if content_type == CHANGE_CIPHER_SPEC:
            if self.version != "1.3":
                self._use(side, self._keys.get((self._random, "CLIENT_RANDOM")))
        elif side.encrypted and (content_type == APPLICATION_DATA or self.version != "1.3"):
            content_type, content = self._open(side, content_type, raw, start)
        if content is None:
            side.unopened = [side.unopened[0] + 1, side.unopened[1] + len(raw)]
        messages = self._handshake(side, content, start) if content and content_type == HANDSHAKE else []
        return Record(content_type, content, raw, messages)

    @property
    def stopped(self) -> bool:
        """Whether the handshake began, and has not come so far that something is encrypted."""
        return bool(self._random or self._server_random) and not any(side.encrypted for side in self.sides.values())

    def __str__(self) -> str:
        """What can be seen of it all the same, on one line."""
        told = [f"TLS {self.version or 'without an answer'}", self.why_closed or "its handshake goes no further"]
        told += ["it resumes a session"] * self.resumed
        told += [f"server name {quoted(self.server_name)}"] * bool(self.server_name)
        told += [f"ALPN {quoted(self.protocol or ', '.join(self.offered))}"] * bool(self.offered)
        for sender, side in self.sides.items():
            told.append(f"{side.unopened[0]:,} records of the {sender}, {side.unopened[1]:,} bytes")
        return "; ".join(told)

    def _open(self, side: Records, content_type: int, raw: bytes, start: int) -> tuple[int, bytes | None]:
        if side.aead is None:
            return content_type, None
        tls13 = self.version == "1.3"
        opened = open_record(side.aead, side.iv, side.number, raw, tls13=tls13)
        if opened is None and not side.early:
            raise _refusal(start, "record", "the tag is wrong: another key, or changed bytes", "5.2")
        side.number += opened is not None
        if opened is None or not tls13:
            return content_type, opened
        side.early = False
        # Behind the content stands its true type, and then as many zeros as the sender liked (RFC 8446, 5.2).
        if not (opened := opened.rstrip(b"\0")):
            raise _refusal(start, "record", "no content type in it", "5.4")
        return opened[-1], opened[:-1]

    def _handshake(self, side: Records, content: bytes, start: int) -> list[int]:
        """Look at the handshake messages that a record completes; there may be several in one, or one in several."""
        side.handshake += content
        types = list[int]()
        while len(side.handshake) >= 4:
            end = 4 + int.from_bytes(side.handshake[1:4])
            if end > LARGEST_HANDSHAKE:
                raise _refusal(start, "handshake message", f"{end - 4:,} bytes long", "4")
            if len(side.handshake) < end:
                break
            types.append(side.handshake[0])
            try:
                self._message(side, types[-1], bytes(side.handshake[4:end]))
            except IndexError:
                raise _refusal(start, "handshake message", "it ends inside one of its fields", "4") from None
            del side.handshake[:end]
        return types

    def _message(self, side: Records, kind: int, body: bytes) -> None:
        if kind == CLIENT_HELLO:
            self._client_hello(body)
        elif kind == SERVER_HELLO:
            self._server_hello(body)
        elif kind == ENCRYPTED_EXTENSIONS:
            self.protocol = "".join(_names(_extensions(body))[:1])
        # In TLS 1.3 both sides change to further keys behind their Finished (RFC 8446, 2).
        elif self.version == "1.3" and kind == FINISHED:
            self._use(side, self._keys.get((self._random, f"{side.sender.upper()}_TRAFFIC_SECRET_0")))
        elif kind == KEY_UPDATE and self._suite and side.secret:
            self._use(side, expand_label(side.secret, "traffic upd", len(side.secret), self._suite.hash))

    def _client_hello(self, body: bytes) -> None:
        self._random = body[2:34]
        at = 35 + body[34]  # behind the session id
        at += 2 + int.from_bytes(body[at : at + 2])  # the suites
        at += 1 + body[at]  # the compressions
        found = _extensions(body[at:])
        # A list of names with a type each, of which there is only one, the host name.
        self.server_name = found.get(SERVER_NAME, b"")[5:].decode("ascii", "replace")
        self.offered = _names(found)
        # Early data is encrypted with keys of its own, and not read here: a server that does not want it leaves out
        # records until one can be opened with the keys of the handshake, and so do we (RFC 8446, 4.2.10).
        if EARLY_DATA in found:
            client = self.sides["client"]
            client.encrypted = client.early = True
            self.why_closed = "early data is not read"

    def _server_hello(self, body: bytes) -> None:
        at = 35 + body[34]
        number, found = int.from_bytes(body[at : at + 2]), _extensions(body[at + 3 :])
        self.version = f"1.{int.from_bytes(found.get(SUPPORTED_VERSIONS, body)[:2]) - 0x0301}"
        self._suite, self._server_random = SUITES.get(number), body[2:34]
        self.protocol, self.resumed = "".join(_names(found)[:1]), PRE_SHARED_KEY in found
        if self._suite is None:
            self.why_closed = f"cipher suite {number:#06x} is not one that is read here"
        if self.version == "1.3":  # if this only asks for another hello, what follows is in clear all the same (4.1.4)
            for sender, side in self.sides.items():
                self._use(side, self._keys.get((self._random, f"{sender.upper()}_HANDSHAKE_TRAFFIC_SECRET")))

    def _use(self, side: Records, secret: bytes | None) -> None:
        """Open what comes from here on with keys that follow from a secret, if there is one."""
        side.encrypted, side.aead, suite = True, None, self._suite
        if secret is None or suite is None:
            self.why_closed = self.why_closed or "the key log has no keys for it"
            return
        from cryptography.hazmat.primitives.ciphers import aead  # only whoever brings keys needs it

        if self.version == "1.3":
            sizes = {"key": suite.key_size, "iv": 12}  # RFC 8446, 7.3
            key, side.iv = (expand_label(secret, label, size, suite.hash) for label, size in sizes.items())
        else:
            # Cut from one block: both keys, and then both IVs, the client's first (RFC 5246, 6.3).
            key_size, iv_size = suite.key_size, 4 if suite.cipher == "AESGCM" else 12
            seed = b"key expansion" + self._server_random + self._random
            block = expand_master(secret, seed, 2 * (key_size + iv_size), suite.hash)
            parts = struct.unpack(f"{key_size}s{key_size}s{iv_size}s{iv_size}s", block)
            key, side.iv = parts[side.sender == "server" :: 2]
        side.secret, side.number, side.aead = secret, 0, getattr(aead, suite.cipher)(key)


def _listed(data: bytes, *, number: int, length: int) -> Iterator[tuple[int, bytes]]:
    """The entries of a list, each behind a number and its length, of so many bytes."""
    end = 2  # of the length of them all
    while end < len(data):
        at, start = end + number, end + number + length
        kind, end = int.from_bytes(data[end:at]), start + int.from_bytes(data[at:start])
        yield kind, data[start:end]


def _extensions(data: bytes) -> dict[int, bytes]:
    """The extensions behind the other fields of a handshake message (RFC 8446, 4.2)."""
    return dict(_listed(data, number=2, length=2))


def _names(extensions: dict[int, bytes]) -> tuple[str, ...]:
    """The names in the ALPN extension (RFC 7301, 3.1)."""
    return tuple(name.decode("ascii", "replace") for _, name in _listed(extensions.get(ALPN, b""), number=0, length=1))


def _refusal(offset: int, field: str, message: str, section: str) -> ProtocolError:
    return ProtocolError(message, offset=offset, field=field, section=f"RFC 8446, {section}", status_code=None)
