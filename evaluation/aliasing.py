"""Motion aliasing, measured: does a result move in the true direction, at the true speed?

A periodic structure that travels v periods per frame looks, sampled once per frame, as if it
travelled v - round(v): the wrong way from half a period on, the right way too slowly from one on. A
single frame pair cannot tell. A video can, if it also shows the same motion slower: sampled at half
its rate, what travels v / 2 looks as v does, and the frames between are known (paper, section 3.1).
So each scene states whether it holds this evidence, and one without it is measured, too. What is
too short to fill what a network sees at once, it cannot learn from undisturbed: so some scenes are
measured in a short and in a long version.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tsr.core.volume import Volume
from tsr.evaluation.moving_scenes import Drift, WheelBefore
from tsr.evaluation.scenes import Grating, Profile, Scene, SpokedDisc, phase_steps

FACTOR = 8
INPUT_FRAMES, LONG = 32, 64
SIDE = 192
"""Pixels of a frame's side."""

FULL_SPEED = (0.42, 0.62)
"""Part of each clip during which the structure moves at full speed; there it is measured."""

RAMP = 0.06
"""Part of the clip during which it changes from one speed to the next."""

GROUND_PIXELS = 12
"""Per input frame, by which a ground moves that can be followed."""

SPEED_TOLERANCE = 0.1
"""Periods per input frame by which a right speed may differ from the truth's."""
RIGHT_WAY_SHARE = 0.9
"""Share of the steps between output frames that must go the right way: a hesitation once per input
frame, one step of eight, is seen as jerks."""
SMALLEST_STEP = 0.1
"""Share of the true step that a step must have to count: a frame repeated goes nowhere."""
VISIBLE_CONTRAST = 0.1
"""Share of the truth's contrast below which nothing is left whose motion could be seen."""


class PeriodicScene(Scene, Protocol):
    """A scene with one periodic structure whose frequency is known."""

    def amplitudes(self, volume: Volume) -> NDArray[np.complexfloating]:
        """The structure's harmonic in each frame: (T,); it loses phase as it moves forward."""
        ...


@dataclass(frozen=True, kw_only=True)
class AliasScene:
    """A scene, how fast it really is, and what a slow camera makes of it."""

    scene: PeriodicScene
    true_speed: float
    """Periods per input frame at full speed, positive: clockwise, or to the right."""
    slower: tuple[float, ...]
    """Speeds of the phases before (and, mirrored, after) full speed, ascending; may be none."""
    title: str
    """For people, in few words."""
    input_frames: int = INPUT_FRAMES
    """Length of the slow video; all phases last in proportion to it."""

    @property
    def full_speed(self) -> slice:
        """The input frames that lie wholly within the time of full speed."""
        return full_speed_frames(self.input_frames)

    @property
    def apparent_speed(self) -> float:
        """What the slow video shows at full speed: the alias in [-0.5, 0.5]."""
        return apparent(self.true_speed)

    @property
    def aliased(self) -> bool:
        """Whether the slow video shows a wrong direction or speed."""
        return abs(self.apparent_speed - self.true_speed) > 1e-9

    @property
    def holds_evidence(self) -> bool:
        """Whether the video shows each halving of the speed down to one that it shows rightly."""
        speed = self.true_speed
        while abs(apparent(speed) - speed) > 1e-9:
            speed /= 2
            if not any(abs(slower - speed) <= 0.05 * speed for slower in self.slower):
                return False
        return True


@dataclass(frozen=True, kw_only=True)
class Motion:
    """How a video moves at full speed, from its pixels."""

    speed: float
    """Periods per input frame: the mean of the steps between output frames; sign is direction."""
    right_way: float
    """Share of the steps that go in the true direction."""
    contrast: float
    """Mean contrast of the structure, as a share of the truth's."""


def apparent(speed: float) -> float:
    """The speed in [-0.5, 0.5] periods per frame that looks the same, sampled once per frame."""
    return speed - float(np.round(speed))


def scenes() -> dict[str, AliasScene]:
    """The benchmark's scenes by name."""
    return {
        "wheel_slower": _wheel(0.6, (0.12, 0.3), "Wheel, slower before and after"),
        "stripes_slower": _stripes(0.6, (0.12, 0.3), "Stripes, slower before and after"),
        "wheel_twice": _wheel(1.3, (0.325, 0.65), "Wheel, over one period"),
        "stripes_longer": _stripes(
            0.6, (0.12, 0.3), "Stripes, slower, all for twice as long", LONG
        ),
        "wheel_twice_longer": _wheel(
            1.3, (0.325, 0.65), "Wheel, over one period, all for twice as long", LONG
        ),
        # Much that can be followed, and a wheel that cannot.
        "wheel_in_pan": _wheel_before_ground(
            0.6, (0.12, 0.3), "Wheel, slower before and after, on moving ground"
        ),
        "wheel_steady": _wheel(0.6, (), "Wheel, always as fast"),
        "stripes_steady": _stripes(0.6, (), "Stripes, always as fast"),
        # Controls: with the same pattern as the alias above, only less blurred, who gets those
        # right by taking every such pattern for a fast one gets these wrong.
        "wheel_calm": _wheel(-0.4, (), "Wheel, truly backwards"),
        "stripes_calm": _stripes(-0.4, (), "Stripes, truly backwards"),
    }


def measure(scene: PeriodicScene, video: Volume, truth: Volume, rate: int) -> Motion:
    """How `video` moves beside the truth.

    Args:
        scene: what was rendered.
        video: (3, T, H, W), the part at full speed. truth: the same part of the truth, at any rate.
        rate: frames of `video` per input frame; 1 for the slow video itself.
    """
    waves, true_waves = scene.amplitudes(video), scene.amplitudes(truth)
    steps = phase_steps(waves)
    true_step = float(np.median(phase_steps(true_waves)))
    return Motion(
        speed=float(steps.mean()) * rate,
        right_way=float(np.mean(steps / true_step > SMALLEST_STEP)),
        contrast=float(np.abs(waves).mean() / np.abs(true_waves).mean()),
    )


def verdict(found: Motion, true_speed: float) -> str:
    """The motion in words: "right", "wrong way", "wrong speed", "uneven" or "nothing visible"."""
    if found.contrast < VISIBLE_CONTRAST:
        return "nothing visible"
    if abs(found.speed - true_speed) <= SPEED_TOLERANCE:
        return "right" if found.right_way >= RIGHT_WAY_SHARE else "uneven"
    return "wrong way" if found.speed * true_speed < 0 else "wrong speed"


def full_speed_frames(num_frames: int) -> slice:
    """The input frames, of `num_frames`, that lie wholly within the time of full speed."""
    first, last = (share * num_frames for share in FULL_SPEED)
    return slice(int(np.ceil(first)), int(last))


def _wheel(
    speed: float, slower: tuple[float, ...], title: str, input_frames: int = INPUT_FRAMES
) -> AliasScene:
    # The fast camera's own exposure: eight frozen instants would show as rays in the blur.
    profile = _profile(speed, slower, 1.0, input_frames)
    wheel = SpokedDisc(spokes=6, speed=profile, shutter=1.0)
    return AliasScene(
        scene=wheel, true_speed=speed, slower=slower, title=title, input_frames=input_frames
    )


def _wheel_before_ground(speed: float, slower: tuple[float, ...], title: str) -> AliasScene:
    profile = _profile(speed, slower, 1.0, INPUT_FRAMES)
    scene = WheelBefore(
        wheel=SpokedDisc(spokes=6, speed=profile, shutter=1.0, radius=0.25),
        ground=Drift(speed=GROUND_PIXELS / FACTOR, seed=1),
    )
    return AliasScene(scene=scene, true_speed=speed, slower=slower, title=title)


def _stripes(
    speed: float, slower: tuple[float, ...], title: str, input_frames: int = INPUT_FRAMES
) -> AliasScene:
    period = SIDE / 8
    stripes = Grating(period=period, speed=_profile(speed, slower, period, input_frames))
    return AliasScene(
        scene=stripes, true_speed=speed, slower=slower, title=title, input_frames=input_frames
    )


def _profile(speed: float, slower: tuple[float, ...], unit: float, input_frames: int) -> Profile:
    """Speeds over a clip: up the slower phases to full speed, and down again.

    Args:
        speed, slower: periods per input frame.
        unit: the length of a period in the scene's own unit of way.
        input_frames: of the clip.
    """
    first, last = FULL_SPEED
    count = max(len(slower), 1)
    before, after = first / count, (1 - last) / count
    knots = [(first, speed), (last, speed)]
    for place, value in enumerate(reversed(slower)):
        end, start = first - place * before, last + place * after
        knots = [(end - before, value), (end - RAMP, value), *knots]
        knots += [(start + RAMP, value), (start + after, value)]
    frames = input_frames * FACTOR
    times = tuple(share * frames for share, _ in knots)
    return Profile(times, tuple(value * unit / FACTOR for _, value in knots))
