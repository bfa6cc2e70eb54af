"""The benchmark of long videos goes through the whole command."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("benchmarks.long_video", reason="benchmarks are not part of the wheel")

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.slow
def test_a_short_one(tmp_path: Path) -> None:
    """Every frame comes out, and the memory of the whole run is told."""
    size = ["--height", "64", "--width", "96", "--fps", "10", "--minutes", "0.2"]
    places = ["--folder", tmp_path, "--output", tmp_path / "found.json"]
    command = [sys.executable, "-m", "benchmarks.long_video", *size, *map(str, places)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    assert (found["input_frames"], found["output_frames"]) == (120, 240)
    assert found["peak_mib"] >= max(found["peak_mib_by_tenth_of_the_run"])
