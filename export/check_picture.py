"""A picture of where two model files differ: the worst place of each rung."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tsr.core.drawing import ACCENT, FAINT, INK, PAPER, draw_text, image_of
from tsr.core.outputs import completed
from tsr.export.check import CheckReport, RungReport

if TYPE_CHECKING:
    from PIL.Image import Image

PANEL = 288
"""Longer side of a panel in pixels."""
MARGIN, GAP, HEAD, CAPTION = 28, 14, 96, 54
MARK = 9
"""Radius in pixels of the ring around the worst place."""


def check_picture(found: CheckReport, path: Path) -> None:
    """Write the picture: a row per rung with the frame that holds its worst difference, by either
    file, and the difference, black for none and white for the rung's worst.

    Raises:
        OutputError: the picture cannot be written.
    """
    from PIL import Image, ImageDraw

    width = 2 * MARGIN + 3 * PANEL + 2 * GAP
    height = HEAD + len(found.rungs) * (PANEL + CAPTION) + MARGIN
    image = Image.new("RGB", (width, height), PAPER)
    pen = ImageDraw.Draw(image)
    draw_text(pen, MARGIN, 20, "Where two files differ most, by rung of the ladder", 24, INK)
    heads = (found.first.name[-34:], found.second.name[-34:], "difference; white is the worst")
    for number, head in enumerate(heads):
        draw_text(pen, MARGIN + number * (PANEL + GAP), 66, _ascii(head), 16, FAINT)
    for number, rung in enumerate(found.rungs):
        _row(image, rung, HEAD + number * (PANEL + CAPTION))
    with completed(path) as temporary:
        image.save(temporary)


def _row(image: "Image", rung: RungReport, top: int) -> None:
    """Three panels and, below, the figures."""
    from PIL import Image, ImageDraw

    pen = ImageDraw.Draw(image)
    worst = rung.difference
    scale = PANEL / max(worst.first.shape[1:])
    size = (round(worst.first.shape[2] * scale), round(worst.first.shape[1] * scale))
    _, _, row, column = worst.where
    panels = (worst.first, worst.second, heat(worst.first, worst.second))
    for number, panel in enumerate(panels):
        left = MARGIN + number * (PANEL + GAP)
        shown = image_of(np.nan_to_num(panel)).resize(size, Image.Resampling.NEAREST)
        image.paste(shown, (left, top))
        x, y = left + (column + 0.5) * scale, top + (row + 0.5) * scale
        pen.ellipse((x - MARK, y - MARK, x + MARK, y + MARK), outline=ACCENT, width=2)
    colour = INK if rung.agrees else ACCENT
    verdict = "" if rung.agrees else "   BEYOND TOLERANCE"
    text = f"{rung.rung}: worst {rung.worst:.1e} at {rung.where}, {rung.psnr:.1f} dB{verdict}"
    draw_text(pen, MARGIN, top + size[1] + 8, _ascii(text), 17, colour)


def heat(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """The largest difference of a pixel's channels, (3, H, W) frames to a (3, H, W) picture: black
    for none, over red and yellow to white for the largest, and for what is not a number."""
    with np.errstate(invalid="ignore"):
        error = np.abs(first - second).max(axis=0)
    finite = error[np.isfinite(error)]
    most = float(finite.max()) if finite.size and finite.max() > 0 else 1.0
    level = np.where(np.isfinite(error), error / np.float32(most), np.float32(1))
    colours = np.stack([3 * level, 3 * level - 1, 3 * level - 2])
    clipped: NDArray[np.float32] = np.clip(colours, 0, 1).astype(np.float32)
    return clipped


def _ascii(text: str) -> str:
    return text.replace("×", "x").encode("ascii", "replace").decode()
