"""The coarse-to-fine scheme as data, against the paper's lists of steps."""

from fractions import Fraction

import numpy as np
import pytest

from tsr.core.errors import SettingsError
from tsr.core.ladder import FACTORS, START_SCALES, Climb, NetworkPass, ScaleLadder, start_scale_for
from tsr.core.options import START_SCALE
from tsr.core.rect import rect_downsample
from tsr.core.volume import pad_to_multiple

SIXTEENTH, EIGHTH, QUARTER, HALF, FULL = START_SCALES


def written(start: Fraction, factor: int, finest: Fraction = FULL) -> list[str]:
    """Steps as `net` or `bp` and the rung they reach."""
    names = {NetworkPass: "net", Climb: "bp"}
    steps = ScaleLadder(start, factor, finest=finest).steps
    return [f"{names[type(step)]} {step.after.s} {step.after.t}" for step in steps]


def test_the_papers_ladder_from_an_eighth() -> None:
    """net@1/8, climb, net@1/4, climb, net@1/2, climb (paper 4.2, Fig. 8b)."""
    assert written(EIGHTH, 8) == [
        "net 1/8 2", "bp 1/4 2", "net 1/4 4", "bp 1/2 4", "net 1/2 8", "bp 1 8",
    ]  # fmt: skip


def test_the_papers_ladder_from_a_quarter() -> None:
    """net@1/4, climb, net@1/2, climb, net@1: one climb fewer, sharper and slower."""
    assert written(QUARTER, 8) == ["net 1/4 2", "bp 1/2 2", "net 1/2 4", "bp 1 4", "net 1 8"]


def test_shorter_ladders() -> None:
    """×2 and ×4 have fewer passes; climbs that remain follow the last one."""
    assert written(EIGHTH, 2) == ["net 1/8 2", "bp 1/4 2", "bp 1/2 2", "bp 1 2"]
    assert written(EIGHTH, 4) == ["net 1/8 2", "bp 1/4 2", "net 1/4 4", "bp 1/2 4", "bp 1 4"]
    assert written(SIXTEENTH, 8) == [
        "net 1/16 2", "bp 1/8 2", "net 1/8 4", "bp 1/4 4", "net 1/4 8", "bp 1/2 8", "bp 1 8",
    ]  # fmt: skip
    assert written(QUARTER, 2) == ["net 1/4 2", "bp 1/2 2", "bp 1 2"]
    assert written(FULL, 8) == ["net 1 2", "net 1 4", "net 1 8"]


def test_passes_end_at_the_finest_scale() -> None:
    """Those that remain happen there, one after the other; then what is left to climb."""
    assert written(QUARTER, 8, HALF) == [
        "net 1/4 2",
        "bp 1/2 2",
        "net 1/2 4",
        "net 1/2 8",
        "bp 1 8",
    ]
    assert written(HALF, 4, HALF) == ["net 1/2 2", "net 1/2 4", "bp 1 4"]
    assert written(QUARTER, 8, QUARTER) == [
        "net 1/4 2", "net 1/4 4", "net 1/4 8", "bp 1/2 8", "bp 1 8",
    ]  # fmt: skip
    assert written(EIGHTH, 8, HALF) == written(EIGHTH, 8)
    for finest in (EIGHTH, Fraction(1, 3)):
        with pytest.raises(SettingsError, match="choose one from 1/4 to 1"):
            ScaleLadder(QUARTER, 8, finest=finest)


@pytest.mark.parametrize("finest", START_SCALES)
@pytest.mark.parametrize("start", START_SCALES)
@pytest.mark.parametrize("factor", FACTORS)
def test_every_ladder_leads_from_the_coarsest_rung_to_the_output(
    start: Fraction, factor: int, finest: Fraction
) -> None:
    """Each step starts where the one before ended; a pass doubles time, a climb doubles size."""
    ladder = ScaleLadder(start, factor, finest=max(start, finest))
    s, t = start, 1
    for step in ladder.steps:
        assert (step.before.s, step.before.t) == (s, t)
        s, t = (s, 2 * t) if isinstance(step, NetworkPass) else (2 * s, t)
        assert (step.after.s, step.after.t) == (s, t)
    assert (s, t) == (1, factor)
    assert 2**ladder.halvings == ladder.multiple == 1 / start


@pytest.mark.parametrize("size", [(1, 1), (7, 9), (479, 853), (480, 848)])
@pytest.mark.parametrize("start", START_SCALES)
def test_any_size_is_padded_so_that_every_halving_is_exact(
    size: tuple[int, int], start: Fraction
) -> None:
    """The last row and column repeat; the picture itself is untouched, also if it fits already."""
    picture = np.random.default_rng(0).random((1, 1, *size), np.float32)
    padded = pad_to_multiple(picture, ScaleLadder(start, 8).multiple)
    assert all(side % start.denominator == 0 for side in padded.shape[2:])
    np.testing.assert_array_equal(padded[..., : size[0], : size[1]], picture)
    np.testing.assert_array_equal(padded[0, 0, size[0] - 1 :, 0], padded[0, 0, -1, 0])
    assert all(n - m < start.denominator for n, m in zip(padded.shape[2:], size, strict=True))


@pytest.mark.parametrize(
    ("height", "width", "start"),
    [
        (2160, 3840, SIXTEENTH),
        (960, 1706, SIXTEENTH),
        (1920, 959, EIGHTH),
        (720, 1280, EIGHTH),
        (511, 853, QUARTER),
        (1280, 512, EIGHTH),
        (128, 300, QUARTER),
        (127, 300, HALF),
        (64, 64, HALF),
        (63, 80, FULL),
        (32, 32, FULL),
    ],
)
def test_ladders_start_by_the_shorter_side_and_say_why(
    height: int, width: int, start: Fraction
) -> None:
    """Whichever way the frame lies; small videos start finer, large ones coarser."""
    found, reason = start_scale_for(height, width)
    assert found == start
    assert (
        f"the shorter side has {min(height, width)} pixels; ×8 starts at S×{start} from" in reason
    )
    chosen = ScaleLadder(start, 8, finest=max(start, HALF))
    assert ScaleLadder.for_size(height, width) == (chosen, reason)


@pytest.mark.parametrize(
    ("height", "width", "factor", "start"),
    [
        (720, 1280, 4, QUARTER),
        (480, 640, 4, QUARTER),
        (720, 1280, 2, HALF),
        (1080, 1920, 4, EIGHTH),
        (1080, 1920, 2, HALF),
        (2160, 3840, 4, EIGHTH),
        (2160, 3840, 2, QUARTER),  # at S×1/2 a frame would have 1080 rows
        (4320, 7680, 2, EIGHTH),
        (479, 640, 4, HALF),
        (360, 640, 2, HALF),
        (64, 64, 2, HALF),
        (48, 48, 2, FULL),
    ],
)
def test_ladders_for_less_start_finer(
    height: int, width: int, factor: int, start: Fraction
) -> None:
    """Their motion is smaller; but never at full size unless that is the only rung."""
    ladder, reason = ScaleLadder.for_size(height, width, factor)
    assert ladder == ScaleLadder(start, factor, finest=max(start, HALF))
    assert f"×{factor} starts at S×{start} from" in reason


def test_tiny_videos_have_no_ladder() -> None:
    """16×16 is refused with the smallest size that would do."""
    with pytest.raises(SettingsError, match=r"16×16.*at least 32"):
        start_scale_for(16, 16)


def test_the_reason_tells_the_next_coarser_start() -> None:
    """So a user sees how far away it is."""
    _, reason = start_scale_for(480, 640)
    assert reason == (
        "the shorter side has 480 pixels; ×8 starts at S×1/4 from 128 on, at S×1/8 from 512 on"
    )


@pytest.mark.parametrize("factor", [-2, 0, 1, 3, 16])
def test_other_factors_are_refused(factor: int) -> None:
    """The message lists what is on offer."""
    with pytest.raises(SettingsError, match="choose 2, 4 or 8"):
        ScaleLadder(EIGHTH, factor)
    with pytest.raises(SettingsError, match="choose 2, 4 or 8"):
        ScaleLadder.for_size(480, 640, factor)


def test_the_commands_offer_all_start_scales() -> None:
    """Their list is written out, since they start without NumPy."""
    assert [Fraction(word) for word in START_SCALE.choices] == list(START_SCALES)


@pytest.mark.parametrize("start", [Fraction(0), Fraction(1, 32), Fraction(1, 3), Fraction(2)])
def test_other_start_scales_are_refused(start: Fraction) -> None:
    """The message names the scale."""
    with pytest.raises(SettingsError, match=f"start scale {start}"):
        ScaleLadder(start, 8)


@pytest.mark.parametrize(
    ("exposure", "by_pass"),
    [
        (1.0, (1, 1, 1)),
        (0.75, (0.75, 1, 1)),
        (0.5, (0.5, 1, 1)),
        (0.2, (0.2, 0.4, 0.8)),
        (0.0, (0, 0, 0)),
    ],
)
def test_frames_stay_open_as_long_until_they_fill_their_interval(
    exposure: float, by_pass: tuple[float, ...]
) -> None:
    """Each pass halves the interval; climbs know the input's own exposure."""
    ladder = ScaleLadder(EIGHTH, 8, exposure)
    assert ladder.pass_exposures == pytest.approx(by_pass)
    assert {step.input_exposure for step in ladder.steps} == {exposure}
    assert (f"exposure {exposure:g}" in str(ladder)) == (exposure != 1)


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("exposure", [1.0, 0.75, 0.6, 0.5, 0.3, 0.25, 0.0])
def test_a_pass_keeps_the_input_if_its_taps_nest(factor: int, exposure: float) -> None:
    """Averaging by the last pass's taps, then by the others', is averaging by the input's."""
    last = ScaleLadder(FULL, factor, exposure).steps[-1]
    assert isinstance(last, NetworkPass)
    made = np.random.default_rng(0).random((1, 4 * factor, 2, 2), np.float32)
    given = rect_downsample(made, 2, last.exposure)
    twice = rect_downsample(given, last.before.t, exposure)
    apart = np.abs(twice - rect_downsample(made, factor, exposure)).max()
    assert last.keeps_input == (apart < 1e-5)


@pytest.mark.parametrize("exposure", [-0.5, 1.5, float("nan")])
def test_impossible_exposures_are_refused(exposure: float) -> None:
    """By value."""
    with pytest.raises(SettingsError, match=f"exposure {exposure}"):
        ScaleLadder(EIGHTH, 8, exposure)
