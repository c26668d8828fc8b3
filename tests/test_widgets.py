# SPDX-License-Identifier: GPL-2.0-or-later
"""What a reader can touch: by mouse, by keyboard, in a real Chromium, with real servers behind the buttons.

All of it in a light page, and in ``make test-all`` in a dark one and in a narrow one as well.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hostile import HOSTILE, write_capture
from lab_browser import LabBrowser, NotebookPage, axe_core, lab_browser, screenshots, write_notebook

ROOT = Path(__file__).resolve().parent.parent
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
    "race": "delivery_race()",
    "slider": "cost_slider()",
    "both": """
polled, pushed = (wsedu.read(f"data/chromium-{way}.pcap").conversations[1] for way in ("longpoll", "websocket"))
wsedu.touch(polled.messages[1], pushed.messages[2])""",
}

# What the page asks the kernel of widgets, counted from here on.
COUNT = """() => {
    const send = WebSocket.prototype.send;
    window.asked = [];
    WebSocket.prototype.send = function (data) {
        const text = typeof data === 'string' ? data : new TextDecoder('latin1').decode(data);
        if (text.includes('"comm_msg"')) window.asked.push(text);
        return send.call(this, data);
    };
}"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabBrowser]:
    root = tmp_path_factory.mktemp("widgets")
    write_notebook(root / "widgets.ipynb", CELLS.values())
    shutil.copytree(ROOT / "data", root / "data")
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


def _focused(notebook: NotebookPage, what: str) -> Any:
    return notebook.page.evaluate(f"() => {{ const node = document.activeElement; return {what} }}")


ROLE = "node.getAttribute('role')"


def test_nothing_is_seen_twice(ran: NotebookPage) -> None:
    """Each byte map and each ladder has a picture of itself before it, which is hidden while the widget runs."""
    for cell, source in CELLS.items():
        if "touch(" in source:
            _output(ran, cell).locator(".wsedu-explorer").wait_for()
            twin = ran.page.locator(f".jp-Cell[data-windowed-list-index='{list(CELLS).index(cell)}'] .wsedu-twin")
            assert twin.count() == 1 and twin.inner_text() and not twin.is_visible(), cell
            # The widgets' styles leave alone the bytes of pictures, which every page has.
            assert twin.locator("pre span").evaluate_all("all => all.every(e => getComputedStyle(e).width == 'auto')")


def test_arrows_home_end_and_enter_go_through_the_bytes(ran: NotebookPage) -> None:
    output = _output(ran, "map")
    before = _asked(ran)
    _press(ran, "Home", on=output.locator(".wsedu-bytes"))
    for words in (
        "FIN, RSV1, RSV2, RSV3, opcode",
        "1000 0001",
        "FIN = 1 (the last fragment of its message); RSV1, RSV2, RSV3 = 0",
        "opcode = 1 (Text, a data frame) (RFC 6455, 5.2)",
    ):
        assert words in _said(output)
    _press(ran, "ArrowRight", "ArrowRight")
    assert "masking key" in _said(output) and "RFC 6455, 5.3" in _said(output)
    _press(ran, "End")
    assert _said(output).startswith("payload = Hello") and "byte 10: 58" in _said(output)
    assert output.locator(".wsedu-hex .wsedu-lit").count() == 5
    _press(ran, "Enter")
    assert _focused(ran, ROLE) == "tree"
    assert _asked(ran) == before, "moving within a map asks the kernel nothing"


def test_focus_is_seen(ran: NotebookPage) -> None:
    _output(ran, "map").locator(".wsedu-bytes").focus()
    for role in ("group", None, "tree"):  # by Tab from the bytes to the link to the RFC, and to the fields
        assert _focused(ran, ROLE) == role and _focused(ran, "getComputedStyle(node).outlineStyle") != "none"
        _press(ran, "Tab")


def test_fields_open_to_their_bits_and_light_up_their_bytes(ran: NotebookPage) -> None:
    output = _output(ran, "map")
    tree, first = output.get_by_role("tree"), output.get_by_role("treeitem").first
    _press(ran, "Home", on=tree)
    if first.get_attribute("aria-expanded") == "false":
        _press(ran, "ArrowRight")
    _press(ran, "ArrowRight")
    assert "opcode › FIN = 1" in _said(output) and "1··· ····" in _said(output)
    for keys, expanded in ((("ArrowLeft", "ArrowLeft"), "false"), (("Enter",), "true")):
        _press(ran, *keys)
        assert first.get_attribute("aria-expanded") == expanded
    # Those who listen are told which row is the current one.
    row = tree.get_attribute("aria-activedescendant")
    assert output.locator(f"[id='{row}']").get_attribute("aria-selected") == "true"


def test_the_pointer_does_the_same(ran: NotebookPage) -> None:
    output = _output(ran, "map")
    before = _asked(ran)
    output.locator(".wsedu-hex [data-at='3']").hover()
    assert _said(output).startswith("masking key")
    output.get_by_role("treeitem").filter(has_text="payload").last.hover()
    assert output.locator(".wsedu-hex .wsedu-lit").count() == 5
    output.get_by_role("treeitem").first.click()
    assert output.get_by_role("treeitem").first.get_attribute("aria-expanded") == "false"
    assert _asked(ran) == before, "hovering asks the kernel nothing"


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
    """Bytes, sentence and fields, on a page that is 768 pixels high."""
    for pane in _output(ran, cell).locator(".wsedu-pane").all():
        assert pane.bounding_box()["height"] <= 560


def test_bytes_are_copied_as_hex_as_text_and_as_python(ran: NotebookPage) -> None:
    output = _output(ran, "map")
    # As on a page that came over plain HTTP, which may not write to the clipboard by itself.
    ran.page.evaluate("""() => { navigator.clipboard.writeText = () => Promise.reject();
        document.addEventListener('copy', () => { window.copied = document.activeElement.value }) }""")
    output.locator(".wsedu-hex [data-at='3']").click()
    for name, copied in (("hex", "37 fa 21 3d"), ("text", "7\ufffd!="), ("Python", 'bytes.fromhex("37 fa 21 3d")')):
        output.get_by_role("button", name=name).click()
        output.get_by_text(f"copied 4 bytes as {name}").wait_for(state="attached")
        assert ran.page.evaluate("() => window.copied") == copied
    assert _focused(ran, "node.textContent") == "Python", "the focus stays"


def test_keys_stay_in_the_widget(ran: NotebookPage) -> None:
    """In JupyterLab d d deletes the cell, b inserts one, m makes it prose: not what is typed into a widget."""
    before = [cell["cell_type"] for cell in ran.cells]
    for cell in ("map", "ladder"):
        output = _output(ran, cell)
        _press(ran, *"ddbamyxXzjk", on=output.locator(".wsedu-bytes, .wsedu-rows").first)
    _press(ran, *"ddbamx", on=_output(ran, "map").get_by_role("button", name="hex"))
    assert [cell["cell_type"] for cell in ran.cells] == before


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


@pytest.mark.parametrize(
    ("cell", "here", "there", "at", "back"),
    [
        ("pair", "payload = Hello", "payload = Hello", 0, "FIN, RSV1, RSV2, RSV3, opcode"),
        ("both", "content", "payload", 2, "content"),
    ],
)
def test_two_maps_follow_each_other(ran: NotebookPage, cell: str, here: str, there: str, at: int, back: str) -> None:
    """What HTTP carries is its content, and what a frame carries its payload."""
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


@pytest.mark.parametrize("cell", ["map", "pair", "large", "packet", "both"])
def test_a_row_has_as_many_bytes_as_there_is_room_for(ran: NotebookPage, cell: str) -> None:
    """Bytes and their text are seen without scrolling sideways, alone and side by side, on a wide page and a narrow."""
    for grid in _output(ran, cell).locator(".wsedu-bytes").all():
        assert grid.evaluate("node => node.scrollWidth - node.clientWidth") <= 0


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
    items.filter(has_text="CWR, ECE, URG").first.click()
    items.filter(has_text=re.compile(r"^\s*PSH")).hover()
    assert _said(output).startswith("TCP › CWR, ECE, URG, ACK, PSH, RST, SYN, FIN › PSH = 1")
    _press(ran, "End", on=tree)
    while "FIN, RSV1" not in _said(output):
        _press(ran, "ArrowUp")
    _press(ran, "ArrowRight", "ArrowRight")
    assert _said(output).startswith("Text frame › FIN, RSV1, RSV2, RSV3, opcode › FIN = 1")
    assert "RFC 6455, 5.2" in _said(output) and "1··· ····" in _said(output)


def test_bytes_from_outside_are_text(ran: NotebookPage) -> None:
    output = _output(ran, "hostile")
    assert "<script>window.pwned" in output.inner_text()
    assert output.locator("script, img").count() == 0
    output = _output(ran, "hostile ladder")
    output.get_by_role("treeitem").first.click()
    output.locator(".wsedu-opened .wsedu-bytes").wait_for()
    assert any(text[:20] in output.inner_text() for text in HOSTILE)
    assert output.locator("script, img").count() == 0


def test_a_frame_is_built_and_really_sent(ran: NotebookPage) -> None:
    output = _output(ran, "builder")
    assert "Legal" in output.inner_text() and "81 85" in output.inner_text()
    before = _asked(ran)
    output.get_by_label("MASK", exact=True).uncheck()
    output.get_by_text("a client must mask").wait_for()
    assert "RFC 6455, 5.1" in output.inner_text()
    assert _asked(ran) > before  # the counter counts
    _press(ran, "Enter", on=output.get_by_role("button", name="Send it"))
    # They differ in strictness: one refuses, the other answers.
    output.get_by_text("closed: status code 1002").wait_for()
    output.get_by_text("answered with a Text frame").wait_for()
    assert _focused(ran, "node.textContent") == "Send it", "the focus stays"


def test_the_diagram_changes_as_one_types(ran: NotebookPage) -> None:
    output = _output(ran, "builder")
    output.get_by_label("MASK", exact=True).check()
    output.get_by_label("payload", exact=True).fill("")
    output.get_by_label("payload", exact=True).press_sequentially("Hi")
    diagram = output.get_by_role("table").filter(has_text="32 bits a row")
    diagram.get_by_text("0000010").wait_for()  # the payload length
    _press(ran, "Space", on=output.get_by_label("RSV3"))
    output.get_by_text("RSV3 is 1").first.wait_for()
    output.get_by_label("RSV3").uncheck()
    output.get_by_label("payload as").select_option("hex")
    output.get_by_text("the payload is not hex").wait_for()
    output.get_by_label("payload", exact=True).fill("c3 a9")
    output.get_by_text("Legal").wait_for()
    output.get_by_role("button", name="Send it").click()
    output.locator("text=websockets: >> xpath=.. >> text=answered").wait_for()
    output.locator("text=Tornado: >> xpath=.. >> text=answered").wait_for()


def test_a_handshake_is_spoiled_and_really_sent(ran: NotebookPage) -> None:
    output = _output(ran, "bench")
    for step in ("258EAFA5-E914-47DA-95CA-C5AB0DC85B11", "b3 7a 4f 2c", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="):
        assert step in output.inner_text()
    output.get_by_role("button", name="Send it").click()
    output.get_by_text("A WebSocket from here on").wait_for()
    lines = output.locator("textarea")
    lines.fill(lines.input_value().replace("Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 8"))
    output.get_by_text("Must be refused").wait_for()
    _press(ran, "Enter", on=output.get_by_role("button", name="Send it"))
    output.get_by_text("No WebSocket").wait_for()
    assert "426" in output.inner_text() or "400" in output.inner_text()
    output.get_by_label("break").select_option("no Sec-WebSocket-Key")
    output.get_by_text("there is no accept value").wait_for()
    assert "Sec-WebSocket-Key" not in lines.input_value() and "RFC 6455" in output.inner_text()


def test_a_message_of_the_ladder_opens_with_its_packets(ran: NotebookPage) -> None:
    output = _output(ran, "ladder")
    rows = output.get_by_role("tree").first
    _press(ran, "Home", "ArrowDown", "ArrowDown", "Enter", on=rows)
    opened = output.locator(".wsedu-opened")
    opened.get_by_text("message 3 of 40, from the client").wait_for()
    assert _focused(ran, "node.classList.contains('wsedu-bytes')")
    assert opened.locator(".wsedu-pane").count() == 1
    packet = opened.get_by_role("button", name=re.compile(r"^packet \d+, 0\.\d{3} s, 77 bytes$"))
    _press(ran, "Enter", on=packet)
    opened.locator(".wsedu-pane").nth(1).wait_for()
    # The message and its packet follow each other, and FIN is that of the frame, not that of TCP.
    first, second = opened.locator(".wsedu-pane").nth(0), opened.locator(".wsedu-pane").nth(1)
    first.locator(".wsedu-bytes").focus()
    before = _asked(ran)
    _press(ran, "End")
    assert _said(second).startswith("Text frame › payload = Hello")
    first.get_by_role("treeitem").filter(has_text="FIN, RSV1").hover()
    first.get_by_role("treeitem").filter(has_text=re.compile(r"^\s*FIN 1")).hover()
    assert _said(second).startswith("Text frame › FIN")
    assert _asked(ran) == before, "hovering asks the kernel nothing"
    _press(ran, "Escape")
    assert opened.inner_text() == ""
    assert _focused(ran, ROLE) == "tree"
    output.get_by_role("treeitem").nth(4).hover()
    assert _asked(ran) == before, "hovering asks the kernel nothing"
    output.get_by_role("treeitem").nth(4).click()
    output.get_by_text("message 5 of 40, from the client").wait_for()
    output.get_by_role("button", name="Close").click()
    assert output.locator(".wsedu-opened").inner_text() == ""


def test_what_repeats_itself_is_folded_and_unfolds(ran: NotebookPage) -> None:
    output = _output(ran, "folded")
    rows = output.get_by_role("tree").first
    fold = output.get_by_role("treeitem").filter(has_text="more pairs like these").first
    assert fold.get_attribute("aria-expanded") == "false"
    _press(ran, "Home", "ArrowDown", "ArrowDown", "Enter", on=rows)
    assert fold.get_attribute("aria-expanded") == "true"
    _press(ran, "ArrowDown", "Enter")
    output.get_by_text("message 3 of").wait_for()
    assert "modelled by the relay" in output.locator(".wsedu-opened").inner_text()
    _press(ran, "Escape", "ArrowLeft")
    assert fold.get_attribute("aria-expanded") == "false"
    fold.click()
    assert fold.get_attribute("aria-expanded") == "true"


def test_of_ten_thousand_messages_only_what_is_seen_is_drawn_and_sent(ran: NotebookPage) -> None:
    output = _output(ran, "long")
    rows = output.get_by_role("tree").first
    asked = '() => window.asked.filter(text => text.includes("\\"messages\\"")).length'
    before = ran.page.evaluate(asked)
    assert output.get_by_role("treeitem").count() < 30
    _press(ran, "End", on=rows)
    last = output.get_by_role("treeitem").last
    last.get_by_text("Close").wait_for()
    assert last.get_attribute("aria-posinset") == last.get_attribute("aria-setsize") == "10000"
    assert output.get_by_role("treeitem").count() < 30
    assert 1 <= ran.page.evaluate(asked) - before <= 2
    _press(ran, "Enter")
    output.get_by_text("message 10,000 of 10,000").wait_for()


def test_the_race_runs_and_stops(ran: NotebookPage) -> None:
    output = _output(ran, "race")
    output.get_by_label("updates", exact=True).fill("2000")
    output.get_by_label("updates a second").fill("50")
    _press(ran, "Tab")  # a field counts when it is left
    button = output.get_by_role("button", name=re.compile("Start|Stop"))
    _press(ran, "Enter", on=button)
    output.get_by_text("Running").wait_for()
    received = output.get_by_role("row").filter(has_text="websocket").first
    early = received.inner_text()
    ran.page.wait_for_function(
        "([row, early]) => row.isConnected === false || row.innerText !== early", arg=[received.element_handle(), early]
    )
    assert "modelled" in output.inner_text() and button.inner_text() == "Stop"
    _press(ran, "Enter")
    output.get_by_text("Stopped").wait_for()
    assert button.inner_text() == "Start" and _focused(ran, "node.textContent") == "Start", "the focus stays"


def test_the_slider_by_keyboard_and_by_mouse(ran: NotebookPage) -> None:
    output = _output(ran, "slider")
    assert "updates 1 a second" in output.inner_text()
    rate = output.get_by_label("updates a second")
    _press(ran, "ArrowRight", on=rate)
    output.get_by_text("updates 2 a second").wait_for()
    assert rate.get_attribute("aria-valuetext") == "2"
    box = output.get_by_label("clients").bounding_box()
    assert box is not None
    ran.page.mouse.click(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
    output.get_by_text("Clients 10,000,000").wait_for()
    assert "websocket: from" in output.locator("img").get_attribute("alt")
    output.get_by_label("request head").select_option("2009")
    output.get_by_text("Nothing was measured").wait_for()


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1366, 1280, 600])
def test_everyone_can_use_them(lab: LabBrowser, theme: Any, width: int, tmp_path: Path) -> None:
    script = axe_core()
    with lab.open("widgets.ipynb", theme=theme, width=width) as notebook:
        assert notebook.run_all() == []
        for cell in ("ladder", "folded"):
            output = _output(notebook, cell)
            output.get_by_role("treeitem").first.click()
            output.get_by_role("button", name=re.compile("^packet")).first.click()
            output.locator(".wsedu-pane").nth(1).wait_for()
        for cell in ("builder", "bench"):
            _output(notebook, cell).get_by_role("button", name="Send it").click()
            _output(notebook, cell).get_by_text(re.compile("answered|from here on")).first.wait_for()
        race = _output(notebook, "race")
        race.get_by_label("updates a second").fill("50")
        notebook.page.keyboard.press("Tab")
        race.get_by_role("button", name="Start").click()
        race.get_by_text("Finished").wait_for()
        notebook.photograph(screenshots(tmp_path), f"widgets-{theme}-{width}")
        assert [fault for output in notebook.outputs() for fault in output.faults] == []
        assert notebook.axe(script) == []
