# SPDX-License-Identifier: GPL-2.0-or-later
"""The frame builder: every bit of a frame as a knob, its bytes as they change, and real servers to send them to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Literal

import ipywidgets as widgets

from ..protocol.errors import NeedMoreData, ProtocolError
from ..protocol.frame_spans import frame_spans
from ..protocol.frames import Frame
from ..protocol.opcodes import Opcode, opcode_name
from .bytemap import byte_map
from .html import Markup, tag

Answers = Mapping[str, tuple[str, bytes]]
"""For each server what it did, in words, and the bytes of the frame that it sent, if any."""

FORMS: dict[str, Literal[7, 16, 64] | None] = {"shortest": None, "7 bits": 7, "16 bits": 16, "64 bits": 64}
KEY = "37 fa 21 3d"
NARROW = widgets.Layout(width="auto", margin="2px 14px 2px 2px")


class FrameBuilder(widgets.VBox):
    """A frame to change and to send.

    What breaks a rule can be built as well: the rule is named beside it, and the server is asked all the same.

    Args:
        send: takes the bytes of a frame and tells what each server answered; without it there is no button.

    Attributes:
        data: the bytes of the frame as it stands.
    """

    def __init__(self, send: Callable[[bytes], Answers] | None = None) -> None:
        self._send = send
        self.fin = widgets.Checkbox(True, description="FIN", indent=False, layout=NARROW)
        self.rsv = [
            widgets.Checkbox(False, description=f"RSV{number}", indent=False, layout=NARROW)
            for number in (1, 2, 3)
        ]
        names = {int(opcode): opcode_name(opcode) for opcode in Opcode}
        options = [(f"{code:X} {names.get(code, 'reserved')}", code) for code in range(16)]
        self.opcode = widgets.Dropdown(options=options, value=1, description="opcode")
        self.masked = widgets.Checkbox(True, description="MASK", indent=False, layout=NARROW)
        self.key = widgets.Text(KEY, description="masking key", style={"description_width": "initial"})
        self.form = widgets.Dropdown(options=list(FORMS), value="shortest", description="length in")
        self.unit = widgets.ToggleButtons(options=["text", "hex"], description="payload as")
        self.payload = widgets.Textarea(
            "Hello", description="payload", rows=2, layout=widgets.Layout(width="520px", max_width="98%")
        )
        self.shown, self.answered = widgets.HTML(), widgets.HTML()
        self.button = widgets.Button(description="Send it", button_style="primary")
        self.data = b""
        knobs = [self.fin, *self.rsv, self.opcode, self.masked, self.key, self.form, self.unit, self.payload]
        for knob in knobs:
            knob.observe(self._changed, names="value")
        self.button.on_click(self._clicked)
        first = widgets.HBox([self.fin, *self.rsv, self.masked], layout=widgets.Layout(flex_flow="row wrap"))
        second = widgets.HBox([self.opcode, self.form, self.key], layout=widgets.Layout(flex_flow="row wrap"))
        last = [self.button, self.answered] if send else []
        super().__init__([first, second, self.unit, self.payload, self.shown, *last])
        self._changed()

    def __repr__(self) -> str:
        return "(run this cell: a frame to build and to send)"

    def _payload(self) -> bytes:
        text: str = self.payload.value
        return bytes.fromhex(text) if self.unit.value == "hex" else text.encode("utf-8", "surrogatepass")

    def _build(self) -> bytes:
        try:
            key = bytes.fromhex(self.key.value) if self.masked.value else None
            if key is not None and len(key) != 4:
                raise ValueError
        except ValueError:
            raise ValueError("the masking key is four bytes in hex, such as 37 fa 21 3d") from None
        try:
            payload = self._payload()
        except ValueError:
            raise ValueError("the payload is not hex: two digits from 0 to f for each byte") from None
        rsv1, rsv2, rsv3 = (box.value for box in self.rsv)
        frame = Frame(self.opcode.value, payload, self.fin.value, rsv1, rsv2, rsv3, key)
        return frame.serialize(length_form=FORMS[self.form.value])

    def _changed(self, change: object = None) -> None:
        try:
            self.data = self._build()
        except ValueError as error:
            self.shown.value = tag("p", tag("b", "Not a frame yet: "), str(error))
            self.button.disabled = True
            return
        self.button.disabled = False
        picture = byte_map(self.data, frame_spans(self.data))._repr_html_()
        self.shown.value = verdict(self.data) + picture

    def _clicked(self, button: object) -> None:
        assert self._send is not None
        # In a thread of its own: the kernel stays free while the servers think.
        self.button.disabled = True
        threading.Thread(target=self._ask, args=(self.data, self._send), daemon=True).start()

    def _ask(self, data: bytes, send: Callable[[bytes], Answers]) -> None:
        try:
            answers = send(data)
            self.answered.value = "".join(_answer(name, *answer) for name, answer in answers.items())
        except OSError as error:
            self.answered.value = tag("p", f"The servers could not be asked: {error}")
        finally:
            self.button.disabled = False


def verdict(data: bytes) -> Markup:
    """Whether a client may send these bytes as a frame and, if not, which rule says so; as HTML."""
    try:
        Frame.parse(data, role="client")
    except ProtocolError as error:
        return tag("p", tag("b", "✗ Must be refused: "), f"{error}; status code {error.status_code}")
    except NeedMoreData:
        return tag("p", tag("b", "… Not whole: "), "the payload length announces more than there is")
    return tag("p", tag("b", "✓ Legal"), " for a client, where the message before it is whole.")


def _answer(name: str, what: str, data: bytes) -> Markup:
    title = tag("p", tag("b", f"{name}: "), what)
    return Markup(title + byte_map(data, frame_spans(data))._repr_html_()) if data else title
