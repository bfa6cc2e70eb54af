"""The demo: a workshop yard in which everything moves too fast for the camera.

At full speed the wheel turns 0.60 spoke periods clockwise per input frame (×8), so the slow camera
sees a blurred wheel turning 0.40 periods the other way. For a while before and after it turns half
as fast, which the slow camera still sees rightly: at half the frame rate those frames look as the
full speed does at the whole, so the video itself holds the examples that undo its aliasing (the
paper's recurrence across temporal scales, section 3.1).
Beside it a flag waves (non-rigid) and crates ride past (translation), before a brick wall that
stands still.
"""

import functools
from dataclasses import dataclass

import numpy as np

from tsr.evaluation.picture import View
from tsr.evaluation.scenes import Profile, SpokedDisc
from tsr.evaluation.shapes import (
    Field,
    Frame,
    box,
    coverage,
    grid,
    layered_noise,
    noise,
    paint,
)

DEMO_HEIGHT, DEMO_WIDTH = 272, 480
DEMO_INPUT_FRAMES = 32
DEMO_FACTOR = 8

SLOW, HALF, FAST = 0.12, 0.30, 0.60
"""Spoke periods per input frame at the ends, before and after full speed, and at full speed; above
0.5 the wheel seems to turn backwards."""

FULL_SPEED = (0.45, 0.62)
"""Part of the clip during which the wheel turns at `FAST`."""

SLOW_UNTIL = 0.08
"""Part of the clip until which it turns at `SLOW`."""

HALF_SPEED = (0.19, 0.40)
"""Part during which it turns at `HALF`. Without this evidence, when it only passed that speed, a
network finds the true direction but does not keep to it. After full speed all comes back mirrored.
"""


@dataclass(frozen=True, kw_only=True)
class DemoScene:
    """The yard; times in truth frames, `factor` of which make one frame of the degraded clip."""

    wheel: SpokedDisc
    factor: int = DEMO_FACTOR
    belt_speed: float = 0.055
    """Way of the crates per input frame, in frame heights."""
    flag_rate: float = 0.22
    """Waves of the flag per input frame."""

    def frame(self, time: float, height: int, width: int) -> Frame:
        """The scene at `time`: (3, H, W) float32 in [0, 1]."""
        frame = _yard(height, width).copy()
        _draw_flag(frame, self.flag_rate * time / self.factor)
        self.wheel.draw(frame, time)
        _draw_crates(frame, self.belt_speed * time / self.factor)
        return frame


def demo_scene(num_frames: int = DEMO_INPUT_FRAMES * DEMO_FACTOR) -> DemoScene:
    """The demo scene whose wheel speeds up, runs at full speed and slows down again.

    Args:
        num_frames: truth frames of the clip; the wheel's speed is laid out over them.
    """
    before = (0.0, SLOW_UNTIL, *HALF_SPEED, FULL_SPEED[0])
    after = tuple(sum(FULL_SPEED) - share for share in reversed(before[1:]))
    shares = (*before, *after, 1.0)
    faster = (SLOW, SLOW, HALF, HALF, FAST)
    speeds = (*faster, *reversed(faster))
    speed = Profile(
        tuple(share * num_frames for share in shares),
        tuple(value / DEMO_FACTOR for value in speeds),
    )
    return DemoScene(
        wheel=SpokedDisc(
            spokes=6,
            speed=speed,
            centre=(0.435, 0.60),
            radius=0.38,
            # As with a real fast camera; eight frozen instants would show as rays in the blur.
            shutter=1.0,
            rim=(0.87, 0.66, 0.26),
            hub=(0.80, 0.27, 0.18),
        )
    )


def demo_view(num_frames: int, height: int, width: int) -> tuple[slice, View]:
    """What `picture.comparison_picture` shows of the demo: the wheel at full speed.

    Returns:
        The input frames to cut out of the clip, and the view, whose output frames count from the
        first of those; it shows three instants within one input frame.
    """
    first = round((FULL_SPEED[0] + 0.02) * num_frames / DEMO_FACTOR)
    view = View(
        top=round(0.04 * height),
        left=round(0.16 * height),
        height=round(0.86 * height),
        width=min(round(0.88 * height), width - round(0.16 * height)),
        frames=tuple(2 * DEMO_FACTOR + instant for instant in (0, 3, 6)),
        slice_row=round(0.203 * height),
    )
    return slice(first, first + 5), view


@functools.lru_cache(maxsize=2)
def _yard(height: int, width: int) -> Frame:
    """What stands still: wall, wheel stand, flag pole, belt."""
    y, x = grid(height, width)
    pixel = 1 / height
    frame = _wall(y, x, pixel)
    # The stand's legs run from the hub to the ground; the wheel hides their upper part.
    for slope in (-0.55, 0.55):
        leg = np.abs(x - 0.60 - slope * (y - 0.435)) - 0.03
        paint(frame, coverage(np.maximum(leg, 0.435 - y), pixel), (0.30, 0.21, 0.15))
    pole = box(y, x, 0.05, 1.135, 1.0, 1.16)
    paint(frame, coverage(pole, pixel), (0.86, 0.85, 0.82))
    knob = np.hypot(y - 0.045, x - 1.1475) - 0.028
    paint(frame, coverage(knob, pixel), (0.87, 0.66, 0.26))
    _draw_belt(frame)
    return frame


def _wall(y: Field, x: Field, pixel: float) -> Frame:
    """Bricks in a running bond, each of its own shade, with light mortar and a soft light."""
    brick_height, brick_width, mortar = 0.0625, 0.15, 0.0045
    row = np.floor(y / brick_height)
    shifted = x + brick_width / 2 * (row % 2)
    column = np.floor(shifted / brick_width)
    across = np.abs(shifted - (column + 0.5) * brick_width) - (brick_width / 2 - mortar)
    down = np.abs(y - (row + 0.5) * brick_height) - (brick_height / 2 - mortar)
    shade = noise(row * 7.0 + 0.5, column * 5.0 + 0.5, seed=11) - 0.5
    grain = layered_noise(y * 60, x * 60, seed=21, octaves=3) - 0.5
    tint = 1 + 0.45 * shade + 0.35 * grain
    bricks = np.stack([0.56 * tint, 0.33 * tint, 0.26 * tint]).astype(np.float32)
    frame = np.empty_like(bricks)
    frame[:] = np.array([0.66, 0.61, 0.54], np.float32)[:, None, None] * (1 + 0.2 * grain)
    paint(frame, coverage(np.maximum(across, down), pixel), bricks)
    light = 1.12 - 0.35 * np.hypot(y - 0.2, 0.6 * (x - 0.7))
    return np.asarray(np.clip(frame * light, 0, 1), np.float32)


def _draw_belt(frame: Frame) -> None:
    """The belt's steel frame with a row of bolts."""
    y, x = grid(*frame.shape[1:])
    pixel = 1 / frame.shape[1]
    paint(frame, coverage(0.925 - y + 0 * x, pixel), (0.17, 0.19, 0.22))
    paint(frame, coverage(box(y, x, 0.925, -1.0, 0.936, 99.0), pixel), (0.42, 0.44, 0.47))
    bolt = np.hypot(y - 0.968, (x % 0.12) - 0.06) - 0.012
    paint(frame, coverage(bolt, pixel), (0.55, 0.57, 0.60))


def _draw_flag(frame: Frame, waves: float) -> None:
    """A striped flag with a sun; `waves` is how many waves have run along it."""
    left, length, top, depth = 1.16, 0.54, 0.09, 0.34
    first = int(left * frame.shape[1])
    view = frame[:, : int(0.62 * frame.shape[1]), first:]
    y, x = grid(*frame.shape[1:])
    y, x = y[: view.shape[1]], x[:, first:]
    pixel = 1 / frame.shape[1]
    along = (x - left) / length  # 0 at the pole, 1 at the free edge
    # The free end swings wide, the pole holds the other; a slower wave keeps it from repeating.
    running = np.sin(2 * np.pi * (1.15 * along - waves))
    breathing = np.sin(2 * np.pi * (0.5 * along - 0.37 * waves) + 1.0)
    sway = along * (0.055 * running + 0.02 * breathing)
    down = y - top - sway  # 0 at the upper edge, `depth` at the lower
    cloth = np.maximum(np.maximum(-down, down - depth), np.maximum(left - x, x - left - length))
    stripe = np.abs(down / depth * 5 % 2 - 1) - 0.5  # in stripe heights
    colour = np.empty(view.shape, np.float32)
    colour[:] = np.array([0.95, 0.94, 0.90], np.float32)[:, None, None]
    paint(colour, coverage(stripe * depth / 5, pixel), (0.05, 0.42, 0.44))
    centre_y, centre_x = down - depth / 2, x - left - 0.21
    distance, angle = np.hypot(centre_y, centre_x), np.arctan2(centre_y, centre_x)
    sun = distance - 0.085 - 0.022 * np.cos(10 * angle)
    paint(colour, coverage(sun, pixel), (0.93, 0.48, 0.16))
    paint(colour, coverage(distance - 0.05, pixel), (0.98, 0.80, 0.30))
    # Folds turned from the light are darker.
    fold = 1 - 0.28 * along * np.cos(2 * np.pi * (1.15 * along - waves))
    paint(view, coverage(cloth, pixel), np.clip(colour * fold, 0, 1).astype(np.float32))


def _draw_crates(frame: Frame, way: float) -> None:
    """Three kinds of crates ride to the right; the row repeats every three crates."""
    side, gap, top = 0.155, 0.09, 0.77
    height = frame.shape[1]
    first, last = int((top - 0.01) * height), int(0.94 * height)
    view = frame[:, first:last]
    y, x = grid(*frame.shape[1:])
    y = y[first:last] - top
    place = (x - np.float32(way)) / (side + gap)
    kind = np.floor(place) % 3
    x = (place - np.floor(place)) * (side + gap) - gap / 2
    pixel = 1 / height
    colour = _crate_faces(y, x, kind, side, pixel)
    paint(view, coverage(box(y, x, 0.0, 0.0, side, side), pixel), colour)


def _crate_faces(y: Field, x: Field, kind: Field, side: float, pixel: float) -> Frame:
    """Planks, checks or dots inside a wooden border, by `kind` 0, 1, 2 along x: (3, H, W)."""
    shape = np.broadcast_shapes(y.shape, x.shape)
    grain = 0.8 + 0.4 * layered_noise(y * 90, x * 25 + kind * 9, seed=40, octaves=2)
    face = np.empty((3, *shape), np.float32)
    face[:] = np.array([0.80, 0.62, 0.38], np.float32)[:, None, None] * grain
    planks = np.abs((x + y) % 0.05 - 0.025) - 0.010
    cell = side / 4
    checks = np.where(
        (np.floor(y / cell) + np.floor(x / cell)) % 2 == 0,
        -1,
        1,
    ) * np.minimum(_to_line(y, cell), _to_line(x, cell))
    dots = np.hypot(y % cell - cell / 2, x % cell - cell / 2) - 0.32 * cell
    paint(face, coverage(planks, pixel) * (kind == 0), (0.45, 0.28, 0.14))
    paint(face, coverage(checks, pixel) * (kind == 1), (0.14, 0.42, 0.40))
    paint(face, coverage(dots, pixel) * (kind == 2), (0.72, 0.20, 0.22))
    border = -box(y, x, 0.014, 0.014, side - 0.014, side - 0.014)
    paint(face, coverage(border, pixel), (0.36, 0.22, 0.12))
    return np.clip(face, 0, 1)


def _to_line(position: Field, spacing: float) -> Field:
    """Distance to the nearest multiple of `spacing`."""
    return np.asarray(np.abs(position - np.round(position / spacing) * spacing))
