"""Score a result against the truth, frame by frame, both streamed."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tsr.core.console import Progress
from tsr.core.errors import ClipError, SettingsError
from tsr.core.metrics import psnr, ssim
from tsr.evaluation import lpips as perceptual

if TYPE_CHECKING:
    from tsr.core.clip_io import ClipInfo

MAX_TRAILING = 7
"""Frames by which the truth may be longer: those that filled no group of eight."""

HIGHER_IS_BETTER = {"psnr": True, "ssim": True, "lpips": False}
"""The columns, and which way is better."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Scores of each frame, and what they say together."""

    output: Path
    truth: Path
    first_frame: int
    """Number of the first frame scored."""
    scores: dict[str, list[float]]
    """Per column ("psnr" in dB, "ssim", "lpips" if it could be measured), one value per frame."""
    notes: tuple[str, ...]
    """What the user should know, one line each."""

    @property
    def num_frames(self) -> int:
        """Frames scored."""
        return len(self.scores["psnr"])

    def mean(self, column: str) -> float:
        """The video's score: the mean over its frames."""
        return float(np.mean(self.scores[column]))

    def worst(self, column: str) -> tuple[float, int]:
        """The worst frame's score and its number in the video."""
        values = np.array(self.scores[column])
        at = int(values.argmin() if HIGHER_IS_BETTER[column] else values.argmax())
        return float(values[at]), self.first_frame + at

    def to_json(self) -> dict[str, Any]:
        """Plain values for `json.dumps`."""
        return {
            "output": str(self.output),
            "truth": str(self.truth),
            "first_frame": self.first_frame,
            "num_frames": self.num_frames,
            "mean": {column: self.mean(column) for column in self.scores},
            "worst": {column: self.worst(column)[0] for column in self.scores},
            "worst_frame": {column: self.worst(column)[1] for column in self.scores},
            "frames": self.scores,
            "notes": list(self.notes),
        }


def evaluate(
    output: Path,
    truth: Path,
    *,
    skip_ends: int = 0,
    with_lpips: bool = True,
    progress: Progress | None = None,
) -> Evaluation:
    """Score the video `output` against `truth`.

    Args:
        output: the result.
        truth: what it should be. It may be up to 7 frames longer, as a truth is that did not
            divide into groups; those frames are left out.
        skip_ends: frames left out at either end.
        with_lpips: measure LPIPS too, where its extra is installed.
        progress: where to tell how far the work is.

    Raises:
        ClipError: a file cannot be read, or sizes or frame counts do not match.
        SettingsError: nothing is left to score.
    """
    from tsr.core.clip_io import ClipReader

    with ClipReader(output) as result, ClipReader(truth) as reference:
        notes = match(result.info, reference.info)
        count = result.info.num_frames - 2 * skip_ends
        if skip_ends < 0 or count <= 0:
            raise SettingsError(
                f"skipping {skip_ends} frames at either end of {result.info.num_frames} leaves "
                "nothing to score; use fewer"
            )
        if with_lpips:
            reason = _no_lpips(result.info)
            notes += [reason] if reason else []
            with_lpips = reason is None
        pairs = zip(result, reference, strict=False)
        chosen = islice(pairs, skip_ends, skip_ends + count)
        shown = progress or Progress("eval", quiet=True)
        scores = _score(chosen, count, with_lpips, shown)
    return Evaluation(
        output=output, truth=truth, first_frame=skip_ends, scores=scores, notes=tuple(notes)
    )


def match(result: "ClipInfo", truth: "ClipInfo") -> list[str]:
    """Check that two clips can be compared; returns what the user should know.

    Raises:
        ClipError: sizes differ, or frame counts differ by more than `MAX_TRAILING`.
    """
    if (result.width, result.height) != (truth.width, truth.height):
        raise ClipError(
            f"{result.path} has frames of {result.width}×{result.height} and {truth.path} of "
            f"{truth.width}×{truth.height}; give the truth in the same size"
        )
    longer = truth.num_frames - result.num_frames
    if not 0 <= longer <= MAX_TRAILING:
        raise ClipError(
            f"{result.path} has {result.num_frames} frames and {truth.path} "
            f"{truth.num_frames}; expected as many, or at most {MAX_TRAILING} more in the truth: "
            "check that the result was made from this truth and with the same factor"
        )
    if not longer:
        return []
    return [f"the truth has {longer} more frames at its end ({truth.num_frames}); left out"]


def _no_lpips(info: "ClipInfo") -> str | None:
    """Why LPIPS cannot be measured; None when it can."""
    if not perceptual.available():
        return perceptual.INSTALL_HINT
    if min(info.width, info.height) < perceptual.SMALLEST_SIDE:
        return f"LPIPS left out: it needs {perceptual.SMALLEST_SIDE} pixels a side"
    return None


def _score(
    pairs: Iterator[tuple[Any, Any]], count: int, with_lpips: bool, progress: Progress
) -> dict[str, list[float]]:
    scores: dict[str, list[float]] = {"psnr": [], "ssim": []}
    if with_lpips:
        scores["lpips"] = []
    for number, (frame, truth) in enumerate(pairs, start=1):
        scores["psnr"].append(psnr(frame, truth))
        scores["ssim"].append(ssim(frame, truth))
        if with_lpips:
            scores["lpips"].append(perceptual.lpips(frame, truth))
        progress.show(f"frame {number} of {count}")
    return scores
