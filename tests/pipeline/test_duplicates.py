"""Held pictures, resting scenes and real motion are told apart, and time stays true."""

import functools
import math
from fractions import Fraction
from pathlib import Path
from typing import Literal

import clips
import numpy as np
import pytest
from numpy.typing import NDArray

from tsr.core.clip_io import read_volume
from tsr.evaluation.scenes import Grating, Profile, SpokedDisc
from tsr.evaluation.shapes import grid, layered_noise
from tsr.pipeline.changes import measure
from tsr.pipeline.duplicates import (
    CADENCES,
    Duplicates,
    find_duplicates,
    judge,
)
from tsr.pipeline.held_time import ladder_factor, on_clip_time, pictures_within

Volume = NDArray[np.float32]
Wear = Literal["none", "noise", "h264"]
HEIGHT, WIDTH = 64, 96
WHEEL = SpokedDisc(speed=Profile.constant(0.13))
GRATING = Grating(period=24, speed=Profile.constant(1.0))


@functools.cache
def picture(time: float, disc: SpokedDisc) -> Volume:
    return disc.frame(time, HEIGHT, WIDTH)


def scene(times: list[float], disc: SpokedDisc = WHEEL) -> Volume:
    """The wheel at any instants: (3, T, H, W)."""
    return np.stack([picture(time, disc) for time in times], axis=1)


def shown(num_frames: int, hold: Fraction, phase: int = 0) -> list[int]:
    """Which picture each frame shows, by the definition of pulldown: the latest there is."""
    first = Fraction(-phase, hold.denominator)
    return [math.floor((n - first) / hold) for n in range(num_frames)]


def worn(video: Volume, wear: Wear, tmp_path: Path) -> Volume:
    """As a camera or an encoder leaves it."""
    if wear == "noise":
        noise = np.random.default_rng(0).normal(0, 2 / 255, video.shape)
        return np.clip(video + noise, 0, 1).astype(np.float32)
    if wear == "h264":
        path = clips.write_video(tmp_path / "worn.mp4", video, options={"crf": "23"})
        return read_volume(path)[0]
    return video


def found(video: Volume) -> Duplicates:
    return find_duplicates(video[:, n] for n in range(video.shape[1]))


HOLDS = [Fraction(2), Fraction(3), Fraction(4), Fraction(5, 2), Fraction(5, 4), Fraction(6, 5)]


@pytest.mark.parametrize("wear", ["none", "noise", "h264"])
@pytest.mark.parametrize("hold", HOLDS, ids=str)
def test_held_pictures_are_found(hold: Fraction, wear: Wear, tmp_path: Path) -> None:
    """Twos, threes, fours, 3:2 pulldown, 24 in 30 and 25 in 30, clean, noisy and compressed."""
    pictures = shown(48, hold, phase=1)
    dup = found(worn(scene([float(k * hold) for k in pictures]), wear, tmp_path))
    assert dup.kind == "cadence"
    assert dup.starts == tuple(
        -Fraction(1, hold.denominator) + k * hold for k in range(pictures[-1] + 1)
    )
    assert [pictures[n] for n in dup.pictures] == list(range(pictures[-1] + 1))
    assert set(dup.repeats) == {n for n in range(1, 48) if pictures[n] == pictures[n - 1]}
    plural = "s" if hold.denominator > 1 else ""
    assert f"{hold.denominator} picture{plural} in {hold.numerator} frames" in dup.verdict


@pytest.mark.parametrize("hold", CADENCES, ids=str)
def test_every_cadence_is_found_at_any_phase(hold: Fraction) -> None:
    """From changes alone: log-normal motion over a factor of ten, repeats of another size."""
    rng = np.random.default_rng(1)
    for phase in (0, hold.numerator // 2, hold.numerator - 1):
        pictures = np.array(shown(100, hold, phase))
        new = np.diff(pictures, prepend=-1) > 0
        size = np.where(new, 500 * np.exp(rng.normal(0, 0.6, 100)), np.exp(rng.normal(0, 0.5, 100)))
        changes = measure(np.zeros((100, 3, 16, 16), np.float32))
        changes.largest[1:] = size[1:]
        dup = judge(changes)
        assert dup.kind == "cadence", (phase, dup.verdict)
        assert dup.starts[:2] == (
            Fraction(-phase, hold.denominator),
            hold - Fraction(phase, hold.denominator),
        )


@pytest.mark.parametrize("wear", ["none", "noise", "h264"])
@pytest.mark.parametrize("hold", [Fraction(15, 2), Fraction(8), Fraction(12)], ids=str)
def test_pictures_of_slow_motion_by_repeating_are_found(
    hold: Fraction, wear: Wear, tmp_path: Path
) -> None:
    """Every frame many times over: as many pictures as there are, each thinned out to one."""
    pictures = shown(72, hold, phase=2)
    dup = found(worn(scene([float(k) for k in pictures]), wear, tmp_path))
    assert dup.kind == "cadence"
    assert [pictures[n] for n in dup.pictures] == list(range(pictures[-1] + 1))
    assert dup.to_learn == dup.pictures
    assert ladder_factor(dup, 2) == 8


@pytest.mark.parametrize("crf", [23, 32])
def test_an_encoders_keyframes_are_no_pictures(crf: int, tmp_path: Path) -> None:
    """A resting scene that looks new twice a second because the encoder begins anew: every 12
    frames, and nothing changes between."""
    y, x = grid(128, 192)
    still = np.broadcast_to(layered_noise(y * 6, x * 6, seed=1), (3, 72, 128, 192))
    path = clips.write_video(tmp_path / "rest.mp4", still, options={"crf": str(crf)}, gop=12)
    dup = found(read_volume(path)[0])
    assert not dup.held, dup.verdict
    assert dup.pictures == tuple(range(72))


MOTIONS = {
    "even": WHEEL,
    "slow": SpokedDisc(speed=Profile.constant(0.004)),
    "fast": SpokedDisc(speed=Profile.constant(0.45)),
    "starting": SpokedDisc(speed=Profile((0, 48), (0.0, 0.3))),
    "to and fro": SpokedDisc(
        speed=Profile(tuple(range(0, 49, 4)), tuple(0.2 * (-1) ** i for i in range(13)))
    ),
}


@pytest.mark.parametrize("wear", ["none", "noise", "h264"])
@pytest.mark.parametrize("motion", MOTIONS)
def test_motion_is_not_held(motion: str, wear: Wear, tmp_path: Path) -> None:
    """However it changes, all its frames are pictures with their own time."""
    video = worn(scene([float(n) for n in range(48)], MOTIONS[motion]), wear, tmp_path)
    dup = found(video)
    assert dup.kind in ("none", "rest")
    assert len(dup.repeats) <= 2
    assert dup.pictures == tuple(range(48))


@pytest.mark.parametrize("wear", ["none", "noise", "h264"])
def test_a_resting_scene_is_not_held(wear: Wear, tmp_path: Path) -> None:
    """Motion, a pause of twenty frames, motion: the pause is not worth training on, and no frame
    moves in time."""
    times = [float(n) for n in (*range(16), *[15] * 20, *range(16, 32))]
    dup = found(worn(scene(times), wear, tmp_path))
    assert dup.kind == "rest"
    assert dup.repeats == tuple(range(16, 36))
    assert dup.to_learn == (*range(16), *range(36, 52))
    assert not dup.held


def test_a_flash_makes_nothing_else_a_repeat() -> None:
    """Its large change does not turn the motion around it into stillness."""
    video = scene([float(n) for n in range(32)], MOTIONS["slow"])
    video[:, [10, 20]] = np.clip(video[:, [10, 20]] + 0.7, 0, 1)
    assert found(video).repeats == ()


def test_one_picture_and_a_still_clip() -> None:
    """The smallest inputs: nothing to compare, nothing that moves."""
    assert found(scene([0.0])).kind == "none"
    assert found(scene([0.0] * 5)).kind == "rest"
    dup = found(scene([0.0] * 12))
    assert dup.kind == "rest"
    assert dup.to_learn == (0,)


def test_holds_without_a_pattern_keep_their_own_times() -> None:
    """Drawings held for one to four frames."""
    holds = [2, 3, 1, 4, 2, 2, 3, 4, 1, 3, 2, 4, 3, 1, 2, 3]
    times = [float(2 * k) for k, hold in enumerate(holds) for _ in range(hold)]
    dup = found(scene(times))
    assert dup.kind == "irregular"
    assert dup.starts == tuple(np.cumsum([0, *holds[:-1]]))
    assert dup.end == sum(holds)


# Time


@functools.cache
def held_clip(hold: Fraction, num_frames: int, phase: int = 0) -> Duplicates:
    """What is found in a held clip of that length."""
    dup = found(scene([float(k * hold) for k in shown(num_frames, hold, phase)]))
    assert dup.kind == "cadence"
    return dup


@pytest.mark.parametrize("factor", [2, 4, 8])
@pytest.mark.parametrize("hold", HOLDS, ids=str)
def test_output_frames_show_their_own_time(hold: Fraction, factor: int) -> None:
    """With a network that is always right: N in, factor·N out, and the phase of a moving grating in
    each is that of the instant at which it is shown, to half of what the ladder resolves."""
    num_frames = 30
    dup = held_clip(hold, num_frames, phase=1)
    made_factor = ladder_factor(dup, factor)
    middles = [
        float(start + hold * Fraction(2 * part + 1, 2 * made_factor))
        for start in dup.starts
        for part in range(made_factor)
    ]
    made = (GRATING.frame(middle, 2, 48) for middle in middles)
    out = np.stack(list(on_clip_time(made, dup, (0, num_frames), made_factor, factor)), axis=1)
    assert out.shape[1] == factor * num_frames
    truth = (np.arange(factor * num_frames) + 0.5) / factor
    at_truth = np.stack([GRATING.frame(time, 2, 48) for time in truth], axis=1)
    ratio = GRATING.amplitudes(out) / GRATING.amplitudes(at_truth)
    error = np.abs(np.angle(ratio)) / (2 * np.pi) * GRATING.period  # in frames
    assert error[truth < dup.end].max() <= float(hold) / made_factor / 2 + 1e-6


@pytest.mark.parametrize("hold", HOLDS, ids=str)
def test_a_pictures_span_averages_to_the_picture(hold: Fraction) -> None:
    """The re-blur invariant: exact wherever the span's ends fall between output frames."""
    factor, num_frames = 8, 60
    dup = held_clip(hold, num_frames)
    made_factor = ladder_factor(dup, factor)
    rng = np.random.default_rng(0)
    made = rng.random((len(dup.pictures) * made_factor, 3, 2, 2), np.float32)
    out = np.stack(list(on_clip_time(made, dup, (0, num_frames), made_factor, factor)))
    for k, (start, stop) in enumerate(zip(dup.starts, (*dup.starts[1:], dup.end), strict=True)):
        first, last = start * factor, stop * factor
        if first.denominator == last.denominator == 1 and last <= len(out):
            picture = made[k * made_factor : (k + 1) * made_factor].mean(axis=0)
            np.testing.assert_allclose(out[int(first) : int(last)].mean(axis=0), picture, atol=1e-6)


@pytest.mark.parametrize("hold", HOLDS, ids=str)
def test_any_part_of_the_time_is_that_of_the_whole(hold: Fraction) -> None:
    """From the pictures within it alone, as a render needs that is made in pieces."""
    num_frames, factor = 24, 4
    dup = held_clip(hold, num_frames, phase=1)
    made_factor = ladder_factor(dup, factor)
    made = np.random.default_rng(0).random((len(dup.pictures) * made_factor, 3, 2, 2), np.float32)
    whole = list(on_clip_time(made, dup, (0, num_frames), made_factor, factor))
    for first in range(0, num_frames, 5):
        part = (first, min(first + 5, num_frames))
        at, stop = (made_factor * n for n in pictures_within(dup, part))
        found = list(on_clip_time(made[at:stop], dup, part, made_factor, factor))
        np.testing.assert_array_equal(found, whole[factor * first : factor * part[1]])


def test_on_twos_the_ladder_makes_just_the_frames_that_are_shown() -> None:
    """×4 of a clip on twos is ×8 of its pictures, one by one."""
    dup = held_clip(Fraction(2), 24)
    assert ladder_factor(dup, 4) == 8
    made = np.random.default_rng(0).random((96, 3, 2, 2), np.float32)
    np.testing.assert_array_equal(list(on_clip_time(made, dup, (0, 24), 8, 4)), made)


def test_a_clip_that_is_not_held_keeps_its_factor() -> None:
    """And its frames pass as they are."""
    dup = found(scene([0.0, 1.0, 2.0]))
    assert ladder_factor(dup, 4) == 4
    made = np.random.default_rng(0).random((12, 3, 2, 2), np.float32)
    np.testing.assert_array_equal(list(on_clip_time(made, dup, (0, 3), 4, 4)), made)
