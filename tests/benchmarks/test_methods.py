"""Which methods are measured, and what tells one training of ours from another."""

import argparse
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("benchmarks.methods", reason="benchmarks are not part of the wheel")

from benchmarks import quality
from benchmarks.method_options import add_method_options, chosen_methods
from benchmarks.methods import Job, Ours, name_of
from benchmarks.quality import figures
from benchmarks.quality_md import title
from benchmarks.stages import write_json
from tsr.evaluation.degrade import degrade
from tsr.evaluation.scenes import Grating, Profile, write_scene


def _chosen(*words: str) -> list[str]:
    parser = argparse.ArgumentParser()
    add_method_options(parser)
    return [name_of(method) for method in chosen_methods(parser.parse_args(words))]


def test_ours_is_one_method_per_preset_and_comes_last() -> None:
    chosen = _chosen("--methods", "ours,linear", "--presets", "fast,paper", "--steps", "5")
    assert chosen == ["linear", "ours-fast-steps5", "ours-paper-steps5"]
    assert _chosen()[-2:] == ["rife", "ours-fast"]
    (slower,) = _chosen("--methods", "ours", "--precision", "fp32")
    assert (slower, title(slower)) == ("ours-fast-precisionfp32", "ours, fast, FP32")
    (faded,) = _chosen("--methods", "ours", "--interpolation", "cubic")
    assert (faded, title(faded)) == ("ours-fast-interpolationcubic", "ours, fast, cubic")


@pytest.mark.parametrize(
    ("cuda", "names"),
    [(False, ["ours-fast", "ours-balanced"]), (True, ["ours-fast", "ours-balanced", "ours-paper"])],
)
def test_quality_is_measured_in_each_preset_that_there_is_time_for(
    cuda: bool, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[str] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(quality, "clip_folders", lambda *_: [])
    monkeypatch.setattr(quality, "measure_all", lambda _, methods, __: found.extend(methods))
    quality.main(["--methods", "ours"])
    assert [name_of(method) for method in found] == names


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--methods", "linear,best"), "no method best; choose from nearest"),
        (("--presets", "slow"), "no preset 'slow'; choose from fast"),
        (("--steps", "0"), "steps is 0; expected 1"),
    ],
)
def test_what_cannot_be_measured_is_refused_at_once(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(SystemExit, match=message):
        _chosen(*words)


def test_changed_settings_make_another_training() -> None:
    assert Ours(changes={"steps": 5}).settings != Ours().settings
    assert Ours(changes={"steps": 5}).options == ["--preset", "fast", "--steps", "5"]


def test_a_job_gives_plain_methods_without_files_of_their_own(tmp_path: Path) -> None:
    """As many frames as the truth's whole groups; of the others it says whether they exist."""
    job = Job(truth=tmp_path / "gt.mkv", folder=tmp_path, factor=4)
    scene = Grating(period=9, speed=Profile.constant(1.0))
    write_scene(scene, job.truth, num_frames=14, height=20, width=30, encoder="ffv1")
    degrade(job.truth, job.slow, 4)
    for method in ("nearest", "rife"):
        score = {"result": {"frame_psnr": [30.0]}}
        write_json(job.folder / method / "score.json", score)
    assert job.frame_psnrs("nearest") == [30.0]
    assert job.frame_psnrs("linear") is None  # never scored
    assert job.frame_psnrs("rife") is None  # scored, but its video is gone
    frames = list(job.frames("nearest"))
    assert len(frames) == 12
    np.testing.assert_array_equal(frames[4], frames[7])
    assert len(list(job.frames("truth"))) == 14


def test_seconds_per_frame_are_the_makers_and_commits_are_all() -> None:
    result = {"frames": 10, "scores": {"psnr": 30.0}, "frame_psnr": [30.0] * 10}
    scored = {"result": result, "commit": "b"}
    made = {"result": {"frames": 10, "seconds": 25.0}, "commit": "a", "peak_mib": 7, "load": 1.0}
    found = figures({"interpolate": made}, scored)
    assert found["run"] == {"seconds_per_frame": 2.5}
    assert found["commits"] == ["a", "b"]
    assert "run" not in figures({}, scored)
