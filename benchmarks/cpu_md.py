"""The section of RESULTS.md on what a frame costs on a CPU."""

from collections.abc import Iterator
from typing import Any

from benchmarks.markdown import table

Report = dict[str, Any]

STAGES = ("decode", "network", "back-projection", "encode")


def cpu(report: Report) -> str:
    """Seconds per output frame by width, precision and engine."""
    width, height = report["size"]
    given, made = report["frames"]
    ceilings = ", ".join(
        f"{name} {value} GFLOP/s" for name, value in report["matrix_product_gflop_s"].items()
    )
    rife = report["rife_seconds_per_frame"]
    parts = [
        f"{report['clip']} {width}×{height}, ×8 from S×1/8, the first {given} input frames "
        f"→ {made}; "
        "`tsr-run` from file to file (FFV1), its start included. Seconds per output frame; the "
        "stages overlap. GFLOP/s counts what the network must compute, not the halo of tiles. PSNR "
        "against the truth, and what INT8 takes from it.",
        table(
            ["channels, precision, engine", "s/frame", *STAGES, "GFLOP/s", "peak MiB", "PSNR dB"],
            _rows(report),
        ),
        "INT8 against the same network in FP32, network seconds: "
        + ", ".join(f"{name} ×{ratio}" for name, ratio in report["int8_over_fp32"].items())
        + f". Matrix product of this machine (torch): {ceilings}."
        + (f" RIFE makes one frame of this size in {rife} s, in FP32." if rife else ""),
        *(_calibration(name, found) for name, found in report["widths"].items()),
    ]
    return "\n\n".join(parts)


def _rows(report: Report) -> Iterator[list[str]]:
    for channels, found in report["widths"].items():
        full = found["runs"]["fp32-onnxruntime"]["psnr"]
        for name, run in found["runs"].items():
            yield [
                f"{channels}, {name.replace('-', ', ')}",
                f"**{run['seconds_per_frame']:.3f}**",
                *(f"{run['stages_per_frame'].get(stage, 0):.3f}" for stage in STAGES),
                str(run["gflop_s"]),
                str(run["peak_mib"]),
                f"{run['psnr']:.3f} ({run['psnr'] - full:+.3f})",
            ]


def _calibration(channels: str, found: Report) -> str:
    about = found["calibration"]
    rivals = ", ".join(f"{name} {psnr:.1f} dB" for name, psnr in about["estimators"].items())
    rungs = ", ".join(f"{rung} {psnr:.1f} dB" for rung, psnr in about["by_rung"].items())
    return (
        f"{channels} channels, `tsr-export --int8` ({about['seconds']:.0f} s): range estimators "
        f"against FP32: {rivals}; {about['estimator']} by rung: {rungs}; the ladder's result at "
        f"the liveliest frame: {about['psnr']:.1f} dB, layers "
        f"{', '.join(map(str, about['layers']))} in INT8."
    )
