# SPDX-License-Identifier: GPL-2.0-or-later
"""Make the README's animation: a frame is built, sent, and refused, in the frame builder in a real JupyterLab.

    PYTHONPATH=tests python tools/readme_animation.py

For each theme an animated WebP, and its last picture alone for those who want no motion. Chromium encodes the pictures,
so no image library is needed; here they are put one behind the other. In each of them only the pixels that changed are
there, and the others transparent, which makes the file ten times smaller.
"""

import re
import tempfile
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

from lab_browser import NotebookPage, Theme, lab_browser, write_notebook

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
CELL = "from wsedu.lab import frame_builder\nframe_builder()"
WIDTH, HIGHEST = 1072, 1000  # CSS pixels: of the window, and of a picture
LOOK, READ = 500, 1800  # milliseconds that a picture stands: for what is about to happen, and for what came of it
# The frame of this film is short: the box of its diagram has no need to leave room for a long one.
STYLE = ".wsedu-diagram { height: 208px !important }"


class Film:
    """Pictures of an output, and for how many milliseconds each stands."""

    def __init__(self, notebook: NotebookPage) -> None:
        self.page = notebook.page
        self.page.add_style_tag(content=STYLE)
        self.page.add_script_tag(content=SCRIPT)
        notebook.show_cell(0)
        self.output = self.page.locator(".jp-Notebook .jp-OutputArea-output:visible").first
        self.pictures: list[tuple[bytes, int]] = []
        self.height = 0  # pixels, two for each CSS pixel

    def take(self, milliseconds: int) -> None:
        box: Any = self.output.bounding_box()
        self.height = max(self.height, int(2 * box["height"]))
        self.pictures.append((self.page.screenshot(clip=box | {"height": HIGHEST}), milliseconds))

    def click(self, control: Any) -> None:
        """Let the pointer stand on a control for a moment, then click."""
        box: Any = control.bounding_box()
        at = [box["x"] + min(box["width"] / 2, 60), box["y"] + box["height"] / 2]
        self.page.evaluate("at => pointAt(...at)", at)
        self.take(LOOK)
        control.click()

    def animation(self) -> bytes:
        """All of it, again and again. Form: https://developers.google.com/speed/webp/docs/riff_container"""
        frames = size = b""
        encoded = self._webp(picture for picture, _ in self.pictures)
        for (png, milliseconds), webp in zip(self.pictures, encoded, strict=True):
            width = int.from_bytes(png[16:20])
            size = _three_bytes(width - 1) + _three_bytes(self.height - 1)
            pixels = re.split(rb"(?=ALPH|VP8[ L])", webp, maxsplit=1)[1]
            frames += _chunk(b"ANMF", bytes(6) + size + _three_bytes(milliseconds) + bytes(1) + pixels)
        head = _chunk(b"VP8X", bytes([0b10010, 0, 0, 0]) + size) + _chunk(b"ANIM", bytes(6))  # it has alpha, and moves
        return _chunk(b"RIFF", b"WEBP" + head + frames)

    def still(self) -> bytes:
        """The last picture."""
        return next(self._webp([self.pictures[-1][0]]))

    def _webp(self, pictures: Iterable[bytes]) -> Iterator[bytes]:
        encoder = self.page.context.new_page()
        encoder.add_script_tag(content=SCRIPT)
        for picture in pictures:
            yield b64decode(encoder.evaluate("given => webp(...given)", [b64encode(picture).decode(), self.height]))
        encoder.close()


def _three_bytes(number: int) -> bytes:
    return number.to_bytes(3, "little")


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + len(data).to_bytes(4, "little") + data + bytes(len(data) % 2)


def film(notebook: NotebookPage) -> Film:
    """Type a payload, send the frame, take its mask away, and send it again."""
    assert notebook.run_all() == []
    made = Film(notebook)
    find = made.output.get_by_role
    payload, send = find("textbox", name="payload", exact=True), find("button", name=re.compile("^Send"))
    mask = find("button", name=re.compile("MASK"))
    payload.fill("")
    made.click(payload)
    for letter in "Hi":
        payload.press_sequentially(letter)
        made.take(LOOK)
    made.take(READ)
    results = {"answered with a Text frame": send, "Must be refused": mask, "closed: status code 1002": send}
    for said, control in results.items():
        made.click(control)
        made.output.get_by_text(said).first.wait_for()
        made.take(READ)
    made.take(READ)
    return made


def main() -> None:
    """Write the files."""
    with tempfile.TemporaryDirectory() as folder:
        write_notebook(Path(folder) / "builder.ipynb", [CELL])
        with lab_browser(Path(folder), scale=2) as lab:
            for theme in get_args(Theme):
                path = ROOT / f"docs/frame-builder-{theme}.webp"
                with lab.open("builder.ipynb", theme=theme, width=WIDTH) as notebook:
                    made = film(notebook)
                    path.write_bytes(made.animation())
                    path.with_name(f"{path.stem}-still.webp").write_bytes(made.still())
                print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
