"""Score several results beside each other: one pass over the truth, every stream read once."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from tsr.core.console import Progress
from tsr.core.errors import ClipError
from tsr.core.metrics import SSIM_WINDOW, psnr, ssim_map
from tsr.evaluation import lpips as perceptual
from tsr.evaluation.moving import SMALLEST_SHARE, Frame, Mask, with_masks

LPIPS_EVERY = 9
"""LPIPS of every ninth frame, to save time; having no divisor in common with the factors, nine
meets all places within an input frame alike, be they easy or hard."""

Scores = dict[str, list[float]]
"""Per column, one value per frame scored: "psnr" in dB, "ssim", "lpips"; with a factor also
"psnr_moving" and "ssim_moving", on the pixels that `evaluation.moving` says move,
"moving_share", the share of these, and "psnr_change", of the change from each frame to the next."""


def compare(
    results: Mapping[str, Iterable[Any]],
    truth: Iterable[Any],
    num_frames: int,
    *,
    factor: int | None = None,
    lpips_every: int = LPIPS_EVERY,
    progress: Progress | None = None,
) -> dict[str, Scores]:
    """Score each stream of (3, H, W) float32 frames in [0, 1] against the truth's.

    Args:
        results: by name; nothing is stored, so that videos of any length can be compared.
        truth: at least `num_frames` frames.
        factor: frames of one input frame's exposure; measures of motion are left out when None.
        lpips_every: frames from one LPIPS to the next; its column is absent where the extra is not
            installed or the frames are too small for it.

    Raises:
        ClipError: a stream ends before `num_frames`.
    """
    shown = progress or Progress("eval", quiet=True)
    streams: dict[str, Iterator[Any]] = {name: iter(frames) for name, frames in results.items()}
    scores: dict[str, Scores] = {name: {"psnr": [], "ssim": []} for name in streams}
    before: dict[str, Frame] = {}  # by name, and the truth's as ""
    true_frames = _true_frames(truth, factor)
    for number in range(num_frames):
        true_frame, moving = _next(true_frames, "the truth", number, num_frames)
        with_lpips = number % lpips_every == 0 and _fits_lpips(true_frame)
        latest = {"": true_frame}
        for name, frames in streams.items():
            frame = _next(frames, name, number, num_frames)
            row = _score(frame, true_frame, moving)
            if with_lpips:
                row["lpips"] = perceptual.lpips(frame, true_frame)
            if factor is not None and before:
                row["psnr_change"] = psnr(frame - before[name], true_frame - before[""])
            for column, value in row.items():
                scores[name].setdefault(column, []).append(value)
            latest[name] = frame
        before = latest
        shown.show(f"frame {number + 1} of {num_frames}")
    return scores


def _true_frames(truth: Iterable[Frame], factor: int | None) -> Iterator[tuple[Frame, Mask | None]]:
    """The truth's frames with their moving pixels, which need a factor."""
    if factor is None:
        return ((frame, None) for frame in truth)
    return iter(with_masks(truth, factor))


def mean_scores(scores: Scores) -> dict[str, float]:
    """The mean of each column."""
    return {column: float(np.mean(values)) for column, values in scores.items()}


def psnr_of_mean_error(values: Iterable[float]) -> float:
    """The PSNR of the mean squared error of frames with these PSNRs, which the worst ones rule."""
    return float(-10 * np.log10(np.mean(10 ** (-np.array(list(values)) / 10))))


def _score(frame: Frame, truth: Frame, moving: Mask | None) -> dict[str, float]:
    """One frame's scores, over all pixels and over those that move."""
    similarity = ssim_map(frame, truth)
    row = {"psnr": psnr(frame, truth), "ssim": float(similarity.mean(dtype=np.float64))}
    if moving is None:
        return row
    row["moving_share"] = float(moving.mean())
    if row["moving_share"] >= SMALLEST_SHARE:
        row["psnr_moving"] = psnr(frame[:, moving], truth[:, moving])
        edge = SSIM_WINDOW // 2  # the map holds the windows' centres
        inner = moving[edge:-edge, edge:-edge]
        if inner.any():
            row["ssim_moving"] = float(similarity[:, inner].mean(dtype=np.float64))
    return row


def _fits_lpips(frame: Any) -> bool:
    return perceptual.available() and min(frame.shape[1:]) >= perceptual.SMALLEST_SIDE


def _next(frames: Iterator[Any], name: str, number: int, num_frames: int) -> Any:
    frame = next(frames, None)
    if frame is None:
        raise ClipError(f"{name} ends after {number} of {num_frames} frames")
    return frame
