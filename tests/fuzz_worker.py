"""A process that opens one file of strangers after another; its parent watches how that ends.

Each line of standard input is a task, `KIND PATH`; each line of standard output how it ended:
`fine`, `refused: …` for one line that a user can read, `bug: …` for anything else. Memory is
limited, so that a header's lies end in an error.
"""

import resource
import shutil
import sys
import tempfile
import traceback
from pathlib import Path

MEMORY_BYTES = 4 * 2**30
MAX_PIXELS = 400_000
"""Frames larger than this are read, not rendered: the test is no test of speed."""
MAX_FRAMES = 64


def open_clip(path: Path) -> None:
    """Probe, read, and render with all that the file holds beside the picture."""
    from tsr.core.clip_io import ClipReader, ClipWriter, choose_encoding, probe

    info = probe(path)
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    try:
        small = info.width * info.height <= MAX_PIXELS and info.num_frames <= MAX_FRAMES
        if not small:
            with ClipReader(path, info) as reader:
                next(iter(reader))
            return
        output = folder / "out.mkv"
        encoding = choose_encoding(output, info, encoder="ffv1")
        try:
            with (
                ClipReader(path, info) as reader,
                ClipWriter(
                    output, info, times=info.times, encoding=encoding, streams=True
                ) as writer,
            ):
                for frame in reader:
                    writer.write(frame)
        finally:
            assert [file.name for file in folder.iterdir()] in ([], ["out.mkv"]), "a stray file"
    finally:
        shutil.rmtree(folder)


def open_model(path: Path) -> None:
    """Open what `tsr-run` is given."""
    from tsr.core.plan_file import read_plan
    from tsr.runtime.onnx_network import OnnxNetwork

    if path.suffix == ".plan":
        read_plan(path)
    elif path.suffix == ".safetensors":
        from tsr.trainer.network import load_model

        load_model(path)
    else:
        import numpy as np

        OnnxNetwork(path)(np.zeros((3, 8, 24, 24), np.float32))


KINDS = {"clip": open_clip, "model": open_model}


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    from tsr.core.errors import TsrError

    for line in sys.stdin:
        kind, path = line.rstrip("\n").split(" ", 1)
        try:
            KINDS[kind](Path(path))
            answer = "fine"
        except TsrError as error:
            answer = "refused: " + str(error) if "\n" not in str(error) else f"bug: {error!r}"
        except MemoryError:
            answer = "refused: out of memory"
        except Exception:
            answer = "bug: " + " | ".join(traceback.format_exc().splitlines()[-12:])
        print(answer, flush=True)


if __name__ == "__main__":
    main()
