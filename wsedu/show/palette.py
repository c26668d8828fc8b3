# SPDX-License-Identifier: GPL-2.0-or-later
"""The one visual language: what each of the six kinds of byte looks like, wherever it is shown.

A kind has a tint, a line under it with a pattern of its own, a label, and a letter for bars made of text: never
colour alone (WCAG 2, 1.4.1). The tints are translucent, so that they lie on a light page as well as on a dark one;
they were chosen so that readers with protanopia, deuteranopia and tritanopia can tell any two apart, and so that text
on them keeps a contrast of 4.5 to 1 (1.4.3): a test measures all of this.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ..protocol.spans import Kind
from .html import Markup, tag

Sizes = Mapping[Kind | None, float]

# Columns of the longest bar made of text.
BAR = 60


@dataclass(frozen=True, slots=True)
class Look:
    """How a kind of byte looks.

    Attributes:
        label: its name beside bytes and in legends.
        letter: stands for it in a bar made of text.
        tint: red, green, blue (0 to 255) and opacity (0 to 1) of what lies behind the bytes.
        line: the colour of the line under the bytes, as ``#rrggbb``.
        pattern: the line's width and style.
    """

    label: str
    letter: str
    tint: tuple[int, int, int, float]
    line: str
    pattern: str

    @property
    def style(self) -> str:
        """The look as the value of a ``style`` attribute."""
        red, green, blue, opacity = self.tint
        return f"background:rgba({red},{green},{blue},{opacity});border-bottom:{self.pattern} {self.line}"


# The looks, in the order of legends; None is for bytes that no span names.
LOOKS: dict[Kind | None, Look] = {
    Kind.HTTP_HEAD: Look("http head", "H", (42, 111, 219, 0.45), "#2a78d6", "2px solid"),
    Kind.CONTENT: Look("content", "C", (255, 212, 0, 0.4), "#a07d00", "2px dashed"),
    Kind.FRAME_HEADER: Look("frame header", "F", (232, 89, 12, 0.44), "#d9590a", "3px double"),
    Kind.MASKING_KEY: Look("masking key", "M", (181, 54, 143, 0.5), "#c04a9c", "2px dotted"),
    Kind.PAYLOAD: Look("payload", "P", (47, 191, 113, 0.42), "#0f965f", "3px solid"),
    Kind.TCP_IP: Look("tcp/ip", "T", (96, 96, 96, 0.42), "#808080", "1px solid"),
    None: Look("not explained", "?", (128, 128, 128, 0.12), "#808080", "0 none"),
}
# The same as a page's scripts need it.
LOOKS_BY_NAME = {kind or "": {"label": look.label, "style": look.style} for kind, look in LOOKS.items()}


def order(kinds: Iterable[Kind | None]) -> list[Kind | None]:
    """Each of these kinds once, in the order in which legends name them."""
    present = set(kinds)
    return [kind for kind in LOOKS if kind in present]


def chip(kind: Kind | None, text: str | None = None) -> Markup:
    """HTML of a label in the look of its kind; ``text``, not yet escaped, in place of its own."""
    look = LOOKS[kind]
    style = f"{look.style};padding:0 5px;border-radius:3px;white-space:nowrap"
    return tag("span", look.label if text is None else text, style=style)


def legend(kinds: Iterable[Kind | None]) -> Markup:
    """A line of such labels, one for each kind, to stand above a table."""
    chips = (tag("span", chip(kind), style="margin-right:12px") for kind in order(kinds))
    return tag("div", *chips, style="margin:4px 0 8px 0;line-height:1.8")


def tone(index: int) -> str:
    """The style of one of three tones of an HTTP head: name, value, and what separates and ends them, ever paler.

    The names are bold as well, and under what separates the line is dotted: never colour alone.
    """
    look = LOOKS[Kind.HTTP_HEAD]
    pattern, more = (("2px solid", ";font-weight:bold"), ("2px solid", ""), ("2px dotted", ""))[index]
    paler = (*look.tint[:3], round(look.tint[3] / 3**index, 2))
    return replace(look, tint=paler, pattern=pattern).style + more


def stacked_bar(sizes: Sizes, whole: float, *, box: str, row: str, digits: int = 2, narrowest: int = 0) -> Markup:
    """Boxes side by side, each as wide as its share of the longest bar.

    Args:
        sizes: of each kind, in the order of drawing.
        whole: the size of the longest bar; not 0.
        box, row: styles of each box and of the row. A box has a least width, so that the two bytes of a frame
            header beside 64 KiB of payload are still seen.
        digits: of the shares in percent, after the point.
        narrowest: pixels that the whole bar has at least, on any page: where a label fits into its box even then, it is
            written there. What does not fit is in the title, and in the table that goes with each bar, since a title is
            out of reach for who has no mouse.
    """
    boxes = []
    for kind, size in sizes.items():
        label = f"{LOOKS[kind].label} {size:,.0f}"
        share = size / whole
        # Pixels: padding, and 7.5 for a character of a font of 13.
        fits = share * narrowest > 6 + 7.5 * len(label)
        inside = tag("span", label, style="padding-left:6px;line-height:20px") if fits else ""
        style = f"{LOOKS[kind].style};width:{100 * share:.{digits}f}%;{box}"
        boxes.append(tag("div", inside, style=style, title=label))
    return tag("div", *boxes, style=row)


def stacked_letters(sizes: Sizes, whole: float) -> str:
    """The same as text: a letter for every ``whole / BAR``, and at least one for each kind."""
    return "".join(LOOKS[kind].letter * max(1, round(size * BAR / whole)) for kind, size in sizes.items())
