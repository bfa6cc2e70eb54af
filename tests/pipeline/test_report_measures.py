"""The report's measures against videos whose motion and errors are known in closed form."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from reports import FACTOR, PERIOD, eight_bits, make_run, stripes

from tsr.core.errors import ClipError, SettingsError
from tsr.core.rect import rect_downsample
from tsr.core.volume import Volume
from tsr.evaluation.baselines import cubic_bp
from tsr.evaluation.scenes import Grating, Profile, render_volume
from tsr.pipeline.record import RunRecord, ShotRecord
from tsr.pipeline.report.footage import open_footage
from tsr.pipeline.report.moments import gather
from tsr.pipeline.report.nyquist import Verdicts
from tsr.pipeline.report.survey import Certificate, Survey, liveliest, survey

CROP = (48, 64)


def _survey(record: RunRecord) -> Survey:
    return survey(open_footage(record), CROP)


def _certificate(record: RunRecord) -> Certificate:
    return _survey(record).certificate


def _verdicts(record: RunRecord) -> tuple[Verdicts, ...]:
    footage = open_footage(record)
    found = gather(footage, survey(footage, CROP).peaks, CROP).verdicts
    assert found
    return found


def _shot(start: int, stop: int) -> ShotRecord:
    return ShotRecord(start=start, stop=stop, source="trained", reason="")


# The certificate


def test_a_true_result_is_certified_to_half_a_step(tmp_path: Path) -> None:
    """Only the 8 bits of the input are between it and the average."""
    found = _certificate(make_run(tmp_path, eight_bits(stripes(0.6))))
    assert found.worst <= 0.51
    assert found.psnr > 55
    assert found.clipped == 0


@pytest.mark.parametrize("exposure", [0.0, 0.3])
def test_a_short_exposure_is_averaged_as_long_as_it_lasted(tmp_path: Path, exposure: float) -> None:
    """What the shutter did not see does not count; over the whole interval it would be far off."""
    record = make_run(tmp_path, eight_bits(stripes(0.6)), exposure=exposure)
    assert _certificate(record).worst <= 0.51
    assert _certificate(replace(record, exposure=1.0)).worst > 10
    found = [one for verdict in _verdicts(record) for one in verdict.findings]
    assert all(abs(one.recovered) == pytest.approx(0.6, abs=0.03) for one in found)


def test_one_wrong_pixel_is_found_where_it_is(tmp_path: Path) -> None:
    """40 steps too bright in one output of eight: 5 steps in the average of frame 3."""
    truth = eight_bits(stripes(0.6))
    wrong = truth.copy()
    wrong[1, 3 * FACTOR + 2, 20, 50] += 40 / 255 * (1 if truth[1, 26, 20, 50] < 0.5 else -1)
    slow = eight_bits(rect_downsample(truth, FACTOR))
    found = _certificate(make_run(tmp_path, wrong, slow=slow))
    assert found.worst == pytest.approx(5, abs=0.51)
    assert found.worst_frame == 3
    assert np.unravel_index(found.error_map.argmax(), found.error_map.shape) == (20, 50)


def test_what_clips_is_counted_apart(tmp_path: Path) -> None:
    """White outputs cannot average to the brighter input: no error of the method."""
    slow = np.full((3, 2, 32, 48), 0.5, np.float32)
    fast = np.repeat(eight_bits(slow), FACTOR, axis=1)
    fast[:, 3, :8] = 1.0
    found = _certificate(make_run(tmp_path, fast, slow=slow))
    assert found.clipped == pytest.approx(8 / 32 / 2)  # 8 of 32 rows in one of two frames
    assert found.clipped_worst == pytest.approx((255 - 128) / 8, abs=0.51)
    assert found.worst < 0.51


# Motion beyond the limit


def test_stripes_beyond_the_limit_are_seen_to_be_turned_round(tmp_path: Path) -> None:
    """0.6 periods to the right look like 0.4 to the left; the truth resolves it everywhere."""
    verdicts = _verdicts(make_run(tmp_path, stripes(0.6)))
    findings = [finding for verdict in verdicts for finding in verdict.findings]
    assert len(findings) == len(verdicts) * 4 * 6  # all places but those at the edges
    for found in findings:
        forward = np.cos(np.radians(found.angle))
        assert found.period == pytest.approx(PERIOD, rel=0.1)
        assert found.apparent is not None
        assert found.apparent * forward == pytest.approx(-0.4, abs=0.03)
        assert found.recovered * forward == pytest.approx(0.6, abs=0.03)
        assert found.reversed


def test_interpolation_is_seen_to_keep_the_wrong_direction(tmp_path: Path) -> None:
    """What moves as the input seems to is not called beyond the limit: nobody could tell."""
    slow = rect_downsample(stripes(0.6), FACTOR)
    verdicts = _verdicts(make_run(tmp_path, cubic_bp(slow, FACTOR), slow=slow))
    assert any(verdict.moving.any() for verdict in verdicts)
    assert not any(verdict.findings for verdict in verdicts)


@pytest.mark.parametrize("speed", [-0.4, 0.3])
def test_motion_within_the_limit_is_left_alone(tmp_path: Path, speed: float) -> None:
    verdicts = _verdicts(make_run(tmp_path, stripes(speed)))
    assert all(verdict.moving.sum() == 4 * 6 for verdict in verdicts)
    assert not any(verdict.findings for verdict in verdicts)


def test_coarser_structure_of_the_input_tells_the_true_way(tmp_path: Path) -> None:
    """Fine stripes ride on coarse ones, twice as wide: 0.3 periods there are 0.6 here."""

    def layer(period: float, contrast: float) -> Volume:
        scene = Grating(period=period, speed=Profile.constant(0.9), contrast=contrast)
        return render_volume(scene, 8 * FACTOR, 96, 128)

    truth = (layer(12.0, 0.5) + layer(24.0, 0.25) - 0.5).astype(np.float32)
    slow = rect_downsample(truth, FACTOR)
    findings = [one for verdict in _verdicts(make_run(tmp_path, truth)) for one in verdict.findings]
    assert findings
    assert all(one.backed for one in findings)
    left = [
        one
        for verdict in _verdicts(make_run(tmp_path, cubic_bp(slow, FACTOR), slow=slow))
        for one in verdict.findings
    ]
    assert left
    assert not any(one.resolved for one in left)


# What is shown, and of what


def test_the_liveliest_place_is_where_something_moves() -> None:
    before = np.full((3, 96, 128), 0.5, np.float32)
    after = before.copy()
    after[:, 60:76, 90:106] += 0.3
    found = liveliest(1, before, after, (32, 32))
    assert abs(found.row - 68) <= 16
    assert abs(found.column - 98) <= 16


def test_a_cut_is_no_motion(tmp_path: Path) -> None:
    """Two still shots: the only change lies between them, and is not looked at."""
    fast = np.full((3, 8 * FACTOR, 64, 96), 0.2, np.float32)
    fast[:, 4 * FACTOR :] = 0.8
    record = make_run(tmp_path, eight_bits(fast), shots=(_shot(0, 4), _shot(4, 8)))
    assert all(peak.score == 0 for peak in _survey(record).peaks)


def test_strips_and_slices_hold_the_frames_of_their_instants(tmp_path: Path) -> None:
    """Input held, linear by the baseline, ours as in the file."""
    truth = eight_bits(stripes(0.3))
    footage = open_footage(make_run(tmp_path, truth))
    found = gather(footage, survey(footage, CROP).peaks, CROP)
    first = FACTOR * found.moments[0].start
    box = found.moments[0].box
    ours = found.moments[0].strip["ours"]
    assert len(ours) == 16
    for n, crop in enumerate(ours):
        shown = box.cut(truth[:, first + n]).transpose(1, 2, 0)
        np.testing.assert_allclose(crop / 255, shown, atol=0.6 / 255)
    slices = found.slices
    assert len(slices.across["linear"]) == (slices.stop - slices.start) * FACTOR
    assert not slices.down_tells_more  # upright stripes move along x alone


def test_a_part_that_was_retimed_is_found_in_the_output(tmp_path: Path) -> None:
    """Frames 2 to 6 of 8, alone in the output: they are compared with their own inputs."""
    truth = eight_bits(stripes(0.3))
    slow = eight_bits(rect_downsample(truth, FACTOR))
    part = truth[:, 2 * FACTOR : 6 * FACTOR]
    record = make_run(tmp_path, part, slow=slow, shots=(_shot(2, 6),))
    assert _certificate(record).worst <= 0.51


def test_videos_of_another_run_are_refused(tmp_path: Path) -> None:
    record = make_run(tmp_path, stripes(0.3, num_frames=3))
    with pytest.raises(ClipError, match=r"24 frames .* tells of frames 0 to 3 at ×4"):
        open_footage(replace(record, factor=4))
    with pytest.raises(SettingsError, match="follow one another"):
        open_footage(replace(record, shots=(_shot(0, 1), _shot(2, 3))))
    with pytest.raises(ClipError, match=r"gone\.mkv"):
        open_footage(replace(record, output=tmp_path / "gone.mkv"))
