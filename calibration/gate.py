"""Is the narrow network as good as the full one: on windows, and where the video is hardest?"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tsr.core import motion
from tsr.core.clip_io import ClipInfo, ClipReader, clip_info
from tsr.core.ladder import NetworkPass, Rung, ScaleLadder
from tsr.core.metrics import psnr
from tsr.core.volume import Volume
from tsr.runtime.cascade import FramePyramid, run_segment
from tsr.runtime.cpu_backend import CpuBackend
from tsr.runtime.plan import plan_segment
from tsr.runtime.recording import Network, liveliest

MIN_PSNR = 50.0
"""dB between the two results. Their difference is then less than one step of 8 bits (48 dB) and
costs a result that is itself 35 dB from the truth about 0.1 dB at worst, usually far less."""


Found = dict[tuple[int, int], tuple[motion.Flow, motion.Flow]]
"""Motion by the temporal scale of the pass and the number of the frame."""


@dataclass(frozen=True)
class Agreement:
    """PSNR in dB of a network's outputs against the full network's: over all windows, by rung."""

    psnr: float
    by_rung: dict[str, float]


class Judge:
    """Compares networks with the full one on the same windows.

    Args:
        full: the full-precision network.
        windows: (3, T + 6, H + 16, W + 16) each, by rung.
    """

    def __init__(self, full: Network, windows: Mapping[Rung, Sequence[Volume]]) -> None:
        self._windows = windows
        self._expected = {rung: [full(window) for window in some] for rung, some in windows.items()}

    def agreement(self, network: Network) -> Agreement:
        """Of a network with the full one."""
        errors = {str(rung): self._errors(network, rung) for rung in self._windows}
        everything = [error for some in errors.values() for error in some]
        return Agreement(
            _decibels(everything), {rung: _decibels(some) for rung, some in errors.items()}
        )

    def _errors(self, network: Network, rung: Rung) -> list[float]:
        pairs = zip(self._windows[rung], self._expected[rung], strict=True)
        return [
            float(np.mean((network(window).astype(np.float64) - expected) ** 2))
            for window, expected in pairs
        ]


class Gate:
    """Compares whole ladders at the video's liveliest frame.

    Frames are moved along the motion that is found in the full network's result. Where motion is
    ambiguous a rounding step decides what a patch follows; that is no loss, but one such patch
    costs more dB than all that a network rounds.

    Args:
        full: the full-precision network. clip: the video, or the info of a part of it.
        ladder: the steps.
    """

    def __init__(self, full: Network, clip: Path | ClipInfo, ladder: ScaleLadder) -> None:
        self._info, self._ladder = clip_info(clip), ladder
        self._found: Found = {}
        with ClipReader(self._info.path, self._info) as reader:
            (self._frame,) = liveliest(reader, self._info.num_frames, 1)
        self._expected = self._result(full)

    def psnr(self, network: Network) -> float:
        """PSNR in dB of a network's result against the full network's, at most `PSNR_CAP`."""
        return psnr(self._result(network), self._expected)

    def _result(self, network: Network) -> Volume:
        """The output frames of the liveliest input frame, (3, factor, H, W)."""
        info = self._info
        backend = _OneMotion(network, self._found)
        plan = plan_segment(self._ladder, (self._frame, self._frame + 1), info.num_frames)
        with ClipReader(info.path, info) as reader:
            pyramid = FramePyramid(iter(reader), self._ladder, backend)
            (group,) = run_segment(plan, pyramid, backend, info.num_frames)
        return group[:, :, : info.height, : info.width]


class _OneMotion(CpuBackend):
    """Moves frames as they were found to move the first time, whatever the network makes."""

    def __init__(self, network: Network, found: Found) -> None:
        super().__init__(network)
        self._found = found

    def follow(self, step: NetworkPass) -> motion.Follow:
        """What was found in the same pass between the same frames."""

        def remembered(
            pair: int, before: motion.Pyramid, after: motion.Pyramid
        ) -> tuple[motion.Flow, motion.Flow]:
            place = step.before.t, pair
            if place not in self._found:
                self._found[place] = motion.forth_and_back(pair, before, after)
            return self._found[place]

        return remembered


def _decibels(errors: Sequence[float]) -> float:
    """PSNR of the mean of squared errors, at most 100 dB; NaN if one is not a number."""
    if not np.isfinite(errors).all():
        return math.nan
    return round(-10 * math.log10(max(float(np.mean(errors)), 1e-10)), 2)
