# SPDX-License-Identifier: GPL-2.0-or-later
"""README.md leads where it says, and its pictures are there, sharp, light enough, and in words too."""

import re

from programs import ROOT

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
PICTURES = re.findall(r'\bsrc(?:set)?="([^"]+)"', TEXT)
MOST = 1_000_000  # bytes of a picture


def test_links_lead_somewhere() -> None:
    headings = {re.sub(r"\W+", "-", line.lower()) for line in re.findall(r"^#+ (.*)", TEXT, re.M)}
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", TEXT) if not link.startswith("https://")]
    assert links and [link for link in links if not (link[1:] in headings or (ROOT / link).exists())] == []


def test_each_picture_has_a_dark_twin_and_words() -> None:
    assert {(ROOT / name).stat().st_size < MOST for name in PICTURES} == {True}
    dark = [name.replace("dark", "light") for name in PICTURES if "dark" in name]
    assert sorted(dark) == sorted(name for name in PICTURES if "light" in name)
    images = re.findall(r"<img [^>]*>", TEXT)
    assert images and all(re.search(r'alt="[^"]{20,}', image) for image in images)
    assert {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").iterdir()} == set(PICTURES)


def test_the_first_picture_has_two_pixels_for_each_of_the_page() -> None:
    width = int(re.findall(r'<img [^>]*width="(\d+)"', TEXT)[0])
    for name in PICTURES[:2]:
        assert int.from_bytes((ROOT / name).read_bytes()[16:20]) >= 2 * width  # a PNG has its width there
