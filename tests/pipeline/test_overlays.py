"""What is laid over a moving picture is found and kept; what moves or shines through is not."""

from pathlib import Path
from typing import Any, Literal

import clips
import numpy as np
import pytest
from numpy.typing import NDArray

from tsr.core.clip_io import read_volume
from tsr.core.rect import rect_downsample
from tsr.evaluation.baselines import cubic_bp
from tsr.evaluation.scenes import Profile, SpokedDisc, render_volume
from tsr.evaluation.shapes import box, coverage, grid, layered_noise
from tsr.pipeline.overlays import find_overlay, keep_overlay

Volume = NDArray[np.float32]
Wear = Literal["none", "noise", "h264"]
HEIGHT, WIDTH = 96, 128
LOGO = (slice(10, 26), slice(84, 116))
COLOUR = np.array([0.9, 0.2, 0.1], np.float32)[:, None, None, None]


def pan(frames: int, *, speed: float = 0.02, scale: float = 5.0) -> Volume:
    """A camera that pans over a textured wall."""
    y, x = grid(HEIGHT, WIDTH)
    shade = [layered_noise(y * scale, (x + n * speed) * scale, seed=1) for n in range(frames)]
    return np.repeat(np.stack(shade)[None], 3, axis=0)


def with_logo(video: Volume, opacity: float = 1.0) -> Volume:
    """A red plate with a white line of one pixel."""
    y, x = grid(HEIGHT, WIDTH)
    rows, columns = LOGO
    edges = (side / HEIGHT for side in (rows.start, columns.start, rows.stop, columns.stop))
    plate = opacity * coverage(box(y, x, *edges), 1 / HEIGHT)
    logo = np.broadcast_to(COLOUR, (3, 1, HEIGHT, WIDTH)).copy()
    logo[:, :, 18] = 1.0
    return np.asarray(video + plate * (logo - video), np.float32)


def with_text(video: Volume) -> Volume:
    """Upright and level strokes of one pixel, in white."""
    marked = video.copy()
    marked[:, :, 70:84, 20:100:6] = 1.0
    marked[:, :, 77, 20:100] = 1.0
    return marked


def worn(video: Volume, wear: Wear, tmp_path: Path) -> Volume:
    """As a camera or an encoder leaves it."""
    if wear == "noise":
        noise = np.random.default_rng(0).normal(0, 2 / 255, video.shape)
        return np.clip(video + noise, 0, 1).astype(np.float32)
    if wear == "h264":
        path = clips.write_video(tmp_path / "worn.mp4", video, options={"crf": "20"}, gop=250)
        return read_volume(path)[0]
    return video


def found(video: Volume) -> Any:
    return find_overlay(video[:, n] for n in range(video.shape[1]))


@pytest.mark.parametrize("wear", ["none", "noise", "h264"])
def test_an_opaque_logo_is_found(wear: Wear, tmp_path: Path) -> None:
    """All of its inside, and no more than a hundredth of the rest."""
    mask = found(worn(with_logo(pan(40)), wear, tmp_path))
    inside = np.zeros((HEIGHT, WIDTH), bool)
    inside[LOGO] = True
    assert mask[LOGO].mean() > (0.99 if wear != "h264" else 0.9)
    assert mask[~inside].mean() < 0.01


@pytest.mark.parametrize("wear", ["none", "noise"])
def test_thin_text_is_found(wear: Wear, tmp_path: Path) -> None:
    """Strokes of one pixel on moving ground."""
    mask = found(worn(with_text(pan(40)), wear, tmp_path))
    text = np.zeros((HEIGHT, WIDTH), bool)
    text[70:84, 20:100:6] = text[77, 20:100] = True
    assert mask[text].mean() > 0.95
    assert mask[~text].mean() < 0.01


@pytest.mark.parametrize("opacity", [0.3, 0.5, 0.8])
@pytest.mark.parametrize("wear", ["none", "noise"])
def test_a_logo_that_lets_the_picture_through_is_not_kept(
    opacity: float, wear: Wear, tmp_path: Path
) -> None:
    """What is behind it moves in it."""
    mask = found(worn(with_logo(pan(40), opacity), wear, tmp_path))
    assert mask is None or mask.mean() < 0.01


@pytest.mark.parametrize("wear", ["none", "noise", "h264"])
@pytest.mark.parametrize("speed", [0.005, 0.02, 0.3])
def test_moving_texture_is_not_kept(speed: float, wear: Wear, tmp_path: Path) -> None:
    """Though some of its pixels hardly change."""
    mask = found(worn(pan(40, speed=speed), wear, tmp_path))
    assert mask is None or mask.mean() < 0.01


def test_a_resting_picture_needs_no_mask() -> None:
    """Nothing moves that could disturb it."""
    assert found(np.repeat(pan(1), 20, axis=1)) is None


def test_a_few_frames_tell_nothing() -> None:
    """Too few to say that something stays."""
    assert found(with_logo(pan(8))) is None


def test_what_changes_now_and_then_is_not_kept() -> None:
    """A digit that changes once in the shot; the plate around it stays."""
    video = with_logo(pan(40))
    video[:, :20, 14:22, 90:94] = 0.0
    mask = found(video)
    assert not mask[14:22, 90:94].any()
    assert mask[14:22, 100:112].all()


@pytest.mark.parametrize("factor", [2, 8])
def test_kept_pixels_are_the_inputs_and_the_rest_is_untouched(factor: int) -> None:
    """So the mean over the exposure is the input frame where it was before, and in the mask."""
    frame = pan(1)[:, 0]
    rng = np.random.default_rng(0)
    made = frame[None] + rng.normal(0, 0.1, (factor, *frame.shape)).astype(np.float32)
    made -= made.mean(axis=0) - frame
    mask = np.zeros(frame.shape[1:], bool)
    mask[LOGO] = True
    kept = np.stack(list(keep_overlay(made, frame, mask)))
    np.testing.assert_array_equal(kept[..., mask], np.repeat(frame[None][..., mask], factor, 0))
    np.testing.assert_array_equal(kept[..., ~mask], made[..., ~mask])
    np.testing.assert_allclose(kept.mean(axis=0), frame, atol=1e-6)


def test_keeping_brings_the_result_nearer_to_the_truth() -> None:
    """In the logo, and in the four pixels around it: no seam is left at the mask's border.

    A stand-in for the network blurs the interpolated frames in space before back-projection, as
    one does that has never seen a logo.
    """
    truth = with_logo(pan(160, speed=0.01))
    slow = rect_downsample(truth, 8)
    mask = found(slow)
    made = cubic_bp(slow, 8)
    smear = (
        0.5
        * (np.roll(made, 2, axis=3) - made)
        * np.cos(np.pi * (np.arange(160) % 8 + 0.5) / 8)[None, :, None, None].astype(np.float32)
    )
    made += smear  # its mean over each exposure is nearly nothing
    made -= np.repeat(rect_downsample(made, 8) - slow, 8, axis=1)
    kept = np.stack(
        [
            frame
            for n in range(20)
            for frame in keep_overlay(made[:, 8 * n : 8 * n + 8].swapaxes(0, 1), slow[:, n], mask)
        ],
        axis=1,
    )
    ring = np.zeros((HEIGHT, WIDTH), bool)
    ring[6:30, 80:120] = True
    ring[LOGO] = False
    for region in (mask, ring):
        before, after = (np.abs(v - truth)[..., region].mean() for v in (made, kept))
        assert after <= before + 1e-7
    assert np.abs(kept - truth)[..., mask].max() < 0.01


def test_a_resting_ground_is_left_to_the_network() -> None:
    """What moves beside it may touch it for an instant; so are the blades of a wheel, of course."""
    disc = SpokedDisc(speed=Profile.constant(0.13))
    mask = found(render_volume(disc, 40, HEIGHT, WIDTH))
    y, x = grid(HEIGHT, WIDTH)
    radius = np.hypot(y - 0.5, x - WIDTH / HEIGHT / 2)
    hub_and_rim = (radius < 0.2 * disc.radius) | (abs(radius - 0.95 * disc.radius) < 0.1)
    assert mask is None or not (mask & ~hub_and_rim).any()
