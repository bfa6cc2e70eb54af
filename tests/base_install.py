"""The base install, tried from outside: `make` its inputs, `check` what it made of them.

`check` runs where torch and onnx do not exist, so everything else is imported where it is used.
"""

import importlib.util
import sys
from pathlib import Path

ABSENT = ("torch", "onnx", "onnxscript", "safetensors", "PIL", "pytest")


def make(folder: Path) -> None:
    """A tiny clip, a tiny network exported by the developer's environment, the record to come."""
    import clips
    import models

    from tsr.export.to_onnx import to_onnx
    from tsr.pipeline.record import RunRecord, ShotRecord

    folder.mkdir()
    wheel = 0.2 + 0.6 * clips.rotating_spokes(5, 80, 96)
    clips.write_video(folder / "slow.mkv", wheel, codec="ffv1", pixel_format="bgr0")
    models.write_model(folder / "tiny.safetensors", start="1/4")
    to_onnx(folder / "tiny.safetensors", folder / "tiny.onnx")
    record = RunRecord(
        input=Path("slow.mkv"),
        output=Path("fast.mkv"),
        factor=8,
        ladder="",
        precision="fp32",
        backend="onnxruntime",
        settings={},
        shots=(ShotRecord(start=0, stop=5, source="trained", reason=""),),
        seconds={},
        versions={},
    )
    (folder / "run.json").write_text(record.to_json(), "utf-8")


def check(folder: Path) -> None:
    """Nothing but the base install is here, and it made eight frames of each."""
    from tsr import core
    from tsr.core.clip_io import probe

    present = [name for name in ABSENT if importlib.util.find_spec(name)]
    assert not present, f"the base install holds {present}"
    assert Path(core.__file__).is_relative_to(sys.prefix), core.__file__
    slow, fast = probe(folder / "slow.mkv"), probe(folder / "fast.mkv")
    assert fast.num_frames == 8 * slow.num_frames
    assert fast.fps == 8 * slow.fps
    assert 'id="certificate"' in (folder / "run.html").read_text("utf-8")
    print(f"the base install alone made {fast.times}")


if __name__ == "__main__":
    {"make": make, "check": check}[sys.argv[1]](Path(sys.argv[2]))
