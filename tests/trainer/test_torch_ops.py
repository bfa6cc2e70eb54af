"""The coarsest rung, the operators on torch, and what the passes of a ladder share."""

from fractions import Fraction

import clips
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from short_training import CONFIG, CPU

from tsr.core import resize
from tsr.core.errors import SettingsError
from tsr.core.ladder import ScaleLadder
from tsr.core.rect import rect_downsample
from tsr.core.resize import apply_taps, double_taps, halving_matrix
from tsr.core.volume import pad_to_multiple
from tsr.trainer import coarse
from tsr.trainer.coarse import coarse_video
from tsr.trainer.loop import train_on_volume
from tsr.trainer.optimiser import orthogonalised
from tsr.trainer.state import TrainState
from tsr.trainer.torch_ops import backproject_t2, cubic_t2, interpolated, rect2, resize_hw
from tsr.trainer.validation import Validation


def test_the_coarse_video_is_the_repeated_halving() -> None:
    """Padded to the ladder's multiple, then shrunk as the runtime's pyramid shrinks."""
    video, ladder = clips.gradient(8, 50, 70), ScaleLadder(Fraction(1, 8), 8)
    found, note = coarse_video((video[:, n] for n in range(8)), ladder)
    padded = pad_to_multiple(video, 8)
    rows, columns = (halving_matrix(size, 3) for size in padded.shape[2:])
    np.testing.assert_allclose(found, rows @ padded @ columns.T, rtol=0, atol=1e-6)
    assert note == ""


def test_of_a_long_video_the_liveliest_part_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that memory does not grow with its length; the note says which frames.

    The bar appears after frame 19, which therefore shows half of a large change.
    """
    monkeypatch.setattr(coarse, "MAX_FRAMES", 10)
    still, moving = np.full((3, 20, 16, 16), 0.5, np.float32), clips.moving_bar(10, 16, 16, bar=4)
    video = np.concatenate([still, moving, still], axis=1)
    found, note = coarse_video((video[:, n] for n in range(50)), ScaleLadder.for_size(64, 64)[0])
    assert found.shape[1] == 10
    assert "most motion, 19 to 28 of 50" in note


def test_of_large_frames_the_liveliest_place_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that memory does not grow with their size: time and both sides are cut alike, as far as
    the video has so many frames."""
    monkeypatch.setattr(coarse, "MAX_FRAMES", 40)
    monkeypatch.setattr(coarse, "MAX_VOXELS", 40 * 40 * 60 // 8)
    video = np.full((3, 40, 40, 60), 0.5, np.float32)
    noise = np.random.default_rng(0).random((3, 40, 16, 24), np.float32)
    video[:, :, 22:38, 30:54] = noise
    ladder = ScaleLadder(Fraction(1), 2)
    found, note = coarse_video((video[:, n] for n in range(40)), ladder)
    assert found.shape == (3, 20, 20, 30)
    np.testing.assert_array_equal(found[:, :, -16:, -24:], noise[:, :20])
    assert note.endswith("of 40 and their liveliest 30×20 pixels of 60×40")
    found, note = coarse_video((video[:, n] for n in range(10)), ladder)
    assert found.shape == (3, 10, 28, 42)
    assert note == "training on their liveliest 42×28 pixels of 60×40"


@pytest.mark.parametrize("exposure", [1.0, 0.6, 0.5, 0.25, 0.0])
def test_torch_operators_are_cores(video: NDArray[np.float32], exposure: float) -> None:
    """rect, cubic interpolation and back-projection agree with the reference formulas."""
    from tsr.core.backproject import backproject_t

    batch = torch.from_numpy(video)[None]
    ltr = rect_downsample(video, 2, exposure)
    slow = torch.from_numpy(ltr)[None]
    np.testing.assert_allclose(rect2(batch, exposure)[0], ltr, rtol=0, atol=1e-6)
    cubic = apply_taps(ltr, double_taps(8, exposure), 1)
    np.testing.assert_allclose(cubic_t2(slow, exposure)[0], cubic, rtol=0, atol=2e-6)
    corrected = backproject_t2(torch.from_numpy(cubic)[None], slow, exposure)[0]
    expected = backproject_t(cubic, ltr, exposure)
    np.testing.assert_allclose(corrected, expected, rtol=0, atol=2e-6)


def test_sizes_are_changed_as_core_does_it(video: NDArray[np.float32]) -> None:
    height, width = video.shape[2] - 3, video.shape[3] - 1
    found = resize_hw(torch.from_numpy(video), height, width)
    np.testing.assert_allclose(found, resize.resize_hw(video, height, width), rtol=0, atol=1e-6)


def test_every_pass_has_its_share_of_the_batch(video: NDArray[np.float32]) -> None:
    """Crop by crop the input is what the pass at that exposure would be given."""
    batch = torch.from_numpy(video)[None].repeat(6, 1, 1, 1, 1)
    found = interpolated(batch, (0.5, 1.0, 1.0))
    for crop, exposure in zip(found, (0.5, 0.5, 1.0, 1.0, 1.0, 1.0), strict=True):
        expected = cubic_t2(rect2(batch[:1], exposure), exposure)[0]
        torch.testing.assert_close(crop, expected, rtol=0, atol=2e-6)


def test_the_validation_asks_what_every_pass_will_be_asked(video: NDArray[np.float32]) -> None:
    """The squared error is the mean over the passes; two of three have full exposures."""
    alone = {e: Validation(video, CPU, (e,)).cubic_psnr for e in (0.5, 1.0)}
    error = {e: 10 ** (-psnr / 10) for e, psnr in alone.items()}
    mixed = Validation(video, CPU, (0.5, 1.0, 1.0)).cubic_psnr
    assert 10 ** (-mixed / 10) == pytest.approx((error[0.5] + 2 * error[1.0]) / 3, rel=1e-4)


def test_a_batch_holds_a_crop_for_every_pass(video: NDArray[np.float32]) -> None:
    """Or the training of one would be left out in silence."""
    with pytest.raises(SettingsError, match="batch is 2; expected 3 or more at this exposure"):
        train_on_volume(video, CONFIG, TrainState.fresh(CONFIG, CPU), exposures=(0.5, 1.0, 1.0))


@pytest.mark.parametrize("shape", [(8, 8), (8, 72), (72, 8)])
def test_orthogonalising_evens_out_singular_values(shape: tuple[int, int]) -> None:
    """All within a third of one, whatever they were; the singular vectors stay."""
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    inside = u.T @ orthogonalised(matrix) @ v.T
    values = inside.diagonal()
    assert values.min() > 0.6
    assert values.max() < 1.35
    torch.testing.assert_close(inside, torch.diag(values), rtol=0, atol=1e-3)
