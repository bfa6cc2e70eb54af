"""What `polygraphy run MODEL … --data-loader-script THIS_FILE` feeds to a model of ours.

Polygraphy's own data has neither our sizes nor our values. The script takes no arguments, so that
settings come from the environment: TSR_VIDEO, a video to take the windows from, and TSR_MODEL, the
model that runs its ladder. Without them, windows of a made-up video.
"""

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from tsr.core.errors import SettingsError
from tsr.core.ladder import ScaleLadder
from tsr.core.volume import Volume
from tsr.export.tiles import made_up_windows, video_windows
from tsr.runtime.onnx_network import INPUT
from tsr.runtime.recording import interpolation


def load_data() -> Iterator[dict[str, Volume]]:
    """Feeds {"base": (1, 3, T + 6, H + 16, W + 16) float32}, coarsest rung first.

    Raises:
        SettingsError: only one of the two variables is set. TsrError: a file cannot be used.
    """
    video, model = os.environ.get("TSR_VIDEO"), os.environ.get("TSR_MODEL")
    if bool(video) != bool(model):
        raise SettingsError("set both TSR_VIDEO and TSR_MODEL, or neither")
    if video and model:
        from tsr.export.runners import open_model

        opened = open_model(Path(model), "loader")
        with opened.runner:
            windows = video_windows(opened.network, opened.card, Path(video))
    else:
        windows = made_up_windows(interpolation, ScaleLadder(Fraction(1, 8), 8))
    for found in windows.values():
        for window in found:
            yield {INPUT: window.volume[None]}
