"""What a user may say to `tsr`, and what it stands for."""

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal, get_args

from tsr.core.exposure import FULL

if TYPE_CHECKING:
    from tsr.trainer.config import TrainConfig

Quality = Literal["fast", "balanced", "best"]
"""How much training a video is worth."""

QUALITIES: tuple[Quality, ...] = get_args(Quality)

MORE_STEPS = 3
"""How many times as long as `balanced` the training of `best` is. Longer gained at every length
measured, a wider network of the same length did not (RESULTS.md, "Ideas for training")."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """One run's settings; they hold for all of its inputs.

    Args:
        quality: of the network. factor: output frames per input frame.
        slow_motion: keep the input's rate and stretch time instead.
        encoder, crf: see `tsr.core.clip_io.choose_encoding`.
        part: seconds [from, to) of the input that are retimed; all of it if None.
        exposure: of the input's frames, as a fraction of their interval; `auto`: each shot's own,
            estimated.
        device: `auto`, `cpu` or `cuda`, for training and running.
        overwrite: replace existing outputs.
        shots: each shot of the video is made by itself. overlays: logos and the like keep their
            pixels. keep_duplicates: repeated frames are taken for frames like any other.
        deinterlace: frames that are flagged as interlaced.
        max_minutes: the training of a shot ends after this time at the latest.
        training: further settings of the training that replace the preset's.
    """

    quality: Quality = "fast"
    factor: int = 8
    slow_motion: bool = False
    encoder: str | None = None
    crf: int | None = None
    part: tuple[Fraction, Fraction] | None = None
    exposure: float | Literal["auto"] = FULL
    device: str = "auto"
    overwrite: bool = False
    shots: bool = True
    overlays: bool = True
    keep_duplicates: bool = False
    deinterlace: bool = True
    max_minutes: float | None = None
    training: dict[str, Any] = field(default_factory=dict)

    def train_config(self) -> "TrainConfig":
        """The training that these settings ask for on this machine."""
        from tsr.trainer.precision import preset_here
        from tsr.trainer.train import choose_device

        device = choose_device(self.device)
        changes = {"max_minutes": self.max_minutes, **self.training}
        if self.quality != "best":
            return preset_here(self.quality, device, **changes)
        usual = preset_here("balanced", device)
        return preset_here("balanced", device, **{"steps": MORE_STEPS * usual.steps} | changes)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for the record; what was left open is left out."""
        plain: dict[str, Any] = {
            "quality": self.quality,
            "slow_motion": self.slow_motion,
            "encoder": self.encoder,
            "crf": self.crf,
            "range": [float(second) for second in self.part] if self.part else None,
            "exposure": None if self.exposure == FULL else self.exposure,
            "max_minutes": self.max_minutes,
            "shots": None if self.shots else False,
            "overlays": None if self.overlays else False,
            "keep_duplicates": self.keep_duplicates or None,
            "deinterlace": None if self.deinterlace else False,
            **self.training,
        }
        return {name: value for name, value in plain.items() if value is not None}
