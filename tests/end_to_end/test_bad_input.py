"""What users get wrong: one clear line, status 1 (2 for usage), and nothing half-written."""

import shutil
from pathlib import Path

import pytest
from commands import arguments, checked_line, names, refusal, start, succeed

EVERY_COMMAND = ["tsr-train", "tsr-run", "tsr-degrade", "tsr-eval"]

pytestmark = pytest.mark.usefixtures("nothing_half_written")


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
