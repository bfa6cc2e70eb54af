"""What model files are compared on: windows of a video by rung, or of a made-up one."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tsr.core.clip_io import probe
from tsr.core.ladder import Rung, ScaleLadder
from tsr.core.model_card import ModelCard
from tsr.runtime.recording import TILE, Network, Window, record_windows, windows_at
from tsr.runtime.run import choose_ladder

MADE_UP = (6, 256, 256)
"""(frames, rows, columns) of the made-up video: 32 rows are left at S×1/8."""

NUM_WAVES = 40
"""Plane waves that the made-up video is the sum of."""


def video_windows(
    network: Network,
    card: ModelCard,
    clip: Path,
    *,
    start: Fraction | None = None,
    keep: int = 4,
    tile: tuple[int, int, int] = TILE,
) -> dict[Rung, list[Window]]:
    """`record_windows` on the ladder that the model climbs for this video.

    Raises:
        TsrError: the video cannot be read, or is too small for the ladder.
    """
    ladder = choose_ladder(card, probe(clip), None, start)
    return record_windows(network, clip, ladder, keep=keep, tile=tile)


def made_up_windows(
    network: Network,
    ladder: ScaleLadder,
    *,
    keep: int = 4,
    tile: tuple[int, int, int] = TILE,
) -> dict[Rung, list[Window]]:
    """The same of a made-up video: always the same one, moving at every size."""
    frames = MADE_UP[0]
    return windows_at(network, made_up_video(), frames, ladder, [frames // 2], keep=keep, tile=tile)


def made_up_video(seed: int = 0) -> Iterator[NDArray[np.float32]]:
    """Frames (3, H, W) in [0, 1]: plane waves of 4 to 100 pixels, each with its own colour, that
    move by up to half a wave per frame."""
    random = np.random.default_rng(seed)
    length = np.exp(random.uniform(np.log(4), np.log(100), NUM_WAVES))
    angle, phase = random.uniform(0, 2 * np.pi, (2, NUM_WAVES))
    speed = random.uniform(-np.pi, np.pi, NUM_WAVES)
    colour = random.uniform(-1, 1, (3, NUM_WAVES)) / np.sqrt(NUM_WAVES)
    y, x = np.mgrid[: MADE_UP[1], : MADE_UP[2]]
    across = x[..., None] * np.cos(angle) + y[..., None] * np.sin(angle)
    place = across * (2 * np.pi / length) + phase  # (H, W, waves)
    for n in range(MADE_UP[0]):
        waves = np.cos(place + n * speed) @ colour.T  # (H, W, 3)
        yield np.clip(0.5 + 0.5 * waves.transpose(2, 0, 1), 0, 1).astype(np.float32)
