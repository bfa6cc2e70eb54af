"""Tiny networks with random weights, and the files that carry them."""

from fractions import Fraction
from pathlib import Path

import torch

from tsr.core.ladder import ScaleLadder
from tsr.core.model_card import ModelCard, VideoStamp
from tsr.trainer.network import TsrNetwork, save_model

STAMP = VideoStamp(
    name="clip.mp4", sha256="0" * 64, width=64, height=64, num_frames=12, fps=Fraction(30)
)


def random_network(channels: int = 8, *, strength: float = 0.3, seed: int = 0) -> TsrNetwork:
    """A network whose residual is of the order of `strength` times the picture."""
    network = TsrNetwork(channels)
    generator = torch.Generator().manual_seed(seed)
    network.initialise(generator)
    last = network.layers[-1].weight
    last.data.normal_(0.0, strength * last[0].numel() ** -0.5, generator=generator)
    return network.eval()


def card(
    channels: int = 8,
    *,
    start: Fraction = Fraction(1, 8),
    factor: int = 8,
    finest: Fraction = Fraction(1),
) -> ModelCard:
    """The card of such a network."""
    ladder = ScaleLadder(start, factor, finest=finest)
    return ModelCard(channels=channels, ladder=ladder, video=STAMP)


def write_model(
    path: Path,
    channels: int = 8,
    *,
    start: Fraction | str = "1/8",
    factor: int = 8,
    finest: Fraction | str = "1",
    strength: float = 0.3,
) -> Path:
    """A .safetensors file as `tsr-train` would leave it."""
    made = card(channels, start=Fraction(start), factor=factor, finest=Fraction(finest))
    save_model(path, random_network(channels, strength=strength), made)
    return path
