"""The file of an interrupted training: gone on with if it is this run's, else refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
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


def test_a_file_that_lacks_tensors_is_refused(saved: Path) -> None:
    """One that another version wrote, or somebody edited."""
    from safetensors import safe_open
    from safetensors.torch import save_file

    with safe_open(saved, "pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    for name in ("generator", "weights.body.0.weight", "best.body.0.weight"):
        left = {key: tensor for key, tensor in tensors.items() if key != name}
        save_file(left, saved, metadata)
        assert "start without --resume" in refused(saved)
