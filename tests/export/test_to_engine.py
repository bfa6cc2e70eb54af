"""Real engines, built by TensorRT for RTX without a GPU; with one, they are run as well."""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import commands
import pytest
from bindings import builder_says, convolutions, trt
from engines import pretend
from quantised import quantise

from tsr.core.errors import DeviceError, SettingsError
from tsr.core.model_card import file_sha256
from tsr.core.plan_file import EngineCard, read_plan
from tsr.core.tiling import NETWORK_HALO
from tsr.export import engine_builder, to_engine
from tsr.export.engine_builder import ELEMENTS_LIMIT, Profile, elements
from tsr.export.to_engine import EngineOptions
from tsr.export.to_onnx import to_onnx
from tsr.runtime import device, tensorrt_library

AHEAD = EngineOptions(target="tensorrt-rtx", capabilities=("8.9",), tile=(4, 24, 32))


@pytest.fixture(scope="module")
def half_onnx(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("half") / "half.onnx"
    to_onnx(tiny_model, path, half=True)
    return path


@pytest.fixture
def builder_log() -> Iterator[list[str]]:
    """All that the builder says."""
    with builder_says() as lines:
        yield lines


@pytest.mark.parametrize(
    ("precision", "format"), [("fp32", "Float"), ("fp16", "Half"), ("int8", "Int8")]
)
def test_kernels_compute_in_the_precision_of_the_file(
    precision: str,
    format: str,
    tiny_onnx: Path,
    half_onnx: Path,
    tmp_path: Path,
    builder_log: list[str],
) -> None:
    """All eight convolutions; the card says so too, and is found in the file again."""
    model = {"fp32": tiny_onnx, "fp16": half_onnx}.get(precision)
    model = model or quantise(tiny_onnx, tmp_path / "int8.onnx")
    result = to_engine.to_engine(model, tmp_path / "x.plan", AHEAD)
    assert convolutions(builder_log) == [format] * 8
    data, card = read_plan(tmp_path / "x.plan")
    assert card == result.card
    assert card.model.precision == precision
    assert card.model_sha256 == file_sha256(model)
    assert (card.library, card.version) == ("tensorrt_rtx", trt.__version__)
    assert (card.tile, card.capabilities) == ((4, 24, 32), ("8.9",))
    assert data.count(card.to_name().encode()) == 1


@pytest.mark.parametrize("capabilities", [(), ("8.6",), ("7.5", "8.0", "8.6", "8.9", "12.0")])
def test_one_plan_serves_several_generations(
    capabilities: tuple[str, ...], half_onnx: Path, tmp_path: Path
) -> None:
    """Those named, or all."""
    options = EngineOptions(target="tensorrt-rtx", capabilities=capabilities, tile=(4, 24, 32))
    card = to_engine.to_engine(half_onnx, tmp_path / "x.plan", options).card
    assert card.capabilities == capabilities
    assert read_plan(tmp_path / "x.plan")[1] == card


def test_the_builder_is_given_windows_with_their_halo(
    half_onnx: Path, tmp_path: Path, builder_log: list[str]
) -> None:
    """The network's input is larger than the tile that it makes; all three axes are dynamic."""
    to_engine.to_engine(half_onnx, tmp_path / "x.plan", AHEAD)
    text = "\n".join(builder_log)
    assert "base -> (1, 3, -1, -1, -1)[FLOAT]" in text
    profile = Profile.around((4, 24, 32), 8)
    assert profile.windows == ((1, 3, 8, 18, 20), (1, 3, 10, 40, 48), (1, 3, 14, 64, 80))


@pytest.mark.parametrize("channels", [1, 64, 128, 1024])
@pytest.mark.parametrize("tile", [(16, 184, 320), (2, 2, 2), (64, 120, 160), (8, 368, 640)])
def test_no_tensor_of_a_profile_grows_past_the_limit(tile: Any, channels: int) -> None:
    """Convolutions index with 32 bits; the tile itself is always inside the profile."""
    if elements(tile, channels) >= ELEMENTS_LIMIT:
        with pytest.raises(SettingsError, match="smaller --tile"):
            Profile.around(tile, channels)
        return
    profile = Profile.around(tile, channels)
    frames, rows, columns = profile.largest
    halo = NETWORK_HALO
    voxels = (frames + 2 * halo.t) * (rows + 2 * halo.h) * (columns + 2 * halo.w)
    assert channels * voxels < 2**31
    for low, usual, high in zip(profile.smallest, tile, profile.largest, strict=True):
        assert low <= usual <= high <= 2 * usual


def test_the_same_model_gives_the_same_engine_card_and_size(
    half_onnx: Path, tmp_path: Path
) -> None:
    """Nothing of the moment or the folder gets into the file."""
    for name in ("a.plan", "b.plan"):
        to_engine.to_engine(half_onnx, tmp_path / name, AHEAD)
    a, b = (read_plan(tmp_path / name) for name in ("a.plan", "b.plan"))
    assert a[1] == b[1]
    assert len(a[0]) == len(b[0])
    assert str(tmp_path).encode() not in a[0]


def test_the_command_makes_a_plan_of_a_trained_model(tiny_model: Path, tmp_path: Path) -> None:
    """In one go, and says what it is and that it has not run."""
    plan = tmp_path / "engine.plan"
    result = commands.succeed(
        *("tsr-export", tiny_model, "--fp16", "-o", plan, "--json", "--tile", 4, 24, 32),
        *("--compute-capability", "8.9", "--compute-capability", "12.0"),
    )
    told = json.loads(result.stdout)
    card = read_plan(plan)[1]
    assert card.model.precision == told["model"]["precision"] == "fp16"
    assert told["capabilities"] == ["8.9", "12.0"]
    assert told["how"] == "built"
    assert "8 channels, fp16, tensorrt_rtx" in result.stderr
    if device.missing():
        assert told["checked"] is False
        assert "not run: no such GPU here" in result.stderr
    assert commands.names(tmp_path) == ["engine.plan"]


def test_half_precision_comes_with_an_engine_where_one_can_be_built(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless another output is named; without a library, the .onnx file alone and the reason."""
    model = Path(shutil.copy(tiny_model, tmp_path / "m.safetensors"))
    told = commands.succeed("tsr-export", model, "--fp16").stderr
    assert commands.names(tmp_path) == ["m.onnx", "m.plan", "m.safetensors"]
    assert read_plan(tmp_path / "m.plan")[1].model.precision == "fp16"
    assert "m.plan (8 channels, fp16" in told
    (tmp_path / "m.onnx").unlink()
    assert "m.plan exists" in commands.refusal("tsr-export", model, "--fp16")
    assert commands.names(tmp_path) == ["m.plan", "m.safetensors"]

    (tmp_path / "m.plan").unlink()
    for name in ("tensorrt", "tensorrt_rtx"):
        monkeypatch.setitem(sys.modules, name, None)
    told = commands.succeed("tsr-export", model, "--fp16").stderr
    assert "no m.plan beside it: no engine can be built here" in told
    assert commands.names(tmp_path) == ["m.onnx", "m.safetensors"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--int8", "clip.mp4"], "or give the .safetensors"),
        (["--compute-capability", "9.0"], "does not build for compute capability 9.0; it builds"),
        (["--compute-capability", "8.9", "--target", "tensorrt"], "leave out --compute-capability"),
        (["--version-compatible", "--target", "tensorrt-rtx"], "no version-compatible plans"),
        (["--fp16"], "has its precision already"),
        (["--tile", "64", "2160", "3840"], "use a smaller --tile"),
        (["-o", "x.trt"], "neither an .onnx nor a .plan"),
        (["-o", "x.onnx", "--target", "auto"], "to build an engine, name it x.plan"),
    ],
)
def test_wrong_wishes_are_refused_in_one_line(
    arguments: list[str], message: str, half_onnx: Path, tmp_path: Path
) -> None:
    """And nothing is written."""
    output = ["-o", str(tmp_path / "x.plan")] if "-o" not in arguments else []
    assert message in commands.refusal("tsr-export", half_onnx, *output, *arguments)
    assert commands.names(tmp_path) == []


def test_what_is_missing_is_said_with_the_command_that_installs_it(
    half_onnx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any library; with a TensorRT too old; with one, but no GPU to build on."""
    arguments = ("tsr-export", half_onnx, "-o", tmp_path / "x.plan")
    for name in ("tensorrt", "tensorrt_rtx"):
        monkeypatch.setitem(sys.modules, name, None)
    line = commands.refusal(*arguments)
    assert "pip install tensorrt;" in line
    assert "pip install tensorrt-rtx-cu13" in line
    monkeypatch.setitem(sys.modules, "tensorrt", pretend("tensorrt", "10.3.0"))
    line = commands.refusal(*arguments, "--target", "tensorrt")
    assert "10.12 or newer is needed: pip install --upgrade tensorrt" in line
    monkeypatch.setitem(sys.modules, "tensorrt", pretend("tensorrt", "11.4.0.106"))
    monkeypatch.setattr(device, "missing", lambda: "the NVIDIA driver shows no GPU")
    line = commands.refusal(*arguments, "--target", "tensorrt")
    assert "times its kernels on the GPU it builds for, and the NVIDIA driver shows no GPU" in line
    assert commands.names(tmp_path) == []


def test_a_file_calibrated_for_cpus_is_refused(tiny_onnx: Path, tmp_path: Path) -> None:
    """Its numbers have a form that TensorRT does not read."""
    model = quantise(tiny_onnx, tmp_path / "cpu.onnx", target="cpu")
    line = commands.refusal("tsr-export", model, "-o", tmp_path / "x.plan")
    assert "was calibrated for CPUs" in line
    assert "--for tensorrt" in line
    assert commands.names(tmp_path) == ["cpu.onnx"]


def test_a_model_that_is_none_of_ours_is_refused(tmp_path: Path) -> None:
    """Before anything is built."""
    (tmp_path / "m.onnx").write_bytes(b"nonsense")
    line = commands.refusal("tsr-export", tmp_path / "m.onnx", "-o", tmp_path / "x.plan")
    assert "not a readable ONNX model" in line


@pytest.mark.parametrize("wish", ["version_compatible", "refittable"])
def test_a_builder_that_fails_is_quoted(wish: str, half_onnx: Path, tmp_path: Path) -> None:
    """TensorRT for RTX has no lean runtime, and without a driver no refittable engines: so nobody
    asks for them, and whoever does in spite of that learns why."""
    if wish == "refittable" and device.missing() is None:
        pytest.skip("with a GPU this can be built")
    reference = to_engine.Reference(half_onnx)
    card, profile = to_engine.describe(half_onnx, reference.card, AHEAD, None)
    assert not card.version_compatible
    assert not card.refittable
    wished = EngineCard(**{**vars(card), wish: True})
    with pytest.raises(DeviceError, match=r"cannot build an engine from .* \(.*rror"):
        engine_builder.build_plan(half_onnx, wished, profile)


def test_what_the_card_says_is_what_the_builder_is_told(half_onnx: Path) -> None:
    """Flags, targets and shapes, read back from the real configuration."""
    reference = to_engine.Reference(half_onnx)
    card, profile = to_engine.describe(half_onnx, reference.card, AHEAD, None)
    builder = trt.Builder(tensorrt_library.messages("tensorrt_rtx"))
    for wishes in ({}, {"refittable": True}, {"version_compatible": True}):
        config = engine_builder._config(
            trt, builder, EngineCard(**{**vars(card), **wishes}), profile
        )
        flags = trt.BuilderFlag
        assert config.get_flag(flags.REFIT) == ("refittable" in wishes)
        assert config.get_flag(flags.VERSION_COMPATIBLE) == ("version_compatible" in wishes)
        assert not config.get_flag(flags.TF32)
        assert config.num_compute_capabilities == 1
        assert config.get_compute_capability(0) == trt.ComputeCapability.SM89
        assert config.num_optimization_profiles == 1
