"""What the CPU benchmarks count and compare is what they say."""

from pathlib import Path

import clips
import numpy as np
import onnx
import pytest
from models import random_network

from benchmarks.cpu import cut, mean_psnr, ratios, voxel_flop
from benchmarks.cpu_md import cpu, int8, network
from benchmarks.graph_forms import lowered_to_2d
from tsr.calibration.session import GraphNetwork
from tsr.core.clip_io import read_volume
from tsr.export.to_onnx import traced_graph


def test_the_2d_form_is_the_same_function() -> None:
    """Up to the order of sums."""
    full = traced_graph(random_network(8))
    flat = lowered_to_2d(full)
    onnx.checker.check_model(flat, full_check=True)
    window = np.random.default_rng(0).random((3, 9, 25, 19), np.float32)
    np.testing.assert_allclose(GraphNetwork(flat)(window), GraphNetwork(full)(window), atol=2e-6)


def test_operations_are_two_per_weight_and_voxel() -> None:
    """Every weight is multiplied and added once for each voxel."""
    network = random_network(16)
    weights = sum(layer.weight.numel() for layer in network.layers)
    assert voxel_flop(16) == 2 * weights


def test_a_cut_holds_the_first_frames_unchanged(tmp_path: Path) -> None:
    volume = clips.numbered(7, 64, 64)
    clips.write_video(tmp_path / "all.mkv", volume, codec="ffv1", pixel_format="bgr0")
    part = cut(tmp_path / "all.mkv", 3, tmp_path / "part.mkv")
    whole, _ = read_volume(tmp_path / "all.mkv")
    first, _ = read_volume(part)
    np.testing.assert_array_equal(first, whole[:, :3])
    assert mean_psnr(part, tmp_path / "all.mkv") == 100.0


RUN = {
    "seconds_per_frame": 1.0,
    "stages_per_frame": {"decode": 0.01, "network": 0.8, "back-projection": 0.02, "encode": 0.03},
    "gflop_s": 200,
    "peak_mib": 1500,
    "psnr": 25.5,
}
FAST = RUN | {"stages_per_frame": {"network": 0.2}, "psnr": 25.49}
ABOUT = {
    "estimators": {"absmax": 61.0},
    "estimator": "absmax",
    "by_rung": {"S×1/8 T×2": 60.0},
    "psnr": 58.0,
    "layers": [1, 2],
    "seconds": 30.0,
}


def test_the_ratio_is_that_of_the_network_s_seconds() -> None:
    runs = {f"fp32-{e}": RUN for e in ("onnxruntime", "openvino")}
    runs |= {f"int8-{e}": FAST for e in ("onnxruntime", "openvino")}
    widths = {"64": {"runs": runs, "calibration": ABOUT}}
    assert ratios(widths) == {"64 onnxruntime": 4.0, "64 openvino": 4.0}
    text = cpu(
        {
            "clip": "c", "size": [64, 48], "frames": [2, 16], "widths": widths,
            "matrix_product_gflop_s": {"fp32": 270}, "rife_seconds_per_frame": 0.5,
            "int8_over_fp32": ratios(widths),
        }
    )  # fmt: skip
    assert "| 64, int8, openvino | **1.000** | 0.000 | 0.200 |" in text
    assert "25.490 (-0.010)" in text
    assert "RIFE makes one frame of this size in 0.5 s" in text


@pytest.mark.parametrize("loss", [0.01, -0.002])
def test_losses_are_told_with_their_sign(loss: float) -> None:
    clip = {
        "psnr": {"fp32": 30.0, "int8": 30.0 - loss}, "loss_db": loss, "calibration": ABOUT,
        "calibration_seconds": 20.0,
    }  # fmt: skip
    assert f"| {loss:+.3f} |" in int8({"bar_db": 0.05, "clips": {"c": clip}})


def test_forms_and_tiles_have_a_table_each() -> None:
    figures = {"ms": 10.0, "gflop_s": 500}
    found = {"forms": {"fp32; openvino": figures}, "tiles": {"8×96×160; onnxruntime": figures}}
    text = network({"tile": [32, 96, 160], "widths": {"64": found}})
    assert "| fp32 | openvino | 10.0 | 500 |" in text
    assert "| 8×96×160 | onnxruntime | 10.0 | 500 |" in text
