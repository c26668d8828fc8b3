# SPDX-License-Identifier: GPL-2.0-or-later
"""Write the notebooks as pages to read, with what is stored in them, and the contents page of the site.

    python tools/reading_pages.py SITE [ADDRESS]

The pages are ``SITE/read/NN-....html``; their byte maps come to life by the package's own scripts. They ask no other
host for anything, and work from a disk as well. ADDRESS is where the site will be, with a slash at its end: who shows a
picture of a linked page wants its whole address. A page's picture is one of its outputs: see ``page_pictures.py``.
"""

import json
import re
import shutil
import sys
from collections.abc import Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

import nbformat
import page_pictures
from bs4 import BeautifulSoup, Tag
from bs4.element import NavigableString
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup
from nbconvert import HTMLExporter
from nbconvert.filters import markdown2html
from notebook_nav import PARTS, README, ROOT, Notebook, notebooks

PAGES = ROOT / "tools/pages"
FILES = [
    *(PAGES / name for name in ("reading.css", "reading.js", "search.js")),
    *(ROOT / "wsedu/show" / name for name in ("explorer.css", "byte_pane.js", "inspector.js")),
]
NAME = "WebSocket on the wire"
PICTURE = "docs/one-update-twice-light.png"  # of the contents page, and of a page that has none of its own
ICON = '<link rel="icon" href="data:,">'  # none: else the browser asks the host for /favicon.ico, which is not ours
BLOCKS = {"p", "li", "td", "th", "pre", "div", "br", "tr", "summary", "details", "h1", "h2", "h3", "table"}
Section = dict[str, str]


def head(title: str, description: str, picture: str) -> str:
    """What a page says of itself to those who link to it."""
    said = {"og:title": title, "og:description": description, "og:type": "article", "og:image": picture}
    tags = [f"<title>{escape(title)}</title>", ICON, f'<meta name="description" content="{escape(description)}">']
    tags.append('<meta name="twitter:card" content="summary_large_image">')
    return "\n".join([*tags, *(f'<meta property="{name}" content="{escape(text)}">' for name, text in said.items())])


def target(href: str) -> str:
    """Where a link of a notebook leads on the site."""
    file, _, anchor = href.partition("#")
    pages = {"../README.md": "../index.html", "../data/README.md": "data.html"}
    file = pages.get(file, re.sub(r"^(\d\d-[\w-]+)\.ipynb$", r"\1.html", file))
    return f"{file}#{anchor}" if anchor else file


def sections(main: Tag, url: str, title: str) -> list[Section]:
    """The text beneath each heading, for the search."""
    found: list[tuple[str, str, list[str]]] = [("", title, [])]
    for node in main.descendants:
        if isinstance(node, Tag):
            if node.name in ("h1", "h2", "h3") and node.get("id"):
                found.append((f"#{node['id']}", node.get_text().removesuffix("¶"), []))
            elif node.name in BLOCKS or (node.name == "span" and not node.find_parent("pre")):  # there: half a word
                found[-1][2].append(" ")
        elif type(node) is NavigableString and not node.find_parent(["h1", "h2", "h3"]):
            found[-1][2].append(node)
    texts = [(anchor, heading, " ".join("".join(pieces).split())) for anchor, heading, pieces in found]
    kept = [(at, heading, text) for at, heading, text in texts if at or text]
    return [{"url": url + at, "title": title, "heading": heading, "text": text} for at, heading, text in kept]


def description(soup: Tag) -> str:
    """The first paragraph, of which a search engine shows so much."""
    text = " ".join(soup.select_one(".jp-MarkdownOutput p").get_text().split())
    return text if len(text) <= 200 else text[:200].rsplit(" ", 1)[0] + " …"


@cache
def exporter() -> HTMLExporter:
    """nbconvert with our template, which takes longer to make than to use."""
    made = HTMLExporter(template_file=str(PAGES / "reading.html.j2"))
    made.exclude_input_prompt = made.exclude_output_prompt = True
    return made


def write_page(content: Any, title: str, path: Path, picture: str, **page: Any) -> list[Section]:
    """Write a notebook as a page; gives its sections."""
    page["head"] = "<!-- head -->"
    soup = BeautifulSoup(exporter().from_notebook_node(content, {"page": page})[0], "html.parser")
    for link in soup.select("main a[href]"):
        link["href"] = target(str(link["href"]))
    for table in soup.select(".jp-MarkdownOutput table"):
        table.wrap(soup.new_tag("div", attrs={"class": "wide", "tabindex": "0"}))
    said = head(f"{title} · {NAME}", description(soup), picture)
    path.write_text(str(soup).replace(page["head"], said, 1), encoding="utf-8")
    return sections(soup.main or soup, f"read/{path.name}", title)


def code(text: str) -> Markup:
    """Text in which words between backquotes are code."""
    return Markup(re.sub("`(.+?)`", r"<code>\1</code>", escape(text)))


def row(one: Notebook, chromium: str | None) -> dict[str, Any]:
    """A notebook in the contents."""
    name = one.path.stem
    links = {"read": f"read/{name}.html", "run": f"lab/index.html?path=notebooks/{name}.ipynb"}
    said = {"number": one.number, "title": one.title, "question": code(one.question), "minutes": one.minutes}
    shown = page_pictures.LISTED.get(one.number) if chromium else None
    return {**said, **links, "part": PARTS.get(one.number), "shows": shown and shown[1], "picture": f"read/{name}"}


def write_contents(site: Path, rows: list[dict[str, Any]], address: str) -> None:
    """Write the contents page, which says in the README's words what this is."""
    readme = README.read_text(encoding="utf-8")
    about = readme.split("\n\n")[1]
    picture = re.search(r"(?s)<picture>.*?</picture>\s+\*From.*?\*\n", readme)
    env = Environment(loader=FileSystemLoader(PAGES), autoescape=True)
    plain = " ".join(BeautifulSoup(markdown2html(about), "html.parser").get_text().split())
    said = Markup(head(NAME, plain, f"{address}{PICTURE}"))
    more = {"about": Markup(markdown2html(about)), "picture": Markup(markdown2html(picture[0] if picture else ""))}
    text = env.get_template("reading_index.html.j2").render(head=said, title=NAME, rows=rows, **more)
    (site / "index.html").write_text(text, encoding="utf-8")


def write_site(site: Path, address: str = "", every: Sequence[Notebook] = ()) -> None:
    """Write the contents page and all pages, and what they need, into the folder of the site."""
    read, every, chromium = site / "read", every or notebooks(), page_pictures.found()
    read.mkdir(parents=True, exist_ok=True)
    for file in FILES:
        shutil.copy(file, read)
    shutil.copytree(ROOT / "docs", site / "docs", dirs_exist_ok=True)
    rows, index = [row(one, chromium) for one in every], list[Section]()
    to = address or "../"
    for one, before, after, line in zip(every, [None, *every], [*every[1:], None], rows, strict=False):
        content = nbformat.reads(one.text(), as_version=4)
        page = {"before": before, "after": after, "run": "../" + line["run"]}
        picture = f"{line['picture']}.png" if line["shows"] else PICTURE
        index += write_page(content, one.title, site / line["read"], to + picture, **page)
    captures = nbformat.v4.new_notebook()
    captures.cells = [nbformat.v4.new_markdown_cell((ROOT / "data/README.md").read_text(encoding="utf-8"))]
    index += write_page(captures, "Captured packets", read / "data.html", to + PICTURE)
    script = f"window.SEARCH_INDEX = {json.dumps(index, ensure_ascii=False)};\n"
    (read / "search_index.js").write_text(script, encoding="utf-8")
    write_contents(site, rows, address)
    if chromium:
        page_pictures.take(chromium, [(site / line["read"]).resolve() for line in rows if line["shows"]])


if __name__ == "__main__":
    write_site(Path(sys.argv[1]), "".join(sys.argv[2:3]))
