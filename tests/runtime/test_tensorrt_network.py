"""Plans on a device: doubles of TensorRT's classes everywhere, TensorRT itself on a GPU."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bindings import double, trt
from engines import TILE, EngineDouble, HostGpu
from ladders import climb_ladder, clip

from tsr.core.errors import DeviceError
from tsr.core.ladder import ScaleLadder
from tsr.export.to_engine import EngineOptions, to_engine
from tsr.runtime.cpu_backend import CpuBackend
from tsr.runtime.cuda_backend import CudaBackend
from tsr.runtime.onnx_network import OnnxNetwork
from tsr.runtime.tensorrt_network import TensorRtNetwork

pytestmark = pytest.mark.usefixtures("own_cache")

ROUNDING = 1e-5
GPU_ROUNDING = 1e-3
"""FP32 sums in another order, on a ladder of three network passes."""


@pytest.fixture(params=["double", pytest.param("cuda", marks=pytest.mark.cuda)])
def opened(
    request: pytest.FixtureRequest, tiny_onnx: Path, tmp_path: Path
) -> Iterator[tuple[TensorRtNetwork, Any, float]]:
    """A network, its device, and how far it may be from ONNX Runtime's."""
    if request.param == "double":
        request.getfixturevalue("engine")
        device = request.getfixturevalue("gpu")
        yield TensorRtNetwork(request.getfixturevalue("rtx_plan"), device), device, ROUNDING
        return
    device = request.getfixturevalue("cuda_device")
    to_engine(tiny_onnx, tmp_path / "real.plan", EngineOptions(tile=TILE))
    yield TensorRtNetwork(tmp_path / "real.plan", device), device, GPU_ROUNDING


def test_the_engine_makes_what_onnx_runtime_makes(opened: Any, reference: OnnxNetwork) -> None:
    """At the tuned tile and a smaller one."""
    network, device, rounding = opened
    backend = CudaBackend(device, network, TILE)
    for tile in (TILE, (2, 24, 12)):
        given = clip(tile[0] + 6, tile[1] + 16, tile[2] + 16)
        made = backend.kernels.volume(3, *tile)
        network(backend.load(given), made)
        np.testing.assert_allclose(backend.store(made), reference(given), rtol=0, atol=rounding)


def test_the_ladder_gives_the_frames_of_the_cpu(opened: Any, reference: OnnxNetwork) -> None:
    """The plan inside the CUDA backend, all rungs."""
    network, device, rounding = opened
    ladder, video = ScaleLadder(Fraction(1, 4), 8), clip(3, 64, 72)
    expected = climb_ladder(CpuBackend(reference, TILE), video, ladder, 3)
    found = climb_ladder(CudaBackend(device, network, TILE), video, ladder, 2)
    np.testing.assert_allclose(found, expected, rtol=0, atol=rounding)


def test_one_context_serves_all_windows_of_a_shape(
    engine: EngineDouble, gpu: HostGpu, rtx_plan: Path
) -> None:
    """Its memory is ours, as much as the shape needs."""
    network = TensorRtNetwork(rtx_plan, gpu)  # type: ignore[arg-type]
    climb_ladder(CudaBackend(gpu, network, TILE), clip(3, 64, 72), ScaleLadder(Fraction(1), 2), 2)
    assert engine.contexts == [(3, 10, 56, 80)]
    engine.config.set_execution_context_allocation_strategy.assert_called_once_with(
        trt.ExecutionContextAllocationStrategy.USER_MANAGED
    )
    engine.config.set_runtime_cache.assert_called_once_with(engine.cache)
    eager = trt.DynamicShapesKernelSpecializationStrategy.EAGER
    assert engine.config.dynamic_shapes_kernel_specialization_strategy == eager


def test_too_little_memory_for_the_activations_halves_the_tile(
    engine: EngineDouble, gpu: HostGpu, rtx_plan: Path
) -> None:
    """The frames stay the same."""
    ladder, video = ScaleLadder(Fraction(1), 2), clip(3, 64, 72)
    network = TensorRtNetwork(rtx_plan, gpu)  # type: ignore[arg-type]
    expected = climb_ladder(CudaBackend(gpu, network, TILE), video, ladder, 2)
    engine.bytes_per_voxel, gpu.limit = 5000, 5000 * 10 * 56 * 50
    backend = CudaBackend(gpu, TensorRtNetwork(rtx_plan, gpu), TILE)  # type: ignore[arg-type]
    np.testing.assert_array_equal(climb_ladder(backend, video, ladder, 2), expected)
    assert backend.tile == (4, 40, 32)


def test_memory_that_runs_out_inside_tensorrt_is_known_as_that(
    engine: EngineDouble, gpu: HostGpu, rtx_plan: Path
) -> None:
    """It says so in its log only; anything else is an error of the device."""
    network = TensorRtNetwork(rtx_plan, gpu)  # type: ignore[arg-type]
    backend = CudaBackend(gpu, network, TILE)
    window, made = backend.load(clip(10, 56, 80)), backend.kernels.volume(3, *TILE)
    engine.trouble = "Cuda Runtime (out of memory)"
    with pytest.raises(MemoryError):
        network(window, made)
    engine.trouble = "the GPU has fallen off the bus"
    with pytest.raises(DeviceError, match=r"cannot run .*fallen off the bus"):
        network(window, made)
    engine.trouble = None
    network(window, made)


def test_contexts_at_work_are_waited_for_before_they_go(
    engine: EngineDouble, gpu: HostGpu, rtx_plan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their memory would be given to others while the device still writes to it."""
    network = TensorRtNetwork(rtx_plan, gpu)  # type: ignore[arg-type]
    backend = CudaBackend(gpu, network, TILE)
    network(backend.load(clip(10, 56, 80)), backend.kernels.volume(3, *TILE))
    alive: list[int] = []
    monkeypatch.setattr(gpu, "synchronize", lambda: alive.append(len(network._prepared)))
    engine.trouble = "out of memory"
    with pytest.raises(MemoryError):
        network(backend.load(clip(8, 40, 28)), backend.kernels.volume(3, 2, 24, 12))
    assert alive == [1]
    assert network._prepared == {}


def test_kernels_compiled_on_the_gpu_are_kept_for_the_next_run(
    engine: EngineDouble, gpu: HostGpu, rtx_plan: Path, own_cache: Path
) -> None:
    """Per GPU, driver and version."""
    for _ in range(2):
        network = TensorRtNetwork(rtx_plan, gpu)  # type: ignore[arg-type]
        backend = CudaBackend(gpu, network, TILE)
        for _ in range(2):
            network(backend.load(clip(10, 56, 80)), backend.kernels.volume(3, *TILE))
    assert engine.given_kernels == [b"compiled kernels"]
    (kept,) = own_cache.rglob("*.cache")
    assert kept.name == f"nvidia-host-4090-{trt.__version__}-cuda13.0.cache"


def test_the_library_is_handed_the_file_as_it_is(
    engine: EngineDouble, gpu: HostGpu, rtx_plan: Path
) -> None:
    """As trtexec and Polygraphy do: nothing is cut off for it."""
    TensorRtNetwork(rtx_plan, gpu)  # type: ignore[arg-type]
    assert engine.loaded == [rtx_plan.read_bytes()]


def test_a_wrong_call_of_the_bindings_would_fail() -> None:
    """The doubles refuse what the real classes refuse."""
    context = double(trt.IExecutionContext, execute_async_v3=True)
    assert context.execute_async_v3(7)
    with pytest.raises(TypeError, match="execute_async_v3"):
        context.execute_async_v3("7")
    with pytest.raises(TypeError, match="set_device_memory"):
        context.set_device_memory(1)
    with pytest.raises(AttributeError):
        context.execute_async_v2(7)
    with pytest.raises(AttributeError):
        double(trt.ICudaEngine).device_memory = 1
    assert isinstance(double(trt.ICudaEngine), trt.ICudaEngine)
