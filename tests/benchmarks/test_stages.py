"""A benchmark's stages: done once, and only for the same settings."""

import json
import sys
from pathlib import Path

import pytest

pytest.importorskip("benchmarks.stages", reason="benchmarks are not part of the wheel")

from benchmarks.stages import finished, measured, write_json


def test_a_finished_stage_counts_for_the_same_settings_and_existing_files(tmp_path: Path) -> None:
    store, made = tmp_path / "train.json", tmp_path / "model"
    settings = {"crop": (16, 16), "steps": 3}
    assert finished(store, settings, []) is None
    write_json(store, {"settings": settings, "result": {"psnr": 1.0}})
    found = finished(store, settings, [])
    assert found is not None
    assert found["result"] == {"psnr": 1.0}
    assert finished(store, settings | {"steps": 4}, []) is None
    assert finished(store, settings, [made]) is None
    made.touch()
    assert finished(store, settings, [made]) is not None


def test_a_damaged_result_does_not_count(tmp_path: Path) -> None:
    store = tmp_path / "train.json"
    store.write_text('{"settings": ')
    assert finished(store, {}, []) is None


def test_a_command_is_weighed() -> None:
    program = "import json; held = bytearray(2**27); print(json.dumps(len(held)))"
    printed, peak = measured([sys.executable, "-c", program])
    assert json.loads(printed) == 2**27
    assert peak > 2**27


def test_a_command_that_fails_ends_the_benchmark() -> None:
    with pytest.raises(SystemExit, match="failed with 3"):
        measured([sys.executable, "-c", "raise SystemExit(3)"])
