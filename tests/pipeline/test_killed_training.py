"""A training that is killed goes on where its last saved state was, to the same network."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

TRAIN = """
import sys
from pathlib import Path
from tsr.core.clip_io import probe
from tsr.pipeline import network
from tsr.pipeline.cache import VideoCache
from tsr.pipeline.options import Options
from tsr.pipeline.told import Told
small = dict(channels=4, steps=60, batch=1, validate_every=2, precision="fp32")
clip, kept = probe(Path(sys.argv[1])), VideoCache(Path(sys.argv[2]))
network.train(clip, 8, Options(training=small), kept, Told())
"""


@pytest.mark.slow
def test_a_training_killed_at_random_moments_ends_with_the_same_network(
    tmp_path: Path, clip: Path
) -> None:
    """By kill -9, on the way to the same bytes."""

    def train(folder: str) -> "subprocess.Popen[str]":
        given = [sys.executable, "-c", TRAIN, str(clip), str(tmp_path / folder)]
        return subprocess.Popen(given, stderr=subprocess.PIPE, text=True)

    def network(folder: str) -> bytes:
        (model,) = (tmp_path / folder).glob("train-*/model.safetensors")
        return model.read_bytes()

    whole = train("whole")
    begun = time.monotonic()
    for line in whole.stderr or ():
        if "validation" in line:
            begun = time.monotonic()
            break
    assert whole.wait(300) == 0
    seconds = time.monotonic() - begun
    random = np.random.default_rng(3)
    for _ in range(4):
        process = train("killed")
        for line in process.stderr or ():
            if "validation" in line:
                break
        time.sleep(float(random.uniform(0, 0.4 * seconds)))
        process.kill()
        process.communicate()
    assert train("killed").wait(300) == 0
    assert network("killed") == network("whole")
