"""The coarse-to-fine scheme as data: which steps lead from the input to the output (paper 4.2)."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, Self, get_args

import numpy as np

from tsr.core.errors import SettingsError
from tsr.core.exposure import FULL, check_exposure
from tsr.core.rect import exposure_after, exposure_weights

Interpolation = Literal["motion", "cubic"]
"""What a network pass is given to improve: frames moved along their motion (`tsr.core.motion`), or
the paper's cubic interpolation in time (4.1)."""

INTERPOLATIONS: tuple[Interpolation, ...] = get_args(Interpolation)

FACTORS = (2, 4, 8)
"""Temporal factors on offer: one to three network passes of ×2."""

START_SCALES = (Fraction(1, 16), Fraction(1, 8), Fraction(1, 4), Fraction(1, 2), Fraction(1))
"""Spatial scales at which the first network pass may happen, coarsest first."""

SHORT_SIDES = {
    8: {Fraction(1, 16): 960, Fraction(1, 8): 512, Fraction(1, 4): 128, Fraction(1, 2): 64},
    4: {Fraction(1, 8): 960, Fraction(1, 4): 480, Fraction(1, 2): 64},
    2: {Fraction(1, 8): 2161, Fraction(1, 4): 1081, Fraction(1, 2): 64},
}
"""By factor: shorter side in pixels from which a ladder starts at a scale; coarsest first, videos
smaller than all start at S×1 (the paper says S×1/4 'for spatially small videos').

Measured (RESULTS.md): at 480 S×1/4 gained 0.3 dB over S×1/8 on two clips, lost 0.1 on two, and
gained in LPIPS on all four; at 720 it lost 0.7 to 0.9 dB on both that were measured. At 240 neither
S×1/4 nor S×1/2 was better on most. At 1080 S×1/16 gained 0.4 to 0.8 over S×1/8 on three and lost
0.2 on one, for a quarter of the work. A ladder for ×4 starts where motion per frame is about as
large as where one for ×8 starts. One for ×2 has a single pass, which leaves most detail at the
finest size: large videos have gained 0.1 dB by a coarser one, but lost a tenth in LPIPS."""

FINEST = Fraction(1, 2)
"""Spatial scale of the finest network pass, unless the user chooses the ladder."""

SHORT_SIDE_MIN = 32
"""Shorter side in pixels that the coarsest rung needs: below, crops hold no structure to learn."""


@dataclass(frozen=True)
class Rung:
    """A resolution relative to the input: spatial scale `s`, temporal scale `t`."""

    s: Fraction
    t: int

    def __str__(self) -> str:
        return f"S×{self.s} T×{self.t}"


@dataclass(frozen=True)
class NetworkPass:
    """Double the frame rate at one size by the network, then back-project in time by rect_2.

    Args:
        input_exposure: of the input's frames, as a fraction of their interval.
        interpolation: what the network is given to improve.
    """

    before: Rung
    input_exposure: float = FULL
    interpolation: Interpolation = "cubic"

    @property
    def after(self) -> Rung:
        """The rung that the pass reaches."""
        return Rung(self.before.s, self.before.t * 2)

    @property
    def exposure(self) -> float:
        """Exposure of the frames that the pass is given, as a fraction of their interval."""
        return exposure_after(self.before.t, self.input_exposure)

    @property
    def halves_motion(self) -> bool:
        """Whether motion is found in halves of the frames: from the second pass on that is half of
        the time and next to no loss (RESULTS.md)."""
        return self.before.t > 1

    @property
    def keeps_input(self) -> bool:
        """Whether frames that agree with those given also agree with the input.

        Not so when the shutter closes within a given frame.
        """
        pairs = exposure_weights(2, self.exposure)
        groups = exposure_weights(self.before.t, self.input_exposure)
        whole = exposure_weights(self.after.t, self.input_exposure)
        return bool(np.allclose(np.outer(groups, pairs).ravel(), whole, atol=1e-6))


@dataclass(frozen=True)
class Climb:
    """Double the size at one frame rate by space-time back-projection against the input.

    Args:
        input_exposure: of the input's frames, as a fraction of their interval.
    """

    before: Rung
    input_exposure: float = FULL

    @property
    def after(self) -> Rung:
        """The rung that the climb reaches."""
        return Rung(self.before.s * 2, self.before.t)


Step = NetworkPass | Climb


@dataclass(frozen=True)
class ScaleLadder:
    """The steps from S×`start` T×1 to S×1 T×`factor`.

    Each network pass is followed by a climb until the `finest` size is reached; passes that remain
    happen at that size, climbs that remain follow the last pass. From 1/8 at ×8 this is the paper's
    net@1/8, climb, net@1/4, climb, net@1/2, climb; from 1/4 it is net@1/4, climb, net@1/2, climb,
    net@1.

    Args:
        exposure: of the input's frames, as a fraction of their interval (`tsr.core.rect`).
        finest: spatial scale of the finest network pass, 1 in the paper. With 1/2 a ladder from 1/4
            is net@1/4, climb, net@1/2, net@1/2, climb: the same PSNR for a third of the work
            (RESULTS.md).
        interpolation: what the network is given to improve; cubic in the paper.
    """

    start: Fraction
    factor: int
    exposure: float = FULL
    finest: Fraction = Fraction(1)
    interpolation: Interpolation = "cubic"

    def __post_init__(self) -> None:
        _check_factor(self.factor)
        if self.start not in START_SCALES:
            offered = ", ".join(map(str, START_SCALES))
            raise SettingsError(f"start scale {self.start} is not on offer; choose from {offered}")
        if self.finest not in START_SCALES or self.finest < self.start:
            raise SettingsError(
                f"finest scale {self.finest} is not on offer; choose one from {self.start} to 1"
            )
        if self.interpolation not in INTERPOLATIONS:
            offered = ", ".join(INTERPOLATIONS)
            raise SettingsError(f"interpolation is {self.interpolation}; choose from {offered}")
        check_exposure(self.exposure)

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps in order."""
        steps: list[Step] = []
        rung = Rung(self.start, 1)
        while rung != Rung(Fraction(1), self.factor):
            climbs = bool(steps) and isinstance(steps[-1], NetworkPass) and rung.s < self.finest
            if climbs or rung.t == self.factor:
                steps.append(Climb(rung, self.exposure))
            else:
                steps.append(NetworkPass(rung, self.exposure, self.interpolation))
            rung = steps[-1].after
        return tuple(steps)

    @property
    def pass_exposures(self) -> tuple[float, ...]:
        """Exposure of the frames that each network pass is given, in order."""
        return tuple(step.exposure for step in self.steps if isinstance(step, NetworkPass))

    @property
    def halvings(self) -> int:
        """How often the input is halved to reach the coarsest rung."""
        return self.start.denominator.bit_length() - 1

    @property
    def multiple(self) -> int:
        """What both sides of a frame must divide by (frames are padded up to it)."""
        return self.start.denominator

    def __str__(self) -> str:
        names = [
            f"{'net' if isinstance(step, NetworkPass) else 'bp'}→{step.after}"
            for step in self.steps
        ]
        if self.exposure != FULL:
            names.append(f"exposure {self.exposure:g}")
        if self.interpolation != "cubic":
            names.append(self.interpolation)
        return " ".join(names)

    @classmethod
    def for_size(cls, height: int, width: int, factor: int = 8) -> tuple[Self, str]:
        """The ladder that suits a frame size, and the reason in words.

        Raises:
            SettingsError: as `start_scale_for`.
        """
        start, reason = start_scale_for(height, width, factor)
        return cls(start, factor, finest=max(start, FINEST)), reason


def start_scale_for(height: int, width: int, factor: int = 8) -> tuple[Fraction, str]:
    """The coarsest rung that suits a frame size and a factor, with the reason in words.

    Raises:
        SettingsError: the frame is too small for any ladder, or the factor is not on offer.
    """
    _check_factor(factor)
    short = min(height, width)
    if short < SHORT_SIDE_MIN:
        raise SettingsError(
            f"the video is {width}×{height}; its shorter side must be at least {SHORT_SIDE_MIN} "
            "pixels, or nothing can be learned from it"
        )
    enough = SHORT_SIDES[factor] | {Fraction(1): SHORT_SIDE_MIN}
    start = next(scale for scale, least in enough.items() if short >= least)
    rules = [f"at S×{scale} from {least} on" for scale, least in enough.items() if scale <= start]
    return start, (
        f"the shorter side has {short} pixels; ×{factor} starts {', '.join(reversed(rules[-2:]))}"
    )


def _check_factor(factor: int) -> None:
    if factor not in FACTORS:
        raise SettingsError(f"factor {factor} is not on offer; choose 2, 4 or 8")
