# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever bytes and texts come from outside: nothing runs, nothing is lost, nothing moves the cursor."""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import is_dataclass
from enum import Enum
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import ipywidgets
import pytest
from hostile import write_capture
from hpack import Encoder
from hypothesis import given, strategies as st

import wsedu
from wsedu import Frame, ProtocolError, Request, bars, byte_map, compare, lab, ladder, plot, touch
from wsedu.doctor import Finding, Report
from wsedu.live.attacks import Reaction
from wsedu.practice import check as check_answer
from wsedu.protocol.errors import printable
from wsedu.protocol.frame_spans import frame_spans
from wsedu.protocol.http1_spans import head_spans
from wsedu.protocol.spans import Kind, Span
from wsedu.show import controls, cost_slider, handshake_bench, race, reactions
from wsedu.show.bars import bar_chart
from wsedu.show.frame_builder import FrameBuilder
from wsedu.show.hpack_table import hpack_table
from wsedu.show.html import Markup, Picture, join, tag
from wsedu.show.page_log import Endings, PageLog, PageRow
from wsedu.show.sequence import row_of
from wsedu.show.text import columns, visible
from wsedu.wire.bill import Bill
from wsedu.wire.rows import as_line

# What JupyterLab's sanitizer keeps of a notebook that is not trusted, and we need; tabindex it takes away.
ALLOWED = {
    "a": {"href", "style"},
    "div": {"style", "title", "tabindex", "class"},
    "img": {"src", "alt", "width", "height", "style"},
    "pre": {"style", "tabindex", "class"},
    "progress": {"value", "max", "aria-label"},  # in a widget, which Lab does not sanitize
    "samp": {"style", "dir"},
    "span": {"style", "title", "class"},
    "table": {"style", "class"},
    "td": {"style", "colspan"},
    "th": {"style", "colspan", "scope"},
    **dict.fromkeys(("b", "br", "caption", "col", "colgroup", "details", "p", "summary", "tr"), {"style"}),
}
STYLE = re.compile(r"([a-z-]+:[a-z0-9#%.,()* -]+;)*[a-z-]+:[a-z0-9#%.,()* -]+")
LINK = re.compile(r"https://www\.rfc-editor\.org/rfc/rfc\d+#section-[\d.]+")
# The marks that turn the direction of writing: Unicode's UAX 9, 2.
BIDI = "".join(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F)))
NASTY = f"<script>pwned</script>\x1b]0;x\x07\x1b[2J\r\n\t{BIDI}\x00\x9b&amp;\"'\\\u2028\ud800"
RAW = NASTY.encode("utf-8", "surrogatepass")

texts = st.text(max_size=40) | st.just(NASTY)


class Page(HTMLParser):
    """Holds HTML against what is allowed, and keeps its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = self.dump = ""
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert {name for name, _ in attrs} <= ALLOWED[tag], (tag, attrs)
        for name, value in attrs:
            assert value is not None and value.isprintable(), (name, value)
            assert name != "style" or STYLE.fullmatch(value), value
            assert name != "href" or LINK.fullmatch(value), value
            assert name != "src" or value.startswith("data:image/svg+xml;base64,")
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        assert is_harmless(data), data
        self.text += data
        self.dump += data if "pre" in self.open else ""

    def _forbidden(self, data: str) -> None:
        raise AssertionError(data)

    handle_comment = handle_decl = handle_pi = unknown_decl = _forbidden  # type: ignore[assignment]


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


# Every view of the package, fed with what is nasty: strings as a terminal gets them, Markup as a page does, and
# whatever has a repr, HTML or traits.


def talk(text: str = NASTY, *frames: Frame) -> SimpleNamespace:
    """A conversation in which each text is nasty, or the one given; it has the shape of one of a capture."""
    head = SimpleNamespace(method=text, target=text, version=text, status=200, reason=text)
    spans = [Span(0, 1, text, text, text, Kind.HTTP_HEAD, text)]
    said = [
        dict(kind="frame", raw=one.serialize(), frame=one, spans=one.spans)
        for one in frames or (Frame(1, RAW), Frame(8, b"\x03\xe8" + RAW[:100]))
    ]
    said += [dict(kind=kind, raw=b"G", head=head, spans=lambda: spans) for kind in ("request", "response")]
    said.append(dict(kind=text, raw=b"", spans=list))
    messages = [SimpleNamespace(sender="client", time=0.0, packets=(), **one) for one in said]
    return SimpleNamespace(client=text, server=text, messages=messages)


def asked(widget: controls.AskingWidget, *asking: tuple[str, bytes]) -> list[object]:
    """A widget, and what it answers."""
    told: list[str] = []
    for what, data in asking:
        widget.answer(what, data, told.append)
    return [widget, *map(Markup, told)]


def bench() -> list[object]:
    head = b"HTTP/1.1 400 %b\r\nX-%b: %b\r\n\r\n%b" % (RAW, RAW, RAW, RAW)
    widget = handshake_bench.HandshakeBench(lambda data, tell: tell({NASTY: ("", head), "b": (NASTY, b"")}))
    lines = (b"%b", b"GET /%b HTTP/1.1", b"GET / HTTP/1.1\r\nHost: h\r\nSec-WebSocket-Key: %b")
    return asked(widget, *((what, line % RAW + b"\r\n\r\n") for line in lines for what in ("check", "send")))


def racing() -> Iterator[object]:
    widget = race.DeliveryRace(fails, [NASTY], ["minimal"], lambda given: 1.0, lambda look: None)
    widget.start()
    yield from (widget, widget.now, widget.ways)
    one = SimpleNamespace(published=1, requests=1, delays=[1.0], error=NASTY, bill=wsedu.read(CAPTURE).bill)
    yield race.standing({NASTY: one}, 1, running=False)


def fails(given: object) -> Any:
    raise OSError(NASTY)


def explorer() -> Iterator[object]:
    sent: list[object] = []
    widget: Any = touch(talk())
    for index in range(5):
        widget.answer("message", bytes([index]), lambda said, data: sent.append(said))
    yield from (widget, widget._rows(0), sent)


def timelines() -> Iterator[object]:
    picture = wsedu.timeline({NASTY: wsedu.read(CAPTURE)}, update=b".")
    widget: Any = touch(picture)
    yield from (picture, widget, Markup(widget.shown))


def refusals() -> Iterator[object]:
    for parse in (Request.parse, wsedu.Response.parse, wsedu.handshake.check_request):
        with pytest.raises(ProtocolError) as refused:
            parse(RAW + b"\r\n\r\n")
        yield str(refused.value)
    yield check_answer("accept", lambda *given: NASTY)
    yield lab._in_words(Frame(8, b"\x03\xe8" + NASTY.replace("\ud800", "").encode()).serialize())


def captured() -> Iterator[object]:
    capture = wsedu.read(CAPTURE)
    yield from (capture, capture.packet(4), *capture.conversations, *capture.warnings)
    for message in sum((conversation.messages for conversation in capture.conversations), []):
        yield from (message, message.head or message.frame, as_line(message))


FOLDER = TemporaryDirectory()  # which goes when this module does
CAPTURE = Path(FOLDER.name) / "hostile.pcap"
write_capture(CAPTURE)
BITS = [Span(0, 1, NASTY, NASTY, NASTY, Kind.FRAME_HEADER, NASTY, (0, 8))]
SPANS = [*BITS, Span(1, 9, NASTY, NASTY, NASTY, Kind.HTTP_HEAD, NASTY)]
VIEWS: dict[str, Callable[[], Iterable[object]]] = {
    "ByteMap": lambda: [byte_map(RAW, SPANS), byte_map(RAW, head_spans(RAW)), byte_map(Frame(1, RAW))],
    "Comparison": lambda: [compare(Frame(1, RAW), talk().messages, names=[NASTY, "b"])],
    **dict.fromkeys(("Timeline", "TimelineExplorer"), timelines),
    "SequenceDiagram": lambda: [ladder(talk()), ladder([])],
    "BarChart": lambda: [bar_chart({NASTY: 1, "b": {NASTY: 2}}, unit=NASTY)],
    "Bars": lambda: [bars({NASTY: Bill(complete=False), "b": Bill(modelled=True)})],
    "FrameBuilder": lambda: asked(FrameBuilder(lambda data, tell: tell({NASTY: (NASTY, data)})), ("send", RAW)),
    "Plot": lambda: [plot({NASTY: [(1, 2)]}, x=NASTY, y=NASTY, measured={NASTY: [(1, 2)]})],
    "ByteExplorer": lambda: [touch(SimpleNamespace(raw=RAW, spans=lambda: SPANS), names=[NASTY])],
    "SequenceExplorer": explorer,
    "HandshakeBench": bench,
    "DeliveryRace": racing,
    "CostSlider": lambda: [cost_slider.CostSlider([NASTY], lambda way, chosen: 200.0, lambda chosen: {}, ["minimal"])],
    "ProgressBar": lambda: [controls.ProgressBar(1, "pwned")],
    "PageLog": lambda: [PageLog([PageRow(NASTY, row_of(talk().messages[0], 0.0)), PageRow("", None, NASTY)])],
    "Endings": lambda: [Endings([(NASTY, NASTY, {"code": 1, "wasClean": True, "reason": NASTY})])],
    "HpackTable": lambda: [hpack_table(Encoder().encode([(RAW[:40], RAW), ("x", RAW)]), b"\x82\xbe")],
    "Reactions": lambda: [reactions.Reactions({NASTY: (NASTY, {NASTY: Reaction("refused", NASTY)})})],
    "Report": lambda: [Report([Finding(NASTY, True, NASTY)])],
    **dict.fromkeys(("Capture", "Conversation", "CapturedMessage", "PacketView"), captured),
    "Verdict": refusals,
}
# Those that others are made of, numbers, and addresses that are our own.
NOTHING_FROM_OUTSIDE = {"Picture", "NotRun", "AskingWidget", "WithTwin", "Progress", "Recording"}


def views() -> set[str]:
    """The classes that say themselves how they are shown; what ``live`` and ``model`` show are numbers of their own."""
    found = set()
    for _, name, _ in pkgutil.walk_packages(wsedu.__path__, "wsedu."):
        if not re.search(r"__main__|\.(live|model)\b", name):
            classes = inspect.getmembers(importlib.import_module(name), inspect.isclass)
            found |= {one.__name__ for _, one in classes if one.__module__ == name and _shows(one)}
    return found


def _shows(one: type) -> bool:
    # Python writes the repr of a dataclass and of a named tuple: of the reprs of their values, which escape.
    written = is_dataclass(one) or issubclass(one, (tuple, Enum))
    own = {"__repr__", "_repr_html_"} & vars(one).keys()
    return issubclass(one, (Picture, ipywidgets.Widget)) or bool(own and not written)


def shown(view: object) -> Iterator[str]:
    """All that a view says: to a terminal, and to a page."""
    if isinstance(view, str):
        yield Page(view).text if isinstance(view, Markup) else view
    elif isinstance(view, (dict, list, tuple)) and not isinstance(view, Report):
        for one in (*view, *view.values()) if isinstance(view, dict) else view:
            yield from shown(one)
    else:
        yield repr(view)
        html: Any = getattr(view, "_repr_html_", str)()
        if isinstance(view, ipywidgets.Widget):
            html = view.picture() if hasattr(view, "picture") else ""
            for name in view.keys:
                value = getattr(view, name)
                if not name.startswith("_") and name != "placeholder":
                    yield from shown(Markup(value) if isinstance(view, ipywidgets.HTML) and name == "value" else value)
        yield Page(html).text


def test_no_view_is_forgotten() -> None:
    assert views() - NOTHING_FROM_OUTSIDE == VIEWS.keys(), "feed the new view with NASTY, or say why not"


@pytest.mark.parametrize("name", VIEWS)
def test_no_view_lets_anything_through(name: str) -> None:
    said = [text for view in VIEWS[name]() for text in shown(view)]
    assert [text for text in said if not is_harmless(text)] == []
    assert any("pwned" in text for text in said), "what is shown did not hold what is nasty"


def test_what_is_nasty_would_be_seen() -> None:
    """The tests above are worth what this one shows, for a text and for a page."""
    assert not any(map(is_harmless, (*BIDI, *"\x1b\x07\x00\x9b\r\t\u2028", "\ud800")))
    for html in "<script>x</script>", "<b onclick=x>x</b>", '<div title="\u202e">x</div>', "<b>\x1b</b>", "<!--x-->":
        with pytest.raises((AssertionError, KeyError)):
            Page(html)


def test_the_scripts_of_the_page_write_text_only() -> None:
    writes_html = re.compile(r"(inner|outer)HTML|insertAdjacentHTML|document\.write|\beval\b")
    scripts = (Path(wsedu.__file__).parent / "show").glob("*.js")
    found = {script.name: len(writes_html.findall(script.read_text())) for script in scripts}
    # One place may: what the kernel answers is a picture like those above.
    assert found == {**dict.fromkeys(found, 0), "kernel.js": 1}


def test_the_door_trusts_nobody() -> None:
    """A view that forgets to make a text visible is safe all the same; what is visible is not escaped again."""
    page = Page(tag("div", NASTY, title=NASTY))
    assert page.text.replace("\n", r"\n") == printable(NASTY)

    class Forgets(Picture):
        def lines(self) -> list[str]:
            return [NASTY]

    assert repr(Forgets()) == printable(NASTY)
    assert unescape(join(visible(NASTY))) == visible(NASTY) == printable(NASTY.replace("\\", r"\\"))


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
            name = draw(texts | st.sampled_from(["CRLF", "field name", "field value", "colon"]))
            what = (name, value, draw(texts), draw(st.sampled_from(Kind)), draw(texts))
            halves = ((0, 3), (3, 8)) if end == start + 1 and draw(st.booleans()) else (None,)
            spans += [Span(start, end, *what, bits) for bits in halves]
    return data, spans


@given(spanned())
def test_byte_map_shows_every_byte_once_and_is_safe(given: tuple[bytes, list[Span]]) -> None:
    data, spans = given
    picture = byte_map(data, spans, fold=False)
    assert bytes_in(check(picture).dump) == data
    if data:
        in_text = "\n".join(line[15:] for line in repr(picture).split("\n\n")[1].splitlines())
        assert bytes_in(in_text) == data


@given(st.integers(0, 15), st.booleans(), st.booleans(), st.binary(max_size=200), st.binary(max_size=100), texts)
def test_whatever_comes_is_safe(opcode: int, fin: bool, rsv1: bool, one: bytes, other: bytes, text: str) -> None:
    for piece in (byte_map(one, frame_spans(one)), byte_map(other, head_spans(other)[:200])):
        check(piece)
    check(compare(one, other, names=[text, "b"]))
    frame = Frame(opcode, other, fin=fin, rsv1=rsv1)
    check(compare(frame, Frame(2, one, masking_key=b"abcd"), one + other))
    check(ladder(talk(text, frame)))


def test_what_does_not_print_is_spelled_out() -> None:
    for text in ("plain", "Grüße 你好", ""):
        assert visible(text) == text
    assert visible("\r\n\t\\\x1b[31m") == r"\r\n\t\\\x1b[31m"
    assert visible("\u202e\u2066\u200f\ud800\U000e0001") == r"\u202e\u2066\u200f\ud800\U000e0001"
