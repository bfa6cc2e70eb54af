"""FFmpeg pixel formats and the planar layouts that `pixels` converts."""

from typing import cast

import numpy as np
from av import VideoFrame
from av.video.format import VideoFormat

from tsr.core.clip_io.pixels import Layout, Plane
from tsr.core.errors import ClipError

_DEPTHS = (8, 10, 12, 16)
_CHROMA = {"420": (True, True), "422": (True, False), "444": (False, False)}


def _build_layouts() -> dict[str, Layout]:
    layouts = {}
    for depth in _DEPTHS:
        end = "" if depth == 8 else f"{depth}le"
        layouts[f"gbrp{end}"] = Layout("rgb", depth)
        layouts[f"gray{end}"] = Layout("grey", depth)
        for name, (columns, rows) in _CHROMA.items():
            layouts[f"yuv{name}p{end}"] = Layout("yuv", depth, columns, rows)
    for name, (columns, rows) in _CHROMA.items():
        layouts[f"yuvj{name}p"] = Layout("yuv", 8, columns, rows)
    return layouts


LAYOUTS = _build_layouts()
"""Planar formats whose samples are used as they are."""


def planar_format(pixel_format: VideoFormat) -> str:
    """The planar format of `LAYOUTS` that holds every sample of `pixel_format`, alpha apart."""
    if pixel_format.name in LAYOUTS:
        return pixel_format.name
    depth = max(component.bits for component in pixel_format.components)
    stored = next((known for known in _DEPTHS if known >= depth), _DEPTHS[-1])
    end = "" if stored == 8 else f"{stored}le"
    if pixel_format.is_rgb or pixel_format.has_palette:
        return f"gbrp{end}"
    if pixel_format.name.startswith(("gray", "ya", "mono")):
        return f"gray{end}"
    halved = (pixel_format.chroma_width(64) == 32, pixel_format.chroma_height(64) == 32)
    chroma = next((name for name, sides in _CHROMA.items() if sides == halved), "444")
    return f"yuv{chroma}p{end}"


def read_planes(frame: VideoFrame) -> tuple[list[Plane], Layout]:
    """Sample planes of a decoded frame; packed formats are unpacked first, without loss."""
    name = planar_format(frame.format)
    if name != frame.format.name:
        # Same matrix and range on both sides: only the arrangement of samples changes.
        frame = frame.reformat(format=name)
    return planes_of(frame, LAYOUTS[name]), LAYOUTS[name]


def is_transparent(frame: VideoFrame) -> bool:
    """Whether any pixel lets something behind it show through."""
    pixel_format = frame.format
    if not pixel_format.has_palette and not any(c.is_alpha for c in pixel_format.components):
        return False
    deep = max(component.bits for component in pixel_format.components) > 8
    packed = frame.reformat(format="rgba64le" if deep else "rgba").to_ndarray()
    # Widened samples of 10 and 12 bits end a little below the peak.
    return bool(packed[..., 3].min() < 0.99 * (65535 if deep else 255))


def planes_of(frame: VideoFrame, layout: Layout) -> list[Plane]:
    """Views of a planar frame's samples, without the padding at the ends of rows."""
    planes = []
    for plane in frame.planes:
        samples = np.frombuffer(cast(bytes, plane), layout.dtype)
        planes.append(samples.reshape(plane.height, -1)[:, : plane.width])
    return planes


def new_frame(planes: list[Plane], pixel_format: str) -> VideoFrame:
    """A frame of planar `pixel_format` with a copy of `planes`."""
    height, width = planes[0].shape
    frame = VideoFrame(width, height, pixel_format)
    for target, plane in zip(planes_of(frame, LAYOUTS[pixel_format]), planes, strict=True):
        target[:] = plane
    return frame


def layout_of(pixel_format: VideoFormat) -> Layout:
    """Layout in which frames of `pixel_format` are converted.

    Raises:
        ClipError: a format without samples in memory (hardware surfaces).
    """
    if not pixel_format.components:
        raise ClipError(f"pixel format {pixel_format.name} cannot be read; convert to yuv420p")
    return LAYOUTS[planar_format(pixel_format)]
