# SPDX-License-Identifier: GPL-2.0-or-later
"""What several servers did about the same bytes: a table, in which a mark and a border say what colour says."""

from collections import Counter
from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Any

from .html import TABLE, Markup, Picture, join, rfc_link, scrolling, table_rows, tag
from .text import WIDTH, pad, visible

# Of each thing that a server does: a mark, a tint that reads on light and dark pages, and the border under it.
MARKS = {
    "refused": ("✗", "background:rgba(232,89,12,.30);border-bottom:3px solid #d9590a"),
    "cut off": ("✂", "background:rgba(181,54,143,.25);border-bottom:2px dashed #c04a9c"),
    "waits": ("…", "background:rgba(255,212,0,.30);border-bottom:2px dotted #a07d00"),
    "accepted": ("✓", "background:rgba(47,191,113,.25);border-bottom:1px solid #0f965f"),
}
CAPTION = "What servers did about the same bytes"
LEGEND = (
    "✗ refused, with the status code of its Close frame; ✂ cut off without a word; … waits for more; ✓ accepted, and "
    "what came back. ≠: one lets in what another does not."
)


class Reactions(Picture):
    """The table. In a notebook it shows itself; ``print`` gives the same as text.

    Args:
        rows: for each kind of bytes the section of RFC 6455 that is about it, and what each server did, by its name:
            ``what`` is one of ``MARKS``, and ``words`` are its own.
    """

    def __init__(self, rows: Mapping[str, tuple[str, Mapping[str, Any]]]) -> None:
        self._rows = rows

    def counts(self) -> dict[str, Counter[str]]:
        """For each server, how often it did what."""
        counted: dict[str, Counter[str]] = {}
        for _, done in self._rows.values():
            for server, one in done.items():
                counted.setdefault(server, Counter())[one.what] += 1
        return counted

    def differing(self) -> list[str]:
        """The kinds of bytes that one server lets in and another does not."""
        return [name for name, (_, done) in self._rows.items() if _differ(done) == "≠"]

    def lines(self) -> Iterator[str]:
        """A line for each kind of bytes."""
        yield f"  {'bytes':<25} {'RFC 6455':<10} {''.join(pad(server, 15) for server in self.counts())}"
        for name, (section, done) in self._rows.items():
            cells = "".join(pad(_short(one), 15) for one in done.values())
            yield f"{_differ(done)} {pad(visible(name), 25)} {pad(section, 10)} {cells}"
        yield from wrap(LEGEND, WIDTH)

    def html(self) -> Markup:
        """The table."""
        heads = ("bytes", "RFC 6455", *self.counts())
        rows = (
            (f"{_differ(done)} {name}", rfc_link(f"RFC 6455, {section}", section), *map(_mark, done.values()))
            for name, (section, done) in self._rows.items()
        )
        caption = tag("caption", CAPTION, style="text-align:left;caption-side:top;padding:0 0 6px")
        return join(tag("p", LEGEND), scrolling(tag("table", caption, *table_rows(heads, rows), style=TABLE)))


def _differ(done: Mapping[str, Any]) -> str:
    return " ≠"[len({one.what in ("accepted", "waits") for one in done.values()}) > 1]


def _short(one: Any) -> str:
    """Its mark, and the status code, or what came back."""
    words = one.words.partition(" ")[0] if one.what == "refused" else one.words
    return f"{MARKS[one.what][0]} {words or ('no answer' if one.what == 'accepted' else one.what)}"


def _mark(one: Any) -> Markup:
    """The same in its look; its title is the reason in full."""
    style = f"{MARKS[one.what][1]};padding:0 6px;white-space:nowrap"
    return tag("span", _short(one), style=style, title=f"{one.what} {one.words}".strip())
