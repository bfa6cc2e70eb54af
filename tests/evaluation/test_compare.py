"""Several results scored beside each other."""

import numpy as np
import pytest

from tsr.core.errors import ClipError
from tsr.core.metrics import psnr, ssim, ssim_map
from tsr.evaluation import lpips as perceptual
from tsr.evaluation.compare import compare, mean_scores, psnr_of_mean_error
from tsr.evaluation.moving import with_masks


def _frames(seed: int, count: int = 4, side: int = 40) -> list[np.ndarray]:
    return list(np.random.default_rng(seed).random((count, 3, side, side), np.float32))


def test_each_stream_gets_the_scores_of_its_own_frames() -> None:
    truth, first, second = _frames(0), _frames(1), _frames(2)
    found = compare({"first": first, "second": iter(second)}, truth, 4)
    assert found["first"]["psnr"] == [psnr(a, b) for a, b in zip(first, truth, strict=True)]
    assert found["second"]["ssim"] == [ssim(a, b) for a, b in zip(second, truth, strict=True)]
    assert mean_scores(found["first"])["psnr"] == pytest.approx(np.mean(found["first"]["psnr"]))


def test_frames_beyond_the_wanted_number_are_left_out() -> None:
    assert len(compare({"it": _frames(1)}, _frames(0), 3)["it"]["psnr"]) == 3


def test_a_stream_that_ends_early_is_refused() -> None:
    with pytest.raises(ClipError, match="short ends after 3 of 4 frames"):
        compare({"short": _frames(1, count=3)}, _frames(0), 4)


@pytest.mark.skipif(not perceptual.available(), reason="needs the extra lpips")
def test_lpips_of_every_nth_frame() -> None:
    found = compare({"it": _frames(1)}, _frames(0), 4, lpips_every=3)["it"]
    assert len(found["lpips"]) == 2


def test_frames_too_small_for_lpips_have_no_such_column() -> None:
    found = compare({"it": _frames(1, side=20)}, _frames(0, side=20), 4)
    assert set(found["it"]) == {"psnr", "ssim"}


def test_psnr_of_the_mean_error() -> None:
    # Errors 0.01 and 0.001 have the mean 0.0055.
    assert psnr_of_mean_error([20.0, 30.0]) == pytest.approx(-10 * np.log10(0.0055))


def _blinking(count: int = 8) -> list[np.ndarray]:
    """Grey frames in whose left quarter the brightness alternates."""
    frames = [np.full((3, 40, 40), 0.5, np.float32) for _ in range(count)]
    for number, frame in enumerate(frames):
        frame[:, :, :10] = 0.3 + 0.2 * (number % 2)
    return frames


def test_moving_pixels_are_those_that_change_within_an_exposure() -> None:
    """Noise below the threshold and a change between two exposures do not count."""
    frames = _blinking()
    for frame in frames[4:]:
        frame[:, :, 30:] = 0.9
    frames[1][:, :, 20] += np.float32(9 / 255)
    for _, mask in with_masks(frames, 4):
        assert mask[:, :10].all()
        assert not mask[:, 10:].any()


def test_frames_that_fill_no_group_have_no_mask() -> None:
    assert len(list(with_masks(_blinking(7), 4))) == 4


def test_scores_on_moving_pixels_leave_the_rest_out() -> None:
    """An error of 0.1 in the moving quarter, one of 0.2 elsewhere: 20 dB there."""
    truth = _blinking()
    result = [frame + np.float32(0.2) for frame in truth]
    for frame in result:
        frame[:, :, :10] -= np.float32(0.1)
    found = compare({"it": result}, truth, 8, factor=4)["it"]
    np.testing.assert_allclose(found["psnr_moving"], 20.0, atol=1e-4)
    np.testing.assert_allclose(found["moving_share"], 0.25)
    expected = ssim_map(result[0], truth[0])[:, :, :5].mean()
    assert found["ssim_moving"][0] == pytest.approx(expected, abs=1e-6)


def test_a_still_truth_has_no_moving_scores() -> None:
    still = [np.full((3, 40, 40), 0.5, np.float32)] * 4
    assert "psnr_moving" not in compare({"it": still}, still, 4, factor=4)["it"]


def test_change_is_blind_to_a_constant_error_and_sees_a_jump() -> None:
    """A frame that is 0.1 too bright is two changes wrong by 0.1: 20 dB each."""
    truth = _blinking()
    brighter = [frame + np.float32(0.05) for frame in truth]
    brighter[3] = brighter[3] + np.float32(0.1)
    found = compare({"it": brighter}, truth, 8, factor=4)["it"]["psnr_change"]
    assert len(found) == 7
    np.testing.assert_allclose(found[2:4], 20.0, atol=1e-4)
    assert min(found[:2] + found[4:]) > 90
