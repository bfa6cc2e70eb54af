"""Frames moved along their motion: what is found, what is made of it, and what must not show."""

import numpy as np
import pytest

from tsr.core import motion
from tsr.core import motion_loops as loops
from tsr.core.metrics import psnr
from tsr.core.rect import rect_downsample
from tsr.core.resize import apply_taps, double_taps
from tsr.core.tiling import MOTION_REACH
from tsr.core.volume import Volume
from tsr.evaluation.moving_scenes import Drift, texture
from tsr.evaluation.scenes import render
from tsr.evaluation.shapes import grid

SPEED = 2.5
"""Pixels per frame of the slow video."""


@pytest.fixture(scope="module")
def truth() -> Volume:
    """A texture that drifts, at twice the rate."""
    scene = Drift(speed=SPEED / 8, direction=0.7, seed=3)
    return rect_downsample(np.stack(list(render(scene, 64, 72, 88)), axis=1), 4)


@pytest.fixture(scope="module")
def slow(truth: Volume) -> Volume:
    return rect_downsample(truth, 2)


def test_a_texture_s_motion_is_found(slow: Volume) -> None:
    """Everywhere inside, to a tenth of a pixel, forth and back."""
    grey = slow.mean(axis=0)
    for sign, (before, after) in ((1, (grey[3], grey[4])), (-1, (grey[4], grey[3]))):
        found = motion.flow(before, after)[:, 12:-12, 12:-12]
        length = np.hypot(*found)
        assert abs(np.median(length) - SPEED) < 0.05
        direction = np.arctan2(*np.median(found, axis=(1, 2)))
        assert abs(np.cos(direction - np.arctan2(np.sin(0.7), np.cos(0.7)))) > 0.99
        assert np.abs(found - np.median(found, axis=(1, 2), keepdims=True)).mean() < 0.1
        first = found if sign == 1 else first  # noqa: F821
    assert np.abs(first + found).mean() < 0.1


def test_what_moves_is_better_moved_than_faded(truth: Volume, slow: Volume) -> None:
    moved = motion.doubled(slow)
    faded = apply_taps(slow, double_taps(slow.shape[1]), 1)
    inner = (slice(None), slice(2, -2), slice(8, -8), slice(8, -8))
    assert psnr(moved[inner], truth[inner]) > psnr(faded[inner], truth[inner]) + 6


class Swing:
    """A texture that swings: to and fro within five frames of the slow video."""

    def frame(self, time: float, height: int, width: int) -> Volume:
        y, x = grid(height, width)
        way = 3 * np.sin(2 * np.pi * time / 8 / 5) / height
        return np.repeat(texture(y - np.float32(way), x, 4)[None], 3, axis=0)


def test_what_swings_is_moved_along_its_curve(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which two frames alone cannot tell from a straight way. At the ends there are but two."""
    truth = rect_downsample(np.stack(list(render(Swing(), 96, 56, 64)), axis=1), 4)
    slow = rect_downsample(truth, 2)
    curved = motion.doubled(slow)

    def straight(flow: Volume, here: Volume, there: Volume, amount: float, bent: Volume) -> None:
        bent[:] = flow

    monkeypatch.setattr(loops, "bend", straight)
    before = motion.doubled(slow)
    inner = (slice(None), slice(4, -4), slice(8, -8), slice(8, -8))
    assert psnr(curved[inner], truth[inner]) > psnr(before[inner], truth[inner]) + 1.5


@pytest.mark.parametrize("exposure", [1.0, 0.6, 0.5, 0.0])
def test_pairs_average_to_the_frames_given(slow: Volume, exposure: float) -> None:
    moved = motion.doubled(slow, exposure)
    assert moved.shape == (3, 2 * slow.shape[1], *slow.shape[2:])
    np.testing.assert_allclose(rect_downsample(moved, 2, exposure), slow, atol=1e-6)


def test_an_instant_stays_the_first_of_its_pair(slow: Volume) -> None:
    np.testing.assert_allclose(motion.doubled(slow, 0.0)[:, 0::2], slow, atol=1e-6)


@pytest.mark.parametrize(("rows", "columns"), [(72, 88), (71, 87)])
def test_halves_of_frames_tell_small_motion(
    truth: Volume, slow: Volume, rows: int, columns: int
) -> None:
    """As well as whole ones, also where a row or a column is left over."""
    found = [
        motion.doubled(np.ascontiguousarray(slow[:, :, :rows, :columns]), halved=halved)
        for halved in (False, True)
    ]
    inner = (slice(None), slice(2, -2), slice(8, 60), slice(8, 76))
    fine, coarse = (psnr(made[inner], truth[inner]) for made in found)
    assert coarse > fine - 0.5
    assert (found[0] != found[1]).any()


def test_tiny_frames_have_no_halves_to_look_in() -> None:
    tiny = np.random.default_rng(0).random((3, 4, 12, 14), np.float32)
    np.testing.assert_array_equal(motion.doubled(tiny, halved=True), motion.doubled(tiny))


@pytest.mark.parametrize("halved", [False, True])
@pytest.mark.parametrize(("first", "last"), [(0, 4), (2, 7), (5, 8)])
def test_a_part_has_the_bits_of_the_whole(
    slow: Volume, first: int, last: int, halved: bool
) -> None:
    """Wherever the video is cut, whatever is asked for with it, also beyond its ends."""
    frames = slow.shape[1]
    whole = motion.doubled(slow, halved=halved)
    wanted = np.arange(2 * first, 2 * last)
    start, stop = max(first - MOTION_REACH, 0), min(last + MOTION_REACH, frames)
    part = motion.moved(slow[:, start:stop], wanted, start, frames, halved=halved)
    np.testing.assert_array_equal(part, whole[:, wanted])
    repeated = np.repeat(wanted, 2)[1:]
    again = motion.moved(slow[:, start:stop], repeated, start, frames, halved=halved)
    np.testing.assert_array_equal(again, whole[:, repeated])


def test_parts_in_order_follow_each_pair_once(slow: Volume) -> None:
    """And no more is remembered than a next part may ask for."""
    asked: list[int] = []

    def follow(
        pair: int, before: motion.Pyramid, after: motion.Pyramid
    ) -> tuple[motion.Flow, motion.Flow]:
        asked.append(pair)
        return motion.forth_and_back(pair, before, after)

    frames = slow.shape[1]
    remembered = motion.remembering(follow)
    parts = [
        motion.moved(slow, np.arange(first, first + 4), 0, frames, follow=remembered)
        for first in range(0, 2 * frames, 4)
    ]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), motion.doubled(slow))
    assert sorted(asked) == list(range(frames - 1))
    pyramid = [slow[:, 0].mean(axis=0)]
    for pair in (0, motion.SHARED, motion.SHARED + 1, 0):
        remembered(pair + frames, pyramid, pyramid)
    assert asked.count(frames) == 2


def test_threads_do_not_show(slow: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for cores in (1, 3):
        monkeypatch.setattr(motion, "usable_cores", lambda cores=cores: cores)
        made.append(motion.doubled(slow))
    np.testing.assert_array_equal(*made)


@pytest.mark.parametrize("size", [(1, 1), (5, 40), (8, 8), (9, 17), (33, 16)])
def test_any_size_is_taken(size: tuple[int, int]) -> None:
    """Where not even a patch fits, frames fade."""
    video = np.random.default_rng(0).random((3, 4, *size), np.float32)
    moved = motion.doubled(video)
    assert np.isfinite(moved).all()
    np.testing.assert_allclose(rect_downsample(moved, 2), video, atol=1e-6)


def test_a_still_picture_stays_as_it_is() -> None:
    picture = np.random.default_rng(0).random((3, 1, 24, 40), np.float32)
    moved = motion.doubled(np.repeat(picture, 5, axis=1))
    np.testing.assert_allclose(moved, np.repeat(picture, 10, axis=1), atol=1e-5)


def test_what_is_no_number_is_not_followed_out_of_the_frame() -> None:
    """A network that diverged must not take the program with it."""
    frame = np.full((3, 24, 32), np.nan, np.float32)
    with np.errstate(invalid="ignore"):
        made = motion.doubled(np.stack([frame, frame], axis=1))
    assert np.isnan(made).all()
    flow, result = np.full((2, 24, 32), np.nan, np.float32), np.zeros_like(frame)
    loops.add_moved(np.ones_like(frame), flow, 0.5, 1.0, result)
    np.testing.assert_allclose(result, 1, atol=1e-6)
