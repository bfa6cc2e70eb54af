"""Clips are written completely or not at all, with exact times, colours and geometry."""

import dataclasses
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import clips
import numpy as np
import pytest

from tsr.core.clip_io import (
    ClipInfo,
    ClipReader,
    ClipWriter,
    FrameTimes,
    choose_encoding,
    probe,
    read_volume,
    retimed,
)
from tsr.core.errors import OutputError

NTSC = Fraction(24000, 1001)
LEVEL = 1 / 255


def write(
    path: Path,
    info: ClipInfo,
    volume: np.ndarray[Any, np.dtype[np.float32]],
    *,
    times: FrameTimes | None = None,
    encoder: str | None = None,
    quality: int | None = None,
) -> ClipWriter:
    """Write a volume in one go; the writer is returned for its notes."""
    encoding = choose_encoding(path, info, encoder=encoder, quality=quality)
    times = times or FrameTimes.constant(info.fps, volume.shape[1])
    with ClipWriter(path, info, times=times, encoding=encoding) as writer:
        writer.write_volume(volume)
    return writer


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five frames of a chart at 24000/1001 fps, BT.709, turned by 90 degrees, pixels 4:3."""
    chart = np.repeat(clips.colour_chart(32, 48), 5, axis=1)
    return clips.write_video(
        tmp_path_factory.mktemp("film") / "film.mp4", chart, fps=NTSC, matrix=1, rotation=90,
        pixel_ratio=Fraction(4, 3),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "encoder"),
    [
        ("a.mp4", None),
        ("a.mov", None),
        ("a.mkv", None),
        ("a.avi", None),
        ("a.webm", None),
        ("a.mp4", "hevc"),
        ("a.mp4", "av1"),
        ("a.mkv", "ffv1"),
        ("a.mov", "prores"),
    ],
)
def test_every_container_keeps_times_colours_and_count(
    tmp_path: Path, film: Path, name: str, encoder: str | None,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """×8 of N frames at p/q fps reads back as 8·N frames at 8·p/q fps, in the same colours."""
    volume, info = read_volume(film)
    fast = np.repeat(volume, 8, axis=1)
    path = tmp_path / name
    write(path, info, fast, times=retimed(info, 8), encoder=encoder, quality=None)
    again, found = read_volume(path)
    assert found.times == FrameTimes.constant(NTSC * 8, 40)
    assert [p.name for p in tmp_path.iterdir()] == [name]
    inner = (slice(None), slice(None), slice(4, 12), slice(4, 12))
    np.testing.assert_allclose(again[inner], fast[inner], atol=4 * LEVEL)
    if encoder != "ffv1" and not name.endswith("avi"):
        assert (found.colour.tagged_matrix, found.colour.tagged_range) == (1, 1)
    if not name.endswith("avi"):
        assert found.display_matrix == info.display_matrix
    if name.endswith(("mp4", "mov")):
        assert found.sample_aspect_ratio == Fraction(4, 3)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_names_that_look_like_protocols(
    tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    """What stands before a colon is part of the name, in both directions."""
    monkeypatch.chdir(tmp_path)
    source, path = Path("2024-05-01T10:20:30.mp4"), Path(f"concat:a{suffix}")
    source.write_bytes(film.read_bytes())
    volume, info = read_volume(source)
    write(path, info, volume)
    assert read_volume(path)[0].shape == volume.shape


@pytest.mark.parametrize("pixel_format", ["yuv422p", "yuv444p", "yuv420p10le", "yuv444p10le"])
def test_depth_and_chroma_are_kept(tmp_path: Path, pixel_format: str) -> None:
    """Deep and finely coloured input gives output of the same format."""
    chart = np.repeat(clips.colour_chart(32, 48), 2, axis=1)
    source = clips.write_video(tmp_path / "in.mp4", chart, pixel_format=pixel_format)
    volume, info = read_volume(source)
    writer = write(tmp_path / "out.mp4", info, volume)
    assert probe(tmp_path / "out.mp4").pixel_format == pixel_format
    assert writer.notes == []


@pytest.mark.parametrize(
    ("matrix", "full_range"), [(1, True), (5, False), (9, False), (None, False)]
)
def test_conversion_and_tags_agree(tmp_path: Path, matrix: int | None, full_range: bool) -> None:
    """What was read under one matrix and range reads back the same from the output."""
    chart = np.repeat(clips.colour_chart(32, 48), 2, axis=1)
    source = clips.write_video(
        tmp_path / "in.mp4", chart, matrix=matrix, full_range=full_range, pixel_format="yuv444p"
    )
    volume, info = read_volume(source)
    write(tmp_path / "out.mp4", info, volume, quality=0)
    again, found = read_volume(tmp_path / "out.mp4")
    assert (found.colour.matrix, found.colour.full_range) == (matrix or 6, full_range)
    np.testing.assert_allclose(again, volume, atol=1.5 * LEVEL)


@pytest.mark.parametrize("pixel_format", ["yuv420p", "gray"])
@pytest.mark.parametrize("suffix", [".mov", ".mkv"])
def test_prores_is_of_limited_range(tmp_path: Path, pixel_format: str, suffix: str) -> None:
    """It has no word for full range, so what is stored is what players take it for."""
    chart = np.repeat(clips.colour_chart(32, 48)[:1], 3, axis=0)
    source = clips.write_video(
        tmp_path / "in.mkv", np.repeat(chart, 2, axis=1), codec="ffv1", pixel_format=pixel_format,
        matrix=1, full_range=True,
    )  # fmt: skip
    volume, info = read_volume(source)
    writer = write(tmp_path / f"out{suffix}", info, volume, encoder="prores")
    again, found = read_volume(tmp_path / f"out{suffix}")
    assert not found.colour.full_range
    np.testing.assert_allclose(again, volume, atol=4 * LEVEL)
    (note,) = writer.notes
    assert note == "encoder prores stores limited range; the full range was converted"


@pytest.mark.parametrize("depth", [8, 10, 16])
@pytest.mark.parametrize("name", ["a.mkv", "frames"])
def test_lossless_outputs_are_exact(tmp_path: Path, name: str, depth: int) -> None:
    """FFV1 and PNG give every level back, at the input's depth."""
    folder = clips.write_pngs(tmp_path / "in", clips.numbered(1, 9, 11), deep=depth == 16)
    if depth == 10:
        folder = clips.write_video(
            tmp_path / "in.mp4", clips.numbered(1, 16, 16), pixel_format="yuv444p10le"
        )
    info = probe(folder)
    peak = 65535 if name == "frames" and depth > 8 else 2**depth - 1
    shape = (3, 3, info.height, info.width)
    levels = np.random.default_rng(3).integers(0, peak + 1, shape)
    volume = (levels / peak).astype(np.float32)
    write(tmp_path / name, info, volume, encoder=None if name == "frames" else "ffv1")
    again, _ = read_volume(tmp_path / name)
    np.testing.assert_array_equal(np.rint(again.astype(np.float64) * peak), levels)


def test_y4m_is_raw(tmp_path: Path) -> None:
    """Colours come back in ten bits; what the format has no place for is a note or refused."""
    volume = np.repeat(clips.colour_chart(32, 48), 3, axis=1)
    source = clips.write_video(
        tmp_path / "in.mkv", volume, fps=NTSC, time_base=1 / NTSC, codec="ffv1",
        pixel_format="yuv422p10le", matrix=1,
    )  # fmt: skip
    volume, info = read_volume(source)
    writer = write(tmp_path / "a.y4m", info, volume)
    found = probe(tmp_path / "a.y4m")
    assert found.times == info.times
    assert (found.pixel_format, found.width, found.height) == ("yuv422p10le", 48, 32)
    assert writer.notes == [".y4m does not say that its colour matrix is 1 (ISO/IEC 23091-2)"]
    with ClipReader(tmp_path / "a.y4m", dataclasses.replace(found, colour=info.colour)) as reader:
        told = np.stack(list(reader), axis=1)
    inner = (slice(None), slice(None), slice(4, 12), slice(4, 12))  # of a patch of one colour
    np.testing.assert_allclose(told[inner], volume[inner], atol=0.6 * LEVEL)
    uneven = FrameTimes((Fraction(0), Fraction(1), Fraction(3)), Fraction(4))
    with pytest.raises(OutputError, match="variable frame rate"):
        choose_encoding(Path("a.y4m"), dataclasses.replace(info, times=uneven))


def test_a_folder_of_images_loses_a_variable_rate(tmp_path: Path) -> None:
    """With a note; a constant one is lost in every folder."""
    info = probe(clips.write_video(tmp_path / "in.mp4", clips.numbered(3, 32, 32)))
    assert choose_encoding(Path("frames"), info).notes == ()
    uneven = FrameTimes((Fraction(0), Fraction(1), Fraction(3)), Fraction(4))
    (note,) = choose_encoding(Path("frames"), dataclasses.replace(info, times=uneven)).notes
    assert "variable frame rate is lost" in note


def test_variable_times_are_exact_in_mp4(tmp_path: Path) -> None:
    """×4 of an uneven clip with a late start: each time, and the end, is the exact fraction."""
    ticks = [9000, 12003, 13500, 20000, 21001, 26001]
    source = clips.write_video(
        tmp_path / "in.mp4", clips.moving_bar(5, 32, 32), ticks=ticks,
        time_base=Fraction(1, 90000), options={"bf": "0", "qp": "0"},
    )  # fmt: skip
    volume, info = read_volume(source)
    times = retimed(info, 4)
    write(tmp_path / "out.mp4", info, np.repeat(volume, 4, axis=1), times=times)
    assert probe(tmp_path / "out.mp4").times == times


def test_variable_times_round_to_milliseconds_in_matroska(tmp_path: Path) -> None:
    """Matroska stores whole milliseconds: each time is within half of one."""
    ticks = [9000, 12003, 13500, 20000, 21001, 26001]
    source = clips.write_video(
        tmp_path / "in.mp4", clips.moving_bar(5, 32, 32), ticks=ticks,
        time_base=Fraction(1, 90000), options={"bf": "0", "qp": "0"},
    )  # fmt: skip
    volume, info = read_volume(source)
    times = retimed(info, 4)
    write(tmp_path / "out.mkv", info, np.repeat(volume, 4, axis=1), times=times)
    found = probe(tmp_path / "out.mkv").times
    assert found.num_frames == 20
    for stored, exact in zip(found.starts, times.starts, strict=True):
        assert abs(stored - exact) <= Fraction(1, 2000)


def test_late_start_and_slow_motion(tmp_path: Path) -> None:
    """A late start stays where it was; slow motion keeps the rate and stretches the rest."""
    source = clips.write_video(
        tmp_path / "in.mp4", clips.moving_bar(6, 32, 32), fps=24, ticks=range(12, 19),
        time_base=Fraction(1, 24), options={"bf": "2", "crf": "10"},
    )  # fmt: skip
    volume, info = read_volume(source)
    times = retimed(info, 2, slow_motion=True)
    write(tmp_path / "out.mp4", info, np.repeat(volume, 2, axis=1), times=times)
    found = probe(tmp_path / "out.mp4").times
    assert found == FrameTimes.constant(Fraction(24), 12, Fraction(1, 2))


@pytest.mark.parametrize(
    ("name", "encoder"), [("a.mp4", None), ("a.webm", None), ("a.mp4", "av1"), ("a.mkv", "ffv1")]
)
def test_odd_sizes(tmp_path: Path, name: str, encoder: str | None) -> None:
    """Odd sizes are kept; H.264 stores them as 4:4:4 and says so."""
    volume = np.repeat(clips.colour_chart(75, 67), 2, axis=1)
    source = clips.write_video(
        tmp_path / "in.mkv", volume, codec="ffv1", pixel_format="yuv420p", matrix=1
    )
    volume, info = read_volume(source)
    writer = write(tmp_path / name, info, volume, encoder=encoder)
    again, _ = read_volume(tmp_path / name)
    assert again.shape == volume.shape
    assert np.abs(again - volume).mean() < 4 * LEVEL
    assert [note for note in writer.notes if "4:4:4" in note] == (
        writer.notes if (name, encoder) == ("a.mp4", None) else []
    )


def titled(path: Path) -> Path:
    """Four frames at 2 per second with a title and a chapter, in Matroska."""
    plain = clips.write_video(path.with_suffix(".mp4"), clips.moving_bar(4, 32, 32), fps=2)
    with av.open(str(plain)) as given, av.open(str(path), "w") as container:
        container.metadata["title"] = "A bar"
        base = Fraction(1, 1000)
        container.set_chapters(
            [{"id": 1, "start": 500, "end": 2000, "time_base": base, "metadata": {"title": "b"}}]
        )
        stream = container.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                container.mux(packet)
    return path


def test_metadata_and_chapters_travel(tmp_path: Path) -> None:
    """Title and chapters are in the output; chapters stretch with slow motion."""
    volume, info = read_volume(titled(tmp_path / "in.mkv"))
    times = retimed(info, 2, slow_motion=True)
    write(tmp_path / "out.mkv", info, np.repeat(volume, 2, axis=1), times=times)
    with av.open(str(tmp_path / "out.mkv")) as written:
        assert written.metadata["title"] == "A bar"
        (chapter,) = written.chapters()
        seconds = [chapter[side] * Fraction(chapter["time_base"]) for side in ("start", "end")]
        assert seconds == [1, 4]
        assert chapter["metadata"]["title"] == "b"


def test_a_title_that_is_no_text_travels_too(tmp_path: Path) -> None:
    """Bytes of an older encoding: as they were, or replaced where PyAV is older than 19."""
    source = titled(tmp_path / "in.mkv")
    source.write_bytes(source.read_bytes().replace(b"A bar", b"A b\xe4r"))
    volume, info = read_volume(source)
    assert write(tmp_path / "out.mkv", info, volume).notes == []
    kept = b"A b\xe4r", "A b\ufffdr".encode()
    assert any(title in (tmp_path / "out.mkv").read_bytes() for title in kept)
