"""One picture per factor that shows where each method fails: the worst moment of every clip.

Per clip three rows: a crop of one output frame, its error against the truth, and one line of pixels
over time, where a motion's speed and direction are the tilt of its streaks.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.methods import Job
from benchmarks.sheet import GAP, PANEL_WIDTH, Sheet
from tsr.core.drawing import ACCENT, over_time, resized
from tsr.core.metrics import psnr

PANEL = (PANEL_WIDTH, 177)
"""Width and height of a crop, 4:3."""
SLICES = (PANEL_WIDTH, 130)
"""Width and height of a slice."""
BLOCK_HEIGHT = 2 * (PANEL[1] + GAP) + SLICES[1] + 64
AROUND = 2
"""Input frames shown in the slices before and after the worst moment's own."""
FULL_ERROR = 0.5
"""Mean absolute error that is shown in full colour."""

Frame = NDArray[np.float32]


@dataclass(frozen=True)
class Moment:
    """What of a clip is shown."""

    frame: int
    """The worst output frame."""
    frames: slice
    """Output frames of the slices."""
    top: int
    left: int
    height: int
    width: int
    """The crop, in pixels."""
    row: int
    """Row of the crop whose pixels the slices show."""


def write_sheet(
    path: Path, jobs: Mapping[str, Job], psnrs: Mapping[str, Mapping[str, list[float]]]
) -> None:
    """Write the picture.

    Args:
        path: a PNG, complete when it appears.
        jobs: by clip; the videos of all methods must exist.
        psnrs: by clip and method, the PSNR of each frame.
    """
    factor = next(iter(jobs.values())).factor
    methods = list(dict.fromkeys(method for found in psnrs.values() for method in found))
    sheet = Sheet(
        [*methods, "truth"],
        f"Where each method fails: the worst moment of each clip, at {factor} times the rate",
        "All make the fast video from the slow input. Below each crop its error (white: none, red: "
        "large), then the marked line of pixels over time: a smooth tilt is a smooth motion.",
        blocks=len(jobs),
        block_height=BLOCK_HEIGHT,
    )
    for block, (name, job) in enumerate(jobs.items()):
        moment = worst_moment(job, psnrs[name])
        frames = len(next(iter(psnrs[name].values())))
        _draw_labels(sheet, block, name, f"frame {moment.frame + 1} of {frames}")
        _draw_clip(
            sheet, block, {m: _crops(job, m, moment) for m in (*psnrs[name], "truth")}, moment
        )
    sheet.save(path)


def worst_moment(job: Job, psnrs: Mapping[str, list[float]]) -> Moment:
    """The frame in which the methods are worst on average, and the crop in which they are so there.

    The first and the last input frame are left out: with one neighbour all can only guess.
    """
    factor = job.factor
    mean = np.mean(list(psnrs.values()), axis=0)
    inner = mean[factor:-factor]
    number = factor + int(np.argmin(inner))
    truth = _frame(job, "truth", number)
    error = np.mean([np.abs(_frame(job, m, number) - truth).mean(axis=0) for m in psnrs], axis=0)
    height, width = truth.shape[1:]
    crop_width = min(width // 4, height)
    crop_height = crop_width * PANEL[1] // PANEL[0]
    top, left = largest_window(error, crop_height, crop_width)
    group = number // factor
    last = min(max(group + AROUND + 1, 2 * AROUND + 1), len(mean) // factor)
    frames = slice(max(last - 2 * AROUND - 1, 0) * factor, last * factor)
    moment = Moment(number, frames, top, left, crop_height, crop_width, 0)
    changes = np.ptp(np.stack(list(_cut(job, "truth", moment))), axis=0).mean(axis=(0, 2))
    edge = crop_height // 6
    row = edge + int(np.argmax(changes[edge : crop_height - edge]))
    return Moment(number, frames, top, left, crop_height, crop_width, row)


def largest_window(values: NDArray[Any], height: int, width: int) -> tuple[int, int]:
    """Top and left of the window of this size with the largest sum in (H, W) values."""
    sums = np.pad(np.cumsum(np.cumsum(values, axis=0, dtype=np.float64), axis=1), ((1, 0), (1, 0)))
    windows = (
        sums[height:, width:]
        - sums[:-height, width:]
        - sums[height:, :-width]
        + sums[:-height, :-width]
    )
    top, left = np.unravel_index(int(np.argmax(windows)), windows.shape)
    return int(top), int(left)


def _frame(job: Job, method: str, number: int) -> Frame:
    return next(iter(islice(job.frames(method), number, None)))


def _cut(job: Job, method: str, moment: Moment) -> Iterable[Frame]:
    """The crop of each frame of the slices."""
    rows = slice(moment.top, moment.top + moment.height)
    columns = slice(moment.left, moment.left + moment.width)
    for frame in islice(job.frames(method), moment.frames.start, moment.frames.stop):
        yield frame[:, rows, columns].copy()


def _crops(job: Job, method: str, moment: Moment) -> tuple[Frame, Frame]:
    """The crop at the worst frame, (3, h, w), and the line of pixels over time, (3, T, w)."""
    frames = list(_cut(job, method, moment))
    lines = np.stack([frame[:, moment.row] for frame in frames], axis=1)
    return frames[moment.frame - moment.frames.start], lines


def _draw_labels(sheet: Sheet, block: int, name: str, moment: str) -> None:
    crop, error, slices = _rows(sheet, block)
    sheet.label(crop, name, moment)
    sheet.label(error, "", "its error")
    sheet.label(slices, "", "the marked line", "over time")
    sheet.time_arrow(slices, SLICES[1])


def _draw_clip(
    sheet: Sheet, block: int, crops: Mapping[str, tuple[Frame, Frame]], moment: Moment
) -> None:
    """Crop, error and slice of each method, one above the other."""
    truth = crops["truth"][0]
    here = {m: psnr(crop, truth) for m, (crop, _) in crops.items() if m != "truth"}
    instant = (moment.frame - moment.frames.start + 0.5) / (
        moment.frames.stop - moment.frames.start
    )
    crop_y, error_y, slice_y = _rows(sheet, block)
    for method, (crop, lines) in crops.items():
        row = (moment.row + 0.5) / moment.height
        sheet.panel(method, crop_y, resized(crop, PANEL), mark=row)
        sheet.panel(method, slice_y, over_time(lines, SLICES), mark=instant)
        if method in here:
            errors = resized(error_colours(crop, truth), PANEL)
            sheet.panel(method, error_y, errors, framed=True)
            best = " - best" if here[method] == max(here.values()) else ""
            below = slice_y + SLICES[1] + 8
            sheet.text(method, below, f"{here[method]:.1f} dB in this crop{best}", 18)


def _rows(sheet: Sheet, block: int) -> tuple[int, int, int]:
    """Top of a block's crops, errors and slices."""
    top = sheet.top(block)
    return top, top + PANEL[1] + GAP, top + 2 * (PANEL[1] + GAP)


def error_colours(crop: Frame, truth: Frame) -> Frame:
    """White where a crop is right, `ACCENT` where its error reaches `FULL_ERROR`."""
    share = np.clip(np.abs(crop - truth).mean(axis=0) / FULL_ERROR, 0, 1)
    full = np.array(ACCENT, np.float32)[:, None, None] / np.float32(255)
    return np.asarray(1 - share * (1 - full), np.float32)
