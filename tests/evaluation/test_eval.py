"""tsr-eval: scores, the frames they belong to, and what cannot be compared."""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tsr.core.clip_io import ClipWriter, FrameTimes, choose_encoding, probe
from tsr.core.errors import ClipError, SettingsError
from tsr.core.metrics import psnr_per_frame, ssim_per_frame
from tsr.evaluation import lpips as perceptual
from tsr.evaluation.eval import evaluate
from tsr.evaluation.eval_cli import main


def _volume(seed: int, num_frames: int = 10, side: int = 40) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.rint(rng.random((3, num_frames, side, side)) * 255).astype(np.float32) / 255


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One PNG image, whose description serves every clip written here."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("template")
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(folder / "0.png")
    return folder


def _write(path: Path, volume: np.ndarray, template: Path) -> Path:
    """Store a volume without loss."""
    info = replace(probe(template), height=volume.shape[2], width=volume.shape[3])
    times = FrameTimes.constant(Fraction(240), volume.shape[1])
    encoding = choose_encoding(path, info, encoder="ffv1")
    with ClipWriter(path, info, times=times, encoding=encoding) as writer:
        writer.write_volume(volume)
    return path


def _pair(tmp_path: Path, template: Path, output: np.ndarray, truth: np.ndarray):
    return (
        _write(tmp_path / "out.mkv", output, template),
        _write(tmp_path / "truth.mkv", truth, template),
    )


def test_scores_are_the_metrics_of_each_frame(tmp_path: Path, template: Path):
    """Streamed from files, each frame gets what the volume functions give it."""
    output, truth = _volume(0), _volume(1)
    found = evaluate(*_pair(tmp_path, template, output, truth), with_lpips=False)
    np.testing.assert_allclose(found.scores["psnr"], psnr_per_frame(output, truth), rtol=1e-6)
    np.testing.assert_allclose(found.scores["ssim"], ssim_per_frame(output, truth), atol=1e-6)
    assert found.mean("psnr") == pytest.approx(np.mean(psnr_per_frame(output, truth)))


def test_worst_frame_is_found_with_its_number(tmp_path: Path, template: Path):
    """With two ends skipped, numbers still count from the video's first frame."""
    truth = _volume(2)
    output = np.clip(truth + np.float32(0.02), 0, 1)
    output[:, 6] = 1 - truth[:, 6]
    output[:, 0] = 0
    paths = _pair(tmp_path, template, output, truth)
    found = evaluate(*paths, skip_ends=2, with_lpips=False)
    assert (found.first_frame, found.num_frames) == (2, 6)
    assert found.worst("psnr")[1] == 6
    assert found.worst("psnr")[0] == min(found.scores["psnr"])


@pytest.mark.skipif(not perceptual.available(), reason="extra `lpips` is not installed")
def test_lpips_is_a_column_where_installed(tmp_path: Path, template: Path):
    """Its worst frame is the one with the largest distance."""
    truth = _volume(3, num_frames=3)
    output = truth.copy()
    output[:, 1] = _volume(4, num_frames=1)[:, 0]
    found = evaluate(*_pair(tmp_path, template, output, truth))
    assert found.scores["lpips"][0] == 0
    assert found.worst("lpips")[1] == 1


def test_missing_lpips_is_said_once_with_the_remedy(
    tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch
):
    """Without the extra the column is absent and a note says how to install it."""
    monkeypatch.setattr(perceptual, "available", lambda: False)
    found = evaluate(*_pair(tmp_path, template, _volume(0, 2), _volume(1, 2)))
    assert set(found.scores) == {"psnr", "ssim"}
    (note,) = found.notes
    assert "pip install" in note


def test_truth_may_have_frames_that_filled_no_group(tmp_path: Path, template: Path):
    """Up to seven more frames in the truth are left out, and said."""
    truth = _volume(5, num_frames=15)
    found = evaluate(*_pair(tmp_path, template, truth[:, :8], truth), with_lpips=False)
    assert found.num_frames == 8
    assert found.mean("psnr") == 100
    assert found.notes == ("the truth has 7 more frames at its end (15); left out",)


@pytest.mark.parametrize("frames", [(8, 16), (9, 8)])
def test_other_frame_counts_are_refused_with_both(
    tmp_path: Path, template: Path, frames: tuple[int, int]
):
    """A whole group too many, or fewer frames in the truth: something else was compared."""
    paths = _pair(tmp_path, template, _volume(0, frames[0]), _volume(0, frames[1]))
    with pytest.raises(ClipError, match=rf"has {frames[0]} frames and .* {frames[1]};"):
        evaluate(*paths)


def test_other_sizes_are_refused_with_both(tmp_path: Path, template: Path):
    """Nothing is resized silently."""
    paths = _pair(tmp_path, template, _volume(0), _volume(0, side=44))
    with pytest.raises(ClipError, match=r"40×40 and .* 44×44"):
        evaluate(*paths)


def test_skipping_everything_is_refused(tmp_path: Path, template: Path):
    """Five frames at either end of ten leave none."""
    with pytest.raises(SettingsError, match="5 frames at either end of 10"):
        evaluate(*_pair(tmp_path, template, _volume(0), _volume(1)), skip_ends=5)


def test_command_prints_a_table(tmp_path: Path, template: Path):
    """Mean and worst frame, and each frame on request."""
    paths = [str(path) for path in _pair(tmp_path, template, _volume(0, 3), _volume(1, 3))]
    result = CliRunner().invoke(main, [*paths, "--no-lpips", "--per-frame"])
    assert result.exit_code == 0, result.output
    names = [line.split("  ")[0] for line in result.stdout.splitlines()]
    assert names == ["", "frame 0", "frame 1", "frame 2", "mean", "worst", "in frame"]
    expected = np.mean(psnr_per_frame(_volume(0, 3), _volume(1, 3)))
    assert f"{expected:.2f}" in result.stdout.splitlines()[4]


def test_command_prints_json_that_holds_every_frame(tmp_path: Path, template: Path):
    """The means in it are the means of its frames."""
    paths = [str(path) for path in _pair(tmp_path, template, _volume(0, 3), _volume(1, 3))]
    result = CliRunner().invoke(main, [*paths, "--json", "--skip-ends", "1"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["first_frame"], found["num_frames"]) == (1, 1)
    for column, values in found["frames"].items():
        assert found["mean"][column] == pytest.approx(np.mean(values))


def test_command_fails_in_one_line(tmp_path: Path, template: Path):
    """A missing truth is named, with status 1."""
    output = _write(tmp_path / "out.mkv", _volume(0, 2), template)
    result = CliRunner().invoke(main, [str(output), str(tmp_path / "none.mkv")])
    assert result.exit_code == 1
    assert "does not exist" in result.stderr
    assert len(result.stderr.splitlines()) == 1
