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
