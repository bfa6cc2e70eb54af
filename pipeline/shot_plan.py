"""Which network makes which shot: its own, that of a similar shot, or none.

Two shots are similar as far as their colours agree and things move as fast in them: a network
learns how this video's edges and textures look when they move so far between frames.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tsr.pipeline.changes import Frame
from tsr.pipeline.job import MIN_FRAMES
from tsr.pipeline.record import ShotSource
from tsr.pipeline.shots import Shot
from tsr.pipeline.thumbs import COLOUR_LEVELS, colour_counts, grey, in_common, thumbnail

SHORT = 24
"""Frames below which a shot borrows the network of a similar longer one, if there is one: a second
of film, and not much more than the 16 frames of one training crop."""

SIMILAR = 0.5
"""Similarity from which a network is borrowed: half of what the shots show is in common."""


@dataclass(frozen=True, eq=False)
class Look:
    """What a shot looks like.

    Args:
        colours: (512,) shares of the colours of all its thumbnails.
        motion: size of the motion in thumbnail pixels per frame: the mean change from frame to
            frame over the mean gradient in space, as in the equation of normal flow.
    """

    colours: NDArray[np.float64]
    motion: float


@dataclass(frozen=True, kw_only=True)
class ShotPlan:
    """How a shot is to be made.

    Args:
        shot: its frames. source: as in the record.
        model: the number of the shot whose network makes it; its own when trained, None when
            interpolated.
        start_from: the number of the shot whose weights its training starts from.
        reason: in words for the user.
    """

    shot: Shot
    source: ShotSource
    model: int | None
    start_from: int | None
    reason: str


def look_at(frames: Iterable[Frame]) -> Look:
    """Look at the frames of one shot."""
    looker = Looker()
    for frame in frames:
        looker.add(frame)
    return looker.look()


class Looker:
    """Looks frame by frame; two thumbnails are held at a time."""

    def __init__(self) -> None:
        self._colours = np.zeros(COLOUR_LEVELS**3)
        self._change = self._gradient = 0.0
        self._before: NDArray[np.float32] | None = None

    def add(self, frame: Frame) -> None:
        """Take in the next frame of the shot."""
        thumb = thumbnail(frame)
        self._colours += colour_counts(thumb)
        levels = grey(thumb)
        if self._before is not None:
            self._change += float(np.abs(levels - self._before).mean())
            self._gradient += float(np.hypot(*np.gradient(levels)).mean())
        self._before = levels

    def look(self) -> Look:
        """Of the frames so far."""
        shares = self._colours / max(self._colours.sum(), 1)
        return Look(shares, self._change / max(self._gradient, 1e-6))


def similarity(a: Look, b: Look) -> float:
    """Share of the colours in common, times the smaller motion over the larger: 1 for equal looks,
    0 for nothing in common."""
    common = in_common(a.colours, b.colours)
    slow, fast = sorted((a.motion, b.motion))
    return common * (slow / fast if fast > 0 else 1.0)


def plan_models(
    shots: Sequence[Shot], looks: Sequence[Look], to_learn: Sequence[int]
) -> list[ShotPlan]:
    """Decide for each shot of a video.

    Args:
        shots, looks: of the video, in order.
        to_learn: how many frames of each are worth training on (`Duplicates.to_learn`).

    Returns:
        A plan per shot. A shot of `SHORT` frames or more trains, starting from the weights of the
        most similar one that trained before it. A shorter one borrows from the longest similar
        shot of that length; with none, it trains all the same. Below `MIN_FRAMES` it borrows from
        any similar shot that trains; with none, it is interpolated.
    """
    able = [n for n, frames in enumerate(to_learn) if frames >= MIN_FRAMES]
    long = [n for n in able if to_learn[n] >= SHORT]
    lenders = {n: _lender(n, long, shots, looks) for n in able if n not in long}
    trains = [n for n in able if lenders.get(n) is None]
    short = [n for n in range(len(shots)) if n not in able]
    lenders |= {n: _lender(n, trains, shots, looks) for n in short}
    plans: list[ShotPlan] = []
    for n, shot in enumerate(shots):
        lender = lenders.get(n)
        if to_learn[n] < 2:
            reason = "nothing moves in it" if len(shot) > 1 else "a single frame"
            plans.append(_plan(shot, "interpolated", reason))
        elif lender is not None:
            alike = f"similarity {similarity(looks[n], looks[lender]):.2f}"
            reason = (
                f"{_frames(to_learn[n])} to learn from; {_name(lender, shots)} is alike ({alike})"
            )
            plans.append(_plan(shot, "borrowed", reason, model=lender))
        elif to_learn[n] < MIN_FRAMES:
            reason = f"{_frames(to_learn[n])} to learn from, and no longer shot is alike"
            plans.append(_plan(shot, "interpolated", reason))
        else:
            plans.append(_trained(n, plans, shots, looks, to_learn[n]))
    return plans


def _trained(
    n: int, before: Sequence[ShotPlan], shots: Sequence[Shot], looks: Sequence[Look], frames: int
) -> ShotPlan:
    trained = [m for m, plan in enumerate(before) if plan.source == "trained"]
    start = max(trained, key=lambda m: similarity(looks[n], looks[m]), default=None)
    reason = f"{_frames(frames)} to learn from"
    if start is not None:
        reason += f"; starts from the network of {_name(start, shots)}"
    return _plan(shots[n], "trained", reason, model=n, start_from=start)


def _plan(
    shot: Shot,
    source: ShotSource,
    reason: str,
    *,
    model: int | None = None,
    start_from: int | None = None,
) -> ShotPlan:
    return ShotPlan(shot=shot, source=source, model=model, start_from=start_from, reason=reason)


def _lender(
    n: int, long: Sequence[int], shots: Sequence[Shot], looks: Sequence[Look]
) -> int | None:
    """The longest of the shots that train and are similar."""
    alike = [m for m in long if similarity(looks[n], looks[m]) >= SIMILAR]
    return max(alike, key=lambda m: len(shots[m]), default=None)


def _name(n: int, shots: Sequence[Shot]) -> str:
    return f"shot {n + 1} (frames {shots[n].start} to {shots[n].stop - 1})"


def _frames(count: int) -> str:
    return f"{count} frame{'s' * (count != 1)}"
