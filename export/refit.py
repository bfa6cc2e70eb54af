"""A cached engine with the weights of another video's model, exchanged by name.

All models of one width and precision share their graph, so an engine is cached under what it does
depend on: the graph without the values of its weights, the GPU, the library's version, the tile.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from tsr.core.cache import cache_folder, file_name
from tsr.core.errors import DeviceError, ModelError
from tsr.core.plan_file import EngineCard, card_in, read_plan, with_card
from tsr.runtime.device import CudaDevice
from tsr.runtime.tensorrt_library import OpenEngine, constructed, explained, open_engine

FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)


def cached_engine(model: Path, card: EngineCard) -> Path:
    """Where the engine is kept that serves all models like this one."""
    tile = "x".join(map(str, card.tile))
    kind = "portable" if card.version_compatible else "exact"
    facts = (str(card.gpu), card.library, card.version, kind, tile, graph_hash(model))
    return cache_folder("engines") / f"{file_name(*facts)}.plan"


def graph_hash(model: Path) -> str:
    """A hash of the graph: equal for models that differ in weights and cards alone."""
    proto = onnx.load(model)
    del proto.metadata_props[:]
    for tensor in _weights(proto):
        tensor.ClearField("raw_data")
    return hashlib.sha256(proto.SerializeToString(deterministic=True)).hexdigest()[:16]


def refitted(cached: Path, model: Path, card: EngineCard, device: CudaDevice) -> bytes:
    """The plan of a cached engine with the weights of `model` and its card.

    Raises:
        ModelError: the weights do not fit the engine. DeviceError: the library refuses.
    """
    data, old = read_plan(cached)
    opened = open_engine(data, old, cached, device)
    weights = weights_of(model)
    refitter = constructed(f"refit {cached}", opened.trt.Refitter, opened.engine, opened.log)
    with explained(opened.log) as why:
        for name in refitter.get_all_weights():
            if name in weights and not refitter.set_named_weights(
                name, opened.trt.Weights(weights[name])
            ):
                raise ModelError(f"{model}: weight {name} does not fit {cached} ({why()})")
        if missing := refitter.get_missing_weights():
            raise ModelError(f"{model} lacks the weights {', '.join(missing)} of {cached}")
        if not refitter.refit_cuda_engine():
            raise DeviceError(f"{opened.name} could not refit {cached} ({why()})")
        plan = _serialized(opened)
        if plan is None:
            raise DeviceError(f"{opened.name} could not write the refitted engine ({why()})")
    made = with_card(bytes(plan), old, card)
    if card_in(made, cached) != card:
        raise ModelError(f"{opened.name} wrote {cached} so that its card cannot be exchanged")
    return made


def _serialized(opened: OpenEngine) -> Any:
    """The engine as a plan, itself refittable where the library can write such a one."""
    flags = opened.trt.SerializationFlag
    if not hasattr(flags, "INCLUDE_REFIT"):  # before 10.14 nothing else was written
        return opened.engine.serialize()
    config = opened.engine.create_serialization_config()
    config.set_flag(flags.INCLUDE_REFIT)
    return opened.engine.serialize_with_config(config)


def weights_of(model: Path) -> dict[str, NDArray[Any]]:
    """The weights of an .onnx file by name, as they are stored."""
    proto = onnx.load(model)
    return {
        tensor.name: np.ascontiguousarray(onnx.numpy_helper.to_array(tensor))
        for tensor in _weights(proto)
    }


def _weights(proto: onnx.ModelProto) -> list[onnx.TensorProto]:
    """Kernels and biases; not the constants of the arithmetic, which have no axes."""
    return [t for t in proto.graph.initializer if t.data_type in FLOATS and t.dims]
