"""A small network's graph, and windows to run it on."""

import numpy as np
import onnx
import pytest
from models import random_network

from tsr.core.volume import Volume
from tsr.export.to_onnx import traced_graph


@pytest.fixture(scope="session")
def full() -> onnx.ModelProto:
    """The exported FP32 graph of a random network with 8 channels."""
    return traced_graph(random_network(8, strength=0.05))


@pytest.fixture(scope="session")
def windows() -> list[Volume]:
    """Three windows of different sizes, none a multiple of anything."""
    generator = np.random.default_rng(0)
    sizes = ((8, 20, 24), (9, 25, 19), (13, 21, 33))
    return [generator.random((3, *size), np.float32) for size in sizes]
