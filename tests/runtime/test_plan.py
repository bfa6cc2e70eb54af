"""Segments and steps: what each step is given covers what it reads, and nothing is lost."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsr.core.ladder import FACTORS, INTERPOLATIONS, START_SCALES, Climb, NetworkPass, ScaleLadder
from tsr.core.resize import apply_taps, cubic_taps, double_taps
from tsr.core.tiling import MOTION_REACH, NETWORK_HALO
from tsr.runtime.plan import known_frames, network_taps, plan_segment, plan_segments

ladders = st.builds(
    lambda start, factor, exposure, finest, interpolation: ScaleLadder(
        start, factor, exposure, max(start, finest), interpolation
    ),
    st.sampled_from(START_SCALES),
    st.sampled_from(FACTORS),
    st.sampled_from([1.0, 1.0, 0.6, 0.25]),
    st.sampled_from(START_SCALES),
    st.sampled_from(INTERPOLATIONS),
)
lengths = st.integers(2, 40)


@given(ladder=ladders, num_frames=lengths, size=st.integers(1, 45))
def test_segments_tile_the_output(ladder: ScaleLadder, num_frames: int, size: int) -> None:
    """Every output frame is wanted by exactly one segment, in order."""
    plans = list(plan_segments(ladder, num_frames, size))
    wanted = [n for plan in plans for n in range(*plan.wanted)]
    assert wanted == list(range(num_frames * ladder.factor))


@given(ladder=ladders, num_frames=lengths, data=st.data())
def test_every_step_is_given_what_it_reads(
    ladder: ScaleLadder, num_frames: int, data: st.DataObject
) -> None:
    """Backwards from the output: no step reads a frame that the step below did not make."""
    first = data.draw(st.integers(0, num_frames - 1))
    last = data.draw(st.integers(first + 1, num_frames))
    plan = plan_segment(ladder, (first, last), num_frames)
    assert [step.step for step in plan.steps] == list(ladder.steps)
    assert plan.steps[-1].made[0] <= plan.wanted[0]
    assert plan.steps[-1].made[1] >= plan.wanted[1]
    for below, above in zip(plan.steps, plan.steps[1:], strict=False):
        assert above.given == below.made
    for step in plan.steps:
        assert 0 <= step.given[0] <= reads(step, num_frames)[0]
        assert reads(step, num_frames)[1] <= step.given[1] <= num_frames * step.step.before.t
        assert step.made[0] % 2 == step.made[1] % 2 == 0 or isinstance(step.step, Climb)


def reads(step, num_frames: int) -> tuple[int, int]:
    """The frames that a step's output depends on, from the definition of the operations."""
    if isinstance(step.step, Climb):
        return step.made
    num_given = num_frames * step.step.before.t
    # Output frame n sees interpolated frames n - 3 … n + 3, border frames repeated.
    halo = NETWORK_HALO.t
    seen = np.clip(np.arange(step.made[0] - halo, step.made[1] + halo), 0, 2 * num_given - 1)
    if step.step.interpolation == "motion":
        near, far = seen[0] // 2 - MOTION_REACH, seen[-1] // 2 + MOTION_REACH
        return max(int(near), 0), min(int(far) + 1, num_given)
    taps = double_taps(num_given, step.step.exposure)
    columns = np.flatnonzero(taps.matrix()[seen].any(axis=0))
    return int(columns[0]), int(columns[-1]) + 1


@given(ladder=ladders, num_frames=lengths, size=st.integers(1, 45))
def test_the_window_holds_what_any_step_reads_and_is_bounded(
    ladder: ScaleLadder, num_frames: int, size: int
) -> None:
    """Input frames at hand: enough for all steps, a fixed margin beyond the segment at most."""
    for plan in plan_segments(ladder, num_frames, size):
        first, last = plan.window
        assert 0 <= first <= plan.frames[0]
        assert plan.frames[1] <= last <= num_frames
        for step in plan.steps[1:]:
            known = known_frames(step)
            assert first <= known[0]
            assert known[1] <= last
        assert last - first <= size + 24


@given(ladder=ladders, num_frames=lengths)
def test_climbs_make_whole_groups(ladder: ScaleLadder, num_frames: int) -> None:
    """Back-projection against the input needs all frames that an input frame covers."""
    for plan in plan_segments(ladder, num_frames, 3):
        for step in plan.steps:
            if isinstance(step.step, Climb):
                assert all(bound % step.step.after.t == 0 for bound in step.made)


@pytest.mark.parametrize("made", [(0, 4), (6, 8), (14, 20), (0, 20)])
def test_network_taps_interpolate_and_repeat_the_borders(made: tuple[int, int]) -> None:
    """The rows of the cubic ×2 operator for `made`, three more at each end, clamped."""
    video = np.random.default_rng(0).random((1, 10, 1, 1), np.float32)
    double = np.pad(apply_taps(video, cubic_taps(10, 20), 1)[0, :, 0, 0], 3, mode="edge")
    found = apply_taps(video, network_taps(made, 10), 1)[0, :, 0, 0]
    np.testing.assert_array_equal(found, double[made[0] : made[1] + 6])


def test_a_pass_that_is_not_last_makes_only_what_the_next_step_reads() -> None:
    """In the middle of a long video a ×8 segment of one frame costs a few frames per rung."""
    plan = plan_segment(ScaleLadder(Fraction(1, 8), 8), (50, 51), 100)
    made = [s.made[1] - s.made[0] for s in plan.steps if isinstance(s.step, NetworkPass)]
    assert made == sorted(made) or max(made) <= 24
    assert made[-1] == 8
