"""One build path for TensorRT 10.12 and later, 11, and TensorRT for RTX: ONNX → plan.

All three are asked for a strongly typed network, so the precision is what the .onnx file says, by
its casts and Q/DQ nodes, and no precision flag is ever set. What differs is small: for RTX the
compute capabilities are listed and no kernel is timed; for the others a timing cache makes the next
build of a like network short.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tsr.core.cache import cache_folder, file_name, keep_if_possible
from tsr.core.errors import DeviceError, ModelError, SettingsError
from tsr.core.plan_file import EngineCard, Size
from tsr.core.tiling import NETWORK_HALO
from tsr.runtime.onnx_network import INPUT
from tsr.runtime.tensorrt_library import constructed, explained, load, messages

ELEMENTS_LIMIT = 2**31
"""Convolutions do not index further (github.com/NVIDIA/TensorRT/issues/4123)."""

SMALLEST_TILE: Size = (2, 2, 4)
"""A pair of frames, and one vector of columns: the backend makes nothing smaller."""


@dataclass(frozen=True)
class Profile:
    """Tiles (frames, rows, columns of output) that an engine accepts, and the one it is tuned for.

    Args:
        smallest, tile, largest: as in `EngineCard`.
    """

    smallest: Size
    tile: Size
    largest: Size

    @classmethod
    def around(cls, tile: Size, channels: int) -> "Profile":
        """From the smallest tile to one of twice the extent, as far as tensors may grow.

        Raises:
            SettingsError: the tile itself has more elements than a convolution can index.
        """
        if elements(tile, channels) >= ELEMENTS_LIMIT:
            raise SettingsError(
                f"a tile of {tile} frames, rows, columns has tensors of {elements(tile, channels)} "
                f"elements, TensorRT indexes {ELEMENTS_LIMIT}; use a smaller --tile"
            )
        largest = list(tile)
        for axis in (2, 1, 0):
            doubled = largest.copy()
            doubled[axis] *= 2
            if elements(doubled, channels) < ELEMENTS_LIMIT:
                largest = doubled
        smallest = tuple(map(min, SMALLEST_TILE, tile))
        return cls(_size(smallest), tile, _size(largest))

    @property
    def windows(self) -> tuple[tuple[int, ...], ...]:
        """Shapes (1, 3, T, H, W) of the network's input, halo included: least, usual, most."""
        return tuple((1, 3, *window(tile)) for tile in (self.smallest, self.tile, self.largest))


def window(tile: Sequence[int]) -> Size:
    """What the network reads to make a tile: the tile and its halo."""
    halo = NETWORK_HALO
    return tile[0] + 2 * halo.t, tile[1] + 2 * halo.h, tile[2] + 2 * halo.w


def elements(tile: Sequence[int], channels: int) -> int:
    """Elements of the largest tensor inside the network, rounded up to the whole window."""
    frames, rows, columns = window(tile)
    return channels * frames * rows * columns


def build_plan(model: Path, card: EngineCard, profile: Profile) -> bytes:
    """Build the engine that `card` describes, and put the card into it.

    Raises:
        ModelError: the library cannot read the model. DeviceError: it cannot build the engine.
    """
    trt, log = load(card.library), messages(card.library)
    builder = constructed(f"start {card.library} {card.version}", trt.Builder, log)
    with explained(log) as why:
        strongly_typed = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
        network = builder.create_network(strongly_typed)
        parser = constructed(f"start {card.library}'s parser", trt.OnnxParser, network, log)
        if not parser.parse_from_file(str(model)):
            errors = "; ".join(parser.get_error(i).desc() for i in range(parser.num_errors))
            raise ModelError(f"{card.library} cannot read {model} ({errors}); export it again")
        network.name = card.to_name()
        config = _config(trt, builder, card, profile)
        cache = timing_cache(card)
        if cache is not None:
            known = cache.read_bytes() if cache.is_file() else b""
            # One that is damaged, or of another version, gives none: then timing begins anew.
            timings = config.create_timing_cache(known) or config.create_timing_cache(b"")
            config.set_timing_cache(timings, False)
        plan = builder.build_serialized_network(network, config)
        if plan is None:
            raise DeviceError(
                f"{card.library} {card.version} cannot build an engine from {model} ({why()}); "
                "update the library or the driver, or run the .onnx instead"
            )
    if cache is not None:
        keep_if_possible(cache, bytes(config.get_timing_cache().serialize()))
    return bytes(plan)


def timing_cache(card: EngineCard) -> Path | None:
    """Where the timings of a GPU's kernels are kept; RTX times none ahead of time."""
    if card.library == "tensorrt_rtx" or card.gpu is None:
        return None
    return cache_folder("timings") / f"{file_name(card.gpu, card.library, card.version)}.cache"


def _config(trt: Any, builder: Any, card: EngineCard, profile: Profile) -> Any:
    config = builder.create_builder_config()
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    config.clear_flag(trt.BuilderFlag.TF32)  # an FP32 engine computes in FP32
    shapes = builder.create_optimization_profile()
    shapes.set_shape(INPUT, *profile.windows)
    config.add_optimization_profile(shapes)
    if card.refittable:
        config.set_flag(trt.BuilderFlag.REFIT)
    if card.version_compatible:
        config.set_flag(trt.BuilderFlag.VERSION_COMPATIBLE)
    if card.capabilities:
        config.num_compute_capabilities = len(card.capabilities)
        for index, capability in enumerate(card.capabilities):
            config.set_compute_capability(compute_capability(trt, capability), index)
    return config


def compute_capability(trt: Any, capability: str) -> Any:
    """TensorRT for RTX's name of a compute capability such as 8.9.

    Raises:
        SettingsError: it does not build for that; names those it builds for.
    """
    known = {
        f"{name[2:-1]}.{name[-1]}": getattr(trt.ComputeCapability, name)
        for name in dir(trt.ComputeCapability)
        if name.startswith("SM")
    }
    if capability not in known:
        order = sorted(known, key=lambda text: [int(part) for part in text.split(".")])
        raise SettingsError(
            f"TensorRT for RTX does not build for compute capability {capability}; it builds for "
            f"{', '.join(order)}"
        )
    return known[capability]


def _size(values: Sequence[int]) -> Size:
    frames, rows, columns = values
    return frames, rows, columns
