"""The whole calibration, and what it does when 8 bits are not enough."""

import json
from pathlib import Path
from typing import Any

import clips
import pytest
from commands import invoke, refusal, succeed

from tsr.calibration import calibrate as story
from tsr.calibration.gate import Agreement
from tsr.core.errors import ModelError


class Maker:
    """Stands in for what makes quantised variants: a variant is the set of its layers."""

    number = "int8"
    work = dict.fromkeys(range(1, 7), 1) | {1: 3}

    def model(self, layers: Any) -> frozenset[int]:
        return frozenset(layers)

    def network(self, model: frozenset[int]) -> frozenset[int]:
        return model


class Judge:
    """PSNR of each layer alone."""

    def __init__(self, alone: dict[int, float]) -> None:
        self.alone = alone

    def agreement(self, layers: frozenset[int]) -> Agreement:
        (layer,) = layers
        return Agreement(self.alone[layer], {})


class Gate:
    """60 dB once none of the `bad` layers is narrow, 40 dB before."""

    def __init__(self, *bad: int) -> None:
        self.bad = set(bad)

    def psnr(self, layers: frozenset[int]) -> float:
        return 40.0 if layers & self.bad else 60.0


ALONE = {1: 80.0, 2: 45.0, 3: 70.0, 4: 42.0, 5: 75.0, 6: 77.0}


def passed(gate: Gate) -> tuple[story.Calibrated, list[str]]:
    said: list[str] = []
    made = story._pass_gate(Maker(), gate, Judge(ALONE), {}, 50.0, said.append)  # type: ignore[arg-type]
    return made, said


def test_what_is_good_at_once_keeps_all_layers() -> None:
    made, said = passed(Gate())
    assert made.report == {"layers": [1, 2, 3, 4, 5, 6], "psnr": 60.0}
    assert len(said) == 1


def test_the_worst_layers_return_to_higher_precision() -> None:
    """In the order of what each costs alone, until the result is good; each step is told."""
    made, said = passed(Gate(2, 4))
    assert made.model == {1, 3, 5, 6}  # type: ignore[comparison-overlap]
    assert made.report["layers"] == [1, 3, 5, 6]
    assert made.report["alone"] == {str(n): psnr for n, psnr in ALONE.items()}
    assert [line for line in said if "returns" in line] == [
        "layer 4 returns to higher precision",
        "layer 2 returns to higher precision",
    ]


def test_it_refuses_when_too_little_would_stay_narrow() -> None:
    """With the figures, and what to do."""
    with pytest.raises(ModelError, match=r"40\.0 dB.*at least 50 dB.*leave out --int8"):
        passed(Gate(1))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A slow video and a network that learned a little from it."""
    folder = tmp_path_factory.mktemp("calibration")
    bars = 0.2 + 0.6 * clips.moving_bar(12, 64, 80)
    clips.write_video(folder / "slow.mkv", bars, codec="ffv1", pixel_format="bgr0")
    succeed(
        "tsr-train", folder / "slow.mkv", "-o", folder / "slow.safetensors",
        "--steps", 20, "--channels", 8, "--batch", 2, "--start-scale", "1/4",
    )  # fmt: skip
    return folder


def test_int8_export_runs_and_says_how_it_was_made(shop: Path, tmp_path: Path) -> None:
    """The file carries its calibration, and `tsr-run` takes it like any other."""
    output = tmp_path / "narrow.onnx"
    result = succeed(
        "tsr-export", shop / "slow.safetensors", "--int8", shop / "slow.mkv", "-o", output, "--json"
    )
    card = json.loads(result.stdout)
    assert card["precision"] == "int8"
    about = card["calibration"]
    assert about["video"] == "slow.mkv"
    assert about["target"] == "cpu"
    assert about["psnr"] >= 50
    assert about["layers"] == [1, 2, 3, 4, 5, 6]
    assert about["estimators"][about["estimator"]] == max(about["estimators"].values())
    assert set(about["by_rung"]) == {"S×1/4 T×2", "S×1/2 T×4", "S×1 T×8"}
    ran = succeed("tsr-run", output, shop / "slow.mkv", "-o", tmp_path / "fast.mkv", "--json")
    assert json.loads(ran.stdout)["frames"] == 96


@pytest.mark.parametrize(("word", "number"), [("--int8", "Int8"), ("--fp8", "FP8")])
def test_files_for_tensorrt_pass_the_same_gate(
    word: str, number: str, shop: Path, tmp_path: Path
) -> None:
    """And its builder makes kernels of them that read 8 bits in the six inner layers."""
    output = tmp_path / "narrow.onnx"
    result = succeed(
        "tsr-export", shop / "slow.safetensors", word, shop / "slow.mkv",
        "--for", "tensorrt", "-o", output, "--min-psnr", 40,
    )  # fmt: skip
    assert "against full precision" in result.stderr
    bindings = pytest.importorskip("bindings", reason="pip install tensorrt-rtx-cu13")
    with bindings.builder_says() as lines:
        succeed("tsr-export", output, "-o", tmp_path / "x.plan", "--compute-capability", "8.9")
    assert bindings.convolutions(lines) == ["Half", *[number] * 6, "Half"]


def test_an_8_bit_engine_is_made_in_one_go(shop: Path, tmp_path: Path) -> None:
    """From trained model and video to a plan, whose inner layers convolve in 8 bits."""
    trt = pytest.importorskip("tensorrt_rtx", reason="pip install tensorrt-rtx-cu13")
    from tsr.core.plan_file import read_plan

    plan = tmp_path / "narrow.plan"
    result = succeed(
        "tsr-export", shop / "slow.safetensors", "--int8", shop / "slow.mkv", "-o", plan,
        "--min-psnr", 40, "--compute-capability", "8.9",
    )  # fmt: skip
    assert "dB against full precision" in result.stderr
    card = read_plan(plan)[1]
    assert (card.library, card.version) == ("tensorrt_rtx", trt.__version__)
    assert card.model.precision == "int8"
    assert card.model.calibration["target"] == "tensorrt"
    assert not card.refittable


def test_a_bar_that_cannot_be_met_leaves_no_file(shop: Path, tmp_path: Path) -> None:
    output = tmp_path / "narrow.onnx"
    line = refusal(
        "tsr-export", shop / "slow.safetensors", "--int8", shop / "slow.mkv",
        "-o", output, "--min-psnr", 99,
    )  # fmt: skip
    assert "at least 99 dB are asked for" in line
    assert not list(tmp_path.iterdir())


def test_fp8_is_for_tensorrt_alone(shop: Path, tmp_path: Path) -> None:
    line = refusal(
        "tsr-export", shop / "slow.safetensors", "--fp8", shop / "slow.mkv",
        "--for", "cpu", "-o", tmp_path / "narrow.onnx",
    )  # fmt: skip
    assert "--for tensorrt" in line


@pytest.mark.parametrize(
    "words",
    [
        ("--int8", "a.mp4", "--fp16"),
        ("--for", "cpu"),
        ("--int8", "a.mp4", "--min-psnr", "5"),
        ("--int8", "a.mp4", "--for", "cpu", "-o", "a.plan"),
    ],
)
def test_words_that_contradict_each_other_are_wrong_usage(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    assert invoke("tsr-export", tmp_path / "a.safetensors", *words).exit_code == 2


def test_a_file_of_another_video_or_for_tensorrt_says_so(shop: Path, tmp_path: Path) -> None:
    """`tsr-run` runs it, with a note for each."""
    output = tmp_path / "narrow.onnx"
    words = ("--int8", shop / "slow.mkv", "--for", "tensorrt", "--min-psnr", 40)
    succeed("tsr-export", shop / "slow.safetensors", *words, "-o", output)
    clips.write_video(tmp_path / "other.mkv", clips.moving_bar(9, 64, 80))
    ran = succeed("tsr-run", output, tmp_path / "other.mkv")
    assert "fitted to slow.mkv (80×64, 12 frames)" in ran.stderr
    assert "no gain on a CPU" in ran.stderr
