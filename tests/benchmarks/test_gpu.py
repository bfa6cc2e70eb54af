"""The GPU benchmark goes through, on doubles of GPU and TensorRT; its figures mean nothing."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("benchmarks.gpu", reason="benchmarks are not part of the wheel")

from bindings import trt
from engines import EngineDouble, HostGpu

from benchmarks import gpu_kernels, gpu_networks
from benchmarks.gpu_networks import Candidate, candidates, network
from tsr.export.to_engine import EngineOptions, to_engine
from tsr.runtime.onnx_network import OnnxNetwork

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
