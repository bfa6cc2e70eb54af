"""What a file holds beside the picture, through the command."""

from pathlib import Path

import clips
import numpy as np
import pytest
from commands import succeed
from rich_clip import write_rich

from tsr.core.clip_io import probe, read_volume

pytestmark = pytest.mark.usefixtures("nothing_half_written")
OPTIONS = ("--start-scale", "1", "--factor", "2")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rich(tmp_path_factory.mktemp("film") / "film.mkv", side=64)


def test_everything_is_kept(tmp_path: Path, film: Path, tiny_onnx: Path) -> None:
    """From Matroska to Matroska without a note."""
    result = succeed("tsr-run", tiny_onnx, film, "-o", tmp_path / "fast.mkv", *OPTIONS)
    assert "note: " not in result.stderr
    assert probe(tmp_path / "fast.mkv").beside == probe(film).beside


def test_a_wrong_flag_can_be_ignored(tmp_path: Path, tiny_onnx: Path) -> None:
    """Progressive frames that are flagged as interlaced: as those of a file without the flag."""
    picture = clips.rotating_spokes(6, 64, 80)
    flagged = clips.write_interlaced(tmp_path / "flagged.mp4", picture)
    plain = clips.write_video(tmp_path / "plain.mp4", picture, fps=25)
    options = ("--encoder", "ffv1", *OPTIONS)
    made = {}
    for name, clip, more in (
        ("off", flagged, ("--deinterlace", "off")), ("auto", flagged, ()), ("plain", plain, ())
    ):  # fmt: skip
        out = tmp_path / f"{name}.mkv"
        stderr = succeed("tsr-run", tiny_onnx, clip, "-o", out, *options, *more).stderr
        assert ("note: the video is flagged as interlaced and taken" in stderr) == (name == "off")
        made[name] = read_volume(out)[0]
    np.testing.assert_array_equal(made["off"], made["plain"])
    assert np.abs(made["auto"] - made["plain"]).max() > 0.05


def test_notes_reach_the_user(tmp_path: Path, film: Path, tiny_onnx: Path) -> None:
    """Slow motion leaves the sound out, MP4 the font."""
    given = (tiny_onnx, film, "-o", tmp_path / "slow.mp4", "--slow-motion", *OPTIONS)
    stderr = succeed("tsr-run", *given).stderr
    assert "note: time is stretched, so the audio was left out" in stderr
    assert "note: .mp4 cannot hold the attachment font.ttf; left out" in stderr
    assert probe(tmp_path / "slow.mp4").beside == ("subtitles", "attachments", "chapters")
