"""The demo, tiny: all it promises to leave behind is there. How well it does is `make demo`'s."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tsr.core.clip_io import probe
from tsr.pipeline.demo import METHODS, demo, main, summary
from tsr.pipeline.demo_settings import NARROW, WIDE, DemoSettings

for package in ("torch", "onnxscript", "PIL"):
    pytest.importorskip(package)

pytestmark = pytest.mark.slow

TINY = DemoSettings(input_frames=32, height=96, width=172, channels=4, steps=2)
STAGES = ("render", "degrade", "train", "export", "run", "evaluate", "total")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished demo, over the leavings of an earlier one."""
    folder = tmp_path_factory.mktemp("demo")
    for name in ("report.json", "ours.mkv", "ours.mp4", "model.safetensors", "model.onnx"):
        (folder / name).write_text("old")
    demo(folder, TINY)
    return folder


def test_the_report_compares_the_methods_and_times_the_stages(folder: Path) -> None:
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert tuple(report["psnr"]) == tuple(report["ssim"]) == METHODS
    assert all(5 < value < 60 for value in report["psnr"].values())
    assert all(0 < value < 1 for value in report["ssim"].values())
    assert tuple(report["seconds"]) == STAGES
    assert report["seconds"]["total"] >= report["seconds"]["train"] > 0


def test_the_slow_camera_sees_the_wheel_turn_the_wrong_way(folder: Path) -> None:
    wheel = json.loads((folder / "report.json").read_text(encoding="utf-8"))["wheel"]
    assert wheel["truth"] > 0.5
    assert wheel["input"] < -0.1
    assert wheel["linear"] < 0


@pytest.mark.parametrize(
    ("name", "num_frames"),
    [
        ("truth.mkv", 256),
        ("slow.mkv", 32),
        ("ours.mkv", 256),
        ("slow.mp4", 256),
        ("linear.mp4", 256),
        ("ours.mp4", 256),
        ("truth.mp4", 256),
        ("side_by_side.mp4", 256),
    ],
)
def test_each_video_is_there(folder: Path, name: str, num_frames: int) -> None:
    info = probe(folder / name)
    assert info.num_frames == num_frames
    assert info.fps == (240 if name in ("truth.mkv", "ours.mkv") else 30)


def test_the_picture_shows_something(folder: Path) -> None:
    from PIL import Image

    with Image.open(folder / "comparison.png") as image:
        pixels = np.asarray(image.convert("L"))
    assert min(pixels.shape) > 500
    assert pixels.std() > 20


def test_nothing_else_is_left(folder: Path) -> None:
    suffixes = {path.suffix for path in folder.iterdir()}
    assert suffixes == {".json", ".png", ".mkv", ".mp4", ".safetensors", ".onnx"}
    assert (folder / "model.onnx").stat().st_size > 1000


def test_the_summary_says_where_to_look(folder: Path) -> None:
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    text = summary(report, folder)
    assert str(folder / "comparison.png") in text
    assert str(folder / "side_by_side.mp4") in text


@pytest.mark.parametrize(("seconds", "channels"), [(0.2, WIDE), (0.3, NARROW)])
def test_a_slow_machine_trains_a_narrow_network(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    seconds: float,
    channels: int,
) -> None:
    """Better a narrow one that has learned than a wide one broken off, and it is said."""
    monkeypatch.setattr("tsr.trainer.pace.seconds_per_step_here", lambda *_: seconds)
    assert DemoSettings().affordable_channels() == channels
    told = capsys.readouterr()
    assert told.out == ""  # of --json
    assert ("9:45 min" in told.err and "--channels 48 --minutes 10" in told.err) == (
        channels == NARROW
    )


def test_a_folder_that_is_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    result = CliRunner().invoke(main, [str(tmp_path / "taken")])
    assert result.exit_code == 1
    assert "choose another folder" in result.output
    assert "Traceback" not in result.output
