"""The choice of examples: a rehearsal one octave down, and what follows from it."""

import json
from dataclasses import replace
from pathlib import Path

import clips
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tsr.core.errors import SettingsError
from tsr.core.ladder import Interpolation
from tsr.trainer import choose
from tsr.trainer.choose import Choice, choose_examples
from tsr.trainer.config import TrainConfig
from tsr.trainer.loop import train_on_volume
from tsr.trainer.network import TsrNetwork, load_model
from tsr.trainer.state import TrainState
from tsr.trainer.train import resume_file, train
from tsr.trainer.validation import Validation

CPU = torch.device("cpu")
CONFIG = TrainConfig(channels=8, steps=400, batch=4, precision="fp32")


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty steps per kind are enough for these tiny videos."""
    monkeypatch.setattr(choose, "SHARE", 0.25)
    monkeypatch.setattr(choose, "MIN_STEPS", 30)


def noise_over_a_still_picture(height: int = 20, width: int = 24) -> NDArray[np.float32]:
    """Nothing moves; every frame's noise is its own, so its neighbours' mean is the best guess."""
    random = np.random.default_rng(5)
    picture = clips.rotating_spokes(1, height, width, turn=0.0)
    return (0.2 + 0.6 * picture + random.normal(0, 0.02, (3, 24, height, width))).astype(np.float32)


def test_motion_is_worth_learning_from() -> None:
    """Turning spokes are predicted better by a network, and all kinds were tried."""
    video = (0.2 + 0.6 * clips.rotating_spokes(32, 20, 24, turn=0.3)).astype(np.float32)
    choice = choose_examples(video, CONFIG, CPU)
    assert choice is not None
    assert choice.examples in ("both", "within", "across")
    assert sorted(choice.gains) == ["across", "both", "within"]
    assert max(choice.gains.values()) > 0
    assert choice.gains[choice.examples] >= max(choice.gains.values()) - choose.TIE


def test_noise_is_not() -> None:
    """What cannot be predicted is left to interpolation."""
    choice = choose_examples(noise_over_a_still_picture(), CONFIG, CPU)
    assert choice is not None
    assert choice.examples == "none"
    assert "plain interpolation is better here" in choice.reason


@pytest.mark.parametrize(
    ("gains", "expected"),
    [
        ({"both": 1.05, "within": 1.0, "across": 0.2}, "within"),  # a tie
        ({"both": 1.15, "within": 1.0, "across": 0.2}, "both"),
        ({"both": 1.0, "within": 1.2, "across": 0.2}, "within"),
        ({"both": 0.1, "within": -0.1, "across": -0.2}, "both"),
        ({"both": -0.1, "within": -0.2, "across": 0.05}, "across"),
        ({"both": 0.0, "within": -0.2, "across": -0.05}, "none"),
        ({"within": 0.3}, "within"),
        ({}, "both"),
    ],
)
def test_what_follows_from_the_gains(gains: dict[str, float], expected: str) -> None:
    assert choose._best(gains).examples == expected


@pytest.mark.parametrize(
    ("learned", "expected"), [(None, "none"), (-0.2, "none"), (0.1, "none"), (0.5, "both")]
)
def test_who_has_learned_is_not_given_up(learned: float | None, expected: str) -> None:
    """However badly half of the frames serve for the other half."""
    choice = choose._best({"both": -0.7, "within": -0.5}, learned)
    assert choice.examples == expected
    assert ("on what it was shown" in choice.reason) == (expected == "both")


@pytest.mark.parametrize(("cubic", "expected"), [(16.0, "both"), (34.0, "none")])
def test_where_much_is_to_be_won_nobody_gives_up(cubic: float, expected: str) -> None:
    """However little was learned in so few steps."""
    choice = choose._best({"both": -0.2}, -0.1, cubic)
    assert choice.examples == expected
    assert ("16.0 dB only" in choice.reason) == (expected == "both")


@pytest.mark.parametrize("moves", [True, False])
def test_learned_is_what_the_video_itself_allows(moves: bool) -> None:
    """Turning spokes can be learned; noise cannot, although a shifted frame of it can."""
    turning = (0.2 + 0.6 * clips.rotating_spokes(32, 20, 24, turn=0.3)).astype(np.float32)
    video = turning if moves else noise_over_a_still_picture()
    sampler = choose._sampler(video, CONFIG, "both", CPU, (1.0,))
    assert sampler is not None
    network = choose._rehearse(replace(CONFIG, steps=60), sampler, (1.0,), lambda: False)
    assert network is not None
    learned = choose._learned(network, video, CONFIG, CPU, (1.0,))
    assert learned is not None
    assert (learned > choose.LEARNED) == moves


def test_a_short_training_is_not_worth_a_choice() -> None:
    """Rehearsals must not take more than their share, and fewer steps would tell nothing."""
    choice = choose_examples(noise_over_a_still_picture(), replace(CONFIG, steps=50), CPU)
    assert choice == Choice("both", "50 steps are too few to compare kinds in", {})
    one = choose_examples(noise_over_a_still_picture(), replace(CONFIG, steps=150), CPU)
    assert one is not None
    assert list(one.gains) == ["both"]


@pytest.mark.parametrize(
    ("given", "kinds"), [("cubic", ["both", "within", "across"]), ("motion", ["both", "within"])]
)
def test_across_alone_is_for_faded_frames(given: Interpolation, kinds: list[str]) -> None:
    assert choose._affordable(10_000, given) == kinds


def test_minutes_bound_the_choice_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """By how many steps they leave room for on this machine."""
    video = noise_over_a_still_picture()
    monkeypatch.setattr(choose, "seconds_per_step", lambda *_: 0.6)
    few = choose_examples(video, replace(CONFIG, max_minutes=0.5), CPU)  # 50 steps
    assert few == Choice("both", "0.5 minutes are too few to compare kinds", {})
    some = choose_examples(video, replace(CONFIG, max_minutes=1.5), CPU)  # 150
    assert some is not None
    assert list(some.gains) == ["both"]


def test_a_training_needs_a_kind() -> None:
    video = noise_over_a_still_picture()
    with pytest.raises(SettingsError, match="examples is auto"):
        train_on_volume(video, CONFIG, TrainState.fresh(CONFIG, CPU))


def test_plain_interpolation_becomes_a_model_without_a_residual(tmp_path: Path) -> None:
    """The rest of the pipeline needs no other path, and the card says why."""
    clip, model = tmp_path / "still.mkv", tmp_path / "m.safetensors"
    clips.write_video(clip, noise_over_a_still_picture(32, 40))
    told: list[str] = []
    result = train(clip, model, CONFIG, note=told.append)
    assert (result.examples, result.steps, result.interrupted) == ("none", 0, False)
    assert result.psnr == pytest.approx(result.cubic)
    assert any("plain interpolation is better here" in line for line in told)
    network, card = load_model(model)
    base = torch.rand(1, 3, 10, 24, 28)
    assert torch.equal(network(base), base[:, :, 3:-3, 8:-8, 8:-8])
    assert card.settings["examples"] == "none"
    assert card.settings["choice"]["gains"].keys() == {"both", "within", "across"}
    assert not resume_file(model).exists()


@pytest.mark.parametrize(
    ("promised", "made", "expected"),
    [(-0.2, -1.0, "none"), (-0.2, 0.5, "both"), (0.2, -1.0, "both")],
)
def test_a_training_in_vain_gives_way_to_interpolation(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    promised: float,
    made: float,
    expected: str,
) -> None:
    """Where neither the rehearsals nor any validation of the whole was better than that."""
    clip = tmp_path / "clip.mkv"
    clips.write_video(clip, clips.rotating_spokes(24, 32, 32, turn=0.3))
    choice = Choice("both", "because", {"both": promised})
    monkeypatch.setattr("tsr.trainer.train.choose_examples", lambda *_, **__: choice)
    real = Validation.psnr

    def psnr(self: Validation, network: TsrNetwork) -> float:
        silent = not network.layers[-1].weight.any()
        return real(self, network) if silent else self.cubic_psnr + made

    monkeypatch.setattr(Validation, "psnr", psnr)
    told: list[str] = []
    result = train(clip, tmp_path / "m.safetensors", replace(CONFIG, steps=4), note=told.append)
    assert (result.examples, result.steps, result.interrupted) == (expected, 4, False)
    network, card = load_model(tmp_path / "m.safetensors")
    assert card.settings["examples"] == expected
    assert (not network.layers[-1].weight.any()) == (expected == "none")
    assert any("after all" in line for line in told) == (expected == "none")
    assert result.psnr == pytest.approx(result.cubic + (0 if expected == "none" else made))


def test_a_resumed_run_keeps_the_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made once, written with the state: the run that goes on does not rehearse again."""
    made = TrainState.fresh(CONFIG, CPU)
    made.choice = Choice("within", "because", {"within": 1.0}).to_dict()
    made.save(tmp_path / "s", {})
    again = TrainState.fresh(CONFIG, CPU)
    again.load(tmp_path / "s", {})
    assert again.choice == json.loads(json.dumps(made.choice))


def test_stopped_while_choosing_begins_again_with_the_choice() -> None:
    video = noise_over_a_still_picture()
    assert choose_examples(video, CONFIG, CPU, stop=lambda: True) is None


def test_a_silenced_network_adds_nothing() -> None:
    network = TsrNetwork(4)
    network.initialise(torch.Generator().manual_seed(0))
    network.silence()
    assert not network.residual(torch.rand(1, 3, 8, 18, 18)).any()
