"""Clips made from formulas, written through PyAV alone, so that tests know every pixel and time.

Pictures are functions of (x, y, t) and come as (3, T, H, W) float32 RGB in [0, 1]; `write_video`
stores given planes with given timestamps and tags. Nothing here uses `tsr.core.clip_io`.
"""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import av.filter
import numpy as np
from numpy.typing import NDArray

MATRICES = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}
"""k_red and k_blue of matrix codes (ISO/IEC 23091-2)."""


# Pictures: (3, T, H, W) float32


def moving_bar(
    num_frames: int, height: int, width: int, *, speed: float = 2.0, bar: int = 8
) -> NDArray[np.float32]:
    """A white bar `bar` pixels wide, edges antialiased, moving right by `speed` pixels a frame."""
    x = np.arange(width, dtype=np.float64)
    left = (np.arange(num_frames)[:, None] * speed) % width
    cover = np.clip(np.minimum(x + 1, left + bar) - np.maximum(x, left), 0, 1)
    cover += np.clip(np.minimum(x + 1, left + bar - width) - x, 0, 1)
    return _grey_volume(np.repeat(cover[:, None, :], height, axis=1))


def rotating_spokes(
    num_frames: int, height: int, width: int, *, spokes: int = 6, turn: float = 0.11
) -> NDArray[np.float32]:
    """A wheel of soft spokes that turns by `turn` radians a frame; fast turns alias in time."""
    y, x = np.mgrid[:height, :width]
    angle = np.arctan2(y - (height - 1) / 2, x - (width - 1) / 2)
    turned = angle[None] - turn * np.arange(num_frames)[:, None, None]
    return _grey_volume(0.5 + 0.5 * np.cos(spokes * turned))


def flicker(num_frames: int, height: int, width: int, *, period: int = 4) -> NDArray[np.float32]:
    """A flat field whose brightness is a cosine of time with `period` frames."""
    level = 0.5 + 0.4 * np.cos(2 * np.pi * np.arange(num_frames) / period)
    return _grey_volume(np.broadcast_to(level[:, None, None], (num_frames, height, width)))


def numbered(num_frames: int, height: int, width: int) -> NDArray[np.float32]:
    """Flat frames, each a different grey: frame n is recognised by its level alone."""
    level = 0.1 + 0.8 * np.arange(num_frames) / max(num_frames - 1, 1)
    return _grey_volume(np.broadcast_to(level[:, None, None], (num_frames, height, width)))


def gradient(num_frames: int, height: int, width: int) -> NDArray[np.float32]:
    """Red rises along x, green along y, blue along t."""
    t, y, x = np.meshgrid(
        np.linspace(0, 1, num_frames), np.linspace(0, 1, height), np.linspace(0, 1, width),
        indexing="ij",
    )  # fmt: skip
    return np.stack([x, y, t]).astype(np.float32)


def colour_chart(height: int, width: int, *, patch: int = 16, seed: int = 0) -> NDArray[np.float32]:
    """One frame (3, 1, H, W) of flat random patches of `patch` pixels."""
    rows, columns = -(-height // patch), -(-width // patch)
    colours = np.random.default_rng(seed).integers(0, 256, (3, rows, columns)) / 255
    chart = np.kron(colours, np.ones((1, patch, patch)))[:, :height, :width]
    return chart[:, None].astype(np.float32)


def _grey_volume(frames: NDArray[Any]) -> NDArray[np.float32]:
    return np.repeat(frames[None].astype(np.float32), 3, axis=0)


# Conversions by the book, one pixel at a time in effect: the oracle for colours


def ycc_from_rgb(
    rgb: NDArray[Any], *, matrix: int = 1, full_range: bool = False, depth: int = 8
) -> NDArray[np.float64]:
    """Unrounded Y, Cb, Cr levels of (3, ...) RGB in [0, 1]."""
    k_red, k_blue = MATRICES[matrix]
    red, green, blue = np.asarray(rgb, np.float64)
    luma = k_red * red + (1 - k_red - k_blue) * green + k_blue * blue
    chroma = [(blue - luma) / (2 * (1 - k_blue)), (red - luma) / (2 * (1 - k_red))]
    peak, step = 2**depth - 1, 2 ** (depth - 8)
    if full_range:
        return np.stack([peak * luma, *(peak * c + 128 * step for c in chroma)])
    return np.stack([(219 * luma + 16) * step, *((224 * c + 128) * step for c in chroma)])


def rgb_from_ycc(
    ycc: NDArray[Any], *, matrix: int = 1, full_range: bool = False, depth: int = 8
) -> NDArray[np.float64]:
    """RGB clipped to [0, 1] of (3, ...) stored levels."""
    k_red, k_blue = MATRICES[matrix]
    peak, step = 2**depth - 1, 2 ** (depth - 8)
    luma, cb, cr = np.asarray(ycc, np.float64)
    if full_range:
        luma, cb, cr = luma / peak, (cb - 128 * step) / peak, (cr - 128 * step) / peak
    else:
        luma = (luma / step - 16) / 219
        cb, cr = (cb / step - 128) / 224, (cr / step - 128) / 224
    red, blue = luma + 2 * (1 - k_red) * cr, luma + 2 * (1 - k_blue) * cb
    green = (luma - k_red * red - k_blue * blue) / (1 - k_red - k_blue)
    return np.clip(np.stack([red, green, blue]), 0, 1)


def yuv_planes(
    frame: NDArray[np.float32], pixel_format: str, *, matrix: int = 1, full_range: bool = False
) -> list[NDArray[Any]]:
    """Planes of a (3, H, W) frame; chroma is the top left sample of its block (exact when flat)."""
    depth = 10 if "10" in pixel_format else 8
    dtype = np.uint8 if depth == 8 else np.uint16
    levels = ycc_from_rgb(frame, matrix=matrix, full_range=full_range, depth=depth)
    planes = np.rint(levels).astype(dtype)
    if pixel_format.startswith("gray"):
        return [planes[0]]
    rows = 2 if "420" in pixel_format else 1
    columns = 1 if "444" in pixel_format else 2
    return [planes[0], planes[1][::rows, ::columns], planes[2][::rows, ::columns]]


# Files


def write_video(
    path: Path,
    volume: NDArray[np.float32],
    *,
    fps: Fraction | int = 30,
    ticks: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    matrix: int | None = None,
    full_range: bool = False,
    options: dict[str, str] | None = None,
    rotation: int = 0,
    pixel_ratio: Fraction | None = None,
    tone: "Tone | None" = None,
    chapters: int = 0,
    gop: int = 12,
) -> Path:
    """Write a (3, T, H, W) volume, by default losslessly (x264 `qp 0`), 30 frames per second.

    Args:
        ticks: timestamp of each frame and, last, the end; 0, 1, 2, … at `fps` when None.
        time_base: seconds per tick; 1/fps when None.
        matrix: written as the tag, and used; untagged and BT.601 (709 from 720 rows) when None.
        rotation: degrees counter-clockwise, as a display matrix.
        tone: an audio track.
        chapters: how many, of a tenth of a second each.
    """
    _, count, height, width = volume.shape
    used = matrix or (1 if height >= 720 else 6)
    ticks = ticks or range(count + 1)
    time_base = time_base or Fraction(1) / fps
    default = {"qp": "0", "preset": "ultrafast"} if codec == "libx264" else {}
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(fps), options=options or default)
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        stream.time_base = stream.codec_context.time_base = time_base
        stream.codec_context.gop_size = gop
        if matrix is not None:
            stream.codec_context.colorspace = matrix
            stream.codec_context.color_range = 2 if full_range else 1
        if pixel_ratio is not None:
            stream.codec_context.sample_aspect_ratio = pixel_ratio
        if rotation:
            stream.set_display_rotation(rotation)
        if chapters:
            marks = [{"id": n, "start": n, "end": n + 1, "metadata": {}} for n in range(chapters)]
            container.set_chapters([{**mark, "time_base": Fraction(1, 10)} for mark in marks])
        audio = tone.add_to(container) if tone is not None else None
        for n in range(count):
            if pixel_format.startswith(("gbr", "rgb", "bgr")):
                frame = rgb_frame(volume[:, n], pixel_format)
            else:
                planes = yuv_planes(volume[:, n], pixel_format, matrix=used, full_range=full_range)
                frame = planar_frame(planes, pixel_format)
            frame.pts, frame.time_base = ticks[n], time_base
            frame.duration = ticks[n + 1] - ticks[n]
            if matrix is not None:
                frame.colorspace, frame.color_range = matrix, 2 if full_range else 1
            container.mux(_with_durations(stream.encode(frame), ticks))
        container.mux(_with_durations(stream.encode(None), ticks))
        if tone is not None and audio is not None:
            tone.write_to(container, audio)
    return path


def write_interlaced(path: Path, volume: NDArray[np.float32], *, top_first: bool = True) -> Path:
    """Frames stored without loss and flagged as interlaced, which only a filter can do to them."""
    height, width = volume.shape[2:]
    graph = av.filter.Graph()
    pixels = {"width": width, "height": height, "format": "yuv420p"}
    source = graph.add_buffer(**pixels, time_base=Fraction(1, 25))
    order = graph.add("setfield", "tff" if top_first else "bff")
    graph.link_nodes(source, order, graph.add("buffersink")).configure()
    options = {"qp": "0", "preset": "ultrafast", "x264-params": f"{'tb'[not top_first]}ff=1"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for n in range(volume.shape[1]):
            frame = planar_frame(yuv_planes(volume[:, n], "yuv420p", matrix=6), "yuv420p")
            frame.pts, frame.time_base = n, Fraction(1, 25)
            graph.vpush(frame)
            container.mux(stream.encode(graph.vpull()))
        container.mux(stream.encode(None))
    return path


def _with_durations(packets: list[Any], ticks: Sequence[int]) -> list[Any]:
    """Packets whose durations are what `ticks` says, whatever the encoder made of them."""
    lasts = dict(pairwise(ticks))
    for packet in packets:
        packet.duration = lasts[packet.pts] - packet.pts
    return packets


def planar_frame(planes: list[NDArray[Any]], pixel_format: str) -> av.VideoFrame:
    """A frame holding exactly these planes."""
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, pixel_format)
    for target, plane in zip(frame.planes, planes, strict=True):
        rows = np.frombuffer(target, plane.dtype).reshape(target.height, -1)
        rows[:, : plane.shape[1]] = plane
    return frame


def rgb_frame(frame: NDArray[np.float32], pixel_format: str) -> av.VideoFrame:
    """An RGB frame, rounded to 8 or 16 bits."""
    peak = 65535 if "48" in pixel_format else 255
    dtype = np.uint16 if peak == 65535 else np.uint8
    pixels = np.ascontiguousarray(np.rint(np.moveaxis(frame, 0, -1) * peak).astype(dtype))
    packed = av.VideoFrame.from_ndarray(pixels, format="rgb48le" if peak == 65535 else "rgb24")
    return packed.reformat(format=pixel_format)


class Tone:
    """A sine whose pitch and start are known: silence before `start`, `seconds` long."""

    def __init__(
        self,
        seconds: float,
        *,
        codec: str = "aac",
        hertz: float = 440.0,
        start: Fraction = Fraction(0),
        rate: int = 48_000,
        layout: str = "mono",
        bit_rate: int | None = None,
    ) -> None:
        self.seconds, self.codec, self.hertz, self.start = seconds, codec, hertz, start
        self.rate, self.layout, self.bit_rate = rate, layout, bit_rate

    def samples(self) -> NDArray[np.float32]:
        """(samples,) float32 in [-0.5, 0.5]."""
        seconds = np.arange(round(self.seconds * self.rate)) / self.rate
        return (0.5 * np.sin(2 * np.pi * self.hertz * seconds)).astype(np.float32)

    def add_to(self, container: Any) -> Any:
        """Add the stream to a container that is being written."""
        stream = container.add_stream(self.codec, rate=self.rate, layout=self.layout)
        if self.bit_rate:
            stream.codec_context.bit_rate = self.bit_rate
        return stream

    def write_to(self, container: Any, stream: Any) -> None:
        """Encode and mux all of it."""
        frame = av.AudioFrame.from_ndarray(self.samples()[None], format="fltp", layout="mono")
        frame.sample_rate = self.rate
        frame.time_base, frame.pts = Fraction(1, self.rate), round(self.start * self.rate)
        context = stream.codec_context
        resampler = av.AudioResampler(
            context.format.name, context.layout.name, self.rate, context.frame_size or None
        )
        for ready in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(ready))
        container.mux(stream.encode(None))


def write_pngs(folder: Path, volume: NDArray[np.float32], *, deep: bool = False) -> Path:
    """A folder of frame_0.png, frame_1.png, …, 8-bit or 16-bit, without leading zeros."""
    folder.mkdir()
    for n in range(volume.shape[1]):
        encoder = av.CodecContext.create("png", "w")
        image = rgb_frame(volume[:, n], "rgb48le").reformat(format="rgb48be") if deep else (
            rgb_frame(volume[:, n], "rgb24")
        )  # fmt: skip
        encoder.width, encoder.height, encoder.pix_fmt = (
            image.width,
            image.height,
            image.format.name,
        )
        encoder.time_base = Fraction(1, 25)
        packets = [*encoder.encode(image), *encoder.encode(None)]
        (folder / f"frame_{n}.png").write_bytes(b"".join(map(bytes, packets)))
    return folder
