"""Score one method's video against the truth, streaming.

python -m benchmarks.clip_scores METHOD TRUTH FOLDER --factor 8     # prints JSON
"""

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.methods import Job
from tsr.core.clip_io import probe
from tsr.core.console import Progress
from tsr.evaluation import lpips, moving
from tsr.evaluation.compare import (
    LPIPS_EVERY,
    Scores,
    compare,
    mean_scores,
    psnr_of_mean_error,
)

MIDDLE = 56
"""Frames in the middle of a clip that the prototype's table counts."""

DIGITS = {
    "psnr": 3,
    "psnr_mean_error": 3,
    "psnr_middle": 3,
    "ssim": 4,
    "lpips": 4,
    "psnr_moving": 3,
    "ssim_moving": 4,
    "psnr_change": 3,
    "moving_share": 4,
}


def measures() -> dict[str, Any]:
    """All that decides the scores of a video."""
    return {
        "columns": [*DIGITS],
        "lpips_every": LPIPS_EVERY if lpips.available() else None,
        "moving": {"threshold": moving.THRESHOLD, "smallest_share": moving.SMALLEST_SHARE},
    }


def score(job: Job, method: str) -> dict[str, Any]:
    """The video's scores, and the PSNR of each frame."""
    progress = Progress(f"score {method}")
    count = probe(job.slow).num_frames * job.factor
    frames = {method: job.frames(method)}
    found = compare(frames, job.frames("truth"), count, factor=job.factor, progress=progress)
    progress.done(f"{count} frames")
    scores = found[method]
    return {
        "frames": count,
        "scores": summary(scores),
        "frame_psnr": [round(value, 2) for value in scores["psnr"]],
    }


def summary(scores: Scores) -> dict[str, float]:
    """One figure per column.

    "psnr" is the mean of the frames' PSNR; "psnr_mean_error" is the PSNR of the frames' mean error,
    which the worst frames rule; "psnr_middle" is the latter for the middle `MIDDLE` frames alone.

    "psnr_change", of the change from each frame to the next, is such a PSNR of the mean error, too:
    a video that stands still and then jumps has one bad change among f - 1 fair ones, which a mean
    of dB would hide and the eye does not. It is blind to what is wrong but still, and sees jerks,
    flicker and motion at a wrong speed or in a wrong direction.
    """
    columns = mean_scores(scores)
    columns["psnr_mean_error"] = psnr_of_mean_error(scores["psnr"])
    columns["psnr_middle"] = psnr_of_mean_error(middle(scores["psnr"]))
    if "psnr_change" in scores:
        columns["psnr_change"] = psnr_of_mean_error(scores["psnr_change"])
    return {
        name: round(columns[name], digits) for name, digits in DIGITS.items() if name in columns
    }


def middle(values: list[float]) -> list[float]:
    """The middle `MIDDLE` values, all when there are fewer."""
    first = max(0, (len(values) - MIDDLE) // 2)
    return values[first : first + MIDDLE]


def main() -> None:
    """Score and print."""
    parser = argparse.ArgumentParser(description="Score a method's video.")
    parser.add_argument("method")
    parser.add_argument("truth", type=Path)
    parser.add_argument("folder", type=Path, help="holds slow.mkv, and fast.mkv by method")
    parser.add_argument("--factor", type=int, default=8)
    given = parser.parse_args()
    job = Job(truth=given.truth, folder=given.folder, factor=given.factor)
    print(json.dumps(score(job, given.method)))


if __name__ == "__main__":
    main()
