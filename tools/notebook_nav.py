# SPDX-License-Identifier: GPL-2.0-or-later
"""Write what notebooks have in common, from the files that exist: links, maps, and what Colab needs.

The links are those at the end of each notebook; the maps, in README.md and notebook 00; and for Colab each notebook has
one and the same cell behind its title, of which nothing is seen elsewhere, and README.md links. Whose repository Colab
is to take is read from README.md, from its link to Binder.

python tools/notebook_nav.py            write them
python tools/notebook_nav.py --check    say which are not as they should be; exit status 1 if any
"""

import argparse
import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
README = ROOT / "README.md"
HEAD = "| notebook | the question |\n|---|---|\n"  # of the map in notebook 00
README_HEAD = "|  | notebook | the question | minutes |\n| --- | --- | --- | --: |\n"  # of that in the README
MARKS = "<!-- notebooks -->\n", "<!-- /notebooks -->\n"
COLAB_MARKS = "<!-- colab -->\n", "<!-- /colab -->\n"
COLAB_TAG = "colab"
COLAB = """\
#@title In Colab this installs what the notebooks need; anywhere else it does nothing
import sys

if "google.colab" in sys.modules:
    !test -d /content/wsedu || git clone -q --depth 1 https://github.com/{} /content/wsedu
    !pip install -q /content/wsedu
    %cd -q /content/wsedu/notebooks"""
PARTS = {"01": "HTTP", "04": "WebSocket", "09": "What it costs", "11": "In the wild"}  # by the first notebook of each


class Notebook:
    """A notebook as far as navigation goes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.content = json.loads(path.read_text(encoding="utf-8"))
        first = "".join(self.content["cells"][0]["source"])
        self.number = path.name[:2]
        self.title = first.splitlines()[0].removeprefix("# ")
        self.question = (re.search(r"\*\*(.+?\?)\*\*", first) or ("", ""))[1]
        self.minutes = (re.search(r"[Aa]bout (\d+) minutes", first) or ("", "2"))[1]

    def prepare(self, repository: str) -> None:
        """Put the cell for Colab behind the title, folded up."""
        cells, folded = self.content["cells"], {"cellView": "form", "jupyter": {"source_hidden": True}}
        if COLAB_TAG not in cells[1]["metadata"].get("tags", []):
            cells.insert(1, {"cell_type": "code", "execution_count": None, "id": "c01ab5e7", "metadata": {}})
        source = COLAB.format(repository).splitlines(keepends=True)
        cells[1] |= {"metadata": {**folded, "tags": [COLAB_TAG]}, "outputs": [], "source": source}

    def point(self, links: str, rows: str) -> None:
        """Put these links into the last cell and these rows into a map, if there is one."""
        self.content["cells"][-1]["source"] = [links]
        for cell in self.content["cells"]:
            source = "".join(cell["source"])
            if HEAD in source:
                start, _, rest = source.partition(HEAD)
                source = start + HEAD + rows + rest[rest.index("\n\n") + 1 :]
                cell["source"] = source.splitlines(keepends=True)

    def text(self) -> str:
        """The file."""
        return json.dumps(self.content, indent=1, ensure_ascii=False) + "\n"


def notebooks() -> list[Notebook]:
    """All of them, in order."""
    return [Notebook(path) for path in sorted(NOTEBOOKS.glob("[0-9][0-9]-*.ipynb"))]


def links(every: list[Notebook], index: int) -> str:
    """What the last cell of a notebook should say."""
    before = [f"[← {one.title}]({one.path.name})" for one in every[:index][-1:]]
    after = [f"[{one.title} →]({one.path.name})" for one in every[index + 1 :][:1]]
    return " · ".join([*before, "[Contents](../README.md)", *after])


def table(every: list[Notebook], part: str, row: str) -> str:
    """The lines of a map: one for each part, before its first notebook, and one for each notebook."""
    return "".join((part.format(PARTS[one.number]) if one.number in PARTS else "") + row.format(one) for one in every)


def marked(text: str, marks: tuple[str, str], inside: str) -> str:
    """The text, with something else between these marks."""
    return re.sub(r"(?s)(?<={}).*(?={})".format(*marks), lambda _: inside, text)


def main(check: bool) -> int:
    """Write, or check; gives the exit status."""
    every, files = notebooks(), dict[Path, str]()
    rows = table(every[1:], "| **{}** | |\n", "| [{0.number} {0.title}]({0.path.name}) | {0.question} |\n")
    readme = README.read_text(encoding="utf-8")
    repository = re.search("(?<=mybinder.org/v2/gh/)[^/]+/[^/]+", readme)
    assert repository, "README.md has no link to Binder"
    for index, one in enumerate(every):
        one.point(links(every, index), rows)
        one.prepare(repository[0])
        files[one.path] = one.text()
    linked = "| {0.number} | [{0.title}](notebooks/{0.path.name}) | {0.question} | {0.minutes} |\n"
    readme = marked(readme, MARKS, README_HEAD + table(every, "|  | **{}** |  |  |\n", linked))
    colab = f"https://colab.research.google.com/github/{repository[0]}/blob/HEAD/notebooks/"
    there = "".join(f"[{one.number}]({colab}{one.path.name})\n" for one in every)
    files[README] = marked(readme, COLAB_MARKS, there)
    wrong = [path for path, text in files.items() if path.read_text(encoding="utf-8") != text]
    for path in wrong:
        if not check:
            path.write_text(files[path], encoding="utf-8")
        print(f"{path.name}: " + ("not as this would write it" if check else "written again"))
    return int(check and bool(wrong))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="What notebooks have in common.")
    parser.add_argument("--check", action="store_true", help="change nothing")
    sys.exit(main(parser.parse_args().check))
