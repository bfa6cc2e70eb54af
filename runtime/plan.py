"""Which frames each step of the ladder must produce for one segment of the output.

Worked out backwards from the frames wanted: a network pass needs a few more frames on each side, a
climb needs whole groups. Nothing is carried from segment to segment, so segments of any length,
in any order, give the same frames, and memory is bounded by the segment.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tsr.core.exposure import FULL
from tsr.core.ladder import NetworkPass, ScaleLadder, Step
from tsr.core.resize import ResampleTaps, double_taps
from tsr.core.tiling import MOTION_REACH, NETWORK_HALO, Span, clamped, spans


@dataclass(frozen=True)
class StepPlan:
    """One step for one segment: from which frames to which frames, each at its own rate.

    Args:
        step: the network pass or the climb.
        given: frames [first, last) of the rung below that the step reads.
        made: frames [first, last) of the rung that it makes.
    """

    step: Step
    given: Span
    made: Span


@dataclass(frozen=True)
class SegmentPlan:
    """All steps for the input frames [first, last), in order."""

    frames: Span
    steps: tuple[StepPlan, ...]

    @property
    def wanted(self) -> Span:
        """The output frames that the segment delivers."""
        factor = self.steps[-1].step.after.t
        return self.frames[0] * factor, self.frames[1] * factor

    @property
    def window(self) -> Span:
        """The input frames that any step reads, at whichever size."""
        read = [self.steps[0].given, *(known_frames(plan) for plan in self.steps[1:])]
        return min(first for first, _ in read), max(last for _, last in read)

    @property
    def last_pass(self) -> int:
        """Which step is the last network pass; only climbs follow it."""
        return max(n for n, plan in enumerate(self.steps) if isinstance(plan.step, NetworkPass))

    @property
    def keeps_input(self) -> bool:
        """Whether the output agrees with the input once its last climb, if any, has made it so."""
        for plan in reversed(self.steps):
            if not isinstance(plan.step, NetworkPass):
                break
            if not plan.step.keeps_input:
                return False
        return True

    def network_voxels(self, height: int, width: int) -> int:
        """Voxels that the network makes for a video of this (padded) size: the work to be done."""
        passes = [plan for plan in self.steps if isinstance(plan.step, NetworkPass)]
        return sum(
            int((plan.made[1] - plan.made[0]) * height * width * plan.step.after.s**2)
            for plan in passes
        )


def known_frames(plan: StepPlan) -> Span:
    """The input frames that a step's output is made of, in whole groups of `t` output frames."""
    t = plan.step.after.t
    return plan.made[0] // t, -(-plan.made[1] // t)


def plan_segment(ladder: ScaleLadder, frames: Span, num_frames: int) -> SegmentPlan:
    """Plan the output of input frames [first, last) of a video of `num_frames`."""
    wanted = (frames[0] * ladder.factor, frames[1] * ladder.factor)
    plans: list[StepPlan] = []
    for step in reversed(ladder.steps):
        made = _aligned(wanted, 2 if isinstance(step, NetworkPass) else step.after.t)
        if plans:  # the step above is handed all that is made, also what alignment added
            plans[-1] = replace(plans[-1], given=made)
        wanted = made
        if isinstance(step, NetworkPass):
            wanted = _read_by_network(made, num_frames * step.before.t, step)
        plans.append(StepPlan(step, wanted, made))
    return SegmentPlan(frames, tuple(reversed(plans)))


def plan_segments(
    ladder: ScaleLadder, num_frames: int, size: int, part: Span | None = None
) -> Iterator[SegmentPlan]:
    """Cut a video, or the input frames [first, last) of it, into segments of `size` input frames
    and plan each."""
    first, last = part or (0, num_frames)
    for frames in spans(last - first, size, first):
        yield plan_segment(ladder, frames, num_frames)


def first_read(ladder: ScaleLadder, part: Span, num_frames: int) -> int:
    """The first input frame that is needed to compute the output of input frames `part`."""
    return plan_segment(ladder, part, num_frames).window[0]


def network_taps(made: Span, num_given: int, exposure: float = FULL) -> ResampleTaps:
    """Cubic ×2 taps of the frames that a network pass reads to make `made`, border frames repeated.

    Args:
        made: frames [first, last) of the pass's output.
        num_given: frames of the whole video at the rate the pass starts from.
        exposure: of these frames, as a fraction of their interval.
    """
    return double_taps(num_given, exposure).rows(read_frames(made, num_given))


def read_frames(made: Span, num_given: int) -> NDArray[np.intp]:
    """Numbers of the interpolated frames that the network reads to make `made`."""
    return clamped(made, NETWORK_HALO.t, 2 * num_given)


def _read_by_network(made: Span, num_given: int, step: NetworkPass) -> Span:
    if step.interpolation == "motion":
        read = read_frames(made, num_given)
        last = int(read[-1]) // 2 + 1 + MOTION_REACH
        return max(int(read[0]) // 2 - MOTION_REACH, 0), min(last, num_given)
    first, last = network_taps(made, num_given, step.exposure).needs()
    # Back-projection reads the frames under `made` too; the taps always reach around them.
    return min(first, made[0] // 2), max(last, made[1] // 2)


def _aligned(span: Span, size: int) -> Span:
    return span[0] // size * size, -(-span[1] // size) * size
