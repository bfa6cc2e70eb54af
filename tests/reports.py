"""Runs with known motion, as files: a truth that is rendered, its slow video, and a record."""

from pathlib import Path

import numpy as np
from clips import write_video
from numpy.typing import NDArray

from tsr.core.rect import rect_downsample
from tsr.core.volume import Volume
from tsr.evaluation.scenes import Grating, Profile, render_volume
from tsr.pipeline.record import RunRecord, ShotRecord

FACTOR = 8
PERIOD = 24.0
"""Pixels of the stripes."""


def stripes(speed: float, num_frames: int = 8, height: int = 96, width: int = 128) -> Volume:
    """The truth of stripes that move `speed` periods to the right per input frame."""
    scene = Grating(period=PERIOD, speed=Profile.constant(speed * PERIOD / FACTOR))
    return render_volume(scene, num_frames * FACTOR, height, width)


def eight_bits(volume: NDArray[np.float32]) -> Volume:
    """What an 8-bit RGB file holds of it."""
    return np.asarray(np.rint(volume * 255) / 255, np.float32)


def write_lossless(path: Path, volume: Volume) -> Path:
    """An RGB video that keeps 8 bits."""
    return write_video(path, volume, codec="ffv1", pixel_format="bgr0", options={})


def make_run(
    folder: Path,
    output: Volume,
    *,
    slow: Volume | None = None,
    shots: tuple[ShotRecord, ...] | None = None,
    input_name: str = "slow.mkv",
    exposure: float = 1.0,
) -> RunRecord:
    """Write both videos of a run; the input is the average of the output if not given."""
    slow = rect_downsample(output, FACTOR, exposure) if slow is None else slow
    one = ShotRecord(start=0, stop=slow.shape[1], source="trained", reason="long enough")
    return RunRecord(
        input=write_lossless(folder / input_name, slow),
        output=write_lossless(folder / "fast.mkv", output),
        factor=FACTOR,
        ladder="net→S×1/2 T×2",
        precision="int8",
        backend="onnxruntime-cpu",
        settings={"quality": "fast"},
        shots=shots or (one,),
        seconds={"train": 61.0, "render": 5.5},
        versions={"tsr": "0.1.0"},
        notes=("the sound was copied",),
        exposure=exposure,
    )
