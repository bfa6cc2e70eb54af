"""Stored samples to RGB and back agree with the formulas of the standards."""

import clips
import numpy as np
import pytest

from tsr.core.clip_io.colour import resolve_colour
from tsr.core.clip_io.formats import LAYOUTS
from tsr.core.clip_io.pixels import from_rgb, to_rgb

YUV_FORMATS = ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv444p10le"]


def colour(matrix: int, full_range: bool = False):
    """Colour of a tagged clip."""
    return resolve_colour(
        matrix=matrix, range=2 if full_range else 1, primaries=2, transfer=2, height=64,
        rgb=False, grey=False,
    )  # fmt: skip


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("matrix", [1, 6, 9])
def test_444_is_the_formula(matrix: int, full_range: bool) -> None:
    """Every (Y, Cb, Cr) triple of a random frame becomes the RGB of the standard's formula."""
    stored = np.random.default_rng(1).integers(0, 256, (3, 150, 37), dtype=np.uint8)
    rgb = to_rgb(list(stored), LAYOUTS["yuv444p"], colour(matrix, full_range))
    truth = clips.rgb_from_ycc(stored, matrix=matrix, full_range=full_range)
    np.testing.assert_allclose(rgb, truth, atol=0.01 / 255)


@pytest.mark.parametrize("pixel_format", YUV_FORMATS)
def test_flat_patches_are_the_formula(pixel_format: str) -> None:
    """Inside flat patches, chroma resolution does not matter, at 8 and at 10 bits."""
    depth = LAYOUTS[pixel_format].depth
    chart = clips.colour_chart(64, 96)[:, 0]
    planes = clips.yuv_planes(chart, pixel_format, matrix=1)
    rgb = to_rgb(planes, LAYOUTS[pixel_format], colour(1))
    levels = np.rint(clips.ycc_from_rgb(chart, matrix=1, depth=depth))
    inner = (slice(None), slice(4, 12), slice(4, 12))
    truth = clips.rgb_from_ycc(levels, matrix=1, depth=depth)
    np.testing.assert_allclose(rgb[inner], truth[inner], atol=0.01 / 255)


@pytest.mark.parametrize("pixel_format", [*YUV_FORMATS, "gray", "gray10le"])
@pytest.mark.parametrize("size", [(131, 33), (129, 64), (1, 1), (2, 3)])
def test_storing_rounds_to_nearest(pixel_format: str, size: tuple[int, int]) -> None:
    """Flat frames of any odd size store the nearest level of the formula in every sample."""
    layout = LAYOUTS[pixel_format]
    for rgb in ([0.2, 0.5, 0.9], [1, 0, 0], [0, 0, 0], [1, 1, 1]):
        frame = np.broadcast_to(np.array(rgb, np.float32)[:, None, None], (3, *size))
        planes = from_rgb(np.ascontiguousarray(frame), layout, colour(6))
        expected = np.rint(clips.ycc_from_rgb(np.array(rgb), matrix=6, depth=layout.depth))
        for plane, level in zip(planes, expected, strict=False):
            np.testing.assert_array_equal(plane, level)
        assert planes[0].shape == size
    if layout.chroma == "420":
        assert planes[1].shape == (-(-size[0] // 2), -(-size[1] // 2))


@pytest.mark.parametrize("pixel_format", ["yuv444p", "yuv420p"])
def test_reading_what_was_stored_gives_it_back(pixel_format: str) -> None:
    """A stored frame within the RGB cube survives reading and writing to the level (4:4:4)."""
    layout = LAYOUTS[pixel_format]
    y, x = np.mgrid[:130, :70]
    smooth = np.stack([0.3 + x / 200, 0.7 - y / 300, 0.4 + (x + y) / 600]).astype(np.float32)
    stored = from_rgb(smooth, layout, colour(1))
    again = from_rgb(to_rgb(stored, layout, colour(1)), layout, colour(1))
    for plane, expected in zip(again, stored, strict=True):
        atol = 0 if pixel_format == "yuv444p" else 1
        np.testing.assert_allclose(plane.astype(int), expected.astype(int), atol=atol)


def test_chroma_sits_on_the_left_column_between_two_rows() -> None:
    """A chroma ramp along x or y reads back as the same ramp at the samples' true places."""
    layout = LAYOUTS["yuv420p"]
    luma = np.full((16, 16), 128, np.uint8)
    flat = np.full((8, 8), 128, np.uint8)
    ramp = np.tile(np.arange(100, 116, 2, dtype=np.uint8), (8, 1))  # one level a luma column
    stored_x = np.arange(16) + 100
    full = np.stack([np.full((16, 16), 128), np.tile(stored_x, (16, 1)), np.full((16, 16), 128)])
    rgb = to_rgb([luma, ramp, flat], layout, colour(1))
    truth = clips.rgb_from_ycc(full, matrix=1)
    np.testing.assert_allclose(rgb[:, :, :15], truth[:, :, :15], atol=1e-5)
    full_y = np.stack([full[0], np.tile(stored_x[:, None] - 0.5, (1, 16)), full[2]])
    rgb = to_rgb([luma, np.ascontiguousarray(ramp.T), flat], layout, colour(1))
    truth = clips.rgb_from_ycc(full_y, matrix=1)
    np.testing.assert_allclose(rgb[:, 1:15], truth[:, 1:15], atol=1e-5)


def test_rgb_and_16_bit_values_are_exact() -> None:
    """RGB levels go through float and back unchanged at 8, 10 and 16 bits."""
    for depth, name in [(8, "gbrp"), (10, "gbrp10le"), (16, "gbrp16le")]:
        layout = LAYOUTS[name]
        levels = np.random.default_rng(2).integers(0, 2**depth, (3, 9, 11)).astype(layout.dtype)
        rgb = to_rgb(list(levels), layout, colour(1))
        np.testing.assert_array_equal(from_rgb(rgb, layout, colour(1)), levels)


def test_values_outside_the_range_are_clipped() -> None:
    """Overshoot becomes black or white, never a wrapped-around level."""
    frame = np.stack([np.full((4, 4), 1.7), np.full((4, 4), -0.6), np.full((4, 4), 0.5)])
    green, blue, red = from_rgb(frame.astype(np.float32), LAYOUTS["gbrp"], colour(1))
    assert (green.max(), red.min()) == (0, 255)
    assert blue[0, 0] == 128  # 127.5 rounds to even


@pytest.mark.parametrize(("height", "matrix"), [(720, 1), (719, 6)])
def test_untagged_clips_follow_their_height(height: int, matrix: int) -> None:
    """Untagged video is BT.709 from 720 rows up, BT.601 below, and limited range."""
    found = resolve_colour(
        matrix=2, range=0, primaries=2, transfer=2, height=height, rgb=False, grey=False
    )
    assert (found.matrix, found.full_range) == (matrix, False)
