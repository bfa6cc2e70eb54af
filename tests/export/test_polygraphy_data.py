"""`polygraphy run` on our files by the data loader script, and the document that says how."""

import os
import re
import subprocess
import sys
from pathlib import Path

import clips
import models
import pytest
from commands import succeed

from tsr.core.errors import SettingsError
from tsr.export.polygraphy_data import load_data
from tsr.export.to_onnx import to_onnx
from tsr.runtime.onnx_network import INPUT

DOCUMENT = Path(__file__).parents[2] / "docs" / "checking.md"


def polygraphy(*arguments: object) -> "subprocess.CompletedProcess[str]":
    code = "import sys; from polygraphy.tools import main; sys.exit(main())"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.slow
def test_plain_polygraphy_finds_the_damage(tmp_path: Path, tiny_onnx: Path, damaged: Path) -> None:
    """On the windows of our data loader script."""
    script = succeed("tsr-check", "--data-loader-script").stdout.strip()
    loader = ("--onnxrt", "--data-loader-script", script)
    outputs = tmp_path / "outputs.json"
    saved = polygraphy("run", tiny_onnx, *loader, "--save-outputs", outputs)
    assert saved.returncode == 0, saved.stdout + saved.stderr
    other = polygraphy("run", damaged, *loader, "--load-outputs", outputs, "--atol", "1e-3")
    assert other.returncode == 1, other.stdout + other.stderr
    assert "FAILED" in other.stdout


def test_the_loader_script_takes_windows_of_a_video(
    clip: Path, tiny_onnx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the model's own ladder; half of the settings is refused."""
    quarter = models.write_model(tmp_path / "quarter.safetensors", start="1/4")
    monkeypatch.setenv("TSR_VIDEO", str(clip))
    monkeypatch.delenv("TSR_MODEL", raising=False)
    with pytest.raises(SettingsError, match="or neither"):
        next(load_data())
    monkeypatch.setenv("TSR_MODEL", str(quarter))
    feeds = list(load_data())
    assert {tuple(feed) for feed in feeds} == {(INPUT,)}
    assert feeds[0][INPUT].shape[-2:] == (16 + 16, 24 + 16)  # a quarter of 64×96, and the halo
    heights = [feed[INPUT].shape[-2] - 16 for feed in feeds]
    assert heights == sorted(heights)  # a quarter, a half, and tiles of 64 at full size
    assert set(heights) == {16, 32, 64}


@pytest.mark.slow
@pytest.mark.skipif(not DOCUMENT.is_file(), reason="needs the source tree")
def test_what_the_document_says_can_be_done(tmp_path: Path, tiny_onnx: Path) -> None:
    """All its commands, one after the other."""
    wheel = 0.2 + 0.6 * clips.rotating_spokes(3, 128, 192, turn=0.05)
    clips.write_video(tmp_path / "slow.mp4", wheel)
    tiny_model = tiny_onnx.with_suffix(".safetensors")
    for source, name in ((tiny_model, "slow.safetensors"), (tiny_onnx, "slow.onnx")):
        (tmp_path / name).write_bytes(source.read_bytes())
    to_onnx(tiny_model, tmp_path / "slow16.onnx", half=True)
    blocks = re.findall(r"```bash\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    assert sum("polygraphy run" in block for block in blocks) == 2
    done = subprocess.run(
        ["bash", "-e", "-c", "".join(blocks)],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "slow.onnx agrees with slow.safetensors" in done.stderr
