"""What the tests of the one-shot command share."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import clips
import numpy as np
import onnx
import pytest
import stubs
from numpy.typing import NDArray

from tsr.core.ladder import ScaleLadder
from tsr.core.model_card import METADATA_KEY, ModelCard

NUM_FRAMES, HEIGHT, WIDTH = 20, 64, 96


@pytest.fixture(scope="session")
def picture() -> NDArray[np.float32]:
    return 0.3 + 0.4 * clips.rotating_spokes(NUM_FRAMES, HEIGHT, WIDTH, turn=0.05)


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory, picture: NDArray[np.float32]) -> Path:
    """With sound, at an NTSC rate."""
    tone = clips.Tone(NUM_FRAMES * 1001 / 30000)
    path = tmp_path_factory.mktemp("clip") / "in.mp4"
    return clips.write_video(path, picture, fps=Fraction(30000, 1001), tone=tone)


@pytest.fixture(scope="session")
def small_onnx(tiny_onnx: Path) -> Path:
    """The tiny network for small frames: its ladder begins at S×1/4."""
    graph = onnx.load(tiny_onnx)
    entry = next(entry for entry in graph.metadata_props if entry.key == METADATA_KEY)
    card = ModelCard.from_json(entry.value, tiny_onnx)
    entry.value = replace(card, ladder=ScaleLadder(Fraction(1, 4), 8)).to_json()
    path = tiny_onnx.with_name("small.onnx")
    onnx.save(graph, path)
    return path


@pytest.fixture
def small_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """A real training, and a very short one, whatever the machine."""
    from tsr.trainer import config, precision

    small = config.TrainConfig(channels=4, steps=4, batch=1, validate_every=2, precision="fp32")
    monkeypatch.setitem(config.PRESETS, "fast", small)
    for here in (precision.IN_FP32, precision.ON_SHORT_VECTORS):
        monkeypatch.delitem(here, "fast")


@pytest.fixture
def stubbed(tiny_model: Path, small_onnx: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No training; pieces of four input frames at ×8."""
    stubs.install(tiny_model, small_onnx, 32, monkeypatch.setattr)
