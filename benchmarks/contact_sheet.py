"""One picture per factor that shows where each method fails: the worst moment of every clip.

Per clip three rows: a crop of one output frame, its error against the truth, and one line of pixels
over time, where a motion's speed and direction are the tilt of its streaks.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.methods import Job
from tsr.core.metrics import psnr
from tsr.core.outputs import completed
from tsr.evaluation.drawing import (
    ACCENT,
    FAINT,
    INK,
    PAPER,
    arrow_down,
    draw_text,
    mark_row,
    over_time,
    resized,
)

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

HEADS = {
    "nearest": ("Slow input", "what the slow camera saw"),
    "linear": ("Linear", "neighbours mixed"),
    "cubic_bp": ("Cubic + BP", "with back-projection"),
    "minterpolate": ("minterpolate", "FFmpeg: moved blocks"),
    "rife": ("RIFE", "trained on other videos"),
    "truth": ("Truth", "a fast camera"),
}
PANEL = (236, 177)
"""Width and height of a crop, 4:3."""
SLICE_HEIGHT = 130
MARGIN, GAP, LABEL = 28, 10, 150
TITLE_HEIGHT, HEAD_HEIGHT, FOOT_HEIGHT = 84, 58, 34
CLIP_HEIGHT = 2 * (PANEL[1] + GAP) + SLICE_HEIGHT + FOOT_HEIGHT + 30
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
    from PIL import Image, ImageDraw

    methods = list(dict.fromkeys(method for found in psnrs.values() for method in found))
    columns = [*methods, "truth"]
    width = 2 * MARGIN + LABEL + len(columns) * (PANEL[0] + GAP)
    top = MARGIN + TITLE_HEIGHT + HEAD_HEIGHT
    image = Image.new("RGB", (width, top + len(jobs) * CLIP_HEIGHT + MARGIN), PAPER)
    pen = ImageDraw.Draw(image)
    _draw_heads(pen, columns, next(iter(jobs.values())).factor)
    for place, (name, job) in enumerate(jobs.items()):
        y = top + place * CLIP_HEIGHT
        moment = worst_moment(job, psnrs[name])
        crops = {m: _crops(job, m, moment) for m in (*psnrs[name], "truth")}
        _draw_labels(pen, y, name, moment, len(next(iter(psnrs[name].values()))))
        here = {m: psnr(crop[0], crops["truth"][0]) for m, crop in crops.items() if m != "truth"}
        for method, (crop, lines) in crops.items():
            x = _x(columns.index(method))
            _draw_panels(image, pen, (x, y), crop, crops["truth"][0], lines, moment)
            foot = _foot(here, method)
            colour = ACCENT if method.startswith("ours") else INK
            draw_text(pen, x, y + CLIP_HEIGHT - FOOT_HEIGHT - 26, foot, 18, colour)
    with completed(path) as temporary:
        image.save(temporary)


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


def _x(column: int) -> int:
    return MARGIN + LABEL + column * (PANEL[0] + GAP)


def _draw_heads(pen: "ImageDraw", columns: list[str], factor: int) -> None:
    title = f"Where each method fails: the worst moment of each clip, at {factor} times the rate"
    draw_text(pen, MARGIN, MARGIN - 6, title, 30, INK)
    line = (
        "All make the fast video from the slow input. Below each crop its error (white: none, "
        "red: large), then one line of pixels over time: a smooth tilt is a smooth motion."
    )
    draw_text(pen, MARGIN, MARGIN + 36, line, 18, FAINT)
    for place, method in enumerate(columns):
        ours = method.startswith("ours")
        preset = ", ".join(method.split("-")[1:])
        head, explanation = HEADS.get(method, (f"Ours ({preset})", "trained on this input"))
        y = MARGIN + TITLE_HEIGHT
        draw_text(pen, _x(place), y, head, 23, ACCENT if ours else INK)
        draw_text(pen, _x(place), y + 29, explanation, 15, ACCENT if ours else FAINT)


def _draw_labels(pen: "ImageDraw", y: int, name: str, moment: Moment, count: int) -> None:
    draw_text(pen, MARGIN, y, name, 19, INK)
    draw_text(pen, MARGIN, y + 26, f"frame {moment.frame + 1} of {count}", 15, FAINT)
    draw_text(pen, MARGIN, y + PANEL[1] + GAP, "error", 15, FAINT)
    slices = y + 2 * (PANEL[1] + GAP)
    for number, words in enumerate(("the marked line", "over time")):
        draw_text(pen, MARGIN, slices + 20 * number, words, 15, FAINT)
    arrow_down(pen, MARGIN + LABEL - 16, slices + 4, slices + SLICE_HEIGHT - 4)


def _draw_panels(
    image: "Image",
    pen: "ImageDraw",
    corner: tuple[int, int],
    crop: Frame,
    truth: Frame,
    lines: Frame,
    moment: Moment,
) -> None:
    """Crop, error and slice of one method, one above the other."""
    x, y = corner
    image.paste(resized(crop, PANEL), (x, y))
    mark_row(pen, (x, y), PANEL, (moment.row + 0.5) / moment.height)
    below = y + PANEL[1] + GAP
    if crop is not truth:
        image.paste(resized(error_colours(crop, truth), PANEL), (x, below))
        pen.rectangle((x, below, x + PANEL[0] - 1, below + PANEL[1] - 1), outline=(215, 217, 222))
    image.paste(over_time(lines, (PANEL[0], SLICE_HEIGHT)), (x, below + PANEL[1] + GAP))
    # The moment that the crop shows.
    frames = moment.frames.stop - moment.frames.start
    share = (moment.frame - moment.frames.start + 0.5) / frames
    mark_row(pen, (x, below + PANEL[1] + GAP), (PANEL[0], SLICE_HEIGHT), share)


def error_colours(crop: Frame, truth: Frame) -> Frame:
    """White where a crop is right, `ACCENT` where its error reaches `FULL_ERROR`."""
    share = np.clip(np.abs(crop - truth).mean(axis=0) / FULL_ERROR, 0, 1)
    full = np.array(ACCENT, np.float32)[:, None, None] / np.float32(255)
    return np.asarray(1 - share * (1 - full), np.float32)


def _foot(here: Mapping[str, float], method: str) -> str:
    if method not in here:
        return ""
    best = " - best" if here[method] == max(here.values()) else ""
    return f"{here[method]:.1f} dB in this crop{best}"
