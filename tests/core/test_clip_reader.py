"""Clips are read with the right pixels, times, colours and geometry."""

from fractions import Fraction
from pathlib import Path

import av
import clips
import numpy as np
import pytest

from tsr.core.clip_io import ClipReader, FrameTimes, picked, probe, read_volume
from tsr.core.clip_io.images import encode_image
from tsr.core.errors import SettingsError

NTSC = Fraction(24000, 1001)
LEVEL = 1 / 255


def test_frames_arrive_in_order_with_their_pixels(tmp_path: Path) -> None:
    """A moving bar stored without loss, B-frames and all, reads back frame by frame."""
    volume = clips.moving_bar(13, 32, 48)
    path = clips.write_video(
        tmp_path / "bar.mp4", volume, options={"preset": "medium", "crf": "1", "bf": "3"}
    )
    with ClipReader(path) as reader:
        frames = list(reader)
        assert [frame.shape for frame in frames] == [(3, 32, 48)] * 13
        assert frames[0].dtype == np.float32
        np.testing.assert_allclose(np.stack(frames, 1), volume, atol=4 * LEVEL)
        np.testing.assert_array_equal(next(iter(reader)), frames[0])  # iterating starts over


@pytest.mark.parametrize("size", [(47, 33), (48, 31)])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv444p"])
def test_odd_sizes(tmp_path: Path, size: tuple[int, int], pixel_format: str) -> None:
    """Odd widths and heights keep their last column and row, in 4:2:0, too."""
    volume = np.repeat(np.full((3, 1, *size), 0.5, np.float32), 2, axis=1)
    volume[:, :, :, -1] = 1
    volume[:, :, -1] = 0.25
    path = clips.write_video(
        tmp_path / "odd.mkv", volume, codec="ffv1", pixel_format=pixel_format, matrix=1
    )
    read, info = read_volume(path)
    assert (info.height, info.width) == size
    np.testing.assert_allclose(read, volume, atol=0.6 * LEVEL)


@pytest.mark.parametrize(
    ("pixel_format", "codec", "chroma", "depth"),
    [
        ("yuv420p", "libx264", "420", 8),
        ("yuv422p", "libx264", "422", 8),
        ("yuv444p", "libx264", "444", 8),
        ("yuv420p10le", "libx264", "420", 10),
        ("gray", "ffv1", "grey", 8),
        ("gray10le", "ffv1", "grey", 10),
        ("bgr0", "ffv1", "rgb", 8),
    ],
)
def test_pixel_formats(
    tmp_path: Path, pixel_format: str, codec: str, chroma: str, depth: int
) -> None:
    """Every common pixel format reads as the colours that were put in, to 0.7 of a level."""
    chart = clips.colour_chart(32, 48)
    if chroma == "grey":
        chart = np.repeat(chart[:1], 3, axis=0)
    suffix = "mkv" if codec == "ffv1" else "mp4"
    path = clips.write_video(
        tmp_path / f"chart.{suffix}", np.repeat(chart, 2, axis=1), codec=codec,
        pixel_format=pixel_format, matrix=None if chroma == "rgb" else 1,
    )  # fmt: skip
    volume, info = read_volume(path)
    assert (info.chroma, info.bit_depth, info.grey) == (chroma, depth, chroma == "grey")
    if chroma == "rgb":
        truth = chart
    else:
        levels = np.rint(clips.ycc_from_rgb(chart, matrix=1, depth=depth))
        truth = clips.rgb_from_ycc(levels, matrix=1, depth=depth)
    inner = (slice(None), 0, slice(4, 12), slice(4, 12))
    np.testing.assert_allclose(volume[inner], truth[inner], atol=0.7 * LEVEL)


@pytest.mark.parametrize(
    ("matrix", "full_range", "height", "used"),
    [(1, False, 32, 1), (5, False, 32, 5), (9, True, 32, 9), (None, False, 32, 6)],
)
def test_colour_tags_are_honoured(
    tmp_path: Path, matrix: int | None, full_range: bool, height: int, used: int
) -> None:
    """Pure colours survive whatever matrix and range the file was tagged and stored with."""
    bars = np.zeros((3, 1, height, 48), np.float32)
    for channel in range(3):
        bars[channel, :, :, 16 * channel : 16 * channel + 16] = 0.8
    path = clips.write_video(
        tmp_path / "bars.mp4", bars, matrix=matrix, full_range=full_range, pixel_format="yuv444p"
    )
    volume, info = read_volume(path)
    assert (info.colour.matrix, info.colour.full_range) == (used, full_range)
    np.testing.assert_allclose(volume, bars, atol=1.5 * LEVEL)  # stored levels are rounded


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov"])
def test_ntsc_rates_are_exact(tmp_path: Path, suffix: str) -> None:
    """23.976 fps is 24000/1001 in every frame's time, even from Matroska's milliseconds."""
    path = clips.write_video(tmp_path / f"film.{suffix}", clips.numbered(30, 16, 16), fps=NTSC)
    info = probe(path)
    assert info.times == FrameTimes.constant(NTSC, 30)
    assert (info.fps, info.num_frames) == (NTSC, 30)


def test_geometry_and_audio_are_reported(tmp_path: Path) -> None:
    """Rotation, pixel shape and the presence of sound are read; the frame itself is not turned."""
    path = clips.write_video(
        tmp_path / "phone.mp4", clips.moving_bar(3, 32, 48), rotation=90,
        pixel_ratio=Fraction(4, 3), tone=clips.Tone(0.1),
    )  # fmt: skip
    info = probe(path)
    assert (info.rotation, info.sample_aspect_ratio, info.has_audio) == (90, Fraction(4, 3), True)
    assert (info.height, info.width) == (32, 48)


@pytest.mark.parametrize("deep", [False, True])
def test_image_folders(tmp_path: Path, deep: bool) -> None:
    """PNG images are read exactly, in natural order: frame_2 before frame_10."""
    volume = clips.numbered(11, 8, 8)
    folder = clips.write_pngs(tmp_path / "frames", volume, deep=deep)
    read, info = read_volume(folder)
    peak = 65535 if deep else 255
    np.testing.assert_array_equal(np.rint(read * peak), np.rint(volume * peak))
    assert info.bit_depth == (16 if deep else 8)
    assert info.times == FrameTimes.constant(Fraction(30), 11)
    assert "30 frames per second" in info.notes[0]
    assert probe(folder, fps=NTSC).fps == NTSC


def test_a_grey_image_among_others_is_as_bright(tmp_path: Path) -> None:
    """An image of one channel is of full range, whatever the first one says."""
    volume = np.full((3, 3, 8, 8), 64 / 255, np.float32)
    folder = clips.write_pngs(tmp_path / "frames", volume)
    grey = clips.planar_frame([np.full((8, 8), 64, np.uint8)], "gray")
    (folder / "frame_1.png").write_bytes(encode_image(grey, "png"))
    np.testing.assert_allclose(read_volume(folder)[0], volume, atol=1e-6)


def test_a_rate_for_a_video_is_refused(tmp_path: Path) -> None:
    """A video has its own rate."""
    path = clips.write_video(tmp_path / "a.mp4", clips.numbered(2, 16, 16))
    with pytest.raises(SettingsError, match="its own rate"):
        probe(path, fps=Fraction(24))


def test_reading_a_part(tmp_path: Path) -> None:
    """`max_frames` bounds what is read and says nothing about the clip."""
    path = clips.write_video(tmp_path / "a.mp4", clips.numbered(9, 16, 16))
    volume, info = read_volume(path, max_frames=4)
    assert (volume.shape[1], info.num_frames) == (4, 9)
    assert read_volume(path, max_frames=100)[0].shape[1] == 9


def test_packed_formats_are_unpacked_without_loss(tmp_path: Path) -> None:
    """NV12 and YUYV hold the samples of planar 4:2:0 and 4:2:2."""
    from tsr.core.clip_io.formats import read_planes

    planes = [
        np.random.default_rng(n).integers(0, 256, shape, dtype=np.uint8)
        for n, shape in enumerate([(16, 32), (8, 16), (8, 16)])
    ]
    planar = clips.planar_frame(planes, "yuv420p")
    for name in ("nv12", "nv21"):
        packed: av.VideoFrame = planar.reformat(format=name)
        unpacked, layout = read_planes(packed)
        assert layout.chroma == "420"
        for plane, expected in zip(unpacked, planes, strict=True):
            np.testing.assert_array_equal(plane, expected)


def test_only_picked_frames_are_handed_on():
    """In order, and nothing is read behind the last one."""
    frames = iter(np.full((3, 2, 2), n, np.float32) for n in range(10))
    assert [int(frame[0, 0, 0]) for frame in picked(frames, (0, 3, 4))] == [0, 3, 4]
    assert int(next(frames)[0, 0, 0]) == 5
