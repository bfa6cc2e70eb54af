"""The folded last layer computes the same function."""

import numpy as np
import onnx

from tsr.calibration.cpu_form import with_folded_last_layer
from tsr.calibration.qdq import convolutions
from tsr.calibration.session import GraphNetwork
from tsr.core.volume import Volume


def test_it_is_the_same_function(full: onnx.ModelProto, windows: list[Volume]) -> None:
    """Up to the order of sums, at sizes that are no multiples of anything."""
    folded = with_folded_last_layer(full)
    onnx.checker.check_model(folded, full_check=True)
    for window in windows:
        expected = GraphNetwork(full)(window)
        np.testing.assert_allclose(GraphNetwork(folded)(window), expected, atol=2e-6)


def test_its_last_convolution_has_no_extent_in_time(full: onnx.ModelProto) -> None:
    """Nine outputs of a 1×3×3 kernel."""
    folded = with_folded_last_layer(full)
    name = convolutions(folded.graph)[-1].input[1]
    (shape,) = [list(t.dims) for t in folded.graph.initializer if t.name == name]
    assert shape == [9, 8, 1, 3, 3]
