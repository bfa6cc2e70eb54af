"""What one run of `tsr` did, as data: written by the story, read by the report and by programs."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from tsr.core.exposure import FULL

ShotSource = Literal["trained", "borrowed", "interpolated"]
"""How a shot was made: by a network trained on it, by that of a similar shot, or by plain
interpolation with temporal back-projection."""


@dataclass(frozen=True, kw_only=True)
class ShotRecord:
    """One shot and what was decided for it.

    Args:
        start, stop: input frames [start, stop).
        source: how it was made. reason: why, in words for the user.
        model: the model file's name in the cache, None when interpolated.
        history: of the training: (steps, mean loss since the last, validation PSNR in dB).
        psnr, psnr_cubic: internal validation of the result and of cubic interpolation, in dB.
        seconds: wall time by stage (train, export, render).
        duplicates: input frames that repeat the one before.
    """

    start: int
    stop: int
    source: ShotSource
    reason: str
    model: str | None = None
    history: tuple[tuple[int, float, float], ...] = ()
    psnr: float | None = None
    psnr_cubic: float | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    duplicates: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """One input, one output.

    Args:
        input, output: the files. factor: output frames per input frame.
        exposure: of the input's frames, as a fraction of their interval (`tsr.core.rect`).
        ladder, precision, backend: what computed. settings: the user's choices.
        shots: in order, together every frame that was retimed.
        seconds: wall time by stage. versions: software. notes: what a user should know.
    """

    input: Path
    output: Path
    factor: int
    ladder: str
    precision: str
    backend: str
    settings: dict[str, Any]
    shots: tuple[ShotRecord, ...]
    seconds: dict[str, float]
    versions: dict[str, str]
    notes: tuple[str, ...] = ()
    exposure: float = FULL

    def to_json(self) -> str:
        """JSON text; `from_json` gives back an equal record."""
        return json.dumps(asdict(self), default=str, indent=1)

    @classmethod
    def from_json(cls, text: str) -> "RunRecord":
        """The record that `to_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: it is not one.
        """
        data = json.loads(text)
        shots = tuple(
            ShotRecord(
                **{
                    **shot,
                    "history": tuple((int(n), float(a), float(b)) for n, a, b in shot["history"]),
                    "duplicates": tuple(shot["duplicates"]),
                }
            )
            for shot in data.pop("shots")
        )
        if any(shot.source not in get_args(ShotSource) for shot in shots):
            raise ValueError("unknown source of a shot")
        paths = {name: Path(data.pop(name)) for name in ("input", "output")}
        return cls(**{**data, **paths, "shots": shots, "notes": tuple(data["notes"])})
