"""Where frames go: what all sinks share, and a folder of PNG images."""

from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Protocol

from av import VideoFrame

from tsr.core.clip_io.colour import Colour
from tsr.core.clip_io.encoding import LIMITED_ENCODERS, Encoding
from tsr.core.clip_io.formats import LAYOUTS, new_frame
from tsr.core.clip_io.images import encode_image
from tsr.core.clip_io.info import ClipInfo
from tsr.core.clip_io.pixels import Frame, Layout, Plane, from_rgb

PACKED = {"ffv1": {"gbrp": "bgr0"}, "png": {"gbrp": "rgb24", "gbrp16le": "rgb48be"}}
"""RGB formats that an encoder takes only packed; the samples are the same."""


class FrameSink(Protocol):
    """Takes frames one by one; finishes the file when its block ends well."""

    def write(self, frame: Frame | list[Plane]) -> None:
        """Encode one (3, H, W) float32 frame, or its planes as the functions below say."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None: ...


def stored_layout(encoding: Encoding) -> Layout:
    """How frames are converted for this encoding."""
    return LAYOUTS[encoding.pixel_format]


def stored_colour(info: ClipInfo, encoding: Encoding) -> Colour:
    """The colour that frames of a clip are stored with: its own, in a range that players expect."""
    narrowed = encoding.encoder in LIMITED_ENCODERS
    return replace(info.colour, full_range=False) if narrowed else info.colour


def stored_frame(frame: Frame | list[Plane], info: ClipInfo, encoding: Encoding) -> VideoFrame:
    """A frame as the encoder takes it: floats are converted, planes are in its layout already."""
    name = encoding.pixel_format
    layout = LAYOUTS[name]
    planes = (
        frame if isinstance(frame, list) else from_rgb(frame, layout, stored_colour(info, encoding))
    )
    stored = new_frame(planes, name)
    packed = PACKED.get(encoding.encoder, {}).get(name)
    return stored.reformat(format=packed) if packed else stored


class FolderSink:
    """PNG images frame_0000.png, frame_0001.png, … in a folder."""

    def __init__(self, path: Path, info: ClipInfo, encoding: Encoding, num_frames: int) -> None:
        self._path = path
        self._info = info
        self._encoding = encoding
        self._digits = max(4, len(str(num_frames - 1)))
        self._count = 0
        path.mkdir()

    def write(self, frame: Frame | list[Plane]) -> None:
        """Write the next image."""
        image = stored_frame(frame, self._info, self._encoding)
        image.color_primaries = self._info.colour.primaries
        image.color_trc = self._info.colour.transfer
        name = f"frame_{self._count:0{self._digits}d}.png"
        (self._path / name).write_bytes(encode_image(image, "png"))
        self._count += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Every image is complete already."""
