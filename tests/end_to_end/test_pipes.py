"""Videos through pipes: only video on standard output, nothing left behind, any length."""

import errno
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import tracemalloc
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import clips
import numpy as np
import pytest
from commands import MODULES, checked_line, invoke, names, refusal, succeed

from tsr.core.clip_io import probe, read_volume
from tsr.core.errors import ModelError
from tsr.core.pipes import spooled

NTSC = Fraction(24000, 1001)
pytestmark = pytest.mark.usefixtures("nothing_half_written")


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary folder, in which we leave nothing (ONNX Runtime keeps a session file)."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield folder
    assert not [name for name in names(folder) if name.startswith("tsr-")]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six frames at 24000/1001 with sound."""
    path = tmp_path_factory.mktemp("film") / "film.mkv"
    picture = clips.rotating_spokes(6, 64, 80)
    tone = clips.Tone(0.2)
    return clips.write_video(path, picture, fps=NTSC, time_base=1 / NTSC, tone=tone, matrix=6)


def piped(
    name: str, *arguments: object, given: bytes = b""
) -> "subprocess.CompletedProcess[bytes]":
    """Run a command in a process of its own, with bytes through its pipes."""
    code = f"from {MODULES[name]} import main\nmain(prog_name={name!r})"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, input=given, capture_output=True, timeout=120, check=False)


def as_y4m(film: Path) -> bytes:
    """A clip halved in its rate, as `tsr-degrade` writes it into a pipe."""
    result = piped("tsr-degrade", film, "-f", 2, "-o", "-")
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.slow
def test_from_pipe_to_pipe(tmp_path: Path, film: Path, tiny_onnx: Path) -> None:
    """Y4M in and out: the frames and times of the same job with files, and not a byte more."""
    y4m = as_y4m(film)
    assert y4m.startswith(b"YUV4MPEG2 W80 H64 F12000:1001 ")
    options = ("--start-scale", "1/4", "--factor", 2)
    (tmp_path / "slow.y4m").write_bytes(y4m)
    succeed("tsr-run", tiny_onnx, tmp_path / "slow.y4m", "-o", tmp_path / "fast.y4m", *options)
    result = piped("tsr-run", tiny_onnx, "-", "-o", "-", *options, given=y4m)
    assert result.returncode == 0, result.stderr
    assert result.stdout == (tmp_path / "fast.y4m").read_bytes()
    assert b"wrote standard output" in result.stderr
    info = probe(tmp_path / "fast.y4m")
    assert (info.num_frames, info.fps) == (6, NTSC)


@pytest.mark.slow
def test_matroska_with_sound_through_a_pipe(tmp_path: Path, film: Path, tiny_onnx: Path) -> None:
    """Any container that can be read from its beginning; an encoder asks for Matroska out."""
    options = ("--start-scale", "1/4", "--factor", 2, "--encoder", "ffv1")
    result = piped("tsr-run", tiny_onnx, "-", "-o", "-", *options, given=film.read_bytes())
    assert result.returncode == 0, result.stderr
    made = tmp_path / "made.mkv"
    made.write_bytes(result.stdout)
    info = probe(made)
    assert (info.num_frames, info.fps, info.has_audio) == (12, 2 * NTSC, True)
    succeed("tsr-run", tiny_onnx, film, "-o", tmp_path / "file.mkv", *options)
    np.testing.assert_array_equal(read_volume(made)[0], read_volume(tmp_path / "file.mkv")[0])


@pytest.mark.slow
def test_a_reader_that_goes_away(tmp_path: Path, film: Path, tiny_onnx: Path) -> None:
    """`| head -c 100` ends the command by status 1 and one line."""
    code = f"from {MODULES['tsr-run']} import main\nmain(prog_name='tsr-run')"
    given = (tiny_onnx, film, "-o", "-", "--start-scale", "1/4")
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, given)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(100)
    process.stdout.close()
    stderr = process.stderr.read().decode()
    line = checked_line("tsr-run", process.wait(timeout=120), stderr)
    assert "the program that reads standard output went away" in line


def test_named_pipes(tmp_path: Path, film: Path) -> None:
    """In and out: neither the name nor the pipe is replaced by a file."""
    clip, output = tmp_path / "in.fifo", tmp_path / "piped.y4m"
    os.mkfifo(clip)
    os.mkfifo(output)
    taken: list[bytes] = []
    feeder = threading.Thread(target=lambda: clip.write_bytes(film.read_bytes()))
    eater = threading.Thread(target=lambda: taken.append(output.read_bytes()))
    feeder.start(), eater.start()
    succeed("tsr-degrade", clip, "-f", 2, "-o", output)
    feeder.join(), eater.join()
    assert output.is_fifo()
    assert taken[0].startswith(b"YUV4MPEG2 ")
    assert taken[0].count(b"FRAME\n") == 3


def test_a_container_that_no_pipe_holds(tmp_path: Path, film: Path) -> None:
    """MP4 is written back and forth; in a pipe that is one line."""
    output = tmp_path / "piped.mp4"
    os.mkfifo(output)
    eater = threading.Thread(target=output.read_bytes)
    eater.start()
    result = piped("tsr-degrade", film, "-f", 2, "-o", output)
    eater.join()
    line = checked_line("tsr-degrade", result.returncode, result.stderr.decode())
    assert "cannot be written" in line


@pytest.fixture
def fed(tmp_path: Path, film: Path) -> Iterator[Path]:
    """A named pipe through which the film comes, once."""
    pipe = tmp_path / "in.fifo"
    os.mkfifo(pipe)
    feeder = threading.Thread(target=lambda: pipe.write_bytes(film.read_bytes()))
    feeder.start()
    yield pipe
    feeder.join()


@pytest.mark.parametrize("options", [("--int8",), ("--fp8",), ("--fp16", "--video")])
def test_exports_calibrate_on_a_clip_from_a_pipe(
    tmp_path: Path,
    film: Path,
    fed: Path,
    tiny_model: Path,
    options: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They read it more than once, so they are given a file with all of it."""
    seen: list[bytes] = []

    def look(*given: Any, **named: Any) -> None:
        clip = named.get("clip") or given[1]
        assert clip.is_file()
        seen.append(clip.read_bytes())
        raise ModelError("seen enough")

    monkeypatch.setattr("tsr.export.to_quantised.to_quantised", look)
    monkeypatch.setattr("tsr.export.to_onnx.to_onnx", look)
    line = refusal("tsr-export", tiny_model, *options, fed, "-o", tmp_path / "out.onnx")
    assert "seen enough" in line
    assert seen == [film.read_bytes()]


@pytest.mark.slow
def test_models_are_checked_on_a_clip_from_a_pipe(
    film: Path, fed: Path, tiny_model: Path, tiny_onnx: Path
) -> None:
    """To the same table as on the file, but for the first line, which names it."""
    by_file, by_pipe = (
        succeed("tsr-check", tiny_model, tiny_onnx, "--video", clip, "--start-scale", 1).stdout
        for clip in (film, fed)
    )
    assert len(by_file.splitlines()) > 3
    assert by_file.splitlines()[1:] == by_pipe.splitlines()[1:]


@pytest.mark.parametrize("command", ["tsr", "tsr-run", "tsr-train", "tsr-degrade"])
def test_a_pipe_gives_no_name_to_the_output(tiny_onnx: Path, command: str) -> None:
    """Refused before anything is read."""
    given = [tiny_onnx, "-"] if command == "tsr-run" else ["-"]
    assert "give -o" in refusal(command, *given)


@pytest.mark.parametrize("command", ["tsr-run", "tsr-degrade"])
def test_json_and_video_do_not_share_standard_output(
    film: Path, tiny_onnx: Path, command: str
) -> None:
    """Wrong usage, status 2."""
    given = [tiny_onnx, film] if command == "tsr-run" else [film]
    result = invoke(command, *given, "-o", "-", "--json")
    assert result.exit_code == 2
    assert "--json and -o -" in result.stderr


@pytest.mark.parametrize(("data", "words"), [(b"", "0 bytes"), (b"no video\n" * 99, "not a video")])
def test_pipes_that_bring_no_video(tmp_path: Path, data: bytes, words: str) -> None:
    """The usual line, in which the pipe is named."""
    result = piped("tsr-degrade", "-", "-o", tmp_path / "out.mkv", given=data)
    line = checked_line("tsr-degrade", result.returncode, result.stderr.decode())
    assert words in line
    assert "standard-input" in line


def test_a_pipe_larger_than_the_temporary_folder(
    tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line says where it was kept and how to choose another place."""

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    clip = tmp_path / "in.fifo"
    os.mkfifo(clip)
    feeder = threading.Thread(target=lambda: clip.open("wb").close())
    feeder.start()
    line = refusal("tsr-degrade", clip, "-o", tmp_path / "out.mkv")
    feeder.join()
    assert "No space left" in line
    assert "TMPDIR" in line


def test_large_pipes_take_little_memory(tmp_path: Path) -> None:
    """64 MB through a pipe, a few at a time."""
    pipe = tmp_path / "big.fifo"
    os.mkfifo(pipe)
    block = bytes(2**20)

    def write() -> None:
        with pipe.open("wb") as target:
            for _ in range(64):
                target.write(block)

    feeder = threading.Thread(target=write)
    feeder.start()
    tracemalloc.start()
    with spooled(pipe) as copy:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert copy.stat().st_size == 64 * 2**20
    feeder.join()
    assert peak < 8 * 2**20
