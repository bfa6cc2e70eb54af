"""Convolutions on tensor cores against torch's: as host C++ everywhere, and on a GPU."""

import ctypes
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import clips
import commands
import models
import numpy as np
import pytest
import torch
from host_device import HostDevice
from ladders import climb_ladder, clip
from torch.nn import functional as F

from tsr.core.clip_io import read_volume
from tsr.core.errors import DeviceError, ModelError
from tsr.core.ladder import ScaleLadder
from tsr.core.network_shape import CENTRE
from tsr.core.volume import Volume
from tsr.export.to_onnx import to_onnx
from tsr.runtime import device as device_module
from tsr.runtime.cpu_backend import CpuBackend
from tsr.runtime.cuda_backend import CudaBackend
from tsr.runtime.cuda_kernels import CudaKernels
from tsr.runtime.kernels import HOPPER, TENSOR_CORES, shared_bytes, threads_of
from tsr.runtime.onnx_network import OnnxNetwork
from tsr.runtime.tensor_core_network import TILE, TensorCoreNetwork
from tsr.trainer.network import TsrNetwork, save_model

ROUNDING = 2e-4
"""A sum in another order may be rounded to another of the 16-bit numbers that layers hand over."""


def written(path: Path, channels: int) -> tuple[Path, TsrNetwork]:
    network = models.random_network(channels)
    for layer in network.layers:
        torch.nn.init.uniform_(layer.bias, -0.1, 0.1)
    save_model(path, network, models.card(channels=channels))
    return path, network


@torch.no_grad()
def in_halves(network: TsrNetwork, window: Volume) -> Volume:
    """The network with weights and values of 16 bits, and sums of 32."""
    given = torch.from_numpy(window)
    x = (given - CENTRE).half().float()
    for layer in network.layers:
        last = layer is network.layers[-1]
        x = F.conv3d(x[None], layer.weight.half().float(), layer.bias)[0]
        x = x if last else F.relu(x).half().float()
    made: Volume = (given[:, 3:-3, 8:-8, 8:-8] + x).numpy()
    return made


def on_device(network: TensorCoreNetwork, device: Any, window: Volume) -> Volume:
    backend = CudaBackend(device, network)
    _, frames, height, width = window.shape
    made = CudaKernels(device).volume(3, frames - 6, height - 16, width - 16)
    network(backend.load(window), made)
    return backend.store(made)


def noise(*shape: int) -> Volume:
    return np.random.default_rng(5).random(shape, np.float32)


@pytest.mark.parametrize("hopper", [False, True])
@pytest.mark.parametrize(
    ("channels", "frames", "height", "width"),
    [(16, 2, 5, 4), (64, 3, 17, 36), (64, 1, 32, 61), (96, 2, 9, 35), (200, 1, 3, 4)],
)
def test_the_network_is_what_torch_computes(
    device: Any, tmp_path: Path, channels: int, frames: int, height: int, width: int, hopper: bool
) -> None:
    """Widths that fill a kernel's channels and that do not; tiles cut by the border."""
    if hopper and device.capability != HOPPER:
        pytest.skip("another generation's GPU")
    path, network = written(tmp_path / "model.safetensors", channels)
    window = noise(3, frames + 6, height + 16, width + 16)
    found = on_device(TensorCoreNetwork(path, device, hopper=hopper), device, window)
    expected = in_halves(network, window)
    assert np.abs(expected - window[:, 3:-3, 8:-8, 8:-8]).max() > 0.05
    np.testing.assert_allclose(found, expected, rtol=0, atol=ROUNDING)


def test_tiles_do_not_show(device: Any, tmp_path: Path) -> None:
    """The same bits wherever a tile ends, in the kernel's own tiles and in the backend's."""
    path, _ = written(tmp_path / "model.safetensors", 8)
    network = TensorCoreNetwork(path, device)
    window = noise(3, 8, 36, 66)
    whole = on_device(network, device, window)
    part = on_device(network, device, np.ascontiguousarray(window[:, 1:, 3:30, 17:]))
    np.testing.assert_array_equal(part, whole[:, 1:, 3:14, 17:])
    steps, video = ScaleLadder(Fraction(1), 2), clip(2, 11, 14)
    frames = [
        climb_ladder(CudaBackend(device, network, tile), video, steps, segment)
        for tile, segment in ((TILE, 2), ((4, 8, 8), 2), ((2, 20, 32), 1))
    ]
    for others in frames[1:]:
        np.testing.assert_array_equal(others, frames[0])


def test_the_ladder_is_that_of_the_cpu(device: Any, tmp_path: Path) -> None:
    """Up a whole ladder, against ONNX Runtime and full precision."""
    path, _ = written(tmp_path / "model.safetensors", 8)
    to_onnx(path, tmp_path / "model.onnx")
    steps, video = ScaleLadder(Fraction(1, 2), 4), clip(2, 24, 40)
    cpu = CpuBackend(OnnxNetwork(tmp_path / "model.onnx"), (8, 24, 40))
    cuda = CudaBackend(device, TensorCoreNetwork(path, device), (4, 24, 40))
    found = climb_ladder(cuda, video, steps, segment=2)
    np.testing.assert_allclose(
        found, climb_ladder(cpu, video, steps, segment=2), rtol=0, atol=3 * ROUNDING
    )


def test_a_smaller_tile_follows_one_without_room(
    device: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the larger one held is let go of before the device is asked for more."""
    path, _ = written(tmp_path / "model.safetensors", 8)
    network = TensorCoreNetwork(path, device)
    expected = on_device(network, device, noise(3, 7, 20, 20))
    allocate = device.allocate

    def tight(num_bytes: int) -> Any:
        if num_bytes > 1 << 22:
            raise MemoryError
        return allocate(num_bytes)

    monkeypatch.setattr(device, "allocate", tight)
    with pytest.raises(MemoryError):
        on_device(network, device, noise(3, 12, 64, 80))
    np.testing.assert_array_equal(on_device(network, device, noise(3, 7, 20, 20)), expected)


@pytest.mark.parametrize(
    ("generation", "limit"), [(TENSOR_CORES, 99 << 10), (HOPPER, 227 << 10)], ids=str
)
def test_threads_and_shared_memory_are_what_the_sources_ask_for(
    host_library: Path, generation: tuple[int, int], limit: int
) -> None:
    """And fits on every GPU that has these tensor cores."""
    library, asked = ctypes.CDLL(str(host_library)), shared_bytes(generation)
    assert asked == {kernel: library[f"{kernel}_shared_bytes"]() for kernel in asked}
    assert all(threads_of(kernel) == library[f"{kernel}_threads"]() for kernel in asked)
    assert max(asked.values()) <= limit
    assert not shared_bytes((7, 5))


def test_an_older_gpu_is_told_what_to_do(host_library: Path, tmp_path: Path) -> None:
    """Turing's tensor cores take other products."""
    path, _ = written(tmp_path / "model.safetensors", 8)
    old = HostDevice(host_library)
    old.capability = (7, 5)
    with pytest.raises(DeviceError, match=r"8\.0 and newer, here is host with 7\.5; tsr-export"):
        TensorCoreNetwork(path, old)


def test_a_model_runs_as_it_was_trained(
    host_library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`tsr-run model.safetensors` from file to file, to the frames of the CPU."""
    path = models.write_model(tmp_path / "model.safetensors", start="1/2", factor=2)
    picture = 0.3 + 0.4 * clips.rotating_spokes(2, 33, 40, turn=0.05)
    slow = clips.write_pngs(tmp_path / "slow", picture)
    made = {name: tmp_path / name for name in ("gpu.mkv", "cpu.mkv")}
    to_onnx(path, tmp_path / "model.onnx")
    on_cpu = ("--device", "cpu", "--cpu-engine", "onnxruntime", "--encoder", "ffv1")
    commands.succeed("tsr-run", tmp_path / "model.onnx", slow, "-o", made["cpu.mkv"], *on_cpu)
    monkeypatch.setattr(device_module, "missing", lambda: None)
    monkeypatch.setattr(device_module, "CudaDevice", lambda: HostDevice(host_library))
    told = commands.succeed(
        *("tsr-run", path, slow, "-o", made["gpu.mkv"]),
        *("--encoder", "ffv1", "--json"),
    )
    assert json.loads(told.stdout)["backend"] == "tensor cores on host"
    found, expected = (read_volume(file)[0] for file in made.values())
    assert found.shape[1] == 4
    assert np.abs(found - expected).max() < 2.1 / 255  # where a value lies between two levels


@pytest.mark.parametrize("option", [("--device", "cpu"), ("--cpu-engine", "onnxruntime"), ()])
def test_without_a_gpu_it_must_be_exported(
    option: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line with the remedy, whether the CPU was asked for or is all there is."""
    monkeypatch.setattr(device_module, "missing", lambda: "the NVIDIA driver shows no GPU")
    path = models.write_model(tmp_path / "model.safetensors")
    slow = clips.write_pngs(tmp_path / "slow", noise(3, 2, 32, 32))
    line = commands.refusal("tsr-run", path, slow, "-o", tmp_path / "x.mkv", *option)
    assert f"tsr-export {path} makes an .onnx that runs anywhere" in line
    assert not (tmp_path / "x.mkv").exists()


def test_files_that_are_no_model_are_refused(device: Any, tmp_path: Path) -> None:
    """Before anything is sent to the device."""
    (tmp_path / "foreign.safetensors").write_bytes(b"not a model")
    with pytest.raises(ModelError, match="not a readable"):
        TensorCoreNetwork(tmp_path / "foreign.safetensors", device)
