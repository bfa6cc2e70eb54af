"""Internal examples: what a crop is made of, and how often each kind is drawn."""

import clips
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tsr.core.errors import SettingsError
from tsr.core.rect import rect_downsample
from tsr.core.resize import resize_hw
from tsr.trainer.crops import CropSampler
from tsr.trainer.examples import (
    ACROSS_X,
    ACROSS_Y,
    KIND_SHARES,
    SHIFTS,
    SPATIAL_SCALES,
    WITHIN,
    Source,
    internal_sources,
)

CROP = (16, 16, 16)


def noise(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random(shape, np.float32)


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """No mirrors, no rotations."""
    for name in ("FLIP_SPACE", "FLIP_TIME", "ROTATE"):
        monkeypatch.setattr(f"tsr.trainer.crops.{name}", 0.0)


def drawn(source: Source, crop: tuple[int, int, int], count: int = 16) -> NDArray[np.float32]:
    sampler = CropSampler([source], crop)
    return sampler.draw(count, torch.Generator().manual_seed(0)).numpy()


def is_a_window_of(crop: NDArray[np.float32], volume: NDArray[np.float32]) -> bool:
    """Whether a (3, T, H, W) crop lies somewhere in a (3, T, H, W) volume, bit for bit."""
    windows = np.lib.stride_tricks.sliding_window_view(volume[0], crop.shape[1:])
    starts = np.argwhere(windows[..., 0, 0, 0] == crop[0, 0, 0, 0])
    return any(
        np.array_equal(
            volume[:, t : t + crop.shape[1], y : y + crop.shape[2], x : x + crop.shape[3]], crop
        )
        for t, y, x in starts
    )


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize(
    ("roles", "axes"),
    [(WITHIN, (0, 1, 2, 3)), (ACROSS_X, (0, 3, 2, 1)), (ACROSS_Y, (0, 2, 1, 3))],
    ids=["within", "across x", "across y"],
)
def test_a_crop_is_a_window_of_the_transposed_volume(
    roles: tuple[tuple[int, int, int], ...], axes: tuple[int, ...]
) -> None:
    """Across dimensions x or y takes the role of time; nothing is interpolated."""
    volume = noise(3, 12, 14, 17)
    for crop in drawn(Source(volume, roles, 1.0), (8, 8, 10)):  # type: ignore[arg-type]
        assert is_a_window_of(crop, volume.transpose(axes))


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize(("roles", "step"), [*zip(SHIFTS, [(0, 1), (1, 0), (1, 1)], strict=True)])
def test_a_shift_is_one_frame_moving_by_a_pixel(
    roles: tuple[tuple[int, int, int], ...], step: tuple[int, int]
) -> None:
    """Each of its frames is the frame before, translated."""
    volume = noise(3, 5, 30, 30)
    for crop in drawn(Source(volume, roles, 1.0), (6, 8, 8)):  # type: ignore[arg-type]
        assert any(is_a_window_of(crop[:, :1], volume[:, t : t + 1]) for t in range(5))
        moved = [crop[:, n + 1, : 8 - step[0], : 8 - step[1]] for n in range(5)]
        given = [crop[:, n, step[0] :, step[1] :] for n in range(5)]
        np.testing.assert_array_equal(moved, given)


@pytest.mark.parametrize("examples", ["within", "across", "both"])
def test_every_crop_voxel_is_a_voxel_of_its_copy(examples: str) -> None:
    """Whatever the kind and the mirrors, colours stay together and no index strays."""
    sources = internal_sources(noise(3, 20, 24, 30), CROP, examples)  # type: ignore[arg-type]
    known = np.concatenate([s.copy.reshape(3, -1).T for s in sources])
    known = set(map(bytes, np.ascontiguousarray(known)))
    crops = CropSampler(sources, CROP).draw(64, torch.Generator().manual_seed(1)).numpy()
    assert crops.shape == (64, 3, *CROP)
    assert crops.dtype == np.float32
    voxels = np.ascontiguousarray(np.moveaxis(crops, 1, -1).reshape(-1, 3))
    assert {bytes(voxel) for voxel in voxels} <= known


@pytest.mark.parametrize("examples", ["within", "across", "both"])
def test_kinds_have_the_shares_of_the_release(examples: str) -> None:
    """Within and across are drawn as often as stated; the rest are shifts of one frame."""
    sources = internal_sources(noise(3, 24, 40, 60), CROP, examples)  # type: ignore[arg-type]
    found = {"within": 0.0, "across": 0.0, "shifts": 0.0}
    kinds = {WITHIN: "within", ACROSS_X: "across", ACROSS_Y: "across"}
    for source in sources:
        found[kinds.get(source.roles, "shifts")] += source.share
    wanted = KIND_SHARES[examples]  # type: ignore[index]
    assert found["within"] == pytest.approx(wanted.get("within", 0))
    assert found["across"] == pytest.approx(wanted.get("across", 0))
    assert found["shifts"] == pytest.approx(0.2)


def test_kinds_that_do_not_fit_leave_their_share_to_the_others() -> None:
    """Probabilities still sum to one when a video is too narrow for some of them."""
    sources = internal_sources(noise(3, 8, 20, 20), CROP)
    assert sum(source.share for source in sources) == pytest.approx(1)


def test_copies_are_the_video_shrunk_in_space_and_in_time() -> None:
    """Each spatial scale of the release, as it is and averaged over 2 frames, where a crop fits."""
    video = noise(3, 80, 64, 64)
    copies = [s.copy for s in internal_sources(video, CROP) if s.roles == WITHIN]
    lengths = {copy.shape[1] for copy in copies if copy.shape[2] == 64}
    assert lengths == {80, 40}
    heights = {copy.shape[2] for copy in copies}
    assert heights == {round(64 * s) for s in SPATIAL_SCALES if round(64 * s) >= 16}
    half = next(c for c in copies if c.shape[1:] == (40, 64, 64))
    np.testing.assert_array_equal(half, rect_downsample(video, 2))
    small = next(c for c in copies if c.shape[1:3] == (80, 52))
    np.testing.assert_array_equal(small, resize_hw(video, 52, 52))


def test_copies_are_open_as_long_as_what_the_network_is_to_make() -> None:
    """Half of an interval of two frames is the first of them."""
    video = noise(3, 80, 32, 32)
    sources = internal_sources(video, CROP, exposure=0.5)
    copies = [s.copy for s in sources if s.roles == WITHIN and s.copy.shape[2] == 32]
    coarse = next(copy for copy in copies if copy.shape[1] == 40)
    np.testing.assert_array_equal(coarse, video[:, ::2])


def test_a_short_clip_is_continued_by_its_mirror_image() -> None:
    """Ten frames become twenty, forward and back; every crop of 16 frames is found there."""
    video = noise(3, 10, 20, 20)
    source = next(s for s in internal_sources(video, CROP) if s.roles == WITHIN)
    np.testing.assert_array_equal(source.copy, np.concatenate([video, video[:, ::-1]], axis=1))


@pytest.mark.parametrize("shape", [(7, 64, 64), (40, 15, 64)])
def test_videos_that_hold_no_crop_are_refused(shape: tuple[int, int, int]) -> None:
    """The message says how large the video is and what was looked for."""
    with pytest.raises(SettingsError, match=r"holds no crop of \(16, 16, 16\)"):
        internal_sources(noise(3, *shape), CROP)


def test_crops_prefer_the_part_that_moves() -> None:
    """A bar crosses the left half of a still grey picture: most crops show it."""
    video = np.full((3, 24, 32, 96), 0.5, np.float32)
    video[..., :32] = clips.moving_bar(24, 32, 32)
    source = Source(video, WITHIN, 1.0)
    crops = CropSampler([source], CROP).draw(300, torch.Generator().manual_seed(0))
    lively = (crops.std(dim=(1, 2, 3, 4)) > 0.05).double().mean()
    # Of uniformly drawn crops, starts 0 to 31 of 81 see the bar.
    assert lively > 0.9


def test_flat_video_is_legal() -> None:
    """Without any gradient all crops are equally likely, and none is a division by zero."""
    flat = np.full((3, 16, 20, 20), 0.25, np.float32)
    crops = CropSampler(internal_sources(flat, CROP), CROP).draw(8, torch.Generator())
    np.testing.assert_allclose(crops.numpy(), 0.25, atol=1e-6)


def coordinates() -> NDArray[np.float32]:
    """A volume whose three colours are the voxel's t, y and x."""
    axes = np.meshgrid(*(np.arange(32, dtype=np.float32),) * 3, indexing="ij")
    return np.stack(axes) / 64


def steps_of(crops: torch.Tensor) -> NDArray[np.int64]:
    """(count, 3 roles, 3 axes): how each crop walks through the volume of coordinates."""
    walks = [crops.diff(dim=axis)[:, :, 0, 0, 0] for axis in (2, 3, 4)]
    return np.rint(torch.stack(walks, 1).numpy() * 64).astype(int)


def test_mirrors_and_rotations_come_as_often_as_in_the_release() -> None:
    """Time is reversed in a third of the crops, each spatial axis too, half are turned by 90°."""
    source = Source(coordinates(), WITHIN, 1.0)
    crops = CropSampler([source], CROP).draw(3000, torch.Generator().manual_seed(0))
    steps = steps_of(crops)
    assert (np.abs(steps).sum(axis=(1, 2)) == 3).all()
    assert np.abs(steps[:, 0, 0]).all()  # time stays time
    assert (steps[:, 0, 0] < 0).mean() == pytest.approx(1 / 3, abs=0.03)
    turned = steps[:, 1, 1] == 0
    assert turned.mean() == pytest.approx(1 / 2, abs=0.03)
    for role in (1, 2):
        assert (steps[:, role].sum(axis=1) < 0).mean() == pytest.approx(1 / 3, abs=0.03)


def test_oblong_crops_are_never_turned() -> None:
    """A rotation would change their shape."""
    source = Source(coordinates(), WITHIN, 1.0)
    crops = CropSampler([source], (8, 8, 12)).draw(200, torch.Generator().manual_seed(0))
    assert (steps_of(crops)[:, 1, 1] != 0).all()


def test_the_seed_decides_the_crops() -> None:
    """Equal generators draw equal batches, others draw others."""
    sampler = CropSampler(internal_sources(noise(3, 16, 20, 20), CROP), CROP)
    one, same, other = (sampler.draw(8, torch.Generator().manual_seed(seed)) for seed in (5, 5, 6))
    torch.testing.assert_close(one, same, rtol=0, atol=0)
    assert not torch.equal(one, other)
