"""The benchmark that tells where the ladder loses."""

from fractions import Fraction
from pathlib import Path

import clips
import numpy as np
import pytest

ladder = pytest.importorskip("benchmarks.ladder", reason="benchmarks are not part of the wheel")

from benchmarks.ladder_md import ladder as rendered  # noqa: E402
from tsr.core.backproject import backproject  # noqa: E402
from tsr.core.ladder import ScaleLadder  # noqa: E402
from tsr.core.rect import rect_downsample  # noqa: E402
from tsr.core.resize import resize_hw  # noqa: E402
from tsr.core.volume import Volume  # noqa: E402
from tsr.runtime.cpu_backend import CpuBackend  # noqa: E402

FRAMES = 10


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> "ladder.Window":
    folder: Path = tmp_path_factory.mktemp("ladder")
    truth = clips.rotating_spokes(8 * FRAMES, 64, 64, turn=0.02)
    clips.write_video(folder / "truth.mkv", truth)
    clips.write_video(folder / "slow.mkv", rect_downsample(truth, 8))
    steps = ScaleLadder(Fraction(1, 4), 8)
    return ladder.Window(folder / "slow.mkv", folder / "truth.mkv", steps)


def interpolate(base: Volume) -> Volume:
    """A network that adds nothing."""
    return np.ascontiguousarray(base[:, 3:-3, 8:-8, 8:-8])


def test_the_truth_as_a_step_s_input_takes_away_what_it_inherits(window: "ladder.Window") -> None:
    backend = CpuBackend(interpolate)
    found = ladder.climb(window, backend)
    assert list(found) == ["S×1/4 T×2", "S×1/2 T×2", "S×1/2 T×4", "S×1 T×4", "S×1 T×8"]
    helped = ladder.climb(window, backend, truth_before=2)
    assert list(helped) == ["S×1/2 T×4", "S×1 T×4", "S×1 T×8"]
    assert all(helped[rung] > found[rung] for rung in helped)


def test_the_truth_at_a_rung_is_what_a_perfect_ladder_has_there(window: "ladder.Window") -> None:
    before, after = window.ladder.steps[1].before, window.ladder.steps[1].after
    climbed = backproject(window.truth(before), window.known(after))
    assert float(np.abs(climbed - window.truth(after)).mean()) < 0.02
    assert window.truth(after).shape == climbed.shape


def test_another_iteration_agrees_better_with_the_smaller_size() -> None:
    random = np.random.default_rng(0)
    low = random.random((3, 4, 8, 8), dtype=np.float32)
    known = random.random((3, 2, 16, 16), dtype=np.float32)
    once = backproject(low, known)

    def error(guess: Volume) -> float:
        return float(np.square(resize_hw(guess, 8, 8) - low).mean())

    assert error(ladder.again(once, low, known)) < error(once)


def test_results_are_told_rung_by_rung() -> None:
    found = {"as it runs": {"S×1/4 T×2": 30.0, "S×1 T×8": 25.5}, "truth given": {"S×1 T×8": 28.0}}
    text = rendered({"method": "ours-fast", "middle": 3, "clips": {"cup": found}})
    assert "| cup | S×1/4 T×2 | S×1 T×8 |" in text
    assert "| as it runs | 30.00 | 25.50 |" in text
    assert "| truth given |  | 28.00 |" in text
