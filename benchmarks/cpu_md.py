"""The sections of RESULTS.md on CPUs: what a frame costs, which graph and tile, what INT8 loses."""

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


def network(report: Report) -> str:
    """One pass by form of graph, and by tile."""
    tile = "×".join(map(str, report["tile"]))
    parts = [
        "One network pass on random weights, medians of calls that take turns. GFLOP/s counts what "
        f"the tile's output needs, not its halo. Forms at the runtime's tile, {tile}; tiles with "
        "the form that `tsr-export --int8` writes."
    ]
    for channels, found in report["widths"].items():
        for what in ("forms", "tiles"):
            rows = (
                [*name.split("; "), str(figures["ms"]), str(figures["gflop_s"])]
                for name, figures in found[what].items()
            )
            head = [f"{channels} channels, {what[:-1]}", "engine", "ms", "GFLOP/s"]
            parts.append(table(head, rows))
    return "\n\n".join(parts)


def int8(report: Report) -> str:
    """INT8 against FP32 and the truth, by clip."""
    rows = (
        [
            name,
            f"{found['psnr']['fp32']:.3f}",
            f"{found['psnr']['int8']:.3f}",
            f"{found['loss_db']:+.3f}",
            f"{found['calibration']['psnr']:.1f} ({found['calibration']['estimator']})",
            f"{found['calibration_seconds']:.0f}",
        ]
        for name, found in report["clips"].items()
    )
    head = ["clip", "FP32 dB", "INT8 dB", "loss", "INT8 against FP32, liveliest frame", "export s"]
    text = (
        "×8, `fast`, whole clips: mean PSNR against the truth of the same network in FP32 and in "
        f"INT8 calibrated on the slow video; the loss may be {report['bar_db']} dB at most."
    )
    return f"{text}\n\n{table(head, rows)}"
