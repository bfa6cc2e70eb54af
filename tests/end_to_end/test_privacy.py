"""Nothing is reported to anyone: libraries that would are kept from it."""

from pathlib import Path

import clips
import pytest
from commands import start

from tsr.runtime.openvino_network import available

VARIABLES = ("ORT_DISABLE_TELEMETRY", "CI", "TF_BUILD", "JENKINS_URL")
"""Any of them would keep a library quiet without our doing."""

REPORTERS = ("Microsoft", "intel")
"""Folders in a user's home where ONNX Runtime and OpenVINO number the user before they report."""


def reporters(home: Path) -> list[str]:
    """What such libraries left in a home."""
    return [path.name for path in home.rglob("*") if path.name in REPORTERS]


@pytest.mark.slow
def test_no_command_reports_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_model: Path
) -> None:
    """Exporting, calibrating and running, by both libraries, in a home of their own."""
    home = tmp_path / "home"
    home.mkdir()
    for name in (*VARIABLES, "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    model = tmp_path / "m.onnx"
    clip = clips.write_video(tmp_path / "clip.mp4", clips.rotating_spokes(12, 128, 144))
    engines = ["onnxruntime", *(["openvino"] if available() else [])]
    runs = [
        ("tsr-run", model, clip, "-o", tmp_path / f"{engine}.mkv", "--cpu-engine", engine)
        for engine in engines
    ]
    for command in [
        ("tsr-export", tiny_model, "-o", model, "--int8", clip),
        ("tsr-check", tiny_model, model),
        ("tsr", "doctor"),
        *runs,
    ]:
        process = start(*command)
        _, said = process.communicate(timeout=300)
        assert process.returncode == 0, said
        assert reporters(home) == [], command
