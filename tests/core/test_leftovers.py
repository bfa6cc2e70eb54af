"""What a killed process left is removed by the next; what a living one needs never is."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import names

from tsr.core.leftovers import mark, remove_leftovers
from tsr.core.outputs import completed
from tsr.core.pipes import spooled


def mark_of(process: int) -> str:
    return mark().replace(f"-{os.getpid()}", f"-{process}")


@pytest.fixture
def dead() -> int:
    """The number of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture
def living() -> Iterator[int]:
    """That of another process."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process.pid
    process.communicate(b"\n")


def test_only_what_is_of_dead_processes_goes(tmp_path: Path, dead: int, living: int) -> None:
    """Files and folders; not those of the living, of other outputs, machines and programs."""
    (tmp_path / f".clip.part-{mark_of(dead)}.mp4").write_text("half")
    frames = tmp_path / f".frames.part-{mark_of(dead)}"
    frames.mkdir()
    (frames / "frame_0000.png").write_text("half")
    kept = [
        f".clip.part-{mark_of(living)}.mp4",
        f".clip.part-{mark()}.mp4",
        f".clip.part-{mark_of(dead)}.mkv",
        f".other.part-{mark_of(dead)}.mp4",
        f".clip.part-01234567-{dead}.mp4",
        f".clip.part-{dead}.mp4",
        f".clip.part-{mark_of(10**30)}.mp4",
        "clip.mp4",
    ]
    for name in kept:
        (tmp_path / name).write_text("needed")
    remove_leftovers(tmp_path, ".clip.part-", ".mp4")
    remove_leftovers(tmp_path, ".frames.part-", "")
    assert names(tmp_path) == sorted(kept)


def test_what_is_somebody_elses_stays(
    tmp_path: Path, dead: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a folder that everyone may write to."""
    left = tmp_path / f"tsr-{mark_of(dead)}-abc"
    left.mkdir()
    with monkeypatch.context() as patched:
        patched.setattr(os, "getuid", lambda: left.stat().st_uid + 1)
        remove_leftovers(tmp_path, "tsr-", "-")
    assert left.exists()
    remove_leftovers(tmp_path, "tsr-", "-")
    assert not left.exists()


def test_a_link_to_somewhere_is_not_followed(tmp_path: Path, dead: int) -> None:
    """It goes; what it points to stays."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.txt").write_text("years")
    (tmp_path / f".clip.part-{mark_of(dead)}.mp4").symlink_to(home)
    remove_leftovers(tmp_path, ".clip.part-", ".mp4")
    assert names(tmp_path) == ["home"]
    assert names(home) == ["thesis.txt"]


def killed(code: str, *arguments: object, folder: Path) -> None:
    """Run code that ends by kill -9, with its temporary files in the folder."""
    code = f"import os, sys\nfrom pathlib import Path\n{code}\n    os.kill(os.getpid(), 9)"
    process = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "TMPDIR": str(folder)}, input=b"a film", check=False,
    )  # fmt: skip
    assert process.returncode == -signal.SIGKILL


def test_the_next_output_of_that_name_tidies_up(tmp_path: Path) -> None:
    """Be it a file or a folder of images."""
    write = "from tsr.core.outputs import completed\nwith completed(Path(sys.argv[1])) as part:\n"
    clip, frames = tmp_path / "clip.mp4", tmp_path / "frames"
    killed(f"{write}    part.write_text('half')", clip, folder=tmp_path)
    killed(f"{write}    part.mkdir()\n    (part / '1.png').touch()", frames, folder=tmp_path)
    assert len([name for name in names(tmp_path) if ".part-" in name]) == 2
    with completed(clip) as part:
        part.write_text("whole")
    with completed(frames) as part:
        part.mkdir()
    assert names(tmp_path) == ["clip.mp4", "frames"]


def test_a_folder_of_our_own_number_is_no_obstacle(tmp_path: Path) -> None:
    """Numbers come back: half a folder of images by a process that had ours."""
    left = tmp_path / f".frames.part-{mark()}"
    left.mkdir()
    (left / "frame_0009.png").touch()
    with completed(tmp_path / "frames") as part:
        part.mkdir()
    assert names(tmp_path / "frames") == []


def test_the_next_pipe_tidies_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was kept of standard input when the process was killed."""
    keep = "from tsr.core.pipes import spooled\nwith spooled(Path('-')) as copy:\n"
    killed(f"{keep}    assert copy.read_text() == 'a film'", folder=tmp_path)
    assert [name for name in names(tmp_path) if name.startswith("tsr-")]
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    clip = tmp_path / "clip.mp4"
    clip.write_text("another")
    with spooled(clip) as copy:
        assert copy.read_text() == "another"
        assert len(names(tmp_path)) == 2
    assert names(tmp_path) == ["clip.mp4"]
