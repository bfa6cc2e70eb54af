"""Ctrl-C in every stage: one line, status 1, and nothing half-written."""

import signal
import time
from fractions import Fraction
from pathlib import Path

import clips
import pytest
from commands import interrupt, names, refusal, start, succeed

pytestmark = pytest.mark.usefixtures("nothing_half_written")

# So that the work is not over before the key is pressed, however late this process gets its turn.
SLOWED = """
import time, tsr.core.console as console
show = console.Progress.show
def slowly(self, text, **options):
    show(self, text, **options)
    time.sleep(0.02)
console.Progress.show = slowly
"""


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Long enough to be still at work when the key is pressed."""
    path = tmp_path_factory.mktemp("long") / "long.mkv"
    return clips.write_video(path, clips.numbered(600, 96, 128), fps=Fraction(30))


@pytest.mark.slow
def test_ctrl_c_while_running(tmp_path: Path, long_clip: Path, tiny_onnx: Path) -> None:
    """The half-written video is gone."""
    for output in (tmp_path / "out.mp4", tmp_path / "out"):
        line = interrupt(
            "tsr-run", tiny_onnx, long_clip, "-o", output, "--start-scale", "1/4",
            when=lambda line: "frames/s" in line, before=SLOWED,
        )  # fmt: skip
        assert "interrupted" in line
    assert names(tmp_path) == []


@pytest.mark.slow
def test_ctrl_c_while_degrading_and_scoring(tmp_path: Path, long_clip: Path) -> None:
    """One line each."""

    def begun(line: str) -> bool:
        return "frame 1 of" in line

    degrading = (long_clip, "-f", 2, "-o", tmp_path / "out.mkv")
    assert "interrupted" in interrupt("tsr-degrade", *degrading, when=begun, before=SLOWED)
    assert "interrupted" in interrupt("tsr-eval", long_clip, long_clip, when=begun, before=SLOWED)
    assert names(tmp_path) == []


STUCK = """
import threading
threading.Thread(target=threading.Event().wait).start()
"""


@pytest.mark.slow
def test_ctrl_c_waits_for_no_thread_that_is_stuck(
    tmp_path: Path, long_clip: Path, tiny_onnx: Path
) -> None:
    """What a library leaves behind does not keep the command from ending."""
    line = interrupt(
        "tsr-run", tiny_onnx, long_clip, "-o", tmp_path / "out.mp4", "--start-scale", "1/4",
        when=lambda line: "frames/s" in line, before=SLOWED + STUCK,
    )  # fmt: skip
    assert "interrupted" in line
    assert names(tmp_path) == []


WAITING = """
import sys, time, tsr.export.to_onnx as export
def check(*arguments):
    assert arguments[0].exists()
    print('written', file=sys.stderr, flush=True)
    time.sleep(60)
export.check_export = check
"""


@pytest.mark.slow
def test_ctrl_c_while_exporting(tmp_path: Path, tiny_model: Path) -> None:
    """The file that was written but not checked yet is gone."""
    line = interrupt(
        "tsr-export", tiny_model, "-o", tmp_path / "out.onnx",
        when=lambda line: line == "written\n", before=WAITING,
    )  # fmt: skip
    assert "interrupted" in line
    assert names(tmp_path) == []


@pytest.mark.slow
def test_ctrl_c_while_training_keeps_the_best_and_says_how_to_go_on(
    tmp_path: Path, shelf: Path
) -> None:
    """Model and state are whole; the same command with --resume finishes the job."""
    model = tmp_path / "m.safetensors"
    given = (shelf / "good.mp4", "-o", model, "--channels", 2, "--batch", 1)
    line = interrupt(
        "tsr-train", *given, "--steps", 1_000_000, when=lambda line: "validation" in line
    )
    assert "Go on with the same command and --resume" in line
    assert str(model) in line
    assert names(tmp_path) == ["m.resume.safetensors", "m.safetensors"]
    done = int(line.split("step ")[1].split(";")[0])
    assert done >= 100
    best = model.read_bytes()
    assert "--overwrite" in refusal("tsr-train", *given, "--steps", done + 1)
    assert "another batch" in refusal("tsr-train", *given, "--batch", 2, "--resume")
    assert model.read_bytes() == best
    result = succeed("tsr-train", *given, "--steps", done + 1, "--resume")
    assert f"going on from step {done}" in result.stderr
    assert names(tmp_path) == ["m.safetensors"]
    succeed("tsr-export", model, "-o", tmp_path / "m.onnx")


@pytest.mark.slow
def test_ctrl_c_before_training_begins(tmp_path: Path, long_clip: Path) -> None:
    """While the video is still being read nothing is there to keep, and nothing is kept."""
    line = interrupt(
        "tsr-train", long_clip, "-o", tmp_path / "out.safetensors",
        when=lambda line: "coarsest rung" in line,
    )  # fmt: skip
    assert "interrupted" in line
    assert names(tmp_path) == [] or "--resume" in line
    for name in names(tmp_path):
        (tmp_path / name).unlink()


BEGUN = """
import sys, tsr.pipeline.entry
print("begun", file=sys.stderr, flush=True)
"""
"""What comes before it is Python's own start."""


@pytest.mark.slow
@pytest.mark.parametrize("milliseconds", [20, 50, 100, 200, 400, 800, 1600])
def test_ctrl_c_while_the_command_is_being_imported(
    tmp_path: Path, long_clip: Path, tiny_onnx: Path, milliseconds: int
) -> None:
    """Silence, or one line; never a traceback through other people's code."""
    given = (tiny_onnx, long_clip, "-o", tmp_path / "out.mp4")
    process = start("tsr-run", *given, before=BEGUN)
    assert process.stderr is not None
    assert process.stderr.readline() == "begun\n"
    time.sleep(milliseconds / 1000)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=120)
    assert "Traceback" not in stderr, stderr
    assert process.returncode in (-signal.SIGINT, 1), stderr
    assert names(tmp_path) == []
