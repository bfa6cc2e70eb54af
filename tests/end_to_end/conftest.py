"""Clips that users bring, good and bad, and the promise that nothing is left behind."""

from collections.abc import Iterator
from pathlib import Path

import av
import clips
import numpy as np
import pytest
from commands import names


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good clip, and every bad one."""
    folder = tmp_path_factory.mktemp("shelf")
    good = clips.rotating_spokes(12, 64, 80)
    clips.write_video(folder / "good.mp4", good)
    (folder / "text.mp4").write_text("this is no video\n" * 100)
    (folder / "empty.mp4").touch()
    (folder / "folder.mp4").mkdir()
    (folder / "folder.mp4" / "notes.txt").write_text("no images here")
    with av.open(str(folder / "song.m4a"), "w", format="mp4") as container:
        tone = clips.Tone(0.2)
        tone.write_to(container, tone.add_to(container))
    with av.open(str(folder / "zero.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        container.start_encoding()
    for count in (1, 3):
        clips.write_video(folder / f"frames{count}.mp4", good[:, :count])
    noise = np.random.default_rng(0).random((3, 40, 64, 80), np.float32)
    whole = clips.write_video(folder / "whole.mp4", noise)
    (folder / "cut.mp4").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    clips.write_video(folder / "tiny.mp4", clips.rotating_spokes(12, 16, 16))
    return folder


@pytest.fixture
def nothing_half_written(tmp_path: Path, shelf: Path, tiny_onnx: Path) -> Iterator[None]:
    """Neither beside the inputs nor where the output should go is anything left behind."""
    folders = (shelf, tiny_onnx.parent)
    before = [names(folder) for folder in folders]
    yield
    assert [names(folder) for folder in folders] == before
    assert not [name for name in names(tmp_path) if ".part" in name or name.startswith("out")]
