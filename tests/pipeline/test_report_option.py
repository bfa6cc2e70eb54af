"""`tsr --report`: the page beside the output, of a whole video, of a part, of several."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tsr.pipeline.cli import main


def tsr(cache: Path, *arguments: object) -> Result:
    given = [*map(str, arguments), "--cache", str(cache)]
    return CliRunner().invoke(main, given, prog_name="tsr")


@pytest.mark.parametrize("part", [None, "0.2-0.5"])
def test_a_run_has_its_page(tmp_path: Path, clip: Path, stubbed: None, part: str | None) -> None:
    """The frames of the part are found in the output, which holds the rest as it was."""
    page = tmp_path / "report.html"
    output = tmp_path / "out.mkv"
    chosen = ["--range", part] if part else []
    result = tsr(tmp_path / "c", clip, "-o", output, "--encoder", "ffv1", "--report", page, *chosen)
    assert result.exit_code == 0, result.output
    html = page.read_text("utf-8")
    assert "<h1>out.mkv</h1>" in html
    assert "Kept: no unclipped pixel is more than 1/255 off" in html
    assert "9 → 72" in html if part else "20 → 160" in html


def test_several_inputs_have_a_page_each(tmp_path: Path, clip: Path, stubbed: None) -> None:
    other = tmp_path / "other.mp4"
    other.write_bytes(clip.read_bytes())
    pages = tmp_path / "pages"
    result = tsr(
        tmp_path / "c", clip, other, "-o", tmp_path / "out", "--report", pages, "--factor", 2
    )
    assert result.exit_code == 0, result.output
    assert sorted(page.name for page in pages.iterdir()) == ["in_x2.html", "other_x2.html"]


def test_a_page_that_exists_is_refused_before_the_work(
    tmp_path: Path, clip: Path, stubbed: None
) -> None:
    page = tmp_path / "report.html"
    page.write_text("mine")
    result = tsr(tmp_path / "c", clip, "-o", tmp_path / "out.mp4", "--report", page)
    assert result.exit_code == 1
    assert "exists already" in result.stderr
    assert not (tmp_path / "out.mp4").exists()
    assert page.read_text() == "mine"


def test_a_page_that_fails_does_not_lose_the_output(
    tmp_path: Path, clip: Path, stubbed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tsr.core.errors import OutputError

    def refuse(*_: object, **__: object) -> None:
        raise OutputError("the disk is full")

    monkeypatch.setattr("tsr.pipeline.report.story.write_report", refuse)
    output = tmp_path / "out.mp4"
    result = tsr(tmp_path / "c", clip, "-o", output, "--report", tmp_path / "report.html")
    assert result.exit_code == 1
    assert "is complete, but its report is not: the disk is full" in result.stderr
    assert output.is_file()


def test_a_preview_has_no_report(tmp_path: Path, clip: Path) -> None:
    result = tsr(tmp_path / "c", clip, "--preview", "--report", tmp_path / "report.html")
    assert result.exit_code == 2
    assert "a preview has no report" in result.stderr
