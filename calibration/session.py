"""Graphs in memory as functions: a model before and after it was changed, and its inner layers."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from tsr.calibration.qdq import convolutions
from tsr.core.cores import usable_cores
from tsr.core.errors import ModelError
from tsr.core.volume import Volume
from tsr.runtime.onnx_network import INPUT, OUTPUT, first_line


class GraphNetwork:
    """A model that is not in a file yet, on the CPU.

    Args:
        model: a graph of ours.
        exact: compute what the graph says, node by node. ONNX Runtime's rewriting drops a ReLU
            before a rounding to FP8, and computes FP16 and FP8 in FP32 anyway.
        outputs: which tensors to compute.

    Raises:
        ModelError: ONNX Runtime cannot compute it.
    """

    def __init__(
        self, model: onnx.ModelProto, *, exact: bool = False, outputs: Sequence[str] = (OUTPUT,)
    ) -> None:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = usable_cores()
        options.log_severity_level = 4
        if exact:
            options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        self._outputs = list(outputs)
        try:
            self._session = ort.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime raises a class per status, with no common base
            raise ModelError(f"ONNX Runtime cannot compute it: {first_line(error)}") from error

    def __call__(self, window: Volume) -> Volume:
        """(3, T + 6, H + 16, W + 16) → (3, T, H, W)."""
        made: Volume = self.all(window)[0][0]
        return made

    def all(self, window: Volume) -> list[NDArray[np.float32]]:
        """All outputs for a window, each with its batch axis."""
        try:
            return list(self._session.run(self._outputs, {INPUT: window[None]}))
        except Exception as error:  # a class per status, as above
            raise ModelError(f"ONNX Runtime cannot compute it: {first_line(error)}") from error


def with_layers_open(model: onnx.ModelProto, kind: Literal["Conv", "Relu"]) -> GraphNetwork:
    """A network that puts out what its hidden layers make.

    Args:
        kind: `Conv` for the sums, `Relu` for what the next layer reads.
    """
    opened = onnx.ModelProto()
    opened.CopyFrom(model)
    sums = [conv.output[0] for conv in convolutions(opened.graph)]
    names = sums
    if kind == "Relu":
        relus = [node for node in opened.graph.node if node.op_type == "Relu"]
        names = [node.output[0] for node in relus if node.input[0] in sums]
    for name in names:
        opened.graph.output.append(
            helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
        )
    return GraphNetwork(opened, outputs=names)
