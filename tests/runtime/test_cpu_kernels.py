"""The CPU fast path against the formulas of `core`, and what must not show in its bits."""

import importlib.util
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import types
from numba.core import caching

from tsr.core import backproject as reference
from tsr.core.compiled import compiled
from tsr.core.errors import SettingsError
from tsr.core.rect import rect_downsample
from tsr.core.resize import apply_taps, cubic_taps, resize_hw
from tsr.core.volume import Volume
from tsr.runtime import cpu_kernels

ROUNDING = 2e-6
"""A few units in the last place of values near 1, sums of some twenty terms."""

EXPOSURES = [1.0, 0.6, 0.5, 0.25, 0.0]

LOW_SIZES = [(1, 1), (1, 2), (2, 3), (3, 2), (5, 4), (6, 7), (7, 9), (45, 37)]


def volume(*shape: int, seed: int = 0) -> Volume:
    return np.random.default_rng(seed).random(shape, np.float32)


def climb_inputs(groups: int, factor: int, h: int, w: int, seed: int = 0) -> tuple[Volume, Volume]:
    low = volume(3, groups * factor, h, w, seed=seed)
    return low, volume(3, groups, 2 * h, 2 * w, seed=seed + 1)


@pytest.fixture
def many_small_tasks(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Cut the work finely enough for small volumes to reach several threads."""
    monkeypatch.setattr(cpu_kernels, "MIN_TASK_VOXELS", 1)
    monkeypatch.setattr(cpu_kernels, "thread_count", lambda: 3)
    return monkeypatch


@pytest.mark.parametrize(("h", "w"), LOW_SIZES)
@pytest.mark.parametrize("factor", [1, 2, 4, 8])
def test_backproject_agrees_with_core(h: int, w: int, factor: int) -> None:
    """The fused form equals the four steps of the reference up to rounding, borders included."""
    low, ltr = climb_inputs(2, factor, h, w)
    expected = reference.backproject(low, ltr)
    np.testing.assert_allclose(cpu_kernels.backproject(low, ltr), expected, rtol=0, atol=ROUNDING)


@settings(deadline=None, max_examples=40)
@given(
    h=st.integers(1, 40),
    w=st.integers(1, 40),
    factor=st.integers(1, 8),
    groups=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_backproject_agrees_with_core_on_any_shape(
    h: int, w: int, factor: int, groups: int, seed: int
) -> None:
    """No size, factor or number of groups breaks the agreement."""
    low, ltr = climb_inputs(groups, factor, h, w, seed)
    expected = reference.backproject(low, ltr)
    np.testing.assert_allclose(cpu_kernels.backproject(low, ltr), expected, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("factor", [2, 4, 8])
@pytest.mark.parametrize("exposure", EXPOSURES)
def test_exposures_agree_with_core(factor: int, exposure: float) -> None:
    """Both corrections follow the exposure as the reference does."""
    low, ltr = climb_inputs(2, factor, 7, 9)
    expected = reference.backproject(low, ltr, exposure)
    found = cpu_kernels.backproject(low, ltr, exposure=exposure)
    np.testing.assert_allclose(found, expected, rtol=0, atol=ROUNDING)
    guess = volume(3, 2 * factor, 14, 18, seed=2)
    expected = reference.backproject_t(guess, ltr, exposure)
    found = cpu_kernels.backproject_t(guess, ltr, clip=False, exposure=exposure)
    np.testing.assert_allclose(found, expected, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("factor", [1, 2, 4, 8])
@pytest.mark.parametrize("exposure", EXPOSURES)
def test_groups_average_to_the_input_where_nothing_clipped(factor: int, exposure: float) -> None:
    """Re-blurring the result gives back the frames it was corrected against."""
    low, ltr = climb_inputs(2, factor, 17, 22)
    low, ltr = 0.4 + 0.2 * low, 0.4 + 0.2 * ltr
    result = cpu_kernels.backproject(low, ltr, exposure=exposure)
    assert result.min() > 0
    assert result.max() < 1
    np.testing.assert_allclose(rect_downsample(result, factor, exposure), ltr, rtol=0, atol=1e-5)


def test_backproject_holds_the_result_between_black_and_white() -> None:
    """Random pictures overshoot; what leaves does not."""
    result = cpu_kernels.backproject(*climb_inputs(2, 4, 9, 9))
    assert result.min() == 0
    assert result.max() == 1


def test_backproject_does_not_show_groups_bands_or_threads(
    many_small_tasks: pytest.MonkeyPatch,
) -> None:
    """One group at a time, any band height and any number of threads: the same bits."""
    low, ltr = climb_inputs(3, 4, 41, 30)
    many_small_tasks.setattr(cpu_kernels, "thread_count", lambda: 1)
    expected = cpu_kernels.backproject(low, ltr)
    for threads, band in [(2, 32), (3, 7), (5, 1), (1, 64)]:
        many_small_tasks.setattr(cpu_kernels, "thread_count", lambda threads=threads: threads)
        many_small_tasks.setattr(cpu_kernels, "BAND_ROWS", band)
        np.testing.assert_array_equal(cpu_kernels.backproject(low, ltr), expected)
    streamed = np.full_like(expected, np.nan)
    for g in range(3):
        here = slice(4 * g, 4 * g + 4)
        cpu_kernels.backproject(low[:, here], ltr[:, g : g + 1], streamed[:, here])
    np.testing.assert_array_equal(streamed, expected)


def test_two_callers_at_once_do_not_disturb_each_other(
    many_small_tasks: pytest.MonkeyPatch,
) -> None:
    """A stage that decodes and one that back-projects may both be in these loops."""
    jobs = [climb_inputs(2, 2, 20, 24, seed=seed) for seed in range(8)]
    expected = [cpu_kernels.backproject(*job) for job in jobs]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda job: cpu_kernels.backproject(*job), jobs))
    np.testing.assert_array_equal(results, expected)


@pytest.mark.parametrize("factor", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("clip", [True, False])
def test_backproject_t_agrees_with_core(factor: int, clip: bool) -> None:
    """Each group is shifted, in place, to the frame it must average to."""
    guess, ltr = volume(3, 2 * factor, 61, 83), volume(3, 2, 61, 83, seed=1)
    expected = reference.backproject_t(guess, ltr)
    if clip:
        expected = np.clip(expected, 0, 1)
    result = cpu_kernels.backproject_t(guess, ltr, clip=clip)
    assert result is guess
    np.testing.assert_allclose(guess, expected, rtol=0, atol=ROUNDING)


def test_backproject_t_does_not_show_groups_chunks_or_threads(
    many_small_tasks: pytest.MonkeyPatch,
) -> None:
    """A view of one group is corrected where it lies, to the bits of the whole."""
    guess, ltr = volume(3, 12, 31, 29), volume(3, 3, 31, 29, seed=1)
    expected = cpu_kernels.backproject_t(guess.copy(), ltr)
    many_small_tasks.setattr(cpu_kernels, "CHUNK_PIXELS", 101)
    for g in range(3):
        cpu_kernels.backproject_t(guess[:, 4 * g : 4 * g + 4], ltr[:, g : g + 1])
    np.testing.assert_array_equal(guess, expected)


@pytest.mark.parametrize(("h", "w"), LOW_SIZES)
def test_halve_hw_equals_core(h: int, w: int, many_small_tasks: pytest.MonkeyPatch) -> None:
    """The pyramid has the very bits of the reference resize."""
    big = volume(3, 2, 2 * h, 2 * w)
    np.testing.assert_array_equal(cpu_kernels.halve_hw(big), resize_hw(big, h, w))


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 9])
@pytest.mark.parametrize("factor", [2, 4, 8])
def test_upsample_t_equals_core(
    frames: int, factor: int, many_small_tasks: pytest.MonkeyPatch
) -> None:
    """Cubic interpolation in time has the very bits of the reference."""
    slow, taps = volume(3, frames, 33, 41), cubic_taps(frames, factor * frames)
    np.testing.assert_array_equal(cpu_kernels.upsample_t(slow, taps), apply_taps(slow, taps, 1))


def test_upsample_t_of_a_span_equals_that_span_of_the_whole() -> None:
    """Frames computed from the part of the video that their taps need have the same bits."""
    slow, taps = volume(3, 11, 12, 10), cubic_taps(11, 22)
    whole = cpu_kernels.upsample_t(slow, taps)
    piecewise = np.full_like(whole, np.nan)
    for first in range(0, 22, 5):
        last = min(first + 5, 22)
        part = taps.rows(np.arange(first, last))
        needed = part.needs()
        cpu_kernels.upsample_t(
            slow[:, slice(*needed)], part.within(*needed), piecewise[:, first:last]
        )
    np.testing.assert_array_equal(piecewise, whole)


def test_inputs_may_be_read_only_or_lie_anyhow() -> None:
    """Layout and writeability of what is only read make no difference."""
    low, ltr = climb_inputs(2, 2, 6, 5)
    expected = cpu_kernels.backproject(low, ltr)
    transposed = np.ascontiguousarray(low.transpose(1, 2, 3, 0)).transpose(3, 0, 1, 2)
    ltr.flags.writeable = False
    np.testing.assert_array_equal(cpu_kernels.backproject(transposed, ltr), expected)
    taps = cubic_taps(4, 8).rows(np.arange(1, 7))
    expected = cpu_kernels.upsample_t(low, taps)
    taps.index.flags.writeable = taps.weight.flags.writeable = False
    np.testing.assert_array_equal(cpu_kernels.upsample_t(low, taps), expected)


def test_shapes_that_do_not_belong_together_are_refused() -> None:
    """A misfit is named; nothing is cut or stretched to make it fit."""
    low, ltr = climb_inputs(2, 2, 6, 5)
    with pytest.raises(SettingsError, match="does not refine"):
        cpu_kernels.backproject(low[:, :3], ltr)
    with pytest.raises(SettingsError, match="does not refine"):
        cpu_kernels.backproject(low[..., :4], ltr)
    with pytest.raises(SettingsError, match="does not refine"):
        cpu_kernels.backproject_t(low, ltr)
    with pytest.raises(SettingsError, match="even sides"):
        cpu_kernels.halve_hw(low)
    with pytest.raises(SettingsError, match="do not fit"):
        cpu_kernels.upsample_t(low, cubic_taps(5, 10))
    with pytest.raises(SettingsError, match="each channel contiguous"):
        cpu_kernels.backproject(low, ltr, np.empty((3, 4, 12, 20), np.float32)[..., ::2])


def test_loops_compile_where_no_cache_can_be_kept() -> None:
    """Where numba finds no folder to write to, it compiles every time instead of failing."""
    scope: dict[str, Any] = {}
    exec("def fill(result):\n    result[0] = 7", scope)  # code without a file cannot be cached
    fill = compiled(types.Array(types.float32, 1, "C"))(scope["fill"])
    result = np.zeros(1, np.float32)
    fill(result)
    assert result[0] == 7


def test_loops_compile_where_the_cache_does_not_fit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A full disk is no reason not to run either."""

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(caching.IndexDataCacheFile, "save", refuse)
    (tmp_path / "loop.py").write_text("def fill(result):\n    result[0] = 7\n")
    spec = importlib.util.spec_from_file_location("loop", tmp_path / "loop.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    fill = compiled(types.Array(types.float32, 1, "C"))(module.fill)
    result = np.zeros(1, np.float32)
    fill(result)
    assert result[0] == 7
