"""The file of an interrupted training: gone on with if it is this run's, else refused."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import save_file
from short_training import CONFIG, CPU, IDENTITY

from tsr.core.errors import ModelError
from tsr.trainer.loop import train_on_volume
from tsr.trainer.state import TrainState


@pytest.fixture
def saved(tmp_path: Path, video: NDArray[np.float32]) -> Path:
    state = TrainState.fresh(CONFIG, CPU)
    path = tmp_path / "m.resume.safetensors"
    train_on_volume(video, replace(CONFIG, steps=2), state)
    state.save(path, IDENTITY)
    return path


def refused(path: Path, identity: dict[str, Any] = IDENTITY) -> str:
    with pytest.raises(ModelError) as caught:
        TrainState.fresh(CONFIG, CPU).load(path, identity)
    assert path.name in str(caught.value)
    return str(caught.value)


def test_another_runs_file_is_refused(saved: Path) -> None:
    """The message names what differs."""
    assert "another video" in refused(saved, {**IDENTITY, "video": "other"})


@pytest.mark.parametrize("part", [0.0, 0.2, 0.9])
def test_a_cut_off_file_is_refused(saved: Path, part: float) -> None:
    """With the way out."""
    saved.write_bytes(saved.read_bytes()[: int(part * saved.stat().st_size)])
    assert "start without --resume" in refused(saved)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """There is nothing to go on with."""
    assert "does not exist" in refused(tmp_path / "none.resume.safetensors")


def test_a_model_is_no_interrupted_run(tiny_model: Path) -> None:
    """A foreign .safetensors file under that name."""
    assert "start without --resume" in refused(tiny_model)


def contents(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """What the file tells, and its tensors."""
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return json.loads(file.metadata()["tsr-run"]), tensors


def rewrite(path: Path, note: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    save_file(tensors, path, {"tsr-run": json.dumps(note)})


def test_a_file_that_lacks_tensors_is_refused(saved: Path) -> None:
    """One that another version wrote, or somebody edited."""
    note, tensors = contents(saved)
    for name in (
        "generator", "weights.body.0.weight", "best.body.0.weight", "learned.body.0.weight",
        "optimiser0.0.exp_avg", "optimiser1.0.mean",
    ):  # fmt: skip
        rewrite(saved, note, {key: tensor for key, tensor in tensors.items() if key != name})
        assert "start without --resume" in refused(saved)


def test_a_file_with_tensors_of_other_shapes_is_refused(saved: Path) -> None:
    """They would stop the training in its middle."""
    note, tensors = contents(saved)
    for name in ("generator", "best.body.3.bias", "maker.body.3.bias", "optimiser0.0.exp_avg"):
        rewrite(saved, note, {**tensors, name: torch.zeros(7)})
        assert "start without --resume" in refused(saved)


@pytest.mark.parametrize(
    "changes",
    [
        {"step": "two"}, {"step": None}, {"step": math.inf}, {"seconds": [1]}, {"made": "half"},
        {"best_psnr": None}, {"history": 7}, {"history": [[1, 2]]}, {"history": [[1, "a", 3.0]]},
        {"choice": "both"}, {"choice": {"examples": "both"}}, {"last_part": "1"}, {"last_part": 99},
        {"last_part": 1.0}, {"last_part": None},
        {"choice": {"examples": "some", "reason": "", "gains": {}}},
        {"choice": {"examples": "both", "reason": "", "gains": {"both": "much"}}},
    ],
)  # fmt: skip
def test_a_file_that_tells_what_makes_no_sense_is_refused(
    saved: Path, changes: dict[str, Any]
) -> None:
    """In one line, whatever stands where a number belongs."""
    note, tensors = contents(saved)
    rewrite(saved, {**note, **changes}, tensors)
    assert "start without --resume" in refused(saved)
