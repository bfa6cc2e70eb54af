"""Training runs: the same bytes for the same seed, across interruptions too."""

import itertools
import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import clips
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tsr.core.clip_io import probe
from tsr.core.errors import ClipError, ModelError, SettingsError, TsrError
from tsr.core.ladder import ScaleLadder
from tsr.core.model_card import file_sha256
from tsr.core.rect import rect_downsample
from tsr.core.resize import apply_taps, double_taps, halving_matrix
from tsr.core.volume import pad_to_multiple
from tsr.trainer import coarse
from tsr.trainer.coarse import coarse_video
from tsr.trainer.config import TrainConfig
from tsr.trainer.loop import train_on_volume
from tsr.trainer.network import load_model
from tsr.trainer.optimiser import orthogonalised
from tsr.trainer.state import TrainState
from tsr.trainer.torch_ops import backproject_t2, cubic_t2, interpolated, rect2
from tsr.trainer.train import resume_file, run_identity, train
from tsr.trainer.validation import Validation
from tsr.trainer.warm_start import shortened

CPU = torch.device("cpu")
CONFIG = TrainConfig(channels=4, steps=6, batch=2, validate_every=2, examples="both", seed=3)
IDENTITY = {"channels": 4, "video": "abc"}


@pytest.fixture(scope="module")
def video() -> NDArray[np.float32]:
    return 0.2 + 0.6 * clips.rotating_spokes(16, 18, 20, turn=0.3)


def weights(state: TrainState) -> list[bytes]:
    """Every tensor that the run would go on with, and its best, as bytes."""
    groups = (state.network.state_dict(), state.best)
    return [group[name].detach().numpy().tobytes() for group in groups for name in sorted(group)]


def stopping_after(steps: int) -> Callable[[], bool]:
    left = iter([False] * (steps - 1) + [True])
    return lambda: next(left)


@pytest.mark.parametrize("optimiser", ["adam", "muon"])
def test_the_same_seed_gives_the_same_weights(
    video: NDArray[np.float32], optimiser: Literal["adam", "muon"]
) -> None:
    """Bit for bit on one machine; another seed gives others."""
    found = []
    for seed in (3, 3, 4):
        config = replace(CONFIG, optimiser=optimiser, seed=seed)
        state = TrainState.fresh(config, CPU)
        train_on_volume(video, config, state)
        assert state.step == 6
        found.append(weights(state))
    assert found[0] == found[1]
    assert found[0] != found[2]


@pytest.mark.parametrize(("optimiser", "stopped"), [("adam", 3), ("muon", 3), ("muon", 4)])
def test_an_interrupted_run_goes_on_as_if_it_had_not_been(
    tmp_path: Path,
    video: NDArray[np.float32],
    optimiser: Literal["adam", "muon"],
    stopped: int,
) -> None:
    """Stopped between or at validations, saved, loaded afresh, finished: the same bits."""
    config = replace(CONFIG, optimiser=optimiser)
    unbroken = TrainState.fresh(config, CPU)
    train_on_volume(video, config, unbroken)

    first = TrainState.fresh(config, CPU)
    path = tmp_path / "m.resume.safetensors"
    train_on_volume(
        video,
        config,
        first,
        stop=stopping_after(stopped),
        checkpoint=lambda: first.save(path, IDENTITY),
    )
    assert first.step == stopped
    second = TrainState.fresh(replace(config, seed=99), CPU)  # all of it comes from the file
    second.load(path, IDENTITY)
    train_on_volume(video, config, second)
    assert second.step == 6
    assert weights(second) == weights(unbroken)
    errors, expected = ([psnr for *_, psnr in run.history] for run in (second, unbroken))
    assert errors == expected


def test_training_learns(video: NDArray[np.float32]) -> None:
    """Even a tiny network soon predicts the video better than at its start."""
    config = replace(CONFIG, channels=8, steps=60, batch=4, validate_every=20, learning_rate=2e-3)
    every: list[Any] = []
    state = TrainState.fresh(config, CPU)
    train_on_volume(video, config, state, report=every.append)
    reports = [report for report in every if report.step % 20 == 0]  # the rest: every few seconds
    assert [report.step for report in reports] == [20, 40, 60]
    assert all("steps/s" in report.line(60) for report in every)
    assert reports[-1].best > reports[0].psnr
    assert reports[-1].loss < reports[0].loss
    assert reports[0].remaining > 0
    assert reports[-1].cubic == reports[0].cubic


def test_time_bounds_a_run(video: NDArray[np.float32]) -> None:
    """With minutes instead of steps the run ends when they are over."""
    config = replace(CONFIG, steps=10_000_000, max_minutes=0.02)
    state = TrainState.fresh(config, CPU)
    train_on_volume(video, config, state)
    assert 1.2 <= state.seconds < 60
    assert state.history


def test_divergence_is_said_in_one_line(video: NDArray[np.float32]) -> None:
    """A rate that blows the weights up ends with advice, not with a model of NaN."""
    config = replace(CONFIG, optimiser="adam", learning_rate=1e18, steps=50)
    with pytest.raises(SettingsError, match="lower --learning-rate"):
        train_on_volume(video, config, TrainState.fresh(config, CPU))


@pytest.mark.parametrize(
    "changes",
    [
        {"steps": -1}, {"steps": 0}, {"channels": 0}, {"channels": 10**6}, {"batch": -2},
        {"seed": -1}, {"max_minutes": 0.0}, {"max_minutes": math.nan}, {"max_minutes": -1.0},
        {"learning_rate": 0.0}, {"learning_rate": -1.0}, {"learning_rate": math.nan},
        {"learning_rate": math.inf}, {"crop": (15, 16, 16)}, {"crop": (16, 16, 4)},
    ],
)  # fmt: skip
def test_silly_settings_are_refused(changes: dict[str, Any]) -> None:
    """By name and value, before any video is opened."""
    name = next(iter(changes)).replace("_", "[-_]")
    with pytest.raises(SettingsError, match=f"^{name} is "):
        TrainConfig(**changes)


# The file of an interrupted run


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


# The whole command's work, as a function


def whole_run(clip: Path, model: Path, **options: Any) -> Any:
    return train(clip, model, CONFIG, ladder=ScaleLadder.for_size(64, 80)[0], **options)


def test_the_same_seed_gives_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the run was interrupted and resumed; no state is left beside the model."""
    clip = clips.write_video(tmp_path / "in.mp4", clips.rotating_spokes(12, 64, 80))
    whole_run(clip, tmp_path / "a.safetensors")
    asked = itertools.chain([False, False], itertools.repeat(True))  # after the third step
    with monkeypatch.context() as patched:
        patched.setattr(
            "tsr.trainer.train.stop_on_signal", lambda: nullcontext(lambda: next(asked))
        )
        result = whole_run(clip, tmp_path / "b.safetensors")
    assert result.interrupted
    assert result.steps == 3
    assert (tmp_path / "b.safetensors").exists()
    assert resume_file(tmp_path / "b.safetensors").exists()
    result = whole_run(clip, tmp_path / "b.safetensors", resume=True)
    assert not result.interrupted
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["a.safetensors", "b.safetensors", "in.mp4"]
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_training_starts_from_another_models_weights(tmp_path: Path) -> None:
    """So that a first step at no learning rate to speak of leaves them; the card tells which model
    it was, and a resumed run must name the same."""
    from safetensors.torch import load_file

    clip = clips.write_video(tmp_path / "in.mp4", clips.rotating_spokes(12, 64, 80))
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    whole_run(clip, first)
    still = replace(CONFIG, steps=1, learning_rate=1e-12)
    train(clip, second, still, ladder=ScaleLadder.for_size(64, 80)[0], start_from=first)
    before, after = load_file(first), load_file(second)
    for name, tensor in before.items():
        torch.testing.assert_close(after[name], tensor, rtol=0, atol=1e-9)
    assert load_model(second)[1].settings["start_from"] == file_sha256(first)
    assert load_model(first)[1].settings["start_from"] is None


def test_a_warm_start_resumes_to_the_same_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not as if it had started from nothing."""
    clip = clips.write_video(tmp_path / "in.mp4", clips.rotating_spokes(12, 64, 80))
    first, a, b = (tmp_path / f"{name}.safetensors" for name in ("first", "a", "b"))
    whole_run(clip, first)
    whole_run(clip, a, start_from=first)
    asked = itertools.chain([False, False], itertools.repeat(True))
    with monkeypatch.context() as patched:
        patched.setattr(
            "tsr.trainer.train.stop_on_signal", lambda: nullcontext(lambda: next(asked))
        )
        whole_run(clip, b, start_from=first)
    with pytest.raises(ModelError, match="another start_from"):
        whole_run(clip, b, resume=True)
    whole_run(clip, b, start_from=first, resume=True)
    assert a.read_bytes() == b.read_bytes()
    assert a.read_bytes() != first.read_bytes()


def test_a_model_of_another_width_is_no_start(tmp_path: Path, tiny_model: Path) -> None:
    """Before any video is read; the message says what to give."""
    with pytest.raises(SettingsError, match="give --channels 8"):
        whole_run(tmp_path / "none.mp4", tmp_path / "m.safetensors", start_from=tiny_model)


def test_a_third_of_the_steps_from_there() -> None:
    """At least one."""
    assert shortened(replace(CONFIG, steps=300)).steps == 100
    assert shortened(replace(CONFIG, steps=1)).steps == 1


def test_the_command_starts_from_a_model(tmp_path: Path) -> None:
    """And its card says so."""
    from commands import succeed

    clip = clips.write_video(tmp_path / "in.mp4", clips.rotating_spokes(12, 64, 80))
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    tiny = ("--channels", 4, "--batch", 2)
    succeed("tsr-train", clip, "-o", first, "--steps", 2, *tiny)
    succeed("tsr-train", clip, "-o", second, "--steps", 3, *tiny, "--start-from", first)
    settings = load_model(second)[1].settings
    assert (settings["steps"], settings["start_from"]) == (3, file_sha256(first))


def test_only_wanted_frames_are_learned_from(tmp_path: Path) -> None:
    """Two clips that agree in those give the same weights; too few are refused."""
    video = clips.rotating_spokes(16, 64, 80)
    other = video.copy()
    other[:, 1::2] = 0.5
    wanted, found = range(0, 16, 2), []
    for name, frames in (("a", video), ("b", other)):
        clip = clips.write_video(tmp_path / f"{name}.mp4", frames, options={"qp": "0"}, gop=1)
        whole_run(clip, tmp_path / f"{name}.safetensors", wanted=wanted)
        found.append(load_model(tmp_path / f"{name}.safetensors")[0].state_dict())
    for name, tensor in found[0].items():
        torch.testing.assert_close(found[1][name], tensor, rtol=0, atol=0)
    with pytest.raises(ClipError, match="4 frames; training needs at least 8"):
        whole_run(clip, tmp_path / "c.safetensors", wanted=range(4))


def test_the_model_says_which_exposure_it_was_trained_for(tmp_path: Path) -> None:
    """Its card carries it to all that follows, and a run at another does not go on from it."""
    clip = clips.write_video(tmp_path / "in.mp4", clips.rotating_spokes(12, 64, 80))
    model, config = tmp_path / "m.safetensors", replace(CONFIG, batch=3, steps=2)
    train(clip, model, config, exposure=0.5)
    assert load_model(model)[1].ladder.exposure == 0.5
    stamp = load_model(model)[1].video
    ladders = [replace(load_model(model)[1].ladder, exposure=e) for e in (0.5, 0.25)]
    one, other = (run_identity(config.to_dict(), ladder, stamp, probe(clip)) for ladder in ladders)
    assert one != other


def test_short_videos_are_refused(tmp_path: Path) -> None:
    """One or three frames are nothing to learn from."""
    for count in (1, 3):
        clip = clips.write_video(tmp_path / f"{count}.mp4", clips.numbered(count, 64, 80))
        with pytest.raises(ClipError, match=f"{count} frames?; training needs at least 8"):
            whole_run(clip, tmp_path / "m.safetensors")
    assert not (tmp_path / "m.safetensors").exists()


def test_a_device_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """Never another one in its place."""
    if torch.cuda.is_available():
        pytest.skip("it is there")
    clip = clips.write_video(tmp_path / "in.mp4", clips.numbered(12, 64, 80))
    with pytest.raises(TsrError, match="use --device cpu"):
        whole_run(clip, tmp_path / "m.safetensors", device="cuda")


# The coarsest rung, and the operators on torch


def test_the_coarse_video_is_the_repeated_halving() -> None:
    """Padded to the ladder's multiple, then shrunk as the runtime's pyramid shrinks."""
    video, ladder = clips.gradient(8, 50, 70), ScaleLadder.for_size(500, 500)[0]
    found, note = coarse_video((video[:, n] for n in range(8)), ladder)
    padded = pad_to_multiple(video, 8)
    rows, columns = (halving_matrix(size, 3) for size in padded.shape[2:])
    np.testing.assert_allclose(found, rows @ padded @ columns.T, rtol=0, atol=1e-6)
    assert note == ""


def test_of_a_long_video_the_liveliest_part_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that memory does not grow with its length; the note says which frames.

    The bar appears after frame 19, which therefore shows half of a large change.
    """
    monkeypatch.setattr(coarse, "MAX_FRAMES", 10)
    still, moving = np.full((3, 20, 16, 16), 0.5, np.float32), clips.moving_bar(10, 16, 16, bar=4)
    video = np.concatenate([still, moving, still], axis=1)
    found, note = coarse_video((video[:, n] for n in range(50)), ScaleLadder.for_size(64, 64)[0])
    assert found.shape[1] == 10
    assert "most motion, 19 to 28 of 50" in note


@pytest.mark.parametrize("exposure", [1.0, 0.6, 0.5, 0.25, 0.0])
def test_torch_operators_are_cores(video: NDArray[np.float32], exposure: float) -> None:
    """rect, cubic interpolation and back-projection agree with the reference formulas."""
    from tsr.core.backproject import backproject_t

    batch = torch.from_numpy(video)[None]
    ltr = rect_downsample(video, 2, exposure)
    slow = torch.from_numpy(ltr)[None]
    np.testing.assert_allclose(rect2(batch, exposure)[0], ltr, rtol=0, atol=1e-6)
    cubic = apply_taps(ltr, double_taps(8, exposure), 1)
    np.testing.assert_allclose(cubic_t2(slow, exposure)[0], cubic, rtol=0, atol=2e-6)
    corrected = backproject_t2(torch.from_numpy(cubic)[None], slow, exposure)[0]
    expected = backproject_t(cubic, ltr, exposure)
    np.testing.assert_allclose(corrected, expected, rtol=0, atol=2e-6)


def test_every_pass_has_its_share_of_the_batch(video: NDArray[np.float32]) -> None:
    """Crop by crop the input is what the pass at that exposure would be given."""
    batch = torch.from_numpy(video)[None].repeat(6, 1, 1, 1, 1)
    found = interpolated(batch, (0.5, 1.0, 1.0))
    for crop, exposure in zip(found, (0.5, 0.5, 1.0, 1.0, 1.0, 1.0), strict=True):
        expected = cubic_t2(rect2(batch[:1], exposure), exposure)[0]
        torch.testing.assert_close(crop, expected, rtol=0, atol=2e-6)


def test_the_validation_asks_what_every_pass_will_be_asked(video: NDArray[np.float32]) -> None:
    """The squared error is the mean over the passes; two of three have full exposures."""
    alone = {e: Validation(video, CPU, (e,)).cubic_psnr for e in (0.5, 1.0)}
    error = {e: 10 ** (-psnr / 10) for e, psnr in alone.items()}
    mixed = Validation(video, CPU, (0.5, 1.0, 1.0)).cubic_psnr
    assert 10 ** (-mixed / 10) == pytest.approx((error[0.5] + 2 * error[1.0]) / 3, rel=1e-4)


def test_a_batch_holds_a_crop_for_every_pass(video: NDArray[np.float32]) -> None:
    """Or the training of one would be left out in silence."""
    with pytest.raises(SettingsError, match="batch is 2; expected 3 or more at this exposure"):
        train_on_volume(video, CONFIG, TrainState.fresh(CONFIG, CPU), exposures=(0.5, 1.0, 1.0))


@pytest.mark.parametrize("shape", [(8, 8), (8, 72), (72, 8)])
def test_orthogonalising_evens_out_singular_values(shape: tuple[int, int]) -> None:
    """All within a third of one, whatever they were; the singular vectors stay."""
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    inside = u.T @ orthogonalised(matrix) @ v.T
    values = inside.diagonal()
    assert values.min() > 0.6
    assert values.max() < 1.35
    torch.testing.assert_close(inside, torch.diag(values), rtol=0, atol=1e-3)


def test_a_part_of_a_video_is_learned_from_alone(tmp_path: Path) -> None:
    """The same weights as from a file that holds these frames and no others."""
    from safetensors.torch import load_file

    from tsr.core.clip_io import probe

    volume = clips.rotating_spokes(20, 64, 80)
    whole = clips.write_video(tmp_path / "whole.mkv", volume, codec="ffv1", pixel_format="bgr0")
    cut = clips.write_video(
        tmp_path / "cut.mkv", volume[:, 5:17], codec="ffv1", pixel_format="bgr0"
    )  # fmt: skip
    config = replace(CONFIG, steps=2)
    one = train(probe(whole).part(5, 17), tmp_path / "one.safetensors", config, device="cpu")
    other = train(cut, tmp_path / "other.safetensors", config, device="cpu")
    assert one.history == other.history
    found, expected = load_file(one.model), load_file(other.model)
    assert all(torch.equal(found[name], expected[name]) for name in expected)
