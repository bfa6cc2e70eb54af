"""tsr-degrade: what it averages, what it keeps, what it refuses."""

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from click.testing import CliRunner

from tsr.core.clip_io import probe, read_volume
from tsr.core.errors import OutputError, SettingsError
from tsr.core.rect import rect_downsample
from tsr.evaluation.degrade import default_output, degrade, degraded, exposure_weights
from tsr.evaluation.degrade_cli import main


def _write(path: Path, num_frames: int, fps: Fraction = Fraction(30)) -> np.ndarray:
    """A lossless RGB clip of random blocks; returns its (3, T, H, W) values."""
    rng = np.random.default_rng(num_frames)
    levels = rng.integers(0, 256, (num_frames, 18, 22, 3), dtype=np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=fps)
        stream.width, stream.height, stream.pix_fmt = 22, 18, "bgr0"
        stream.time_base = 1 / fps
        for number, frame in enumerate(levels):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="bgr0")
            picture.pts = number
            picture.time_base = 1 / fps
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return (levels.transpose(3, 0, 1, 2) / 255).astype(np.float32)


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    """A clip of 19 frames: two groups of eight and three more."""
    path = tmp_path / "truth.mkv"
    _write(path, 19)
    return path


def test_stream_is_rect(tmp_path: Path):
    """Full exposure, frame by frame, is the mean of each group as `core.rect` defines it."""
    volume = np.random.default_rng(0).random((3, 12, 4, 5), dtype=np.float32)
    slow = np.stack(list(degraded(volume.transpose(1, 0, 2, 3), 4)), axis=1)
    np.testing.assert_allclose(slow, rect_downsample(volume, 4), atol=1e-6)


@pytest.mark.parametrize(
    ("exposure", "weights"),
    [
        (1.0, [0.25, 0.25, 0.25, 0.25]),
        (0.5, [0.5, 0.5, 0, 0]),
        (0.375, [2 / 3, 1 / 3, 0, 0]),
        (0.01, [1, 0, 0, 0]),
    ],
)
def test_shutter_covers_the_first_part_of_each_group(exposure: float, weights: list[float]):
    """A frame under the open shutter counts by how long it is open; the sum is 1."""
    np.testing.assert_allclose(exposure_weights(4, exposure), weights, atol=1e-6)
    frames = np.eye(4, dtype=np.float32).reshape(4, 1, 2, 2)  # frame n is 1 at pixel n only
    (slow,) = degraded(frames, 4, exposure)
    np.testing.assert_allclose(slow.ravel(), weights, atol=1e-6)


@pytest.mark.parametrize("exposure", [0.0, -0.5, 1.01])
def test_impossible_exposures_are_refused(exposure: float):
    """The shutter is open for some of the time, and not longer than the frame."""
    with pytest.raises(SettingsError, match="above 0 and at most 1"):
        exposure_weights(8, exposure)


@pytest.mark.parametrize("fps", [Fraction(240), Fraction(240000, 1001)])
def test_file_holds_the_means_at_exact_times(tmp_path: Path, fps: Fraction):
    """Values to 8-bit rounding; one frame per group, each shown for the group's whole time."""
    volume = _write(tmp_path / "truth.mkv", 35, fps)
    report = degrade(tmp_path / "truth.mkv", tmp_path / "slow.mkv", 8)
    slow, info = read_volume(tmp_path / "slow.mkv")
    np.testing.assert_allclose(slow, rect_downsample(volume[:, :32], 8), atol=0.5 / 255 + 1e-6)
    assert info.fps == fps / 8
    assert info.times.starts == tuple(n * 8 / fps for n in range(4))
    assert (report.frames_in, report.frames_out, report.dropped) == (35, 4, 3)
    assert report.lossless
    assert any("last 3 of 35 frames" in note for note in report.notes)


def test_folder_of_images_is_lossless_too(tmp_path: Path, truth: Path):
    """A name without suffix becomes one image per frame with the same values as the video."""
    degrade(truth, tmp_path / "slow", 4)
    degrade(truth, tmp_path / "slow.mkv", 4)
    images, _ = read_volume(tmp_path / "slow")
    np.testing.assert_array_equal(images, read_volume(tmp_path / "slow.mkv")[0])


def test_lossy_container_says_so(tmp_path: Path, truth: Path):
    """An .mp4 is written as asked, with a note that its values are not exact."""
    report = degrade(truth, tmp_path / "slow.mp4", 8)
    assert not report.lossless
    assert any("compressed with loss" in note for note in report.notes)


def test_command_names_its_output_and_reports_json(tmp_path: Path, truth: Path):
    """Without -o the slow video lies beside the truth; --json is all that is printed."""
    result = CliRunner().invoke(main, [str(truth), "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["output"] == str(tmp_path / "truth_d8.mkv")
    assert report["frames_out"] == probe(tmp_path / "truth_d8.mkv").num_frames == 2


def test_command_prints_what_was_left_out(truth: Path):
    """Frames that fill no group are never dropped silently."""
    result = CliRunner().invoke(main, [str(truth), "--factor", "4"])
    assert result.exit_code == 0, result.output
    assert "the last 3 of 19 frames fill no group of 4" in result.stderr
    assert "19 frames → 4 at 15/2 fps" in result.stdout


def test_existing_output_is_kept_unless_told(tmp_path: Path, truth: Path):
    """A second run refuses to replace the first one's output, then replaces it on request."""
    output = tmp_path / "slow.mkv"
    output.write_bytes(b"precious")
    result = CliRunner().invoke(main, [str(truth), "-o", str(output)])
    assert result.exit_code == 1
    assert "--overwrite" in result.stderr
    assert output.read_bytes() == b"precious"
    assert CliRunner().invoke(main, [str(truth), "-o", str(output), "--overwrite"]).exit_code == 0
    assert probe(output).num_frames == 2


def test_too_few_frames_fail_in_one_line(truth: Path):
    """Fewer frames than one group: both numbers, status 1, no file."""
    result = CliRunner().invoke(main, [str(truth), "-f", "32"])
    assert result.exit_code == 1
    assert "19 frames are fewer than one group of 32" in result.stderr
    assert not default_output(truth, 32).exists()


def test_missing_input_fails_in_one_line(tmp_path: Path):
    """A path that is not there is named."""
    result = CliRunner().invoke(main, [str(tmp_path / "none.mp4")])
    assert result.exit_code == 1
    assert "does not exist" in result.stderr


def test_unknown_container_is_refused(tmp_path: Path, truth: Path):
    """A suffix nobody knows is refused before any frame is read."""
    with pytest.raises(OutputError, match="xyz"):
        degrade(truth, tmp_path / "slow.xyz", 8)


def test_default_output_lies_beside_the_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """For a file, for a folder with a dot in its name, and for the folder one stands in."""
    folder = tmp_path / "frames.v2"
    folder.mkdir()
    assert default_output(tmp_path / "a.mp4", 4) == tmp_path / "a_d4.mkv"
    assert default_output(folder, 4) == tmp_path / "frames.v2_d4.mkv"
    monkeypatch.chdir(folder)
    assert default_output(Path(), 4) == tmp_path / "frames.v2_d4.mkv"
