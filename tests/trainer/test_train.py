"""From a video to a model file: the same bytes for the same seed, and what a run starts from."""

import itertools
import os
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import clips
import pytest
import torch
from short_training import CONFIG, whole_run

from tsr.core.clip_io import probe
from tsr.core.errors import ClipError, ModelError, SettingsError, TsrError
from tsr.core.ladder import ScaleLadder
from tsr.core.model_card import file_sha256
from tsr.trainer.network import load_model
from tsr.trainer.train import resume_file, run_identity, train
from tsr.trainer.validation import Validation
from tsr.trainer.warm_start import shortened


def test_the_same_seed_gives_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the run was interrupted and resumed; no state is left beside the model."""
    clip = clips.write_video(tmp_path / "in.mp4", clips.rotating_spokes(12, 64, 80))
    whole_run(clip, tmp_path / "a.safetensors")
    asked = itertools.chain([False, False], itertools.repeat(True))  # after the third step
    with monkeypatch.context() as patched:
        patched.setattr(
            "tsr.trainer.train.stop_on_signal", lambda: nullcontext(lambda: next(asked))
        )
        result = whole_run(clip, tmp_path / "b.safetensors")
    assert result.interrupted
    assert result.steps == 3
    assert (tmp_path / "b.safetensors").exists()
    assert resume_file(tmp_path / "b.safetensors").exists()
    result = whole_run(clip, tmp_path / "b.safetensors", resume=True)
    assert not result.interrupted
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["a.safetensors", "b.safetensors", "in.mp4"]
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


@pytest.mark.parametrize(("steps", "minutes"), [(1, None), (100, 1e-9)])
def test_a_training_too_short_to_learn_leaves_interpolation(
    tmp_path: Path, steps: int, minutes: float | None
) -> None:
    """One step, or none, from weights drawn by chance: that is worse, and said."""
    clip = clips.write_video(tmp_path / "in.mp4", clips.rotating_spokes(12, 64, 80))
    model, told = tmp_path / "m.safetensors", list[str]()
    config = replace(CONFIG, channels=8, steps=steps, max_minutes=minutes, learning_rate=1e-6)
    result = train(clip, model, config, note=told.append)
    assert result.steps <= 1
    assert not result.interrupted
    assert result.psnr == pytest.approx(result.cubic)
    assert any("interpolation is better here after all" in line for line in told)
    network, card = load_model(model)
    assert not network.layers[-1].weight.any()
    assert card.settings["examples"] == "none"


def test_a_tie_goes_to_interpolation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the weights, not in the card alone."""
    clip = clips.write_video(tmp_path / "in.mp4", clips.rotating_spokes(12, 64, 80))
    monkeypatch.setattr(Validation, "psnr", lambda self, _: self.cubic_psnr)
    result = train(clip, tmp_path / "m.safetensors", replace(CONFIG, steps=1))
    assert result.examples == "none"
    assert not load_model(result.model)[0].layers[-1].weight.any()


def test_what_an_interrupted_training_has_not_learned_yet_is_not_in_its_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the examples are chosen there are random weights alone: the model interpolates, and the
    state is what a run goes on from to the same file."""
    clip = clips.write_video(tmp_path / "in.mp4", clips.rotating_spokes(12, 64, 80))
    config, told = replace(CONFIG, channels=8, examples="auto", steps=4), list[str]()
    a, b = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    train(clip, a, config)
    with monkeypatch.context() as patched:
        patched.setattr("tsr.trainer.train.choose_examples", lambda *_, **__: None)
        patched.setattr("tsr.trainer.train.stop_on_signal", lambda: nullcontext(lambda: True))
        result = train(clip, b, config, note=told.append)
    assert (result.interrupted, result.steps) == (True, 0)
    assert any("interpolation is better so far" in line for line in told)
    assert not load_model(b)[0].layers[-1].weight.any()
    train(clip, b, config, resume=True)
    assert a.read_bytes() == b.read_bytes()


def test_who_starts_anew_is_told_that_there_is_something_to_go_on_from(tmp_path: Path) -> None:
    """A killed training left its state and no model: nothing else would keep it from being lost."""
    clip = clips.write_video(tmp_path / "in.mp4", clips.rotating_spokes(12, 64, 80))
    model, told = tmp_path / "m.safetensors", list[str]()
    resume_file(model).write_bytes(b"of a training that was killed")
    whole_run(clip, model, note=told.append)
    assert [line for line in told if "--resume" in line] == [
        "starting anew; with --resume it would go on from m.resume.safetensors"
    ]
    told.clear()
    whole_run(clip, model, note=told.append, overwrite=True)
    assert not any("--resume" in line for line in told)


def test_training_starts_from_another_models_weights(tmp_path: Path) -> None:
    """So that a first step at no learning rate to speak of leaves them; the card tells which model
    it was, and a resumed run must name the same."""
    from safetensors.torch import load_file

    clip = clips.write_video(tmp_path / "in.mp4", clips.rotating_spokes(12, 64, 80))
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    whole_run(clip, first)
    still = replace(CONFIG, steps=1, learning_rate=1e-12)
    train(clip, second, still, ladder=ScaleLadder.for_size(64, 80)[0], start_from=first)
    before, after = load_file(first), load_file(second)
    for name, tensor in before.items():
        torch.testing.assert_close(after[name], tensor, rtol=0, atol=1e-9)
    assert load_model(second)[1].settings["start_from"] == file_sha256(first)
    assert load_model(first)[1].settings["start_from"] is None


def test_a_warm_start_resumes_to_the_same_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not as if it had started from nothing."""
    clip = clips.write_video(tmp_path / "in.mp4", clips.rotating_spokes(12, 64, 80))
    first, a, b = (tmp_path / f"{name}.safetensors" for name in ("first", "a", "b"))
    whole_run(clip, first)
    whole_run(clip, a, start_from=first)
    asked = itertools.chain([False, False], itertools.repeat(True))
    with monkeypatch.context() as patched:
        patched.setattr(
            "tsr.trainer.train.stop_on_signal", lambda: nullcontext(lambda: next(asked))
        )
        whole_run(clip, b, start_from=first)
    with pytest.raises(ModelError, match="another start_from"):
        whole_run(clip, b, resume=True)
    whole_run(clip, b, start_from=first, resume=True)
    assert a.read_bytes() == b.read_bytes()
    assert a.read_bytes() != first.read_bytes()


def test_a_model_of_another_width_is_no_start(tmp_path: Path, tiny_model: Path) -> None:
    """Before any video is read; the message says what to give."""
    with pytest.raises(SettingsError, match="give --channels 8"):
        whole_run(tmp_path / "none.mp4", tmp_path / "m.safetensors", start_from=tiny_model)


def test_a_third_of_the_steps_from_there() -> None:
    """At least one."""
    assert shortened(replace(CONFIG, steps=300)).steps == 100
    assert shortened(replace(CONFIG, steps=1)).steps == 1


def test_the_command_starts_from_a_model(tmp_path: Path) -> None:
    """And its card says so."""
    from commands import succeed

    clip = clips.write_video(tmp_path / "in.mp4", clips.rotating_spokes(12, 64, 80))
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    tiny = ("--channels", 4, "--batch", 2)
    succeed("tsr-train", clip, "-o", first, "--steps", 2, *tiny)
    succeed("tsr-train", clip, "-o", second, "--steps", 3, *tiny, "--start-from", first)
    settings = load_model(second)[1].settings
    assert (settings["steps"], settings["start_from"]) == (3, file_sha256(first))


def test_only_wanted_frames_are_learned_from(tmp_path: Path) -> None:
    """Two clips that agree in those give the same weights; too few are refused."""
    video = clips.rotating_spokes(16, 64, 80)
    other = video.copy()
    other[:, 1::2] = 0.5
    wanted, found = range(0, 16, 2), []
    for name, frames in (("a", video), ("b", other)):
        clip = clips.write_video(tmp_path / f"{name}.mp4", frames, options={"qp": "0"}, gop=1)
        whole_run(clip, tmp_path / f"{name}.safetensors", wanted=wanted)
        found.append(load_model(tmp_path / f"{name}.safetensors")[0].state_dict())
    for name, tensor in found[0].items():
        torch.testing.assert_close(found[1][name], tensor, rtol=0, atol=0)
    with pytest.raises(ClipError, match="4 frames; training needs at least 8"):
        whole_run(clip, tmp_path / "c.safetensors", wanted=range(4))


def test_the_model_says_which_exposure_it_was_trained_for(tmp_path: Path) -> None:
    """Its card carries it to all that follows, and a run at another does not go on from it."""
    clip = clips.write_video(tmp_path / "in.mp4", clips.rotating_spokes(12, 64, 80))
    model, config = tmp_path / "m.safetensors", replace(CONFIG, batch=3, steps=2)
    train(clip, model, config, exposure=0.5)
    assert load_model(model)[1].ladder.exposure == 0.5
    stamp = load_model(model)[1].video
    ladders = [replace(load_model(model)[1].ladder, exposure=e) for e in (0.5, 0.25)]
    one, other = (run_identity(config.to_dict(), ladder, stamp, probe(clip)) for ladder in ladders)
    assert one != other


def test_a_batch_without_a_crop_for_every_pass_is_refused_before_examples_are_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rehearsals take minutes; who learns nothing needs no crops."""
    clip, model = tmp_path / "in.mp4", tmp_path / "m.safetensors"
    clips.write_video(clip, clips.rotating_spokes(12, 64, 80))
    chosen: list[object] = []
    monkeypatch.setattr("tsr.trainer.train.choose_examples", lambda *_, **__: chosen.append(1))
    config = replace(CONFIG, examples="auto", batch=2)
    with pytest.raises(SettingsError, match="batch is 2; expected 3 or more"):
        train(clip, model, config, exposure=0.5)
    assert not chosen
    train(clip, model, replace(config, examples="none"), exposure=0.5)


def test_short_videos_are_refused(tmp_path: Path) -> None:
    """One or three frames are nothing to learn from."""
    for count in (1, 3):
        clip = clips.write_video(tmp_path / f"{count}.mp4", clips.numbered(count, 64, 80))
        with pytest.raises(ClipError, match=f"{count} frames?; training needs at least 8"):
            whole_run(clip, tmp_path / "m.safetensors")
    assert not (tmp_path / "m.safetensors").exists()


def test_a_model_is_written_to_a_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not to a pipe, nor in the place of a folder; said before any video is read."""
    from commands import refusal

    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    for output, words in (
        ("-", "a model is a file; give -o"),
        ("fifo", "a model is a file; give -o"),
        ("folder", "is a folder; choose another name"),
        (".", "is a folder; choose another name"),
    ):
        assert words in refusal("tsr-train", "none.mp4", "-o", output, "--overwrite")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fifo", "folder"]


def test_a_device_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """Never another one in its place."""
    if torch.cuda.is_available():
        pytest.skip("it is there")
    clip = clips.write_video(tmp_path / "in.mp4", clips.numbered(12, 64, 80))
    with pytest.raises(TsrError, match="use --device cpu"):
        whole_run(clip, tmp_path / "m.safetensors", device="cuda")


def test_a_part_of_a_video_is_learned_from_alone(tmp_path: Path) -> None:
    """The same weights as from a file that holds these frames and no others."""
    from safetensors.torch import load_file

    from tsr.core.clip_io import probe

    volume = clips.rotating_spokes(20, 64, 80)
    whole = clips.write_video(tmp_path / "whole.mkv", volume, codec="ffv1", pixel_format="bgr0")
    cut = clips.write_video(
        tmp_path / "cut.mkv", volume[:, 5:17], codec="ffv1", pixel_format="bgr0"
    )  # fmt: skip
    config = replace(CONFIG, steps=2)
    one = train(probe(whole).part(5, 17), tmp_path / "one.safetensors", config, device="cpu")
    other = train(cut, tmp_path / "other.safetensors", config, device="cpu")
    assert one.history == other.history
    found, expected = load_file(one.model), load_file(other.model)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_interlaced_frames_are_learned_from_as_they_are_told(tmp_path: Path) -> None:
    """Deinterlaced or not, by tsr-train's option; the two do not resume each other."""
    from click.testing import CliRunner

    from tsr.trainer.cli import main

    weave = clips.rotating_spokes(24, 64, 80)
    clip = clips.write_interlaced(tmp_path / "in.mp4", weave[:, :12])
    made = {}
    for how in ("auto", "off"):
        words = ["--steps", "2", "--channels", "4", "--examples", "both", "--deinterlace", how]
        model = tmp_path / f"{how}.safetensors"
        given = [str(clip), "-o", str(model), "--precision", "fp32", "--batch", "1", *words]
        result = CliRunner().invoke(main, given, prog_name="tsr-train")
        assert result.exit_code == 0, result.output
        made[how] = load_model(model)[1].validation["psnr_cubic"]
    assert made["auto"] != made["off"]
    info, left = probe(clip), probe(clip, deinterlace=False)
    ladder, _ = ScaleLadder.for_size(64, 80)
    stamp = load_model(tmp_path / "off.safetensors")[1].video
    assert run_identity({}, ladder, stamp, info) != run_identity({}, ladder, stamp, left)
