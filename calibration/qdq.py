"""Write quantise/dequantise pairs into a model's graph: the form in which INT8 and FP8 travel.

Two families of readers want different files (tensorrt-facts.md, part 5):

- **cpu** (ONNX Runtime, OpenVINO): unsigned activations, zero point 0, and a pair behind every
  quantised convolution's ReLU too, so that convolution, bias, ReLU and rounding become one integer
  operation. ReLU is then free: what it cuts off lies below the type's zero.
- **tensorrt**: signed activations, zero point 0, pairs at the inputs of quantised convolutions
  only; an unsigned zero point would be read as a signed one and lose half of the range.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from tsr.core.errors import ModelError

Target = Literal["cpu", "tensorrt"]
Number = Literal["int8", "fp8"]


@dataclass(frozen=True)
class Format:
    """How the activations and weights of a quantised layer are stored.

    Args:
        activation, weight: ONNX element types. top: largest magnitude of a stored activation.
        weight_top: the same of a weight.
        behind: whether a pair follows each quantised layer's ReLU.
    """

    activation: int
    weight: int
    top: float
    weight_top: float
    behind: bool


FP8_TOP = 448.0
"""Largest finite number of the type FLOAT8E4M3FN."""

SMALLEST = 1e-4
"""Range of a layer or channel that is silent, since a scale of 0 would divide by it; FP16 holds its
steps."""

PAIR_TOP = 63.0
"""Largest weight in a file for CPUs. Those without VNNI add products in pairs of 16 bits, where
2 · 255 · 63 still fits and 2 · 255 · 127 would saturate unseen. It costs 3 dB of 61 against full
precision (cup_turn), and one file serves every processor."""

FORMATS: dict[tuple[Target, Number], Format] = {
    ("cpu", "int8"): Format(onnx.TensorProto.UINT8, onnx.TensorProto.INT8, 255, PAIR_TOP, True),
    ("tensorrt", "int8"): Format(onnx.TensorProto.INT8, onnx.TensorProto.INT8, 127, 127, False),
    ("tensorrt", "fp8"): Format(
        onnx.TensorProto.FLOAT8E4M3FN, onnx.TensorProto.FLOAT8E4M3FN, FP8_TOP, FP8_TOP, False
    ),
}
"""By reader and number format; other combinations are not on offer."""


def convolutions(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """The network's convolutions in order."""
    return [node for node in graph.node if node.op_type == "Conv"]


def inner_layers(graph: onnx.GraphProto) -> dict[int, int]:
    """The convolutions that can be narrow, by number, and their weights: their arithmetic a voxel.

    They do 97 % of it. The first layer reads the video itself, the last writes the residual; both
    stay in higher precision, as does the sum.
    """
    sizes = {tensor.name: math.prod(tensor.dims) for tensor in graph.initializer}
    inner = list(enumerate(convolutions(graph)))[1:-1]
    return {number: sizes[conv.input[1]] for number, conv in inner}


def quantised(
    model: onnx.ModelProto,
    ranges: Sequence[float],
    layers: Collection[int],
    form: Format,
) -> onnx.ModelProto:
    """A copy of `model` in which some convolutions take and keep narrow numbers.

    Args:
        model: the exported graph, FP32 or FP16 inside: Conv and Relu in turn, no Q/DQ yet.
        ranges: of each hidden layer, the largest output (behind its ReLU) to tell apart.
        layers: which convolutions to quantise, neither the first (its input is signed, and the
            video itself) nor the last (what it adds goes to the result unrounded).
        form: an entry of `FORMATS`.

    Raises:
        ModelError: the graph is not of that form, or a layer cannot be quantised.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    del made.graph.value_info[:]  # the tracer's notes on types, which change
    writer = _Writer(made.graph, form)
    convs = convolutions(made.graph)
    for layer in sorted(layers):
        if not 0 < layer < len(convs) - 1:
            raise ModelError(f"layer {layer} of {len(convs)} cannot be quantised")
        writer.quantise_layer(convs[layer], ranges[layer - 1], ranges[layer])
    return made


class _Writer:
    """Edits one graph; each activation gets one pair, however many nodes read it."""

    def __init__(self, graph: onnx.GraphProto, form: Format) -> None:
        self.graph, self.form = graph, form
        self.tensors = {tensor.name: tensor for tensor in graph.initializer}
        self.scales: dict[str, np.float32] = {}  # of the activations that have their pair

    def quantise_layer(self, conv: onnx.NodeProto, given: float, made: float) -> None:
        """Narrow the input and the weights of a convolution; for a CPU its bias and output too.

        Args:
            given, made: largest activation in its input and behind its ReLU.
        """
        activation, weight, bias = conv.input
        scale = self._pair(activation, given)
        weight_scale = self._narrow_weight(conv, weight)
        if self.form.behind:
            self._narrow_bias(conv, bias, scale * weight_scale)
            self._pair(self._only_reader(conv.output[0], "Relu").output[0], made)

    def _pair(self, tensor: str, largest: float) -> np.float32:
        """Let all that read `tensor` see it rounded; returns the scale."""
        if tensor in self.scales:
            return self.scales[tensor]
        scale = np.float32(max(largest, SMALLEST) / self.form.top)
        readers = [node for node in self.graph.node if tensor in node.input]
        parts = self._scale_and_zero(tensor, np.array(scale), self.form.activation)
        narrow, rounded = f"{tensor}.narrow", f"{tensor}.rounded"
        self._insert_behind(
            tensor,
            helper.make_node("QuantizeLinear", [tensor, *parts], [narrow]),
            helper.make_node("DequantizeLinear", [narrow, *parts], [rounded]),
        )
        for reader in readers:
            reader.input[:] = [rounded if name == tensor else name for name in reader.input]
        self.scales[tensor] = scale
        return scale

    def _narrow_weight(self, conv: onnx.NodeProto, name: str) -> NDArray[np.float32]:
        """Store a weight narrow, one scale per output channel; returns the scales (channels,)."""
        weight = numpy_helper.to_array(self.tensors[name]).astype(np.float32)
        channels = len(weight)
        largest = np.abs(weight.reshape(channels, -1)).max(axis=1)
        scale: NDArray[np.float32] = np.maximum(largest, SMALLEST) / self.form.weight_top
        values = weight / scale.reshape(-1, *[1] * (weight.ndim - 1))
        self._store(f"{name}.narrow", values, self.form.weight)
        parts = self._scale_and_zero(name, scale, self.form.weight)
        self._widen(conv, name, [f"{name}.narrow", *parts])
        return scale

    def _narrow_bias(self, conv: onnx.NodeProto, name: str, scale: NDArray[np.float32]) -> None:
        """Store a bias in the steps of the sums that it is added to, (channels,) of them."""
        bias = numpy_helper.to_array(self.tensors[name]).astype(np.float64)
        self._store(f"{name}.narrow", bias / scale, onnx.TensorProto.INT32)
        self._add(f"{name}.scale", scale)
        self._widen(conv, name, [f"{name}.narrow", f"{name}.scale"])

    def _widen(self, conv: onnx.NodeProto, name: str, parts: list[str]) -> None:
        """Let the convolution read a stored tensor through a DequantizeLinear."""
        wide = f"{name}.wide"
        node = helper.make_node("DequantizeLinear", parts, [wide], axis=0)
        self.graph.node.insert(list(self.graph.node).index(conv), node)
        conv.input[:] = [wide if given == name else given for given in conv.input]
        self.graph.initializer.remove(self.tensors.pop(name))

    def _scale_and_zero(self, name: str, scale: NDArray[np.float32], kind: int) -> list[str]:
        """Add a scale of the graph's own number format, which is what it dequantises to, and the
        zero point 0."""
        wide = next(t for t in self.tensors.values() if t.name.endswith(".bias")).data_type
        self._add(f"{name}.scale", scale.astype(helper.tensor_dtype_to_np_dtype(wide)))
        self._store(f"{name}.zero", np.zeros(scale.shape), kind)
        return [f"{name}.scale", f"{name}.zero"]

    def _add(self, name: str, values: NDArray[Any]) -> None:
        self.graph.initializer.append(numpy_helper.from_array(values, name))

    def _store(self, name: str, values: NDArray[np.floating[Any]], kind: int) -> None:
        """Add a tensor rounded to a narrow type."""
        if kind == onnx.TensorProto.FLOAT8E4M3FN:
            wide = values.astype(helper.tensor_dtype_to_np_dtype(kind))
            self._add(name, wide)
            return
        whole = np.iinfo(helper.tensor_dtype_to_np_dtype(kind))
        rounded = np.clip(np.rint(values), max(whole.min, -whole.max), whole.max)
        self._add(name, rounded.astype(whole.dtype))

    def _insert_behind(self, tensor: str, *nodes: onnx.NodeProto) -> None:
        maker = next(n for n, node in enumerate(self.graph.node) if tensor in node.output)
        for offset, node in enumerate(nodes):
            self.graph.node.insert(maker + 1 + offset, node)

    def _only_reader(self, tensor: str, kind: str) -> onnx.NodeProto:
        readers: list[onnx.NodeProto] = [n for n in self.graph.node if tensor in n.input]
        if len(readers) != 1 or readers[0].op_type != kind:
            raise ModelError(f"{tensor} is not read by one {kind} alone")
        return readers[0]
