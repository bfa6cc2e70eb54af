"""Training settings: one frozen dataclass, three presets."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from tsr.core.errors import SettingsError
from tsr.core.ladder import Interpolation

FixedExamples = Literal["within", "across", "both"]
Examples = Literal["within", "across", "both", "none", "auto"]
Preset = Literal["fast", "balanced", "paper"]

HIGHEST_RATE = 1e30
"""Far beyond any of use; optimisers multiply it, and what FP32 does not hold they cannot take."""


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How a network is trained on its video.

    Args:
        channels: width of the hidden layers (paper: 128).
        steps: length of the training in steps.
        max_minutes: end earlier, the learning rate falling with the time instead of the steps.
        batch: crops per step (release: 10).
        crop: (frames, rows, columns) of an HTR crop (paper: 16, 36, 36; release: 16, 16, 16).
        optimiser: `adam` is the paper's; `muon` learns more per step.
        policy: `budget` falls along a cosine, `adaptive` is the paper's.
        learning_rate: highest (budget) or first (adaptive) Adam learning rate.
        examples: kinds of internal examples (paper 3.1, 3.2); `none` for plain interpolation;
            `auto` lets the video decide (`tsr.trainer.choose`).
        interpolation: what the network is given to improve: frames moved along their motion, or
            the paper's cubic interpolation in time; `auto` lets the video decide
            (`tsr.trainer.moved`).
        precision: of the convolutions; `auto` is bf16 where the machine has it
            (`tsr.trainer.precision`).
        validate_every: steps between two validations.
        seed: every random choice follows from it.
    """

    channels: int = 128
    steps: int = 1000
    max_minutes: float | None = None
    batch: int = 8
    crop: tuple[int, int, int] = (16, 16, 16)
    optimiser: Literal["adam", "muon"] = "muon"
    policy: Literal["budget", "adaptive"] = "budget"
    learning_rate: float = 1e-3
    examples: Examples = "auto"
    interpolation: Interpolation | Literal["auto"] = "cubic"
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    validate_every: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("channels", 1, 1024),
            ("steps", 1, 10_000_000),
            ("batch", 1, 1024),
            ("validate_every", 1, 10_000_000),
            ("seed", 0, 2**63 - 1),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise SettingsError(f"{name} is {value}; expected {low} to {high}")
        if self.max_minutes is not None and not 0 < self.max_minutes < 1e5:
            raise SettingsError(f"max-minutes is {self.max_minutes}; expected more than 0")
        if not 0 < self.learning_rate <= HIGHEST_RATE:
            raise SettingsError(
                f"learning-rate is {self.learning_rate}; expected more than 0, {HIGHEST_RATE:g} at "
                "most"
            )
        if self.crop[0] % 2 or min(self.crop) < 8:
            raise SettingsError(f"crop is {self.crop}; expected an even number of frames, all ≥ 8")

    @property
    def given(self) -> Interpolation:
        """The interpolation, once the video has decided.

        Raises:
            SettingsError: it has not.
        """
        if self.interpolation == "auto":
            raise SettingsError("interpolation is auto; expected motion or cubic")
        return self.interpolation

    def to_dict(self) -> dict[str, Any]:
        """Plain values for the model card."""
        return {**asdict(self), "crop": list(self.crop)}

    @classmethod
    def preset(cls, name: Preset, **changes: Any) -> "TrainConfig":
        """A preset with single settings replaced (those that are not None)."""
        given = {key: value for key, value in changes.items() if value is not None}
        return replace(PRESETS[name], **given)


PRESETS: dict[Preset, TrainConfig] = {
    "fast": TrainConfig(channels=64, steps=6000, batch=8, interpolation="auto", validate_every=200),
    "balanced": TrainConfig(
        channels=64, steps=20_000, batch=8, interpolation="auto", validate_every=500
    ),
    "paper": TrainConfig(
        channels=128,
        steps=50_000,
        batch=10,
        optimiser="adam",
        policy="adaptive",
        learning_rate=1e-4,
        validate_every=500,
    ),
}
