"""Patches that move evenly, on textures whose motion is known."""

import math

import numpy as np

from tsr.evaluation.moving_scenes import Drift
from tsr.evaluation.scenes import render
from tsr.trainer.exposure.patches import FREQUENCIES, moving_patches

SIZE = (144, 192)


def test_patches_are_found_where_they_went() -> None:
    """A texture that moves by a known way: every patch finds it, to a tenth of a pixel."""
    scene = Drift(speed=5.0, direction=math.atan2(3, 4))
    before, now, after = (frame.mean(axis=0) for frame in render(scene, 3, *SIZE))
    found = moving_patches(before, now, after)
    assert len(found.ways) > 30
    np.testing.assert_allclose(found.ways, np.tile([3.0, 4.0], (len(found.ways), 1)), atol=0.1)
    assert found.spectra.shape == (len(found.ways), len(FREQUENCIES.y))


def test_uneven_motion_is_left_out() -> None:
    """A texture that stops has no one way per frame."""
    scene = Drift(speed=6.0)
    first, second = (frame.mean(axis=0) for frame in render(scene, 2, *SIZE))
    assert len(moving_patches(first, second, second).ways) == 0


def test_what_moves_in_part_is_left_out() -> None:
    """A ground that slides past a still one: a patch across the edge goes neither's way."""
    moving = [frame.mean(axis=0) for frame in render(Drift(speed=2.5), 3, *SIZE)]
    still = np.arange(SIZE[1]) < SIZE[1] // 2
    found = moving_patches(*(np.where(still, moving[0], frame) for frame in moving))
    assert len(found.ways) > 8
    np.testing.assert_allclose(found.ways, np.tile([0, 2.5], (len(found.ways), 1)), atol=0.15)
