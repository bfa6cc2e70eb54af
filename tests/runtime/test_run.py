"""`tsr-run` from file to file: frames, times, sound and samples."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import clips
import models
import numpy as np
import pytest
from click.testing import CliRunner
from commands import refusal
from numpy.typing import NDArray

from tsr.core.clip_io import probe, read_volume
from tsr.core.clip_io.pixels import to_rgb
from tsr.core.errors import ModelError, SettingsError
from tsr.core.ladder import ScaleLadder
from tsr.runtime import cpu_backend, cuda_backend
from tsr.runtime.cli import main
from tsr.runtime.run import (
    MAX_SEGMENT,
    RunProgress,
    choose_ladder,
    factor_notes,
    segment_size,
)

HEIGHT, WIDTH, NUM_FRAMES = 71, 127, 4
"""An odd size like 853×479, large enough for the 1/4 ladder."""

FPS = Fraction(30000, 1001)


@pytest.fixture(scope="module")
def picture() -> NDArray[np.float32]:
    """Mostly grey, so that little is clipped, with motion in it."""
    return 0.3 + 0.4 * clips.rotating_spokes(NUM_FRAMES, HEIGHT, WIDTH, turn=0.05)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory, picture: NDArray[np.float32]) -> Path:
    """Lossless 8-bit RGB at an NTSC rate."""
    path = tmp_path_factory.mktemp("clip") / "slow.mkv"
    return clips.write_video(
        path, picture, fps=FPS, codec="ffv1", pixel_format="bgr0", time_base=Fraction(1, 30000),
        ticks=[1001 * n for n in range(NUM_FRAMES + 1)],
    )  # fmt: skip


def ran(model: Path, clip: Path, output: Path, *options: str) -> dict[str, Any]:
    """What `tsr-run --json` reports, after success."""
    arguments = [str(model), str(clip), "-o", str(output), "--start-scale", "1/4", *options]
    result = CliRunner().invoke(main, [*arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    assert f"wrote {output}" in result.stderr
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def test_lossless_output_averages_back_to_the_input(
    tmp_path: Path, tiny_onnx: Path, clip: Path
) -> None:
    """In the 8-bit file as in the loop: to 1/255 wherever no frame of the group is at an end."""
    report = ran(tiny_onnx, clip, tmp_path / "fast.mkv", "--encoder", "ffv1")
    assert report["frames"] == 8 * NUM_FRAMES
    given, _ = read_volume(clip)
    made, info = read_volume(tmp_path / "fast.mkv")
    assert (info.width, info.height, info.num_frames) == (WIDTH, HEIGHT, 8 * NUM_FRAMES)
    groups = made.reshape(3, NUM_FRAMES, 8, HEIGHT, WIDTH)
    unclipped = ((groups > 0) & (groups < 1)).all(axis=2)
    assert unclipped.mean() > 0.9
    error = np.abs(groups.mean(axis=2, dtype=np.float64) - given)[unclipped]
    assert error.max() <= 1 / 255
    assert error.mean() < 0.2 / 255


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_the_rate_is_multiplied_and_the_duration_kept(
    tmp_path: Path, tiny_onnx: Path, clip: Path, factor: int
) -> None:
    """f·N frames at exactly f times the rate, from the same start to the same end."""
    report = ran(tiny_onnx, clip, tmp_path / "fast.mp4", "--factor", str(factor))
    given, made = probe(clip), probe(tmp_path / "fast.mp4")
    assert made.num_frames == report["frames"] == factor * NUM_FRAMES
    assert made.fps == Fraction(report["fps"]) == factor * FPS
    assert made.times.starts[0] == given.times.starts[0]
    assert made.times.end == NUM_FRAMES / FPS
    assert (made.width, made.height) == (WIDTH, HEIGHT)


def test_slow_motion_keeps_the_rate_and_stretches_the_duration(
    tmp_path: Path, tiny_onnx: Path, clip: Path
) -> None:
    """The same frames, shown eight times as long."""
    ran(tiny_onnx, clip, tmp_path / "slow.mp4", "--slow-motion")
    made = probe(tmp_path / "slow.mp4")
    assert made.fps == FPS
    assert made.num_frames == 8 * NUM_FRAMES
    assert made.times.span == 8 * NUM_FRAMES / FPS


def test_a_name_without_suffix_is_a_folder_of_images(
    tmp_path: Path, tiny_onnx: Path, clip: Path
) -> None:
    """The same samples as in the lossless video."""
    ran(tiny_onnx, clip, tmp_path / "fast.mkv", "--encoder", "ffv1", "--factor", "2")
    ran(tiny_onnx, clip, tmp_path / "frames", "--factor", "2")
    assert len(list((tmp_path / "frames").iterdir())) == 2 * NUM_FRAMES
    images, _ = read_volume(tmp_path / "frames")
    video, _ = read_volume(tmp_path / "fast.mkv")
    np.testing.assert_array_equal(images, video)


def test_a_folder_of_images_is_an_input_too(
    tmp_path: Path, tiny_onnx: Path, picture: NDArray[np.float32]
) -> None:
    """A default rate is assumed, and said."""
    folder = clips.write_pngs(tmp_path / "slow", picture)
    report = ran(tiny_onnx, folder, tmp_path / "fast.mkv", "--factor", "2")
    assert report["fps"] == "60"
    assert any("no rate of its own" in note for note in report["notes"])


def test_sound_stays_in_sync(tmp_path: Path, tiny_onnx: Path, picture: NDArray[np.float32]) -> None:
    """Audio packets are copied with their times; slow motion leaves them out and says so."""
    even = picture[:, :, :-1, :-1]  # x264 stores no odd sizes
    clip = clips.write_video(tmp_path / "loud.mp4", even, fps=10, tone=clips.Tone(NUM_FRAMES / 10))
    ran(tiny_onnx, clip, tmp_path / "fast.mp4", "--factor", "2")
    assert sound(tmp_path / "fast.mp4") == sound(clip)
    assert len(sound(clip)) > 10
    ran(tiny_onnx, clip, tmp_path / "slow.mp4", "--factor", "2", "--slow-motion")
    assert sound(tmp_path / "slow.mp4") == []


def sound(path: Path) -> list[tuple[Fraction, bytes]]:
    """Time and content of each audio packet."""
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return []
        packets = container.demux(container.streams.audio[0])
        return [(p.pts * p.time_base, bytes(p)) for p in packets if p.size]


def test_tile_and_segment_do_not_show_in_the_file(
    tmp_path: Path, tiny_onnx: Path, clip: Path
) -> None:
    """The very same samples, however little memory it was given."""
    ran(tiny_onnx, clip, tmp_path / "a.mkv", "--encoder", "ffv1")
    ran(
        tiny_onnx, clip, tmp_path / "b.mkv", "--encoder", "ffv1",
        "--tile", "4", "40", "56", "--segment", "1",
    )  # fmt: skip
    samples = [read_volume(tmp_path / name)[0] for name in ("a.mkv", "b.mkv")]
    np.testing.assert_array_equal(*samples)


def test_the_default_output_stands_beside_the_input(
    tmp_path: Path, tiny_onnx: Path, picture: NDArray[np.float32]
) -> None:
    """Named after the factor that was used, be it given or the model's own."""
    import models

    clip = clips.write_video(tmp_path / "in.mp4", picture[:, :2, :-1, :-1])
    CliRunner().invoke(main, [str(tiny_onnx), str(clip), "--start-scale", "1/2"])
    from tsr.export.to_onnx import to_onnx

    twice = models.write_model(tmp_path / "twice.safetensors", factor=2)
    to_onnx(twice, tmp_path / "twice.onnx")
    result = CliRunner().invoke(
        main, [str(tmp_path / "twice.onnx"), str(clip), "--start-scale", "1/2"]
    )
    assert result.exit_code == 0, result.output
    assert probe(tmp_path / "in_x8.mp4").num_frames == 16
    assert probe(tmp_path / "in_x2.mp4").num_frames == 4


def test_a_failure_while_a_frame_is_decoded_is_one_line(
    tmp_path: Path, tiny_onnx: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader waits for the thread that decodes, and nothing is left under the final name."""
    decoding = threading.Event()

    def slowly(*stored: Any) -> NDArray[np.float32]:
        decoding.set()
        time.sleep(0.3)
        return to_rgb(*stored)

    def failing(frames: Iterator[Any], *_: Any) -> Iterator[Any]:
        next(frames)
        decoding.clear()
        decoding.wait(10)
        raise ModelError("the network makes no numbers")
        yield

    monkeypatch.setattr("tsr.runtime.streaming.to_rgb", slowly)
    monkeypatch.setattr("tsr.runtime.run.groups", failing)
    given = (tiny_onnx, clip, "-o", tmp_path / "out.mkv", "--start-scale", "1/4")
    assert refusal("tsr-run", *given) == "tsr-run: the network makes no numbers"
    assert list(tmp_path.iterdir()) == []


def test_progress_goes_to_standard_error(tmp_path: Path, tiny_onnx: Path, clip: Path) -> None:
    """Frames per second and time left while running; standard output stays empty."""
    arguments = [str(tiny_onnx), str(clip), "-o", str(tmp_path / "o.mp4"), "--start-scale", "1/2"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0
    assert result.stdout == ""
    first = result.stderr.splitlines()[0]
    assert "/32 frames" in first
    assert "frames/s" in first
    assert "left" in first


def test_progress_counts_work_before_frames_come_out() -> None:
    """Frames come in bursts: a share of the work tells how far a run is before the first one."""
    now = RunProgress(frames=32, work=1000)
    assert now.line(0) == "0 %, 0/32 frames written"
    now.made(250)
    assert now.line(10) == "25 %, 0/32 frames written, 0.8 frames/s, 30 s left"
    now.made(5000)  # halved tiles are counted twice
    assert now.share == 1


def test_progress_without_network_work_counts_frames() -> None:
    now = RunProgress(frames=8, work=0, written=2)
    assert now.line(2) == "25 %, 2/8 frames written, 1 frames/s, 6 s left"


@pytest.mark.parametrize(
    ("trained", "factor", "start"),
    [
        ("1/8 8", 8, "1/8"), ("1/8 8", 4, "1/4"), ("1/8 8", 2, "1/2"), ("1/4 8", 2, "1"),
        ("1/2 8", 2, "1"), ("1/2 2", 8, "1/8"), ("1/2 2", 4, "1/4"), ("1/4 2", 8, "1/16"),
        ("1/8 2", 8, "1/16"),  # the coarsest there is
    ],
)  # fmt: skip
def test_another_factor_starts_where_motion_is_as_large(
    clip: Path, trained: str, factor: int, start: str
) -> None:
    """And who runs a model at more than it was trained for is told."""
    scale, own = trained.split()
    card = models.card(start=Fraction(scale), factor=int(own))
    large = replace(probe(clip), height=720, width=1280)
    ladder = choose_ladder(card, large, factor, None)
    assert ladder == ScaleLadder(Fraction(start), factor)
    notes = factor_notes(card, ladder)
    assert ("--factor" in "".join(notes)) == (factor > int(own))


@pytest.mark.parametrize(("start", "remedy"), [("1/2", "--start-scale"), ("1", "video")])
def test_a_video_too_small_for_its_ladder_is_refused(clip: Path, start: str, remedy: str) -> None:
    """With what helps: no scale is larger than full size."""
    small = replace(probe(clip), height=12, width=64)
    with pytest.raises(SettingsError, match=f"at least 16 are needed; use a larger {remedy}$"):
        choose_ladder(models.card(), small, 8, Fraction(start))


def test_segments_are_longer_on_a_gpu() -> None:
    """Its memory holds more, and there it is the frames made twice that cost."""
    ladder = ScaleLadder(Fraction(1, 4), 8)
    on_cpu, on_gpu = cpu_backend.SEGMENT_VOXELS, cuda_backend.SEGMENT_VOXELS
    assert segment_size(ladder, 720, 1280, on_cpu) == 2
    assert segment_size(ladder, 720, 1280, on_gpu) == 6
    assert segment_size(ladder, 64, 64, on_gpu) == MAX_SEGMENT
    assert segment_size(ladder, 4320, 7680, on_cpu) == 1
