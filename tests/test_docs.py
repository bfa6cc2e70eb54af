"""The documents: links lead somewhere, and what is made from the code says what the code does."""

import ast
import re
import runpy
from fractions import Fraction
from pathlib import Path

import pytest

from tsr.core.ladder import ScaleLadder

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/*.md")])

pytestmark = pytest.mark.skipif(
    not (ROOT / "docs").is_dir(), reason="needs the source tree; the wheel is being tested"
)


def anchors(document: Path) -> set[str]:
    """The names of its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_relative_links_lead_somewhere(document: Path) -> None:
    """Files and pictures exist, and so do the headings that are pointed at."""
    text = re.sub(r"```.*?```", "", document.read_text("utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, heading = link.partition("#")
        target = document.parent / file if file else document
        assert target.exists(), f"{document.name} links to {link}"
        assert not heading or heading in anchors(target), f"{document.name} links to {link}"


def test_every_document_is_reachable_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    for document in ROOT.glob("docs/*.md"):
        assert f"(docs/{document.name}" in readme, document.name


def test_the_ladder_is_drawn_as_it_is() -> None:
    """`make docs` draws it again."""
    drawn = (ROOT / "docs" / "images" / "ladder.svg").read_text("utf-8")
    made = runpy.run_path(str(ROOT / "docs" / "make_figures.py"))
    ladder = ScaleLadder(Fraction(1, 8), 8)
    assert drawn == made["ladder_svg"](ladder)
    assert drawn.count(">network<") == 3
    assert drawn.count(">back-projection<") == 3


def test_the_reference_of_the_commands_is_current() -> None:
    """After a change of an option: `make docs`."""
    made = runpy.run_path(str(ROOT / "docs" / "make_cli.py"))["reference"]()
    assert (ROOT / "docs" / "cli.md").read_text("utf-8") == made


def messages() -> str:
    """All strings of the code; those with values in them in their constant parts."""
    folders = ("core", "trainer", "calibration", "export", "runtime", "pipeline")
    files = (file for folder in folders for file in (ROOT / folder).rglob("*.py"))
    nodes = (node for file in files for node in ast.walk(ast.parse(file.read_text("utf-8"))))
    constants = (node.value for node in nodes if isinstance(node, ast.Constant))
    return "\n".join(value for value in constants if isinstance(value, str))


def test_messages_that_are_explained_are_those_of_the_code() -> None:
    """Word by word, between what stands for names and numbers."""
    text = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
    code = messages()
    explained = re.findall(r"^\| `([^|]+)` \|", text, re.MULTILINE)
    assert len(explained) > 30
    for message in explained:
        parts = re.split(r"…|\b[A-Z]{2,}\b(?!-)|\b[NMWHE]\b|[×`]|No space left on device", message)
        for part in parts:
            if len(part.strip(" ,:()")) > 5:
                assert part.strip(" ,:()") in code, f"{part!r} of {message!r}"


def test_figures_of_the_readme_are_those_of_the_results() -> None:
    """Every number of dB and of seconds in the README's measurements stands in RESULTS.md."""
    readme = (ROOT / "README.md").read_text("utf-8")
    measured = readme.split("## What was measured")[1].split("\n## ")[0]
    results = (ROOT / "benchmarks" / "RESULTS.md").read_text("utf-8")
    figures = re.findall(r"\d+\.\d+", measured)
    assert figures
    for figure in figures:
        assert re.search(rf"(?<![\d.]){re.escape(figure)}", results), figure
