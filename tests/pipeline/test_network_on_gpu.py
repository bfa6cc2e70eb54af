"""`tsr` where there is a GPU: our own convolutions take the network as it was trained."""

import json
from pathlib import Path

import clips
import models
import numpy as np
import pytest
from click.testing import CliRunner
from host_device import HostDevice
from runs import record_of, tsr

from tsr.core.clip_io import probe, read_volume
from tsr.core.errors import DeviceError, ModelError
from tsr.export import to_engine
from tsr.pipeline import machine, network
from tsr.pipeline.cache import VideoCache
from tsr.pipeline.cli import main
from tsr.pipeline.told import Told
from tsr.runtime import device as device_module

TRAINED = network.Training(Path(), ((1, 1e-3, 30.0),), 30.0, 29.0, 0.5)


@pytest.fixture
def gpu(host_library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernels as host C++ in the place of a GPU."""
    monkeypatch.setattr(device_module, "missing", lambda: None)
    monkeypatch.setattr(device_module, "capability", lambda: HostDevice.capability)
    monkeypatch.setattr(device_module, "CudaDevice", lambda: HostDevice(host_library))


@pytest.fixture
def training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> network.Training:
    """A network for small frames, trained already."""
    model = models.write_model(tmp_path / "model.safetensors", start="1/2")
    made = network.Training(model, *list(vars(TRAINED).values())[1:])
    monkeypatch.setattr(network, "train", lambda *_: made)
    return made


@pytest.fixture
def film(tmp_path: Path) -> Path:
    picture = 0.3 + 0.4 * clips.rotating_spokes(8, 32, 40, turn=0.05)
    return clips.write_video(tmp_path / "in.mkv", picture, codec="ffv1", pixel_format="bgr0")


def test_the_fastest_is_chosen(gpu: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own convolutions since Ampere; before, what is installed."""
    assert machine.best_target() == machine.best_target("cuda") == "tensor-cores"
    assert machine.best_target("cpu") == "cpu"

    def none(_: object) -> str:
        raise DeviceError("no library")

    monkeypatch.setattr(to_engine, "choose_library", none)
    monkeypatch.setattr(device_module, "capability", lambda: (7, 5))
    assert machine.best_target() == "cpu"
    monkeypatch.setattr("tsr.runtime.onnx_cuda.missing", lambda: None)
    assert machine.best_target() == "cuda"


def test_a_video_is_made_by_them(
    gpu: None, training: network.Training, film: Path, tmp_path: Path
) -> None:
    """Nothing is exported; to the frames of the CPU."""
    made = {}
    for word in ("auto", "cpu"):
        out = tmp_path / f"{word}.mkv"
        given = ("-o", out, "--factor", 2, "--encoder", "ffv1", "--device", word, "--json")
        record = record_of(tsr(tmp_path / "cache", film, *given))
        made[word] = read_volume(out)[0]
        on_gpu = word == "auto"
        assert record.precision == ("fp16" if on_gpu else "int8")
        assert ("tensor cores" in record.backend) == on_gpu
    assert probe(tmp_path / "auto.mkv").num_frames == 16
    assert np.abs(made["auto"] - made["cpu"]).mean() < 0.01


def test_fp16_is_checked_once(
    gpu: None, training: network.Training, film: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """And another form exported where it does not hold what the video needs."""
    checked: list[Path] = []

    def check(model: Path, _: object) -> None:
        checked.append(model)

    monkeypatch.setattr("tsr.export.to_onnx.check_fp16", check)
    clip, told = probe(film), Told()
    for _ in range(2):
        kept = VideoCache(tmp_path / "fits")
        exported = network.export(training, clip, "tensor-cores", kept, told)
        assert exported.file.resolve() == training.model.resolve()
        assert exported.precision == "fp16"
    assert checked == [training.model]

    def refuse(*_: object) -> None:
        raise ModelError("layer 3 sums up to 70000")

    monkeypatch.setattr("tsr.export.to_onnx.check_fp16", refuse)
    monkeypatch.setattr("tsr.export.to_onnx.check_half", refuse)
    for without, precision in (("cuda", "fp32"), ("cpu", "int8")):
        monkeypatch.setattr(machine, "without_engines", lambda found=without: found)
        kept = VideoCache(tmp_path / f"does not, {without}")
        exported = network.export(training, clip, "tensor-cores", kept, told)
        assert (exported.file.suffix, exported.precision) == (".onnx", precision)
        assert ("layer 3" in exported.note) == (without == "cuda")
        where = "the GPU" if without == "cuda" else "the CPU, since ONNX Runtime here has no CUDA"
        assert f"so ONNX Runtime computes on {where}: layer 3" in capsys.readouterr().err


def test_the_gpu_that_was_asked_for_is_not_given_up(
    gpu: None, training: network.Training, film: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def refuse(*_: object) -> None:
        raise ModelError("layer 3 sums up to 70000")

    monkeypatch.setattr("tsr.export.to_onnx.check_fp16", refuse)
    given = ("-o", tmp_path / "out.mkv", "--device", "cuda")
    result = tsr(tmp_path / "cache", film, *given)
    assert result.exit_code != 0
    assert "built without CUDA" in result.stderr


def test_doctor_tells_who_runs_networks_here(gpu: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """And asks for nothing that is not needed; of an older GPU, for ONNX Runtime."""
    found = json.loads(CliRunner().invoke(main, ["doctor", "--json"], prog_name="tsr").stdout)
    assert found["runs_on"] == "the GPU, by our own convolutions in FP16"
    assert not any("to run on the GPU" in line for line in found["advice"])
    monkeypatch.setattr(device_module, "capability", lambda: (7, 5))
    monkeypatch.setattr(machine, "best_target", lambda asked="auto": "cpu")
    found = json.loads(CliRunner().invoke(main, ["doctor", "--json"], prog_name="tsr").stdout)
    assert any("onnxruntime-gpu" in line for line in found["advice"])
