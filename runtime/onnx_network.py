"""A model file as a function, by ONNX Runtime. Model files are data: nothing in them is executed
but the arithmetic of their graph."""

from pathlib import Path
from typing import Any

from tsr.core.cores import usable_cores
from tsr.core.errors import ModelError
from tsr.core.model_card import METADATA_KEY, ModelCard
from tsr.core.onnx_scan import check_onnx
from tsr.core.volume import Volume

INPUT, OUTPUT = "base", "htr"
"""Names of the graph's input (1, 3, T + 6, H + 16, W + 16) and output (1, 3, T, H, W)."""


class OnnxNetwork:
    """The network of an .onnx file on the CPU.

    Args:
        path: the file that `tsr-export` wrote.
        threads: threads per convolution; all usable cores if None.

    Raises:
        ModelError: the file is missing, damaged, or not a model of ours.
    """

    engine = "onnxruntime"

    def __init__(self, path: Path, threads: int | None = None) -> None:
        import onnxruntime as ort

        options = ort.SessionOptions()
        # Said outright, since ONNX Runtime would otherwise pin each thread to a core, however busy.
        options.intra_op_num_threads = threads or usable_cores()
        options.log_severity_level = 4
        # Waiting threads must not hold the cores that back-projection and the encoder need.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._path = path
        self._session = open_session(path, options)
        self.card = card_of(self._session, path)

    def __call__(self, window: Volume) -> Volume:
        """(3, T + 6, H + 16, W + 16) → (3, T, H, W)."""
        try:
            (result,) = self._session.run([OUTPUT], {INPUT: window[None]})
        except Exception as error:  # ONNX Runtime raises a class per status, with no common base
            raise ModelError(f"{self._path} cannot be computed ({first_line(error)})") from error
        made: Volume = result[0]
        return made


def open_session(path: Path, options: Any) -> Any:
    """ONNX Runtime's session on the CPU.

    Raises:
        ModelError: the file is missing or damaged.
    """
    import onnxruntime as ort

    if not path.is_file():
        raise ModelError(f"{path} does not exist; make it with tsr-export MODEL.safetensors")
    check_onnx(path)
    try:
        return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises a class per status, with no common base
        raise ModelError(
            f"{path} is not a readable ONNX model ({first_line(error)}); "
            "make it again with tsr-export"
        ) from error


def read_card(path: Path) -> ModelCard:
    """The model card of a file that another engine will run, after the same look at it.

    Raises:
        ModelError: the file is missing, damaged, or not a model of ours.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    return card_of(open_session(path, options), path)


def card_of(session: Any, path: Path) -> ModelCard:
    """The model card of an open session, after a look at what it takes and makes.

    Raises:
        ModelError: it is not a model of ours, or its sizes are fixed.
    """
    card = ModelCard.from_json(session.get_modelmeta().custom_metadata_map.get(METADATA_KEY), path)
    names = [node.name for node in (*session.get_inputs(), *session.get_outputs())]
    if names != [INPUT, OUTPUT]:
        raise ModelError(
            f"{path} has the tensors {', '.join(names)}; expected {INPUT}, {OUTPUT}. "
            "Make it again with tsr-export"
        )
    shape = session.get_inputs()[0].shape
    if shape[:2] != [1, 3] or any(isinstance(axis, int) for axis in shape[2:]):
        raise ModelError(
            f"{path} takes windows of a fixed size only, {shape}; make it again with tsr-export"
        )
    return card


def first_line(error: Exception) -> str:
    """The part of a library's message that fits into one line."""
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
