"""Pixels as pictures inside a page: data URIs made by PyAV's encoders."""

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Levels = NDArray[np.uint8]
"""(H, W, 3) in 0 to 255."""

FORMATS = {"png": "rgb24", "mjpeg": "yuvj444p"}
"""The pixel format that each encoder is given."""
OPTIONS = {"png": {}, "mjpeg": {"qmin": "2", "qmax": "2"}}
TYPES = {"png": "image/png", "mjpeg": "image/jpeg"}

HEAT = ((0, 0, 0), (87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164))
"""A scale of colours from nothing to most that also reads in grey."""


def photo(pixels: Levels, *, width: int | None = None, ratio: float = 1.0) -> str:
    """A picture from the video as a JPEG of high quality, full colour resolution.

    Args:
        width: at most so many pixels wide; its own width when None.
        ratio: width of a pixel over its height; the picture's pixels are square.
    """
    height, own = pixels.shape[:2]
    wide = own * ratio
    shrink = min(1.0, width / wide) if width else 1.0
    return _encoded(pixels, "mjpeg", (round(height * shrink), round(wide * shrink)))


def exact(pixels: Levels) -> str:
    """Pixels as they are, as a PNG."""
    return _encoded(pixels, "png", pixels.shape[:2])


def side_by_side(crops: Sequence[Levels]) -> Levels:
    """Crops of one size in a row."""
    return np.asarray(np.concatenate(crops, axis=1))


def heat(values: NDArray[Any], most: float) -> Levels:
    """(H, W) values from 0 to `most` in the colours of `HEAT`: (H, W, 3)."""
    place = np.clip(values / most, 0, 1) * (len(HEAT) - 1)
    colours = np.array(HEAT, np.float64)
    low = np.minimum(place.astype(int), len(HEAT) - 2)
    mixed = colours[low] + (place - low)[..., None] * (colours[low + 1] - colours[low])
    return np.asarray(np.rint(mixed), np.uint8)


def pooled(values: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """(H, W) brought down to at most `width` columns; every pixel is the largest of its block."""
    factor = max(1, -(-values.shape[1] // width))
    height, wide = (-(-side // factor) * factor for side in values.shape)
    padded = np.pad(
        values, ((0, height - values.shape[0]), (0, wide - values.shape[1])), mode="edge"
    )
    blocks = padded.reshape(height // factor, factor, wide // factor, factor)
    return np.asarray(blocks.max(axis=(1, 3)))


def _encoded(pixels: Levels, codec: str, size: tuple[int, int]) -> str:
    from av import VideoFrame

    from tsr.core.clip_io.images import encode_image

    frame = VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
    height, width = (max(side, 1) for side in size)
    frame = frame.reformat(width, height, format=FORMATS[codec], interpolation="LANCZOS")
    image = encode_image(frame, codec, OPTIONS[codec])
    return f"data:{TYPES[codec]};base64,{base64.b64encode(image).decode('ascii')}"
