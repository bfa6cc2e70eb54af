"""Scenes of plain motion: what moves, by how much, and what stands still."""

import math

import numpy as np
import pytest

from tsr.evaluation.moving_scenes import Crossing, Drift, Turn
from tsr.evaluation.scenes import render_volume

SIZE = (64, 96)


def test_a_drift_of_whole_pixels_is_the_frame_moved() -> None:
    """Three to the right and four down, wherever the frame before showed it already."""
    video = render_volume(Drift(speed=5.0, direction=math.atan2(4, 3)), 2, *SIZE)
    np.testing.assert_allclose(video[:, 1, 4:, 3:], video[:, 0, :-4, :-3], rtol=0, atol=1e-3)
    assert video[:, 0].std() > 0.1


def test_a_quarter_turn_is_the_square_frame_turned() -> None:
    """Clockwise on the screen."""
    speed = math.pi / 2 * 32  # a quarter of the way round at half the height
    video = render_volume(Turn(speed=speed), 2, 64, 64)
    expected = np.rot90(video[:, 0], -1, axes=(1, 2))
    np.testing.assert_allclose(video[:, 1], expected, rtol=0, atol=1e-3)


def test_discs_cross_a_ground_that_stands_still() -> None:
    """Each moves, none leaves the ground marked, and they come again on the other side."""
    scene = Crossing(speed=3.0, discs=2, radius=0.15)
    video = render_volume(scene, 3, *SIZE)
    changed = (video[:, 1:] != video[:, :-1]).any(axis=(0, 1))
    assert 0.05 < changed.mean() < 0.5
    ground = Crossing(speed=3.0, discs=0).frame(0.0, *SIZE)
    np.testing.assert_array_equal(video[:, 0][:, ~changed], ground[:, ~changed])
    later = scene.frame(5000.0, *SIZE)
    assert (later != ground).any()


def test_plain_discs_are_of_one_grey_each() -> None:
    """The ground, two discs, and as many mixed pixels as edges have."""
    frame = Crossing(speed=3.0, discs=2, radius=0.15, plain=True).frame(0.0, *SIZE)
    greys, counts = np.unique(frame[0], return_counts=True)
    assert sorted(greys[np.argsort(-counts)[:3]]) == pytest.approx([0.2, 0.75, 1.0])
    assert np.sort(counts)[-3:].sum() > 0.95 * frame[0].size
    np.testing.assert_array_equal(frame[0], frame[2])
