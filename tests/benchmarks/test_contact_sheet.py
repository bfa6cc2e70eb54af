"""The contact sheet shows the moment and the place where the methods are worst."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("benchmarks.contact_sheet", reason="benchmarks are not part of the wheel")
pytest.importorskip("PIL")

from benchmarks.contact_sheet import error_colours, largest_window, worst_moment, write_sheet
from benchmarks.methods import Job
from tsr.core.clip_io import ClipInfo, ClipWriter, Colour, FrameTimes, choose_encoding
from tsr.core.drawing import ACCENT, PAPER

HEIGHT, WIDTH, COUNT, FACTOR = 48, 64, 24, 4


def _write(path: Path, volume: np.ndarray) -> None:
    info = ClipInfo(
        path=path,
        height=HEIGHT,
        width=WIDTH,
        times=FrameTimes.constant(Fraction(24), volume.shape[1]),
        colour=Colour(),
        pixel_format="gbrp",
        bit_depth=8,
        chroma="rgb",
    )
    path.parent.mkdir(exist_ok=True)
    encoding = choose_encoding(path, info, encoder="ffv1")
    with ClipWriter(path, info, times=info.times, encoding=encoding) as writer:
        writer.write_volume(volume)


def _job(folder: Path) -> Job:
    """A grey truth with one flash in frame 10, which method "ours-fast" misses."""
    job = Job(truth=folder / "gt.mkv", folder=folder, factor=FACTOR)
    truth = np.full((3, COUNT, HEIGHT, WIDTH), 0.5, np.float32)
    _write(job.fast("ours-fast"), truth)
    truth[:, 10, 30:34, 40:46] = 1.0
    _write(job.truth, truth)
    return job


def _psnrs() -> dict[str, list[float]]:
    values = [50.0] * COUNT
    values[10] = 20.0
    values[1] = 10.0  # in the first input frame, which does not count
    return {"ours-fast": values}


def test_the_worst_moment_is_found_with_the_crop_around_its_error(tmp_path: Path) -> None:
    moment = worst_moment(_job(tmp_path), _psnrs())
    assert moment.frame == 10
    assert moment.frames == slice(0, 20)
    assert moment.top <= 30
    assert moment.top + moment.height >= 34
    assert moment.left <= 40
    assert moment.left + moment.width >= 46
    assert 30 <= moment.top + moment.row < 34


def test_the_sheet_is_written(tmp_path: Path) -> None:
    from PIL import Image

    write_sheet(tmp_path / "sheet.png", {"clip": _job(tmp_path)}, {"clip": _psnrs()})
    with Image.open(tmp_path / "sheet.png") as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    assert np.all(pixels == ACCENT, axis=2).sum() > 500  # ours is named and its error shown
    assert np.all(pixels[:, -20:] == PAPER)  # the texts end before the picture does


def test_largest_window_is_the_one_a_search_finds() -> None:
    values = np.random.default_rng(0).random((9, 12))
    sums = {
        (top, left): values[top : top + 4, left : left + 5].sum()
        for top in range(6)
        for left in range(8)
    }
    assert largest_window(values, 4, 5) == max(sums, key=lambda place: sums[place])


def test_error_is_white_where_there_is_none_and_full_colour_where_it_is_large() -> None:
    truth = np.zeros((3, 1, 2), np.float32)
    crop = np.zeros((3, 1, 2), np.float32)
    crop[:, 0, 1] = 1.0
    colours = error_colours(crop, truth)
    np.testing.assert_allclose(colours[:, 0, 0], 1.0)
    np.testing.assert_allclose(colours[:, 0, 1] * 255, ACCENT, atol=1e-4)
