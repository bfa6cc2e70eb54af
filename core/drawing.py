"""What the project's pictures share: colours, text, and frames as images (Pillow, where needed)."""

import functools
from typing import TYPE_CHECKING

import numpy as np

from tsr.core.volume import Volume

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

INK, FAINT, ACCENT, PAPER = (28, 30, 36), (110, 114, 124), (196, 66, 32), (255, 255, 255)


def draw_text(
    pen: "ImageDraw", x: int, y: int, text: str, size: int, colour: tuple[int, int, int]
) -> None:
    """Write a line of ASCII text, `size` pixels high, from its top left corner."""
    pen.text((x, y), text, font=font(size), fill=colour)


@functools.cache
def font(size: int) -> "FreeTypeFont | ImageFont":
    """Pillow's own font: the same on every machine, but it has little beyond ASCII."""
    from PIL import ImageFont

    return ImageFont.load_default(size)


def image_of(values: Volume) -> "Image":
    """(3, H, W) float32, clipped to [0, 1], as an 8-bit RGB image."""
    from PIL import Image

    levels = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(levels.transpose(1, 2, 0)))
