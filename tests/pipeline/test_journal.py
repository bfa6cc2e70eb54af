"""Nothing is lost: killed at any moment, on a full disk, by two runs at once."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tsr.core.clip_io import ClipWriter, probe
from tsr.core.errors import OutputError
from tsr.pipeline.cache import BusyError, Cache
from tsr.pipeline.cli import main

HERE = Path(__file__).parent


@pytest.fixture
def start(tiny_model: Path, small_onnx: Path) -> Callable[..., "subprocess.Popen[str]"]:
    """Starts `tsr` with a network at hand, and pieces of two input frames, in its own process."""

    def begin(*arguments: object) -> "subprocess.Popen[str]":
        given = [tiny_model, small_onnx, 16, *arguments]
        return subprocess.Popen(
            [sys.executable, str(HERE / "stubs.py"), *map(str, given)],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )

    return begin


def tsr(*arguments: object) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments)], prog_name="tsr")


def rendering(process: "subprocess.Popen[str]") -> str:
    """Wait until the first frames are computed; returns what was said so far."""
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if line.startswith("render: "):
            break
    return said


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_with_the_same_bytes(
    tmp_path: Path, clip: Path, start: Callable[..., "subprocess.Popen[str]"]
) -> None:
    """By kill -9, again and again: while rendering, while joining, and at any other moment."""
    output, cache = tmp_path / "out.mp4", tmp_path / "cache"
    whole = start(clip, "-o", output, "--cache", tmp_path / "whole")
    rendering(whole)
    begun = time.monotonic()
    assert whole.wait(300) == 0
    seconds = time.monotonic() - begun
    expected = output.read_bytes()

    random = np.random.default_rng(7)
    kills = finished = went_on = 0
    while kills < 12 or not finished:
        output.unlink(missing_ok=True)
        process = start(clip, "-o", output, "--cache", cache)
        said = rendering(process) if random.random() < 0.8 else ""
        try:
            process.wait(float(random.uniform(0, 0.7 * seconds)) if kills < 12 else 300)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
        said += process.communicate()[1]
        went_on += "going on behind" in said
        assert process.returncode in (0, -signal.SIGKILL), said
        if output.exists():  # also when it was killed after the last of its work
            assert output.read_bytes() == expected
            finished += 1
    assert went_on > 0
    output.unlink(missing_ok=True)  # the last one may have been killed
    assert start(clip, "-o", output, "--cache", cache).wait(300) == 0
    left = {file.name for file in tmp_path.iterdir()} - {"whole", "cache", "out.mp4"}
    assert left == set()  # whatever kill -9 left, the run that ended well has removed


def test_two_runs_on_one_video_wait_for_each_other(
    tmp_path: Path, clip: Path, start: Callable[..., "subprocess.Popen[str]"]
) -> None:
    """Both succeed; the second says what it waits for."""
    processes = [
        start(clip, "-o", tmp_path / f"{n}.mp4", "--cache", tmp_path / "cache", "--factor", factor)
        for n, factor in enumerate((8, 8))
    ]
    said = [process.communicate(timeout=300)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert (tmp_path / "0.mp4").read_bytes() == (tmp_path / "1.mp4").read_bytes()


def test_a_busy_video_is_left_for_later(tmp_path: Path, clip: Path, stubbed: None) -> None:
    """The other input goes first."""
    import clips

    from tsr.core.model_card import file_sha256
    from tsr.pipeline import batch
    from tsr.pipeline.options import Options
    from tsr.pipeline.told import Told

    other = clips.write_video(tmp_path / "other.mp4", 0.2 + 0.6 * clips.rotating_spokes(9, 64, 96))
    cache = Cache(tmp_path / "cache")
    order: list[str] = []
    holding = cache.video(file_sha256(clip), "in.mp4")

    class Listening(Told):
        def line(self, text: str) -> None:
            order.append(Path(text.split(" → ")[0]).name)

        def note(self, text: str) -> None:
            if "another tsr works on in.mp4" in text:
                order.append("waits")
                holding.__exit__(None, None, None)

    holding.__enter__()
    todo = batch.tasks([clip, other], tmp_path / "out", 2)
    outcomes = batch.make_all(todo, Options(factor=2), cache, Listening(quiet=True))
    assert [bool(outcome.record) for outcome in outcomes] == [True, True]
    assert order == ["other.mp4", "waits", "in.mp4"]


@pytest.mark.parametrize("moment", ["another tsr works on", "write"])
@pytest.mark.parametrize("in_batch", [True, False])
def test_an_output_that_another_run_made_meanwhile_stays(
    tmp_path: Path, clip: Path, stubbed: None, moment: str, in_batch: bool
) -> None:
    """Seen when the video is free, and before what was rendered is written."""
    from tsr.core.model_card import file_sha256
    from tsr.pipeline import batch
    from tsr.pipeline.options import Options
    from tsr.pipeline.told import Told

    output, cache = tmp_path / "out.mp4", Cache(tmp_path / "cache")
    holding = cache.video(file_sha256(clip), "in.mp4")

    class Other(Told):
        def note(self, text: str) -> None:
            if "another tsr works on" in text:
                self.meanwhile(text)
                holding.__exit__(None, None, None)

        def stage(self, name: str, text: str = "") -> None:
            self.meanwhile(name)
            super().stage(name, text)

        def meanwhile(self, text: str) -> None:
            if text.startswith(moment):
                output.write_text("the other's")

    holding.__enter__()
    task = batch.Task(clip, output, in_batch=in_batch)
    (outcome,) = batch.make_all([task], Options(factor=2), cache, Other(quiet=True))
    assert output.read_text() == "the other's"
    if in_batch and moment != "write":
        assert (outcome.kept, outcome.error) == (True, "")
    else:
        assert "exists already" in outcome.error
        assert ("the finished render is kept" in outcome.error) == (moment == "write")


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    """And let go of at the end."""
    cache = Cache(tmp_path)
    with cache.video("a" * 64, "a.mp4"):
        with pytest.raises(BusyError, match=r"a\.mp4"), cache.video("a" * 64, "a.mp4"):
            raise AssertionError("locked twice")
        with cache.video("b" * 64, "b.mp4"):
            pass
    with cache.video("a" * 64, "a.mp4"):
        pass


def test_a_full_disk_keeps_what_is_complete(
    tmp_path: Path, clip: Path, stubbed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line; the same command goes on from there once there is room."""
    write = ClipWriter.write
    written = 0

    def full(self: ClipWriter, frame: np.ndarray) -> None:
        nonlocal written
        written += 1
        if written > 70:
            raise OutputError(f"{self.path} cannot be written (No space left on device)")
        write(self, frame)

    monkeypatch.setattr(ClipWriter, "write", full)
    command = (clip, "-o", tmp_path / "out.mp4", "--cache", tmp_path / "cache")
    result = tsr(*command)
    assert result.exit_code == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith("tsr: ")
    assert "No space left on device" in last
    assert "goes on from there" in last
    assert not (tmp_path / "out.mp4").exists()
    monkeypatch.setattr(ClipWriter, "write", write)
    result = tsr(*command)
    assert result.exit_code == 0, result.stderr
    assert "going on behind 64 frames" in result.stderr
    assert probe(tmp_path / "out.mp4").num_frames == 160


def test_a_video_that_is_gone_midway(
    tmp_path: Path, clip: Path, stubbed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line, and the cache is whole."""
    from tsr.pipeline import network

    copy = tmp_path / "copy.mp4"
    copy.write_bytes(clip.read_bytes())
    stub = network.export

    def export(*arguments: object) -> object:
        copy.unlink()
        return stub(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(network, "export", export)
    command = (copy, "-o", tmp_path / "out.mp4", "--cache", tmp_path / "cache")
    result = tsr(*command)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == f"tsr: {copy} does not exist"
    copy.write_bytes(clip.read_bytes())
    monkeypatch.setattr(network, "export", stub)
    assert tsr(*command).exit_code == 0


def test_other_settings_make_other_pieces(
    tmp_path: Path, clip: Path, stubbed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupted render is not gone on with by a run that wants another one."""
    from tsr.pipeline import one_shot

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    join = one_shot.join_pieces
    monkeypatch.setattr(one_shot, "join_pieces", interrupted)
    command = (clip, "-o", tmp_path / "out.mp4", "--cache", tmp_path / "cache", "--factor", 2)
    result = tsr(*command)
    assert result.exit_code == 1
    assert "goes on from there" in result.stderr
    monkeypatch.setattr(one_shot, "join_pieces", join)
    assert "going on" not in tsr(*command, "--crf", 30).stderr
    result = tsr(*command, "--overwrite")
    assert "going on behind 40 frames" in result.stderr


def test_ctrl_c_while_training_stops_the_other_inputs_too(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The training saves its state and ends; nothing else begins."""
    from tsr.trainer import train as trainer

    begun: list[object] = []

    def interrupted(*given: object, **_: object) -> trainer.TrainResult:
        begun.append(given[0])
        return trainer.TrainResult(
            model=Path("m"), steps=3, psnr=30.0, cubic=29.0, seconds=1.0, exposure=1.0,
            interrupted=True, examples="both",
        )  # fmt: skip

    monkeypatch.setattr(trainer, "train", interrupted)
    other = tmp_path / "other.mp4"
    other.write_bytes(clip.read_bytes() + b"x")
    result = tsr(clip, other, "-o", tmp_path / "out", "--cache", tmp_path / "cache")
    assert result.exit_code == 1
    last = result.stderr.splitlines()[-1]
    assert last == "tsr: interrupted; the same command goes on from there"
    assert len(begun) == 1


def test_names_that_are_no_text(tmp_path: Path, clip: Path, stubbed: None) -> None:
    """Bytes of another encoding in a file's name."""
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/na\xefve.mp4"))
    odd.write_bytes(clip.read_bytes())
    result = tsr(
        odd, "-o", tmp_path / "out.mp4", "--cache", tmp_path / "cache", "--factor", 2, "--json"
    )
    assert result.exit_code == 0, result.output
    assert probe(tmp_path / "out.mp4").num_frames == 40
    assert tsr("cache", "--cache", tmp_path / "cache").exit_code == 0
    assert tsr("", "--cache", tmp_path / "cache").exit_code == 2
