"""ONNX Runtime on device memory: a session on the CPU that is told of a GPU, and a real one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import needs
import numpy as np
import onnxruntime as ort
import pytest
from engines import HostGpu
from ladders import clip

from tsr.core.errors import DeviceError, ModelError
from tsr.runtime import onnx_cuda
from tsr.runtime.cuda_backend import CudaBackend
from tsr.runtime.onnx_cuda import PROVIDER, OnnxCudaNetwork
from tsr.runtime.onnx_network import OnnxNetwork

TILE = (4, 24, 32)
RealSession = ort.InferenceSession


class Gpu(HostGpu):
    """Counts how often its pool was emptied."""

    ordinal = 0
    released = 0

    def release(self) -> None:
        self.released += 1


class Session:
    """A real session on the CPU; whatever is bound to CUDA it reads and writes in host memory.

    Args: as `onnxruntime.InferenceSession`.
    """

    opened: ClassVar[list["Session"]] = []
    severity: ClassVar[list[int]] = []
    fails: str | None = None
    knows = (PROVIDER, "CPUExecutionProvider")

    def __init__(self, path: Path, options: Any, providers: list[Any]) -> None:
        (self.provider,) = providers
        self.options, self.runs = options, []
        self.default_severity = Session.severity[-1:]
        self._real = RealSession(path, providers=["CPUExecutionProvider"])
        Session.opened.append(self)

    def get_providers(self) -> list[str]:
        return list(Session.knows)

    def io_binding(self) -> Any:
        return Binding(self._real.io_binding())

    def run_with_iobinding(self, binding: Any, run_options: Any = None) -> None:
        self.runs.append(run_options)
        if Session.fails:
            raise RuntimeError(Session.fails)
        self._real.run_with_iobinding(binding.real, run_options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class Binding:
    """A real binding, of host memory."""

    def __init__(self, real: Any) -> None:
        self.real = real

    def bind_input(self, name: str, device: str, *rest: Any) -> None:
        assert device == "cuda"
        self.real.bind_input(name, "cpu", *rest)

    def bind_output(self, name: str, device: str, *rest: Any) -> None:
        assert device == "cuda"
        self.real.bind_output(name, "cpu", *rest)


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Session]]:
    """ONNX Runtime as if it were built with CUDA."""
    monkeypatch.setattr(ort, "get_available_providers", lambda: [PROVIDER])
    monkeypatch.setattr(ort, "InferenceSession", Session)
    monkeypatch.setattr(ort, "preload_dlls", lambda: None, raising=False)
    monkeypatch.setattr(Session, "opened", [])
    monkeypatch.setattr(Session, "severity", [])
    monkeypatch.setattr(ort, "set_default_logger_severity", Session.severity.append)
    yield Session
    Session.fails = None


@pytest.fixture(params=["double", pytest.param("cuda", marks=pytest.mark.cuda)])
def device(request: pytest.FixtureRequest, host_library: Path) -> Any:
    """Where the network runs."""
    if request.param == "double":
        request.getfixturevalue("session")
        return Gpu(host_library)
    if reason := onnx_cuda.missing():
        needs.without(reason)
    return request.getfixturevalue("cuda_device")


def test_the_network_works_on_device_memory(device: Any, tiny_onnx: Path) -> None:
    """What it makes is what the same file makes on the CPU; nothing passes through the host."""
    network = OnnxCudaNetwork(tiny_onnx, device)
    backend, given = CudaBackend(device, network, TILE), clip(10, 40, 48)
    made = backend.kernels.volume(3, *TILE)
    network(backend.load(given), made)
    expected = OnnxNetwork(tiny_onnx)(given)
    np.testing.assert_allclose(backend.store(made), expected, rtol=0, atol=1e-4)


def test_the_session_joins_the_stream_and_does_not_wait(
    session: type[Session], tiny_onnx: Path, host_library: Path
) -> None:
    """Channels last, bias fused, never partly on the CPU."""
    network = OnnxCudaNetwork(tiny_onnx, Gpu(host_library))  # type: ignore[arg-type]
    (opened,) = session.opened
    name, settings = opened.provider
    assert name == PROVIDER
    assert settings["user_compute_stream"] == "7"
    assert (settings["prefer_nhwc"], settings["fuse_conv_bias"]) == ("1", "1")
    assert settings["cudnn_conv_algo_search"] == "HEURISTIC"
    entry = "session.disable_cpu_ep_fallback"
    assert opened.options.get_session_config_entry(entry) == "1"
    backend = CudaBackend(Gpu(host_library), network, TILE)
    network(backend.load(clip(10, 40, 48)), backend.kernels.volume(3, *TILE))
    (options,) = opened.runs
    entry = "disable_synchronize_execution_providers"
    assert options.get_run_config_entry(entry) == "1"


def test_nothing_is_printed_past_the_session(
    session: type[Session], tiny_onnx: Path, host_library: Path
) -> None:
    """The default logger is silent, as the session's own is, before the session opens."""
    OnnxCudaNetwork(tiny_onnx, Gpu(host_library))  # type: ignore[arg-type]
    (opened,) = session.opened
    assert opened.options.log_severity_level == 4
    assert opened.default_severity == [4]


def test_memory_that_runs_out_is_given_back_before_the_next_try(
    session: type[Session], tiny_onnx: Path, host_library: Path
) -> None:
    """The session's, and what lies unused in our pool."""
    gpu = Gpu(host_library)
    network = OnnxCudaNetwork(tiny_onnx, gpu)  # type: ignore[arg-type]
    backend = CudaBackend(gpu, network, TILE)
    window, made = backend.load(clip(10, 40, 48)), backend.kernels.volume(3, *TILE)
    session.fails = "Failed to allocate memory for requested buffer of size 1"
    with pytest.raises(MemoryError, match="no memory for this tile"):
        network(window, made)
    assert (gpu.released, len(session.opened)) == (1, 2)
    session.fails = "CUDNN failure 5000"
    with pytest.raises(DeviceError, match=r"CUDNN failure 5000.*use --device cpu"):
        network(window, made)
    session.fails = None
    network(window, made)


def test_what_onnx_runtime_lacks_is_said(
    session: type[Session], tiny_onnx: Path, host_library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Built without CUDA; its libraries not there; no file."""
    gpu: Any = Gpu(host_library)
    with pytest.raises(ModelError, match="does not exist; make it with tsr-export"):
        OnnxCudaNetwork(tiny_onnx.with_name("none.onnx"), gpu)
    monkeypatch.setattr(session, "knows", ("CPUExecutionProvider",))
    with pytest.raises(DeviceError, match=r"pip install 'onnxruntime-gpu\[cuda,cudnn\]'"):
        OnnxCudaNetwork(tiny_onnx, gpu)
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CPUExecutionProvider"])
    assert "then pip install onnxruntime-gpu, or use --device cpu" in str(onnx_cuda.missing())
