"""The record survives its own JSON."""

from pathlib import Path

import pytest

from tsr.pipeline.record import RunRecord, ShotRecord


def _record(source: str = "trained") -> RunRecord:
    shot = ShotRecord(
        start=0,
        stop=9,
        source=source,  # type: ignore[arg-type]
        reason="9 frames",
        model="a.safetensors",
        history=((100, 1e-3, 30.5), (200, 5e-4, 31.25)),
        psnr=31.25,
        psnr_cubic=29.0,
        seconds={"train": 2.5},
        duplicates=(3, 4),
    )
    return RunRecord(
        input=Path("slow é.mp4"),
        output=Path("fast.mp4"),
        factor=8,
        ladder="net→S×1/2 T×2",
        precision="int8",
        backend="onnxruntime-cpu",
        settings={"quality": "fast"},
        shots=(shot,),
        seconds={"train": 2.5, "render": 1.0},
        versions={"tsr": "0.1.0"},
        notes=("sound was re-encoded",),
        exposure=0.5,
    )


def test_json_gives_back_an_equal_record() -> None:
    assert RunRecord.from_json(_record().to_json()) == _record()


def test_an_unknown_source_is_refused() -> None:
    with pytest.raises(ValueError, match="source"):
        RunRecord.from_json(_record("guessed").to_json())
