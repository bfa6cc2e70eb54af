"""Clips through pipes: `-` for standard input and output, and named pipes.

A clip is read several times (its frames are counted first, a model is trained on all of it), so
what comes through a pipe is kept in a temporary file, byte for byte, while the command runs.
"""

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from tsr.core.errors import ClipError, OutputError
from tsr.core.leftovers import mark, remove_leftovers

STANDARD = Path("-")
"""Standard input as a clip, standard output as an output."""

SPOOL = "tsr-"
"""How the temporary folders begin that pipes are kept in."""

CHUNK_BYTES = 2**20
"""Bytes in memory at a time while a pipe is kept."""


def is_pipe(path: Path) -> bool:
    """Whether `path` can be read or written once only, from its beginning on."""
    try:
        return path == STANDARD or path.is_fifo()
    except (OSError, ValueError):  # a name that no disk takes is said where it is opened
        return False


def check_output_pipe(path: Path) -> None:
    """Raise `OutputError` if `path` is standard output and that is a terminal."""
    if path == STANDARD and sys.stdout.isatty():
        raise OutputError(
            "standard output is a terminal, which shows no video; pipe it into a program or a file"
        )


@contextlib.contextmanager
def spooled(path: Path) -> Iterator[Path]:
    """A file with all that comes through a pipe; it is removed at the end, as is what a killed
    process left of its own.

    Raises:
        ClipError: nobody is writing (a terminal), or the temporary folder cannot hold the clip.
    """
    name = "standard-input" if path == STANDARD else path.name
    remove_leftovers(Path(tempfile.gettempdir()), SPOOL, "-")
    prefix = f"{SPOOL}{mark()}-"
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as folder:
        copy = Path(folder) / name
        try:
            with _opened(path) as source, copy.open("wb") as target:
                shutil.copyfileobj(source, target, CHUNK_BYTES)
        except OSError as error:
            raise ClipError(
                f"{name} could not be kept in {tempfile.gettempdir()} ({error.strerror}); "
                "set TMPDIR to a folder with more room"
            ) from error
        yield copy


def _opened(path: Path) -> contextlib.AbstractContextManager[BinaryIO]:
    if path != STANDARD:
        return path.open("rb")
    if sys.stdin is None or sys.stdin.isatty():
        raise ClipError("standard input is a terminal; pipe a video into the command")
    return contextlib.nullcontext(sys.stdin.buffer)
