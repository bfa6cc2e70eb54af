"""Windows with a margin: what a tile sees is what `np.pad` by the edge would show it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tsr.core.tiling import NETWORK_HALO, Halo, clamped, even_share, gather, spans

small = st.integers(1, 9)


@given(length=st.integers(1, 60), size=st.integers(1, 70), first=st.integers(0, 20))
def test_spans_cover_a_range_once_and_in_order(length: int, size: int, first: int) -> None:
    """Nothing is left out, nothing twice, and only the last span is shorter."""
    found = list(spans(length, size, first))
    assert [n for span in found for n in range(*span)] == list(range(first, first + length))
    assert all(b - a == size for a, b in found[:-1])


@given(length=st.integers(1, 60), most=st.integers(1, 70))
def test_ranges_share_a_length_evenly(length: int, most: int) -> None:
    """As few ranges as of the largest size, and none could be smaller."""
    share = even_share(length, most)
    assert share <= most
    assert len(list(spans(length, share))) == len(list(spans(length, most)))
    assert share == 1 or len(list(spans(length, share - 1))) > len(list(spans(length, most)))


@given(length=st.integers(1, 30), halo=st.integers(0, 9), data=st.data())
def test_clamped_repeats_the_ends(length: int, halo: int, data: st.DataObject) -> None:
    """Indices beyond the axis stand for its first or last sample."""
    first = data.draw(st.integers(0, length - 1))
    last = data.draw(st.integers(first + 1, length))
    padded = np.pad(np.arange(length), halo, mode="edge")
    expected = padded[first : last + 2 * halo]
    np.testing.assert_array_equal(clamped((first, last), halo, length), expected)


@given(height=small, width=small, halo_h=small, halo_w=small, data=st.data())
def test_gather_equals_a_window_of_the_edge_padded_volume(
    height: int, width: int, halo_h: int, halo_w: int, data: st.DataObject
) -> None:
    """Any window with any margin, at corners, across small volumes, and past the border."""
    volume = np.random.default_rng(0).random((2, 2, height, width), np.float32)
    beyond = 4  # tiles below the smallest size reach past the border
    top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    bottom = data.draw(st.integers(top + 1, height + beyond))
    right = data.draw(st.integers(left + 1, width + beyond))
    margins = ((0, 0), (0, 0), (halo_h, halo_h + beyond), (halo_w, halo_w + beyond))
    padded = np.pad(volume, margins, mode="edge")
    expected = padded[:, :, top : bottom + 2 * halo_h, left : right + 2 * halo_w]
    found = gather(volume, (top, bottom), (left, right), Halo(1, halo_h, halo_w))
    np.testing.assert_array_equal(found, expected)


def test_the_network_halo_is_its_receptive_radius() -> None:
    """Three kernels of 3 in time, eight of 3 in space (paper, Fig. 8a)."""
    assert Halo(t=3, h=8, w=8) == NETWORK_HALO
