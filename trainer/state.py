"""Everything a training run needs to go on: one file of plain tensors, no pickle."""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, get_args

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from tsr.core.errors import ModelError
from tsr.core.outputs import completed
from tsr.trainer.config import FixedExamples, TrainConfig
from tsr.trainer.network import TsrNetwork
from tsr.trainer.optimiser import build_optimisers, moment_shapes

Weights = dict[str, Tensor]

DAMAGE = (
    SafetensorError, OSError, KeyError, TypeError, ValueError, AttributeError, RuntimeError,
    OverflowError,
)  # fmt: skip
"""What reading a file raises that is no file of ours; torch's own misfits are RuntimeErrors."""


@dataclass
class TrainState:
    """A training run between two steps.

    Args:
        network: the weights that training moves.
        optimisers: what moves them, each with its moments.
        best: the weights that are the result so far: those that validated best; but once they learn
            from the video's own rate (`maker`), which no validation sees, the last ones validated.
        best_psnr: their validation PSNR in dB; minus infinity before the first.
        generator: source of all random choices.
        step: steps done.
        seconds: time spent in steps, over all sittings.
        history: (step, training loss, validation PSNR) of each validation.
        choice: of examples, where the video was to decide (`tsr.trainer.choose`).
        last_part: validations before the last part of the training, None until it begins.
        maker: the weights that made the frames between the input's (`tsr.trainer.consistency`).
        made: the share of the budget that was used then.
        learned: the best weights before the last part, which a training goes back to when the
            video's own rate misleads it. misled: whether it did.
    """

    network: TsrNetwork
    optimisers: list[torch.optim.Optimizer]
    best: Weights
    generator: torch.Generator
    best_psnr: float = -math.inf
    step: int = 0
    seconds: float = 0.0
    history: list[tuple[int, float, float]] = field(default_factory=list)
    choice: dict[str, Any] | None = None
    last_part: int | None = None
    maker: Weights | None = None
    made: float = 0.0
    learned: Weights | None = None
    misled: bool = False

    @classmethod
    def fresh(cls, config: TrainConfig, device: torch.device) -> Self:
        """A network at its initialisation."""
        network = TsrNetwork(config.channels)
        network.initialise(torch.Generator().manual_seed(config.seed))
        network.place(device)
        return cls(
            network,
            build_optimisers(network, config.optimiser),
            copied(network.state_dict()),
            torch.Generator(device).manual_seed(config.seed),
        )

    @property
    def learned_psnr(self) -> float:
        """Validation PSNR in dB of `learned`."""
        return max(psnr for _, _, psnr in self.history[: self.last_part])

    @property
    def errors(self) -> list[tuple[int, float]]:
        """(step, mean squared error) of the validations, which a learning-rate policy reads."""
        return [(step, 10 ** (-psnr / 10)) for step, _, psnr in self.history]

    def save(self, path: Path, identity: dict[str, Any]) -> None:
        """Write the run to `path`; `identity` says which run it is (see `load`)."""
        tensors: Weights = {"generator": self.generator.get_state()}
        groups = {
            "weights": self.network.state_dict(),
            "best": self.best,
            "maker": self.maker,
            "learned": self.learned,
        }
        for group, weights in groups.items():
            tensors |= {f"{group}.{name}": tensor.cpu() for name, tensor in (weights or {}).items()}
        for n, optimiser in enumerate(self.optimisers):
            for index, moments in optimiser.state_dict()["state"].items():
                tensors |= {f"optimiser{n}.{index}.{k}": v.cpu() for k, v in moments.items()}
        note = {
            "identity": identity,
            "step": self.step,
            "seconds": self.seconds,
            "history": self.history,
            "choice": self.choice,
            "last_part": self.last_part,
            "made": self.made,
            "best_psnr": self.best_psnr,
            "misled": self.misled,
        }
        contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
        with completed(path) as temporary:
            temporary.write_bytes(save(contiguous, {"tsr-run": json.dumps(note)}))

    def load(self, path: Path, identity: dict[str, Any]) -> None:
        """Go back to the state saved at `path`.

        Raises:
            ModelError: the file is missing, damaged, or of a run with other settings or video.
        """
        try:
            with safe_open(path, "pt") as file:
                note = json.loads((file.metadata() or {})["tsr-run"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            known = note["identity"]
            other = [key for key, value in identity.items() if known.get(key) != value]
        except FileNotFoundError as error:
            raise ModelError(f"{path} does not exist; start without --resume") from error
        except DAMAGE as error:
            raise ModelError(f"{path} is damaged ({error}); start without --resume") from error
        if other:
            raise ModelError(
                f"{path} belongs to a run with another {', '.join(other)}; give the settings and "
                "the video of that run, or start without --resume"
            )
        try:
            self._restore(tensors)
            self.step, self.seconds = int(note["step"]), float(note["seconds"])
            self.best_psnr, self.made = float(note["best_psnr"]), float(note["made"])
            self.history = [(int(n), float(loss), float(psnr)) for n, loss, psnr in note["history"]]
            self.choice, self.misled = _choice(note["choice"]), bool(note["misled"])
            last = self.last_part = note["last_part"]
            if last is not None and not (type(last) is int and 0 < last <= len(self.history)):
                raise ValueError(f"the last part begins at validation {last}")
            if (self.last_part is None) != (self.learned is None):
                raise ValueError("what was learned before the last part is missing")
        except DAMAGE as error:
            raise ModelError(
                f"{path} does not hold what this version needs to go on ({error}); "
                "start without --resume"
            ) from error

    def _restore(self, tensors: Weights) -> None:
        def group(prefix: str) -> Weights:
            start = prefix + "."
            return {k[len(start) :]: v for k, v in tensors.items() if k.startswith(start)}

        def weights(prefix: str) -> Weights | None:
            found = group(prefix)
            if found and shapes(found) != shapes(self.best):
                raise ValueError(f"{prefix} has weights of another network")
            return found or None

        device = next(self.network.parameters()).device
        self.network.load_state_dict(group("weights"))
        self.maker, self.learned = weights("maker"), weights("learned")
        found = weights("best")
        if found is None:
            raise ValueError("the best weights are missing")
        self.best = {name: tensor.to(device) for name, tensor in found.items()}
        for n, optimiser in enumerate(self.optimisers):
            moments: dict[int, Weights] = {}
            for key, tensor in group(f"optimiser{n}").items():
                index, name = key.split(".")
                moments.setdefault(int(index), {})[name] = tensor
            found_shapes = {index: shapes(some) for index, some in moments.items()}
            if moments and found_shapes != moment_shapes(optimiser):
                raise ValueError("the moments are of another network")
            optimiser.load_state_dict({**optimiser.state_dict(), "state": moments})
        self.generator.set_state(tensors["generator"])


def _choice(plain: Any) -> dict[str, Any] | None:
    """A choice of examples from JSON; one of `DAMAGE` where there is something else."""
    if plain is None:
        return None
    if plain["examples"] not in (*get_args(FixedExamples), "none"):
        raise ValueError(f"the examples are {plain['examples']}")
    gains = {str(kind): float(gain) for kind, gain in plain["gains"].items()}
    return {"examples": plain["examples"], "reason": str(plain["reason"]), "gains": gains}


def shapes(tensors: Weights) -> dict[str, torch.Size]:
    """By name."""
    return {name: tensor.shape for name, tensor in tensors.items()}


def copied(weights: Weights) -> Weights:
    """A copy of the weights that later steps do not change."""
    return {name: tensor.detach().clone() for name, tensor in weights.items()}
