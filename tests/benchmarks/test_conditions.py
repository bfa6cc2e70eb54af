"""The benchmark of clips from a moving hand, and as a phone records them."""

import json
from pathlib import Path

import clips
import numpy as np
import pytest

conditions = pytest.importorskip("benchmarks.conditions", reason="benchmarks are not in the wheel")

from benchmarks.results_md import markdown  # noqa: E402
from tsr.core.clip_io import ClipReader, probe  # noqa: E402
from tsr.core.rect import rect_downsample  # noqa: E402

FRAMES = 32


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Of one clip that stands still."""
    folder = tmp_path / "data" / "spokes"
    folder.mkdir(parents=True)
    clips.write_video(folder / "gt.mkv", clips.rotating_spokes(FRAMES, 64, 96, turn=0))
    return folder.parent


def measured(data: Path, condition: str) -> tuple[Path, dict[str, object]]:
    out, results = data.parent / "out", data.parent / "conditions.json"
    words = ["--data", data, "--out", out, "--results", results, "--conditions", condition]
    conditions.main([*map(str, words), "--methods", "linear"])
    return out / f"spokes-{condition}", json.loads(results.read_text())


def test_a_hand_moves_all_of_the_truth_and_of_the_slow_video(data: Path) -> None:
    folder, report = measured(data, "hand")
    truth = np.stack(list(ClipReader(folder / "gt.mkv")), 1)
    slow = np.stack(list(ClipReader(folder / "x8" / "slow.mkv")), 1)
    assert truth.shape == (3, FRAMES, 48, 64)
    assert np.abs(slow - rect_downsample(truth, 8)).max() < 1 / 255
    assert np.abs(np.diff(truth, axis=1)).mean(axis=(0, 2, 3)).min() > 1 / 255
    assert "spokes 64×48, 4 → 32 frames" in markdown({"conditions": report})


def test_a_phone_records_noise_in_h264_and_the_truth_stays(data: Path) -> None:
    folder, report = measured(data, "phone")
    assert not (folder / "gt.mkv").exists()
    slow = folder / "x8" / "slow.mkv"
    info = probe(slow)
    assert (info.pixel_format, info.num_frames) == ("yuv420p", FRAMES // 8)
    truth = np.stack(list(ClipReader(data / "spokes" / "gt.mkv")), 1)
    error = np.stack(list(ClipReader(slow)), 1) - rect_downsample(truth, 8)
    assert 1 / 255 < error.std() < 0.1
    assert "### Phone" in markdown({"conditions": report})


def test_a_window_that_is_not_off_the_middle_is_the_middle() -> None:
    frame = np.random.default_rng(0).random((3, 20, 30), np.float32)
    seen = conditions.window(frame, (10, 20), (0.0, 0.0))
    np.testing.assert_allclose(seen, frame[:, 5:15, 5:25], atol=1e-5)
    down = conditions.window(frame, (10, 20), (2.0, -3.0))
    np.testing.assert_allclose(down, frame[:, 7:17, 2:22], atol=1e-5)


def test_a_hand_goes_as_far_as_there_is_room() -> None:
    path = conditions.sway(240, 12.0, seed=0)
    assert np.abs(path).max() == pytest.approx(12.0)
    assert path.max() == pytest.approx(-path.min())


def test_unknown_conditions_are_refused() -> None:
    with pytest.raises(SystemExit, match="no conditions boat; choose from hand, phone"):
        conditions.main(["--conditions", "boat"])
