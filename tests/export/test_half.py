"""The FP16 export: half precision inside, FP32 at both ends."""

import json
from fractions import Fraction
from pathlib import Path

import clips
import numpy as np
import onnxruntime as ort
import pytest
import torch
from commands import invoke, refusal, succeed
from models import card as models_card
from models import random_network, write_model

from tsr.core.ladder import ScaleLadder
from tsr.core.model_card import ModelCard, VideoStamp
from tsr.export.to_onnx import to_onnx
from tsr.trainer.network import TsrNetwork, save_model

STAMP = VideoStamp(name="clip", sha256="0", width=64, height=64, num_frames=9, fps=Fraction(30))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A random model of 8 channels whose last layer is zero: what it makes is its input."""
    network = TsrNetwork(8)
    network.initialise(torch.Generator().manual_seed(0))
    torch.nn.init.zeros_(network.layers[-1].weight)
    card = ModelCard(channels=8, ladder=ScaleLadder(Fraction(1, 4), 8), video=STAMP)
    save_model(tmp_path / "model.safetensors", network, card)
    return tmp_path / "model.safetensors"


def test_half_export_keeps_the_base_in_full_precision(model: Path, tmp_path: Path) -> None:
    """Only the residual is half: where it is zero, every bit of the input comes out."""
    card = to_onnx(model, tmp_path / "half.onnx", half=True)
    assert card.precision == "fp16"
    session = ort.InferenceSession(tmp_path / "half.onnx", providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].type == session.get_outputs()[0].type == "tensor(float)"
    base = np.random.default_rng(0).random((1, 3, 10, 24, 32), np.float32)
    (made,) = session.run(None, {session.get_inputs()[0].name: base})
    np.testing.assert_array_equal(made, base[:, :, 3:-3, 8:-8, 8:-8])


def test_half_export_is_half_the_size(model: Path, tmp_path: Path) -> None:
    """The weights are stored as they are computed with."""
    to_onnx(model, tmp_path / "full.onnx")
    to_onnx(model, tmp_path / "half.onnx", half=True)
    sizes = [(tmp_path / name).stat().st_size for name in ("full.onnx", "half.onnx")]
    assert sizes[1] < 0.6 * sizes[0] + 4000


def test_the_video_is_checked_for_overflow(tmp_path: Path) -> None:
    """What was seen is told, and stands in the card."""
    write_model(tmp_path / "model.safetensors", start="1/4")
    clips.write_video(tmp_path / "slow.mkv", clips.moving_bar(6, 64, 80))
    result = succeed(
        "tsr-export", tmp_path / "model.safetensors", "--fp16", "--video", tmp_path / "slow.mkv",
        "--json",
    )  # fmt: skip
    found = json.loads(result.stdout)["calibration"]
    assert 0 < found["largest"] < 100
    assert found["psnr"] > 60
    assert "of FP16's 65504" in result.stderr


def test_a_wrong_flag_of_interlaced_frames_can_be_ignored(tmp_path: Path) -> None:
    """The network is then checked on the frames of the file without the flag."""
    write_model(tmp_path / "model.safetensors", start="1/4")
    picture = clips.rotating_spokes(6, 64, 80)
    flagged = clips.write_interlaced(tmp_path / "flagged.mp4", picture)
    plain = clips.write_video(tmp_path / "plain.mp4", picture, fps=25)
    found = {}
    for name, clip, more in (
        ("off", flagged, ("--deinterlace", "off")), ("auto", flagged, ()), ("plain", plain, ())
    ):  # fmt: skip
        words = ("--fp16", "--video", clip, "-o", tmp_path / f"{name}.onnx", "--json", *more)
        result = succeed("tsr-export", tmp_path / "model.safetensors", *words)
        found[name] = json.loads(result.stdout)["calibration"] | {"video": ""}
    assert found["off"] == found["plain"]
    assert found["auto"] != found["plain"]


def test_a_flag_is_of_no_use_without_a_video(model: Path) -> None:
    result = invoke("tsr-export", model, "--fp16", "--deinterlace", "off")
    assert result.exit_code == 2
    assert "--deinterlace goes with --int8, --fp8 or --video" in result.stderr


@pytest.mark.parametrize("gain", [1e5, 1e20])
def test_a_network_that_overflows_is_refused(gain: float, tmp_path: Path) -> None:
    """Large numbers inside that cancel at the end: named by their layer, and no file is left."""
    network = random_network(8)
    network.layers[2].weight.data *= gain
    network.layers[3].weight.data /= gain
    save_model(tmp_path / "model.safetensors", network, models_card(start=Fraction(1, 4)))
    clips.write_video(tmp_path / "slow.mkv", clips.moving_bar(6, 64, 80))
    line = refusal(
        "tsr-export", tmp_path / "model.safetensors", "--fp16", "--video", tmp_path / "slow.mkv"
    )
    assert "layer 2 sums up to" in line
    assert not (tmp_path / "model.onnx").exists()
