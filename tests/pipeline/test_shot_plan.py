"""Which network makes which shot, and why."""

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from tsr.evaluation.shapes import grid, layered_noise
from tsr.pipeline.shot_plan import Look, look_at, plan_models, similarity
from tsr.pipeline.shots import Shot


def wall(frames: int, *, speed: float, tint: float = 1.0) -> NDArray[np.float32]:
    """A pan by `speed` pixels a frame over a wall; 90 rows, so that a thumbnail is the frame."""
    y, x = grid(90, 120)
    shade = [layered_noise(y * 4, (x + n * speed / 90) * 4, seed=1) for n in range(frames)]
    colour = np.array([1.0, tint, tint], np.float32)[:, None, None, None]
    return np.asarray(np.stack(shade)[None] * colour, np.float32)


def look(frames: int = 6, *, speed: float = 0.5, tint: float = 1.0) -> Look:
    video = wall(frames, speed=speed, tint=tint)
    return look_at(video[:, n] for n in range(frames))


@pytest.mark.parametrize("speed", [0.25, 0.5, 1.0])
def test_motion_is_in_pixels_per_frame(speed: float) -> None:
    """Of a pan, whose normal flow is the part of gradients along the way: 2/π of all directions."""
    assert look(speed=speed).motion == pytest.approx(speed * 2 / np.pi, rel=0.15)


def test_similarity_is_one_of_equals_and_falls_with_colour_and_speed() -> None:
    """Symmetric; nothing in common gives nothing."""
    a, b, c = look(), look(speed=1.0), look(tint=0.05)
    assert similarity(a, a) == pytest.approx(1)
    assert similarity(a, b) == pytest.approx(0.5, abs=0.1)
    assert similarity(a, b) == similarity(b, a)
    assert similarity(a, c) < 0.1


def parts(*lengths: int) -> list[Shot]:
    ends = np.cumsum([0, *lengths])
    return [Shot(int(a), int(b)) for a, b in itertools.pairwise(ends)]


def test_each_long_shot_trains_and_starts_from_the_most_alike_before_it() -> None:
    """The first from nothing; not from a later one, which does not exist yet."""
    looks = [look(), look(tint=0.2), look(speed=0.6), look(tint=0.22)]
    plans = plan_models(parts(30, 30, 30, 30), looks, [30] * 4)
    assert [plan.source for plan in plans] == ["trained"] * 4
    assert [plan.model for plan in plans] == [0, 1, 2, 3]
    assert [plan.start_from for plan in plans] == [None, 0, 0, 1]
    assert (
        plans[3].reason
        == "30 frames to learn from; starts from the network of shot 2 (frames 30 to 59)"
    )


def test_a_short_shot_borrows_from_the_longest_that_is_alike() -> None:
    """Also from one behind it; the most alike of two does not count, its length does."""
    looks = [look(), look(), look(speed=0.55), look(tint=0.1)]
    plans = plan_models(parts(10, 40, 60, 99), looks, [10, 40, 60, 99])
    assert (plans[0].source, plans[0].model) == ("borrowed", 2)
    assert "10 frames to learn from; shot 3 (frames 50 to 109) is alike" in plans[0].reason


def test_short_shots_unlike_all_others() -> None:
    """Train if they can, else are interpolated; what trains lends to what cannot."""
    looks = [look(), look(tint=0.1), look(tint=0.1), look(tint=0.4, speed=3)]
    plans = plan_models(parts(40, 12, 5, 5), looks, [40, 12, 5, 5])
    sources = ["trained", "trained", "borrowed", "interpolated"]
    assert [plan.source for plan in plans] == sources
    assert (plans[1].start_from, plans[2].model) == (0, 1)
    assert plans[3].reason == "5 frames to learn from, and no longer shot is alike"


def test_what_counts_is_what_can_be_learned_from() -> None:
    """A long shot of held or resting frames is a short one."""
    plans = plan_models(parts(60, 60, 40), [look(), look(tint=0.1), look()], [60, 1, 10])
    assert [plan.source for plan in plans] == ["trained", "interpolated", "borrowed"]
    assert plans[1].reason == "nothing moves in it"


def test_a_video_of_one_short_shot_trains() -> None:
    """There is nothing else."""
    (plan,) = plan_models(parts(9), [look()], [9])
    assert (plan.source, plan.model, plan.start_from) == ("trained", 0, None)
