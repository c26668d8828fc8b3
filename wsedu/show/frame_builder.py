# SPDX-License-Identifier: GPL-2.0-or-later
"""The frame builder: a frame whose every bit is a button, judged as it changes, and real servers to send it to.

The bits, the bytes and the verdict are the browser's (``frame_builder.js``). What the rules say it is told once, as
data: for each value that a part of a header can have, what ``MessageAssembler`` says of it.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

import traitlets

from ..protocol.errors import ProtocolError
from ..protocol.frame_spans import frame_spans
from ..protocol.frames import LENGTH_16, LENGTH_64, MASK, Frame
from ..protocol.messages import MessageAssembler
from ..protocol.opcodes import Opcode, opcode_name
from .bytemap import ByteMap
from .controls import AskingWidget, script
from .dump import dump_html
from .html import Markup, join, sentence, tag
from .parts import view

# For each server what it did, in words, and the bytes that it sent, if any.
Answers = Mapping[str, tuple[str, bytes]]
# Takes bytes, and a callable that is told the answers when they are there.
Send = Callable[[bytes, Callable[[Answers], None]], None]

HELLO = Frame(Opcode.TEXT, b"Hello", masking_key=bytes.fromhex("37 fa 21 3d"))
Said = dict[str, Any] | None
Runs = list[tuple[str, Said]]


class FrameBuilder(AskingWidget):
    """A frame to change and to send; what breaks a rule can be built and sent as well.

    Args:
        send: takes the bytes of a frame and tells what each server answered.
    """

    promise = "a frame to build and to send"
    _esm = script("byte_pane.js", "kernel.js", "frame_builder.js")
    start = traitlets.Bytes().tag(sync=True)
    rules = traitlets.Dict().tag(sync=True)

    def __init__(self, send: Send) -> None:
        self._ask_servers = send
        super().__init__(start=HELLO.serialize(), rules=rules_as_data())

    def picture(self) -> Markup:
        """The frame that it begins with: the verdict, and its bytes and bits."""
        return join(sentence("✓ Legal", " as a client's first frame."), ByteMap(view(HELLO)).html())

    def answer(self, what: str, data: bytes, tell: Callable[..., None]) -> None:
        """Send the frame, and tell what the servers did, side by side."""
        self._ask_servers(data, lambda answers: tell(_side_by_side(answers)))


@cache
def rules_as_data() -> dict[str, Any]:
    """What the protocol says of a client's first frame, for the browser.

    Returns:
        Runs, as ``_runs`` makes them: of the first byte (``first``), of the second (by each first byte that is legal,
        such as ``129``), of a payload length in 16 and in 64 bits (``b16``, ``b64``), of a Close frame's status code
        (``code``). What is said of a ``text`` and of a ``reason`` that are not UTF-8. The ``opcodes`` by name, and for
        either byte the ``fields`` with their ``bits`` and what a value ``says``.
    """
    # A frame is judged as its bytes come: so the beginning of one is enough to be told what that breaks.
    first = {byte: _refusal(bytes((byte,))) for byte in range(256)}
    legal = [byte for byte, refused in first.items() if refused is None]
    # A rule about a number has its borders among the first of these; the last one stands for all between.
    numbers: dict[str, tuple[bytes, int, Iterable[int]]] = {
        "b16": (bytes((0x82, MASK | LENGTH_16)), 2, (*range(LENGTH_16 + 1), 65_535)),
        "b64": (bytes((0x82, MASK | LENGTH_64)), 8, (0, 65_535, 65_536, 2**63 - 1, 2**63, 2**64 - 1)),
        "code": (bytes((0x88, MASK | 2)) + bytes(4), 2, (*range(5_001), 65_535)),
        **{str(byte): (bytes((byte,)), 1, range(256)) for byte in legal},
    }
    return {
        "first": _runs(first, first.__getitem__),
        **{name: _after(*number) for name, number in numbers.items()},
        "text": _refusal(Frame(Opcode.TEXT, b"\xff", masking_key=bytes(4)).serialize()),
        "reason": _refusal(Frame(Opcode.CLOSE, b"\x03\xe8\xff", masking_key=bytes(4)).serialize()),
        "opcodes": [opcode_name(code).partition(" ")[0] for code in range(16)],
        "fields": [_fields(0), _fields(1)],
    }


def _after(before: bytes, size: int, values: Iterable[int]) -> Runs:
    """What is said of a number of so many bytes that comes after these."""
    return _runs(values, lambda value: _refusal(before + value.to_bytes(size, "big")))


def _refusal(data: bytes) -> Said:
    assembler = MessageAssembler("client")
    assembler.receive_data(data)
    try:
        assembler.next_event()
    except ProtocolError as error:
        return vars(error)
    return None


def _runs(values: Iterable[int], say: Callable[[int], Said]) -> Runs:
    """What is said of each value: (the first of a run, what is said of all of it), in order.

    In the message ``{}`` stands for the value. Numbers are text, since JavaScript's own end at 2^53.
    """
    runs: Runs = []
    for value in values:
        said = say(value)
        if said is not None:
            said = {**said, "message": said["message"].replace(str(value), "{}", 1)}
        if not runs or runs[-1][1] != said:
            runs.append((str(value), said))
    return runs


def _fields(at: int) -> list[dict[str, Any]]:
    """The fields of the first or the second byte: name, bits, and what each value says."""
    fields = []
    for index, span in enumerate(one for one in frame_spans(bytes(2)) if one.start == at):
        first, end = span.bits or (0, 8)

        def say(value: int, index: int = index, end: int = end) -> Said:
            here = [one for one in frame_spans(bytes((value << 8 - end,)).rjust(at + 1, b"\0")) if one.start == at]
            return {"message": here[index].meaning, "section": here[index].section}

        fields.append({"name": span.name, "bits": [first, end], "says": _runs(range(1 << end - first), say)})
    return fields


def _side_by_side(answers: Answers) -> Markup:
    """What each server did."""
    # Each as wide as what it holds, so that no row of a dump is cut; where both do not fit one goes beneath the other.
    sides = []
    for name, (what, answer) in answers.items():
        dump = dump_html(answer, view(answer, frame_spans(answer)).parts) if answer else Markup("")
        sides.append(tag("div", sentence(f"{name}: ", what), dump, style="flex:1 1 auto;min-width:0"))
    return tag("div", *sides, style="display:flex;flex-wrap:wrap;gap:8px 24px")
