"""Score plain interpolation and a result against the truth, streaming.

python -m benchmarks.clip_scores SLOW OURS TRUTH     # prints JSON
"""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tsr.core.clip_io import ClipReader
from tsr.core.console import Progress
from tsr.evaluation.baselines import METHODS, upsampled
from tsr.evaluation.compare import (
    LPIPS_EVERY,
    Scores,
    compare,
    mean_scores,
    psnr_of_mean_error,
)

MIDDLE = 56
"""Frames in the middle of a clip that the prototype's table counts."""
DIGITS = {"psnr": 3, "psnr_mean_error": 3, "psnr_middle": 3, "ssim": 4, "lpips": 4}


def score(slow: Path, ours: Path, truth: Path, factor: int, lpips_every: int) -> dict[str, Any]:
    """Scores per method: "nearest", "linear", "cubic_bp", "ours"."""
    progress = Progress("score")
    with ClipReader(truth) as reference, ClipReader(ours) as result:
        results: dict[str, Iterable[Any]] = {
            name: upsampled(ClipReader(slow), factor, name) for name in METHODS
        }
        results["ours"] = result
        count = result.info.num_frames
        found = compare(results, reference, count, lpips_every=lpips_every, progress=progress)
    progress.done(f"{count} frames")
    return {
        "frames": count,
        "lpips_every": lpips_every,
        "methods": {name: summary(scores) for name, scores in found.items()},
    }


def summary(scores: Scores) -> dict[str, float]:
    """One figure per column.

    "psnr" is the mean of the frames' PSNR; "psnr_mean_error" is the PSNR of the frames' mean error,
    which the worst frames rule; "psnr_middle" is the latter for the middle `MIDDLE` frames alone.
    """
    columns = mean_scores(scores)
    columns["psnr_mean_error"] = psnr_of_mean_error(scores["psnr"])
    columns["psnr_middle"] = psnr_of_mean_error(middle(scores["psnr"]))
    return {
        name: round(columns[name], digits) for name, digits in DIGITS.items() if name in columns
    }


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
