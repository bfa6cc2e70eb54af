"""Pieces joined into one file: frames of the pieces, times of the whole, nothing re-encoded."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import clips
import numpy as np
import pytest
from numpy.typing import NDArray

from tsr.core.clip_io import (
    ClipInfo,
    ClipWriter,
    Clock,
    FrameTimes,
    choose_encoding,
    join_pieces,
    piece_suffix,
    probe,
    read_volume,
)
from tsr.core.errors import OutputError

NUM_FRAMES = 23
PIECES = ((0, 9), (9, 18), (18, 23))
FORMS = [
    ("h264", ".mp4"), ("h264", ".mkv"), ("h264", ".avi"), ("h264", ".mov"), ("hevc", ".mp4"),
    ("hevc", ".mkv"), ("av1", ".mp4"), ("av1", ".webm"), ("vp9", ".webm"), ("prores", ".mov"),
    ("prores", ".mkv"), ("ffv1", ".mkv"), ("ffv1", ".avi"),
]  # fmt: skip


@pytest.fixture(scope="module")
def picture() -> NDArray[np.float32]:
    return 0.2 + 0.6 * clips.rotating_spokes(NUM_FRAMES, 64, 96)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory, picture: NDArray[np.float32]) -> Path:
    """With sound, turned, at an NTSC rate."""
    return clips.write_video(
        tmp_path_factory.mktemp("clip") / "in.mp4", picture, fps=Fraction(30000, 1001),
        rotation=90, matrix=1, tone=clips.Tone(NUM_FRAMES * 1001 / 30000),
    )  # fmt: skip


def written_pieces(
    folder: Path, output: Path, info: ClipInfo, times: FrameTimes, encoder: str | None
) -> list[Path]:
    """The clip's frames, a piece at a time."""
    encoding = choose_encoding(output, info, encoder=encoder)
    frames, _ = read_volume(info.path)
    pieces = []
    for first, last in PIECES:
        piece = folder / f"{first}{piece_suffix(encoding, output)}"
        part = times.part(first, last)
        with ClipWriter(piece, info, times=part, encoding=encoding, clock=Clock.of(times)) as to:
            to.write_volume(frames[:, first:last])
        pieces.append(piece)
    return pieces


def joined(
    folder: Path, output: Path, info: ClipInfo, times: FrameTimes, encoder: str | None = None
) -> list[str]:
    pieces = written_pieces(folder, output, info, times, encoder)
    encoding = choose_encoding(output, info, encoder=encoder)
    return join_pieces(
        pieces, output, info, times=times, encoding=encoding, streams=True
    )  # fmt: skip


@pytest.mark.parametrize(("encoder", "suffix"), FORMS)
def test_the_joined_file_has_the_frames_of_the_pieces_at_the_times_of_the_whole(
    tmp_path: Path, clip: Path, encoder: str, suffix: str
) -> None:
    """It is told like a file written in one go, and has the same bytes whenever it is joined."""
    info, output = probe(clip), tmp_path / f"out{suffix}"
    joined(tmp_path, output, info, info.times, encoder)
    made, found = read_volume(output)
    pieces = [path for path in sorted(tmp_path.iterdir()) if path != output]
    parts = [read_volume(tmp_path / f"{first}{pieces[0].suffix}")[0] for first, _ in PIECES]
    np.testing.assert_array_equal(made, np.concatenate(parts, axis=1))
    direct = tmp_path / f"direct{suffix}"
    encoding = choose_encoding(output, info, encoder=encoder)
    with ClipWriter(direct, info, times=info.times, encoding=encoding, streams=True) as writer:
        writer.write_volume(read_volume(clip)[0])
    expected = probe(direct)
    for name in ("times", "has_audio", "colour", "rotation", "sample_aspect_ratio", "pixel_format"):
        assert getattr(found, name) == getattr(expected, name), name
    with av.open(str(output)) as one, av.open(str(direct)) as other:
        streams = [file.streams.video[0] for file in (one, other)]
        assert len({stream.average_rate for stream in streams}) == 1
        assert len({stream.codec_context.codec_tag for stream in streams}) == 1
    before = output.read_bytes()
    joined(tmp_path, output, info, info.times, encoder)
    assert output.read_bytes() == before


def test_uneven_times_are_kept(tmp_path: Path, picture: NDArray[np.float32]) -> None:
    """To the tick, also where the rate changes inside a piece."""
    ticks = np.cumsum([0, *(40 + 7 * (n % 3) + 20 * (n > 10) for n in range(NUM_FRAMES))])
    slow = clips.write_video(
        tmp_path / "in.mkv", picture, ticks=[int(tick) for tick in ticks],
        time_base=Fraction(1, 1000),
    )  # fmt: skip
    info = probe(slow)
    for suffix in (".mp4", ".mkv"):
        joined(tmp_path, tmp_path / f"out{suffix}", info, info.times)
        assert probe(tmp_path / f"out{suffix}").times == info.times


def test_a_rate_beyond_a_thousand_frames_a_second(tmp_path: Path, clip: Path) -> None:
    """Where Matroska's milliseconds could not tell the order of two frames."""
    info = probe(clip)
    times = FrameTimes.constant(Fraction(1920), NUM_FRAMES)
    joined(tmp_path, tmp_path / "out.mp4", info, times)
    assert probe(tmp_path / "out.mp4").times == times


def test_no_packet_is_decoded_after_it_is_shown(tmp_path: Path, clip: Path) -> None:
    """Decoding times rise, and lie before the presentation times, also across the joints."""
    joined(tmp_path, tmp_path / "out.mp4", probe(clip), probe(clip).times)
    with av.open(str(tmp_path / "out.mp4")) as container:
        packets = [p for p in container.demux(container.streams.video[0]) if p.size]
    stamps = [(p.dts, p.pts) for p in packets]
    assert all(dts <= pts for dts, pts in stamps)
    assert all(a[0] < b[0] for a, b in pairwise(stamps))
    assert any(a[1] > b[1] for a, b in pairwise(stamps))  # B-frames


def test_images_are_numbered_through(tmp_path: Path, clip: Path) -> None:
    """A folder of pieces gives one folder."""
    info, output = probe(clip), tmp_path / "out"
    notes = joined(tmp_path, output, info, info.times)
    assert [f.name for f in sorted(output.iterdir())] == [
        f"frame_{n:04d}.png" for n in range(NUM_FRAMES)
    ]
    half_a_step = 0.5 / 255 + 1e-6
    np.testing.assert_allclose(
        read_volume(output)[0], read_volume(clip)[0], rtol=0, atol=half_a_step
    )
    assert any("holds no audio" in note for note in notes)


def test_the_sound_is_that_of_the_input(tmp_path: Path, clip: Path) -> None:
    """Packet for packet; too long a video gets none, and a note."""
    info = probe(clip)
    assert not joined(tmp_path, tmp_path / "out.mp4", info, info.times)
    with av.open(str(clip)) as one, av.open(str(tmp_path / "out.mp4")) as other:
        sounds = [
            [bytes(p) for p in file.demux(file.streams.audio[0]) if p.size] for file in (one, other)
        ]
    assert sounds[0] == sounds[1]
    notes = joined(
        tmp_path, tmp_path / "slow.mp4", info, FrameTimes.constant(Fraction(10), NUM_FRAMES)
    )
    assert any("audio was left out" in note for note in notes)


def test_sound_that_fails_does_not_cost_the_video(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever breaks when the two are put together."""
    from tsr.core.clip_io.audio import AudioCopy

    def broken(self: AudioCopy, packet: object) -> None:
        raise ValueError("the muxer gave up")

    monkeypatch.setattr(AudioCopy, "carry", broken)
    info = probe(clip)
    notes = joined(tmp_path, tmp_path / "out.mp4", info, info.times)
    assert any("the muxer gave up" in note for note in notes)
    found = probe(tmp_path / "out.mp4")
    assert found.times == info.times


def test_a_missing_piece_is_noticed(tmp_path: Path, clip: Path) -> None:
    """Nothing appears under the final name."""
    info, output = probe(clip), tmp_path / "out.mp4"
    pieces = written_pieces(tmp_path, output, info, info.times, None)
    with pytest.raises(OutputError, match="hold 18 of 23 frames"):
        join_pieces(
            pieces[:2], output, info, times=info.times, encoding=choose_encoding(output, info)
        )
    assert not output.exists()


def test_a_part_of_a_clip_is_read_as_a_clip(clip: Path) -> None:
    """Also a part of a part."""
    from tsr.core.clip_io import ClipReader

    info = probe(clip)
    part = info.part(4, 20).part(3, 9)
    assert (part.num_frames, part.frames) == (6, (7, 13))
    assert part.times.starts == info.times.starts[7:13]
    whole, _ = read_volume(clip)
    with ClipReader(clip, part) as reader:
        np.testing.assert_array_equal(np.stack(list(reader), axis=1), whole[:, 7:13])
