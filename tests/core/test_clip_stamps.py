"""When frames are shown, as files say it: late, twice, not at all, or hidden."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import clips
import numpy as np
import pytest

from tsr.core.clip_io import FrameTimes, probe, read_volume

NTSC = Fraction(24000, 1001)
LEVEL = 1 / 255


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
