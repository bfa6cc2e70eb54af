"""Clips are read with the right pixels, times, colours and geometry."""

import struct
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


def test_variable_rates_keep_their_own_times(tmp_path: Path) -> None:
    """Uneven timestamps, a late start and a long last frame are read as they are."""
    ticks = [9000, 12003, 13500, 20000, 21001, 26001]
    base = Fraction(1, 90000)
    path = clips.write_video(
        tmp_path / "vfr.mp4", clips.numbered(5, 16, 16), ticks=ticks, time_base=base,
        options={"bf": "0", "qp": "0"},
    )  # fmt: skip
    times = probe(path).times
    assert times.starts == tuple(tick * base for tick in ticks[:-1])
    assert times.end == ticks[-1] * base
    assert not times.is_constant
    assert read_volume(path)[0].shape[1] == 5


def restamped(source: Path, path: Path, ticks: list[int]) -> Path:
    """The packets of a clip without B-frames at other times, in milliseconds; durations unknown."""
    with av.open(str(source)) as given, av.open(str(path), "w") as made:
        stream = made.add_stream_from_template(given.streams.video[0])
        packets = [packet for packet in given.demux(video=0) if packet.size]
        for n, (packet, tick) in enumerate(zip(packets, ticks, strict=True)):
            packet.pts, packet.dts = tick, ticks[0] - len(ticks) + n
            packet.time_base, packet.duration, packet.stream = Fraction(1, 1000), 0, stream
            made.mux(packet)
    return path


@pytest.mark.parametrize("suffix", ["mkv", "ts"])
def test_a_repeated_timestamp_costs_no_other(tmp_path: Path, suffix: str) -> None:
    """Two frames at one time share what there is until the next one, and a note says so."""
    source = clips.write_video(
        tmp_path / "a.mp4", clips.numbered(8, 16, 16), options={"bf": "0", "qp": "0"}
    )
    ticks = [100, 140, 170, 250, 250, 330, 350, 390]
    info = probe(restamped(source, tmp_path / f"b.{suffix}", ticks))
    start = 100 if suffix == "ts" else 0
    expected = [100, 140, 170, 250, 290, 330, 350, 390]
    assert info.times.starts == tuple(Fraction(tick - start, 1000) for tick in expected)
    assert info.notes == (
        "1 of 8 frames had no timestamp of their own and were spread between their neighbours",
    )


def test_a_clock_too_coarse_for_the_rate(tmp_path: Path) -> None:
    """1600 frames per second in whole milliseconds repeat timestamps; the rate is restored."""
    source = clips.write_video(
        tmp_path / "a.mp4", clips.numbered(40, 16, 16), fps=1600, options={"bf": "0", "qp": "0"}
    )
    info = probe(restamped(source, tmp_path / "b.mkv", [round(n / 1.6) for n in range(40)]))
    assert info.times.starts == FrameTimes.constant(Fraction(1600), 40).starts
    assert info.notes == ()


def test_times_that_say_nothing(tmp_path: Path) -> None:
    """All frames at one time: the rate that the file names, from there on, with a note."""
    source = clips.write_video(
        tmp_path / "a.mp4", clips.numbered(6, 16, 16), fps=25, options={"bf": "0", "qp": "0"}
    )
    info = probe(restamped(source, tmp_path / "b.mkv", [200] * 6))
    assert info.times.starts[0] == Fraction(1, 5)
    assert info.times.is_constant
    assert "no usable timestamps; taken as" in info.notes[0]


def test_raw_streams_have_the_rate_of_their_frames(tmp_path: Path) -> None:
    """Nothing times raw H.264, and of its two rates one counts fields."""
    path = clips.write_video(tmp_path / "raw.h264", clips.moving_bar(9, 32, 32), fps=25)
    info = probe(path)
    assert info.times == FrameTimes.constant(Fraction(25), 9)
    assert info.notes == ("the video has no usable timestamps; taken as 25 frames per second",)


def test_late_starts_with_reordered_frames(tmp_path: Path) -> None:
    """A constant-rate clip that starts at half a second and has B-frames starts there."""
    path = clips.write_video(
        tmp_path / "late.mp4", clips.moving_bar(9, 32, 32), fps=24, ticks=range(12, 22),
        time_base=Fraction(1, 24), options={"bf": "2", "crf": "20"},
    )  # fmt: skip
    assert probe(path).times == FrameTimes.constant(Fraction(24), 9, Fraction(1, 2))


def test_transport_streams_start_at_zero(tmp_path: Path) -> None:
    """The arbitrary clock of an MPEG transport stream is moved to the file's start."""
    path = clips.write_video(
        tmp_path / "air.ts", clips.moving_bar(8, 32, 32), fps=25, ticks=range(25_000, 25_009)
    )
    info = probe(path)
    assert info.times == FrameTimes.constant(Fraction(25), 8)
    assert info.time_origin == 1000


def test_edit_lists_hide_frames(tmp_path: Path) -> None:
    """Frames that an MP4 edit list cuts off are neither counted nor read."""
    volume = clips.numbered(12, 16, 16)
    path = clips.write_video(
        tmp_path / "cut.mp4", volume, fps=25, ticks=range(-3, 10), time_base=Fraction(1, 25)
    )
    read, info = read_volume(path)
    assert info.num_frames == read.shape[1] == 9
    np.testing.assert_allclose(read[:, 0], volume[:, 3], atol=LEVEL)


def test_edit_lists_end_early(tmp_path: Path) -> None:
    """A clip trimmed at its end, as phones do, is whole although frames behind it are stored."""
    volume = clips.numbered(12, 16, 16)
    path = clips.write_video(
        tmp_path / "trimmed.mp4", volume, fps=25, options={"bf": "0", "qp": "0"}
    )
    data = bytearray(path.read_bytes())
    box = data.index(b"elst")
    (milliseconds,) = struct.unpack_from(">I", data, box + 12)
    assert milliseconds == 480
    struct.pack_into(">I", data, box + 12, 240)
    path.write_bytes(data)
    read, info = read_volume(path)
    assert info.num_frames == read.shape[1] == 6
    np.testing.assert_allclose(read, volume[:, :6], atol=LEVEL)


def test_repeated_frames_of_avi(tmp_path: Path) -> None:
    """AVI says "as before" by empty packets; they lengthen a frame and are no frames themselves."""
    ticks = [0, 1, 2, 5, 6, 8, 9]
    path = clips.write_video(
        tmp_path / "a.avi", clips.numbered(6, 32, 32), fps=25, ticks=ticks,
        time_base=Fraction(1, 25), codec="mpeg4",
    )  # fmt: skip
    read, info = read_volume(path)
    assert info.times.starts == tuple(Fraction(tick, 25) for tick in ticks[:-1])
    assert read.shape[1] == 6


def test_hidden_pictures_of_vp8(tmp_path: Path) -> None:
    """Pictures that others refer to and nobody sees are no frames."""
    source = clips.write_video(
        tmp_path / "a.webm", clips.moving_bar(6, 32, 32), codec="libvpx", options={"cpu-used": "8"}
    )
    path = tmp_path / "b.webm"
    with av.open(str(source)) as given, av.open(str(path), "w") as made:
        stream = made.add_stream_from_template(given.streams.video[0])
        for n, packet in enumerate(packet for packet in given.demux(video=0) if packet.size):
            data = bytearray(packet)
            data[0] &= 0xEF if n == 3 else 0xFF
            hidden = av.Packet(bytes(data))
            hidden.pts, hidden.dts, hidden.time_base = packet.pts, packet.dts, packet.time_base
            hidden.is_keyframe, hidden.stream = packet.is_keyframe, stream
            made.mux(hidden)
    read, info = read_volume(path)
    assert info.num_frames == read.shape[1] == 5


@pytest.mark.parametrize(
    ("codec", "suffix"), [("libx264", "mkv"), ("libx264", "ts"), ("libx265", "mkv")]
)
def test_clips_that_were_cut_between_groups(tmp_path: Path, codec: str, suffix: str) -> None:
    """Frames that refer to ones before the cut are shown by no player and are no frames."""
    source = clips.write_video(
        tmp_path / f"a.{suffix}", clips.moving_bar(40, 64, 64), fps=25, codec=codec,
        options={
            "x264-params": "open-gop=1:keyint=12:min-keyint=12:bframes=2:scenecut=0:b-adapt=0",
            "x265-params": "open-gop=1:keyint=12:min-keyint=12:bframes=2:scenecut=0:b-adapt=0"
            ":log-level=none",
        },
    )  # fmt: skip
    path = tmp_path / f"b.{suffix}"
    with av.open(str(source)) as given, av.open(str(path), "w") as made:
        stream = made.add_stream_from_template(given.streams.video[0])
        packets = [packet for packet in given.demux(video=0) if packet.size]
        second_key = [n for n, packet in enumerate(packets) if packet.is_keyframe][1]
        key = packets[second_key]
        leading = [packet for packet in packets[second_key:] if packet.pts < key.pts]
        for packet in packets[second_key:]:
            packet.stream = stream
            made.mux(packet)
    assert leading
    read, info = read_volume(path)
    assert info.num_frames == read.shape[1] == len(packets) - second_key - len(leading)
    assert info.fps == 25
    (note,) = info.notes
    assert f"left out: {len(leading)} of {len(packets) - second_key} frames" in note


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
