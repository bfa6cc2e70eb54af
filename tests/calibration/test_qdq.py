"""What the two kinds of readers find in a quantised file (tensorrt-facts.md, part 5)."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from models import random_network
from onnx import numpy_helper

from tsr.calibration.collect import histograms
from tsr.calibration.qdq import FORMATS, convolutions, inner_layers, quantised
from tsr.calibration.session import GraphNetwork
from tsr.core.errors import ModelError
from tsr.core.volume import Volume
from tsr.export.to_onnx import half_graph

INNER = range(1, 7)
TENSORRT = [form for (target, _), form in FORMATS.items() if target == "tensorrt"]


@pytest.fixture(scope="module")
def ranges(full: onnx.ModelProto, windows: list[Volume]) -> list[float]:
    return [histogram.largest for histogram in histograms(full, windows)]


@pytest.fixture(scope="module")
def for_cpu(full: onnx.ModelProto, ranges: list[float]) -> onnx.ModelProto:
    return quantised(full, ranges, INNER, FORMATS["cpu", "int8"])


def makers(model: onnx.ModelProto) -> dict[str, onnx.NodeProto]:
    return {name: node for node in model.graph.node for name in node.output}


def constants(model: onnx.ModelProto) -> dict[str, onnx.TensorProto]:
    return {tensor.name: tensor for tensor in model.graph.initializer}


def quantisers(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    return [node for node in model.graph.node if node.op_type == "QuantizeLinear"]


def test_the_inner_layers_are_weighed_by_their_weights(full: onnx.ModelProto) -> None:
    """All but the first and the last, as large as the network's."""
    sizes = [layer.weight.numel() for layer in random_network().layers]
    assert inner_layers(full.graph) == dict(list(enumerate(sizes))[1:-1])


def test_onnx_runtime_computes_the_inner_layers_on_bytes(
    for_cpu: onnx.ModelProto, tmp_path: Path
) -> None:
    """Each becomes one integer operation, its ReLU absorbed: only the first layer's is left."""
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 4
    ort.InferenceSession(for_cpu.SerializeToString(), options, providers=["CPUExecutionProvider"])
    kinds = [node.op_type for node in onnx.load(tmp_path / "optimised.onnx").graph.node]
    assert kinds.count("QLinearConv") == len(INNER)
    assert sum("Conv" in kind for kind in kinds) == len(INNER) + 2
    assert kinds.count("Relu") <= 1


def test_the_narrow_network_is_close_to_the_full_one(
    full: onnx.ModelProto, for_cpu: onnx.ModelProto, windows: list[Volume]
) -> None:
    """Within what rounding seven activations to 255 steps can do, and not equal."""
    exact, narrow = GraphNetwork(full), GraphNetwork(for_cpu)
    for window in windows:
        difference = np.abs(narrow(window) - exact(window))
        assert 0 < difference.max() < 0.02
        assert difference.mean() < 0.004


def test_a_cpu_file_has_unsigned_activations_from_zero(for_cpu: onnx.ModelProto) -> None:
    tensors = constants(for_cpu)
    for node in quantisers(for_cpu):
        zero = tensors[node.input[2]]
        assert zero.data_type == onnx.TensorProto.UINT8
        assert not numpy_helper.to_array(zero).any()


def test_biases_are_counted_in_steps_of_the_sums(for_cpu: onnx.ModelProto) -> None:
    """Scale of the input times that of the weight, per channel; int32, so nothing overflows."""
    tensors, made = constants(for_cpu), makers(for_cpu)
    for layer in INNER:
        conv = convolutions(for_cpu.graph)[layer]
        given, weight, bias = (made[name] for name in conv.input)
        scales = [numpy_helper.to_array(tensors[node.input[1]]) for node in (given, weight, bias)]
        np.testing.assert_allclose(scales[2], scales[0] * scales[1], rtol=1e-6)
        assert tensors[bias.input[0]].data_type == onnx.TensorProto.INT32


@pytest.mark.parametrize("form", TENSORRT)
def test_a_tensorrt_file_has_no_unsigned_and_no_other_zero_points(
    form: object, full: onnx.ModelProto, ranges: list[float]
) -> None:
    """TensorRT reads UINT8 as INT8: half of the range would saturate."""
    made = quantised(full, ranges, INNER, form)  # type: ignore[arg-type]
    tensors = constants(made)
    for node in made.graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            zero = tensors[node.input[2]]
            assert zero.data_type in (onnx.TensorProto.INT8, onnx.TensorProto.FLOAT8E4M3FN)
            assert not numpy_helper.to_array(zero).astype(np.float32).any()


@pytest.mark.parametrize("form", TENSORRT)
def test_a_tensorrt_file_narrows_inputs_only(
    form: object, full: onnx.ModelProto, ranges: list[float]
) -> None:
    """One pair per inner convolution, behind the ReLU before it; none between a convolution and its
    ReLU, none on a bias, none on the sum, none around the first and the last layer."""
    made = quantised(full, ranges, INNER, form)  # type: ignore[arg-type]
    by_name = makers(made)
    assert len(quantisers(made)) == len(INNER)
    assert all(by_name[node.input[0]].op_type == "Relu" for node in quantisers(made))
    convs = convolutions(made.graph)
    for layer, conv in enumerate(convs):
        kinds = [by_name[n].op_type if n in by_name else "constant" for n in conv.input]
        inner = layer in INNER
        assert kinds[1:] == ["DequantizeLinear" if inner else "constant", "constant"]
        assert (kinds[0] == "DequantizeLinear") == inner
        (reader,) = [node for node in made.graph.node if conv.output[0] in node.input]
        assert reader.op_type == ("Relu" if layer < len(convs) - 1 else "Add")


@pytest.mark.parametrize("form", TENSORRT)
def test_scales_have_the_number_format_of_the_graph(form: object, ranges: list[float]) -> None:
    """Under strong typing the scale's type is the type that comes out: FP16 in an FP16 graph."""
    made = quantised(half_graph(random_network(8)), ranges, INNER, form)  # type: ignore[arg-type]
    onnx.checker.check_model(made, full_check=True)  # an FP32 scale would give Conv mixed types
    tensors = constants(made)
    kinds = {tensors[node.input[1]].data_type for node in quantisers(made)}
    assert kinds == {onnx.TensorProto.FLOAT16}


def test_weights_are_rounded_per_channel(full: onnx.ModelProto, for_cpu: onnx.ModelProto) -> None:
    """Each channel uses its whole range, and no weight moves by more than half a step. Two products
    of the largest numbers fit into 16 bits, in which processors without VNNI add them."""
    before, after = constants(full), constants(for_cpu)
    for layer in INNER:
        weight = numpy_helper.to_array(before[f"body.{layer}.weight"])
        narrow = numpy_helper.to_array(after[f"body.{layer}.weight.narrow"]).astype(np.float32)
        scale = numpy_helper.to_array(after[f"body.{layer}.weight.scale"]).reshape(-1, 1, 1, 1, 1)
        assert (np.abs(narrow).reshape(len(narrow), -1).max(axis=1) == 63).all()
        assert 2 * 255 * np.abs(narrow).max() <= np.iinfo(np.int16).max
        assert (np.abs(narrow * scale - weight) <= 0.5001 * scale).all()


def test_single_layers_can_be_narrowed(
    full: onnx.ModelProto, ranges: list[float], windows: list[Volume]
) -> None:
    """One layer alone costs less than all of them."""
    exact = GraphNetwork(full)(windows[0])

    def error(layers: list[int]) -> float:
        model = quantised(full, ranges, layers, FORMATS["cpu", "int8"])
        return float(((GraphNetwork(model)(windows[0]) - exact) ** 2).mean())

    assert error([]) == 0
    assert 0 < error([3]) < error([1, 2, 3, 4, 5, 6])


@pytest.mark.parametrize("layer", [0, 7])
def test_the_first_and_last_layer_are_not_for_narrowing(
    layer: int, full: onnx.ModelProto, ranges: list[float]
) -> None:
    with pytest.raises(ModelError, match=f"layer {layer}"):
        quantised(full, ranges, [layer], FORMATS["cpu", "int8"])


def test_a_silent_channel_stays_silent(ranges: list[float], windows: list[Volume]) -> None:
    """Weights that are all zero divide nothing by zero."""
    from tsr.export.to_onnx import traced_graph

    network = random_network(8)
    network.layers[2].weight.data[3] = 0
    model = quantised(traced_graph(network), ranges, INNER, FORMATS["cpu", "int8"])
    assert np.isfinite(GraphNetwork(model)(windows[0])).all()
