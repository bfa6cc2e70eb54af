"""Several results scored beside each other."""

import numpy as np
import pytest

from tsr.core.errors import ClipError
from tsr.core.metrics import psnr, ssim
from tsr.evaluation import lpips as perceptual
from tsr.evaluation.compare import compare, mean_scores, psnr_of_mean_error


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
