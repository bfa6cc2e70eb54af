"""Score plain interpolation and a result against the truth, streaming.

    python -m benchmarks.clip_scores SLOW OURS TRUTH     # prints JSON

All are scored in one pass over the truth, so that nothing but the method differs.
"""

import argparse
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tsr.core.clip_io import ClipReader
from tsr.core.console import Progress
from tsr.core.metrics import psnr, ssim
from tsr.evaluation import lpips as perceptual
from tsr.evaluation.baselines import METHODS, upsampled

LPIPS_EVERY = 9
"""Every ninth frame, to save time; being odd, it meets all places within an input frame alike."""
MIDDLE = 56
"""Frames in the middle of a clip that the prototype's table counts."""

Scores = dict[str, list[float]]


def score(slow: Path, ours: Path, truth: Path, factor: int, lpips_every: int) -> dict[str, Any]:
    """Scores per method: "nearest", "linear", "cubic_bp", "ours"."""
    with ClipReader(truth) as reference, ClipReader(ours) as result:
        results: dict[str, Iterable[Any]] = {
            name: upsampled(ClipReader(slow), factor, name) for name in METHODS
        }
        results["ours"] = result
        count = result.info.num_frames
        found = _score(results, reference, count, lpips_every)
    return {
        "frames": count,
        "lpips_every": lpips_every if perceptual.available() else None,
        "methods": {name: summary(scores) for name, scores in found.items()},
    }


def _score(
    results: dict[str, Iterable[Any]], truth: Iterable[Any], count: int, lpips_every: int
) -> dict[str, Scores]:
    progress = Progress("score")
    scores: dict[str, Scores] = {name: {"psnr": [], "ssim": [], "lpips": []} for name in results}
    streams: dict[str, Iterator[Any]] = {name: iter(frames) for name, frames in results.items()}
    for number, true_frame in zip(range(count), truth, strict=False):
        for name, frames in streams.items():
            frame = next(frames)
            scores[name]["psnr"].append(psnr(frame, true_frame))
            scores[name]["ssim"].append(ssim(frame, true_frame))
            if number % lpips_every == 0 and perceptual.available():
                scores[name]["lpips"].append(perceptual.lpips(frame, true_frame))
        progress.show(f"frame {number + 1} of {count}")
    progress.done(f"{count} frames")
    return scores


def summary(scores: Scores) -> dict[str, float]:
    """One figure per column.

    "psnr" is the mean of the frames' PSNR; "psnr_mean_error" is the PSNR of the frames' mean error,
    which the worst frames rule; "psnr_middle" is the latter for the middle `MIDDLE` frames alone.
    """
    columns = {
        "psnr": round(float(np.mean(scores["psnr"])), 3),
        "psnr_mean_error": round(psnr_of_mean_error(scores["psnr"]), 3),
        "psnr_middle": round(psnr_of_mean_error(middle(scores["psnr"])), 3),
        "ssim": round(float(np.mean(scores["ssim"])), 4),
    }
    if scores["lpips"]:
        columns["lpips"] = round(float(np.mean(scores["lpips"])), 4)
    return columns


def psnr_of_mean_error(values: list[float]) -> float:
    """The PSNR of the mean squared error of frames with these PSNRs."""
    return float(-10 * np.log10(np.mean(10 ** (-np.array(values) / 10))))


def middle(values: list[float]) -> list[float]:
    """The middle `MIDDLE` values, all when there are fewer."""
    first = max(0, (len(values) - MIDDLE) // 2)
    return values[first : first + MIDDLE]


def main() -> None:
    """Score and print."""
    parser = argparse.ArgumentParser(description="Score a result and interpolations.")
    parser.add_argument("slow", type=Path)
    parser.add_argument("ours", type=Path)
    parser.add_argument("truth", type=Path)
    parser.add_argument("--factor", type=int, default=8)
    parser.add_argument("--lpips-every", type=int, default=LPIPS_EVERY)
    given = parser.parse_args()
    print(json.dumps(score(given.slow, given.ours, given.truth, given.factor, given.lpips_every)))


if __name__ == "__main__":
    main()
