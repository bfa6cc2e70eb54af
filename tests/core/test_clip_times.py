"""Frame times are exact: retiming, rounding by containers, time bases."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsr.core.clip_io.times import (
    MAX_TIME_BASE,
    Clock,
    FrameTimes,
    choose_time_base,
    decimated,
    retimed,
    stretch,
    times_from_ticks,
    to_ticks,
)
from tsr.core.errors import SettingsError

NTSC = Fraction(24000, 1001)

steps = st.lists(st.integers(1, 5000), min_size=1, max_size=20)
factors = st.sampled_from([2, 4, 8])


def variable_times(durations: list[int], *, start: int = 0, base: int = 1000) -> FrameTimes:
    """Times with the given durations in 1/`base` s."""
    bounds = [start]
    for duration in durations:
        bounds.append(bounds[-1] + duration)
    exact = [Fraction(bound, base) for bound in bounds]
    return FrameTimes(tuple(exact[:-1]), exact[-1])


def test_constant_rate_stays_exact() -> None:
    """24000/1001 fps times 8 is 192000/1001 fps, in each time and as a whole."""
    fast = retimed(FrameTimes.constant(NTSC, 5), 8)
    assert fast == FrameTimes.constant(NTSC * 8, 40)
    assert fast.fps == Fraction(192000, 1001)
    assert fast.is_constant


@given(steps, factors)
def test_new_frames_lie_between_the_real_ones(durations: list[int], factor: int) -> None:
    """Output frame f·n is input frame n; the f - 1 after it divide its duration evenly."""
    times = variable_times(durations, start=7)
    fast = retimed(times, factor)
    assert fast.num_frames == factor * times.num_frames
    assert fast.starts[::factor] == times.starts
    assert fast.end == times.end
    for n, duration in enumerate(times.durations):
        assert set(fast.durations[factor * n : factor * (n + 1)]) == {duration / factor}


@given(steps, factors)
def test_slow_motion_keeps_the_frame_rate(durations: list[int], factor: int) -> None:
    """In slow motion each new frame shows as long as its input frame, from the same start on."""
    times = variable_times(durations, start=3)
    slow = retimed(times, factor, slow_motion=True)
    assert slow.starts[0] == times.starts[0]
    assert slow.durations == tuple(d for d in times.durations for _ in range(factor))


@given(steps, factors)
def test_decimating_undoes_retiming(durations: list[int], factor: int) -> None:
    """Every f-th of the retimed frames has the times of the original clip."""
    times = variable_times(durations)
    assert decimated(retimed(times, factor), factor) == times


def test_decimating_leaves_out_an_incomplete_group() -> None:
    """19 frames make two groups of 8, which end where the third would begin."""
    half = decimated(FrameTimes.constant(Fraction(30), 19), 8)
    assert half == FrameTimes.constant(Fraction(30, 8), 2)


def test_decimating_less_than_a_group_is_refused() -> None:
    """Three frames cannot make a group of eight."""
    with pytest.raises(SettingsError, match="3 frames are fewer"):
        decimated(FrameTimes.constant(Fraction(30), 3), 8)


def test_times_must_increase() -> None:
    """Two frames at one time are refused."""
    with pytest.raises(SettingsError, match="increase"):
        FrameTimes((Fraction(1), Fraction(1)), Fraction(2))


@pytest.mark.parametrize("fps", [NTSC, NTSC * 8, Fraction(25), Fraction(60000, 1001)])
def test_a_rate_hidden_by_milliseconds_is_restored(fps: Fraction) -> None:
    """Whole-millisecond stamps, and a rate off by the nanoseconds Matroska rounds to, are exact."""
    ticks = [round(1000 * n / fps) for n in range(500)]
    named = 1_000_000_000 / Fraction(round(1_000_000_000 / fps))
    times = times_from_ticks(ticks, Fraction(1, 1000), round(1000 / fps), [named])
    assert times == FrameTimes.constant(fps, 500)


def test_a_late_frame_is_not_smoothed_away() -> None:
    """A frame that is 5 ms late keeps its own time although the file claims a constant rate."""
    ticks = [0, 40, 85, 120]
    times = times_from_ticks(ticks, Fraction(1, 1000), 40, [Fraction(25)])
    assert times == variable_times([40, 45, 35, 40])


def test_a_long_last_frame_is_kept() -> None:
    """The last frame's own duration ends the clip, at a constant rate, too."""
    times = times_from_ticks([0, 40, 80], Fraction(1, 1000), 200, [Fraction(25)])
    assert (times.fps, times.end, times.is_constant) == (25, Fraction(280, 1000), True)


@given(steps, factors)
def test_time_bases_hit_every_time(durations: list[int], factor: int) -> None:
    """Variable times in milliseconds, eight times over, are whole ticks of the chosen base."""
    times = retimed(variable_times(durations), factor)
    base = choose_time_base(times)
    assert tuple(tick * base for tick in to_ticks(times, base)) == (*times.starts, times.end)
    assert base.denominator >= 10_000  # the MP4 muxer would change a smaller one


def test_impossible_time_bases_round_to_50_nanoseconds() -> None:
    """Denominators that no 31-bit base divides are off by at most half a tick of 100 ns."""
    primes = [10_007, 10_009, 10_037, 10_039]
    starts = tuple(n + Fraction(1, prime) for n, prime in enumerate(primes))
    times = FrameTimes(starts, Fraction(5))
    base = choose_time_base(times)
    errors = [abs(t * base - s) for t, s in zip(to_ticks(times, base), starts, strict=False)]
    assert max(errors) <= Fraction(1, 20_000_000)


def test_encoders_are_told_a_rate_that_fits() -> None:
    """A variable rate over 100 s at 90 kHz has a mean beyond 31 bits, which are FFmpeg's."""
    starts = tuple(Fraction(3000 * n + 7 * n % 11, 90_000) for n in range(3001))
    times = retimed(FrameTimes(starts, Fraction(9_003_001, 90_000)), 8)
    assert times.fps.numerator > MAX_TIME_BASE
    fps = Clock.of(times).fps
    assert max(fps.numerator, fps.denominator) <= MAX_TIME_BASE
    assert float(fps) == pytest.approx(float(times.fps), rel=1e-9)
    for rate in (8 * NTSC, Fraction(MAX_TIME_BASE), 1 / Fraction(MAX_TIME_BASE)):
        assert Clock.of(FrameTimes.constant(rate, 9)).fps == rate
    assert Clock.of(FrameTimes.constant(Fraction(8 * MAX_TIME_BASE), 9)).fps == MAX_TIME_BASE


@given(durations=steps, factor=factors)
def test_time_is_stretched_by_slow_motion_alone(durations: list[int], factor: int) -> None:
    """Neither by more frames nor by fewer, however long one of them is held."""
    times = variable_times([*durations, 90_000, 40])
    assert stretch(times, retimed(times, factor)).is_none
    assert not stretch(times, retimed(times, factor, slow_motion=True)).is_none
    if times.num_frames >= factor:
        assert stretch(times, decimated(times, factor)).is_none


def test_a_part_in_slow_motion_stretches_time() -> None:
    """Also if that is less than the longest frame is held."""
    times = variable_times([40, 40, 2000, 40])
    made = variable_times([40, 40, 40, 40, 40, 2000, 40])
    assert not stretch(times, made).is_none


@given(durations=steps, factor=factors, start=st.integers(0, 5000))
def test_every_frame_moves_where_slow_motion_shows_it(
    durations: list[int], factor: int, start: int
) -> None:
    """From a late start on; before it and behind the end time runs as it did."""
    times = variable_times(durations, start=start)
    made = retimed(times, factor, slow_motion=True)
    moved = stretch(times, made).moved
    assert tuple(map(moved, times.starts)) == made.starts[::factor]
    assert moved(times.end) == made.end
    assert moved(times.end + 1) == made.end + 1
    assert moved(times.starts[0] - 1) == times.starts[0] - 1
