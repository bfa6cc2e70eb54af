"""RESULTS.md says what the JSON files say."""

from typing import Any

import pytest

pytest.importorskip("benchmarks.results_md", reason="benchmarks are not part of the wheel")

from benchmarks.results_md import markdown

MACHINE = {
    "cpu": "a CPU",
    "cores": 2,
    "load": 1.5,
    "python": "3.11",
    "versions": {"numpy": "2.0"},
    "commit": "abc",
    "date": "2026-01-01",
}


def _clips() -> dict[str, Any]:
    row = {"psnr": 30.0, "psnr_mean_error": 29.0, "psnr_middle": 28.0, "ssim": 0.9}
    clip = {
        "size": [640, 480],
        "frames": [27, 216],
        "ladder": "net",
        "scores": {name: dict(row) for name in ("nearest", "linear", "cubic_bp")},
        "lpips_every": 9,
        "training": {
            "seconds": 301.0,
            "steps": 900,
            "validation_psnr": 31.0,
            "validation_psnr_cubic": 30.0,
        },
        "run": {"seconds_per_frame": 0.5, "stages_per_frame": {"network": 0.4, "encode": 0.05}},
        "peak_mib": {"train": 500, "run": 900},
        "load": {"train": 1.0, "run": 2.0},
        "commits": ["c1", "c2"],
        "bytes": {"model": 1000, "onnx": 2000},
    }
    clip["scores"]["ours"] = {**row, "psnr": 32.0, "lpips": 0.1}  # type: ignore[index]
    train = {"channels": 64, "steps": 900}
    return {
        "preset": "fast",
        "factor": 8,
        "train": train,
        "clips": {"cup": clip},
        "machine": MACHINE,
    }


def test_clips_come_first_with_gain_cost_and_commits() -> None:
    text = markdown({"backthing": {"a": {"b": 3}, "machine": MACHINE}, "clips-fast": _clips()})
    assert text.index("## Real clips, preset fast") < text.index("## backthing")
    assert "**ours** | 32.00 (29.00; 28.00) | 0.9000 | 0.1000 | +2.00 dB |" in text
    assert "301 s, 900 steps | 31.00 (30.00) | 0.500 | 0.400 | 0.050 | 500 | 900" in text
    assert "commit c1, c2" in text


def test_any_other_report_is_listed_by_its_paths() -> None:
    text = markdown({"kernels": {"a": {"b": 3, "c": [1]}, "machine": MACHINE}})
    assert "| a · b | 3 |" in text
    assert "a CPU, 2 cores; load 1.5; Python 3.11; numpy 2.0; commit abc" in text


def test_a_gpu_report_names_what_ran_each_network_and_what_did_not() -> None:
    """Tiles that an engine does not accept are left open; versions and driver are the machine's."""
    speed = {"ms": 5.0, "tflop_s": 200.0}
    kernel = {"ms": 0.1, "gb_s": 1000, "of_copy": 0.5}
    stages = {"network": 1.0, "back-projection": 0.1}
    report = {
        "kernels": {"copy_gb_s": 2000, "errors": {}, "climb": kernel}
        | {"launches": 40, "rotated_mib": 512},
        "network": {
            "m · onnxruntime-cuda": {"error": 1e-4, "tiles": {"16x184x320": speed}},
            "m · tensorrt 11": {
                "built_seconds": 61.0,
                "refitted_seconds": 0.7,
                "tiles": {"32x184x320": speed},
            },
        },
        "cascade": {
            "m from 1/8": {
                "ms_per_frame": 1.1,
                "ms_by_stage": stages,
                "backprojection_share": 0.09,
            }
        },
        "skipped": ["no engine of q.onnx: tensorrt is not installed"],
        "machine": MACHINE | {"gpu": "NVIDIA H100", "driver": "580.1"},
    }
    text = markdown({"gpu-h100": report})
    assert "| m · onnxruntime-cuda | 1e-04 | 200.0 (5.0 ms) | – |" in text
    assert "| m · tensorrt 11 | – | – | 200.0 (5.0 ms) |" in text
    assert "built in 61.0 s; m · tensorrt 11: refitted in 0.7 s" in text
    assert "40 launches in a row, over 512 MiB" in text
    assert "Not measured: no engine of q.onnx: tensorrt is not installed." in text
    assert "NVIDIA H100; driver 580.1; a CPU" in text
