"""An .onnx file is looked into before a library opens it; a stranger's surprises are refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from tsr.core.errors import ModelError
from tsr.core.onnx_scan import check_onnx


def model_of(*nodes: Any, initializers: Any = (), functions: Any = (), domain: str = "") -> Any:
    """A graph base → htr of the given nodes."""
    info = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, "t", "h", "w"])
        for name in ("base", "htr")
    ]
    graph = helper.make_graph([*nodes], "g", info[:1], info[1:], [*initializers])
    opsets = [helper.make_opsetid("", 18)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    return helper.make_model(graph, opset_imports=opsets, functions=[*functions])


def saved(path: Path, model: Any) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


def outside(kind: int = TensorProto.EXTERNAL) -> Any:
    """A tensor that says it is kept in /etc/passwd."""
    tensor = TensorProto(name="w", data_type=TensorProto.UINT8, dims=[16], data_location=kind)
    tensor.external_data.add(key="location", value="../../../../../../../etc/passwd")
    return tensor


def endless_loop() -> Any:
    """A loop of 2⁶² turns."""
    true = helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(np.array(True)))
    again = helper.make_node("Identity", ["c0"], ["c1"])
    turn = helper.make_graph(
        [again], "turn",
        [helper.make_tensor_value_info("i", TensorProto.INT64, []),
         helper.make_tensor_value_info("c0", TensorProto.BOOL, [])],
        [helper.make_tensor_value_info("c1", TensorProto.BOOL, [])],
    )  # fmt: skip
    count = helper.make_node("Constant", [], ["n"], value_int=2**62)
    return model_of(true, count, helper.make_node("Loop", ["n", "c"], [], body=turn))


RELU = helper.make_node("Relu", ["base"], ["htr"])
HOSTILE = {
    "the operation Loop": endless_loop(),
    "the operation ConstantOfShape": model_of(
        helper.make_node("Constant", [], ["s"], value_ints=[2**40]),
        helper.make_node("ConstantOfShape", ["s"], ["huge"]),
        RELU,
    ),
    "an operation of evil.example": model_of(
        helper.make_node("Relu", ["base"], ["htr"], domain="evil.example"), domain="evil.example"
    ),
    "a tensor that is kept in another file": model_of(RELU, initializers=[outside()]),
    "a tensor that is kept": model_of(
        helper.make_node("Constant", [], ["s"], value=outside()), RELU
    ),
    "functions of its own": model_of(
        RELU,
        functions=[
            helper.make_function("f", "Add", ["x"], ["y"], [], [helper.make_opsetid("", 18)])
        ],
    ),
    "a graph within the graph": model_of(
        helper.make_node(
            "Relu", ["base"], ["htr"], body=helper.make_graph([], "inner", [], [])
        )
    ),
}  # fmt: skip


def test_our_models_pass(tiny_onnx: Path) -> None:
    """What `tsr-export` wrote, and any graph of the same few operations."""
    check_onnx(tiny_onnx)


@pytest.mark.parametrize("words", HOSTILE)
def test_surprises_are_refused_by_name(tmp_path: Path, words: str) -> None:
    """Loops, growing shapes, foreign operations, other files, hidden graphs."""
    path = saved(tmp_path / "x.onnx", HOSTILE[words])
    with pytest.raises(ModelError, match=f"holds {words}"):
        check_onnx(path)


@pytest.mark.parametrize(
    "data", [b"", b"\xff" * 40, b"\x3a\xff\xff\xff\xff\x0f", b"no model", b"\x3a" + b"\x80" * 20]
)
def test_what_is_no_onnx_file(tmp_path: Path, data: bytes) -> None:
    """Nothing, noise, and lengths beyond the file's end."""
    path = tmp_path / "x.onnx"
    path.write_bytes(data)
    with pytest.raises(ModelError, match="not a readable ONNX model"):
        check_onnx(path)


def test_the_operations_cover_what_the_quantisers_write() -> None:
    """Every operation that the code makes by name is on the list."""
    import re

    from tsr.core.onnx_scan import OPERATIONS

    made = set()
    for package in ("tsr.calibration", "tsr.export"):
        for folder in __import__(package, fromlist=["x"]).__path__:
            for file in Path(folder).glob("*.py"):
                made |= set(re.findall(r'make_node\(\s*"(\w+)"', file.read_text()))
    assert {"Conv", "QuantizeLinear", "Slice"} <= made
    assert made <= OPERATIONS
