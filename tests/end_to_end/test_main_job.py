"""The main job: a fast video degraded, a network trained on it, exported, run, and scored."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import clips
import numpy as np
import pytest
from commands import names, succeed

from tsr.core.clip_io import probe, read_volume

FPS = Fraction(240000, 1001)
NUM_FRAMES = 99
"""Not a multiple of eight: three frames fill no group."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the whole job is done once, by the commands alone."""
    folder = tmp_path_factory.mktemp("job")
    wheel = 0.15 + 0.7 * clips.rotating_spokes(NUM_FRAMES, 68, 90, turn=0.02)
    clips.write_video(
        folder / "fast.mkv", wheel, fps=FPS, codec="ffv1", pixel_format="bgr0",
        time_base=1 / FPS, tone=clips.Tone(float(NUM_FRAMES / FPS)),
    )  # fmt: skip
    succeed("tsr-degrade", folder / "fast.mkv", "-o", folder / "slow.mkv")
    succeed(
        "tsr-train", folder / "slow.mkv", "-o", folder / "slow.safetensors",
        "--steps", 30, "--channels", 8, "--batch", 2, "--start-scale", "1/4", "--seed", 1,
    )  # fmt: skip
    succeed("tsr-export", folder / "slow.safetensors", "-o", folder / "slow.onnx")
    succeed(
        "tsr-run", folder / "slow.onnx", folder / "slow.mkv", "-o", folder / "ours.mkv",
        "--encoder", "ffv1",
    )  # fmt: skip
    return folder


def test_the_slow_video_is_the_mean_of_each_group(shop: Path) -> None:
    """12 of 99 frames, an eighth of the rate, to half a level of 8 bits."""
    fast, _ = read_volume(shop / "fast.mkv")
    slow, info = read_volume(shop / "slow.mkv")
    assert info.fps == FPS / 8
    means = fast[:, :96].reshape(3, 12, 8, *fast.shape[2:]).mean(axis=2)
    assert np.abs(slow - means).max() <= 0.51 / 255


def test_the_result_has_the_frames_and_times_of_the_truth(shop: Path) -> None:
    """f·N frames at exactly f times the rate, each where the truth's lies."""
    truth, made = probe(shop / "fast.mkv"), probe(shop / "ours.mkv")
    assert made.num_frames == 96
    assert made.fps == FPS
    assert made.times.starts == truth.times.starts[:96]
    assert (made.width, made.height) == (90, 68)


def test_the_result_blurs_back_to_the_input(shop: Path) -> None:
    """To 1/255 wherever nothing clipped: in this picture, nearly everywhere."""
    slow, _ = read_volume(shop / "slow.mkv")
    made, _ = read_volume(shop / "ours.mkv")
    groups = made.reshape(3, 12, 8, *made.shape[2:])
    unclipped = ((groups > 0) & (groups < 1)).all(axis=2)
    assert unclipped.mean() > 0.9
    assert np.abs(groups.mean(axis=2) - slow)[unclipped].max() <= 1 / 255


def test_the_score_is_that_of_a_video_like_the_truth(shop: Path) -> None:
    """`tsr-eval --json` scores all frames; even a barely trained network is near the truth."""
    given = (shop / "ours.mkv", shop / "fast.mkv", "--no-lpips", "--json")
    report: dict[str, Any] = json.loads(succeed("tsr-eval", *given).stdout)
    assert report["num_frames"] == 96
    assert 20 < report["mean"]["psnr"] < 60
    assert 0.5 < report["mean"]["ssim"] <= 1


def test_the_model_says_what_it_was_made_from(shop: Path) -> None:
    """Video, ladder and settings travel from training into the exported file."""
    from tsr.core.model_card import file_sha256
    from tsr.runtime.onnx_network import OnnxNetwork

    card = OnnxNetwork(shop / "slow.onnx").card
    assert card.video.name == "slow.mkv"
    assert card.video.sha256 == file_sha256(shop / "slow.mkv")
    assert card.video.fps == FPS / 8
    assert (card.video.num_frames, card.video.width, card.video.height) == (12, 90, 68)
    assert (card.ladder.start, card.ladder.factor) == (Fraction(1, 4), 8)
    assert card.settings["steps"] == 30
    assert card.settings["seed"] == 1


def test_nothing_else_is_left(shop: Path) -> None:
    """No temporary file, no state of a finished training."""
    assert names(shop) == ["fast.mkv", "ours.mkv", "slow.mkv", "slow.onnx", "slow.safetensors"]
