"""What a crash or a full disk leaves in the cache: made again, or kept, and never believed."""

from pathlib import Path

import pytest
from runs import tsr

from tsr.core.clip_io import probe
from tsr.core.errors import OutputError


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04", b"no archive"])
def test_a_damaged_survey_is_made_again(
    tmp_path: Path, clip: Path, stubbed: None, damage: bytes
) -> None:
    """Whatever a crash left of it."""
    command = (tmp_path / "cache", clip, "--factor", 2)
    assert tsr(*command, "-o", tmp_path / "1.mp4").exit_code == 0
    (kept,) = (tmp_path / "cache").rglob("survey.npz")
    whole = kept.read_bytes()
    kept.write_bytes(damage)
    result = tsr(*command, "-o", tmp_path / "2.mp4")
    assert result.exit_code == 0, result.stderr
    assert kept.read_bytes() == whole


def test_a_damaged_network_is_made_again(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it was trained, and as it was exported; whole ones are kept."""
    from tsr.pipeline import network
    from tsr.pipeline.cache import VideoCache
    from tsr.pipeline.options import Options
    from tsr.pipeline.told import Told
    from tsr.trainer import train as trainer

    made: list[str] = []

    def train(_: object, model: Path, *__: object, **___: object) -> trainer.TrainResult:
        made.append("trained")
        model.write_bytes(b"weights")
        return trainer.TrainResult(
            model=model, steps=3, psnr=30.0, cubic=29.0, seconds=1.0, exposure=1.0,
            interrupted=False, examples="both",
        )  # fmt: skip

    def narrow(model: Path, _: object, file: Path, *__: object) -> str:
        made.append("exported")
        file.write_bytes(model.read_bytes())
        return "int8"

    monkeypatch.setattr(trainer, "train", train)
    monkeypatch.setattr(network, "_narrow", narrow)
    kept, told, info = VideoCache(tmp_path), Told(quiet=True), probe(clip)

    def again() -> tuple[Path, Path]:
        made.clear()
        training = network.train(info, 2, Options(), kept, told)
        return training.model, network.export(training, info, "cpu", kept, told).file

    model, file = again()
    assert made == ["trained", "exported"]
    assert again() == (model, file)
    assert made == []
    file.write_bytes(b"")
    assert again() == (model, file)
    assert made == ["exported"]
    model.write_bytes(bytes(7))
    assert again() == (model, file)
    assert made == ["trained"]
    assert (model.read_bytes(), file.read_bytes()) == (b"weights", b"weights")


@pytest.mark.parametrize(("name", "left"), [("out.mp4", 300), ("out.mp4", 0), ("out", 0)])
def test_a_damaged_piece_is_made_again(
    tmp_path: Path, clip: Path, stubbed: None, monkeypatch: pytest.MonkeyPatch, name: str, left: int
) -> None:
    """And those behind it, to the same bytes."""
    from tsr.pipeline import one_shot

    def full(*_: object, **__: object) -> None:
        raise OutputError("the disk is full")

    command = (tmp_path / "cache", clip, "--factor", 2)
    assert tsr(*command, "-o", tmp_path / f"whole_{name}").exit_code == 0
    join = one_shot.join_pieces
    monkeypatch.setattr(one_shot, "join_pieces", full)
    assert tsr(*command, "-o", tmp_path / name).exit_code == 1
    second = sorted((tmp_path / "cache").glob("*/render-*/0*"))[1]
    file = min(second.iterdir()) if second.is_dir() else second
    file.write_bytes(file.read_bytes()[:left])
    monkeypatch.setattr(one_shot, "join_pieces", join)
    result = tsr(*command, "-o", tmp_path / name)
    assert result.exit_code == 0, result.stderr
    assert "going on behind 32 frames" in result.stderr
    for made in [tmp_path / name, *(tmp_path / name).glob("*.png")]:
        whole = tmp_path / f"whole_{made.relative_to(tmp_path)}"
        assert made.is_dir() or made.read_bytes() == whole.read_bytes()


def test_a_cache_that_cannot_be_written(tmp_path: Path, clip: Path, stubbed: None) -> None:
    """Said in one line, with the way out."""
    (tmp_path / "cache").write_text("a file")
    result = tsr(tmp_path / "cache", clip, "-o", tmp_path / "out.mp4")
    assert result.exit_code == 1
    assert "--cache" in result.stderr.splitlines()[-1]


def test_a_finished_render_is_not_lost(
    tmp_path: Path, clip: Path, stubbed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the output cannot be written after all, another one is, without computing anything."""
    from tsr.pipeline import one_shot

    def full(*_: object, **__: object) -> None:
        raise OutputError("the disk is full")

    join = one_shot.join_pieces
    monkeypatch.setattr(one_shot, "join_pieces", full)
    command = (tmp_path / "cache", clip, "--factor", 2)
    failed = tsr(*command, "-o", tmp_path / "out.mp4")
    assert "finished render is kept" in failed.stderr
    monkeypatch.setattr(one_shot, "join_pieces", join)
    monkeypatch.setattr("tsr.pipeline.content.super_resolve", full)
    assert tsr(*command, "-o", tmp_path / "other.mp4").exit_code == 0
    assert probe(tmp_path / "other.mp4").num_frames == 40
