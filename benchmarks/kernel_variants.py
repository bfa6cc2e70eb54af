"""The small kernels in several configurations, and as they were: times, shares of the copy bandwidth,
errors. `.carry/old_runtime` is a copy of runtime/ from before. From the repository root on a GPU machine: PYTHONPATH=.links:. python benchmarks/kernel_variants.py
`--only 0,3` measures some of the modules, `--limit 38` starts none after so many seconds."""

import argparse
import functools
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

BEGUN = time.monotonic()
ROOT = Path(__file__).resolve().parent.parent
KERNELS = ("climb", "halve", "store_planes", "load_planes", "gather", "place")

# (rows, resident, defer, ahead, keep) of climb, with "single" benchmarks/climb_single.cu, whose threads
# enlarge one column instead of two; (strip, resident) of halve; (strip, resident, ahead) of gather;
# (rows and resident blocks of load, resident blocks of store).
MODULES = [
    {"climb": (32, 2, 1, 0, 1), "halve": (16, 3), "gather": (11, 4, 2), "frames": (4, 2, 3)},
    {"climb": (24, 3, 0, 0, 1), "single": 1, "halve": (8, 3), "gather": (8, 4, 2), "frames": (2, 4, 4)},
    {"climb": (32, 2, 1, 1, 1), "halve": (15, 3), "gather": (11, 4, 1), "frames": (3, 3, 2)},
    {"climb": (24, 2, 1, 1, 1), "halve": (16, 4), "gather": (6, 4, 2), "frames": (2, 3, 3)},
    {"climb": (32, 2, 0, 1, 1), "halve": (8, 4), "gather": (4, 4, 2), "frames": (1, 6, 3)},
    {"climb": (24, 3, 0, 1, 1), "single": 1, "halve": (12, 4), "gather": (22, 4, 2)},
    {"climb": (32, 3, 0, 1, 0), "halve": (6, 3), "gather": (8, 5, 2)},
    {"climb": (24, 3, 1, 0, 1), "halve": (12, 3)},
    {"climb": (24, 3, 1, 0, 1), "single": 1, "halve": (16, 2)},
    {"climb": (24, 2, 1, 0, 1), "halve": (4, 3)},
    {"climb": (32, 2, 1, 1, 1), "single": 1},
    {"climb": (32, 3, 0, 0, 1), "single": 1},
    {"climb": (32, 2, 1, 1, 0)},
    {"climb": (16, 3, 0, 1, 1)},
]


def flags(module):
    found = []
    if climb := module.get("climb"):
        names = ("ROWS", "RESIDENT", "DEFER", "AHEAD", "KEEP")
        found += [f"-DTSR_CLIMB_{n}={v}" for n, v in zip(names, climb)]
    if halve := module.get("halve"):
        found += [f"-DTSR_HALVE_{n}={v}" for n, v in zip(("STRIP", "RESIDENT"), halve)]
    if gather := module.get("gather"):
        found += [f"-DTSR_GATHER_{n}={v}" for n, v in zip(("STRIP", "RESIDENT", "AHEAD"), gather)]
    if frames := module.get("frames"):
        names = ("LOAD_ROWS", "LOAD_RESIDENT", "STORE_RESIDENT")
        found += [f"-DTSR_{n}={v}" for n, v in zip(names, frames)]
    return found


def one_noise():
    """Random numbers drawn once; every volume is a piece of them."""
    pool = np.random.default_rng(0).random(26 << 20, np.float32) * np.float32(0.6) + np.float32(0.2)

    def noise(*shape, seed=0):
        first = seed * 4099 % 4096 * 64
        return pool[first : first + math.prod(shape)].reshape(shape)

    return noise


def measure(device, bench, names):
    from tsr.runtime.cuda_backend import CudaBackend
    from tsr.runtime.cuda_kernels import CudaKernels

    found = {}
    errors = bench.kernel_errors(device)
    wrong = {k: v for k, v in errors.items() if not v <= bench.KERNEL_TOLERANCE}
    if wrong:
        found["WRONG"] = wrong
    cases = bench.cases(CudaKernels(device), CudaBackend(device, bench._NoNetwork()))
    for name, (make, num_bytes) in cases.items():
        if name not in names:
            continue
        works = [make(seed) for seed in range(max(2, math.ceil(bench.ROTATED_BYTES / num_bytes)))]
        ms = bench.milliseconds(device, works, launches=bench.LAUNCHES)
        del works
        found[name] = (round(ms, 4), round(100 * num_bytes / ms / 1e6 / COPY, 1))
    device.release()
    return found


def show(label, found):
    parts = [f"{k} {v[0]:.4f} ms {v[1]:.0f}%" if isinstance(v, tuple) else f"{k} {v}" for k, v in found.items()]
    print(f"{time.monotonic() - BEGUN:5.1f} s  {label}: " + ", ".join(parts), flush=True)


def prepared():
    """The benchmark with cheap noise and few repeats."""
    from benchmarks import gpu_kernels as bench

    bench.noise = one_noise()
    from_rgb, kept = bench.from_rgb, {}

    def from_rgb_once(rgb, *how):
        if rgb.shape not in kept:
            kept[rgb.shape] = from_rgb(rgb, *how)
        return kept[rgb.shape]

    bench.from_rgb = from_rgb_once
    bench.milliseconds = functools.partial(bench.milliseconds, repeats=5)
    return bench


def open_device(path):
    if os.environ.get("DRY"):
        sys.path.insert(0, str(Path(__file__).parent))
        from dry import Dry

        return Dry()
    from tsr.runtime.device import CudaDevice

    return CudaDevice(module=path.read_bytes())


def compiled(folder, number, module, capability):
    from tsr.runtime import kernels

    path = Path(folder) / f"{number}.fatbin"
    if not module.get("single"):
        kernels.compile_module(path, [capability], flags(module))
        return path
    sources = Path(folder) / f"sources{number}"
    shutil.copytree(kernels.FOLDER, sources)
    shutil.copy(ROOT / "benchmarks" / "climb_single.cu", sources / "climb.cu")
    target = f"arch=compute_{capability[0]}{capability[1]},code=sm_{capability[0]}{capability[1]}"
    command = [kernels.find_nvcc(), *kernels.FLAGS, *flags(module), f"-gencode={target}", "-fatbin"]
    subprocess.run([*command, "-o", str(path), str(sources / "all.cu")], check=True)
    return path


COPY = 4239.0  # GB/s, overwritten below


def main():
    global COPY
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="")
    parser.add_argument("--limit", type=float, default=38)
    parser.add_argument("--old", action="store_true")
    parser.add_argument("--capability", default="9.0")
    options = parser.parse_args()
    capability = tuple(map(int, options.capability.split(".")))
    chosen = [int(n) for n in options.only.split(",") if n] or list(range(len(MODULES)))
    with tempfile.TemporaryDirectory() as folder:
        if options.old:
            path = compiled(folder, "old", {}, capability)
            bench = prepared()
            show("as it was", measure(open_device(path), bench, KERNELS))
            return
        links = Path(folder) / "tsr"
        links.mkdir()
        for name in ("core", "trainer", "calibration", "export", "evaluation", "pipeline"):
            (links / name).symlink_to(ROOT / name)
        (links / "runtime").symlink_to(ROOT / ".carry" / "old_runtime")
        with ThreadPoolExecutor(14) as pool:
            waiting = {n: pool.submit(compiled, folder, n, MODULES[n], capability) for n in chosen}
            old = subprocess.Popen(
                [sys.executable, __file__, "--old", "--capability", options.capability],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": f"{links.parent}{os.pathsep}{ROOT}"},
            )
            bench = prepared()
            paths = {n: task.result() for n, task in waiting.items()}
        if old.wait():
            print("the old kernels could not be measured", flush=True)
        print(f"{time.monotonic() - BEGUN:5.1f} s  compiled", flush=True)
        from tsr.runtime import cuda_frames, cuda_kernels

        first = True
        for n in chosen:
            module = MODULES[n]
            if time.monotonic() - BEGUN > options.limit:
                print(f"not measured for want of time: {chosen[chosen.index(n):]}")
                break
            rows = module.get("climb", (32,))[0]
            cuda_kernels.CLIMB_TILE = (rows, 64)
            cuda_kernels.HALVE_STRIP = module.get("halve", (16,))[0]
            cuda_frames.LOAD_ROWS = module.get("frames", (4,))[0]
            cuda_kernels.GATHER_STRIP = module.get("gather", (11,))[0]
            names = [k for k in ("climb", "halve", "gather") if k in module]
            names += ["load_planes", "store_planes"] if "frames" in module else []
            names += ["place"] if first else []
            device = open_device(paths[n])
            if first and not os.environ.get("DRY"):
                COPY = bench.copy_bandwidth(device)
                print(f"copy {COPY:.0f} GB/s", flush=True)
            first = False
            try:
                show(f"{n} {json.dumps(module)}", measure(device, bench, names))
            except Exception as error:  # a variant that cannot run must not end the others
                print(f"{n} {module}: {type(error).__name__} {error}", flush=True)


if __name__ == "__main__":
    main()
