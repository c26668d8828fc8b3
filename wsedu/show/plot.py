# SPDX-License-Identifier: GPL-2.0-or-later
"""Curves as an image that is the same wherever it is drawn: an SVG of our own, with its numbers as text beside it.

An <img> whose source is a data URI, and its alt text: this form alone survives. Lab takes <svg> out of the HTML of a
notebook that is not trusted, and an image that Lab itself makes of an SVG or PNG output has no alternative text, which
axe-core refuses. What is in the image can run no script either. nbval compares the HTML and so the picture, which is
why it is drawn here: the bytes that matplotlib writes change with its version.

A card with a ground of its own, so that it reads on any page. An image cannot know the colours of its page, but a
style on it can: where Jupyter's dark themes set a variable of theirs, the card is inverted. (A notebook that is not
trusted keeps no such style, and its card stays light.) A series has a dash and a mark of its own, never colour alone,
and its colour is none of those that kinds of bytes have.
"""

import math
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from .html import Markup, Picture, scrolling, tag
from .text import visible

Points = Sequence[tuple[float, float]]

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 660, 360, 74, 170, 16, 48  # pixels
# Of each series its colour, its dash, and the corners of its mark in pixels from the point; a circle has none.
STYLES = (
    ("#222222", "none", ""),
    ("#0b7285", "7 4", "-4,-4 4,-4 4,4 -4,4"),  # a square
    ("#6741d9", "2 3", "0,-5 5,4 -5,4"),  # a triangle
    ("#b02a37", "10 3 2 3", "0,-6 5,0 0,6 -5,0"),  # a diamond
    ("#7a5c00", "4 2", "-5,-1 -1,-1 -1,-5 1,-5 1,-1 5,-1 5,1 1,1 1,5 -1,5 -1,1"),  # a cross
    ("#555555", "1 3", "0,5 5,-4 -5,-4"),  # a triangle upside down
)
# 0 in Jupyter's light themes and 32 in the dark ones. Inverted, blue would be orange, and is turned back.
DARK = "var(--jp-shadow-base-lightness,0)"
INVERTED = f"filter:invert(calc({DARK}*3.125%)) hue-rotate(calc({DARK}*5.625deg))"


class Plot(Picture):
    """Series of points, drawn. In a notebook it shows itself; ``print`` gives its numbers as text.

    Args:
        series: a name for each, and its points (x, y) in order.
        x, y: what they count, with their unit.
        logarithmic: both axes; every number must be above 0 then.
        measured: points that get the marks then, and the series only lines: of the same names, or of others, which have
            no lines.
        at: an x to mark by a line from bottom to top.
        y_ticks: what to write at which y; the axis goes from the least to the greatest of them, whatever is drawn.

    Raises:
        ValueError: nothing to draw, more than six names, or a number that has no logarithm.
    """

    def __init__(
        self,
        series: Mapping[str, Points],
        *,
        x: str,
        y: str,
        logarithmic: bool = False,
        measured: Mapping[str, Points] | None = None,
        at: float | None = None,
        y_ticks: Mapping[float, str] | None = None,
    ) -> None:
        self.x, self.y, self.logarithmic, self.at = visible(x), visible(y), logarithmic, at
        self.series = {visible(name): points for name, points in series.items()}
        self.measured = {visible(name): points for name, points in (measured or {}).items()}
        self._marks = self.series if measured is None else self.measured
        self._names = list(dict.fromkeys([*self.series, *self.measured]))
        points = [point for drawn in (self.series, self.measured) for one in drawn.values() for point in one]
        if not points or len(self._names) > len(STYLES):
            raise ValueError(f"plot draws one to {len(STYLES)} series with points: {len(self._names)} given")
        if logarithmic and (least := min(map(min, points))) <= 0:
            raise ValueError(f"a logarithmic axis has no place for {least}")
        # The least and the most of each axis.
        self._ranges = [_range(numbers, logarithmic) for numbers in zip(*points, strict=True)]
        self._y_ticks = y_ticks or {y: _short(y) for y in _ticks(self._ranges[1], logarithmic)}
        if y_ticks:
            self._ranges[1] = min(y_ticks), max(y_ticks)

    def lines(self) -> Iterator[str]:
        """The numbers as lines of text."""
        yield f"{self.y} by {self.x}"
        for drawn, what in ((self.series, ""), (self.measured, ", measured")):
            for name, points in drawn.items():
                yield f"  {name}{what}: " + ", ".join(f"{_short(x)}: {_short(y)}" for x, y in points)

    def html(self) -> Markup:
        """The picture as HTML; its alternative text says where each series begins and ends."""
        said = [f"{self.y} by {self.x}."]
        for name, points in self.series.items():
            if points:
                (x, y), (a, b) = points[0], points[-1]
                said.append(f"{name}: from {_short(y)} at {_short(x)} to {_short(b)} at {_short(a)}.")
        if self._marks is self.measured:
            said.append(f"Marks: measured, {sum(map(len, self.measured.values()))} points.")
        source = f"data:image/svg+xml;base64,{b64encode(self.svg().encode()).decode()}"
        style = f"max-width:100%;height:auto;{INVERTED}"
        return scrolling(tag("img", src=source, alt=" ".join(said), width=WIDTH, height=HEIGHT, style=style))

    def svg(self) -> str:
        """The picture."""
        card = f'<rect width="{WIDTH}" height="{HEIGHT}" rx="6" fill="#fdfdfd" stroke="#bbb"/>'
        lines = (self._line(*STYLES[number], name, number) for number, name in enumerate(self._names))
        inside = "".join([card, *self._axes(), *chain.from_iterable(lines)])
        size = f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12" fill="#222"'
        return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{inside}</svg>'

    def _place(self, x: float, y: float) -> tuple[float, float]:
        """Where a point lies in the picture, in pixels from its upper left corner."""
        across, up = (_share(n, r, self.logarithmic) for n, r in zip((x, y), self._ranges, strict=True))
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    def _axes(self) -> Iterator[str]:
        (left, _), (low, _) = self._ranges
        foot = HEIGHT - BOTTOM
        for x in _ticks(self._ranges[0], self.logarithmic):
            at, _ = self._place(x, low)
            yield f'<path d="M{at:.1f} {TOP}V{foot}" stroke="#ddd"/>'
            yield _text(f"{at:.1f}", foot + 16, _short(x))
        for y, words in self._y_ticks.items():
            _, at = self._place(left, y)
            yield f'<path d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>'
            yield _text(LEFT - 6, f"{at + 4:.1f}", words, "end")
        if self.at is not None:
            at, _ = self._place(self.at, low)
            yield f'<path d="M{at:.1f} {TOP}V{foot}" stroke="#222" stroke-width="1.5"/>'
        yield _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, self.x)
        height = (TOP + foot) / 2
        yield _text(16, height, self.y, transform=f"rotate(-90 16 {height})")

    def _line(self, colour: str, dash: str, mark: str, name: str, number: int) -> Iterator[str]:
        left, top = WIDTH - RIGHT + 8, TOP + 10 + 20 * number  # of its line in the legend
        look = f'fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"'
        if points := self.series.get(name):
            path = " ".join("{:.1f},{:.1f}".format(*self._place(x, y)) for x, y in points)
            yield f'<polyline points="{path}" {look}/><path d="M{left} {top}h24" {look}/>'
        if marks := self._marks.get(name):
            yield from (_mark(mark, *self._place(x, y), colour) for x, y in marks)
            yield _mark(mark, left + 12, top, colour)
        yield tag("text", name, x=left + 30, y=top + 4)


plot = Plot


def _text(x: object, y: object, words: str, anchor: str = "middle", **more: str) -> str:
    """Words in the picture; through the same door as those on the page, since a name may hold anything."""
    return tag("text", words, x=x, y=y, **{"text-anchor": anchor}, **more)


def _range(numbers: Sequence[float], logarithmic: bool) -> tuple[float, float]:
    low, high = min(numbers), max(numbers)
    if logarithmic:
        low, high = 10 ** math.floor(math.log10(low)), 10 ** math.ceil(math.log10(high))
        return (low, high) if high > low else (low, low * 10)
    return min(0.0, low), high if high > 0 else 1.0


def _share(number: float, among: tuple[float, float], logarithmic: bool) -> float:
    low, at, high = among[0], number, among[1]
    if logarithmic:
        low, at, high = map(math.log10, (low, at, high))
    return (at - low) / (high - low)


def _ticks(among: tuple[float, float], logarithmic: bool) -> list[float]:
    low, high = among
    if logarithmic:
        return [10.0**power for power in range(round(math.log10(low)), round(math.log10(high)) + 1)]
    step = round_step((high - low) / 6)
    return [step * number for number in range(math.ceil(low / step), math.floor(high / step) + 1)]


def round_step(least: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is not less."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * times for times in (1, 2, 5, 10) if power * times >= least * 0.999)


def _short(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 100 or number == round(number) else f"{number:.3g}"


def _mark(shape: str, x: float, y: float, colour: str) -> str:
    if not shape:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>'
    corners = (map(int, corner.split(",")) for corner in shape.split())
    points = " ".join(f"{x + a:.1f},{y + b:.1f}" for a, b in corners)
    return f'<polygon points="{points}" fill="{colour}"/>'
