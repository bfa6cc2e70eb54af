"""Which methods a benchmark measures: options that several commands share."""

import argparse
from typing import Any

from benchmarks.methods import METHODS, OURS, Ours
from tsr.trainer.config import PRESETS, Preset
from tsr.trainer.train import choose_device


def names(text: str) -> list[str]:
    """The words of a list with commas."""
    return [name for name in text.split(",") if name]


def add_method_options(parser: argparse.ArgumentParser) -> None:
    """The options that `chosen_methods` reads."""
    parser.add_argument("--methods", type=names, default=[*METHODS], help=f"of {METHODS}")
    parser.add_argument("--presets", type=names, default=["fast"], help="ours in each of these")
    add_training_options(parser)


def add_training_options(parser: argparse.ArgumentParser) -> None:
    """The options that `training_changes` reads."""
    parser.add_argument("--steps", type=int, help="instead of the presets', to try things out")
    parser.add_argument("--channels", type=int, help="instead of the presets', to try things out")
    parser.add_argument(
        "--precision", choices=["fp32"], help="train as on a CPU that does not multiply bf16"
    )
    parser.add_argument(
        "--interpolation", choices=["motion", "cubic"], help="instead of what the video decides"
    )


def presets_here() -> list[Preset]:
    """Those that this machine has time for: `paper` takes a CPU many hours per clip."""
    on_gpu = choose_device("auto").type == "cuda"
    return [name for name in PRESETS if on_gpu or name != "paper"]


def training_changes(given: argparse.Namespace) -> dict[str, Any]:
    """The settings that were asked for instead of the presets'."""
    words = ("steps", "channels", "precision", "interpolation")
    return {key: v for key in words if (v := getattr(given, key)) is not None}


def chosen_methods(given: argparse.Namespace) -> list[str | Ours]:
    """The methods to measure, in the order of `METHODS`.

    Raises:
        SystemExit: there is no such method or preset.
    """
    if unknown := [name for name in given.methods if name not in METHODS]:
        raise SystemExit(f"no method {', '.join(unknown)}; choose from {', '.join(METHODS)}")
    chosen: list[str | Ours] = [name for name in METHODS if name in given.methods and name != OURS]
    if OURS in given.methods:
        changes = training_changes(given)
        chosen += [Ours(preset=preset, changes=changes) for preset in given.presets]
    return chosen
