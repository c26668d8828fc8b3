# SPDX-License-Identifier: GPL-2.0-or-later
"""Each notebook has the anatomy that the others have, was run from top to bottom, and holds nothing of one machine."""

import configparser
import itertools
import re
import statistics
from pathlib import Path
from typing import Any

import pytest
from programs import NOTEBOOKS, ROOT, cells, python

WIDGET = "application/vnd.jupyter.widget-view+json"

# What the sanitize file may replace, and how each pattern begins: none of them reaches further.
SANITIZED = {"date": "(Mon|Tue|Wed|Thu|Fri|Sat|Sun), ", "ephemeral port": r"127\.0\.0\.1:"}
# What captures and the sample of RFC 6455 say, and so does not move: it has to be compared.
KEPT = (
    "Server: TornadoServer/6.6.1",
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64)",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
)
Cell = dict[str, Any]
everywhere = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def _code(path: Path) -> list[Cell]:
    return [cell for cell in cells(path) if cell["cell_type"] == "code"]


def _prose(path: Path) -> list[Cell]:
    return [cell for cell in cells(path) if cell["cell_type"] == "markdown"]


def _outline(path: Path) -> list[str]:
    return [line for cell in _prose(path) for line in cell["source"].splitlines() if re.match(r"#+ ", line)]


@everywhere
def test_title_and_headings(path: Path) -> None:
    outline = _outline(path)
    # The name of the file says the title, so that links and the contents cannot name another.
    title = outline[0].removeprefix("# ").lower().replace("http/2", "http2")
    assert re.sub(r"[^a-z0-9]+", "-", title) == path.stem[3:]
    assert [line for line in outline if line.startswith("# ")] == outline[:1]
    first = _prose(path)[0]["source"].split("\n\n")
    assert re.search(r"minutes", first[1]) and len(first) >= 3
    assert re.search(r"\*\*[^*]+\?\*\*", first[2]), "the first paragraph asks the question"


@pytest.mark.parametrize("path", NOTEBOOKS[1:], ids=lambda path: path.stem)
def test_proportions(path: Path) -> None:
    """00 is short, and free of the counts; those of the last part may be a little longer."""
    most_cells, most_words = (66, 1700) if path.stem >= "11" else (60, 1500)
    inner = [line for line in _outline(path) if line.startswith("## ")]
    assert inner[-2:] == ["## What we saw", "## Exercises"]
    assert 4 <= len(inner) - 2 <= 7
    stored, code, prose = cells(path), _code(path), _prose(path)
    assert 30 <= len(stored) <= most_cells and len(code) >= 12
    assert 1.15 <= len(prose) / len(code) <= 1.55  # 1.2 to 1.5, give or take a cell
    words = sum(len(re.findall(r"\w[\w'’-]*", cell["source"])) for cell in prose)
    assert 900 <= words <= most_words
    saw = next(cell["source"] for cell in prose if cell["source"].startswith("## What we saw"))
    assert 1 <= len(re.findall("^- ", saw, re.M)) <= 5


@everywhere
def test_code_cells_are_short_and_prose_leads_to_them(path: Path) -> None:
    stored, lengths = cells(path), [len(cell["source"].splitlines()) for cell in _code(path)]
    assert statistics.median(lengths) <= 3 and max(lengths) <= 15
    order = "".join(cell["cell_type"][0] for cell in stored)
    assert order[0] == "m" and "ccc" not in order, "prose first, and never more than two code stored in a row"
    for before, cell in itertools.pairwise(stored):
        if (before["cell_type"], cell["cell_type"]) == ("markdown", "code"):
            last = before["source"].splitlines()[-1]
            assert last.endswith((":", "?")), f"asks nothing and announces nothing: {last}"


NOT_IN_CODE = {
    "installs or steers": r"sys\.path|^\s*[!%]|import \*|\bpip\b",
    # ``websockets`` takes a proxy from the environment, for loopback too; whatever else connects is of wsedu.live.
    "a proxy may be asked": r"\bconnect\((?!(?:[^()]|\([^()]*\))*proxy=None)|"
    r"\bimport (httpx|requests|urllib|aiohttp|tornado)",
    # To nbval a comment is as good as a tag: it could ignore an output that nobody counts.
    "hides from the comparison": r"(?i:#\W*(NBVAL|PYTEST_VALIDATE)_)",
}


@everywhere
def test_the_first_code_cell_imports_and_none_does_what_a_notebook_should_not(path: Path) -> None:
    first = _code(path)[0]["source"]
    assert len(first.splitlines()) <= 5 and re.search(r"^(from|import) wsedu", first, re.M)
    for what, pattern in NOT_IN_CODE.items():
        assert not any(re.search(pattern, cell["source"], re.M) for cell in _code(path)), what


@everywhere
def test_it_was_run_from_top_to_bottom(path: Path) -> None:
    stored = _code(path)
    assert [cell["execution_count"] for cell in stored] == list(range(1, len(stored) + 1))
    for cell in stored:
        for output in cell["outputs"]:
            assert output["output_type"] != "error" or "raises-exception" in cell["metadata"].get("tags", [])
            assert output.get("name") != "stderr", output
            assert WIDGET not in output.get("data", {}), "a stored view of a widget reads badly without a kernel"
    text = path.read_text(encoding="utf-8")  # nothing of one machine is stored
    assert not re.search(r"/(ro" + r"ot|ho" + r"me|wo" + r"rk|tmp|Users)/|site-packages", text)
    assert "0x7f" not in text.replace("0x7f}", "")


@everywhere
def test_few_outputs_are_ignored_and_the_prose_says_why(path: Path) -> None:
    stored = cells(path)
    tagged = [i for i, cell in enumerate(stored) if cell["metadata"].get("tags")]
    assert all(stored[i]["metadata"]["tags"] == ["nbval-ignore-output"] for i in tagged) and len(tagged) <= 2
    for before in (stored[i - 1] for i in tagged):
        assert before["cell_type"] == "markdown"
        assert re.search(r"compared|never compare", before["source"]), "the prose before says why"


@everywhere
def test_each_exercise_has_a_check_and_hints_in_steps(path: Path) -> None:
    after = "\n".join(cell["source"] for cell in cells(path)).split("## Exercises")[-1]
    exercises = re.split(r"\*\*\d\. ", after)[1:]
    assert len(exercises) >= 3
    for text in exercises:
        assert re.search(r"^check\(", text, re.MULTILINE) and text.count("<details>") >= 2, text[:60]


@everywhere
def test_links_lead_somewhere(path: Path) -> None:
    for cell in _prose(path):
        for target in re.findall(r"\]\(([^)\s]+)\)", cell["source"]):
            if not re.match(r"https?://", target):
                assert (path.parent / target.partition("#")[0]).exists(), target


def test_navigation_is_that_of_the_files() -> None:
    done = python("tools/notebook_nav.py", "--check")
    assert (done.returncode, done.stdout) == (0, "")


def test_what_is_sanitized() -> None:
    """Dates and ephemeral ports; nothing else."""
    config = configparser.RawConfigParser()
    config.read(ROOT / "tests/nbval-sanitize.cfg")
    assert config.sections() == list(SANITIZED)
    for section, beginning in SANITIZED.items():
        assert set(config[section]) == {"regex", "replace"}
        pattern = config[section]["regex"]
        assert pattern.startswith(beginning) and "." not in re.sub(r"\\.|\[[^]]*\]", "", pattern)
        assert not re.search(pattern, "81 05 48 65 6c 6c 6f Hello GET /hello HTTP/1.1 200 OK")
        for said in KEPT:
            assert not re.search(pattern, said), f"another than {said} would not be noticed"
        assert any(re.search(pattern, path.read_text(encoding="utf-8")) for path in NOTEBOOKS), "used by none"
