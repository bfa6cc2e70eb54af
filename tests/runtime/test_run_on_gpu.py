"""`tsr-run engine.plan` from file to file on doubles of GPU and TensorRT, and what it refuses."""

import json
import sys
import threading
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import clips
import commands
import numpy as np
import pytest
from bindings import trt
from engines import TILE, EngineDouble, HostGpu, changed_plan, pretend

from tsr.core.clip_io import ClipWriter, read_volume
from tsr.export.to_engine import EngineOptions, to_engine
from tsr.runtime import device as device_module
from tsr.runtime.onnx_network import OnnxNetwork
from tsr.runtime.run import RunProgress, run

NUM_FRAMES = 3


@pytest.fixture(scope="module")
def plan(tiny_onnx: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real plan of TensorRT for RTX."""
    path = tmp_path_factory.mktemp("plan") / "tiny.plan"
    to_engine(tiny_onnx, path, EngineOptions(target="tensorrt-rtx", tile=TILE))
    return path


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of odd size, as cameras store them but lossless."""
    picture = 0.3 + 0.4 * clips.rotating_spokes(NUM_FRAMES, 71, 77, turn=0.05)
    return clips.write_video(
        tmp_path_factory.mktemp("clip") / "slow.mkv", picture, fps=Fraction(30), codec="ffv1",
        pixel_format="yuv444p",
    )  # fmt: skip


@pytest.fixture(autouse=True)
def engine(
    tiny_onnx: Path, host_library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> EngineDouble:
    """A GPU and an engine, as far as they can be had here."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = EngineDouble(OnnxNetwork(tiny_onnx))
    monkeypatch.setattr(trt, "Runtime", made.runtime)
    monkeypatch.setattr(device_module, "missing", lambda: None)
    monkeypatch.setattr(device_module, "CudaDevice", lambda: HostGpu(host_library))
    return made


@pytest.fixture
def changed(plan: Path, tmp_path: Path) -> Callable[..., Path]:
    """Copies of the plan with other facts on their cards."""
    return partial(changed_plan, plan, tmp_path / "changed.plan")


def test_a_plan_makes_the_frames_of_the_cpu(
    plan: Path, slow: Path, tiny_onnx: Path, tmp_path: Path
) -> None:
    """Planes go up and come back; results are fetched while the next are made."""
    options = ("--start-scale", "1/4", "--encoder", "ffv1", "--json")
    told = commands.succeed("tsr-run", plan, slow, "-o", tmp_path / "gpu.mkv", *options)
    report = json.loads(told.stdout)
    assert report["backend"] == f"tensorrt-rtx {trt.__version__} on {HostGpu.name}"
    assert {"decode", "convert", "network", "back-projection", "encode"} <= set(report["stages"])
    assert report["notes"] == []
    on_cpu = ("--device", "cpu", "--cpu-engine", "onnxruntime")
    commands.succeed("tsr-run", tiny_onnx, slow, "-o", tmp_path / "cpu.mkv", *options, *on_cpu)
    found, info = read_volume(tmp_path / "gpu.mkv")
    expected, _ = read_volume(tmp_path / "cpu.mkv")
    assert info.num_frames == 8 * NUM_FRAMES
    off = np.abs(found - expected)
    assert off.max() < 2.1 / 255  # where a value lies between two levels
    assert (off > 0.5 / 255).mean() < 0.01


def test_frames_are_encoded_during_the_next_network_passes(
    plan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A segment's frames come in a burst: an encoder that has written none of them yet does not
    keep the GPU from the segment after."""
    picture = clips.rotating_spokes(6, 33, 40, turn=0.05)
    slow = clips.write_pngs(tmp_path / "slow", picture)
    started, waited = threading.Event(), []
    write = ClipWriter.write

    def write_late(writer: ClipWriter, frame: Any) -> None:
        waited.append(started.wait(60))
        started.set()  # a failure need not wait again
        write(writer, frame)

    def report(progress: RunProgress) -> None:
        if progress.worked == progress.work:
            started.set()

    monkeypatch.setattr(ClipWriter, "write", write_late)
    run(plan, slow, tmp_path / "x.mkv", start=Fraction(1, 2), segment=3, report=report)
    assert waited == 48 * [True]


def test_a_tile_without_room_is_halved_and_the_user_told(
    engine: EngineDouble, plan: Path, slow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command goes on."""
    engine.bytes_per_voxel = 5000
    monkeypatch.setattr(HostGpu, "limit", 5000 * 10 * 56 * 50)
    told = commands.succeed(
        *("tsr-run", plan, slow, "-o", tmp_path / "x.mkv", "--start-scale", "1", "--factor", "2"),
    )
    assert "too little free memory for --tile 4 40 64; went on with --tile 4 40 32" in told.stderr


def test_a_gpu_without_any_room_is_an_error(
    engine: EngineDouble, plan: Path, slow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the GPU's memory, not of the computer's; no other device takes over."""
    engine.bytes_per_voxel = 1 << 40
    monkeypatch.setattr(HostGpu, "limit", 1 << 40)
    line = commands.refusal("tsr-run", plan, slow, "-o", tmp_path / "x.mkv", "--start-scale", "1/4")
    assert "NVIDIA Host 4090 has no room even for tiles of 4 frames of 32×20" in line
    assert not (tmp_path / "x.mkv").exists()


@pytest.mark.parametrize(
    ("facts", "installed", "found", "remedy"),
    [
        ({"gpu": "NVIDIA H100"}, None, "built for NVIDIA H100, here is NVIDIA Host 4090", ".onnx"),
        ({"capabilities": ("12.0",)}, None, "capability 12.0, here is", "build it again"),
        ({"version": "1.6.0.1"}, None, "needs tensorrt_rtx 1.6.0.1, here is tensorrt_rtx",
         "pip install tensorrt-rtx-cu13==1.6.0.1"),
        ({"library": "tensorrt", "version": "11.4.0.106"}, None, "needs tensorrt 11.4.0.106",
         "pip install tensorrt==11.4.0.106"),
        ({"library": "tensorrt", "version": "11.4.0.106"}, "10.3.0", "tensorrt 10.3.0 is too old",
         "pip install tensorrt==11.4.0.106"),
    ],
)  # fmt: skip
def test_a_plan_that_cannot_run_here_is_refused_in_one_line(
    facts: dict[str, Any],
    installed: str | None,
    found: str,
    remedy: str,
    changed: Callable[..., Path],
    slow: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another GPU, another version, a library that is not there: what was found, and what to do."""
    if installed:
        monkeypatch.setitem(sys.modules, "tensorrt", pretend("tensorrt", installed))
    line = commands.refusal("tsr-run", changed(**facts), slow, "-o", tmp_path / "x.mkv")
    assert found in line
    assert remedy in line


def test_an_engine_that_is_none_of_ours_is_refused(
    engine: EngineDouble, plan: Path, slow: Path, tmp_path: Path
) -> None:
    """A card does not make another network ours; what the library says is passed on."""
    arguments = ("tsr-run", plan, slow, "-o", tmp_path / "x.mkv")
    engine.tensors = ["images", "logits"]
    assert "tensors images, logits; expected base, htr" in commands.refusal(*arguments)
    engine.trouble = "CUDA driver version is insufficient"
    line = commands.refusal(*arguments)
    assert "cannot load" in line
    assert "driver version is insufficient" in line
    assert "run the .onnx instead" in line


def test_values_that_are_no_numbers_are_refused(
    engine: EngineDouble, plan: Path, slow: Path, tmp_path: Path
) -> None:
    """Not shown as black."""
    engine.network = lambda window: np.full_like(window[:, 3:-3, 8:-8, 8:-8], np.nan)
    line = commands.refusal("tsr-run", plan, slow, "-o", tmp_path / "x.mkv", "--start-scale", "1/4")
    assert "not finite numbers; export it again" in line
    assert not (tmp_path / "x.mkv").exists()
