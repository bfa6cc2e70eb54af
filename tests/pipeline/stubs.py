"""The one-shot command without its minutes: a network at hand stands for the training.

python stubs.py MODEL ONNX PIECE_FRAMES ARGUMENTS…    runs `tsr ARGUMENTS` so
"""

import sys
from pathlib import Path
from typing import Any


def install(model: Path, onnx: Path, piece_frames: int, patch: Any = setattr) -> None:
    """Let `tsr` take this network for every shot, and cut renders into such pieces."""
    from tsr.pipeline import network, render

    training = network.Training(model, ((1, 1e-3, 30.0),), 30.0, 29.0, 0.5)
    exported = network.Exported(onnx, "fp32", 0.1)
    patch(network, "train", lambda *_: training)
    patch(network, "export", lambda *_: exported)
    patch(render, "PIECE_FRAMES", piece_frames)


if __name__ == "__main__":
    install(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
    from tsr.pipeline.cli import main

    main(sys.argv[4:], prog_name="tsr")
