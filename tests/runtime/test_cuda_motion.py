"""Frames moved on a device: as host C++ everywhere, and on a GPU."""

from typing import Any

import clips
import numpy as np
import pytest

from tsr.core import motion
from tsr.core.metrics import psnr
from tsr.core.volume import Volume
from tsr.runtime.cuda_backend import CudaBackend
from tsr.runtime.cuda_motion import MovedFrames

FRAMES = 6


class NoNetwork:
    name, any_shape = "none", True


def video(height: int, width: int) -> Volume:
    """Spokes that turn, with a little noise that makes every patch one of a kind."""
    wheel = clips.rotating_spokes(FRAMES, height, width, turn=0.04)
    noise = np.random.default_rng(0).random(wheel.shape, np.float32)
    return (0.7 * wheel + 0.2 * noise + 0.05).astype(np.float32)


def moved(
    device: Any,
    given: Volume,
    span: tuple[int, int],
    groups: tuple[int, int],
    exposure: float,
    *,
    halved: bool = False,
) -> Volume:
    backend = CudaBackend(device, NoNetwork())  # type: ignore[arg-type]
    part = backend.load(np.ascontiguousarray(given[:, span[0] : span[1]]))
    frames = MovedFrames(backend.kernels)
    return backend.store(frames.moved(part, span, groups, FRAMES, exposure, halved=halved)).copy()


@pytest.mark.parametrize("size", [(40, 56), (37, 61), (17, 33), (8, 9), (6, 40)])
@pytest.mark.parametrize("exposure", [1.0, 0.6, 0.0])
@pytest.mark.parametrize("halved", [False, True])
def test_they_are_those_of_core(
    device: Any, size: tuple[int, int], exposure: float, halved: bool
) -> None:
    given = video(*size)
    expected = motion.doubled(given, exposure, halved=halved)
    found = moved(device, given, (0, FRAMES), (0, FRAMES), exposure, halved=halved)
    assert found.shape == expected.shape
    assert np.abs(found - expected).mean() < 1e-4
    assert psnr(found, expected) > 60


@pytest.mark.parametrize(("span", "groups"), [((0, 5), (0, 3)), ((0, 6), (2, 4)), ((2, 6), (4, 6))])
def test_a_part_has_the_bits_of_the_whole(
    device: Any, span: tuple[int, int], groups: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many are worked on at once."""
    from tsr.runtime import cuda_motion

    given = video(40, 56)
    whole = moved(device, given, (0, FRAMES), (0, FRAMES), 1.0, halved=True)
    monkeypatch.setattr(cuda_motion, "GROUPS", 2)
    part = moved(device, given, span, groups, 1.0, halved=True)
    np.testing.assert_array_equal(part, whole[:, 2 * groups[0] : 2 * groups[1]])
