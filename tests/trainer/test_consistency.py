"""Examples at the video's own rate: frames between the input's, and what is known of them."""

from dataclasses import replace
from pathlib import Path

import clips
import numpy as np
import pytest
import torch

from tsr.core.rect import rect_downsample
from tsr.core.resize import resize_hw
from tsr.trainer import consistency, loop
from tsr.trainer.config import TrainConfig
from tsr.trainer.consistency import Consistency
from tsr.trainer.loop import train_on_volume
from tsr.trainer.network import TsrNetwork
from tsr.trainer.state import TrainState, Weights, copied
from tsr.trainer.torch_ops import backproject_t2, cubic_t2, pad_halo

CPU = torch.device("cpu")
CROP = (16, 16, 16)
CONFIG = TrainConfig(channels=4, steps=20, batch=4, examples="both", precision="fp32")
STEP = 0.01
SPOKES = (0.2 + 0.6 * clips.rotating_spokes(20, 20, 24, turn=0.3)).astype(np.float32)


def places(frames: int, height: int = 20, width: int = 24) -> np.ndarray:
    """A video whose colour says where and when: red the time, green the row, blue the column."""
    where = np.meshgrid(*map(np.arange, (frames, height, width)), indexing="ij")
    return (STEP * np.stack(where)).astype(np.float32)


def equal(one: Weights, other: Weights) -> bool:
    return all(torch.equal(weight, other[name]) for name, weight in one.items())


def silent() -> TsrNetwork:
    network = TsrNetwork(4)
    network.silence()
    return network


def inside(base: torch.Tensor) -> torch.Tensor:
    return base[:, :, 3:-3, 8:-8, 8:-8]


@pytest.mark.parametrize("exposure", [1.0, 0.5])
def test_pairs_of_what_is_made_lie_on_the_input_s_frames(exposure: float) -> None:
    """Even motion is interpolated exactly, so that pairs must agree; a frame off is off by STEP."""
    examples = Consistency(places(20), CROP, CPU, exposure=exposure)
    examples.remake(silent())
    base, known = examples.draw(64, torch.Generator().manual_seed(0))
    assert base.shape == (64, 3, 16, 32, 32)
    assert known.shape == (64, 3, 9, 16, 16)
    made = inside(base)
    # Where the video begins and ends, interpolation repeats frames.
    middle = (known[:, 0].amin((1, 2, 3)) > 4.5 * STEP) & (
        known[:, 0].amax((1, 2, 3)) < 14.5 * STEP
    )
    assert int(middle.sum()) >= 4
    nothing = torch.zeros_like(made[middle])
    assert float(examples.error(made[middle], nothing, known[middle])) < (0.02 * STEP) ** 2
    late = examples.error(made[middle].roll(1, 2), nothing, known[middle])
    assert float(late) > (0.1 * STEP) ** 2


def test_frames_between_are_pairs_that_begin_half_a_frame_later() -> None:
    """By a network that knows the video at twice its rate, chunk by chunk."""
    truth = np.random.default_rng(0).random((3, 40, 20, 24), dtype=np.float32)

    class Perfect(TsrNetwork):
        def forward(self, base: torch.Tensor) -> torch.Tensor:
            first = self.given
            self.given += base.shape[2] - 6
            return torch.from_numpy(truth[None, :, first : self.given])

    network = Perfect(4)
    network.given = 0
    known = rect_downsample(truth, 2)
    made = Consistency(known, CROP, CPU)
    made.remake(network)
    assert network.given == 40
    assert np.array_equal(made.copies[0][:, ::2], known)
    between = rect_downsample(truth[:, 1:-1], 2)
    assert np.allclose(made.copies[0][:, 1::2], between, atol=1e-6)
    assert [copy.shape[2:] for copy in made.copies] == [(20, 24), (18, 22), (16, 19)]
    for copy in made.copies[1:]:
        assert np.allclose(copy[:, ::2], resize_hw(known, *copy.shape[2:]), atol=1e-6)
        assert np.allclose(copy[:, 1::2], resize_hw(between, *copy.shape[2:]), atol=1e-6)


def test_frames_between_are_made_by_the_weights_of_now() -> None:
    drawn = []
    for seed in (0, 0, 1):
        network = TsrNetwork(4)
        network.initialise(torch.Generator().manual_seed(seed))
        between = Consistency(SPOKES, CROP, CPU)
        between.remake(network)
        drawn.append(between.draw(4, torch.Generator().manual_seed(2)))
    (base, known), again, other = drawn
    assert torch.equal(base, again[0])
    assert torch.equal(known, again[1])
    assert torch.equal(known[:, :, 0::2], other[1][:, :, 0::2])  # the input's
    assert not torch.equal(known[:, :, 1::2], other[1][:, :, 1::2])
    assert not torch.equal(base, other[0])


def test_a_training_broken_off_goes_on_with_the_same_frames_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were made some steps before it was stopped, by weights that are gone by then."""
    monkeypatch.setattr(loop, "REMAKE_SHARE", 0.15)
    unbroken = TrainState.fresh(CONFIG, CPU)
    train_on_volume(SPOKES, CONFIG, unbroken)
    first, second = TrainState.fresh(CONFIG, CPU), TrainState.fresh(CONFIG, CPU)
    train_on_volume(SPOKES, CONFIG, first, stop=lambda: first.step == 17)
    first.save(tmp_path / "state", {})
    second.load(tmp_path / "state", {})
    train_on_volume(SPOKES, CONFIG, second)
    for name, weight in unbroken.network.state_dict().items():
        assert torch.equal(weight, second.network.state_dict()[name]), name


def test_of_a_large_video_enough_frames_for_a_crop_are_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However few voxels are to be made at a time."""
    monkeypatch.setattr(consistency, "VOXELS", 100)
    video = places(30)
    assert Consistency.fits(video, CROP)
    few = Consistency(video, CROP, CPU)
    few.remake(silent())
    assert few.copies[0].shape == (3, 19, 20, 24)
    _, known = few.draw(8, torch.Generator().manual_seed(0))
    assert known.shape == (8, 3, 9, 16, 16)


def test_copies_that_do_not_hold_an_oblong_crop_are_left_out() -> None:
    """0.9 of 20 rows are 18, too few for a crop of 20, though the columns would do."""
    oblong = Consistency(places(20), (16, 20, 16), CPU)
    assert [tuple(copy.shape[2:]) for copy in oblong.copies] == [(20, 24)]
    oblong.remake(silent())
    base, _ = oblong.draw(8, torch.Generator().manual_seed(0))
    assert base.shape == (8, 3, 16, 36, 32)


@pytest.mark.parametrize("shape", [(3, 9, 20, 24), (3, 20, 15, 24), (3, 20, 20, 15)])
def test_a_video_too_small_for_a_crop_is_left_alone(shape: tuple[int, ...]) -> None:
    assert not Consistency.fits(np.zeros(shape, np.float32), CROP)


def test_it_teaches_what_examples_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames that nobody saw, nearer to the truth than interpolation and than examples alone."""
    truth = (0.2 + 0.6 * clips.rotating_spokes(48, 32, 32, turn=0.15)).astype(np.float32)
    video = rect_downsample(truth, 2)
    config = replace(CONFIG, channels=8, steps=150, learning_rate=2e-3, validate_every=50)

    def gain(learns_own_rate: bool) -> float:
        """Over cubic interpolation and back-projection, in dB."""
        if not learns_own_rate:
            monkeypatch.setattr(Consistency, "fits", lambda video, crop: False)
        state = TrainState.fresh(config, CPU)
        train_on_volume(video, config, state)
        ltr = torch.from_numpy(video)[None]
        base = cubic_t2(ltr)
        with torch.no_grad():
            guesses = state.network(pad_halo(base)), base
        errors = [
            (backproject_t2(guess, ltr)[0].numpy() - truth)[:, 6:-6].astype(np.float64)
            for guess in guesses
        ]
        made, cubic = (float(np.square(error).mean()) for error in errors)
        return float(10 * np.log10(cubic / made))

    both = gain(learns_own_rate=True)
    assert both > 2
    assert both > gain(learns_own_rate=False) + 2


def test_at_the_own_rate_the_last_weights_are_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """The validation does not see what they learn, and may fall meanwhile."""
    falling = iter([20.0, 19.0, 18.0, 17.0])
    monkeypatch.setattr(loop.Validation, "psnr", lambda self, network: next(falling))
    monkeypatch.setattr(loop.Validation, "_psnr", lambda self, guess: 10.0)  # cubic's
    config = replace(CONFIG, validate_every=5)
    state = TrainState.fresh(config, CPU)
    early: dict[str, torch.Tensor] = {}

    def keep() -> None:
        if state.step == 10:  # the last step of examples alone
            early.update(state.best)

    train_on_volume(SPOKES, config, state, checkpoint=keep)
    assert [psnr for *_, psnr in state.history] == [20.0, 19.0, 18.0, 17.0]
    assert state.best_psnr == 17.0
    for name, weight in state.network.state_dict().items():
        assert torch.equal(weight, state.best[name]), name
    # Before, the best validation decided: that of step 5.
    assert not torch.equal(early["body.1.weight"], state.best["body.1.weight"])


@pytest.mark.parametrize(
    ("psnrs", "turn"),
    [
        ([20, 24, 20.1, 20.1], None),  # much is lost, and may come back
        ([20, 24, 19.9, 23], 15),
        ([20, 24, 20.1, 19.9], 20),  # with the last step
        ([18, 19, 18.1, 18.1], None),  # nothing was taught: chance moves a validation as far
        ([18, 19, 17.9, 17.9], 15),
    ],
)
def test_a_training_misled_by_the_own_rate_goes_back(
    monkeypatch: pytest.MonkeyPatch, psnrs: list[float], turn: int | None
) -> None:
    """All that the examples taught is lost: from those weights on, without it."""
    validations, drawn = iter(psnrs), []
    monkeypatch.setattr(loop.Validation, "psnr", lambda self, network: next(validations))
    monkeypatch.setattr(loop.Validation, "_psnr", lambda self, guess: 20.0)  # cubic's
    draw = Consistency.draw

    def watched(
        self: Consistency, count: int, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        drawn.append(state.step)
        return draw(self, count, generator)

    monkeypatch.setattr(Consistency, "draw", watched)
    config = replace(CONFIG, validate_every=5)
    state = TrainState.fresh(config, CPU)
    weights: dict[int, Weights] = {}

    def keep() -> None:
        weights[state.step] = copied(state.network.state_dict())

    train_on_volume(SPOKES, config, state, checkpoint=keep)
    assert [psnr for *_, psnr in state.history] == psnrs
    assert state.misled is (turn is not None)
    assert drawn == list(range(10, turn or 20))
    best = 10 if turn else 20
    assert equal(state.best, weights[best])
    assert state.best_psnr == psnrs[best // 5 - 1]
    if turn:
        assert equal(weights[turn], weights[10])
    if turn == 15:
        assert not equal(weights[20], weights[10])  # it learns on


def test_a_misled_training_broken_off_goes_on_without_the_own_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an unbroken one does, wherever it was stopped: before it went back, then, or after."""
    config = replace(CONFIG, validate_every=5)
    found = []
    for stops in ((), (13,), (15,), (18,)):
        validations = iter([24.0, 24.0, 10.0, 25.0])
        monkeypatch.setattr(loop.Validation, "psnr", lambda self, network, v=validations: next(v))
        state = TrainState.fresh(config, CPU)
        for step in stops:
            train_on_volume(SPOKES, config, state, stop=lambda s=state, n=step: s.step == n)
            state.save(tmp_path / "state", {})
            state = TrainState.fresh(config, CPU)
            state.load(tmp_path / "state", {})
        train_on_volume(SPOKES, config, state)
        assert (state.misled, state.best_psnr) == (True, 25.0)
        found.append(state)
    for other in found[1:]:
        assert equal(other.network.state_dict(), found[0].network.state_dict())
        assert equal(other.best, found[0].best)


def test_what_was_learned_is_validated_before_the_last_part(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where no validation falls due by then, nothing else tells whether it is lost."""
    validations = iter([24.0, 10.0])
    monkeypatch.setattr(loop.Validation, "psnr", lambda self, network: next(validations))
    state = TrainState.fresh(CONFIG, CPU)
    train_on_volume(SPOKES, CONFIG, state)
    assert [(step, psnr) for step, _, psnr in state.history] == [(10, 24.0), (20, 10.0)]
    assert (state.misled, state.best_psnr) == (True, 24.0)


def test_the_frames_between_are_made_again_as_the_budget_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop, "REMAKE_SHARE", 0.14)
    state = TrainState.fresh(CONFIG, CPU)
    steps: list[int] = []
    remake = Consistency.remake

    def watched(self: Consistency, network: TsrNetwork) -> None:
        steps.append(state.step)
        remake(self, network)

    monkeypatch.setattr(Consistency, "remake", watched)
    train_on_volume(SPOKES, CONFIG, state)
    assert steps == [10, 13, 16, 19]
