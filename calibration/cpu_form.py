"""A cheaper form of the last layer for CPUs, which change a convolution into a matrix product.

From 128 channels to 3, a 3×3×3 convolution spends its time on gathering 27 neighbours, not on
arithmetic. Its three taps in time become nine outputs of a 1×3×3 convolution, three of which are
then added from three frames: the same sums, a third of the gathering. What it saves of a whole pass
is in benchmarks/RESULTS.md, "One network pass" (benchmarks/cpu_network.py).
"""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from tsr.calibration.qdq import convolutions

TIME_AXIS, CHANNEL_AXIS = 2, 1


def with_folded_last_layer(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of the exported FP32 graph whose last convolution (C → 3, 3×3×3) is 1×3×3, C → 9."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    del graph.value_info[:]  # the tracer's notes on shapes, which change
    conv = convolutions(graph)[-1]
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    given, (weight, bias) = conv.input[0], (tensors[name] for name in conv.input[1:])
    taps = numpy_helper.to_array(weight)  # (3, C, 3, 3, 3): out, in, t, h, w
    channels, reach = taps.shape[0], taps.shape[2]
    folded = np.concatenate(np.split(taps, reach, axis=2))  # (9, C, 1, 3, 3)
    once = np.zeros(reach * channels, np.float32)
    once[:channels] = numpy_helper.to_array(bias)  # added with the first tap
    for tensor, replacement in ((weight, folded), (bias, once)):
        graph.initializer.remove(tensor)
        graph.initializer.append(numpy_helper.from_array(replacement, tensor.name))

    place = list(graph.node).index(conv)
    graph.node.remove(conv)
    names = [f"{conv.output[0]}.taps", *(f"{conv.output[0]}.tap{tap}" for tap in range(reach))]
    nodes = [helper.make_node("Conv", [given, *conv.input[1:]], names[:1], kernel_shape=[1, 3, 3])]
    axes = f"{conv.output[0]}.axes"
    graph.initializer.append(
        numpy_helper.from_array(np.array([CHANNEL_AXIS, TIME_AXIS], np.int64), axes)
    )
    far = np.iinfo(np.int64).max
    for tap in range(reach):
        end = tap - reach + 1 or far  # the last tap's frames reach to the end
        bounds = ([tap * channels, tap], [(tap + 1) * channels, end])
        ends = [f"{names[tap + 1]}.{side}" for side in ("first", "last")]
        for name, values in zip(ends, bounds, strict=True):
            graph.initializer.append(numpy_helper.from_array(np.array(values, np.int64), name))
        nodes.append(helper.make_node("Slice", [names[0], *ends, axes], [names[tap + 1]]))
    nodes.append(helper.make_node("Sum", names[1:], conv.output))
    for offset, node in enumerate(nodes):
        graph.node.insert(place + offset, node)
    return made
