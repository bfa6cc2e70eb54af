"""Rendered high-speed scenes with exact truth: what a fast camera would have seen.

A scene is a formula: it gives the frame at any instant, so the truth of a degraded clip is known
exactly, in pixels and in motion. Times are counted in truth frames; frame n is the instant n.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tsr.core.console import Progress
from tsr.core.errors import SettingsError
from tsr.core.volume import Volume
from tsr.evaluation.shapes import Colour, Field, Frame, coverage, grid, layered_noise, paint


class Scene(Protocol):
    """Anything that can be drawn at an instant."""

    def frame(self, time: float, height: int, width: int) -> Frame:
        """The scene at `time` (in truth frames): (3, H, W) float32 in [0, 1]."""
        ...


def render(scene: Scene, num_frames: int, height: int, width: int) -> Iterator[Frame]:
    """The truth frame by frame: `num_frames` times (3, H, W) float32 in [0, 1]."""
    return (scene.frame(float(time), height, width) for time in range(num_frames))


def render_volume(scene: Scene, num_frames: int, height: int, width: int) -> Volume:
    """The truth at once: (3, T, H, W) float32 in [0, 1]."""
    return np.stack(list(render(scene, num_frames, height, width)), axis=1)


def write_scene(
    scene: Scene,
    path: Path,
    *,
    num_frames: int,
    height: int,
    width: int,
    fps: Fraction = Fraction(240),
    encoder: str | None = None,
    progress: Progress | None = None,
) -> None:
    """Store the truth as a video or a folder of images, rendered frame by frame.

    Args:
        path: its suffix chooses the container, as everywhere; no suffix is a folder of PNG images.
        encoder: a name of `clip_io.ENCODERS`, such as "ffv1" for a lossless .mkv.
        progress: where to tell how far the work is.

    Raises:
        OutputError: the file cannot be written.
    """
    from tsr.core.clip_io import ClipInfo, ClipWriter, Colour, FrameTimes, choose_encoding

    info = ClipInfo(
        path=path,
        height=height,
        width=width,
        times=FrameTimes.constant(fps, num_frames),
        colour=Colour(),
        pixel_format="gbrp",
        bit_depth=8,
        chroma="rgb",
    )
    encoding = choose_encoding(path, info, encoder=encoder)
    with ClipWriter(path, info, times=info.times, encoding=encoding) as writer:
        for number, frame in enumerate(render(scene, num_frames, height, width), start=1):
            writer.write(frame)
            if progress:
                progress.show(f"frame {number} of {num_frames}")


@dataclass(frozen=True)
class Profile:
    """A speed that changes linearly between knots and stays constant beyond the ends.

    The way travelled is its exact integral (piecewise quadratic), so positions carry no
    accumulated error.
    """

    times: tuple[float, ...]
    """Knots in truth frames, increasing."""
    values: tuple[float, ...]
    """The speed at each knot, per truth frame."""

    def __post_init__(self) -> None:
        if len(self.times) != len(self.values) or not self.times:
            raise SettingsError("a speed profile needs as many values as times, at least one")
        if any(b <= a for a, b in zip(self.times, self.times[1:], strict=False)):
            raise SettingsError(f"the times of a speed profile must increase, found {self.times}")

    @classmethod
    def constant(cls, value: float) -> "Profile":
        """The same speed at all times."""
        return cls((0.0,), (value,))

    def at(self, time: float) -> float:
        """The speed at `time`."""
        return float(np.interp(time, self.times, self.values))

    def travelled(self, time: float) -> float:
        """The integral of the speed from 0 to `time`."""
        return self._from_first(time) - self._from_first(0.0)

    def _from_first(self, time: float) -> float:
        inner = [knot for knot in self.times[1:] if knot < time]
        if time < self.times[0]:
            return self.values[0] * (time - self.times[0])
        knots = np.array([self.times[0], *inner, time])
        speeds = np.interp(knots, self.times, self.values)
        return float(np.sum((speeds[1:] + speeds[:-1]) / 2 * np.diff(knots)))


@dataclass(frozen=True, kw_only=True)
class SpokedDisc:
    """A wheel with equal spokes, turning about the frame's centre or any other point.

    Its look repeats every spoke, so a camera sees only the angle between neighbouring spokes:
    beyond half a period per frame the wheel seems to turn the wrong way.
    """

    spokes: int = 6
    speed: Profile
    """Spoke periods per truth frame; positive is clockwise on the screen."""
    centre: tuple[float, float] | None = None
    """(y, x) in frame heights; None is the middle of the frame."""
    radius: float = 0.42
    """Outer radius in frame heights."""
    spoke_share: float = 0.4
    """Part of each period that the spoke covers."""
    shutter: float = 0.0
    """The fast camera's own exposure, in truth frames about the instant (mean of four instants)."""
    face: Colour = (0.10, 0.13, 0.22)
    spoke: Colour = (0.97, 0.91, 0.78)
    rim: Colour = (0.80, 0.24, 0.16)
    hub: Colour = (0.89, 0.67, 0.25)

    def frame(self, time: float, height: int, width: int) -> Frame:
        """The disc alone on a softly textured grey ground."""
        y, x = grid(height, width)
        ground = 0.45 + 0.2 * layered_noise(y * 12, x * 12, seed=3)
        frame = np.repeat(ground[None], 3, axis=0).astype(np.float32)
        self.draw(frame, time)
        return frame

    def draw(self, frame: Frame, time: float) -> None:
        """Paint the disc as it stands at `time` into a (3, H, W) frame, in place."""
        pixel = 1 / frame.shape[1]
        rows, columns, radius, angle = self._place(*frame.shape[1:])
        view = frame[:, rows, columns]
        paint(view, coverage(radius - self.radius, pixel), self.rim)
        paint(view, coverage(radius - self.radius * 0.9, pixel), self.face)
        paint(view, self._blades(radius, angle, time, pixel), self.spoke)
        paint(view, coverage(radius - self.radius * 0.17, pixel), self.hub)
        paint(view, coverage(radius - self.radius * 0.06, pixel), self.face)

    def _blades(self, radius: Field, angle: Field, time: float, pixel: float) -> Field:
        """Coverage by the spokes, the mean over the instants of the shutter."""
        instants = [0.0]
        if self.shutter > 0:
            instants = [((i + 0.5) / 4 - 0.5) * self.shutter for i in range(4)]
        total = np.zeros_like(radius)
        for instant in instants:
            turned = np.float32(self.speed.travelled(time + instant) % 1.0)
            periods = angle * np.float32(self.spokes / (2 * np.pi)) - turned
            off_spoke = np.abs(periods - np.round(periods)) * np.float32(2 * np.pi / self.spokes)
            # Distance to the spoke's straight edge, which runs from the hub at a fixed angle.
            edge = radius * np.sin(off_spoke - np.float32(np.pi * self.spoke_share / self.spokes))
            total += coverage(np.maximum(edge, radius - self.radius * 0.87), pixel)
        return total / np.float32(len(instants))

    def amplitudes(self, volume: Volume) -> NDArray[np.complexfloating]:
        """The spokes' angular harmonic over the blades, in each frame of (3, T, H, W): (T,).

        Its size is the spokes' contrast, and it loses phase as they turn clockwise.
        """
        rows, columns, radius, angle = self._place(*volume.shape[2:])
        blades = (radius > 0.25 * self.radius) & (radius < 0.85 * self.radius)
        wave = np.exp(-1j * self.spokes * angle[blades])
        return np.asarray(volume[:, :, rows, columns].mean(axis=0)[:, blades] @ wave)

    def measured_speed(self, volume: Volume) -> NDArray[np.float64]:
        """The turn seen from each frame to the next, from the pixels alone.

        Args:
            volume: (3, T, H, W) at any frame rate.

        Returns:
            (T - 1,) spoke periods per frame of `volume` in (-0.5, 0.5]; positive is clockwise.
        """
        return phase_steps(self.amplitudes(volume))

    def _place(self, height: int, width: int) -> tuple[slice, slice, Field, Field]:
        centre = self.centre or (0.5, width / height / 2)
        return _polar_grid(height, width, centre, self.radius)


@functools.lru_cache(maxsize=8)
def _polar_grid(
    height: int, width: int, centre: tuple[float, float], reach: float
) -> tuple[slice, slice, Field, Field]:
    """The rows and columns within `reach` of `centre`, and radius and angle of their pixels."""
    rows, columns = (
        slice(max(int((middle - reach) * height) - 2, 0), int((middle + reach) * height) + 3)
        for middle in centre
    )
    y, x = grid(height, width)
    y, x = y[rows] - np.float32(centre[0]), x[:, columns] - np.float32(centre[1])
    return rows, columns, np.hypot(y, x), np.arctan2(y, x)


@dataclass(frozen=True, kw_only=True)
class Grating:
    """A sine grating that moves along x: the purest motion aliasing, known in closed form."""

    period: float
    """Pixels per period."""
    speed: Profile
    """Pixels per truth frame; positive is to the right."""
    contrast: float = 0.8
    """Peak to peak amplitude."""

    def frame(self, time: float, height: int, width: int) -> Frame:
        """0.5 + contrast / 2 · sin(2π (x - way) / period), x in pixels, the same in all rows."""
        way = self.speed.travelled(time)
        phase = 2 * np.pi * ((np.arange(width) - way) / self.period)
        row = (0.5 + self.contrast / 2 * np.sin(phase)).astype(np.float32)
        return np.broadcast_to(row, (3, height, width)).copy()

    def amplitudes(self, volume: Volume) -> NDArray[np.complexfloating]:
        """The grating's harmonic in each frame of (3, T, H, W), over whole periods: (T,).

        Its size is the grating's contrast, and it loses phase as it moves to the right.
        """
        whole = int(volume.shape[3] // self.period * self.period)
        wave = np.exp(-2j * np.pi * np.arange(whole) / self.period)
        return np.asarray(volume[..., :whole].mean(axis=(0, 2)) @ wave)

    def measured_speed(self, volume: Volume) -> NDArray[np.float64]:
        """The shift seen from each frame to the next, in pixels per frame of `volume`.

        Args:
            volume: (3, T, H, W) at any frame rate.

        Returns:
            (T - 1,) in half a period to either side; positive is to the right.
        """
        return phase_steps(self.amplitudes(volume)) * self.period


def phase_steps(amplitudes: NDArray[np.complexfloating]) -> NDArray[np.float64]:
    """The step of a wave from each frame to the next, in periods: (T,) -> (T - 1,).

    `amplitudes` are products with exp(-i k x): a wave that moves forward loses phase there.
    """
    return np.asarray(-np.angle(amplitudes[1:] * np.conj(amplitudes[:-1])) / (2 * np.pi))
