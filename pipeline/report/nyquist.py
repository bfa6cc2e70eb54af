"""Where motion was beyond the Nyquist limit in time, and what the result made of it.

A structure of spatial period P that moves more than P / 2 from one input frame to the next looks as
if it moved the other way, or too slowly: at one instant per frame, v and v - round(v) periods are
the same. Local phase (`phases`) measures both, for the structure that rules each place:

- apparent: its step from input frame to input frame, within half a period by its nature;
- recovered: the sum of its small steps over the output frames between the same two instants;
- implied: what structures of twice the period, which are still within the limit, say on the input.

All in periods per input frame; a positive step goes along the direction. What it cannot see:
periods outside the bank, places with little contrast in the result, structures that change shape,
and, on the input alone, whether a lone periodic pattern is beyond the limit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tsr.pipeline.report.footage import Frame
from tsr.pipeline.report.phases import (
    CELL,
    Field,
    Responses,
    Step,
    frequencies,
    reduction_for,
    responses,
    step,
)

VISIBLE = 0.01
"""Amplitude of a structure that counts: 2.5 levels of 255."""
COHERENT = 0.7
"""Share of a place's energy that must move as one."""
MARGIN = 0.55
"""Periods per input frame from which a motion counts as beyond the limit, which lies at 0.5."""
AGREES = 0.25
"""Periods by which two readings of one motion may differ."""
LIVELY = 0.25
"""Change of a structure, against the one of the place that changes most, from which it can rule the
place; of those, the strongest does."""
STEADY = 0.7
"""Share of a structure's way that must lead forward: to and fro is noise."""
STILL = 0.05
"""Periods per input frame up to which nothing moves."""
SAFE = 0.4
"""Periods per input frame up to which a coarser structure is trusted to be within the limit."""
DISTINCT = 1.8
"""Ratio of periods from which two filters see two structures and not one that lies between."""

Mask = NDArray[np.bool_]


class _Places(NamedTuple):
    """Values of the structure that rules each place: (rows, columns)."""

    apparent: NDArray[np.float64]
    recovered: NDArray[np.float64]
    implied: NDArray[np.float64]
    right: NDArray[np.float64]
    down: NDArray[np.float64]
    change: NDArray[np.float64]
    usable: Mask


@dataclass(frozen=True)
class Finding:
    """One place, in one input frame, whose structure moved beyond the limit.

    Attributes:
        number: the input frame. row, column: the place's centre in pixels of the video.
        period: of the structure, in pixels of the video.
        angle: direction of a positive step, in degrees clockwise from rightwards on the screen.
        apparent, recovered, implied: periods per input frame; None where it cannot be told.
        weight: how much changes there.
    """

    number: int
    row: float
    column: float
    period: float
    angle: float
    apparent: float | None
    recovered: float
    implied: float | None
    weight: float

    @property
    def resolved(self) -> bool:
        """Whether the result moves beyond the limit, rather than as the input seems to."""
        return abs(self.recovered) > MARGIN

    @property
    def reversed(self) -> bool | None:
        """Whether the result moves against what the input shows; None where it shows nothing."""
        return None if self.apparent is None else self.recovered * self.apparent < 0

    @property
    def backed(self) -> bool | None:
        """Whether coarser structures of the input say the same; None where there are none."""
        return None if self.implied is None else abs(self.implied - self.recovered) < AGREES


@dataclass(frozen=True)
class Verdicts:
    """What was found in one input frame.

    Attributes:
        number: the input frame.
        moving: (rows, columns) places whose structure moves visibly and can be measured.
        beyond: (rows, columns) those beyond the limit, by the result or by coarser structures.
        findings: one for each of these.
    """

    number: int
    moving: Mask
    beyond: Mask
    findings: tuple[Finding, ...]


def measure(
    number: int, inputs: Sequence[Responses], outputs: Sequence[Responses], reduction: int
) -> Verdicts:
    """Judge the motion from one input frame to the next, by the structure that rules each place.

    Args:
        number: of the first of the two.
        inputs: responses of the two input frames.
        outputs: responses of the output frames from the middle of the first exposure to the middle
            of the second, both ends included.
        reduction: pixels of the video per pixel of the smaller frame.
    """
    places = _places(step(*inputs), [step(a, b) for a, b in pairwise(outputs)], outputs)
    inner = np.zeros_like(places.usable)
    inner[1:-1, 1:-1] = True  # the filters wrap around the frame's edges
    moving = inner & places.usable & (np.abs(places.recovered) > STILL)
    furthest = np.fmax(np.abs(places.recovered), np.abs(places.implied))
    beyond = moving & (furthest > MARGIN)
    return Verdicts(number, moving, beyond, _findings(number, beyond, places, reduction))


class Scan:
    """Collects what `measure` needs while the frames go by.

    Args:
        wanted: input frames to judge, each with the one that follows.
        middle: the output frame, from 0, at the middle of each exposure.
        size: (height, width) of a frame.
    """

    def __init__(self, wanted: set[int], middle: int, size: tuple[int, int]) -> None:
        self.wanted = wanted
        self.middle = middle
        self.reduction = reduction_for(*size)
        self.verdicts: list[Verdicts] = []
        self._inputs: dict[int, Responses] = {}
        self._outputs: dict[int, list[Responses]] = {}

    def take_input(self, number: int, frame: Frame) -> None:
        """The next input frame."""
        if {number, number - 1} & self.wanted:
            self._inputs[number] = responses(frame, self.reduction)

    def take_output(self, number: int, index: int, frame: Frame) -> None:
        """Output frame `index`, from 0, of input frame `number`."""
        middle = self.middle
        owners = {number} if index >= middle else set()
        owners |= {number - 1} if index <= middle else set()
        owners &= self.wanted
        if not owners:
            return
        found = responses(frame, self.reduction)
        for owner in owners:
            self._outputs.setdefault(owner, []).append(found)
        if index == middle and number - 1 in owners:
            self._judge(number - 1)

    def _judge(self, number: int) -> None:
        inputs = [self._inputs.pop(number), self._inputs[number + 1]]
        outputs = self._outputs.pop(number)
        self.verdicts.append(measure(number, inputs, outputs, self.reduction))


def middle_of(weights: NDArray[np.float32]) -> int:
    """The output frame that an input frame shows, if it shows one: its exposure's middle."""
    return int(np.ceil(weights @ np.arange(len(weights)) - 1e-3))


def _places(shown: Step, steps: Sequence[Step], outputs: Sequence[Responses]) -> _Places:
    recovered = np.sum([step.turn for step in steps], axis=0)
    strength = np.mean([step.strength for step in steps], axis=0)
    change = np.sum([step.change for step in steps], axis=0)
    right, down = frequencies(outputs[len(outputs) // 2])
    seen = (shown.strength > VISIBLE**2) & (shown.coherent > COHERENT)
    apparent = np.where(seen, shown.turn, np.nan)
    lively = change >= LIVELY * change.max(axis=(0, 1))
    ruling = np.argmax((strength * lively).reshape(-1, *strength.shape[2:]), axis=0)

    def at(field: NDArray[Any]) -> NDArray[Any]:
        flat = field.reshape(-1, *field.shape[2:])
        return np.asarray(np.take_along_axis(flat, ruling[None], axis=0)[0])

    return _Places(
        apparent=at(apparent),
        recovered=at(recovered),
        implied=at(_implied(apparent, strength, np.hypot(right, down))),
        right=at(right),
        down=at(down),
        change=at(change),
        usable=at(_usable(steps, recovered, apparent)),
    )


def _usable(steps: Sequence[Step], recovered: Field, apparent: Field) -> Mask:
    """Where the result shows one structure, moving steadily, that the input does not contradict."""
    usable = np.mean([step.strength for step in steps], axis=0) > VISIBLE**2
    usable &= np.min([step.coherent for step in steps], axis=0) > COHERENT
    usable &= np.abs(recovered) > STEADY * np.sum([np.abs(step.turn) for step in steps], axis=0)
    off = recovered - apparent
    return np.asarray(usable & ~(np.abs(off - np.round(off)) > AGREES))


def _implied(apparent: Field, strength: Field, frequency: Field) -> Field:
    """By the next coarser structure in the same direction, if it is one of its own."""
    implied = np.full_like(apparent, np.nan)
    ratio = frequency[:-1] / np.maximum(frequency[1:], 1e-6)
    own = (ratio > DISTINCT) & (strength[1:] > strength[:-1] / 16)
    safe = own & (np.abs(apparent[1:]) < SAFE)
    implied[:-1][safe] = (ratio * apparent[1:])[safe]
    return implied


def _findings(number: int, beyond: Mask, places: _Places, reduction: int) -> tuple[Finding, ...]:
    found = []
    for row, column in np.argwhere(beyond):
        right, down = places.right[row, column], places.down[row, column]
        apparent, implied = places.apparent[row, column], places.implied[row, column]
        found.append(
            Finding(
                number=number,
                row=float((row + 0.5) * CELL * reduction),
                column=float((column + 0.5) * CELL * reduction),
                period=float(reduction / max(np.hypot(right, down), 1e-6)),
                angle=float(np.degrees(np.arctan2(down, right))),
                apparent=None if np.isnan(apparent) else float(apparent),
                recovered=float(places.recovered[row, column]),
                implied=None if np.isnan(implied) else float(implied),
                weight=float(places.change[row, column]),
            )
        )
    return tuple(found)
