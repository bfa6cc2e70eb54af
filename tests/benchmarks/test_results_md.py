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


def _clip(ours_psnr: float) -> dict[str, Any]:
    row = {"psnr": 30.0, "ssim": 0.9, "psnr_moving": 20.0, "psnr_change": 25.0, "moving_share": 0.2}
    plain = {name: {"scores": dict(row), "commits": ["c1"]} for name in ("nearest", "linear")}
    ours = {
        "scores": {**row, "psnr": ours_psnr, "lpips": 0.1, "psnr_change": 24.0},
        "commits": ["c1", "c2"],
        "training": {
            "seconds": 301.0,
            "steps": 900,
            "validation_psnr": 31.0,
            "validation_psnr_cubic": 30.0,
        },
        "run": {
            "seconds_per_frame": 0.5,
            "stages_per_frame": {"network": 0.4, "encode": 0.05},
            "ladder": "net",
        },
        "peak_mib": {"train": 500, "run": 900},
        "load": {"train": 1.0, "run": 2.0},
        "bytes": {"model": 1000, "onnx": 2000},
    }
    return {"size": [640, 480], "frames": [27, 216], "methods": {**plain, "ours-fast": ours}}


def _quality() -> dict[str, Any]:
    clips = {"cup": _clip(32.0), "toy": _clip(31.0)}
    del clips["toy"]["methods"]["nearest"]
    clips["cup"]["methods"]["ours-fast"]["note"] = "measured elsewhere."
    return {"factors": {"8": clips}, "lpips_every": 9, "machine": MACHINE}


def _scene(*, holds_evidence: bool, ours: str) -> dict[str, Any]:
    def motion(speed: float, verdict: str) -> dict[str, Any]:
        return {"speed": speed, "right_way": 0.97, "contrast": 0.5, "verdict": verdict}

    return {
        "title": "Wheel, fast" if holds_evidence else "Wheel, steady",
        "true_speed": 0.6,
        "aliased": True,
        "holds_evidence": holds_evidence,
        "methods": {
            "slow": motion(-0.4, "wrong way"),
            "linear": motion(-0.39, "wrong way"),
            "ours-fast": motion(0.58 if ours == "right" else -0.4, ours),
        },
    }


def test_aliasing_says_what_each_method_could_not_do() -> None:
    scenes = {
        "wheel": _scene(holds_evidence=True, ours="right"),
        "steady": _scene(holds_evidence=False, ours="wrong way"),
    }
    text = markdown({"aliasing": {"scenes": scenes, "machine": MACHINE}})
    assert "| Wheel, fast | +0.60 | -0.40 | yes | -0.39 wrong way (97 %) |" in text
    assert "| **+0.58 right (97 %)** |" in text
    assert "- ours, fast: without evidence: Wheel, steady (wrong way) (2 of 2 scenes" in text
    assert "- linear: although the video holds the evidence: Wheel, fast (wrong way) · " in text


def test_quality_comes_first_with_gain_best_values_cost_and_commits() -> None:
    text = markdown({"backthing": {"machine": MACHINE}, "quality": _quality()})
    assert text.index("## Quality on real clips") < text.index("## backthing")
    assert "cup 640×480, 27 → 216 frames, 20 % moving | nearest |" in text
    row = "| **ours, fast** | **32.00** | **0.9000** | **0.1000** | **20.00** | – | 24.00 | +2.00"
    assert row in text
    assert "301 s, 900 steps | 31.00 (30.00) | 0.500 | 0.400 | 0.050 | 500 | 900" in text
    assert "commit c1, c2" in text
    assert "ours, fast on cup: measured elsewhere." in text


def test_means_are_of_methods_measured_on_every_clip() -> None:
    text = markdown({"quality": _quality()})
    means = text[text.index("Means of the 2 clips") : text.index("What ours costs")]
    assert "| **ours, fast** | **31.50** |" in means
    assert "nearest" not in means


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
