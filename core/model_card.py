"""What a model file says about itself: every .safetensors, .onnx and .plan carries this card."""

import dataclasses
import hashlib
import json
import os
import re
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

from tsr.core.errors import ModelError, SettingsError
from tsr.core.exposure import FULL
from tsr.core.ladder import Interpolation, ScaleLadder

METADATA_KEY = "tsr"
"""The one metadata entry; a single JSON text, so that equal models are equal files."""

SCHEMA = 1
"""Raised whenever a reader of the old card would misread the new one."""

MAX_CARD_LENGTH = 1_000_000
"""Characters of the longest card that is read, hundreds of times the usual one."""

MAX_CHANNELS = 1024
"""Widest network on offer, eight times the paper's; a card that claims more is damaged."""


KINDS = {
    "settings": dict,
    "validation": dict,
    "precision": str,
    "calibration": dict,
    "versions": dict,
}
"""Of what a card tells besides; it may leave it out."""


@dataclass(frozen=True, kw_only=True)
class VideoStamp:
    """The video a model was trained on."""

    name: str
    sha256: str
    width: int
    height: int
    num_frames: int
    fps: Fraction


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """Which network this is, what it was trained on, and how.

    Args:
        channels: width of the hidden layers.
        ladder: the ladder and the exposure it was trained for; `tsr-run` follows them unless told
            otherwise.
        video: the training video.
        settings: the resolved training settings.
        validation: what the internal validation measured, in dB, and at which step.
        precision: number format of the convolutions in this file.
        calibration: how a narrow precision was fitted to the video, with the PSNR it reached;
            empty for others.
        versions: software that made the file.
    """

    channels: int
    ladder: ScaleLadder
    video: VideoStamp
    settings: dict[str, Any] = field(default_factory=dict)
    validation: dict[str, float] = field(default_factory=dict)
    precision: str = "fp32"
    calibration: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """One line of JSON; the same card gives the same text."""
        plain = dataclasses.asdict(self)
        plain["schema"] = SCHEMA
        plain["ladder"] |= {"start": str(self.ladder.start), "finest": str(self.ladder.finest)}
        plain["video"]["fps"] = str(self.video.fps)
        return json.dumps(plain, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | None, path: Path) -> Self:
        """Read the card of the file at `path`.

        Raises:
            ModelError: there is no card, or it is damaged or of a newer schema.
        """
        if text is None:
            raise ModelError(
                f"{path} was not made by tsr (it carries no model card); use tsr-train"
            )
        try:
            if len(text) > MAX_CARD_LENGTH:
                raise ValueError(f"{len(text)} characters")
            plain = json.loads(text)
            schema = plain.pop("schema")
            if schema != SCHEMA:
                raise ModelError(
                    f"{path} has a model card of version {schema}, this program reads version "
                    f"{SCHEMA}; update the program or train again"
                )
            ladder = _ladder(**plain["ladder"])
            video = VideoStamp(**{**plain["video"], "fps": _fraction(plain["video"]["fps"])})
            if type(plain["channels"]) is not int or not 1 <= plain["channels"] <= MAX_CHANNELS:
                raise ValueError(f"{plain['channels']} channels")
            for name, kind in KINDS.items():
                if name in plain and not isinstance(plain[name], kind):
                    raise ValueError(f"{name} is {str(plain[name])[:20]}")
            return cls(**{**plain, "ladder": ladder, "video": video})
        except (
            KeyError,
            TypeError,
            ValueError,
            ZeroDivisionError,
            AttributeError,
            RecursionError,
            SettingsError,
        ) as error:
            raise ModelError(f"{path} has a damaged model card ({error}); train again") from error


def _ladder(
    start: str,
    factor: int,
    exposure: float = FULL,
    finest: str = "1",
    interpolation: Interpolation = "cubic",
) -> ScaleLadder:
    """From a card's JSON; cards of old know the full exposure, passes up to full size and cubic
    interpolation alone."""
    return ScaleLadder(
        _fraction(start), int(factor), float(exposure), _fraction(finest), interpolation
    )


def _fraction(text: Any) -> Fraction:
    """A fraction as cards write it. Python's own reading computes 1e999999999, too."""
    if not re.fullmatch(r"[0-9]{1,12}(/[0-9]{1,12})?", str(text)):
        raise ValueError(f"{str(text)[:20]} is no fraction")
    return Fraction(str(text))


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, or of the names and bytes of the images in a folder.

    Raises:
        ClipError: no image in the folder.
    """
    digest = hashlib.sha256()
    files = _images(path) if path.is_dir() else [path]
    for file in files:
        if path.is_dir():
            digest.update(os.fsencode(file.name))
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _images(folder: Path) -> list[Path]:
    """What of a folder is the clip: thumbnails and folders that other programs leave are not."""
    from tsr.core.clip_io.folder import list_folder  # brings PyAV, which cards do without

    return sorted(list_folder(folder).files)
