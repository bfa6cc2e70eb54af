"""What is recorded is what a real run hands to the network, by rung, and the liveliest of it."""

from fractions import Fraction
from pathlib import Path

import clips
import numpy as np
import pytest

from tsr.core.clip_io import probe
from tsr.core.ladder import Rung, ScaleLadder
from tsr.core.resize import resize_hw, resize_t
from tsr.core.tiling import NETWORK_HALO
from tsr.core.volume import Volume
from tsr.runtime.cpu_backend import CpuBackend
from tsr.runtime.onnx_network import OnnxNetwork
from tsr.runtime.recording import Window, liveliest, liveliness, record_windows, windows_at
from tsr.runtime.streaming import super_resolve

HEIGHT, WIDTH, NUM_FRAMES = 64, 96, 5
LADDER = ScaleLadder(Fraction(1, 4), 8)
TILE = (8, 16, 32)
RUNGS = [Rung(Fraction(1, 4), 2), Rung(Fraction(1, 2), 4), Rung(Fraction(1), 8)]


class Spy:
    """A network that remembers what it was handed."""

    def __init__(self, network: OnnxNetwork) -> None:
        self.network = network
        self.handed: list[Volume] = []

    def __call__(self, window: Volume) -> Volume:
        self.handed.append(window)
        return self.network(window)


@pytest.fixture(scope="module")
def network(tiny_onnx: Path) -> OnnxNetwork:
    return OnnxNetwork(tiny_onnx)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    wheel = clips.rotating_spokes(NUM_FRAMES, HEIGHT, WIDTH, turn=0.05)
    return clips.write_pngs(tmp_path_factory.mktemp("clip") / "frames", wheel)


@pytest.fixture(scope="module")
def volume(clip: Path) -> Volume:
    from tsr.core.clip_io import read_volume

    return read_volume(clip)[0]


def recorded(
    network: OnnxNetwork | Spy,
    volume: Volume,
    ladder: ScaleLadder = LADDER,
    tile: tuple[int, int, int] = TILE,
    keep: int = 1000,
) -> dict[Rung, list[Window]]:
    """The windows at all frames of a volume."""
    num_frames = volume.shape[1]
    frames = (volume[:, n] for n in range(num_frames))
    return windows_at(network, frames, num_frames, ladder, range(num_frames), keep=keep, tile=tile)


@pytest.mark.parametrize("ladder", [LADDER, ScaleLadder(Fraction(1, 8), 8)], ids=str)
def test_the_windows_are_those_of_a_real_run(
    network: OnnxNetwork, clip: Path, volume: Volume, ladder: ScaleLadder
) -> None:
    """Kept without limit at every frame, they are all that the loop hands over, bit for bit."""
    spy = Spy(network)
    backend, frames = CpuBackend(spy, TILE), (volume[:, n] for n in range(NUM_FRAMES))
    list(super_resolve(frames, probe(clip), ladder, backend, segment=1))
    windows = recorded(network, volume, ladder)
    assert sum(map(len, windows.values())) == len(spy.handed)
    handed = {(window.shape, window.tobytes()) for window in spy.handed}
    found = {(w.volume.shape, w.volume.tobytes()) for kept in windows.values() for w in kept}
    assert found == handed


def test_each_window_lies_under_its_own_rung(network: OnnxNetwork, volume: Volume) -> None:
    """With a tile that holds all, a window has the size of its rung, and a halo."""
    windows = recorded(network, volume, tile=(64, 256, 256))
    assert list(windows) == RUNGS
    for rung, kept in windows.items():
        size = (int(HEIGHT * rung.s) + 16, int(WIDTH * rung.s) + 16)
        assert {window.volume.shape[2:] for window in kept} == {size}
        assert len(kept) == NUM_FRAMES


def test_each_window_knows_its_place(network: OnnxNetwork, volume: Volume) -> None:
    """Cut there out of the interpolated small video, which is the coarsest rung's base, it is the
    same; at every rung the places cover the frame in steps of the tile."""
    windows = recorded(network, volume)
    small = resize_hw(resize_hw(volume, HEIGHT // 2, WIDTH // 2), HEIGHT // 4, WIDTH // 4)
    halo = [(0, 0), *((m, m) for m in (NETWORK_HALO.t, NETWORK_HALO.h, NETWORK_HALO.w))]
    base = np.pad(resize_t(small, 2 * NUM_FRAMES), halo, mode="edge")
    for window in windows[RUNGS[0]]:
        t, h, w = window.volume.shape[1:]
        there = base[:, window.frame :, window.row :, window.column :][:, :t, :h, :w]
        np.testing.assert_allclose(window.volume, there, rtol=0, atol=1e-5)
    for rung, kept in windows.items():
        rows = {window.row for window in kept}
        columns = {window.column for window in kept}
        assert rows == set(range(0, int(HEIGHT * rung.s), TILE[1]))
        assert columns == set(range(0, int(WIDTH * rung.s), TILE[2]))
        assert max(w.frame + w.volume.shape[1] - 6 for w in kept) == NUM_FRAMES * rung.t


def test_the_finest_pass_is_recorded_and_not_computed(network: OnnxNetwork, volume: Volume) -> None:
    """The network sees the coarser rungs alone."""
    spy = Spy(network)
    windows = recorded(spy, volume)
    coarser = sum(len(windows[rung]) for rung in RUNGS[:-1])
    assert len(spy.handed) == coarser
    assert windows[RUNGS[-1]]


def test_the_liveliest_windows_are_kept(network: OnnxNetwork, volume: Volume) -> None:
    """A few of each rung, in falling order of their change over time."""
    everything, few = recorded(network, volume), recorded(network, volume, keep=3)
    for rung in RUNGS:
        scores = sorted((liveliness(window.volume) for window in everything[rung]), reverse=True)
        assert [liveliness(window.volume) for window in few[rung]] == scores[:3]


def test_liveliness_is_the_mean_change_from_frame_to_frame() -> None:
    """A flicker between two levels changes by their difference; a still picture does not."""
    window = np.zeros((3, 6, 4, 5), np.float32)
    window[:, 1::2] = 0.25
    assert liveliness(window) == 0.25
    assert liveliness(np.full((3, 6, 4, 5), 0.5, np.float32)) == 0


def test_the_liveliest_frames_are_spread_over_the_video() -> None:
    """One of each stretch: the largest change is at frames 2 and 7, the next largest at 3."""
    levels = np.cumsum([0.0, 0.0, 0.4, 0.3, 0.0, 0.0, 0.01, 0.02, 0.0, 0.0])
    frames = [np.full((3, 4, 4), level, np.float32) for level in levels]
    assert liveliest(frames, 10, 2) == [2, 7]
    assert liveliest(frames, 10, 1) == [2]
    assert liveliest(frames[:3], 3, 8) == [0, 1, 2]


def test_a_file_is_recorded_at_its_liveliest_frames(
    network: OnnxNetwork, clip: Path, volume: Volume
) -> None:
    """Read twice: once to choose the frames, once to run the loop there."""
    frames = [volume[:, n] for n in range(NUM_FRAMES)]
    chosen = liveliest(frames, NUM_FRAMES, 2)
    expected = windows_at(network, iter(frames), NUM_FRAMES, LADDER, chosen, keep=2, tile=TILE)
    found = record_windows(network, clip, LADDER, frames=2, keep=2, tile=TILE)
    assert list(found) == RUNGS
    for rung in RUNGS:
        assert len(found[rung]) == 2
        for a, b in zip(found[rung], expected[rung], strict=True):
            np.testing.assert_array_equal(a.volume, b.volume)
