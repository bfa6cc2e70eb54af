"""Which frames show what the frame before showed, and why: held pictures, or a resting scene.

A held picture (animation on twos, 3:2 pulldown, 24 pictures in 30 frames) hides a lower frame rate:
each picture stands for all the time until the next one, and between them something moved. A scene
that rests shows equal frames because nothing moves. The pattern tells them apart: held pictures
come at a constant rate, with motion from each to the next.
"""

import functools
import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tsr.pipeline.changes import Changes, Frame, Values, measure

ROUNDING = 0.5
"""Mean square change in 8-bit steps² that rounding alone can make: 1/12 in each of two frames, and
a reserve for the largest of many blocks."""

LONGEST_HOLD = 6
"""Frames that a picture is held at most (fours at 24 frames/s, or 12 pictures a second at 60);
longer, the scene rests, unless a cadence goes on."""

LONGEST_CADENCE = 16
"""Frames that each picture of a cadence is held at most: slow motion that was made by repeating
frames eight times, also of a video that was on twos."""

CADENCES = sorted(
    {Fraction(p, q) for q in range(1, 6) for p in range(q + 1, LONGEST_HOLD * q + 1)}
    | {Fraction(p, q) for q in (1, 2) for p in range(LONGEST_HOLD * q + 1, LONGEST_CADENCE * q + 1)}
    | {Fraction(25, 24)}
)
"""Frames per picture that are looked for: up to six, in patterns of at most five pictures (3:2
pulldown is 5/2, 24 pictures in 30 frames are 5/4); up to sixteen, in whole and half frames; and 24
pictures in 25 frames."""

KEYFRAME = 100.0
"""Mean square change in 8-bit steps² that an encoder's new start makes of a resting scene at most.
It comes every 12 or 15 frames, with no change between, like a slow cadence; up to 33 were measured
with x264, MPEG-2 and MPEG-4 at low rates."""

Kind = Literal["none", "rest", "cadence", "irregular"]


@dataclass(frozen=True, kw_only=True)
class Duplicates:
    """What a shot's frames really show.

    Args:
        repeats: frames that show what the one before shows.
        kind: `cadence`: pictures held at a constant rate; `irregular`: held without a pattern;
            `rest`: repeats because nothing moves; `none`.
        pictures: the frame that each picture is taken from; all frames unless held. With
            `core.clip_io.picked`, what is to be interpolated, as `to_learn` is to be trained on.
        starts: when each picture begins, in frames; the first may have begun before frame 0.
        end: when the last picture ends.
        verdict: in words for the user.
    """

    repeats: tuple[int, ...]
    kind: Kind
    pictures: tuple[int, ...]
    starts: tuple[Fraction, ...]
    end: Fraction
    verdict: str

    @property
    def held(self) -> bool:
        """Whether pictures stand for more time than one frame."""
        return self.kind in ("cadence", "irregular")

    @property
    def to_learn(self) -> tuple[int, ...]:
        """The frames worth training on: pictures that are no repeats."""
        repeats = set(self.repeats)
        return tuple(n for n in self.pictures if n not in repeats)


def find_duplicates(frames: Iterable[Frame]) -> Duplicates:
    """Judge the frames of one shot; two are held at a time."""
    return judge(measure(frames))


def frames_as_they_are(total: int) -> Duplicates:
    """Every frame its own picture, whatever it shows."""
    return _in_place(total, (), range(total), "none", "every frame counts as a picture")


def judge(changes: Changes) -> Duplicates:
    """Decide from the changes alone what the frames show."""
    total = len(changes.largest)
    logs = np.log(np.maximum(changes.largest[1:], ROUNDING / 3))  # of frames 1, 2, …
    cadence = _cadence(logs)
    if cadence is not None:
        return _on_cadence(total, *cadence)
    level = max(_resting_level(logs, float(np.median(changes.noise))), ROUNDING)
    repeats = [n for n in range(1, total) if changes.largest[n] <= level]
    brief = [n for run in _runs(repeats) if len(run) < LONGEST_HOLD for n in run]
    moving = total - (len(repeats) - len(brief))
    new = np.delete(changes.largest, [0, *repeats])  # pictures, if they are held at all
    if len(brief) >= max(3, moving / 4) and len(new) and np.median(new) > KEYFRAME:
        return _irregular(total, repeats, set(brief))
    verdict = "no frame repeats the one before"
    if repeats:
        verdict = f"{len(repeats)} of {total} frames repeat the one before: nothing moves in them"
    return _in_place(total, repeats, range(total), "rest" if repeats else "none", verdict)


def _in_place(
    total: int, repeats: Iterable[int], pictures: Iterable[int], kind: Kind, verdict: str
) -> Duplicates:
    """Pictures that begin with their frame."""
    pictures = tuple(pictures)
    starts = tuple(Fraction(n) for n in pictures)
    return Duplicates(
        repeats=tuple(repeats), kind=kind, pictures=pictures, starts=starts,
        end=Fraction(total), verdict=verdict,
    )  # fmt: skip


def _irregular(total: int, repeats: list[int], brief: set[int]) -> Duplicates:
    """Brief holds belong to the picture before; where the scene rests, frames stay as they are."""
    pictures = [n for n in range(total) if n not in brief]
    verdict = (
        f"pictures are held for up to {LONGEST_HOLD} frames without a pattern "
        f"({len(brief)} of {total} frames repeat); each one's motion is spread over its time"
    )
    return _in_place(total, repeats, pictures, "irregular", verdict)


def _on_cadence(total: int, hold: Fraction, phase: int) -> Duplicates:
    """Picture k is shown from the first frame that does not lie before phase + k · hold."""
    first = -Fraction(phase, hold.denominator)
    count = math.floor((total - 1 - first) / hold) + 1
    starts = tuple(first + k * hold for k in range(count))
    pictures = tuple(max(0, math.ceil(start)) for start in starts)
    repeats = tuple(sorted(set(range(total)) - set(pictures)))
    pace = f"{hold.denominator} picture{'s' * (hold.denominator > 1)} in {hold.numerator} frames"
    names = {Fraction(2): "on twos", Fraction(3): "on threes", Fraction(5, 2): "as in 3:2 pulldown"}
    name = f", {names[hold]}" if hold in names else ""
    verdict = f"{pace}{name}: each one's motion is spread over its time"
    return Duplicates(
        repeats=repeats, kind="cadence", pictures=pictures, starts=starts,
        end=first + count * hold, verdict=verdict,
    )  # fmt: skip


def _cadence(logs: Values) -> tuple[Fraction, int] | None:
    """The constant rate of new pictures that explains the changes: (frames per picture, phase).

    A pattern divides the frames into new pictures and repeats. What it explains is the part of the
    variance of log changes that lies between the two (analysis of variance); the level of motion,
    the mean over one period, is taken off before. The pattern that explains most must explain half,
    and all but 5 % of its repeats must change ten times less than its pictures usually do. Pictures
    that are held for longer than `LONGEST_HOLD` must usually change more than a keyframe does.
    """
    best: tuple[float, Fraction, int] = (0.5, Fraction(1), 0)
    for hold in CADENCES:
        if len(logs) >= 3 * hold.numerator:
            explained = _explained(logs, hold)
            phase = int(np.argmax(explained))
            if explained[phase] > best[0] + 1e-9:
                best = (float(explained[phase]), hold, phase)
    _, hold, phase = best
    if hold == 1:
        return None
    new = _new_pictures(len(logs), hold, phase)
    usual = float(np.median(logs[new]))
    if hold > LONGEST_HOLD and usual < math.log(KEYFRAME):
        return None
    limit = usual - math.log(10)
    return None if np.mean(logs[~new] > limit) > 0.05 else (hold, phase)


def _new_pictures(count: int, hold: Fraction, phase: int) -> NDArray[np.bool_]:
    """(count,) for the frames 1, 2, …: whether the frame shows another picture than the last."""
    shown = (np.arange(count + 1) * hold.denominator + phase) // hold.numerator
    return np.asarray(np.diff(shown) > 0)


def _explained(logs: Values, hold: Fraction) -> Values:
    """For each phase of a cadence, the share of the variance that lies between pictures and
    repeats; 0 if repeats change more. (period,)"""
    period = hold.numerator
    levelled = logs - _moving_mean(logs, period)
    place = np.arange(len(logs)) % period  # what the pattern says depends on this alone
    sums, counts = np.bincount(place, levelled, period), np.bincount(place, minlength=period)
    new = _patterns(hold)
    pictures, repeats = new @ counts, ~new @ counts
    step = new @ sums / pictures - ~new @ sums / repeats
    total = float(np.sum((levelled - levelled.mean()) ** 2))
    between = pictures * repeats / len(logs) * np.maximum(step, 0) ** 2
    return np.asarray(between / max(total, 1e-9))


@functools.cache
def _patterns(hold: Fraction) -> NDArray[np.bool_]:
    """(phase, place in the period): whether the frame shows a new picture."""
    phases = range(hold.numerator)
    return np.stack([_new_pictures(hold.numerator, hold, phase) for phase in phases])


def _moving_mean(values: Values, width: int) -> Values:
    """The mean of the `width` values around each, of the nearest such window at the ends."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    means = (sums[width:] - sums[:-width]) / width
    return np.asarray(means[np.clip(np.arange(len(values)) - width // 2, 0, len(means) - 1)])


def _resting_level(logs: Values, noise: float) -> float:
    """The change in 8-bit steps² up to which a frame repeats the last; 0 when none stand out.

    The log changes are divided in two by Otsu's criterion (1979), which asks for the groups' means
    to lie far apart. Frames repeat if the means are a factor of 30 apart, next to nothing lies
    around that limit, and the lower group is what the clip's noise makes: twice its variance per
    change, and twice as much in the largest of many blocks.
    """
    values = np.sort(logs)
    count = np.arange(1, len(values))
    if not len(count):
        return 0.0
    below = np.cumsum(values)[:-1] / count
    above = (values.sum() - below * count) / (len(values) - count)
    at = int(np.argmax(count * (len(values) - count) * (above - below) ** 2))
    limit = above[at] - math.log(30)
    around = np.sum(np.abs(values - limit) < math.log(3))
    few = max(2, 0.1 * min(at + 1, len(values) - at - 1))
    possible = math.log(max(2 * 2 * noise, ROUNDING))
    if below[at] > limit or around > few or np.median(values[: at + 1]) > possible:
        return 0.0
    return math.exp(limit)


def _runs(numbers: list[int]) -> Iterator[list[int]]:
    """Consecutive numbers together."""
    for _, group in itertools.groupby(enumerate(numbers), lambda item: item[1] - item[0]):
        yield [number for _, number in group]
