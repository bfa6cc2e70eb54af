"""`tsr` on a video with cuts, a short shot, held pictures and a logo."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import clips
import models
import numpy as np
import pytest
import stubs
from click.testing import CliRunner
from numpy.typing import NDArray

from tsr.core.clip_io import probe, read_volume
from tsr.evaluation.scenes import Profile, SpokedDisc, render_volume
from tsr.evaluation.shapes import grid, layered_noise
from tsr.export.to_onnx import to_onnx
from tsr.pipeline import render
from tsr.pipeline.cli import main
from tsr.pipeline.record import RunRecord

Volume = NDArray[np.float32]
HEIGHT, WIDTH = 64, 96
LOGO = (slice(6, 16), slice(70, 90))
STEP = 0.5 / 255 + 1e-6
"""What a lossless 8-bit file may change."""


def pan(frames: int, *, tint: tuple[float, float, float], first: int = 0) -> Volume:
    """A camera that pans over a coloured wall."""
    y, x = grid(HEIGHT, WIDTH)
    shade = [layered_noise(y * 5, (x + n * 0.03) * 5, seed=1) for n in range(first, first + frames)]
    colour = np.array(tint, np.float32)[:, None, None, None]
    return np.asarray(0.1 + 0.8 * np.stack(shade)[None] * colour, np.float32)


def wheel(frames: int) -> Volume:
    """A wheel that turns, as at that many instants."""
    return render_volume(SpokedDisc(speed=Profile.constant(0.11)), frames, HEIGHT, WIDTH)


def with_logo(video: Volume) -> Volume:
    marked = video.copy()
    marked[:, :, *LOGO] = np.array([0.9, 0.8, 0.1], np.float32)[:, None, None, None]
    return marked


RED, BLUE = (1.0, 0.3, 0.2), (0.1, 0.4, 1.0)
PARTS = {
    "red": with_logo(pan(26, tint=RED)),
    "held": np.repeat(wheel(15), 2, axis=1),
    "short": pan(6, tint=RED, first=40),
    "blue": pan(25, tint=BLUE),
}
STARTS = dict(zip(PARTS, np.cumsum([0, 26, 30, 6]).tolist(), strict=True))


def store(path: Path, *parts: Volume) -> Path:
    return clips.write_video(
        path, np.concatenate(parts, axis=1), fps=24, codec="ffv1", pixel_format="bgr0"
    )


@pytest.fixture(scope="module")
def edited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All parts, joined by cuts, without loss."""
    return store(tmp_path_factory.mktemp("edited") / "edited.mkv", *PARTS.values())


def tsr(cache: Path, *arguments: object) -> RunRecord:
    given = [*map(str, arguments), "--encoder", "ffv1", "--json", "--cache", str(cache)]
    result = CliRunner().invoke(main, given, prog_name="tsr")
    assert result.exit_code == 0, result.output
    events: list[dict[str, Any]] = [json.loads(line) for line in result.stdout.splitlines()]
    (done,) = (event for event in events if event["event"] == "done")
    return RunRecord.from_json(json.dumps(done["record"]))


def by_part(record: RunRecord) -> dict[str, Any]:
    return dict(zip(PARTS, record.shots, strict=True))


def test_each_shot_is_made_by_itself(
    tmp_path: Path, edited: Path, small_onnx: Path, stubbed: None
) -> None:
    """The frames on either side of a cut are those of the shot in a file of its own."""
    from tsr.runtime.run import run

    out = tmp_path / "out.mkv"
    record = tsr(tmp_path / "c", edited, "-o", out, "--factor", 2, "--no-overlays")
    assert [shot.start for shot in record.shots] == list(STARTS.values())
    made, info = read_volume(out)
    assert made.shape[1] == 2 * 87
    assert info.fps == 48
    for name in ("red", "blue"):
        alone = store(tmp_path / f"{name}.mkv", PARTS[name])
        run(small_onnx, alone, tmp_path / f"{name}_x2.mkv", factor=2, encoder="ffv1")
        expected, _ = read_volume(tmp_path / f"{name}_x2.mkv")
        first = 2 * STARTS[name]
        np.testing.assert_array_equal(made[:, first : first + expected.shape[1]], expected)


def test_held_pictures_are_raised_from_their_own_rate(
    tmp_path: Path, edited: Path, small_onnx: Path, stubbed: None
) -> None:
    """×2 of a shot on twos is ×4 of its pictures, at ×2 of the clip's rate."""
    from tsr.runtime.run import run

    out = tmp_path / "out.mkv"
    record = tsr(tmp_path / "c", edited, "-o", out, "--factor", 2, "--no-overlays")
    alone = store(tmp_path / "wheel.mkv", wheel(15))
    run(small_onnx, alone, tmp_path / "wheel_x4.mkv", factor=4, encoder="ffv1")
    expected, _ = read_volume(tmp_path / "wheel_x4.mkv")
    made, _ = read_volume(out)
    np.testing.assert_array_equal(made[:, 52:112], expected)
    held = by_part(record)["held"]
    assert held.duplicates == tuple(range(27, 56, 2))
    assert "on twos" in held.reason


def test_slow_motion_by_repeating_is_one_moving_shot(
    tmp_path: Path, small_onnx: Path, stubbed: None
) -> None:
    """A wheel so fast that each new picture would be a cut, every frame eight times: one shot, and
    each picture's time is filled by the eight frames that the ladder makes of it."""
    from tsr.runtime.run import run

    fast = render_volume(SpokedDisc(speed=Profile.constant(0.4), radius=0.42), 9, HEIGHT, WIDTH)
    path = store(tmp_path / "slow.mkv", np.repeat(fast, 8, axis=1))
    out = tmp_path / "out.mkv"
    record = tsr(tmp_path / "c", path, "-o", out, "--factor", 2, "--no-overlays")
    assert len(record.shots) == 1
    assert "1 picture in 8 frames" in record.shots[0].reason
    alone = store(tmp_path / "wheel.mkv", fast)
    run(small_onnx, alone, tmp_path / "wheel_x8.mkv", factor=8, encoder="ffv1")
    expected, _ = read_volume(tmp_path / "wheel_x8.mkv")
    made, _ = read_volume(out)
    np.testing.assert_array_equal(made, np.repeat(expected, 2, axis=1))


def test_pieces_of_held_pictures_do_not_show(
    tmp_path: Path, stubbed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same frames whatever pieces a render is cut into; 3:2 pulldown, whose pictures begin
    between frames."""
    shown = [2 * n // 5 for n in range(24)]
    path = store(tmp_path / "pulldown.mkv", with_logo(wheel(10))[:, shown])
    found = []
    for frames in (16, 10_000):
        monkeypatch.setattr(render, "PIECE_FRAMES", frames)
        out = tmp_path / f"{frames}.mkv"
        record = tsr(tmp_path / str(frames), path, "-o", out, "--factor", 2)
        assert "3:2 pulldown" in record.shots[0].reason
        found.append(read_volume(out)[0])
    np.testing.assert_array_equal(*found)


def test_a_logo_keeps_its_pixels(
    tmp_path: Path, edited: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the shot that has it; without, a network that changes much changes them."""
    model = models.write_model(tmp_path / "strong.safetensors", start="1/4", strength=2)
    to_onnx(model, tmp_path / "strong.onnx")
    stubs.install(model, tmp_path / "strong.onnx", 32, monkeypatch.setattr)
    deviations = {}
    for option in ("--overlays", "--no-overlays"):
        out = tmp_path / f"{option}.mkv"
        record = tsr(tmp_path / option, edited, "-o", out, "--factor", 2, option)
        made, _ = read_volume(out)
        logo = np.repeat(PARTS["red"], 2, axis=1)[:, :, *LOGO]
        deviations[option] = np.abs(made[:, :52, *LOGO] - logo).max()
        reason = by_part(record)["red"].reason
        assert ("3.3% of its pixels stand still" in reason) == (option == "--overlays")
    assert deviations["--overlays"] <= STEP
    assert deviations["--no-overlays"] > 3 * STEP


def test_all_can_be_switched_off(
    tmp_path: Path, edited: Path, small_onnx: Path, stubbed: None
) -> None:
    """What is left is what `tsr-run` makes of the file."""
    from tsr.runtime.run import run

    out = tmp_path / "out.mkv"
    options = ("--no-shots", "--keep-duplicates", "--no-overlays")
    record = tsr(tmp_path / "c", edited, "-o", out, "--factor", 2, *options)
    assert len(record.shots) == 1
    assert record.shots[0].duplicates == ()
    assert record.settings["shots"] is record.settings["overlays"] is False
    assert record.settings["keep_duplicates"] is True
    run(small_onnx, edited, tmp_path / "run.mkv", factor=2, encoder="ffv1")
    np.testing.assert_array_equal(read_volume(out)[0], read_volume(tmp_path / "run.mkv")[0])


def test_a_resting_part_rests_in_the_output(tmp_path: Path, stubbed: None) -> None:
    """Whatever the network would make of it: the frames as they are."""
    moving = wheel(20)
    video = np.concatenate([moving, np.repeat(moving[:, -1:], 12, axis=1)], axis=1)
    path = store(tmp_path / "rest.mkv", video)
    record = tsr(tmp_path / "c", path, "-o", tmp_path / "out.mkv", "--factor", 2)
    assert record.shots[0].duplicates == tuple(range(20, 32))
    assert "nothing moves" in record.shots[0].reason
    made, _ = read_volume(tmp_path / "out.mkv")
    source, _ = read_volume(path)
    np.testing.assert_array_equal(made[:, 40:], np.repeat(source[:, 20:], 2, axis=1))


@pytest.mark.parametrize("lengths", [(12, 1, 12), (1, 20)])
def test_a_shot_of_one_frame(tmp_path: Path, lengths: tuple[int, ...], stubbed: None) -> None:
    """Is repeated as it is."""
    parts = [wheel(n) if i % 2 else pan(n, tint=RED) for i, n in enumerate(lengths)]
    path = store(tmp_path / "in.mkv", *parts)
    record = tsr(tmp_path / "c", path, "-o", tmp_path / "out.mkv", "--factor", 4)
    at = lengths.index(1)
    assert len(record.shots) == len(lengths)
    assert record.shots[at].reason == "a single frame"
    made, _ = read_volume(tmp_path / "out.mkv")
    source, _ = read_volume(path)
    first = record.shots[at].start
    for frame in range(4 * first, 4 * first + 4):
        np.testing.assert_allclose(made[:, frame], source[:, first], atol=1.01 / 255)


@pytest.mark.slow
def test_from_an_edited_video_to_its_output(
    tmp_path: Path, edited: Path, small_training: None
) -> None:
    """Trained, a few steps each: who learned, from which start, who borrowed; what a second run
    keeps."""
    from tsr.core.model_card import file_sha256
    from tsr.trainer.network import load_model

    cache, out = tmp_path / "c", tmp_path / "out.mkv"
    record = tsr(cache, edited, "-o", out, "--factor", 2)
    shots = by_part(record)
    sources = {name: shot.source for name, shot in shots.items()}
    assert sources == {"red": "trained", "held": "trained", "short": "borrowed", "blue": "trained"}
    assert shots["short"].model == shots["red"].model
    assert "6 frames to learn from" in shots["short"].reason
    cards = {name: load_model(Path(shot.model))[1].settings for name, shot in shots.items()}
    assert cards["red"]["start_from"] is None
    assert cards["red"]["steps"] == 4
    for name in ("held", "blue"):
        assert cards[name]["start_from"] in {file_sha256(Path(shot.model)) for shot in record.shots}
        assert cards[name]["steps"] == 1
        assert "starts from the network of shot" in shots[name].reason
    assert cards["held"]["wanted"] is not None
    made = probe(out)
    assert (made.num_frames, made.fps) == (2 * 87, Fraction(48))

    given = ("-o", tmp_path / "other.mkv", "--factor", 2, "--encoder", "ffv1")
    again = tsr(cache, edited, *given)
    assert again.seconds["train"] == again.seconds["export"] == 0
    assert [shot.model for shot in again.shots] == [shot.model for shot in record.shots]
