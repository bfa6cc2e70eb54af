"""How fast does a CPU train while other programs keep some of its cores busy?

    python -m benchmarks.busy
    python -m benchmarks.busy --seconds 10 --rounds 5

Steps per second of the preset `fast`, in this machine's precision and in FP32, on crops of noise,
while none, one and more of the cores run a loop that does nothing. By groups of crops, a core each,
as the trainer does it (`tsr.trainer.groups`); and, to compare with, by all crops at once, which all
cores share or one core takes. The figures go to results/busy-cores.json.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.machine import ROOT, machine
from benchmarks.stages import write_json
from tsr.core.exposure import FULL
from tsr.trainer.config import TrainConfig
from tsr.trainer.crops import CropSampler
from tsr.trainer.examples import internal_sources
from tsr.trainer.groups import cores_here
from tsr.trainer.optimiser import set_rate
from tsr.trainer.precision import computes_half, preset_here
from tsr.trainer.state import TrainState
from tsr.trainer.step import errors, padded_crops, step_function

RESULTS = ROOT / "benchmarks" / "results" / "busy-cores.json"
CPU = torch.device("cpu")
SIZE = 3, 40, 60, 90
"""Of the noise, as much as a video of 40 frames of 720×480 has at its coarsest rung."""
RATE = 1e-4
EXPOSURES = (FULL,)

TakeStep = Callable[[], object]


def in_groups(config: TrainConfig) -> TakeStep:
    """A training's step as it is."""
    state = TrainState.fresh(config, CPU)
    take_step = step_function(state, _sampler(config), config, EXPOSURES)
    return lambda: take_step(RATE)


def at_once(config: TrainConfig, threads: int) -> TakeStep:
    """The same step, every convolution of it shared by so many threads."""
    state, sampler = TrainState.fresh(config, CPU), _sampler(config)
    network = state.network

    def take_step() -> None:
        torch.set_num_threads(threads)
        set_rate(state.optimisers, RATE)
        batch = padded_crops(sampler, config, state.generator, EXPOSURES)
        network.zero_grad(set_to_none=True)
        _, error = errors(network.residual_of_crops, batch, batch, config, None)
        error.backward()  # type: ignore[no-untyped-call]
        for optimiser in state.optimisers:
            optimiser.step()

    return take_step


def _sampler(config: TrainConfig) -> CropSampler:
    noise = np.random.default_rng(0).random(SIZE, dtype=np.float32)
    return CropSampler(internal_sources(noise, config.crop, "both"), config.crop, CPU)


def steps_per_second(take_step: TakeStep, seconds: float) -> float:
    """Of steps taken for so long, behind two that warm up."""
    for _ in range(2):
        take_step()
    taken, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        take_step()
        taken += 1
    return taken / (time.perf_counter() - started)


@contextmanager
def busy(count: int) -> Iterator[None]:
    """So many other programs that never wait."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def measure(config: TrainConfig, cores: int, rounds: int, seconds: float) -> list[dict[str, Any]]:
    """Medians of steps per second by each way, for each number of busy cores."""
    found = []
    for others in range(cores + 1):
        rates: dict[str, list[float]] = {"groups": [], "all cores": [], "one core": []}
        for _ in range(rounds):
            with busy(others):
                for way, rate in rates.items():
                    torch.set_num_threads(cores)
                    if way == "groups":
                        take_step = in_groups(config)
                    else:
                        take_step = at_once(config, cores if way == "all cores" else 1)
                    rate.append(steps_per_second(take_step, seconds))
        medians = {way: round(statistics.median(rate), 2) for way, rate in rates.items()}
        print(f"{config.channels} channels, {others} busy: {medians}", flush=True)
        found.append({"busy": others, **medians})
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, write the results."""
    parser = argparse.ArgumentParser(description="Training beside other programs.")
    parser.add_argument("--seconds", type=float, default=5.0, help="per way and round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--results", type=Path, default=RESULTS, help="results file")
    given = parser.parse_args(arguments)
    cores = cores_here()
    here, plain = (preset_here("fast", CPU, precision=name) for name in (None, "fp32"))
    report: dict[str, Any] = {"benchmark": "busy", "machine": machine(), "rounds": given.rounds}
    report["settings"] = [
        {
            "channels": config.channels,
            "precision": "bf16" if computes_half(config, CPU) else "FP32",
            "rates": measure(config, cores, given.rounds, given.seconds),
        }
        for config in ([here, plain] if computes_half(here, CPU) else [plain])
    ]
    write_json(given.results, report)


if __name__ == "__main__":
    main()
