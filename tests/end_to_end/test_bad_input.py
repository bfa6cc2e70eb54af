"""What users get wrong: one clear line, status 1 (2 for usage), and nothing half-written."""

import pickle
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from commands import checked_line, invoke, names, refusal, start, succeed

from tsr.core.model_card import METADATA_KEY

EVERY_COMMAND = ["tsr-train", "tsr-run", "tsr-degrade", "tsr-eval"]

pytestmark = pytest.mark.usefixtures("nothing_half_written")


def arguments(command: str, clip: Path, tiny_onnx: Path, output: Path) -> list[object]:
    """A command's arguments to read `clip` and write `output`."""
    if command == "tsr-eval":
        return [clip, clip]
    if command == "tsr-run":
        return [tiny_onnx, clip, "-o", output]
    short = ["--steps", 2, "--channels", 2] if command == "tsr-train" else []
    return [clip, "-o", output, *short]


@pytest.mark.parametrize("command", EVERY_COMMAND)
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("absent.mp4", "does not exist"),
        ("folder.mp4", "holds no .png images"),
        ("text.mp4", "not a video"),
        ("empty.mp4", "is empty (0 bytes)"),
        ("song.m4a", "audio only"),
        ("zero.mkv", ""),
        ("cut.mp4", "damaged or incomplete"),
    ],
)
def test_clips_that_cannot_be_read(
    tmp_path: Path, shelf: Path, tiny_onnx: Path, command: str, name: str, words: str
) -> None:
    """Every command names the file and says what is wrong with it."""
    output = tmp_path / ("out.safetensors" if command == "tsr-train" else "out.mp4")
    line = refusal(command, *arguments(command, shelf / name, tiny_onnx, output))
    assert name in line
    assert words in line


def test_too_few_frames(tmp_path: Path, shelf: Path, tiny_onnx: Path) -> None:
    """One frame is nothing to run on, three are too few to train on or to average by eight."""
    for count in (1, 3):
        clip, model = shelf / f"frames{count}.mp4", tmp_path / "out.safetensors"
        line = refusal("tsr-train", clip, "-o", model, "--start-scale", "1")
        assert f"{count} frame" in line
        assert f"{count} frames are fewer than" in refusal(
            "tsr-degrade", clip, "-o", tmp_path / "out.mkv"
        )
    line = refusal("tsr-run", tiny_onnx, shelf / "frames1.mp4", "-o", tmp_path / "out.mp4")
    assert "has 1 frame" in line


def test_three_frames_are_enough_to_run(tmp_path: Path, shelf: Path, tiny_onnx: Path) -> None:
    """Nothing is refused without need."""
    done = tmp_path / "fine.mp4"
    succeed("tsr-run", tiny_onnx, shelf / "frames3.mp4", "-o", done, "--start-scale", "1/4")
    assert done.exists()


def test_tiny_frames(tmp_path: Path, shelf: Path, tiny_onnx: Path) -> None:
    """16×16 pixels hold nothing to learn from, and the ladder cannot shrink them."""
    clip = shelf / "tiny.mp4"
    assert "at least 32 pixels" in refusal("tsr-train", clip, "-o", tmp_path / "out.safetensors")
    line = refusal("tsr-run", tiny_onnx, clip, "-o", tmp_path / "out.mp4")
    assert "16×16" in line
    assert "--start-scale" in line


@pytest.mark.parametrize("command", ["tsr-train", "tsr-run", "tsr-degrade", "tsr-export"])
@pytest.mark.parametrize("place", ["missing/out", "file/out", "/proc/nowhere/out"])
def test_folders_that_cannot_be_written_to(
    tmp_path: Path, shelf: Path, tiny_onnx: Path, tiny_model: Path, command: str, place: str
) -> None:
    """Refused before the work, whoever the user is."""
    (tmp_path / "file").write_text("not a folder")
    if command == "tsr-export":
        line = refusal(command, tiny_model, "-o", (tmp_path / place).with_suffix(".onnx"))
    else:
        suffix = ".safetensors" if command == "tsr-train" else ".mp4"
        output = (tmp_path / place).with_suffix(suffix)
        line = refusal(command, *arguments(command, shelf / "good.mp4", tiny_onnx, output))
    assert "does not exist" in line
    assert (tmp_path / "file").read_text() == "not a folder"


def test_a_folder_that_refuses_files(tmp_path: Path, shelf: Path, tiny_onnx: Path) -> None:
    """/proc lets nobody create a file, though its permissions say otherwise."""
    clip = shelf / "good.mp4"
    options = ("--start-scale", "1/4")
    assert "/proc/out.mp4" in refusal("tsr-run", tiny_onnx, clip, "-o", "/proc/out.mp4", *options)
    assert "/proc/out.mkv" in refusal("tsr-degrade", clip, "-o", "/proc/out.mkv")


@pytest.mark.parametrize("command", ["tsr-train", "tsr-run", "tsr-degrade"])
def test_the_input_as_output(tmp_path: Path, shelf: Path, tiny_onnx: Path, command: str) -> None:
    """Not even with leave to overwrite."""
    clip = tmp_path / "in.mp4"
    shutil.copy(shelf / "good.mp4", clip)
    line = refusal(command, *arguments(command, clip, tiny_onnx, clip), "--overwrite")
    assert "is the input itself" in line
    assert clip.read_bytes() == (shelf / "good.mp4").read_bytes()


@pytest.mark.parametrize("command", ["tsr-train", "tsr-run", "tsr-degrade"])
def test_an_output_that_exists(tmp_path: Path, shelf: Path, tiny_onnx: Path, command: str) -> None:
    """It is kept, and the option that replaces it is named."""
    old = tmp_path / "old.mp4"
    old.write_text("old")
    line = refusal(command, *arguments(command, shelf / "good.mp4", tiny_onnx, old))
    assert "--overwrite" in line
    assert old.read_text() == "old"


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


# Models


def foreign_graph(path: Path, card: str | None = None) -> Path:
    """A valid ONNX file that somebody else made."""
    shape = [1, 3, 4]
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Relu", ["x"], ["y"])],
        "foreign",
        [info("x", onnx.TensorProto.FLOAT, shape)],
        [info("y", onnx.TensorProto.FLOAT, shape)],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    model.ir_version = 8
    if card is not None:
        entry = model.metadata_props.add()
        entry.key, entry.value = METADATA_KEY, card
    onnx.save(model, path)
    return path


@pytest.fixture
def bad_models(tmp_path: Path, shelf: Path, tiny_onnx: Path, tiny_model: Path) -> dict[str, Path]:
    folder = tmp_path / "models"
    folder.mkdir()
    data = tiny_onnx.read_bytes()
    card = onnx.load(tiny_onnx).metadata_props[0].value
    made = {
        "absent": folder / "absent.onnx",
        "folder": folder,
        "text": folder / "text.onnx",
        "empty": folder / "empty.onnx",
        "cut": folder / "cut.onnx",
        "video": shelf / "good.mp4",
        "weights": tiny_model,
        "foreign": foreign_graph(folder / "foreign.onnx"),
        "disguised": foreign_graph(folder / "disguised.onnx", card),
        "damaged card": foreign_graph(folder / "card.onnx", card[:40]),
        "fixed": folder / "fixed.onnx",
        "not finite": folder / "nan.onnx",
    }
    made["text"].write_text("no model")
    made["empty"].touch()
    made["cut"].write_bytes(data[: len(data) // 2])
    graph = onnx.load(tiny_onnx)
    for dim, size in zip(
        graph.graph.input[0].type.tensor_type.shape.dim[2:], (9, 20, 20), strict=True
    ):
        dim.dim_value = size
    onnx.save(graph, made["fixed"])
    graph = onnx.load(tiny_onnx)
    bias = next(t for t in graph.graph.initializer if t.name == "body.7.bias")
    bias.CopyFrom(onnx.numpy_helper.from_array(np.full(3, np.nan, np.float32), bias.name))
    onnx.save(graph, made["not finite"])
    return made


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("absent", "does not exist"),
        ("folder", ""),
        ("text", "not a readable ONNX model"),
        ("empty", "not a readable ONNX model"),
        ("cut", "not a readable ONNX model"),
        ("video", "not a readable ONNX model"),
        ("weights", "tsr-export"),
        ("foreign", "not made by tsr"),
        ("disguised", "expected base, htr"),
        ("damaged card", "damaged model card"),
        ("fixed", "fixed size"),
        ("not finite", "not finite"),
    ],
)
def test_models_that_cannot_be_run(
    tmp_path: Path, shelf: Path, bad_models: dict[str, Path], name: str, words: str
) -> None:
    """Missing, damaged and foreign files, and ours of another kind."""
    line = refusal(
        "tsr-run", bad_models[name], shelf / "good.mp4", "-o", tmp_path / "out.mp4",
        "--start-scale", "1/4",
    )  # fmt: skip
    assert words in line


@pytest.mark.parametrize("name", ["absent", "folder", "text", "empty", "cut", "video", "foreign"])
def test_models_that_cannot_be_exported(
    tmp_path: Path, bad_models: dict[str, Path], name: str
) -> None:
    """The same files where weights are expected."""
    line = refusal("tsr-export", bad_models[name], "-o", tmp_path / "out.onnx")
    assert bad_models[name].name in line


def test_pickles_are_data(tmp_path: Path, tiny_onnx: Path, shelf: Path) -> None:
    """A checkpoint with code in it is refused and not run, as weights and as ONNX."""

    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return exec, (f"open({str(tmp_path / 'ran')!r}, 'w')",)

    bomb = tmp_path / "bomb.safetensors"
    bomb.write_bytes(pickle.dumps(Bomb()))
    refusal("tsr-export", bomb, "-o", tmp_path / "out.onnx")
    refusal("tsr-run", bomb, shelf / "good.mp4", "-o", tmp_path / "out.mp4")
    assert not (tmp_path / "ran").exists()


def test_an_export_that_is_named_neither_onnx_nor_plan(tmp_path: Path, tiny_model: Path) -> None:
    """The suffix says what a file is."""
    line = refusal("tsr-export", tiny_model, "-o", tmp_path / "out.engine")
    assert "neither an .onnx nor a .plan" in line


# Numbers


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


def test_scores_of_clips_that_do_not_belong_together(tmp_path: Path, shelf: Path) -> None:
    """Other sizes, other lengths, and nothing left to score."""
    assert "same size" in refusal("tsr-eval", shelf / "good.mp4", shelf / "tiny.mp4")
    assert "same factor" in refusal("tsr-eval", shelf / "frames3.mp4", shelf / "whole.mp4")
    line = refusal("tsr-eval", shelf / "good.mp4", shelf / "good.mp4", "--skip-ends", 6)
    assert "leaves nothing" in line


# Processes of their own: what a user really sees


@pytest.mark.slow
def test_a_real_process_prints_one_line_and_no_traceback(
    tmp_path: Path, shelf: Path, tiny_onnx: Path
) -> None:
    """The decoder, the network library and the interpreter add nothing of their own."""
    process = start("tsr-run", tiny_onnx, shelf / "cut.mp4", "-o", tmp_path / "out.mp4")
    stdout, stderr = process.communicate(timeout=120)
    checked_line("tsr-run", process.returncode, stderr)
    assert stderr.count("\n") == 1
    assert stdout == ""
    process = start("tsr-run", shelf / "text.mp4", shelf / "good.mp4", "-o", tmp_path / "out.mp4")
    _, stderr = process.communicate(timeout=120)
    checked_line("tsr-run", process.returncode, stderr)
    assert stderr.count("\n") == 1


# Set after numba's compiled loops are cached.
FULL_DISK = """
import resource, tsr.runtime.cpu_backend
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
"""


@pytest.mark.slow
def test_a_full_disk_leaves_nothing(tmp_path: Path, shelf: Path, tiny_onnx: Path) -> None:
    """The system refuses to let the file grow, in the middle of the work or at its end."""
    options = ("--start-scale", "1/4", "--factor", "2")
    for output in ("out.mp4", "out"):
        given = (tiny_onnx, shelf / "whole.mp4", "-o", tmp_path / output, *options)
        process = start("tsr-run", *given, before=FULL_DISK)
        _, stderr = process.communicate(timeout=120)
        assert output in checked_line("tsr-run", process.returncode, stderr)
    given = (shelf / "whole.mp4", "-o", tmp_path / "out.mkv", "-f", 2)
    process = start("tsr-degrade", *given, before=FULL_DISK)
    _, stderr = process.communicate(timeout=120)
    assert "out.mkv" in checked_line("tsr-degrade", process.returncode, stderr)
    assert names(tmp_path) == []
