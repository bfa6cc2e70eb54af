"""What the tests of checks share: a clip of moving spokes, and a model with one damaged weight."""

from pathlib import Path

import clips
import numpy as np
import onnx
import pytest
from onnx import numpy_helper


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Large enough for the quarter ladder."""
    wheel = 0.2 + 0.6 * clips.rotating_spokes(3, 64, 96, turn=0.05)
    return clips.write_pngs(tmp_path_factory.mktemp("clip") / "frames", wheel)


@pytest.fixture(scope="session")
def damaged(tmp_path_factory: pytest.TempPathFactory, tiny_onnx: Path) -> Path:
    """The tiny model with one bias of its last layer, that of green, raised by 1/64."""
    graph = onnx.load(tiny_onnx)
    (bias,) = (entry for entry in graph.graph.initializer if entry.name == "body.7.bias")
    values = np.array(numpy_helper.to_array(bias))
    values[1] += 1 / 64
    bias.CopyFrom(numpy_helper.from_array(values, bias.name))
    path = tmp_path_factory.mktemp("damaged") / "damaged.onnx"
    onnx.save(graph, path)
    return path
