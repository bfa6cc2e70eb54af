"""Score several results beside each other: one pass over the truth, every stream read once."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from tsr.core.console import Progress
from tsr.core.errors import ClipError
from tsr.core.metrics import psnr, ssim
from tsr.evaluation import lpips as perceptual

LPIPS_EVERY = 9
"""LPIPS of every ninth frame, to save time; having no divisor in common with the factors, nine
meets all places within an input frame alike, be they easy or hard."""

Scores = dict[str, list[float]]
"""Per column ("psnr" in dB, "ssim", "lpips"), one value per frame scored."""


def compare(
    results: Mapping[str, Iterable[Any]],
    truth: Iterable[Any],
    num_frames: int,
    *,
    lpips_every: int = LPIPS_EVERY,
    progress: Progress | None = None,
) -> dict[str, Scores]:
    """Score each stream of (3, H, W) float32 frames in [0, 1] against the truth's.

    Args:
        results: by name; nothing is stored, so that videos of any length can be compared.
        truth: at least `num_frames` frames.
        lpips_every: frames from one LPIPS to the next; its column is absent where the extra is not
            installed or the frames are too small for it.

    Raises:
        ClipError: a stream ends before `num_frames`.
    """
    shown = progress or Progress("eval", quiet=True)
    streams: dict[str, Iterator[Any]] = {name: iter(frames) for name, frames in results.items()}
    scores: dict[str, Scores] = {name: {"psnr": [], "ssim": []} for name in streams}
    true_frames = iter(truth)
    for number in range(num_frames):
        true_frame = _next(true_frames, "the truth", number, num_frames)
        with_lpips = number % lpips_every == 0 and _fits_lpips(true_frame)
        for name, frames in streams.items():
            frame = _next(frames, name, number, num_frames)
            scores[name]["psnr"].append(psnr(frame, true_frame))
            scores[name]["ssim"].append(ssim(frame, true_frame))
            if with_lpips:
                value = perceptual.lpips(frame, true_frame)
                scores[name].setdefault("lpips", []).append(value)
        shown.show(f"frame {number + 1} of {num_frames}")
    return scores


def mean_scores(scores: Scores) -> dict[str, float]:
    """The mean of each column."""
    return {column: float(np.mean(values)) for column, values in scores.items()}


def psnr_of_mean_error(values: Iterable[float]) -> float:
    """The PSNR of the mean squared error of frames with these PSNRs, which the worst ones rule."""
    return float(-10 * np.log10(np.mean(10 ** (-np.array(list(values)) / 10))))


def _fits_lpips(frame: Any) -> bool:
    return perceptual.available() and min(frame.shape[1:]) >= perceptual.SMALLEST_SIDE


def _next(frames: Iterator[Any], name: str, number: int, num_frames: int) -> Any:
    frame = next(frames, None)
    if frame is None:
        raise ClipError(f"{name} ends after {number} of {num_frames} frames")
    return frame
