# SPDX-License-Identifier: GPL-2.0-or-later
"""Make the README's animation: a frame is built, sent, and refused, in the frame builder in a real JupyterLab.

    PYTHONPATH=tests python tools/readme_animation.py

For each theme an animated WebP, and its last picture alone for those who want no motion. Chromium encodes the pictures,
so no image library is needed; here they are put one behind the other. In each of them only the pixels that changed are
there, and the others transparent, which makes the file ten times smaller.
"""

from __future__ import annotations

import re
import tempfile
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

from lab_browser import NotebookPage, Theme, lab_browser, write_notebook

ROOT = Path(__file__).resolve().parent.parent
CELL = "from wsedu.lab import frame_builder\nframe_builder()"
WIDTH, HIGHEST = 1030, 1000  # CSS pixels: of the window, and of a picture
LOOK, READ = 500, 1800  # milliseconds that a picture stands: for what is about to happen, and for what came of it

# The frame of this film is short: the box of its diagram has no need to leave room for a long one.
STYLE = ".wsedu-diagram { height: 208px !important }"
POINTER = """() => document.body.insertAdjacentHTML('beforeend', `<svg id="pointer" width="22" height="30"
    viewBox="0 0 22 30" style="position:fixed;z-index:9999;pointer-events:none;left:-99px">
    <path d="M1 1v22l5-5 4 10 4-2-4-9h8z" fill="#fff" stroke="#000" stroke-width="1.5"/></svg>`)"""
POINT = "([x, y]) => Object.assign(document.querySelector('#pointer').style, {left: `${x}px`, top: `${y}px`})"

# The first `height` rows of a PNG as WebP, without what is as it was in the PNG before.
ENCODE = """async ([png, height]) => {
    const image = await createImageBitmap(await (await fetch('data:image/png;base64,' + png)).blob());
    const canvas = new OffscreenCanvas(image.width, height), context = canvas.getContext('2d');
    context.drawImage(image, 0, 0);
    const now = context.getImageData(0, 0, image.width, height), pixels = new Uint32Array(now.data.buffer);
    const all = pixels.slice();
    pixels.forEach((pixel, at) => { if (pixel === window.before?.[at]) pixels[at] = 0; });
    window.before = all;
    context.putImageData(now, 0, 0);
    const webp = new Uint8Array(await (await canvas.convertToBlob({type: 'image/webp', quality: 0.9})).arrayBuffer());
    return [image.width, btoa(Array.from(webp, byte => String.fromCharCode(byte)).join(''))];
}"""


class Film:
    """Pictures of an output, and for how many milliseconds each stands."""

    def __init__(self, notebook: NotebookPage) -> None:
        self.page = notebook.page
        self.output = self.page.locator(".jp-Notebook .jp-OutputArea-output:visible").first
        self.pictures: list[tuple[bytes, int]] = []
        self.height = 0.0
        self.page.evaluate(POINTER)

    def take(self, milliseconds: int) -> None:
        box: Any = self.output.bounding_box()
        self.height = max(self.height, box["height"])
        self.pictures.append((self.page.screenshot(clip=box | {"height": HIGHEST}), milliseconds))

    def click(self, control: Any) -> None:
        """Let the pointer stand on a control for a moment, then click."""
        box: Any = control.bounding_box()
        self.page.evaluate(POINT, [box["x"] + min(box["width"] / 2, 60), box["y"] + box["height"] / 2])
        self.take(LOOK)
        control.click()

    def animation(self) -> bytes:
        """All of it, again and again. Form: https://developers.google.com/speed/webp/docs/riff_container"""
        frames, size = b"", b""
        encoded = self._encoded(picture for picture, _ in self.pictures)
        for (width, height, webp), (_, milliseconds) in zip(encoded, self.pictures, strict=True):
            size = _three_bytes(width - 1) + _three_bytes(height - 1)
            picture = webp[re.search(rb"ALPH|VP8[ L]", webp).start() :]  # type: ignore[union-attr]
            frames += _chunk(b"ANMF", bytes(6) + size + _three_bytes(milliseconds) + bytes(1) + picture)
        head = _chunk(b"VP8X", bytes([0b10010, 0, 0, 0]) + size) + _chunk(b"ANIM", bytes(6))  # it has alpha, and moves
        return _chunk(b"RIFF", b"WEBP" + head + frames)

    def still(self) -> bytes:
        """The last picture."""
        return next(self._encoded([self.pictures[-1][0]]))[2]

    def _encoded(self, pictures: Iterable[bytes]) -> Iterator[tuple[int, int, bytes]]:
        encoder, height = self.page.context.new_page(), int(2 * self.height)
        for picture in pictures:
            width, webp = encoder.evaluate(ENCODE, [b64encode(picture).decode(), height])
            yield width, height, b64decode(webp)
        encoder.close()


def _three_bytes(number: int) -> bytes:
    return number.to_bytes(3, "little")


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + len(data).to_bytes(4, "little") + data + bytes(len(data) % 2)


def film(notebook: NotebookPage) -> Film:
    """Type a payload, send the frame, take its mask away, and send it again."""
    assert notebook.run_all() == []
    notebook.page.add_style_tag(content=STYLE)
    notebook.show_cell(0)
    made = Film(notebook)
    find, said = made.output.get_by_role, made.output.get_by_text
    payload, send = find("textbox", name="payload", exact=True), find("button", name=re.compile("^Send"))
    mask = find("checkbox", name="MASK").or_(find("button", name=re.compile("MASK")))
    payload.fill("")
    made.click(payload)
    for letter in "Hi":
        payload.press_sequentially(letter)
        made.page.wait_for_timeout(500)  # until it is drawn
        made.take(LOOK)
    made.take(READ)
    for control, result in (
        (send, "answered with a Text frame"),
        (mask, "Must be refused"),
        (send, "closed: status code 1002"),
    ):
        made.click(control)
        said(result).first.wait_for()
        made.take(READ)
    made.take(READ)
    return made


def main() -> None:
    """Write the files."""
    with tempfile.TemporaryDirectory() as folder:
        write_notebook(Path(folder) / "builder.ipynb", [CELL])
        with lab_browser(Path(folder), scale=2) as lab:
            for theme in get_args(Theme):
                with lab.open("builder.ipynb", theme=theme, width=WIDTH) as notebook:
                    made = film(notebook)
                    path = ROOT / f"docs/frame-builder-{theme}.webp"
                    path.write_bytes(made.animation())
                    path.with_name(f"{path.stem}-still.webp").write_bytes(made.still())
                print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
