"""A model with Q/DQ nodes: INT8 activations and weights around every convolution."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from tsr.core.model_card import METADATA_KEY, ModelCard


def quantise(model: Path, output: Path, target: str = "tensorrt") -> Path:
    """Write an FP32 .onnx of ours again with symmetric INT8 convolutions.

    The activations' scales are made up, and each is another: with equal scales TensorRT for RTX
    folds them away and convolves in FP16.
    """
    proto = onnx.load(model)
    graph = proto.graph
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    for number, given in enumerate(graph.node):
        node = onnx.NodeProto()
        node.CopyFrom(given)
        if node.op_type == "Conv":
            weight = values[node.input[1]]
            scales = (1 / 32 + number / 1024, float(np.abs(weight).max()) / 127)
            for i, scale in enumerate(scales):
                nodes += _pair(graph, node.input[i], f"{node.input[i]}_{number}", scale)
                node.input[i] = f"{node.input[i]}_{number}_dq"
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    entry = next(entry for entry in proto.metadata_props if entry.key == METADATA_KEY)
    card = ModelCard.from_json(entry.value, model)
    entry.value = replace(card, precision="int8", calibration={"target": target}).to_json()
    onnx.save(proto, output)
    return output


def _pair(graph: onnx.GraphProto, source: str, name: str, scale: float) -> list[onnx.NodeProto]:
    graph.initializer.append(numpy_helper.from_array(np.float32(scale), f"{name}_scale"))
    graph.initializer.append(numpy_helper.from_array(np.int8(0), f"{name}_zero"))
    parameters = [f"{name}_scale", f"{name}_zero"]
    return [
        helper.make_node("QuantizeLinear", [source, *parameters], [f"{name}_q"]),
        helper.make_node("DequantizeLinear", [f"{name}_q", *parameters], [f"{name}_dq"]),
    ]
