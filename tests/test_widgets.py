# SPDX-License-Identifier: GPL-2.0-or-later
"""What a reader can touch: by mouse, by keyboard, in a real Chromium, with real servers behind the buttons."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab_browser import LabBrowser, NotebookPage, axe_core, lab_browser, screenshots, write_notebook

import wsedu
from wsedu.lab import frame_builder, handshake_bench
from wsedu.show.touch import touch

ROOT = Path(__file__).resolve().parent.parent
WAIT = 15_000  # milliseconds for what takes less than one

CELLS = {
    "map": """
import wsedu
wsedu.touch(wsedu.Frame(1, b"Hello", masking_key=bytes.fromhex("37 fa 21 3d")))""",
    "pair": """
wsedu.touch(wsedu.Frame(1, b"Hello", masking_key=bytes.fromhex("37 fa 21 3d")), wsedu.Frame(1, b"Hello"))""",
    "large": "wsedu.touch(wsedu.Frame(2, bytes(65_536)))",
    "hostile": 'wsedu.touch(wsedu.Frame(1, b"<script>window.pwned = 1</script><img src=x onerror=pwned=1>"))',
    "builder": """
from wsedu.lab import frame_builder, handshake_bench
frame_builder()""",
    "bench": "handshake_bench()",
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabBrowser]:
    root = tmp_path_factory.mktemp("widgets")
    write_notebook(root / "widgets.ipynb", CELLS.values())
    shutil.copytree(ROOT / "data", root / "data")
    with lab_browser(root) as browser:
        yield browser


@pytest.fixture(scope="module")
def ran(lab: LabBrowser) -> Iterator[NotebookPage]:
    """The notebook with every widget in it, run once."""
    with lab.open("widgets.ipynb") as notebook:
        assert notebook.run_all() == []
        yield notebook
        assert notebook.console_errors == []
        assert notebook.foreign_requests == []
        assert notebook.page.evaluate("() => window.pwned") is None


def _output(notebook: NotebookPage, cell: str) -> Any:
    number = list(CELLS).index(cell)
    notebook.show_cell(number)
    return notebook.page.locator(f".jp-Cell[data-windowed-list-index='{number}'] .jp-OutputArea-output").first


def test_arrows_home_end_and_enter_go_through_the_bytes(ran: NotebookPage) -> None:
    output = _output(ran, "map")
    said, grid = output.locator(".wsedu-said"), output.locator(".wsedu-bytes")
    grid.focus()
    ran.page.keyboard.press("Home")
    assert "FIN, RSV1, RSV2, RSV3, opcode" in said.inner_text() and "1000 0001" in said.inner_text()
    for _ in range(2):
        ran.page.keyboard.press("ArrowRight")
    assert "masking key" in said.inner_text() and "RFC 6455, 5.3" in said.inner_text()
    ran.page.keyboard.press("End")
    assert said.inner_text().startswith("payload = Hello") and "byte 10: 58" in said.inner_text()
    assert output.locator(".wsedu-hex .wsedu-lit").count() == 5
    ran.page.keyboard.press("Enter")
    assert ran.page.evaluate("() => document.activeElement.getAttribute('role')") == "treeitem"


def test_fields_open_to_their_bits_and_light_up_their_bytes(ran: NotebookPage) -> None:
    output = _output(ran, "map")
    output.locator("[role=treeitem][tabindex='0']").focus()
    ran.page.keyboard.press("Home")
    ran.page.keyboard.press("ArrowRight")
    said = output.locator(".wsedu-said").inner_text()
    assert "opcode › FIN = 1" in said and "1··· ····" in said
    ran.page.keyboard.press("ArrowLeft")
    ran.page.keyboard.press("ArrowLeft")
    assert output.locator("[role=treeitem]").first.get_attribute("aria-expanded") == "false"
    ran.page.keyboard.press("Enter")
    assert output.locator("[role=treeitem]").first.get_attribute("aria-expanded") == "true"


def test_the_pointer_does_the_same(ran: NotebookPage) -> None:
    output = _output(ran, "map")
    output.locator(".wsedu-hex [data-at='3']").hover()
    assert output.locator(".wsedu-said").inner_text().startswith("masking key")
    output.locator("[role=treeitem]", has_text="payload").last.hover()
    assert output.locator(".wsedu-hex .wsedu-lit").count() == 5


def test_two_maps_follow_each_other(ran: NotebookPage) -> None:
    output = _output(ran, "pair")
    panes = output.locator(".wsedu-pane")
    assert panes.count() == 2
    panes.nth(0).locator(".wsedu-bytes").focus()
    ran.page.keyboard.press("End")
    assert panes.nth(1).locator(".wsedu-said").inner_text().startswith("payload = Hello")
    assert panes.nth(1).locator(".wsedu-hex .wsedu-lit").count() == 5


def test_only_what_is_seen_is_drawn(ran: NotebookPage) -> None:
    output = _output(ran, "large")
    grid = output.locator(".wsedu-bytes")
    assert output.locator(".wsedu-row").count() < 30
    grid.focus()
    ran.page.keyboard.press("End")
    assert "byte 65,545" in output.locator(".wsedu-said").inner_text()
    assert output.locator(".wsedu-row").count() < 30
    assert output.locator(".wsedu-here").first.is_visible()


def test_bytes_from_outside_are_text(ran: NotebookPage) -> None:
    output = _output(ran, "hostile")
    assert "<script>window.pwned" in output.inner_text()
    assert output.locator("script, img").count() == 0


def test_a_frame_is_built_and_really_sent(ran: NotebookPage) -> None:
    output = _output(ran, "builder")
    assert "Legal" in output.inner_text() and "81 85" in output.inner_text()
    output.get_by_label("MASK", exact=True).uncheck()
    output.get_by_text("a client must mask").wait_for(timeout=WAIT)
    assert "RFC 6455, 5.1" in output.inner_text()
    send = output.get_by_role("button", name="Send it")
    send.focus()
    ran.page.keyboard.press("Enter")
    output.get_by_text("status code 1002").first.wait_for(timeout=WAIT)
    output.get_by_text("answered with a Text frame").wait_for(timeout=WAIT)


def test_a_handshake_is_spoiled_and_really_sent(ran: NotebookPage) -> None:
    output = _output(ran, "bench")
    assert "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in output.inner_text()
    lines = output.locator("textarea")
    lines.fill(lines.input_value().replace("Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 8"))
    output.get_by_text("Must be refused").wait_for(timeout=WAIT)
    output.get_by_role("button", name="Send it").click()
    output.get_by_text("No WebSocket").wait_for(timeout=WAIT)
    assert "400" in output.inner_text()


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 600])
def test_everyone_can_use_them(lab: LabBrowser, theme: Any, width: int, tmp_path: Path) -> None:
    script = axe_core()
    with lab.open("widgets.ipynb", theme=theme, width=width) as notebook:
        assert notebook.run_all() == []
        notebook.photograph(screenshots(tmp_path), f"widgets-{theme}-{width}")
        assert notebook.axe(script) == []


def test_knobs_without_a_browser() -> None:
    """What the kernel does when a knob is turned: illegal frames can be built, and are named."""
    builder = frame_builder()
    assert builder.data == wsedu.Frame(1, b"Hello", masking_key=bytes.fromhex("37fa213d")).serialize()
    builder.opcode.value, builder.rsv[0].value = 3, True
    assert "Must be refused" in builder.shown.value and builder.data[0] == 0b1100_0011
    builder.key.value = "37 fa"
    assert "four bytes" in builder.shown.value and builder.button.disabled
    builder.key.value, builder.unit.value = "00000000", "hex"
    assert "not hex" in builder.shown.value
    builder.payload.value, builder.form.value = "ff", "64 bits"
    assert builder.data.endswith(b"\0\0\0\0\xff") and len(builder.data) == 15
    bench = handshake_bench()
    bench.lines.value = "GET / HTTP/1.1"
    assert "Host" in bench.shown.value and "no accept value" in bench.shown.value
    with pytest.raises(ValueError, match="0 given"):
        touch()
