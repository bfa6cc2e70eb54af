"""What tests of the training share."""

import clips
import numpy as np
import pytest
from numpy.typing import NDArray


@pytest.fixture(scope="module")
def video() -> NDArray[np.float32]:
    return 0.2 + 0.6 * clips.rotating_spokes(16, 18, 20, turn=0.3)
