"""OpenVINO computes what ONNX Runtime computes, on the same files."""

from fractions import Fraction
from pathlib import Path

import clips
import numpy as np
import pytest
from commands import refusal, succeed

from tsr.core.errors import DeviceError, ModelError, SettingsError
from tsr.core.ladder import ScaleLadder
from tsr.runtime.cascade import FramePyramid, run_segment
from tsr.runtime.cpu_backend import CpuBackend
from tsr.runtime.onnx_network import OnnxNetwork
from tsr.runtime.open_backend import open_backend
from tsr.runtime.openvino_network import OpenVinoNetwork, available
from tsr.runtime.plan import plan_segment

needs_openvino = pytest.mark.skipif(not available(), reason="openvino is not installed")

TOLERANCE = 2e-6
"""Sums of FP32 in another order; values are about 1."""


@needs_openvino
@pytest.mark.parametrize("size", [(2, 16, 16), (5, 17, 31), (16, 24, 40)])
def test_it_agrees_with_onnx_runtime(size: tuple[int, int, int], tiny_onnx: Path) -> None:
    """At FP32's precision: where the processor has bf16, it is not used."""
    t, h, w = size
    window = np.random.default_rng(0).random((3, t + 6, h + 16, w + 16), np.float32)
    expected = OnnxNetwork(tiny_onnx)(window)
    np.testing.assert_allclose(OpenVinoNetwork(tiny_onnx)(window), expected, atol=TOLERANCE)


@needs_openvino
def test_earlier_results_stay_as_they_were(tiny_onnx: Path) -> None:
    """A call does not write into what the call before returned."""
    network = OpenVinoNetwork(tiny_onnx)
    windows = np.random.default_rng(0).random((2, 3, 10, 32, 32), np.float32)
    first = network(windows[0])
    kept = first.copy()
    network(windows[1])
    np.testing.assert_array_equal(first, kept)


@needs_openvino
def test_what_it_cannot_compute_is_said_in_one_line(tiny_onnx: Path) -> None:
    """And what to use instead."""
    with pytest.raises(ModelError, match=r"tiny\.onnx .*; use --cpu-engine onnxruntime$") as caught:
        OpenVinoNetwork(tiny_onnx)(np.zeros((4, 10, 32, 32), np.float32))
    assert "\n" not in str(caught.value)


@needs_openvino
def test_tiles_do_not_show(tiny_onnx: Path) -> None:
    """Whole ladders by different tiles are equal up to the order of sums."""
    ladder, video = ScaleLadder(Fraction(1, 4), 8), clips.rotating_spokes(3, 64, 96)

    def result(tile: tuple[int, int, int]) -> np.ndarray:
        backend = CpuBackend(OpenVinoNetwork(tiny_onnx), tile)
        frames = (video[:, n] for n in range(video.shape[1]))
        pyramid = FramePyramid(frames, ladder, backend)
        made = run_segment(plan_segment(ladder, (0, 3), 3), pyramid, backend, 3)
        return np.concatenate([group.copy() for group in made], axis=1)

    np.testing.assert_allclose(result((6, 20, 36)), result((32, 96, 160)), atol=TOLERANCE)


@needs_openvino
def test_it_is_taken_where_it_is_installed(tiny_onnx: Path) -> None:
    assert open_backend(tiny_onnx, "cpu")[0].name == "openvino-cpu"
    assert open_backend(tiny_onnx, "cpu", cpu_engine="onnxruntime")[0].name == "onnxruntime-cpu"


def test_without_it_onnx_runtime_is_taken(tiny_onnx: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tsr.runtime.openvino_network.available", lambda: False)
    assert open_backend(tiny_onnx, "cpu")[0].name == "onnxruntime-cpu"
    with pytest.raises(DeviceError, match="pip install openvino"):
        open_backend(tiny_onnx, "cpu", cpu_engine="openvino")


def test_a_cpu_engine_is_none_for_a_gpu(tiny_onnx: Path) -> None:
    with pytest.raises(SettingsError, match="openvino"):
        open_backend(tiny_onnx, "cuda", cpu_engine="openvino")


@needs_openvino
def test_a_damaged_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no model")
    clips.write_video(tmp_path / "slow.mkv", clips.moving_bar(4, 64, 64))
    words = (tmp_path / "model.onnx", tmp_path / "slow.mkv", "--cpu-engine", "openvino")
    assert "not a readable ONNX model" in refusal("tsr-run", *words)


@needs_openvino
def test_the_command_says_what_computed(tiny_onnx: Path, tmp_path: Path) -> None:
    clips.write_video(tmp_path / "slow.mkv", clips.moving_bar(4, 136, 136))
    result = succeed(
        "tsr-run", tiny_onnx, tmp_path / "slow.mkv", "--json", "--cpu-engine", "openvino"
    )
    assert '"backend": "openvino-cpu"' in result.stdout
