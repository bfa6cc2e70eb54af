"""Another form of the exported graph, to be measured beside it: 1×3×3 convolutions as 2D ones."""

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
import onnx
from onnx import helper, numpy_helper

from tsr.calibration.qdq import convolutions

FRAMES_AS_BATCH = [1, 0, 2, 3]
"""(C, T, H, W) → (T, C, H, W), and back."""


def lowered_to_2d(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy whose chains of 1×3×3 convolutions work on frames as a batch: the same function."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    del graph.value_info[:]
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    graph.initializer.append(numpy_helper.from_array(np.array([0], np.int64), "batch"))
    layers = convolutions(graph)
    for first, last in _flat_runs([tensors[conv.input[1]].dims[2] for conv in layers]):
        for conv in layers[first:last]:
            weight = numpy_helper.to_array(tensors[conv.input[1]])[:, :, 0]
            tensors[conv.input[1]].CopyFrom(
                numpy_helper.from_array(np.ascontiguousarray(weight), conv.input[1])
            )
            del conv.attribute[:]
        _before(graph, layers[first], layers[first].input[0], "Squeeze", "Transpose")
        (relu,) = (node for node in graph.node if layers[last - 1].output[0] in node.input)
        _before(graph, layers[last], relu.output[0], "Transpose", "Unsqueeze")
    return made


def _flat_runs(reach: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Half-open ranges of neighbouring layers that see one frame; the last layer sees more."""
    first = 0
    for frames, run in groupby(reach):
        last = first + len(list(run))
        if frames == 1:
            yield first, last
        first = last


def _before(graph: onnx.GraphProto, node: onnx.NodeProto, tensor: str, *kinds: str) -> None:
    """Let `node` read `tensor` through these operations."""
    place, name = list(graph.node).index(node), tensor
    for offset, kind in enumerate(kinds):
        output = f"{tensor}.{kind}"
        if kind == "Transpose":
            made = helper.make_node(kind, [name], [output], perm=FRAMES_AS_BATCH)
        else:
            made = helper.make_node(kind, [name, "batch"], [output])
        graph.node.insert(place + offset, made)
        name = output
    node.input[0] = name
