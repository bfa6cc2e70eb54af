"""Rendered scenes of simple motion, for what is measured on motion itself: a texture that drifts,
alone or behind a wheel, one that turns, and discs, textured or plain, that cross a still ground at
speeds of their own.

As all scenes (`tsr.evaluation.scenes`), they are formulas; times are counted in truth frames.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tsr.core.volume import Volume
from tsr.evaluation.scenes import Profile, SpokedDisc
from tsr.evaluation.shapes import Field, Frame, coverage, grid, layered_noise, paint

FEATURES = 14
"""Features of the coarsest octave of a texture per frame height."""
OCTAVES = 5
APART = 3.0
"""Frame heights between the textures of things, so that they differ."""
DARK, BRIGHT = 0.2, 0.5
"""Grey of a plain ground, and what all plain discs are brighter than; the first is white."""


def texture(y: Field, x: Field, seed: int) -> Field:
    """A grey texture with detail down to the pixel, endless in all directions. In [0, 1]."""
    return layered_noise(y * FEATURES, x * FEATURES, seed, OCTAVES)


@dataclass(frozen=True, kw_only=True)
class Drift:
    """A texture that moves evenly, as seen by a camera that pans."""

    speed: float
    """Pixels per truth frame."""
    direction: float = 0.0
    """Radians, clockwise from the right."""
    seed: int = 0

    def frame(self, time: float, height: int, width: int) -> Frame:
        """The texture as far as it has come: (3, H, W) float32 in [0, 1]."""
        y, x = grid(height, width)
        way = self.speed * time / height
        grey = texture(
            y - np.float32(way * math.sin(self.direction)),
            x - np.float32(way * math.cos(self.direction)),
            self.seed,
        )
        return np.repeat(grey[None], 3, axis=0)


@dataclass(frozen=True, kw_only=True)
class WheelBefore:
    """A wheel before a texture that drifts: one can be followed, the other may be aliased."""

    wheel: SpokedDisc
    ground: Drift

    def frame(self, time: float, height: int, width: int) -> Frame:
        """Both as they stand at `time`: (3, H, W) float32 in [0, 1]."""
        frame = self.ground.frame(time, height, width)
        self.wheel.draw(frame, time)
        return frame

    @property
    def speed(self) -> Profile:
        """The wheel's."""
        return self.wheel.speed

    def amplitudes(self, volume: Volume) -> NDArray[np.complexfloating]:
        """The wheel's (`SpokedDisc.amplitudes`)."""
        return self.wheel.amplitudes(volume)


@dataclass(frozen=True, kw_only=True)
class Turn:
    """A texture that turns about the middle of the frame."""

    speed: float
    """Pixels per truth frame at the frame's upper and lower border; positive is clockwise."""
    seed: int = 0

    def frame(self, time: float, height: int, width: int) -> Frame:
        """The texture as far as it has turned: (3, H, W) float32 in [0, 1]."""
        y, x = grid(height, width)
        y, x = y - np.float32(0.5), x - np.float32(width / height / 2)
        angle = self.speed * time / (height / 2)
        sine, cosine = np.float32(math.sin(angle)), np.float32(math.cos(angle))
        grey = texture(y * cosine - x * sine, x * cosine + y * sine, self.seed)
        return np.repeat(grey[None], 3, axis=0)


@dataclass(frozen=True, kw_only=True)
class Crossing:
    """Discs that cross a still ground, each in its own direction and at its own speed."""

    speed: float
    """Pixels per truth frame, of the fastest; the slowest has a third of it."""
    discs: int = 5
    radius: float = 0.18
    """In frame heights."""
    plain: bool = False
    """Whether ground and discs are of one grey each, instead of textured."""
    seed: int = 0

    def frame(self, time: float, height: int, width: int) -> Frame:
        """The discs where they are, later ones in front: (3, H, W) float32 in [0, 1]."""
        y, x = grid(height, width)
        ground = np.float32(DARK) if self.plain else 0.5 * texture(y, x, self.seed)
        frame = np.repeat(np.broadcast_to(ground, (1, height, width)), 3, axis=0)
        chance = np.random.default_rng(self.seed)
        for disc in range(self.discs):
            start, share, direction = chance.random(2), chance.uniform(1 / 3, 1), chance.random()
            way = share * self.speed * time / height
            angle = 2 * math.pi * direction
            top = _around(start[0] + way * math.sin(angle), 1, self.radius)
            left = _around(
                start[1] * width / height + way * math.cos(angle), width / height, self.radius
            )
            dy, dx = y - np.float32(top), x - np.float32(left)
            light = np.float32(1 - (1 - BRIGHT) * disc / self.discs)
            face = light if self.plain else texture(dy + APART, dx + APART, self.seed + 1 + disc)
            alpha = coverage(np.hypot(dy, dx) - np.float32(self.radius), 1 / height)
            paint(frame, alpha, np.broadcast_to(face, frame.shape))
        return frame


def _around(place: float, length: float, margin: float) -> float:
    """A place that leaves at one side, `margin` beyond the border, and comes in at the other."""
    return (place + margin) % (length + 2 * margin) - margin
