# SPDX-License-Identifier: GPL-2.0-or-later
"""Status codes, and the payload of a Close frame (RFC 6455, 5.5.1 and 7.4)."""

from enum import IntEnum

from .errors import ProtocolError
from .utf8 import Utf8Validator


class StatusCode(IntEnum):
    """The registered status codes: RFC 6455, 7.4.1, and since then the IANA registry of RFC 6455, 11.7."""

    NORMAL_CLOSURE = 1000
    GOING_AWAY = 1001  # "such as a server going down or a browser having navigated away from a page"
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003  # a text for who "understands only text data", say, or the other way round
    RESERVED = 1004  # "The specific meaning might be defined in the future."
    NO_STATUS_RECEIVED = 1005  # the Close frame had none
    ABNORMAL_CLOSURE = 1006  # there was no Close frame
    INVALID_PAYLOAD_DATA = 1007  # text that is not UTF-8, above all
    # "a generic status code that can be returned when there is no other more suitable" one
    POLICY_VIOLATION = 1008
    MESSAGE_TOO_BIG = 1009
    MANDATORY_EXTENSION = 1010  # sent by clients only: a server can fail the handshake instead
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    BAD_GATEWAY = 1014
    TLS_HANDSHAKE = 1015  # it failed, so that no frame could be sent


STATUS_NAMES = {
    **{code: code.name.replace("_", " ").lower() for code in StatusCode},
    StatusCode.NO_STATUS_RECEIVED: "no status code received",
    StatusCode.TLS_HANDSHAKE: "TLS handshake",
}

# Words for a program's own user, never for the peer: an endpoint says them when no Close frame told it more. Of each
# 7.4.1 says that it "MUST NOT be set as a status code in a Close control frame by an endpoint"; but 1004, which has no
# meaning yet.
NEVER_SENT = {1004, 1005, 1006, 1015}


def status_name(code: int) -> str:
    """What a status code says, in words; the range it falls in where it has no name (RFC 6455, 7.4.2)."""
    if code in STATUS_NAMES:
        return STATUS_NAMES[StatusCode(code)]
    # "reserved for use by libraries, frameworks, and applications", which register them with IANA
    if 3000 <= code <= 3999:
        return "registered by a library or framework"
    # "reserved for private use and thus can't be registered"
    if 4000 <= code <= 4999:
        return "private use"
    return "unassigned"


def may_be_sent(code: int) -> bool:
    """Whether a Close frame may carry this status code (RFC 6455, 7.4.1 and 7.4.2)."""
    # 0 to 999 "are not used"; 1000 to 2999 belong to the protocol and its extensions, so that of these only those are
    # to be sent that are defined.
    return 3000 <= code <= 4999 or (code in STATUS_NAMES and code not in NEVER_SENT)


def parse_close_payload(payload: bytes, *, offset: int = 0, length: int | None = None) -> tuple[int | None, str]:
    """Read the payload of a Close frame.

    Args:
        payload: the payload, unmasked.
        offset: where it starts in the data that errors shall speak of, in bytes.
        length: bytes that the whole payload has, where only its first ones may be there; they are checked as far as
            they go.

    Returns:
        The status code and the reason; ``(None, "")`` for the empty payload, which is legal.

    Raises:
        ProtocolError: one byte alone, a status code that must not be sent (both 1002), a reason that is not UTF-8
            (1007).
    """
    length = len(payload) if length is None else length
    # 5.5.1: "The Close frame MAY contain a body"; and "If there is a body, the first two bytes of the body MUST be a
    # 2-byte unsigned integer (in network byte order) representing a status code".
    if length == 1:
        message = "a Close payload of 1 byte: it is empty, or begins with a status code of 2 bytes"
        raise ProtocolError(message, offset=offset, field="status code", section="RFC 6455, 5.5.1")
    if len(payload) < 2:
        return None, ""
    code = int.from_bytes(payload[:2], "big")
    if not may_be_sent(code):
        message = f"{code} ({status_name(code)}) must not be sent in a Close frame"
        section = "RFC 6455, 7.4.1" if code in STATUS_NAMES else "RFC 6455, 7.4.2"
        raise ProtocolError(message, offset=offset, field="status code", section=section)
    # "Following the 2-byte integer, the body MAY contain UTF-8-encoded data with value /reason/".
    at = Utf8Validator().validate(payload[2:], final=len(payload) == length)
    if at is not None:
        raise not_utf8("the reason", offset + 2 + at, "reason")
    # Only a reason that is not complete can end inside a character.
    return code, payload[2:].decode("utf-8", "ignore")


def not_utf8(what: str, offset: int, field: str) -> ProtocolError:
    """The refusal of a text or a reason, with the status code that is for nothing else.

    7.4.1 has 1007 for "data within a message that was not consistent with the type of the message (e.g., non-UTF-8
    [RFC3629] data within a text message)"; 8.1 makes no difference between a text and a reason.
    """
    code = StatusCode.INVALID_PAYLOAD_DATA
    return ProtocolError(f"{what} is not UTF-8", offset=offset, field=field, section="RFC 6455, 8.1", status_code=code)
