"""`tsr` from a video to its output: what is made, what is kept, what is done again."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import clips
import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from runs import HEIGHT, NUM_FRAMES, WIDTH, record_of, tsr

from tsr.core.clip_io import probe, read_volume
from tsr.core.errors import SettingsError
from tsr.pipeline.cli import main
from tsr.pipeline.interpolation import interpolation


@pytest.mark.slow
def test_from_a_video_to_its_output(tmp_path: Path, clip: Path, small_training: None) -> None:
    """Trained, exported in INT8, run; a second run with another encoder learns nothing anew, one
    with another factor learns for that."""
    cache = tmp_path / "cache"
    record = record_of(tsr(cache, clip, "-o", tmp_path / "x8.mp4", "--json"))
    made = probe(tmp_path / "x8.mp4")
    assert (made.num_frames, made.fps) == (8 * NUM_FRAMES, 8 * Fraction(30000, 1001))
    assert made.has_audio
    assert (record.factor, record.precision) == (8, "int8")
    (shot,) = record.shots
    assert (shot.start, shot.stop, shot.source) == (0, NUM_FRAMES, "trained")
    assert [step for step, _, _ in shot.history] == [2, 4]
    assert record.seconds["train"] > 0

    given = (clip, "-o", tmp_path / "x8.mkv", "--encoder", "ffv1", "--json")
    again = record_of(tsr(cache, *given))
    assert again.seconds["train"] == again.seconds["export"] == 0
    assert again.shots[0].history == shot.history
    other = record_of(tsr(cache, clip, "-o", tmp_path / "x2.mkv", "--factor", 2, "--json"))
    assert other.seconds["train"] > 0
    assert probe(tmp_path / "x2.mkv").num_frames == 2 * NUM_FRAMES


def test_the_output_is_that_of_tsr_run(
    tmp_path: Path, clip: Path, small_onnx: Path, stubbed: None
) -> None:
    """Pieces do not show: the same samples and times as in one go."""
    from tsr.runtime.run import run

    record_of(tsr(tmp_path / "c", clip, "-o", tmp_path / "a.mkv", "--encoder", "ffv1", "--json"))
    run(small_onnx, clip, tmp_path / "b.mkv", encoder="ffv1")
    (one, a), (other, b) = (read_volume(tmp_path / name) for name in ("a.mkv", "b.mkv"))
    np.testing.assert_array_equal(one, other)
    assert a.times == b.times


def test_frames_that_stay_interlaced(
    tmp_path: Path, picture: NDArray[np.float32], stubbed: None
) -> None:
    """With --deinterlace off, from the look at the video to the last frame: as a file without the
    flag; what was kept of the run that believed the flag is not taken."""
    flagged = clips.write_interlaced(tmp_path / "flagged.mp4", picture)
    plain = clips.write_video(tmp_path / "plain.mp4", picture, fps=25)
    made = {}
    for name, clip, word in (
        ("auto", flagged, "auto"), ("off", flagged, "off"), ("plain", plain, "auto")
    ):  # fmt: skip
        out = tmp_path / f"{name}.mkv"
        given = ("-o", out, "--factor", 2, "--encoder", "ffv1", "--deinterlace", word, "--json")
        record = record_of(tsr(tmp_path / "c", clip, *given))
        assert record.settings.get("deinterlace") == (False if word == "off" else None)
        assert any("taken as it is" in note for note in record.notes) == (name == "off")
        made[name] = read_volume(out)[0]
    np.testing.assert_array_equal(made["off"], made["plain"])
    assert np.abs(made["auto"] - made["plain"]).max() > 0.02


def test_int8_that_is_refused_gives_fp32_and_says_why(
    tmp_path: Path, clip: Path, small_training: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in a later run, which takes it from the cache."""
    from tsr.core.errors import ModelError

    def refuse(*_: object, **__: object) -> None:
        raise ModelError("int8 shows too much in this video")

    monkeypatch.setattr("tsr.export.to_quantised.to_quantised", refuse)
    for name in ("a.mp4", "b.mp4"):
        result = tsr(tmp_path / "c", clip, "-o", tmp_path / name, "--factor", 2, "--json")
        record = record_of(result)
        assert record.precision == "fp32"
        assert any("shows too much" in note for note in record.notes)


def test_the_exposure_reaches_the_training_and_what_is_only_interpolated(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both follow what the user says; `auto` is left to the training."""
    asked: list[object] = []

    def refuse(*_: object, exposure: object, **__: object) -> None:
        asked.append(exposure)
        raise SettingsError("no training today")

    monkeypatch.setattr("tsr.trainer.train.train", refuse)
    for word in ("1/4", "auto", "full"):
        given = (clip, "-o", tmp_path / "out.mp4", "--exposure", word)
        assert tsr(tmp_path / "c", *given).exit_code == 1
    assert asked == [0.25, "auto", 1.0]

    for moves in (True, False):
        ladder, _ = interpolation(HEIGHT, WIDTH, 4, 0.25, moves=moves)
        assert (ladder.factor, ladder.exposure) == (4, 0.25)


def test_words_and_files_of_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`doctor` is a word, `./doctor` a file."""
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["doctor", "--json"], prog_name="tsr")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["cores"] >= 1
    assert "ffv1" in found["encoders"]
    assert found["runs_on"]
    result = CliRunner().invoke(main, ["./doctor"], prog_name="tsr")
    assert result.stderr == "tsr: doctor does not exist\n"
    assert CliRunner().invoke(main, [], prog_name="tsr").exit_code == 2


def test_the_cache_is_shown_and_cleared(tmp_path: Path, clip: Path, stubbed: None) -> None:
    """All but the lock."""
    cache = tmp_path / "c"
    tsr(cache, clip, "-o", tmp_path / "out.mp4", "--factor", 2)
    shown = json.loads(tsr(cache, "cache", "--json").stdout)
    assert [video["video"] for video in shown["videos"]] == ["in.mp4"]
    assert tsr(cache, "cache", "--clear").exit_code == 0
    assert json.loads(tsr(cache, "cache", "--json").stdout)["videos"] == []


def test_nothing_crosses_a_cut(
    tmp_path: Path, stubbed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each shot is what it would be in a file of its own; short ones borrow or are interpolated."""
    from tsr.pipeline import survey

    dark = 0.1 + 0.3 * clips.rotating_spokes(13, HEIGHT, WIDTH)
    light = np.repeat(np.array([0.9, 0.6, 0.95], np.float32)[:, None], 4, axis=1)
    light = light[:, :, None, None] - 0.1 * clips.rotating_spokes(4, HEIGHT, WIDTH)
    parts = [dark[:, :10], light[:, :3], dark[:, 10:], light[:, 3:]]
    lossless: dict[str, Any] = {"codec": "ffv1", "pixel_format": "bgr0"}
    whole = clips.write_video(tmp_path / "in.mkv", np.concatenate(parts, axis=1), **lossless)
    monkeypatch.setattr(survey, "find_cuts", lambda frames: list(frames) and [10, 13, 16])
    record = record_of(
        tsr(tmp_path / "c", whole, "-o", tmp_path / "out.mkv", "--encoder", "ffv1", "--factor", 2,
            "--json")
    )  # fmt: skip
    assert [shot.source for shot in record.shots] == [
        "trained", "interpolated", "borrowed", "interpolated",
    ]  # fmt: skip
    assert "frames 0 to 9" in record.shots[2].reason
    made, _ = read_volume(tmp_path / "out.mkv")
    alone = clips.write_video(tmp_path / "alone.mkv", parts[0], **lossless)
    monkeypatch.setattr(survey, "find_cuts", lambda frames: list(frames)[:0])
    record_of(
        tsr(tmp_path / "c", alone, "-o", tmp_path / "a.mkv", "--encoder", "ffv1", "--factor", 2,
            "--json")
    )  # fmt: skip
    np.testing.assert_array_equal(made[:, :20], read_volume(tmp_path / "a.mkv")[0])
    single = np.rint(parts[3] * 255) / 255  # one frame: nothing to interpolate
    np.testing.assert_allclose(made[:, -2:], np.repeat(single, 2, axis=1), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("begun", "word", "expected"),
    [([], "doc", "doctor"), ([], "--qu", "--quality"), (["cache"], "--cl", "--clear"),
     (["a.mp4"], "--slo", "--slow-motion")],
)  # fmt: skip
def test_the_shell_completes_words_and_options(begun: list[str], word: str, expected: str) -> None:
    """By click's own completion."""
    from click.shell_completion import ShellComplete

    found = ShellComplete(main, {}, "tsr", "_TSR_COMPLETE").get_completions(begun, word)
    assert expected in [item.value for item in found]
