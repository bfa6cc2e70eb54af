"""One picture that explains the product: slow input, interpolation, ours and truth side by side.

Above, a crop at a few successive output times; below, one line of pixels over time, where a
motion's direction is the tilt of its streaks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tsr.core.drawing import (
    ACCENT,
    FAINT,
    INK,
    PAPER,
    arrow_down,
    draw_text,
    font,
    mark_row,
    over_time,
    resized,
)
from tsr.core.errors import SettingsError
from tsr.core.metrics import mean_psnr
from tsr.core.outputs import completed
from tsr.core.rect import rect_expand
from tsr.core.volume import Volume, check_volume

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

COLUMNS = {
    "input": ("Input", "what the slow camera saw"),
    "linear": ("Linear", "neighbouring frames mixed"),
    "ours": ("Ours", "learned from this input alone"),
    "truth": ("Truth", "a fast camera"),
}
"""Name and explanation of each column, in order."""

MARGIN, GAP, LABEL = 30, 14, 136
"""Pixels around the picture, between panels, and for the labels at the left."""
TITLE_HEIGHT, HEAD_HEIGHT, FOOT_HEIGHT = 86, 64, 62
STRIP_HEIGHT = 34
"""Pixels of a video's caption; even, as video encoders want it."""


@dataclass(frozen=True, kw_only=True)
class View:
    """What of the videos is shown. Pixels and output frames count from 0."""

    top: int
    left: int
    height: int
    width: int
    """The crop, in pixels."""
    frames: tuple[int, ...]
    """Output frames shown as crops, in order."""
    slice_row: int
    """Row of the frame whose pixels are shown over time; it should lie in the crop."""


def comparison_picture(
    ltr: Volume,
    linear: Volume,
    ours: Volume,
    truth: Volume,
    path: Path,
    *,
    view: View,
    title: str | None = None,
    subtitle: str = "",
    psnr_db: Mapping[str, float] | None = None,
    remarks: Mapping[str, str] | None = None,
    panel_width: int = 300,
) -> None:
    """Write the picture, a PNG or whatever else `path`'s suffix says.

    Args:
        ltr: (3, T, H, W) the slow input, or a few frames of it: all of them appear in the slices.
        linear, ours, truth: (3, T·f, H, W), the same span of time.
        path: the picture; it appears only when complete.
        view: what is shown.
        title: first line; made from the factor when None. ASCII only, as all texts here.
        subtitle: second line: what to look at.
        psnr_db: per column; measured on the volumes given when None.
        remarks: a line under any column, such as what its motion was measured to be.
        panel_width: width of one panel in pixels.

    Raises:
        SettingsError: volumes that do not belong together, or a view outside them.
        OutputError: the picture cannot be written.
    """
    factor = _check(ltr, linear, ours, truth, view)
    columns = {"input": rect_expand(ltr, factor), "linear": linear, "ours": ours, "truth": truth}
    if psnr_db is None:
        known = ("input", "linear", "ours")
        psnr_db = {name: mean_psnr(columns[name], truth) for name in known}
    title = title or f"One slow video in, {factor} times its frame rate out"
    feet = _feet(psnr_db, remarks or {})
    image = _draw(columns, factor, view, (title, subtitle), feet, panel_width)
    with completed(path) as temporary:
        image.save(temporary)


def caption_strip(width: int, head: str, explanation: str, *, accent: bool = False) -> Volume:
    """A strip of paper with a column's name and explanation, to stand above a video's frames.

    Returns:
        (3, 34, width) float32 in [0, 1].
    """
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (width, STRIP_HEIGHT), PAPER)
    pen = ImageDraw.Draw(image)
    colour = ACCENT if accent else INK
    draw_text(pen, 10, 4, head, 22, colour)
    after = 10 + round(pen.textlength(head, font=font(22))) + 14
    draw_text(pen, after, 10, explanation, 15, colour if accent else FAINT)
    return np.asarray(image, np.float32).transpose(2, 0, 1) / np.float32(255)


def _check(ltr: Volume, linear: Volume, ours: Volume, truth: Volume, view: View) -> int:
    for name, volume in {"input": ltr, "linear": linear, "ours": ours, "truth": truth}.items():
        check_volume(volume, name)
    factor, rest = divmod(int(truth.shape[1]), int(ltr.shape[1]))
    same = linear.shape == ours.shape == truth.shape and ltr.shape[2:] == truth.shape[2:]
    if rest or not same:
        raise SettingsError(
            f"input {ltr.shape}, linear {linear.shape}, ours {ours.shape} and truth {truth.shape} "
            "do not show the same span of one video"
        )
    _, num_frames, height, width = truth.shape
    inside = view.top >= 0 and view.left >= 0 and min(view.height, view.width) > 0
    inside = inside and view.top + view.height <= height and view.left + view.width <= width
    inside = inside and 0 <= view.slice_row < height
    if not inside or not all(0 <= n < num_frames for n in view.frames):
        raise SettingsError(f"{view} lies outside {num_frames} frames of {width}×{height}")
    return factor


def _feet(psnr_db: Mapping[str, float], remarks: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """The score and the remark under each column."""
    scores = {name: f"PSNR {value:.2f} dB" for name, value in psnr_db.items()}
    return {name: (scores.get(name, ""), remarks.get(name, "")) for name in COLUMNS}


@dataclass(frozen=True)
class _Layout:
    """Where things stand, in pixels."""

    panel: tuple[int, int]
    """(width, height) of a crop."""
    slices: tuple[int, int]
    """(width, height) of a slice."""
    num_crops: int

    def x(self, column: int) -> int:
        return MARGIN + LABEL + column * (self.panel[0] + GAP)

    def y(self, row: int) -> int:
        """Top of a row of crops, or of the slices as the row after the last."""
        extra = GAP if row == self.num_crops else 0
        return MARGIN + TITLE_HEIGHT + HEAD_HEIGHT + row * (self.panel[1] + GAP) + extra

    @property
    def bottom(self) -> int:
        return self.y(self.num_crops) + self.slices[1]

    @property
    def size(self) -> tuple[int, int]:
        return self.x(3) + self.panel[0] + MARGIN, self.bottom + FOOT_HEIGHT + MARGIN


def _draw(
    columns: Mapping[str, Volume],
    factor: int,
    view: View,
    titles: tuple[str, str],
    feet: Mapping[str, tuple[str, str]],
    panel_width: int,
) -> "Image":
    """Lay out title, column heads, crops, slices and scores."""
    from PIL import Image, ImageDraw

    layout = _Layout(
        (panel_width, round(view.height * panel_width / view.width)),
        (panel_width, round(panel_width * 0.6)),
        len(view.frames),
    )
    image = Image.new("RGB", layout.size, PAPER)
    pen = ImageDraw.Draw(image)
    draw_text(pen, MARGIN, MARGIN - 6, titles[0], 32, INK)
    draw_text(pen, MARGIN, MARGIN + 38, titles[1], 19, FAINT)
    for place, (name, volume) in enumerate(columns.items()):
        x = layout.x(place)
        for row, number in enumerate(view.frames):
            image.paste(_crop(volume, number, view, layout.panel), (x, layout.y(row)))
            _mark_row(pen, x, layout.y(row), layout.panel, view)
        image.paste(_slice(volume, view, layout.slices), (x, layout.y(layout.num_crops)))
        _caption(pen, x, layout, name, feet[name])
    for row, number in enumerate(view.frames):
        _label(pen, layout.y(row), "output frame", f"{number % factor + 1} of {factor}")
    slices = ("marked line", "over time: its", "tilt shows the", "direction")
    _label(pen, layout.y(layout.num_crops), *slices)
    _time_arrow(pen, layout)
    return image


def _caption(pen: "ImageDraw", x: int, layout: _Layout, name: str, feet: tuple[str, str]) -> None:
    """A column's name above, its score and remark below, and a frame around ours."""
    head, explanation = COLUMNS[name]
    colour = ACCENT if name == "ours" else INK
    y = layout.y(0) - HEAD_HEIGHT
    draw_text(pen, x, y, head, 25, colour)
    draw_text(pen, x, y + 31, explanation, 15, FAINT)
    score, remark = feet
    draw_text(pen, x, layout.bottom + 14, score or head, 23, colour)
    draw_text(pen, x, layout.bottom + 44, remark, 17, colour)
    if name == "ours":
        corners = (x - 5, layout.y(0) - 5, x + layout.panel[0] + 4, layout.bottom + 4)
        pen.rectangle(corners, outline=ACCENT, width=3)


def _label(pen: "ImageDraw", y: int, *lines: str) -> None:
    for number, line in enumerate(lines):
        draw_text(pen, MARGIN, y + 4 + 20 * number, line, 16, FAINT)


def _mark_row(pen: "ImageDraw", x: int, y: int, panel: tuple[int, int], view: View) -> None:
    """Point at the row that the slice shows, if it lies in the crop."""
    row = view.slice_row - view.top
    if 0 <= row < view.height:
        mark_row(pen, (x, y), panel, (row + 0.5) / view.height)


def _time_arrow(pen: "ImageDraw", layout: _Layout) -> None:
    """An arrow down the slices' left side."""
    top, bottom = layout.y(layout.num_crops) + 6, layout.bottom - 6
    arrow_down(pen, MARGIN + LABEL - 18, top, bottom)


def _crop(volume: Volume, number: int, view: View, size: tuple[int, int]) -> "Image":
    rows = slice(view.top, view.top + view.height)
    columns = slice(view.left, view.left + view.width)
    return resized(volume[:, number, rows, columns], size)


def _slice(volume: Volume, view: View, size: tuple[int, int]) -> "Image":
    """The marked row of pixels over time."""
    columns = slice(view.left, view.left + view.width)
    return over_time(volume[:, :, view.slice_row, columns], size)
