"""Results appear under their final name only when complete."""

from pathlib import Path

import pytest

from tsr.core.errors import OutputError
from tsr.core.leftovers import mark
from tsr.core.outputs import check_output, completed, named


def names(folder: Path) -> list[str]:
    """Everything in a folder, hidden files too."""
    return sorted(file.name for file in folder.iterdir())


def interrupted(final: Path, error: type[BaseException] = KeyboardInterrupt) -> None:
    """Write half a file for `final`, then fail."""
    with pytest.raises(error), completed(final) as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise error


def test_the_final_name_appears_when_the_block_ends(tmp_path: Path) -> None:
    """Until then another file lies there, with the suffix that encoders go by."""
    final = tmp_path / "clip.mp4"
    with completed(final) as temporary:
        temporary.write_text("frames")
        assert not final.exists()
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".mp4"
    assert final.read_text() == "frames"
    assert names(tmp_path) == ["clip.mp4"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, MemoryError, SystemExit])
def test_a_failure_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    """Neither the final name nor the temporary file, whatever interrupts."""
    interrupted(tmp_path / "clip.mp4", error)
    assert names(tmp_path) == []


def test_a_failure_keeps_what_was_there(tmp_path: Path) -> None:
    """An older result survives an interrupted replacement."""
    final = tmp_path / "clip.mp4"
    final.write_text("old")
    interrupted(final)
    assert final.read_text() == "old"
    assert names(tmp_path) == ["clip.mp4"]


def test_a_failure_leaves_no_folder(tmp_path: Path) -> None:
    """A folder of images goes the same way as a file."""
    with pytest.raises(KeyboardInterrupt), completed(tmp_path / "frames") as temporary:  # noqa: PT012
        temporary.mkdir()
        (temporary / "frame_0.png").write_text("0")
        raise KeyboardInterrupt
    assert names(tmp_path) == []


def test_a_folder_replaces_a_folder_of_images(tmp_path: Path) -> None:
    """No image of the earlier result is left among the new ones."""
    final = tmp_path / "frames"
    final.mkdir()
    (final / "frame_9.png").write_text("old")
    with completed(final) as temporary:
        temporary.mkdir()
        (temporary / "frame_0.png").write_text("new")
    assert names(final) == ["frame_0.png"]
    assert names(tmp_path) == ["frames"]


def test_a_folder_holding_anything_else_is_never_replaced(tmp_path: Path) -> None:
    """`--overwrite` with a name mistyped must not delete somebody's files."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.txt").write_text("years")
    with pytest.raises(OutputError, match=r"thesis\.txt"):
        check_output(home, overwrite=True)
    with pytest.raises(OutputError, match=r"thesis\.txt"), completed(home) as temporary:
        temporary.mkdir()
    assert (home / "thesis.txt").read_text() == "years"
    assert names(tmp_path) == ["home"]


def test_a_folder_replaces_a_file(tmp_path: Path) -> None:
    """With leave to overwrite, work is not lost because the old result was of another kind."""
    final = tmp_path / "frames"
    final.write_text("old")
    with completed(final) as temporary:
        temporary.mkdir()
    assert final.is_dir()
    assert names(tmp_path) == ["frames"]


def test_a_file_does_not_replace_a_folder(tmp_path: Path) -> None:
    """A name with a suffix is a file's; that a folder has it is said before the work."""
    (tmp_path / "clip.mp4").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        check_output(tmp_path / "clip.mp4", overwrite=True)


def test_a_refusing_disk_is_an_output_error(tmp_path: Path) -> None:
    """What the system says becomes one line with the final name, not the temporary one."""
    with (
        pytest.raises(OutputError, match=r"cannot write .*/clip\.mp4: No such file"),
        completed(tmp_path / "gone" / "clip.mp4") as temporary,
    ):
        temporary.write_text("x")
    with pytest.raises(OutputError, match="cannot write"), completed(tmp_path / "none.mp4"):
        pass  # nothing was written at all


def test_a_usable_output_is_let_through(tmp_path: Path) -> None:
    """A new name, or an old one with leave to replace it."""
    check_output(tmp_path / "new.mp4")
    (tmp_path / "old.mp4").touch()
    check_output(tmp_path / "old.mp4", overwrite=True)


def test_the_input_is_never_the_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not under another spelling, not through a link, not with leave to overwrite."""
    clip = tmp_path / "clip.mp4"
    clip.touch()
    (tmp_path / "link.mp4").symlink_to(clip)
    monkeypatch.chdir(tmp_path)
    for spelling in (clip, Path("clip.mp4"), tmp_path / "x" / ".." / "clip.mp4", Path("link.mp4")):
        with pytest.raises(OutputError, match="is the input itself"):
            check_output(spelling, inputs=(clip,), overwrite=True)


def test_links_in_circles(tmp_path: Path) -> None:
    """An input that is one is said where it is opened; an output that is one is replaced."""
    loop = tmp_path / "loop.mp4"
    loop.symlink_to(loop)
    check_output(tmp_path / "out.mp4", inputs=(loop,))
    check_output(loop, inputs=(tmp_path / "clip.mp4",))
    with completed(loop) as temporary:
        temporary.write_text("frames")
    assert loop.read_text() == "frames"
    assert not loop.is_symlink()


def test_an_existing_output_is_refused(tmp_path: Path) -> None:
    """The message names the way out."""
    (tmp_path / "old.mp4").touch()
    with pytest.raises(OutputError, match="pass --overwrite"):
        check_output(tmp_path / "old.mp4")


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """Be it missing or a file."""
    (tmp_path / "file").touch()
    for parent in ("missing", "file"):
        with pytest.raises(OutputError, match=f"{parent} does not exist"):
            check_output(tmp_path / parent / "out.mp4")


def test_a_name_that_no_disk_takes_is_refused(tmp_path: Path) -> None:
    """A name of 300 characters fails before the work, not after it."""
    with pytest.raises(OutputError, match="too long"):
        check_output(tmp_path / ("a" * 300 + ".mp4"))


@pytest.mark.parametrize("letter", ["a", "é", "語"])
def test_a_name_that_the_disk_just_takes(tmp_path: Path, letter: str) -> None:
    """The temporary name is longer than the final one, and what a killed process left is found."""
    stem = letter * (251 // len(letter.encode()))
    final = tmp_path / f"{stem}.mp4"
    check_output(final)
    with completed(final) as temporary:
        temporary.write_text("frames")
        left = temporary.with_name(temporary.name.replace(mark(), f"{mark()[:8]}-999999999"))
        left.write_text("half")
    with completed(final) as temporary:
        temporary.write_text("more frames")
    assert names(tmp_path) == [final.name]


@pytest.mark.parametrize("path", ["/", "", "."])
def test_an_output_without_a_name_is_refused(path: str) -> None:
    """The root folder, nothing, and the folder one is in."""
    with pytest.raises(OutputError, match="is a folder"):
        check_output(Path(path), overwrite=True)


def test_names_that_others_are_made_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`.` stands for the folder one is in; the root folder has no name."""
    monkeypatch.chdir(tmp_path)
    assert named(Path()) == tmp_path
    assert named(Path("clip.mp4")) == Path("clip.mp4")
    with pytest.raises(OutputError, match="give -o"):
        named(Path("/"))
