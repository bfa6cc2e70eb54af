"""Edges that move evenly, of shapes whose motion and blur are known, and what they say."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from tsr.trainer.exposure.edge_blur import exposure_by_edges
from tsr.trainer.exposure.edges import Edges, moving_edges
from tsr.trainer.exposure.patches import Grey

SIZE = (120, 160)
ANGLE = 0.6
"""Radians from the right, of the way across the edge."""


def half_plane(place: float, width: float) -> Grey:
    """Dark on one side of a slanted edge at `place` pixels from the middle, bright on the other."""
    y, x = np.indices(SIZE) - np.array([[[SIZE[0] / 2]], [[SIZE[1] / 2]]])
    across = x * math.cos(ANGLE) + y * math.sin(ANGLE) - place
    return np.asarray(0.2 + 0.6 * np.clip(across / width + 0.5, 0, 1), np.float32)


@pytest.mark.parametrize(("way", "width"), [(0.0, 2.0), (1.5, 3.0), (4.0, 4.0), (9.0, 6.0)])
def test_edges_are_found_with_their_way_and_width(way: float, width: float) -> None:
    """In the direction across them alone: along itself an edge shows no motion."""
    found = moving_edges(*(half_plane(way * n - way, width) for n in range(3)))
    assert len(found.ways) >= 4
    expected = np.tile([way * math.sin(ANGLE), way * math.cos(ANGLE)], (len(found.ways), 1))
    np.testing.assert_allclose(found.ways, expected, atol=0.15)
    np.testing.assert_allclose(found.spreads, width**2, atol=1 + 0.05 * width**2)
    assert found.places.shape == found.ways.shape


def test_an_edge_that_stops_or_widens_is_left_out() -> None:
    moves, rests = half_plane(0, 3), half_plane(5, 3)
    assert len(moving_edges(moves, rests, rests).ways) == 0
    assert len(moving_edges(half_plane(-5, 3), moves, half_plane(5, 9)).ways) == 0


def test_a_texture_has_no_edges() -> None:
    noise = np.random.default_rng(0).random(SIZE, np.float32)
    assert len(moving_edges(noise, noise, noise).ways) == 0


def some_edges(
    exposure: float, softness: float, *, error: float = 0.0, slowest: float = 0.0
) -> Edges:
    """Two hundred, up to 10 pixels per frame."""
    chance = np.random.default_rng(1)
    length, angle = chance.uniform(slowest, 10, 200), chance.uniform(0, 2 * math.pi, 200)
    spreads: NDArray[np.float64] = (exposure * length) ** 2 + softness
    ways = length[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    return Edges(spreads * (1 + error * chance.normal(size=200)), ways, chance.random((200, 2)))


@pytest.mark.parametrize("softness", [0.0, 1.0, 9.0])
@pytest.mark.parametrize("exposure", [0.25, 0.5, 1.0])
def test_edges_tell_exposure_and_softness_apart(exposure: float, softness: float) -> None:
    found = exposure_by_edges(some_edges(exposure, softness, error=0.05))
    assert found.value == pytest.approx(exposure, abs=0.05)
    assert found.error < 0.15
    assert 140 < found.witnesses < 180  # those that move by two pixels or more


def test_edges_that_all_move_alike_leave_it_open_how_soft_they_are() -> None:
    """Three pixels of softness look like blur: how much of it is which remains in doubt."""
    edges = some_edges(0.3, 4.0, slowest=6.0)
    alike = edges._replace(
        spreads=np.full(200, 0.3**2 * 36 + 4), ways=np.tile([0.0, 6.0], (200, 1))
    )
    assert exposure_by_edges(alike).error > 0.05 > exposure_by_edges(edges).error


def test_edges_that_tell_of_no_one_blur_tell_nothing() -> None:
    """As those found in textures: of any width, whatever their speed."""
    edges = some_edges(0.5, 1.0)
    mixed = edges._replace(spreads=np.random.default_rng(2).permutation(edges.spreads))
    assert exposure_by_edges(mixed).witnesses == 0
    assert exposure_by_edges(edges).witnesses > 0


def test_few_fast_edges_tell_nothing() -> None:
    edges = some_edges(0.5, 1.0)
    slow = edges._replace(ways=edges.ways / 10)
    found = exposure_by_edges(slow)
    assert (found.error, found.witnesses) == (math.inf, 0)
