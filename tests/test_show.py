# SPDX-License-Identifier: GPL-2.0-or-later
"""Byte map, comparison and ladder: what they say about bytes whose meaning is known."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from html import unescape
from itertools import combinations
from math import dist
from types import SimpleNamespace
from typing import Any

import pytest

from wsedu import Frame, ProtocolError, Request, Response, byte_map, compare, ladder
from wsedu.protocol.http1_spans import head_spans
from wsedu.protocol.spans import Kind, Span
from wsedu.show.head import cut_at_heads, head_lines
from wsedu.show.hpack_table import hpack_table
from wsedu.show.palette import LOOKS, tone
from wsedu.show.parts import view

KEY = bytes.fromhex("37fa213d")
NEWS = b'{"price": 101.25}'
REQUEST = Request("GET", "/news", fields=(("Host", "example.com"), ("Accept", "*/*")))
RESPONSE = Response(200, "OK", fields=(("Content-Length", str(len(NEWS))),))


def spoken(kind: str, sender: str, time: float, raw: bytes, spans: Sequence[Span] = (), **more: Any) -> Any:
    """The shape of a message of a capture."""
    return SimpleNamespace(kind=kind, sender=sender, time=time, raw=raw, spans=lambda: list(spans), **more)


def framed(sender: str, time: float, frame: Frame) -> Any:
    return spoken("frame", sender, time, frame.serialize(), frame.spans(), frame=frame)


def polled(time: float) -> list[Any]:
    head = RESPONSE.serialize()
    spans = [*RESPONSE.spans(), Span(len(head), len(head + NEWS), "content", NEWS, "the news", Kind.CONTENT)]
    request = spoken("request", "client", time, REQUEST.serialize(), REQUEST.spans(), head=REQUEST)
    return [request, spoken("response", "server", time + 0.002, head + NEWS, spans, head=RESPONSE)]


def test_byte_map_of_the_rfc_frame_names_every_bit() -> None:
    """RFC 6455, 5.7: a single-frame masked text message."""
    assert str(byte_map(Frame(1, b"Hello", masking_key=KEY))).splitlines() == [
        "Text frame, 11 bytes: frame header 2, masking key 4, payload 5",
        "",
        "  frame header    0  81 85            ··",
        "  masking key     2  37 fa 21 3d      7·!=",
        "  payload         6  7f 9f 4d 51 58   ··MQX",
        "",
        "  offset  bytes           field           value        meaning                           RFC",
        "  0       1... ....       FIN             1            the last fragment of its message  6455, 5.2",
        "  0       .0.. ....       RSV1            0            0, as no extension is in use      6455, 5.2",
        "  0       ..0. ....       RSV2            0            0, as no extension is in use      6455, 5.2",
        "  0       ...0 ....       RSV3            0            0, as no extension is in use      6455, 5.2",
        "  0       .... 0001       opcode          1            Text, a data frame                6455, 5.2",
        "  1       1... ....       MASK            1            masked: a masking key follows,    6455, 5.1",
        "                                                       as a client must",
        "  1       .000 0101       payload length  5            5 bytes of payload                6455, 5.2",
        "  2       37 fa 21 3d     masking key     37 fa 21 3d  XORed over the payload, 4 bytes   6455, 5.3",
        "                                                       at a time",
        "  6       7f 9f 4d 51 58  payload         Hello        text in UTF-8, unmasked           6455, 5.2",
    ]


def test_a_head_is_its_lines_and_each_opens_to_its_bytes() -> None:
    """The line with its end, how many bytes, what they mean; no dump and no table beside it."""
    picture = byte_map([REQUEST, RESPONSE])
    said = [" ".join(line.split()) for line in str(picture).splitlines()]
    assert said[2] == r"GET /news HTTP/1.1\r\n 20 ###### method: send me a 9112, 3"
    assert r"Host: example.com\r\n 19 ###### which host is asked for, 9110, 7.2" in said
    assert said.count(r"\r\n 2 # the head ends here 9112, 2.1") == 2
    assert picture.rows() == [] and "47 45 54" not in str(picture)
    html = picture._repr_html_()
    assert html.count("<details>") == 4 + 3 and html.count("wsedu-head") == 2
    opened = [unescape(text).split("  ", 1) for text in re.findall('<pre [^>]*wsedu-hex">(.*?)</pre>', html, re.DOTALL)]
    data = b"".join(bytes.fromhex(re.sub(r"\n *\d+  ", " ", rows)) for _, rows in opened)
    assert data == REQUEST.serialize() + RESPONSE.serialize()
    assert [int(at) for at, _ in opened][:3] == [0, 20, 39]


def test_without_styles_words_stand_apart_and_with_them_bytes_beneath_bytes() -> None:
    html = byte_map(polled(0))._repr_html_()
    assert "110 bytes http head 93 content 17" in " ".join(re.sub("<.*?>", "", html).split())
    assert all("font-family:monospace" in one for one in re.findall("<(?:pre|samp) [^>]*>", html))


def test_what_separates_has_a_tone_of_its_own_and_no_byte_of_a_line_is_lost() -> None:
    data = b"HTTP/1.1 200 \r\nA:\\b \t\r\n c\xff\r\n\r\nrest"
    (head, parts), (more, rest) = cut_at_heads(view(data, head_spans(data)).parts)
    lines = head_lines(data, parts)
    assert (head, more, len(rest)) == (True, False, 1)
    assert [line.text for line in lines] == [r"HTTP/1.1 200 \r\n", r"A:\\b \t\r\n cÿ\r\n", r"\r\n"]
    assert lines[1].pieces == ((0, "A"), (2, ":"), (1, r"\\b"), (2, r" \t"), (2, r"\r\n"), (1, " cÿ"), (2, r"\r\n"))
    assert [line.start for line in lines] == [0, 15, 28]


def test_long_payloads_are_folded_and_short_ones_are_not() -> None:
    long = byte_map(Frame(2, bytes(65_536)))
    assert "… 65,456 more bytes …" in str(long) and "more bytes …" in long._repr_html_()
    for picture in (long, byte_map(Frame(1, b"x" * 100, masking_key=KEY))):
        assert len(picture._repr_html_()) < 20_000
    assert "more bytes" not in str(byte_map(Frame(2, bytes(125))))
    assert str(byte_map(Frame(2, bytes(1_000)), fold=False)).count("00 00") > 400


def test_bytes_without_spans_are_shown_and_not_explained() -> None:
    plain, empty = byte_map(b"hello\x00world"), byte_map(b"")
    assert plain.rows() == [] and "hello·world" in str(plain) and "hello·world" in plain._repr_html_()
    assert str(empty).startswith("0 bytes") and empty._repr_html_()


def test_a_list_is_drawn_as_one() -> None:
    both = byte_map(polled(0))
    assert both.view.name == "request + response"
    assert both.view.data == REQUEST.serialize() + RESPONSE.serialize() + NEWS
    assert both.view.parts[-1].end == len(both.view.data)
    parts = byte_map([Frame(1, b"Hello"), Frame(8)]).view.parts
    assert [{bit.start for bit in part.bits} for part in parts if part.bits] == [{0}, {1}, {7}, {8}]


NO_FIT = [[Span(0, 3, "x", 0, ""), Span(2, 4, "x", 0, "")], [Span(0, 5, "x", 0, "")], [Span(3, 9, "x", 0, "")]]
REFUSED: list[tuple[Callable[[], object], str]] = [
    *((partial(byte_map, nonsense), f"not {type(nonsense).__name__}") for nonsense in (None, 7, "text", [], object())),
    *((partial(byte_map, b"abcd", spans), "covers bytes") for spans in NO_FIT),
    (partial(compare, b"a", b"b", names=["one"]), "name for each: 2 given"),
    (compare, "0 given"),
    (partial(ladder, 7), "not int"),
]


@pytest.mark.parametrize(("make", "words"), REFUSED)
def test_what_cannot_be_drawn_is_refused(make: Callable[[], object], words: str) -> None:
    with pytest.raises(TypeError if words.startswith("not") else ValueError, match=words):
        make()


def test_comparison_says_how_much_is_news_and_how_much_is_not() -> None:
    both = compare(polled(0), Frame(1, NEWS), names=["HTTP", "WebSocket"])
    http = len(REQUEST.serialize()) + len(RESPONSE.serialize())
    assert both.sizes == f"HTTP {http + 17} bytes, WebSocket 19 bytes: {(http + 17) / 19:.1f} to 1."
    assert both.news == f"Both carry 17 bytes of news; around them: HTTP {http}, WebSocket 2."
    for text in (str(both), both._repr_html_()):
        assert both.sizes in " ".join(text.split())


def test_the_same_news_begins_in_the_same_column() -> None:
    both = compare(polled(0), Frame(1, NEWS, masking_key=KEY), Frame(1, NEWS), names=["HTTP", "masked", "frame"])
    aligned = [line for line in str(both).splitlines() if " | " in line]
    assert len(aligned) == 6 and len({line.index(" | ") for line in aligned}) == 1
    assert [line.partition(" | ")[2][:8] for line in aligned[::2]] == ["7b 22 70", "4c d8 51", "7b 22 70"]
    assert "37 fa 21 3d | 4c d8 51" in aligned[2] and "  81 11 | 7b 22 70" in aligned[4]
    # Under the bytes stands what they say, also where they are masked, which is said.
    assert [line.partition(" | ")[0].split()[-1:] for line in aligned[1::2]] == [[], ["unmasked:"], []]
    assert {line.partition(" | ")[2] for line in aligned[1::2]} == {"  ".join('{"price": 101.25')}
    boxes = re.findall("<pre.*?</pre>", both._repr_html_(), re.DOTALL)
    in_html = unescape(re.sub("<.*?>", "", boxes[0])).splitlines()
    column = in_html[1].index("{")
    assert [line[column:][:8] for line in in_html[::2]] == ["7b 22 70", "4c d8 51", "7b 22 70"]
    assert {line.index("{") for line in in_html[1::2]} == {column}


def test_ladder_says_who_said_what_when() -> None:
    messages = [
        *polled(5.0),
        framed("client", 5.1, Frame(1, b"Hello", masking_key=KEY)),
        framed("server", 5.25, Frame(8, b"\x03\xe8bye")),
        spoken("gap", "server", 5.5, b"", missing=1448),
    ]
    talk = SimpleNamespace(messages=messages, client="127.0.0.1:50000", server="127.0.0.1:80")
    lines = str(ladder(talk)).splitlines()
    assert [line.split()[0] for line in lines] == ["seconds", "0.000", "0.002", "0.100", "0.250", "0.500"]
    assert "client 127.0.0.1:50000" in lines[0] and "server 127.0.0.1:80" in lines[0]
    assert "|--- GET /news HTTP/1.1 ---" in lines[1] and "->|" in lines[1] and lines[1].endswith(" 54")
    assert "|<---" in lines[2] and "- 200 OK ---|" in lines[2]
    assert "--- Text: Hello -" in lines[3] and "- Close 1000 bye ---|" in lines[4]
    assert "1,448 bytes are missing" in lines[5]
    assert len({line.rindex("|") for line in lines[1:]}) == 1
    meant = {"compressed": True, "content": b"Hello", "text": "Hello"}
    squeezed = framed("client", 0, Frame(1, b"noise", rsv1=True))
    assert "Text, RSV1 set: compressed" in str(ladder([squeezed]))
    vars(squeezed).update(meant)
    assert "Text, compressed: Hello -" in str(ladder([squeezed]))
    noise = framed("client", 0, Frame(2, b"noise", rsv1=True))
    vars(noise).update(meant | {"text": None, "content": b"He\xff"})
    assert "Binary, compressed: 48 65 ff -" in str(ladder([noise]))
    untimed = str(ladder(talk, times=False))
    assert "0.100" not in untimed and "seconds" not in untimed and "Text: Hello" in untimed


def test_ladder_folds_what_repeats_itself() -> None:
    polls = [message for number in range(30) for message in polled(number / 10)]
    folded = ladder(polls)
    said = [row.text for row in folded.rows]
    assert said == ["GET /news HTTP/1.1", "200 OK", "… 29 more pairs like these, until 2.902 s …"]
    assert sum(row.size for row in folded.rows) == sum(len(poll.raw) for poll in polls)
    assert len(ladder(polls, fold=False).rows) == 60
    pushed = ladder([framed("server", number, Frame(1, b"%d" % number)) for number in range(9)])
    assert [row.text for row in pushed.rows] == ["Text: 0", "… 8 more like this, until 8.000 s …"]

    assert str(ladder([]))


def test_ladder_of_very_many_messages_counts_the_rest() -> None:
    endless = ladder([framed("server", number, Frame(number % 3, b"")) for number in range(1_000)])
    assert all("… 800 more messages …" in text for text in (str(endless), endless._repr_html_()))


# Colours. The matrices are those of Machado, Oliveira and Fernandes (2009) for complete deficiency.

Colour = tuple[float, float, float]
WHITE, LAB_DARK = (255.0, 255.0, 255.0), (17.0, 17.0, 17.0)
PAGES = {"light": (WHITE, (33.0, 33.0, 33.0)), "dark": (LAB_DARK, WHITE)}
# Of each sight a matrix, three rows of three.
SIGHT = {
    "all cones": "1 0 0  0 1 0  0 0 1",
    "protanopia": "0.152286 1.052583 -0.204868  0.114503 0.786281 0.099216  -0.003882 -0.048116 1.051998",
    "deuteranopia": "0.367322 0.860646 -0.227968  0.280085 0.672501 0.047413  -0.011820 0.042940 0.968881",
    "tritanopia": "1.255528 -0.076749 -0.178779  -0.078411 0.930809 0.147602  0.004733 0.691367 0.303900",
}


# From linear red, green and blue to X, Y and Z, each in parts of those of white.
XYZ = "0.43388 0.37622 0.18990  0.2126 0.7152 0.0722  0.01772 0.10946 0.87282"


def times(matrix: str, colour: Sequence[float]) -> list[float]:
    numbers = list(map(float, matrix.split()))
    return [sum(m * c for m, c in zip(numbers[at : at + 3], colour, strict=True)) for at in (0, 3, 6)]


def over(tint: Sequence[float], page: Colour) -> Colour:
    *colour, opacity = tint
    red, green, blue = (opacity * c + (1 - opacity) * p for c, p in zip(colour, page, strict=True))
    return red, green, blue


def linear(colour: Colour) -> list[float]:
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in colour)]


def contrast(one: Colour, other: Colour) -> float:
    """As WCAG 2 has it."""
    dark, light = sorted(times(XYZ, linear(colour))[1] for colour in (one, other))
    return (light + 0.05) / (dark + 0.05)


def seen(colour: Colour, sight: str) -> Colour:
    """CIELAB of a colour as it is seen."""
    rgb = [min(1.0, max(0.0, value)) for value in times(sight, linear(colour))]
    x, y, z = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in times(XYZ, rgb))
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize("page", PAGES)
def test_text_and_line_stand_out_from_every_tint(page: str) -> None:
    background, text = PAGES[page]
    tones = [re.fullmatch(r"background:rgba\((.*?)\);(.*)", tone(at)) for at in range(3)]
    assert all(tones) and len({found[2] for found in tones if found}) == 3, "never colour alone"
    of_heads = [tuple(map(float, found[1].split(","))) for found in tones if found]
    for tint in (*(look.tint for look in LOOKS.values()), *of_heads):
        assert contrast(text, over(tint, background)) >= 4.5, tint
    for line in (bytes.fromhex(look.line[1:]) for look in LOOKS.values()):
        assert contrast((line[0], line[1], line[2]), background) >= 3, line


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("sight", SIGHT)
def test_any_two_tints_can_be_told_apart(sight: str, page: str) -> None:
    colours = {kind: over(LOOKS[kind].tint, PAGES[page][0]) for kind in Kind}
    for one, other in combinations(Kind, 2):
        apart = dist(seen(colours[one], SIGHT[sight]), seen(colours[other], SIGHT[sight]))
        assert apart >= 10, (one, other)


def test_no_two_kinds_share_a_colour_a_pattern_a_letter_or_a_label() -> None:
    looks = [LOOKS[kind] for kind in Kind]
    for attribute in ("tint", "line", "pattern", "letter", "label"):
        assert len({getattr(look, attribute) for look in looks}) == len(Kind)
    assert [look.label for look in looks] == [kind.value for kind in Kind]


# RFC 7541, C.3.1 and C.3.2, and a size update before the second.
BLOCKS = "828684410f7777772e6578616d706c652e636f6d", "3fe101 828684be58086e6f2d6361636865"
ROWS = [
    ["82", "indexed 2", ":method: GET", "none", "none"],
    ["86", "indexed 6", ":scheme: http", "none", "none"],
    ["84", "indexed 4", ":path: /", "none", "none"],
    ["41 0f 77 … (17)", "added, name of 1", ":authority: www.example.com", "none", "1 (57 bytes)"],
    ["3f e1 01", "size update", "at most 256 bytes", "1 (57 bytes)", "1 (57 bytes)"],
    *(["82", "indexed 2", ":method: GET"], ["86", "indexed 6", ":scheme: http"], ["84", "indexed 4", ":path: /"]),
    ["be", "indexed 62", ":authority: www.example.com"],
    ["58 08 6e … (10)", "added, name of 24", "cache-control: no-cache", "1 (57 bytes)", "2 (110 bytes)"],
]


def test_what_hpack_remembers_is_that_of_the_rfc() -> None:
    picture = hpack_table(*map(bytes.fromhex, BLOCKS))
    rows = [row for _, rows, _ in picture.blocks for row in rows]
    assert [row[: len(told)] for row, told in zip(rows, ROWS, strict=True)] == ROWS
    html, text = picture.html(), repr(picture)
    assert "<td" in html and html.count("<details>") == 2 and "cache-control: no-cache" in html
    assert all(word in text for word in ("field block, 20 bytes of fields", "added, name of 24", "2 (110 bytes)"))
    with pytest.raises(ProtocolError, match="entry|index"):
        hpack_table(b"\xbe")
