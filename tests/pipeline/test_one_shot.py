"""`tsr` from a video to its output: what is made, what is kept, what is done again."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import clips
import numpy as np
import pytest
from click.testing import CliRunner, Result

from tsr.core.clip_io import probe, read_volume
from tsr.core.errors import SettingsError
from tsr.pipeline import network
from tsr.pipeline.cli import main
from tsr.pipeline.interpolation import interpolation
from tsr.pipeline.record import RunRecord

NUM_FRAMES, HEIGHT, WIDTH = 20, 64, 96


@pytest.fixture
def small_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """A real training, and a very short one."""
    from tsr.trainer import config

    small = config.TrainConfig(channels=4, steps=4, batch=1, validate_every=2, precision="fp32")
    monkeypatch.setitem(config.PRESETS, "fast", small)


def tsr(cache: Path, *arguments: object) -> Result:
    given = [*map(str, arguments), "--cache", str(cache)]
    return CliRunner().invoke(main, given, prog_name="tsr")


def events(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def record_of(result: Result) -> RunRecord:
    (done,) = (event for event in events(result) if event["event"] == "done")
    return RunRecord.from_json(json.dumps(done["record"]))


@pytest.mark.slow
def test_from_a_video_to_its_output(tmp_path: Path, clip: Path, small_training: None) -> None:
    """Trained, exported in INT8, run; a second run with another factor and encoder learns nothing
    anew."""
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

    again = record_of(
        tsr(cache, clip, "-o", tmp_path / "x2.mkv", "--factor", 2, "--encoder", "ffv1", "--json")
    )
    assert again.seconds["train"] == again.seconds["export"] == 0
    assert again.shots[0].history == shot.history
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


def test_several_inputs_and_a_failure(tmp_path: Path, clip: Path, stubbed: None) -> None:
    """One after the other; the bad one does not stop the rest, and the exit status tells."""
    bad = tmp_path / "bad.mp4"
    bad.write_text("this is no video")
    other = tmp_path / "other.mp4"
    clips.write_video(other, 0.2 + 0.6 * clips.rotating_spokes(9, HEIGHT, WIDTH))
    result = tsr(tmp_path / "c", bad, clip, other, "-o", tmp_path / "out", "--factor", 2)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == "tsr: 1 of 3 inputs failed; see above"
    assert "failed: " in result.stderr
    assert sorted(f.name for f in (tmp_path / "out").iterdir()) == ["in_x2.mp4", "other_x2.mp4"]


def test_a_folder_of_videos(tmp_path: Path, clip: Path, stubbed: None) -> None:
    """Each beside itself; what is no video is passed over."""
    folder = tmp_path / "videos"
    folder.mkdir()
    (folder / "one.mp4").write_bytes(clip.read_bytes())
    (folder / "notes.txt").write_text("not a video")
    result = tsr(tmp_path / "c", folder, "--factor", 2)
    assert result.exit_code == 0, result.output
    assert (folder / "one_x2.mp4").is_file()


def test_what_is_cheap_is_checked_before_any_work(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No training begins for an output that cannot be written in the end."""

    def train(*_: object) -> None:
        raise AssertionError("the training began")

    monkeypatch.setattr(network, "train", train)
    short = clips.write_video(tmp_path / "short.mp4", clips.numbered(5, 64, 64))
    (tmp_path / "there.mp4").touch()
    cases = [
        ((clip, "-o", tmp_path / "out.xyz"), "unknown suffix"),
        ((clip, "-o", tmp_path / "out.mp4", "--encoder", "ffv1"), "ffv1"),
        ((clip, "-o", tmp_path / "out.mp4", "--crf", 99), "99"),
        ((clip, "-o", tmp_path / "no" / "out.mp4"), "does not exist"),
        ((clip, "-o", tmp_path / "there.mp4"), "--overwrite"),
        ((short, "-o", tmp_path / "out.mp4"), "5 frames"),
        ((tmp_path / "missing.mp4", "-o", tmp_path / "out.mp4"), "does not exist"),
        ((clip, "-o", tmp_path / "out.mp4", "--range", "1:00-2:00"), "no frame between"),
    ]  # fmt: skip
    for arguments, words in cases:
        result = tsr(tmp_path / "c", *arguments)
        assert result.exit_code == 1, result.output
        (line,) = result.stderr.splitlines()
        assert line.startswith("tsr: ")
        assert words in line
    assert not (tmp_path / "out.mp4").exists()


def test_a_disk_without_room_is_noticed_before_any_work(
    tmp_path: Path, clip: Path, stubbed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what the output needs at the very least."""
    import shutil

    full = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr("tsr.pipeline.job.shutil.disk_usage", lambda _: full)
    result = tsr(tmp_path / "c", clip, "-o", tmp_path / "out.mp4")
    assert result.exit_code == 1
    assert "make room" in result.stderr


def test_a_part_alone_is_retimed(tmp_path: Path, clip: Path, stubbed: None) -> None:
    """The rest keeps its frames and times, and the sound stays."""
    given = probe(clip)
    first, last = 6, 13
    seconds = "-".join(
        f"{float(given.times.starts[n] - Fraction(1, 100)):.4f}" for n in (first, last)
    )
    record = record_of(
        tsr(tmp_path / "c", clip, "-o", tmp_path / "out.mkv", "--factor", 4, "--encoder", "ffv1",
            "--range", seconds, "--json")
    )  # fmt: skip
    volume, made = read_volume(tmp_path / "out.mkv")
    assert made.num_frames == NUM_FRAMES + 3 * (last - first)
    source, _ = read_volume(clip)
    before, after = slice(0, first), slice(last, None)
    step = 0.5 / 255 + 1e-6
    np.testing.assert_allclose(volume[:, before], source[:, before], rtol=0, atol=step)
    tail = volume[:, first + 4 * (last - first) :]
    np.testing.assert_allclose(tail, source[:, after], rtol=0, atol=step)
    for n in range(first, last):  # the retimed part averages back to the input
        group = volume[:, first + 4 * (n - first) :][:, :4]
        unclipped = ((group > 0) & (group < 1)).all(axis=1)
        error = np.abs(group.mean(axis=1) - source[:, n])[unclipped]
        assert error.max() <= 1.5 / 255
    assert made.has_audio
    assert abs(made.times.span - given.times.span) < Fraction(1, 500)
    starts = made.times.starts
    assert abs(starts[first + 4 * (last - first)] - given.times.starts[last]) < Fraction(1, 500)
    assert record.settings["range"] == pytest.approx([float(x) for x in seconds.split("-")])


def test_a_part_in_slow_motion_has_no_sound(tmp_path: Path, clip: Path, stubbed: None) -> None:
    """The part lasts longer, the rest comes later."""
    record = record_of(
        tsr(tmp_path / "c", clip, "-o", tmp_path / "out.mp4", "--factor", 2, "--slow-motion",
            "--range", "0.2-0.4", "--json")
    )  # fmt: skip
    made, given = probe(tmp_path / "out.mp4"), probe(clip)
    inside = [n for n, s in enumerate(given.times.starts) if Fraction(1, 5) <= s < Fraction(2, 5)]
    assert made.num_frames == NUM_FRAMES + len(inside)
    assert made.times.span == given.times.span + len(inside) / given.fps
    assert not made.has_audio
    assert any("audio" in note for note in record.notes)


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

    ladder, _ = interpolation(4, 0.25)
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


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("5-12.5", (5, 12.5)), ("00:05-01:02:03", (5, 3723)), ("-3", (0, 3)), ("2-", (2, 10**9)),
        ("1:30-", (90, 10**9)), ("5", None), ("a-b", None), ("-", None), ("7-7", None),
        ("9-2", None),
    ],
)  # fmt: skip
def test_ranges(words: str, expected: tuple[float, float] | None) -> None:
    """Hours and minutes may be left out, and one of the ends."""
    import click

    from tsr.pipeline.cli import TimeRange

    if expected is None:
        with pytest.raises(click.BadParameter):
            TimeRange().convert(words, None, None)
    else:
        assert TimeRange().convert(words, None, None) == expected


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


def test_a_preview_of_the_liveliest_seconds(tmp_path: Path, stubbed: None) -> None:
    """Beside the output, which is not made: twice as wide, every frame of it."""
    still = np.repeat(0.3 + 0.4 * clips.rotating_spokes(1, HEIGHT, WIDTH), 40, axis=1)
    lively = 0.3 + 0.4 * clips.rotating_spokes(20, HEIGHT, WIDTH)
    video = np.concatenate((still, lively, still), axis=1)
    whole = clips.write_video(tmp_path / "in.mp4", video, fps=10)
    result = tsr(
        tmp_path / "c", whole, "-o", tmp_path / "out.mp4", "--factor", 2, "--preview", "--json"
    )
    (done,) = (event for event in events(result) if event["event"] == "preview")
    assert Path(done["wrote"]) == tmp_path / "out_preview.mp4"
    assert not (tmp_path / "out.mp4").exists()
    made, info = read_volume(tmp_path / "out_preview.mp4")
    assert (info.num_frames, info.width) == (40, 2 * WIDTH)
    changes = np.abs(np.diff(made[:, :, -HEIGHT:], axis=1)).mean(axis=(0, 2, 3))
    assert (changes[2:-2] > 0.005).all()  # of the lively part, and all of it


def test_an_output_never_replaces_another_input(tmp_path: Path, clip: Path, stubbed: None) -> None:
    """Not even with --overwrite."""
    one, two = tmp_path / "in.mp4", tmp_path / "in_x2.mp4"
    for path in (one, two):
        path.write_bytes(clip.read_bytes())
    result = tsr(tmp_path / "c", one, two, "--factor", 2, "--overwrite")
    assert result.exit_code == 1
    assert "in_x2.mp4 is the input itself" in result.stderr
    assert two.read_bytes() == clip.read_bytes()
    assert (tmp_path / "in_x2_x2.mp4").exists()


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


def test_a_machine_without_torch_is_told_what_to_install(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line, before anything is looked at."""
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(
        "tsr.core.console.importlib.util.find_spec",
        lambda name, *rest: None if name in ("torch", "filelock") else find(name, *rest),
    )
    result = tsr(tmp_path / "c", clip, "-o", tmp_path / "out.mp4")
    assert result.exit_code == 1
    assert "tsr needs torch, filelock: pip install 'zero-shot-tsr[all]'" in result.stderr
