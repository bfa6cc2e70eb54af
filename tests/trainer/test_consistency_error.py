"""What of the video's own rate counts as an error: pairs, and what no pair shows."""

import pytest
import torch

from tsr.core.volume import Volume
from tsr.trainer import consistency
from tsr.trainer.consistency import Consistency
from tsr.trainer.network import TsrNetwork
from tsr.trainer.torch_ops import rect2

CROP = (16, 16, 16)
STEP = 0.01


@pytest.fixture
def video() -> Volume:
    """(3, 20, 20, 24), noise."""
    return torch.rand((3, 20, 20, 24), generator=torch.Generator().manual_seed(2)).numpy()


def drawn(examples: Consistency) -> tuple[torch.Tensor, torch.Tensor]:
    """What is made by a silent network of some crops, and what is known of it."""
    network = TsrNetwork(4)
    network.silence()
    examples.remake(network)
    base, known = examples.draw(4, torch.Generator().manual_seed(0))
    return base[:, :, 3:-3, 8:-8, 8:-8], known


@pytest.mark.parametrize("exposure", [1.0, 0.5])
@pytest.mark.parametrize("interpolation", ["cubic", "motion"])
def test_what_was_given_is_known_where_frames_are_moved(
    video: Volume, exposure: float, interpolation: str
) -> None:
    """What brings pairs to the input's frames by leaving those given is an error there."""
    examples = Consistency(
        video, CROP, torch.device("cpu"), exposure=exposure, interpolation=interpolation
    )
    made, known = drawn(examples)
    pairs = [rect2(made[:, :, n : n + 2], exposure)[:, :, 0] for n in range(known.shape[2])]
    exact, nothing = torch.stack(pairs, dim=2), torch.zeros_like(made)
    assert float(examples.error(made, nothing, exact)) < 1e-12
    for shot, given in ((STEP, 0), (0, STEP)):
        wrong = exact.clone()
        wrong[:, :, 0::2] += shot
        wrong[:, :, 1::2] += given
        counted = 0 if given and interpolation == "cubic" else STEP**2
        found = float(examples.error(made, nothing, wrong))
        assert found == pytest.approx(counted, rel=1e-3, abs=1e-12)


def test_what_no_pair_shows_is_not_free(video: Volume) -> None:
    """What goes to and fro everywhere alike: less of it is better, and the more, the worse."""
    examples = Consistency(video, CROP, torch.device("cpu"), interpolation="motion")
    made, known = drawn(examples)
    to_and_fro = torch.tensor([STEP, -STEP]).repeat(5)[:, None, None].expand_as(made)
    errors = [float(examples.error(made, n * to_and_fro, known)) for n in range(3)]
    added = consistency.UNSEEN * STEP**2
    assert errors[1] - errors[0] == pytest.approx(added, rel=0.02)
    assert errors[2] - errors[0] == pytest.approx(4 * added, rel=0.02)
