# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever bytes and texts come from outside: nothing runs, nothing is lost, nothing moves the cursor."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsedu.protocol.frame_spans import frame_spans
from wsedu.protocol.frames import Frame
from wsedu.protocol.http1 import Request
from wsedu.protocol.http1_spans import head_spans
from wsedu.protocol.spans import Kind, Span
from wsedu.show.bytemap import byte_map
from wsedu.show.compare import compare
from wsedu.show.sequence import ladder
from wsedu.show.text import columns, visible

# What JupyterLab's sanitizer keeps of a notebook that is not trusted, and we need; tabindex it takes away.
ALLOWED = {
    "a": {"href"},
    "b": set(),
    "br": set(),
    "div": {"style", "title", "tabindex"},
    "pre": {"style", "tabindex"},
    "samp": {"style", "dir"},
    "span": {"style", "title"},
    "table": {"style"},
    "td": {"style", "colspan"},
    "th": {"style", "colspan", "scope"},
    "tr": {"style"},
}
STYLE = re.compile(r"([a-z-]+:[a-z0-9#%.,() -]+;)*[a-z-]+:[a-z0-9#%.,() -]+")
LINK = re.compile(r"https://www\.rfc-editor\.org/rfc/rfc\d+#section-[\d.]+")
NASTY = "<script>alert(1)</script>\x1b[31m\r\n\u202eabc\x00\x9b&amp;\"'\\\u2028\ud800"

texts = st.text(max_size=40) | st.just(NASTY)


class Page(HTMLParser):
    """Holds HTML against what is allowed, and keeps its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self.dump = ""
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert {name for name, _ in attrs} <= ALLOWED[tag], (tag, attrs)
        for name, value in attrs:
            assert value is not None and is_harmless(value), (name, value)
            assert name != "style" or STYLE.fullmatch(value), value
            assert name != "href" or LINK.fullmatch(value), value
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        self.dump += data if "pre" in self.open else ""

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(decl)

    def handle_pi(self, data: str) -> None:
        raise AssertionError(data)

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(data)


def is_harmless(text: str) -> bool:
    """Whether every character prints as itself, line ends apart: no control, no turn of direction, no surrogate."""
    return text.replace("\n", "").isprintable()


def check(picture: object) -> Page:
    """Both forms of a picture are safe, and come out the same a second time."""
    text, html = repr(picture), picture._repr_html_()  # type: ignore[attr-defined]
    assert is_harmless(text)
    assert max(map(columns, text.splitlines())) <= 100
    assert (text, html) == (repr(picture), picture._repr_html_())  # type: ignore[attr-defined]
    return Page(html)


def bytes_in(dump: str) -> bytes:
    """The bytes that a dump shows: what stands in hex between offset and text."""
    rows = re.findall(r"^ *\d+  ([0-9a-f]{2}(?: {1,2}[0-9a-f]{2}){0,15})(?:   |$)", dump, re.MULTILINE)
    return bytes.fromhex("".join(rows))


@st.composite
def spanned(draw: st.DrawFn) -> tuple[bytes, list[Span]]:
    """Bytes, and spans that cover some of them, with any text that a span can hold."""
    data = draw(st.binary(max_size=300))
    cuts = sorted(draw(st.lists(st.integers(0, min(30, len(data))) | st.integers(0, len(data)), max_size=12)))
    spans = []
    for start, end in zip(cuts, cuts[1:], strict=False):
        if start < end and draw(st.booleans()):
            value = draw(texts | st.integers() | st.binary(max_size=40))
            kind = draw(st.sampled_from(Kind))
            name = draw(texts | st.sampled_from(["CRLF", "field name", "field value", "colon"]))
            meaning, section = draw(texts), draw(texts)
            if end == start + 1 and draw(st.booleans()):
                halves = ((0, 3), (3, 8))
                spans += [Span(start, end, name, value, meaning, kind, section, bits) for bits in halves]
            else:
                spans.append(Span(start, end, name, value, meaning, kind, section))
    return data, spans


@given(spanned())
def test_byte_map_shows_every_byte_once_and_is_safe(given: tuple[bytes, list[Span]]) -> None:
    data, spans = given
    picture = byte_map(data, spans, fold=False)
    assert bytes_in(check(picture).dump) == data
    if data:
        in_text = "\n".join(line[15:] for line in repr(picture).split("\n\n")[1].splitlines())
        assert bytes_in(in_text) == data


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_frames_and_heads_from_outside_are_safe(one: bytes, other: bytes) -> None:
    pieces = [byte_map(one, frame_spans(one)), byte_map(other, head_spans(other)[:200])]
    for piece in pieces:
        check(piece)
    check(compare(one, other, names=[NASTY, "b"]))
    check(compare(Frame(1, one), Frame(2, other, masking_key=b"abcd"), one + other))


@given(st.integers(0, 15), st.booleans(), st.booleans(), st.binary(max_size=100), texts, texts)
def test_ladder_from_outside_is_safe(
    opcode: int, fin: bool, rsv1: bool, payload: bytes, target: str, reason: str
) -> None:
    frame = Frame(opcode, payload, fin=fin, rsv1=rsv1)
    messages = [
        SimpleNamespace(
            kind="frame", sender="client", time=1.0, raw=frame.serialize(), frame=frame, spans=frame.spans
        ),
        SimpleNamespace(
            kind="request",
            sender="client",
            time=2.0,
            raw=b"GET",
            head=Request(NASTY, target),
            spans=list,
        ),
        SimpleNamespace(
            kind="response",
            sender="server",
            time=3.0,
            raw=b"",
            head=SimpleNamespace(status=200, reason=reason),
            spans=list,
        ),
    ]
    check(ladder(SimpleNamespace(client=NASTY, server=target, messages=messages)))


def test_a_script_is_text() -> None:
    script = "<script>alert(1)</script>"
    head = f"GET /{script} HTTP/1.1\r\nX-{script}: {script}\r\n\r\n".encode()
    for picture in (byte_map(head, head_spans(head)), byte_map(Frame(8, b"\x03\xe8" + script.encode()))):
        page = check(picture)
        assert script in page.text and script not in picture._repr_html_() and script in repr(picture)


@pytest.mark.parametrize(
    "text, shown",
    [
        ("plain", "plain"),
        ("\r\n\t\\", r"\r\n\t\\"),
        ("\x1b[31m", r"\x1b[31m"),
        ("\u202e\u2066\u200f", r"\u202e\u2066\u200f"),
        ("Grüße 你好", "Grüße 你好"),
        ("\ud800\U000e0001", r"\ud800\U000e0001"),
    ],
)
def test_what_does_not_print_is_spelled_out(text: str, shown: str) -> None:
    assert visible(text) == shown
