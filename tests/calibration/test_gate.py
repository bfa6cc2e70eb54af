"""What the gate counts against a narrow network, and what it does not."""

from fractions import Fraction
from pathlib import Path

import clips
import numpy as np
import pytest

from tsr.calibration.gate import Gate
from tsr.core.clip_io import ClipReader, clip_info
from tsr.core.ladder import ScaleLadder
from tsr.core.metrics import psnr
from tsr.core.volume import Volume
from tsr.runtime.cascade import FramePyramid, run_segment
from tsr.runtime.cpu_backend import CpuBackend
from tsr.runtime.plan import plan_segment
from tsr.runtime.recording import Network, interpolation

LADDER = ScaleLadder(Fraction(1, 2), 4, finest=Fraction(1, 2), interpolation="motion")


def rounding(size: float) -> Network:
    """A network that adds nothing but errors of its own."""

    def network(window: Volume) -> Volume:
        made = interpolation(window)
        errors = np.random.default_rng(made.shape[1]).standard_normal(made.shape)
        return made + np.float32(size) * errors.astype(np.float32)

    return network


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stripes that move half their distance per frame: a rounding step decides which way."""
    rows = np.sin(np.arange(96)[None, :] * (np.pi / 4) + np.pi * np.arange(8)[:, None])
    frames = np.broadcast_to(0.5 + 0.3 * rows[:, None, :], (8, 64, 96)).astype(np.float32)
    frames = frames + 0.002 * np.random.default_rng(0).standard_normal(frames.shape)
    volume = np.repeat(frames[None].astype(np.float32), 3, axis=0)
    path = tmp_path_factory.mktemp("gate") / "stripes.mkv"
    return clips.write_video(path, volume, codec="ffv1", pixel_format="bgr0")


def free(network: Network, clip: Path) -> Volume:
    """The frames of the middle with motion found in what the network itself has made."""
    info, backend = clip_info(clip), CpuBackend(network)
    plan = plan_segment(LADDER, (3, 4), info.num_frames)
    with ClipReader(clip, info) as reader:
        pyramid = FramePyramid(iter(reader), LADDER, backend)
        (group,) = run_segment(plan, pyramid, backend, info.num_frames)
    return group.copy()


def test_another_motion_is_not_counted(clip: Path) -> None:
    """Errors of 0.0001 are 80 dB, though they turn the motion of stripes."""
    assert psnr(free(rounding(1e-4), clip), free(interpolation, clip)) < 50
    assert Gate(interpolation, clip, LADDER).psnr(rounding(1e-4)) > 75


def test_errors_are_counted(clip: Path) -> None:
    assert 30 < Gate(interpolation, clip, LADDER).psnr(rounding(1e-2)) < 45
