"""The GPU benchmark goes through, on doubles of GPU and TensorRT; its figures mean nothing."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("benchmarks.gpu", reason="benchmarks are not part of the wheel")

from bindings import trt
from engines import EngineDouble, HostGpu

from benchmarks import gpu as gpu_benchmark
from benchmarks import gpu_kernels, gpu_networks, results_md
from benchmarks.gpu_models import own_models
from benchmarks.gpu_networks import Candidate, candidates, network
from tsr.core.model_file import read_weights
from tsr.export.to_engine import EngineOptions, to_engine
from tsr.runtime import device
from tsr.runtime.onnx_network import OnnxNetwork, read_card

TILE = (4, 24, 32)


class Gpu(HostGpu):
    """Counts what it is asked to copy; waiting is over at once."""

    copies = 0

    def synchronize(self) -> None:
        pass

    def copy(self, target: int, source: int, num_bytes: int) -> None:
        self.copies += 1
        super().copy(target, source, num_bytes)


@pytest.fixture
def found(tiny_onnx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """All candidates for a model and a plan of it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(gpu_kernels, "COPY_BYTES", 1 << 16)
    monkeypatch.setattr(gpu_networks, "TILES", (TILE, (64, 24, 32)))
    plan = tmp_path / "tiny.plan"
    to_engine(tiny_onnx, plan, EngineOptions(target="tensorrt-rtx", tile=TILE))
    monkeypatch.setattr(trt, "Runtime", EngineDouble(OnnxNetwork(tiny_onnx)).runtime)
    return list(candidates(Gpu(), [tiny_onnx, plan], tmp_path))  # type: ignore[arg-type]


def test_every_runner_is_measured_or_said_to_be_missing(found: list[Any], tmp_path: Path) -> None:
    """An .onnx by ONNX Runtime and by engines, a .plan as it is, checked by its .onnx."""
    skipped = [line for line in found if isinstance(line, str)]
    ready = [one for one in found if isinstance(one, Candidate)]
    assert len(found) == 4
    assert any("ONNX Runtime" in line or "onnxruntime" in line for line in skipped)
    (plan,) = [one for one in ready if one.tile == TILE]
    assert plan.name == f"tiny · tensorrt-rtx {trt.__version__}"
    report = network(Gpu(), plan)  # type: ignore[arg-type]
    assert report["error"] < 1e-5
    assert list(report["tiles"]) == ["4x24x32"]  # the other is larger than the engine takes


def test_launches_take_turns_behind_a_busy_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every buffer is used, and the copies that hide the host come before each measurement."""
    monkeypatch.setattr(gpu_kernels, "COPY_BYTES", 64)
    device, calls = Gpu(), [0, 0, 0]

    def work(n: int) -> Any:
        def call() -> None:
            calls[n] += 1

        return call

    ms = gpu_kernels.milliseconds(
        device,  # type: ignore[arg-type]
        [work(n) for n in range(3)],
        launches=6,
        repeats=4,
    )
    assert ms >= 0
    assert calls == [9, 9, 9]  # once to warm up, then twice in each of four
    assert device.copies == 4 * gpu_kernels.LAUNCHES


def test_every_kernel_is_compared_before_it_is_timed(host_library: Path) -> None:
    """On the host the same code is as right as it must be on a GPU."""
    errors = gpu_kernels.kernel_errors(HostGpu(host_library))  # type: ignore[arg-type]
    assert set(errors) == {
        "climb", "halve", "gather", "place", "shift", "load_planes", "store_planes"
    }  # fmt: skip
    assert max(errors.values()) <= gpu_kernels.KERNEL_TOLERANCE


def test_without_a_model_one_is_made_in_every_precision(tmp_path: Path) -> None:
    """FP16 in both forms; all can be opened, and the 2D form is the same function."""
    trained, *made, narrow, narrow_half = own_models(tmp_path, channels=8, fewer=4)
    for model, half, channels in ((trained, made[0], 8), (narrow, narrow_half, 4)):
        assert model == half.with_suffix(".safetensors")  # what is right is said by that .onnx
        assert read_weights(model)[1].channels == read_card(half).channels == channels
    assert [path.stem for path in made] == ["fp16-8", "fp32-8", "fp16-2d-8", "int8-8", "fp8-8"]
    assert [read_card(path).precision for path in made] == ["fp16", "fp32", "fp16", "int8", "fp8"]


def test_everything_is_measured_in_one_go(
    tiny_onnx: Path, tmp_path: Path, host_library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Network, both ladders at the sizes, file to file; the report becomes one table."""
    gpu = HostGpu(host_library)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(device, "missing", lambda: None)
    monkeypatch.setattr(device, "CudaDevice", lambda: gpu)
    monkeypatch.setattr(trt, "Runtime", EngineDouble(OnnxNetwork(tiny_onnx)).runtime)
    monkeypatch.setattr(gpu_benchmark, "SIZES", {"720p": (128, 136), "1080p": (128, 144)})
    monkeypatch.setattr(gpu_benchmark, "FILE_FRAMES", 2)
    monkeypatch.setattr(gpu_benchmark, "CASCADE_FRAMES", 2)
    monkeypatch.setattr(gpu_benchmark, "segment_size", lambda ladder, *size: 2)
    monkeypatch.setattr(gpu_benchmark, "kernels", lambda device: {"copy_gb_s": 1, "launches": 1,
                                                                  "rotated_mib": 1})  # fmt: skip
    monkeypatch.setattr(gpu_networks, "TILES", (TILE,))
    monkeypatch.setattr(gpu_kernels, "COPY_BYTES", 64)
    monkeypatch.setattr(gpu_kernels, "LAUNCHES", 1)
    plan = tmp_path / "tiny.plan"
    to_engine(tiny_onnx, plan, EngineOptions(target="tensorrt-rtx", tile=TILE))
    report = gpu_benchmark.measured(gpu, [plan])  # type: ignore[arg-type]
    (name,) = report["network"]
    assert list(report["cascade"]) == [f"{name}, 720p from {start}" for start in ("1/8", "1/4")]
    assert report["files"][name]["frames"] == 16
    ceilings = {"matmul_fp32_tflop_s": 50, "network_fp32_8": report["network"][name]}
    told = results_md.gpu({**report, "torch": ceilings})
    assert "FP32 50 TFLOP/s" in told
    assert "torch, channels last" in told
    assert "output frames/s" in told


def test_without_a_gpu_one_line_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is measured on the CPU instead."""
    monkeypatch.setattr("sys.argv", ["gpu"])
    monkeypatch.setattr(gpu_benchmark, "missing", lambda: "the NVIDIA driver shows no GPU")
    with pytest.raises(SystemExit, match=r"^no GPU to measure: the NVIDIA driver shows no GPU$"):
        gpu_benchmark.main()
    assert capsys.readouterr().out == ""
