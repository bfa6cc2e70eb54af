"""The page as text: complete, alone, harmless whatever names and notes say; and its command."""

import json
import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from clips import write_video
from commands import refusal, succeed
from reports import eight_bits, make_run, stripes

from tsr.pipeline.record import RunRecord, ShotRecord
from tsr.pipeline.report.charts import Scale
from tsr.pipeline.report.markup import text, timecode
from tsr.pipeline.report.story import write_report

HOSTILE = "<script>alert(1)</script>\"'&.mkv"
HISTORY = ((100, 1e-3, 30.5), (200, 5e-4, 31.25), (300, 4e-4, 31.5))


def _shots() -> tuple[ShotRecord, ...]:
    trained = ShotRecord(
        start=0,
        stop=6,
        source="trained",
        reason=f"6 frames {HOSTILE}",
        history=HISTORY,
        psnr=31.5,
        psnr_cubic=29.0,
        seconds={"train": 61.0},
        duplicates=(2,),
    )
    plain = ShotRecord(start=6, stop=8, source="interpolated", reason="too short to learn from")
    return trained, plain


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    folder = tmp_path_factory.mktemp("run")
    name = HOSTILE.replace("/", "∕")
    return make_run(folder, eight_bits(stripes(0.6)), shots=_shots(), input_name=name)


@pytest.fixture(scope="module")
def page(run: RunRecord, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_report(run, path)
    return path.read_text("utf-8")


class _Seen(HTMLParser):
    """Elements, the addresses they name, and the text outside style and script."""

    VOID = frozenset({"meta", "link", "img", "input", "br"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.handlers: list[str] = []
        self.words: list[str] = []
        self.without_alt = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        named = dict(attrs)
        self.addresses += [str(named[key]) for key in ("src", "href") if key in named]
        self.handlers += [key for key in named if key.startswith("on")]
        self.without_alt += tag == "img" and "alt" not in named
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self.open):
            self.words.append(data)


def test_the_page_is_whole_and_stands_alone(page: str) -> None:
    """Every element is closed; no address leads out of the page; every picture has words."""
    seen = _Seen(page)
    assert seen.open == []
    assert all(re.match(r"data:|#", address) for address in seen.addresses)
    assert seen.without_alt == 0
    for name in ("compare", "slices", "certificate", "nyquist", "training", "run"):
        assert f'id="{name}"' in page
        assert f"#{name}" in seen.addresses


def test_hostile_names_and_reasons_are_text(page: str) -> None:
    """One script, ours; what the name says is read, not run."""
    seen = _Seen(page)
    assert seen.tags.count("script") == 1
    assert seen.handlers == []
    said = " ".join(seen.words)
    assert "made from <script>alert(1)<∕script>" in said
    assert "6 frames <script>alert(1)</script>" in said


def test_the_page_tells_the_figures_of_the_record(page: str) -> None:
    said = " ".join(_Seen(page).words)
    for figure in ("31.50 dB", "29.00 dB", "+2.50 dB", "too short to learn from", "8 → 64"):
        assert figure in said
    assert "cubic interpolation" in said
    assert "Kept: no unclipped pixel is more than 1/255 off" in said
    assert "the other way" in said  # the stripes' direction


def test_a_lossy_output_is_named_as_the_limit(tmp_path: Path) -> None:
    truth = eight_bits(stripes(0.6))
    record = make_run(tmp_path, truth)
    lossy = write_video(tmp_path / "lossy.mp4", truth, fps=240, options={"crf": "40"})
    write_report(replace(record, output=lossy), tmp_path / "report.html")
    said = (tmp_path / "report.html").read_text("utf-8")
    assert "Limited by the lossy encoding of the output: what h264 loses" in said


def test_small_and_short_videos_have_a_page(tmp_path: Path) -> None:
    """One frame of 32×40: no motion to show, too small to judge, and still a page."""
    truth = eight_bits(stripes(0.6, num_frames=1, height=32, width=40))
    write_report(make_run(tmp_path, truth), tmp_path / "report.html")
    assert "Nothing here could be examined" in (tmp_path / "report.html").read_text("utf-8")


# The command


def test_the_command_writes_the_page_beside_the_record(run: RunRecord, tmp_path: Path) -> None:
    record = tmp_path / "run.json"
    record.write_text(run.to_json(), "utf-8")
    succeed("tsr-report", record)
    assert (tmp_path / "run.html").read_text("utf-8").startswith("<!DOCTYPE html>")
    assert "exists already" in refusal("tsr-report", record)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "3", "{}", '{"shots": [{}]}', '{"shots": 3}', "\ud800"]
)
def test_what_is_no_record_is_refused_in_one_line(tmp_path: Path, content: str) -> None:
    record = tmp_path / "run.json"
    record.write_bytes(content.encode("utf-8", "surrogatepass"))
    assert "is no record of a run" in refusal("tsr-report", record)


@pytest.mark.parametrize(
    ("name", "value"),
    [("factor", "8"), ("factor", 0), ("seconds", [1]), ("seconds", {"a": "b"}), ("notes", 3)],
)
def test_a_record_with_wrong_types_is_refused(
    run: RunRecord, tmp_path: Path, name: str, value: object
) -> None:
    data = json.loads(run.to_json())
    data[name] = value
    record = tmp_path / "run.json"
    record.write_text(json.dumps(data), "utf-8")
    assert "is no record of a run" in refusal("tsr-report", record)
    assert not (tmp_path / "run.html").exists()


def test_no_record_and_no_video_are_said(run: RunRecord, tmp_path: Path) -> None:
    assert "cannot read" in refusal("tsr-report", tmp_path / "absent.json")
    record = tmp_path / "run.json"
    record.write_text(run.to_json().replace("fast.mkv", "gone.mkv"), "utf-8")
    assert "gone.mkv" in refusal("tsr-report", record)


# Small pieces


def test_text_is_harmless_in_elements_and_attributes() -> None:
    assert text("<a href='x'>\"&") == "&lt;a href=&#x27;x&#x27;&gt;&quot;&amp;"


def test_times_read_as_people_write_them() -> None:
    assert [timecode(s) for s in (0.04, 63.5, 3723.004, -0.5)] == [
        "0:00.040",
        "1:03.500",
        "1:02:03.004",
        "-0:00.500",
    ]


def test_ticks_are_round_and_inside() -> None:
    assert Scale(25.3, 33.2, 0, 1).ticks(5) == [26, 28, 30, 32]
    assert Scale(0, 3000, 0, 1).ticks(6) == [0, 500, 1000, 1500, 2000, 2500, 3000]
    assert Scale(-0.1, 0.1, 0, 1).ticks(2) == pytest.approx([-0.1, 0, 0.1])


def test_a_name_that_is_no_text_is_shown_as_its_bytes(tmp_path: Path) -> None:
    """Linux lets a file's name be any bytes, and the page is UTF-8."""
    name = os.fsdecode(b"caf\xe9.mkv")
    write_report(make_run(tmp_path, eight_bits(stripes(0.6)), input_name=name), tmp_path / "r.html")
    assert r"caf\udce9.mkv" in (tmp_path / "r.html").read_text("utf-8")
