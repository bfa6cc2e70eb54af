"""Stored frames to volumes and back on a device, against the formulas of `core.clip_io.pixels`."""

from itertools import product
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tsr.core.clip_io import Colour
from tsr.core.clip_io.pixels import Layout, Plane, from_rgb, to_rgb
from tsr.core.errors import DeviceError
from tsr.core.volume import Volume, pad_to_multiple
from tsr.runtime.cuda_backend import CudaBackend
from tsr.runtime.cuda_frames import StoredFrame, plane_shapes

ROUNDING = 1e-6
LAYOUTS = [
    *(Layout("yuv", depth, *halves)
      for depth in (8, 10, 16) for halves in ((True, True), (True, False), (False, False))),
    *(Layout(kind, depth) for kind in ("rgb", "grey") for depth in (8, 16)),
]  # fmt: skip
COLOURS = [Colour(), Colour(full_range=True, matrix=6), Colour(matrix=9)]
SIZES = [(8, 16), (5, 7), (9, 22), (1, 1), (2, 3)]


def name(layout: Layout) -> str:
    return f"{layout.chroma}-{layout.depth}"


def random_planes(layout: Layout, height: int, width: int) -> list[Plane]:
    """Every level, those outside the limited range too."""
    generator = np.random.default_rng(0)
    shapes = plane_shapes(layout, height, width)
    return [generator.integers(0, 2**layout.depth, shape, layout.dtype) for shape in shapes]


@pytest.fixture
def backend(device: Any) -> CudaBackend:
    return CudaBackend(device, SimpleNamespace(name="none"))  # type: ignore[arg-type]


@pytest.mark.parametrize("layout", LAYOUTS, ids=name)
def test_frames_are_loaded_as_on_the_host(backend: CudaBackend, layout: Layout) -> None:
    """Matrix, range, siting of chroma; sides padded by repeating the last row and column."""
    for size, colour, multiple in product(SIZES, COLOURS, (1, 8)):
        planes = random_planes(layout, *size)
        loaded = backend.load_frame(StoredFrame(planes, layout, colour), multiple)
        expected = pad_to_multiple(to_rgb(planes, layout, colour)[:, None], multiple)
        np.testing.assert_allclose(backend.store(loaded), expected, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("layout", LAYOUTS, ids=name)
def test_frames_are_stored_as_on_the_host(backend: CudaBackend, layout: Layout) -> None:
    """To the level, but where a value lies between two; values outside [0, 1] are clipped."""
    for (height, width), colour, spare in product(SIZES, COLOURS, (1, 4)):
        generator = np.random.default_rng(1)
        volume: Volume = generator.random((3, 2, height + 3, width + spare), np.float32) * 1.4 - 0.2
        made = backend.begin_store_planes(backend.load(volume), height, width, layout, colour)()
        assert len(made) == 2
        for n, planes in enumerate(made):
            frame = np.ascontiguousarray(np.clip(volume[:, n, :height, :width], 0, 1))
            for found, expected in zip(planes, from_rgb(frame, layout, colour), strict=True):
                assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
                off = np.abs(found.astype(int) - expected.astype(int))
                assert off.max() <= 1
                assert layout.depth == 16 or np.count_nonzero(off) <= 0.01 * off.size


def test_what_is_not_a_number_is_not_shown_as_black(backend: CudaBackend) -> None:
    """It comes out of a network that overflows; the user learns of it and of the remedy."""
    volume = np.full((3, 1, 6, 8), 0.5, np.float32)
    volume[1, 0, 5, 7] = np.nan
    finish = backend.begin_store_planes(
        backend.load(volume), 6, 8, Layout("yuv", 8, True, True), Colour()
    )
    with pytest.raises(DeviceError, match=r"not finite numbers; export it again"):
        finish()


def test_a_result_on_its_way_is_kept_while_the_next_is_made(backend: CudaBackend) -> None:
    """Its memory goes to nobody else, though nothing but the copy under way needs it."""
    volumes = [np.full((3, 2, 8, 16), value, np.float32) for value in (0.25, 0.5, 0.75)]
    waiting = [backend.begin_store(backend.load(volume)) for volume in volumes]
    for finish, volume in zip(waiting, volumes, strict=True):
        np.testing.assert_array_equal(finish(), volume)
