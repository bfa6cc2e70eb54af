"""The coarse-to-fine loop over one segment of the video (paper 4.2, Fig. 8b)."""

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Generic

from tsr.core.ladder import NetworkPass, ScaleLadder
from tsr.core.tiling import Span, spans
from tsr.runtime.backend import Array, Backend
from tsr.runtime.plan import SegmentPlan, StepPlan, known_frames


class FramePyramid(Generic[Array]):
    """A sliding window of input frames at every size of the ladder, read once and in order.

    Args:
        frames: the input, (3, H, W) float32 each, or what else the backend loads.
        ladder: which sizes are needed.
        first: number of the first of them in the video, when it is read from there on.
    """

    def __init__(
        self,
        frames: Iterator[Any],
        ladder: ScaleLadder,
        backend: Backend[Array],
        first: int = 0,
    ) -> None:
        self._frames, self._ladder, self._backend = frames, ladder, backend
        self._levels: deque[dict[Fraction, Array]] = deque()
        self._first = first

    def move(self, window: Span) -> None:
        """Let go of frames before `window` and read up to its end."""
        while self._first < window[0]:
            if self._levels:
                self._levels.popleft()
            else:
                next(self._frames)
            self._first += 1
        while self.read_ahead(window[1]):
            pass

    def read_ahead(self, end: int) -> bool:
        """Read one more frame, unless all before `end` are there; returns whether it did."""
        if self._first + len(self._levels) >= end:
            return False
        self._levels.append(self._pyramid(next(self._frames)))
        return True

    def volume(self, s: Fraction, frames: Span) -> Array:
        """(C, T, H, W) of input frames [first, last) at spatial scale `s`."""
        return self._backend.join(
            [self._levels[i - self._first][s] for i in range(frames[0], frames[1])]
        )

    def _pyramid(self, frame: Any) -> dict[Fraction, Array]:
        level = self._backend.load_frame(frame, self._ladder.multiple)  # (C, 1, H, W)
        levels = {Fraction(1): level}
        for halving in range(1, self._ladder.halvings + 1):
            level = self._backend.halve(level)
            levels[Fraction(1, 2**halving)] = level
        return levels


def run_segment(
    plan: SegmentPlan, pyramid: FramePyramid[Array], backend: Backend[Array], num_frames: int
) -> Iterator[Array]:
    """Run all steps of a segment; yields its output in order, one input frame's worth at a time.

    Climbs after the last pass are done group by group, so that larger frames never pile up.
    """
    pyramid.move(plan.window)
    first, end = plan.steps[0], plan.last_pass + 1
    passes, climbs = plan.steps[:end], plan.steps[end:]
    volume = pyramid.volume(first.step.before.s, first.given)
    for step in passes:
        volume = _run_step(step, volume, pyramid, backend, num_frames)
    last = passes[-1]
    if not plan.keeps_input:
        known = pyramid.volume(Fraction(1), known_frames(last))
        volume = backend.correct(volume, known, last.step.input_exposure)
    start, factor = last.made[0], last.step.after.t
    for group in spans(plan.wanted[1] - plan.wanted[0], factor, plan.wanted[0]):
        made = backend.take(volume, (group[0] - start, group[1] - start))
        for climb in climbs:
            part = StepPlan(climb.step, group, group)
            made = _run_step(part, made, pyramid, backend, num_frames)
        yield made


def _run_step(
    plan: StepPlan,
    volume: Array,
    pyramid: FramePyramid[Array],
    backend: Backend[Array],
    num_frames: int,
) -> Array:
    if isinstance(plan.step, NetworkPass):
        num_given = num_frames * plan.step.before.t
        return backend.network_pass(plan.step, volume, plan.given, plan.made, num_given)
    known = pyramid.volume(plan.step.after.s, known_frames(plan))
    return backend.climb(volume, known, plan.step.input_exposure)
