"""Options that make no sense: status 1 or the usage, and nothing half-written."""

from pathlib import Path

import pytest
from commands import arguments, invoke, refusal

pytestmark = pytest.mark.usefixtures("nothing_half_written")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-o", "out.xyz"], "unknown suffix .xyz"),
        (["-o", "out.mp4", "--encoder", "ffv1"], "ffv1"),
        (["-o", "out.mp4", "--encoder", "nonsense"], "nonsense"),
        (["-o", "out.mp4", "--crf", "999"], "999"),
        (["-o", "out.mp4", "--crf", "-1"], "-1"),
    ],
)
def test_formats_that_do_not_exist(
    tmp_path: Path,
    shelf: Path,
    tiny_onnx: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    words: str,
) -> None:
    """Suffixes, encoders and qualities are checked before the work."""
    monkeypatch.chdir(tmp_path)
    line = refusal("tsr-run", tiny_onnx, shelf / "good.mp4", *options, "--start-scale", "1/4")
    assert words in line


@pytest.mark.parametrize(
    "options",
    [
        ["--steps", "-5"], ["--steps", "0"], ["--channels", "0"], ["--batch", "-1"],
        ["--max-minutes", "-1"], ["--max-minutes", "nan"], ["--learning-rate", "nan"],
        ["--learning-rate", "-1"], ["--learning-rate", "inf"], ["--seed", "-1"],
    ],
)  # fmt: skip
def test_numbers_that_no_training_can_have(tmp_path: Path, shelf: Path, options: list[str]) -> None:
    """Refused by name, in one line."""
    line = refusal("tsr-train", shelf / "good.mp4", "-o", tmp_path / "out.safetensors", *options)
    assert options[0].removeprefix("--") in line.replace("_", "-")


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("tsr-train", ["--steps", "many"]),
        ("tsr-train", ["--steps", "1.5"]),
        ("tsr-train", ["--factor", "3"]),
        ("tsr-train", ["--start-scale", "1/3"]),
        ("tsr-train", ["--device", "abacus"]),
        ("tsr-train", ["--exposure", "0"]),
        ("tsr-train", ["--exposure", "1.5"]),
        ("tsr-train", ["--exposure", "abc"]),
        ("tsr-run", ["--exposure", "0"]),
        ("tsr-run", ["--exposure", "1/0"]),
        ("tsr-run", ["--exposure", "nan"]),
        ("tsr-run", ["--factor", "3"]),
        ("tsr-run", ["--factor", "0"]),
        ("tsr-run", ["--start-scale", "nan"]),
        ("tsr-run", ["--tile", "0", "96", "160"]),
        ("tsr-run", ["--tile", "3", "96", "160"]),
        ("tsr-run", ["--tile", "4", "-1", "160"]),
        ("tsr-run", ["--segment", "0"]),
        ("tsr-run", ["--crf", "good"]),
        ("tsr-degrade", ["--factor", "0"]),
        ("tsr-degrade", ["--factor", "1"]),
        ("tsr-degrade", ["--exposure", "0"]),
        ("tsr-eval", ["--skip-ends", "-1"]),
        ("tsr-eval", ["--nonsense"]),
        ("tsr-export", ["--nonsense"]),
    ],
)
def test_wrong_usage_is_status_2(
    tmp_path: Path, shelf: Path, tiny_onnx: Path, command: str, options: list[str]
) -> None:
    """What the command line itself can see is wrong is answered with the usage."""
    if command == "tsr-export":
        given: list[object] = [tiny_onnx, "-o", tmp_path / "out.onnx"]
    else:
        given = arguments(command, shelf / "good.mp4", tiny_onnx, tmp_path / "out.mp4")
    result = invoke(command, *given, *options)
    assert result.exit_code == 2, result.output
    assert f"Usage: {command}" in result.stderr
    assert "Error: " in result.stderr.splitlines()[-1]


def test_an_exposure_that_is_no_number(tmp_path: Path, shelf: Path) -> None:
    """NaN is within no bounds."""
    clip, output = shelf / "good.mp4", tmp_path / "out.mkv"
    assert "exposure nan" in refusal("tsr-degrade", clip, "-o", output, "--exposure", "nan")
