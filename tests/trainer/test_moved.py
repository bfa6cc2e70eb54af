"""Crops of frames that carry what the network is given, moved along their motion."""

from dataclasses import replace
from pathlib import Path

import clips
import numpy as np
import pytest
import torch
from click.testing import CliRunner

from tsr.core import motion
from tsr.core.ladder import INTERPOLATIONS
from tsr.core.metrics import psnr
from tsr.core.rect import rect_downsample
from tsr.core.volume import Volume
from tsr.evaluation.moving_scenes import Drift, texture
from tsr.evaluation.scenes import render
from tsr.evaluation.shapes import grid
from tsr.trainer import moved
from tsr.trainer.config import TrainConfig
from tsr.trainer.consistency import Consistency
from tsr.trainer.examples import WITHIN, internal_sources
from tsr.trainer.loop import train_on_volume
from tsr.trainer.moved import (
    CLEARLY,
    crop_sampler,
    interpolation_for,
    moved_sources,
    psnr_back,
)
from tsr.trainer.network import TsrNetwork, load_model
from tsr.trainer.state import TrainState
from tsr.trainer.torch_ops import examples, network_input
from tsr.trainer.validation import Validation

CPU = torch.device("cpu")
CROP = (16, 16, 16)
CONFIG = TrainConfig(
    channels=4, steps=12, batch=4, examples="both", interpolation="motion", precision="fp32"
)


@pytest.fixture(scope="module")
def drift() -> Volume:
    """A texture that drifts by 2 pixels per frame."""
    scene = Drift(speed=0.5, direction=0.4, seed=1)
    return rect_downsample(np.stack(list(render(scene, 80, 24, 32)), axis=1), 4)


@pytest.mark.parametrize("exposures", [(1.0,), (0.5, 1.0, 1.0)])
def test_copies_carry_what_a_pass_is_given_of_them(
    drift: Volume, exposures: tuple[float, ...]
) -> None:
    sources = internal_sources(drift, CROP, "both")
    found = list(moved_sources(sources, CROP, exposures))
    kinds = list(dict.fromkeys(exposures))
    for source in found[:6]:
        assert source.roles == WITHIN
        frames, *given = np.split(source.copy, 1 + len(kinds))
        for exposure, made in zip(kinds, given, strict=True):
            slow = rect_downsample(frames, 2, exposure)
            np.testing.assert_array_equal(made, motion.doubled(slow, exposure))


def test_crops_of_both_are_cut_from_one_place(drift: Volume) -> None:
    """Mirrored, turned or backwards: pairs of what is given average to pairs of the frames."""
    sampler = crop_sampler(drift, CONFIG, "both", CPU)
    drawn = sampler.draw(64, torch.Generator().manual_seed(0))
    frames, given = examples(drawn, (1.0,))
    assert frames.shape == given.shape == (64, 3, *CROP)
    mean = (frames[:, :, 0::2] + frames[:, :, 1::2]) / 2
    torch.testing.assert_close((given[:, :, 0::2] + given[:, :, 1::2]) / 2, mean, atol=1e-5, rtol=0)


def test_each_pass_is_given_frames_of_its_exposure(drift: Volume) -> None:
    exposures = (0.5, 1.0, 1.0)
    sampler = crop_sampler(drift, CONFIG, "within", CPU, exposures)
    drawn = sampler.draw(6, torch.Generator().manual_seed(0))
    frames, given = examples(drawn, exposures)
    first, others = slice(0, 2), slice(2, 6)
    torch.testing.assert_close(given[first, :, 0::2], frames[first, :, 0::2], atol=1e-5, rtol=0)
    mean = (frames[others, :, 0::2] + frames[others, :, 1::2]) / 2
    pairs = (given[others, :, 0::2] + given[others, :, 1::2]) / 2
    torch.testing.assert_close(pairs, mean, atol=1e-5, rtol=0)


def test_large_videos_keep_to_what_memory_allows(
    drift: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pairs that begin at even frames alone, then frames with time as it is alone."""
    sources = internal_sources(drift, CROP, "both")
    counts = []
    for most in (10**9, 2 * 10**6, 1):
        monkeypatch.setattr(moved, "MOST_VALUES", most)
        counts.append(len(list(moved_sources(sources, CROP, (1.0,)))))
    assert counts[0] > counts[1] > counts[2] > 0
    within = sum(source.roles == WITHIN for source in sources)
    assert counts[2] == within


def test_the_own_rate_is_given_moved_frames(drift: Volume) -> None:
    """By a silent network the frames between are those between; pairs lie on known frames."""
    own = Consistency(drift, CROP, CPU, interpolation="motion")
    network = TsrNetwork(4)
    network.silence()
    own.remake(network)
    base, known = own.draw(16, torch.Generator().manual_seed(0))
    assert base.shape == (16, 3, 16, 32, 32)
    made = base[:, :, 3:-3, 8:-8, 8:-8]
    nothing = torch.zeros_like(made)
    late = own.error(made.roll(1, 2), nothing, known)
    assert float(own.error(made, nothing, known)) < 0.2 * float(late)


def test_a_training_learns_from_them(drift: Volume) -> None:
    """It begins at what it is given, and goes on from a state to the same bytes."""
    unbroken = TrainState.fresh(CONFIG, CPU)
    validation = train_on_volume(drift, CONFIG, unbroken)
    assert validation.plain_psnr > validation.cubic_psnr + 0.5
    first = TrainState.fresh(CONFIG, CPU)
    train_on_volume(drift, CONFIG, first, stop=lambda: first.step == 9)
    train_on_volume(drift, CONFIG, first)
    for name, weight in unbroken.network.state_dict().items():
        assert torch.equal(weight, first.network.state_dict()[name])


def test_the_video_decides(drift: Volume) -> None:
    """Motion that can be followed, and spokes that turn by more than half of what parts them."""
    assert interpolation_for(drift, CPU)[0] == "motion"
    wheel = clips.rotating_spokes(24, 40, 48, turn=0.35)
    assert interpolation_for(wheel, CPU)[0] == "cubic"


class Shaking:
    """A texture that swings slowly and shakes across, to and fro within 1.7 frames."""

    def frame(self, time: float, height: int, width: int) -> Volume:
        y, x = grid(height, width)
        swing = 4 * np.sin(2 * np.pi * time / 8 / 14) / height
        shake = np.sin(2 * np.pi * time / 8 / 1.7) / height
        return np.repeat(texture(y - np.float32(swing), x - np.float32(shake), 4)[None], 3, axis=0)


def test_what_half_the_rate_hides_shows_at_the_video_s_own() -> None:
    """There the shaking is blur, and moving foretells the rest."""
    video = rect_downsample(np.stack(list(render(Shaking(), 192, 56, 64)), axis=1), 8)
    given, reason = interpolation_for(video, CPU)
    assert given == "cubic"
    assert "but at its own rate" in reason
    still_shaking = torch.from_numpy(video)[None]
    moved, faded = (psnr_back(still_shaking, 1.0, given) for given in INTERPOLATIONS)
    assert moved < faded + 1


@pytest.mark.parametrize(("speed", "better"), [(0.6, "cubic"), (2.0, "motion")])
def test_slow_motion_fades_as_well_as_it_moves(speed: float, better: str) -> None:
    """Below a pixel per frame: what half the rate says of that the video's own corrects."""
    scene = Drift(speed=speed / 8, direction=0.4, seed=1)
    truth = rect_downsample(np.stack(list(render(scene, 128, 56, 64)), axis=1), 4)
    slow = torch.from_numpy(rect_downsample(truth, 2))[None]
    inner = slice(None), slice(4, -4)
    found = {
        given: psnr(network_input(slow, 1.0, given)[0].numpy()[inner], truth[inner])
        for given in INTERPOLATIONS
    }
    assert max(found, key=lambda given: found[given]) == better
    validation = Validation(slow[0].numpy(), CPU, (1.0,), "motion")
    assert validation.plain_psnr > validation.cubic_psnr + CLEARLY
    assert interpolation_for(slow[0].numpy(), CPU)[0] == better


def test_the_model_says_what_it_is_given(tmp_path: Path, drift: Volume) -> None:
    """And a training that starts from it is given the same, or refused."""
    from tsr.trainer.cli import main

    clip = clips.write_pngs(tmp_path / "frames", drift)
    words = [str(clip), "--steps", "2", "--channels", "4", "--start-scale", "1"]
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    run = CliRunner().invoke(main, [*words, "-o", str(first), "--examples", "within"])
    assert run.exit_code == 0, run.output
    assert "interpolation: motion: from half its rate" in run.output
    assert load_model(first)[1].ladder.interpolation == "motion"
    again = [*words, "-o", str(second), "--start-from", str(first), "--examples", "within"]
    assert CliRunner().invoke(main, again).exit_code == 0
    assert load_model(second)[1].ladder.interpolation == "motion"
    other = CliRunner().invoke(main, [*again, "--overwrite", "--interpolation", "cubic"])
    assert other.exit_code != 0
    assert "was trained on motion interpolation; give --interpolation motion" in other.output


def test_auto_is_settled_before_a_loop(drift: Volume) -> None:
    from tsr.core.errors import SettingsError

    with pytest.raises(SettingsError, match="interpolation is auto; expected motion or cubic"):
        crop_sampler(drift, replace(CONFIG, interpolation="auto"), "both", CPU)
