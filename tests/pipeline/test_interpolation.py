"""Shots too short to learn from: what moves is followed, what stands still is kept."""

from types import SimpleNamespace

import numpy as np
import pytest

from tsr.core.ladder import ScaleLadder
from tsr.core.metrics import psnr
from tsr.core.rect import rect_downsample
from tsr.core.volume import Volume
from tsr.evaluation.moving_scenes import Drift
from tsr.evaluation.scenes import render
from tsr.pipeline.interpolation import interpolation
from tsr.runtime.streaming import super_resolve

FRAMES, HEIGHT, WIDTH = 5, 144, 160


def made(slow: Volume, *, moves: bool) -> tuple[Volume, ScaleLadder]:
    ladder, backend = interpolation(HEIGHT, WIDTH, 4, moves=moves)
    info = SimpleNamespace(num_frames=slow.shape[1], height=HEIGHT, width=WIDTH)
    frames = super_resolve(iter(slow.swapaxes(0, 1)), info, ladder, backend, slow.shape[1])  # type: ignore[arg-type]
    return np.stack([frame.copy() for frame in frames], axis=1), ladder


@pytest.fixture(scope="module")
def truth() -> Volume:
    """A texture that drifts by 6 pixels per slow frame, at four times the rate."""
    scene = Drift(speed=6 / 8, direction=0.7, seed=3)
    return rect_downsample(np.stack(list(render(scene, 8 * FRAMES, HEIGHT, WIDTH)), axis=1), 2)


def test_motion_in_few_frames_is_followed(truth: Volume) -> None:
    """Better than fading by 3 dB, in groups that average to what was given."""
    slow = rect_downsample(truth, 4)
    moved, ladder = made(slow, moves=True)
    faded, _ = made(slow, moves=False)
    assert ladder.start < 1
    inner = (slice(None), slice(4, -4), slice(16, -16), slice(16, -16))
    assert psnr(moved[inner], truth[inner]) > psnr(faded[inner], truth[inner]) + 3
    np.testing.assert_allclose(rect_downsample(moved, 4), slow, atol=1e-4)


@pytest.mark.parametrize("frames", [1, 2])
def test_what_stands_still_is_kept(truth: Volume, frames: int) -> None:
    still = np.ascontiguousarray(np.repeat(truth[:, :1], frames, axis=1))
    result, ladder = made(still, moves=False)
    assert ladder.start == 1
    np.testing.assert_allclose(result, np.repeat(still, 4, axis=1), atol=1e-6)


def test_tiny_frames_are_moved_at_full_size() -> None:
    """They are smaller than any ladder's coarsest rung, but nobody has to learn from them."""
    ladder, _ = interpolation(24, 30, 8, moves=True)
    assert (ladder.start, ladder.interpolation) == (1, "motion")
