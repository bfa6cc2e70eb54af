"""Results appear under their final name only when complete."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from tsr.core.errors import OutputError


def check_output(path: Path, *, inputs: tuple[Path, ...] = (), overwrite: bool = False) -> None:
    """Refuse, before any work is done, an output that could not be written at the end.

    Raises:
        OutputError: the output is one of the inputs, exists already without `overwrite`, or its
            folder is missing or not writable.
    """
    if any(path.resolve() == given.resolve() for given in inputs):
        raise OutputError(f"output {path} is the input itself; choose another name with -o")
    if path.exists() and not overwrite:
        raise OutputError(f"output {path} exists already; pass --overwrite or choose another name")
    parent = path.absolute().parent
    if not parent.is_dir():
        raise OutputError(f"folder {parent} does not exist; create it or choose another output")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise OutputError(f"folder {parent} is not writable; choose another output with -o")


@contextlib.contextmanager
def completed(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; it becomes `path` only if the block ends well.

    The temporary name keeps the suffix, since encoders choose the container by it. Whatever the
    block leaves behind under that name is removed when it fails, be it a file or a folder.

    Raises:
        OutputError: the disk refused the file (full, read-only, vanished folder).
    """
    temporary = path.with_name(f".{path.stem}.part-{os.getpid()}{path.suffix}")
    try:
        yield temporary
        if path.is_dir() and temporary.is_dir():
            shutil.rmtree(path)
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)
