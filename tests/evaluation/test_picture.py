"""The comparison picture: what it shows is taken from the right frames and rows."""

from pathlib import Path

import numpy as np
import pytest

from tsr.core.errors import SettingsError
from tsr.evaluation.demo_scene import demo_view
from tsr.evaluation.picture import View, comparison_picture

pytest.importorskip("PIL")

VIEW = View(top=4, left=6, height=20, width=30, frames=(1, 5), slice_row=10)
COLOURS = {"ltr": (0.2, 0.2, 0.2), "linear": (0, 0.6, 0), "ours": (0, 0, 0.8), "truth": (1, 1, 0)}


def _volumes() -> dict[str, np.ndarray]:
    """One flat colour per video, so that panels can be told apart."""
    volumes = {}
    for name, colour in COLOURS.items():
        shape = (3, 2 if name == "ltr" else 8, 32, 48)
        volumes[name] = np.broadcast_to(np.float32(colour)[:, None, None, None], shape).copy()
    return volumes


def _read(path: Path) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def test_columns_stand_in_order_with_equal_areas(tmp_path: Path):
    """Input, linear, ours, truth from left to right, each over the same number of pixels."""
    comparison_picture(**_volumes(), path=tmp_path / "a.png", view=VIEW)
    picture = _read(tmp_path / "a.png")
    middles, areas = [], []
    for colour in COLOURS.values():
        found = np.all(picture == np.rint(np.array(colour) * 255), axis=2)
        middles.append(np.nonzero(found)[1].mean())
        areas.append(found.sum())
    assert middles == sorted(middles)
    np.testing.assert_allclose(areas, areas[0], rtol=0.01)


def test_slice_shows_the_row_over_time_and_crops_the_chosen_frames(tmp_path: Path):
    """A single marked frame shows in its crop; a single marked row shows in the slice alone."""
    volumes = _volumes()
    volumes["truth"][:, 5, VIEW.top : VIEW.top + 5] = np.float32([1, 0, 0])[:, None, None]
    volumes["truth"][:, 7, VIEW.slice_row] = np.float32([0, 1, 1])[:, None]
    comparison_picture(**volumes, path=tmp_path / "a.png", view=VIEW, panel_width=300)
    picture = _read(tmp_path / "a.png")
    red = np.all(picture == (255, 0, 0), axis=2)
    cyan = np.all(picture == (0, 255, 255), axis=2)
    # The red part is a quarter of the second crop's 200 rows, less what resampling blends.
    assert 44 <= np.ptp(np.nonzero(red)[0]) + 1 <= 52
    # Frame 7 of 8 is the last eighth of the slice's 180 rows, over the whole width.
    rows, columns = np.nonzero(cyan)
    assert np.ptp(rows) + 1 == pytest.approx(180 / 8, abs=1)
    assert np.ptp(columns) + 1 == 300
    assert rows.min() > np.nonzero(red)[0].max()


def test_unrelated_volumes_and_views_outside_are_refused(tmp_path: Path):
    """The message shows the shapes, or the view and the frames it misses; nothing is written."""
    volumes = _volumes()
    beyond = View(top=20, left=0, height=20, width=10, frames=(0,), slice_row=25)
    with pytest.raises(SettingsError, match="outside 8 frames of 48×32"):
        comparison_picture(**volumes, path=tmp_path / "a.png", view=beyond)
    volumes["ours"] = volumes["ours"][:, :7]
    with pytest.raises(SettingsError, match="same span"):
        comparison_picture(**volumes, path=tmp_path / "a.png", view=VIEW)
    assert list(tmp_path.iterdir()) == []


def test_demo_view_lies_in_the_full_speed_part():
    """The demo's picture shows five input frames at full speed, inside the frame."""
    for height, width in ((272, 480), (360, 640), (136, 240)):
        inputs, view = demo_view(256, height, width)
        assert inputs.start >= 0.42 * 32
        assert inputs.stop <= 0.72 * 32
        assert view.top + view.height <= height
        assert view.left + view.width <= width
        assert max(view.frames) < 8 * 5
