# SPDX-License-Identifier: GPL-2.0-or-later
"""What a reader can touch: by mouse, by keyboard, in a real Chromium, with real servers behind the buttons.

All of it in a light page, and in ``make test-all`` in a dark one and in a narrow one as well.
"""

import re
import shutil
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hostile import HOSTILE, write_capture
from lab_browser import SCROLLER, LabBrowser, NotebookPage, axe_core, lab_browser, screenshots, write_notebook
from programs import DATA

import wsedu
from wsedu.show.frame_builder import FrameBuilder, rules_as_data

CELLS = {
    "map": """
import wsedu
wsedu.touch(wsedu.Frame(1, b"Hello", masking_key=bytes.fromhex("37 fa 21 3d")))""",
    "pair": """
wsedu.touch(wsedu.Frame(1, b"Hello", masking_key=bytes.fromhex("37 fa 21 3d")), wsedu.Frame(1, b"Hello"))""",
    "large": "wsedu.touch(wsedu.Frame(2, bytes(65_536)))",
    "packet": """
capture = wsedu.read("data/websockets-session.pcap")
wsedu.touch(capture.packet(capture.conversations[0].messages[2].packets[0]))""",
    "hostile": 'wsedu.touch(wsedu.Frame(1, b"<script>window.pwned = 1</script><img src=x onerror=pwned=1>"))',
    "hostile ladder": 'wsedu.touch(wsedu.read("data/hostile.pcap").conversations[0])',
    "builder": """
from wsedu.lab import cost_slider, delivery_race, frame_builder, handshake_bench
frame_builder()""",
    "bench": "handshake_bench()",
    "ladder": "wsedu.touch(capture.conversations[0])",
    "folded": """
from wsedu.live import deliver, fixed
wsedu.touch(deliver("polling", fixed(0.5, 2), poll_gap=0.02).capture.conversations[0])""",
    "long": """
from types import SimpleNamespace
said = capture.conversations[0].messages * 250
ladder = wsedu.touch(SimpleNamespace(messages=said, client="c", server="s", capture=capture))
ladder""",
    "to scale": """
ways = {way: wsedu.read(f"data/chromium-{way}.pcap").conversations[1] for way in ("polling", "websocket")}
wsedu.touch(wsedu.timeline(ways, update=rb'"id":'))""",
    "race": "delivery_race()",
    "slider": "cost_slider()",
    "both": """
polled, pushed = (wsedu.read(f"data/chromium-{way}.pcap").conversations[1] for way in ("longpoll", "websocket"))
wsedu.touch(polled.messages[1], pushed.messages[2])""",
}

# What the page asks the kernel of widgets, counted from here on.
COUNT = """() => {
    const text = data => typeof data === 'string' ? data : data instanceof ArrayBuffer || ArrayBuffer.isView(data)
        ? new TextDecoder('latin1').decode(data) : JSON.stringify(data);
    window.asked = [];
    // Lab's kernel is behind a WebSocket, that of the site in a worker.
    for (const [of, name] of [[WebSocket.prototype, 'send'], [Worker.prototype, 'postMessage']]) {
        const send = of[name];
        of[name] = function (data, ...more) {
            if (text(data).includes('"comm_msg"')) window.asked.push(text(data));
            return send.call(this, data, ...more);
        };
    }
}"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabBrowser]:
    root = tmp_path_factory.mktemp("widgets")
    for name in "widgets.ipynb", "restarted.ipynb":  # each has a kernel of its own
        write_notebook(root / name, CELLS.values())
    shutil.copytree(DATA, root / "data")
    write_capture(root / "data/hostile.pcap")
    with lab_browser(root) as browser:
        yield browser


LOOKS = [("light", 1366), pytest.param(("dark", 600), marks=pytest.mark.slow)]


@pytest.fixture(scope="module", params=LOOKS, ids=lambda look: f"{look[0]}-{look[1]}")
def ran(lab: LabBrowser, request: pytest.FixtureRequest) -> Iterator[NotebookPage]:
    """The notebook with every widget in it, run once in each look."""
    theme, width = request.param
    with lab.open("widgets.ipynb", theme=theme, width=width) as notebook:
        assert notebook.run_all() == []
        notebook.page.evaluate(COUNT)
        yield notebook
        assert notebook.console_errors == []
        assert notebook.foreign_requests == []
        assert notebook.page.evaluate("() => window.pwned") is None


def _output(notebook: NotebookPage, cell: str) -> Any:
    number = list(CELLS).index(cell)
    notebook.show_cell(number)
    widget = ".jp-OutputArea-output:not([data-mime-type])"
    return notebook.page.locator(f".jp-Cell[data-windowed-list-index='{number}'] {widget}").first


def _asked(notebook: NotebookPage) -> int:
    return int(notebook.page.evaluate("() => window.asked.length"))


def _press(notebook: NotebookPage, *keys: str, on: Any = None) -> None:
    if on:
        on.focus()
    for key in keys:
        notebook.page.keyboard.press(key)


def _said(scope: Any) -> str:
    return str(scope.locator(".wsedu-said").inner_text())


def _missing(scope: Any, *words: str) -> list[str]:
    """Those of the words that cannot be read there."""
    text = scope.inner_text()
    return [one for one in words if one not in text]


def _button(scope: Any, name: str | re.Pattern[str]) -> Any:
    return scope.get_by_role("button", name=name)


def _control(scope: Any, label: str) -> Any:
    return scope.get_by_label(label, exact=True)


def _focused(notebook: NotebookPage, what: str) -> Any:
    return notebook.page.evaluate(f"() => {{ const node = document.activeElement; return {what} }}")


ROLE = "node.getAttribute('role')"
HEIGHT = "node => node.getBoundingClientRect().height"


def test_nothing_is_seen_twice(ran: NotebookPage) -> None:
    """Each widget that shows something has a picture of it before it, which is hidden while the widget runs."""
    for cell in CELLS:
        if cell != "race":  # which has nothing to show before it runs
            _output(ran, cell).locator(".wsedu-explorer").wait_for()
            twin = ran.page.locator(f".jp-Cell[data-windowed-list-index='{list(CELLS).index(cell)}'] .wsedu-twin")
            assert twin.count() == 1 and twin.inner_text() and not twin.is_visible(), cell
            # The widgets' styles leave alone the bytes of pictures, which every page has.
            assert twin.locator("pre span").evaluate_all("all => all.every(e => getComputedStyle(e).width == 'auto')")


def test_a_map_by_keyboard_and_by_pointer(ran: NotebookPage) -> None:
    output = _output(ran, "map")
    tree, first, before = output.get_by_role("tree"), output.get_by_role("treeitem").first, _asked(ran)
    _press(ran, "Home", on=output.locator(".wsedu-bytes"))
    meaning = "FIN = 1 (the last fragment of its message); RSV1, RSV2, RSV3 = 0"
    words = "FIN, RSV1, RSV2, RSV3, opcode", "1000 0001", meaning, "opcode = 1 (Text, a data frame) (RFC 6455, 5.2)"
    assert _missing(output.locator(".wsedu-said"), *words) == []
    _press(ran, "ArrowRight", "ArrowRight")
    assert _missing(output.locator(".wsedu-said"), "masking key", "RFC 6455, 5.3") == []
    _press(ran, "End")
    assert _said(output).startswith("payload = Hello") and "byte 10: 58" in _said(output)
    assert output.locator(".wsedu-hex .wsedu-lit").count() == 5
    _press(ran, "Enter")
    assert _focused(ran, ROLE) == "tree"
    output.locator(".wsedu-bytes").focus()
    for role in ("group", None, "tree"):  # by Tab from the bytes to the link to the RFC, and to the fields
        assert _focused(ran, ROLE) == role and _focused(ran, "getComputedStyle(node).outlineStyle") != "none"
        _press(ran, "Tab")
    # Fields open to their bits, and light up their bytes.
    _press(ran, "Home", on=tree)
    if first.get_attribute("aria-expanded") == "false":
        _press(ran, "ArrowRight")
    _press(ran, "ArrowRight")
    assert "opcode › FIN = 1" in _said(output) and "1··· ····" in _said(output)
    for keys, expanded in ((("ArrowLeft", "ArrowLeft"), "false"), (("Enter",), "true")):
        _press(ran, *keys)
        assert first.get_attribute("aria-expanded") == expanded
    row = output.locator(f"[id='{tree.get_attribute('aria-activedescendant')}']")
    assert row.get_attribute("aria-selected") == "true", "those who listen are told which row is the current one"
    # The pointer does the same.
    output.locator(".wsedu-hex [data-at='3']").hover()
    assert _said(output).startswith("masking key")
    output.get_by_role("treeitem").filter(has_text="payload").last.hover()
    assert output.locator(".wsedu-hex .wsedu-lit").count() == 5
    first.click()
    assert first.get_attribute("aria-expanded") == "false"
    assert _asked(ran) == before, "neither keys within a map nor the pointer ask the kernel anything"


def _places(output: Any) -> list[Any]:
    """Where the parts of the byte maps stand within their output."""
    boxes = output.locator(".wsedu-title, .wsedu-bytes, .wsedu-said, .wsedu-rows").all()
    return [(box["y"] - output.bounding_box()["y"], box["height"]) for box in (one.bounding_box() for one in boxes)]


def test_a_click_keeps_what_pointing_only_shows_and_nothing_moves(ran: NotebookPage) -> None:
    output = _output(ran, "pair")
    before = _places(output)
    first, second = output.locator(".wsedu-pane").all()
    first.locator(".wsedu-hex [data-at='7']").click()
    assert _said(first).startswith("payload") and _said(second).startswith("payload")
    second.locator(".wsedu-hex [data-at='1']").hover()
    assert _said(first).startswith("MASK") and _said(second).startswith("MASK")
    second.get_by_role("treeitem").filter(has_text="RSV1").last.hover()
    assert _said(first).startswith("FIN, RSV1, RSV2, RSV3, opcode › RSV1")
    output.locator(".wsedu-hint").hover()
    second.get_by_text("payload = Hello").wait_for()
    assert _said(first).startswith("payload = Hello\nbyte 7") and _said(second).startswith("payload")
    second.get_by_role("treeitem").filter(has_text="MASK, payload length").click()
    assert _places(output) == before


@pytest.mark.parametrize("cell", ["map", "pair", "large", "packet", "both"])
def test_a_map_is_seen_at_once(ran: NotebookPage, cell: str) -> None:
    """Bytes, sentence and fields on a page that is 768 pixels high; no row of bytes is wider than there is room."""
    for pane in _output(ran, cell).locator(".wsedu-pane").all():
        assert pane.bounding_box()["height"] <= 560
        assert pane.locator(".wsedu-bytes").evaluate("node => node.scrollWidth - node.clientWidth") <= 0


def test_bytes_are_copied_as_hex_as_text_and_as_python(ran: NotebookPage) -> None:
    output = _output(ran, "map")
    # As on a page that came over plain HTTP, which may not write to the clipboard by itself.
    ran.page.evaluate("""() => { navigator.clipboard.writeText = () => Promise.reject();
        document.addEventListener('copy', () => { window.copied = document.activeElement.value }) }""")
    output.locator(".wsedu-hex [data-at='3']").click()
    for name, copied in (("hex", "37 fa 21 3d"), ("text", "7\ufffd!="), ("Python", 'bytes.fromhex("37 fa 21 3d")')):
        _button(output, name).click()
        output.get_by_text(f"copied 4 bytes as {name}").wait_for(state="attached")
        assert ran.page.evaluate("() => window.copied") == copied
    assert _focused(ran, "node.textContent") == "Python", "the focus stays"


# What keys are pressed on: of each widget the first few.
PLACES = "[role=tree], .wsedu-bytes, .wsedu-rows, .wsedu-cards, [data-bit='3'], select, input[type=range], button"


@pytest.mark.parametrize("cell", ["map", "builder", "bench", "ladder", "to scale", "race", "slider"])
def test_keys_that_reach_a_widget_never_reach_the_notebook(ran: NotebookPage, cell: str) -> None:
    """In JupyterLab d d deletes the cell, b inserts one, m makes it prose: not what is typed into a widget."""
    before = [(one["id"], one["cell_type"]) for one in ran.cells]
    for place in _output(ran, cell).locator(PLACES).all()[:8]:
        if place.count():  # Escape may have closed what it was in
            _press(ran, *"ddbamyzjk", "Shift+M", "Escape", *"xX", on=place)
    assert [(one["id"], one["cell_type"]) for one in ran.cells] == before


def test_a_wheel_moves_the_map_and_at_its_end_the_page(ran: NotebookPage) -> None:
    output = _output(ran, "both")
    grid = output.locator(".wsedu-bytes").first
    page = ran.page.locator(".jp-NotebookPanel:visible .jp-WindowedPanel-outer")
    before = page.evaluate("node => node.scrollTop")
    grid.hover()
    ran.page.mouse.wheel(0, 48)
    ran.page.wait_for_function("node => node.scrollTop === 48", arg=grid.element_handle())
    assert page.evaluate("node => node.scrollTop") == before
    grid.evaluate("node => node.scrollTo(0, 0)")
    ran.page.mouse.wheel(0, -60)
    ran.page.wait_for_function("([node, before]) => node.scrollTop < before", arg=[page.element_handle(), before])


def test_two_maps_follow_each_other(ran: NotebookPage) -> None:
    """What HTTP carries is its content, and what a frame carries its payload."""
    hello = "payload = Hello"
    pairs = ("pair", hello, hello, 0, "FIN, RSV1, RSV2, RSV3, opcode"), ("both", "content", "payload", 2, "content")
    for cell, here, there, at, back in pairs:
        first, second = _output(ran, cell).locator(".wsedu-pane").all()
        _press(ran, "End", on=first.locator(".wsedu-bytes"))
        assert _said(first).startswith(here) and _said(second).startswith(there)
        assert first.locator(".wsedu-hex .wsedu-lit").count() and second.locator(".wsedu-hex .wsedu-lit").count()
        second.locator(f".wsedu-hex [data-at='{at}']").hover()
        assert _said(first).startswith(back)


def test_only_what_is_seen_is_drawn(ran: NotebookPage) -> None:
    output = _output(ran, "large")
    grid = output.locator(".wsedu-bytes")
    assert output.locator(".wsedu-row").count() < 30
    _press(ran, "End", on=grid)
    assert "byte 65,545" in _said(output)
    assert output.locator(".wsedu-row").count() < 30
    assert output.locator(".wsedu-here").first.is_visible()
    grid.evaluate("node => node.scrollTo(0, 40_000)")
    at = 40_000 // 24 * output.locator(".wsedu-row").first.locator(".wsedu-hex > span").count()
    output.locator(f".wsedu-hex [data-at='{at}']").wait_for()


def test_a_packet_opens_from_ethernet_down_to_a_header_bit(ran: NotebookPage) -> None:
    output = _output(ran, "packet")
    items = output.get_by_role("treeitem")
    layers = [item.inner_text() for item in items.all() if item.get_attribute("aria-level") == "1"]
    names = [re.sub(r"^[▸▾]\s*| \d+ bytes$", "", layer.split("\n")[-1]) for layer in layers]
    assert names == ["Ethernet", "IPv4", "TCP", "Text frame"]
    tree = output.get_by_role("tree")
    _press(ran, "Home", "ArrowRight", "ArrowRight", on=tree)  # Ethernet opens, and its first field is there
    assert _said(output).startswith("Ethernet › destination address = ")
    items.filter(has_text="TCP").first.click()
    for name in "CWR, ECE, URG", "› PSH":
        while name not in _said(output):  # on a narrow page it is further down than the pane shows
            _press(ran, "ArrowDown", on=tree)
        _press(ran, "ArrowRight", on=tree)
    items.filter(has_text=re.compile(r"^\s*PSH")).hover()
    assert _said(output).startswith("TCP › CWR, ECE, URG, ACK, PSH, RST, SYN, FIN › PSH = 1")
    _press(ran, "End", on=tree)
    while "FIN, RSV1" not in _said(output):
        _press(ran, "ArrowUp")
    _press(ran, "ArrowRight", "ArrowRight")
    assert _said(output).startswith("Text frame › FIN, RSV1, RSV2, RSV3, opcode › FIN = 1")
    assert "RFC 6455, 5.2" in _said(output) and "1··· ····" in _said(output)


def test_bytes_from_outside_are_text(ran: NotebookPage) -> None:
    output, ladder = _output(ran, "hostile"), _output(ran, "hostile ladder")
    assert _missing(output, "<script>window.pwned") == []
    ladder.get_by_role("treeitem").first.click()
    ladder.locator(".wsedu-opened .wsedu-bytes").wait_for()
    assert any(text[:20] in ladder.inner_text() for text in HOSTILE)
    assert output.locator("script, img").count() == ladder.locator("script, img").count() == 0


@pytest.fixture
def builder(ran: NotebookPage) -> Any:
    """The frame builder as it begins."""
    output = _output(ran, "builder")
    _button(output, "Reset").click()
    return output


def _bit(output: Any, bit: int) -> Any:
    return output.locator(f"[data-bit='{bit}']")


def _hex(output: Any) -> str:
    return " ".join(field.input_value() for field in output.locator("[data-byte]").all())


def test_a_bit_flips_by_pointer_and_by_keyboard_and_the_kernel_is_not_asked(ran: NotebookPage, builder: Any) -> None:
    before, verdict, payload = _asked(ran), builder.get_by_role("status").first, _control(builder, "payload")
    assert verdict.inner_text().strip() == "✓ Legal as a client's first frame."
    _bit(builder, 1).click()
    assert verdict.inner_text().startswith("✗ Must be refused: RSV1 at byte 0: RSV1 is 1 and no extension")
    assert verdict.locator("a").get_attribute("href") == "https://www.rfc-editor.org/rfc/rfc6455#section-5.2"
    assert _missing(builder.locator(".wsedu-bit-said"), "RSV1 is 1 and no extension") == []
    # Tab to the bits: one of them can be reached, the last that was.
    _button(builder, "Copy Python").focus()
    _press(ran, "Tab")
    assert _focused(ran, "node.dataset.bit") == "1"
    _press(ran, "Space")
    assert "Legal" in verdict.inner_text() and _focused(ran, "node.getAttribute('aria-label')").startswith("0, RSV1")
    # Beneath the first word lie 21 3d, the rest of the key, and the letters H and e, with 37 and fa under them.
    _press(ran, "Home", "ArrowDown", *["ArrowRight"] * 23, "Enter")
    assert _missing(builder.locator(".wsedu-bit-said"), "XOR 37 of the key is 49, the letter I") == []
    assert payload.input_value() == "Iello"
    _press(ran, "4", "1")  # the byte is typed: what is sent is 41, so what is said is 41 XOR 37
    assert _hex(builder).startswith("81 85 37 fa 21 3d 41") and "vello" in payload.input_value()
    assert _focused(ran, "node.dataset.byte") == "7"
    assert _asked(ran) == before


def test_mask_and_key_change_what_is_sent_and_not_what_is_said(ran: NotebookPage, builder: Any) -> None:
    payload, form = _control(builder, "payload"), _control(builder, "as")
    _button(builder, "New random key").click()
    assert not _hex(builder).startswith("81 85 37 fa 21 3d") and payload.input_value() == "Hello"
    _bit(builder, 8).click()
    assert _hex(builder) == "81 05 48 65 6c 6c 6f" and _missing(builder, "a client must mask") == []
    _bit(builder, 8).click()
    form.select_option("hex")
    assert payload.input_value() == "48 65 6c 6c 6f"
    payload.fill("c3 a")
    verdict, size = builder.locator(".wsedu-verdict"), builder.get_by_label("payload length in bytes")
    _button(builder, "Copy hex").click()  # which says something as well
    assert _missing(verdict, "two digits") == [] and _missing(verdict, "Legal") == ["Legal"]
    size.fill("")
    assert _missing(verdict, "payload length is a number") == []
    size.blur()  # it gives way to the length
    assert _missing(verdict, "Legal") == [] and payload.input_value() == "48 65 6c 6c 6f"
    payload.fill("c3")
    assert _missing(builder, "the text is not UTF-8", "status code 1007") == []
    form.select_option("text")
    assert payload.input_value() == "c3" and _missing(builder, "it is shown as hex") == []
    payload.fill("c3 a9")
    form.select_option("text")
    assert payload.input_value() == "é"


@pytest.mark.slow
def test_the_payload_length_goes_over_its_borders(ran: NotebookPage, builder: Any) -> None:
    sizes = list[tuple[str, str]]()
    slider, key = _control(builder, "payload length"), builder.locator("[data-byte][aria-label*=key]").first
    _press(ran, "Home", on=slider)
    while (said := slider.get_attribute("aria-valuetext")) != "70,000 bytes":
        sizes += [(said, at) for at in re.findall(r"byte (\d+): masking key", str(key.get_attribute("aria-label")))]
        _press(ran, "ArrowRight")
    borders = {("125 bytes", "2"), ("126 bytes", "4"), ("65,535 bytes", "4"), ("65,536 bytes", "10")}
    assert borders <= set(sizes)
    # What is announced is more than is sent, once a high bit of the 64 is set; the topmost must be 0.
    _bit(builder, 8 * 4 + 7).click()
    assert _missing(builder, "are announced, and 70,000 are sent") == []
    _bit(builder, 16).click()
    assert _missing(builder, "the most significant bit of a 64-bit payload length is set") == []
    builder.get_by_label("payload length in bytes").fill("5")
    _control(builder, "in").select_option("64 bits")
    assert _missing(builder, "64 bits; 16 bits hold it") == []
    _control(builder, "in").select_option("the shortest form")
    assert _missing(builder, "Legal") == [] and _hex(builder) == "81 85 37 fa 21 3d 7f 9f 4d 51 58"


def test_what_was_sent_is_a_card_that_says_when_it_is_of_the_past(ran: NotebookPage, builder: Any) -> None:
    cards, send = builder.locator(".wsedu-card"), _button(builder, "Send it")
    _bit(builder, 8).click()
    _press(ran, "Enter", on=send)
    for words in ("closed: status code 1002", "answered with a Text frame"):  # one is stricter than the other
        cards.first.get_by_text(words).wait_for()
    assert _focused(ran, "node.textContent") == "Send it", "the focus stays"
    # A stored picture within a widget, and beside one, keeps its own looks.
    assert cards.first.locator("pre span").first.evaluate("node => getComputedStyle(node).display") == "inline"
    assert _missing(cards.first, "81 05 48 65 6c 6c 6f (as it stands above)") == []
    _bit(builder, 8).click()
    assert _missing(builder.get_by_role("status").first, "Legal") == []
    assert _missing(cards.first, "(earlier: not what stands above)", "✗ Must be refused") == []
    send.click()
    cards.first.locator("text=Tornado: >> xpath=.. >> text=answered").wait_for()
    assert cards.count() == 2 and "wsedu-past" in str(cards.nth(1).get_attribute("class"))
    _button(cards.nth(1), "Take it up again").click()
    assert _hex(builder) == "81 05 48 65 6c 6c 6f" and _missing(cards.nth(1), "(as it stands above)") == []


HEIGHTS = f"node => [node, ...node.querySelectorAll('.wsedu-explorer > *')].map({HEIGHT})"


def test_nothing_moves_whatever_is_done(ran: NotebookPage, builder: Any) -> None:
    size, before = builder.get_by_label("payload length in bytes"), builder.evaluate(HEIGHTS)
    acts: tuple[Callable[[], Any], ...] = (
        lambda: _bit(builder, 1).click(),
        lambda: size.fill("66000"),
        lambda: size.fill("0"),
        lambda: _button(builder, "Send it").click(),
        lambda: builder.locator(".wsedu-card").first.get_by_text(re.compile("closed|answered")).first.wait_for(),
        lambda: _control(builder, "opcode").select_option("8 Close"),
        lambda: _button(builder, "Copy hex").click(),
    )
    for act in acts:
        act()
        assert builder.evaluate(HEIGHTS) == before
    bench = _output(ran, "bench")
    before = bench.evaluate(HEIGHTS)
    for spoiled in ("no Host", "no Sec-WebSocket-Key", "version 8", "nothing"):
        _control(bench, "break").select_option(spoiled)
        bench.get_by_text(re.compile("Must be refused|An opening handshake")).wait_for()
        _button(bench, "Send it").click()
        assert bench.evaluate(HEIGHTS) == before


ORACLE = """async ([source, rules, frames]) => {
    const {judge, FrameInHand} = await import(URL.createObjectURL(new Blob([source], {type: 'text/javascript'})));
    return frames.map(frame => {
        const bytes = Uint8Array.from(atob(frame), one => one.charCodeAt(0));
        const {refused, whole, fragment} = judge(bytes, rules);
        return [refused ?? [whole, fragment], btoa(String.fromCharCode(...new FrameInHand(bytes).bytes))];
    });
}"""  # in Base64, since playwright takes seconds for lists of so many numbers


def _random_frame(rng: Random) -> bytes:
    texts = ("", "Hello", "é€😀" * rng.randrange(9), "x" * rng.choice((125, 126, 127, 300)))
    payload = rng.choice([*map(str.encode, texts), rng.randbytes(rng.randrange(4)), "é😀".encode()[: rng.randrange(7)]])
    if rng.random() < 0.4:
        payload = rng.choice((999, 1000, 1004, 1011, 1015, 2999, 3000, 4999, 5000, 65_535)).to_bytes(2) + payload
    fin, *rsv = (rng.random() < share for share in (0.8, 0.1, 0.1, 0.1))
    key = rng.randbytes(4) if rng.random() < 0.9 else None
    opcode = rng.choice((1, 1, 2, 8, 8, 8, 9, 10, rng.randrange(16)))
    form: Any = rng.choice([one for one in (None, None, None, 16, 64) if len(payload) < 65_536 or one != 16])
    return wsedu.Frame(opcode, payload, fin, rsv[0], rsv[1], rsv[2], key).serialize(length_form=form)


def test_the_browser_judges_as_the_protocol_does(ran: NotebookPage) -> None:
    """Its verdicts, and the bytes that it makes, against those of Python, for frames of every kind."""
    rng = Random(11)
    frames = [_random_frame(rng) for _ in range(600)]
    seconds, lengths = (5, 0x80, 0x81, 0xFE, 0xFF), (0, 65_535, 65_536, 2**63 - 1, 2**63, 2**64 - 1)
    frames += [bytes([first, second, *bytes(12)]) for first in range(0, 256, 3) for second in seconds]
    frames += [bytes([0x82, 0xFF]) + length.to_bytes(8) + bytes(9) for length in lengths]
    found = ran.page.evaluate(
        ORACLE, [str(FrameBuilder._esm), rules_as_data(), [b64encode(one).decode() for one in frames]]
    )
    kinds = set()
    for frame, (said, made) in zip(frames, found, strict=True):
        assembler = wsedu.MessageAssembler("client")
        assembler.receive_data(frame)
        try:
            event = assembler.next_event()
        except wsedu.ProtocolError as error:
            expected: Any = vars(error)
        else:
            fin = bool(frame[0] & 0x80)
            expected = [event is not None or (not fin and said[0]), not fin]
        assert said == expected, frame.hex()
        kinds.add(str(expected))
        with suppress(wsedu.NeedMoreData, wsedu.ProtocolError):
            whole = wsedu.Frame.parse(frame, strict=False)[1]
            assert b64decode(made) == frame[:whole]
    assert len(kinds) > 50, "frames of many kinds"


def test_a_handshake_is_spoiled_and_really_sent(ran: NotebookPage) -> None:
    output = _output(ran, "bench")
    card, lines = output.locator(".wsedu-card").first, output.locator("textarea")
    _button(output, "Reset").click()
    output.get_by_text("✓ An opening handshake").wait_for()
    steps = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", "b3 7a 4f 2c", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert _missing(output, *steps) == []
    _button(output, "Send it").click()
    output.get_by_text("A WebSocket from here on").first.wait_for()
    lines.fill(lines.input_value().replace("Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 8"))
    output.get_by_text("Must be refused").wait_for()
    assert _missing(card, "(earlier: not what stands above)") == []
    _press(ran, "Enter", on=_button(output, "Send it"))
    card.get_by_text("No WebSocket").wait_for()
    assert "426" in card.inner_text() or "400" in card.inner_text()
    _control(output, "break").select_option("no Sec-WebSocket-Key")
    output.get_by_text("there is no accept value").wait_for()
    assert "Sec-WebSocket-Key" not in lines.input_value() and _missing(output, "RFC 6455") == []


KERNEL = "jupyterapp.shell.currentWidget.sessionContext.session.kernel"


@pytest.mark.slow
def test_a_kernel_that_is_busy_or_was_restarted_is_told(lab: LabBrowser, tmp_path: Path) -> None:
    with lab.open("restarted.ipynb") as notebook:
        assert notebook.run_all() == []
        builder, bench = _output(notebook, "builder"), _output(notebook, "bench")
        free = tmp_path / "free"
        code = f"import pathlib, time\nwhile not pathlib.Path({str(free)!r}).exists(): time.sleep(0.05)"
        notebook.page.evaluate(f"code => void {KERNEL}.requestExecute({{code}})", code)
        _control(bench, "break").select_option("version 8")
        _button(builder, "Send it").click()
        for widget in (builder, bench):
            widget.get_by_text("the kernel is busy").wait_for()
        assert "✓" not in bench.inner_text(), "a verdict that was of another request"
        free.touch()
        builder.get_by_text("answered with a Text frame").first.wait_for()
        bench.get_by_text("Must be refused").wait_for()
        assert "the kernel is busy" not in builder.inner_text() + bench.inner_text()
        notebook.page.evaluate(f"async () => {{ await {KERNEL}.restart() }}")
        for widget in (builder, bench):
            widget.get_by_text("The kernel was restarted: run this cell again.").first.wait_for()
        _bit(builder, 1).click()
        assert _missing(builder.get_by_role("status").first, "✗") == [], "bits and verdict go on"
        _button(builder, "Send it").click()
        assert _missing(builder.locator(".wsedu-card").first, "run this cell again") == []
        ladder, race, slider = (_output(notebook, cell) for cell in ("ladder", "race", "slider"))
        _button(race, "Start").click()
        ladder.get_by_role("treeitem").first.click()
        _press(notebook, "ArrowRight", on=slider.get_by_label("clients"))
        for widget in (race, ladder, slider):
            widget.get_by_text("was restarted").wait_for()


def test_a_message_of_the_ladder_opens_with_its_packets(ran: NotebookPage) -> None:
    output = _output(ran, "ladder")
    opened, fifth = output.locator(".wsedu-opened"), output.get_by_role("treeitem").nth(4)
    first, second = opened.locator(".wsedu-pane").nth(0), opened.locator(".wsedu-pane").nth(1)
    _press(ran, "Home", "ArrowDown", "ArrowDown", "Enter", on=output.get_by_role("tree").first)
    opened.get_by_text("message 3 of 40, from the client").wait_for()
    assert _focused(ran, "node.classList.contains('wsedu-bytes')")
    assert opened.locator(".wsedu-pane").count() == 1
    _press(ran, "Enter", on=_button(opened, re.compile(r"^packet \d+, 0\.\d{3} s, 77 bytes$")))
    second.wait_for()
    # The message and its packet follow each other, and FIN is that of the frame, not that of TCP.
    before = _asked(ran)
    _press(ran, "End", on=first.locator(".wsedu-bytes"))
    assert _said(second).startswith("Text frame › payload = Hello")
    for field in ("FIN, RSV1", re.compile(r"^\s*FIN 1")):
        first.get_by_role("treeitem").filter(has_text=field).hover()
    assert _said(second).startswith("Text frame › FIN")
    _press(ran, "Escape")
    assert opened.inner_text().startswith("Here a message opens") and _focused(ran, ROLE) == "tree"
    fifth.hover()
    assert _asked(ran) == before, "hovering asks the kernel nothing"
    fifth.click()
    output.get_by_text("message 5 of 40, from the client").wait_for()
    _button(output, "Close").click()
    assert opened.inner_text().startswith("Here a message opens")


def test_what_repeats_itself_unfolds_and_nothing_moves(ran: NotebookPage) -> None:
    output = _output(ran, "folded")
    explorer, rows = output.locator(".wsedu-explorer"), output.get_by_role("tree").first
    fold = output.get_by_role("treeitem").filter(has_text="more pairs like these").first
    before = explorer.evaluate(HEIGHT)
    for expanded in ("true", "false"):
        fold.click()
        assert (fold.get_attribute("aria-expanded"), explorer.evaluate(HEIGHT)) == (expanded, before)
    first = output.get_by_role("treeitem").first
    place = first.bounding_box()
    _open_message_and_packet(output)
    output.get_by_text("message 1 of").wait_for()
    assert explorer.evaluate(HEIGHT) == before and first.bounding_box() == place
    _button(output, "Close").click()
    assert explorer.evaluate(HEIGHT) == before
    # At the end of the rows the wheel moves the page.
    fold.click()
    scroller = ran.page.locator(SCROLLER)
    _press(ran, "End", on=rows)
    rows.hover()
    top = scroller.evaluate("node => node.scrollTop")
    for _ in range(3):
        ran.page.mouse.wheel(0, 40)
    ran.page.wait_for_function("([node, top]) => node.scrollTop > top", arg=[scroller.element_handle(), top])
    _press(ran, "Home", "ArrowDown", "ArrowDown", on=rows)
    for key, expanded in (("ArrowLeft", "false"), ("Enter", "true")):
        _press(ran, key)
        assert fold.get_attribute("aria-expanded") == expanded
    _press(ran, "ArrowDown", "Enter")
    output.get_by_text("message 3 of").wait_for()
    assert _missing(output.locator(".wsedu-opened"), "modelled by the relay") == []
    _press(ran, "Escape", "ArrowLeft")
    assert fold.get_attribute("aria-expanded") == "false"


def _open_message_and_packet(output: Any) -> None:
    """Of a ladder the first message, and the first of its packets."""
    output.get_by_role("treeitem").first.click()
    _button(output, re.compile("^packet")).first.click()
    output.locator(".wsedu-pane").nth(1).wait_for()


@pytest.mark.parametrize(("cell", "name"), [("ladder", "Close"), ("to scale", "Play")])
def test_keys_that_go_far_leave_the_page_where_it_is(ran: NotebookPage, cell: str, name: str) -> None:
    output, scroller, top = _output(ran, cell), ran.page.locator(SCROLLER), "node => node.scrollTop"
    if cell == "ladder":
        output.get_by_role("treeitem").first.click()
    _button(output, name).focus()
    before = scroller.evaluate(top)
    _press(ran, "End", "PageDown", "PageDown")
    ran.page.wait_for_timeout(200)  # a page scrolls smoothly, if it does
    assert scroller.evaluate(top) == before


def test_the_play_head_by_keyboard_and_by_pointer(ran: NotebookPage) -> None:
    output, before = _output(ran, "to scale"), _asked(ran)
    head, rows = output.get_by_label("play-head"), output.get_by_role("row")
    counted = [["bytes", "9,792", "2,478"], ["packets", "40", "24"], ["messages", "22", "10"], ["updates", "6", "6"]]
    assert [rows.nth(i).inner_text().split() for i in (2, 3, 4, 5)] == counted
    _press(ran, "Home", on=head)
    assert rows.nth(2).inner_text().split() == ["bytes", "74", "74"]
    _press(ran, "End", "PageDown", "ArrowRight")
    assert 0.5 < float(head.input_value()) < 2
    box: Any = rows.nth(1).bounding_box()
    x, top = box["x"] + box["width"] / 2, box["y"] + 10
    ran.page.mouse.move(x, top)
    ran.page.mouse.down()
    at = []
    for step in range(1, 4):
        ran.page.mouse.move(x, top + 60 * step)
        at.append((float(head.input_value()), int(rows.nth(2).inner_text().split()[1].replace(",", ""))))
    ran.page.mouse.up()
    assert at == sorted(at) and at[0][1] < at[2][1] < 9_792
    assert "polling" in head.get_attribute("aria-valuetext")
    _button(output, "Play").click()
    _button(output, "Pause").wait_for()
    _button(output, "Play").wait_for()
    assert rows.nth(2).inner_text().split() == counted[0]
    assert _asked(ran) == before, "a play-head asks the kernel nothing"


def test_of_ten_thousand_messages_only_what_is_seen_is_drawn_and_sent(ran: NotebookPage) -> None:
    output = _output(ran, "long")
    rows = output.get_by_role("tree").first
    asked = '() => window.asked.filter(text => text.includes("\\"messages\\"")).length'
    before = ran.page.evaluate(asked)
    assert rows.get_by_role("treeitem").count() < 30
    _press(ran, "End", on=rows)
    last = rows.get_by_role("treeitem").last
    last.get_by_text("Close").wait_for()
    assert last.get_attribute("aria-posinset") == last.get_attribute("aria-setsize") == "10000"
    assert rows.get_by_role("treeitem").count() < 30
    assert 1 <= ran.page.evaluate(asked) - before <= 2
    _press(ran, "Enter")
    output.get_by_text("message 10,000 of 10,000").wait_for()


def test_the_race_runs_locks_and_leaves_a_ghost(ran: NotebookPage) -> None:
    output = _output(ran, "race")
    root, axis, state = (output.locator(f".wsedu-{name}") for name in ("race", "axis", "state"))
    updates, button = _control(output, "updates"), _button(output, re.compile("Start|Stop"))
    height = root.bounding_box()["height"]
    updates.fill("2000")
    output.get_by_label("updates a second").fill("50")
    for _ in range(2):
        _press(ran, "Enter", on=button)
        state.get_by_text("Running:").wait_for()
        assert updates.is_disabled()
        row = output.get_by_role("row").filter(has_text="websocket")
        moved = "([row, early]) => row.innerText !== early"
        ran.page.wait_for_function(moved, arg=[row.element_handle(), row.inner_text()])
        ends = axis.inner_text()
        assert button.inner_text() == "Stop" and root.bounding_box()["height"] == height
        _press(ran, "Enter")
        state.get_by_text("Stopped:").wait_for()
        assert button.inner_text() == "Start" and _focused(ran, "node.textContent") == "Start", "the focus stays"
        assert axis.inner_text() == ends, "the axis stays"
    assert _missing(output.locator(".wsedu-before"), "2,000 updates of 27 bytes, 50 a second") == []
    assert root.bounding_box()["height"] == height and updates.is_enabled()


def test_the_slider_by_keyboard_and_by_mouse(ran: NotebookPage) -> None:
    output = _output(ran, "slider")
    assert _missing(output, "updates 1 a second") == []
    rate = output.get_by_label("updates a second")
    _press(ran, "ArrowRight", on=rate)
    output.get_by_text("updates 2 a second").wait_for()
    assert rate.get_attribute("aria-valuetext") == "2"
    box: Any = output.get_by_label("clients").bounding_box()
    ran.page.mouse.click(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
    output.get_by_text("Clients 10,000,000").wait_for()
    assert "websocket: from" in output.locator("img").get_attribute("alt")
    _press(ran, "End", on=output.get_by_label("request head"))
    output.get_by_text("Nothing was measured").wait_for()


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1366, 1280, 600])
def test_everyone_can_use_them(lab: LabBrowser, theme: Any, width: int, tmp_path: Path) -> None:
    script = axe_core()
    with lab.open("widgets.ipynb", theme=theme, width=width) as notebook:
        assert notebook.run_all() == []
        for cell in ("ladder", "folded"):
            _open_message_and_packet(_output(notebook, cell))
        for cell in ("builder", "bench"):
            output = _output(notebook, cell)
            _button(output, "Send it").click()
            output.get_by_text(re.compile("answered|from here on")).first.wait_for()
        race = _output(notebook, "race")
        race.get_by_label("updates a second").fill("50")
        _button(race, "Start").click()
        race.get_by_text("Finished:").wait_for()
        notebook.photograph(screenshots(tmp_path), f"widgets-{theme}-{width}")
        assert notebook.faults() == []
        assert notebook.axe(script) == []
