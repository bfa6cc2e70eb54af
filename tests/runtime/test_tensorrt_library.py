"""Which plans run here, by which library: what each lacks is said in one line."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import commands
import pytest
from bindings import trt
from engines import TILE, EngineDouble, HostGpu, pretend
from ladders import clip

from tsr.core.errors import DeviceError, ModelError
from tsr.core.plan_file import read_plan
from tsr.runtime import device as device_module
from tsr.runtime import tensorrt_library
from tsr.runtime.cuda_backend import CudaBackend
from tsr.runtime.tensorrt_network import TensorRtNetwork

pytestmark = pytest.mark.usefixtures("own_cache")


def test_without_a_gpu_the_real_library_gets_as_far_as_the_driver(rtx_plan: Path) -> None:
    """The plan passes its checks of tag, size and version; one byte more or less does not."""
    if device_module.missing() is None:
        pytest.skip("there is a GPU; the plan is run in the other tests")
    log = tensorrt_library.messages("tensorrt_rtx")
    data = rtx_plan.read_bytes()
    for given, refusal in ((data, "driver"), (data + b"x", "blobSize"), (b"x" + data, "magicTag")):
        with tensorrt_library.explained(log) as why:
            assert trt.Runtime(log).deserialize_cuda_engine(given) is None
            assert refusal in why()


def test_a_plan_for_another_gpu_is_refused(
    engine: EngineDouble, gpu: HostGpu, changed: Callable[..., Path]
) -> None:
    """By name, or by compute capability; NVIDIA's library is not asked."""
    with pytest.raises(DeviceError, match="built for NVIDIA H100, here is NVIDIA Host 4090 of"):
        TensorRtNetwork(changed(gpu="NVIDIA H100"), gpu)  # type: ignore[arg-type]
    with pytest.raises(DeviceError, match=r"capability 12\.0, 12\.1, here is .* 8\.9; build it"):
        TensorRtNetwork(changed(capabilities=("12.0", "12.1")), gpu)  # type: ignore[arg-type]
    assert engine.loaded == []


def test_what_the_library_says_against_a_plan_is_passed_on(
    engine: EngineDouble, gpu: HostGpu, rtx_plan: Path
) -> None:
    """The first of its errors, in one line with the remedy."""
    engine.trouble = "Serialization assertion failed"
    with pytest.raises(DeviceError) as caught:
        TensorRtNetwork(rtx_plan, gpu)  # type: ignore[arg-type]
    assert "cannot load" in str(caught.value)
    assert "Error Code 1 (Serialization assertion failed)" in str(caught.value)
    assert "run the .onnx instead" in str(caught.value)
    assert "consequence" not in str(caught.value)


def test_a_plan_with_other_tensors_is_refused(
    engine: EngineDouble, gpu: HostGpu, rtx_plan: Path
) -> None:
    """A card alone does not make it ours."""
    engine.tensors = ["images", "logits"]
    with pytest.raises(ModelError, match="tensors images, logits; expected base, htr"):
        TensorRtNetwork(rtx_plan, gpu)  # type: ignore[arg-type]


VERSIONS = {"tensorrt": "11.4.0.106", "tensorrt_lean": "11.5.0.1", "tensorrt_rtx": "1.7.1.116"}


@pytest.mark.parametrize(
    ("facts", "installed", "expected"),
    [
        (("tensorrt", "11.4.0.106", False), VERSIONS, "tensorrt"),
        (("tensorrt", "11.4.0.106", True), VERSIONS, "tensorrt"),
        (("tensorrt", "10.12.0.36", True), VERSIONS, "tensorrt"),
        (("tensorrt", "11.5.0.1", True), VERSIONS, "tensorrt_lean"),
        (("tensorrt_rtx", "1.7.1.116", False), VERSIONS, "tensorrt_rtx"),
        (("tensorrt", "10.12.0.36", False), VERSIONS, "tensorrt 10.12.0.36, here is tensorrt 11"),
        (("tensorrt", "12.0.0.1", True), VERSIONS, "12.0.0.1 or newer, here is tensorrt 11"),
        (("tensorrt_rtx", "1.6.0.1", False), VERSIONS, r"tensorrt-rtx-cu13==1\.6\.0\.1"),
        (("tensorrt", "11.4.0.106", False), {}, "here is none; pip install tensorrt==11"),
        (
            ("tensorrt", "11.4.0.106", True),
            {"tensorrt": "10.3.0"},
            r"here is none \(tensorrt 10.3.0 is too old.*; pip install tensorrt==11",
        ),
    ],
)
def test_the_first_library_that_can_run_a_plan_is_taken(
    facts: tuple[str, str, bool],
    installed: dict[str, str],
    expected: str,
    rtx_plan: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else the one to install is named, in the right version."""
    for name in tensorrt_library.RUNTIMES:
        module = pretend(name, installed[name]) if name in installed else None
        monkeypatch.setitem(sys.modules, name, module)
    library, version, compatible = facts
    card = replace(
        read_plan(rtx_plan)[1], library=library, version=version, version_compatible=compatible
    )
    if expected in VERSIONS:
        assert tensorrt_library.library_for(card) == (expected, sys.modules[expected])
    else:
        with pytest.raises(DeviceError, match=expected):
            tensorrt_library.library_for(card)


def test_the_lean_runtime_runs_a_version_compatible_plan(
    engine: EngineDouble,
    gpu: HostGpu,
    changed: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is allowed the host code inside; its contexts take the strategy, there is no config."""
    lean = pretend("tensorrt_lean", "11.4.0.106")
    runtimes = []

    def runtime(log: Any) -> Any:
        runtimes.append(engine.runtime(log))
        return runtimes[-1]

    lean.Runtime = runtime  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    monkeypatch.setitem(sys.modules, "tensorrt_lean", lean)
    facts = {"library": "tensorrt", "version": "11.3.0.1", "version_compatible": True}
    network = TensorRtNetwork(changed(**facts), gpu)  # type: ignore[arg-type]
    assert network.name == "tensorrt-lean 11.4.0.106"
    backend = CudaBackend(gpu, network, TILE)
    network(backend.load(clip(10, 56, 80)), backend.kernels.volume(3, *TILE))
    assert runtimes[0].engine_host_code_allowed is True
    assert engine.contexts == [(3, 10, 56, 80)]


def test_a_library_without_its_shared_objects_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wheel of the bindings alone raises when it is imported."""

    def broken(name: str) -> Any:
        raise ImportError("libnvinfer.so.11: cannot open shared object file")

    monkeypatch.setattr(tensorrt_library.importlib, "import_module", broken)
    reason = tensorrt_library.missing("tensorrt_rtx")
    assert reason is not None
    assert "libnvinfer.so.11: cannot open shared object file" in reason
    assert "pip install --force-reinstall tensorrt-rtx-cu13" in reason


def test_a_library_of_before_what_we_call_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the version that is needed."""
    monkeypatch.setitem(sys.modules, "tensorrt", pretend("tensorrt", "10.3.0"))
    assert tensorrt_library.missing("tensorrt") == (
        "tensorrt 10.3.0 is too old, 10.12 or newer is needed: pip install --upgrade tensorrt"
    )
    monkeypatch.setitem(sys.modules, "tensorrt", pretend("tensorrt", "10.12.0.36"))
    assert tensorrt_library.missing("tensorrt") is None


def test_a_driver_too_old_for_the_library_is_said_in_its_words(
    gpu: HostGpu, rtx_plan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The constructor returns nothing then, and the bindings raise a `TypeError`."""

    def runtime(log: Any) -> Any:
        log.log(trt.ILogger.Severity.ERROR, "CUDA initialization failure with error: 35")
        raise TypeError("pybind11::init(): factory function returned nullptr")

    monkeypatch.setattr(trt, "Runtime", runtime)
    with pytest.raises(DeviceError, match=r"cannot start tensorrt-rtx .*failure with error: 35"):
        TensorRtNetwork(rtx_plan, gpu)  # type: ignore[arg-type]


def test_the_command_refuses_what_it_cannot_run_in_one_line(
    rtx_plan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No GPU; the CPU asked for; a plan cut off; a plan of someone else's."""
    arguments = ("clip.mp4", "-o", tmp_path / "out.mp4")
    monkeypatch.setattr(device_module, "missing", lambda: "the NVIDIA driver shows no GPU")
    line = commands.refusal("tsr-run", rtx_plan, *arguments)
    assert "needs an NVIDIA GPU: the NVIDIA driver shows no GPU; the .onnx" in line
    assert "--device cpu" not in line
    line = commands.refusal("tsr-run", rtx_plan, *arguments, "--device", "cpu")
    assert "runs on GPUs only; the .onnx it was made from runs anywhere" in line
    (tmp_path / "cut.plan").write_bytes(rtx_plan.read_bytes()[:-1])
    assert "was cut off" in commands.refusal("tsr-run", tmp_path / "cut.plan", *arguments)
    (tmp_path / "foreign.plan").write_bytes(rtx_plan.read_bytes().replace(b"tsr engine", b"x" * 10))
    line = commands.refusal("tsr-run", tmp_path / "foreign.plan", *arguments)
    assert "not made by tsr" in line


def test_a_tile_that_the_engine_does_not_take_is_refused(
    rtx_plan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what it takes."""
    monkeypatch.setattr(device_module, "missing", lambda: None)
    line = commands.refusal("tsr-run", rtx_plan, "clip.mp4", "--tile", 64, 40, 64)
    assert "computes tiles from (2, 2, 4) to (8, 80, 128)" in line
