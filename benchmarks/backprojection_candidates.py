"""The back-projections that benchmarks/backprojection.py compares."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from benchmarks.machine import usable_cores
from tsr.core import backproject as reference
from tsr.core.rect import rect_downsample, rect_expand
from tsr.core.resize import resize_hw
from tsr.core.volume import Volume
from tsr.runtime import cpu_kernels

Apply = Callable[[Volume, Volume], Volume]
"""(low or guess, ltr) → refined volume."""
Prepare = Callable[[Volume, Volume], Apply]
"""What is done once per shape; gets an example of both arguments."""


# --- NumPy ----------------------------------------------------------------------------------------


def numpy_shift(guess: Volume, ltr: Volume) -> Volume:
    """Temporal back-projection of `core`, clipped."""
    return np.clip(reference.backproject_t(guess, ltr), 0, 1)


def numpy_rearranged(low: Volume, ltr: Volume) -> Volume:
    """clip(ltr + U(2 d - D U d)), step by step."""
    factor, (height, width) = low.shape[1] // ltr.shape[1], ltr.shape[2:]
    d = low - rect_expand(rect_downsample(low, factor), factor)
    again = resize_hw(resize_hw(d, height, width), *low.shape[2:])
    detail = resize_hw(2 * d - again, height, width)
    result: Volume = np.clip(rect_expand(ltr, factor) + detail, 0, 1)
    return result


# --- ONNX Runtime: frames of a group lie on axis 1, channels and groups on axis 0 -----------------


class Graph:
    """An ONNX graph with inputs `first` and `ltr`, built node by node."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Append a node; returns the name of its output."""
        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def constant(self, value: Any) -> str:
        """Add a constant; returns its name."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def resize(self, volume: str, scale: float) -> str:
        """Bicubic as in `core.resize`."""
        scales = self.constant(np.array([1, 1, scale, scale], np.float32))
        keys = {"mode": "cubic", "cubic_coeff_a": -0.5, "exclude_outside": 1}
        return self.node("Resize", volume, "", scales, antialias=int(scale < 1), **keys)

    def mean(self, volume: str) -> str:
        """Mean of each group."""
        return self.node("ReduceMean", volume, self.constant(np.array([1])), keepdims=1)

    def shifted(self, guess: str) -> str:
        """Temporal back-projection against `ltr`."""
        return self.node("Sub", guess, self.node("Sub", self.mean(guess), "ltr"))

    def runner(self, volume: str, first: Volume, ltr: Volume) -> Apply:
        """Clip `volume` and run the graph on all usable cores."""
        import onnxruntime  # behind `tsr`, which keeps it from reporting

        black, white = self.constant(np.float32(0)), self.constant(np.float32(1))
        result = self.node("Clip", volume, black, white)
        channels, groups = ltr.shape[:2]
        grouped = (channels * groups, first.shape[1] // groups, *first.shape[2:])
        shapes = {"first": grouped, "ltr": (channels * groups, 1, *ltr.shape[2:])}
        inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()]
        outputs = [helper.make_tensor_value_info(result, TensorProto.FLOAT, None)]
        graph = helper.make_graph(self.nodes, "backproject", inputs, outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = usable_cores()
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

        def run(first: Volume, ltr: Volume) -> Volume:
            feed = {"first": first.reshape(shapes["first"]), "ltr": ltr.reshape(shapes["ltr"])}
            refined: Volume = session.run(None, feed)[0]
            return refined.reshape(channels, -1, *ltr.shape[2:])

        return run


def onnx_steps(low: Volume, ltr: Volume) -> Apply:
    """The four steps as a graph."""
    g = Graph()
    guess = g.shifted(g.resize("first", 2.0))
    error = g.node("Sub", g.resize(guess, 0.5), "first")
    guess = g.shifted(g.node("Sub", guess, g.resize(error, 2.0)))
    return g.runner(guess, low, ltr)


def onnx_rearranged(low: Volume, ltr: Volume) -> Apply:
    """The one low-resolution operator as a graph."""
    g = Graph()
    d = g.node("Sub", "first", g.mean("first"))
    again = g.resize(g.resize(d, 2.0), 0.5)
    detail = g.resize(g.node("Sub", g.node("Add", d, d), again), 2.0)
    return g.runner(g.node("Add", "ltr", detail), low, ltr)


def onnx_shift(guess: Volume, ltr: Volume) -> Apply:
    """Temporal back-projection as a graph."""
    g = Graph()
    return g.runner(g.shifted("first"), guess, ltr)


# --- numba ----------------------------------------------------------------------------------------


def numba_into_one_array(low: Volume, ltr: Volume) -> Apply:
    """The runtime's own, filling one array again and again."""
    out = np.zeros((*low.shape[:2], *ltr.shape[2:]), np.float32)
    return lambda low, ltr: cpu_kernels.backproject(low, ltr, out)


def numba_shift(guess: Volume, ltr: Volume) -> Apply:
    """In place, as in the runtime; repeating it on its own result costs the same."""
    return cpu_kernels.backproject_t


def as_is(function: Apply) -> Prepare:
    """Nothing to prepare."""
    return lambda first, ltr: function


CANDIDATES: dict[str, tuple[Prepare, Prepare]] = {
    "NumPy, four steps (core)": (as_is(reference.backproject), as_is(numpy_shift)),
    "NumPy, rearranged": (as_is(numpy_rearranged), as_is(numpy_shift)),
    "ONNX Runtime, four steps": (onnx_steps, onnx_shift),
    "ONNX Runtime, rearranged": (onnx_rearranged, onnx_shift),
    "numba": (as_is(cpu_kernels.backproject), numba_shift),
    "numba, out given": (numba_into_one_array, numba_shift),
}
"""Name → how to climb, how to back-project in time."""
