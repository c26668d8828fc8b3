# SPDX-License-Identifier: GPL-2.0-or-later
"""The frame builder: every bit of a frame as a control, its bytes as they change, and real servers to send them to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import ipywidgets as widgets

from ..protocol.frame_spans import frame_spans
from ..protocol.frames import Frame
from ..protocol.messages import MessageAssembler
from ..protocol.opcodes import Opcode, opcode_name
from .bits import frame_diagram
from .bytemap import ByteMap, table_html, title_html
from .controls import CONTROL, LABELS, SendButton, WidgetWithPicture, choice, fitted, hint, row, verdict
from .dump import dump_html
from .html import Markup, sentence, tag
from .parts import view

# For each server what it did, in words, and the bytes of the frame that it sent, if any.
Answers = Mapping[str, tuple[str, bytes]]

FORMS: dict[str, Literal[7, 16, 64] | None] = {"shortest": None, "7 bits": 7, "16 bits": 16, "64 bits": 64}
KEY = "37 fa 21 3d"
NARROW = widgets.Layout(width="auto", margin="2px 14px 2px 2px")
# Two controls of 270 pixels and what lies between them; on a page that is narrower, the page.
WIDE = widgets.Layout(width="560px", max_width="98%")


class FrameBuilder(WidgetWithPicture):
    """A frame to change and to send.

    What breaks a rule can be built as well: the rule is named beside it, and the server is asked all the same.

    Args:
        send: takes the bytes of a frame and tells what each server answered.

    Attributes:
        data: the bytes of the frame as it stands.
        sender: the button, and what was answered.
    """

    promise = "a frame to build and to send"

    def __init__(self, send: Callable[[bytes], Answers]) -> None:
        self.fin, self.masked = _checkbox("FIN", True), _checkbox("MASK", True)
        self.rsv = [_checkbox(f"RSV{number}", False) for number in (1, 2, 3)]
        names = {int(opcode): opcode_name(opcode) for opcode in Opcode}
        opcodes = [(f"{code:X} {names.get(code, 'reserved')}", code) for code in range(16)]
        self.opcode = choice(opcodes, int(Opcode.TEXT), "opcode")
        self.form = choice(list(FORMS), "shortest", "payload length in")
        self.key = widgets.Text(KEY, description="masking key", style=LABELS, layout=CONTROL)
        self.unit = choice(["text", "hex"], "text", "payload as")
        self.payload = widgets.Textarea("Hello", description="payload", rows=2, style=LABELS, layout=WIDE)
        self.shown, self.fields = widgets.HTML(), widgets.HTML()
        self.data = b""
        self.sender = SendButton(lambda data: _answers(send(data)), lambda: self.data)
        bits = self.fin, *self.rsv, self.masked
        others = self.opcode, self.form, self.key, self.unit
        children = [hint(HINT), row(*bits), row(*others), self.payload, self.shown, self.sender, self.fields]
        super().__init__(children, [*bits, *others, self.payload])

    def _build(self) -> bytes:
        try:
            key = bytes.fromhex(self.key.value) if self.masked.value else None
            if key is not None and len(key) != 4:
                raise ValueError
        except ValueError:
            raise ValueError("the masking key is four bytes in hex, such as 37 fa 21 3d") from None
        text: str = self.payload.value
        try:
            # surrogatepass: half an emoji, as a page can send it, becomes bytes that are not UTF-8, and is refused by
            # that rule (RFC 6455, 8.1); it is no reason to fail here.
            payload = bytes.fromhex(text) if self.unit.value == "hex" else text.encode("utf-8", "surrogatepass")
        except ValueError:
            raise ValueError("the payload is not hex: two digits from 0 to f for each byte") from None
        rsv1, rsv2, rsv3 = (box.value for box in self.rsv)
        frame = Frame(self.opcode.value, payload, self.fin.value, rsv1, rsv2, rsv3, key)
        return frame.serialize(length_form=FORMS[self.form.value])

    def _changed(self, change: object = None) -> None:
        try:
            self.data = self._build()
        except ValueError as error:
            self.shown.value = fitted(sentence("Not a frame yet: ", str(error)))
            self.fields.value = ""
        else:
            spans = frame_spans(self.data)
            drawn = ByteMap(view(self.data, spans, f"{opcode_name(self.opcode.value)} frame"))
            picture = title_html(drawn.view), dump_html(drawn.view), frame_diagram(self.data, spans)
            self.shown.value = self.draw(first_frame(self.data), *picture)
            self.fields.value = fitted(table_html(drawn.rows()))
        self.sender.button.disabled = not self.fields.value


HINT = "Change any bit, and see the bytes and the diagram change; what breaks a rule can be sent as well."


def first_frame(data: bytes) -> Markup:
    """Whether a client may send these bytes as its first frame and, if not, which rule says so; as HTML."""

    def check() -> Markup:
        assembler = MessageAssembler("client")
        assembler.receive_data(data)
        fragment = assembler.next_event() is None and not Frame.parse(data, strict=False)[0].fin
        more = ": a fragment, after which others must follow" if fragment else ""
        return sentence("✓ Legal", f" as a client's first frame{more}.")

    return verdict(check, "the payload length announces more than there is")


def _checkbox(name: str, value: bool) -> widgets.Checkbox:
    return widgets.Checkbox(value, description=name, indent=False, layout=NARROW)


def _answers(answers: Answers) -> Markup:
    """What each server did, side by side."""
    # 380 pixels each: a row of the dump, sixteen bytes and their text, has room from there on; on a narrow page one
    # answer goes beneath the other.
    sides = []
    for name, (what, answer) in answers.items():
        dump = dump_html(view(answer, frame_spans(answer))) if answer else Markup("")
        sides.append(tag("div", sentence(f"{name}: ", what), dump, style="flex:1 1 380px;min-width:0"))
    return tag("div", *sides, style="display:flex;flex-wrap:wrap;gap:8px 24px")
