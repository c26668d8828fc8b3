# SPDX-License-Identifier: GPL-2.0-or-later
"""A capture of people who put HTML and terminal commands wherever a peer can put text."""

import struct
from pathlib import Path

from capture_maker import CLIENT, HANDSHAKE, SERVER, SWITCHING, Talk, frame, pcap

TARGET = "/<script>window.pwned=1</script>"
FIELD = '"><img src=x onerror=window.pwned=2>'
REASON_PHRASE = "<b onclick=window.pwned=3>Switching</b>"
TEXT = "<script>window.pwned=4</script>"
QUOTES = "' onmouseover='window.pwned=5' \" onfocus=\"window.pwned=5"
CONTENT = "<iframe srcdoc='<script>parent.pwned=6</script>'>"
CLOSE_REASON = "<img src=x onerror=window.pwned=7>"

# Every piece of HTML in the capture; each would set ``window.pwned`` if a browser took it for HTML.
HOSTILE = (TARGET, FIELD, REASON_PHRASE, TEXT, QUOTES, CONTENT, CLOSE_REASON)

# What renames the window of a terminal and clears it; it is in a message, a field, a reason phrase and a Close reason.
TERMINAL = "\x1b]0;pwned\x07\x1b[2J"

# A notebook that shows the capture in every way there is. Each cell is one view.
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


def write_capture(path: Path) -> None:
    """Write the capture: one opening handshake with frames after it, and one request with its response."""
    request = HANDSHAKE.replace(b"/chat", TARGET.encode()).replace(b"Host: h", f"Host: h\r\nX-Note: {FIELD}".encode())
    response = SWITCHING.replace(b"Switching Protocols", (REASON_PHRASE + TERMINAL).encode())
    close = struct.pack("!H", 1000) + (CLOSE_REASON + TERMINAL).encode()
    get = f"GET / HTTP/1.1\r\nHost: h\r\nX-{TERMINAL}: y\r\n\r\n".encode()
    content = f"HTTP/1.1 200 OK\r\nContent-Length: {len(CONTENT)}\r\n\r\n{CONTENT}".encode()
    packets = []
    frames = [*(frame(text.encode()) for text in (TEXT, QUOTES, TERMINAL)), frame(close, 8)]
    for port, said, answers in (40000, request, [response, *frames]), (40001, get, [content]):
        talk = Talk(client=("192.0.2.1", port), link="raw")
        packets += talk.open() + talk.say(CLIENT, said)
        packets += [packet for answer in answers for packet in talk.say(SERVER, answer)] + talk.close()
    path.write_bytes(pcap(packets, 101))
