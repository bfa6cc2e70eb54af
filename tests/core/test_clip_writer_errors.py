"""What cannot be written is refused in words, and leaves no file behind."""

from pathlib import Path
from typing import Any

import clips
import numpy as np
import pytest

from tsr.core.clip_io import ClipWriter, choose_encoding, probe, read_volume
from tsr.core.errors import OutputError


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five frames of a chart."""
    chart = np.repeat(clips.colour_chart(32, 48), 5, axis=1)
    return clips.write_video(tmp_path_factory.mktemp("film") / "film.mp4", chart)


def test_an_interrupted_render_leaves_nothing(tmp_path: Path, film: Path) -> None:
    """An exception inside the block removes the temporary file; the old output stays."""
    volume, info = read_volume(film)
    path = tmp_path / "a.mp4"
    path.write_bytes(b"old")

    def interrupted() -> None:
        with ClipWriter(path, info, times=info.times) as writer:
            writer.write(volume[:, 0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("name", ["a.mp4", "frames"])
def test_missing_frames_are_noticed(tmp_path: Path, film: Path, name: str) -> None:
    """A file with fewer frames than times never appears."""
    volume, info = read_volume(film)
    with (
        pytest.raises(OutputError, match="4 of 5 frames"),
        ClipWriter(tmp_path / name, info, times=info.times) as writer,
    ):
        writer.write_volume(volume[:, :4])
    assert list(tmp_path.iterdir()) == []


def bad_frames() -> list[tuple[np.ndarray[Any, Any], str]]:
    """Frames that must be refused, and what the message says."""
    nan = np.zeros((3, 32, 48), np.float32)
    nan[1, 2, 3] = np.nan
    return [
        (np.zeros((32, 48, 3), np.float32), "expected"),
        (np.zeros((3, 32, 48)), "float64"),
        (nan, "not finite"),
    ]


@pytest.mark.parametrize(("frame", "message"), bad_frames())
def test_bad_frames_are_refused(
    tmp_path: Path, film: Path, frame: np.ndarray[Any, Any], message: str
) -> None:
    """Wrong axes, wrong type, values that are no numbers."""
    info = probe(film)
    with (
        pytest.raises(OutputError, match=message),
        ClipWriter(tmp_path / "a.mp4", info, times=info.times) as writer,
    ):
        writer.write(frame)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("a.gif", {}, "unknown suffix .gif; known are .mp4"),
        ("a.mp4", {"encoder": "h266"}, "h266 is unknown; known are h264"),
        ("a.webm", {"encoder": "h264"}, "does not go into a.webm; use .mp4"),
        ("a.mp4", {"quality": 99}, "outside encoder h264's 0"),
        ("a.mkv", {"encoder": "ffv1", "quality": 3}, "no quality"),
    ],
)
def test_impossible_encodings_are_refused(
    film: Path, name: str, options: dict[str, Any], message: str
) -> None:
    """Each names what was asked for and what is possible."""
    with pytest.raises(OutputError, match=message):
        choose_encoding(Path(name), probe(film), **options)


def test_a_missing_folder_is_an_output_error(tmp_path: Path, film: Path) -> None:
    """Not a traceback from FFmpeg."""
    info = probe(film)
    path = tmp_path / "no" / "a.mp4"
    with pytest.raises(OutputError, match=r"a\.mp4"), ClipWriter(path, info, times=info.times):
        pass
