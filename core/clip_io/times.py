"""When each frame is shown, as exact fractions of a second."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import Protocol, TypeVar

from tsr.core.errors import SettingsError

MAX_TIME_BASE = 2**31 - 1
"""Largest ticks per second that MP4 can store."""
FALLBACK_TIME_BASE = 10_000_000
"""Ticks per second when no storable time base hits every time: off by at most 50 ns."""

Tick = TypeVar("Tick", int, Fraction)
"""Timestamps: whole in files, fractions of what they count where frames share one."""


class Ratio(Protocol):
    """A fraction of PyAV's: Python's own class, or since PyAV 19 one that it brings."""

    @property
    def numerator(self) -> int: ...
    @property
    def denominator(self) -> int: ...


def exact(ratio: Ratio) -> Fraction:
    """A fraction of PyAV's, or a whole number, as Python's."""
    return Fraction(ratio.numerator, ratio.denominator)


@dataclass(frozen=True)
class Stretch:
    """How slow motion moves the moments of a clip: evenly from knot to knot; outside of them time
    runs as it did."""

    knots: tuple[tuple[Fraction, Fraction], ...] = ((Fraction(0), Fraction(0)),)
    """Seconds of the clip, and where they are in the output; both increasing."""

    @property
    def is_none(self) -> bool:
        """Whether every moment stays where it was."""
        return all(before == after for before, after in self.knots)

    def moved(self, moment: Fraction) -> Fraction:
        """Where a moment of the clip is in the output."""
        for (first, early), (last, late) in pairwise(self.knots):
            if first <= moment <= last:
                return early + (moment - first) * (late - early) / (last - first)
        before, after = self.knots[0 if moment < self.knots[0][0] else -1]
        return moment + after - before


@dataclass(frozen=True)
class FrameTimes:
    """Presentation times of consecutive frames."""

    starts: tuple[Fraction, ...]
    """Start of each frame in seconds, strictly increasing."""
    end: Fraction
    """End of the last frame in seconds."""
    stretch: Stretch = field(default=Stretch(), compare=False)
    """What slow motion did to the times of the clip that the frames were made from."""

    def __post_init__(self) -> None:
        if not self.starts:
            raise SettingsError("frame times need at least one frame")
        if any(later <= earlier for earlier, later in pairwise((*self.starts, self.end))):
            raise SettingsError("frame times must increase from frame to frame")

    @classmethod
    def constant(
        cls, fps: Fraction, num_frames: int, start: Fraction = Fraction(0)
    ) -> "FrameTimes":
        """`num_frames` frames at `fps`, the first at `start`."""
        starts = tuple(start + n / fps for n in range(num_frames))
        return cls(starts, start + num_frames / fps)

    @property
    def num_frames(self) -> int:
        return len(self.starts)

    @property
    def span(self) -> Fraction:
        """Seconds from the first frame's start to the last frame's end."""
        return self.end - self.starts[0]

    def part(self, first: int, last: int) -> "FrameTimes":
        """The times of frames [first, last) alone."""
        end = self.starts[last] if last < self.num_frames else self.end
        return FrameTimes(self.starts[first:last], end)

    @cached_property
    def durations(self) -> tuple[Fraction, ...]:
        """Seconds that each frame is shown."""
        return tuple(later - earlier for earlier, later in pairwise((*self.starts, self.end)))

    @cached_property
    def is_constant(self) -> bool:
        """Whether all frames start at one rate; the last one may be shown longer or shorter."""
        return len(set(self.durations[:-1])) <= 1

    @property
    def fps(self) -> Fraction:
        """Exact frames per second; the mean rate when it varies."""
        return 1 / self.durations[0] if self.is_constant else self.num_frames / self.span

    def __repr__(self) -> str:
        kind = "constant" if self.is_constant else "variable"
        return f"FrameTimes({self.num_frames} frames, {self.fps} fps, {kind})"


class Timed(Protocol):
    """Anything that knows its frame times, such as a `ClipInfo`."""

    @property
    def times(self) -> FrameTimes: ...


def _times_of(source: FrameTimes | Timed) -> FrameTimes:
    return source if isinstance(source, FrameTimes) else source.times


def retimed(source: FrameTimes | Timed, factor: int, *, slow_motion: bool = False) -> FrameTimes:
    """Times of `factor` output frames for each input frame, evenly within its duration.

    Input frame n covers output frames [factor·n, factor·n + factor). With `slow_motion` the first
    frame stays where it is and all that follows is stretched `factor` times, so that the rate is
    the input's.

    Args:
        source: the input's `ClipInfo`, or its times.
    """
    times = _times_of(source)
    starts = tuple(
        start + duration * part / factor
        for start, duration in zip(times.starts, times.durations, strict=True)
        for part in range(factor)
    )
    if not slow_motion:
        return FrameTimes(starts, times.end)
    origin = times.starts[0]
    stretched = tuple(origin + (start - origin) * factor for start in starts)
    end = origin + times.span * factor
    return FrameTimes(stretched, end, Stretch(((origin, origin), (times.end, end))))


def stretch(source: FrameTimes | Timed, made: FrameTimes) -> Stretch:
    """How the times of `source` became those of `made`: evenly if these do not tell.

    Fewer frames are `decimated`: time is as it was, but for the frames at the end that are no
    whole group.
    """
    times = _times_of(source)
    if made.num_frames < times.num_frames or made.span == times.span:
        return Stretch()
    if not made.stretch.is_none:
        return made.stretch
    return Stretch(((times.starts[0], made.starts[0]), (times.end, made.end)))


def decimated(source: FrameTimes | Timed, factor: int) -> FrameTimes:
    """Times of one frame for each whole group of `factor` frames; a group shows for its span.

    Raises:
        SettingsError: fewer than `factor` frames.
    """
    times = _times_of(source)
    groups = times.num_frames // factor
    if groups == 0:
        raise SettingsError(f"{times.num_frames} frames are fewer than one group of {factor}")
    bounds = (*times.starts, times.end)
    return FrameTimes(bounds[0 : groups * factor : factor], bounds[groups * factor])


def times_from_ticks(
    ticks: Sequence[Tick],
    time_base: Fraction,
    last_duration: Tick | int,
    rates: Iterable[Fraction] = (),
) -> FrameTimes:
    """Times of stored timestamps; a constant rate hidden by their rounding is restored.

    Matroska stores whole milliseconds, so 24000/1001 fps reads as 0, 42, 83, 125, …. If a rate
    that the container names explains every timestamp within one tick, the times are that rate's.

    Args:
        ticks: presentation timestamps in order, in units of `time_base`; strictly increasing.
        time_base: seconds per tick.
        last_duration: ticks that the last frame is shown; 0 when unknown.
        rates: rates named by the container, most trusted first.
    """
    candidates = [candidate for rate in rates for candidate in _refined(rate)]
    if not last_duration:
        last_duration = ticks[-1] - ticks[-2] if len(ticks) > 1 else 0
    steps = {later - earlier for earlier, later in pairwise(ticks)}
    if len(steps) != 1 or steps == {1}:
        for rate in candidates:
            if _explains(rate, ticks, time_base):
                return _at_rate(rate, ticks, time_base, last_duration)
    starts = tuple(tick * time_base for tick in ticks)
    shown = last_duration * time_base or (1 / candidates[0] if candidates else Fraction(1, 25))
    return FrameTimes(starts, starts[-1] + shown)


def _refined(rate: Fraction) -> list[Fraction]:
    """Whole and NTSC (n·1000/1001) rates within rounding of `rate`, then `rate` itself."""
    close = [Fraction(round(rate)), Fraction(round(rate * 1001 / 1000) * 1000, 1001)]
    return [near for near in close if near and abs(near - rate) < rate / 100_000] + [rate]


def _explains(rate: Fraction, ticks: Sequence[Tick], time_base: Fraction) -> bool:
    """Whether every timestamp lies within one tick of a constant `rate`."""
    # In integers, since a long video has 10^5 frames: |tick - first - n·step| ≤ 1.
    step = 1 / (rate * time_base)
    numerator, denominator, first = step.numerator, step.denominator, ticks[0]
    return all(
        abs((tick - first) * denominator - n * numerator) <= denominator
        for n, tick in enumerate(ticks)
    )


def _at_rate(
    rate: Fraction,
    ticks: Sequence[Tick],
    time_base: Fraction,
    last_duration: Tick | int,
) -> FrameTimes:
    times = FrameTimes.constant(rate, len(ticks), ticks[0] * time_base)
    shown = last_duration * time_base
    if abs(shown - 1 / rate) <= time_base:
        return times
    return FrameTimes(times.starts, times.starts[-1] + shown)


def choose_time_base(times: FrameTimes) -> Fraction:
    """Seconds per tick such that every time is a whole number of ticks, where that can be stored.

    Otherwise `FALLBACK_TIME_BASE`. A duration must stay below 2^31 ticks, too.
    """
    ticks_per_second = 1
    for time in (*times.starts, times.end):
        ticks_per_second = _least_common_multiple(ticks_per_second, time.denominator)
        if ticks_per_second > MAX_TIME_BASE:
            return Fraction(1, FALLBACK_TIME_BASE)
    # The MP4 muxer doubles time bases below 10 000 until they are not; do it here, visibly.
    while ticks_per_second < 10_000:
        ticks_per_second *= 2
    if max(times.durations) * ticks_per_second > MAX_TIME_BASE:
        return Fraction(1, FALLBACK_TIME_BASE)
    return Fraction(1, ticks_per_second)


@dataclass(frozen=True)
class Clock:
    """What an encoder is told of time: the same for a whole video and for each piece of it."""

    time_base: Fraction
    """Seconds per tick."""
    fps: Fraction
    """Frames per second; the mean rate when it varies. Both its terms fit 31 bits."""
    is_constant: bool
    """Whether all frames start at one rate."""

    @classmethod
    def of(cls, times: FrameTimes) -> "Clock":
        """The clock that suits these times."""
        # FFmpeg's fractions have 31 bits, too few for a mean rate over many minutes of ticks.
        fps = min(times.fps, Fraction(MAX_TIME_BASE))
        fps = fps.limit_denominator(int(MAX_TIME_BASE / max(fps, Fraction(1))))
        return cls(choose_time_base(times), fps, times.is_constant)


def to_ticks(times: FrameTimes, time_base: Fraction) -> list[int]:
    """Nearest tick of each start and, last, of the end."""
    return [round(time / time_base) for time in (*times.starts, times.end)]


def _least_common_multiple(first: int, second: int) -> int:
    return Fraction(first, second).numerator * second
