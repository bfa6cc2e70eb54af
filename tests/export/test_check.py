"""`tsr-check`: files that agree pass; one damaged weight does not, and the line says where."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import models
import numpy as np
import onnx
import pytest
from commands import invoke, refusal, succeed

from tsr.core.ladder import ScaleLadder
from tsr.core.plan_file import Size
from tsr.core.volume import Volume
from tsr.export.check import check
from tsr.export.check_picture import heat
from tsr.export.compare import difference
from tsr.export.runners import NetworkRunner, OpenModel, open_model, padded
from tsr.export.tiles import made_up_video, made_up_windows
from tsr.export.to_engine import EngineOptions, to_engine
from tsr.export.tolerance import TOLERANCES, Tolerance, tolerance_for
from tsr.runtime.onnx_network import OnnxNetwork
from tsr.runtime.recording import interpolation

RUNGS = ["S×1/8 T×2", "S×1/4 T×4", "S×1/2 T×8"]
FEW = ("--windows", "1")


def checked(*arguments: object, status: int = 0) -> dict[str, Any]:
    """What `tsr-check --json` prints."""
    result = invoke("tsr-check", *arguments, *FEW, "--json")
    assert result.exit_code == status, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_a_file_agrees_with_itself(tiny_onnx: Path) -> None:
    """To the last bit, at every rung."""
    found = checked(tiny_onnx, tiny_onnx)
    assert found["agrees"]
    assert [rung["rung"] for rung in found["rungs"]] == RUNGS
    assert all(rung["worst"] == rung["mean"] == 0 for rung in found["rungs"])
    assert all(rung["psnr_db"] == 100 for rung in found["rungs"])
    assert found["tiles"] == "windows of a made-up video"


def test_torch_and_onnx_runtime_agree_on_a_video(
    tiny_model: Path, tiny_onnx: Path, clip: Path
) -> None:
    """On real windows, to rounding and not to the bit: two libraries did compute."""
    found = checked(tiny_model, tiny_onnx, "--video", clip, "--start-scale", "1/4")
    assert [rung["rung"] for rung in found["rungs"]] == ["S×1/4 T×2", "S×1/2 T×4", "S×1 T×8"]
    worst = max(rung["worst"] for rung in found["rungs"])
    assert 0 < worst <= TOLERANCES["fp32"].worst
    assert str(clip) in str(found["tiles"])


def test_another_start_is_that_of_the_papers_ladder(tmp_path: Path) -> None:
    """Also finer than the model's finest pass, as `tsr-run` takes it."""
    model = models.write_model(tmp_path / "model.safetensors", start="1/4", finest="1/2")
    own = [rung["rung"] for rung in checked(model, model)["rungs"]]
    assert own == ["S×1/4 T×2", "S×1/2 T×4", "S×1/2 T×8"]
    given = [rung["rung"] for rung in checked(model, model, "--start-scale", "1")["rungs"]]
    assert given == ["S×1 T×2", "S×1 T×4", "S×1 T×8"]


def test_one_damaged_weight_is_found(tiny_onnx: Path, damaged: Path) -> None:
    """A bias of the last layer moves its channel by just as much, everywhere: 1/64 at the worst, a
    third of that on average, and 20 log10 64 + 10 log10 3 = 40.9 dB."""
    found = checked(tiny_onnx, damaged, status=1)
    assert not found["agrees"]
    for rung in found["rungs"]:
        assert rung["worst"] == pytest.approx(1 / 64, abs=1e-6)
        assert rung["mean"] == pytest.approx(1 / 192, abs=1e-6)
        assert rung["psnr_db"] == pytest.approx(40.895, abs=0.01)
        assert rung["place"]["channel"] == "green"
        assert not rung["agrees"]


def test_the_failure_names_rung_place_and_picture(
    tmp_path: Path, tiny_onnx: Path, damaged: Path
) -> None:
    """In one line; the picture stands beside the second file, and is kept the next time."""
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(damaged.read_bytes())
    line = refusal("tsr-check", tiny_onnx, copy, *FEW)
    assert any(f"{rung} is off by 1.6e-02 at frame" in line for rung in RUNGS)
    assert "green (allowed 2.0e-05)" in line
    picture = tmp_path / "copy_differs.png"
    assert line.endswith(f"see {picture}")
    drawn = picture.read_bytes()
    again = invoke("tsr-check", tiny_onnx, copy, *FEW)
    assert again.exit_code == 1
    assert f"note: no picture was made: output {picture} exists already" in again.stderr
    assert "differs from" in again.stderr.splitlines()[-1]
    assert picture.read_bytes() == drawn
    assert sorted(file.name for file in tmp_path.iterdir()) == ["copy.onnx", "copy_differs.png"]


def test_a_wider_tolerance_lets_it_pass(tmp_path: Path, tiny_onnx: Path, damaged: Path) -> None:
    """Both figures count; then a picture is made only when it is asked for."""
    loose = ("--tolerance", "0.02", "--min-psnr", "40")
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(damaged.read_bytes())
    result = succeed("tsr-check", tiny_onnx, copy, *FEW, *loose)
    assert "agrees with" in result.stderr
    assert RUNGS[0] in result.stdout
    assert list(tmp_path.iterdir()) == [copy]
    picture = tmp_path / "asked.png"
    succeed("tsr-check", tiny_onnx, damaged, *FEW, *loose, "--picture", picture)
    assert picture.exists()
    strict = ("--tolerance", "0.02", "--min-psnr", "41", "--picture", picture, "--overwrite")
    assert "40.9 dB (needed 41)" in refusal("tsr-check", tiny_onnx, damaged, *FEW, *strict)


def test_an_existing_picture_is_refused_before_any_work(tmp_path: Path, tiny_onnx: Path) -> None:
    """Unless --overwrite says otherwise."""
    picture = tmp_path / "old.png"
    picture.write_bytes(b"old")
    line = refusal("tsr-check", tiny_onnx, tiny_onnx, "--picture", picture)
    assert "--overwrite" in line
    assert picture.read_bytes() == b"old"
    line = refusal("tsr-check", tiny_onnx, tiny_onnx, "--picture", tmp_path / "new.gif")
    assert "new.gif is not a .png file" in line


def test_the_picture_shows_where(tmp_path: Path, tiny_onnx: Path, damaged: Path) -> None:
    """A constant difference is white all over its panel, at every rung."""
    from PIL import Image

    picture = tmp_path / "p.png"
    refusal("tsr-check", tiny_onnx, damaged, *FEW, "--picture", picture)
    image = np.asarray(Image.open(picture))
    white = (image[:, 640:900] > 240).all(axis=2)
    assert white.mean() > 0.9


def test_bad_files_are_refused(tmp_path: Path, tiny_onnx: Path) -> None:
    """In one line each."""
    (tmp_path / "text.onnx").write_text("no model")
    (tmp_path / "clip.mp4").write_text("no model")
    assert "does not exist" in refusal("tsr-check", tmp_path / "absent.onnx", tiny_onnx)
    assert "not a readable ONNX" in refusal("tsr-check", tiny_onnx, tmp_path / "text.onnx")
    assert "no model file" in refusal("tsr-check", tiny_onnx, tmp_path / "clip.mp4")
    line = refusal("tsr-check", tiny_onnx, tiny_onnx, "--video", tmp_path / "absent.mp4")
    assert "absent.mp4" in line


def test_an_engine_needs_its_library_and_a_gpu(
    tmp_path: Path, tiny_onnx: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real engine, of TensorRT for RTX: what is missing is said in one line."""
    plan = tmp_path / "m.plan"
    options = EngineOptions(target="tensorrt-rtx", capabilities=("8.9",), tile=(4, 24, 32))
    to_engine(tiny_onnx, plan, options)
    monkeypatch.setattr("polygraphy.config.USE_TENSORRT_RTX", False)
    assert "engine of tensorrt_rtx" in refusal("tsr-check", tiny_onnx, plan)
    monkeypatch.setattr("polygraphy.config.USE_TENSORRT_RTX", True)
    monkeypatch.setattr("tsr.export.runners.missing_driver", lambda: "no driver; install it")
    line = refusal("tsr-check", tiny_onnx, plan)
    assert line.endswith("m.plan cannot be run here: no driver; install it")
    monkeypatch.setattr("tsr.export.runners.missing", lambda library: f"{library} is absent")
    assert "tensorrt_rtx is absent" in refusal("tsr-check", tiny_onnx, plan)
    plan.write_bytes(plan.read_bytes()[:-1])
    assert "cut off" in refusal("tsr-check", tiny_onnx, plan)


def test_different_videos_are_pointed_out(tmp_path: Path, tiny_onnx: Path) -> None:
    """The most likely reason why two files differ by far."""
    graph = onnx.load(tiny_onnx)
    (entry,) = graph.metadata_props
    entry.value = entry.value.replace("0" * 64, "1" * 64).replace("clip.mp4", "other.mp4")
    other = tmp_path / "other.onnx"
    onnx.save(graph, other)
    (note,) = checked(tiny_onnx, other)["notes"]
    assert "different videos: clip.mp4, other.mp4" in note


def test_what_is_not_a_number_never_agrees() -> None:
    """Not even with itself."""
    volume = np.full((3, 2, 4, 5), 0.5, np.float32)
    broken = volume.copy()
    broken[2, 1, 3, 4] = np.nan
    for other in (volume, broken):
        found = difference(broken, other, Tolerance(1.0, 0.0))
        assert not found
        assert found.worst == np.inf
        assert found.where == (2, 1, 3, 4)


def test_the_difference_is_the_one_put_in() -> None:
    """0.25 at one of 120 values: its place, the mean, and the PSNR of a mean square of 1/1920."""
    volume = np.full((3, 2, 4, 5), 0.5, np.float32)
    other = volume.copy()
    other[1, 0, 2, 3] = 0.75
    found = difference(volume, other, Tolerance(0.25, 32.0))
    assert found
    assert (found.worst, found.where) == (0.25, (1, 0, 2, 3))
    assert found.mean == pytest.approx(0.25 / 120)
    assert found.psnr == pytest.approx(10 * np.log10(1920))
    picture = heat(found.first, found.second)
    np.testing.assert_array_equal(picture[:, 2, 3], 1)
    picture[:, 2, 3] = 0
    np.testing.assert_array_equal(picture, 0)


def test_tolerances_follow_the_coarser_precision() -> None:
    """The user's own figures come first."""
    assert tolerance_for({"fp32"}) == TOLERANCES["fp32"]
    assert tolerance_for({"fp32", "fp16"}) == TOLERANCES["fp16"]
    assert tolerance_for({"fp32", "int8"}, worst=0.5) == Tolerance(0.5, TOLERANCES["int8"].min_psnr)
    assert tolerance_for({"fp3"}, 0.1, 30) == Tolerance(0.1, 30)
    with pytest.raises(Exception, match="fp3; pass --tolerance"):
        tolerance_for({"fp3", "fp32"})


def test_windows_are_padded_to_what_an_engine_takes() -> None:
    """Last frame, row and column repeat; what is large enough stays."""
    window = np.random.default_rng(0).random((3, 8, 20, 21), np.float32)
    np.testing.assert_array_equal(padded(window, (2, 4, 5)), window)
    larger = padded(window, (4, 6, 5))
    assert larger.shape == (3, 10, 22, 21)
    np.testing.assert_array_equal(larger[:, :8, :20], window)
    np.testing.assert_array_equal(larger[:, 9, 21], window[:, 7, 19])


def test_the_made_up_video_moves_and_is_always_the_same() -> None:
    """In [0, 1], mostly unclipped, with change from frame to frame."""
    frames = np.stack(list(made_up_video()))
    np.testing.assert_array_equal(frames, np.stack(list(made_up_video())))
    assert frames.min() >= 0
    assert frames.max() <= 1
    assert ((frames > 0) & (frames < 1)).mean() > 0.95
    assert np.abs(np.diff(frames, axis=0)).mean() > 0.05
    windows = made_up_windows(interpolation, ScaleLadder(Fraction(1, 8), 8), keep=1)
    assert [str(rung) for rung in windows] == RUNGS


@pytest.mark.parametrize(
    ("least", "most"),
    [((8, 96, 96), (8, 96, 96)), ((2, 16, 16), (4, 20, 64))],
    ids=["one size", "small sizes"],
)
def test_windows_have_the_sizes_that_an_engine_takes(
    tiny_onnx: Path, monkeypatch: pytest.MonkeyPatch, least: Size, most: Size
) -> None:
    """A network that refuses other sizes, in the place of an engine."""
    whole = OnnxNetwork(tiny_onnx)
    shapes = []

    def fixed(window: Volume) -> Volume:
        made = whole(window)
        shapes.append(made.shape[1:])
        assert all(a <= b <= c for a, b, c in zip(least, made.shape[1:], most, strict=True))
        return made

    def opened(path: Path, name: str) -> OpenModel:
        model = open_model(tiny_onnx, name)
        if path.suffix != ".plan":
            return model
        return OpenModel(path, NetworkRunner(fixed, name), model.card, least, most)

    monkeypatch.setattr("tsr.export.check.open_model", opened)
    found = check(tiny_onnx, Path("engine.plan"), windows=2)
    assert found.agrees
    assert len(shapes) == sum(rung.windows for rung in found.rungs) >= 4
    assert check(Path("engine.plan"), tiny_onnx, windows=1).agrees  # it runs the loop, too
