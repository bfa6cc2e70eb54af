"""Several inputs to `tsr`, and what is checked before the first work on any."""

from pathlib import Path
from typing import Any

import clips
import numpy as np
import pytest
from runs import HEIGHT, WIDTH, events, tsr

from tsr.core.clip_io import ClipWriter, choose_encoding, probe
from tsr.core.errors import ClipError
from tsr.pipeline import network
from tsr.pipeline.batch import tasks
from tsr.pipeline.job import Job, least_bytes


def test_several_inputs_and_a_failure(tmp_path: Path, clip: Path, stubbed: None) -> None:
    """One after the other; the bad one does not stop the rest, and the exit status tells."""
    bad = tmp_path / "bad.mp4"
    bad.write_text("this is no video")
    other = tmp_path / "other.mp4"
    clips.write_video(other, 0.2 + 0.6 * clips.rotating_spokes(9, HEIGHT, WIDTH))
    result = tsr(tmp_path / "c", bad, clip, other, "-o", tmp_path / "out", "--factor", 2)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == "tsr: 1 of 3 inputs failed; see above"
    assert "failed: " in result.stderr
    assert sorted(f.name for f in (tmp_path / "out").iterdir()) == ["in_x2.mp4", "other_x2.mp4"]


def test_what_the_system_refuses_of_one_input_stops_no_other(
    tmp_path: Path, clip: Path, stubbed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that no disk takes, links in circles, a video that goes away meanwhile."""
    from tsr.pipeline import batch

    going, last = tmp_path / "going.mp4", tmp_path / "last.mp4"
    for path in (going, last):
        path.write_bytes(clip.read_bytes())
    prepare = batch.prepare

    def prepare_and_lose(path: Path, *rest: Any, **named: Any) -> Job:
        job = prepare(path, *rest, **named)
        if path == last:
            going.unlink()
        return job

    monkeypatch.setattr(batch, "prepare", prepare_and_lose)
    long = tmp_path / ("a" * 300 + ".mp4")
    loop = tmp_path / "loop.mp4"
    loop.symlink_to(loop)
    result = tsr(tmp_path / "c", long, loop, going, last, "-o", tmp_path / "out", "--factor", 2)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == "tsr: 3 of 4 inputs failed; see above"
    assert "going.mp4: No such file or directory" in result.stderr
    assert [f.name for f in (tmp_path / "out").iterdir()] == ["last_x2.mp4"]


def test_a_folder_of_videos(tmp_path: Path, clip: Path, stubbed: None) -> None:
    """Each beside itself; what is no video is passed over."""
    folder = tmp_path / "videos"
    folder.mkdir()
    (folder / "one.mp4").write_bytes(clip.read_bytes())
    (folder / "notes.txt").write_text("not a video")
    result = tsr(tmp_path / "c", folder, "--factor", 2)
    assert result.exit_code == 0, result.output
    assert (folder / "one_x2.mp4").is_file()


def test_a_folder_that_is_given_again(tmp_path: Path, clip: Path, stubbed: None) -> None:
    """What is there already stays, and nothing is made of what was made; a new video is."""
    folder = tmp_path / "videos"
    folder.mkdir()
    for name in ("one.mp4", "two.mp4"):
        (folder / name).write_bytes(clip.read_bytes())
    assert tsr(tmp_path / "c", folder, "--factor", 2).exit_code == 0
    before = (folder / "one_x2.mp4").stat().st_mtime_ns
    (folder / "two_x2.mp4").unlink()
    again = tsr(tmp_path / "c", folder, "--factor", 2, "--json")
    summary = events(again)[-1]
    assert (summary["done"], summary["kept"], summary["failed"]) == (1, 1, 0)
    assert (folder / "one_x2.mp4").stat().st_mtime_ns == before
    assert sorted(f.name for f in folder.iterdir()) == [
        "one.mp4", "one_x2.mp4", "two.mp4", "two_x2.mp4",
    ]  # fmt: skip
    assert "was there already" in tsr(tmp_path / "c", folder, "--factor", 2).stderr


def test_a_folder_of_one_video_that_is_given_again(
    tmp_path: Path, clip: Path, stubbed: None
) -> None:
    """It is a batch like any other: more may come, and what is there is no failure."""
    folder, out = tmp_path / "videos", tmp_path / "out"
    folder.mkdir()
    (folder / "one.mp4").write_bytes(clip.read_bytes())
    assert tsr(tmp_path / "c", folder, "-o", out, "--factor", 2).exit_code == 0
    again = tsr(tmp_path / "c", folder, "-o", out, "--factor", 2)
    assert again.exit_code == 0, again.output
    assert "was there already" in again.stderr


def test_what_a_folder_is_taken_for(tmp_path: Path) -> None:
    """Hidden files are no videos, and a cover among videos makes no clip of images of them."""
    for name in (".one.part-0-1.mp4", ".cover.png", "cover.png", "one.mp4"):
        (tmp_path / name).touch()
    assert [task.clip for task in tasks([tmp_path], None, 8)] == [tmp_path / "one.mp4"]
    (tmp_path / "one.mp4").unlink()
    assert [task.clip for task in tasks([tmp_path], None, 8)] == [tmp_path]
    (tmp_path / "cover.png").unlink()
    with pytest.raises(ClipError, match="holds neither videos nor PNG images"):
        tasks([tmp_path], None, 8)


def test_what_is_cheap_is_checked_before_any_work(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No training begins for an output that cannot be written in the end."""

    def train(*_: object) -> None:
        raise AssertionError("the training began")

    monkeypatch.setattr(network, "train", train)
    short = clips.write_video(tmp_path / "short.mp4", clips.numbered(5, 64, 64))
    (tmp_path / "there.mp4").touch()
    cases = [
        ((clip, "-o", tmp_path / "out.xyz"), "unknown suffix"),
        ((clip, "-o", tmp_path / "out.mp4", "--encoder", "ffv1"), "ffv1"),
        ((clip, "-o", tmp_path / "out.mp4", "--crf", 99), "99"),
        ((clip, "-o", tmp_path / "no" / "out.mp4"), "does not exist"),
        ((clip, "-o", tmp_path / "there.mp4"), "--overwrite"),
        ((clip, "-o", tmp_path), "is a folder; give the name of a video in it"),
        ((clip, "-o", "-"), "give -o NAME.mkv"),
        ((short, "-o", tmp_path / "out.mp4"), "5 frames"),
        ((tmp_path / "missing.mp4", "-o", tmp_path / "out.mp4"), "does not exist"),
        ((clip, "-o", tmp_path / "out.mp4", "--range", "1:00-2:00"), "no frame between"),
    ]  # fmt: skip
    for arguments, words in cases:
        result = tsr(tmp_path / "c", *arguments)
        assert result.exit_code == 1, result.output
        (line,) = result.stderr.splitlines()
        assert line.startswith("tsr: ")
        assert words in line
    assert not (tmp_path / "out.mp4").exists()


def test_a_disk_without_room_is_noticed_before_any_work(
    tmp_path: Path, clip: Path, stubbed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what the output needs at the very least."""
    import shutil

    full = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr("tsr.pipeline.job.shutil.disk_usage", lambda _: full)
    result = tsr(tmp_path / "c", clip, "-o", tmp_path / "out.mp4")
    assert result.exit_code == 1
    assert "make room" in result.stderr


@pytest.mark.parametrize(
    ("name", "encoder"),
    [
        ("a.mkv", "ffv1"), ("a", "png"), ("a.mov", "prores"), ("a.mp4", "h264"), ("a.mp4", "hevc"),
        ("a.webm", "vp9"), ("a.webm", "av1"),
    ],
)  # fmt: skip
def test_a_plain_still_scene_takes_more_than_is_asked_of_a_disk(
    tmp_path: Path, name: str, encoder: str
) -> None:
    """So that no output is refused that would have found room."""
    still = np.full((3, 16, 360, 640), 0.5, np.float32)
    info = probe(clips.write_video(tmp_path / "in.mp4", still))
    encoding = choose_encoding(tmp_path / name, info, encoder=encoder)
    with ClipWriter(tmp_path / name, info, times=info.times, encoding=encoding) as writer:
        writer.write_volume(still)
    files = [tmp_path / name, *tmp_path.glob(f"{name}/*")]
    size = sum(file.stat().st_size for file in files if file.is_file())
    assert least_bytes(encoding, info.num_frames, info.height * info.width) < size


def test_an_output_never_replaces_another_input(tmp_path: Path, clip: Path, stubbed: None) -> None:
    """Not even with --overwrite."""
    one, two = tmp_path / "in.mp4", tmp_path / "in_x2.mp4"
    for path in (one, two):
        path.write_bytes(clip.read_bytes())
    result = tsr(tmp_path / "c", one, two, "--factor", 2, "--overwrite")
    assert result.exit_code == 1
    assert "in_x2.mp4 is the input itself" in result.stderr
    assert two.read_bytes() == clip.read_bytes()
    assert (tmp_path / "in_x2_x2.mp4").exists()


def test_a_machine_without_torch_is_told_what_to_install(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line, before anything is looked at."""
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(
        "tsr.core.console.importlib.util.find_spec",
        lambda name, *rest: None if name in ("torch", "filelock") else find(name, *rest),
    )
    result = tsr(tmp_path / "c", clip, "-o", tmp_path / "out.mp4")
    assert result.exit_code == 1
    assert "tsr needs torch, filelock: pip install 'zero-shot-tsr[all]'" in result.stderr
