"""Graphs in memory as functions."""

import numpy as np
import onnx
import pytest

from tsr.calibration.session import GraphNetwork
from tsr.core.errors import ModelError


def test_what_cannot_be_computed_is_said_in_one_line(full: onnx.ModelProto) -> None:
    """As when memory runs out behind the first window."""
    with pytest.raises(ModelError, match=r"^ONNX Runtime cannot compute it: ") as caught:
        GraphNetwork(full)(np.zeros((4, 10, 32, 32), np.float32))
    assert "\n" not in str(caught.value)
