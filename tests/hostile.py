# SPDX-License-Identifier: GPL-2.0-or-later
"""A capture of people who put HTML and terminal commands wherever a peer can put text."""

from __future__ import annotations

import struct
from pathlib import Path

TARGET = "/<script>window.pwned=1</script>"
FIELD = '"><img src=x onerror=window.pwned=2>'
REASON_PHRASE = "<b onclick=window.pwned=3>Switching</b>"
TEXT = "<script>window.pwned=4</script>"
QUOTES = "' onmouseover='window.pwned=5' \" onfocus=\"window.pwned=5"
CONTENT = "<iframe srcdoc='<script>parent.pwned=6</script>'>"
CLOSE_REASON = "<img src=x onerror=window.pwned=7>"

HOSTILE = (TARGET, FIELD, REASON_PHRASE, TEXT, QUOTES, CONTENT, CLOSE_REASON)
"""Every piece of HTML in the capture; each would set ``window.pwned`` if a browser took it for HTML."""

TERMINAL = "\x1b]0;pwned\x07\x1b[2J"
"""What renames the window of a terminal and clears it; it is in a message, a field, a reason phrase and a
Close reason."""

HOSTILE_CELLS = {
    "setup": """
import wsedu
from IPython.display import display
capture = wsedu.read("../data/hostile.pcap")
messages = [message for conversation in capture.conversations for message in conversation.messages]""",
    "byte_map": "for message in messages: display(wsedu.byte_map(message))",
    "compare": "display(wsedu.compare(*messages), wsedu.compare(messages[0], messages[-1]))",
    "touch": """
for message in messages: display(wsedu.touch(message))
display(wsedu.touch(messages[0], messages[-1]))""",
    "ladder": "for conversation in capture.conversations: display(wsedu.ladder(conversation))",
    "repr": "display(capture, capture.packets, capture.warnings, *capture.conversations, *messages)",
    "values": "display(*[message.head or message.frame for message in messages])",
    "print": """
for message in messages: print(wsedu.byte_map(message))
for conversation in capture.conversations: print(wsedu.ladder(conversation))
print(wsedu.compare(*messages))""",
}
"""A notebook that shows the capture in every way there is. Each cell is one view."""

SYN, ACK, FIN_ACK = 0x02, 0x10, 0x11


def write_capture(path: Path) -> None:
    """Write the capture: one opening handshake with frames after it, and one request with its response."""
    lines = ("Connection: Upgrade", "Upgrade: websocket")
    key, accept = (
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    )
    request = _head(
        f"GET {TARGET} HTTP/1.1", "Host: h", f"X-Note: {FIELD}", *lines, key, "Sec-WebSocket-Version: 13"
    )
    response = _head(f"HTTP/1.1 101 {REASON_PHRASE}{TERMINAL}", *lines, accept)
    frames = [_frame(1, TEXT.encode()), _frame(1, QUOTES.encode()), _frame(1, TERMINAL.encode())]
    frames.append(_frame(8, struct.pack("!H", 1000) + (CLOSE_REASON + TERMINAL).encode()))
    content = _head("HTTP/1.1 200 OK", f"Content-Length: {len(CONTENT)}") + CONTENT.encode()
    packets = _connection(40000, [(True, request), (False, response), *[(False, frame) for frame in frames]])
    packets += _connection(
        40001, [(True, _head("GET / HTTP/1.1", "Host: h", f"X-{TERMINAL}: y")), (False, content)]
    )
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 0x40000, 101))  # link type 101: raw IP
        for number, packet in enumerate(packets):
            file.write(struct.pack("<IIII", 1_700_000_000, number * 1000, len(packet), len(packet)) + packet)


def _head(*lines: str) -> bytes:
    return "\r\n".join((*lines, "", "")).encode("latin-1")


def _frame(opcode: int, payload: bytes) -> bytes:
    """An unmasked frame of at most 125 bytes, by hand: what is tested shall not help to build the test."""
    assert len(payload) <= 125
    return bytes([0x80 | opcode, len(payload)]) + payload


def _connection(port: int, turns: list[tuple[bool, bytes]]) -> list[bytes]:
    """IP packets from SYN to FIN. A turn: whether the client speaks, and what it says."""
    sequence = {True: 1, False: 1}
    packets = []

    def send(client: bool, flags: int, data: bytes = b"") -> None:
        ports = (port, 80) if client else (80, port)
        tcp = struct.pack(
            "!HHIIBBHHH", *ports, sequence[client], sequence[not client], 0x50, flags, 65535, 0, 0
        )
        addresses = bytes([10, 0, 0, 1, 10, 0, 0, 2]) if client else bytes([10, 0, 0, 2, 10, 0, 0, 1])
        size = 40 + len(data)
        packets.append(struct.pack("!BBHHHBBH", 0x45, 0, size, 0, 0, 64, 6, 0) + addresses + tcp + data)
        sequence[client] += len(data) + (flags & 0x03 != 0)  # SYN and FIN count as one byte

    send(True, SYN)
    send(False, SYN | ACK)
    send(True, ACK)
    for client, data in turns:
        send(client, ACK, data)
    send(False, FIN_ACK)
    send(True, FIN_ACK)
    send(False, ACK)
    return packets
