"""A look into an .onnx file before any library opens it, at what a stranger could hide there.

The networks of this package are convolutions and little else. A file may claim to be one of them
and hold a loop without end, a tensor kept in another file of this computer, or an operation of a
library of its own. It is walked as protobuf's wire format (field numbers of `onnx.proto`), since
the runtime does without the package onnx.
"""

import contextlib
import mmap
from collections.abc import Generator
from pathlib import Path

from tsr.core.errors import ModelError

OPERATIONS = frozenset(
    {
        "Add",
        "Cast",
        "Clip",
        "Concat",
        "Constant",
        "Conv",
        "DequantizeLinear",
        "Identity",
        "Mul",
        "QuantizeLinear",
        "Relu",
        "Reshape",
        "Slice",
        "Squeeze",
        "Sub",
        "Sum",
        "Transpose",
        "Unsqueeze",
    }
)
"""What our exporters write, or their optimisers could: nothing that makes sizes grow or repeats."""

MAX_BYTES = 2**31
"""Protobuf's own limit, twice the widest network on offer."""

GRAPH, FUNCTIONS = 7, 25  # of ModelProto
NODE, INITIALIZER = 1, 5  # of GraphProto
OP_TYPE, ATTRIBUTE, DOMAIN = 4, 5, 7  # of NodeProto
TENSOR, SUBGRAPH, SUBGRAPHS = 5, 6, 11  # of AttributeProto
EXTERNAL_DATA, DATA_LOCATION = 13, 14  # of TensorProto

VARINT, FIXED_64, BYTES, FIXED_32 = 0, 1, 2, 5


def check_onnx(path: Path) -> None:
    """Refuse an .onnx file that holds more than a network of ours could.

    Raises:
        ModelError: it is no ONNX file, or it holds other operations, subgraphs, functions, or
            tensors in other files.
    """
    size = path.stat().st_size
    if not 0 < size < MAX_BYTES:
        raise ModelError(f"{path} is not a readable ONNX model ({size} bytes)")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        try:
            # All views are let go of before the mapping is.
            with memoryview(mapped) as view, contextlib.closing(_suspicious(view)) as suspects:
                found = next(suspects, None)
        except ValueError as error:
            raise ModelError(
                f"{path} is not a readable ONNX model ({error}); make it again with tsr-export"
            ) from error
    if found:
        raise ModelError(f"{path} holds {found}, as no model of tsr does; it is not opened")


def _suspicious(model: memoryview) -> Generator[str]:
    for field, value in _fields(model):
        if field == FUNCTIONS:
            yield "functions of its own"
        elif field == GRAPH:
            for part, content in _fields(value):
                if part == NODE:
                    yield from _in_node(content)
                elif part == INITIALIZER:
                    yield from _in_tensor(content)


def _in_node(node: memoryview) -> Generator[str]:
    for field, value in _fields(node):
        if field == OP_TYPE and (name := str(value, "ascii", "replace")) not in OPERATIONS:
            yield f"the operation {name[:40]}"
        elif field == DOMAIN and str(value, "ascii", "replace") not in ("", "ai.onnx"):
            yield f"an operation of {str(value, 'ascii', 'replace')[:40]}"
        elif field == ATTRIBUTE:
            for part, content in _fields(value):
                if part in (SUBGRAPH, SUBGRAPHS):
                    yield "a graph within the graph"
                elif part == TENSOR:
                    yield from _in_tensor(content)


def _in_tensor(tensor: memoryview) -> Generator[str]:
    if any(field in (EXTERNAL_DATA, DATA_LOCATION) for field, _ in _fields(tensor)):
        yield "a tensor that is kept in another file"


def _fields(message: memoryview) -> Generator[tuple[int, memoryview]]:
    """Number and content of a message's fields; numbers, as opposed to bytes, come empty."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        field, kind = key >> 3, key & 7
        length = 0
        if kind == VARINT:
            _, at = _varint(message, at)
        elif kind == BYTES:
            length, at = _varint(message, at)
        elif kind in (FIXED_32, FIXED_64):
            at += 4 if kind == FIXED_32 else 8
        else:
            raise ValueError("it is no protobuf message")
        if at + length > len(message):
            raise ValueError("it ends early")
        with message[at : at + length] as content:
            yield field, content
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """The number that starts at `at`, and where it ends."""
    value = 0
    for shift in range(0, 64, 7):
        if at >= len(message):
            raise ValueError("it ends early")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("it is no protobuf message")
