"""Cuts are found to the frame, and nothing else is taken for one."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import clips
import numpy as np
import pytest
from numpy.typing import NDArray

from tsr.core.clip_io import probe
from tsr.evaluation.scenes import Profile, SpokedDisc, render_volume
from tsr.evaluation.shapes import grid, layered_noise
from tsr.pipeline.shots import Shot, find_cuts, find_shots

Volume = NDArray[np.float32]
HEIGHT, WIDTH = 72, 96


def texture(frames: int, seed: int, *, speed: float = 0.01, tint: float = 1.0) -> Volume:
    """A camera that pans over a textured wall by `speed` frame heights a frame."""
    y, x = grid(HEIGHT, WIDTH)
    shade = np.stack(
        [layered_noise(y * 6, (x + n * speed) * 6, seed=seed) for n in range(frames)]
    )  # (T, H, W)
    colour = np.array([1.0, tint, 1 / (1 + seed)], np.float32)[:, None, None, None]
    return np.ascontiguousarray(shade[None] * colour, np.float32)


def wheel(frames: int, *, radius: float = 0.25) -> Volume:
    """A fast wheel whose motion aliases."""
    disc = SpokedDisc(speed=Profile.constant(0.4), radius=radius)
    return render_volume(disc, frames, HEIGHT, WIDTH)


def cuts_of(*shots: Volume) -> list[int]:
    """What is found in the shots joined."""
    video = np.concatenate(shots, axis=1)
    return find_cuts(video[:, n] for n in range(video.shape[1]))


def joints(lengths: Sequence[int]) -> list[int]:
    """Where shots of these lengths are joined."""
    return [int(n) for n in np.cumsum(lengths)[:-1]]


@pytest.mark.parametrize(
    "lengths",
    [(20, 20, 20), (1, 20), (20, 1), (2, 20), (20, 2), (12, 2, 12), (12, 3, 12), (7, 6, 5, 9)],
)
def test_cuts_are_found_to_the_frame(lengths: Sequence[int]) -> None:
    """Also one frame from either end, and around a shot of two frames."""
    shots = [
        wheel(n) if i % 2 and n > 2 else texture(n, seed=3 * i, tint=0.3 + 0.3 * i)
        for i, n in enumerate(lengths)
    ]
    assert cuts_of(*shots) == joints(lengths)


def test_shots_cover_the_file(tmp_path: Path) -> None:
    """A compressed file, odd in size: the ranges are the parts that it was joined from."""
    video = np.concatenate([texture(11, 1), wheel(9), texture(8, 5, tint=0.4)], axis=1)
    path = clips.write_video(tmp_path / "cut.mp4", video, options={"crf": "23"})
    assert find_shots(path, probe(path)) == [Shot(0, 11), Shot(11, 20), Shot(20, 28)]


@pytest.mark.parametrize("frames", [1, 2, 3, 30])
def test_one_shot_has_no_cut(frames: int) -> None:
    """Fast, aliased rotation of a wheel that fills the frame."""
    assert cuts_of(wheel(frames, radius=0.42)) == []


def whip_pan() -> Volume:
    """Rest, then the frame's whole height per frame, then rest."""
    way = np.concatenate(
        [np.zeros(10), np.cumsum([0.1, 0.5, 1, 1, 1, 1, 0.5, 0.1]), np.full(10, 5.2)]
    )
    y, x = grid(HEIGHT, WIDTH)
    shade = np.stack([layered_noise(y * 4, (x + w) * 4, seed=2) for w in way])
    return np.repeat(shade[None], 3, axis=0)


def fade() -> Volume:
    """To black and up again to another picture, over ten frames each."""
    down = np.linspace(1, 0, 10, dtype=np.float32)[:, None, None]
    return np.concatenate([texture(10, 1) * down, wheel(10) * down[::-1]], axis=1)


def dissolve() -> Volume:
    """One picture becomes another over twelve frames."""
    share = np.clip(np.linspace(-0.5, 1.5, 24, dtype=np.float32), 0, 1)[:, None, None]
    return texture(24, 1) * (1 - share) + wheel(24) * share


def flash(length: int) -> Callable[[], Volume]:
    """Light for a few frames in a moving scene."""

    def made() -> Volume:
        video = texture(24, 1)
        video[:, 12 : 12 + length] = np.clip(video[:, 12 : 12 + length] + 0.6, 0, 1)
        return video

    return made


def strobe() -> Volume:
    """Every second frame is nearly black."""
    video = texture(24, 1)
    video[:, ::2] *= 0.1
    return video


def threes() -> Volume:
    """An animation that moves far from picture to picture, each shown three times."""
    return np.repeat(texture(10, 1, speed=0.5), 3, axis=1)


@pytest.mark.parametrize(
    "scene",
    [whip_pan, fade, dissolve, flash(1), flash(2), strobe, threes],
    ids=lambda f: f.__name__,
)
def test_what_is_no_cut(scene: Callable[[], Volume]) -> None:
    """Light, camera moves, gradual changes and held pictures."""
    assert cuts_of(scene()) == []


def held(scene: Volume, hold: Fraction) -> Volume:
    """A scene whose pictures are each shown for `hold` frames, as pulldown does it."""
    frames = int(scene.shape[1] * hold)
    return scene[:, [int(n / hold) for n in range(frames)]]


HOLDS = [Fraction(2), Fraction(5, 2), Fraction(3), Fraction(5), Fraction(15, 2), Fraction(8),
         Fraction(12), Fraction(16)]  # fmt: skip


@pytest.mark.parametrize("hold", HOLDS, ids=str)
def test_held_pictures_are_one_shot(hold: Fraction) -> None:
    """Fast pans and a wheel that fills the frame, from their first frame or from somewhere inside
    the first picture up to inside the last."""
    for scene in (texture(9, 1, speed=0.05), texture(9, 1, speed=0.3), wheel(9, radius=0.42)):
        frames = held(scene, hold)
        assert cuts_of(frames) == []
        assert cuts_of(frames[:, int(hold / 2) : -int(hold / 2)]) == []


@pytest.mark.parametrize("hold", [3, 8, 12])
def test_a_cut_between_held_scenes_is_found(hold: int) -> None:
    """From one to the other on the same beat, and on another phase of it."""
    pan = held(texture(8, 1, speed=0.05), Fraction(hold))
    other = held(texture(8, 5, speed=0.05, tint=0.3), Fraction(hold))
    assert cuts_of(pan, other) == [pan.shape[1]]
    assert cuts_of(pan[:, :-2], other[:, 1:]) == [pan.shape[1] - 2]


@pytest.mark.parametrize("hold", [8, 12, 16, 25])
def test_a_slide_show_is_cut_at_each_picture(hold: int) -> None:
    """On a beat, as slide shows are: six pictures, each in its own colours."""
    tints = (1.0, 0.3, 0.6, 0.1, 0.8, 0.4)
    slides = [held(texture(1, 3 * n, tint=t), Fraction(hold)) for n, t in enumerate(tints)]
    assert cuts_of(*slides) == [hold * n for n in range(1, 6)]


def test_pictures_held_without_a_beat_are_cut() -> None:
    """Long rests between large changes."""
    holds = [9, 14, 7, 12, 20, 10]
    pan = texture(len(holds), 1, speed=0.3)
    rests = [held(pan[:, n : n + 1], Fraction(hold)) for n, hold in enumerate(holds)]
    assert cuts_of(*rests) == joints(holds)


def test_a_cut_between_resting_pictures_is_found() -> None:
    """Nothing else ever changes."""
    still = [
        np.repeat(texture(1, seed, tint=tint), 10, axis=1) for seed, tint in ((1, 1), (4, 0.3))
    ]
    assert cuts_of(*still, still[0]) == [10, 20]


def test_an_inserted_picture_is_no_flash() -> None:
    """Two frames of another scene between frames of one."""
    video = texture(24, 1)
    video[:, 12:14] = wheel(2)
    assert cuts_of(video) == [12, 14]


def test_a_cut_in_fast_motion_is_found() -> None:
    """From one fast wheel to another scene that moves as fast."""
    assert cuts_of(wheel(12), texture(12, 2, speed=0.2, tint=0.2)) == [12]
