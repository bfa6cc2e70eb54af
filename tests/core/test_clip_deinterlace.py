"""Interlaced clips come as progressive frames, one for one, at the moment of their first field."""

from pathlib import Path
from typing import Any

import clips
import numpy as np
import pytest

from tsr.core.clip_io import ClipReader, probe, read_volume

NUM_FRAMES = 8


def fields() -> np.ndarray[Any, np.dtype[np.float32]]:
    """A bar at twice the frame rate, 3 pixels further in each field, brighter further down."""
    bar = clips.moving_bar(2 * NUM_FRAMES, 48, 96, speed=3.0, bar=16)
    return bar * np.linspace(0.3, 1, 48, dtype=np.float32)[:, None]


def woven(*, top_first: bool) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Two moments in each frame, by lines."""
    moments = fields()
    first, second = (0, 1) if top_first else (1, 0)
    frames = np.empty_like(moments[:, ::2])
    frames[:, :, first::2] = moments[:, 0::2, first::2]
    frames[:, :, second::2] = moments[:, 1::2, second::2]
    return frames


@pytest.mark.parametrize("top_first", [True, False])
@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.ts"])
def test_frames_show_the_moment_of_their_first_field(
    tmp_path: Path, name: str, top_first: bool
) -> None:
    """N frames stay N; the lines of the first field are untouched, the combing is gone."""
    path = clips.write_interlaced(tmp_path / name, woven(top_first=top_first), top_first=top_first)
    volume, info = read_volume(path)
    truth, later = fields()[:, ::2], fields()[:, 1::2]
    assert info.num_frames == volume.shape[1] == NUM_FRAMES
    assert info.interlaced
    assert "deinterlaced" in info.notes[0]
    first = 0 if top_first else 1
    np.testing.assert_allclose(volume[:, :, first::2], truth[:, :, first::2], atol=2.5 / 255)
    inner = (slice(None), slice(1, -1), slice(4, -4))
    assert np.abs(volume - truth)[inner].mean() < 0.25 * np.abs(volume - later)[inner].mean()


def test_a_wrong_flag_destroys_little(tmp_path: Path) -> None:
    """A progressive clip flagged as interlaced: what stands still is unharmed, and it is said."""
    still = np.repeat(clips.gradient(1, 48, 96), NUM_FRAMES, axis=1)
    path = clips.write_interlaced(tmp_path / "flagged.mp4", still, top_first=True)
    plain = clips.write_video(tmp_path / "plain.mp4", still)
    volume, info = read_volume(path)
    expected = read_volume(plain)[0]
    # One level of a stored chroma sample, which may round the other way, is 2.3 levels of colour.
    np.testing.assert_allclose(volume[:, 1:], expected[:, 1:], atol=3 / 255)
    # That nothing moves, the first frame cannot tell from one before; FFmpeg 9 takes three levels.
    np.testing.assert_allclose(volume[:, 0], expected[:, 0], atol=8 / 255)
    assert "if the flag is wrong" in info.notes[0]


def test_frames_that_turn_interlaced_midway(tmp_path: Path) -> None:
    """A progressive beginning passes untouched, and the note says where the rest begins."""
    progressive = clips.write_video(tmp_path / "a.ts", fields()[:, :8:2], fps=25)
    interlaced = clips.write_interlaced(tmp_path / "b.ts", woven(top_first=True), top_first=True)
    path = tmp_path / "both.ts"
    path.write_bytes(progressive.read_bytes() + interlaced.read_bytes())
    with ClipReader(path) as reader:
        if reader.info.interlaced:
            pytest.skip("FFmpeg flags the whole stream")
        frames = list(reader)
    assert len(frames) == 4 + NUM_FRAMES
    np.testing.assert_allclose(np.stack(frames[:4], 1), fields()[:, :8:2], atol=2.5 / 255)
    assert "frames from 4 on are flagged as interlaced" in reader.notes[0]


@pytest.mark.parametrize("name", ["clip.mp4", "clip.ts"])
def test_the_flag_can_be_ignored(tmp_path: Path, name: str) -> None:
    """Then every line is the file's own, and a note says so."""
    path = clips.write_interlaced(tmp_path / name, woven(top_first=True), top_first=True)
    info = probe(path, deinterlace=False)
    with ClipReader(path, info) as reader:
        frames = np.stack(list(reader), axis=1)
    np.testing.assert_allclose(frames, woven(top_first=True), atol=2.5 / 255)
    assert info.interlaced
    assert "taken as it is" in info.notes[0]


def test_progressive_clips_are_left_alone(tmp_path: Path) -> None:
    """No flag, no filter, no note."""
    path = clips.write_video(tmp_path / "plain.mp4", fields())
    assert not probe(path).interlaced
    assert probe(path).notes == ()
