"""Run the full-precision network on windows of the video and count what its layers put out."""

from collections.abc import Sequence

import numpy as np
import onnx

from tsr.calibration.ranges import Histogram
from tsr.calibration.session import with_layers_open
from tsr.core.volume import Volume


def histograms(model: onnx.ModelProto, windows: Sequence[Volume]) -> list[Histogram]:
    """How the outputs of each hidden layer (behind its ReLU) are distributed over the windows.

    Args:
        model: the exported FP32 graph.
        windows: (3, T + 6, H + 16, W + 16) each; run through twice, since the bins are laid once
            the largest value is known.
    """
    network = with_layers_open(model, "Relu")
    seen = [[values.max() for values in network.all(window)] for window in windows]
    found = [Histogram.empty(float(largest)) for largest in np.max(seen, axis=0)]
    for window in windows:
        for histogram, values in zip(found, network.all(window), strict=True):
            histogram.add(values)
    return found


def largest_sums(model: onnx.ModelProto, windows: Sequence[Volume]) -> list[float]:
    """The largest magnitude that each layer's sums reach, before their ReLU."""
    network = with_layers_open(model, "Conv")
    seen = [[np.abs(values).max() for values in network.all(window)] for window in windows]
    return [float(largest) for largest in np.max(seen, axis=0)]
