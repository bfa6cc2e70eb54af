"""What the project's pictures share: colours, text, frames and slices over time as images (Pillow,
where needed)."""

import functools
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

INK, FAINT, ACCENT, PAPER = (28, 30, 36), (110, 114, 124), (196, 66, 32), (255, 255, 255)
"""Text, lesser text, what is ours, the ground: red, green, blue in 0 to 255."""

Pixels = NDArray[np.float32]
"""(3, H, W) float32 in [0, 1]."""


def draw_text(
    pen: "ImageDraw", x: int, y: int, text: str, size: int, colour: tuple[int, int, int]
) -> None:
    """Write a line whose upper left corner is (x, y)."""
    pen.text((x, y), text, font=font(size), fill=colour)


@functools.cache
def font(size: int) -> "FreeTypeFont | ImageFont":
    """Pillow's own font: the same on every machine, but it has little beyond ASCII."""
    from PIL import ImageFont

    return ImageFont.load_default(size)


def mark_row(
    pen: "ImageDraw", corner: tuple[int, int], panel: tuple[int, int], share: float
) -> None:
    """Triangles at both sides of a panel point at a row of pixels.

    Args:
        corner: (x, y) of the panel's upper left. panel: its (width, height).
        share: where the row lies, 0 at the top and 1 at the bottom.
    """
    (x, y), (width, height) = corner, panel
    middle = y + round(share * height)
    for edge, inward in ((x, 1), (x + width - 1, -1)):
        tip = (edge + 13 * inward, middle)
        pen.polygon([(edge, middle - 8), (edge, middle + 8), tip], fill=ACCENT, outline=PAPER)


def arrow_down(pen: "ImageDraw", x: int, top: int, bottom: int) -> None:
    """The direction of time beside a slice."""
    pen.line((x, top, x, bottom - 8), fill=FAINT, width=2)
    pen.polygon([(x - 6, bottom - 10), (x + 6, bottom - 10), (x, bottom)], fill=FAINT)


def resized(pixels: Pixels, size: tuple[int, int]) -> "Image":
    """The pixels as an image of (width, height), smoothly."""
    from PIL import Image

    return image_of(pixels).resize(size, Image.Resampling.LANCZOS)


def over_time(rows: Pixels, size: tuple[int, int]) -> "Image":
    """One row of pixels over time, (3, T, W), as an image of (width, height).

    Time runs down, and a step per frame stays visible.
    """
    from PIL import Image

    image = image_of(rows)  # T rows
    wide = image.resize((size[0], image.height), Image.Resampling.LANCZOS)
    return wide.resize(size, Image.Resampling.NEAREST)


def image_of(pixels: Pixels) -> "Image":
    """The pixels as an image, values clipped to [0, 1]."""
    from PIL import Image

    levels = np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(levels.transpose(1, 2, 0)))
