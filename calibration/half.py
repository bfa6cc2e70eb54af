"""Does FP16 hold what this network computes on this video? (`tsr-export --fp16 --video VIDEO`)"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from tsr.calibration.collect import largest_sums
from tsr.calibration.gate import Judge
from tsr.calibration.session import GraphNetwork
from tsr.core.clip_io import ClipInfo, clip_info
from tsr.core.errors import ModelError
from tsr.core.ladder import ScaleLadder
from tsr.runtime.recording import record_windows

HALF_MAX = float(np.finfo(np.float16).max)
"""65504: beyond lies infinity."""

HEADROOM = 4.0
"""How many times the largest sum seen must fit, for the moments that were not looked at."""


@dataclass(frozen=True)
class HalfCheck:
    """The largest sum inside the network, its layer, and the PSNR in dB against FP32."""

    largest: float
    layer: int
    psnr: float


def check_half(
    full: onnx.ModelProto, half: onnx.ModelProto, clip: Path | ClipInfo, ladder: ScaleLadder
) -> HalfCheck:
    """Run both graphs on the video's liveliest windows of every rung.

    Args:
        full, half: the exported FP32 and FP16 graphs.
        clip: the video, or the info of a part of it.

    Raises:
        ModelError: a sum comes near FP16's end, or the FP16 graph puts out no number somewhere.
        ClipError: the video cannot be read.
    """
    network = GraphNetwork(full)
    info = clip_info(clip)
    recorded = record_windows(network, info, ladder)
    windows = {rung: [window.volume for window in some] for rung, some in recorded.items()}
    sums = largest_sums(full, [window for some in windows.values() for window in some])
    layer = int(np.argmax(sums))
    if not sums[layer] * HEADROOM < HALF_MAX:
        raise ModelError(
            f"layer {layer} sums up to {sums[layer]:.0f} on {info.path.name}, too near to FP16's "
            f"largest number, {HALF_MAX:.0f}; export without --fp16"
        )
    psnr = Judge(network, windows).agreement(GraphNetwork(half, exact=True)).psnr
    if not np.isfinite(psnr):
        raise ModelError(f"the FP16 network overflows on {info.path.name}; export without --fp16")
    return HalfCheck(sums[layer], layer, psnr)
