"""Whole trainings from each kind of examples: none of them twice."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("benchmarks.examples", reason="benchmarks are not part of the wheel")

from benchmarks import examples
from benchmarks.examples_md import examples as table_of
from benchmarks.methods import Job, Ours


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What was made of a video whose `auto` chooses within; nothing is."""
    names: list[str] = []

    def make(job: Job, method: str | Ours) -> tuple[dict[str, Any], dict[str, Any]]:
        names.append(method.name if isinstance(method, Ours) else method)
        return {"train": {"commit": "abc"}}, {}

    def score(job: Job, name: str, *_: Any) -> dict[str, Any]:
        return {"result": {"scores": {"psnr": 30.0 + len(names)}}, "commit": "abc"}

    card = SimpleNamespace(
        settings={
            "examples": "within",
            "steps": 4,
            "choice": {"examples": "within", "reason": "so"},
        }
    )
    job = Job(truth=tmp_path / "gt.mkv", folder=tmp_path, factor=8)
    for name, fake in {
        "make": make, "score": score, "job_of": lambda _: job, "measures": dict,
        "load_model": lambda _: (None, card),
    }.items():  # fmt: skip
        monkeypatch.setattr(examples, name, fake)
    return names


def test_what_auto_chooses_is_trained_once(made: list[str]) -> None:
    found = examples.measure("clip", ["within", "both"], {"steps": 4})
    assert made == ["cubic_bp", "ours-fast-steps4", "ours-fast-examplesboth-steps4"]
    assert found["psnr"] == {"none": 31.0, "within": 32.0, "both": 33.0}
    assert found["commits"] == dict.fromkeys(found["psnr"], "abc")
    text = table_of({"preset": "fast", "clips": {"clip": found}})
    assert "auto 1.00 dB, within everywhere 1.00 dB, both everywhere 0.00 dB." in text


def test_kinds_that_were_not_asked_for_stay(made: list[str], tmp_path: Path) -> None:
    """Unless they are of trainings of another length."""
    results = tmp_path / "examples.json"
    for kinds in ("across,both", "within"):
        examples.main(["--clips", "cattoy", "--kinds", kinds, "--results", str(results)])
    report = json.loads(results.read_text())
    assert list(report["clips"]["cattoy"]["psnr"]) == ["none", "within", "across", "both"]
    report["clips"]["cattoy"]["steps"] = 5
    results.write_text(json.dumps(report))
    examples.main(["--clips", "cattoy", "--kinds", "within", "--results", str(results)])
    assert list(json.loads(results.read_text())["clips"]["cattoy"]["psnr"]) == ["none", "within"]


@pytest.mark.parametrize("words", [["--clips", "cat"], ["--kinds", "all"]])
def test_what_is_not_known_is_refused(words: list[str]) -> None:
    with pytest.raises(SystemExit, match=f"no {words[0][2:]} {words[1]}; choose from"):
        examples.main(words)
